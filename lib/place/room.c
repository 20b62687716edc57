// SPDX-License-Identifier: MIT
/*
 * Whose eviction makes room. Machine after machine is looked at; what its victims
 * cost only grows while candidates are brought back, so that a machine is left as
 * soon as it costs more than the best one so far.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sized.h"
#include "base/sort.h"
#include "place/freed.h"

/* What victims cost: see numatally/place_room.h. */
struct cost {
	uint32_t nr_over, nr;
	int32_t highest;
	uint64_t sum;
	int64_t start_ns;
};

/* A unit on the machine: its entries there. */
struct run {
	uint32_t unit;
	uint32_t from, end;
	uint32_t nr_over; /* members whose eviction would exceed a budget */
	bool spared, out;
};

struct room {
	struct place_freed freed;
	const struct tally_candidates *c;
	struct tally_eviction eviction;
	uint8_t *row_of;
	uint32_t *nr_left; /* [budget]: evictions that it still allows */
	struct run *runs, *best_runs;
	uint32_t nr_runs, nr_best;
	struct cost best;
	uint32_t best_machine;
	bool found;
	/* The part of a batch for spare() that is filled. */
	struct tally_account asked[TALLY_PLACE_BATCH];
	uint32_t asked_run[TALLY_PLACE_BATCH];
	unsigned int nr_asked;
};

/* ---- what victims cost --------------------------------------------------- */

/* Of what only grows. Below 0: a costs less. */
static int compare(const struct cost *a, const struct cost *b)
{
	if (a->nr_over != b->nr_over)
		return a->nr_over < b->nr_over ? -1 : 1;
	if (a->highest != b->highest)
		return a->highest < b->highest ? -1 : 1;
	if (a->sum != b->sum)
		return a->sum < b->sum ? -1 : 1;
	return a->nr < b->nr ? -1 : a->nr > b->nr;
}

static void count(const struct tally_candidates *c, const struct run *run,
		  struct cost *cost)
{
	const struct place_unit *u = &c->units[run->unit];

	for (uint32_t i = u->first; i != PLACE_NONE; i = c->of[i].next) {
		cost->nr++;
		cost->sum +=
			(uint64_t)((int64_t)c->of[i].rank.priority - INT32_MIN);
	}
	cost->nr_over += run->nr_over;
	if (u->rank.priority > cost->highest)
		cost->highest = u->rank.priority;
}

/* A unit's most important member is the one that started first, of those that
 * have its priority. */
static void find_start(const struct tally_candidates *c, const struct run *runs,
		       uint32_t nr, struct cost *cost)
{
	cost->start_ns = INT64_MAX;
	for (uint32_t i = 0; i < nr; i++) {
		const struct place_rank *rank = &c->units[runs[i].unit].rank;

		if (runs[i].out && rank->priority == cost->highest &&
		    rank->start_ns < cost->start_ns)
			cost->start_ns = rank->start_ns;
	}
}

/* ---- which candidates of a machine may be evicted ------------------------ */

