/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "types.h"

/* What becomes of a packet that policy refuses. */
enum nm_deny_response {
	NM_DENY_DROP = 0,
	NM_DENY_REJECT = 1, /* its sender is told: by connect(2), a reset or an ICMP error */
};

/* Set once before load (const volatile, so that the verifier prunes what is off). */
struct nm_config {
	__u32 mark_shift;     /* where the two mark bits of enum nm_mark stand; 0..30 */
	__be16 proxy_port_be; /* the proxy's transparent listener on 127.0.0.1 and ::1 */
	__u8 pad0[2];
	__u32 tcp_established_s; /* connection-tracking lifetimes without a packet, seconds */
	__u32 tcp_opening_s;	 /* no answer yet */
	__u32 tcp_half_closed_s; /* one side has ended its direction */
	__u32 tcp_closing_s;	 /* both have, or a reset did */
	__u32 udp_s;		 /* no answer yet */
	__u32 udp_stream_s;
	__u32 icmp_s;
	__u32 local_redirect;	/* 1: packets between two pods of this node go past its stack */
	__u64 node_netns;	/* cookie of the node's own network namespace */
	__u32 deny_response;	/* enum nm_deny_response */
	__u32 open_before_plan; /* 1: a pod that nm_endpoint does not have is open, not closed */
};
NM_ABI_SIZE(nm_config, 56);
