/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a packet or connection was counted. One value is one metric label, one word in a flow and one line of
 * docs/reasons.md. Append only; the text after the name is that line.
 * "drop: " before it: the packet or connection was refused. The others are counted as passed, or beside the verdict.
 */
#pragma once

enum nm_reason {
	NM_REASON_FORWARDED = 0,       /* passed */
	NM_REASON_HANDED_OVER = 1,     /* passed to the proxy */
	NM_REASON_REPLY = 2,	       /* passed as part of a tracked connection */
	NM_REASON_TRANSLATED = 3,      /* a service address became a backend */
	NM_REASON_POLICY_DENIED = 4,   /* drop: an explicit Deny rule */
	NM_REASON_DEFAULT_DENY = 5,    /* drop: the direction is isolated and no rule allows */
	NM_REASON_NO_POLICY = 6,       /* drop: no policy rows for this endpoint yet: closed */
	NM_REASON_L7_REQUIRED = 7,     /* drop: needs HTTP policy but did not come through the proxy */
	NM_REASON_NO_PROXY = 8,	       /* drop: needs the proxy and no listener is there */
	NM_REASON_NO_BACKEND = 9,      /* drop: service without a ready backend */
	NM_REASON_NOT_TRANSLATED = 10, /* drop: service address seen on the packet path */
	NM_REASON_RESERVED_PORT = 11,  /* drop: a pod used a source port of the proxy toward a backend of the proxy */
	NM_REASON_WRONG_ORIGIN = 12,   /* drop: packet of one opener (pod, proxy) on a connection of the other */
	NM_REASON_FRAGMENT = 13,  /* drop: fragment of a flow that needs the proxy, or without its first fragment */
	NM_REASON_TRUNCATED = 14, /* drop: headers shorter than they claim */
	NM_REASON_UNSUPPORTED_PROTOCOL = 15, /* drop: a protocol that isolation does not allow */
	NM_REASON_MAP_FULL = 16,	     /* a table had no room; the verdict still held */
	NM_REASON_NO_SOCKET = 17,	     /* drop: for the proxy, but its socket is gone */
	NM_REASON_HELPER_FAILED = 18,	     /* a kernel helper answered an error */
	NM_REASON_NO_PORT = 19,		     /* drop: no source port of the node is free toward the backend */
	NM_REASON_SOURCE_RANGE = 20,	     /* drop: the service does not let this source in */
	NM_REASON_TRAFFIC_POLICY = 21,	     /* drop: no backend that the service's traffic policy lets be used */
	NM_REASON_TOO_BIG = 22,		     /* drop: longer than the way takes; the sender was told */
	NM_REASON_HOP_LIMIT = 23,	     /* drop: its hops are used up; the sender was told */
	NM_REASON_NO_ROUTE = 24,	     /* drop: the node has no route to the backend or client */
	NM_REASON_PORT_TAKEN = 25,	     /* drop: a process of the node wanted a port that a service has */
	NM_REASON_CONNECTION_SHARE = 26, /* drop: the connection table is nearly full and the pod has its share of it */
	NM_REASON_AUDIT_DENIED = 27,	 /* passed, though an explicit Deny rule under audit would have refused it */
	NM_REASON_AUDIT_DEFAULT_DENY = 28, /* passed, though isolation under audit would have refused it */
	NM_REASON_SPOOFED_SOURCE = 29,	   /* drop: a pod sent from an address that is not its own */
	NM_REASON_FORGED_NEIGHBOUR = 30,   /* drop: a pod spoke for a router, or for an address that is not its own */
	NM_REASON_COUNT,
};
