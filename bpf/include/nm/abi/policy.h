/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "types.h"

/* nm_identity: who an address is. Longest prefix wins; IPv4 prefixes count from bit 96. */
struct nm_identity_key {
	__u32 prefix_bits; /* 0 .. 128 */
	struct nm_addr addr;
};
NM_ABI_SIZE(nm_identity_key, 20);

enum nm_identity_flag {
	NM_IDENTITY_F_BACKEND = 1, /* the proxy may dial it: the proxy's source ports are closed to pods here */
};

struct nm_identity_entry {
	__u32 identity;
	__u32 flags; /* enum nm_identity_flag */
	__u32 next;  /* while a change is applied: the identity to come; else 0 */
};
NM_ABI_SIZE(nm_identity_entry, 12);

/*
 * nm_peer_group: identities that no policy set of this node tells apart, by any rule's peers. No row: group 0, which no
 * rule names. A change of ports, or of one rule's peers, leaves most of them where they are.
 */
struct nm_peer_group_key {
	__u32 identity;
};
NM_ABI_SIZE(nm_peer_group_key, 4);

struct nm_peer_group_entry {
	__u32 group;
	__u32 next; /* while a change is applied: the group to come; else the same */
};
NM_ABI_SIZE(nm_peer_group_entry, 8);

/* nm_class: how one policy set classes the groups of peers. No row: class 0, the peers none of its rules names. */
struct nm_class_key {
	__u32 set;
	__u32 group;
	__u8 direction; /* enum nm_direction */
	__u8 pad0[3];
};
NM_ABI_SIZE(nm_class_key, 12);

struct nm_class_entry {
	__u32 klass;
};
NM_ABI_SIZE(nm_class_entry, 4);

/*
 * nm_verdict: longest prefix over (set, class, direction, proto, port). Of ICMP and ICMPv6 the port is the message's
 * type and code, in that order: _PROTO + 8 bits are a type, + 16 a type and code. Of other protocols without ports it
 * is 0.
 */
struct nm_verdict_key {
	__u32 prefix_bits; /* NM_VERDICT_BITS_ANY, _PROTO, or _PROTO + 1..16 bits of the port */
	__u32 set;
	__u32 klass;
	__u8 direction;
	__u8 proto;
	__be16 port_be;
};
NM_ABI_SIZE(nm_verdict_key, 16);

enum nm_verdict_bits {
	NM_VERDICT_BITS_ANY = 72,   /* set, class, direction */
	NM_VERDICT_BITS_PROTO = 80, /* and the protocol */
	NM_VERDICT_BITS_FULL = 96,  /* and the whole port */
};

enum nm_verdict {
	NM_VERDICT_NONE = 0, /* no row: closed */
	NM_VERDICT_ALLOW = 1,
	NM_VERDICT_DENY = 2,	     /* an explicit Deny rule */
	NM_VERDICT_DEFAULT_DENY = 3, /* isolated, and no rule allows */
	NM_VERDICT_REDIRECT = 4,     /* the proxy decides by request */
};

struct nm_verdict_entry {
	__u8 verdict; /* enum nm_verdict */
	__u8 audit;   /* enum nm_verdict: how policies under audit would have refused; 0: they would not */
	__u8 pad0[2];
	__u32 rule;	  /* which rule decided, a hash of its content; 0: none, allowed by default */
	__u32 audit_rule; /* likewise of audit */
};
NM_ABI_SIZE(nm_verdict_entry, 12);

/* nm_rule_hit, per CPU: new connections, and packets that belong to none, by the rule that decided. */
struct nm_rule_hit_key {
	__u32 rule;   /* in nm_verdict_entry: rule, or audit_rule when the reason is of audit */
	__u32 reason; /* enum nm_reason */
};
NM_ABI_SIZE(nm_rule_hit_key, 8);

struct nm_rule_hit_entry {
	__u64 connections;
};
NM_ABI_SIZE(nm_rule_hit_entry, 8);

/*
 * nm_endpoint: a pod of this node, by the ifindex of its host-side interface. One write switches its policy. While a
 * change is applied that takes more than one row, those that it alters say what was and what is to come, and
 * nm_epoch.applying which of it is in force, for all at once.
 */
struct nm_endpoint_key {
	__u32 ifindex;
};
NM_ABI_SIZE(nm_endpoint_key, 4);

struct nm_endpoint_entry {
	__u32 identity;
	__u32 set; /* 0: no policy selects this pod, everything is allowed */
	__u32 next_identity;
	__u32 next_set;
	__u32 mtu;	  /* of its interface, when packets may be put straight into the pod; else 0 */
	__u16 pod_mac[3]; /* link addresses of the pod's end and of the host's, as they stand in the packet */
	__u16 host_mac[3];
};
NM_ABI_SIZE(nm_endpoint_entry, 32);

/* nm_pod: from a local pod's address to its endpoint. */
struct nm_pod_key {
	struct nm_addr addr;
};
NM_ABI_SIZE(nm_pod_key, 16);

struct nm_pod_entry {
	__u32 ifindex;
};
NM_ABI_SIZE(nm_pod_entry, 4);

/* nm_netns: a pod of this node by the cookie of its network namespace, for what has a socket but no packet yet. */
struct nm_netns_key {
	__u64 cookie;
};
NM_ABI_SIZE(nm_netns_key, 8);

struct nm_netns_entry {
	__u32 ifindex;	   /* in nm_endpoint_key */
	struct nm_addr v4; /* its only address of that family; zero: it has none, or several */
	struct nm_addr v6;
};
NM_ABI_SIZE(nm_netns_entry, 36);

/* How far a policy change has come. */
enum nm_applying {
	NM_APPLYING_NOTHING = 0,
	NM_APPLYING_BEGUN = 1,	   /* what was is in force; a restart goes back to it */
	NM_APPLYING_COMMITTED = 2, /* what is to come is in force; a restart goes on to it */
};

/* nm_epoch, one element: tracked connections judged under an older epoch are judged again. */
struct nm_epoch_entry {
	__u32 epoch;
	__u32 applying; /* enum nm_applying */
};
NM_ABI_SIZE(nm_epoch_entry, 8);
