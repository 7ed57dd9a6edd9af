// SPDX-License-Identifier: Apache-2.0
#include "nmshim.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(LIBBPF_MAJOR_VERSION == 1, "written for libbpf 1.x: functions answer -errno, pointers NULL and errno");
_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "C# declares these as 64-bit");
_Static_assert(sizeof(struct nm_link_facts) == 32, "mirrored in LinkFacts");
_Static_assert(sizeof(struct nm_prog_facts) == 48, "mirrored in ProgFacts");
_Static_assert(sizeof(struct nm_map_facts) == 40, "mirrored in MapFacts");
_Static_assert(sizeof(struct nm_test_run) == 64, "mirrored in TestRunArguments");
_Static_assert(LIBBPF_WARN == 0 && LIBBPF_INFO == 1 && LIBBPF_DEBUG == 2, "mirrored in LibbpfLevel");

static nm_log_fn log_sink;

static int print_to_sink(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char small[1024];
	char *text = small;
	va_list again;
	int length;
	nm_log_fn sink = __atomic_load_n(&log_sink, __ATOMIC_ACQUIRE);

	if (!sink)
		return 0;
	va_copy(again, arguments);
	length = vsnprintf(small, sizeof(small), format, arguments);
	if (length >= (int)sizeof(small)) {
		char *large = malloc((size_t)length + 1);

		if (large) {
			vsnprintf(large, (size_t)length + 1, format, again);
			text = large;
		}
	}
	va_end(again);
	if (length >= 0)
		sink(level, text);
	if (text != small)
		free(text);
	return 0;
}

void nm_log_to(nm_log_fn sink)
{
	__atomic_store_n(&log_sink, sink, __ATOMIC_RELEASE);
	libbpf_set_print(print_to_sink);
}

int nm_object_open(
	const void *bytes, size_t size, const char *name, char *log, size_t log_size, struct bpf_object **object)
{
	LIBBPF_OPTS(
		bpf_object_open_opts, options, .object_name = name, .kernel_log_buf = log, .kernel_log_size = log_size);

	*object = bpf_object__open_mem(bytes, size, &options);
	return *object ? 0 : -errno;
}

int nm_link_create(int prog_fd, int target, int attach_type, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);

	return bpf_link_create(prog_fd, target, (enum bpf_attach_type)attach_type, &options);
}

int nm_link_update(int link_fd, int prog_fd)
{
	return bpf_link_update(link_fd, prog_fd, NULL);
}

/* struct bpf_link_info of kernel 6.6; the headers of 6.1 end before tcx. */
struct link_info_66 {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	union {
		struct {
			uint64_t cgroup_id;
			uint32_t attach_type;
		} cgroup;
		struct {
			uint32_t ifindex;
			uint32_t attach_type;
		} tcx;
		uint8_t room[64];
	} __attribute__((aligned(8)));
};
_Static_assert(offsetof(struct link_info_66, cgroup) == offsetof(struct bpf_link_info, cgroup), "uapi layout");

enum { LINK_TYPE_CGROUP = 3, LINK_TYPE_TCX = 11 };
_Static_assert(BPF_LINK_TYPE_CGROUP == LINK_TYPE_CGROUP, "uapi value");

int nm_link_facts(int link_fd, struct nm_link_facts *facts)
{
	struct link_info_66 info = {};
	uint32_t size = sizeof(info);
	int err = bpf_obj_get_info_by_fd(link_fd, &info, &size);

	if (err)
		return err < 0 ? -errno : err;
	memset(facts, 0, sizeof(*facts));
	facts->type = info.type;
	facts->id = info.id;
	facts->prog_id = info.prog_id;
	if (info.type == LINK_TYPE_TCX) {
		facts->ifindex = info.tcx.ifindex;
		facts->attach_type = info.tcx.attach_type;
	} else if (info.type == LINK_TYPE_CGROUP) {
		facts->cgroup_id = info.cgroup.cgroup_id;
		facts->attach_type = info.cgroup.attach_type;
	}
	return 0;
}

