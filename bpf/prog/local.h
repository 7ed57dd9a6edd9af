/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From one pod of this node straight into another, past the node's stack: its routing, its netfilter and one softirq.
 * Only for connections that both pods' policies let through, from their first packet on, so that the node's own
 * connection tracking sees all of a connection or nothing.
 */
#pragma once

#include "headers.h"
#include "lib/policy.h"
#include "nm/config.h"
#include "nm/count.h"

enum nm_local_limit {
	NM_LOCAL_TTL = 2, /* a router would answer "time exceeded" below: the stack does so */
};

/* As ip_decrease_ttl() in the kernel does. The checksum's high byte and the TTL are both first in their word. */
nm_inline void nm_local_age_v4(struct iphdr *ip)
{
	__u32 check = ip->check + (__u32)bpf_htons(0x0100);

	ip->check = (__be16)(check + (check >= 0xffff));
	ip->ttl--;
}

/* One router less to live; 0 when the packet must take the stack's way. */
nm_inline nm_bool nm_local_route(struct __sk_buff *skb, const struct nm_endpoint_entry *target)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;

	if (eth + 1 > (struct ethhdr *)end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (struct iphdr *)(eth + 1);

		if (ip + 1 > (struct iphdr *)end || ip->ttl < NM_LOCAL_TTL)
			return 0;
		nm_local_age_v4(ip);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);

		if (ip + 1 > (struct ipv6hdr *)end || ip->hop_limit < NM_LOCAL_TTL)
			return 0;
		ip->hop_limit--;
	} else {
		return 0;
	}
	__builtin_memcpy(eth->h_dest, target->pod_mac, sizeof(eth->h_dest));
	__builtin_memcpy(eth->h_source, target->host_mac, sizeof(eth->h_source));
	return 1;
}

/* Whether two pods may be joined so. Their links must carry the same sizes: past the stack nobody fragments. */
nm_inline nm_bool nm_local_may_join(const struct nm_endpoint_entry *one, const struct nm_endpoint_entry *other)
{
	return one->mtu != 0 && one->mtu == other->mtu;
}

/* The hook's answer for a packet that may go to the pod behind `ifindex`, whose gate it will not meet. */
nm_inline int nm_local_send(struct __sk_buff *skb, __u32 ifindex, __u32 reason)
{
	const struct nm_endpoint_entry *target = nm_endpoint_find(ifindex);

	if (!target || target->mtu == 0 || !nm_local_route(skb, target))
		return NM_TCX_NEXT;
	nm_count(ifindex, reason, NM_INGRESS, skb->len);
	return bpf_redirect_peer(ifindex, 0);
}
