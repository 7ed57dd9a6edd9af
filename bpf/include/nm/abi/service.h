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
	NM_FRONTEND_L7 = 1, /* left alone at connect(2), handed to the proxy at the pod's veth */
};

struct nm_frontend_entry {
	__u32 service;	/* id in nm_slot_key */
	__u32 backends; /* slots 0 .. backends-1 exist */
	__u32 flags;	/* enum nm_frontend_flag */
};
NM_ABI_SIZE(nm_frontend_entry, 12);

struct nm_slot_key {
	__u32 service;
	__u32 slot;
};
NM_ABI_SIZE(nm_slot_key, 8);

struct nm_slot_entry {
	__u32 backend;
};
NM_ABI_SIZE(nm_slot_entry, 4);

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
