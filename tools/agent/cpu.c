// SPDX-License-Identifier: MIT
/* CPU time, page faults, switches and migrations of cgroups: by the BPF program, from
 * version 1's cpuacct.usage_percpu, or see spread.c. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"

static const char *const names[NR_CPU] = {
	[CPU_NS] = "cpu_ns",
	[CPU_FAULTS] = "page_faults",
	[CPU_SWITCHES] = "context_switches",
	[CPU_MIGRATIONS] = "migrations",
	[CPU_ESTIMATE] = "cpu_estimate_ns",
};

/* ---- opening -------------------------------------------------------------- */

/* Whether the machine tells it. */
static bool has_column(const struct agent *a, int i)
{
	bool spread = !a->counter && a->hierarchy.version == 2;

	if (i == CPU_ESTIMATE)
		return spread;
	if (i == CPU_NS && spread)
		return a->most_events;
	return a->counter || (a->hierarchy.version == 1 && i == CPU_NS);
}

static int add_columns(struct agent *a)
{
	for (int i = 0; i < NR_CPU; i++) {
		bool is_time = i == CPU_NS || i == CPU_ESTIMATE;

		a->cpu_columns[i] = -1;
		if (!has_column(a, i))
			continue;
		a->cpu_columns[i] = book_column(
			&a->book, names[i], is_time ? "ns" : "", TALLY_COUNTER);
		if (a->cpu_columns[i] < 0)
			return a->cpu_columns[i];
	}
	return 0;
}

/* Choose what there is without BPF, and print which it is. */
static void say(struct agent *a, const char *bpf)
{
	int err;

	if (a->counter) {
		warnx("CPU time is counted by BPF, of cgroups of version %d",
		      a->hierarchy.version);
	} else if (a->hierarchy.version == 1) {
		warnx("CPU time is cpuacct.usage_percpu alone: no faults, "
		      "switches and migrations; BPF: %s",
		      bpf);
	} else {
		err = spread_open(a);
		if (err)
			warnx("CPU time by node is an estimate from threads; "
			      "BPF: %s; perf events: %s",
			      bpf, strerror(-err));
		else
			warnx("CPU time by node is counted by perf events of "
			      "%u cgroups, and else an estimate; BPF: %s",
			      a->most_events, bpf);
	}
}

int cpu_open(struct agent *a)
{
	int err = hierarchy_find(a->version, &a->hierarchy);

	if (err) {
		warnx("CPU time is left out: no cgroups of version %s",
		      a->version == 1	? "1 with cpuacct"
		      : a->version == 2 ? "2"
					: "1 or 2");
		return add_columns(a);
	}
	err = a->no_bpf ? -ECANCELED
			: counter_open_groups(a->hierarchy.version,
					      a->hierarchy.number, &a->counter);
	say(a, a->no_bpf ? "not wanted" : strerror(-err));
	return add_columns(a);
}

void cpu_close(struct agent *a)
{
	counter_close(a->counter);
	hierarchy_free(&a->hierarchy);
	free(a->cpus);
	free(a->sums);
}

/* ---- charging ------------------------------------------------------------- */

static int charge(struct agent *a, const struct group *g, unsigned int node,
		  const int64_t *amounts)
{
	struct tally_amount charge[NR_CPU];
	unsigned int nr = 0;

	for (int i = 0; i < NR_CPU; i++) {
		if (amounts[i] <= 0 || a->cpu_columns[i] < 0)
			continue;
		charge[nr++] = (struct tally_amount){
			(unsigned int)a->book.columns[a->cpu_columns[i]].number,
			amounts[i]};
		if (i == CPU_NS || i == CPU_ESTIMATE)
			g->ran[node] += amounts[i];
	}
	return nr ? tally_ledger_charge(a->book.ledger, g->account,
					a->book.nodes[node], charge, nr)
		  : 0;
}

int cpu_charge(struct agent *a, const struct group *g, unsigned int node,
	       int what, int64_t amount)
{
	int64_t amounts[NR_CPU] = {0};

	amounts[what] = amount;
	return charge(a, g, node, amounts);
}

int cpu_node(struct agent *a, unsigned int cpu)
{
	int node = tally_topo_cpu_node(a->topo, (int)cpu);

	return node < 0 ? node : book_node(&a->book, node);
}

/* ---- BPF ------------------------------------------------------------------ */

/* What a CPU of no known node counted comes once its node is known. */
static int count(struct agent *a, struct group *g,
		 const struct counter_sum *sums, unsigned int nr)
{
	int err = 0;

	memset(a->sums, 0, a->book.nr_nodes * sizeof(*a->sums));
	for (unsigned int cpu = 0; cpu < nr; cpu++) {
		int node;

		if (!sums[cpu].cpu_ns && !sums[cpu].faults &&
		    !sums[cpu].switches && !sums[cpu].migrations)
			continue;
		node = cpu_node(a, cpu);
		if (node < 0) {
			a->reread = true;
			continue;
		}
		a->sums[node][CPU_NS] += (int64_t)sums[cpu].cpu_ns;
		a->sums[node][CPU_FAULTS] += (int64_t)sums[cpu].faults;
		a->sums[node][CPU_SWITCHES] += (int64_t)sums[cpu].switches;
		a->sums[node][CPU_MIGRATIONS] += (int64_t)sums[cpu].migrations;
	}
	for (unsigned int n = 0; n < a->book.nr_nodes && !err; n++) {
		int64_t amounts[NR_CPU];

		for (int i = 0; i < NR_CPU; i++)
			amounts[i] = a->sums[n][i] - g->cpu[n][i];
		err = charge(a, g, n, amounts);
		if (!err)
			memcpy(g->cpu[n], a->sums[n], sizeof(*g->cpu));
	}
	return err;
}

