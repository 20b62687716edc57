// SPDX-License-Identifier: MIT
/*
 * Combines what perf events count exactly with samples of what they may not
 * count.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/uncancelled.h"
#include "kernel/events/perf.h"
#include "kernel/events/sample.h"

#define ALL_EVENTS ((1u << TALLY_NR_EVENTS) - 1)

/* Time that is spread is exact up to one part in so many. */
#define SPREAD_EXACT_PART 100

struct tally_events {
	unsigned int nr_rows; /* the last is of no node */
	enum tally_events_way way;
	unsigned int estimates;
	unsigned int sampled_events; /* those that the sampler counts */
	unsigned int inexact;	     /* estimates since the totals were told */
	int64_t lost_ns;       /* CPU time of which events were taken away */
	struct perf_set *perf; /* NULL: all is sampled */
	struct task_sampler *sampler;	    /* always set: it knows what went
					 before */
	struct tally_event_counts *counted; /* by perf, or sampled, so far */
	struct tally_event_counts *sampled;
	struct tally_event_counts *read;   /* by perf, in this read */
	struct tally_event_counts *spread; /* lacking at the end, as
					      reconciled */
	struct tally_event_counts *told;   /* by the last read */
};

#define ALL_BUT_TIME (ALL_EVENTS & ~(1u << TALLY_EVENT_CPU_NS))

static bool is_refusal(int ret)
{
	return ret == -EACCES || ret == -EPERM;
}

static int open_perf(struct tally_events *ev, const struct tally_topo *topo,
		     pid_t pid, int cgroup_fd)
{
	bool time_alone = ev->way == TALLY_EVENTS_INHERIT_TIME;
	unsigned int nr = time_alone ? 1 : TALLY_NR_EVENTS;
	int ret;

	if (ev->way == TALLY_EVENTS_SAMPLE) {
		ev->estimates = ev->sampled_events = ALL_EVENTS;
		return 0;
	}
	if (ev->way == TALLY_EVENTS_CGROUP)
		return perf_set_open(topo, pid, cgroup_fd, nr, false,
				     &ev->perf);
	if (time_alone)
		ev->estimates = ev->sampled_events = ALL_BUT_TIME;
	ret = perf_set_open(topo, pid, -1, nr, false, &ev->perf);
	if (!is_refusal(ret))
		return ret;
	ret = perf_set_open(topo, pid, -1, nr, true, &ev->perf);
	if (ret || time_alone)
		return ret;
	/* Without kernel mode, perf counts a part of the page faults, and none of
	 * the others, which happen only there. */
	ev->estimates = ALL_BUT_TIME;
	ev->sampled_events = ALL_BUT_TIME & ~(1u << TALLY_EVENT_PAGE_FAULTS);
	return 0;
}

int tally_kernel_events_open(const struct tally_topo *topo,
			     enum tally_events_way way, pid_t pid,
			     struct tally_tree *tree, int cgroup_fd,
			     struct tally_events **events)
{
	UNCANCELLED;
	struct tally_events *ev = calloc(1, sizeof(*ev));
	int ret;

	if (!ev)
		return -ENOMEM;
	ev->nr_rows = tally_topo_nr_nodes(topo) + 1;
	ev->way = way;
	ev->counted = calloc((size_t)5 * ev->nr_rows, sizeof(*ev->counted));
	ret = ev->counted ? 0 : -ENOMEM;
	if (!ret) {
		ev->sampled = ev->counted + ev->nr_rows;
		ev->read = ev->sampled + ev->nr_rows;
		ev->spread = ev->read + ev->nr_rows;
		ev->told = ev->spread + ev->nr_rows;
		ret = task_sampler_open(topo, pid, tree, &ev->sampler);
	}
	if (!ret)
		ret = open_perf(ev, topo, pid, cgroup_fd);
	if (ret) {
		tally_kernel_events_close(ev);
		return ret;
	}
	*events = ev;
	return 0;
}

void tally_kernel_events_close(struct tally_events *ev)
{
	UNCANCELLED;

	if (!ev)
		return;
	perf_set_close(ev->perf);
	task_sampler_close(ev->sampler);
	free(ev->counted);
	free(ev);
}

int tally_kernel_events_start(struct tally_events *ev)
{
	UNCANCELLED;

	return ev->perf ? perf_set_enable(ev->perf) : 0;
}

