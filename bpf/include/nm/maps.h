/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every table, once. Sizes are defaults that the agent replaces before load. Tables that the agent writes take memory
 * as they fill; tables that the programs write are allocated whole at load, so that a packet never waits for memory.
 */
#pragma once

#include "core.h"
#include "abi/policy.h"
#include "abi/service.h"
#include "abi/conntrack.h"
#include "abi/counter.h"
#include "abi/nat.h"

#define NM_MAP(name, map_type, key_type, value_type, entries, flags)                                                   \
	struct {                                                                                                       \
		__uint(type, map_type);                                                                                \
		__type(key, struct key_type);                                                                          \
		__type(value, struct value_type);                                                                      \
		__uint(max_entries, entries);                                                                          \
		__uint(map_flags, flags);                                                                              \
	} name SEC(".maps")

/* Who an address is: longest prefix to identity; no row means the world. */
NM_MAP(nm_identity, BPF_MAP_TYPE_LPM_TRIE, nm_identity_key, nm_identity_entry, 65536, BPF_F_NO_PREALLOC);

/* Backends by number, so that many services and slots share one row. */
NM_MAP(nm_backend, BPF_MAP_TYPE_HASH, nm_backend_key, nm_backend_entry, 65536, BPF_F_NO_PREALLOC);

/* A group's slots, one of which is taken at random, or by hash when they are a Maglev table. */
NM_MAP(nm_slot, BPF_MAP_TYPE_HASH, nm_slot_key, nm_slot_entry, 262144, BPF_F_NO_PREALLOC);

/* Which backends a group has, where a client's last one must be known to serve still. */
NM_MAP(nm_member, BPF_MAP_TYPE_HASH, nm_member_key, nm_member_entry, 65536, BPF_F_NO_PREALLOC);

/* Who may come in from outside, for services that say so. */
NM_MAP(nm_source_range, BPF_MAP_TYPE_LPM_TRIE, nm_source_range_key, nm_source_range_entry, 16384, BPF_F_NO_PREALLOC);

/* Service address, port and protocol to the service. */
NM_MAP(nm_frontend, BPF_MAP_TYPE_HASH, nm_frontend_key, nm_frontend_entry, 65536, BPF_F_NO_PREALLOC);

/* Which identities are the same to every policy set. */
NM_MAP(nm_peer_group, BPF_MAP_TYPE_HASH, nm_peer_group_key, nm_peer_group_entry, 65536, BPF_F_NO_PREALLOC);

/* What a group of peers is to one policy set, in one direction. */
NM_MAP(nm_class, BPF_MAP_TYPE_HASH, nm_class_key, nm_class_entry, 262144, BPF_F_NO_PREALLOC);

/* What a policy set says about a class of peers, protocol and port; longest prefix wins. */
NM_MAP(nm_verdict, BPF_MAP_TYPE_LPM_TRIE, nm_verdict_key, nm_verdict_entry, 262144, BPF_F_NO_PREALLOC);

/* Local pods by the host-side interface: who they are and which policy set holds. */
NM_MAP(nm_endpoint, BPF_MAP_TYPE_HASH, nm_endpoint_key, nm_endpoint_entry, 4096, BPF_F_NO_PREALLOC);

/* Local pods by address. */
NM_MAP(nm_pod, BPF_MAP_TYPE_HASH, nm_pod_key, nm_pod_entry, 8192, BPF_F_NO_PREALLOC);

/* Local pods by network namespace. */
NM_MAP(nm_netns, BPF_MAP_TYPE_HASH, nm_netns_key, nm_netns_entry, 4096, BPF_F_NO_PREALLOC);

/* The number of the policy now in force. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct nm_epoch_entry);
	__uint(max_entries, 1);
} nm_epoch SEC(".maps");

/* TCP connections per endpoint that policy let through; the least recently used go first. */
NM_MAP(nm_ct_tcp, BPF_MAP_TYPE_LRU_HASH, nm_ct_key, nm_ct_entry, 131072, 0);

/* The same of every other protocol, so that one flood does not push out the other's connections. */
NM_MAP(nm_ct_any, BPF_MAP_TYPE_LRU_HASH, nm_ct_key, nm_ct_entry, 65536, 0);

/* How many rows of a connection table are whose. */
NM_MAP(nm_share_use, BPF_MAP_TYPE_HASH, nm_share_key, nm_share_use_entry, 16384, BPF_F_NO_PREALLOC);

/* How many they may be, once the table is nearly full. */
NM_MAP(nm_share, BPF_MAP_TYPE_HASH, nm_share_key, nm_share_entry, 16384, BPF_F_NO_PREALLOC);

/* What became of a datagram's first fragment. */
NM_MAP(nm_fragment, BPF_MAP_TYPE_LRU_HASH, nm_fragment_key, nm_fragment_entry, 8192, 0);

/* How often a policy rule decided. */
NM_MAP(nm_rule_hit, BPF_MAP_TYPE_PERCPU_HASH, nm_rule_hit_key, nm_rule_hit_entry, 16384, 0);

/* Packets and bytes by endpoint, reason and direction. */
NM_MAP(nm_counter, BPF_MAP_TYPE_PERCPU_HASH, nm_counter_key, nm_counter_entry, 16384, 0);

/* From a socket and its backend to the service address that the program asked for. */
NM_MAP(nm_reverse, BPF_MAP_TYPE_LRU_HASH, nm_reverse_key, nm_reverse_entry, 65536, 0);

/* The backend that a client of a service with affinity had last. */
NM_MAP(nm_affinity, BPF_MAP_TYPE_LRU_HASH, nm_affinity_key, nm_affinity_entry, 65536, 0);

/* Translations on the packet path that are not assured (NM_NAT_ASSURED), or are over. A flood pushes out only these. */
NM_MAP(nm_nat_brief, BPF_MAP_TYPE_LRU_HASH, nm_nat_key, nm_nat_entry, 65536, 0);

/* Assured ones, of TCP. Nothing is pushed out: when it is full, the next ones stay in nm_nat_brief. */
NM_MAP(nm_nat_tcp, BPF_MAP_TYPE_HASH, nm_nat_key, nm_nat_entry, 65536, 0);

/* Assured ones, of UDP. */
NM_MAP(nm_nat_any, BPF_MAP_TYPE_HASH, nm_nat_key, nm_nat_entry, 32768, 0);

/* The ports of translated datagrams whose fragments are under way. */
NM_MAP(nm_nat_frag, BPF_MAP_TYPE_LRU_HASH, nm_fragment_key, nm_nat_frag_entry, 8192, 0);
