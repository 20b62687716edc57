// SPDX-License-Identifier: MIT
/* In a race: what is surely held, and what may be. See replay/race.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/race.h"

/* The sum of what may be held includes requests that were all refused in truth:
 * it can exceed 64 bits. */
__extension__ typedef __int128 wide;

/* At a stamp, a record begins or ends. */
struct point {
	uint32_t record;
	uint16_t log;
	bool is_there;
	bool is_end;
};

struct race {
	const struct replay_setup *setup;
	const struct replay_result *result;
	struct replay_verdict *verdict;
	struct point *points;
	/* Of each thread: the call that found no room, while it runs, and the
	 * most that may have been held since it began */
	const struct replay_record **open;
	unsigned int nr_open;
	wide *most_open;	       /* [thread][cell] */
	wide *sure, *maybe;	       /* [cell], now */
	wide *most_sure, *most_maybe;  /* [cell] */
	struct replay_columns columns; /* for refusals */
};

static const char *cell_name(const struct race *r, size_t cell, char buf[64])
{
	unsigned int nr = r->setup->machines->nr_resources;

	snprintf(buf, 64, "node %u: %s",
		 replay_node(r->setup->trace, cell / nr),
		 r->setup->trace->resources[cell % nr].name);
	return buf;
}

static void raise_maybe(struct race *r, size_t cell, int64_t amount)
{
	r->maybe[cell] += amount;
	if (r->maybe[cell] > r->most_maybe[cell])
		r->most_maybe[cell] = r->maybe[cell];
	for (unsigned int i = 0; r->nr_open && i < r->result->nr_logs; i++) {
		wide *most = &r->most_open[i * r->setup->machines->nr_cells];

		if (r->open[i] && r->maybe[cell] > most[cell])
			most[cell] = r->maybe[cell];
	}
}

static void raise_sure(struct race *r, size_t cell, int64_t amount,
		       uint32_t event)
{
	int64_t capacity = r->setup->machines->capacity[cell];
	char name[64];

	r->sure[cell] += amount;
	if (r->sure[cell] > r->most_sure[cell])
		r->most_sure[cell] = r->sure[cell];
	if (r->sure[cell] > capacity)
		replay_problem(r->verdict, r->setup, event,
			       "%s: %lld is surely held of %lld",
			       cell_name(r, cell, name),
			       (long long)r->sure[cell], (long long)capacity);
}

static void pass_granted(struct race *r, const struct replay_record *record,
			 const struct tally_demand *demand, bool is_end)
{
	size_t cell =
		replay_cell(r->setup->machines, demand->node, demand->resource);

	if (is_end)
		raise_sure(r, cell, demand->amount, record->event);
	else
		raise_maybe(r, cell, demand->amount);
}

static void pass_gave(struct race *r, const struct tally_demand *demand,
		      bool is_end)
{
	size_t cell =
		replay_cell(r->setup->machines, demand->node, demand->resource);

	if (is_end)
		r->maybe[cell] -= demand->amount;
	else
		r->sure[cell] -= demand->amount;
}

/* ---- refusals ------------------------------------------------------------ */

/* The least that was free in each cell at any instant of a call. */
struct least {
	const struct race *race;
	const wide *most; /* [cell] held */
};

static int64_t least_free(const struct least *l, size_t cell)
{
	wide n = l->race->setup->machines->capacity[cell] - l->most[cell];

	return n > 0 ? (int64_t)n : 0;
}

static bool fitted(const struct least *l, const struct tally_demand *demands,
		   unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		size_t cell = replay_cell(l->race->setup->machines,
					  demands[i].node, demands[i].resource);
		wide sum = 0;

		for (unsigned int k = 0; k < nr; k++)
			if (demands[k].node == demands[i].node &&
			    demands[k].resource == demands[i].resource)
				sum += demands[k].amount;
		if (sum > least_free(l, cell))
			return false;
	}
	return true;
}

static bool had_room(const struct least *l, struct race *r, uint32_t event)
{
	const struct replay_setup *setup = r->setup;
	struct replay_place place;

	for (size_t i = 0; i < setup->machines->nr_cells; i++)
		*replay_column_cell(&r->columns, i) = least_free(l, i);
	return replay_place(&r->columns, setup->policy, setup->trace,
			    &setup->trace->events[event], &place) != -ENOSPC;
}

