/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every program includes: kernel interfaces, the hook's return codes, addresses and tuples. */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "abi/types.h"
#include "abi/limits.h"
#include "abi/reason.h"

#ifndef NULL
#define NULL ((void *)0)
#endif

#define nm_inline static __always_inline

typedef __u8 nm_bool;

/* tcx (6.6) and clsact use the same numbers for these: TC_ACT_UNSPEC and TC_ACT_SHOT. */
enum nm_tcx {
	NM_TCX_NEXT = -1, /* allowed; programs and filters behind us still run */
	NM_TCX_DROP = 2,
};

/* linux/socket.h has them not, or not without libc. */
enum nm_family {
	NM_AF_INET = 2,
	NM_AF_INET6 = 10,
};

/* Source and destination of a packet or connection, in the direction it travels. */
struct nm_tuple {
	struct nm_addr saddr;
	struct nm_addr daddr;
	__be16 sport_be; /* of ICMP: see lib/icmp.h; of other protocols without ports: 0 */
	__be16 dport_be;
	__u8 proto;
	__u8 icmp; /* enum nm_icmp_role */
	__u8 pad0[2];
};

nm_inline nm_bool nm_addr_is_v4(const struct nm_addr *a)
{
	return a->w[0] == 0 && a->w[1] == 0 && a->w[2] == bpf_htonl(0xffff);
}

nm_inline void nm_addr_from_v4(struct nm_addr *a, __be32 v4)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = bpf_htonl(0xffff);
	a->w[3] = v4;
}

nm_inline nm_bool nm_addr_equal(const struct nm_addr *a, const struct nm_addr *b)
{
	return a->w[3] == b->w[3] && a->w[2] == b->w[2] && a->w[1] == b->w[1] && a->w[0] == b->w[0];
}

/* fe80::/10: never routed, so at a pod's interface the other end is the node. */
nm_inline nm_bool nm_addr_is_link_local(const struct nm_addr *a)
{
	return (a->w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

nm_inline void nm_tuple_reverse(struct nm_tuple *to, const struct nm_tuple *from)
{
	to->saddr = from->daddr;
	to->daddr = from->saddr;
	to->sport_be = from->dport_be;
	to->dport_be = from->sport_be;
	to->proto = from->proto;
	to->icmp = 0;
	to->pad0[0] = to->pad0[1] = 0;
}

nm_inline nm_bool nm_port_is_reserved(__be16 port_be)
{
	/* The range ends at 65535, the largest port. */
	return bpf_ntohs(port_be) >= NM_PROXY_PORT_FIRST;
}

_Static_assert(NM_PROXY_PORT_LAST == 65535, "nm_port_is_reserved compares with the first port only");
