/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A pod speaks from its own addresses, and for no router and no neighbour of its. */
#pragma once

#include "lib/packet.h"
#include "lib/policy.h"

enum nm_source_port {
	NM_PORT_DHCP_SERVER = 67,
};

nm_inline nm_bool nm_addr_is_unspecified(const struct nm_addr *a)
{
	return a->w[3] == 0 && a->w[1] == 0 && a->w[0] == 0 && (a->w[2] == 0 || a->w[2] == bpf_htonl(0xffff));
}

nm_inline nm_bool nm_source_is_own(const struct nm_addr *a, __u32 ifindex)
{
	return nm_pod_ifindex(a) == ifindex || nm_addr_is_link_local(a);
}

/* Who has no address yet asks whether one is free (ARP, neighbour discovery), or for one (DHCP). */
nm_inline nm_bool nm_source_may_be_none(const struct nm_packet *p)
{
	return p->kind == NM_PACKET_LINK || (p->t.proto == IPPROTO_UDP && p->fragment == NM_FRAGMENT_NONE &&
						    p->t.dport_be == bpf_htons(NM_PORT_DHCP_SERVER));
}

/* What the pod behind `ifindex` sends: FORWARDED, or the reason to drop. A global function for the sake of the stack.
 */
__attribute__((noinline)) int nm_source_decide(const struct nm_packet *p, __u32 ifindex)
{
	if (!p)
		return NM_REASON_HELPER_FAILED;
	if (p->kind == NM_PACKET_NOT_IP)
		return NM_REASON_FORWARDED;
	if (p->claim != NM_CLAIM_ROUTER && (p->claim == NM_CLAIM_NONE || nm_source_is_own(&p->inner.saddr, ifindex)) &&
		(nm_source_is_own(&p->t.saddr, ifindex) ||
			(nm_addr_is_unspecified(&p->t.saddr) && nm_source_may_be_none(p))))
		return NM_REASON_FORWARDED;
	/* Of a pod that is not in the tables yet nobody knows which addresses are its own. */
	if (!nm_endpoint_find(ifindex))
		return NM_REASON_FORWARDED;
	return p->claim != NM_CLAIM_NONE || p->kind == NM_PACKET_LINK ? NM_REASON_FORGED_NEIGHBOUR
								      : NM_REASON_SPOOFED_SOURCE;
}
