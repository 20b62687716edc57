// SPDX-License-Identifier: MIT
/* Builds a trace. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "replay/trace.h"

const char *const replay_op_names[REPLAY_NR_OPS] = {"reserve", "commit",
						    "cancel", "release"};

static int no_memory(void)
{
	warnx("no memory for the trace");
	return -ENOMEM;
}

int replay_resource(struct replay_trace *trace, const char *name,
		    const char *unit)
{
	struct replay_resource *r;

	for (unsigned int i = 0; i < trace->nr_resources; i++)
		if (!strcmp(trace->resources[i].name, name))
			return (int)i;
	if (trace->nr_resources == REPLAY_MAX_RESOURCES)
		return -E2BIG;
	r = &trace->resources[trace->nr_resources];
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->unit, sizeof(r->unit), "%s", unit);
	return (int)trace->nr_resources++;
}

static int add_item(struct replay_trace *trace, const struct replay_item *item)
{
	if (array_reserve(trace->items, trace->room_items, trace->nr_items + 1))
		return no_memory();
	trace->items[trace->nr_items++] = *item;
	if (item->node > trace->origin.last_node)
		trace->origin.last_node = item->node;
	return 0;
}

int replay_add_event(struct replay_reader *reader, struct replay_trace *trace,
		     const struct replay_event *event,
		     const struct replay_item *items, unsigned int nr_items)
{
	struct replay_event *added;

	if (array_reserve(trace->events, trace->room_events,
			  trace->nr_events + 1))
		return no_memory();
	if (trace->nr_events == UINT32_MAX || trace->nr_items > UINT32_MAX / 2)
		return replay_bad_file(reader, "too many events");
	if (nr_items > TALLY_LIMIT_MAX_DEMANDS)
		return replay_bad(reader, "a request of more than %d amounts",
				  TALLY_LIMIT_MAX_DEMANDS);
	added = &trace->events[trace->nr_events];
	*added = *event;
	added->order = (uint32_t)trace->nr_events++;
	added->item = (uint32_t)trace->nr_items;
	added->nr_items = (uint8_t)nr_items;
	added->line = reader->number;
	added->file = reader->file;
	for (unsigned int i = 0; i < nr_items; i++)
		if (add_item(trace, &items[i]))
			return -ENOMEM;
	return 0;
}

int replay_leave_out(struct replay_trace *trace, uint32_t job)
{
	size_t room = trace->room_left_out;

	if (array_reserve(trace->left_out, trace->room_left_out, job + 1ul))
		return no_memory();
	memset(trace->left_out + room, 0,
	       (trace->room_left_out - room) * sizeof(*trace->left_out));
	trace->left_out[job] = true;
	return 0;
}

struct job_name {
	uint32_t job;
	char name[];
};

static int compare_names(const void *a, const void *b)
{
	const struct job_name *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int replay_job(struct replay_trace *trace, const char *name, bool anew,
	       uint32_t *job)
{
	size_t bytes = strlen(name) + 1;
	struct job_name *wanted = malloc(sizeof(*wanted) + bytes), **found;

	if (!wanted)
		return no_memory();
	memcpy(wanted->name, name, bytes);
	found = tsearch(wanted, &trace->names, compare_names);
	if (!found || *found != wanted)
		free(wanted);
	if (!found)
		return no_memory();
	if (*found == wanted || anew)
		(*found)->job = trace->nr_jobs++;
	*job = (*found)->job;
	return 0;
}

int replay_add_job(struct replay_reader *reader, struct replay_trace *trace,
		   int64_t begin_us, int64_t end_us, uint32_t tasks,
		   const struct replay_item *items, unsigned int nr_items)
{
	struct replay_event event = {
		.time_us = begin_us,
		.job = trace->nr_jobs++,
		.tasks = tasks,
		.op = REPLAY_RESERVE,
		.rank = 1,
	};
	int err = replay_add_event(reader, trace, &event, items, nr_items);

	if (err) {
		trace->nr_jobs--;
		return err;
	}
	event.op = REPLAY_COMMIT;
	err = replay_add_event(reader, trace, &event, NULL, 0);
	if (err || trace->until_full || end_us < begin_us)
		return err;
	/* At one time, jobs end before others begin, but not before they began
	 * themselves. */
	event.op = REPLAY_RELEASE;
	event.time_us = end_us;
	event.rank = end_us > begin_us ? 0 : 2;
	return replay_add_event(reader, trace, &event, NULL, 0);
}

int replay_add_capacity(struct replay_trace *trace,
			const struct replay_item *capacity)
{
	struct replay_origin *origin = &trace->origin;

	if (array_reserve(origin->capacities, origin->room_capacities,
			  origin->nr_capacities + 1))
		return no_memory();
	origin->capacities[origin->nr_capacities++] = *capacity;
	if (capacity->node > origin->last_node)
		origin->last_node = capacity->node;
	return 0;
}

int replay_add_machine(struct replay_trace *trace,
		       const int64_t capacities[REPLAY_MAX_RESOURCES])
{
	struct replay_origin *origin = &trace->origin;

	if (array_reserve(origin->machines, origin->room_machines,
			  origin->nr_machines + 1))
		return no_memory();
	memcpy(origin->machines[origin->nr_machines++], capacities,
	       sizeof(*origin->machines));
	return 0;
}

void replay_free(struct replay_trace *trace)
{
	tdestroy(trace->names, free);
	free(trace->origin.machines);
	free(trace->origin.capacities);
	free(trace->left_out);
	free(trace->numbers);
	free(trace->events);
	free(trace->items);
}
