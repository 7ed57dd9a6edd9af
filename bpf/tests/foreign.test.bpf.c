/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What another owner might put on a pod's interface: it ends the hook, so that whoever comes after is not asked. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int foreign_pass(struct __sk_buff *skb)
{
	return 0; /* TCX_PASS, TC_ACT_OK */
}

char nm_license[] SEC("license") = "Dual BSD/GPL";