unsigned int tally_kernel_events_estimates(const struct tally_events *ev)
{
	return ev->estimates | ev->inexact;
}

/* Counts that could not be read stay as they were. */
static int count_by_perf(struct tally_events *ev)
{
	int ret = perf_set_read(ev->perf, ev->read);
	unsigned int nr_sure = ret ? ev->nr_rows - 1 : ev->nr_rows;

	for (unsigned int i = 0; i < nr_sure; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++)
			if (ev->read[i].count[e] > ev->counted[i].count[e])
				ev->counted[i].count[e] = ev->read[i].count[e];
	return ret;
}

/* Bring counted up to date. */
static int count(struct tally_events *ev)
{
	unsigned int sampled = ev->sampled_events;
	int ret = 0, err = 0;

	if (ev->perf)
		ret = count_by_perf(ev);
	if (sampled)
		err = task_sampler_read(ev->sampler, ev->sampled);
	for (unsigned int i = 0; i < ev->nr_rows; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++)
			if (sampled & 1u << e)
				ev->counted[i].count[e] =
					ev->sampled[i].count[e];
	return ret ? ret : err;
}

int tally_kernel_events_read(struct tally_events *ev)
{
	UNCANCELLED;
	int ret = count(ev);

	for (unsigned int i = 0; i < ev->nr_rows; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++) {
			int64_t n = ev->counted[i].count[e] +
				    ev->spread[i].count[e];

			if (n > ev->told[i].count[e])
				ev->told[i].count[e] = n;
		}
	return ret;
}

unsigned int tally_kernel_events_nr(const struct tally_events *ev)
{
	return ev->nr_rows;
}

const struct tally_event_counts *
tally_kernel_events_row(const struct tally_events *ev, unsigned int index)
{
	assert(index < ev->nr_rows);
	return &ev->told[index];
}

static int64_t sum_rows(const struct tally_event_counts *rows,
			unsigned int nr_rows, int e)
{
	int64_t sum = 0;

	for (unsigned int i = 0; i < nr_rows; i++)
		sum += rows[i].count[e];
	return sum;
}

/*
 * Spread lack over the nodes as event like is spread. The remainder of the
 * division goes to the node with most, so that the sum is exact. False: there
 * is nothing like it.
 */
static bool spread_like(struct tally_events *ev, int e, int64_t lack, int like)
{
	unsigned int nr_nodes = ev->nr_rows - 1, largest = 0;
	int64_t sum = sum_rows(ev->counted, nr_nodes, like);
	int64_t left = lack;

	if (sum == 0)
		return false;
	for (unsigned int i = 0; i < nr_nodes; i++) {
		int64_t weight = ev->counted[i].count[like];
		int64_t part =
			(int64_t)((double)lack * (double)weight / (double)sum);

		ev->spread[i].count[e] += part;
		left -= part;
		if (weight > ev->counted[largest].count[like])
			largest = i;
	}
	ev->spread[largest].count[e] += left;
	return true;
}

/* Where what is of no known node goes: where there is one node, it is that
 * node's. */
static unsigned int lost_row(const struct tally_events *ev)
{
	return ev->nr_rows == 2 ? 0 : ev->nr_rows - 1;
}

static void spread(struct tally_events *ev, int e, int64_t lack, int like)
{
	if (!spread_like(ev, e, lack, like) &&
	    !spread_like(ev, e, lack, TALLY_EVENT_CPU_NS))
		ev->spread[lost_row(ev)].count[e] += lack;
}

/* Return the most processes that can have ended: an exit's switch is not
 * counted. */
static int64_t nr_exits(const struct tally_events *ev,
			const struct tally_event_counts *total,
			int64_t nr_ended)
{
	int64_t exits = total->count[TALLY_EVENT_CONTEXT_SWITCHES];

	if (!(ev->estimates & 1u << TALLY_EVENT_CONTEXT_SWITCHES))
		exits -= sum_rows(ev->counted, ev->nr_rows,
				  TALLY_EVENT_CONTEXT_SWITCHES);
	if (exits < 0)
		exits = 0;
	return nr_ended >= 0 && exits > nr_ended ? nr_ended : exits;
}

static int64_t lack_of(const struct tally_events *ev,
		       const struct tally_event_counts *total, int e)
{
	return total->count[e] - sum_rows(ev->counted, ev->nr_rows, e);
}

