// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "run/child.h"
#include "run/memory.h"

#define NS_PER_MS INT64_C(1000000)

/* Looks are frequent while memory grows, and take at most one part of the time
 * in so many; samples for growth the same, beyond the sampler's own budget. Looks
 * that miss much come sooner, and take the larger part of the time, as long as
 * all looks took no more than that and LOOK_MISSED_NS. */
#define LOOK_FIRST_NS  NS_PER_MS
#define LOOK_GROWS_NS  (2 * NS_PER_MS)
#define LOOK_LAST_NS   (40 * NS_PER_MS)
#define LOOK_COST_PART 50
#define LOOK_MISSED_NS (10 * NS_PER_MS)
#define MISSED_PART    12

/* For how long a sample waits until memory grows no more. */
#define SETTLE_NS (50 * NS_PER_MS)

/* A walk over a larger process takes longer than a sample of its pages, and
 * tells less of what a fork shares. */
#define LARGE_BYTES (32 << 20)
#define NR_PAGES    1024

/* What a look costs: on a busy machine it takes longer. */
static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void on_end(void *arg, pid_t pid, int64_t faults,
		   const struct rusage *usage)
{
	struct run_memory *m = arg;

	if (m->peak)
		tally_kernel_peak_ended(m->peak, pid, faults,
					usage->ru_minflt + usage->ru_majflt,
					usage->ru_maxrss * INT64_C(1024));
}

void run_memory_open(struct run_memory *m, const struct tally_topo *topo,
		     struct tally_tree *tree, struct run_child *child,
		     struct run_notes *notes)
{
	const struct tally_mem_options options = {
		.size = sizeof(options),
		.large_bytes = LARGE_BYTES,
		.nr_pages = NR_PAGES,
	};
	int ret;

	*m = (struct run_memory){
		.topo = topo,
		.tree = tree,
		.notes = notes,
		.bounds = {.upper_bytes = -1},
	};
	if (!tree)
		return;
	ret = tally_kernel_mem_create(NULL, &options, &m->mem);
	if (ret)
		run_note(notes, "memory is not counted: %s", strerror(-ret));
	ret = tally_kernel_peak_create(child->pid, &m->peak);
	if (ret) {
		run_note(notes, "the peak of memory is not followed: %s",
			 strerror(-ret));
		return;
	}
	child->on_end = on_end;
	child->on_end_arg = m;
}

void run_memory_close(struct run_memory *m)
{
	tally_kernel_mem_destroy(m->mem);
	tally_kernel_peak_destroy(m->peak);
	*m = (struct run_memory){.mem = NULL};
}

void run_memory_start(struct run_memory *m)
{
	m->start_ns = m->settled_ns = now_ns();
	m->step_ns = LOOK_FIRST_NS;
	m->look_due_ns = m->start_ns;
}

/* What is copied after a fork shows in no process's total: faults tell of it. */
static void note_growth(struct run_memory *m, bool missed)
{
	int64_t bytes = 0;

	for (unsigned int i = 0; i < tally_kernel_tree_nr(m->tree); i++)
		bytes += tally_kernel_tree_row(m->tree, i)->rss_bytes;
	m->grows = missed || bytes > m->rss_bytes / 10 * 11;
	m->rss_bytes = bytes;
	if (!m->grows || tally_kernel_tree_nr(m->tree) == 1)
		m->settled_ns = now_ns();
}

/* False: a child has ended, and is to be waited for first. */
static bool look(struct run_memory *m, bool last)
{
	int64_t before = cpu_ns(), cost, spare;
	bool missed;
	int ret = tally_kernel_tree_refresh(m->tree);

	if (!ret)
		ret = tally_kernel_peak_look(m->peak, m->tree, last);
	if (ret == -EAGAIN)
		return false;
	if (ret)
		run_note(m->notes, "memory: %s", strerror(-ret));
	missed = tally_kernel_peak_missed(m->peak);
	note_growth(m, missed);
	cost = cpu_ns() - before;
	m->look_ns += cost;
	m->step_ns *= 2;
	if (m->step_ns > LOOK_LAST_NS)
		m->step_ns = LOOK_LAST_NS;
	if (m->step_ns > LOOK_GROWS_NS &&
	    (missed || tally_kernel_peak_grew(m->peak)))
		m->step_ns = LOOK_GROWS_NS;
	spare = (now_ns() - m->start_ns) / LOOK_COST_PART + LOOK_MISSED_NS -
		m->look_ns;
	cost *= missed && spare > 0 ? MISSED_PART : LOOK_COST_PART;
	if (m->step_ns < cost)
		m->step_ns = cost;
	m->look_due_ns = now_ns() + m->step_ns;
	return true;
}

static bool is_sample_due(const struct run_memory *m, int64_t now)
{
	if (!m->mem)
		return false;
	if (now >= tally_kernel_mem_due(m->mem))
		return true;
	if (!m->peak || !tally_kernel_peak_grew(m->peak))
		return false;
	/* With one node, the kernel keeps the peak of one process, and of
	 * several a sample tells what they share: best of all that they map. */
	if (tally_topo_nr_nodes(m->topo) == 1 &&
	    (tally_kernel_tree_nr(m->tree) == 1 ||
	     (m->grows && now - m->settled_ns < SETTLE_NS)))
		return false;
	return m->sample_ns <
	       (now - m->start_ns) / LOOK_COST_PART + LOOK_GROWS_NS;
}

