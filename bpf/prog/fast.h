/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The short way for what nearly every packet is: TCP or UDP with plain headers, on a connection that was judged in this
 * epoch. It answers just what the long way would; whatever it is not sure of takes the long way.
 */
#pragma once

#include "headers.h"
#include "local.h"
#include "socket.h"
#include "lib/conntrack.h"
#include "lib/policy.h"

#define NM_FAST_NO NM_REASON_COUNT

/* No hook's answer that we give: take the long way. */
#define NM_FAST_LONG 0

enum nm_fast_limit {
	NM_FAST_TCP_HEADER = 20,
	NM_FAST_REFRESH_NS = 1000000000, /* an entry's lifetime is renewed at most once a second */
};

struct nm_fast_v4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct nm_ports_header ports;
} __attribute__((packed));

struct nm_fast_v6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct nm_ports_header ports;
} __attribute__((packed));

/* Fills the key as the opener's packet would, and says where the transport header begins: 0 when it is not plain. */
nm_inline __u32 nm_fast_parse(struct __sk_buff *skb, struct nm_ct_key *key)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct nm_fast_v6 *six = data;
	struct nm_fast_v4 *four = data;

	if (data + sizeof(*four) > end)
		return 0;
	if (four->eth.h_proto == bpf_htons(ETH_P_IP)) {
		if (*(__u8 *)&four->ip != 0x45 || (four->ip.frag_off & bpf_htons(0x3fff)) ||
			bpf_ntohs(four->ip.tot_len) < sizeof(four->ip) + NM_FAST_TCP_HEADER)
			return 0;
		nm_addr_from_v4(&key->saddr, four->ip.saddr);
		nm_addr_from_v4(&key->daddr, four->ip.daddr);
		key->proto = four->ip.protocol;
		key->sport_be = four->ports.sport_be;
		key->dport_be = four->ports.dport_be;
		return ETH_HLEN + sizeof(four->ip);
	}
	if (four->eth.h_proto != bpf_htons(ETH_P_IPV6) || data + sizeof(*six) > end || six->ip.version != 6 ||
		bpf_ntohs(six->ip.payload_len) < NM_FAST_TCP_HEADER)
		return 0;
	__builtin_memcpy(&key->saddr, &six->ip.saddr, sizeof(key->saddr));
	__builtin_memcpy(&key->daddr, &six->ip.daddr, sizeof(key->daddr));
	if (nm_addr_is_v4(&key->saddr) || nm_addr_is_v4(&key->daddr))
		return 0;
	key->proto = six->ip.nexthdr;
	key->sport_be = six->ports.sport_be;
	key->dport_be = six->ports.dport_be;
	return ETH_HLEN + sizeof(six->ip);
}

/* Servers have the smaller port nearly always, so that is where the entry will be: one look-up, not two. */
nm_inline nm_bool nm_fast_turn(struct nm_ct_key *key)
{
	struct nm_addr addr = key->saddr;
	__be16 port_be = key->sport_be;

	if (bpf_ntohs(key->sport_be) >= bpf_ntohs(key->dport_be))
		return 0;
	key->saddr = key->daddr;
	key->daddr = addr;
	key->sport_be = key->dport_be;
	key->dport_be = port_be;
	key->direction = key->direction == NM_EGRESS ? NM_INGRESS : NM_EGRESS;
	return 1;
}

/* UDP, or TCP that neither opens nor closes anything. */
nm_inline nm_bool nm_fast_is_midstream(struct __sk_buff *skb, __u8 proto, __u32 at)
{
	void *flags = (void *)(long)skb->data + at + 13;

	if (proto == IPPROTO_UDP)
		return 1;
	if (proto != IPPROTO_TCP || flags + 1 > (void *)(long)skb->data_end)
		return 0;
	return !(*(__u8 *)flags & (NM_TCP_SYN | NM_TCP_FIN | NM_TCP_RST));
}

nm_inline void nm_fast_touch(struct nm_ct_entry *entry, __u8 proto, nm_bool reply, __u64 now_ns)
{
	__u8 flags = entry->flags | (reply ? NM_CT_SEEN_REPLY : 0);
	__u64 expires_ns = now_ns + nm_ct_lifetime_ns(proto, flags);

	if (entry->flags != flags)
		entry->flags = flags;
	else if (expires_ns - entry->expires_ns < NM_FAST_REFRESH_NS)
		return;
	entry->expires_ns = expires_ns;
}

