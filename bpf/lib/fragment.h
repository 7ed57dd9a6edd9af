/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Later fragments carry no ports: they follow what became of the first one. */
#pragma once

#include "lib/packet.h"
#include "nm/count.h"

nm_inline void nm_fragment_key_from(
	struct nm_fragment_key *key, __u32 ifindex, __u8 direction, const struct nm_packet *p)
{
	key->ifindex = ifindex;
	key->saddr = p->t.saddr;
	key->daddr = p->t.daddr;
	key->id = p->fragment_id;
	key->proto = p->fragment_proto;
	key->direction = direction;
	key->pad0[0] = key->pad0[1] = 0;
}

nm_inline __u32 nm_fragment_decide(__u32 ifindex, __u8 direction, const struct nm_packet *p)
{
	struct nm_fragment_key key;
	const struct nm_fragment_entry *first;

	nm_fragment_key_from(&key, ifindex, direction, p);
	first = bpf_map_lookup_elem(&nm_fragment, &key);
	return first ? first->reason : NM_REASON_FRAGMENT;
}

nm_inline void nm_fragment_remember(__u32 ifindex, __u8 direction, const struct nm_packet *p, __u32 reason)
{
	struct nm_fragment_entry first = {.pass = nm_reason_passes(reason), .reason = reason};
	struct nm_fragment_key key;

	nm_fragment_key_from(&key, ifindex, direction, p);
	if (bpf_map_update_elem(&nm_fragment, &key, &first, BPF_ANY))
		nm_count(ifindex, NM_REASON_MAP_FULL, direction, 0);
}
