/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A pod's gate, at the host side of its veth. nm_pod_ingress sees what the pod sends (its egress policy),
 * nm_pod_egress what it is sent (its ingress policy). Fails closed.
 */
#include "deny.h"
#include "fast.h"
#include "gate.h"
#include "local.h"
#include "socket.h"
#include "lib/source.h"

/* The pod's packet is a reply on a connection to the pod: the opener's direction is judged again. */
nm_inline __u32 nm_judge_opener(const struct nm_gate *g, nm_bool proxied)
{
	struct nm_tuple opener;

	nm_tuple_reverse(&opener, &g->p.t);
	return nm_ingress_decide(&g->ep, nm_peer_at(&opener.saddr), &opener, proxied, NULL);
}

/* An ICMP error about a connection of this pod: REPLY, HANDED_OVER, a drop, or NM_REASON_COUNT: nothing known of it. */
nm_inline __u32 nm_error_from_pod(struct __sk_buff *skb, struct nm_gate *g)
{
	struct nm_ct_entry *entry;
	nm_bool reply;

	/* The packet it is about travelled toward the pod. */
	entry = nm_ct_find_local(&g->key, g->ifindex, NM_INGRESS, &g->p.inner, g->now_ns, &reply);
	if (!entry)
		entry = nm_ct_find(&g->key, g->ifindex, NM_INGRESS, &g->p.inner, g->now_ns, &reply);
	if (entry && nm_gate_is_stale(g, entry))
		entry = NULL;
	if (entry && entry->origin != NM_CT_ORIGIN_PROXY && !(entry->flags & NM_CT_HANDED_OVER))
		return NM_REASON_REPLY;
	/* A pod speaks for itself only, not about connections of other pods with the proxy. */
	if (nm_pod_ifindex(&g->p.inner.daddr) == g->ifindex && nm_error_has_socket(skb, &g->p))
		return nm_deliver(skb);
	return entry ? NM_REASON_NO_SOCKET : NM_REASON_COUNT;
}

/* Both ends' policy on a connection between two pods of this node, as its opener sees it. */
nm_inline __u32 nm_judge_local(const struct nm_tuple *t, __u32 opener, __u32 answerer)
{
	const struct nm_endpoint_entry *from = nm_endpoint_find(opener), *to = nm_endpoint_find(answerer);
	__u32 reason;

	if (!from || !to || nm_pod_ifindex(&t->saddr) != opener || nm_pod_ifindex(&t->daddr) != answerer)
		return NM_REASON_NO_POLICY;
	reason = nm_egress_decide(from, opener, t, NULL);
	return reason == NM_REASON_FORWARDED ? nm_ingress_decide(to, nm_peer_at(&t->saddr), t, 0, NULL) : reason;
}

/* A packet, in either direction and at either gate, of a connection between two pods of this node. */
nm_inline __u32 nm_track_local(struct nm_gate *g, struct nm_ct_entry *entry, nm_bool reply)
{
	struct nm_tuple opener = g->p.t;
	__u32 reason;

	if (nm_gate_is_stale(g, entry)) {
		if (reply)
			nm_tuple_reverse(&opener, &g->p.t);
		reason = nm_gate_rejudged(g, entry, nm_judge_local(&opener, entry->opener, entry->answerer));
		if (!nm_reason_passes(reason))
			return reason;
	}
	nm_ct_touch(&g->key, entry, &g->p, reply, g->now_ns);
	return reply ? NM_REASON_REPLY : NM_REASON_FORWARDED;
}

/*
 * The pod opens a connection that its egress lets through. When the other end is a pod of this node that lets it in,
 * one entry serves both, and packets need not meet the other gate. What it would refuse goes there, to be counted.
 * COUNT: not so.
 */
