/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translations on the packet path: a row for each way of a connection, found by what stands on the wire. A connection
 * keeps its backend, whatever becomes of the service, except where nobody has answered on it yet. Its rows begin and
 * end in nm_nat_brief, which forgets the least recently used; while it is assured they stand where nothing is forgotten
 * before its time, so that a flood of packets from nowhere costs no such connection its own.
 */
#pragma once

#include "lib/nat_table.h"

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

/*
 * Whether the packet shows that the client gets what it is answered: its address is its own then, not made up. A
 * datagram of its own after the answer must do where nothing is acknowledged.
 */
nm_inline nm_bool nm_nat_assures(const struct nm_nat_room *r)
{
	if ((r->to.flags & (NM_NAT_REPLY | NM_NAT_ASSURED)) || !(r->to.state & NM_CT_SEEN_REPLY))
		return 0;
	if (r->key.proto != IPPROTO_TCP)
		return 1;
	return (r->p.tcp_flags & (NM_TCP_ACK | NM_TCP_SYN | NM_TCP_RST)) == NM_TCP_ACK && r->to.answer_seq != 0 &&
	       bpf_ntohl(r->p.ack_be) - r->to.answer_seq < NM_NAT_SEQ_WINDOW;
}

/* The rows go to where no flood reaches them. Where no place is left, they stay. */
nm_inline void nm_nat_keep(const struct nm_nat_room *r, struct nm_nat_entry *row, const struct nm_nat_key *other_key,
	struct nm_nat_entry *other)
{
	/* Another CPU may be between its two look-ups: the rows in nm_nat_brief are left to age. */
	if (nm_nat_assured_write(&r->key, row))
		return;
	if (nm_nat_assured_write(other_key, other))
		nm_nat_assured_delete(&r->key);
}

/* They go back, written before they are deleted: nobody finds neither. */
nm_inline void nm_nat_release(const struct nm_nat_room *r, struct nm_nat_entry *row, const struct nm_nat_key *other_key,
	struct nm_nat_entry *other)
{
	bpf_map_update_elem(&nm_nat_brief, &r->key, row, BPF_ANY);
	nm_nat_assured_delete(&r->key);
	if (!other)
		return;
	bpf_map_update_elem(&nm_nat_brief, other_key, other, BPF_ANY);
	nm_nat_assured_delete(other_key);
}

nm_inline void nm_nat_renew(
	const struct nm_nat_room *r, struct nm_nat_entry *row, __u8 flags, __u8 state, __u64 expires_ns)
{
	row->flags |= flags & NM_NAT_ASSURED;
	row->state = state;
	row->expires_ns = expires_ns;
	if ((r->to.flags & NM_NAT_REPLY) && (r->p.tcp_flags & NM_TCP_SYN))
		row->answer_seq = bpf_ntohl(r->p.seq_be) + 1;
}

nm_inline void nm_nat_touch(const struct nm_nat_room *r, struct nm_nat_entry *row)
{
	__u8 state = r->to.state | nm_ct_flags_from(&r->p, (r->to.flags & NM_NAT_REPLY) != 0);
	__u8 flags = r->to.flags | (nm_nat_assures(r) ? NM_NAT_ASSURED : 0);
	__u64 expires_ns = r->now_ns + nm_nat_lifetime_ns(r, state);
	struct nm_nat_key other_key;
	struct nm_nat_entry *other;

	if (state == r->to.state && flags == r->to.flags && expires_ns - r->to.expires_ns < NM_NAT_REFRESH_NS)
		return;
	nm_nat_renew(r, row, flags, state, expires_ns);
	other = nm_nat_fellow(&other_key, r);
	if (other)
		nm_nat_renew(r, other, flags, state, expires_ns);
	if (nm_ct_is_closed(state)) {
		if (r->assured)
			nm_nat_release(r, row, &other_key, other);
	} else if (!r->assured && (flags & NM_NAT_ASSURED) && other) {
		nm_nat_keep(r, row, &other_key, other);
	}
}

/* The row of r->key while it holds; r->to is it then. */
nm_inline struct nm_nat_entry *nm_nat_take(struct nm_nat_room *r)
{
	struct nm_nat_entry *row = nm_nat_row(&r->key, r->now_ns, &r->assured);

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
 * else's; another source port may help. What is over stands in the way of other clients only, and not when `after_any`.
 */
__attribute__((noinline)) int nm_nat_claim(__u32 after_any)
{
	struct nm_nat_room *r = nm_nat_room_get();
	const struct nm_nat_entry *row;
	struct nm_nat_key other;
	__u32 assured;

	if (!r)
		return 0;
	nm_nat_other_key(&other, &r->key, &r->to);
	row = nm_nat_row(&other, r->now_ns, &assured);
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
	if (bpf_map_update_elem(&nm_nat_brief, &other, &r->back, row ? BPF_ANY : BPF_NOEXIST))
		return 0;
	row = nm_nat_row(&r->key, r->now_ns, &assured);
	if (row && row->expires_ns > r->now_ns) {
		bpf_map_delete_elem(&nm_nat_brief, &other);
		r->to = *row;
		return 1;
	}
	if (bpf_map_update_elem(&nm_nat_brief, &r->key, &r->to, BPF_ANY)) {
		bpf_map_delete_elem(&nm_nat_brief, &other);
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
