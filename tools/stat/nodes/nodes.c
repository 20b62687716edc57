// SPDX-License-Identifier: MIT
/* numatally stat by node: the readings. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/absent.h"
#include "common/clock.h"
#include "common/root.h"
#include "common/stdout.h"
#include "common/text.h"
#include "stat/again.h"
#include "stat/nodes/nodes.h"

#define S_NS INT64_C(1000000000)

/* ---- a look ------------------------------------------------------------- */

static int make_room(struct nodes_look *look, unsigned int nr,
		     unsigned int nr_figures)
{
	int error = array_reserve(look->rows, look->room, nr);

	return error ? error
		     : array_reserve(look->values, look->room_values,
				     (size_t)nr * nr_figures);
}

static const struct tally_node *find_known(const struct nodes_stat *s, int id)
{
	int index = s->topo ? tally_topo_index(s->topo, id) : -ENOENT;

	return index < 0 ? NULL : tally_topo_node(s->topo, (unsigned int)index);
}

/* Link rows to those before. Both are ordered by id. */
static void find_before(const struct nodes_look *before,
			const struct nodes_look *look)
{
	unsigned int at = 0;

	for (unsigned int i = 0; i < look->nr; i++) {
		struct nodes_row *row = &look->rows[i];

		row->before = -1;
		while (before && at < before->nr &&
		       before->rows[at].id < row->id)
			at++;
		if (before && at < before->nr && before->rows[at].id == row->id)
			row->before = (int)at;
	}
}

static int copy(struct nodes_stat *s, struct nodes_look *look)
{
	unsigned int nr_figures = tally_kernel_nodes_nr_figures(s->nodes);
	unsigned int nr = tally_kernel_nodes_nr(s->nodes);

	if (make_room(look, nr, nr_figures))
		return -ENOMEM;
	look->time_ns = tally_kernel_nodes_time_ns(s->nodes);
	look->real_ns = s->o->root ? TALLY_UNKNOWN : real_ns(look->time_ns);
	look->nr = nr;
	look->nr_figures = nr_figures;
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node_figures *from =
			tally_kernel_nodes_row(s->nodes, i);
		struct nodes_row *row = &look->rows[i];

		row->id = from->node;
		memcpy(row->err, from->err, sizeof(row->err));
		if (nr_figures)
			memcpy(&look->values[(size_t)i * nr_figures],
			       from->values, nr_figures * sizeof(int64_t));
	}
	return 0;
}

static bool same_nodes(const struct nodes_look *a, const struct nodes_look *b)
{
	if (a->nr != b->nr)
		return false;
	for (unsigned int i = 0; i < a->nr; i++)
		if (a->rows[i].id != b->rows[i].id)
			return false;
	return true;
}

/* Read the topology, again when the set of nodes has changed. */
static void read_topology(struct nodes_stat *s)
{
	int error;

	s->known = !s->before || !same_nodes(s->before, s->now);
	if (!s->known || !nodes_wants_topology(s->o))
		return;
	tally_topo_close(s->topo);
	s->topo = NULL;
	error = tally_topo_open(s->o->root, &s->topo);
	/* A captured tree may lack the topology. */
	if (error && error != -ENOENT) {
		s->failed = true;
		warnx("distances and tiers: %s", text_error(error));
	}
	s->nr_figures = 0; /* choose columns anew: distances have changed */
}

/* ---- errors ------------------------------------------------------------- */

static bool was_reported(const struct nodes_stat *s,
			 const struct nodes_row *row, int source)
{
	return row->before >= 0 &&
	       s->before->rows[row->before].err[source] == row->err[source];
}

/* The estimates of all nodes are made of one file, which is named once. */
static void report_row(const struct nodes_row *row, int source, bool *told)
{
	const char *why = text_error(row->err[source]);

	if (source != TALLY_SOURCE_ESTIMATE) {
		warnx("node %d: %s: %s", row->id, nodes_group(source), why);
		return;
	}
	if (!*told)
		warnx("proc/zoneinfo: %s", why);
	*told = true;
}