int nm_prog_facts(int prog_fd, struct nm_prog_facts *facts)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int err = bpf_obj_get_info_by_fd(prog_fd, &info, &size);

	if (err)
		return -errno;
	memset(facts, 0, sizeof(*facts));
	facts->type = info.type;
	facts->id = info.id;
	facts->verified_insns = info.verified_insns;
	facts->xlated_bytes = info.xlated_prog_len;
	facts->run_count = info.run_cnt;
	facts->run_time_ns = info.run_time_ns;
	memcpy(facts->name, info.name, sizeof(facts->name));
	return 0;
}

int nm_map_facts(int map_fd, struct nm_map_facts *facts)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int err = bpf_obj_get_info_by_fd(map_fd, &info, &size);

	if (err)
		return -errno;
	memset(facts, 0, sizeof(*facts));
	facts->type = info.type;
	facts->id = info.id;
	facts->key_size = info.key_size;
	facts->value_size = info.value_size;
	facts->max_entries = info.max_entries;
	facts->map_flags = info.map_flags;
	memcpy(facts->name, info.name, sizeof(facts->name));
	return 0;
}

/* The query part of union bpf_attr, kernel 6.6. */
struct prog_query_66 {
	uint32_t target;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint32_t pad0;
	uint64_t prog_attach_flags;
	uint64_t link_ids;
	uint64_t link_attach_flags;
	uint64_t revision;
};
_Static_assert(sizeof(struct prog_query_66) == 64, "uapi layout");

int nm_prog_query(int target, int attach_type, uint32_t *prog_ids, uint32_t *link_ids, uint32_t *count)
{
	struct prog_query_66 query = {
		.target = (uint32_t)target,
		.attach_type = (uint32_t)attach_type,
		.prog_ids = (uint64_t)(uintptr_t)prog_ids,
		.link_ids = (uint64_t)(uintptr_t)link_ids,
		.count = *count,
	};
	long err = syscall(__NR_bpf, BPF_PROG_QUERY, &query, sizeof(query));

	*count = query.count;
	return err < 0 ? -errno : 0;
}

/* libbpf answers 0 or -errno; *count is how many elements were done, also on failure. */
int nm_map_batch_update(int map_fd, const void *keys, const void *values, uint32_t *count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);

	return bpf_map_update_batch(map_fd, keys, values, count, &options);
}

int nm_map_batch_delete(int map_fd, const void *keys, uint32_t *count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);

	return bpf_map_delete_batch(map_fd, keys, count, &options);
}

int nm_map_batch_lookup(int map_fd, void *in, void *out, void *keys, void *values, uint32_t *count)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);

	return bpf_map_lookup_batch(map_fd, in, out, keys, values, count, &options);
}

int nm_map_create(
	int type, const char *name, uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);

	return bpf_map_create((enum bpf_map_type)type, name, key_size, value_size, max_entries, &options);
}

int nm_prog_test_run(int prog_fd, struct nm_test_run *run)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = run->data_in, .data_out = run->data_out,
		.data_size_in = run->data_size_in, .data_size_out = run->data_size_out, .ctx_in = run->ctx_in,
		.ctx_out = run->ctx_out, .ctx_size_in = run->ctx_size_in, .ctx_size_out = run->ctx_size_out,
		.repeat = (int)run->repeat, .flags = run->flags);
	int err = bpf_prog_test_run_opts(prog_fd, &options);

	run->data_size_out = options.data_size_out;
	run->ctx_size_out = options.ctx_size_out;
	run->retval = options.retval;
	run->duration_ns = options.duration;
	return err;
}

int nm_ring_open(int map_fd, nm_ring_fn sink, void *context, struct ring_buffer **ring)
{
	*ring = ring_buffer__new(map_fd, sink, context, NULL);
	return *ring ? 0 : -errno;
}

int nm_prog_load_probe(int type, int attach_type, const void *insns, uint32_t count, char *log, uint32_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = (enum bpf_attach_type)attach_type,
		.log_buf = log, .log_size = log_size, .log_level = log ? 1 : 0);
	int fd = bpf_prog_load((enum bpf_prog_type)type, "nm_probe", "Dual BSD/GPL", insns, count, &options);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}
