/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "types.h"

/*
 * A connection as its opener sees it, at one endpoint; or, with ifindex 0 and NM_EGRESS, between two pods of this node,
 * for both of them.
 */
struct nm_ct_key {
	__u32 ifindex; /* endpoint; 0: of both ends, which entry.opener and entry.answerer tell */
	struct nm_addr saddr;
	struct nm_addr daddr;
	__be16 sport_be;
	__be16 dport_be;
	__u8 proto;
	__u8 direction; /* enum nm_direction: NM_EGRESS when the pod opened it */
	__u8 pad0[2];
};
NM_ABI_SIZE(nm_ct_key, 44);

enum nm_ct_origin {
	NM_CT_ORIGIN_DIRECT = 0, /* opened by the peer itself */
	NM_CT_ORIGIN_PROXY = 1,	 /* opened by the proxy on behalf of the peer */
};

enum nm_ct_flag {
	NM_CT_SEEN_REPLY = 1,
	NM_CT_FIN_OPENER = 2,
	NM_CT_FIN_REPLY = 4,
	NM_CT_RST = 8,
	NM_CT_HANDED_OVER = 16, /* packets of this connection belong to the proxy */
	NM_CT_TRANSLATED = 32,	/* addresses are changed on the way: nm_nat_tcp or nm_nat_any has them */
};

struct nm_ct_entry {
	__u64 expires_ns; /* bpf_ktime_get_coarse_ns() */
	__u32 epoch;	  /* nm_epoch when last judged */
	__u8 origin;	  /* enum nm_ct_origin */
	__u8 flags;	  /* enum nm_ct_flag */
	__u8 pad0[2];
	__u32 opener;	/* ifindex of the pod that opened it; 0 unless the key's is 0 */
	__u32 answerer; /* and of the pod that answers */
};
NM_ABI_SIZE(nm_ct_entry, 24);

/* Whose rows: of one connection table. */
enum nm_share_table {
	NM_SHARE_TCP = 0,
	NM_SHARE_ANY = 1,
};

enum nm_share_whose {
	NM_SHARE_ALL = 0xffffffff, /* in nm_share_key.ifindex: everybody's */
};

/* nm_share_use, nm_share: how much of a connection table a pod has, and may have. */
struct nm_share_key {
	__u32 ifindex; /* endpoint, or NM_SHARE_ALL */
	__u32 table;   /* enum nm_share_table */
};
NM_ABI_SIZE(nm_share_key, 8);

/* Written by the programs. */
struct nm_share_use_entry {
	__u64 rows; /* made, less those that ended; of connections that are not over. Modulo 2^64. */
};
NM_ABI_SIZE(nm_share_use_entry, 8);

/* Written by the agent, which counts the rows that nothing ended: those that were evicted or forgotten. */
struct nm_share_entry {
	__u64 until_ns; /* later it does not hold: a share is not held against anybody while nobody counts */
	__u64 lost;	/* rows that nm_share_use has too many. Modulo 2^64. */
	__u64 limit;	/* of NM_SHARE_ALL: rows from which on the others' limits hold */
};
NM_ABI_SIZE(nm_share_entry, 24);

/* nm_fragment: what the first fragment was judged, for the later ones without ports. */
struct nm_fragment_key {
	__u32 ifindex;
	struct nm_addr saddr;
	struct nm_addr daddr;
	__u32 id;
	__u8 proto;
	__u8 direction;
	__u8 pad0[2];
};
NM_ABI_SIZE(nm_fragment_key, 44);

struct nm_fragment_entry {
	__u32 pass;   /* 1: let later fragments pass */
	__u32 reason; /* enum nm_reason */
};
NM_ABI_SIZE(nm_fragment_entry, 8);
