/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "maps.h"

/* A function of its own, since its keys would otherwise stand on the stack of every caller. */
static __attribute__((noinline)) void nm_count(__u32 ifindex, __u32 reason, __u32 direction, __u64 bytes)
{
	struct nm_counter_key key = {.ifindex = ifindex, .reason = reason, .direction = direction};
	struct nm_counter_entry *entry = bpf_map_lookup_elem(&nm_counter, &key);

	if (!entry) {
		struct nm_counter_entry zero = {};

		/* Another CPU may have made it meanwhile: only the lookup after it tells. */
		bpf_map_update_elem(&nm_counter, &key, &zero, BPF_NOEXIST);
		entry = bpf_map_lookup_elem(&nm_counter, &key);
		if (!entry)
			return;
	}
	/* Our CPU's own copy; the hooks cannot interrupt one another on one CPU in the middle of this. */
	entry->packets += 1;
	entry->bytes += bytes;
}
