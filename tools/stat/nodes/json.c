// SPDX-License-Identifier: MIT
/* A reading as JSON. Columns are in the order of members. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "stat/nodes/nodes.h"

static void put_known(struct json_writer *w, const char *name, int64_t value)
{
	json_put_int_unless(w, name, value, TALLY_UNKNOWN);
}

/* ---- members ------------------------------------------------------------ */

/* The member of a column's figures: "meminfo_bytes", "vmstat_huge_pages". */
static void member_name(const struct nodes_column *c, char name[48])
{
	snprintf(name, 48, "%s_%s%s", nodes_group(c->group),
		 c->distinct ? "huge_" : "", nodes_unit(c->unit));
}

static bool same_member(const struct nodes_column *a,
			const struct nodes_column *b)
{
	return a->group == b->group && a->unit == b->unit &&
	       a->distinct == b->distinct;
}

/* A sequence of members, each an object of figures or an array of names. */
struct members {
	struct json_writer *w;
	bool arrays;
	const struct nodes_column *last; /* NULL: no member is open */
};

static void leave(struct members *m)
{
	if (m->last && m->arrays)
		json_close_array(m->w);
	else if (m->last)
		json_close_object(m->w);
	m->last = NULL;
}

/* Open the member of this column, if it is not open. */
static void enter(struct members *m, const struct nodes_column *c)
{
	char name[48];

	if (!m->last || !same_member(m->last, c)) {
		leave(m);
		member_name(c, name);
		if (m->arrays)
			json_open_array(m->w, name);
		else
			json_open_object(m->w, name);
	}
	m->last = c;
}

/* ---- a node ------------------------------------------------------------- */

static void put_topology(const struct nodes_stat *s, struct json_writer *w,
			 const struct tally_node *known)
{
	unsigned int nr = s->topo ? tally_topo_nr_nodes(s->topo) : 0;
	char key[16];

	json_open_array(w, "cpus");
	for (unsigned int i = 0; known && i < known->nr_cpus; i++)
		json_put_int(w, NULL, known->cpus[i]);
	json_close_array(w);
	json_open_object(w, "distances");
	for (unsigned int i = 0; known && known->distances && i < nr; i++) {
		snprintf(key, sizeof(key), "%d",
			 tally_topo_node(s->topo, i)->id);
		json_put_int(w, key, known->distances[i]);
	}
	json_close_object(w);
	put_known(w, "tier",
		  known && known->tier >= 0 ? known->tier : TALLY_UNKNOWN);
	json_put_string(w, "memory_kind", known ? known->memory : NULL);
}

/* "hugepages-2048kB free" is in the object of its page size. */
static void put_huge(struct json_writer *w, const struct nodes_column *c,
		     const struct nodes_column *last, int64_t value)
{
	const char *what = strchr(c->name, ' ');
	char name[96];

	if (!last)
		json_open_array(w, "hugepages");
	if (last && last->page_bytes != c->page_bytes)
		json_close_object(w);
	if (!last || last->page_bytes != c->page_bytes) {
		json_open_object(w, NULL);
		json_put_int(w, "page_bytes", c->page_bytes);
	}
	snprintf(name, sizeof(name), "%s_pages", what ? what + 1 : c->name);
	put_known(w, name, value);
}

static void close_huge(struct json_writer *w, const struct nodes_column *last)
{
	if (!last)
		return;
	json_close_object(w);
	json_close_array(w);
}

static void put_figures(const struct nodes_stat *s, const struct nodes_row *row,
			struct json_writer *w)
{
	struct members m = {.w = w};
	const struct nodes_column *huge = NULL;

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];
		int64_t value = nodes_value(s, row, c);

		if (c->group == NODES_TOPOLOGY || (s->o->skip_zeros && !value))
			continue;
		if (c->group == TALLY_SOURCE_HUGEPAGES) {
			leave(&m);
			put_huge(w, c, huge, value);
			huge = c;
			continue;
		}
		close_huge(w, huge);
		huge = NULL;
		enter(&m, c);
		put_known(w, c->name, value);
	}
	close_huge(w, huge);
	leave(&m);
}

static void put_deltas(const struct nodes_stat *s, const struct nodes_row *row,
		       struct json_writer *w)
{
	struct members m = {.w = w};

