// SPDX-License-Identifier: MIT
/*
 * A plain CSV of events. The first line names the columns, in any order; other
 * columns are ignored:
 *
 *	time,job,op,node,resource,amount
 *	,,capacity,0,cores,16
 *	0,a,reserve,0,cores,4
 *	0,a,reserve,1,cores,4		with the line above: both or none
 *	1,a,commit,,,
 *	5,a,release,1,cores,2		a part of it
 *	7,a,release,,,			the rest
 *
 * The replay places a reserve without a node.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "replay/formats.h"

struct csv {
	struct replay_reader *reader;
	struct replay_trace *trace;
	int time, job, op, node, resource, amount; /* columns, or -1 */
	int64_t time_us;			   /* of the last line */
	bool has_time;
	bool open; /* the next line may add an item to the last event */
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
	return replay_bad_file(c->reader,
			       "unknown format: not a CSV with columns 'job' "
			       "and 'op', nor another known trace");
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
			  INT32_MAX - 1, &node))
		return -EINVAL;
	if (!is_name(name))
		return replay_bad(c->reader,
				  "not a resource: letters, digits and _, at "
				  "most 31, and no digit first");
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
	return replay_bad(c->reader,
			  "not an op: reserve, commit, cancel, release "
			  "or capacity");
}

static int find_job(struct csv *c, bool anew, uint32_t *job)
{
	const char *name = field(c, c->job);

	if (!*name)
		return replay_bad(c->reader, "missing job");
	return replay_job(c->trace, name, anew, job);
}

/* Whether the line continues the request of the last line. */
static bool continues(const struct csv *c, const struct replay_event *event)
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
	struct replay_item items[TALLY_LIMIT_MAX_DEMANDS + 1];
	struct replay_event event = *last;
	uint32_t line = c->reader->number;
	int err;

	memcpy(items, &trace->items[event.item],
	       event.nr_items * sizeof(*items));
	if ((trace->items[event.item].node == REPLAY_ANYWHERE) !=
	    (item->node == REPLAY_ANYWHERE))
		return replay_bad(c->reader,
				  "a request with a node on one line and "
				  "without on another");
	trace->nr_items = event.item;
	items[event.nr_items] = *item;
	/* Messages give the first line of an event. */
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
		return replay_bad(c->reader,
				  "a %s takes no node, resource or amount",
				  replay_op_names[event->op]);
	if (!reserves && !has_item) {
		c->open = false;
		return replay_add_event(c->reader, trace, event, NULL, 0);
	}
	if (read_item(c, 1, &item))
		return -EINVAL;
	if (!reserves && item.node == REPLAY_ANYWHERE)
		return replay_bad(c->reader, "missing node");
	if (continues(c, event)) {
		err = add_item(c, &item);
		/* Its event is gone after an error. */
		c->open = !err;
		return err;
	}
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
	    !continues(c, &event))
		err = find_job(c, true, &event.job);
	if (!err)
		err = add(c, &event);
	c->time_us = event.time_us;
	c->has_time = true;
	return err;
}

/* After an error: leave the line's job out, if it has one. */
static int leave_out(struct csv *c)
{
	const char *name = field(c, c->job);
	uint32_t job;
	int err = *name ? replay_job(c->trace, name, false, &job) : -ENOENT;

	if (err)
		return err == -ENOENT ? 0 : err;
	return replay_leave_out(c->trace, job);
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
		if (ret == -EINVAL)
			ret = leave_out(&c);
		if (ret)
			return ret;
	}
	return ret;
}