/* Whether page faults can be missing that a program made after its execve(2). */
static bool lacks_a_program(const struct tally_events *ev,
			    const struct tally_event_counts *total,
			    int64_t exits)
{
	return total->count[TALLY_EVENT_PAGE_FAULTS] < 0 ||
	       ev->estimates & 1u << TALLY_EVENT_PAGE_FAULTS ||
	       lack_of(ev, total, TALLY_EVENT_PAGE_FAULTS) >
		       exits * PERF_EXIT_FAULTS + PERF_EXEC_FAULTS;
}

/*
 * Return how much of the lacking CPU time perf events lost: a CPU went, or Linux
 * took a task's events, as it does when the task executes a program that is
 * setuid or that it may not read. A smaller lack is what tasks do at context
 * switches and after their last event: without limit, in a virtual machine whose
 * host is busy. But a program without events lacks its page faults, too.
 */
static int64_t lost_ns(const struct tally_events *ev,
		       const struct tally_event_counts *total, int64_t nr_ended,
		       int64_t lack)
{
	int64_t exits = nr_exits(ev, total, nr_ended);
	int64_t switches = total->count[TALLY_EVENT_CONTEXT_SWITCHES];

	if (switches < 0)
		switches = 0;
	if (!ev->perf || lack <= 0)
		return 0;
	if (perf_set_has_gaps(ev->perf))
		return lack;
	if (!lacks_a_program(ev, total, exits))
		return 0;
	if (lack <=
	    switches * PERF_SWITCH_MOST_NS + exits * PERF_EXIT_MOST_NS +
		    total->count[TALLY_EVENT_CPU_NS] / TALLY_EVENTS_LACK_PART +
		    TALLY_EVENTS_LACK_NS)
		return 0;
	return lack - switches * PERF_SWITCH_NS - exits * PERF_EXIT_NS;
}

static void reconcile_time(struct tally_events *ev,
			   const struct tally_event_counts *total,
			   int64_t nr_ended)
{
	int64_t lack = lack_of(ev, total, TALLY_EVENT_CPU_NS);
	int64_t near;

	ev->lost_ns = lost_ns(ev, total, nr_ended, lack);
	if (lack <= 0)
		return;
	near = lack - ev->lost_ns;
	ev->spread[lost_row(ev)].count[TALLY_EVENT_CPU_NS] += ev->lost_ns;
	spread(ev, TALLY_EVENT_CPU_NS, near,
	       ev->estimates & 1u << TALLY_EVENT_CPU_NS
		       ? TALLY_EVENT_CPU_NS
		       : TALLY_EVENT_CONTEXT_SWITCHES);
	if (ev->nr_rows > 2 &&
	    near > total->count[TALLY_EVENT_CPU_NS] / SPREAD_EXACT_PART)
		ev->inexact |= 1u << TALLY_EVENT_CPU_NS;
	if (ev->lost_ns)
		ev->inexact |= 1u << TALLY_EVENT_MIGRATIONS;
}

void tally_kernel_events_reconcile(struct tally_events *ev,
				   const int64_t *totals, unsigned int nr,
				   int64_t nr_ended)
{
	struct tally_event_counts before, living, total;

	count(ev);
	if (!ev->sampled_events)
		task_sampler_read(ev->sampler, ev->sampled);
	task_sampler_before(ev->sampler, &before);
	task_sampler_living(ev->sampler, &living);
	for (unsigned int e = 0; e < TALLY_NR_EVENTS; e++)
		total.count[e] =
			e >= nr || totals[e] < 0
				? -1
				: totals[e] - before.count[e] + living.count[e];
	memset(ev->spread, 0, ev->nr_rows * sizeof(*ev->spread));
	reconcile_time(ev, &total, nr_ended);
	for (int e = TALLY_EVENT_CPU_NS + 1; e < TALLY_NR_EVENTS; e++) {
		int64_t lack = lack_of(ev, &total, e);

		if (lack <= 0)
			continue;
		if (ev->estimates & 1u << e)
			spread(ev, e, lack, e);
		else if (ev->lost_ns)
			ev->spread[lost_row(ev)].count[e] += lack;
	}
}

int64_t tally_kernel_events_lost_ns(const struct tally_events *ev)
{
	return ev->lost_ns;
}
