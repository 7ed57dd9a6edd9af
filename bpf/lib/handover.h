/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a packet reaches the proxy. The conditions and what breaks without them: docs/life-of-a-connection.md. */
#pragma once

#include "lib/packet.h"

/* What the node's socket table has for a 4-tuple. */
enum nm_socket {
	NM_SOCKET_NONE = 0,
	NM_SOCKET_LISTEN = 1, /* a listener, perhaps of somebody else: 0.0.0.0 matches every address */
	NM_SOCKET_OPEN = 2,   /* a connection, also a half-open or a TIME_WAIT one */
};

enum nm_handover {
	NM_HANDOVER_MARK = 0,	/* the stack finds the socket by itself */
	NM_HANDOVER_ASSIGN = 1, /* the proxy's listener must be given to the packet */
	NM_HANDOVER_REFUSE = 2, /* a fragment: an assigned socket does not survive reassembly */
};

/*
 * Whether a packet opens a connection makes no difference: a SYN that meets TIME_WAIT has to be seen by that socket
 * first, and a packet that is no SYN and has no socket may complete a SYN cookie, which only the listener can tell.
 */
nm_inline __u32 nm_handover_decide(__u32 socket, __u8 fragment)
{
	if (fragment != NM_FRAGMENT_NONE)
		return NM_HANDOVER_REFUSE;
	return socket == NM_SOCKET_OPEN ? NM_HANDOVER_MARK : NM_HANDOVER_ASSIGN;
}