static void on_event(void *data, const struct counter_event *event)
{
	struct agent *a = data;
	struct group *g = group_by_id(a, event->id), *parent;
	char path[PATH_MAX];
	int n;

	switch (event->kind) {
	case COUNTER_GONE:
		if (g)
			g->has_cpu = false;
		break;
	case COUNTER_BORN:
		parent = group_by_id(a, event->parent);
		if (!parent || !parent->path || g)
			break;
		n = snprintf(path, sizeof(path), "%s/%s",
			     parent->path[1] ? parent->path : "", event->name);
		if (n > 0 && (size_t)n < sizeof(path) && !a->event_err)
			a->event_err = group_open(a, event->id, path, &g);
		break;
	default:
		a->walk = true;
		break;
	}
}

static int take_events(struct agent *a)
{
	int err;

	a->event_err = 0;
	err = counter_read_events(a->counter, on_event, a);
	a->walk |= err > 0;
	return err < 0 ? err : a->event_err;
}

static int on_sums(void *data, uint64_t id, const struct counter_sum *sums,
		   unsigned int nr)
{
	struct agent *a = data;
	struct group *g = group_by_id(a, id);
	int err = 0;

	if (!g) {
		err = take_events(a);
		if (!err && a->walk)
			err = groups_walk(a);
		g = group_by_id(a, id);
	}
	if (!err && !g)
		err = group_open_other(a, id, &g);
	return err ? err : count(a, g, sums, nr);
}

static int read_bpf(struct agent *a)
{
	int err = a->walk ? groups_walk(a) : 0;

	if (!err)
		err = counter_read_groups(a->counter, on_sums, a);
	return err ? err : take_events(a);
}

int cpu_finish(struct agent *a, struct group *g)
{
	const struct counter_sum *sums;
	unsigned int nr;
	int err;

	if (!a->counter || !g->id)
		return 0;
	err = counter_forget_group(a->counter, g->id, &sums, &nr);
	return err ? 0 : count(a, g, sums, nr);
}

/* ---- cpuacct.usage_percpu --------------------------------------------------- */

/* It includes what is in the cgroup: own is what its parts don't have. A part
 * that is gone leaves its last time to its parent. */
static void read_usage(struct agent *a, struct group *g)
{
	unsigned int nr_cpus = tally_topo_nr_cpus(a->topo);
	int nr = hierarchy_usage(&a->hierarchy, g->path, a->cpus, nr_cpus);

	memset(g->change, 0, a->book.nr_nodes * sizeof(*g->change));
	if (nr < 0)
		return;
	for (unsigned int n = 0; n < a->book.nr_nodes; n++)
		g->change[n] = -g->usage[n];
	for (int cpu = 0; cpu < nr; cpu++) {
		int node = cpu_node(a, (unsigned int)cpu);

		if (node >= 0)
			g->change[node] += a->cpus[cpu];
		else if (a->cpus[cpu])
			a->reread = true;
	}
	for (unsigned int n = 0; n < a->book.nr_nodes; n++) {
		g->usage[n] += g->change[n];
		g->cpu[n][CPU_NS] += g->change[n];
	}
}

struct group *cpu_parent(const struct agent *a, const struct group *g)
{
	char path[PATH_MAX];
	char *slash;

	snprintf(path, sizeof(path), "%s", g->path);
	slash = strrchr(path, '/');
	if (!slash || !slash[1])
		return NULL;
	slash[slash == path] = '\0';
	return group_by_path(a, path);
}

static void take_from_parent(struct agent *a, const struct group *g)
{
	struct group *parent = cpu_parent(a, g);

	for (unsigned int n = 0; parent && n < a->book.nr_nodes; n++)
		parent->cpu[n][CPU_NS] -= g->change[n];
}

bool cpu_has_usage(const struct group *g)
{
	return g->has_cpu && g->path && !g->ended_ns;
}

static int read_usages(struct agent *a)
{
	int err = groups_walk(a);
	struct group *g;

	if (err || a->hierarchy.version != 1)
		return err || !a->hierarchy.version ? err : spread_read(a);
	EACH_GROUP(a, g)
	if (cpu_has_usage(g))
		read_usage(a, g);
	EACH_GROUP(a, g)
	if (cpu_has_usage(g))
		take_from_parent(a, g);
	EACH_GROUP(a, g)
	for (unsigned int n = 0; n < a->book.nr_nodes && !err; n++) {
		if (!cpu_has_usage(g) || (g->cpu[n][CPU_NS] <= 0 && a->begun))
			continue;
		if (a->begun)
			err = charge(a, g, n, g->cpu[n]);
		g->cpu[n][CPU_NS] = 0;
	}
	a->begun = true;
	return err;
}

int cpu_read(struct agent *a)
{
	if (!a->sums)
		a->sums = calloc(a->book.nr_nodes, sizeof(*a->sums));
	if (!a->cpus)
		a->cpus = calloc(tally_topo_nr_cpus(a->topo) + a->book.nr_nodes,
				 sizeof(*a->cpus));
	if (!a->sums || !a->cpus)
		return -ENOMEM;
	return a->counter ? read_bpf(a) : read_usages(a);
}
