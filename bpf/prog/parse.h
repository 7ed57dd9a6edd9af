/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From bytes to struct nm_packet. What cannot be read is dropped with its reason, never passed: a parser that gives up
 * with "pass" is a way around policy.
 */
#pragma once

#include "headers.h"
#include "lib/packet.h"

enum nm_parse_limit {
	NM_PARSE_MAX_OFFSET = 1024, /* headers end well before; also the bound that the verifier wants */
	NM_PARSE_MAX_VLANS = 2,
	NM_PARSE_MAX_EXTENSIONS = 6,
};

struct nm_cursor {
	struct __sk_buff *skb;
	__u32 at;  /* offset in the packet */
	__u32 end; /* where the innermost header read so far says that the data ends */
};

/* Copies from the linear part where it can, else through the kernel: 0, or -1 when there are not that many bytes. */
nm_inline int nm_read(const struct nm_cursor *c, __u32 at, void *to, const __u32 size)
{
	void *data = (void *)(long)c->skb->data;
	void *end = (void *)(long)c->skb->data_end;

	if (at > NM_PARSE_MAX_OFFSET || at + size > c->end)
		return -1;
	/* Aligned for the compiler's sake, which copies by byte otherwise; the JIT does not mind either way. */
	data += at;
	if (data + size <= end) {
		__builtin_memcpy(to, __builtin_assume_aligned(data, 4), size);
		return 0;
	}
	return bpf_skb_load_bytes(c->skb, at, to, size) ? -1 : 0;
}

/* An IP header's length field may only shorten; 0 stands for a super-packet too long for the field. */
nm_inline void nm_cursor_shorten(struct nm_cursor *c, __u32 start, __u32 header, __u32 length)
{
	if (length != 0 && start + header + length < c->end)
		c->end = start + header + length;
}

/* The header behind IP, at c->at. */
nm_inline int nm_parse_ports(const struct nm_cursor *c, struct nm_tuple *t)
{
	struct nm_ports_header ports;

	if (nm_read(c, c->at, &ports, sizeof(ports)))
		return -1;
	t->sport_be = ports.sport_be;
	t->dport_be = ports.dport_be;
	return 0;
}

nm_inline void nm_parse_v4_addrs(struct nm_tuple *t, const struct iphdr *ip)
{
	nm_addr_from_v4(&t->saddr, ip->saddr);
	nm_addr_from_v4(&t->daddr, ip->daddr);
	t->proto = ip->protocol;
}

nm_inline void nm_parse_v6_addrs(struct nm_tuple *t, const struct ipv6hdr *ip)
{
	__builtin_memcpy(&t->saddr, &ip->saddr, sizeof(t->saddr));
	__builtin_memcpy(&t->daddr, &ip->daddr, sizeof(t->daddr));
	t->proto = ip->nexthdr;
}

/* Ports of the packet that an ICMP error is about. Errors carry 8 bytes of them at least (RFC 792, RFC 4443 2.4). */
nm_inline __u32 nm_parse_inner(struct nm_cursor *c, struct nm_packet *p, nm_bool v6)
{
	p->inner_l3_at = c->at;
	if (v6) {
		struct ipv6hdr ip;

		if (nm_read(c, c->at, &ip, sizeof(ip)))
			return NM_REASON_TRUNCATED;
		nm_parse_v6_addrs(&p->inner, &ip);
		c->at += sizeof(ip);
	} else {
		struct iphdr ip;

		if (nm_read(c, c->at, &ip, sizeof(ip)) || ip.ihl < 5)
			return NM_REASON_TRUNCATED;
		nm_parse_v4_addrs(&p->inner, &ip);
		/* A later fragment: no ports, so the error finds no connection and is judged as ICMP. */
		if (ip.frag_off & bpf_htons(0x1fff))
			return NM_REASON_FORWARDED;
		c->at += ip.ihl * 4;
	}
	p->inner_l4_at = c->at;
	if (p->inner.proto == IPPROTO_TCP || p->inner.proto == IPPROTO_UDP || p->inner.proto == IPPROTO_SCTP)
		return nm_parse_ports(c, &p->inner) ? NM_REASON_TRUNCATED : NM_REASON_FORWARDED;
	if (p->inner.proto == IPPROTO_ICMP || p->inner.proto == IPPROTO_ICMPV6) {
		struct nm_icmp_header echo;

		if (nm_read(c, c->at, &echo, sizeof(echo)))
			return NM_REASON_TRUNCATED;
		nm_icmp_tuple(&p->inner, echo.type, echo.code, echo.id);
	}
	return NM_REASON_FORWARDED;
}

