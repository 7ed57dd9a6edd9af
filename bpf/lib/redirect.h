/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Service address to backend, once per connection (TCP, connected UDP) or per datagram. */
#pragma once

#include "nm/count.h"

struct nm_connect {
	struct nm_addr addr; /* in: asked for; out: to connect to */
	__be16 port_be;
	__u8 proto;
	__u8 v4_only; /* an AF_INET socket: an IPv6 backend is no use to it */
	__u32 random;
	__u64 cookie; /* of the socket */
	__u8 on_node; /* in the node's own network namespace, where no gate stands that could hand over to the proxy */
};

enum nm_redirect {
	NM_REDIRECT_LEAVE = 0,	 /* no service, or a pod's way to one for the proxy */
	NM_REDIRECT_REWRITE = 1, /* addr and port_be are a backend now */
	NM_REDIRECT_REFUSE = 2,	 /* no backend */
};

nm_inline const struct nm_backend_entry *nm_backend_pick(const struct nm_group *group, __u32 random)
{
	struct nm_slot_key slot_key = {.group = group->id};
	struct nm_backend_key backend_key;
	const struct nm_slot_entry *slot;
	__u32 slots = group->slots;

	if (slots == 0)
		return NULL;
	slot_key.slot = random % slots;
	slot = bpf_map_lookup_elem(&nm_slot, &slot_key);
	if (!slot)
		return NULL;
	backend_key.backend = slot->backend;
	return bpf_map_lookup_elem(&nm_backend, &backend_key);
}

/* Remembers the service address, so that the socket's owner never sees the backend's. */
nm_inline void nm_reverse_remember(const struct nm_connect *c, const struct nm_backend_entry *backend)
{
	struct nm_reverse_key key = {
		.cookie = c->cookie, .addr = backend->addr, .port_be = backend->port_be, .proto = c->proto};
	struct nm_reverse_entry entry = {.addr = c->addr, .port_be = c->port_be};
	const struct nm_reverse_entry *known = bpf_map_lookup_elem(&nm_reverse, &key);

	/* Every datagram of an unconnected socket comes here: look before writing, which costs several times more. */
	if (known && known->port_be == entry.port_be && known->addr.w[3] == entry.addr.w[3] &&
		known->addr.w[2] == entry.addr.w[2] && known->addr.w[1] == entry.addr.w[1] &&
		known->addr.w[0] == entry.addr.w[0])
		return;
	if (bpf_map_update_elem(&nm_reverse, &key, &entry, BPF_ANY))
		nm_count(0, NM_REASON_MAP_FULL, NM_EGRESS, 0);
}

nm_inline __u32 nm_redirect_decide(struct nm_connect *c)
{
	struct nm_frontend_key key = {.addr = c->addr, .port_be = c->port_be, .proto = c->proto};
	const struct nm_frontend_entry *frontend = bpf_map_lookup_elem(&nm_frontend, &key);
	const struct nm_backend_entry *backend;

	if (!frontend || ((frontend->flags & NM_FRONTEND_L7) && !c->on_node))
		return NM_REDIRECT_LEAVE;

	backend = nm_backend_pick(&frontend->inside, c->random);
	if (!backend || (c->v4_only && !nm_addr_is_v4(&backend->addr)))
		return NM_REDIRECT_REFUSE;

	nm_reverse_remember(c, backend);
	c->addr = backend->addr;
	c->port_be = backend->port_be;
	return NM_REDIRECT_REWRITE;
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