static void pass_refused(struct race *r, const struct replay_record *record,
			 unsigned int log, bool is_end)
{
	size_t nr_cells = r->setup->machines->nr_cells;
	wide *most = &r->most_open[log * nr_cells];
	struct least least = {r, most};

	if (!is_end) {
		r->open[log] = record;
		r->nr_open++;
		memcpy(most, r->maybe, nr_cells * sizeof(*most));
		return;
	}
	if (record->did == REPLAY_SAW_NONE) {
		if (had_room(&least, r, record->event))
			replay_problem(
				r->verdict, r->setup, record->event,
				"no room was seen, though there was some");
	} else if (fitted(&least, &r->result->logs[log].demands[record->demand],
			  record->nr_demands)) {
		replay_problem(r->verdict, r->setup, record->event,
			       "refused, though all of it was free");
	}
	r->open[log] = NULL;
	r->nr_open--;
}

/* ---- the walk ------------------------------------------------------------ */

static void pass(struct race *r, const struct point *p)
{
	const struct replay_log *log = &r->result->logs[p->log];
	const struct replay_record *record = &log->records[p->record];

	if (record->did == REPLAY_REFUSED || record->did == REPLAY_SAW_NONE)
		pass_refused(r, record, p->log, p->is_end);
	for (unsigned int i = 0; i < record->nr_demands; i++) {
		const struct tally_demand *demand =
			&log->demands[record->demand + i];

		if (record->did == REPLAY_GRANTED)
			pass_granted(r, record, demand, p->is_end);
		else if (record->did == REPLAY_GAVE)
			pass_gave(r, demand, p->is_end);
	}
}

static void put_points(struct race *r)
{
	for (unsigned int l = 0; l < r->result->nr_logs; l++) {
		const struct replay_log *log = &r->result->logs[l];

		for (size_t i = 0; i < log->nr; i++) {
			struct point p = {(uint32_t)i, (uint16_t)l, true,
					  false};

			r->points[log->records[i].begin] = p;
			p.is_end = true;
			r->points[log->records[i].end] = p;
		}
	}
}

static void check_end(struct race *r, size_t i)
{
	const struct replay_cell_end *cell = &r->result->cells[i];
	char name[64];

	cell_name(r, i, name);
	if (cell->peak > r->setup->machines->capacity[i])
		replay_problem(r->verdict, r->setup, SIZE_MAX,
			       "%s: its peak is above its capacity", name);
	if (cell->peak < r->most_sure[i])
		replay_problem(r->verdict, r->setup, SIZE_MAX,
			       "%s: its peak is %lld, more was surely held",
			       name, (long long)cell->peak);
	if (cell->peak > r->most_maybe[i])
		replay_problem(r->verdict, r->setup, SIZE_MAX,
			       "%s: its peak is %lld, so much was never held",
			       name, (long long)cell->peak);
	if (cell->held != r->sure[i])
		replay_problem(r->verdict, r->setup, SIZE_MAX,
			       "%s: holds %lld at the end, not %lld", name,
			       (long long)cell->held, (long long)r->sure[i]);
	if (cell->left)
		replay_problem(r->verdict, r->setup, SIZE_MAX,
			       "%s: %lld is left when all was given back", name,
			       (long long)cell->left);
}

static wide *new_cells(const struct race *r, size_t times)
{
	return calloc(r->setup->machines->nr_cells * times + 1, sizeof(wide));
}

static int allocate(struct race *r)
{
	unsigned int nr = r->result->nr_logs;

	r->points = calloc(r->result->nr_stamps + 1, sizeof(*r->points));
	r->open = calloc(nr + 1ul, sizeof(struct replay_record *));
	r->most_open = new_cells(r, nr);
	r->sure = new_cells(r, 1);
	r->maybe = new_cells(r, 1);
	r->most_sure = new_cells(r, 1);
	r->most_maybe = new_cells(r, 1);
	return r->points && r->open && r->most_open && r->sure && r->maybe &&
			       r->most_sure && r->most_maybe
		       ? replay_columns_create(r->setup->machines, &r->columns)
		       : -ENOMEM;
}

static void let_go(struct race *r)
{
	free(r->points);
	free(r->open);
	free(r->most_open);
	free(r->sure);
	free(r->maybe);
	free(r->most_sure);
	free(r->most_maybe);
	replay_columns_destroy(&r->columns);
}

int replay_verify_race(const struct replay_setup *setup,
		       const struct replay_result *result,
		       struct replay_verdict *verdict)
{
	struct race r = {
		.setup = setup,
		.result = result,
		.verdict = verdict,
	};
	int err = allocate(&r);

	if (!err)
		put_points(&r);
	for (uint64_t i = 0; !err && i < result->nr_stamps; i++)
		if (r.points[i].is_there)
			pass(&r, &r.points[i]);
	for (size_t i = 0; !err && i < setup->machines->nr_cells; i++)
		check_end(&r, i);
	let_go(&r);
	return err;
}