nm_inline __u32 nm_parse_icmp4(struct nm_cursor *c, struct nm_packet *p)
{
	struct nm_icmp_header icmp;

	if (nm_read(c, c->at, &icmp, sizeof(icmp)))
		return NM_REASON_TRUNCATED;
	nm_icmp_tuple(&p->t, icmp.type, icmp.code, icmp.id);
	switch (icmp.type) {
	case NM_ICMP4_REDIRECT:
	case NM_ICMP4_ROUTER:
		p->claim = NM_CLAIM_ROUTER;
		return NM_REASON_FORWARDED;
	case NM_ICMP4_UNREACHABLE:
	case NM_ICMP4_TIME_EXCEEDED:
	case NM_ICMP4_PARAMETER:
		p->kind = NM_PACKET_ICMP_ERROR;
		c->at += sizeof(icmp);
		return nm_parse_inner(c, p, 0);
	}
	return NM_REASON_FORWARDED;
}

/* Link upkeep cannot come from beyond the link: routers lower the hop limit (RFC 4861 7.1, RFC 3810 5). */
nm_inline nm_bool nm_icmp6_is_link(__u8 type, __u8 hop_limit)
{
	if (type >= NM_ICMP6_ND_FIRST && type <= NM_ICMP6_ND_LAST)
		return hop_limit == 255;
	return ((type >= NM_ICMP6_MLD_FIRST && type <= NM_ICMP6_MLD_LAST) || type == NM_ICMP6_MLD2_REPORT) &&
	       hop_limit == 1;
}

nm_inline __u32 nm_parse_icmp6(struct nm_cursor *c, struct nm_packet *p, __u8 hop_limit)
{
	struct nm_icmp_header icmp;

	if (nm_read(c, c->at, &icmp, sizeof(icmp)))
		return NM_REASON_TRUNCATED;
	nm_icmp_tuple(&p->t, icmp.type, icmp.code, icmp.id);
	if (icmp.type < NM_ICMP6_FIRST_INFO) {
		p->kind = NM_PACKET_ICMP_ERROR;
		c->at += sizeof(icmp);
		return nm_parse_inner(c, p, 1);
	}
	if (icmp.type == NM_ICMP6_ROUTER || icmp.type == NM_ICMP6_REDIRECT)
		p->claim = NM_CLAIM_ROUTER;
	if (!nm_icmp6_is_link(icmp.type, hop_limit))
		return NM_REASON_FORWARDED;
	p->kind = NM_PACKET_LINK;
	if (icmp.type != NM_ICMP6_NEIGHBOUR)
		return NM_REASON_FORWARDED;
	p->claim = NM_CLAIM_ADDRESS;
	return nm_read(c, c->at + sizeof(icmp), &p->inner.saddr, sizeof(p->inner.saddr)) ? NM_REASON_TRUNCATED
											 : NM_REASON_FORWARDED;
}

nm_inline __u32 nm_parse_l4(struct nm_cursor *c, struct nm_packet *p, __u8 hop_limit)
{
	struct nm_tcp_header tcp;

	p->l4_at = c->at;
	if (p->fragment == NM_FRAGMENT_LATER)
		return NM_REASON_FORWARDED;
	switch (p->t.proto) {
	case IPPROTO_TCP:
		if (nm_read(c, c->at, &tcp, sizeof(tcp)))
			return NM_REASON_TRUNCATED;
		p->t.sport_be = tcp.ports.sport_be;
		p->t.dport_be = tcp.ports.dport_be;
		p->seq_be = tcp.seq_be;
		p->ack_be = tcp.ack_be;
		p->tcp_flags = tcp.flags;
		return NM_REASON_FORWARDED;
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		return nm_parse_ports(c, &p->t) ? NM_REASON_TRUNCATED : NM_REASON_FORWARDED;
	case IPPROTO_ICMP:
		return nm_parse_icmp4(c, p);
	case IPPROTO_ICMPV6:
		return nm_parse_icmp6(c, p, hop_limit);
	}
	return NM_REASON_FORWARDED;
}

/* offset_units: in 8 bytes. A second fragment that begins inside the TCP header could rewrite it (RFC 3128). */
nm_inline __u32 nm_parse_fragment(struct nm_packet *p, __u32 offset_units, nm_bool more, __u32 id, __u8 proto)
{
	if (offset_units == 0 && !more)
		return NM_REASON_FORWARDED;
	p->fragment = offset_units ? NM_FRAGMENT_LATER : NM_FRAGMENT_FIRST;
	p->fragment_id = id;
	p->fragment_proto = proto;
	return offset_units == 1 && proto == IPPROTO_TCP ? NM_REASON_FRAGMENT : NM_REASON_FORWARDED;
}

