/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which backend of a service a client gets. */
#pragma once

#include "lib/conntrack.h"

enum nm_service_limit {
	NM_AFFINITY_REFRESH_NS = 1000000000, /* a client's last use is written down at most once a second */
};

enum nm_pick {
	NM_PICK_BACKEND = 0,
	NM_PICK_NONE = 1,   /* nobody serves: refused */
	NM_PICK_POLICY = 2, /* somebody does, but not for this caller: dropped */
};

struct nm_client {
	struct nm_addr addr; /* as in nm_affinity_key */
	__u32 number;	     /* takes the slot: random, or the hash of a packet's tuple */
	__u8 outside;	     /* came in by a device of the node */
	__u8 pad0[3];
	__u64 now_ns; /* nm_now_ns() */
};

struct nm_target {
	struct nm_addr addr;
	__be16 port_be;
	__u8 pad0[2];
	__u32 backend;
};

nm_inline const struct nm_frontend_entry *nm_frontend_find(const struct nm_addr *addr, __be16 port_be, __u8 proto)
{
	struct nm_frontend_key key = {.addr = *addr, .port_be = port_be, .proto = proto};

	return bpf_map_lookup_elem(&nm_frontend, &key);
}

nm_inline const struct nm_backend_entry *nm_backend_find(__u32 backend)
{
	struct nm_backend_key key = {.backend = backend};

	return bpf_map_lookup_elem(&nm_backend, &key);
}

nm_inline __u32 nm_hash_mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x9e3779b1U;
	return hash ^ hash >> 15;
}

nm_inline __u32 nm_hash_addr(__u32 hash, const struct nm_addr *addr)
{
	for (int i = 0; i < 4; i++)
		hash = nm_hash_mix(hash, addr->w[i]);
	return hash;
}

/*
 * Takes a Maglev slot. Every node finds the same number for the same packet, so that a connection survives its way to
 * another node; with affinity the ports do not count, so that all of a client's connections go one way.
 */
nm_inline __u32 nm_hash_tuple(const struct nm_tuple *t, nm_bool source_only)
{
	__u32 hash = nm_hash_addr(0x6e6d0001, &t->saddr);

	if (!source_only) {
		hash = nm_hash_addr(hash, &t->daddr);
		hash = nm_hash_mix(hash, (__u32)t->sport_be << 16 | t->dport_be);
		hash = nm_hash_mix(hash, t->proto);
	}
	hash = nm_hash_mix(hash, hash >> 16);
	return nm_hash_mix(hash, 0x85ebca6bU);
}

nm_inline __u32 nm_service_number(const struct nm_frontend_entry *frontend, const struct nm_tuple *t)
{
	if (frontend->flags & NM_FRONTEND_MAGLEV)
		return nm_hash_tuple(t, (frontend->flags & NM_FRONTEND_AFFINITY) != 0);
	return bpf_get_prandom_u32();
}

/* Asked of what comes from outside, before anybody is picked. */
nm_inline nm_bool nm_source_is_let_in(const struct nm_frontend_entry *frontend, const struct nm_addr *source)
{
	struct nm_source_range_key key = {.prefix_bits = 160, .ranges = frontend->ranges, .addr = *source};

	return !(frontend->flags & NM_FRONTEND_RANGES) || bpf_map_lookup_elem(&nm_source_range, &key);
}

nm_inline nm_bool nm_target_from(struct nm_target *to, __u32 backend)
{
	const struct nm_backend_entry *entry = nm_backend_find(backend);

	if (!entry)
		return 0;
	to->addr = entry->addr;
	to->port_be = entry->port_be;
	to->backend = backend;
	return 1;
}

/* The client's last backend, while the group still has it and the client was not away too long. */
nm_inline nm_bool nm_affinity_take(struct nm_target *to, const struct nm_frontend_entry *frontend,
	const struct nm_group *group, const struct nm_affinity_key *key, __u64 now_ns)
{
	struct nm_affinity_entry *last = bpf_map_lookup_elem(&nm_affinity, key);
	struct nm_member_key member = {.group = group->id};
	__u64 used_ns;

	if (!last)
		return 0;
	used_ns = last->used_ns;
	if (now_ns > used_ns && now_ns - used_ns >= frontend->affinity_s * 1000000000ULL)
		return 0;
	member.backend = last->backend;
	if (!bpf_map_lookup_elem(&nm_member, &member) || !nm_target_from(to, member.backend))
		return 0;
	if (now_ns > used_ns && now_ns - used_ns >= NM_AFFINITY_REFRESH_NS)
		last->used_ns = now_ns;
	return 1;
}

nm_inline void nm_affinity_remember(const struct nm_affinity_key *key, __u32 backend, __u64 now_ns)
{
	struct nm_affinity_entry entry = {.used_ns = now_ns, .backend = backend};

	if (bpf_map_update_elem(&nm_affinity, key, &entry, BPF_ANY))
		nm_count(0, NM_REASON_MAP_FULL, NM_EGRESS, 0);
}

/* Fills *to when the answer is NM_PICK_BACKEND. */
nm_inline __u32 nm_service_pick(
	const struct nm_frontend_entry *frontend, const struct nm_client *client, struct nm_target *to)
{
	__u32 drops = client->outside ? NM_FRONTEND_DROP_OUTSIDE : NM_FRONTEND_DROP_INSIDE;
	struct nm_group group = client->outside ? frontend->outside : frontend->inside;
	struct nm_affinity_key key = {.client = client->addr, .service = frontend->service};
	nm_bool affinity = (frontend->flags & NM_FRONTEND_AFFINITY) != 0;
	struct nm_slot_key slot_key = {.group = group.id};
	const struct nm_slot_entry *slot;

	if (group.slots == 0)
		return frontend->flags & drops ? NM_PICK_POLICY : NM_PICK_NONE;

	if (affinity && nm_affinity_take(to, frontend, &group, &key, client->now_ns))
		return NM_PICK_BACKEND;
	slot_key.slot = client->number % group.slots;
	slot = bpf_map_lookup_elem(&nm_slot, &slot_key);
	if (!slot || !nm_target_from(to, slot->backend))
		return NM_PICK_NONE;
	if (affinity)
		nm_affinity_remember(&key, to->backend, client->now_ns);
	return NM_PICK_BACKEND;
}

/* Why a service address did not become a backend. */
nm_inline __u32 nm_pick_reason(__u32 pick)
{
	switch (pick) {
	case NM_PICK_BACKEND:
		return NM_REASON_TRANSLATED;
	case NM_PICK_POLICY:
		return NM_REASON_TRAFFIC_POLICY;
	}
	return NM_REASON_NO_BACKEND;
}
