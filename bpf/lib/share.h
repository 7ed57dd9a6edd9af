/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A pod's share of the connection tables. Tables forget the least recently used, whoever's it is; so that a flood from
 * one pod does not make another's connections forgotten, a pod may have no more than its share once a table is nearly
 * full. Until then nobody is held to anything.
 */
#pragma once

#include "nm/maps.h"

nm_inline struct nm_share_key nm_share_key_of(__u32 ifindex, __u8 proto)
{
	struct nm_share_key key = {.ifindex = ifindex, .table = proto == IPPROTO_TCP ? NM_SHARE_TCP : NM_SHARE_ANY};

	return key;
}

/* Without a row nobody counts, and nobody is held. */
nm_inline void nm_share_add(const struct nm_share_key *key, __u64 rows)
{
	struct nm_share_use_entry *use = bpf_map_lookup_elem(&nm_share_use, key);

	if (use)
		__sync_fetch_and_add(&use->rows, rows);
}

nm_inline nm_bool nm_share_is_spent(const struct nm_share_key *key, __u64 now_ns)
{
	const struct nm_share_entry *share = bpf_map_lookup_elem(&nm_share, key);
	const struct nm_share_use_entry *use;

	if (!share || share->until_ns < now_ns)
		return 0;
	use = bpf_map_lookup_elem(&nm_share_use, key);
	/* Signed: what was lost is told a little late. */
	return use && (__s64)(use->rows - share->lost) >= (__s64)share->limit;
}

/* One row more: 0 when the pod must not have it. A function of its own for the sake of the stack. */
static __attribute__((noinline)) int nm_share_take(__u32 ifindex, __u8 proto, __u64 now_ns)
{
	struct nm_share_key all = nm_share_key_of(NM_SHARE_ALL, proto), own = nm_share_key_of(ifindex, proto);

	if (nm_share_is_spent(&all, now_ns) && nm_share_is_spent(&own, now_ns))
		return 0;
	nm_share_add(&all, 1);
	nm_share_add(&own, 1);
	return 1;
}

/* The connection is over, though its row may stay for a while. */
static __attribute__((noinline)) void nm_share_give_back(__u32 ifindex, __u8 proto)
{
	struct nm_share_key all = nm_share_key_of(NM_SHARE_ALL, proto), own = nm_share_key_of(ifindex, proto);

	nm_share_add(&all, -1ULL);
	nm_share_add(&own, -1ULL);
}
