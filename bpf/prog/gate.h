/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What one packet at a pod's gate needs on its long way through: where it begins, goes on and ends. */
#pragma once

#include "parse.h"
#include "lib/conntrack.h"
#include "lib/fragment.h"
#include "lib/policy.h"
#include "lib/rule.h"

/* One packet at one gate. */
struct nm_gate {
	struct nm_packet p;
	struct nm_ct_key key;
	struct nm_endpoint_entry ep;
	struct nm_judged own; /* by this gate's policy */
	struct nm_judged far; /* by that of the pod of this node at the other end */
	__u64 now_ns;
	__u32 ifindex;
	__u32 epoch;
	__u32 next;	    /* the pod of this node that the packet goes straight to; 0: by the stack */
	nm_bool translated; /* the pod asked for a service address */
	nm_bool to_node;    /* the packet is for this node, or may be, as a later fragment */
};

/* One per CPU, since hooks do not interrupt one another: the stack has no room for it beside those who are called. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct nm_gate);
	__uint(max_entries, 1);
} nm_gates SEC(".maps");

nm_inline struct nm_gate *nm_gate_get(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct nm_gate *g = bpf_map_lookup_elem(&nm_gates, &zero);

	if (!g)
		return NULL;
	__builtin_memset(g, 0, sizeof(*g));
	g->ifindex = skb->ifindex;
	return g;
}

/* Common beginning: what needs no connection. NM_REASON_COUNT: go on. */
nm_inline __u32 nm_gate_enter(struct nm_gate *g, __u8 direction)
{
	const struct nm_endpoint_entry *ep = nm_endpoint_find(g->ifindex);

	if (!ep)
		return nm_config.open_before_plan ? NM_REASON_FORWARDED : NM_REASON_NO_POLICY;
	if (g->p.kind == NM_PACKET_NOT_IP)
		return ep->set ? NM_REASON_UNSUPPORTED_PROTOCOL : NM_REASON_FORWARDED;
	if (g->p.fragment == NM_FRAGMENT_LATER) {
		g->to_node = 1;
		return nm_fragment_decide(g->ifindex, direction, &g->p);
	}
	g->now_ns = nm_now_ns();
	/* Before any row of policy is read: what is judged by newer rows under an older number is judged once more. */
	g->epoch = nm_epoch_now();
	g->ep = *ep;
	return NM_REASON_COUNT;
}

/* Judged under an older policy than the one in force. */
nm_inline nm_bool nm_gate_is_stale(const struct nm_gate *g, const struct nm_ct_entry *entry)
{
	return entry->epoch != g->epoch;
}

/* A packet of a tracked connection that newer policy judged: keeps the entry, or deletes it and says why. */
nm_inline __u32 nm_gate_rejudged(struct nm_gate *g, struct nm_ct_entry *entry, __u32 reason)
{
	reason = nm_ct_rejudge(reason, entry->flags);
	if (nm_reason_passes(reason))
		entry->epoch = g->epoch;
	else
		nm_ct_remove(&g->key, entry);
	return reason;
}

nm_inline int nm_gate_leave(struct __sk_buff *skb, struct nm_gate *g, __u8 direction, __u32 reason)
{
	if (g->p.fragment == NM_FRAGMENT_FIRST)
		nm_fragment_remember(g->ifindex, direction, &g->p, reason);
	nm_count(g->ifindex, reason, direction, skb->len);
	return nm_reason_passes(reason) ? NM_TCX_NEXT : NM_TCX_DROP;
}
