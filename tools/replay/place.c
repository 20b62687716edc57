// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "replay/place.h"

const char *const replay_policy_names[REPLAY_NR_POLICIES] = {"first", "best",
							     "spread"};

struct search {
	const struct replay_machines *machines;
	enum replay_policy policy;
	const struct replay_item *items;
	unsigned int nr_items;
	uint32_t tasks;
	const struct replay_free *free;
};

static int64_t free_of(const struct search *s, unsigned int node,
		       const struct replay_item *item)
{
	return s->free->free(s->free->arg, replay_cell(s->machines, (int)node,
						       item->resource));
}

/* The whole of an item, at most INT64_MAX, which fits nowhere. */
static int64_t whole(const struct search *s, const struct replay_item *item)
{
	int64_t sum;

	if (__builtin_mul_overflow(item->amount, s->tasks ? s->tasks : 1, &sum))
		return INT64_MAX;
	return sum;
}

/* How many tasks fit on a node, at most as many as there are. */
static uint32_t room_for(const struct search *s, unsigned int node)
{
	int64_t room = s->tasks;

	for (unsigned int i = 0; i < s->nr_items && room > 0; i++) {
		int64_t n = free_of(s, node, &s->items[i]) / s->items[i].amount;

		if (n < room)
			room = n;
	}
	return room > 0 ? (uint32_t)room : 0;
}

static bool fits(const struct search *s, unsigned int node)
{
	for (unsigned int i = 0; i < s->nr_items; i++)
		if (free_of(s, node, &s->items[i]) < whole(s, &s->items[i]))
			return false;
	return true;
}

/* Whether the nodes from first to end together have what a lump asks for, or
 * room for all tasks. */
static bool fit_together(const struct search *s, unsigned int first,
			 unsigned int end)
{
	uint64_t room = 0;

	for (unsigned int n = first; s->tasks && n < end && room < s->tasks;
	     n++)
		room += room_for(s, n);
	if (s->tasks)
		return room >= s->tasks;
	for (unsigned int i = 0; i < s->nr_items; i++) {
		int64_t left = s->items[i].amount;

		for (unsigned int n = first; n < end && left > 0; n++) {
			int64_t has = free_of(s, n, &s->items[i]);

			left -= has > 0 ? has < left ? has : left : 0;
		}
		if (left > 0)
			return false;
	}
	return true;
}

/* What policies compare: what is free of the first item. */
static int64_t rank_of(const struct search *s, unsigned int first,
		       unsigned int end)
{
	int64_t sum = 0;

	for (unsigned int n = first; s->nr_items && n < end; n++)
		if (__builtin_add_overflow(sum, free_of(s, n, &s->items[0]),
					   &sum))
			return INT64_MAX;
	return sum;
}

/* Choose a run of so many nodes. Returns its first node, or -ENOSPC. */
static int choose(const struct search *s, unsigned int run)
{
	int64_t best = 0;
	int found = -ENOSPC;

	for (unsigned int n = 0; n + run <= s->machines->nr_nodes; n += run) {
		int64_t rank;

		if (run == 1 ? !fits(s, n) : !fit_together(s, n, n + run))
			continue;
		if (s->policy == REPLAY_FIRST)
			return (int)n;
		rank = rank_of(s, n, n + run);
		if (found < 0 ||
		    (s->policy == REPLAY_BEST ? rank < best : rank > best)) {
			best = rank;
			found = (int)n;
		}
	}
	return found;
}

static int put(struct replay_place *place, unsigned int node,
	       const struct replay_item *item, int64_t amount)
{
	if (place->nr == TALLY_LIMIT_MAX_DEMANDS)
		return -E2BIG;
	place->demands[place->nr++] =
		(struct tally_demand){(int)node, item->resource, amount};
	return 0;
}

static int put_whole(const struct search *s, struct replay_place *place,
		     unsigned int node)
{
	for (unsigned int i = 0; i < s->nr_items; i++)
		put(place, node, &s->items[i], whole(s, &s->items[i]));
	return 0;
}

static int put_lump(const struct search *s, struct replay_place *place,
		    unsigned int first, unsigned int end)
{
	for (unsigned int i = 0; i < s->nr_items; i++) {
		int64_t left = s->items[i].amount;

		for (unsigned int n = first; n < end && left; n++) {
			int64_t has = free_of(s, n, &s->items[i]);

			if (has > left)
				has = left;
			if (has <= 0)
				continue;
			if (put(place, n, &s->items[i], has))
				return -E2BIG;
			left -= has;
		}
	}
	return 0;
}

static int put_tasks(const struct search *s, struct replay_place *place,
		     unsigned int first, unsigned int end)
{
	uint32_t left = s->tasks;

	for (unsigned int n = first; n < end && left; n++) {
		uint32_t here = room_for(s, n);

		if (here > left)
			here = left;
		for (unsigned int i = 0; here && i < s->nr_items; i++)
			if (put(place, n, &s->items[i],
				s->items[i].amount * here))
				return -E2BIG;
		left -= here;
	}
	return 0;
}

static int find(const struct search *s, struct replay_place *place)
{
	unsigned int per_machine = s->machines->per_machine;
	int first = choose(s, 1);

	if (first >= 0)
		return put_whole(s, place, (unsigned int)first);
	if (per_machine > 1)
		first = choose(s, per_machine);
	if (first >= 0)
		return s->tasks ? put_tasks(s, place, (unsigned int)first,
					    (unsigned int)first + per_machine)
				: put_lump(s, place, (unsigned int)first,
					   (unsigned int)first + per_machine);
	if (!s->tasks || s->machines->nr_machines == 1 ||
	    !fit_together(s, 0, s->machines->nr_nodes))
		return -ENOSPC;
	return put_tasks(s, place, 0, s->machines->nr_nodes);
}

static struct search search_for(const struct replay_machines *machines,
				const struct replay_trace *trace,
				const struct replay_event *event,
				const struct replay_free *free)
{
	return (struct search){
		.machines = machines,
		.items = &trace->items[event->item],
		.nr_items = event->nr_items,
		.tasks = event->tasks,
		.free = free,
	};
}

int replay_place(const struct replay_machines *machines,
		 enum replay_policy policy, const struct replay_trace *trace,
		 const struct replay_event *event,
		 const struct replay_free *free, struct replay_place *place)
{
	struct search s = search_for(machines, trace, event, free);

	s.policy = policy;
	place->nr = 0;
	if (!s.nr_items || s.items[0].node == REPLAY_ANYWHERE)
		return find(&s, place);
	for (unsigned int i = 0; i < s.nr_items; i++)
		put(place, (unsigned int)s.items[i].node, &s.items[i],
		    s.items[i].amount);
	return 0;
}

void replay_place_in_vain(const struct replay_machines *machines,
			  const struct replay_trace *trace,
			  const struct replay_event *event,
			  const struct replay_free *free,
			  struct replay_place *place)
{
	struct search s = search_for(machines, trace, event, free);
	unsigned int most = 0;

	for (unsigned int n = 1; n < machines->nr_nodes; n++)
		if (rank_of(&s, n, n + 1) > rank_of(&s, most, most + 1))
			most = n;
	place->nr = 0;
	put_whole(&s, place, most);
}
