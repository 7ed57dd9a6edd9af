/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Service addresses at a pod's interface, for what the socket hooks did not see: raw sockets, processes in other
 * cgroups. The pod's packet becomes the backend's before policy looks at it, and the answer the service's again after.
 * What a pod answers to a client outside, or to a process of the node, becomes the service's where it leaves the pod.
 */
#pragma once

#include "translate.h"

enum nm_vip {
	NM_VIP_NONE = 0,   /* the packet is as it was */
	NM_VIP_DONE = 1,   /* translated */
	NM_VIP_LEAVES = 2, /* and goes out by r->way */
	NM_VIP_NODE = 3,   /* and goes to a process of this node, by nm_receive */
	NM_VIP_PEER = 4,   /* and goes back into the pod it came from */
	NM_VIP_DROP = 5,   /* r->reason says why */
	NM_VIP_TOLD = 6,   /* likewise; the packet tells the pod now */
};

enum nm_packet_type {
	NM_PACKET_HOST = 0, /* PACKET_HOST */
};

nm_inline int nm_vip_refuse(struct __sk_buff *skb, struct nm_nat_room *r, __u32 reason)
{
	r->reason = reason;
	return nm_nat_tell(skb, r, reason) ? NM_VIP_TOLD : NM_VIP_DROP;
}

/* r->p comes from the pod behind `ifindex`; it is what policy judges then. */
__attribute__((noinline)) int nm_vip_from_pod(struct __sk_buff *skb, struct nm_nat_room *r, __u32 ifindex)
{
	__u32 reason;

	if (!r || !nm_nat_key_of(r, ifindex, NM_EGRESS))
		return NM_VIP_NONE;
	reason = nm_nat_find_or_open(skb, r);
	if (reason == NM_REASON_COUNT)
		return NM_VIP_NONE;
	if (reason != NM_REASON_TRANSLATED)
		return nm_vip_refuse(skb, r, reason);
	if (r->p.fragment == NM_FRAGMENT_FIRST)
		nm_nat_frag_remember(&r->p, ifindex, NM_EGRESS);
	if (nm_nat_apply(skb, r)) {
		r->reason = NM_REASON_HELPER_FAILED;
		return NM_VIP_DROP;
	}
	return r->to.flags & NM_NAT_HAIRPIN ? NM_VIP_PEER : NM_VIP_DONE;
}

/* r->p goes to the pod behind `ifindex`, whose gate let it pass. */
__attribute__((noinline)) int nm_vip_to_pod(struct __sk_buff *skb, struct nm_nat_room *r, __u32 ifindex)
{
	if (!r || !nm_nat_key_of(r, ifindex, NM_INGRESS) || !nm_nat_find(r))
		return NM_VIP_NONE;
	if (r->p.fragment == NM_FRAGMENT_FIRST)
		nm_nat_frag_remember(&r->p, ifindex, NM_INGRESS);
	if (!nm_nat_apply(skb, r))
		return NM_VIP_DONE;
	r->reason = NM_REASON_HELPER_FAILED;
	return NM_VIP_DROP;
}

/* r->p is an answer of a pod, which its gate let pass, perhaps to a client on the node or outside that asked a service.
 */
__attribute__((noinline)) int nm_vip_answer(struct __sk_buff *skb, struct nm_nat_room *r)
{
	__u32 reason;

	if (!r || !nm_nat_key_of(r, 0, NM_EGRESS) || !nm_nat_find(r))
		return NM_VIP_NONE;
	if (r->p.fragment == NM_FRAGMENT_FIRST)
		nm_nat_frag_remember(&r->p, 0, NM_EGRESS);
	if (r->to.flags & NM_NAT_OWN) {
		r->reason = NM_REASON_HELPER_FAILED;
		return nm_nat_apply(skb, r) ? NM_VIP_DROP : NM_VIP_NODE;
	}
	reason = nm_nat_prepare(skb, r);
	return reason == NM_REASON_FORWARDED ? NM_VIP_LEAVES : nm_vip_refuse(skb, r, reason);
}

/* Whether p, which opens a connection to a pod, was translated on its way here, so that answers must be as well. */
__attribute__((noinline)) int nm_vip_is_translated(struct nm_packet *p)
{
	struct nm_nat_key key;
	struct nm_tuple back;
	__u32 assured;

	if (!p || p->kind != NM_PACKET_FLOW || !nm_nat_handles(p->t.proto))
		return 0;
	nm_tuple_reverse(&back, &p->t);
	nm_nat_key_from(&key, 0, NM_EGRESS, &back);
	return nm_nat_row(&key, nm_now_ns(), &assured) != NULL;
}

/* Back into the pod, by its own interface, whatever link address the packet bears. */
nm_inline int nm_vip_into_pod(struct __sk_buff *skb)
{
	return bpf_skb_change_type(skb, NM_PACKET_HOST) ? NM_TCX_DROP : bpf_redirect_peer(skb->ifindex, 0);
}
