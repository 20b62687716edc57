// SPDX-License-Identifier: MIT
/*
 * Bounds of the most memory that a tree of processes had at once, which may have
 * been between two looks at it.
 *
 * From below: what some process had at its peak, as the kernel tells it while
 * the process lives (VmHWM) and after its end (ru_maxrss); or what a sample saw.
 *
 * From above: memory grows by page faults alone, and every fault is counted. A
 * process that lives has its own count; what it waited for is in the counts of
 * its children, and what was waited for at the top is in the caller's. So what
 * processes did that no look saw is the sum of all, less what those that were
 * seen did themselves; and a fault maps so many bytes at most. See window.h.
 */
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/memory/growth.h"
#include "kernel/memory/peak.h"
#include "kernel/memory/read.h"
#include "kernel/proc/procfs.h"
#include "kernel/proc/stat.h"
#include "base/array.h"
#include "base/saturate.h"
#include "base/self.h"

/* Copies that are worth a sample. */
#define COPIED_BYTES (16 << 20)

/* What a new process can have mapped that is worth reading its mappings. */
#define MAPPED_BYTES (8 << 20)

/* Looks at a tree in which processes end meanwhile. */
#define MOST_TRIES 3

struct peak_processes {
	struct peak_process *p; /* ascending by pid */
	unsigned int nr;
	unsigned int cap;
};

struct tally_peak {
	int proc;
	struct peak_processes now, before;
	struct peak_growth growth;
	struct peak_numbers numbers;
	struct peak_windows windows;
	struct mem_vmas vmas;
	int64_t pool_bytes;
	int64_t faults;	      /* of all processes, at the last look */
	int64_t most_faults;  /* ever counted */
	int64_t ended_faults; /* of those that the caller waited for */
	int64_t huge_page_bytes;
	int64_t huge;	       /* pages that the machine had given out */
	int64_t sampled_upper; /* since the last look; -1: no sample */
	int64_t rss_bytes, sampled_rss_bytes;  /* sums over processes */
	int64_t sampled_bytes, sampled_faults; /* at the last sample */
	int64_t fresh_bytes; /* which the command had before its execve(2) */
	int64_t largest;     /* the same as of the bounds, with that */
	bool unknown;	     /* nothing is known from above */
	struct tally_peak_bounds bounds;
};

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The kernel adds pages to a process's totals by the batch on each CPU: up to so
 * many bytes are missing, or too many, of @nr totals together. */
static double lag_bytes(unsigned int nr)
{
	double cpus = (double)sysconf(_SC_NPROCESSORS_CONF);
	double batch =
		(2 * cpus > 32 ? 2 * cpus : 32) * (double)sysconf(_SC_PAGESIZE);
	double worst = nr * batch * cpus;
	double likely = 5 * batch * sqrt(cpus * nr / 3);

	return worst < likely ? worst : likely;
}

static int64_t lag_of(const struct tally_peak *peak, unsigned int nr)
{
	return (int64_t)((double)peak->growth.lag * sqrt(nr));
}

/* ---- windows --------------------------------------------------------------- */

/* What one process was seen with is what the tree had, at least. */
static void note_process(struct tally_peak *peak, struct peak_process *p)
{
	struct tally_peak_bounds *b = &peak->bounds;

	/* gVisor keeps no peaks, and counts no faults. */
	if (p->peak_bytes < 0 || p->ignores)
		peak->unknown = true;
	p->peak_bytes = max(p->peak_bytes, p->rss_bytes);
	if (!p->peak_bytes)
		return;
	b->nr_seen++;
	b->largest_bytes = max(b->largest_bytes, p->peak_bytes);
	for (int k = 0; k < TALLY_NR_MEM; k++)
		b->kinds[k] = max(b->kinds[k], p->kinds[k]);
}

/* What a new process mapped itself, at least, where that can matter. */
static int64_t mapped_of(struct tally_peak *peak, struct peak_process *p)
{
	int64_t most = peak_grown(&peak->growth, p->faults);

	if (most < MAPPED_BYTES || p->other_bytes < most / 4)
		return 0;
	return peak_process_mapped(peak->proc, p, &peak->vmas);
}

/* It was there before, and was missed: what it had then may have been its
 * parent's before. */
static void put_missed(struct tally_peak *peak, const struct peak_process *p,
		       struct peak_window *w, struct peak_late *late)
{
	int64_t grown = peak_grown(&peak->growth, p->most_faults);

