// SPDX-License-Identifier: MIT
/* What a process can have had, added and given up between two looks. */
#include "config.h"

#include <string.h>

#include "kernel/memory/peak.h"
#include "base/saturate.h"

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t above_0(int64_t a)
{
	return max(a, 0);
}

int64_t peak_grown(const struct peak_growth *g, int64_t faults)
{
	int64_t bytes;

	if (faults <= 0)
		return 0;
	return __builtin_mul_overflow(faults, g->fault_bytes, &bytes)
		       ? INT64_MAX
		       : bytes;
}

static int64_t surely(const struct peak_growth *g, int64_t more, int64_t bytes)
{
	return above_0(more - g->lag - g->huge_bytes) / bytes;
}

static void put(struct peak_window *w, int64_t base, int64_t gained,
		int64_t lost)
{
	w->base = saturate_add(w->base, base);
	w->gained = saturate_add(w->gained, gained);
	w->lost = saturate_add(w->lost, lost);
}

/* It had so much when it was last seen; with its faults it can have had more, as
 * any process can have. */
static void put_more(struct peak_window *w, const struct peak_growth *g,
		     int64_t known, int64_t faults)
{
	w->more.fault_bytes =
		saturate_add(w->more.fault_bytes, peak_grown(g, faults));
	w->more.known_bytes = saturate_add(w->more.known_bytes, known);
	w->more.nr++;
}

static int64_t put_gone(struct peak_window *w, const struct peak_growth *g,
			const struct peak_process *was)
{
	int64_t more = was->last_faults - was->faults, most;

	if (!was->ended) {
		/* Its faults are among the unseen ones. */
		put(w, was->rss_bytes, 0, was->rss_bytes);
		if (w->unseen.nr >= 0)
			w->unseen.nr++;
		w->unseen.known_bytes =
			saturate_add(w->unseen.known_bytes, was->rss_bytes);
		return 0;
	}
	most = saturate_add(was->rss_bytes, peak_grown(g, more));
	most = was->fresh ? was->last_peak_bytes
			  : min(most, was->last_peak_bytes);
	put(w, most, min(most, peak_grown(g, more)), most);
	return more;
}

static int64_t put_new(struct peak_window *w, const struct peak_growth *g,
		       const struct peak_process *is, int64_t mapped)
{
	int64_t most = is->peak_bytes;
	int64_t grown = peak_grown(g, is->most_faults);

	/* What it has from its parent was there. */
	if (!most)
		put_more(w, g, 0, is->faults);
	else
		grown = min(grown, most);
	put(w, most, grown,
	    min(grown,
		peak_grown(g, is->most_faults -
				      surely(g, mapped, g->fault_bytes))));
	return is->faults;
}

int64_t peak_window_put(struct peak_window *w, const struct peak_growth *g,
			const struct peak_process *was,
			const struct peak_process *is, int64_t mapped)
{
	int64_t faults = is->faults - was->faults;
	int64_t most_faults = is->most_faults - was->faults, excess, base;
	int64_t anonymous = is->anonymous_bytes - was->anonymous_bytes;
	int64_t other = is->other_bytes - was->other_bytes;
	int64_t gained, lost, had;

	if (!is->pid)
		return put_gone(w, g, was);
	if (!was->pid)
		return put_new(w, g, is, mapped);
	/* Faults that are not known to have mapped what it has more now. */
	excess = peak_grown(
		g, most_faults - surely(g, anonymous, g->anonymous_bytes) -
			   surely(g, other, g->fault_bytes));
	gained = above_0(anonymous) + above_0(other);
	lost = above_0(-anonymous) + above_0(-other);
	gained = saturate_add(gained, excess);
	lost = saturate_add(lost, excess);
	/* The memory that it has now, and had at its peak, is of the program
	 * that it executes now. */
	if (!is->peak_bytes && was->fresh)
		return faults; /* what it had is known once it is waited for */
	if (!is->peak_bytes || (!was->fresh && was->peak_bytes &&
				(strcmp(was->name, is->name) != 0 ||
				 is->peak_bytes < was->peak_bytes))) {
		base = max(is->peak_bytes, was->rss_bytes);
		if (faults > 0)
			put_more(w, g, was->rss_bytes, faults);
	} else {
		had = saturate_add(was->rss_bytes, peak_grown(g, faults));
		base = was->fresh
			       ? is->peak_bytes
			       : min(is->peak_bytes, max(had, is->rss_bytes));
		gained = min(gained, base);
		lost = min(lost, base);
	}
	put(w, base, gained, lost);
	w->doubt = saturate_add(w->doubt, min(excess, base));
	return faults;
}
