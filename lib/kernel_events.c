// SPDX-License-Identifier: MIT
/*
 * Puts together what perf events count exactly and what is sampled in place of
 * those that are refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_perf.h"
#include "kernel_sample.h"

#define ALL_EVENTS ((1u << TALLY_NR_EVENTS) - 1)

struct tally_events {
	unsigned int nr_rows; /* the last is of no node */
	enum tally_events_way way;
	unsigned int estimates;
	struct perf_set *perf;	      /* NULL: all is sampled */
	struct task_sampler *sampler; /* always there, for what went before */
	struct tally_event_counts *counted; /* by perf, or sampled so far */
	struct tally_event_counts *sampled;
	struct tally_event_counts *read;   /* by perf, this time */
	struct tally_event_counts *spread; /* found missing at the end */
	struct tally_event_counts *told;   /* at the last read */
};

/* What perf does not count in kernel mode: faults are counted in part, the
 * others, which happen nowhere else, not at all. */
#define NOT_IN_USER_MODE (ALL_EVENTS & ~(1u << TALLY_EVENT_CPU_NS))
#define SAMPLED_IN_USER_MODE \
	(NOT_IN_USER_MODE & ~(1u << TALLY_EVENT_PAGE_FAULTS))

static bool is_refusal(int ret)
{
	return ret == -EACCES || ret == -EPERM;
}

static int open_perf(struct tally_events *ev, const struct tally_topo *topo,
		     pid_t pid, int cgroup_fd)
{
	int ret;

	if (ev->way == TALLY_EVENTS_SAMPLE) {
		ev->estimates = ALL_EVENTS;
		return 0;
	}
	if (ev->way == TALLY_EVENTS_CGROUP)
		return perf_set_open(topo, pid, cgroup_fd, false, &ev->perf);
	ret = perf_set_open(topo, pid, -1, false, &ev->perf);
	if (!is_refusal(ret))
		return ret;
	ret = perf_set_open(topo, pid, -1, true, &ev->perf);
	if (!ret)
		ev->estimates = NOT_IN_USER_MODE;
	return ret;
}

int tally_kernel_events_open(const struct tally_topo *topo,
			     enum tally_events_way way, pid_t pid,
			     struct tally_tree *tree, int cgroup_fd,
			     struct tally_events **events)
{
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
	if (!ev)
		return;
	perf_set_close(ev->perf);
	task_sampler_close(ev->sampler);
	free(ev->counted);
	free(ev);
}

int tally_kernel_events_start(struct tally_events *ev)
{
	return ev->perf ? perf_set_enable(ev->perf) : 0;
}

unsigned int tally_kernel_events_estimates(const struct tally_events *ev)
{
	return ev->estimates;
}

/* What could not be read stays as it was before. */
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

/* Brings counted up to date. */
static int count(struct tally_events *ev)
{
	unsigned int sampled = ev->perf ? ev->estimates & SAMPLED_IN_USER_MODE
					: ALL_EVENTS;
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

int tally_kernel_events_read(struct tally_events *ev,
			     struct tally_event_counts *rows)
{
	int ret = count(ev);

	for (unsigned int i = 0; i < ev->nr_rows; i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++) {
			int64_t n = ev->counted[i].count[e] +
				    ev->spread[i].count[e];

			if (n > ev->told[i].count[e])
				ev->told[i].count[e] = n;
		}
	memcpy(rows, ev->told, ev->nr_rows * sizeof(*rows));
	return ret;
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
 * Spreads lack over the nodes as event like is spread. What is left of the
 * division goes to the largest, so that the sum is exact.
 */
static void spread(struct tally_events *ev, int e, int64_t lack, int like)
{
	unsigned int nr_nodes = ev->nr_rows - 1, largest = 0;
	int64_t sum = sum_rows(ev->counted, nr_nodes, like);
	int64_t left = lack;

	if (sum == 0) {
		ev->spread[nr_nodes].count[e] = lack;
		return;
	}
	for (unsigned int i = 0; i < nr_nodes; i++) {
		int64_t weight = ev->counted[i].count[like];
		int64_t part =
			(int64_t)((double)lack * (double)weight / (double)sum);

		ev->spread[i].count[e] = part;
		left -= part;
		if (weight > ev->counted[largest].count[like])
			largest = i;
	}
	ev->spread[largest].count[e] += left;
}

/*
 * Whether perf events were lost: a CPU went, or a task's were taken from it,
 * as Linux does where it executes a program that is setuid or that it may not
 * read. Less than that is what tasks do after their last event.
 */
static bool has_losses(const struct tally_events *ev, int64_t total_ns)
{
	int64_t lack_ns = total_ns - sum_rows(ev->counted, ev->nr_rows,
					      TALLY_EVENT_CPU_NS);

	if (!ev->perf)
		return false;
	return perf_set_has_gaps(ev->perf) ||
	       lack_ns >
		       total_ns / TALLY_EVENTS_LACK_PART + TALLY_EVENTS_LACK_NS;
}

void tally_kernel_events_settle(struct tally_events *ev,
				const struct tally_event_counts *totals)
{
	struct tally_event_counts before, living, total;
	unsigned int nr_nodes = ev->nr_rows - 1;
	bool lossy;

	count(ev);
	if (ev->perf && !(ev->estimates & SAMPLED_IN_USER_MODE))
		task_sampler_read(ev->sampler, ev->sampled);
	task_sampler_before(ev->sampler, &before);
	task_sampler_living(ev->sampler, &living);
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		total.count[e] = totals->count[e] < 0
					 ? 0
					 : totals->count[e] - before.count[e] +
						   living.count[e];
	lossy = has_losses(ev, total.count[TALLY_EVENT_CPU_NS]);
	for (int e = 0; e < TALLY_NR_EVENTS; e++) {
		int64_t lack =
			total.count[e] - sum_rows(ev->counted, ev->nr_rows, e);

		if (lack <= 0)
			continue;
		if (!(ev->estimates & 1u << e)) {
			if (lossy)
				ev->spread[nr_nodes].count[e] = lack;
			continue;
		}
		if (sum_rows(ev->counted, nr_nodes, e))
			spread(ev, e, lack, e);
		else
			spread(ev, e, lack, TALLY_EVENT_CPU_NS);
	}
}
