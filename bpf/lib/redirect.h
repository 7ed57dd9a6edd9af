/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Service address to backend at the socket, once per connection (TCP, connected UDP) or per datagram. */
#pragma once

#include "lib/service.h"

struct nm_connect {
	struct nm_addr addr; /* in: asked for; out: to connect to */
	__be16 port_be;
	__u8 proto;
	__u8 v4_only; /* an AF_INET socket: an IPv6 backend is no use to it */
	__u32 random;
	__u64 cookie; /* of the socket */
	__u64 netns;  /* cookie of its network namespace: who the client is, where affinity is kept */
	__u64 now_ns; /* nm_now_ns() */
	__u8 on_node; /* in the node's own network namespace, where no gate stands that could hand over to the proxy */
};

enum nm_redirect {
	NM_REDIRECT_LEAVE = 0,	 /* no service, or a pod's way to one for the proxy */
	NM_REDIRECT_REWRITE = 1, /* addr and port_be are a backend now */
	NM_REDIRECT_REFUSE = 2,	 /* no backend */
	NM_REDIRECT_POLICY = 3,	 /* no backend that the traffic policy lets this node use */
};

/* Remembers the service address, so that the socket's owner never sees the backend's. */
nm_inline void nm_reverse_remember(const struct nm_connect *c, const struct nm_target *to)
{
	struct nm_reverse_key key = {.cookie = c->cookie, .addr = to->addr, .port_be = to->port_be, .proto = c->proto};
	struct nm_reverse_entry entry = {.addr = c->addr, .port_be = c->port_be};
	const struct nm_reverse_entry *known = bpf_map_lookup_elem(&nm_reverse, &key);

	/* Every datagram of an unconnected socket comes here: look before writing, which costs several times more. */
	if (known && known->port_be == entry.port_be && nm_addr_equal(&known->addr, &entry.addr))
		return;
	if (bpf_map_update_elem(&nm_reverse, &key, &entry, BPF_ANY))
		nm_count(0, NM_REASON_MAP_FULL, NM_EGRESS, 0);
}

nm_inline void nm_client_from(struct nm_client *client, const struct nm_connect *c)
{
	client->addr.w[0] = client->addr.w[1] = 0xffffffff;
	client->addr.w[2] = (__u32)c->netns;
	client->addr.w[3] = c->netns >> 32;
	client->number = c->random;
	client->outside = 0;
	client->now_ns = c->now_ns;
}

nm_inline __u32 nm_redirect_decide(struct nm_connect *c)
{
	const struct nm_frontend_entry *frontend = nm_frontend_find(&c->addr, c->port_be, c->proto);
	struct nm_client client;
	struct nm_target to;

	if (!frontend || ((frontend->flags & (NM_FRONTEND_L7 | NM_FRONTEND_ON_NODE)) && !c->on_node))
		return NM_REDIRECT_LEAVE;

	nm_client_from(&client, c);
	switch (nm_service_pick(frontend, &client, &to)) {
	case NM_PICK_BACKEND:
		break;
	case NM_PICK_POLICY:
		return NM_REDIRECT_POLICY;
	default:
		return NM_REDIRECT_REFUSE;
	}
	if (c->v4_only && !nm_addr_is_v4(&to.addr))
		return NM_REDIRECT_REFUSE;

	nm_reverse_remember(c, &to);
	c->addr = to.addr;
	c->port_be = to.port_be;
	return NM_REDIRECT_REWRITE;
}

nm_inline nm_bool nm_is_node_port(const struct nm_addr *addr, const struct nm_connect *c)
{
	const struct nm_frontend_entry *frontend = nm_frontend_find(addr, c->port_be, c->proto);

	return frontend && (frontend->flags & NM_FRONTEND_NODE_PORT);
}

/*
 * Whether a process of the node wants to listen where a service does: at a port of the node. A wildcard stands for
 * every address of its family, so for the loopback one too, where ports of the node have a row; that of IPv6 for those
 * of both.
 */
nm_inline nm_bool nm_bind_is_taken(const struct nm_connect *c)
{
	const struct nm_addr loopback6 = {.w[3] = bpf_htonl(1)};
	nm_bool any6 = !(c->addr.w[0] | c->addr.w[1] | c->addr.w[2] | c->addr.w[3]);
	struct nm_addr addr = c->addr;

	if (c->port_be == 0)
		return 0;
	if (any6 && nm_is_node_port(&loopback6, c))
		return 1;
	if (any6 || (nm_addr_is_v4(&addr) && addr.w[3] == 0))
		nm_addr_from_v4(&addr, bpf_htonl(INADDR_LOOPBACK));
	return nm_is_node_port(&addr, c);
}

/* The other way, for getpeername(2) and recvmsg(2): 1 when addr and port_be became the service's. */
nm_inline nm_bool nm_reverse_decide(struct nm_connect *c)
{
	struct nm_reverse_key key = {.cookie = c->cookie, .addr = c->addr, .port_be = c->port_be, .proto = c->proto};
	const struct nm_reverse_entry *service = bpf_map_lookup_elem(&nm_reverse, &key);

	if (!service)
		return 0;
	c->addr = service->addr;
	c->port_be = service->port_be;
	return 1;
}

nm_inline void nm_reverse_forget(const struct nm_connect *c)
{
	struct nm_reverse_key key = {.cookie = c->cookie, .addr = c->addr, .port_be = c->port_be, .proto = c->proto};

	bpf_map_delete_elem(&nm_reverse, &key);
}
