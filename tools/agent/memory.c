// SPDX-License-Identifier: MIT
/*
 * Memory of cgroups by node and kind, from memory.numa_stat.
 *
 * The last two kinds are an estimate: of what is on a node, as much is local as of
 * the cgroup's CPU time of late was on that node, and the rest remote. So much would
 * be, if all its threads used all its memory alike.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "common/array.h"

struct memory_kind {
	const char *name;
	unsigned int figure; /* or ESTIMATED */
	int column;
};

/* The kernel's names. The rest of version 2 are parts of these, or counters. */
static const char *const names[] = {
	"anon",
	"anon_thp",
	"file",
	"file_thp",
	"kernel_stack",
	"pagetables",
	"shmem",
	"shmem_thp",
	"slab_reclaimable",
	"slab_unreclaimable",
	"unevictable",
};
#define NR_NAMES   (sizeof(names) / sizeof(*names))
#define MOST_KINDS (NR_NAMES + 2)
#define ESTIMATED  UINT_MAX

/* ---- opening -------------------------------------------------------------- */

static void tell(struct agent *a, int err, const char *what)
{
	if (err && err != a->memory_err)
		warnx("memory of %s cgroups: %s", what, strerror(-err));
	a->memory_err = err;
}

/* The kind of that name, or -1. */
static int find(const struct agent *a, const char *name)
{
	for (unsigned int k = 0; k < a->nr_kinds; k++)
		if (!strcmp(a->kinds[k].name, name))
			return (int)k;
	return -1;
}

static int add_kind(struct agent *a, const char *name, unsigned int figure)
{
	char column[32];
	int at;

	snprintf(column, sizeof(column), "%s_bytes", name);
	at = book_column(&a->book, column, "bytes", TALLY_GAUGE);
	if (at < 0)
		return at;
	a->kinds[a->nr_kinds++] = (struct memory_kind){name, figure, at};
	return 0;
}

/* How near memory is: where memory and CPU time are known. */
static int add_estimates(struct agent *a)
{
	int err = 0;

	if (find(a, "anon") < 0 || find(a, "file") < 0 ||
	    (a->cpu_columns[CPU_NS] < 0 && a->cpu_columns[CPU_ESTIMATE] < 0))
		return 0;
	err = add_kind(a, "local", ESTIMATED);
	return err ? err : add_kind(a, "remote", ESTIMATED);
}

static int add_kinds(struct agent *a)
{
	a->kinds = calloc(MOST_KINDS, sizeof(*a->kinds));
	a->nr_kinds = 0;
	if (!a->kinds)
		return -ENOMEM;
	for (size_t i = 0; i < NR_NAMES; i++) {
		int figure =
			tally_kernel_groups_find_figure(a->memory, names[i]);
		int err = figure < 0
				  ? 0
				  : add_kind(a, names[i], (unsigned int)figure);

		if (err)
			return err;
	}
	return add_estimates(a);
}

int memory_open(struct agent *a)
{
	int err = tally_kernel_groups_open(NULL, NULL, 0, &a->memory);

	if (err) {
		warnx("memory is left out: %s",
		      err == -ENOENT ? "no cgroups have the memory controller"
				     : strerror(-err));
		return err == -ENOMEM ? err : 0;
	}
	err = tally_kernel_groups_read(a->memory);
	if (err == -ENOMEM)
		return err;
	tell(a, err, "some");
	return add_kinds(a);
}

void memory_close(struct agent *a)
{
	tally_kernel_groups_close(a->memory);
	a->memory = NULL;
	free(a->kinds);
	a->kinds = NULL;
	a->nr_kinds = 0;
	free(a->own);
	a->own = NULL;
	a->own_room = 0;
	groups_forget_memory(a);
}

/* ---- reading -------------------------------------------------------------- */

static size_t width(const struct agent *a)
{
	return (size_t)a->book.nr_nodes * a->nr_kinds;
}

static int64_t value(const struct agent *a, const struct tally_group_row *row,
		     int at, unsigned int kind)
{
	unsigned int figure = a->kinds[kind].figure;
	const struct tally_figure *f;
	int64_t v;

	if (at < 0 || !row->values || figure == ESTIMATED)
		return TALLY_UNKNOWN;
	f = tally_kernel_groups_figure(a->memory, figure);
	v = row->values[(unsigned int)at *
				tally_kernel_groups_nr_figures(a->memory) +
			figure];
	if (v == TALLY_UNKNOWN || f->unit != TALLY_UNIT_PAGES)
		return v;
	return f->page_bytes ? v * f->page_bytes : TALLY_UNKNOWN;
}

static int index_of(const struct agent *a, int node)
{
	unsigned int nr;
	const int *nodes = tally_kernel_groups_nodes(a->memory, &nr);

	for (unsigned int i = 0; i < nr; i++)
		if (nodes[i] == node)
			return (int)i;
	return -1;
}

static void fill(const struct agent *a, unsigned int row)
{
	const struct tally_group_row *r =
		tally_kernel_groups_row(a->memory, row);
	int64_t *own = a->own + row * width(a);

	for (unsigned int n = 0; n < a->book.nr_nodes; n++) {
		int at = index_of(a, a->book.nodes[n]);

		for (unsigned int k = 0; k < a->nr_kinds; k++)
			*own++ = value(a, r, at, k);
	}
}

