/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little C that C# cannot express: variadic callbacks, libbpf's size-versioned option structs, and the parts
 * of bpf(2) that libbpf 1.1 has no field for. Every function returns a negative errno on failure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define NM_EXPORT __attribute__((visibility("default")))

struct bpf_object;
struct ring_buffer;

/* level: 0 warn, 1 info, 2 debug. text is NUL-terminated and valid during the call. */
typedef void (*nm_log_fn)(int level, const char *text);

NM_EXPORT void nm_log_to(nm_log_fn sink);

NM_EXPORT int nm_object_open(
	const void *bytes, size_t size, const char *name, char *log, size_t log_size, struct bpf_object **object);

/* relative: 0 none, otherwise flags of bpf_link_create such as BPF_F_BEFORE. Returns the link's fd. */
NM_EXPORT int nm_link_create(int prog_fd, int target, int attach_type, uint32_t flags);
NM_EXPORT int nm_link_update(int link_fd, int prog_fd);

struct nm_link_facts {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t ifindex; /* tcx: 0 when its device is gone */
	uint32_t attach_type;
	uint32_t pad0;
	uint64_t cgroup_id;
};
NM_EXPORT int nm_link_facts(int link_fd, struct nm_link_facts *facts);

struct nm_prog_facts {
	uint32_t type;
	uint32_t id;
	uint32_t verified_insns;
	uint32_t xlated_bytes;
	uint64_t run_count;
	uint64_t run_time_ns;
	char name[16];
};
NM_EXPORT int nm_prog_facts(int prog_fd, struct nm_prog_facts *facts);

struct nm_map_facts {
	uint32_t type;
	uint32_t id;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t map_flags;
	char name[16];
};
NM_EXPORT int nm_map_facts(int map_fd, struct nm_map_facts *facts);

/* Programs on a hook in the order in which they run. count: room in, number out. link_ids[i] is 0 when attached without
 * a link. */
NM_EXPORT int nm_prog_query(int target, int attach_type, uint32_t *prog_ids, uint32_t *link_ids, uint32_t *count);

NM_EXPORT int nm_map_batch_update(int map_fd, const void *keys, const void *values, uint32_t *count);
NM_EXPORT int nm_map_batch_delete(int map_fd, const void *keys, uint32_t *count);
NM_EXPORT int nm_map_batch_lookup(int map_fd, void *in, void *out, void *keys, void *values, uint32_t *count);
NM_EXPORT int nm_map_create(
	int type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags);

struct nm_test_run {
	const void *data_in;
	void *data_out;
	const void *ctx_in;
	void *ctx_out;
	uint32_t data_size_in;
	uint32_t data_size_out; /* room in, size out */
	uint32_t ctx_size_in;
	uint32_t ctx_size_out; /* room in, size out */
	uint32_t repeat;
	uint32_t retval;
	uint32_t duration_ns; /* mean of one run */
	uint32_t flags;
};
NM_EXPORT int nm_prog_test_run(int prog_fd, struct nm_test_run *run);

typedef int (*nm_ring_fn)(void *context, void *bytes, size_t size);
NM_EXPORT int nm_ring_open(int map_fd, nm_ring_fn sink, void *context, struct ring_buffer **ring);

/* Enough of a program to ask the kernel what it can do: loads (and closes) instructions of the given type. */
NM_EXPORT int nm_prog_load_probe(
	int type, int attach_type, const void *insns, uint32_t count, char *log, uint32_t log_size);
