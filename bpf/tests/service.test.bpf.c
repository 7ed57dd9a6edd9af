/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which backend a client gets, and what the translations on the packet path remember. */
#include "lib/nat.h"
#include "lib/redirect.h"
#include "check.h"

#define VIP	0x0100600a /* 10.96.0.1 */
#define CLIENT	0x0700000a /* 10.0.0.7 */
#define PORT	bpf_htons(80)
#define TARGET	bpf_htons(8080)
#define SECOND	1000000000ULL
#define NOW	(1000 * SECOND)
#define SERVICE 7
#define INSIDE	70
#define OUTSIDE 71

nm_inline void nm_backend_at(__u32 backend)
{
	struct nm_backend_key key = {.backend = backend};
	struct nm_backend_entry entry = {.port_be = TARGET, .proto = IPPROTO_TCP};

	nm_addr_from_v4(&entry.addr, bpf_htonl(0x0a000200 + backend));
	bpf_map_update_elem(&nm_backend, &key, &entry, BPF_ANY);
}

nm_inline void nm_slot_to(__u32 group, __u32 slot, __u32 backend)
{
	struct nm_slot_key key = {.group = group, .slot = slot};
	struct nm_slot_entry entry = {.backend = backend};
	struct nm_member_key member_key = {.group = group, .backend = backend};
	struct nm_member_entry member = {.present = 1};

	nm_backend_at(backend);
	bpf_map_update_elem(&nm_slot, &key, &entry, BPF_ANY);
	bpf_map_update_elem(&nm_member, &member_key, &member, BPF_ANY);
}

/* Backends 1 and 2 inside, 3 outside. */
nm_inline void nm_service(struct nm_frontend_entry *frontend, __u32 flags)
{
	__builtin_memset(frontend, 0, sizeof(*frontend));
	frontend->service = SERVICE;
	frontend->flags = flags;
	frontend->inside.id = INSIDE;
	frontend->inside.slots = 2;
	frontend->outside.id = OUTSIDE;
	frontend->outside.slots = 1;
	frontend->affinity_s = 60;
	nm_slot_to(INSIDE, 0, 1);
	nm_slot_to(INSIDE, 1, 2);
	nm_slot_to(OUTSIDE, 0, 3);
}

nm_inline void nm_client(struct nm_client *client, __u32 number, __u8 outside)
{
	__builtin_memset(client, 0, sizeof(*client));
	nm_addr_from_v4(&client->addr, CLIENT);
	client->number = number;
	client->outside = outside;
	client->now_ns = NOW;
}

nm_inline void nm_affinity_is(__u32 backend, __u64 used_ns)
{
	struct nm_affinity_key key = {.service = SERVICE};
	struct nm_affinity_entry entry = {.backend = backend, .used_ns = used_ns};

	nm_addr_from_v4(&key.client, CLIENT);
	bpf_map_update_elem(&nm_affinity, &key, &entry, BPF_ANY);
}

SEC("syscall")
int t_service__a_slot_by_number_and_by_where_the_caller_is(void *ctx)
{
	struct nm_frontend_entry frontend;
	struct nm_client client;
	struct nm_target to;

	nm_service(&frontend, 0);
	nm_client(&client, 4, 0);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 1);
	client.number = 5;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 2);
	NM_CHECK(to.port_be == TARGET && to.addr.w[3] == bpf_htonl(0x0a000202));
	client.outside = 1;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 3);
	return 0;
}

SEC("syscall")
int t_service__nobody_is_refused_and_the_traffic_policy_drops(void *ctx)
{
	struct nm_frontend_entry frontend;
	struct nm_client client;
	struct nm_target to;

	nm_service(&frontend, 0);
	frontend.inside.slots = frontend.outside.slots = 0;
	nm_client(&client, 0, 0);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_NONE);
	frontend.flags = NM_FRONTEND_DROP_OUTSIDE;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_NONE);
	client.outside = 1;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_POLICY);
	frontend.flags = NM_FRONTEND_DROP_INSIDE;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_NONE);
	client.outside = 0;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_POLICY);
	return 0;
}

