// SPDX-License-Identifier: MIT
/*
 * CPU time of cgroups of version 2 without BPF. cpu.stat has all of it, but not on
 * which node. Perf events tell that of the cgroups that use most, where they are
 * allowed; what is left is spread as the cgroup's threads are, an estimate.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <numatally/kernel_tree.h>

#include "agent/agent.h"

/* To open the events of one cgroup takes 0.1 ms a CPU. */
#define MOST_GROUPS 16
#define MOST_FRESH  4 /* a round */

/* Descriptors for everything else. */
#define OTHER_FILES 256

/* ---- perf events ----------------------------------------------------------- */

static int open_events(struct agent *a, const char *path,
		       struct tally_events **events)
{
	int fd = hierarchy_directory(&a->hierarchy, path), err;

	if (fd < 0)
		return fd;
	err = tally_kernel_events_open(a->topo, TALLY_EVENTS_CGROUP, getpid(),
				       NULL, fd, events);
	close(fd);
	if (!err)
		err = tally_kernel_events_start(*events);
	return err;
}

int spread_open(struct agent *a)
{
	struct tally_tree *self;
	unsigned int each = tally_topo_nr_cpus(a->topo) * TALLY_NR_EVENTS;
	struct tally_events *events = NULL;
	struct rlimit files;
	rlim_t nr;
	int err;

	/* It may be of another PID namespace. */
	a->in_proc = !tally_kernel_tree_create(NULL, getpid(), true, &self);
	if (a->in_proc)
		tally_kernel_tree_destroy(self);
	if (getrlimit(RLIMIT_NOFILE, &files))
		return -errno;
	files.rlim_cur = files.rlim_max;
	nr = setrlimit(RLIMIT_NOFILE, &files) ? 0 : files.rlim_max;
	nr = nr > OTHER_FILES ? (nr - OTHER_FILES) / each : 0;
	err = nr ? open_events(a,
			       a->hierarchy.prefix[0] ? a->hierarchy.prefix
						      : "/",
			       &events)
		 : -EMFILE;
	tally_kernel_events_close(events);
	if (!err)
		a->most_events = nr < MOST_GROUPS ? (unsigned int)nr
						  : MOST_GROUPS;
	return err;
}

/* What its events counted on each node since the last round, as g->weights. Returns
 * the sum; 0: they tell nothing. */
static int64_t read_events(struct agent *a, struct group *g)
{
	int64_t sum = 0;

	if (!g->events || tally_kernel_events_read(g->events))
		return 0;
	for (unsigned int i = 0; i < tally_topo_nr_nodes(a->topo); i++) {
		const struct tally_event_counts *row =
			tally_kernel_events_row(g->events, i);
		int n = book_node(&a->book, tally_topo_node(a->topo, i)->id);

		if (n < 0)
			continue;
		g->weights[n] = row->count[TALLY_EVENT_CPU_NS] - g->seen[n];
		g->seen[n] = row->count[TALLY_EVENT_CPU_NS];
		sum += g->weights[n];
	}
	return sum;
}

static void close_events(struct agent *a, struct group *g)
{
	if (!g->events)
		return;
	tally_kernel_events_close(g->events);
	g->events = NULL;
	a->nr_events--;
}

void spread_forget(struct agent *a, struct group *g)
{
	close_events(a, g);
}

static void begin_events(struct agent *a, struct group *g)
{
	if (open_events(a, g->path, &g->events)) {
		tally_kernel_events_close(g->events);
		g->events = NULL;
		return;
	}
	a->nr_events++;
	memset(g->seen, 0, a->book.nr_nodes * sizeof(*g->seen));
}

static struct group *least_busy(const struct agent *a)
{
	struct group *g, *least = NULL;

	EACH_GROUP(a, g)
	if (g->events && (!least || g->recent_ns < least->recent_ns))
		least = g;
	return least;
}

/* Events of a cgroup count what is in it, too: those with parts, which by the
 * kernel's rules have hardly any process themselves, get none. */
