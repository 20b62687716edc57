// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_account.h"
#include "run_child.h"

#define NS_PER_MS INT64_C(1000000)

/* Sampling looks often, as a command may be short, but for one part in so many
 * of the time only. */
#define SAMPLE_FIRST_NS	 (2 * NS_PER_MS)
#define SAMPLE_LAST_NS	 (50 * NS_PER_MS)
#define SAMPLE_COST_PART 100

/*
 * A fork takes 1.6 us longer for each inherited event (240 us instead of 140
 * with so many: measured with up to 128), and no longer for a cgroup's. Below
 * it, the command is rather left in the cgroup where it was.
 */
#define INHERIT_MAX_EVENTS 64

static int open_events(struct run_account *a, enum tally_events_way way,
		       pid_t pid)
{
	int ret = 0;

	if (way == TALLY_EVENTS_CGROUP)
		ret = run_cgroup_create(pid, &a->cgroup);
	if (!ret)
		ret = tally_kernel_events_open(a->topo, way, pid, a->tree,
					       a->cgroup.fd, &a->events);
	if (!ret)
		a->way = way;
	return ret;
}

static const char *say_perf_error(int ret)
{
	if (ret == -EACCES || ret == -EPERM)
		return "the kernel does not allow perf events "
		       "(kernel.perf_event_paranoid?)";
	if (ret == -EMFILE || ret == -ENFILE)
		return "too few file descriptors for perf events (ulimit -n)";
	if (ret == -ENOSYS)
		return "the kernel has no perf events";
	return strerror(-ret);
}

/* The best way that is allowed, or the one that was asked for. */
static int choose_events(struct run_account *a, int asked, pid_t pid)
{
	unsigned int nr_events = tally_kernel_events_nr_inherited(a->topo);
	int ret = -ENOENT;

	/* A cgroup's are one set per CPU, in any case. */
	run_child_raise_files((unsigned long)tally_topo_nr_cpus(a->topo) *
				      TALLY_NR_EVENTS +
			      nr_events);
	if (asked == TALLY_EVENTS_CGROUP ||
	    (asked < 0 && nr_events > INHERIT_MAX_EVENTS))
		ret = open_events(a, TALLY_EVENTS_CGROUP, pid);
	if (ret && asked == TALLY_EVENTS_CGROUP)
		run_note(&a->notes, "no events of a cgroup: %s",
			 strerror(-ret));
	if (ret && asked != TALLY_EVENTS_SAMPLE) {
		ret = open_events(a, TALLY_EVENTS_INHERIT, pid);
		if (ret)
			run_note(&a->notes, "%s: counts are sampled",
				 say_perf_error(ret));
	}
	if (ret)
		ret = open_events(a, TALLY_EVENTS_SAMPLE, pid);
	if (!ret)
		a->estimates = tally_kernel_events_estimates(a->events);
	return ret;
}

static int open_counters(struct run_account *a, const struct run_options *o,
			 pid_t pid)
{
	int ret = tally_kernel_tree_create(NULL, getpid(), false, &a->tree);

	if (ret) {
		run_note(&a->notes,
			 "/proc does not show the command's processes: %s",
			 strerror(-ret));
		return choose_events(a, o->way, pid);
	}
	ret = tally_kernel_mem_create(NULL, NULL, &a->mem);
	if (ret)
		run_note(&a->notes, "memory is not counted: %s",
			 strerror(-ret));
	return choose_events(a, o->way, pid);
}

int run_account_open(struct run_account *a, const struct run_options *o,
		     struct run_child *child, const char *command)
{
	unsigned int nr_nodes;
	int ret;

	memset(a, 0, sizeof(*a));
	a->cgroup.fd = -1;
	ret = tally_topo_open(NULL, &a->topo);
	if (ret)
		return ret;
	nr_nodes = tally_topo_nr_nodes(a->topo);
	a->counts = calloc(nr_nodes + 1, sizeof(*a->counts));
	a->amounts = calloc(nr_nodes, sizeof(*a->amounts));
	if (!a->counts || !a->amounts)
		return -ENOMEM;
	ret = open_counters(a, o, child->pid);
	if (ret)
		return ret;
	a->interval_ns = o->interval_ns;
	run_ledger_open(&a->ledger, o->ledger, a->topo, child->pid, command,
			&a->notes);
	return 0;
}

static bool is_sampled(const struct run_account *a)
{
	return a->estimates != 0;
}

void run_account_start(struct run_account *a)
{
	int ret = tally_kernel_events_start(a->events);
	int64_t now = run_now();

	if (ret)
		run_note(&a->notes, "events: %s", strerror(-ret));
	a->step_ns = SAMPLE_FIRST_NS;
	a->read_due_ns = now + a->step_ns;
	a->mem_due_ns = now;
}

/* Reading the events: soon at first, since a command may be short, then at
 * the interval. */
