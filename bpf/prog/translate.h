/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A new connection to a service address on the packet path: who serves it, and under which addresses. */
#pragma once

#include "reset.h"
#include "socket.h"
#include "way.h"
#include "lib/policy.h"

/*
 * Whether nothing on this node would miss an answer sent to r->to's source: no socket (0.0.0.0 matches as well), no
 * service.
 */
__attribute__((noinline)) int nm_source_is_free(struct __sk_buff *skb, struct nm_nat_room *r)
{
	struct nm_tuple back;

	if (!r || nm_frontend_find(&r->to.saddr, r->to.sport_be, r->key.proto))
		return 0;
	back.saddr = r->to.daddr;
	back.daddr = r->to.saddr;
	back.sport_be = r->to.dport_be;
	back.dport_be = r->to.sport_be;
	return (r->key.proto == IPPROTO_TCP ? nm_socket_find(skb, &back) : nm_socket_find_udp(skb, &back)) ==
	       NM_SOCKET_NONE;
}

/*
 * What a client's port becomes at the backend, if it may: the same one, or one that is as far from it as all the
 * client's are. So two ports of a client are two there, and one of them is the same one whenever the client takes it
 * again: the backend then tells a new connection from the one it has in TIME_WAIT, as it would without a node between.
 */
nm_inline __u32 nm_nat_port_of(const struct nm_nat_key *key)
{
	__u32 port = bpf_ntohs(key->sport_be);

	if (port >= NM_NAT_PORT_FIRST && port <= NM_NAT_PORT_LAST)
		return port;
	return NM_NAT_PORT_FIRST + (port + (nm_hash_addr(0, &key->saddr) & 0xffff)) % NM_NAT_PORTS;
}

/*
 * Takes the rows under a source port that no other connection with the backend has; for want of a better one, after
 * another client's that is over. The client may reach one backend by two service addresses from one port, so that this
 * is not only about NM_NAT_SOURCE.
 */
nm_inline int nm_nat_claim_port(struct __sk_buff *skb, struct nm_nat_room *r)
{
	nm_bool source;
	__u32 port;

	if (!r)
		return 0;
	source = (r->to.flags & NM_NAT_SOURCE) != 0;
	for (int i = 0; i < NM_NAT_TRIES; i++) {
		if (i > 0)
			port = NM_NAT_PORT_FIRST + bpf_get_prandom_u32() % NM_NAT_PORTS;
		else
			port = source ? nm_nat_port_of(&r->key) : bpf_ntohs(r->key.sport_be);
		r->to.sport_be = bpf_htons(port);
		if (source && !nm_source_is_free(skb, r))
			continue;
		if (nm_nat_claim(i >= NM_NAT_TRIES / 2))
			return 1;
	}
	return 0;
}

/* The source that nm_way found becomes r->to's: 0, and nothing changes, when the kernel did not tell. */
nm_inline nm_bool nm_nat_take_source(struct nm_nat_room *r)
{
	struct nm_addr found;

	if (nm_addr_is_v4(&r->to.daddr))
		nm_addr_from_v4(&found, r->way.ipv4_src);
	else
		__builtin_memcpy(&found, r->way.ipv6_src, sizeof(found));
	if (found.w[3] == 0)
		return 0;
	r->to.saddr = found;
	return 1;
}

/* The backend is not on this node, so its answers come here only when this node is who it talks to. */
nm_inline __u32 nm_nat_source(struct __sk_buff *skb, struct nm_nat_room *r, __u32 frontend_flags)
{
	__u32 reason = nm_way(skb, r, 1);

	if (reason != NM_REASON_FORWARDED)
		return reason;
	r->to.flags |= NM_NAT_SOURCE;
	if (nm_nat_take_source(r))
		return NM_REASON_FORWARDED;
	/* The kernel does not tell. The address that the client asked for is at least one of this node. */
	if (!(frontend_flags & NM_FRONTEND_NODE_PORT))
		return NM_REASON_NO_ROUTE;
	r->to.saddr = r->key.daddr;
	return NM_REASON_FORWARDED;
}

/* Where the backend of a connection from outside is. */
nm_inline __u32 nm_nat_place(struct __sk_buff *skb, struct nm_nat_room *r, __u32 frontend_flags)
{
	r->to.other_direction = NM_EGRESS;
	if (nm_pod_ifindex(&r->to.daddr)) {
		r->to.flags = NM_NAT_POD;
	} else if (nm_identity_of(&r->to.daddr).identity == NM_IDENTITY_HOST) {
		r->to.flags = NM_NAT_NODE;
	} else if (!(frontend_flags & NM_FRONTEND_KEEP_SOURCE)) {
		r->to.other_direction = NM_INGRESS;
		return nm_nat_source(skb, r, frontend_flags);
	}
	return NM_REASON_FORWARDED;
}

