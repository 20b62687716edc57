// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "replay/place.h"

const char *const replay_policy_names[REPLAY_NR_POLICIES] = {"first", "best",
							     "spread"};
static const enum tally_place_score scores[REPLAY_NR_POLICIES] = {
	TALLY_PLACE_FIRST, TALLY_PLACE_BEST, TALLY_PLACE_LEAST_ALLOCATED};

struct search {
	struct tally_place *columns;
	const struct replay_item *items;
	unsigned int nr_items;
	uint32_t tasks;
	enum tally_place_score score;
};

/* So many times an item, at most INT64_MAX, which fits nowhere. */
static int64_t times(const struct replay_item *item, uint32_t tasks)
{
	int64_t sum;

	if (__builtin_mul_overflow(item->amount, tasks, &sum))
		return INT64_MAX;
	return sum;
}

static uint32_t nr_tasks(const struct search *s)
{
	return s->tasks ? s->tasks : 1;
}

/* A request of so many tasks. */
struct asked {
	struct tally_place_request request;
	struct tally_place_part part;
	struct tally_amount amounts[TALLY_PLACE_MAX_AMOUNTS];
};

static void ask(struct asked *a, const struct search *s, uint32_t tasks)
{
	for (unsigned int i = 0; i < s->nr_items; i++)
		a->amounts[i] = (struct tally_amount){
			s->items[i].resource, times(&s->items[i], tasks)};
	a->part = (struct tally_place_part){a->amounts, s->nr_items};
	a->request = (struct tally_place_request){
		.size = sizeof(a->request),
		.parts = &a->part,
		.nr_parts = 1,
		.policy = TALLY_PLACE_NONE,
		.score = s->score,
	};
}

/* Nothing tells a replay that it would fit on an empty machine. */
static int no_room(int err)
{
	return err == -ERANGE ? -ENOSPC : err;
}

static void put_on(struct replay_place *place, const struct search *s,
		   unsigned int node, uint32_t tasks)
{
	for (unsigned int i = 0; i < s->nr_items; i++)
		place->demands[place->nr++] =
			(struct tally_demand){(int)node, s->items[i].resource,
					      times(&s->items[i], tasks)};
}

static int find_node(const struct search *s, uint32_t tasks, uint32_t *node)
{
	struct asked a;

	ask(&a, s, tasks);
	return no_room(tally_place_node(s->columns, &a.request, node));
}

static int find_machine(const struct search *s, struct replay_place *place)
{
	struct tally_fit fit = {.size = sizeof(fit)};
	struct asked a;
	int err;

	ask(&a, s, 1);
	err = tally_place_fit(s->columns, &a.request, TALLY_PLACE_ANY, NULL,
			      &fit);
	if (err)
		return no_room(err);
	memcpy(place->demands, fit.demands,
	       fit.nr_demands * sizeof(*fit.demands));
	place->nr = fit.nr_demands;
	return 0;
}

/* How many tasks fit on a node, at most so many. */
static uint32_t room_for(const struct search *s, uint32_t node, uint32_t tasks)
{
	int64_t room = tasks;

	for (unsigned int i = 0; i < s->nr_items; i++) {
		int64_t n = s->columns->free[s->items[i].resource][node] /
			    s->items[i].amount;

		if (n < room)
			room = n;
	}
	return room > 0 ? (uint32_t)room : 0;
}

static bool all_fit(const struct search *s)
{
	uint64_t room = 0;

	for (uint32_t n = 0; n < s->columns->nr_nodes && room < s->tasks; n++)
		room += room_for(s, n, s->tasks);
	return room >= s->tasks;
}

static void take(const struct search *s, const struct replay_place *part,
		 int sign)
{
	for (unsigned int i = 0; i < part->nr; i++) {
		const struct tally_demand *d = &part->demands[i];

		s->columns->free[d->resource][d->node] -= sign * d->amount;
	}
}

/* The tasks that one node after the other has room for, until all are placed. */
static int find_nodes(const struct search *s, struct replay_place *place)
{
	uint32_t left = s->tasks, node;
	int err = 0;

	while (left && !(err = find_node(s, 1, &node))) {
		struct replay_place part = {.nr = 0};
		uint32_t here = room_for(s, node, left);

		if (place->nr + s->nr_items > TALLY_LIMIT_MAX_DEMANDS) {
			err = -E2BIG;
			break;
		}
		put_on(&part, s, node, here);
		take(s, &part, 1);
		memcpy(&place->demands[place->nr], part.demands,
		       part.nr * sizeof(*part.demands));
		place->nr += part.nr;
		left -= here;
	}
	take(s, place, -1);
	return err;
}

static int find(const struct search *s, struct replay_place *place)
{
	uint32_t node;
	int err = find_node(s, nr_tasks(s), &node);

	if (!err)
		put_on(place, s, node, nr_tasks(s));
	if (err != -ENOSPC)
		return err;
	if (s->tasks)
		return all_fit(s) ? find_nodes(s, place) : -ENOSPC;
	return s->columns->nr_machines == s->columns->nr_nodes
		       ? -ENOSPC
		       : find_machine(s, place);
}

int replay_place(struct replay_columns *columns, enum replay_policy policy,
		 const struct replay_trace *trace,
		 const struct replay_event *event, struct replay_place *place)
{
	const struct search s = {
		.columns = &columns->place,
		.items = &trace->items[event->item],
		.nr_items = event->nr_items,
		.tasks = event->tasks,
		.score = scores[policy],
	};

	place->nr = 0;
	if (!s.nr_items)
		return 0;
	if (s.items[0].node == REPLAY_ANYWHERE)
		return find(&s, place);
	for (unsigned int i = 0; i < s.nr_items; i++)
		place->demands[place->nr++] = (struct tally_demand){
			s.items[i].node, s.items[i].resource,
			s.items[i].amount};
	return 0;
}

void replay_place_in_vain(const struct replay_columns *columns,
			  const struct replay_trace *trace,
			  const struct replay_event *event,
			  struct replay_place *place)
{
	const struct search s = {
		.items = &trace->items[event->item],
		.nr_items = event->nr_items,
		.tasks = event->tasks,
	};
	const int64_t *free = columns->place.free[s.items[0].resource];
	uint32_t most = 0;

	for (uint32_t n = 1; n < columns->place.nr_nodes; n++)
		if (free[n] > free[most])
			most = n;
	place->nr = 0;
	put_on(place, &s, most, nr_tasks(&s));
}
