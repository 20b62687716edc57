// SPDX-License-Identifier: MIT
/* Which rows there are, on which nodes, and in which order. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stat_usage.h"

/* ---- nodes ----------------------------------------------------------------- */

static int add_node(struct usage *u, int node)
{
	unsigned int i = 0;
	int *nodes;

	if (node < 0)
		return 0;
	for (size_t n = 0; u->o->nodes; n++) {
		if (n == u->o->nr_nodes)
			return 0;
		if (u->o->nodes[n] == node)
			break;
	}
	while (i < u->nr_nodes && u->nodes[i] < node)
		i++;
	if (i < u->nr_nodes && u->nodes[i] == node)
		return 0;
	nodes = reallocarray(u->nodes, u->nr_nodes + 1, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	u->nodes = nodes;
	memmove(&nodes[i + 1], &nodes[i], (u->nr_nodes - i) * sizeof(*nodes));
	nodes[i] = node;
	u->nr_nodes++;
	return 0;
}

/* The machine's, and what else somebody has memory on; never fewer than
 * before, since what was before is compared with. */
static int choose_nodes(struct usage *u)
{
	unsigned int nr = 0, had = u->nr_nodes;
	const int *nodes = NULL;
	int err = 0;

	for (unsigned int i = 0;
	     !err && u->topo && i < tally_topo_nr_nodes(u->topo); i++)
		err = add_node(u, tally_topo_node(u->topo, i)->id);
	for (unsigned int i = 0; !err && i < u->all.nr_nodes; i++)
		err = add_node(u, u->all.nodes[i].node);
	if (u->groups)
		nodes = tally_kernel_groups_nodes(u->groups, &nr);
	for (unsigned int i = 0; !err && i < nr; i++)
		err = add_node(u, nodes[i]);
	if (had != u->nr_nodes)
		usage_forget(&u->before);
	return err;
}

/* ---- rows ------------------------------------------------------------------ */

static int add_row(struct usage *u, const struct usage_row *row)
{
	if (u->nr_rows == u->max_rows) {
		unsigned int max = u->max_rows ? 2 * u->max_rows : 64;
		struct usage_row *rows =
			reallocarray(u->rows, max, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		u->rows = rows;
		u->max_rows = max;
	}
	u->rows[u->nr_rows++] = *row;
	return 0;
}

static bool is_named(const struct stat_options *o, pid_t pid)
{
	for (size_t i = 0; i < o->nr_who; i++)
		if (o->who[i].digits && o->who[i].pid == pid)
			return true;
	return false;
}

/* Those of the kernel's and zombies have no memory to show. */
static int add_processes(struct usage *u)
{
	int err = 0;

	for (unsigned int i = 0;
	     !err && i < tally_kernel_processes_nr(u->processes); i++) {
		struct usage_row row = {
			.process = tally_kernel_processes_row(u->processes, i),
		};

		if (row.process->has_memory || row.process->err ||
		    is_named(u->o, row.process->pid))
			err = add_row(u, &row);
	}
	return err;
}

/* Both the sums and the groups, each cgroup once. */
static int add_groups(struct usage *u)
{
	unsigned int nr = tally_kernel_processes_nr_sums(u->processes);
	unsigned int nr_groups = u->groups ? tally_kernel_groups_nr(u->groups)
					   : 0;
	unsigned int first;
	int err = 0, at;

	for (unsigned int i = 0; !err && i < nr_groups; i++) {
		struct usage_row row = {
			.group = tally_kernel_groups_row(u->groups, i),
		};

		row.cgroup = row.group->path;
		err = add_row(u, &row);
	}
	first = 0;
	for (unsigned int i = 0; !err && i < nr; i++) {
		struct usage_row row = {
			.sum = tally_kernel_processes_sum_at(u->processes, i),
		};

		row.cgroup = row.sum->cgroup;
		at = u->groups ? tally_kernel_groups_find(u->groups, row.cgroup)
			       : -ENOENT;
		if (at >= 0)
			u->rows[first + (unsigned int)at].sum = row.sum;
		else
			err = add_row(u, &row);
	}
	return err;
}

static int add_users(struct usage *u)
{
	unsigned int nr = tally_kernel_processes_nr_sums(u->processes);
	int err = 0;

	for (unsigned int i = 0; !err && i < nr; i++) {
		struct usage_row row = {
			.sum = tally_kernel_processes_sum_at(u->processes, i),
		};

		if (row.sum->all.total.upper_bytes || row.sum->err)
			err = add_row(u, &row);
	}
	return err;
}

static int fill(struct usage *u)
{
	size_t nr = (size_t)u->nr_rows * u->nr_nodes + 1;
	int64_t *bytes = reallocarray(u->bytes, nr, sizeof(*bytes));

	if (!bytes)
		return -ENOMEM;
	u->bytes = bytes;
	for (unsigned int i = 0; i < u->nr_rows; i++) {
		struct usage_row *row = &u->rows[i];
		struct tally_mem_figure f;

		row->now = bytes + (size_t)i * u->nr_nodes;
		row->key = 0;
		for (unsigned int n = 0; n < u->nr_nodes; n++) {
			row->now[n] = usage_memory(u, row, u->nodes[n], &f)
					      ? f.bytes
					      : 0;
			if (u->o->sort_node < 0 || !u->o->sort ||
			    u->o->sort_node == u->nodes[n])
				row->key = usage_add(row->key, row->now[n]);
		}
		/* What is of no known node counts too, where all are meant. */
		if (!u->o->nodes && (!u->o->sort || u->o->sort_node < 0) &&
		    usage_memory(u, row, -1, &f))
			row->key = f.bytes;
	}
	return 0;
}

/* Where they are equal, as they came. */
static int by_key(const void *a, const void *b)
{
	const struct usage_row *x = a, *y = b;

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	if (x->process && y->process)
		return (x->process->pid > y->process->pid) -
		       (x->process->pid < y->process->pid);
	if (x->cgroup && y->cgroup)
		return strcmp(x->cgroup, y->cgroup);
	return x->sum && y->sum ? (x->sum->uid > y->sum->uid) -
					  (x->sum->uid < y->sum->uid)
				: 0;
}

/* Of rows that have nothing on the nodes that were asked for. */
static void drop_empty(struct usage *u)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < u->nr_rows; i++)
		if (u->rows[i].key || usage_row_error(&u->rows[i]) ||
		    (!u->o->nodes && !u->o->skip_zeros))
			u->rows[nr++] = u->rows[i];
	u->nr_rows = nr;
}