nm_inline __u32 nm_open_local(struct nm_gate *g, __u8 flags)
{
	__u32 other = nm_pod_ifindex(&g->p.t.daddr);
	const struct nm_endpoint_entry *to;
	struct nm_ct_entry entry = {.epoch = g->epoch, .flags = flags, .opener = g->ifindex, .answerer = other};

	if (!other || other == g->ifindex)
		return NM_REASON_COUNT;
	to = nm_endpoint_find(other);
	/* Past the stack nobody else looks whether the source is the pod's own. */
	if (!to || g->p.fragment != NM_FRAGMENT_NONE || !nm_local_may_join(&g->ep, to) ||
		nm_pod_ifindex(&g->p.t.saddr) != g->ifindex ||
		nm_ingress_decide(to, nm_peer_at(&g->p.t.saddr), &g->p.t, 0, &g->far) != NM_REASON_FORWARDED)
		return NM_REASON_COUNT;
	nm_ct_key_from(&g->key, 0, NM_EGRESS, &g->p.t);
	entry.expires_ns = g->now_ns + nm_ct_lifetime_ns(g->key.proto, flags);
	switch (nm_ct_write(&g->key, &entry, g->now_ns)) {
	case NM_CT_MADE:
		nm_rule_hit_add(&g->far, other, NM_INGRESS, NM_REASON_FORWARDED);
		g->next = other;
		return NM_REASON_FORWARDED;
	case NM_CT_REFUSED:
		return NM_REASON_CONNECTION_SHARE;
	}
	return NM_REASON_COUNT;
}

nm_inline __u32 nm_track_from_pod(struct __sk_buff *skb, struct nm_gate *g, struct nm_ct_entry *entry, nm_bool reply)
{
	__u32 reason;

	/* What outside opened through the proxy, the pod cannot answer past it. */
	if (reply && (entry->flags & NM_CT_HANDED_OVER))
		return NM_REASON_WRONG_ORIGIN;
	if (nm_gate_is_stale(g, entry)) {
		reason = reply ? nm_judge_opener(g, entry->origin == NM_CT_ORIGIN_PROXY)
			       : nm_egress_decide(&g->ep, g->ifindex, &g->p.t, NULL);
		reason = nm_gate_rejudged(g, entry, reason);
		if (!nm_reason_passes(reason))
			return reason;
	}
	nm_ct_touch(&g->key, entry, &g->p, reply, g->now_ns);
	if (reply)
		return entry->origin == NM_CT_ORIGIN_PROXY ? nm_hand_back(skb, &g->p) : NM_REASON_REPLY;
	return entry->flags & NM_CT_HANDED_OVER ? nm_hand_over(skb, &g->p) : NM_REASON_FORWARDED;
}

/* An answer to the proxy whose entry was evicted: the proxy's port range and an open socket tell. COUNT: it is none. */
nm_inline __u32 nm_restore_proxy_reply(struct __sk_buff *skb, struct nm_gate *g)
{
	__u32 reason;

	if (!nm_port_is_reserved(g->p.t.dport_be) || nm_socket_find(skb, &g->p.t) != NM_SOCKET_OPEN)
		return NM_REASON_COUNT;
	reason = nm_judge_opener(g, 1);
	if (!nm_reason_passes(reason))
		return reason;
	nm_ct_key_from_reply(&g->key, g->ifindex, NM_EGRESS, &g->p.t);
	if (!nm_ct_create(&g->key, NM_CT_ORIGIN_PROXY, nm_ct_flags_from(&g->p, 1), g->epoch, g->now_ns))
		return NM_REASON_CONNECTION_SHARE;
	return nm_hand_back(skb, &g->p);
}

nm_inline __u32 nm_open_from_pod(struct __sk_buff *skb, struct nm_gate *g, nm_bool syn)
{
	nm_bool tcp = g->p.t.proto == IPPROTO_TCP;
	__u8 flags = nm_ct_flags_from(&g->p, 0);
	__u32 reason, local;

	if (tcp && !syn) {
		reason = nm_restore_proxy_reply(skb, g);
		if (reason != NM_REASON_COUNT)
			return reason;
	}
	nm_icmp_stand_alone(&g->p.t);
	reason = nm_egress_decide(&g->ep, g->ifindex, &g->p.t, &g->own);
	if (reason == NM_REASON_TO_NODE) {
		g->to_node = 1;
		return NM_REASON_FORWARDED;
	}
	nm_rule_hit_add(&g->own, g->ifindex, NM_EGRESS, reason);
	/* Open already, with the proxy: its entry was evicted, and what policy wants now is no longer the question. */
	if (tcp && !syn && reason == NM_REASON_FORWARDED && nm_socket_find(skb, &g->p.t) == NM_SOCKET_OPEN)
		reason = NM_REASON_HANDED_OVER;
	/* Who opened what is already running cannot be told: so either may have, and both must be allowed. */
	if (tcp && !syn && reason == NM_REASON_FORWARDED)
		reason = nm_judge_opener(g, 0);
	if (nm_config.local_redirect && !g->translated && (!tcp || syn) && reason == NM_REASON_FORWARDED) {
		local = nm_open_local(g, flags);
		if (local != NM_REASON_COUNT)
			return local;
	}
	if (reason == NM_REASON_HANDED_OVER) {
		flags |= NM_CT_HANDED_OVER;
		reason = nm_hand_over(skb, &g->p);
	}
	if (nm_reason_passes(reason)) {
		nm_ct_key_from(&g->key, g->ifindex, NM_EGRESS, &g->p.t);
		if (!nm_ct_create(&g->key, NM_CT_ORIGIN_DIRECT, flags, g->epoch, g->now_ns))
			return NM_REASON_CONNECTION_SHARE;
	}
	return reason;
}

