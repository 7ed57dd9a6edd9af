/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Out of the node past its stack, which refuses a packet from outside that bears an address of its own. What the stack
 * would do on the way is done here: the route, the hop limit, and telling the sender what is too long.
 */
#pragma once

#include "rewrite.h"

enum nm_way_limit {
	NM_TCX_REDIRECT = 7,	/* TC_ACT_REDIRECT */
	NM_WAY_SOURCE = 1 << 4, /* BPF_FIB_LOOKUP_SRC, since 6.7 */
	NM_HOPS = 64,
	NM_QUOTE_MAX = 128,
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

nm_inline __u16 nm_csum_fold(__s64 sum)
{
	__u32 folded = (__u32)sum;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return ~folded;
}

struct nm_tell4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct nm_icmp_header icmp;
} __attribute__((packed, aligned(2)));

struct nm_tell6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct nm_icmp_header icmp;
} __attribute__((packed, aligned(2)));

struct nm_pseudo6 {
	struct in6_addr saddr;
	struct in6_addr daddr;
	__be32 length;
	__be32 proto;
};

nm_inline void nm_tell_mac(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

/* The eight bytes of an error: `rest` is the MTU where it is told. */
nm_inline void nm_tell_icmp(struct nm_icmp_header *icmp, __u8 type, __u8 code, __u32 rest)
{
	__be32 word = bpf_htonl(rest);

	__builtin_memset(icmp, 0, sizeof(*icmp));
	icmp->type = type;
	icmp->code = code;
	__builtin_memcpy(&icmp->id, &word, sizeof(word));
}

/* Of the packet's network part the first `quoted` bytes stay, behind `head`. */
nm_inline int nm_tell_put(struct __sk_buff *skb, const void *head, __u32 size, __u32 quoted)
{
	if (bpf_skb_change_tail(skb, ETH_HLEN + quoted, 0) ||
		bpf_skb_adjust_room(skb, size - ETH_HLEN, BPF_ADJ_ROOM_MAC, 0))
		return -1;
	return bpf_skb_store_bytes(skb, 0, head, size, 0) ? -1 : 0;
}

nm_inline int nm_tell_v4(struct __sk_buff *skb, struct nm_nat_room *r, __u32 quoted, __u32 reason)
{
	struct nm_tell4 head;
	__be32 sum[5];

	if (bpf_skb_load_bytes(skb, 0, &head.eth, sizeof(head.eth)))
		return -1;
	nm_tell_mac(&head.eth);
	__builtin_memset(&head.ip, 0, sizeof(head.ip));
	head.ip.version = 4;
	head.ip.ihl = 5;
	head.ip.tot_len = bpf_htons(sizeof(head.ip) + sizeof(head.icmp) + quoted);
	head.ip.ttl = NM_HOPS;
	head.ip.protocol = IPPROTO_ICMP;
	head.ip.saddr = r->p.t.daddr.w[3];
	head.ip.daddr = r->p.t.saddr.w[3];
	__builtin_memcpy(sum, &head.ip, sizeof(sum));
	head.ip.check = nm_csum_fold(bpf_csum_diff(NULL, 0, sum, sizeof(sum), 0));
	switch (reason) {
	case NM_REASON_TOO_BIG:
		nm_tell_icmp(&head.icmp, NM_ICMP4_UNREACHABLE, 4, r->way.mtu_result);
		break;
	case NM_REASON_HOP_LIMIT:
		nm_tell_icmp(&head.icmp, NM_ICMP4_TIME_EXCEEDED, 0, 0);
		break;
	default:
		nm_tell_icmp(&head.icmp, NM_ICMP4_UNREACHABLE, 3, 0);
	}
	__builtin_memcpy(sum, &head.icmp, sizeof(head.icmp));
	head.icmp.checksum = nm_csum_fold(bpf_csum_diff(
		NULL, 0, (__be32 *)r->quote, sizeof(r->quote), bpf_csum_diff(NULL, 0, sum, sizeof(head.icmp), 0)));
	return nm_tell_put(skb, &head, sizeof(head), quoted);
}

nm_inline int nm_tell_v6(struct __sk_buff *skb, struct nm_nat_room *r, __u32 quoted, __u32 reason)
{
	struct nm_pseudo6 pseudo = {
		.length = bpf_htonl(sizeof(struct nm_icmp_header) + quoted), .proto = bpf_htonl(IPPROTO_ICMPV6)};
	struct nm_tell6 head;
	__be32 icmp[2];
	__s64 sum;

	if (bpf_skb_load_bytes(skb, 0, &head.eth, sizeof(head.eth)))
		return -1;
	nm_tell_mac(&head.eth);
	__builtin_memset(&head.ip, 0, sizeof(head.ip));
	head.ip.version = 6;
	head.ip.payload_len = bpf_htons(sizeof(head.icmp) + quoted);
	head.ip.nexthdr = IPPROTO_ICMPV6;
	head.ip.hop_limit = NM_HOPS;
	__builtin_memcpy(&head.ip.saddr, &r->p.t.daddr, sizeof(head.ip.saddr));
	__builtin_memcpy(&head.ip.daddr, &r->p.t.saddr, sizeof(head.ip.daddr));
	switch (reason) {
	case NM_REASON_TOO_BIG:
		nm_tell_icmp(&head.icmp, NM_ICMP6_TOO_BIG, 0, r->way.mtu_result);
		break;
	case NM_REASON_HOP_LIMIT:
		nm_tell_icmp(&head.icmp, NM_ICMP6_TIME_EXCEEDED, 0, 0);
		break;
	default:
		nm_tell_icmp(&head.icmp, NM_ICMP6_UNREACHABLE, 4, 0);
	}
	__builtin_memcpy(&pseudo.saddr, &r->p.t.daddr, sizeof(pseudo.saddr));
	__builtin_memcpy(&pseudo.daddr, &r->p.t.saddr, sizeof(pseudo.daddr));
	__builtin_memcpy(icmp, &head.icmp, sizeof(icmp));
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(NULL, 0, icmp, sizeof(icmp), sum);
	head.icmp.checksum = nm_csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)r->quote, sizeof(r->quote), sum));
	return nm_tell_put(skb, &head, sizeof(head), quoted);
}

/*
 * Makes of the packet, which is still as it came, an ICMP error to its sender that says why it goes no further: 1. It
 * speaks for the address that was asked, as a host does for itself. 0: nobody is told, and the packet must be dropped.
 */
__attribute__((noinline)) int nm_tell(struct __sk_buff *skb, struct nm_nat_room *r, __u32 reason)
{
	__u32 quoted;

	/* Only of a first fragment is anything told (RFC 1122 3.2.2), and never about tags, which are others' business.
	 */
	if (!r || r->p.l3_at != ETH_HLEN || r->p.fragment == NM_FRAGMENT_LATER || r->p.kind != NM_PACKET_FLOW)
		return 0;
	/* The IP header, and of what follows as much as has a checksum in it that the device may still have to fill in.
	 */
	quoted = r->p.l4_at - r->p.l3_at + (r->p.t.proto == IPPROTO_TCP ? 20 : 8);
	if (quoted < 28 || quoted > NM_QUOTE_MAX)
		return 0;
	__builtin_memset(r->quote, 0, sizeof(r->quote));
	if (bpf_skb_load_bytes(skb, ETH_HLEN, r->quote, quoted))
		return 0;
	if (nm_addr_is_v4(&r->p.t.daddr))
		return !nm_tell_v4(skb, r, quoted, reason);
	return !nm_tell_v6(skb, r, quoted, reason);
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
