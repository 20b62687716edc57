// SPDX-License-Identifier: MIT
/* A trace is put together: see replay_trace.h. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "replay_trace.h"

const char *const replay_op_names[REPLAY_NR_OPS] = {"reserve", "commit",
						    "cancel", "release"};

static int no_memory(void)
{
	warnx("no memory for the trace");
	return -ENOMEM;
}

/* Makes room for one more of nr, in an array that grows by powers of two. */
static void *make_room(void *array, size_t nr, size_t bytes)
{
	if (nr & (nr - 1) || nr == 1)
		return array;
	return reallocarray(array, nr ? 2 * nr : 2, bytes);
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
	struct replay_item *items =
		make_room(trace->items, trace->nr_items, sizeof(*items));

	if (!items)
		return no_memory();
	trace->items = items;
	items[trace->nr_items++] = *item;
	if (item->node > trace->said.last_node)
		trace->said.last_node = item->node;
	return 0;
}

int replay_add_event(struct replay_reader *reader, struct replay_trace *trace,
		     const struct replay_event *event,
		     const struct replay_item *items, unsigned int nr_items)
{
	struct replay_event *events =
		make_room(trace->events, trace->nr_events, sizeof(*events));

	if (!events)
		return no_memory();
	trace->events = events;
	if (trace->nr_events == UINT32_MAX || trace->nr_items > UINT32_MAX / 2)
		return replay_bad(reader, "too many events");
	if (nr_items > TALLY_LIMIT_MAX_HOLDS)
		return replay_bad(reader, "a request of more than %d amounts",
				  TALLY_LIMIT_MAX_HOLDS);
	events[trace->nr_events] = *event;
	events += trace->nr_events;
	events->order = (uint32_t)trace->nr_events++;
	events->item = (uint32_t)trace->nr_items;
	events->nr_items = (uint8_t)nr_items;
	events->line = reader->number;
	events->file = reader->file;
	for (unsigned int i = 0; i < nr_items; i++)
		if (add_item(trace, &items[i]))
			return -ENOMEM;
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

	event.op = REPLAY_COMMIT;
	if (!err)
		err = replay_add_event(reader, trace, &event, NULL, 0);
	if (err || trace->until_full || end_us < begin_us)
		return err;
	/* What ends makes room for what begins at that time, but for itself. */
	event.op = REPLAY_RELEASE;
	event.time_us = end_us;
	event.rank = end_us > begin_us ? 0 : 2;
	return replay_add_event(reader, trace, &event, NULL, 0);
}

int replay_add_capacity(struct replay_trace *trace,
			const struct replay_item *capacity)
{
	struct replay_said *said = &trace->said;
	struct replay_item *capacities = make_room(
		said->capacities, said->nr_capacities, sizeof(*capacities));

	if (!capacities)
		return no_memory();
	said->capacities = capacities;
	capacities[said->nr_capacities++] = *capacity;
	if (capacity->node > said->last_node)
		said->last_node = capacity->node;
	return 0;
}

int replay_add_machine(struct replay_trace *trace,
		       const int64_t capacities[REPLAY_MAX_RESOURCES])
{
	struct replay_said *said = &trace->said;
	int64_t(*machines)[REPLAY_MAX_RESOURCES] =
		make_room(said->machines, said->nr_machines, sizeof(*machines));

	if (!machines)
		return no_memory();
	said->machines = machines;
	memcpy(machines[said->nr_machines++], capacities, sizeof(*machines));
	return 0;
}

static enum replay_kind kind_of(const char *line, bool machines)
{
	if (machines || replay_is_pods(line))
		return REPLAY_PODS;
	if (replay_is_azure(line))
		return REPLAY_AZURE;
	return replay_is_swf(line) ? REPLAY_SWF : REPLAY_CSV;
}

static int load_file(struct replay_reader *reader, struct replay_trace *trace)
{
	int ret = replay_next_line(reader);
	enum replay_kind kind;
	bool machines;

	if (ret < 0)
		return ret;
	if (!ret)
		return replay_bad(reader, "there is nothing in it");
	machines = replay_is_machines(reader->line);
	kind = kind_of(reader->line, machines);
	if (trace->kind && trace->kind != kind)
		return replay_bad(reader,
				  "another kind of trace than the one before");
	trace->kind = kind;
	if (machines)
		return replay_read_machines(reader, trace);
	if (kind == REPLAY_PODS)
		return replay_read_pods(reader, trace);
	if (kind == REPLAY_AZURE)
		return replay_read_azure(reader, trace);
	return kind == REPLAY_SWF ? replay_read_swf(reader, trace)
				  : replay_read_csv(reader, trace);
}

int replay_load(struct replay_trace *trace, char **paths, int nr)
{
	if (nr > UINT16_MAX) {
		warnx("too many files");
		return -E2BIG;
	}
	trace->said.last_node = -1;
	trace->files = paths;
	trace->nr_files = (uint16_t)nr;
	for (int i = 0; i < nr; i++) {
		struct replay_reader reader;
		int err = replay_reader_open(&reader, paths[i]);

		reader.file = (uint16_t)i;
		if (!err)
			err = load_file(&reader, trace);
		replay_reader_close(&reader);
		if (err)
			return err;
	}
	return 0;
}

void replay_free(struct replay_trace *trace)
{
	json_decref(trace->names);
	free(trace->said.machines);
	free(trace->said.capacities);
	free(trace->events);
	free(trace->items);
}
