// SPDX-License-Identifier: MIT
/* In order: a plain table is kept beside the library. See replay/verify.h. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/race.h"
#include "replay/verify.h"

/* What a job holds. */
struct job {
	bool held;
	unsigned int nr;
	struct tally_demand *demands;
};

struct table {
	const struct replay_setup *setup;
	struct replay_verdict *verdict;
	struct replay_columns columns;
	int64_t *peak; /* [cell] */
	uint64_t *nr_refused;
	struct job *jobs; /* [slot] */
	const struct replay_log *log;
	size_t next; /* record of the log */
};

static int64_t free_in(const struct table *t, size_t cell)
{
	return *replay_column_cell(&t->columns, cell);
}

static int64_t held_in(const struct table *t, size_t cell)
{
	return t->setup->machines->capacity[cell] - free_in(t, cell);
}

static void add(struct table *t, const struct tally_demand *demand,
		int64_t sign)
{
	*replay_column_cell(&t->columns,
			    replay_cell(t->setup->machines, demand->node,
					demand->resource)) -=
		sign * demand->amount;
}

/* Admit all of it, or nothing. */
static bool admit(struct table *t, const struct replay_place *place)
{
	for (unsigned int i = 0; i < place->nr; i++) {
		const struct tally_demand *demand = &place->demands[i];
		size_t cell = replay_cell(t->setup->machines, demand->node,
					  demand->resource);

		if (demand->amount > free_in(t, cell)) {
			t->nr_refused[cell]++;
			while (i)
				add(t, &place->demands[--i], -1);
			return false;
		}
		add(t, demand, 1);
	}
	for (unsigned int i = 0; i < place->nr; i++) {
		size_t cell = replay_cell(t->setup->machines,
					  place->demands[i].node,
					  place->demands[i].resource);

		if (held_in(t, cell) > t->peak[cell])
			t->peak[cell] = held_in(t, cell);
	}
	return true;
}

static const char *const did_names[] = {"granted", "refused", "gave back",
					"saw no room"};

/* What the thread saw next must be this. */
static void compare(struct table *t, uint32_t event, enum replay_did did,
		    const struct tally_demand *demands, unsigned int nr)
{
	const struct replay_log *log = t->log;
	const struct replay_record *r;

	while (t->next < log->nr &&
	       log->records[t->next].did == REPLAY_SAW_NONE)
		t->next++;
	if (t->next == log->nr) {
		replay_problem(t->verdict, t->setup, event,
			       "%s by the reference, but never asked for",
			       did_names[did]);
		return;
	}
	r = &log->records[t->next++];
	if (r->event != event || r->did != did)
		replay_problem(t->verdict, t->setup, event,
			       "the library %s, the reference %s",
			       did_names[r->did], did_names[did]);
	else if (r->nr_demands != nr ||
		 (nr && memcmp(&log->demands[r->demand], demands,
			       nr * sizeof(*demands)) != 0))
		replay_problem(t->verdict, t->setup, event,
			       "%s, but not as by the reference",
			       did_names[did]);
}

static int reserve(struct table *t, uint32_t index,
		   const struct replay_event *event)
{
	const struct replay_setup *setup = t->setup;
	struct job *job = &t->jobs[event->slot];
	struct replay_place place;
	int err = replay_place(&t->columns, setup->policy, setup->trace, event,
			       &place);

	job->held = false;
	if (err == -E2BIG)
		return 0;
	if (err)
		replay_place_in_vain(&t->columns, setup->trace, event, &place);
	job->held = admit(t, &place);
	compare(t, index, job->held ? REPLAY_GRANTED : REPLAY_REFUSED,
		place.demands, place.nr);
	if (!job->held)
		return 0;
	free(job->demands);
	job->nr = place.nr;
	job->demands = reallocarray(NULL, place.nr + 1, sizeof(*job->demands));
	if (!job->demands)
		return -ENOMEM;
	memcpy(job->demands, place.demands, place.nr * sizeof(*job->demands));
	return 0;
}