	late->base = saturate_add(late->base, p->peak_bytes);
	late->gained = saturate_add(
		late->gained, grown < p->peak_bytes ? grown : p->peak_bytes);
	w->lost = saturate_add(w->lost, p->peak_bytes);
}

/* Add every process to the window. Returns the faults that those that were seen
 * are known to have had. */
static int64_t window_put(struct tally_peak *peak, struct peak_window *w,
			  struct peak_late *late)
{
	static const struct peak_process nothing;
	const struct peak_processes *was = &peak->before;
	const struct peak_growth *g = &peak->growth;
	unsigned int i, j = 0, nr = was->nr;
	int64_t seen = 0, explained = 0;

	peak->rss_bytes = 0;
	for (i = 0; i < peak->now.nr; i++) {
		struct peak_process *p = &peak->now.p[i];
		const struct peak_process *old = &nothing;
		int64_t mapped = 0;

		for (; j < was->nr && was->p[j].pid < p->pid; j++) {
			seen += peak_numbers_in(&peak->numbers, was->p[j].pid);
			explained +=
				peak_window_put(w, g, &was->p[j], &nothing, 0);
		}
		if (j < was->nr && was->p[j].pid == p->pid &&
		    was->p[j].start_ticks == p->start_ticks) {
			old = &was->p[j++];
		} else {
			nr++;
			mapped = mapped_of(peak, p);
		}
		note_process(peak, p);
		if (old == &nothing &&
		    peak_numbers_before(&peak->numbers, p->pid))
			put_missed(peak, p, w, late);
		seen += peak_numbers_in(&peak->numbers, p->pid);
		explained += peak_window_put(w, g, old, p, mapped);
		p->fresh = old->fresh && !p->peak_bytes;
		peak->rss_bytes = saturate_add(peak->rss_bytes, p->rss_bytes);
	}
	for (; j < was->nr; j++) {
		seen += peak_numbers_in(&peak->numbers, was->p[j].pid);
		explained += peak_window_put(w, g, &was->p[j], &nothing, 0);
	}
	if (w->unseen.nr >= 0)
		w->unseen.nr = max(w->unseen.nr - seen, 0);
	w->base = saturate_add(w->base, lag_of(peak, nr));
	return explained;
}

/* Whether the command ended before the first look: what it had is not known
 * yet. */
static bool any_fresh(const struct tally_peak *peak)
{
	for (unsigned int i = 0; i < peak->now.nr; i++)
		if (peak->now.p[i].fresh)
			return true;
	return false;
}

static int window_end(struct tally_peak *peak)
{
	struct peak_window w = {
		.end = -1,
		.sampled = peak->sampled_upper,
		.unseen.nr = peak_numbers_next(&peak->numbers),
	};
	struct peak_late late = {.fault_bytes = 0};
	int64_t huge = growth_huge_pages(peak->proc);
	int64_t faults = peak->ended_faults, unseen;

	if (huge < 0)
		peak->unknown = true;
	peak->growth.huge_bytes =
		max(huge - peak->huge, 0) * peak->huge_page_bytes;
	peak->huge = huge;
	unseen = -peak->faults - window_put(peak, &w, &late);
	for (unsigned int i = 0; i < peak->now.nr; i++)
		faults += peak->now.p[i].faults + peak->now.p[i].child_faults;
	unseen += faults;
	peak->faults = faults;
	peak->most_faults = max(peak->most_faults, faults);
	peak->largest = max(peak->largest, peak->bounds.largest_bytes);
	w.unseen.fault_bytes = unseen * peak->growth.fault_bytes;
	late.fault_bytes = w.unseen.fault_bytes;
	w.base = saturate_add(w.base, peak->growth.huge_bytes);
	w.gained = saturate_add(w.gained, peak->growth.huge_bytes);
	w.lost = saturate_add(w.lost, peak->growth.huge_bytes);
	if (w.sampled >= 0)
		w.sampled =
			saturate_add(w.sampled, lag_of(peak, peak->before.nr));
	if (!any_fresh(peak))
		w.end = saturate_add(peak->rss_bytes,
				     lag_of(peak, peak->now.nr));
	peak->sampled_upper = -1;
	return peak_windows_add(&peak->windows, &w, &late, peak->largest);
}

/* ---- the caller's ---------------------------------------------------------- */

