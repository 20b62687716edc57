// SPDX-License-Identifier: MIT
/*
 * A plain CSV of events. The first line names the columns, in any order, and
 * others are ignored:
 *
 *	time,job,op,node,resource,amount
 *	,,capacity,0,cores,16
 *	0,a,reserve,0,cores,4
 *	0,a,reserve,1,cores,4		with the line above: both or none
 *	1,a,commit,,,
 *	5,a,release,1,cores,2		a part
 *	7,a,release,,,			what is left
 *
 * A reserve without a node is placed by the replay.
 */
#include "config.h"

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "replay_trace.h"

struct csv {
	struct replay_reader *reader;
	struct replay_trace *trace;
	int time, job, op, node, resource, amount; /* columns, or -1 */
	int64_t time_us;			   /* of the line before */
	bool has_time;
	bool open; /* the last event can get another item */
};

static const char *field(const struct csv *c, int column)
{
	return column >= 0 && (unsigned int)column < c->reader->nr_fields
		       ? c->reader->fields[column]
		       : "";
}

static int find_columns(struct csv *c)
{
	if (replay_split_csv(c->reader))
		return -EINVAL;
	c->time = replay_column(c->reader, "time");
	c->job = replay_column(c->reader, "job");
	c->op = replay_column(c->reader, "op");
	c->node = replay_column(c->reader, "node");
	c->resource = replay_column(c->reader, "resource");
	c->amount = replay_column(c->reader, "amount");
	if (c->job >= 0 && c->op >= 0)
		return 0;
	return replay_bad(c->reader, "it names no columns 'job' and 'op', and "
				     "is no other trace that is known");
}

static int read_time(struct csv *c, int64_t *us)
{
	*us = c->time_us;
	if (!*field(c, c->time))
		return 0;
	if (replay_seconds(c->reader, (unsigned int)c->time, "time", us))
		return -EINVAL;
	if (c->has_time && *us < c->time_us)
		return replay_bad(c->reader, "time goes backwards");
	return 0;
}

static bool is_name(const char *name)
{
	if (!isalpha((unsigned char)*name) && *name != '_')
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	return strlen(name) < sizeof(((struct replay_resource *)NULL)->name);
}

static int read_item(struct csv *c, int64_t least, struct replay_item *item)
{
	const char *name = field(c, c->resource);
	int64_t node = REPLAY_ANYWHERE;
	int resource;

	if (*field(c, c->node) &&
	    replay_number(c->reader, (unsigned int)c->node, "node", 0,
			  REPLAY_MAX_NODES - 1, &node))
		return -EINVAL;
	if (!is_name(name))
		return replay_bad(c->reader,
				  "no resource: letters, digits and _, at "
				  "most 31, the first no digit");
	resource = replay_resource(c->trace, name, "");
	if (resource < 0)
		return replay_bad(c->reader, "more than %d resources",
				  REPLAY_MAX_RESOURCES);
	item->node = (int32_t)node;
	item->resource = (uint32_t)resource;
	return replay_number(
		c->reader, c->amount < 0 ? UINT32_MAX : (unsigned int)c->amount,
		"amount", least, INT64_MAX - 1, &item->amount);
}

static int read_op(const struct csv *c)
{
	for (int op = 0; op < REPLAY_NR_OPS; op++)
		if (!strcmp(field(c, c->op), replay_op_names[op]))
			return op;
	return replay_bad(c->reader, "no op: reserve, commit, cancel, release "
				     "or capacity");
}

/* The job's number. */
static int find_job(struct csv *c, bool anew, uint32_t *number)
{
	const char *name = field(c, c->job);
	struct replay_trace *trace = c->trace;
	json_t *found;

	if (!*name)
		return replay_bad(c->reader, "no job");
	if (!trace->names)
		trace->names = json_object();
	found = json_object_get(trace->names, name);
	if (found && !anew) {
		*number = (uint32_t)json_integer_value(found);
		return 0;
	}
	if (json_object_set_new_nocheck(trace->names, name,
					json_integer(trace->nr_jobs))) {
		warnx("no memory for the trace");
		return -ENOMEM;
	}
	*number = trace->nr_jobs++;
	return 0;
}

