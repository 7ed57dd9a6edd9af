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
