/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The node's devices. What comes in for a service goes to a backend, here or on another node, and its answers back; so
 * does what a process of the node sends to one past the socket hooks. What belongs to the proxy is brought to it. It
 * only bends the way: what is for a pod of this node meets the pod's
 * gate (endpoint.bpf.c), which refuses what needed the proxy. So it fails open, and policy does not; a service address
 * that nobody serves is refused to its sender.
 */
#include "parse.h"
#include "translate.h"
#include "socket.h"
#include "lib/conntrack.h"
#include "lib/policy.h"

/* Not ours: goes on as it came, and is counted where it arrives. */
#define NM_LEAVE NM_REASON_COUNT

nm_inline __u32 nm_open_from_outside(struct __sk_buff *skb, const struct nm_packet *p, const struct nm_ct_key *key,
	__u32 reason, __u32 epoch, __u64 now_ns)
{
	/* Open already, with the proxy: only its sockets have a pod's address here. Its entry was evicted. */
	if (reason == NM_REASON_FORWARDED && !nm_packet_is_syn(p) && nm_socket_find(skb, &p->t) == NM_SOCKET_OPEN)
		reason = NM_REASON_HANDED_OVER;
	if (reason != NM_REASON_HANDED_OVER)
		return NM_LEAVE;
	reason = nm_hand_over(skb, p);
	if (!nm_reason_passes(reason))
		return reason;
	return nm_ct_create(key, NM_CT_ORIGIN_DIRECT, NM_CT_HANDED_OVER | nm_ct_flags_from(p, 0), epoch, now_ns)
		       ? reason
		       : NM_REASON_CONNECTION_SHARE;
}

/* TCP from outside toward the local pod behind `ifindex`. */
nm_inline __u32 nm_tcp_from_outside(struct __sk_buff *skb, const struct nm_packet *p, __u32 ifindex)
{
	const struct nm_endpoint_entry *ep = nm_endpoint_find(ifindex);
	__u32 epoch = nm_epoch_now(), reason;
	nm_bool syn = nm_packet_is_syn(p), reply;
	struct nm_ct_entry *entry = NULL;
	__u64 now_ns = nm_now_ns();
	struct nm_ct_key key;

	/* An answer to the proxy, which dials other nodes with its client pod's address. */
	if (!syn && nm_port_is_reserved(p->t.dport_be) && nm_socket_find(skb, &p->t) == NM_SOCKET_OPEN)
		return nm_hand_back(skb, p);
	if (!ep)
		return NM_LEAVE;

	if (!syn)
		entry = nm_ct_find(&key, ifindex, NM_INGRESS, &p->t, now_ns, &reply);
	if (entry) {
		if (reply || !(entry->flags & NM_CT_HANDED_OVER))
			return NM_LEAVE;
		if (entry->epoch == epoch) {
			nm_ct_touch(&key, entry, p, 0, now_ns);
			return nm_hand_over(skb, p);
		}
	}

	reason = nm_policy_reason(nm_policy_judge(ep, NM_INGRESS, nm_peer_at(&p->t.saddr), &p->t, NULL), IPPROTO_TCP);
	nm_ct_key_from(&key, ifindex, NM_INGRESS, &p->t);
	if (!entry)
		return nm_open_from_outside(skb, p, &key, reason, epoch, now_ns);

	reason = nm_ct_rejudge(reason, entry->flags);
	if (!nm_reason_passes(reason)) {
		nm_ct_remove(&key, entry);
		return reason;
	}
	entry->epoch = epoch;
	nm_ct_touch(&key, entry, p, 0, now_ns);
	return nm_hand_over(skb, p);
}

/* What is for the local pod behind `ifindex`, and perhaps for the proxy first. A global function: it has two callers.
 */
