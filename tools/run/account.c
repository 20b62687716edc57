// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "run/account.h"
#include "run/child.h"

#define NS_PER_MS INT64_C(1000000)

/* Samples are frequent, since a command may be short, but take at most one part
 * of the time in this many. */
#define SAMPLE_FIRST_NS	 (2 * NS_PER_MS)
#define SAMPLE_LAST_NS	 (50 * NS_PER_MS)
#define SAMPLE_COST_PART 100

/*
 * Each inherited event adds 1.6 us to a fork (240 us instead of 140 with this
 * many: measured with up to 128); events of a cgroup add nothing. With fewer,
 * the command is better left in its own cgroup.
 */
#define INHERIT_MAX_EVENTS 64

static int open_events(struct run_account *a, int way, pid_t pid)
{
	int ret = 0;

	if (way == TALLY_EVENTS_CGROUP)
		ret = run_cgroup_create(pid, &a->cgroup);
	if (way == RUN_BY_BPF)
		ret = counter_open_command(pid, &a->counter);
	else if (!ret)
		ret = tally_kernel_events_open(
			a->topo, (enum tally_events_way)way, pid, a->tree,
			a->cgroup.fd, &a->events);
	if (!ret)
		a->way = way;
	return ret;
}

static const char *perf_error(int ret)
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

/* Loading the program takes as long as some hundred forks: where all CPUs are of
 * one node, it would tell no more than the others. */
static int try_bpf(struct run_account *a, int asked, pid_t pid)
{
	int ret;

	if (asked != RUN_BY_BPF &&
	    (asked >= 0 || tally_topo_nr_nodes(a->topo) == 1))
		return -ECANCELED;
	ret = open_events(a, RUN_BY_BPF, pid);
	if (ret && asked == RUN_BY_BPF)
		run_note(&a->notes, "no BPF: %s",
			 ret == -ENOSYS ? "numatally was built without"
					: strerror(-ret));
	return ret;
}

/* The way that was asked for, or the best one that is allowed. */
static int choose_events(struct run_account *a, int asked, pid_t pid)
{
	unsigned int nr_events =
		tally_kernel_events_nr_inherited(a->topo, TALLY_EVENTS_INHERIT);
	int ret = -ENOENT;

	if (!try_bpf(a, asked, pid))
		return 0;
	if (asked == RUN_BY_BPF)
		asked = -1;

	/* Events of a cgroup need a set per CPU. */
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
				 perf_error(ret));
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
	if (tally_topo_hidden(NULL))
		run_note(&a->notes, "/sys/devices/system shows no nodes: "
				    "everything is on node 0");
	nr_nodes = tally_topo_nr_nodes(a->topo);
	a->counts = calloc(nr_nodes + 1, sizeof(*a->counts));
	a->amounts = calloc(nr_nodes, sizeof(*a->amounts));
	if (!a->counts || !a->amounts)
		return -ENOMEM;
	ret = open_counters(a, o, child->pid);
	if (ret)
		return ret;
	child->in_proc = a->tree != NULL;
	run_memory_open(&a->memory, a->topo, a->tree, child, &a->notes);
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
	int ret = a->events ? tally_kernel_events_start(a->events) : 0;
	int64_t now = now_ns();

	if (ret)
		run_note(&a->notes, "events: %s", strerror(-ret));
	a->step_ns = SAMPLE_FIRST_NS;
	a->read_due_ns = now + a->step_ns;
	run_memory_start(&a->memory);
}

static void add_sum(const struct run_account *a, int cpu,
		    const struct counter_sum *sum)
{
	int node = tally_topo_cpu_node(a->topo, cpu);
	int index = node < 0 ? -1 : tally_topo_index(a->topo, node);
	int64_t *count = a->counts[index < 0 ? tally_topo_nr_nodes(a->topo)
					     : (unsigned int)index]
				 .count;

	count[TALLY_EVENT_CPU_NS] += (int64_t)sum->cpu_ns;
	count[TALLY_EVENT_PAGE_FAULTS] += (int64_t)sum->faults;
	count[TALLY_EVENT_CONTEXT_SWITCHES] += (int64_t)sum->switches;
	count[TALLY_EVENT_MIGRATIONS] += (int64_t)sum->migrations;
}

static int read_counter(struct run_account *a)
{
	const struct counter_sum *sums;
	unsigned int nr;
	int ret = counter_read(a->counter, &sums, &nr);

	if (ret < 0)
		return ret;
	if (ret)
		run_note(&a->notes,
			 "there was no memory to count some processes");
	memset(a->counts, 0,
	       (tally_topo_nr_nodes(a->topo) + 1) * sizeof(*a->counts));
	for (unsigned int cpu = 0; cpu < nr; cpu++)
		add_sum(a, (int)cpu, &sums[cpu]);
	return 0;
}