/* Report each error once, until it changes. */
static void report_rows(struct nodes_stat *s)
{
	bool told = false;

	for (unsigned int i = 0; i < s->now->nr; i++) {
		const struct nodes_row *row = &s->now->rows[i];

		for (int g = 0; g < TALLY_NR_SOURCES; g++) {
			if (!row->err[g] || row->err[g] == -ENODATA ||
			    !nodes_is_asked_for(s->o, row->id))
				continue;
			s->failed = true;
			if (!was_reported(s, row, g))
				report_row(row, g, &told);
		}
	}
}

/* Report an error that is not a row's: the list of nodes was unreadable, and the
 * nodes are those of the look before. */
static void report_list(struct nodes_stat *s, int error)
{
	for (unsigned int i = 0; i < s->now->nr; i++)
		for (int g = 0; g < TALLY_NR_SOURCES; g++)
			if (s->now->rows[i].err[g] == error)
				return;
	if (!error)
		return;
	s->failed = true;
	warnx("the nodes: %s", text_error(error));
}

static bool has_node(const struct nodes_look *look, int id)
{
	for (unsigned int i = 0; i < look->nr; i++)
		if (look->rows[i].id == id)
			return true;
	return false;
}

static void report_nodes(struct nodes_stat *s)
{
	struct absent absent = {.nr = 0};

	for (size_t i = 0; i < s->o->nr_nodes; i++) {
		int id = s->o->nodes[i];

		if (has_node(s->now, id))
			continue;
		s->failed = true;
		if (!s->before || has_node(s->before, id))
			absent_add(&absent, (unsigned int)id);
	}
	absent_tell(&absent);
	s->failed |= s->o->sort_unknown;
	if (s->o->sort_node >= 0 && !has_node(s->now, s->o->sort_node)) {
		s->failed = true;
		if (!s->before)
			warnx("no node %d: not sorted", s->o->sort_node);
	}
}

/* ---- readings ----------------------------------------------------------- */

static int look(struct nodes_stat *s)
{
	struct nodes_look *next = &s->looks[s->nr_looks % 2];
	int error = tally_kernel_nodes_read(s->nodes);
	int listed = error;

	if (error == -ENOMEM)
		return error;
	error = copy(s, next);
	if (error)
		return error;
	s->before = s->now;
	s->now = next;
	s->nr_looks++;
	s->seconds = s->before
			     ? (double)(s->now->time_ns - s->before->time_ns) /
				       (double)S_NS
			     : 0;
	find_before(s->before, s->now);
	read_topology(s);
	for (unsigned int i = 0; i < next->nr; i++)
		next->rows[i].known = find_known(s, next->rows[i].id);
	report_list(s, listed);
	report_rows(s);
	report_nodes(s);
	error = nodes_choose_columns(s);
	return error ? error : nodes_choose_rows(s);
}

static int write_look(struct nodes_stat *s)
{
	int error;

	if (s->o->json)
		error = nodes_json(s);
	else if (s->o->csv)
		error = nodes_csv(s);
	else if (s->o->long_format)
		error = nodes_long(s);
	else
		error = nodes_table(s);
	(void)stdout_flush();
	return error;
}

static int repeat(struct nodes_stat *s)
{
	struct stat_again again = {.nr = 0};
	int error;

	do {
		error = look(s);
		if (!error)
			error = write_look(s);
	} while (!error && stat_again(s->o, &again, s->now->time_ns));
	return error;
}

static void close_all(struct nodes_stat *s)
{
	tally_kernel_nodes_close(s->nodes);
	tally_topo_close(s->topo);
	for (int i = 0; i < 2; i++) {
		free(s->looks[i].rows);
		free(s->looks[i].values);
	}
	free(s->columns);
	free(s->shown);
}

int stat_nodes_main(const struct stat_options *o)
{
	struct nodes_stat s = {.o = o};
	int error =
		tally_kernel_nodes_open(o->root, nodes_sources(o), &s.nodes);

	if (error) {
		root_complain(o->root, error, ROOT_NODES);
		return EXIT_FAILURE;
	}
	root_warn_hidden(o->root, ROOT_ALL);
	stat_again_begin(o);
	error = repeat(&s);
	if (error == -ENOMEM)
		warnx("%s", strerror(ENOMEM));
	close_all(&s);
	return error || s.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
