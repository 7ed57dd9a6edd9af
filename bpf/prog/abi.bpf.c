// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Never loaded. One variable per type of include/nm/abi, so that this object's BTF has them all and C# can be
 * generated from it. NodeMesh.AbiGen refuses when a header defines a type that is not anchored here.
 */
#include "nm/abi/config.h"
#include "nm/abi/conntrack.h"
#include "nm/abi/counter.h"
#include "nm/abi/limits.h"
#include "nm/abi/nat.h"
#include "nm/abi/policy.h"
#include "nm/abi/reason.h"
#include "nm/abi/service.h"
#include "nm/abi/types.h"

#define NM_ANCHOR_STRUCT(name) struct name abi_##name
#define NM_ANCHOR_ENUM(name)   enum name abi_##name

NM_ANCHOR_STRUCT(nm_addr);
NM_ANCHOR_STRUCT(nm_config);
NM_ANCHOR_STRUCT(nm_ct_key);
NM_ANCHOR_STRUCT(nm_ct_entry);
NM_ANCHOR_STRUCT(nm_share_key);
NM_ANCHOR_STRUCT(nm_share_use_entry);
NM_ANCHOR_STRUCT(nm_share_entry);
NM_ANCHOR_STRUCT(nm_fragment_key);
NM_ANCHOR_STRUCT(nm_fragment_entry);
NM_ANCHOR_STRUCT(nm_counter_key);
NM_ANCHOR_STRUCT(nm_counter_entry);
NM_ANCHOR_STRUCT(nm_identity_key);
NM_ANCHOR_STRUCT(nm_identity_entry);
NM_ANCHOR_STRUCT(nm_peer_group_key);
NM_ANCHOR_STRUCT(nm_peer_group_entry);
NM_ANCHOR_STRUCT(nm_class_key);
NM_ANCHOR_STRUCT(nm_class_entry);
NM_ANCHOR_STRUCT(nm_verdict_key);
NM_ANCHOR_STRUCT(nm_verdict_entry);
NM_ANCHOR_STRUCT(nm_rule_hit_key);
NM_ANCHOR_STRUCT(nm_rule_hit_entry);
NM_ANCHOR_STRUCT(nm_endpoint_key);
NM_ANCHOR_STRUCT(nm_endpoint_entry);
NM_ANCHOR_STRUCT(nm_pod_key);
NM_ANCHOR_STRUCT(nm_pod_entry);
NM_ANCHOR_STRUCT(nm_netns_key);
NM_ANCHOR_STRUCT(nm_netns_entry);
NM_ANCHOR_STRUCT(nm_epoch_entry);
NM_ANCHOR_STRUCT(nm_frontend_key);
NM_ANCHOR_STRUCT(nm_frontend_entry);
NM_ANCHOR_STRUCT(nm_group);
NM_ANCHOR_STRUCT(nm_slot_key);
NM_ANCHOR_STRUCT(nm_slot_entry);
NM_ANCHOR_STRUCT(nm_member_key);
NM_ANCHOR_STRUCT(nm_member_entry);
NM_ANCHOR_STRUCT(nm_affinity_key);
NM_ANCHOR_STRUCT(nm_affinity_entry);
NM_ANCHOR_STRUCT(nm_source_range_key);
NM_ANCHOR_STRUCT(nm_source_range_entry);
NM_ANCHOR_STRUCT(nm_backend_key);
NM_ANCHOR_STRUCT(nm_backend_entry);
NM_ANCHOR_STRUCT(nm_reverse_key);
NM_ANCHOR_STRUCT(nm_reverse_entry);
NM_ANCHOR_STRUCT(nm_nat_key);
NM_ANCHOR_STRUCT(nm_nat_entry);
NM_ANCHOR_STRUCT(nm_nat_frag_entry);

NM_ANCHOR_ENUM(nm_deny_response);
NM_ANCHOR_ENUM(nm_direction);
NM_ANCHOR_ENUM(nm_identity_id);
NM_ANCHOR_ENUM(nm_identity_flag);
NM_ANCHOR_ENUM(nm_verdict_bits);
NM_ANCHOR_ENUM(nm_verdict);
NM_ANCHOR_ENUM(nm_applying);
NM_ANCHOR_ENUM(nm_ct_origin);
NM_ANCHOR_ENUM(nm_ct_flag);
NM_ANCHOR_ENUM(nm_share_table);
NM_ANCHOR_ENUM(nm_share_whose);
NM_ANCHOR_ENUM(nm_frontend_flag);
NM_ANCHOR_ENUM(nm_nat_flag);
NM_ANCHOR_ENUM(nm_reason);
NM_ANCHOR_ENUM(nm_limit);
NM_ANCHOR_ENUM(nm_mark);