bool run_memory_tick(struct run_memory *m)
{
	int64_t now = now_ns();
	bool due = is_sample_due(m, now);
	int64_t before;
	int ret;

	/* What a sample tells begins with a look. */
	if (m->peak && (due || now >= m->look_due_ns)) {
		if (!look(m, false))
			return false;
		due = is_sample_due(m, now);
	}
	if (!due)
		return false;
	before = cpu_ns();
	ret = tally_kernel_mem_sample(m->mem, m->tree);
	m->sample_ns += cpu_ns() - before;
	if (ret) {
		run_note(m->notes, "memory: %s", strerror(-ret));
		return false;
	}
	if (m->peak)
		tally_kernel_peak_sampled(m->peak,
					  tally_kernel_mem_result(m->mem));
	/* What is given up until the next look can have been there before. */
	m->look_due_ns = now_ns();
	return true;
}

int64_t run_memory_due(const struct run_memory *m)
{
	int64_t due = m->mem ? tally_kernel_mem_due(m->mem) : INT64_MAX;

	return m->peak && m->look_due_ns < due ? m->look_due_ns : due;
}

void run_memory_finish(struct run_memory *m)
{
	if (!m->peak)
		return;
	look(m, true);
	tally_kernel_peak_bounds(m->peak, &m->bounds);
}

void run_memory_forget(struct run_memory *m)
{
	tally_kernel_mem_destroy(m->mem);
	tally_kernel_peak_destroy(m->peak);
	m->mem = NULL;
	m->peak = NULL;
}

void run_memory_unbound(struct run_memory *m)
{
	m->bounds.upper_bytes = -1;
}

const struct tally_mem_result *run_memory_result(const struct run_memory *m)
{
	return m->mem ? tally_kernel_mem_result(m->mem) : NULL;
}

/* ---- figures --------------------------------------------------------------- */

static void set_unknown(struct run_figures *f)
{
	memset(f, -1, sizeof(*f));
}

/*
 * What a sample saw was there; there may have been more between samples. An
 * upper bound is that of all memory: it tells something of a part only where
 * the part is most of it.
 */
static void set_figure(const struct run_memory *m, struct run_figure *f,
		       const struct tally_mem_figure *seen, int64_t bytes,
		       int64_t least)
{
	int64_t upper = m->bounds.upper_bytes;

	/* Three times a 95 % interval hardly ever misses. */
	f->bytes = seen->bytes;
	f->lower = seen->bytes - 3 * (seen->bytes - seen->lower_bytes);
	if (f->lower < least)
		f->lower = least;
	if (f->bytes < bytes)
		f->bytes = bytes;
	if (f->bytes < f->lower)
		f->bytes = f->lower;
	f->upper = upper >= 0 && upper / 2 < f->lower ? upper : -1;
}

static void set_figures(const struct run_memory *m, struct run_figures *f,
			const struct tally_mem_node *seen, bool all)
{
	static const struct tally_peak_bounds nothing;
	const struct tally_peak_bounds *b = all ? &m->bounds : &nothing;
	int64_t bytes = b->largest_bytes, least = b->lower_bytes;

	for (int k = 0; k < TALLY_NR_MEM; k++) {
		const struct run_figure *kind = &f->kinds[k];

		set_figure(m, &f->kinds[k], &seen->peak[k], b->kinds[k],
			   b->lower_kinds[k]);
		if (bytes < kind->bytes)
			bytes = kind->bytes;
		if (least < kind->lower)
			least = kind->lower;
	}
	/* It was no less than any of its parts. */
	set_figure(m, &f->at_once, &seen->peak_total, bytes, least);
}

static bool was_seen(const struct run_memory *m)
{
	const struct tally_mem_result *r = run_memory_result(m);

	return r && r->all.peak_total.bytes;
}

void run_memory_node(const struct run_memory *m, unsigned int index,
		     struct run_figures *f)
{
	const struct tally_mem_result *r = run_memory_result(m);
	static const struct tally_mem_node nothing;
	const struct tally_mem_node *seen = &nothing;

	/* What is known of all is known of a single node. */
	if (tally_topo_nr_nodes(m->topo) == 1) {
		run_memory_all(m, f);
		return;
	}
	set_unknown(f);
	if (!was_seen(m))
		return;
	for (unsigned int i = 0; i < r->nr_nodes; i++)
		if (r->nodes[i].node == tally_topo_node(m->topo, index)->id)
			seen = &r->nodes[i];
	set_figures(m, f, seen, false);
}

void run_memory_unknown(const struct run_memory *m, struct run_figures *f)
{
	static const struct tally_mem_node nothing;
	bool one = tally_topo_nr_nodes(m->topo) == 1;

	set_unknown(f);
	if (was_seen(m))
		set_figures(m, f,
			    one ? &nothing : &run_memory_result(m)->unknown,
			    false);
}

void run_memory_all(const struct run_memory *m, struct run_figures *f)
{
	static const struct tally_mem_node nothing;
	bool seen = was_seen(m) || m->bounds.nr_seen;

	set_unknown(f);
	if (seen)
		set_figures(m, f,
			    was_seen(m) ? &run_memory_result(m)->all : &nothing,
			    true);
	else if (m->bounds.lower_bytes > 0)
		f->at_once.bytes = f->at_once.lower = m->bounds.lower_bytes;
	f->at_once.upper = m->bounds.upper_bytes;
}

int64_t run_largest_bytes(const struct run_memory *m,
			  const struct run_child *child)
{
	int64_t most = child->usage.ru_maxrss * INT64_C(1024);

	/* A process that still runs can have more. */
	return most > m->bounds.largest_bytes ? most : m->bounds.largest_bytes;
}