SEC("syscall")
int t_affinity__a_client_keeps_its_backend_for_its_time(void *ctx)
{
	struct nm_frontend_entry frontend;
	struct nm_client client;
	struct nm_target to;

	nm_service(&frontend, NM_FRONTEND_AFFINITY);
	nm_client(&client, 0, 0);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 1);
	client.number = 1;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 1);
	nm_affinity_is(1, NOW - 59 * SECOND);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 1);
	nm_affinity_is(1, NOW - 61 * SECOND);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 2);
	client.number = 0;
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 2);
	return 0;
}

SEC("syscall")
int t_affinity__each_use_renews_it(void *ctx)
{
	struct nm_affinity_key key = {.service = SERVICE};
	struct nm_affinity_entry *entry;
	struct nm_frontend_entry frontend;
	struct nm_client client;
	struct nm_target to;

	nm_service(&frontend, NM_FRONTEND_AFFINITY);
	nm_client(&client, 0, 0);
	nm_affinity_is(2, NOW - 40 * SECOND);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 2);
	key.client = client.addr;
	entry = bpf_map_lookup_elem(&nm_affinity, &key);
	NM_CHECK(entry && NOW - entry->used_ns < SECOND);
	return 0;
}

SEC("syscall")
int t_affinity__a_backend_that_serves_no_more_is_left(void *ctx)
{
	struct nm_member_key member = {.group = INSIDE, .backend = 2};
	struct nm_frontend_entry frontend;
	struct nm_client client;
	struct nm_target to;

	nm_service(&frontend, NM_FRONTEND_AFFINITY);
	nm_client(&client, 0, 0);
	nm_affinity_is(2, NOW);
	bpf_map_delete_elem(&nm_member, &member);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 1);
	/* That of the other group is none of this one. */
	nm_affinity_is(3, NOW);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 1);
	client.outside = 1;
	nm_affinity_is(3, NOW);
	NM_CHECK(nm_service_pick(&frontend, &client, &to) == NM_PICK_BACKEND && to.backend == 3);
	return 0;
}

SEC("syscall")
int t_affinity__sockets_of_one_namespace_are_one_client(void *ctx)
{
	struct nm_connect a = {.proto = IPPROTO_UDP, .port_be = PORT, .v4_only = 1, .cookie = 1, .netns = 5};
	struct nm_frontend_key key = {.port_be = PORT, .proto = IPPROTO_UDP};
	struct nm_frontend_entry frontend;
	struct nm_connect b;

	nm_service(&frontend, NM_FRONTEND_AFFINITY);
	nm_addr_from_v4(&key.addr, VIP);
	bpf_map_update_elem(&nm_frontend, &key, &frontend, BPF_ANY);
	a.addr = key.addr;
	b = a;
	b.cookie = 2;
	b.random = 1;
	NM_CHECK(nm_redirect_decide(&a) == NM_REDIRECT_REWRITE);
	NM_CHECK(nm_redirect_decide(&b) == NM_REDIRECT_REWRITE);
	NM_CHECK(a.addr.w[3] == b.addr.w[3]);
	b.addr = key.addr;
	b.port_be = PORT;
	b.netns = 6;
	NM_CHECK(nm_redirect_decide(&b) == NM_REDIRECT_REWRITE);
	NM_CHECK(a.addr.w[3] != b.addr.w[3]);
	return 0;
}

SEC("syscall")
int t_redirect__what_the_traffic_policy_keeps_off_is_told_apart(void *ctx)
{
	struct nm_connect c = {.proto = IPPROTO_TCP, .port_be = PORT, .v4_only = 1};
	struct nm_frontend_key key = {.port_be = PORT, .proto = IPPROTO_TCP};
	struct nm_frontend_entry frontend;

	nm_service(&frontend, NM_FRONTEND_DROP_INSIDE);
	frontend.inside.slots = 0;
	nm_addr_from_v4(&key.addr, VIP);
	bpf_map_update_elem(&nm_frontend, &key, &frontend, BPF_ANY);
	c.addr = key.addr;
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_POLICY);
	return 0;
}

