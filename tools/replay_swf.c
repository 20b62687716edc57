// SPDX-License-Identifier: MIT
/*
 * The Standard Workload Format, 2.2: comments (';'), and a line of 18 numbers
 * for each job, -1 where one is not known. We read
 *
 *	2 submitted, 3 waited, 4 ran (seconds), 5 processors (or 8 requested),
 *	10 requested memory (or 7 used), in KiB per processor
 *
 * and, behind these, a list of the nodes that the job's processes ran on.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay_trace.h"

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

static void read_comment(const struct replay_reader *r,
			 struct replay_trace *trace)
{
	const char *line = r->line + strspn(r->line, "; \t");

	read_max(line, "MaxProcs:", &trace->said.max_procs);
	read_max(line, "MaxNodes:", &trace->said.max_nodes);
}

/* The first of two fields that is known, or below 0. */
static int read_either(const struct replay_reader *r, unsigned int first,
		       unsigned int second, const char *what, int64_t most,
		       int64_t *n)
{
	int err = replay_number(r, first, what, -1, most, n);

	if (!err && *n <= 0)
		err = replay_number(r, second, what, -1, most, n);
	return err;
}

/* 1: it never ran */
static int read_job(const struct replay_reader *r, struct job *job)
{
	int64_t waited, ran;

	if (r->nr_fields < NR_FIELDS || r->nr_fields > NR_FIELDS + 1)
		return replay_bad(r, "%u fields, not %d, or %d with a list",
				  r->nr_fields, NR_FIELDS, NR_FIELDS + 1);
	if (replay_seconds(r, SUBMITTED, "submit time", &job->begin_us) ||
	    replay_seconds(r, WAITED, "wait time", &waited) ||
	    replay_seconds(r, RAN, "run time", &ran) ||
	    read_either(r, PROCS, ASKED_PROCS, "number of processors",
			INT32_MAX, &job->procs) ||
	    read_either(r, ASKED_KIB, USED_KIB, "memory", INT64_MAX >> 31,
			&job->kib))
		return -EINVAL;
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

static int bad_list(const struct replay_reader *r)
{
	return replay_bad(r, "no list of nodes: 3,3,4 or 3*2+4 or 0-15 or "
			     "3/0+3/1+4/0");
}

static int read_node(const struct replay_reader *r, const char **p, int64_t *n)
{
	const char *end;

	*n = replay_parse(*p, &end);
	if (end == *p || *n < 0)
		return bad_list(r);
	*p = end;
	return 0;
}

/* NODE, NODE-NODE, NODE*PROCESSES or NODE/CPU */
static int read_entry(const struct replay_reader *r, const char **p,
		      int64_t *counts, int64_t *sum)
{
	int64_t first, last, more, each = 1;

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
	if (last < first || each < 1 || each > INT32_MAX)
		return bad_list(r);
	if (last >= REPLAY_MAX_NODES)
		return replay_bad(r, "node %lld: at most %d nodes",
				  (long long)last, REPLAY_MAX_NODES);
	for (int64_t n = first; n <= last; n++)
		counts[n] += each;
	*sum += (last - first + 1) * each;
	return 0;
}

static int read_list(const struct replay_reader *r, const struct job *job,
		     int64_t counts[REPLAY_MAX_NODES])
{
	const char *p = r->fields[NODES];
	int64_t sum = 0;

	memset(counts, 0, REPLAY_MAX_NODES * sizeof(*counts));
	do {
		if (read_entry(r, &p, counts, &sum))
			return -EINVAL;
		if (sum > job->procs)
			break;
	} while ((*p == ',' || *p == '+') && p++);
	if (sum != job->procs)
		return replay_bad(r,
				  "a list of %s processes than the job's "
				  "%lld",
				  sum < job->procs ? "fewer" : "more",
				  (long long)job->procs);
	return *p ? bad_list(r) : 0;
}

static int add_on_nodes(struct replay_reader *r, struct replay_trace *trace,
			const struct job *job, uint32_t memory)
{
	struct replay_item items[TALLY_LIMIT_MAX_HOLDS];
	int64_t counts[REPLAY_MAX_NODES];
	unsigned int nr = 0,
		     most = TALLY_LIMIT_MAX_HOLDS / (job->kib ? 2u : 1u);
	unsigned int nr_nodes = 0;

	if (read_list(r, job, counts))
		return -EINVAL;
	for (int32_t n = 0; n < REPLAY_MAX_NODES; n++) {
		if (!counts[n])
			continue;
		if (++nr_nodes > most) {
			trace->nr_wide++;
			return 0;
		}
		items[nr++] = (struct replay_item){n, 0, counts[n]};
		if (job->kib)
			items[nr++] = (struct replay_item){
				n, memory, counts[n] * job->kib};
	}
	return replay_add_job(r, trace, job->begin_us, job->end_us, 0, items,
			      nr);
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
	if (r->nr_fields > NODES && strcmp(r->fields[NODES], "-1") != 0)
		return add_on_nodes(r, trace, job, (uint32_t)memory);
	items[1] = (struct replay_item){REPLAY_ANYWHERE, (uint32_t)memory,
					job->kib};
	return replay_add_job(r, trace, job->begin_us, job->end_us,
			      (uint32_t)job->procs, items, job->kib ? 2 : 1);
}

int replay_read_swf(struct replay_reader *r, struct replay_trace *trace)
{
	int ret;

	replay_resource(trace, "procs", "procs");
	do {
		struct job job = {0};

		if (r->line[strspn(r->line, " \t")] == ';') {
			read_comment(r, trace);
			continue;
		}
		ret = replay_split_words(r);
		if (!ret)
			ret = read_job(r, &job);
		if (ret < 0)
			return ret;
		if (ret)
			trace->nr_never++;
		else if ((ret = add(r, trace, &job)))
			return ret;
	} while ((ret = replay_next_line(r)) == 1);
	return ret;
}