nm_inline __u32 nm_parse_v4(struct nm_cursor *c, struct nm_packet *p)
{
	__u32 start = c->at, reason;
	struct iphdr ip;

	if (nm_read(c, start, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
		return NM_REASON_TRUNCATED;
	p->l3_at = start;
	nm_parse_v4_addrs(&p->t, &ip);
	nm_cursor_shorten(c, start, 0, bpf_ntohs(ip.tot_len));
	c->at += ip.ihl * 4;
	if (c->at > c->end)
		return NM_REASON_TRUNCATED;
	reason = nm_parse_fragment(p, bpf_ntohs(ip.frag_off) & 0x1fff, (ip.frag_off & bpf_htons(0x2000)) != 0,
		bpf_ntohs(ip.id), ip.protocol);
	return reason == NM_REASON_FORWARDED ? nm_parse_l4(c, p, ip.ttl) : reason;
}

/* Walks to the protocol behind the extension headers. A fragment that is not the first ends the walk. */
nm_inline __u32 nm_parse_extensions(struct nm_cursor *c, struct nm_packet *p)
{
	struct nm_extension_header extension;
	struct nm_fragment_header fragment;
	__u32 reason;

	for (int i = 0; i < NM_PARSE_MAX_EXTENSIONS; i++) {
		switch (p->t.proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			if (nm_read(c, c->at, &extension, sizeof(extension)))
				return NM_REASON_TRUNCATED;
			c->at += (extension.length + 1) * 8;
			p->t.proto = extension.next;
			break;
		case IPPROTO_AH:
			if (nm_read(c, c->at, &extension, sizeof(extension)))
				return NM_REASON_TRUNCATED;
			c->at += (extension.length + 2) * 4;
			p->t.proto = extension.next;
			break;
		case IPPROTO_FRAGMENT:
			if (nm_read(c, c->at, &fragment, sizeof(fragment)))
				return NM_REASON_TRUNCATED;
			c->at += sizeof(fragment);
			p->t.proto = fragment.next;
			reason = nm_parse_fragment(p, bpf_ntohs(fragment.offset_be) >> 3,
				(fragment.offset_be & bpf_htons(1)) != 0, bpf_ntohl(fragment.id), fragment.next);
			if (reason != NM_REASON_FORWARDED || p->fragment == NM_FRAGMENT_LATER)
				return reason;
			break;
		default:
			return NM_REASON_FORWARDED;
		}
	}
	return NM_REASON_UNSUPPORTED_PROTOCOL;
}

nm_inline __u32 nm_parse_v6(struct nm_cursor *c, struct nm_packet *p)
{
	__u32 start = c->at, reason;
	struct ipv6hdr ip;

	if (nm_read(c, start, &ip, sizeof(ip)) || ip.version != 6)
		return NM_REASON_TRUNCATED;
	p->l3_at = start;
	nm_parse_v6_addrs(&p->t, &ip);
	/* ::ffff:a.b.c.d on the wire would pass for the IPv4 address in every table. */
	if (nm_addr_is_v4(&p->t.saddr) || nm_addr_is_v4(&p->t.daddr))
		return NM_REASON_UNSUPPORTED_PROTOCOL;
	nm_cursor_shorten(c, start, sizeof(ip), bpf_ntohs(ip.payload_len));
	c->at += sizeof(ip);
	reason = nm_parse_extensions(c, p);
	return reason == NM_REASON_FORWARDED ? nm_parse_l4(c, p, ip.hop_limit) : reason;
}

/* The sender's address stands for the source. What is not of IPv4 on Ethernet is no business of this link. */
nm_inline __u32 nm_parse_arp(struct nm_cursor *c, struct nm_packet *p)
{
	struct nm_arp_header arp;

	if (nm_read(c, c->at, &arp, sizeof(arp)))
		return NM_REASON_TRUNCATED;
	if (arp.hardware != bpf_htons(1) || arp.protocol != bpf_htons(ETH_P_IP) || arp.hardware_length != ETH_ALEN ||
		arp.protocol_length != sizeof(arp.sender)) {
		p->kind = NM_PACKET_NOT_IP;
		return NM_REASON_FORWARDED;
	}
	p->kind = NM_PACKET_LINK;
	nm_addr_from_v4(&p->t.saddr, arp.sender);
	return NM_REASON_FORWARDED;
}

/*
 * FORWARDED when *p is filled, else the reason to drop. Zero *p before. A global function: the verifier walks through
 * it once by itself, not again for every way that a caller goes on from here.
 */
__attribute__((noinline)) int nm_parse(struct __sk_buff *skb, struct nm_packet *p)
{
	struct nm_cursor c = {.skb = skb, .at = ETH_HLEN, .end = skb->len};
	struct nm_vlan_header vlan;
	struct ethhdr eth;
	__be16 type;

	if (!p)
		return NM_REASON_HELPER_FAILED;
	if (nm_read(&c, 0, &eth, sizeof(eth)))
		return NM_REASON_TRUNCATED;
	type = eth.h_proto;
	for (int i = 0; i < NM_PARSE_MAX_VLANS; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (nm_read(&c, c.at, &vlan, sizeof(vlan)))
			return NM_REASON_TRUNCATED;
		type = vlan.type;
		c.at += sizeof(vlan);
	}
	switch (type) {
	case bpf_htons(ETH_P_IP):
		return nm_parse_v4(&c, p);
	case bpf_htons(ETH_P_IPV6):
		return nm_parse_v6(&c, p);
	case bpf_htons(ETH_P_ARP):
		return nm_parse_arp(&c, p);
	}
	p->kind = NM_PACKET_NOT_IP;
	return NM_REASON_FORWARDED;
}
