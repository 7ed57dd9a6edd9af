/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translations on the packet path: a row for each way of a connection, found by what stands on the wire. A connection
 * keeps its backend, whatever becomes of the service, except where nobody has answered on it yet.
 */
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

nm_inline struct nm_nat_entry *nm_nat_row(const struct nm_nat_key *key)
{
	if (key->proto == IPPROTO_TCP)
		return bpf_map_lookup_elem(&nm_nat_tcp, key);
	return bpf_map_lookup_elem(&nm_nat_any, key);
}

nm_inline void nm_nat_row_delete(const struct nm_nat_key *key)
{
	if (key->proto == IPPROTO_TCP)
		bpf_map_delete_elem(&nm_nat_tcp, key);
	else
		bpf_map_delete_elem(&nm_nat_any, key);
}

nm_inline long nm_nat_row_write(const struct nm_nat_key *key, const struct nm_nat_entry *to, __u64 flags)
{
	if (key->proto == IPPROTO_TCP)
		return bpf_map_update_elem(&nm_nat_tcp, key, to, flags);
	return bpf_map_update_elem(&nm_nat_any, key, to, flags);
}

/*
 * The row for the other way, by *other. A row may outlive its fellow, whose key then serves another connection: only
 * one that leads back is it.
 */
nm_inline struct nm_nat_entry *nm_nat_fellow(struct nm_nat_key *other, const struct nm_nat_room *r)
{
	struct nm_nat_entry *row;

	nm_nat_other_key(other, &r->key, &r->to);
	row = nm_nat_row(other);
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

nm_inline nm_bool nm_nat_backend_is_there(const struct nm_nat_entry *to)
{
	const struct nm_backend_entry *backend = nm_backend_find(to->backend);

	return backend && backend->port_be == to->dport_be && nm_addr_equal(&backend->addr, &to->daddr);
}

/*
 * Whether the packet begins something new under addresses of something old: after its end; and where nobody has
 * answered yet, or nobody can tell who answers (UDP), when the backend is gone.
 */
nm_inline nm_bool nm_nat_is_over(const struct nm_nat_room *r)
{
	nm_bool syn = nm_packet_is_syn(&r->p);

	if (r->to.flags & NM_NAT_REPLY)
		return 0;
	if (r->key.proto == IPPROTO_TCP && (!syn || (r->to.state & (NM_CT_SEEN_REPLY | NM_CT_RST)) == NM_CT_SEEN_REPLY))
		return syn && nm_ct_is_closed(r->to.state);
	return nm_ct_is_closed(r->to.state) || !nm_nat_backend_is_there(&r->to);
}

/*
 * Where the backend sees the node as its client, it has in TIME_WAIT what is over here, and would leave a SYN of
 * somebody else from the same port unanswered.
 */
nm_inline __u64 nm_nat_lifetime_ns(const struct nm_nat_room *r, __u8 state)
{
	if ((r->to.flags & NM_NAT_SOURCE) && r->key.proto == IPPROTO_TCP && nm_ct_is_closed(state))
		return NM_NAT_TIME_WAIT_S * 1000000000ULL;
	return nm_ct_lifetime_ns(r->key.proto, state);
}

nm_inline void nm_nat_touch(const struct nm_nat_room *r, struct nm_nat_entry *row)
{
	__u8 state = r->to.state | nm_ct_flags_from(&r->p, (r->to.flags & NM_NAT_REPLY) != 0);
	__u64 expires_ns = r->now_ns + nm_nat_lifetime_ns(r, state);
	struct nm_nat_key other_key;
	struct nm_nat_entry *other;

	if (state == r->to.state && expires_ns - r->to.expires_ns < NM_NAT_REFRESH_NS)
		return;
	row->state = state;
	row->expires_ns = expires_ns;
	other = nm_nat_fellow(&other_key, r);
	if (other) {
		other->state = state;
		other->expires_ns = expires_ns;
	}
}

/* The row of r->key while it holds; r->to is it then. */
nm_inline struct nm_nat_entry *nm_nat_take(struct nm_nat_room *r)
{
	struct nm_nat_entry *row = nm_nat_row(&r->key);

	if (!row || row->expires_ns <= r->now_ns)
		return NULL;
	r->to = *row;
	return row;
}

/*
 * Whether there is a translation for r->key; r->to is it then. What an ICMP error is about is looked up so. Like the
 * two below it finds the room by itself: kernels before 6.2 take no key out of what a global function was given.
 */
__attribute__((noinline)) int nm_nat_peek(void)
{
	struct nm_nat_room *r = nm_nat_room_get();

	return r && nm_nat_take(r) != NULL;
}

/* As nm_nat_peek, for packet r->p itself: the connection lives on, or, where this ends it, not much longer. */
__attribute__((noinline)) int nm_nat_follow(void)
{
	struct nm_nat_room *r = nm_nat_room_get();
	struct nm_nat_entry *row;

	if (!r)
		return 0;
	row = nm_nat_take(r);
	if (!row)
		return 0;
	if (nm_nat_is_over(r)) {
		nm_nat_forget(r);
		return 0;
	}
	nm_nat_touch(r, row);
	return 1;
}

/* Whether r->p, whose key is r->key, is translated by a row already. */
nm_inline nm_bool nm_nat_find(struct nm_nat_room *r)
{
	return r->p.kind == NM_PACKET_ICMP_ERROR ? nm_nat_peek() : nm_nat_follow();
}

/* Whether `row`, of the answers that r->to would get, is held by a connection that r->to must not come after. */
nm_inline nm_bool nm_nat_is_held(const struct nm_nat_room *r, const struct nm_nat_entry *row, nm_bool after_any)
{
	if (row->expires_ns <= r->now_ns)
		return 0;
	if (r->key.proto != IPPROTO_TCP || !nm_ct_is_closed(row->state))
		return 1;
	return !after_any && (row->dport_be != r->key.sport_be || !nm_addr_equal(&row->daddr, &r->key.saddr));
}

/*
 * Takes both rows for r->key and r->to, which is complete but for its time: 1. 0 when the answers' row is somebody
 * else's; another source port may help. What is over stands in the way of other clients only, and not when
 * `after_any`.
 */
__attribute__((noinline)) int nm_nat_claim(__u32 after_any)
{
	struct nm_nat_room *r = nm_nat_room_get();
	const struct nm_nat_entry *row;
	struct nm_nat_key other;

	if (!r)
		return 0;
	nm_nat_other_key(&other, &r->key, &r->to);
	row = nm_nat_row(&other);
	if (row && nm_nat_is_held(r, row, after_any != 0))
		return 0;

	__builtin_memset(&r->back, 0, sizeof(r->back));
	r->to.expires_ns = r->back.expires_ns = r->now_ns + nm_ct_lifetime_ns(r->key.proto, r->to.state);
	r->back.saddr = r->key.daddr;
	r->back.daddr = r->key.saddr;
	r->back.sport_be = r->key.dport_be;
	r->back.dport_be = r->key.sport_be;
	r->back.backend = r->to.backend;
	r->back.flags = r->to.flags | NM_NAT_REPLY;
	r->back.state = r->to.state;
	r->back.other_direction = r->key.direction;
	/* Another CPU may have come first. */
	if (nm_nat_row_write(&other, &r->back, row ? BPF_ANY : BPF_NOEXIST))
		return 0;
	row = nm_nat_row(&r->key);
	if (row && row->expires_ns > r->now_ns) {
		nm_nat_row_delete(&other);
		r->to = *row;
		return 1;
	}
	if (nm_nat_row_write(&r->key, &r->to, BPF_ANY)) {
		nm_nat_row_delete(&other);
		return 0;
	}
	return 1;
}

/* A translated datagram's first fragment lends its ports to the later ones. */
nm_inline void nm_nat_frag_remember(const struct nm_packet *p, __u32 ifindex, __u8 direction)
{
	struct nm_nat_frag_entry ports = {.sport_be = p->t.sport_be, .dport_be = p->t.dport_be};
	struct nm_fragment_key key;

	nm_fragment_key_from(&key, ifindex, direction, p);
	if (bpf_map_update_elem(&nm_nat_frag, &key, &ports, BPF_ANY))
		nm_count(ifindex, NM_REASON_MAP_FULL, direction, 0);
}

/* Whether p, a later fragment, belongs to a translated datagram; its tuple has the ports then. */
nm_inline nm_bool nm_nat_frag_recall(struct nm_packet *p, __u32 ifindex, __u8 direction)
{
	const struct nm_nat_frag_entry *ports;
	struct nm_fragment_key key;

	nm_fragment_key_from(&key, ifindex, direction, p);
	ports = bpf_map_lookup_elem(&nm_nat_frag, &key);
	if (!ports)
		return 0;
	p->t.sport_be = ports->sport_be;
	p->t.dport_be = ports->dport_be;
	return 1;
}