static int count_events(struct run_account *a)
{
	int ret = tally_kernel_events_read(a->events);

	for (unsigned int i = 0; i <= tally_topo_nr_nodes(a->topo); i++)
		a->counts[i] = *tally_kernel_events_row(a->events, i);
	return ret;
}

/* Read the events: soon at first, since a command may be short, then at the
 * interval. */
static void read_events(struct run_account *a)
{
	unsigned int nr_nodes = tally_topo_nr_nodes(a->topo);
	int64_t longest = a->interval_ns;
	int64_t before = now_ns(), now;
	int ret = a->counter ? read_counter(a) : count_events(a);

	if (ret)
		run_note(&a->notes, "events: %s", strerror(-ret));
	for (unsigned int i = 0; i < nr_nodes; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++)
			a->amounts[i].of[e] = a->counts[i].count[e];
	now = now_ns();
	if (is_sampled(a) && longest > SAMPLE_LAST_NS)
		longest = SAMPLE_LAST_NS;
	a->step_ns *= 2;
	if (a->step_ns > longest)
		a->step_ns = longest;
	if (a->step_ns < (now - before) * SAMPLE_COST_PART)
		a->step_ns = (now - before) * SAMPLE_COST_PART;
	a->read_due_ns = now + a->step_ns;
}

/* Charge what the last sample saw. */
static void take_memory(struct run_account *a)
{
	const struct tally_mem_result *result = run_memory_result(&a->memory);

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
	int64_t memory_due;
	bool is_read = run_memory_tick(&a->memory);

	if (is_read)
		take_memory(a);
	if (now_ns() >= a->read_due_ns) {
		read_events(a);
		is_read = true;
	}
	if (is_read)
		run_ledger_charge(&a->ledger, a->amounts);
	memory_due = run_memory_due(&a->memory);
	return memory_due < a->read_due_ns ? memory_due : a->read_due_ns;
}

static void count_left(struct run_account *a)
{
	if (!a->tree || tally_kernel_tree_refresh(a->tree))
		return;
	a->nr_left = 0;
	for (unsigned int i = 0; i < tally_kernel_tree_nr(a->tree); i++)
		if (tally_kernel_tree_row(a->tree, i)->state != 'Z')
			a->nr_left++;
}

/* Compare what was counted with the usage of the processes that were waited
 * for, which Linux knows exactly. */
static void reconcile(struct run_account *a, const struct run_child *child)
{
	const struct rusage *usage = &child->usage;
	const int64_t totals[TALLY_NR_EVENTS] = {
		[TALLY_EVENT_CPU_NS] = run_time_ns(&usage->ru_utime) +
				       run_time_ns(&usage->ru_stime),
		[TALLY_EVENT_PAGE_FAULTS] = usage->ru_minflt + usage->ru_majflt,
		[TALLY_EVENT_CONTEXT_SWITCHES] =
			usage->ru_nvcsw + usage->ru_nivcsw,
		[TALLY_EVENT_MIGRATIONS] = -1, /* not in rusage */
	};
	int64_t lost, faults = 0;

	read_events(a);
	for (unsigned int i = 0; i <= tally_topo_nr_nodes(a->topo); i++)
		faults += a->counts[i].count[TALLY_EVENT_PAGE_FAULTS];
	/* The kernel adds nothing to its parent's counts of a process for which
	 * nobody has to wait (SA_NOCLDWAIT). */
	if (a->way != TALLY_EVENTS_SAMPLE && a->tree &&
	    !tally_kernel_tree_nr(a->tree) &&
	    faults > totals[TALLY_EVENT_PAGE_FAULTS])
		run_memory_unbound(&a->memory);
	if (a->counter)
		return;
	tally_kernel_events_reconcile(a->events, totals, TALLY_NR_EVENTS,
				      usage->ru_nvcsw);
	a->estimates = tally_kernel_events_estimates(a->events);
	read_events(a);
	lost = tally_kernel_events_lost_ns(a->events);
	if (lost && a->way == TALLY_EVENTS_INHERIT)
		run_note(
			&a->notes,
			"%.3f s of CPU time had no events (a setuid program?): "
			"%s",
			(double)lost / 1e9,
			tally_topo_nr_nodes(a->topo) > 1
				? "it is of no node"
				: "its migrations are not counted");
	else if (lost)
		run_note(&a->notes,
			 "%.3f s of CPU time had no events: a CPU came or went",
			 (double)lost / 1e9);
}

void run_account_finish(struct run_account *a, const struct run_child *child)
{
	int ret;

	count_left(a);
	run_memory_finish(&a->memory);
	reconcile(a, child);
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
	counter_close(a->counter);
	run_memory_close(&a->memory);
	tally_kernel_tree_destroy(a->tree);
	tally_topo_close(a->topo);
	run_cgroup_destroy(&a->cgroup);
	run_notes_clear(&a->notes);
	free(a->counts);
	free(a->amounts);
	memset(a, 0, sizeof(*a));
	a->cgroup.fd = -1;
}