/* Release a part, or everything that is left. */
static void give_back(struct table *t, uint32_t index,
		      const struct replay_event *event)
{
	const struct replay_item *items = &t->setup->trace->items[event->item];
	struct job *job = &t->jobs[event->slot];
	struct replay_place part = {.nr = event->nr_items};

	if (!part.nr) {
		for (unsigned int i = 0; i < job->nr; i++)
			add(t, &job->demands[i], -1);
		compare(t, index, REPLAY_GAVE, job->demands, job->nr);
		job->nr = 0;
	}
	for (unsigned int i = 0; i < part.nr; i++) {
		int64_t amount = items[i].amount;

		part.demands[i] = (struct tally_demand){
			items[i].node, items[i].resource, amount};
		add(t, &part.demands[i], -1);
		for (unsigned int h = 0; h < job->nr && amount; h++) {
			struct tally_demand *demand = &job->demands[h];
			int64_t n = demand->amount < amount ? demand->amount
							    : amount;

			if (demand->node != items[i].node ||
			    demand->resource != items[i].resource)
				continue;
			demand->amount -= n;
			amount -= n;
		}
	}
	if (part.nr)
		compare(t, index, REPLAY_GAVE, part.demands, part.nr);
	if (event->ends)
		job->held = false;
}

static int replay_all(struct table *t)
{
	const struct replay_trace *trace = t->setup->trace;

	for (uint32_t i = 0; i < trace->nr_events; i++) {
		const struct replay_event *event = &trace->events[i];

		if (event->op == REPLAY_RESERVE) {
			if (reserve(t, i, event))
				return -ENOMEM;
		} else if (event->op != REPLAY_COMMIT &&
			   t->jobs[event->slot].held) {
			give_back(t, i, event);
		}
	}
	return 0;
}

static void compare_ends(const struct table *t,
			 const struct replay_result *result)
{
	const struct replay_machines *m = t->setup->machines;

	for (size_t i = 0; i < m->nr_cells; i++) {
		const struct replay_cell_end *cell = &result->cells[i];

		if (cell->held == held_in(t, i) && cell->peak == t->peak[i] &&
		    cell->nr_refused == t->nr_refused[i])
			continue;
		replay_problem(
			t->verdict, t->setup, SIZE_MAX,
			"node %u: %s: held %lld, peak %lld, refused %llu; "
			"the reference: %lld, %lld, %llu",
			replay_node(t->setup->trace, i / m->nr_resources),
			t->setup->trace->resources[i % m->nr_resources].name,
			(long long)cell->held, (long long)cell->peak,
			(unsigned long long)cell->nr_refused,
			(long long)held_in(t, i), (long long)t->peak[i],
			(unsigned long long)t->nr_refused[i]);
	}
}

static int verify_order(const struct replay_setup *setup,
			const struct replay_result *result,
			struct replay_verdict *verdict)
{
	size_t nr_cells = setup->machines->nr_cells + 1;
	size_t nr_slots = setup->trace->nr_slots + 1ul;
	struct table t = {
		.setup = setup,
		.verdict = verdict,
		.peak = calloc(nr_cells, sizeof(*t.peak)),
		.nr_refused = calloc(nr_cells, sizeof(*t.nr_refused)),
		.jobs = calloc(nr_slots, sizeof(*t.jobs)),
		.log = &result->logs[0],
	};
	int err = -ENOMEM;

	if (t.peak && t.nr_refused && t.jobs)
		err = replay_columns_create(setup->machines, &t.columns);
	if (!err)
		err = replay_all(&t);
	if (!err)
		compare_ends(&t, result);
	for (size_t i = 0; t.jobs && i < nr_slots; i++)
		free(t.jobs[i].demands);
	replay_columns_destroy(&t.columns);
	free(t.peak);
	free(t.nr_refused);
	free(t.jobs);
	return err;
}

int replay_verify(const struct replay_setup *setup,
		  const struct replay_result *result,
		  struct replay_verdict *verdict)
{
	int err = replay_verify_race(setup, result, verdict);

	if (!err && result->nr_logs == 1)
		err = verify_order(setup, result, verdict);
	if (err)
		warnx("no memory to verify %zu events",
		      setup->trace->nr_events);
	return err;
}
