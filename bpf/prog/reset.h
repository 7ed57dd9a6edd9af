/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A refused connection, told to who opens it as a host tells of a port that nobody listens on. */
#pragma once

#include "rewrite.h"
#include "tell.h"

/*
 * The reset that answers segment *tcp, as of a host without that connection (RFC 9293 3.5.2, group 1), in its place: 0,
 * or -1 when the segment is none.
 */
nm_inline int nm_reset_from(struct __sk_buff *skb, const struct nm_packet *p, struct nm_tcp_header *tcp)
{
	nm_bool v4 = nm_addr_is_v4(&p->t.daddr), acked = (tcp->flags & NM_TCP_ACK) != 0;
	__u32 begin, end, taken;
	__be16 length;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + (v4 ? 2 : 4), &length, sizeof(length)))
		return -1;
	begin = p->l4_at + (tcp->data_offset >> 4) * 4;
	end = ETH_HLEN + (v4 ? 0 : sizeof(struct ipv6hdr)) + bpf_ntohs(length);
	if (!acked && end < begin)
		return -1;
	taken = end - begin + ((tcp->flags & NM_TCP_SYN) != 0) + ((tcp->flags & NM_TCP_FIN) != 0);

	tcp->ports.sport_be = p->t.dport_be;
	tcp->ports.dport_be = p->t.sport_be;
	if (acked) {
		tcp->seq_be = tcp->ack_be;
		tcp->ack_be = 0;
		tcp->flags = NM_TCP_RST;
	} else {
		tcp->ack_be = bpf_htonl(bpf_ntohl(tcp->seq_be) + taken);
		tcp->seq_be = 0;
		tcp->flags = NM_TCP_RST | NM_TCP_ACK;
	}
	tcp->data_offset = sizeof(*tcp) / 4 << 4;
	tcp->window = tcp->checksum = tcp->urgent = 0;
	return 0;
}

nm_inline int nm_reset_put(
	struct __sk_buff *skb, struct nm_nat_room *r, const struct nm_tcp_header *tcp, const __u32 header)
{
	struct ethhdr eth;

	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)))
		return -1;
	nm_tell_mac(&eth);
	if (header == sizeof(struct iphdr))
		*(struct iphdr *)r->quote = nm_tell_ip4(&r->p.t, IPPROTO_TCP, sizeof(*tcp));
	else
		*(struct ipv6hdr *)r->quote = nm_tell_ip6(&r->p.t, IPPROTO_TCP, sizeof(*tcp));
	return bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0) ||
			       bpf_skb_store_bytes(skb, ETH_HLEN, r->quote, header, 0) ||
			       bpf_skb_store_bytes(skb, ETH_HLEN + header, tcp, sizeof(*tcp), 0)
		       ? -1
		       : 0;
}

/*
 * Makes of the TCP packet, which is still as it came, the reset that refuses it: 1. Unlike an ICMP error, a client that
 * is just busy with its socket does not miss it. 0: nobody is told, and the packet must be dropped.
 */
__attribute__((noinline)) int nm_reset(struct __sk_buff *skb, struct nm_nat_room *r)
{
	__u32 header = sizeof(struct ipv6hdr), at;
	struct nm_tcp_header tcp;
	__s64 sum;

	if (!r || r->p.l3_at != ETH_HLEN || r->p.fragment != NM_FRAGMENT_NONE || r->p.kind != NM_PACKET_FLOW ||
		r->p.t.proto != IPPROTO_TCP || (r->p.tcp_flags & NM_TCP_RST))
		return 0;
	if (nm_addr_is_v4(&r->p.t.daddr))
		header = sizeof(struct iphdr);
	at = r->p.l4_at;
	if (at < ETH_HLEN + header || bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)) || nm_reset_from(skb, &r->p, &tcp))
		return 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&tcp, sizeof(tcp), 0);

	/* Without payload, and without options between the headers: they were about the way here. */
	if (bpf_skb_change_tail(skb, at + sizeof(tcp), 0) ||
		(at > ETH_HLEN + header &&
			bpf_skb_adjust_room(skb, (int)(ETH_HLEN + header - at), BPF_ADJ_ROOM_MAC, 0)))
		return 0;
	/*
	 * The client's stack may have left the checksum to the device: then it is the pseudo header's sum only. The
	 * kernel knows, and brings either about from what stands for zero.
	 */
	tcp.checksum = 0xffff;
	at = ETH_HLEN + header + NM_AT_TCP_CHECKSUM;
	if (nm_reset_put(skb, r, &tcp, header) || bpf_l4_csum_replace(skb, at, 0, sum, 0))
		return 0;
	sum = nm_tell_pseudo(&r->p.t, IPPROTO_TCP, sizeof(tcp));
	return !bpf_l4_csum_replace(skb, at, 0, sum, BPF_F_PSEUDO_HDR);
}

/* As a port that nobody listens on: a reset for TCP, an ICMP error for the rest. Returns as these do. */
nm_inline int nm_refuse(struct __sk_buff *skb, struct nm_nat_room *r, __u32 reason)
{
	return r->p.t.proto == IPPROTO_TCP ? nm_reset(skb, r) : nm_tell(skb, r, reason);
}
