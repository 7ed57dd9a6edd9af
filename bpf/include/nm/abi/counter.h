/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "types.h"
#include "reason.h"

/* nm_counter, per CPU: packets of one endpoint (0: not at an endpoint) under one reason and direction. */
struct nm_counter_key {
	__u32 ifindex;
	__u8 reason;	/* enum nm_reason */
	__u8 direction; /* enum nm_direction */
	__u8 pad0[2];
};
NM_ABI_SIZE(nm_counter_key, 8);

struct nm_counter_entry {
	__u64 packets;
	__u64 bytes;
};
NM_ABI_SIZE(nm_counter_entry, 16);