/* Version 2 counts a cgroup with what is in it. Rows are read one after another:
 * its parts may have more meanwhile. */
static void take_parts(const struct agent *a)
{
	unsigned int nr = tally_kernel_groups_nr(a->memory), depths = 0;
	unsigned int *at = NULL; /* the last row of each depth */
	size_t room = 0;

	for (unsigned int row = 0; row < nr; row++) {
		unsigned int depth =
			tally_kernel_groups_row(a->memory, row)->depth;
		const int64_t *part = a->own + row * width(a);
		int64_t *whole;

		if (depth >= depths) {
			if (array_reserve(at, room, depth + 1))
				break;
			depths = depth + 1;
		}
		at[depth] = row;
		if (!depth)
			continue;
		whole = a->own + at[depth - 1] * width(a);
		for (size_t i = 0; i < width(a); i++)
			if (whole[i] != TALLY_UNKNOWN &&
			    part[i] != TALLY_UNKNOWN)
				whole[i] -= part[i];
	}
	free(at);
}

/* The sum over nodes. Once it has run again, what was before counts half. */
static int64_t weigh(const struct agent *a, struct group *g)
{
	int64_t sum = 0;

	for (unsigned int n = 0; n < a->book.nr_nodes; n++)
		sum += g->ran[n];
	if (sum == g->ran_ns)
		return sum;
	g->ran_ns = 0;
	for (unsigned int n = 0; n < a->book.nr_nodes; n++) {
		g->ran[n] = (g->ran[n] + 1) / 2;
		g->ran_ns += g->ran[n];
	}
	return g->ran_ns;
}

static int64_t known(int64_t bytes)
{
	return bytes > 0 ? bytes : 0;
}

/* Before it has run, neither is known. */
static void estimate(const struct agent *a, struct group *g, int64_t *own)
{
	int local = find(a, "local"), remote = find(a, "remote");
	int anon = find(a, "anon"), file = find(a, "file");
	int64_t sum = weigh(a, g);

	for (unsigned int n = 0; n < a->book.nr_nodes; n++) {
		int64_t *at = own + (size_t)n * a->nr_kinds, bytes;

		if (remote < 0 || !sum || at[anon] == TALLY_UNKNOWN ||
		    at[file] == TALLY_UNKNOWN)
			continue;
		bytes = known(at[anon]) + known(at[file]);
		at[local] = (int64_t)((double)bytes * (double)g->ran[n] /
				      (double)sum);
		at[remote] = bytes - at[local];
	}
}

/* What is not known stays as it was. */
static int set(struct agent *a, struct group *g, const int64_t *own)
{
	bool fresh = !g->memory;
	int err = 0;

	if (fresh)
		g->memory = calloc(width(a), sizeof(*g->memory));
	if (!g->memory)
		return -ENOMEM;
	for (unsigned int n = 0; n < a->book.nr_nodes && !err; n++) {
		struct tally_amount amounts[MOST_KINDS];
		unsigned int nr = 0;

		for (unsigned int k = 0; k < a->nr_kinds; k++) {
			size_t i = n * a->nr_kinds + k;
			int64_t v = own[i] < 0 && own[i] != TALLY_UNKNOWN
					    ? 0
					    : own[i];

			if (v == TALLY_UNKNOWN || (v == g->memory[i] && !fresh))
				continue;
			g->memory[i] = v;
			amounts[nr++] = (struct tally_amount){
				(unsigned int)a->book
					.columns[a->kinds[k].column]
					.number,
				v};
		}
		if (nr)
			err = tally_ledger_set(a->book.ledger, g->account,
					       a->book.nodes[n], amounts, nr);
	}
	return err;
}

int memory_read(struct agent *a)
{
	unsigned int nr;
	struct group *g;
	int err;

	EACH_GROUP(a, g)
	g->has_memory = false;
	if (!a->memory || !a->nr_kinds)
		return 0;
	err = tally_kernel_groups_read(a->memory);
	if (err == -ENOMEM)
		return err;
	tell(a, err, "some");
	nr = tally_kernel_groups_nr(a->memory);
	if (array_reserve(a->own, a->own_room, nr * width(a)))
		return -ENOMEM;
	for (unsigned int row = 0; row < nr; row++)
		fill(a, row);
	if (tally_kernel_groups_version(a->memory) == 2)
		take_parts(a);
	for (unsigned int row = 0; row < nr; row++) {
		err = group_open(a, 0,
				 tally_kernel_groups_row(a->memory, row)->path,
				 &g);
		if (err)
			return err;
		g->has_memory = true;
		if (g->shares)
			continue;
		estimate(a, g, a->own + row * width(a));
		err = set(a, g, a->own + row * width(a));
		if (err)
			return err;
	}
	return 0;
}

int memory_finish(struct agent *a, struct group *g)
{
	int64_t *none;
	int err;

	if (!g->memory || g->shares)
		return 0;
	none = calloc(width(a), sizeof(*none));
	err = none ? set(a, g, none) : -ENOMEM;
	free(none);
	return err;
}
