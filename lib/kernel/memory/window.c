// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/memory/window.h"
#include "base/array.h"
#include "base/saturate.h"

/* More windows than that do not wait for a sample. */
#define MOST_WAITING 1024

/* A figure, but for what was not seen, and for what is known of no process. */
struct bound {
	int64_t bytes;
	struct peak_unseen unseen, more;
};

struct peak_waiting {
	struct bound best;
	struct peak_unseen unseen; /* in this window alone */
	int64_t gained_late;
	int64_t lost_before;
};

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t times(int64_t a, int64_t b)
{
	int64_t product;

	return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static struct peak_unseen unseen_add(struct peak_unseen a, struct peak_unseen b)
{
	return (struct peak_unseen){
		.fault_bytes = saturate_add(a.fault_bytes, b.fault_bytes),
		.nr = a.nr < 0 || b.nr < 0 ? -1 : saturate_add(a.nr, b.nr),
		.known_bytes = saturate_add(a.known_bytes, b.known_bytes),
	};
}

/* What it can be, where no process had more than largest (-1: not known). */
static int64_t unseen_most(const struct peak_windows *w,
			   const struct peak_unseen *u, int64_t largest)
{
	int64_t faults = max(u->fault_bytes, 0), number;

	if (u->nr < 0 || largest < 0)
		return faults;
	number = saturate_add(times(u->nr, largest),
			      (int64_t)((double)w->lag * sqrt((double)u->nr)));
	return min(faults, max(number - u->known_bytes, 0));
}

static int64_t value(const struct peak_windows *w, const struct bound *b,
		     int64_t largest)
{
	int64_t most =
		saturate_add(b->bytes, unseen_most(w, &b->unseen, largest));

	return saturate_add(most, unseen_most(w, &b->more, largest));
}

static void take_least(const struct peak_windows *w, struct bound *best,
		       const struct bound *other, int64_t largest)
{
	if (value(w, other, largest) < value(w, best, largest))
		*best = *other;
}

/* ---- levels ---------------------------------------------------------------- */

static int64_t level_bytes(unsigned int level)
{
	return level < PEAK_NR_LEVELS - 1
		       ? (int64_t)(8 + level % 8) << level / 8
		       : INT64_MAX;
}

/* The lowest level that is no smaller. */
static unsigned int level_of(int64_t bytes)
{
	unsigned int shift;
	int64_t eighths;

	if (bytes < 8)
		return 0;
	shift = (unsigned int)(60 - __builtin_clzll((uint64_t)bytes));
	eighths = bytes >> shift;
	if (eighths << shift < bytes)
		eighths++;
	return shift * 8 + (unsigned int)(eighths - 8);
}

/* A window is over: nothing can make it smaller, but what is known of the
 * largest process at the end. */
static void put(struct peak_windows *w, const struct bound *b, int64_t largest)
{
	int64_t by_faults = value(w, b, -1), most = value(w, b, INT64_MAX);
	unsigned int first = level_of(largest), i = first;
	int64_t bytes;

	if (by_faults <= w->below)
		return;
	w->by_faults = max(w->by_faults, by_faults);
	while ((bytes = value(w, b, level_bytes(i))) < most) {
		w->levels[i].most = max(w->levels[i].most, bytes);
		i++;
	}
	w->levels[i].from = max(w->levels[i].from, most);
	if (i == first)
		w->below = max(w->below, most);
}

static int64_t most_at(const struct peak_windows *w, unsigned int level)
{
	int64_t most = w->levels[level].most;

	for (unsigned int i = 0; i <= level; i++)
		most = max(most, w->levels[i].from);
	return most;
}

/* ---- windows --------------------------------------------------------------- */

/* A sample saw so much at the end of the last waiting window, at most. */
static void put_waiting(struct peak_windows *w, unsigned int nr,
			int64_t sampled, int64_t largest)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct peak_waiting *p = &w->waiting[i];

		if (sampled >= 0) {
			struct bound back = {
				.bytes = saturate_add(
					saturate_add(sampled, p->gained_late),
					w->lost - p->lost_before),
				.unseen = p->unseen,
			};

			take_least(w, &p->best, &back, largest);
		}
		put(w, &p->best, largest);
	}
	w->nr -= nr;
	memmove(w->waiting, w->waiting + nr, w->nr * sizeof(*w->waiting));
}

