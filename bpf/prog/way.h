/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Out of the node past its stack, which refuses a packet from outside that bears an address of its own. What the stack
 * would do on the way is done here: the route and the hop limit.
 */
#pragma once

#include "rewrite.h"

enum nm_way_limit {
	NM_TCX_REDIRECT = 7,	/* TC_ACT_REDIRECT */
	NM_WAY_SOURCE = 1 << 4, /* BPF_FIB_LOOKUP_SRC, since 6.7 */
};

/* The length that counts against an MTU: of a super-packet, that of its segments. */
nm_inline __u32 nm_way_length(struct __sk_buff *skb, const struct nm_packet *p)
{
	/* With the longest TCP header, which errs to the safe side by 40 bytes at most. */
	if (skb->gso_size)
		return p->l4_at - p->l3_at + (p->t.proto == IPPROTO_TCP ? 20 : 8) + skb->gso_size;
	return skb->len - p->l3_at;
}

/*
 * The way to r->to.daddr, into r->way: FORWARDED, or the reason to drop. `find_source`: also the address that the node
 * would send from, into r->way's source, which stays zero on a kernel that does not tell.
 */
__attribute__((noinline)) int nm_way(struct __sk_buff *skb, struct nm_nat_room *r, __u32 find_source)
{
	nm_bool v4;
	long answer;

	if (!r)
		return NM_REASON_HELPER_FAILED;
	v4 = nm_addr_is_v4(&r->to.daddr);
	for (int i = 0; i < 2; i++) {
		__builtin_memset(&r->way, 0, sizeof(r->way));
		r->way.ifindex = skb->ifindex;
		r->way.l4_protocol = r->p.t.proto;
		r->way.tot_len = nm_way_length(skb, &r->p);
		if (v4) {
			r->way.family = NM_AF_INET;
			r->way.ipv4_dst = r->to.daddr.w[3];
			r->way.ipv4_src = find_source ? 0 : r->to.saddr.w[3];
		} else {
			r->way.family = NM_AF_INET6;
			__builtin_memcpy(r->way.ipv6_dst, &r->to.daddr, sizeof(r->way.ipv6_dst));
			if (!find_source)
				__builtin_memcpy(r->way.ipv6_src, &r->to.saddr, sizeof(r->way.ipv6_src));
		}
		answer = bpf_fib_lookup(skb, &r->way, sizeof(r->way), find_source && i == 0 ? NM_WAY_SOURCE : 0);
		/* An older kernel knows no such flag. */
		if (answer >= 0 || !find_source)
			break;
	}
	switch (answer) {
	case BPF_FIB_LKUP_RET_SUCCESS:
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return NM_REASON_FORWARDED;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return NM_REASON_TOO_BIG;
	}
	return answer < 0 ? NM_REASON_HELPER_FAILED : NM_REASON_NO_ROUTE;
}

/* One hop less: 1, 0 when none is left, or -1. */
nm_inline int nm_hop(struct __sk_buff *skb, const struct nm_packet *p)
{
	__u8 hops[2];
	__u16 was, now;

	if (!nm_addr_is_v4(&p->t.daddr)) {
		if (bpf_skb_load_bytes(skb, p->l3_at + 7, hops, 1))
			return -1;
		if (hops[0] <= 1)
			return 0;
		hops[0]--;
		return bpf_skb_store_bytes(skb, p->l3_at + 7, hops, 1, BPF_F_RECOMPUTE_CSUM) ? -1 : 1;
	}
	/* With the protocol, since a checksum is one of 16-bit words. */
	if (bpf_skb_load_bytes(skb, p->l3_at + 8, hops, sizeof(hops)))
		return -1;
	if (hops[0] <= 1)
		return 0;
	__builtin_memcpy(&was, hops, sizeof(was));
	hops[0]--;
	__builtin_memcpy(&now, hops, sizeof(now));
	return bpf_l3_csum_replace(skb, p->l3_at + NM_AT_IP4_CHECKSUM, was, now, 2) ||
			       bpf_skb_store_bytes(skb, p->l3_at + 8, hops, 1, 0)
		       ? -1
		       : 1;
}

/*
 * The hook's answer for a packet that is r->to now, an answer to a process of this node. Where reverse paths are
 * checked strictly, the stack takes what bears a service's address only from the device by which it would send there.
 */
__attribute__((noinline)) int nm_receive(struct __sk_buff *skb, struct nm_nat_room *r)
{
	struct nm_addr service;

	if (!r)
		return NM_TCX_DROP;
	service = r->to.saddr;
	r->to.saddr = r->to.daddr;
	r->to.daddr = service;
	if (nm_way(skb, r, 0) != NM_REASON_FORWARDED || r->way.ifindex == skb->ifindex)
		return NM_TCX_NEXT;
	/* No link address of that device is known unless one of its neighbour there is. */
	if (!(r->way.smac[0] | r->way.smac[1] | r->way.smac[2] | r->way.smac[3] | r->way.smac[4] | r->way.smac[5]))
		return NM_TCX_NEXT;
	if (bpf_skb_store_bytes(skb, 0, r->way.smac, sizeof(r->way.smac), 0))
		return NM_TCX_DROP;
	return bpf_redirect(r->way.ifindex, BPF_F_INGRESS);
}

/* By r->way. */
nm_inline int nm_depart(const struct nm_nat_room *r)
{
	struct bpf_redir_neigh next = {.nh_family = r->way.family};

	if (r->way.family == NM_AF_INET)
		next.ipv4_nh = r->way.ipv4_dst;
	else
		__builtin_memcpy(next.ipv6_nh, r->way.ipv6_dst, sizeof(next.ipv6_nh));
	return bpf_redirect_neigh(r->way.ifindex, &next, sizeof(next), 0);
}