/* Of a pod that gets itself as the backend: it would take its own address as the client's for an answer to nobody. */
nm_inline void nm_nat_place_inside(struct nm_nat_room *r)
{
	r->to.other_direction = NM_INGRESS;
	if (!nm_addr_equal(&r->to.daddr, &r->key.saddr))
		return;
	r->to.flags = NM_NAT_HAIRPIN;
	r->to.other_direction = NM_EGRESS;
	r->to.saddr = r->key.daddr;
}

/*
 * Of a process of this node. It becomes a port of the node that its sockets do not take by themselves, since one of
 * those may talk to the backend under the very port that another has with the service. A backend that is a process of
 * this node, too, sees the service as its client: the stack takes nothing from a device that bears its own address.
 */
nm_inline __u32 nm_nat_place_own(struct __sk_buff *skb, struct nm_nat_room *r)
{
	__u32 reason;

	r->to.flags = NM_NAT_OWN;
	r->to.other_direction = NM_EGRESS;
	if (nm_identity_of(&r->to.daddr).identity == NM_IDENTITY_HOST) {
		r->to.flags |= NM_NAT_NODE | NM_NAT_HAIRPIN;
		r->to.saddr = r->key.daddr;
		return NM_REASON_FORWARDED;
	}
	r->to.flags |= NM_NAT_SOURCE;
	if (nm_pod_ifindex(&r->to.daddr)) {
		r->to.flags |= NM_NAT_POD;
		return NM_REASON_FORWARDED;
	}
	r->to.other_direction = NM_INGRESS;
	/* Of the device where the stack sent it; by another, its address may be unknown to who answers. */
	reason = nm_way(skb, r, 1);
	if (reason != NM_REASON_FORWARDED)
		return reason;
	if (r->way.ifindex != skb->ifindex)
		nm_nat_take_source(r);
	return NM_REASON_FORWARDED;
}

/*
 * After nm_nat_open (not in it: the stack of a chain of calls is 512 bytes in all, and kernels before 6.7 round each
 * function's up to 32). What was tracked under these very addresses without a translation has one now: of a pod's own
 * connection the entry for both ends goes, past which packets would come to it as they are; that of an inbound one is
 * marked.
 */
__attribute__((noinline)) int nm_nat_flag_older(struct nm_nat_room *r)
{
	struct nm_ct_entry *entry;
	struct nm_ct_key key = {};

	if (!r)
		return 0;
	key.saddr = r->to.saddr;
	key.daddr = r->to.daddr;
	key.sport_be = r->to.sport_be;
	key.dport_be = r->to.dport_be;
	key.proto = r->key.proto;
	key.direction = NM_EGRESS;
	if (r->key.ifindex != 0) {
		entry = nm_ct_row(&key);
		if (entry)
			nm_ct_remove(&key, entry);
		return 0;
	}
	if (!(r->to.flags & NM_NAT_POD))
		return 0;
	key.ifindex = nm_pod_ifindex(&r->to.daddr);
	key.direction = NM_INGRESS;
	entry = nm_ct_row(&key);
	if (entry)
		entry->flags |= NM_CT_TRANSLATED;
	return 0;
}

/*
 * r->p, found by r->key in no row: TRANSLATED when it goes to a service and r->to says where now; COUNT when it is
 * none of ours; else the reason to drop.
 */
__attribute__((noinline)) int nm_nat_open(struct __sk_buff *skb, struct nm_nat_room *r)
{
	const struct nm_frontend_entry *frontend;
	struct nm_target target = {};
	struct nm_client client;
	__u32 reason, pick, flags;

	if (!r)
		return NM_REASON_COUNT;
	/* A reset ends what is not there. */
	if (r->p.tcp_flags & NM_TCP_RST)
		return NM_REASON_COUNT;
	frontend = nm_frontend_find(&r->key.daddr, r->key.dport_be, r->key.proto);
	if (!frontend)
		return NM_REASON_COUNT;
	flags = frontend->flags;
	client.outside = r->key.ifindex == 0 && r->key.direction == NM_INGRESS;
	/* Only a pod has a gate that hands over. */
	if ((flags & NM_FRONTEND_ON_NODE) ||
		(r->key.ifindex != 0 && (flags & NM_FRONTEND_L7) && r->key.proto == IPPROTO_TCP))
		return NM_REASON_COUNT;

	if (client.outside && !nm_source_is_let_in(frontend, &r->key.saddr))
		return NM_REASON_SOURCE_RANGE;

	client.addr = r->key.saddr;
	client.now_ns = r->now_ns;
	client.number = nm_service_number(frontend, &r->p.t);
	pick = nm_service_pick(frontend, &client, &target);
	if (pick != NM_PICK_BACKEND)
		return nm_pick_reason(pick);
	if (nm_addr_is_v4(&target.addr) != nm_addr_is_v4(&r->key.daddr))
		return NM_REASON_NO_BACKEND;

	__builtin_memset(&r->to, 0, sizeof(r->to));
	r->to.saddr = r->key.saddr;
	r->to.daddr = target.addr;
	r->to.dport_be = target.port_be;
	r->to.backend = target.backend;
	r->to.state = nm_ct_flags_from(&r->p, 0);
	reason = NM_REASON_FORWARDED;
	if (client.outside)
		reason = nm_nat_place(skb, r, flags);
	else if (r->key.ifindex == 0)
		reason = nm_nat_place_own(skb, r);
	else
		nm_nat_place_inside(r);
	if (reason != NM_REASON_FORWARDED)
		return reason;
	return nm_nat_claim_port(skb, r) ? NM_REASON_TRANSLATED : NM_REASON_NO_PORT;
}