__attribute__((noinline)) int nm_from_outside(struct __sk_buff *skb, struct nm_packet *p, __u32 ifindex)
{
	if (!p)
		return NM_LEAVE;
	if (p->kind == NM_PACKET_ICMP_ERROR)
		return nm_error_has_socket(skb, p) ? nm_deliver(skb) : NM_LEAVE;
	if (p->t.proto == IPPROTO_TCP && p->fragment != NM_FRAGMENT_LATER)
		return nm_tcp_from_outside(skb, p, ifindex);
	return NM_LEAVE;
}

/* NM_TCX_REDIRECT: the proxy has no say in it. */
nm_inline int nm_node_hand_over(struct __sk_buff *skb, struct nm_nat_room *r, __u32 ifindex)
{
	__u32 reason = nm_from_outside(skb, &r->p, ifindex);

	if (reason == NM_LEAVE)
		return NM_TCX_REDIRECT;
	nm_count(ifindex, reason, NM_INGRESS, skb->len);
	return nm_reason_passes(reason) ? NM_TCX_NEXT : NM_TCX_DROP;
}

/* Who is told, by where it came from. */
nm_inline int nm_node_refuse(struct __sk_buff *skb, struct nm_nat_room *r, __u32 reason)
{
	nm_count(0, reason, NM_INGRESS, skb->len);
	return nm_nat_tell(skb, r, reason) ? bpf_redirect(skb->ifindex, 0) : NM_TCX_DROP;
}

/* The packet goes on as r->to: to a process of this node by its stack, to a pod or another node past it. */
nm_inline int nm_node_forward(struct __sk_buff *skb, struct nm_nat_room *r)
{
	nm_bool answer = (r->to.flags & NM_NAT_REPLY) != 0;
	nm_bool here = (r->to.flags & (answer ? NM_NAT_OWN : NM_NAT_NODE)) != 0;
	__u32 reason = NM_REASON_FORWARDED;
	int action;

	if (!here)
		reason = nm_nat_prepare(skb, r);
	else if (nm_nat_apply(skb, r))
		reason = NM_REASON_HELPER_FAILED;
	if (reason != NM_REASON_FORWARDED)
		return nm_node_refuse(skb, r, reason);

	if (!answer && (r->to.flags & NM_NAT_POD)) {
		action = nm_node_hand_over(skb, r, nm_pod_ifindex(&r->to.daddr));
		if (action != NM_TCX_REDIRECT)
			return action;
	}
	nm_count(0, nm_nat_passed(r), NM_INGRESS, skb->len);
	if (!here)
		return nm_depart(r);
	return answer ? nm_receive(skb, r) : NM_TCX_NEXT;
}

/* Still tagged, or tagged for a VLAN: it comes by that VLAN's own device, bare. */
nm_inline nm_bool nm_node_is_tagged(struct __sk_buff *skb, const struct nm_packet *p)
{
	return p->l3_at != ETH_HLEN || (skb->vlan_present && (skb->vlan_tci & 0xfff));
}

/* For no pod: for this node itself, or an address that services have. */
nm_inline int nm_node_service(struct __sk_buff *skb, struct nm_nat_room *r)
{
	__u32 reason;

	if (nm_node_is_tagged(skb, &r->p) || !nm_nat_key_of(r, 0, NM_INGRESS))
		return NM_TCX_NEXT;
	reason = nm_nat_find_or_open(skb, r);
	if (reason == NM_REASON_COUNT)
		return NM_TCX_NEXT;
	if (reason != NM_REASON_TRANSLATED)
		return nm_node_refuse(skb, r, reason);
	if (r->p.fragment == NM_FRAGMENT_FIRST)
		nm_nat_frag_remember(&r->p, 0, NM_INGRESS);
	return nm_node_forward(skb, r);
}

