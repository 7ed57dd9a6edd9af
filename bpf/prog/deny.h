/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What policy refused, as a packet: dropped, or told to its sender in the name of whom it was for. */
#pragma once

#include "parse.h"
#include "vip.h"

/* Of many receivers none would answer (RFC 1122 3.2.2). */
nm_inline nm_bool nm_addr_is_many(const struct nm_addr *a)
{
	if (nm_addr_is_v4(a))
		return bpf_ntohl(a->w[3]) >= 0xe0000000;
	return (a->w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

/*
 * A pod that is only not known yet, or a proxy that is away, is worth another try: those wait. A global function, which
 * the verifier reads by itself: inlined behind the gate of packets to a pod, Linux 6.1 took the answer to be no and cut
 * off the rest.
 */
__attribute__((noinline)) int nm_deny_is_told(const struct nm_addr *to, __u32 reason)
{
	if (!to || nm_config.deny_response != NM_DENY_REJECT || nm_addr_is_many(to))
		return 0;
	return reason == NM_REASON_POLICY_DENIED || reason == NM_REASON_DEFAULT_DENY ||
	       reason == NM_REASON_UNSUPPORTED_PROTOCOL || reason == NM_REASON_L7_REQUIRED;
}

/* Makes of the packet, r->p, what its sender is told, and reads it: 0; -1: nobody is told. */
nm_inline int nm_deny_turn(struct __sk_buff *skb, struct nm_nat_room *r)
{
	if (!nm_refuse(skb, r, NM_REASON_POLICY_DENIED))
		return -1;
	__builtin_memset(&r->p, 0, sizeof(r->p));
	return nm_parse(skb, &r->p) == NM_REASON_FORWARDED ? 0 : -1;
}

/* To the pod behind `ifindex` that sent r->p, which the service address stands in for again if it asked one. */
__attribute__((noinline)) int nm_deny_to_pod(struct __sk_buff *skb, struct nm_nat_room *r, __u32 ifindex)
{
	if (!r || nm_deny_turn(skb, r) || nm_vip_to_pod(skb, r, ifindex) == NM_VIP_DROP)
		return NM_TCX_DROP;
	return nm_vip_into_pod(skb);
}

/* To who sent r->p to a pod: another pod, by its own gate, or somebody outside. */
__attribute__((noinline)) int nm_deny_to_peer(struct __sk_buff *skb, struct nm_nat_room *r)
{
	int vip;

	/* Of the node's own, which is the proxy's then, nothing is known but its mark. */
	if (!r || skb->ingress_ifindex == 0 || nm_deny_turn(skb, r))
		return NM_TCX_DROP;
	vip = nm_vip_answer(skb, r);
	if (vip == NM_VIP_NONE) {
		r->to.saddr = r->p.t.saddr;
		r->to.daddr = r->p.t.daddr;
		vip = nm_way(skb, r, 0) == NM_REASON_FORWARDED ? NM_VIP_LEAVES : NM_VIP_DROP;
	}
	return vip == NM_VIP_LEAVES ? nm_depart(r) : NM_TCX_DROP;
}