nm_inline __u32 nm_from_pod(struct __sk_buff *skb, struct nm_gate *g)
{
	nm_bool syn = nm_packet_is_syn(&g->p), reply;
	struct nm_ct_entry *entry;
	__u32 reason = nm_gate_enter(g, NM_EGRESS);

	if (reason != NM_REASON_COUNT)
		return reason;
	if (g->p.kind == NM_PACKET_ICMP_ERROR) {
		reason = nm_error_from_pod(skb, g);
		if (reason != NM_REASON_COUNT)
			return reason;
	}
	if (syn) {
		/* What an older connection with these addresses was must not answer for this one. */
		nm_ct_key_from(&g->key, 0, NM_EGRESS, &g->p.t);
		entry = nm_ct_row(&g->key);
		if (entry)
			nm_ct_remove(&g->key, entry);
		return nm_open_from_pod(skb, g, syn);
	}
	entry = nm_ct_find_local(&g->key, g->ifindex, NM_EGRESS, &g->p.t, g->now_ns, &reply);
	if (entry) {
		g->next = reply ? entry->opener : entry->answerer;
		return nm_track_local(g, entry, reply);
	}
	entry = nm_ct_find(&g->key, g->ifindex, NM_EGRESS, &g->p.t, g->now_ns, &reply);
	return entry ? nm_track_from_pod(skb, g, entry, reply) : nm_open_from_pod(skb, g, syn);
}

/* Who sends: the interface that a local pod's packet came in by tells more than the address it claims. */
nm_inline __u64 nm_sender(struct __sk_buff *skb, const struct nm_tuple *t)
{
	const struct nm_endpoint_entry *sender = NULL;

	if (skb->ingress_ifindex)
		sender = nm_endpoint_find(skb->ingress_ifindex);
	return sender ? nm_peer_pod(sender, skb->ingress_ifindex, &t->saddr) : nm_peer_at(&t->saddr);
}

nm_inline __u32 nm_track_to_pod(
	struct __sk_buff *skb, struct nm_gate *g, struct nm_ct_entry *entry, nm_bool reply, nm_bool proxied)
{
	__u32 reason;

	if (nm_gate_is_stale(g, entry)) {
		if (reply) {
			struct nm_tuple opener;

			nm_tuple_reverse(&opener, &g->p.t);
			reason = nm_egress_decide(&g->ep, g->ifindex, &opener, NULL);
		} else {
			reason = nm_ingress_decide(&g->ep, nm_sender(skb, &g->p.t), &g->p.t, proxied, NULL);
		}
		reason = nm_gate_rejudged(g, entry, reason);
		if (!nm_reason_passes(reason))
			return reason;
	}
	nm_ct_touch(&g->key, entry, &g->p, reply, g->now_ns);
	return reply ? NM_REASON_REPLY : NM_REASON_FORWARDED;
}

