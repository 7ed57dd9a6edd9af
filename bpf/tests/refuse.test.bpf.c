/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which connect(2) is refused: of a pod under set 1, which may open port 80 of everybody it knows. No syscall programs:
 * to these the kernel lends no longest-prefix tables.
 */
#include "nm/config.h"
#include "lib/refuse.h"
#include "check.h"

#define POD   0x0100000a /* 10.0.0.1 */
#define OTHER 0x0200000a /* 10.0.0.2, a pod of this node that lets nobody in */
#define FAR   0x0300000a /* 10.0.0.3, known, elsewhere */
#define WORLD 0x01020001

enum {
	COOKIE = 77,
	IFINDEX = 5,
	OTHER_IFINDEX = 6,
	IDENTITY = 300,
};

nm_inline void nm_known_at(__be32 v4, __u32 identity)
{
	struct nm_identity_key key = {.prefix_bits = 128};
	struct nm_identity_entry entry = {.identity = identity};

	nm_addr_from_v4(&key.addr, v4);
	bpf_map_update_elem(&nm_identity, &key, &entry, BPF_ANY);
}

nm_inline void nm_pod_at(__be32 v4, __u32 ifindex, __u32 set)
{
	struct nm_endpoint_key key = {.ifindex = ifindex};
	struct nm_endpoint_entry entry = {.identity = IDENTITY, .set = set};
	struct nm_pod_key pod_key = {};
	struct nm_pod_entry pod = {.ifindex = ifindex};

	nm_addr_from_v4(&pod_key.addr, v4);
	bpf_map_update_elem(&nm_endpoint, &key, &entry, BPF_ANY);
	bpf_map_update_elem(&nm_pod, &pod_key, &pod, BPF_ANY);
	nm_known_at(v4, IDENTITY);
}

nm_inline void nm_row(__u32 set, __u8 direction, __u32 bits, __be16 port_be, __u8 verdict)
{
	struct nm_verdict_key key = {.prefix_bits = bits, .set = set, .direction = direction, .port_be = port_be};
	struct nm_verdict_entry entry = {.verdict = verdict, .rule = set * 10 + direction};

	if (bits > NM_VERDICT_BITS_ANY)
		key.proto = IPPROTO_TCP;
	bpf_map_update_elem(&nm_verdict, &key, &entry, BPF_ANY);
}

nm_inline void nm_ask(struct nm_connect *c, __be32 v4, __u16 port)
{
	struct nm_netns_key key = {.cookie = COOKIE};
	struct nm_netns_entry netns = {.ifindex = IFINDEX};

	nm_addr_from_v4(&netns.v4, POD);
	bpf_map_update_elem(&nm_netns, &key, &netns, BPF_ANY);
	nm_pod_at(POD, IFINDEX, 1);
	nm_pod_at(OTHER, OTHER_IFINDEX, 2);
	nm_known_at(FAR, IDENTITY + 1);
	nm_row(1, NM_EGRESS, NM_VERDICT_BITS_ANY, 0, NM_VERDICT_DEFAULT_DENY);
	nm_row(1, NM_EGRESS, NM_VERDICT_BITS_FULL, bpf_htons(80), NM_VERDICT_ALLOW);
	nm_row(2, NM_INGRESS, NM_VERDICT_BITS_ANY, 0, NM_VERDICT_DENY);

	__builtin_memset(c, 0, sizeof(*c));
	nm_addr_from_v4(&c->addr, v4);
	c->port_be = bpf_htons(port);
	c->proto = IPPROTO_TCP;
	c->netns = COOKIE;
}

nm_inline __u64 nm_hits(__u32 rule, __u32 reason)
{
	struct nm_rule_hit_key key = {.rule = rule, .reason = reason};
	const struct nm_rule_hit_entry *entry = bpf_map_lookup_elem(&nm_rule_hit, &key);

	return entry ? entry->connections : 0;
}

SEC("tc")
int t_refuse__what_its_own_policy_forbids_and_counts_it(struct __sk_buff *ctx)
{
	struct nm_connect c;

	nm_ask(&c, FAR, 81);
	NM_CHECK(nm_connect_is_refused(&c));
	NM_CHECK(nm_hits(11, NM_REASON_DEFAULT_DENY) == 1);
	return 0;
}

SEC("tc")
int t_refuse__what_the_other_pod_does_not_let_in(struct __sk_buff *ctx)
{
	struct nm_connect c;

	nm_ask(&c, OTHER, 80);
	NM_CHECK(nm_connect_is_refused(&c));
	NM_CHECK(nm_hits(20, NM_REASON_POLICY_DENIED) == 1 && nm_hits(11, NM_REASON_FORWARDED) == 0);
	return 0;
}

SEC("tc")
int t_refuse__not_by_the_other_pod_when_the_source_is_in_doubt(struct __sk_buff *ctx)
{
	struct nm_netns_key key = {.cookie = COOKIE};
	struct nm_netns_entry netns = {.ifindex = IFINDEX};
	struct nm_connect c;

	nm_ask(&c, OTHER, 80);
	bpf_map_update_elem(&nm_netns, &key, &netns, BPF_ANY);
	NM_CHECK(!nm_connect_is_refused(&c));
	c.port_be = bpf_htons(81);
	NM_CHECK(nm_connect_is_refused(&c));
	return 0;
}

SEC("tc")
int t_refuse__not_what_is_allowed(struct __sk_buff *ctx)
{
	struct nm_connect c;

	nm_ask(&c, FAR, 80);
	NM_CHECK(!nm_connect_is_refused(&c));
	return 0;
}

SEC("tc")
int t_refuse__not_what_may_be_inside_the_pod(struct __sk_buff *ctx)
{
	struct nm_connect c;

	nm_ask(&c, bpf_htonl(INADDR_LOOPBACK), 81);
	NM_CHECK(!nm_connect_is_refused(&c));
	nm_ask(&c, POD, 81);
	NM_CHECK(!nm_connect_is_refused(&c));
	nm_ask(&c, WORLD, 81);
	NM_CHECK(!nm_connect_is_refused(&c));
	nm_ask(&c, WORLD, 81);
	__builtin_memset(&c.addr, 0, sizeof(c.addr));
	c.addr.w[3] = bpf_htonl(1);
	NM_CHECK(!nm_connect_is_refused(&c));
	return 0;
}

SEC("tc")
int t_refuse__not_what_may_be_an_answer_or_is_nobodys(struct __sk_buff *ctx)
{
	struct nm_connect c;

	nm_ask(&c, FAR, 81);
	c.proto = IPPROTO_UDP;
	NM_CHECK(!nm_connect_is_refused(&c));
	nm_ask(&c, FAR, 81);
	c.netns = COOKIE + 1;
	NM_CHECK(!nm_connect_is_refused(&c));
	return 0;
}

SEC("tc")
int t_refuse__not_what_goes_to_the_proxy(struct __sk_buff *ctx)
{
	struct nm_connect c;

	nm_ask(&c, FAR, 81);
	nm_row(1, NM_EGRESS, NM_VERDICT_BITS_FULL, bpf_htons(81), NM_VERDICT_REDIRECT);
	NM_CHECK(!nm_connect_is_refused(&c));
	return 0;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