SEC("syscall")
int t_redirect__loopback_is_for_the_node_only(void *ctx)
{
	struct nm_connect c = {.proto = IPPROTO_TCP, .port_be = PORT, .v4_only = 1};
	struct nm_frontend_key key = {.port_be = PORT, .proto = IPPROTO_TCP};
	struct nm_frontend_entry frontend;

	nm_service(&frontend, NM_FRONTEND_ON_NODE);
	nm_addr_from_v4(&key.addr, bpf_htonl(0x7f000001));
	bpf_map_update_elem(&nm_frontend, &key, &frontend, BPF_ANY);
	c.addr = key.addr;
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_LEAVE);
	c.on_node = 1;
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REWRITE);
	return 0;
}

SEC("syscall")
int t_bind__a_node_port_is_taken_at_its_address_and_at_the_wildcard(void *ctx)
{
	struct nm_connect c = {.proto = IPPROTO_TCP, .port_be = PORT};
	struct nm_frontend_key key = {.port_be = PORT, .proto = IPPROTO_TCP};
	struct nm_frontend_entry frontend;

	nm_service(&frontend, NM_FRONTEND_NODE_PORT);
	nm_addr_from_v4(&key.addr, bpf_htonl(INADDR_LOOPBACK));
	bpf_map_update_elem(&nm_frontend, &key, &frontend, BPF_ANY);
	nm_addr_from_v4(&key.addr, VIP);
	bpf_map_update_elem(&nm_frontend, &key, &frontend, BPF_ANY);
	NM_CHECK(nm_bind_is_taken(&c));
	nm_addr_from_v4(&c.addr, 0);
	NM_CHECK(nm_bind_is_taken(&c));
	nm_addr_from_v4(&c.addr, VIP);
	NM_CHECK(nm_bind_is_taken(&c));
	nm_addr_from_v4(&c.addr, CLIENT);
	NM_CHECK(!nm_bind_is_taken(&c));
	nm_addr_from_v4(&c.addr, 0);
	c.port_be = TARGET;
	NM_CHECK(!nm_bind_is_taken(&c));
	c.port_be = 0;
	NM_CHECK(!nm_bind_is_taken(&c));
	c.port_be = PORT;
	c.proto = IPPROTO_UDP;
	NM_CHECK(!nm_bind_is_taken(&c));
	return 0;
}

SEC("syscall")
int t_bind__a_node_port_of_ipv6_alone_is_taken_at_the_wildcard_of_ipv6(void *ctx)
{
	struct nm_connect c = {.proto = IPPROTO_TCP, .port_be = PORT};
	struct nm_frontend_key key = {.port_be = PORT, .proto = IPPROTO_TCP, .addr.w[3] = bpf_htonl(1)};
	struct nm_frontend_entry frontend;

	nm_service(&frontend, NM_FRONTEND_NODE_PORT);
	bpf_map_update_elem(&nm_frontend, &key, &frontend, BPF_ANY);
	NM_CHECK(nm_bind_is_taken(&c));
	c.addr = key.addr;
	NM_CHECK(nm_bind_is_taken(&c));
	nm_addr_from_v4(&c.addr, 0);
	NM_CHECK(!nm_bind_is_taken(&c));
	return 0;
}

SEC("syscall")
int t_bind__other_services_take_no_port(void *ctx)
{
	struct nm_connect c = {.proto = IPPROTO_TCP, .port_be = PORT};
	struct nm_frontend_key key = {.port_be = PORT, .proto = IPPROTO_TCP};
	struct nm_frontend_entry frontend;

	nm_service(&frontend, 0);
	nm_addr_from_v4(&key.addr, VIP);
	bpf_map_update_elem(&nm_frontend, &key, &frontend, BPF_ANY);
	c.addr = key.addr;
	NM_CHECK(!nm_bind_is_taken(&c));
	return 0;
}

