/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Decisions of the pods' gate that need no packet. */
#include "lib/bucket.h"
#include "lib/conntrack.h"
#include "lib/handover.h"
#include "lib/policy.h"
#include "check.h"

SEC("syscall")
int t_handover__open_socket_needs_the_mark_only(void *ctx)
{
	NM_CHECK(nm_handover_decide(NM_SOCKET_OPEN, NM_FRAGMENT_NONE) == NM_HANDOVER_MARK);
	return 0;
}

SEC("syscall")
int t_handover__no_socket_and_foreign_listeners_go_to_the_proxys(void *ctx)
{
	NM_CHECK(nm_handover_decide(NM_SOCKET_NONE, NM_FRAGMENT_NONE) == NM_HANDOVER_ASSIGN);
	NM_CHECK(nm_handover_decide(NM_SOCKET_LISTEN, NM_FRAGMENT_NONE) == NM_HANDOVER_ASSIGN);
	return 0;
}

SEC("syscall")
int t_handover__fragments_are_refused(void *ctx)
{
	NM_CHECK(nm_handover_decide(NM_SOCKET_OPEN, NM_FRAGMENT_FIRST) == NM_HANDOVER_REFUSE);
	NM_CHECK(nm_handover_decide(NM_SOCKET_NONE, NM_FRAGMENT_LATER) == NM_HANDOVER_REFUSE);
	return 0;
}

SEC("syscall")
int t_rejudge__a_connection_lives_where_it_began(void *ctx)
{
	NM_CHECK(nm_ct_rejudge(NM_REASON_FORWARDED, NM_CT_HANDED_OVER) == NM_REASON_HANDED_OVER);
	NM_CHECK(nm_ct_rejudge(NM_REASON_NOT_TRANSLATED, NM_CT_HANDED_OVER) == NM_REASON_HANDED_OVER);
	NM_CHECK(nm_ct_rejudge(NM_REASON_TO_NODE, 0) == NM_REASON_FORWARDED);
	NM_CHECK(nm_ct_rejudge(NM_REASON_HANDED_OVER, 0) == NM_REASON_L7_REQUIRED);
	return 0;
}

SEC("syscall")
int t_rejudge__denied_is_denied(void *ctx)
{
	NM_CHECK(nm_ct_rejudge(NM_REASON_POLICY_DENIED, NM_CT_HANDED_OVER) == NM_REASON_POLICY_DENIED);
	NM_CHECK(nm_ct_rejudge(NM_REASON_DEFAULT_DENY, NM_CT_SEEN_REPLY) == NM_REASON_DEFAULT_DENY);
	NM_CHECK(nm_ct_rejudge(NM_REASON_NOT_TRANSLATED, 0) == NM_REASON_NOT_TRANSLATED);
	return 0;
}

SEC("syscall")
int t_bucket__is_full_at_first_and_fills_with_time(void *ctx)
{
	struct nm_bucket b = {};

	NM_CHECK(nm_bucket_take(&b, 1000, 2, 10));
	NM_CHECK(nm_bucket_take(&b, 1000, 2, 10));
	NM_CHECK(!nm_bucket_take(&b, 1009, 2, 10));
	NM_CHECK(nm_bucket_take(&b, 1010, 2, 10));
	NM_CHECK(!nm_bucket_take(&b, 1010, 2, 10));
	return 0;
}

SEC("syscall")
int t_bucket__holds_no_more_than_its_size(void *ctx)
{
	struct nm_bucket b = {.at_ns = 1000, .left = 1};

	NM_CHECK(nm_bucket_take(&b, 100000, 2, 10));
	NM_CHECK(nm_bucket_take(&b, 100000, 2, 10));
	NM_CHECK(!nm_bucket_take(&b, 100000, 2, 10));
	return 0;
}

SEC("syscall")
int t_conntrack__closed_is_both_ends_or_a_reset(void *ctx)
{
	NM_CHECK(!nm_ct_is_closed(NM_CT_FIN_OPENER | NM_CT_SEEN_REPLY));
	NM_CHECK(!nm_ct_is_closed(NM_CT_FIN_REPLY));
	NM_CHECK(nm_ct_is_closed(NM_CT_FIN_OPENER | NM_CT_FIN_REPLY));
	NM_CHECK(nm_ct_is_closed(NM_CT_RST));
	return 0;
}

SEC("syscall")
int t_foreign__each_keeps_to_its_own(void *ctx)
{
	struct nm_ct_entry direct = {.origin = NM_CT_ORIGIN_DIRECT}, proxy = {.origin = NM_CT_ORIGIN_PROXY};
	struct nm_ct_entry handed = {.flags = NM_CT_HANDED_OVER};

	NM_CHECK(!nm_ct_is_foreign(&direct, 0, 0, 0) && nm_ct_is_foreign(&direct, 0, 1, 0));
	NM_CHECK(!nm_ct_is_foreign(&proxy, 0, 1, 0) && nm_ct_is_foreign(&proxy, 0, 0, 0));
	NM_CHECK(nm_ct_is_foreign(&proxy, 0, 0, 1) && !nm_ct_is_foreign(&direct, 0, 1, 1));
	NM_CHECK(nm_ct_is_foreign(&handed, 0, 0, 0) && nm_ct_is_foreign(&handed, 1, 0, 0));
	NM_CHECK(!nm_ct_is_foreign(&direct, 1, 0, 0));
	return 0;
}

SEC("syscall")
int t_policy__reasons_of_verdicts(void *ctx)
{
	NM_CHECK(nm_policy_reason(NM_VERDICT_NONE, IPPROTO_TCP) == NM_REASON_NO_POLICY);
	NM_CHECK(nm_policy_reason(NM_VERDICT_DENY, IPPROTO_TCP) == NM_REASON_POLICY_DENIED);
	NM_CHECK(nm_policy_reason(NM_VERDICT_DEFAULT_DENY, IPPROTO_ICMP) == NM_REASON_DEFAULT_DENY);
	NM_CHECK(nm_policy_reason(NM_VERDICT_DEFAULT_DENY, IPPROTO_GRE) == NM_REASON_UNSUPPORTED_PROTOCOL);
	NM_CHECK(nm_policy_reason(NM_VERDICT_REDIRECT, IPPROTO_TCP) == NM_REASON_HANDED_OVER);
	NM_CHECK(nm_policy_reason(NM_VERDICT_REDIRECT, IPPROTO_UDP) == NM_REASON_L7_REQUIRED);
	return 0;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