/*
 * r->to for r->p, by a row or as something new: TRANSLATED; COUNT when it is none of ours; else the reason to drop.
 */
nm_inline __u32 nm_nat_find_or_open(struct __sk_buff *skb, struct nm_nat_room *r)
{
	__u32 reason;

	if (nm_nat_find(r))
		return NM_REASON_TRANSLATED;
	if (r->p.kind != NM_PACKET_FLOW || r->p.fragment == NM_FRAGMENT_LATER)
		return NM_REASON_COUNT;
	reason = nm_nat_open(skb, r);
	if (reason == NM_REASON_TRANSLATED)
		nm_nat_flag_older(r);
	return reason;
}

/* Writes r->to into the packet, and into r->p: 0, or -1. */
nm_inline int nm_nat_apply(struct __sk_buff *skb, struct nm_nat_room *r)
{
	nm_bool error = r->p.kind == NM_PACKET_ICMP_ERROR;

	if (error ? nm_rewrite_error(skb, r) : nm_rewrite(skb, r))
		return -1;
	if (error) {
		r->p.inner.saddr = r->to.daddr;
		r->p.inner.daddr = r->to.saddr;
		r->p.inner.sport_be = r->to.dport_be;
		r->p.inner.dport_be = r->to.sport_be;
		if (!nm_addr_equal(&r->key.saddr, &r->to.saddr))
			r->p.t.saddr = r->to.saddr;
		r->p.t.daddr = r->to.daddr;
		return 0;
	}
	r->p.t.saddr = r->to.saddr;
	r->p.t.daddr = r->to.daddr;
	r->p.t.sport_be = r->to.sport_be;
	r->p.t.dport_be = r->to.dport_be;
	return 0;
}

/*
 * Makes r->p ready to leave as r->to by r->way: FORWARDED; or why it may not. The packet is still as it came, and its
 * sender may be told, unless it is HELPER_FAILED.
 */
__attribute__((noinline)) int nm_nat_prepare(struct __sk_buff *skb, struct nm_nat_room *r)
{
	int reason, hop;

	if (!r)
		return NM_REASON_HELPER_FAILED;
	reason = nm_way(skb, r, 0);
	if (reason != NM_REASON_FORWARDED)
		return reason;
	hop = nm_hop(skb, &r->p);
	if (hop == 0)
		return NM_REASON_HOP_LIMIT;
	return hop < 0 || nm_nat_apply(skb, r) ? NM_REASON_HELPER_FAILED : NM_REASON_FORWARDED;
}

/* Who waits for an answer gets one; what policy keeps off gets none. 1: the packet is it. */
nm_inline nm_bool nm_nat_tell(struct __sk_buff *skb, struct nm_nat_room *r, __u32 reason)
{
	switch (reason) {
	case NM_REASON_NO_BACKEND:
		return nm_refuse(skb, r, reason);
	case NM_REASON_TOO_BIG:
	case NM_REASON_HOP_LIMIT:
		return nm_tell(skb, r, reason);
	}
	return 0;
}

/* What the packet is counted under: a service address that became a backend, or an answer. */
nm_inline __u32 nm_nat_passed(const struct nm_nat_room *r)
{
	return r->to.flags & NM_NAT_REPLY ? NM_REASON_REPLY : NM_REASON_TRANSLATED;
}

/*
 * The key of r->p seen at `ifindex` (0: the node's devices) in `direction`: 0 when nothing of its kind is translated.
 * A later fragment takes the ports of its first one; an ICMP error stands for the packet that it is about, turned
 * round.
 */
nm_inline nm_bool nm_nat_key_of(struct nm_nat_room *r, __u32 ifindex, __u8 direction)
{
	struct nm_tuple back;

	if (r->p.kind == NM_PACKET_ICMP_ERROR) {
		if (!nm_nat_handles(r->p.inner.proto) || r->p.inner_l4_at == 0)
			return 0;
		nm_tuple_reverse(&back, &r->p.inner);
		nm_nat_key_from(&r->key, ifindex, direction, &back);
		return 1;
	}
	if (r->p.kind != NM_PACKET_FLOW || !nm_nat_handles(r->p.t.proto))
		return 0;
	if (r->p.fragment == NM_FRAGMENT_LATER && !nm_nat_frag_recall(&r->p, ifindex, direction))
		return 0;
	nm_nat_key_from(&r->key, ifindex, direction, &r->p.t);
	return 1;
}