/* What is known at the end of a window tells more of the next, or less, than
 * what was known before. */
static void start_set(struct peak_windows *w, const struct peak_window *last,
		      int64_t largest)
{
	struct bound start = {
		.bytes = w->start,
		.unseen = w->start_unseen,
	};
	struct bound end = {.bytes = last->end};
	struct bound sampled = {
		.bytes = saturate_add(last->sampled,
				      saturate_add(last->lost, last->gained)),
		.unseen = last->unseen,
	};

	if (last->end < 0)
		return;
	if (!w->started)
		start = end;
	take_least(w, &start, &end, largest);
	if (last->sampled >= 0)
		take_least(w, &start, &sampled, largest);
	w->started = true;
	w->start = start.bytes;
	w->start_unseen = start.unseen;
}

static int window_close(struct peak_windows *w, const struct peak_late *late,
			int64_t largest)
{
	struct peak_window *last = &w->last;
	struct peak_waiting *p;
	struct bound base = {0}, start = {0};
	/* Some that were seen can be in no count for now: that they are missing
	 * there says nothing of this window. */
	int64_t late_faults = max(late->fault_bytes, 0);

	if (!w->used)
		return 0;
	if (array_reserve(w->waiting, w->cap, w->nr + 1))
		return -ENOMEM;
	if (w->started) {
		w->start = saturate_add(w->start, last->gained);
		w->start_unseen = unseen_add(w->start_unseen, last->unseen);
	}
	/* Between two looks a process can go from the counts of its parent's
	 * children to the caller's, or be counted twice: so what was unseen in
	 * a window is known at the end of the next one. */
	p = &w->waiting[w->nr++];
	p->unseen = last->unseen;
	p->unseen.fault_bytes += late_faults;
	p->gained_late = late->gained;
	p->lost_before = w->lost;
	base.bytes = saturate_add(last->base, late->base);
	base.unseen = p->unseen;
	base.more = last->more;
	p->best = base;
	if (w->started) {
		start.bytes = saturate_add(w->start, late->gained);
		start.unseen = w->start_unseen;
		start.unseen.fault_bytes += late_faults;
		take_least(w, &p->best, &start, largest);
	}
	w->lost = saturate_add(w->lost, last->lost);
	if (last->end >= 0)
		last->end = saturate_add(last->end, late->base);
	start_set(w, last, largest);
	if (last->sampled >= 0)
		put_waiting(w, w->nr, last->sampled, largest);
	else if (w->nr > MOST_WAITING)
		put_waiting(w, w->nr / 2, -1, largest);
	else if (value(w, &p->best, -1) <= w->below)
		w->nr--;
	return 0;
}

int peak_windows_add(struct peak_windows *w, const struct peak_window *window,
		     const struct peak_late *late, int64_t largest)
{
	int64_t nr = window->unseen.nr;
	int err = window_close(w, late, largest);

	if (err)
		return err;
	w->last = *window;
	/* One that was born in the window before was perhaps missed then. */
	if (nr >= 0 && w->used)
		w->last.unseen.nr = w->nr_before < 0 ? -1 : nr + w->nr_before;
	w->nr_before = nr;
	w->used = true;
	return 0;
}

int64_t peak_windows_most(struct peak_windows *w, int64_t largest)
{
	static const struct peak_late none;

	if (window_close(w, &none, largest))
		return -1;
	w->used = false;
	put_waiting(w, w->nr, -1, largest);
	return largest < 0 ? w->by_faults : most_at(w, level_of(largest));
}

void peak_windows_free(struct peak_windows *w)
{
	free(w->waiting);
}
