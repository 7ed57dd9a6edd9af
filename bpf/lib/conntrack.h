/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections that policy let through: so that replies pass, and so that a changed policy reaches what is open. */
#pragma once

#include "lib/packet.h"
#include "lib/share.h"
#include "nm/config.h"
#include "nm/count.h"

nm_inline __u64 nm_now_ns(void)
{
	return bpf_ktime_get_coarse_ns();
}

nm_inline void nm_ct_key_from(struct nm_ct_key *key, __u32 ifindex, __u8 direction, const struct nm_tuple *t)
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

nm_inline void nm_ct_key_from_reply(struct nm_ct_key *key, __u32 ifindex, __u8 direction, const struct nm_tuple *t)
{
	key->ifindex = ifindex;
	key->saddr = t->daddr;
	key->daddr = t->saddr;
	key->sport_be = t->dport_be;
	key->dport_be = t->sport_be;
	key->proto = t->proto;
	key->direction = direction == NM_EGRESS ? NM_INGRESS : NM_EGRESS;
	key->pad0[0] = key->pad0[1] = 0;
}

/* Also one whose time is over. */
nm_inline struct nm_ct_entry *nm_ct_row(const struct nm_ct_key *key)
{
	if (key->proto == IPPROTO_TCP)
		return bpf_map_lookup_elem(&nm_ct_tcp, key);
	return bpf_map_lookup_elem(&nm_ct_any, key);
}

nm_inline struct nm_ct_entry *nm_ct_lookup(const struct nm_ct_key *key, __u64 now_ns)
{
	struct nm_ct_entry *entry = nm_ct_row(key);

	return entry && entry->expires_ns > now_ns ? entry : NULL;
}

/* Whose share the row is of. */
nm_inline __u32 nm_ct_owner(const struct nm_ct_key *key, const struct nm_ct_entry *entry)
{
	return key->ifindex ? key->ifindex : entry->opener;
}

/*
 * The connection of a packet with tuple t that travels in `direction` at endpoint `ifindex`: as its opener's packet
 * (*reply = 0) or as a reply (*reply = 1). *key is the entry's key then.
 */
nm_inline struct nm_ct_entry *nm_ct_find(
	struct nm_ct_key *key, __u32 ifindex, __u8 direction, const struct nm_tuple *t, __u64 now_ns, nm_bool *reply)
{
	struct nm_ct_entry *entry;

	*reply = 0;
	if (t->icmp != NM_ICMP_ANSWER) {
		nm_ct_key_from(key, ifindex, direction, t);
		entry = nm_ct_lookup(key, now_ns);
		if (entry || t->icmp == NM_ICMP_REQUEST)
			return entry;
	}

	*reply = 1;
	nm_ct_key_from_reply(key, ifindex, direction, t);
	return nm_ct_lookup(key, now_ns);
}

/*
 * As nm_ct_find, of a connection between two pods of this node. Each packet must come from (NM_EGRESS) or go to
 * (NM_INGRESS) the end that the entry says: the address alone proves nothing.
 */
nm_inline struct nm_ct_entry *nm_ct_find_local(
	struct nm_ct_key *key, __u32 ifindex, __u8 direction, const struct nm_tuple *t, __u64 now_ns, nm_bool *reply)
{
	struct nm_ct_entry *entry = NULL;

	*reply = 0;
	if (t->icmp != NM_ICMP_ANSWER) {
		nm_ct_key_from(key, 0, NM_EGRESS, t);
		entry = nm_ct_lookup(key, now_ns);
	}
	if (!entry && t->icmp != NM_ICMP_REQUEST) {
		*reply = 1;
		nm_ct_key_from_reply(key, 0, NM_INGRESS, t);
		entry = nm_ct_lookup(key, now_ns);
	}
	if (!entry)
		return NULL;
	if (((direction == NM_EGRESS) != *reply ? entry->opener : entry->answerer) != ifindex)
		entry = NULL;
	/* Else the compiler asks the ifindex once more instead of the pointer, and the verifier does not follow it. */
	asm volatile("" : "+r"(entry));
	return entry;
}

nm_inline nm_bool nm_ct_is_closed(__u8 flags)
{
	__u8 both = NM_CT_FIN_OPENER | NM_CT_FIN_REPLY;

	return (flags & both) == both || (flags & NM_CT_RST);
}

nm_inline __u8 nm_ct_flags_from(const struct nm_packet *p, nm_bool reply)
{
	__u8 flags = reply ? NM_CT_SEEN_REPLY : 0;

	if (p->tcp_flags & NM_TCP_FIN)
		flags |= reply ? NM_CT_FIN_REPLY : NM_CT_FIN_OPENER;
	if (p->tcp_flags & NM_TCP_RST)
		flags |= NM_CT_RST;
	return flags;
}

nm_inline __u64 nm_ct_lifetime_ns(__u8 proto, __u8 flags)
{
	__u32 seconds = nm_config.udp_s;

	if (proto == IPPROTO_TCP) {
		if (nm_ct_is_closed(flags))
			seconds = nm_config.tcp_closing_s;
		else if (flags & (NM_CT_FIN_OPENER | NM_CT_FIN_REPLY))
			seconds = nm_config.tcp_half_closed_s;
		else if (flags & NM_CT_SEEN_REPLY)
			seconds = nm_config.tcp_established_s;
		else
			seconds = nm_config.tcp_opening_s;
	} else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) {
		seconds = nm_config.icmp_s;
	} else if (flags & NM_CT_SEEN_REPLY) {
		seconds = nm_config.udp_stream_s;
	}
	return seconds * 1000000000ULL;
}

