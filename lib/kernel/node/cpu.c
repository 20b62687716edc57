// SPDX-License-Identifier: MIT
/* CPU time of nodes, from /proc/stat. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/node/internal.h"

static const char *const names[NODE_CPU_COLS] = {
	"user", "nice",	   "system", "idle",  "iowait",
	"irq",	"softirq", "steal",  "guest", "guest_nice",
};

/* Make room for this CPU. */
static int grow(struct node_cpus *c, int cpu)
{
	unsigned int max = c->max ? c->max : 16;
	enum node_cpu_state *states;
	int64_t(*ns)[NODE_CPU_COLS];
	int *nodes;

	while (max <= (unsigned int)cpu)
		max *= 2;
	if (max == c->max)
		return 0;
	nodes = reallocarray(c->nodes, max, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	c->nodes = nodes;
	ns = reallocarray(c->ns, max, sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	c->ns = ns;
	states = reallocarray(c->states, max, sizeof(*states));
	if (!states)
		return -ENOMEM;
	c->states = states;
	for (unsigned int i = c->max; i < max; i++)
		nodes[i] = -1;
	memset(states + c->max, 0, (max - c->max) * sizeof(*states));
	memset(ns + c->max, 0, (max - c->max) * sizeof(*ns));
	c->max = max;
	return 0;
}

/* A line that makes no sense is an error of its CPU. */
static int take_line(struct tally_node_stats *n, const char *line, bool whole,
		     struct topo_set *seen)
{
	int64_t ticks[NODE_CPU_COLS];
	struct node_cpus *c = &n->cpus;
	int cpu, cols, err;

	cols = node_text_cpu(line, &cpu, ticks);
	if (cpu < 0)
		return cols;
	err = grow(c, cpu);
	if (err)
		return err;
	c->states[cpu] = NODE_CPU_ODD;
	if (topo_set_has(seen, cpu) || cols < 0 || !whole)
		cols = 0;
	else
		c->states[cpu] = NODE_CPU_COUNTED;
	topo_set_add(seen, cpu);
	for (int i = 0; i < cols; i++)
		if (__builtin_mul_overflow(ticks[i], n->tick_ns,
					   &c->ns[cpu][i]))
			c->states[cpu] = NODE_CPU_OVER;
	if ((unsigned int)cols > c->cols)
		c->cols = (unsigned int)cols;
	return 0;
}

/* The lines of CPUs come first. The rest can be long, and is not read. */
static int read_lines(struct tally_node_stats *n, struct topo_set *seen)
{
	char *line = NULL;
	int got, err = 0;

	memset(seen, 0, sizeof(*seen));
	while (!err && (got = node_lines_next(&n->lines, &line)) != 0) {
		if (got < 0 && got != -EBADMSG && got != -EFBIG)
			return got;
		if (strncmp(line, "cpu", 3) != 0)
			break;
		if (line[3] != ' ')
			err = take_line(n, line, got > 0, seen);
		if (got == -EFBIG)
			break;
	}
	if (!err && topo_set_next(seen, 0) < 0)
		err = -EBADMSG;
	return err;
}

static int read_stat(struct tally_node_stats *n, struct topo_set *seen)
{
	int err = node_file_start(n, &n->stat);

	if (err)
		return err;
	err = read_lines(n, seen);
	node_file_done(n, &n->stat);
	return err;
}

static struct node_row *row_of(const struct tally_node_stats *n, int node)
{
	unsigned int low = 0, high = n->nr_rows;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (n->rows[middle]->shown.node == node)
			return n->rows[middle];
		if (n->rows[middle]->shown.node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Find the CPUs of a row's node. Of nodes that list a CPU it is on the one that it
 * is linked to, else on the first, as in a topology. */
static void map_row(struct tally_node_stats *n, struct node_row *row,
		    struct topo_set *taken)
{
	int node = row->shown.node;
	struct topo_set cpus;
	int err = topo_read_cpus(n->tree, &cpus, node), only;

	row->cpus_err = err;
	row->nr_cpus = err ? 0 : topo_set_count(&cpus);
	if (err)
		return;
	topo_set_each(&cpus, cpu) {
		struct node_row *other;

		if ((unsigned int)cpu >= n->cpus.max)
			break;
		if (topo_set_has(taken, cpu)) {
			other = row_of(n, n->cpus.nodes[cpu]);
			if (topo_read_link(n->tree, cpu, &only) || only != node)
				other = row;
			other->nr_cpus--;
			if (other == row)
				continue;
		}
		n->cpus.nodes[cpu] = node;
		topo_set_add(taken, cpu);
	}
}

/* CPUs that are offline are on no list, and stay with their node. */
static void map_cpus(struct tally_node_stats *n)
{
	struct topo_set taken = {.words = {0}};

	for (unsigned int i = 0; n->numa && i < n->nr_rows; i++)
		map_row(n, n->rows[i], &taken);
	for (unsigned int i = 0; !n->numa && i < n->cpus.max; i++)
		n->cpus.nodes[i] = 0;
}

static int find_figures(struct tally_node_stats *n)
{
	for (unsigned int i = 0; i < n->cpus.cols; i++) {
		struct node_token token = {
			.name = names[i],
			.len = strlen(names[i]),
		};
		int figure = node_figure(n, TALLY_SOURCE_CPU, &token);

		if (figure < 0)
			return figure;
		n->cpus.figures[i] = figure;
	}
	return 0;
}

static void add_cpu(const struct node_cpus *c, unsigned int cpu,
		    struct node_row *row)
{
	int *err = &row->shown.err[TALLY_SOURCE_CPU];

	row->nr_counted++;
	if (c->states[cpu] == NODE_CPU_ODD)
		*err = -EBADMSG;
	else if (c->states[cpu] == NODE_CPU_OVER)
		*err = -ERANGE;
	for (unsigned int i = 0; !*err && i < c->cols; i++) {
		int64_t *value = &row->values[c->figures[i]];

		if (__builtin_add_overflow(*value, c->ns[cpu][i], value))
			*err = -ERANGE;
	}
}

static void add_up(struct tally_node_stats *n)
{
	const struct node_cpus *c = &n->cpus;

	for (unsigned int cpu = 0; cpu < c->max; cpu++) {
		struct node_row *row =
			c->nodes[cpu] < 0 ? NULL : row_of(n, c->nodes[cpu]);

		if (row && !row->shown.err[TALLY_SOURCE_CPU] &&
		    c->states[cpu] != NODE_CPU_NEVER)
			add_cpu(c, cpu, row);
	}
	/* The file may have the CPUs of a container alone. */
	for (unsigned int i = 0; i < n->nr_rows; i++)
		if (n->rows[i]->nr_cpus && !n->rows[i]->nr_counted &&
		    !n->rows[i]->shown.err[TALLY_SOURCE_CPU])
			n->rows[i]->shown.err[TALLY_SOURCE_CPU] = -ENODATA;
}

int node_cpus_read(struct tally_node_stats *n, bool nodes_changed)
{
	struct node_cpus *c = &n->cpus;
	struct topo_set seen;
	int err = read_stat(n, &seen);

	if (!err &&
	    (nodes_changed || memcmp(&seen, &c->seen, sizeof(seen)) != 0)) {
		map_cpus(n);
		c->seen = seen;
	}
	if (!err)
		err = find_figures(n);
	if (err == -ENOMEM)
		return err;
	for (unsigned int i = 0; i < n->nr_rows; i++) {
		struct node_row *row = n->rows[i];
		int *error = &row->shown.err[TALLY_SOURCE_CPU];

		*error = err ? err : row->cpus_err;
		row->nr_counted = 0;
		for (unsigned int j = 0; !*error && j < c->cols; j++)
			row->values[c->figures[j]] = 0;
	}
	if (err)
		return 0;
	add_up(n);
	for (unsigned int i = 0; i < n->nr_rows; i++)
		if (n->rows[i]->shown.err[TALLY_SOURCE_CPU])
			node_row_forget(n, n->rows[i], TALLY_SOURCE_CPU);
	return 0;
}

void node_cpus_free(struct tally_node_stats *n)
{
	free(n->cpus.nodes);
	free(n->cpus.ns);
	free(n->cpus.states);
}
