/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The node's sockets as a tc program sees them, and the two ways to bring a packet to one. */
#pragma once

#include "lib/handover.h"
#include "nm/config.h"
#include "nm/count.h"

enum nm_tcp_state {
	NM_TCP_STATE_LISTEN = 10, /* TCP_LISTEN */
};

/* 1 when it is of IPv4: look-ups are written twice, since the verifier wants the key's size as a constant. */
nm_inline nm_bool nm_socket_key(struct bpf_sock_tuple *key, const struct nm_addr *saddr, const struct nm_addr *daddr,
	__be16 sport_be, __be16 dport_be)
{
	if (nm_addr_is_v4(daddr)) {
		key->ipv4.saddr = saddr->w[3];
		key->ipv4.daddr = daddr->w[3];
		key->ipv4.sport = sport_be;
		key->ipv4.dport = dport_be;
		return 1;
	}
	__builtin_memcpy(key->ipv6.saddr, saddr, sizeof(*saddr));
	__builtin_memcpy(key->ipv6.daddr, daddr, sizeof(*daddr));
	key->ipv6.sport = sport_be;
	key->ipv6.dport = dport_be;
	return 0;
}

/* The socket of this node that would receive a packet with these addresses and ports. The caller releases it. */
nm_inline struct bpf_sock *nm_socket_at(struct __sk_buff *skb, const struct nm_addr *saddr, const struct nm_addr *daddr,
	__be16 sport_be, __be16 dport_be)
{
	struct bpf_sock_tuple key = {};

	if (nm_socket_key(&key, saddr, daddr, sport_be, dport_be))
		return bpf_skc_lookup_tcp(skb, &key, sizeof(key.ipv4), BPF_F_CURRENT_NETNS, 0);
	return bpf_skc_lookup_tcp(skb, &key, sizeof(key.ipv6), BPF_F_CURRENT_NETNS, 0);
}

nm_inline struct bpf_sock *nm_socket_get(struct __sk_buff *skb, const struct nm_tuple *t)
{
	return nm_socket_at(skb, &t->saddr, &t->daddr, t->sport_be, t->dport_be);
}

/* What kind of socket it is, which is given back. */
nm_inline __u32 nm_socket_release(struct bpf_sock *sk)
{
	__u32 found;

	if (!sk)
		return NM_SOCKET_NONE;
	found = sk->state == NM_TCP_STATE_LISTEN ? NM_SOCKET_LISTEN : NM_SOCKET_OPEN;
	bpf_sk_release(sk);
	return found;
}

nm_inline __u32 nm_socket_find(struct __sk_buff *skb, const struct nm_tuple *t)
{
	return nm_socket_release(nm_socket_get(skb, t));
}

/* NONE, or OPEN: a socket of this node that would receive the datagram. */
nm_inline __u32 nm_socket_find_udp(struct __sk_buff *skb, const struct nm_tuple *t)
{
	struct bpf_sock_tuple key = {};
	struct bpf_sock *sk;

	if (nm_socket_key(&key, &t->saddr, &t->daddr, t->sport_be, t->dport_be))
		sk = bpf_sk_lookup_udp(skb, &key, sizeof(key.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(skb, &key, sizeof(key.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return NM_SOCKET_NONE;
	bpf_sk_release(sk);
	return NM_SOCKET_OPEN;
}

/* Gives the packet to the proxy's listener, which stands on loopback so that nobody can dial it from outside. */
nm_inline __u32 nm_listener_assign(struct __sk_buff *skb, const struct nm_tuple *t)
{
	struct nm_tuple to = *t;
	struct bpf_sock *sk;
	long err;

	to.dport_be = nm_config.proxy_port_be;
	if (nm_addr_is_v4(&t->daddr)) {
		to.daddr.w[3] = bpf_htonl(INADDR_LOOPBACK);
	} else {
		to.daddr.w[0] = to.daddr.w[1] = to.daddr.w[2] = 0;
		to.daddr.w[3] = bpf_htonl(1);
	}
	sk = nm_socket_get(skb, &to);
	if (!sk)
		return NM_REASON_NO_PROXY;
	if (sk->state != NM_TCP_STATE_LISTEN) {
		bpf_sk_release(sk);
		return NM_REASON_NO_PROXY;
	}
	err = bpf_sk_assign(skb, sk, 0);
	bpf_sk_release(sk);
	return err ? NM_REASON_HELPER_FAILED : NM_REASON_HANDED_OVER;
}

nm_inline __u32 nm_deliver(struct __sk_buff *skb)
{
	skb->mark = nm_mark_put(skb->mark, NM_MARK_DELIVER);
	return NM_REASON_HANDED_OVER;
}

/* Client to proxy: HANDED_OVER, or the reason to drop. It never falls through to the raw destination. */
nm_inline __u32 nm_hand_over(struct __sk_buff *skb, const struct nm_packet *p)
{
	__u32 reason;

	switch (nm_handover_decide(nm_socket_find(skb, &p->t), p->fragment)) {
	case NM_HANDOVER_MARK:
		return nm_deliver(skb);
	case NM_HANDOVER_ASSIGN:
		reason = nm_listener_assign(skb, &p->t);
		return reason == NM_REASON_HANDED_OVER ? nm_deliver(skb) : reason;
	}
	return NM_REASON_FRAGMENT;
}

/* Backend to proxy: the socket is there, or nobody wants the packet. */
nm_inline __u32 nm_hand_back(struct __sk_buff *skb, const struct nm_packet *p)
{
	if (p->fragment != NM_FRAGMENT_NONE)
		return NM_REASON_FRAGMENT;
	return nm_socket_find(skb, &p->t) == NM_SOCKET_OPEN ? nm_deliver(skb) : NM_REASON_NO_SOCKET;
}

/* Whether an ICMP error is about a packet that a socket of this node sent. */
nm_inline nm_bool nm_error_has_socket(struct __sk_buff *skb, const struct nm_packet *p)
{
	struct nm_tuple back;

	if (p->inner.proto != IPPROTO_TCP)
		return 0;
	nm_tuple_reverse(&back, &p->inner);
	return nm_socket_find(skb, &back) == NM_SOCKET_OPEN;
}