SEC("tc")
int nm_node_ingress(struct __sk_buff *skb)
{
	struct nm_nat_room *r = nm_nat_room_enter();
	__u32 ifindex;
	int action;

	if (!r)
		return NM_TCX_NEXT;
	if (nm_parse(skb, &r->p) != NM_REASON_FORWARDED || r->p.kind == NM_PACKET_LINK || r->p.kind == NM_PACKET_NOT_IP)
		return NM_TCX_NEXT;
	ifindex = nm_pod_ifindex(&r->p.t.daddr);
	if (!ifindex)
		return nm_node_service(skb, r);
	action = nm_node_hand_over(skb, r, ifindex);
	return action == NM_TCX_REDIRECT ? NM_TCX_NEXT : action;
}

/* Back to this node itself, as if it came in by the device. Its link addresses tell where it came from. */
nm_inline int nm_node_turn(struct __sk_buff *skb)
{
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

/* A process of the node is told as a client elsewhere would be. */
nm_inline int nm_node_refuse_own(struct __sk_buff *skb, struct nm_nat_room *r, __u32 reason)
{
	nm_count(0, reason, NM_EGRESS, skb->len);
	return nm_nat_tell(skb, r, reason) ? nm_node_turn(skb) : NM_TCX_DROP;
}

/* Between a process of this node and a service; r->to is where the packet goes. */
nm_inline int nm_node_own(struct __sk_buff *skb, struct nm_nat_room *r)
{
	nm_bool back = (r->to.flags & NM_NAT_HAIRPIN) != 0;
	__u32 reason = NM_REASON_FORWARDED;
	struct ethhdr eth;

	if (!back)
		reason = nm_way(skb, r, 0);
	if (reason == NM_REASON_FORWARDED && nm_nat_apply(skb, r))
		reason = NM_REASON_HELPER_FAILED;
	if (reason == NM_REASON_FORWARDED && back) {
		if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)))
			reason = NM_REASON_HELPER_FAILED;
		nm_tell_mac(&eth);
		if (bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0))
			reason = NM_REASON_HELPER_FAILED;
	}
	if (reason != NM_REASON_FORWARDED)
		return nm_node_refuse_own(skb, r, reason);
	nm_count(0, nm_nat_passed(r), NM_EGRESS, skb->len);
	if (back)
		return nm_node_turn(skb);
	/*
	 * Not by nm_depart: this packet has a route already, to the service, and with a next hop named it would keep
	 * it. If it then has to wait for the next hop's link address, it leaves with that of the old route's.
	 */
	return bpf_redirect_neigh(r->way.ifindex, 0, 0, 0);
}

/*
 * What the node itself sends: to a service, where no socket hook saw it; and an answer of a process of its own, or of
 * the proxy in a pod's name, to a client that asked a service address. Forwarded packets are none of these.
 */
SEC("tc")
int nm_node_egress(struct __sk_buff *skb)
{
	struct nm_nat_room *r;
	__u32 reason;

	if (skb->ingress_ifindex != 0)
		return NM_TCX_NEXT;
	r = nm_nat_room_enter();
	if (!r)
		return NM_TCX_NEXT;
	if (nm_parse(skb, &r->p) != NM_REASON_FORWARDED || nm_node_is_tagged(skb, &r->p) ||
		!nm_nat_key_of(r, 0, NM_EGRESS))
		return NM_TCX_NEXT;
	reason = nm_nat_find_or_open(skb, r);
	if (reason == NM_REASON_COUNT)
		return NM_TCX_NEXT;
	if (reason != NM_REASON_TRANSLATED)
		return nm_node_refuse_own(skb, r, reason);
	if (r->p.fragment == NM_FRAGMENT_FIRST)
		nm_nat_frag_remember(&r->p, 0, NM_EGRESS);
	if (r->to.flags & NM_NAT_OWN)
		return nm_node_own(skb, r);
	if (nm_nat_apply(skb, r))
		return nm_node_refuse_own(skb, r, NM_REASON_HELPER_FAILED);
	nm_count(0, NM_REASON_REPLY, NM_EGRESS, skb->len);
	return NM_TCX_NEXT;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
