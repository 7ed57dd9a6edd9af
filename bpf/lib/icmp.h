/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP and ICMPv6 as connections. The tuple of a request has its identifier (0: it has none) as the source port, and
 * its type and code, as policy knows them, as the destination port; that of an answer is the same turned round. A
 * request never passes for the answer to another one, nor the other way.
 */
#pragma once

#include "nm/core.h"

enum nm_icmp_type {
	NM_ICMP4_ECHO_REPLY = 0,
	NM_ICMP4_UNREACHABLE = 3,
	NM_ICMP4_REDIRECT = 5,
	NM_ICMP4_ECHO = 8,
	NM_ICMP4_ROUTER = 9,
	NM_ICMP4_TIME_EXCEEDED = 11,
	NM_ICMP4_PARAMETER = 12,
	NM_ICMP4_TIMESTAMP = 13,
	NM_ICMP4_INFORMATION = 15,
	NM_ICMP4_ADDRESS_MASK = 17,
	NM_ICMP6_UNREACHABLE = 1,
	NM_ICMP6_TOO_BIG = 2,
	NM_ICMP6_TIME_EXCEEDED = 3,
	NM_ICMP6_FIRST_INFO = 128, /* below: errors (RFC 4443 2.1) */
	NM_ICMP6_ECHO = 128,
	NM_ICMP6_MLD_FIRST = 130,
	NM_ICMP6_MLD_LAST = 132,
	NM_ICMP6_ND_FIRST = 133,
	NM_ICMP6_ROUTER = 134,
	NM_ICMP6_NEIGHBOUR = 136, /* advertisement */
	NM_ICMP6_REDIRECT = 137,
	NM_ICMP6_ND_LAST = 137,
	NM_ICMP6_NODE_QUERY = 139,
	NM_ICMP6_MLD2_REPORT = 143,
};

enum nm_icmp_role {
	NM_ICMP_NONE = 0, /* another protocol */
	NM_ICMP_REQUEST = 1,
	NM_ICMP_ANSWER = 2,
};

/* Whether it waits for an answer, which has the next type; but for the echo of IPv4, whose answer has type 0. */
nm_inline nm_bool nm_icmp_asks(__u8 proto, __u8 type)
{
	if (proto == IPPROTO_ICMPV6)
		return type == NM_ICMP6_ECHO || type == NM_ICMP6_NODE_QUERY;
	return type == NM_ICMP4_ECHO || type == NM_ICMP4_TIMESTAMP || type == NM_ICMP4_INFORMATION ||
	       type == NM_ICMP4_ADDRESS_MASK;
}

nm_inline void nm_icmp_tuple(struct nm_tuple *t, __u8 type, __u8 code, __be16 id_be)
{
	__u8 request = t->proto == IPPROTO_ICMP && type == NM_ICMP4_ECHO_REPLY ? NM_ICMP4_ECHO : type - 1;

	/* Of IPv4 only the odd ones among these are answers: 9 is a router's advertisement. */
	if (nm_icmp_asks(t->proto, request) && !(t->proto == IPPROTO_ICMP && type == NM_ICMP4_ROUTER)) {
		t->icmp = NM_ICMP_ANSWER;
		t->sport_be = bpf_htons((__u16)(request << 8));
		t->dport_be = id_be;
		return;
	}
	t->icmp = NM_ICMP_REQUEST;
	t->sport_be = nm_icmp_asks(t->proto, type) ? id_be : 0;
	t->dport_be = bpf_htons((__u16)(type << 8 | code));
}

/* An answer that nobody asked for stands for itself: as what opens something, under its own type. */
nm_inline void nm_icmp_stand_alone(struct nm_tuple *t)
{
	__u16 request = bpf_ntohs(t->sport_be) >> 8;
	__be16 id_be = t->dport_be;

	if (t->icmp != NM_ICMP_ANSWER)
		return;
	t->icmp = NM_ICMP_REQUEST;
	t->sport_be = id_be;
	if (t->proto == IPPROTO_ICMP && request == NM_ICMP4_ECHO)
		t->dport_be = bpf_htons(NM_ICMP4_ECHO_REPLY << 8);
	else
		t->dport_be = bpf_htons((__u16)(request + 1) << 8);
}
