/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers both languages must agree on. */
#pragma once

enum nm_limit {
	NM_MAX_BACKENDS_PER_SERVICE = 16384,
	/* TCP source ports of the proxy's upstream sockets; the pods' default range ends at 60999. */
	NM_PROXY_PORT_FIRST = 61000,
	NM_PROXY_PORT_LAST = 65535,
};

/* Values of the two mark bits below nm_config.mark_shift. The mask is 3 << mark_shift. */
enum nm_mark {
	NM_MARK_NONE = 0,
	NM_MARK_DELIVER = 1,	/* packet is for a proxy socket: the routing rule delivers it locally */
	NM_MARK_DOWNSTREAM = 2, /* sent by a proxy socket that a client opened */
	NM_MARK_UPSTREAM = 3,	/* sent by a proxy socket toward a backend, on behalf of a client */
};