int tally_kernel_peak_create(pid_t pid, struct tally_peak **peak)
{
	struct tally_peak *p = calloc(1, sizeof(*p));
	struct peak_process command;
	int err;

	if (!p)
		return -ENOMEM;
	p->numbers.fd = -1;
	p->proc = procfs_open(NULL);
	err = p->proc < 0 ? p->proc
	      : !self_is_numbered(p->proc)
		      ? -ESRCH
		      : peak_process_look(p->proc, pid, NULL, &command);
	if (!err && array_reserve(p->now.p, p->now.cap, 1))
		err = -ENOMEM;
	if (err) {
		tally_kernel_peak_destroy(p);
		return err;
	}
	if (command.peak_bytes < 0 || command.ignores)
		p->unknown = true;
	p->fresh_bytes = p->largest = max(command.peak_bytes, 0);
	command.fresh = true;
	command.rss_bytes = command.peak_bytes = 0;
	command.anonymous_bytes = command.other_bytes = 0;
	p->now.p[p->now.nr++] = command;
	p->faults = p->most_faults = command.faults;
	p->bounds = (struct tally_peak_bounds){.upper_bytes = -1};
	p->sampled_upper = -1;
	p->growth.fault_bytes = growth_fault_bytes();
	p->growth.anonymous_bytes = growth_anonymous_bytes();
	p->growth.lag = (int64_t)lag_bytes(3);
	p->windows.lag = p->growth.lag;
	p->pool_bytes = growth_pool_bytes();
	p->huge_page_bytes = growth_huge_page_bytes();
	p->huge = growth_huge_pages(p->proc);
	peak_numbers_open(&p->numbers, p->proc);
	*peak = p;
	return 0;
}

void tally_kernel_peak_destroy(struct tally_peak *p)
{
	if (!p)
		return;
	peak_numbers_close(&p->numbers);
	if (p->proc >= 0)
		close(p->proc);
	peak_windows_free(&p->windows);
	free(p->vmas.v);
	free(p->now.p);
	free(p->before.p);
	free(p);
}

static const struct peak_process *find(const struct peak_processes *l,
				       unsigned int *at, pid_t pid)
{
	while (*at < l->nr && l->p[*at].pid < pid)
		++*at;
	return *at < l->nr && l->p[*at].pid == pid ? &l->p[*at] : NULL;
}

/* Returns how many processes of the tree are gone; or -errno. */
static int look_at_all(struct tally_peak *p, const struct tally_tree *tree,
		       bool last, struct peak_processes *to)
{
	unsigned int i, at = 0, nr = tally_kernel_tree_nr(tree);
	int gone = 0, err;

	to->nr = 0;
	for (i = 0; i < nr; i++) {
		struct peak_process *q = &to->p[to->nr];
		const struct tally_process *row =
			tally_kernel_tree_row(tree, i);

		err = peak_process_look(p->proc, row->pid,
					find(&p->now, &at, row->pid), q);
		/* Once it is waited for, more is known of it. */
		if (!err && !q->peak_bytes && row->ppid == getpid() && !last)
			return -EAGAIN;
		if (!err)
			to->nr++;
		else if (err == -ESRCH)
			gone++;
		else
			p->unknown = true;
	}
	return gone;
}

int tally_kernel_peak_look(struct tally_peak *p, const struct tally_tree *tree,
			   bool last)
{
	struct peak_processes swap = p->before;
	int gone = 0, before, err;

	if (array_reserve(swap.p, swap.cap, tally_kernel_tree_nr(tree))) {
		p->before = swap;
		p->unknown = true;
		return -ENOMEM;
	}
	/* One that was waited for after its parent was looked at is in no count
	 * until that is looked at again. */
	for (int tries = 0; tries < MOST_TRIES; tries++) {
		before = gone;
		gone = look_at_all(p, tree, last, &swap);
		if (gone <= before)
			break;
	}
	if (gone < 0) {
		p->before = swap;
		return gone;
	}
	p->before = p->now;
	p->now = swap;
	err = window_end(p);
	if (err)
		p->unknown = true;
	return err;
}

/* Copies of pages that a fork shared don't show in any process's total, only as
 * faults. */
bool tally_kernel_peak_grew(const struct tally_peak *p)
{
	int64_t copied =
		(p->faults - p->sampled_faults) * sysconf(_SC_PAGESIZE);

	return p->rss_bytes > p->sampled_rss_bytes / 10 * 11 ||
	       copied > max(p->sampled_bytes / 10, COPIED_BYTES);
}

