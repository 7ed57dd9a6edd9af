/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Headers on the wire, those that linux/ has not or not without libc. */
#pragma once

#include <linux/types.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

struct nm_vlan_header {
	__be16 tci;
	__be16 type;
};

/* The beginning of TCP; UDP and SCTP share the ports. */
struct nm_ports_header {
	__be16 sport_be;
	__be16 dport_be;
};

struct nm_tcp_header {
	struct nm_ports_header ports;
	__be32 seq_be;
	__be32 ack_be;
	__u8 data_offset; /* in words, in the upper four bits */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

struct nm_extension_header {
	__u8 next;
	__u8 length;
};

struct nm_fragment_header {
	__u8 next;
	__u8 pad0;
	__be16 offset_be; /* and the More flag in the lowest bit */
	__be32 id;
};

/* The same eight bytes in both families; linux/icmp.h cannot be had without libc. */
struct nm_icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id; /* of an echo */
	__be16 sequence;
};

enum nm_icmp_type {
	NM_ICMP4_ECHO_REPLY = 0,
	NM_ICMP4_UNREACHABLE = 3,
	NM_ICMP4_ECHO = 8,
	NM_ICMP4_TIME_EXCEEDED = 11,
	NM_ICMP4_PARAMETER = 12,
	NM_ICMP6_UNREACHABLE = 1,
	NM_ICMP6_TOO_BIG = 2,
	NM_ICMP6_TIME_EXCEEDED = 3,
	NM_ICMP6_FIRST_INFO = 128, /* below: errors (RFC 4443 2.1) */
	NM_ICMP6_ECHO = 128,
	NM_ICMP6_ECHO_REPLY = 129,
	NM_ICMP6_MLD_FIRST = 130,
	NM_ICMP6_MLD_LAST = 132,
	NM_ICMP6_ND_FIRST = 133,
	NM_ICMP6_ND_LAST = 137,
	NM_ICMP6_MLD2_REPORT = 143,
};
