/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who may talk to whom. Every function answers an nm_reason; FORWARDED and HANDED_OVER pass. */
#pragma once

#include "lib/packet.h"
#include "nm/maps.h"

nm_inline struct nm_identity_entry nm_identity_of(const struct nm_addr *addr)
{
	struct nm_identity_key key = {.prefix_bits = 128, .addr = *addr};
	struct nm_identity_entry world = {.identity = NM_IDENTITY_WORLD};
	const struct nm_identity_entry *entry = bpf_map_lookup_elem(&nm_identity, &key);

	return entry ? *entry : world;
}

/* While a change is applied: whether what it brings is in force, and not what was. One write changes that for all. */
nm_inline nm_bool nm_change_is_committed(void)
{
	__u32 zero = 0;
	const struct nm_epoch_entry *entry = bpf_map_lookup_elem(&nm_epoch, &zero);

	return entry && entry->applying == NM_APPLYING_COMMITTED;
}

/*
 * Who somebody is to policy: the identity so far in the low half, and in the high half the one to come, which is the
 * same but while a change is applied.
 */
nm_inline __u64 nm_peer(__u32 identity, __u32 next)
{
	return (__u64)(next ? next : identity) << 32 | identity;
}

nm_inline __u64 nm_peer_at(const struct nm_addr *addr)
{
	struct nm_identity_entry entry = nm_identity_of(addr);

	return nm_peer(entry.identity, entry.next);
}

nm_inline __u32 nm_peer_identity(__u64 peer)
{
	return nm_change_is_committed() ? peer >> 32 : peer;
}

nm_inline struct nm_endpoint_entry *nm_endpoint_find(__u32 ifindex)
{
	struct nm_endpoint_key key = {.ifindex = ifindex};

	return bpf_map_lookup_elem(&nm_endpoint, &key);
}

/* The interface of the local pod with this address; 0: not a local pod. */
nm_inline __u32 nm_pod_ifindex(const struct nm_addr *addr)
{
	struct nm_pod_key key = {.addr = *addr};
	const struct nm_pod_entry *entry = bpf_map_lookup_elem(&nm_pod, &key);

	return entry ? entry->ifindex : 0;
}

/*
 * A pod of this node that sends from `addr`. A block may hold one of its addresses and not another, so that they are
 * not the same to policy; an address that is not its own says nothing of it, nor one that only its interface tells.
 */
nm_inline __u64 nm_peer_pod(const struct nm_endpoint_entry *ep, __u32 ifindex, const struct nm_addr *addr)
{
	return ep->identity != NM_IDENTITY_UNKNOWN && nm_pod_ifindex(addr) == ifindex
		       ? nm_peer_at(addr)
		       : nm_peer(ep->identity, ep->next_identity);
}

nm_inline __u32 nm_epoch_now(void)
{
	__u32 zero = 0;
	const struct nm_epoch_entry *entry = bpf_map_lookup_elem(&nm_epoch, &zero);

	return entry ? entry->epoch : 0;
}

