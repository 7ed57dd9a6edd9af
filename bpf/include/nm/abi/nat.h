/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "types.h"

/*
 * nm_nat_brief, nm_nat_tcp, nm_nat_any: a packet's addresses and ports as they stand on the wire, and where it is seen.
 * A translation is two rows, one for each way, made and refreshed together.
 */
struct nm_nat_key {
	__u32 ifindex; /* the pod that opened the connection; 0: it came by a device of the node, or is the node's own
			*/
	struct nm_addr saddr;
	struct nm_addr daddr;
	__be16 sport_be;
	__be16 dport_be;
	__u8 proto;
	__u8 direction; /* of a pod: enum nm_direction; of the node: NM_INGRESS arrives at it, NM_EGRESS leaves it */
	__u8 pad0[2];
};
NM_ABI_SIZE(nm_nat_key, 44);

enum nm_nat_flag {
	NM_NAT_REPLY = 1,    /* the row of the answers */
	NM_NAT_SOURCE = 2,   /* the backend sees an address and port of the node */
	NM_NAT_POD = 4,	     /* the backend is a pod of this node */
	NM_NAT_NODE = 8,     /* the backend is a process of this node */
	NM_NAT_HAIRPIN = 16, /* the backend is the client itself, which sees the service address as the client */
	NM_NAT_ASSURED = 32, /* the client has shown that it gets the answers: it is who it says */
	NM_NAT_OWN = 64,     /* the client is a process of this node */
};

/* What the packet becomes. */
struct nm_nat_entry {
	__u64 expires_ns; /* bpf_ktime_get_coarse_ns() */
	struct nm_addr saddr;
	struct nm_addr daddr;
	__be16 sport_be;
	__be16 dport_be;
	__u32 backend;	      /* in nm_backend_key */
	__u8 flags;	      /* enum nm_nat_flag */
	__u8 state;	      /* enum nm_ct_flag */
	__u8 other_direction; /* of the other row's key, whose tuple is this one turned round */
	__u8 pad0;
	__u32 answer_seq; /* TCP: the first byte of the backend's to be acknowledged; 0: it has not answered yet */
};
NM_ABI_SIZE(nm_nat_entry, 56);

/* nm_nat_frag: the ports of a translated datagram, for its later fragments; by nm_fragment_key. */
struct nm_nat_frag_entry {
	__be16 sport_be;
	__be16 dport_be;
};
NM_ABI_SIZE(nm_nat_frag_entry, 4);