/* ---- what was before ------------------------------------------------------- */

static struct usage_seen identify(const struct usage_row *row)
{
	struct usage_seen s = {.number = 0};

	if (row->process) {
		s.number = (uint64_t)row->process->pid;
		s.start_ticks = row->process->start_ticks;
	} else if (row->sum && !row->cgroup) {
		s.number = row->sum->uid;
	}
	return s;
}

static int by_identity(const void *a, const void *b)
{
	const struct usage_seen *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (x->start_ticks != y->start_ticks)
		return x->start_ticks < y->start_ticks ? -1 : 1;
	return x->cgroup && y->cgroup ? strcmp(x->cgroup, y->cgroup) : 0;
}

static void find_before(struct usage *u)
{
	for (unsigned int i = 0; i < u->nr_rows; i++) {
		struct usage_seen seen = identify(&u->rows[i]);

		/* bsearch() only reads it. */
		seen.cgroup = (char *)u->rows[i].cgroup;
		u->rows[i].before = u->before.nr
					    ? bsearch(&seen, u->before.seen,
						      u->before.nr,
						      sizeof(seen), by_identity)
					    : NULL;
	}
}

void usage_forget(struct usage_look *look)
{
	for (unsigned int i = 0; i < look->nr; i++) {
		free(look->seen[i].cgroup);
		free(look->seen[i].bytes);
	}
	free(look->seen);
	*look = (struct usage_look){.nr = 0};
}

int usage_remember(struct usage *u)
{
	unsigned int nr = u->nr_rows + u->nr_left;
	size_t size = u->nr_nodes * sizeof(int64_t);
	struct usage_look look = {.time_ns = u->time_ns};

	look.seen = calloc(nr + 1, sizeof(*look.seen));
	if (!look.seen)
		return -ENOMEM;
	for (; look.nr < nr; look.nr++) {
		const struct usage_row *row = &u->rows[look.nr];
		struct usage_seen *seen = &look.seen[look.nr];

		*seen = identify(row);
		seen->cpu_ns = usage_cpu_ns(row);
		seen->cgroup = row->cgroup ? strdup(row->cgroup) : NULL;
		seen->bytes = malloc(size + 1);
		if (!seen->bytes || (row->cgroup && !seen->cgroup)) {
			look.nr++;
			usage_forget(&look);
			return -ENOMEM;
		}
		if (size)
			memcpy(seen->bytes, row->now, size);
	}
	qsort(look.seen, look.nr, sizeof(*look.seen), by_identity);
	usage_forget(&u->before);
	u->before = look;
	return 0;
}

/* ---- all of it ------------------------------------------------------------- */

int usage_choose(struct usage *u)
{
	int err = choose_nodes(u);

	u->nr_rows = 0;
	u->nr_left = 0;
	if (!err && u->o->by == STAT_BY_PROCESS)
		err = add_processes(u);
	else if (!err && u->o->by == STAT_BY_CGROUP)
		err = add_groups(u);
	else if (!err)
		err = add_users(u);
	if (!err)
		err = fill(u);
	if (err)
		return err;
	drop_empty(u);
	if (u->nr_rows)
		qsort(u->rows, u->nr_rows, sizeof(*u->rows), by_key);
	find_before(u);
	if (u->o->top && u->nr_rows > u->o->top) {
		u->nr_left = u->nr_rows - u->o->top;
		u->nr_rows = u->o->top;
	}
	return 0;
}

void usage_free_rows(struct usage *u)
{
	free(u->rows);
	free(u->bytes);
	free(u->nodes);
}
