/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shapes shared by every table. Fixed-width members only; padding is named and zero. */
#pragma once

#include <linux/types.h>

#define NM_ABI_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type " changed its size")

/* An IPv6 address, or an IPv4 address mapped as ::ffff:a.b.c.d. Network byte order. */
struct nm_addr {
	__be32 w[4];
};
NM_ABI_SIZE(nm_addr, 16);

/* Direction as the pod sees it. */
enum nm_direction {
	NM_INGRESS = 0,
	NM_EGRESS = 1,
};

/* Identities that need no labels. Others come from the compiler and start at NM_IDENTITY_FIRST. */
enum nm_identity_id {
	NM_IDENTITY_UNKNOWN = 0,
	NM_IDENTITY_HOST = 1,
	NM_IDENTITY_REMOTE_NODE = 2,
	NM_IDENTITY_WORLD = 3,
	NM_IDENTITY_FIRST = 256,
};
