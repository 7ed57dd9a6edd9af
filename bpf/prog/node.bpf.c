/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The node's devices: brings to the proxy what belongs to it from outside. It only bends the way: what it leaves alone
 * meets the pod's gate (endpoint.bpf.c), which refuses what needed the proxy. So it fails open, and policy does not.
 */
#include "parse.h"
#include "socket.h"
#include "lib/conntrack.h"
#include "lib/policy.h"

/* Not ours: goes on as it came, and is counted where it arrives. */
#define NM_LEAVE NM_REASON_COUNT

nm_inline __u32 nm_open_from_outside(struct __sk_buff *skb, const struct nm_packet *p, const struct nm_ct_key *key,
	__u32 reason, __u32 epoch, __u64 now_ns)
{
	/* Open already, with the proxy: only its sockets have a pod's address here. Its entry was evicted. */
	if (reason == NM_REASON_FORWARDED && !nm_packet_is_syn(p) && nm_socket_find(skb, &p->t) == NM_SOCKET_OPEN)
		reason = NM_REASON_HANDED_OVER;
	if (reason != NM_REASON_HANDED_OVER)
		return NM_LEAVE;
	reason = nm_hand_over(skb, p);
	if (nm_reason_passes(reason))
		nm_ct_create(key, NM_CT_ORIGIN_DIRECT, NM_CT_HANDED_OVER | nm_ct_flags_from(p, 0), epoch, now_ns);
	return reason;
}

/* TCP from outside toward the local pod behind `ifindex`. */
nm_inline __u32 nm_tcp_from_outside(struct __sk_buff *skb, const struct nm_packet *p, __u32 ifindex)
{
	const struct nm_endpoint_entry *ep = nm_endpoint_find(ifindex);
	__u32 epoch = nm_epoch_now(), reason;
	nm_bool syn = nm_packet_is_syn(p), reply;
	struct nm_ct_entry *entry = NULL;
	__u64 now_ns = nm_now_ns();
	struct nm_ct_key key;

	/* An answer to the proxy, which dials other nodes with its client pod's address. */
	if (!syn && nm_port_is_reserved(p->t.dport_be) && nm_socket_find(skb, &p->t) == NM_SOCKET_OPEN)
		return nm_hand_back(skb, p);
	if (!ep)
		return NM_LEAVE;

	if (!syn)
		entry = nm_ct_find(&key, ifindex, NM_INGRESS, &p->t, now_ns, &reply);
	if (entry) {
		if (reply || !(entry->flags & NM_CT_HANDED_OVER))
			return NM_LEAVE;
		if (entry->epoch == epoch) {
			nm_ct_touch(entry, p, 0, now_ns);
			return nm_hand_over(skb, p);
		}
	}

	reason = nm_policy_reason(
		nm_policy_judge(ep->set, NM_INGRESS, nm_identity_of(&p->t.saddr).identity, &p->t), IPPROTO_TCP);
	nm_ct_key_from(&key, ifindex, NM_INGRESS, &p->t);
	if (!entry)
		return nm_open_from_outside(skb, p, &key, reason, epoch, now_ns);

	reason = nm_ct_rejudge(reason, entry->flags);
	if (!nm_reason_passes(reason)) {
		bpf_map_delete_elem(&nm_ct, &key);
		return reason;
	}
	entry->epoch = epoch;
	nm_ct_touch(entry, p, 0, now_ns);
	return nm_hand_over(skb, p);
}

nm_inline __u32 nm_from_outside(struct __sk_buff *skb, const struct nm_packet *p, __u32 ifindex)
{
	if (p->kind == NM_PACKET_ICMP_ERROR)
		return nm_error_has_socket(skb, p) ? nm_deliver(skb) : NM_LEAVE;
	if (p->t.proto == IPPROTO_TCP && p->fragment != NM_FRAGMENT_LATER)
		return nm_tcp_from_outside(skb, p, ifindex);
	return NM_LEAVE;
}

SEC("tc")
int nm_node_ingress(struct __sk_buff *skb)
{
	struct nm_packet p = {};
	__u32 ifindex, reason;

	if (nm_parse(skb, &p) != NM_REASON_FORWARDED || p.kind == NM_PACKET_LINK || p.kind == NM_PACKET_NOT_IP)
		return NM_TCX_NEXT;
	ifindex = nm_pod_ifindex(&p.t.daddr);
	if (!ifindex)
		return NM_TCX_NEXT;
	reason = nm_from_outside(skb, &p, ifindex);
	if (reason == NM_LEAVE)
		return NM_TCX_NEXT;
	nm_count(ifindex, reason, NM_INGRESS, skb->len);
	return nm_reason_passes(reason) ? NM_TCX_NEXT : NM_TCX_DROP;
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
