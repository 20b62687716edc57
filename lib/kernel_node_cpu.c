// SPDX-License-Identifier: MIT
/* The time of the node's CPUs, from /proc/stat. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_node.h"

static const char *const names[NODE_CPU_COLS] = {
	"user", "nice",	   "system", "idle",  "iowait",
	"irq",	"softirq", "steal",  "guest", "guest_nice",
};

/* So that there is a place for this CPU. */
static int grow(struct node_cpus *c, int cpu)
{
	unsigned int max = c->max ? c->max : 16;
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
	for (unsigned int i = c->max; i < max; i++)
		nodes[i] = -1;
	memset(ns + c->max, 0, (max - c->max) * sizeof(*ns));
	c->max = max;
	return 0;
}

static int take_line(struct tally_nodes *n, const char *line,
		     struct topo_set *seen)
{
	int64_t ticks[NODE_CPU_COLS];
	struct node_cpus *c = &n->cpus;
	int cpu, cols, err;

	cols = node_text_cpu(line, &cpu, ticks);
	if (cols < 0)
		return cols;
	if (topo_set_has(seen, cpu))
		return -EINVAL;
	err = grow(c, cpu);
	if (err)
		return err;
	for (int i = 0; i < cols; i++)
		if (__builtin_mul_overflow(ticks[i], n->tick_ns,
					   &c->ns[cpu][i]))
			return -ERANGE;
	if ((unsigned int)cols > c->cols)
		c->cols = (unsigned int)cols;
	topo_set_add(seen, cpu);
	return 0;
}

/* The lines of CPUs come first; what follows can be long, and isn't read. */
static int read_lines(struct tally_nodes *n, struct topo_set *seen)
{
	char *line = NULL;
	int got, err = 0;

	memset(seen, 0, sizeof(*seen));
	while (!err && (got = node_lines_next(&n->lines, &line)) != 0) {
		if (got == -EINVAL && strncmp(line, "cpu", 3) != 0)
			break;
		if (got < 0)
			return got;
		if (strncmp(line, "cpu", 3) != 0)
			break;
		if (line[3] != ' ')
			err = take_line(n, line, seen);
	}
	if (!err && topo_set_next(seen, 0) < 0)
		err = -EINVAL;
	return err;
}

static int read_stat(struct tally_nodes *n, struct topo_set *seen)
{
	int err = node_file_start(n, &n->stat);

	if (err)
		return err;
	err = read_lines(n, seen);
	node_file_done(n, &n->stat);
	return err;
}

/* The CPUs that the node's row has. */
static void map_row(struct tally_nodes *n, struct node_row *row)
{
	int node = row->shown.node;
	struct topo_set cpus;
	int err;

	err = topo_read_list(n->tree, &cpus, NODE_DIR "/node%d/cpulist", node);
	if (err)
		err = topo_read_mask(n->tree, &cpus, NODE_DIR "/node%d/cpumap",
				     node);
	row->cpus_err = err;
	if (err)
		return;
	topo_set_each(&cpus, cpu) {
		if ((unsigned int)cpu < n->cpus.max)
			n->cpus.nodes[cpu] = node;
	}
}

/* CPUs that are offline are on no list, and stay where they were. */
static void map_cpus(struct tally_nodes *n)
{
	for (unsigned int i = 0; n->numa && i < n->nr_rows; i++)
		map_row(n, n->rows[i]);
	for (unsigned int i = 0; !n->numa && i < n->cpus.max; i++)
		n->cpus.nodes[i] = 0;
}

static struct node_row *row_of(const struct tally_nodes *n, int node)
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

static int find_figures(struct tally_nodes *n)
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

static void add_up(struct tally_nodes *n)
{
	const struct node_cpus *c = &n->cpus;

	for (unsigned int cpu = 0; cpu < c->max; cpu++) {
		struct node_row *row =
			c->nodes[cpu] < 0 ? NULL : row_of(n, c->nodes[cpu]);

		if (!row || row->shown.err[TALLY_SOURCE_CPU])
			continue;
		for (unsigned int i = 0; i < c->cols; i++) {
			int64_t *value = &row->values[c->figures[i]];

			if (__builtin_add_overflow(*value, c->ns[cpu][i],
						   value))
				row->shown.err[TALLY_SOURCE_CPU] = -ERANGE;
		}
	}
}

int node_cpus_read(struct tally_nodes *n, bool nodes_changed)
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

void node_cpus_free(struct tally_nodes *n)
{
	free(n->cpus.nodes);
	free(n->cpus.ns);
}
