/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes a translation into a packet, checksums included. 0, or -1: the packet is to be dropped, half written. */
#pragma once

#include "headers.h"
#include "lib/nat.h"

enum nm_rewrite_limit {
	NM_AT_IP4_CHECKSUM = 10,
	NM_AT_IP4_ADDRS = 12,
	NM_AT_IP6_ADDRS = 8,
	NM_AT_TCP_CHECKSUM = 16,
	NM_AT_UDP_CHECKSUM = 6,
	NM_AT_ICMP_CHECKSUM = 2,
	NM_CSUM_IPV6 = 1 << 7, /* BPF_F_IPV6, since 6.16 */
};

/* Both addresses of an IP header: as they stand there, IPv4 in the first two words and zeros behind. */
struct nm_ends {
	__be32 w[8];
};

nm_inline void nm_ends_from(struct nm_ends *ends, const struct nm_addr *saddr, const struct nm_addr *daddr, nm_bool v4)
{
	if (v4) {
		__builtin_memset(ends, 0, sizeof(*ends));
		ends->w[0] = saddr->w[3];
		ends->w[1] = daddr->w[3];
		return;
	}
	__builtin_memcpy(&ends->w[0], saddr, sizeof(*saddr));
	__builtin_memcpy(&ends->w[4], daddr, sizeof(*daddr));
}

nm_inline long nm_ends_write(struct __sk_buff *skb, __u32 l3_at, const struct nm_ends *now, nm_bool v4, __s64 diff)
{
	if (!v4)
		return bpf_skb_store_bytes(skb, l3_at + NM_AT_IP6_ADDRS, now, 32, 0);
	return bpf_l3_csum_replace(skb, l3_at + NM_AT_IP4_CHECKSUM, 0, diff, 0) ||
	       bpf_skb_store_bytes(skb, l3_at + NM_AT_IP4_ADDRS, now, 8, 0);
}

/*
 * The pseudo header is part of a checksum. What the device has summed up (CHECKSUM_COMPLETE) is put right for IPv4
 * by the kernel; for IPv6 it needs to be told, since 6.16; before, the packet is summed up once more where it ends.
 */
nm_inline long nm_csum_pseudo(struct __sk_buff *skb, __u32 at, nm_bool v4, __s64 diff, __u64 flags)
{
	if (!v4 && !bpf_l4_csum_replace(skb, at, 0, diff, flags | BPF_F_PSEUDO_HDR | NM_CSUM_IPV6))
		return 0;
	return bpf_l4_csum_replace(skb, at, 0, diff, flags | BPF_F_PSEUDO_HDR);
}

nm_inline long nm_ports_write(
	struct __sk_buff *skb, __u32 at, __be16 sport_be, __be16 dport_be, __u32 checksum_at, __be32 was, __u64 flags)
{
	struct nm_ports_header ports = {.sport_be = sport_be, .dport_be = dport_be};
	__be32 now;
	__s64 diff;

	__builtin_memcpy(&now, &ports, sizeof(now));
	if (now == was)
		return 0;
	diff = bpf_csum_diff(&was, sizeof(was), &now, sizeof(now), 0);
	return bpf_l4_csum_replace(skb, checksum_at, 0, diff, flags) || bpf_skb_store_bytes(skb, at, &ports, 4, 0);
}

nm_inline __be32 nm_ports_word(const struct nm_tuple *t)
{
	struct nm_ports_header ports = {.sport_be = t->sport_be, .dport_be = t->dport_be};
	__be32 word;

	__builtin_memcpy(&word, &ports, sizeof(word));
	return word;
}

/* r->p becomes r->to. */
__attribute__((noinline)) int nm_rewrite(struct __sk_buff *skb, struct nm_nat_room *r)
{
	struct nm_ends was, now;
	__u32 checksum_at, l4_at;
	__u64 flags = 0;
	nm_bool v4;
	__s64 diff;

	if (!r)
		return -1;
	v4 = nm_addr_is_v4(&r->p.t.daddr);
	l4_at = r->p.l4_at;
	checksum_at = l4_at + NM_AT_TCP_CHECKSUM;
	if (r->p.t.proto == IPPROTO_UDP) {
		/* In IPv4 a sender may leave it out, as zero, and then it stays out. */
		checksum_at = l4_at + NM_AT_UDP_CHECKSUM;
		flags = BPF_F_MARK_MANGLED_0;
	}
	nm_ends_from(&was, &r->p.t.saddr, &r->p.t.daddr, v4);
	nm_ends_from(&now, &r->to.saddr, &r->to.daddr, v4);
	diff = bpf_csum_diff(was.w, sizeof(was), now.w, sizeof(now), 0);
	if (diff < 0)
		return -1;
	if (r->p.fragment != NM_FRAGMENT_LATER) {
		if (nm_csum_pseudo(skb, checksum_at, v4, diff, flags))
			return -1;
		if (nm_ports_write(
			    skb, l4_at, r->to.sport_be, r->to.dport_be, checksum_at, nm_ports_word(&r->p.t), flags))
			return -1;
	}
	return nm_ends_write(skb, r->p.l3_at, &now, v4, diff) ? -1 : 0;
}

/*
 * An ICMP error, r->p, about a packet that was translated: r->to is the translation of what goes the way that the
 * error goes (r->key), so the packet inside, which went the other way, becomes r->to turned round. Its own
 * checksum stays: it is cut off from what it is about, and nobody can check it.
 */
__attribute__((noinline)) int nm_rewrite_error(struct __sk_buff *skb, struct nm_nat_room *r)
{
	__u32 checksum_at, inner_l3_at;
	struct nm_ends was, now;
	struct nm_addr saddr;
	nm_bool v4;
	__s64 diff;

	if (!r)
		return -1;
	v4 = nm_addr_is_v4(&r->p.t.daddr);
	checksum_at = r->p.l4_at + NM_AT_ICMP_CHECKSUM;
	inner_l3_at = r->p.inner_l3_at;

	nm_ends_from(&was, &r->p.inner.saddr, &r->p.inner.daddr, v4);
	nm_ends_from(&now, &r->to.daddr, &r->to.saddr, v4);
	diff = bpf_csum_diff(was.w, sizeof(was), now.w, sizeof(now), 0);
	/* In IPv4 the header's own checksum makes up for the addresses. */
	if (diff < 0 || (!v4 && bpf_l4_csum_replace(skb, checksum_at, 0, diff, 0)) ||
		nm_ends_write(skb, inner_l3_at, &now, v4, diff))
		return -1;
	if (nm_ports_write(
		    skb, r->p.inner_l4_at, r->to.dport_be, r->to.sport_be, checksum_at, nm_ports_word(&r->p.inner), 0))
		return -1;

	/* Who tells may be a router on the way: where the other side is hidden, so is it. */
	saddr = nm_addr_equal(&r->key.saddr, &r->to.saddr) ? r->p.t.saddr : r->to.saddr;
	nm_ends_from(&was, &r->p.t.saddr, &r->p.t.daddr, v4);
	nm_ends_from(&now, &saddr, &r->to.daddr, v4);
	diff = bpf_csum_diff(was.w, sizeof(was), now.w, sizeof(now), 0);
	if (diff < 0 || (!v4 && nm_csum_pseudo(skb, checksum_at, v4, diff, 0)))
		return -1;
	return nm_ends_write(skb, r->p.l3_at, &now, v4, diff) ? -1 : 0;
}