bool tally_kernel_peak_missed(const struct tally_peak *p)
{
	const struct peak_window *w = &p->windows.last;
	int64_t bytes = max(w->unseen.fault_bytes, w->doubt);

	return bytes > COPIED_BYTES && bytes > p->sampled_bytes / 10;
}

/* Half of a 95 % interval; three times as wide it hardly ever misses. */
static int64_t thrice(int64_t bytes, int64_t bound)
{
	int64_t off = bound - bytes;

	return off > INT64_MAX / 4 ? INT64_MAX : saturate_add(bytes, 3 * off);
}

/* Processes are sampled one after the other: one may have got what another had
 * given up. */
static int64_t given_up(const struct tally_peak *p)
{
	int64_t sum = 0;

	for (unsigned int i = 0; p->now.nr > 1 && i < p->now.nr; i++) {
		const struct peak_process *q = &p->now.p[i];
		struct tally_stat s;

		if (kernel_stat_read(p->proc, q->pid, 0, &s) ||
		    s.start_ticks != q->start_ticks)
			s.rss_bytes = 0;
		if (q->rss_bytes > s.rss_bytes + p->growth.lag)
			sum = saturate_add(sum, q->rss_bytes - s.rss_bytes);
	}
	return sum;
}

void tally_kernel_peak_sampled(struct tally_peak *p,
			       const struct tally_mem_result *result)
{
	const struct tally_mem_figure *all = &result->all.now_total;

	p->sampled_rss_bytes = max(p->sampled_rss_bytes, p->rss_bytes);
	p->sampled_bytes = all->bytes;
	p->sampled_faults = p->faults;
	p->sampled_upper = thrice(all->bytes, all->upper_bytes);
	p->bounds.lower_bytes =
		max(p->bounds.lower_bytes,
		    thrice(all->bytes, all->lower_bytes) - given_up(p));
}

void tally_kernel_peak_ended(struct tally_peak *p, pid_t pid, int64_t faults,
			     int64_t all_faults, int64_t peak_bytes)
{
	p->ended_faults += all_faults;
	p->largest = max(p->largest, peak_bytes);
	if (peak_bytes > p->fresh_bytes + p->growth.lag)
		p->bounds.largest_bytes =
			max(p->bounds.largest_bytes, peak_bytes);
	for (unsigned int i = 0; i < p->now.nr; i++) {
		struct peak_process *q = &p->now.p[i];

		if (q->pid != pid || q->ended)
			continue;
		q->ended = true;
		q->last_faults = max(faults, q->faults);
		q->last_peak_bytes = peak_bytes;
	}
}

/* The most that any process ever had; -1: not known. The peak of one that ended
 * is told once the process is waited for that waited for it. */
static int64_t largest_ever(const struct tally_peak *p)
{
	for (unsigned int i = 0; i < p->now.nr; i++)
		if (p->now.p[i].child_faults)
			return -1;
	return p->largest;
}

/* What it has of hugetlbfs is in none of the totals that lag. */
static void bound_kinds(struct tally_peak_bounds *b)
{
	int64_t lag = (int64_t)lag_bytes(1);

	for (int k = 0; k < TALLY_NR_MEM; k++) {
		b->lower_kinds[k] =
			max(b->kinds[k] - (k == TALLY_MEM_HUGE ? 0 : lag), 0);
		b->lower_bytes = max(b->lower_bytes, b->lower_kinds[k]);
	}
}

void tally_kernel_peak_bounds(struct tally_peak *p,
			      struct tally_peak_bounds *bounds)
{
	int64_t pool = growth_pool_bytes();
	int64_t most = peak_windows_most(&p->windows, largest_ever(p));
	int64_t lag = p->growth.lag;

	*bounds = p->bounds;
	bounds->lower_bytes =
		max(bounds->lower_bytes, bounds->largest_bytes - lag);
	bound_kinds(bounds);
	p->pool_bytes = max(p->pool_bytes, pool);
	bounds->upper_bytes = max(saturate_add(most, p->pool_bytes),
				  saturate_add(bounds->largest_bytes, lag));
	/* Where nobody waits for children, their faults are lost. */
	if (most < 0 || p->unknown || p->faults < p->most_faults)
		bounds->upper_bytes = -1;
}