SEC("syscall")
int t_hash__is_of_the_whole_tuple_or_of_the_source(void *ctx)
{
	struct nm_tuple a = {.proto = IPPROTO_TCP, .sport_be = PORT, .dport_be = TARGET}, b;

	nm_addr_from_v4(&a.saddr, CLIENT);
	nm_addr_from_v4(&a.daddr, VIP);
	b = a;
	b.sport_be = bpf_htons(81);
	NM_CHECK(nm_hash_tuple(&a, 0) == nm_hash_tuple(&a, 0));
	NM_CHECK(nm_hash_tuple(&a, 0) != nm_hash_tuple(&b, 0));
	NM_CHECK(nm_hash_tuple(&a, 1) == nm_hash_tuple(&b, 1));
	b = a;
	b.proto = IPPROTO_UDP;
	NM_CHECK(nm_hash_tuple(&a, 0) != nm_hash_tuple(&b, 0));
	b = a;
	nm_addr_from_v4(&b.saddr, VIP);
	NM_CHECK(nm_hash_tuple(&a, 1) != nm_hash_tuple(&b, 1));
	return 0;
}

nm_inline struct nm_nat_room *nm_translation(void)
{
	struct nm_nat_room *r = nm_nat_room_get();
	struct nm_tuple t = {.proto = IPPROTO_TCP, .sport_be = bpf_htons(4000), .dport_be = PORT};

	if (!r)
		return NULL;
	nm_addr_from_v4(&t.saddr, CLIENT);
	nm_addr_from_v4(&t.daddr, VIP);
	nm_backend_at(1);
	__builtin_memset(r, 0, sizeof(*r));
	r->p.t = t;
	r->now_ns = NOW;
	r->p.tcp_flags = NM_TCP_SYN;
	nm_nat_key_from(&r->key, 0, NM_INGRESS, &t);
	r->to.saddr = t.saddr;
	nm_addr_from_v4(&r->to.daddr, bpf_htonl(0x0a000201));
	r->to.sport_be = t.sport_be;
	r->to.dport_be = TARGET;
	r->to.backend = 1;
	r->to.other_direction = NM_EGRESS;
	return r;
}

SEC("syscall")
int t_nat__both_rows_are_there_and_lead_back(void *ctx)
{
	struct nm_nat_room *r = nm_translation();
	struct nm_nat_key other;

	NM_CHECK(r && nm_nat_claim(0));
	nm_nat_other_key(&other, &r->key, &r->to);
	r->key = other;
	NM_CHECK(nm_nat_follow());
	NM_CHECK(r->to.saddr.w[3] == VIP && r->to.daddr.w[3] == CLIENT && r->to.sport_be == PORT);
	NM_CHECK(r->to.flags & NM_NAT_REPLY);
	nm_nat_other_key(&other, &r->key, &r->to);
	r->key = other;
	NM_CHECK(nm_nat_peek() && r->to.dport_be == TARGET);
	return 0;
}

SEC("syscall")
int t_nat__the_answers_row_belongs_to_one(void *ctx)
{
	struct nm_nat_room *r = nm_translation();

	NM_CHECK(r && nm_nat_claim(0));
	/* By another service address from the same port to the same backend. */
	r->key.dport_be = bpf_htons(81);
	NM_CHECK(!nm_nat_claim(0));
	r->to.sport_be = bpf_htons(4001);
	NM_CHECK(nm_nat_claim(0));
	return 0;
}

SEC("syscall")
int t_nat__a_SYN_after_the_end_begins_anew(void *ctx)
{
	struct nm_nat_room *r = nm_translation();

	r = nm_translation();
	NM_CHECK(r && nm_nat_claim(0));
	NM_CHECK(nm_nat_follow());
	r->p.tcp_flags = NM_TCP_RST;
	NM_CHECK(nm_nat_follow());
	NM_CHECK(nm_nat_peek() && r->to.expires_ns - NOW < 11 * SECOND);
	r->p.tcp_flags = NM_TCP_ACK;
	NM_CHECK(nm_nat_follow());
	r->p.tcp_flags = NM_TCP_SYN;
	NM_CHECK(!nm_nat_follow());
	NM_CHECK(!nm_nat_peek());
	return 0;
}