/* What the pod sends on a connection with the proxy is delivered here: while its socket is there. */
nm_inline __u32 nm_fast_deliver(struct __sk_buff *skb, const struct nm_ct_key *key, nm_bool reply)
{
	struct bpf_sock *sk;

	if (reply)
		sk = nm_socket_at(skb, &key->daddr, &key->saddr, key->dport_be, key->sport_be);
	else
		sk = nm_socket_at(skb, &key->saddr, &key->daddr, key->sport_be, key->dport_be);
	return nm_socket_release(sk) == NM_SOCKET_OPEN ? nm_deliver(skb) : NM_FAST_NO;
}

/* The short way's verdict on a packet of `entry`. `mark`: of what the node itself sent to the pod. */
nm_inline __u32 nm_fast_decide(
	struct __sk_buff *skb, const struct nm_ct_key *key, const struct nm_ct_entry *entry, nm_bool reply, __u32 mark)
{
	nm_bool handed_over = (entry->flags & NM_CT_HANDED_OVER) != 0;
	nm_bool proxied = entry->origin == NM_CT_ORIGIN_PROXY;
	/* Toward the pod the reply is its own connection's, so the key's direction tells which way the packet goes. */
	nm_bool from_pod = (key->direction == NM_EGRESS) != reply;

	if (entry->flags & NM_CT_TRANSLATED)
		return NM_FAST_NO;
	if (from_pod) {
		if (reply ? proxied : handed_over)
			return reply && handed_over ? NM_FAST_NO : nm_fast_deliver(skb, key, reply);
		return proxied || handed_over ? NM_FAST_NO : reply ? NM_REASON_REPLY : NM_REASON_FORWARDED;
	}
	switch (mark) {
	case NM_MARK_DOWNSTREAM:
		return reply && handed_over ? NM_REASON_REPLY : NM_FAST_NO;
	case NM_MARK_UPSTREAM:
		return !reply && proxied && !handed_over && skb->sk ? NM_REASON_FORWARDED : NM_FAST_NO;
	}
	return proxied || handed_over ? NM_FAST_NO : reply ? NM_REASON_REPLY : NM_REASON_FORWARDED;
}

/* To another pod of this node. *key is turned to the opener's side already, and comes back as it was. */
nm_inline int nm_fast_local(struct __sk_buff *skb, struct nm_ct_key *key, nm_bool reply, __u64 now_ns)
{
	__u32 ifindex = key->ifindex, reason = reply ? NM_REASON_REPLY : NM_REASON_FORWARDED;
	__u8 direction = key->direction;
	struct nm_ct_entry *entry;

	key->ifindex = 0;
	key->direction = NM_EGRESS;
	entry = nm_ct_lookup(key, now_ns);
	key->ifindex = ifindex;
	key->direction = direction;
	if (!entry || entry->epoch != nm_epoch_now() || (reply ? entry->answerer : entry->opener) != ifindex)
		return NM_FAST_LONG;
	nm_fast_touch(entry, key->proto, reply, now_ns);
	nm_count(ifindex, reason, NM_EGRESS, skb->len);
	return nm_local_send(skb, reply ? entry->opener : entry->answerer, reason);
}

/*
 * The hook's answer when the packet passes, and is counted, this way; else NM_FAST_LONG. `direction` as the pod sees
 * it. A global function, so that its stack and its verification stand apart from the long way's.
 */
__attribute__((noinline)) int nm_fast(struct __sk_buff *skb, __u32 direction)
{
	struct nm_ct_key key = {.ifindex = skb->ifindex, .direction = direction};
	__u32 at = nm_fast_parse(skb, &key), mark = NM_MARK_NONE, reason;
	struct nm_ct_entry *entry;
	nm_bool reply;
	__u64 now_ns;
	int action;

	if (!at || !nm_fast_is_midstream(skb, key.proto, at))
		return NM_FAST_LONG;
	if (direction == NM_INGRESS && skb->ingress_ifindex == 0) {
		/* What the node sends in its own name is not tracked. */
		mark = nm_mark_get(skb->mark);
		if (mark == NM_MARK_NONE)
			return NM_FAST_LONG;
	}
	reply = nm_fast_turn(&key);
	now_ns = nm_now_ns();
	if (direction == NM_EGRESS && nm_config.local_redirect) {
		action = nm_fast_local(skb, &key, reply, now_ns);
		if (action != NM_FAST_LONG)
			return action;
	}
	entry = nm_ct_lookup(&key, now_ns);
	if (!entry || entry->epoch != nm_epoch_now())
		return NM_FAST_LONG;
	reason = nm_fast_decide(skb, &key, entry, reply, mark);
	if (reason == NM_FAST_NO)
		return NM_FAST_LONG;
	nm_fast_touch(entry, key.proto, reply, now_ns);
	nm_count(key.ifindex, reason, direction, skb->len);
	return NM_TCX_NEXT;
}
