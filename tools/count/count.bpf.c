// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * Adds up CPU time, page faults, switches and migrations by CPU: of each cgroup,
 * and tells which are born and gone; or of a command, whose descendants it
 * follows.
 *
 * CPU time is what the kernel charges to the task, cpu.stat and cpuacct.usage, at
 * the moment when it does: without what interrupts and a hypervisor took.
 */
#include "count/kernel.h"
#include "count/sums.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The helpers for tracing are for programs under the GPL. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Set before the program is loaded. */
const volatile int command = 0; /* count a command; else cgroups */
const volatile int version = 2;
const volatile int hierarchy = 0;

/* Events or tasks that found no room. */
unsigned long long nr_lost = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct counter_sum);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter_sum);
} whole SEC(".maps");

/* The tasks of the command, with their page faults so far. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} tasks SEC(".maps");

/* The task that a CPU runs, and its page faults so far. */
struct running {
	__u64 task;
	__u64 faults;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct running);
} running SEC(".maps");

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

/* The sum on a CPU of the task's cgroup; NULL: the task does not count. */
static __always_inline struct counter_sum *sum_of(struct task_struct *task,
						  __u32 cpu)
{
	const struct counter_sum none = {};
	struct counter_sum *sum;
	__u32 first = 0;
	__u64 id;

	if (command)
		return bpf_task_storage_get(&tasks, task, 0, 0)
			       ? bpf_map_lookup_percpu_elem(&whole, &first, cpu)
			       : 0;
	id = group_of(task);
	sum = bpf_map_lookup_percpu_elem(&sums, &id, cpu);
	if (sum)
		return sum;
	bpf_map_update_elem(&sums, &id, &none, BPF_NOEXIST);
	return bpf_map_lookup_percpu_elem(&sums, &id, cpu);
}

static __always_inline __u64 faults_of(const struct task_struct *task)
{
	return task->min_flt + task->maj_flt;
}

/* Add what a task of the command faulted since it was looked at. Its end, which holds
 * no lock, may do so at once. */
static __always_inline void add_own_faults(struct counter_sum *sum,
					   struct task_struct *task)
{
	__u64 *seen = bpf_task_storage_get(&tasks, task, 0, 0);
	__u64 faults = faults_of(task), before;

	if (!seen)
		return;
	before = __sync_lock_test_and_set(seen, faults);
	if (before != COUNTER_UNSEEN)
		__sync_fetch_and_add(&sum->faults, faults - before);
}

/* What it faulted before it ran first is not counted. */
static __always_inline void begin_own_faults(struct task_struct *task)
{
	__u64 *seen = bpf_task_storage_get(&tasks, task, 0, 0);

	if (seen && *seen == COUNTER_UNSEEN)
		*seen = faults_of(task);
}

/* Add what the task faulted since this CPU was looked at, if it ran it then. */
static __always_inline void add_faults(struct counter_sum *sum,
				       struct task_struct *task,
				       struct running *here)
{
	__u64 faults = faults_of(task);

	if (command) {
		add_own_faults(sum, task);
		return;
	}
	if (here->task != (__u64)task)
		return;
	sum->faults += faults - here->faults;
	here->faults = faults;
}

/* The kernel charges a task that runs: at each tick, switch and look at it, also
 * from another CPU, which holds the lock of this one's queue. */
SEC("tp_btf/sched_stat_runtime")
int BPF_PROG(on_runtime, struct task_struct *task, __u64 ns)
{
	struct counter_sum *sum = sum_of(task, task->thread_info.cpu);
	struct running *here;
	__u32 first = 0;

	if (!sum)
		return 0;
	sum->cpu_ns += ns;
	here = bpf_map_lookup_elem(&running, &first);
	if (here)
		add_faults(sum, task, here);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev,
	     struct task_struct *next)
{
	struct running *here;
	__u32 first = 0;

	here = bpf_map_lookup_elem(&running, &first);
	if (!here)
		return 0;
	if (prev->pid) { /* not idle */
		struct counter_sum *sum =
			sum_of(prev, bpf_get_smp_processor_id());

		if (sum) {
			sum->switches++;
			add_faults(sum, prev, here);
		}
	}
	if (command)
		begin_own_faults(next);
	here->task = (__u64)next;
	here->faults = faults_of(next);
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *task, int cpu)
{
	struct counter_sum *sum;

	if ((int)task->thread_info.cpu == cpu)
		return 0;
	sum = sum_of(task, (__u32)cpu);
	if (sum)
		__sync_fetch_and_add(&sum->migrations, 1);
	return 0;
}

/* ---- descendants of a command ---------------------------------------------- */

/* Of threads of io_uring, too, for which there is no sched_process_fork. */
SEC("tp_btf/task_newtask")
int BPF_PROG(on_newtask, struct task_struct *task, unsigned long flags)
{
	struct task_struct *parent = bpf_get_current_task_btf();

	if (bpf_task_storage_get(&tasks, parent, 0, 0) &&
	    !bpf_task_storage_get(&tasks, task, 0,
				  BPF_LOCAL_STORAGE_GET_F_CREATE))
		__sync_fetch_and_add(&nr_lost, 1);
	return 0;
}

/* One that waits for the task may read before the task's last switch. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct counter_sum *sum = sum_of(task, bpf_get_smp_processor_id());

	if (sum)
		add_own_faults(sum, task);
	return 0;
}

/* ---- lives of cgroups ------------------------------------------------------ */

static __always_inline int tell(const struct cgroup *group,
				enum counter_event_kind kind)
{
	struct counter_event *event;

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
	return tell(group, COUNTER_BORN);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(on_rmdir, struct cgroup *group, const char *path)
{
	return tell(group, COUNTER_GONE);
}

SEC("tp_btf/cgroup_rename")
int BPF_PROG(on_rename, struct cgroup *group, const char *path)
{
	return tell(group, COUNTER_RENAMED);
}