SEC("syscall")
int t_nat__the_port_of_what_is_over_waits_for_its_client(void *ctx)
{
	struct nm_nat_room *r = nm_translation();
	struct nm_nat_key own;

	NM_CHECK(r);
	r->to.flags = NM_NAT_SOURCE;
	NM_CHECK(nm_nat_claim(0) && nm_nat_follow());
	r->p.tcp_flags = NM_TCP_RST;
	NM_CHECK(nm_nat_follow() && nm_nat_peek());
	NM_CHECK(r->to.expires_ns - NOW == NM_NAT_TIME_WAIT_S * SECOND);
	own = r->key;

	r->key.saddr.w[3]++;
	r->to.state = 0;
	NM_CHECK(!nm_nat_claim(0));
	r->key = own;
	r->key.dport_be = bpf_htons(81);
	NM_CHECK(nm_nat_claim(0));

	/* It lives now: nobody takes it, not even for want of another. */
	r->key.saddr.w[3]++;
	NM_CHECK(!nm_nat_claim(1));
	return 0;
}

SEC("syscall")
int t_nat__a_row_that_lost_its_fellow_leaves_the_next_ones_alone(void *ctx)
{
	struct nm_nat_room *r = nm_translation();
	struct nm_nat_key first, second;

	NM_CHECK(r);
	r->to.flags = NM_NAT_SOURCE;
	NM_CHECK(nm_nat_claim(0) && nm_nat_follow());
	first = second = r->key;
	r->p.tcp_flags = NM_TCP_RST;
	NM_CHECK(nm_nat_follow());
	second.saddr.w[3]++;
	r->key = second;
	r->to.state = 0;
	NM_CHECK(nm_nat_claim(1));

	r->key = first;
	NM_CHECK(nm_nat_follow());
	r->p.tcp_flags = NM_TCP_SYN;
	NM_CHECK(!nm_nat_follow() && !nm_nat_peek());
	r->key = second;
	NM_CHECK(nm_nat_peek() && r->to.state == 0);
	nm_nat_other_key(&first, &r->key, &r->to);
	r->key = first;
	NM_CHECK(nm_nat_peek() && r->to.state == 0);
	return 0;
}

SEC("syscall")
int t_nat__what_nobody_answered_leaves_a_backend_that_is_gone(void *ctx)
{
	struct nm_nat_room *r = nm_translation();
	struct nm_backend_key gone = {.backend = 1};
	struct nm_nat_key key, other;

	NM_CHECK(r && nm_nat_claim(0));
	key = r->key;
	nm_nat_other_key(&other, &r->key, &r->to);
	bpf_map_delete_elem(&nm_backend, &gone);
	NM_CHECK(!nm_nat_follow());

	/* Answered: it stays, though the backend is gone. */
	r = nm_translation();
	NM_CHECK(r && nm_nat_claim(0));
	r->key = other;
	r->p.tcp_flags = NM_TCP_SYN | NM_TCP_ACK;
	NM_CHECK(nm_nat_follow());
	bpf_map_delete_elem(&nm_backend, &gone);
	r->key = key;
	r->p.tcp_flags = NM_TCP_ACK;
	NM_CHECK(nm_nat_follow());
	NM_CHECK(r->to.state & NM_CT_SEEN_REPLY);
	return 0;
}

SEC("syscall")
int t_nat__datagrams_leave_a_backend_that_is_gone(void *ctx)
{
	struct nm_nat_room *r = nm_translation();
	struct nm_backend_key gone = {.backend = 1};

	NM_CHECK(r);
	r->p.t.proto = r->key.proto = IPPROTO_UDP;
	r->p.tcp_flags = 0;
	NM_CHECK(nm_nat_claim(0) && nm_nat_follow());
	bpf_map_delete_elem(&nm_backend, &gone);
	NM_CHECK(!nm_nat_follow());
	return 0;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
