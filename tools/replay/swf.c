// SPDX-License-Identifier: MIT
/*
 * The Standard Workload Format, 2.2: comments (';'), and a line of 18 numbers
 * for each job; -1 is not known. Of these are read
 *
 *	2 submitted, 3 waited, 4 ran (seconds), 5 processors (or 8 requested),
 *	10 requested memory (or 7 used), in KiB per processor
 *
 * and, behind them, a list of the nodes that the job's processes ran on. Some
 * logs have more fields behind it, which are ignored.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "replay/formats.h"

#define NR_FIELDS 18
enum {
	SUBMITTED = 1,
	WAITED,
	RAN,
	PROCS,
	USED_KIB = 6,
	ASKED_PROCS,
	ASKED_KIB = 9,
	NODES = 18
};

struct job {
	int64_t begin_us, end_us;
	int64_t procs;
	int64_t kib; /* for each; 0: not known */
};

bool replay_is_swf(const char *line)
{
	unsigned int nr = 0;

	line += strspn(line, " \t");
	if (*line == ';')
		return true;
	for (; *line; line += strspn(line, " \t"), nr++)
		line += strcspn(line, " \t");
	return nr >= NR_FIELDS;
}

static void read_max(const char *line, const char *name, int64_t *max)
{
	size_t len = strlen(name);
	const char *end;
	int64_t n;

	if (strncasecmp(line, name, len) != 0)
		return;
	line += len;
	n = replay_parse(line + strspn(line, " \t"), &end);
	if (n > *max)
		*max = n;
}

static void read_comment(struct replay_reader *r, struct replay_trace *trace)
{
	const char *line = r->line + strspn(r->line, "; \t");

	read_max(line, "MaxProcs:", &trace->origin.max_procs);
	read_max(line, "MaxNodes:", &trace->origin.max_nodes);
}

/* The first of two fields that is known. */
static int read_either(struct replay_reader *r, unsigned int first,
		       unsigned int second, const char *what, int64_t most,
		       int64_t *n)
{
	int err = replay_number(r, first, what, -1, most, n);

	if (!err && *n <= 0)
		err = replay_number(r, second, what, -1, most, n);
	return err;
}

/* 1: the job never ran */
static int read_job(struct replay_reader *r, struct job *job)
{
	int64_t waited, ran;

	int64_t sum;

	if (r->nr_fields < NR_FIELDS)
		return replay_bad(r, "%u fields, not %d", r->nr_fields,
				  NR_FIELDS);
	if (replay_seconds(r, SUBMITTED, "submit time", &job->begin_us) ||
	    replay_seconds(r, WAITED, "wait time", &waited) ||
	    replay_seconds(r, RAN, "run time", &ran) ||
	    read_either(r, PROCS, ASKED_PROCS, "number of processors",
			INT32_MAX, &job->procs) ||
	    read_either(r, ASKED_KIB, USED_KIB, "memory", INT64_MAX - 1,
			&job->kib))
		return -EINVAL;
	if (__builtin_mul_overflow(job->procs, job->kib, &sum) ||
	    sum == INT64_MAX)
		return replay_bad(r, "the memory is out of range");
	if (ran < 0 || job->procs <= 0)
		return 1;
	if (job->kib < 0)
		job->kib = 0;
	if (waited > 0 &&
	    __builtin_add_overflow(job->begin_us, waited, &job->begin_us))
		return replay_bad(r, "the wait time is out of range");
	if (__builtin_add_overflow(job->begin_us, ran, &job->end_us))
		return replay_bad(r, "the run time is out of range");
	return 0;
}

static int bad_list(struct replay_reader *r)
{
	return replay_bad(r, "not a list of nodes: 3,3,4 or {3,3,4} or 3*2+4 "
			     "or 0-15 or 3/0+3/1+4/0");
}

static int read_node(struct replay_reader *r, const char **p, int64_t *n)
{
	const char *end;

	*n = replay_parse(*p, &end);
	if (end == *p || *n < 0 || *n >= INT32_MAX)
		return bad_list(r);
	*p = end;
	return 0;
}

/* Some processes of a job on one node. */
struct part {
	int32_t node;
	int64_t procs;
};

struct parts {
	struct part *p;
	size_t nr, room;
	int64_t sum; /* of processes */
};

static int add_part(struct replay_reader *r, struct parts *parts, int64_t node,
		    int64_t procs)
{
	if (parts->nr && parts->p[parts->nr - 1].node == node) {
		parts->p[parts->nr - 1].procs += procs;
		return 0;
	}
	if (array_reserve(parts->p, parts->room, parts->nr + 1)) {
		replay_bad_file(r, "no memory for the list");
		return -ENOMEM;
	}
	parts->p[parts->nr++] = (struct part){(int32_t)node, procs};
	return 0;
}

static int bad_sum(struct replay_reader *r, const struct job *job, bool more)
{
	return replay_bad(r, "a list of %s processes than the job's %lld",
			  more ? "more" : "fewer", (long long)job->procs);
}

