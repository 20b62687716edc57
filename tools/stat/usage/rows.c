// SPDX-License-Identifier: MIT
/* The rows and nodes to show, and their order. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/group.h"
#include "stat/usage/usage.h"

/* ---- nodes ----------------------------------------------------------------- */

static int add_node(struct usage *u, int node)
{
	unsigned int i = 0;

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
	if (array_reserve(u->nodes, u->room_nodes, (size_t)u->nr_nodes + 1))
		return -ENOMEM;
	memmove(&u->nodes[i + 1], &u->nodes[i],
		(u->nr_nodes - i) * sizeof(*u->nodes));
	u->nodes[i] = node;
	u->nr_nodes++;
	return 0;
}

/* The machine's nodes, and others that hold memory. Nodes are only added, so that
 * readings can be compared. */
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
	if (array_reserve(u->rows, u->room_rows, (size_t)u->nr_rows + 1))
		return -ENOMEM;
	u->rows[u->nr_rows++] = *row;
	return 0;
}

static bool is_named(const struct stat_options *o, pid_t pid)
{
	for (size_t i = 0; i < o->nr_names; i++)
		if (o->names[i].digits && o->names[i].pid == pid)
			return true;
	return false;
}

/* Kernel threads and zombies have no memory, and are not shown. */
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

/* Merge groups and sums, each cgroup once. */
static int add_groups(struct usage *u)
{
	unsigned int nr =
		u->processes ? tally_kernel_processes_nr_sums(u->processes) : 0;
	unsigned int nr_groups = u->groups ? tally_kernel_groups_nr(u->groups)
					   : 0;
	int err = 0, at;

	for (unsigned int i = 0; !err && i < nr_groups; i++) {
		struct usage_row row = {
			.group = tally_kernel_groups_row(u->groups, i),
		};

		row.cgroup = row.group->path;
		err = add_row(u, &row);
	}
	for (unsigned int i = 0; !err && i < nr; i++) {
		struct usage_row row = {
			.sum = tally_kernel_processes_sum_at(u->processes, i),
		};

		row.cgroup = row.sum->cgroup;
		at = u->groups ? tally_kernel_groups_find(u->groups, row.cgroup)
			       : -ENOENT;
		if (at >= 0)
			u->rows[at].sum = row.sum;
		else
			err = add_row(u, &row);
	}
	for (unsigned int i = 0; !err && nr && i < nr_groups; i++)
		if (!u->rows[i].sum && !strncmp(u->rows[i].cgroup, "/..", 3))
			u->rows[i].sum =
				group_sum(u->processes, u->rows[i].cgroup);
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

		err = add_row(u, &row);
	}
	return err;
}

static int fill(struct usage *u)
{
	if (array_reserve(u->bytes, u->room_bytes,
			  (size_t)u->nr_rows * u->nr_nodes))
		return -ENOMEM;
	for (unsigned int i = 0; i < u->nr_rows; i++) {
		struct usage_row *row = &u->rows[i];
		struct tally_mem_figure f;

		row->now = u->bytes + (size_t)i * u->nr_nodes;
		row->key = 0;
		for (unsigned int n = 0; n < u->nr_nodes; n++) {
			row->now[n] = usage_memory(u, row, u->nodes[n], &f)
					      ? f.bytes
					      : TALLY_UNKNOWN;
			if (row->now[n] == TALLY_UNKNOWN)
				continue;
			if (u->o->sort_node < 0 || !u->o->sort ||
			    u->o->sort_node == u->nodes[n])
				row->key = usage_add(row->key, row->now[n]);
		}
		/* Without --nodes, memory on no known node counts too. */
		if (!u->o->nodes && (!u->o->sort || u->o->sort_node < 0) &&
		    usage_memory(u, row, -1, &f))
			row->key = f.bytes;
	}
	return 0;
}

int64_t usage_change(const struct usage_row *row, unsigned int index)
{
	if (!row->before || row->now[index] == TALLY_UNKNOWN ||
	    row->before->bytes[index] == TALLY_UNKNOWN)
		return TALLY_UNKNOWN;
	return row->now[index] - row->before->bytes[index];
}

/* Rows with equal keys are ordered by PID, path or UID. */
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

/* Drop rows without memory on the nodes that --nodes selects. */
static void drop_empty(struct usage *u)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < u->nr_rows; i++)
		if (u->rows[i].key || usage_row_error(&u->rows[i]) ||
		    (!u->o->nodes && !u->o->skip_zeros))
			u->rows[nr++] = u->rows[i];
	u->nr_rows = nr;
}

/* ---- the reading before ----------------------------------------------------- */

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

/* ---- all rows --------------------------------------------------------------- */

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
