// SPDX-License-Identifier: MIT
/* Puts events into order, and jobs into slots. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/load.h"

/*
 * How many slots are idle before one is reused: threads that are fewer jobs apart
 * don't wait for each other.
 */
#define IDLE_SLOTS 256

struct job {
	bool lives;
	bool committed;
	bool bad;
	uint32_t slot;
	uint32_t reserve; /* index of the event */
	/* The rest of its items, once it has released a part; else NULL */
	struct replay_item *left;
};

struct schedule {
	struct replay_trace *trace;
	struct job *jobs;
	size_t room;	 /* for slots: the number of reserves */
	uint32_t *turns; /* of each slot */
	uint32_t *idle;	 /* a ring: the longest idle first */
	size_t first_idle, nr_idle;
};

static int compare(const void *a, const void *b)
{
	const struct replay_event *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static int bad_event(const struct schedule *s, const struct replay_event *e,
		     const char *why)
{
	if (s->trace->nr_errors++ < REPLAY_MAX_MESSAGES)
		replay_bad_line(s->trace->files[e->file], e->line, "%s: %s",
				replay_op_names[e->op], why);
	return -EINVAL;
}

static void begin(struct schedule *s, struct job *job,
		  const struct replay_event *event)
{
	*job = (struct job){
		.lives = true,
		.reserve = (uint32_t)(event - s->trace->events),
	};
	if (s->nr_idle > IDLE_SLOTS) {
		job->slot = s->idle[s->first_idle++ % s->room];
		s->nr_idle--;
	} else {
		job->slot = s->trace->nr_slots++;
	}
}

static void end(struct schedule *s, struct job *job, struct replay_event *e)
{
	e->ends = true;
	job->lives = false;
	free(job->left);
	job->left = NULL;
	s->idle[(s->first_idle + s->nr_idle++) % s->room] = job->slot;
}

static bool take_off(struct replay_item *left, unsigned int nr,
		     const struct replay_item *item)
{
	int64_t amount = item->amount;

	for (unsigned int i = 0; i < nr && amount; i++) {
		int64_t part = left[i].amount < amount ? left[i].amount
						       : amount;

		if (left[i].node != item->node ||
		    left[i].resource != item->resource)
			continue;
		left[i].amount -= part;
		amount -= part;
	}
	return !amount;
}

/* Release a part of what the job holds. It ends if nothing is left. */
static int give_back(struct schedule *s, struct job *job,
		     struct replay_event *e)
{
	const struct replay_item *items = s->trace->items;
	const struct replay_event *reserve = &s->trace->events[job->reserve];
	unsigned int nr = reserve->nr_items;
	int64_t sum = 0;

	if (items[reserve->item].node == REPLAY_ANYWHERE)
		return bad_event(s, e,
				 "a part of a job that the replay placed");
	if (!job->left) {
		job->left = reallocarray(NULL, nr, sizeof(*job->left));
		if (!job->left) {
			warnx("no memory for the trace");
			return -ENOMEM;
		}
		memcpy(job->left, &items[reserve->item],
		       nr * sizeof(*job->left));
	}
	for (unsigned int i = 0; i < e->nr_items; i++)
		if (!take_off(job->left, nr, &items[e->item + i]))
			return bad_event(s, e, "more than the job holds");
	for (unsigned int i = 0; i < nr; i++)
		sum |= job->left[i].amount;
	if (!sum)
		end(s, job, e);
	return 0;
}

static int apply(struct schedule *s, struct job *job, struct replay_event *e)
{
	if (e->op == REPLAY_RESERVE) {
		if (job->lives)
			return bad_event(s, e, "the job holds something");
		begin(s, job, e);
		return 0;
	}
	if (!job->lives)
		return bad_event(s, e, "the job holds nothing");
	if (e->op == REPLAY_COMMIT)
		job->committed = true;
	else if (e->op == REPLAY_CANCEL && job->committed)
		return bad_event(s, e, "the job has committed");
	else if (e->nr_items)
		return give_back(s, job, e);
	else
		end(s, job, e);
	return 0;
}

/* -EINVAL: jobs were left out for what their events do. */
static int walk(struct schedule *s)
{
	struct replay_trace *trace = s->trace;
	int found = 0;

	for (size_t i = 0; i < trace->nr_events; i++) {
		struct replay_event *e = &trace->events[i];
		struct job *job = &s->jobs[e->job];
		int err = job->bad ? 0 : apply(s, job, e);

		if (err == -EINVAL) {
			job->bad = true;
			found = err;
			err = replay_leave_out(trace, e->job);
		}
		if (err)
			return err;
		e->slot = job->slot;
		e->turn = s->turns[job->slot]++;
	}
	return found;
}

static void drop_left_out(struct replay_trace *trace)
{
	size_t nr = 0;

	for (size_t i = 0; i < trace->nr_events; i++)
		if (trace->events[i].job >= trace->room_left_out ||
		    !trace->left_out[trace->events[i].job])
			trace->events[nr++] = trace->events[i];
	trace->nr_events = nr;
}

static size_t nr_reserves(const struct replay_trace *trace)
{
	size_t nr = 0;

	for (size_t i = 0; i < trace->nr_events; i++)
		nr += trace->events[i].op == REPLAY_RESERVE;
	return nr;
}

static void free_jobs(struct schedule *s)
{
	for (size_t i = 0; s->jobs && i < s->trace->nr_jobs; i++)
		free(s->jobs[i].left);
	free(s->jobs);
	free(s->turns);
	free(s->idle);
}

static int schedule(struct replay_trace *trace)
{
	struct schedule s = {
		.trace = trace,
		.jobs = calloc(trace->nr_jobs + 1ul, sizeof(*s.jobs)),
		.room = nr_reserves(trace) + 1,
	};
	int err = -ENOMEM;

	s.turns = calloc(s.room, sizeof(*s.turns));
	s.idle = calloc(s.room, sizeof(*s.idle));
	trace->nr_slots = 0;
	if (s.jobs && s.turns && s.idle)
		err = walk(&s);
	else
		warnx("no memory for the trace");
	free_jobs(&s);
	return err;
}

int replay_schedule(struct replay_trace *trace)
{
	int err;

	/* One file of events is in order. */
	if (trace->nr_events &&
	    (trace->kind != REPLAY_CSV || trace->nr_files > 1))
		qsort(trace->events, trace->nr_events, sizeof(*trace->events),
		      compare);
	do {
		drop_left_out(trace);
		err = schedule(trace);
	} while (err == -EINVAL);
	if (trace->nr_errors > REPLAY_MAX_MESSAGES)
		warnx("%u more lines with an error",
		      trace->nr_errors - REPLAY_MAX_MESSAGES);
	return !err && trace->nr_errors && !trace->nr_events ? -EINVAL : err;
}