/* NODE, NODE-NODE, NODE*PROCESSES or NODE/CPU */
static int read_entry(struct replay_reader *r, const struct job *job,
		      const char **p, struct parts *parts)
{
	int64_t first, last, more, each = 1;
	int err = 0;

	if (read_node(r, p, &first))
		return -EINVAL;
	last = first;
	if (**p == '-' || **p == '*' || **p == '/') {
		char what = *(*p)++;

		if (read_node(r, p, &more))
			return -EINVAL;
		if (what == '-')
			last = more;
		else if (what == '*')
			each = more;
	}
	if (last < first || each < 1)
		return bad_list(r);
	parts->sum += (last - first + 1) * each;
	if (parts->sum > job->procs)
		return bad_sum(r, job, true);
	for (int64_t n = first; !err && n <= last; n++)
		err = add_part(r, parts, n, each);
	return err;
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return (x->node > y->node) - (x->node < y->node);
}

/* Sort by node, each once. */
static void merge(struct parts *parts)
{
	size_t nr = 0;

	if (parts->nr)
		qsort(parts->p, parts->nr, sizeof(*parts->p), compare_parts);
	for (size_t i = 0; i < parts->nr; i++)
		if (nr && parts->p[nr - 1].node == parts->p[i].node)
			parts->p[nr - 1].procs += parts->p[i].procs;
		else
			parts->p[nr++] = parts->p[i];
	parts->nr = nr;
}

static int read_list(struct replay_reader *r, const struct job *job,
		     struct parts *parts)
{
	const char *p = r->fields[NODES];
	bool braces = *p == '{';
	int err;

	p += braces;
	do {
		err = read_entry(r, job, &p, parts);
		if (err)
			return err;
	} while ((*p == ',' || *p == '+') && p++);
	if (braces && *p++ != '}')
		return bad_list(r);
	if (*p)
		return bad_list(r);
	if (parts->sum < job->procs)
		return bad_sum(r, job, false);
	merge(parts);
	return 0;
}

static int add_parts(struct replay_reader *r, struct replay_trace *trace,
		     const struct job *job, uint32_t memory,
		     const struct parts *parts)
{
	struct replay_item items[TALLY_LIMIT_MAX_DEMANDS];
	unsigned int nr = 0;

	if (parts->nr * (job->kib ? 2 : 1) > TALLY_LIMIT_MAX_DEMANDS) {
		trace->nr_wide++;
		return 0;
	}
	for (size_t i = 0; i < parts->nr; i++) {
		const struct part *part = &parts->p[i];

		items[nr++] = (struct replay_item){part->node, 0, part->procs};
		if (job->kib)
			items[nr++] = (struct replay_item){
				part->node, memory, part->procs * job->kib};
	}
	return replay_add_job(r, trace, job->begin_us, job->end_us, 0, items,
			      nr);
}

static int add_on_nodes(struct replay_reader *r, struct replay_trace *trace,
			const struct job *job, uint32_t memory)
{
	struct parts parts = {.nr = 0};
	int err = read_list(r, job, &parts);

	if (!err)
		err = add_parts(r, trace, job, memory, &parts);
	free(parts.p);
	return err;
}

/* -1, and what other programs add, are no list. */
static bool has_list(struct replay_reader *r)
{
	const char *p = r->nr_fields > NODES ? r->fields[NODES] : "";

	p += *p == '{';
	return *p >= '0' && *p <= '9';
}

static int add(struct replay_reader *r, struct replay_trace *trace,
	       const struct job *job)
{
	struct replay_item items[2] = {{REPLAY_ANYWHERE, 0, 1}};
	int memory = 0;

	if (job->kib)
		memory = replay_resource(trace, "memory_kib", "KiB");
	if (memory < 0)
		return replay_bad(r, "too many resources");
	if (has_list(r))
		return add_on_nodes(r, trace, job, (uint32_t)memory);
	items[1] = (struct replay_item){REPLAY_ANYWHERE, (uint32_t)memory,
					job->kib};
	return replay_add_job(r, trace, job->begin_us, job->end_us,
			      (uint32_t)job->procs, items, job->kib ? 2 : 1);
}

int replay_read_swf(struct replay_reader *r, struct replay_trace *trace)
{
	int ret = 1;

	replay_resource(trace, "procs", "procs");
	/* Some logs begin with the names of the fields. */
	if (isalpha((unsigned char)r->line[strspn(r->line, " \t")]))
		ret = replay_next_line(r);
	for (; ret == 1; ret = replay_next_line(r)) {
		struct job job = {0};

		if (r->line[strspn(r->line, " \t")] == ';') {
			read_comment(r, trace);
			continue;
		}
		ret = replay_split_words(r);
		if (!ret)
			ret = read_job(r, &job);
		if (ret > 0)
			trace->nr_never++;
		else if (!ret)
			ret = add(r, trace, &job);
		if (ret < 0 && replay_file_error(ret))
			return ret;
	}
	return ret;
}