/* The first entry of lower priority; of equal ones, that started later. */
static uint32_t first_below(const struct place_home *home, int32_t priority,
			    int64_t start_ns)
{
	uint32_t low = 0, high = home->nr_entries;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct place_rank *rank = &home->entries[middle].rank;

		if (rank->priority < priority ||
		    (rank->priority == priority && rank->start_ns > start_ns))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * The first entry that may be a victim where victims cost less than the best
 * machine's, none of which is over a budget: it is not more important than these;
 * and less important than a single one.
 */
static uint32_t first_victim(const struct room *r,
			     const struct place_home *home, uint32_t lower)
{
	uint32_t first;

	if (!r->found || r->best.nr_over)
		return lower;
	first = r->best.nr > 1
			? first_below(home, r->best.highest + 1, INT64_MAX)
			: first_below(home, r->best.highest, r->best.start_ns);
	return first > lower ? first : lower;
}

static void make_runs(struct room *r, const struct place_home *home,
		      uint32_t from)
{
	const struct place_entry *e = home->entries;

	r->nr_runs = 0;
	for (uint32_t i = from, end; i < home->nr_entries; i = end) {
		end = i + 1;
		while (end < home->nr_entries && e[end].unit == e[i].unit)
			end++;
		if (!e[i].kept)
			r->runs[r->nr_runs++] = (struct run){
				e[i].unit, i, end, 0, false, false};
	}
}

static int ask(struct room *r)
{
	bool spared[TALLY_PLACE_BATCH] = {false};
	int err = 0;

	if (r->nr_asked)
		err = r->eviction.spare(r->eviction.arg, r->asked, r->nr_asked,
					spared);
	for (unsigned int i = 0; !err && i < r->nr_asked; i++)
		r->runs[r->asked_run[i]].spared |= spared[i];
	r->nr_asked = 0;
	return err;
}

/* The caller spares a unit if it spares a member. */
static int spare(struct room *r)
{
	const struct tally_candidates *c = r->c;
	uint32_t nr = 0;
	int err = 0;

	r->nr_asked = 0;
	for (uint32_t run = 0; !err && run < r->nr_runs; run++)
		for (uint32_t i = c->units[r->runs[run].unit].first;
		     !err && i != PLACE_NONE; i = c->of[i].next) {
			r->asked[r->nr_asked] = c->of[i].rank.account;
			r->asked_run[r->nr_asked++] = run;
			if (r->nr_asked == TALLY_PLACE_BATCH)
				err = ask(r);
		}
	if (!err)
		err = ask(r);
	for (uint32_t run = 0; !err && run < r->nr_runs; run++)
		if (!r->runs[run].spared)
			r->runs[nr++] = r->runs[run];
	r->nr_runs = nr;
	return err;
}

/* Each uses up its budget, the most important first. */
static void spend(struct room *r)
{
	const struct tally_candidates *c = r->c;
	const uint32_t nr = r->eviction.nr_budgets;

	if (nr)
		memcpy(r->nr_left, r->eviction.budgets,
		       nr * sizeof(*r->nr_left));
	for (uint32_t run = 0; run < r->nr_runs; run++)
		for (uint32_t i = c->units[r->runs[run].unit].first;
		     i != PLACE_NONE; i = c->of[i].next) {
			uint32_t budget = c->of[i].budget;

			if (!budget)
				continue;
			if (budget <= nr && r->nr_left[budget - 1])
				r->nr_left[budget - 1]--;
			else
				r->runs[run].nr_over++;
		}
}

/* ---- a machine's victims ------------------------------------------------- */

static void change(struct room *r, const struct place_home *home,
		   const struct run *run, int sign)
{
	for (uint32_t i = run->from; i < run->end; i++)
		place_freed_change(&r->freed, home, &home->entries[i], sign);
}

/* Bring it back, unless the request would not fit: -ENOSPC. */
static int bring_back(struct room *r, const struct place_home *home,
		      const struct run *run)
{
	int err;

	change(r, home, run, -1);
	err = place_freed_fits(&r->freed);
	if (err)
		change(r, home, run, 1);
	return err;
}

/* Load the machine without its runs. -ENOSPC: the request would not fit then; or
 * not without those alone from the entry @first on. */
static int release(struct room *r, const struct place_home *home,
		   uint32_t machine, uint32_t first)
{
	bool all = !first && !home->nr_kept && !r->eviction.spare;
	uint32_t i = all ? 0 : r->nr_runs;
	int err = place_freed_load(&r->freed, r->c->held, machine, all);

	if (err)
		return err;
	while (i && r->runs[i - 1].from >= first)
		change(r, home, &r->runs[--i], 1);
	if (r->freed.monotone)
		err = place_freed_fits(&r->freed);
	else
		err = !i || place_freed_might_fit(&r->freed) ? 0 : -ENOSPC;
	while (!err && i)
		change(r, home, &r->runs[--i], 1);
	return err || r->freed.monotone ? err : place_freed_fits(&r->freed);
}

/* -ENOSPC	the machine costs more than the best one */
static int bring_all_back(struct room *r, const struct place_home *home,
			  bool over, struct cost *cost)
{
	for (uint32_t i = 0; i < r->nr_runs; i++) {
		struct run *run = &r->runs[i];
		int err;

		if ((run->nr_over != 0) != over)
			continue;
		err = bring_back(r, home, run);
		if (err && err != -ENOSPC)
			return err;
		if (!err)
			continue;
		run->out = true;
		count(r->c, run, cost);
		if (r->found && compare(cost, &r->best) > 0)
			return -ENOSPC;
	}
	return 0;
}

static void keep(struct room *r, uint32_t machine, const struct cost *cost)
{
	r->found = true;
	r->best = *cost;
	r->best_machine = machine;
	r->nr_best = 0;
	for (uint32_t i = 0; i < r->nr_runs; i++)
		if (r->runs[i].out)
			r->best_runs[r->nr_best++] = r->runs[i];
}

static int look_at(struct room *r, uint32_t machine)
{
	const struct place_home *home = &r->c->homes[machine];
	uint32_t lower = first_below(home, r->eviction.priority, INT64_MAX);
	uint32_t first = first_victim(r, home, lower);
	struct cost cost = {.highest = INT32_MIN};
	bool budgeted = home->nr_budgeted != 0;
	int err, order;

	if (first == home->nr_entries ||
	    !place_freed_could(&r->freed, r->c->held, machine))
		return -ENOSPC;
	/* Of what comes before, some may be over a budget; the rest is brought
	 * back in any case where what fits, fits with more free. */
	make_runs(r, home, budgeted || !r->freed.monotone ? lower : first);
	err = r->eviction.spare ? spare(r) : 0;
	if (!err)
		err = r->nr_runs ? release(r, home, machine, first) : -ENOSPC;
	if (!err && budgeted) {
		spend(r);
		err = bring_all_back(r, home, true, &cost);
	}
	if (!err)
		err = bring_all_back(r, home, false, &cost);
	if (err)
		return err;
	find_start(r->c, r->runs, r->nr_runs, &cost);
	order = r->found ? compare(&cost, &r->best) : -1;
	if (order < 0 || (!order && cost.start_ns > r->best.start_ns))
		keep(r, machine, &cost);
	return 0;
}

static int search(struct room *r, uint32_t machine)
{
	bool any = machine == TALLY_PLACE_ANY;
	uint32_t from = any ? 0 : machine;
	uint32_t end = any ? place_nr_machines(&r->c->place) : machine + 1;

	for (uint32_t m = from; m < end; m++) {
		int err = look_at(r, m);

		if (err && err != -ENOSPC)
			return err;
	}
	return r->found ? 0 : -ENOSPC;
}

/* ---- the best machine ---------------------------------------------------- */

/*
 * Parts are placed one after the other, so that with more free they may come to
 * lie in each other's way: what could not be brought back may be possible once
 * others are back.
 */
static int bring_more_back(struct room *r, const struct place_home *home)
{
	bool again = !r->freed.monotone;

	while (again) {
		again = false;
		for (uint32_t i = 0; i < r->nr_best; i++) {
			struct run *run = &r->best_runs[i];
			int err = run->out ? bring_back(r, home, run) : -ENOSPC;

			if (err && err != -ENOSPC)
				return err;
			if (!err) {
				run->out = false;
				again = true;
			}
		}
	}
	return 0;
}

/* Fit the request on the best machine, without the victims. */
static int place(struct room *r)
{
	const struct place_home *home = &r->c->homes[r->best_machine];
	int err =
		place_freed_load(&r->freed, r->c->held, r->best_machine, false);

	for (uint32_t i = 0; !err && i < r->nr_best; i++)
		change(r, home, &r->best_runs[i], 1);
	if (!err)
		err = place_freed_fits(&r->freed);
	if (!err)
		err = bring_more_back(r, home);
	if (!err)
		err = place_freed_take(&r->freed);
	return err ? err : place_keep(&r->freed.fitting, r->best_machine);
}

static int by_rank(const void *a, const void *b)
{
	return place_rank_order(a, b);
}

static int list(const struct room *r, struct tally_room *to)
{
	const struct tally_candidates *c = r->c;
	struct place_rank *ranks =
		calloc((size_t)r->best.nr + 1, sizeof(*ranks));
	uint32_t nr = 0;

	if (!ranks)
		return -ENOMEM;
	to->nr_over_budget = 0;
	for (uint32_t i = 0; i < r->nr_best; i++) {
		const struct run *run = &r->best_runs[i];

		if (!run->out)
			continue;
		to->nr_over_budget += run->nr_over;
		for (uint32_t m = c->units[run->unit].first; m != PLACE_NONE;
		     m = c->of[m].next)
			ranks[nr++] = c->of[m].rank;
	}
	sort_in_place(ranks, nr, sizeof(*ranks), by_rank);
	to->nr_victims = nr;
	for (uint32_t i = 0; i < nr && nr <= to->max_victims; i++)
		to->victims[i] = ranks[i].account;
	free(ranks);
	return nr <= to->max_victims ? 0 : -EOVERFLOW;
}

/* ---- a decision ---------------------------------------------------------- */

static int allocate(struct room *r)
{
	const struct tally_candidates *c = r->c;
	const struct place_search *s = &r->freed.fitting.search;
	size_t most = 1;

	for (uint32_t m = 0; m < place_nr_machines(&c->place); m++)
		if (c->homes[m].nr_entries > most)
			most = c->homes[m].nr_entries;
	r->row_of = malloc((size_t)c->place.nr_resources + 1);
	r->nr_left =
		calloc((size_t)r->eviction.nr_budgets + 1, sizeof(*r->nr_left));
	r->runs = calloc(2 * most, sizeof(*r->runs));
	if (!r->row_of || !r->nr_left || !r->runs)
		return -ENOMEM;
	r->best_runs = r->runs + most;
	memset(r->row_of, PLACE_ROWS, c->place.nr_resources);
	for (unsigned int row = 0; row < s->nr_rows; row++)
		r->row_of[s->resource[row]] = (uint8_t)row;
	r->freed.row_of = r->row_of;
	return 0;
}

static int make_room(struct room *r, uint32_t machine, struct tally_room *to)
{
	struct place_fitting *f = &r->freed.fitting;
	int err = place_search(f, machine);

	r->found = false;
	r->nr_best = 0;
	r->best = (struct cost){0};
	if (err == -ENOSPC) {
		err = allocate(r);
		place_freed_begin(&r->freed);
		if (!err)
			err = search(r, machine);
		f->found = false;
		if (!err)
			err = place(r);
	}
	return err ? err : list(r, to);
}

int tally_place_make_room(const struct tally_candidates *candidates,
			  const struct tally_place_request *request,
			  uint32_t machine,
			  const struct tally_eviction *eviction,
			  struct tally_room *room, struct tally_fit *fit)
{
	struct tally_room to = {.size = sizeof(to)};
	struct room *r;
	int err;

	if (!sized_fits(fit, sized_upto(struct tally_fit, demands)) ||
	    !sized_fits(room, sized_upto(struct tally_room, nr_over_budget)))
		return -EINVAL;
	r = malloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->c = candidates;
	r->row_of = NULL;
	r->nr_left = NULL;
	r->runs = NULL;
	to.victims = room->victims;
	to.max_victims = room->max_victims;
	err = place_fitting_begin(&r->freed.fitting, &candidates->place,
				  request, machine);
	if (!err)
		err = sized_get(&r->eviction, sizeof(r->eviction),
				sized_upto(struct tally_eviction, arg),
				eviction);
	if (!err)
		err = make_room(r, machine, &to);
	if (!err) {
		sized_put(room, &to, sizeof(to));
		sized_put(fit, &r->freed.fitting.best,
			  sizeof(r->freed.fitting.best));
	}
	place_fitting_end(&r->freed.fitting);
	free(r->row_of);
	free(r->nr_left);
	free(r->runs);
	free(r);
	return err;
}
