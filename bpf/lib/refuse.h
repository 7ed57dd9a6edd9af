/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What policy refuses is refused at connect(2) where that is certain: then its caller need not wait for a packet's
 * fate. The pods' gates judge all the same; so what is in doubt here goes on to them.
 */
#pragma once

#include "lib/redirect.h"
#include "lib/rule.h"

/* Inside the pod nobody but the pod itself decides. */
nm_inline nm_bool nm_addr_is_loopback(const struct nm_addr *a)
{
	if (nm_addr_is_v4(a))
		return (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) || a->w[3] == 0;
	return a->w[0] == 0 && a->w[1] == 0 && a->w[2] == 0 && bpf_ntohl(a->w[3]) <= 1;
}

nm_inline nm_bool nm_refuse_is_certain(__u32 reason)
{
	return reason == NM_REASON_POLICY_DENIED || reason == NM_REASON_DEFAULT_DENY;
}

/* Counted where the gate would have, which never sees it. */
nm_inline nm_bool nm_refuse_count(const struct nm_judged *j, __u32 ifindex, __u8 direction, __u32 reason)
{
	if (!nm_refuse_is_certain(reason))
		return 0;
	nm_rule_hit_add(j, ifindex, direction, reason);
	nm_count(ifindex, reason, direction, 0);
	return 1;
}

/*
 * Whether both pods' policies, as far as they are on this node, refuse what *c opens: after its translation. What goes
 * to the proxy is the proxy's business. Addresses that no table names may well be inside the pod. Of datagrams only the
 * gate knows which are answers; and to connect a socket for them sends nothing, so programs do it just to learn the
 * way.
 */
nm_inline nm_bool nm_connect_is_refused(const struct nm_connect *c)
{
	struct nm_tuple t = {.daddr = c->addr, .dport_be = c->port_be, .proto = c->proto};
	struct nm_netns_key key = {.cookie = c->netns};
	const struct nm_endpoint_entry *from, *to;
	const struct nm_netns_entry *netns;
	struct nm_judged judged = {};
	__u32 pod, reason;

	if (nm_config.deny_response != NM_DENY_REJECT || c->proto != IPPROTO_TCP || c->on_node ||
		nm_addr_is_loopback(&c->addr))
		return 0;
	netns = bpf_map_lookup_elem(&nm_netns, &key);
	if (!netns)
		return 0;
	from = nm_endpoint_find(netns->ifindex);
	if (!from || nm_peer_identity(nm_peer_at(&c->addr)) == NM_IDENTITY_WORLD)
		return 0;
	t.saddr = nm_addr_is_v4(&c->addr) ? netns->v4 : netns->v6;
	reason = nm_egress_decide(from, netns->ifindex, &t, &judged);
	if (reason != NM_REASON_FORWARDED)
		return nm_refuse_count(&judged, netns->ifindex, NM_EGRESS, reason);

	/* Who the pod is to the other one hangs on the address that it will send from. */
	pod = nm_pod_ifindex(&c->addr);
	if (!pod || pod == netns->ifindex || nm_pod_ifindex(&t.saddr) != netns->ifindex)
		return 0;
	to = nm_endpoint_find(pod);
	if (!to)
		return 0;
	__builtin_memset(&judged, 0, sizeof(judged));
	reason = nm_ingress_decide(to, nm_peer_at(&t.saddr), &t, 0, &judged);
	return nm_refuse_count(&judged, pod, NM_INGRESS, reason);
}
