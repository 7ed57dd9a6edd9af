/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The socket hooks cannot be run by BPF_PROG_TEST_RUN: their decisions can. */
#include "nm/config.h"
#include "lib/redirect.h"
#include "check.h"

#define VIP	0x0100600a /* 10.96.0.1 */
#define BACKEND 0x0200000a /* 10.0.0.2 */
#define PORT	bpf_htons(80)
#define TARGET	bpf_htons(8080)

nm_inline void nm_ask(struct nm_connect *c, __be32 v4)
{
	__builtin_memset(c, 0, sizeof(*c));
	nm_addr_from_v4(&c->addr, v4);
	c->port_be = PORT;
	c->proto = IPPROTO_TCP;
	c->v4_only = 1;
	c->cookie = 42;
}

nm_inline void nm_service(__u32 backends, __u32 flags)
{
	struct nm_frontend_key key = {.port_be = PORT, .proto = IPPROTO_TCP};
	struct nm_frontend_entry entry = {.service = 7, .inside = {.id = 7, .slots = backends}, .flags = flags};

	nm_addr_from_v4(&key.addr, VIP);
	bpf_map_update_elem(&nm_frontend, &key, &entry, BPF_ANY);
}

nm_inline void nm_slot_to(__u32 slot, __u32 backend)
{
	struct nm_slot_key key = {.group = 7, .slot = slot};
	struct nm_slot_entry entry = {.backend = backend};

	bpf_map_update_elem(&nm_slot, &key, &entry, BPF_ANY);
}

nm_inline void nm_backend_at(__u32 backend, __be32 v4)
{
	struct nm_backend_key key = {.backend = backend};
	struct nm_backend_entry entry = {.port_be = TARGET, .proto = IPPROTO_TCP};

	nm_addr_from_v4(&entry.addr, v4);
	if (v4 == 0)
		entry.addr.w[0] = bpf_htonl(0xfd000000), entry.addr.w[2] = 0;
	bpf_map_update_elem(&nm_backend, &key, &entry, BPF_ANY);
}

SEC("syscall")
int t_redirect__no_service_is_left_alone(void *ctx)
{
	struct nm_connect c;

	nm_ask(&c, BACKEND);
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_LEAVE);
	NM_CHECK(c.addr.w[3] == BACKEND && c.port_be == PORT);
	return 0;
}

SEC("syscall")
int t_redirect__service_for_the_proxy_is_left_alone(void *ctx)
{
	struct nm_connect c;

	nm_service(1, NM_FRONTEND_L7);
	nm_slot_to(0, 3);
	nm_backend_at(3, BACKEND);
	nm_ask(&c, VIP);
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_LEAVE);
	NM_CHECK(c.addr.w[3] == VIP);
	return 0;
}

SEC("syscall")
int t_redirect__the_node_itself_gets_a_backend_of_a_service_for_the_proxy(void *ctx)
{
	struct nm_connect c;

	nm_service(1, NM_FRONTEND_L7);
	nm_slot_to(0, 3);
	nm_backend_at(3, BACKEND);
	nm_ask(&c, VIP);
	c.on_node = 1;
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REWRITE);
	NM_CHECK(c.addr.w[3] == BACKEND && c.port_be == TARGET);
	NM_CHECK(nm_reverse_decide(&c));
	NM_CHECK(c.addr.w[3] == VIP && c.port_be == PORT);
	return 0;
}

SEC("syscall")
int t_redirect__the_node_itself_is_refused_where_the_proxy_has_no_backend(void *ctx)
{
	struct nm_connect c;

	nm_service(0, NM_FRONTEND_L7);
	nm_ask(&c, VIP);
	c.on_node = 1;
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REFUSE);
	return 0;
}

SEC("syscall")
int t_redirect__service_without_backend_is_refused(void *ctx)
{
	struct nm_connect c;

	nm_service(0, 0);
	nm_ask(&c, VIP);
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REFUSE);
	return 0;
}

SEC("syscall")
int t_redirect__backend_and_back(void *ctx)
{
	struct nm_connect c;

	nm_service(2, 0);
	nm_slot_to(0, 3);
	nm_slot_to(1, 4);
	nm_backend_at(3, BACKEND);
	nm_backend_at(4, BACKEND + 1);
	nm_ask(&c, VIP);
	c.random = 5; /* slot 1 of two */
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REWRITE);
	NM_CHECK(c.addr.w[3] == BACKEND + 1 && c.port_be == TARGET);
	NM_CHECK(nm_reverse_decide(&c));
	NM_CHECK(c.addr.w[3] == VIP && c.port_be == PORT);
	return 0;
}

SEC("syscall")
int t_redirect__another_socket_sees_no_translation(void *ctx)
{
	struct nm_connect c;

	nm_service(1, 0);
	nm_slot_to(0, 3);
	nm_backend_at(3, BACKEND);
	nm_ask(&c, VIP);
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REWRITE);
	c.cookie = 43;
	NM_CHECK(!nm_reverse_decide(&c));
	c.cookie = 42;
	nm_reverse_forget(&c);
	NM_CHECK(!nm_reverse_decide(&c));
	return 0;
}

SEC("syscall")
int t_redirect__slot_without_backend_is_refused(void *ctx)
{
	struct nm_connect c;

	nm_service(1, 0);
	nm_ask(&c, VIP);
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REFUSE);
	nm_slot_to(0, 9);
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REFUSE);
	return 0;
}

SEC("syscall")
int t_redirect__ipv6_backend_is_no_use_to_an_ipv4_socket(void *ctx)
{
	struct nm_connect c;

	nm_service(1, 0);
	nm_slot_to(0, 3);
	nm_backend_at(3, 0);
	nm_ask(&c, VIP);
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REFUSE);
	c.v4_only = 0;
	NM_CHECK(nm_redirect_decide(&c) == NM_REDIRECT_REWRITE);
	return 0;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