nm_inline __u32 nm_open_to_pod(struct __sk_buff *skb, struct nm_gate *g, nm_bool proxied)
{
	__u8 flags = nm_ct_flags_from(&g->p, 0);
	__u32 reason, opened;

	if (skb->ingress_ifindex == g->ifindex)
		return NM_REASON_FORWARDED;
	nm_icmp_stand_alone(&g->p.t);
	reason = nm_ingress_decide(&g->ep, nm_sender(skb, &g->p.t), &g->p.t, proxied, &g->own);
	nm_rule_hit_add(&g->own, g->ifindex, NM_INGRESS, reason);
	/* As in nm_open_from_pod: a connection that the pod opened, and may not have any more, must not come back as
	 * the peer's. */
	if (g->p.t.proto == IPPROTO_TCP && !nm_packet_is_syn(&g->p) && !proxied && nm_reason_passes(reason)) {
		struct nm_tuple opener;

		nm_tuple_reverse(&opener, &g->p.t);
		opened = nm_egress_decide(&g->ep, g->ifindex, &opener, NULL);
		if (!nm_reason_passes(opened) && opened != NM_REASON_TO_NODE)
			return opened;
	}
	if (nm_reason_passes(reason)) {
		nm_ct_key_from(&g->key, g->ifindex, NM_INGRESS, &g->p.t);
		if (nm_vip_is_translated(&g->p))
			flags |= NM_CT_TRANSLATED;
		if (!nm_ct_create(
			    &g->key, proxied ? NM_CT_ORIGIN_PROXY : NM_CT_ORIGIN_DIRECT, flags, g->epoch, g->now_ns))
			return NM_REASON_CONNECTION_SHARE;
	}
	return reason;
}

/* An answer of the proxy to its client: policy had its say when the client opened the connection. */
nm_inline __u32 nm_proxy_to_client(struct nm_gate *g)
{
	struct nm_ct_entry *entry;

	if (g->p.kind == NM_PACKET_FLOW && g->p.fragment == NM_FRAGMENT_NONE) {
		g->now_ns = nm_now_ns();
		nm_ct_key_from_reply(&g->key, g->ifindex, NM_INGRESS, &g->p.t);
		entry = nm_ct_lookup(&g->key, g->now_ns);
		if (entry)
			nm_ct_touch(&g->key, entry, &g->p, 1, g->now_ns);
	}
	return NM_REASON_REPLY;
}

nm_inline __u32 nm_to_pod(struct __sk_buff *skb, struct nm_gate *g)
{
	/* A mark counts only on what this node sent itself: forwarded packets could bring any. */
	__u32 mark = skb->ingress_ifindex == 0 ? nm_mark_get(skb->mark) : NM_MARK_NONE;
	nm_bool syn = nm_packet_is_syn(&g->p), proxied, reply;
	struct nm_ct_entry *entry;
	__u32 reason;

	if (mark == NM_MARK_DOWNSTREAM)
		return nm_proxy_to_client(g);
	if (skb->ingress_ifindex == 0 && mark != NM_MARK_UPSTREAM)
		return NM_REASON_FORWARDED;
	proxied = mark == NM_MARK_UPSTREAM && skb->sk;

	reason = nm_gate_enter(g, NM_INGRESS);
	if (reason != NM_REASON_COUNT)
		return reason;
	if (g->p.kind == NM_PACKET_ICMP_ERROR) {
		entry = nm_ct_find_local(&g->key, g->ifindex, NM_EGRESS, &g->p.inner, g->now_ns, &reply);
		if (!entry)
			entry = nm_ct_find(&g->key, g->ifindex, NM_EGRESS, &g->p.inner, g->now_ns, &reply);
		if (entry && !nm_gate_is_stale(g, entry))
			return NM_REASON_REPLY;
	}
	/* What of such a connection could not go past the stack, fragments say. The proxy never speaks on one. */
	entry = nm_ct_find_local(&g->key, g->ifindex, NM_INGRESS, &g->p.t, g->now_ns, &reply);
	if (entry && !proxied && !syn)
		return nm_track_local(g, entry, reply);
	entry = nm_ct_find(&g->key, g->ifindex, NM_INGRESS, &g->p.t, g->now_ns, &reply);
	if (entry && nm_ct_is_foreign(entry, reply, proxied, syn))
		return NM_REASON_WRONG_ORIGIN;
	if (entry && !syn)
		return nm_track_to_pod(skb, g, entry, reply, proxied);
	return nm_open_to_pod(skb, g, proxied);
}

/* The pod's packet went to a service address: its answers must become the service's, so no short way for them. */
nm_inline void nm_gate_note_translated(const struct nm_gate *g)
{
	struct nm_ct_entry *entry = nm_ct_row(&g->key);

	if (entry && !(entry->flags & NM_CT_TRANSLATED))
		entry->flags |= NM_CT_TRANSLATED;
}