static void read_events(struct run_account *a)
{
	unsigned int nr_nodes = tally_topo_nr_nodes(a->topo);
	int64_t longest = a->interval_ns;
	int64_t before = run_now(), now;
	int ret = tally_kernel_events_read(a->events, a->counts);

	if (ret)
		run_note(&a->notes, "events: %s", strerror(-ret));
	for (unsigned int i = 0; i < nr_nodes; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++)
			a->amounts[i].of[e] = a->counts[i].count[e];
	now = run_now();
	if (is_sampled(a) && longest > SAMPLE_LAST_NS)
		longest = SAMPLE_LAST_NS;
	a->step_ns *= 2;
	if (a->step_ns > longest)
		a->step_ns = longest;
	if (a->step_ns < (now - before) * SAMPLE_COST_PART)
		a->step_ns = (now - before) * SAMPLE_COST_PART;
	a->read_due_ns = now + a->step_ns;
}

static void read_memory(struct run_account *a)
{
	const struct tally_mem_result *result;
	int ret = tally_kernel_mem_sample(a->mem, a->tree);

	a->mem_due_ns = tally_kernel_mem_due(a->mem);
	if (ret) {
		run_note(&a->notes, "memory: %s", strerror(-ret));
		return;
	}
	result = tally_kernel_mem_result(a->mem);
	for (unsigned int i = 0; i < result->nr_nodes; i++) {
		const struct tally_mem_node *node = &result->nodes[i];
		int index = tally_topo_index(a->topo, node->node);

		if (index < 0)
			continue;
		for (int k = 0; k < TALLY_NR_MEM; k++)
			a->amounts[index].of[TALLY_NR_EVENTS + k] =
				node->now[k].bytes;
	}
}

int64_t run_account_tick(struct run_account *a)
{
	int64_t now = run_now();
	bool is_read = false;

	if (a->mem && now >= a->mem_due_ns) {
		read_memory(a);
		is_read = true;
	}
	if (now >= a->read_due_ns) {
		read_events(a);
		is_read = true;
	}
	if (is_read)
		run_ledger_charge(&a->ledger, a->amounts);
	return a->mem && a->mem_due_ns < a->read_due_ns ? a->mem_due_ns
							: a->read_due_ns;
}

static int64_t to_ns(const struct timeval *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_usec * INT64_C(1000);
}

static void count_left(struct run_account *a)
{
	const struct tally_process *processes;
	unsigned int nr;

	if (!a->tree || tally_kernel_tree_refresh(a->tree))
		return;
	processes = tally_kernel_tree_processes(a->tree, &nr);
	a->nr_left = 0;
	for (unsigned int i = 0; i < nr; i++)
		if (processes[i].state != 'Z')
			a->nr_left++;
}

/* Holds what was counted against what was waited for, whose sum Linux knows
 * for certain. */
static void settle(struct run_account *a, const struct run_child *child)
{
	const struct rusage *usage = &child->usage;
	struct tally_event_counts totals = {{
		[TALLY_EVENT_CPU_NS] =
			to_ns(&usage->ru_utime) + to_ns(&usage->ru_stime),
		[TALLY_EVENT_PAGE_FAULTS] = usage->ru_minflt + usage->ru_majflt,
		[TALLY_EVENT_CONTEXT_SWITCHES] =
			usage->ru_nvcsw + usage->ru_nivcsw,
		[TALLY_EVENT_MIGRATIONS] = -1, /* rusage doesn't say */
	}};
	struct tally_event_counts *none =
		&a->counts[tally_topo_nr_nodes(a->topo)];
	int64_t before;

	read_events(a);
	before = none->count[TALLY_EVENT_CPU_NS];
	tally_kernel_events_settle(a->events, &totals);
	read_events(a);
	if (a->way == TALLY_EVENTS_INHERIT &&
	    none->count[TALLY_EVENT_CPU_NS] > before)
		run_note(&a->notes,
			 "%.3f s of CPU time had no events, and are of no "
			 "node (setuid programs, or the ends of many short "
			 "ones?)",
			 (double)(none->count[TALLY_EVENT_CPU_NS] - before) /
				 1e9);
}

void run_account_finish(struct run_account *a, const struct run_child *child)
{
	int ret;

	count_left(a);
	settle(a, child);
	run_ledger_charge(&a->ledger, a->amounts);
	ret = run_cgroup_destroy(&a->cgroup);
	if (ret)
		run_note(&a->notes, "left the cgroup %s: %s", a->cgroup.path,
			 ret == -EBUSY ? "processes live in it"
				       : strerror(-ret));
}

void run_account_close(struct run_account *a, bool keep)
{
	run_ledger_close(&a->ledger, keep);
	tally_kernel_events_close(a->events);
	tally_kernel_mem_destroy(a->mem);
	tally_kernel_tree_destroy(a->tree);
	tally_topo_close(a->topo);
	run_cgroup_destroy(&a->cgroup);
	run_notes_clear(&a->notes);
	free(a->counts);
	free(a->amounts);
	memset(a, 0, sizeof(*a));
	a->cgroup.fd = -1;
}
