/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers in a packet's own place: what goes no further becomes what its sender is told. Each speaks for the address
 * that was asked, as a host does for itself; whoever calls sends the packet back to where it came from.
 */
#pragma once

#include "headers.h"
#include "lib/bucket.h"
#include "lib/nat.h"

enum nm_tell_limit {
	NM_HOPS = 64,
	NM_QUOTE_MAX = 128,
	NM_TELL_BURST = 50, /* refusals that a CPU tells of at once, and one more each millisecond: as Linux does */
	NM_TELL_EVERY_NS = 1000000,
};

/* Errors are bounded (RFC 1812 4.3.2.8, RFC 4443 2.4): who floods us with what we refuse must not flood somebody else.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct nm_bucket);
	__uint(max_entries, 1);
} nm_tells SEC(".maps");

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

struct nm_pseudo {
	struct nm_addr saddr;
	struct nm_addr daddr;
	__be32 length;
	__be32 proto;
};

/* The sum of an answer's pseudo header. Of both families: in such sums ::ffff: counts as nothing. */
nm_inline __s64 nm_tell_pseudo(const struct nm_tuple *t, __u8 proto, __u32 length)
{
	struct nm_pseudo pseudo = {
		.saddr = t->daddr, .daddr = t->saddr, .length = bpf_htonl(length), .proto = bpf_htonl(proto)};

	return bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
}

/* The header of an answer to t, before `length` bytes. */
nm_inline struct iphdr nm_tell_ip4(const struct nm_tuple *t, __u8 proto, __u32 length)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons(sizeof(ip) + length),
		.ttl = NM_HOPS,
		.protocol = proto,
		.saddr = t->daddr.w[3],
		.daddr = t->saddr.w[3],
	};

	ip.check = nm_csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)&ip, sizeof(ip), 0));
	return ip;
}

nm_inline struct ipv6hdr nm_tell_ip6(const struct nm_tuple *t, __u8 proto, __u32 length)
{
	struct ipv6hdr ip = {
		.version = 6,
		.payload_len = bpf_htons(length),
		.nexthdr = proto,
		.hop_limit = NM_HOPS,
	};

	__builtin_memcpy(&ip.saddr, &t->daddr, sizeof(ip.saddr));
	__builtin_memcpy(&ip.daddr, &t->saddr, sizeof(ip.daddr));
	return ip;
}

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
	__be32 sum[2];

	if (bpf_skb_load_bytes(skb, 0, &head.eth, sizeof(head.eth)))
		return -1;
	nm_tell_mac(&head.eth);
	head.ip = nm_tell_ip4(&r->p.t, IPPROTO_ICMP, sizeof(head.icmp) + quoted);
	switch (reason) {
	case NM_REASON_TOO_BIG:
		nm_tell_icmp(&head.icmp, NM_ICMP4_UNREACHABLE, 4, r->way.mtu_result);
		break;
	case NM_REASON_HOP_LIMIT:
		nm_tell_icmp(&head.icmp, NM_ICMP4_TIME_EXCEEDED, 0, 0);
		break;
	case NM_REASON_POLICY_DENIED:
		nm_tell_icmp(&head.icmp, NM_ICMP4_UNREACHABLE, 13, 0);
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
	struct nm_tell6 head;
	__be32 icmp[2];
	__s64 sum;

	if (bpf_skb_load_bytes(skb, 0, &head.eth, sizeof(head.eth)))
		return -1;
	nm_tell_mac(&head.eth);
	head.ip = nm_tell_ip6(&r->p.t, IPPROTO_ICMPV6, sizeof(head.icmp) + quoted);
	switch (reason) {
	case NM_REASON_TOO_BIG:
		nm_tell_icmp(&head.icmp, NM_ICMP6_TOO_BIG, 0, r->way.mtu_result);
		break;
	case NM_REASON_HOP_LIMIT:
		nm_tell_icmp(&head.icmp, NM_ICMP6_TIME_EXCEEDED, 0, 0);
		break;
	case NM_REASON_POLICY_DENIED:
		nm_tell_icmp(&head.icmp, NM_ICMP6_UNREACHABLE, 1, 0);
		break;
	default:
		nm_tell_icmp(&head.icmp, NM_ICMP6_UNREACHABLE, 4, 0);
	}
	__builtin_memcpy(icmp, &head.icmp, sizeof(icmp));
	sum = bpf_csum_diff(
		NULL, 0, icmp, sizeof(icmp), nm_tell_pseudo(&r->p.t, IPPROTO_ICMPV6, sizeof(head.icmp) + quoted));
	head.icmp.checksum = nm_csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)r->quote, sizeof(r->quote), sum));
	return nm_tell_put(skb, &head, sizeof(head), quoted);
}

nm_inline nm_bool nm_tell_may(void)
{
	__u32 zero = 0;
	struct nm_bucket *bucket = bpf_map_lookup_elem(&nm_tells, &zero);

	return bucket && nm_bucket_take(bucket, nm_now_ns(), NM_TELL_BURST, NM_TELL_EVERY_NS);
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
	/* Connections that run hang on the others. */
	if (reason != NM_REASON_TOO_BIG && reason != NM_REASON_HOP_LIMIT && !nm_tell_may())
		return 0;
	__builtin_memset(r->quote, 0, sizeof(r->quote));
	if (bpf_skb_load_bytes(skb, ETH_HLEN, r->quote, quoted))
		return 0;
	if (nm_addr_is_v4(&r->p.t.daddr))
		return !nm_tell_v4(skb, r, quoted, reason);
	return !nm_tell_v6(skb, r, quoted, reason);
}
