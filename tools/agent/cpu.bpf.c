// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Adds up CPU time, switches and migrations by cgroup and CPU, and tells which
 * cgroups are born and gone.
 *
 * CPU time is what the kernel charges to cpu.stat and cpuacct.usage, at the moment
 * when it does: to the same cgroup, and without what interrupts and a hypervisor
 * took.
 */
#include "agent/kernel.h"
#include "agent/sums.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The helpers for tracing are for programs under the GPL. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set before the program is loaded. */
const volatile int version = 2;
const volatile int hierarchy = 0;

unsigned long long nr_lost = 0; /* events that found no room */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct agent_sum);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

static __always_inline __u64 group_of(const struct task_struct *task)
{
	const struct cgroup_subsys_state *css = 0;

	if (version != 1)
		return task->cgroups->dfl_cgrp->kn->id;
	bpf_core_read(&css, sizeof(css),
		      &task->cgroups->subsys[bpf_core_enum_value(
			      enum cgroup_subsys_id, cpuacct_cgrp_id)]);
	return BPF_CORE_READ(css, cgroup, kn, id);
}

/* The sum of the task's cgroup on a CPU, -1: this one. */
static __always_inline struct agent_sum *sum_of(const struct task_struct *task,
						int cpu)
{
	const struct agent_sum none = {};
	__u64 id = group_of(task);
	struct agent_sum *sum =
		cpu < 0 ? bpf_map_lookup_elem(&sums, &id)
			: bpf_map_lookup_percpu_elem(&sums, &id, (__u32)cpu);

	if (sum)
		return sum;
	bpf_map_update_elem(&sums, &id, &none, BPF_NOEXIST);
	return cpu < 0 ? bpf_map_lookup_elem(&sums, &id)
		       : bpf_map_lookup_percpu_elem(&sums, &id, (__u32)cpu);
}

/* The kernel charges a task that runs: at each tick, switch and look at it. */
SEC("tp_btf/sched_stat_runtime")
int BPF_PROG(on_runtime, struct task_struct *task, __u64 ns)
{
	struct agent_sum *sum = sum_of(task, -1);

	if (sum)
		sum->cpu_ns += ns;
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next)
{
	struct agent_sum *sum;

	if (!prev->pid) /* idle */
		return 0;
	sum = sum_of(prev, -1);
	if (sum)
		sum->switches++;
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *task, int cpu)
{
	struct agent_sum *sum;

	if ((int)task->thread_info.cpu == cpu)
		return 0;
	sum = sum_of(task, cpu);
	if (sum)
		__sync_fetch_and_add(&sum->migrations, 1);
	return 0;
}

static __always_inline int tell(const struct cgroup *group,
				enum agent_event_kind kind)
{
	struct agent_event *event;

	if (group->root->hierarchy_id != hierarchy)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&nr_lost, 1);
		return 0;
	}
	event->id = group->kn->id;
	event->parent = BPF_CORE_READ(group, self.parent, cgroup, kn, id);
	event->kind = kind;
	bpf_probe_read_kernel_str(event->name, sizeof(event->name),
				  group->kn->name);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(on_mkdir, struct cgroup *group, const char *path)
{
	return tell(group, AGENT_BORN);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_rmdir, struct cgroup *group, const char *path)
{
	return tell(group, AGENT_GONE);
}

SEC("tp_btf/cgroup_rename")
int BPF_PROG(on_rename, struct cgroup *group, const char *path)
{
	return tell(group, AGENT_RENAMED);
}
