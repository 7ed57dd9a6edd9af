/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Headers on the wire, those that linux/ has not or not without libc. */
#pragma once

#include <linux/types.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "lib/icmp.h"

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

/* ARP of IPv4 on Ethernet, as far as it says who sends. */
struct nm_arp_header {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__be32 sender;
} __attribute__((packed, aligned(2)));