/*
 * A packet of a tracked connection. Two CPUs may lose one another's bit; the entry then lives longer than it had to,
 * never shorter and never with another verdict.
 */
nm_inline void nm_ct_touch(
	const struct nm_ct_key *key, struct nm_ct_entry *entry, const struct nm_packet *p, nm_bool reply, __u64 now_ns)
{
	__u8 flags = entry->flags | nm_ct_flags_from(p, reply);
	__u64 expires_ns = now_ns + nm_ct_lifetime_ns(p->t.proto, flags);

	if (entry->flags != flags) {
		if (nm_ct_is_closed(flags) && !nm_ct_is_closed(entry->flags))
			nm_share_give_back(nm_ct_owner(key, entry), key->proto);
		entry->flags = flags;
	}
	if (entry->expires_ns != expires_ns)
		entry->expires_ns = expires_ns;
}

enum nm_ct_made {
	NM_CT_MADE = 0,
	NM_CT_UNTRACKED = 1, /* no room; the verdict still holds */
	NM_CT_REFUSED = 2,   /* the pod has its share */
};

/*
 * Makes the row, or replaces what stands under its key. A row that was replaced before its end goes on being counted,
 * as the same one. Not a global function: kernels before 6.2 take no key out of what such a one was given.
 */
static __attribute__((noinline)) int nm_ct_write(
	const struct nm_ct_key *key, const struct nm_ct_entry *entry, __u64 now_ns)
{
	const struct nm_ct_entry *old;
	nm_bool more;
	__u32 owner;
	long err;

	if (!key || !entry)
		return NM_CT_UNTRACKED;
	old = nm_ct_row(key);
	more = !old || nm_ct_is_closed(old->flags);
	owner = nm_ct_owner(key, entry);
	if (more && !nm_share_take(owner, key->proto, now_ns))
		return NM_CT_REFUSED;
	if (key->proto == IPPROTO_TCP)
		err = bpf_map_update_elem(&nm_ct_tcp, key, entry, BPF_ANY);
	else
		err = bpf_map_update_elem(&nm_ct_any, key, entry, BPF_ANY);
	if (!err)
		return NM_CT_MADE;
	if (more)
		nm_share_give_back(owner, key->proto);
	nm_count(key->ifindex, NM_REASON_MAP_FULL, key->direction, 0);
	return NM_CT_UNTRACKED;
}

/* 0: the connection must not be. */
nm_inline nm_bool nm_ct_create(const struct nm_ct_key *key, __u8 origin, __u8 flags, __u32 epoch, __u64 now_ns)
{
	struct nm_ct_entry entry = {
		.expires_ns = now_ns + nm_ct_lifetime_ns(key->proto, flags),
		.epoch = epoch,
		.origin = origin,
		.flags = flags,
	};

	return nm_ct_write(key, &entry, now_ns) != NM_CT_REFUSED;
}

/* Takes off the row that was found by key. */
nm_inline void nm_ct_remove(const struct nm_ct_key *key, const struct nm_ct_entry *entry)
{
	__u32 owner = nm_ct_owner(key, entry);
	nm_bool counted = !nm_ct_is_closed(entry->flags);
	long err;

	if (key->proto == IPPROTO_TCP)
		err = bpf_map_delete_elem(&nm_ct_tcp, key);
	else
		err = bpf_map_delete_elem(&nm_ct_any, key);
	if (!err && counted)
		nm_share_give_back(owner, key->proto);
}

/*
 * What a tracked connection becomes when a newer policy answered `reason` for it. A connection lives where it began:
 * one in the proxy stays there, one that runs past it cannot be moved into it.
 */
nm_inline __u32 nm_ct_rejudge(__u32 reason, __u8 flags)
{
	if (flags & NM_CT_HANDED_OVER) {
		if (reason == NM_REASON_FORWARDED || reason == NM_REASON_TO_NODE || reason == NM_REASON_NOT_TRANSLATED)
			return NM_REASON_HANDED_OVER;
		return reason;
	}
	if (reason == NM_REASON_HANDED_OVER)
		return NM_REASON_L7_REQUIRED;
	return reason == NM_REASON_TO_NODE ? NM_REASON_FORWARDED : reason;
}

/*
 * Whether a packet toward the pod comes from another opener than the connection it would ride on. `proxied`: it is the
 * proxy's. A SYN may replace what is over; the proxy's own SYN may replace anything, since it owns its ports.
 */
nm_inline nm_bool nm_ct_is_foreign(const struct nm_ct_entry *entry, nm_bool reply, nm_bool proxied, nm_bool syn)
{
	if (syn && (reply || proxied || nm_ct_is_closed(entry->flags)))
		return 0;
	/* Both ends of it speak with the proxy, whose answers have passed before, by their mark. */
	if (entry->flags & NM_CT_HANDED_OVER)
		return 1;
	if (reply)
		return proxied;
	return (entry->origin == NM_CT_ORIGIN_PROXY) != proxied;
}