static void choose(struct agent *a)
{
	unsigned int fresh = 0;
	struct group *g, *least;

	EACH_GROUP(a, g)
	{
		if (g->events && g->has_parts)
			close_events(a, g);
		if (g->events || g->has_parts || !g->recent_ns || !g->has_cpu ||
		    !g->path || fresh == MOST_FRESH)
			continue;
		if (a->nr_events == a->most_events) {
			least = least_busy(a);
			if (!least || g->recent_ns / 2 <= least->recent_ns)
				continue;
			close_events(a, least);
		}
		begin_events(a, g);
		fresh++;
	}
}

/* ---- estimates ------------------------------------------------------------- */

static void take_thread(void *data, int cpu)
{
	struct agent *a = data;
	int node = cpu < 0 ? -1 : cpu_node(a, (unsigned int)cpu);

	if (node >= 0)
		a->cpus[node]++;
}

static int64_t sum_of(const struct agent *a, const int64_t *weights)
{
	int64_t sum = 0;

	for (unsigned int n = 0; n < a->book.nr_nodes; n++)
		sum += weights[n];
	return sum;
}

/* Weigh by the threads on each node; where there are none, as before; else by
 * CPUs. */
static void weigh(struct agent *a, struct group *g)
{
	const size_t bytes = a->book.nr_nodes * sizeof(*a->cpus);

	memset(a->cpus, 0, bytes);
	if (a->in_proc)
		hierarchy_threads(&a->hierarchy, g->path, take_thread, a);
	if (!sum_of(a, a->cpus) && !sum_of(a, g->weights))
		for (unsigned int c = 0; c < tally_topo_nr_cpus(a->topo); c++)
			take_thread(a, (int)c);
	if (sum_of(a, a->cpus))
		memcpy(g->weights, a->cpus, bytes);
}

/* The remainder of the division goes to the node with most. */
static int share(struct agent *a, const struct group *g, int what, int64_t ns)
{
	int64_t left = ns, sum = sum_of(a, g->weights);
	unsigned int most = 0;
	int err = 0;

	for (unsigned int n = 0; n < a->book.nr_nodes && !err && sum; n++) {
		int64_t part = (int64_t)((double)ns * (double)g->weights[n] /
					 (double)sum);

		if (g->weights[n] > g->weights[most])
			most = n;
		err = cpu_charge(a, g, n, what, part);
		left -= part;
	}
	return err ? err : cpu_charge(a, g, most, what, left);
}

/* ---- a round --------------------------------------------------------------- */

/* Events can count more than cpu.stat, which leaves out what a hypervisor took, and
 * less, at switches and exits. */
static int spread(struct agent *a, struct group *g)
{
	int64_t counted = read_events(a, g), own = g->own_ns;
	int err;

	if (own < 0)
		own = 0; /* its parts were read later: less of it next time */
	g->own_ns -= own;
	g->recent_ns = g->recent_ns / 2 + own;
	if (!own)
		return 0;
	if (!counted)
		weigh(a, g);
	if (counted > own)
		counted = own;
	err = share(a, g, CPU_NS, counted);
	return err ? err : share(a, g, CPU_ESTIMATE, own - counted);
}

static void read_own(struct agent *a, struct group *g)
{
	int64_t total;

	g->change[0] = 0;
	if (hierarchy_total(&a->hierarchy, g->path, &total))
		return;
	g->change[0] = total - g->usage[0];
	g->usage[0] = total;
	g->own_ns += g->change[0];
}

int spread_read(struct agent *a)
{
	struct group *g, *parent;
	int err = 0;

	EACH_GROUP(a, g)
	{
		g->has_parts = false;
		if (cpu_has_usage(g))
			read_own(a, g);
	}
	EACH_GROUP(a, g)
	{
		parent = cpu_has_usage(g) ? cpu_parent(a, g) : NULL;
		if (!parent)
			continue;
		parent->own_ns -= g->change[0];
		parent->has_parts = true;
	}
	EACH_GROUP(a, g)
	{
		if (!cpu_has_usage(g))
			continue;
		if (!a->begun)
			g->own_ns = 0;
		else if (!err)
			err = spread(a, g);
	}
	a->begun = true;
	if (!err && a->most_events)
		choose(a);
	return err;
}