nm_inline nm_bool nm_proto_has_ports(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* What decided, as in the row: for those who count. */
struct nm_judged {
	__u32 rule;
	__u32 audit_rule;
	__u8 audit;
	__u8 pad0[3];
};

/* The class of `identity` in a policy set; 0: no rule of it names such peers. */
nm_inline __u32 nm_class_of(__u32 set, __u8 direction, __u32 identity, nm_bool committed)
{
	struct nm_peer_group_key group_key = {.identity = identity};
	struct nm_class_key key = {.set = set, .direction = direction};
	const struct nm_peer_group_entry *group = bpf_map_lookup_elem(&nm_peer_group, &group_key);
	const struct nm_class_entry *klass;

	if (!group)
		return 0;
	key.group = committed ? group->next : group->group;
	klass = bpf_map_lookup_elem(&nm_class, &key);
	return klass ? klass->klass : 0;
}

/*
 * What the endpoint's policy says in `direction` about a connection with `peer`. The set, the peer and its group are of
 * the same plan: they are chosen by one look at the change. j may be NULL.
 */
nm_inline __u32 nm_policy_judge(
	const struct nm_endpoint_entry *ep, __u8 direction, __u64 peer, const struct nm_tuple *t, struct nm_judged *j)
{
	nm_bool committed = nm_change_is_committed();
	struct nm_verdict_key key = {.prefix_bits = NM_VERDICT_BITS_FULL, .direction = direction};
	const struct nm_verdict_entry *verdict;

	key.set = committed ? ep->next_set : ep->set;
	if (key.set == 0)
		return NM_VERDICT_ALLOW;
	key.klass = nm_class_of(key.set, direction, committed ? peer >> 32 : peer, committed);
	key.proto = t->proto;
	key.port_be = t->dport_be;
	verdict = bpf_map_lookup_elem(&nm_verdict, &key);
	if (!verdict)
		return NM_VERDICT_NONE;
	if (j) {
		j->rule = verdict->rule;
		j->audit_rule = verdict->audit_rule;
		j->audit = verdict->audit;
	}
	return verdict->verdict;
}

/* A verdict as a reason. Only TCP can go to the proxy: what else needs it is refused. */
nm_inline __u32 nm_policy_reason(__u32 verdict, __u8 proto)
{
	switch (verdict) {
	case NM_VERDICT_ALLOW:
		return NM_REASON_FORWARDED;
	case NM_VERDICT_REDIRECT:
		return proto == IPPROTO_TCP ? NM_REASON_HANDED_OVER : NM_REASON_L7_REQUIRED;
	case NM_VERDICT_DENY:
		return NM_REASON_POLICY_DENIED;
	case NM_VERDICT_DEFAULT_DENY:
		/* NetworkPolicy cannot name these protocols, so the cure is not one more rule. */
		if (!nm_proto_has_ports(proto) && proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6)
			return NM_REASON_UNSUPPORTED_PROTOCOL;
		return NM_REASON_DEFAULT_DENY;
	default:
		return NM_REASON_NO_POLICY;
	}
}

/*
 * Ingress of `ep` for a connection that the peer itself (proxied = 0) or the proxy in its name opened. Like
 * nm_egress_decide a global function, which the verifier walks through by itself instead of at every caller. *j, unless
 * it is NULL, becomes the row that decided; zeroes before.
 */
__attribute__((noinline)) int nm_ingress_decide(
	const struct nm_endpoint_entry *ep, __u64 peer, const struct nm_tuple *t, nm_bool proxied, struct nm_judged *j)
{
	__u32 reason;

	if (!ep || !t)
		return NM_REASON_NO_POLICY;
	/* The proxy with the node's own address: a connection whose policy it has judged itself. */
	if (proxied && nm_peer_identity(peer) == NM_IDENTITY_HOST)
		return NM_REASON_FORWARDED;

	reason = nm_policy_reason(nm_policy_judge(ep, NM_INGRESS, peer, t, j), t->proto);
	if (reason == NM_REASON_HANDED_OVER)
		return proxied ? NM_REASON_FORWARDED : NM_REASON_L7_REQUIRED;
	return reason;
}

/* Egress of the pod behind `ifindex`; t is the connection as the pod opens it; *j as in nm_ingress_decide. */
__attribute__((noinline)) int nm_egress_decide(
	const struct nm_endpoint_entry *ep, __u32 ifindex, const struct nm_tuple *t, struct nm_judged *j)
{
	const struct nm_frontend_entry *frontend = NULL;
	struct nm_frontend_key frontend_key = {};
	const struct nm_endpoint_entry *target;
	struct nm_identity_entry entry;
	__u32 pod, reason;
	__u64 peer;

	if (!ep || !t)
		return NM_REASON_NO_POLICY;
	frontend_key.addr = t->daddr;
	frontend_key.port_be = t->dport_be;
	frontend_key.proto = t->proto;
	if (t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP)
		frontend = bpf_map_lookup_elem(&nm_frontend, &frontend_key);
	if (frontend) {
		/* The proxy judges egress by the backend that it chooses. */
		if (t->proto == IPPROTO_TCP && (frontend->flags & NM_FRONTEND_L7))
			return NM_REASON_HANDED_OVER;
		return NM_REASON_NOT_TRANSLATED;
	}

	entry = nm_identity_of(&t->daddr);
	peer = nm_peer(entry.identity, entry.next);
	if (nm_peer_identity(peer) == NM_IDENTITY_HOST || nm_addr_is_link_local(&t->daddr))
		return NM_REASON_TO_NODE;
	if (t->proto == IPPROTO_TCP && nm_port_is_reserved(t->sport_be) && (entry.flags & NM_IDENTITY_F_BACKEND))
		return NM_REASON_RESERVED_PORT;

	pod = nm_pod_ifindex(&t->daddr);
	if (pod == ifindex)
		return NM_REASON_FORWARDED;

	reason = nm_policy_reason(nm_policy_judge(ep, NM_EGRESS, peer, t, j), t->proto);
	if (reason != NM_REASON_FORWARDED || t->proto != IPPROTO_TCP || pod == 0)
		return reason;

	/* Our egress is open, but the far pod's ingress may want the proxy: here is the only place to bend the way. */
	target = nm_endpoint_find(pod);
	if (target && nm_policy_judge(target, NM_INGRESS, nm_peer_pod(ep, ifindex, &t->saddr), t, NULL) ==
			      NM_VERDICT_REDIRECT)
		return NM_REASON_HANDED_OVER;
	return NM_REASON_FORWARDED;
}
