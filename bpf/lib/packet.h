/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the decisions know of a packet. */
#pragma once

#include "lib/icmp.h"
#include "nm/core.h"

enum nm_packet_kind {
	NM_PACKET_FLOW = 0,	  /* belongs to, or opens, a connection */
	NM_PACKET_ICMP_ERROR = 1, /* about another packet, see inner */
	NM_PACKET_LINK = 2,	  /* ARP for IPv4, neighbour and multicast listener discovery: the link's own upkeep */
	NM_PACKET_NOT_IP = 3,
};

enum nm_packet_fragment {
	NM_FRAGMENT_NONE = 0,
	NM_FRAGMENT_FIRST = 1,
	NM_FRAGMENT_LATER = 2, /* has no ports */
};

/* What the sender of a packet says of itself beside its source address. */
enum nm_packet_claim {
	NM_CLAIM_NONE = 0,
	NM_CLAIM_ADDRESS = 1, /* to have inner.saddr */
	NM_CLAIM_ROUTER = 2,  /* to be a router */
};

enum nm_tcp_flag {
	NM_TCP_FIN = 1,
	NM_TCP_SYN = 2,
	NM_TCP_RST = 4,
	NM_TCP_ACK = 16,
};

struct nm_packet {
	struct nm_tuple t;
	struct nm_tuple inner; /* of an ICMP error: the packet it is about, in its own direction; or see claim */
	__u32 fragment_id;
	__be32 seq_be; /* TCP */
	__be32 ack_be;
	__u8 kind;	     /* enum nm_packet_kind */
	__u8 fragment;	     /* enum nm_packet_fragment */
	__u8 fragment_proto; /* the protocol as every fragment of the datagram shows it */
	__u8 tcp_flags;	     /* enum nm_tcp_flag and the rest of that byte; 0 unless TCP */
	__u8 claim;	     /* enum nm_packet_claim */
	__u8 pad0[3];
	/* Where in the packet: the IP header, what stands behind it and its extensions, and the same of inner. */
	__u16 l3_at;
	__u16 l4_at;
	__u16 inner_l3_at;
	__u16 inner_l4_at;
};

/* The packet that opens a TCP connection. It is always judged anew, whatever is tracked under its tuple. */
nm_inline nm_bool nm_packet_is_syn(const struct nm_packet *p)
{
	return (p->tcp_flags & (NM_TCP_SYN | NM_TCP_ACK | NM_TCP_RST | NM_TCP_FIN)) == NM_TCP_SYN;
}

/* Reasons with which a packet passes; all others drop. */
nm_inline nm_bool nm_reason_passes(__u32 reason)
{
	return reason == NM_REASON_FORWARDED || reason == NM_REASON_HANDED_OVER || reason == NM_REASON_REPLY;
}

/* nm_egress_decide says so of traffic from a pod to its own node, which needs no tracking: both directions pass. */
#define NM_REASON_TO_NODE NM_REASON_COUNT
