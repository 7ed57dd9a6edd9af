/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For SEC("syscall") tests: a test answers 0, or the line of the check that failed. */
#pragma once

#define NM_CHECK(condition)                                                                                            \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			return __LINE__;                                                                               \
	} while (0)
