/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How often each policy rule decides. */
#pragma once

#include "lib/policy.h"
#include "nm/count.h"

static __attribute__((noinline)) void nm_rule_count(__u32 rule, __u32 reason)
{
	struct nm_rule_hit_key key = {.rule = rule, .reason = reason};
	struct nm_rule_hit_entry *entry = bpf_map_lookup_elem(&nm_rule_hit, &key);
	struct nm_rule_hit_entry first = {.connections = 1};

	if (entry) {
		entry->connections++;
		return;
	}
	/* As in nm_count: another CPU may have made it meanwhile. */
	if (!bpf_map_update_elem(&nm_rule_hit, &key, &first, BPF_NOEXIST))
		return;
	entry = bpf_map_lookup_elem(&nm_rule_hit, &key);
	if (entry)
		entry->connections++;
	else
		nm_count(0, NM_REASON_MAP_FULL, NM_EGRESS, 0);
}

/*
 * Policy judged something new, which `reason` says: at `ifindex` in `direction`. What audit would have refused is
 * counted there beside the verdict.
 */
static __attribute__((noinline)) void nm_rule_hit_add(
	const struct nm_judged *j, __u32 ifindex, __u32 direction, __u32 reason)
{
	if (j->rule)
		nm_rule_count(j->rule, reason);
	if (!j->audit || !nm_reason_passes(reason))
		return;
	reason = j->audit == NM_VERDICT_DENY ? NM_REASON_AUDIT_DENIED : NM_REASON_AUDIT_DEFAULT_DENY;
	nm_count(ifindex, reason, direction, 0);
	if (j->audit_rule)
		nm_rule_count(j->audit_rule, reason);
}
