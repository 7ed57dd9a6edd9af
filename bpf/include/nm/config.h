/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "core.h"
#include "abi/config.h"

/* Every object has its own copy in .rodata; the agent writes all of it before load. */
const volatile struct nm_config nm_config;

nm_inline __u32 nm_mark_get(__u32 mark)
{
	return mark >> nm_config.mark_shift & 3;
}

/* All other bits of the mark belong to others and stay. */
nm_inline __u32 nm_mark_put(__u32 mark, enum nm_mark value)
{
	return (mark & ~(3U << nm_config.mark_shift)) | (__u32)value << nm_config.mark_shift;
}