/* Whether the line goes on with the request of the line before. */
static bool goes_on(const struct csv *c, const struct replay_event *event)
{
	const struct replay_event *last;

	if (!c->open)
		return false;
	last = &c->trace->events[c->trace->nr_events - 1];
	return last->op == event->op && last->job == event->job &&
	       last->time_us == event->time_us;
}

static int add_item(struct csv *c, const struct replay_item *item)
{
	struct replay_trace *trace = c->trace;
	struct replay_event *last = &trace->events[--trace->nr_events];
	struct replay_item items[TALLY_LIMIT_MAX_HOLDS + 1];
	struct replay_event event = *last;
	uint32_t line = c->reader->number;
	int err;

	memcpy(items, &trace->items[event.item],
	       event.nr_items * sizeof(*items));
	if ((trace->items[event.item].node == REPLAY_ANYWHERE) !=
	    (item->node == REPLAY_ANYWHERE))
		return replay_bad(c->reader, "a request with a node here, and "
					     "without one there");
	trace->nr_items = event.item;
	items[event.nr_items] = *item;
	/* The event is where its first line is. */
	c->reader->number = event.line;
	err = replay_add_event(c->reader, trace, &event, items,
			       event.nr_items + 1u);
	c->reader->number = line;
	return err;
}

static int add(struct csv *c, struct replay_event *event)
{
	struct replay_trace *trace = c->trace;
	bool reserves = event->op == REPLAY_RESERVE;
	struct replay_item item = {0};
	bool has_item = *field(c, c->resource) || *field(c, c->node) ||
			*field(c, c->amount);
	int err;

	if (!reserves && event->op != REPLAY_RELEASE && has_item)
		return replay_bad(c->reader, "a %s is of all that the job has",
				  replay_op_names[event->op]);
	if (!reserves && !has_item) {
		c->open = false;
		return replay_add_event(c->reader, trace, event, NULL, 0);
	}
	if (read_item(c, 1, &item))
		return -EINVAL;
	if (!reserves && item.node == REPLAY_ANYWHERE)
		return replay_bad(c->reader, "no node");
	if (goes_on(c, event))
		return add_item(c, &item);
	err = replay_add_event(c->reader, trace, event, &item, 1);
	c->open = true;
	return err;
}

static int read_event(struct csv *c)
{
	struct replay_event event = {.rank = 1};
	int op, err;

	if (!strcmp(field(c, c->op), "capacity")) {
		struct replay_item capacity = {0};

		return read_item(c, 0, &capacity)
			       ? -EINVAL
			       : replay_add_capacity(c->trace, &capacity);
	}
	op = read_op(c);
	if (op < 0 || read_time(c, &event.time_us))
		return -EINVAL;
	event.op = (uint8_t)op;
	if (c->trace->until_full &&
	    (op == REPLAY_CANCEL || op == REPLAY_RELEASE))
		return 0;
	err = find_job(c, false, &event.job);
	if (!err && c->trace->until_full && op == REPLAY_RESERVE &&
	    !goes_on(c, &event))
		err = find_job(c, true, &event.job);
	if (!err)
		err = add(c, &event);
	c->time_us = event.time_us;
	c->has_time = true;
	return err;
}

int replay_read_csv(struct replay_reader *r, struct replay_trace *trace)
{
	struct csv c = {.reader = r, .trace = trace};
	int ret = find_columns(&c);

	if (ret)
		return ret;
	while ((ret = replay_next_line(r)) == 1) {
		ret = replay_split_csv(r);
		if (!ret)
			ret = read_event(&c);
		if (ret)
			return ret;
	}
	return ret;
}
