/* SPDX-License-Identifier: MIT */
/*
 * The types of the kernel that the BPF program reads, and of them only what it
 * reads: libbpf finds where a member is in the kernel that runs. So the build
 * needs no kernel with BTF, and its result serves any.
 */
#ifndef TOOL_COUNT_KERNEL_H
#define TOOL_COUNT_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

enum {
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum {
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

/* Its number is that of the kernel that runs, too. */
enum cgroup_subsys_id {
	cpuacct_cgrp_id = 2,
};

struct kernfs_node {
	__u64 id;
	const char *name;
};

struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
};

struct thread_info {
	__u32 cpu;
};

struct task_struct {
	struct thread_info thread_info;
	int pid;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct css_set *cgroups;
};

#pragma clang attribute pop

#endif
