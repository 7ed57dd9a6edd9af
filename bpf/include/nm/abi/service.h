/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "types.h"

struct nm_frontend_key {
	struct nm_addr addr; /* service address */
	__be16 port_be;
	__u8 proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 pad0;
};
NM_ABI_SIZE(nm_frontend_key, 20);

enum nm_frontend_flag {
	NM_FRONTEND_L7 = 1,	      /* left alone at connect(2), handed to the proxy at the pod's veth */
	NM_FRONTEND_AFFINITY = 2,     /* ClientIP: a client keeps its backend for affinity_s */
	NM_FRONTEND_MAGLEV = 4,	      /* the slots are a Maglev table: a packet takes one by the hash of its tuple */
	NM_FRONTEND_RANGES = 8,	      /* from outside only for sources in nm_source_range */
	NM_FRONTEND_KEEP_SOURCE = 16, /* from outside: all backends are on this node, the client's address stays */
	NM_FRONTEND_DROP_INSIDE = 32, /* no backend that the traffic policy lets be used: dropped, not refused */
	NM_FRONTEND_DROP_OUTSIDE = 64,
	NM_FRONTEND_NODE_PORT = 128, /* a port of the node (NodePort, hostPort): nobody may bind it */
	NM_FRONTEND_ON_NODE = 256,   /* on loopback: for processes of the node itself only */
};

/* The backends of a service port that serve one kind of caller: slots 0 .. slots-1 of nm_slot exist. */
struct nm_group {
	__u32 id;    /* in nm_slot_key */
	__u32 slots; /* 0: nobody */
};
NM_ABI_SIZE(nm_group, 8);

struct nm_frontend_entry {
	__u32 service;		 /* the service port, whatever the address: what affinity is kept for */
	__u32 flags;		 /* enum nm_frontend_flag */
	struct nm_group inside;	 /* for pods and the node itself */
	struct nm_group outside; /* for what comes in by the node's devices */
	__u32 affinity_s;	 /* seconds */
	__u32 ranges;		 /* id in nm_source_range_key */
};
NM_ABI_SIZE(nm_frontend_entry, 32);

struct nm_slot_key {
	__u32 group;
	__u32 slot;
};
NM_ABI_SIZE(nm_slot_key, 8);

struct nm_slot_entry {
	__u32 backend;
};
NM_ABI_SIZE(nm_slot_entry, 4);

/* nm_member: that a group has the backend; only of groups whose service keeps affinity. */
struct nm_member_key {
	__u32 group;
	__u32 backend;
};
NM_ABI_SIZE(nm_member_key, 8);

struct nm_member_entry {
	__u32 present; /* 1 */
};
NM_ABI_SIZE(nm_member_entry, 4);

/* nm_affinity: which backend a client of a service had last. */
struct nm_affinity_key {
	struct nm_addr client; /* of a packet: its source; of a socket: all ones, and the netns cookie in w[2], w[3] */
	__u32 service;
};
NM_ABI_SIZE(nm_affinity_key, 20);

struct nm_affinity_entry {
	__u64 used_ns; /* bpf_ktime_get_coarse_ns() */
	__u32 backend;
	__u8 pad0[4];
};
NM_ABI_SIZE(nm_affinity_entry, 16);

/* nm_source_range: longest prefix over (ranges, addr); a row means that the source may come in. */
struct nm_source_range_key {
	__u32 prefix_bits; /* 32 .. 160; IPv4 prefixes count from bit 128 */
	__u32 ranges;
	struct nm_addr addr;
};
NM_ABI_SIZE(nm_source_range_key, 24);

struct nm_source_range_entry {
	__u32 allow; /* 1 */
};
NM_ABI_SIZE(nm_source_range_entry, 4);

struct nm_backend_key {
	__u32 backend;
};
NM_ABI_SIZE(nm_backend_key, 4);

struct nm_backend_entry {
	struct nm_addr addr;
	__be16 port_be;
	__u8 proto;
	__u8 pad0;
};
NM_ABI_SIZE(nm_backend_entry, 20);

/* A socket's translation, so that getpeername(2) and recvmsg(2) show the service address. */
struct nm_reverse_key {
	__u64 cookie;	     /* socket cookie */
	struct nm_addr addr; /* backend */
	__be16 port_be;
	__u8 proto;
	__u8 pad0[5];
};
NM_ABI_SIZE(nm_reverse_key, 32);

struct nm_reverse_entry {
	struct nm_addr addr; /* service address */
	__be16 port_be;
	__u8 pad0[2];
};
NM_ABI_SIZE(nm_reverse_entry, 20);