	json_open_object(w, "deltas");
	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];
		int64_t delta = TALLY_UNKNOWN;
		enum nodes_change change = nodes_change(s, row, c, &delta);

		if (change == NODES_UNCHANGED)
			continue;
		enter(&m, c);
		put_known(w, c->name,
			  change == NODES_CHANGED ? delta : TALLY_UNKNOWN);
	}
	leave(&m);
	json_close_object(w);
}

static void put_rates(const struct nodes_stat *s, const struct nodes_row *row,
		      struct json_writer *w)
{
	struct members m = {.w = w};

	json_open_object(w, "per_second");
	for (unsigned int i = 0; i < s->nr_columns && s->seconds > 0; i++) {
		const struct nodes_column *c = &s->columns[i];
		enum nodes_change change;
		int64_t delta = 0;

		change = c->counter ? nodes_change(s, row, c, &delta)
				    : NODES_UNCHANGED;
		if (change == NODES_UNCHANGED)
			continue;
		enter(&m, c);
		if (change == NODES_CHANGED)
			json_put_double(w, c->name, (double)delta / s->seconds);
		else
			json_put_null(w, c->name);
	}
	leave(&m);
	json_close_object(w);
}

static void put_resets(const struct nodes_stat *s, const struct nodes_row *row,
		       struct json_writer *w)
{
	struct members m = {.w = w, .arrays = true};
	int64_t delta;

	json_open_object(w, "resets");
	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (nodes_change(s, row, c, &delta) != NODES_RESET)
			continue;
		enter(&m, c);
		json_put_string(w, NULL, c->name);
	}
	leave(&m);
	json_close_object(w);
}

static void put_errors(const struct nodes_row *row, struct json_writer *w)
{
	json_open_object(w, "errors");
	for (int g = 0; g < TALLY_NR_SOURCES; g++)
		if (row->err[g] && row->err[g] != -ENODATA)
			json_put_string(w, nodes_group(g),
					text_error(row->err[g]));
	json_close_object(w);
}

static void put_node(const struct nodes_stat *s, const struct nodes_row *row,
		     struct json_writer *w)
{
	json_open_object(w, NULL);
	json_put_int(w, "id", row->id);
	if (nodes_wants_topology(s->o))
		put_topology(s, w, row->known);
	put_figures(s, row, w);
	if (s->before) {
		put_deltas(s, row, w);
		put_rates(s, row, w);
		put_resets(s, row, w);
	}
	put_errors(row, w);
	json_close_object(w);
}

/* ---- members of nodes --------------------------------------------------- */

static void put_page_bytes(const struct nodes_stat *s, struct json_writer *w)
{
	const struct nodes_column *last = NULL;
	char name[48];

	json_open_object(w, "page_bytes");
	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (c->unit != TALLY_UNIT_PAGES ||
		    c->group == TALLY_SOURCE_HUGEPAGES ||
		    (last && same_member(last, c)))
			continue;
		member_name(c, name);
		json_put_int_unless(w, name, c->page_bytes, 0);
		last = c;
	}
	json_close_object(w);
}

static void put_counters(const struct nodes_stat *s, struct json_writer *w)
{
	struct members m = {.w = w, .arrays = true};

	json_open_object(w, "counters");
	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (!c->counter)
			continue;
		enter(&m, c);
		json_put_string(w, NULL, c->name);
	}
	leave(&m);
	json_close_object(w);
}

static void put_estimates(const struct nodes_stat *s, struct json_writer *w)
{
	const struct nodes_column *last = NULL;
	char name[48];

	json_open_array(w, "estimates");
	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (!c->estimate || (last && same_member(last, c)))
			continue;
		member_name(c, name);
		json_put_string(w, NULL, name);
		last = c;
	}
	json_close_array(w);
}

int nodes_json(struct nodes_stat *s)
{
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_put_int(&w, "time_ns", s->now->time_ns);
	put_known(&w, "interval_ns",
		  s->before ? s->now->time_ns - s->before->time_ns
			    : TALLY_UNKNOWN);
	json_open_array(&w, "nodes");
	for (unsigned int i = 0; i < s->nr_shown; i++)
		put_node(s, &s->now->rows[s->shown[i]], &w);
	json_close_array(&w);
	json_put_uint(&w, "nodes_left_out", s->nr_rest);
	put_known(&w, "realtime_ns", s->now->real_ns);
	put_page_bytes(s, &w);
	put_counters(s, &w);
	put_estimates(s, &w);
	json_close_object(&w);
	json_finish(&w); /* stdout_close() reports what fails */
	return 0;
}