/* The pod reaches itself by a service, or is told that it reaches nobody: policy has no say in either. */
nm_inline int nm_gate_turn(struct __sk_buff *skb, const struct nm_gate *g, const struct nm_nat_room *r, int vip)
{
	nm_count(g->ifindex, vip == NM_VIP_PEER ? nm_nat_passed(r) : r->reason, NM_EGRESS, skb->len);
	return vip == NM_VIP_DROP ? NM_TCX_DROP : nm_vip_into_pod(skb);
}

/* The long way, apart from the short one for the sake of the stack: 512 bytes for all that call one another. */
static __attribute__((noinline)) int nm_gate_from_pod(struct __sk_buff *skb)
{
	struct nm_nat_room *r = nm_nat_room_enter();
	struct nm_gate *g = nm_gate_get(skb);
	int action, vip;
	__u32 reason;

	if (!r || !g)
		return NM_TCX_DROP;
	reason = nm_parse(skb, &g->p);
	if (reason == NM_REASON_FORWARDED)
		reason = nm_source_decide(&g->p, g->ifindex);
	if (reason != NM_REASON_FORWARDED || g->p.kind == NM_PACKET_LINK)
		return nm_gate_leave(skb, g, NM_EGRESS, reason);
	r->p = g->p;
	vip = nm_vip_from_pod(skb, r, g->ifindex);
	if (vip > NM_VIP_DONE)
		return nm_gate_turn(skb, g, r, vip);
	if (vip == NM_VIP_DONE) {
		g->p = r->p;
		g->translated = 1;
	}

	reason = nm_from_pod(skb, g);
	if (g->translated && nm_reason_passes(reason))
		nm_gate_note_translated(g);
	vip = NM_VIP_NONE;
	if (!g->next && (reason == NM_REASON_REPLY || (reason == NM_REASON_FORWARDED && g->to_node))) {
		r->p = g->p;
		vip = nm_vip_answer(skb, r);
	}
	if (vip > NM_VIP_NODE)
		return nm_gate_turn(skb, g, r, vip);
	action = nm_gate_leave(skb, g, NM_EGRESS, reason);
	if (vip == NM_VIP_LEAVES)
		return nm_depart(r);
	if (vip == NM_VIP_NODE)
		return nm_receive(skb, r);
	if (nm_deny_is_told(&g->p.t.daddr, reason)) {
		r->p = g->p;
		return nm_deny_to_pod(skb, r, g->ifindex);
	}
	if (action != NM_TCX_NEXT || !g->next || g->p.fragment != NM_FRAGMENT_NONE)
		return action;
	return nm_local_send(skb, g->next, reason);
}

static __attribute__((noinline)) int nm_gate_to_pod(struct __sk_buff *skb)
{
	struct nm_nat_room *r = nm_nat_room_enter();
	struct nm_gate *g = nm_gate_get(skb);
	__u32 reason;
	int action;

	if (!r || !g)
		return NM_TCX_DROP;
	reason = nm_parse(skb, &g->p);
	if (reason == NM_REASON_FORWARDED && g->p.kind != NM_PACKET_LINK) {
		reason = nm_to_pod(skb, g);
		/* Answers that policy tracks, and those of the node's own processes, which it does not. */
		if (reason == NM_REASON_REPLY || (reason == NM_REASON_FORWARDED && skb->ingress_ifindex == 0)) {
			r->p = g->p;
			if (nm_vip_to_pod(skb, r, g->ifindex) == NM_VIP_DROP)
				reason = NM_REASON_HELPER_FAILED;
		}
	}
	action = nm_gate_leave(skb, g, NM_INGRESS, reason);
	if (!nm_deny_is_told(&g->p.t.daddr, reason))
		return action;
	r->p = g->p;
	return nm_deny_to_peer(skb, r);
}

SEC("tc")
int nm_pod_ingress(struct __sk_buff *skb)
{
	int action = nm_fast(skb, NM_EGRESS);

	return action == NM_FAST_LONG ? nm_gate_from_pod(skb) : action;
}

SEC("tc")
int nm_pod_egress(struct __sk_buff *skb)
{
	int action = nm_fast(skb, NM_INGRESS);

	return action == NM_FAST_LONG ? nm_gate_to_pod(skb) : action;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
