/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows of translations: where they are, and how one leads to the other. */
#pragma once

#include "lib/fragment.h"
#include "lib/service.h"

enum nm_nat_limit {
	NM_NAT_REFRESH_NS = 1000000000, /* rows are renewed at most once a second */
	NM_NAT_PORT_FIRST = 1024,	/* source ports of the node, below those that its sockets take by themselves */
	NM_NAT_PORT_LAST = 32767,
	NM_NAT_PORTS = NM_NAT_PORT_LAST - NM_NAT_PORT_FIRST + 1,
	NM_NAT_TRIES = 16,	 /* ports that are looked at before a connection is given up */
	NM_NAT_TIME_WAIT_S = 60, /* a closed connection keeps its port as long as Linux does in TIME_WAIT */
	/* What a server sends before it is acknowledged. Who only guesses is beyond it 65535 times of 65536. */
	NM_NAT_SEQ_WINDOW = 65536,
};

/* What a hook works on. Too much for the stack beside what the gate keeps there. */
struct nm_nat_room {
	__u64 now_ns; /* nm_now_ns() */
	struct nm_packet p;
	struct nm_nat_key key;
	struct nm_nat_entry to;
	struct nm_nat_entry back; /* of the row that is claimed with r->to */
	struct bpf_fib_lookup way;
	__u32 reason;	 /* to drop the packet */
	__u32 assured;	 /* r->to comes from where assured rows are */
	__u8 quote[128]; /* of the packet that an ICMP error is about */
};

/* One per CPU, since hooks do not interrupt one another. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct nm_nat_room);
	__uint(max_entries, 1);
} nm_nat_rooms SEC(".maps");

nm_inline struct nm_nat_room *nm_nat_room_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nm_nat_rooms, &zero);
}

/* For a packet that is not read yet. */
nm_inline struct nm_nat_room *nm_nat_room_enter(void)
{
	struct nm_nat_room *r = nm_nat_room_get();

	if (!r)
		return NULL;
	r->now_ns = nm_now_ns();
	__builtin_memset(&r->p, 0, sizeof(r->p));
	return r;
}

nm_inline nm_bool nm_nat_handles(__u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

nm_inline void nm_nat_key_from(struct nm_nat_key *key, __u32 ifindex, __u8 direction, const struct nm_tuple *t)
{
	key->ifindex = ifindex;
	key->saddr = t->saddr;
	key->daddr = t->daddr;
	key->sport_be = t->sport_be;
	key->dport_be = t->dport_be;
	key->proto = t->proto;
	key->direction = direction;
	key->pad0[0] = key->pad0[1] = 0;
}

/* The row that a packet the other way would be found by. */
nm_inline void nm_nat_other_key(struct nm_nat_key *other, const struct nm_nat_key *key, const struct nm_nat_entry *to)
{
	other->ifindex = key->ifindex;
	other->saddr = to->daddr;
	other->daddr = to->saddr;
	other->sport_be = to->dport_be;
	other->dport_be = to->sport_be;
	other->proto = key->proto;
	other->direction = to->other_direction;
	other->pad0[0] = other->pad0[1] = 0;
}

nm_inline struct nm_nat_entry *nm_nat_assured(const struct nm_nat_key *key)
{
	if (key->proto == IPPROTO_TCP)
		return bpf_map_lookup_elem(&nm_nat_tcp, key);
	return bpf_map_lookup_elem(&nm_nat_any, key);
}

nm_inline long nm_nat_assured_write(const struct nm_nat_key *key, const struct nm_nat_entry *to)
{
	if (key->proto == IPPROTO_TCP)
		return bpf_map_update_elem(&nm_nat_tcp, key, to, BPF_ANY);
	return bpf_map_update_elem(&nm_nat_any, key, to, BPF_ANY);
}

nm_inline void nm_nat_assured_delete(const struct nm_nat_key *key)
{
	if (key->proto == IPPROTO_TCP)
		bpf_map_delete_elem(&nm_nat_tcp, key);
	else
		bpf_map_delete_elem(&nm_nat_any, key);
}

/* What nm_nat_brief has beside an assured row is older. It may be over, but no assured one is. */
nm_inline struct nm_nat_entry *nm_nat_row(const struct nm_nat_key *key, __u64 now_ns, __u32 *assured)
{
	struct nm_nat_entry *row = nm_nat_assured(key);

	*assured = row && row->expires_ns > now_ns;
	return *assured ? row : bpf_map_lookup_elem(&nm_nat_brief, key);
}

nm_inline void nm_nat_row_delete(const struct nm_nat_key *key)
{
	nm_nat_assured_delete(key);
	bpf_map_delete_elem(&nm_nat_brief, key);
}

/*
 * The row for the other way, by *other. A row may outlive its fellow, whose key then serves another connection: only
 * one that leads back is it.
 */
nm_inline struct nm_nat_entry *nm_nat_fellow(struct nm_nat_key *other, const struct nm_nat_room *r)
{
	struct nm_nat_entry *row;
	__u32 assured;

	nm_nat_other_key(other, &r->key, &r->to);
	row = nm_nat_row(other, r->now_ns, &assured);
	return row && row->dport_be == r->key.sport_be && nm_addr_equal(&row->daddr, &r->key.saddr) ? row : NULL;
}

/* Both rows of r->to. */
nm_inline void nm_nat_forget(const struct nm_nat_room *r)
{
	struct nm_nat_key other;

	if (nm_nat_fellow(&other, r))
		nm_nat_row_delete(&other);
	nm_nat_row_delete(&r->key);
}
