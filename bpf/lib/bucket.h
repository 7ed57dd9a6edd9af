/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* So many at once and no more, then one for each span of time. */
#pragma once

#include "nm/core.h"

struct nm_bucket {
	__u64 at_ns;
	__u64 left;
};

/* Whether one more is in it at `now_ns`, which is taken. Zeroes are a full one. */
nm_inline nm_bool nm_bucket_take(struct nm_bucket *b, __u64 now_ns, __u64 size, __u64 every_ns)
{
	__u64 more = (now_ns - b->at_ns) / every_ns;

	if (more) {
		b->left = more > size - b->left ? size : b->left + more;
		b->at_ns = now_ns;
	}
	if (!b->left)
		return 0;
	b->left--;
	return 1;
}
