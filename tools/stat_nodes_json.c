// SPDX-License-Identifier: MIT
/*
 * A look as JSON, on one line, as it goes: a tree of 64 nodes' thousands of
 * figures would take ten times as long as reading them. Columns stand in the
 * order of members.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "stat_nodes.h"

/* Whether something stands before, in the object or array that we are in. */
struct list {
	bool begun;
};

static void put_text(const char *text)
{
	fputs_unlocked(text, stdout);
}

static void put_comma(struct list *list)
{
	if (list->begun)
		putc_unlocked(',', stdout);
	list->begun = true;
}

/* The kernel's names are printable ASCII. */
static void put_string(const char *text)
{
	putc_unlocked('"', stdout);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc_unlocked('\\', stdout);
		putc_unlocked(*text, stdout);
	}
	putc_unlocked('"', stdout);
}

static void put_key(struct list *list, const char *key)
{
	put_comma(list);
	put_string(key);
	putc_unlocked(':', stdout);
}

static void put_known(int64_t value)
{
	if (value == TALLY_UNKNOWN)
		put_text("null");
	else
		nodes_put_integer(value);
}

static void put_integer_of(struct list *list, const char *key, int64_t value)
{
	put_key(list, key);
	put_known(value);
}

/* ---- members ------------------------------------------------------------ */

/* Of a column's figures: "meminfo_bytes", "vmstat_huge_pages", … */
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

/* An object of members that hold figures, or their names. */
struct members {
	struct list list;
	struct list in;			 /* the member that we are in */
	const struct nodes_column *last; /* NULL: in none */
	char open, close;
};

/* Before something of this column's. */
static void enter(struct members *m, const struct nodes_column *c)
{
	char name[48];

	if (!m->last || !same_member(m->last, c)) {
		if (m->last)
			putc_unlocked(m->close, stdout);
		member_name(c, name);
		put_key(&m->list, name);
		putc_unlocked(m->open, stdout);
		m->in.begun = false;
	}
	m->last = c;
}

static void leave(struct members *m)
{
	if (m->last)
		putc_unlocked(m->close, stdout);
	m->last = NULL;
}

/* ---- a node ------------------------------------------------------------- */

static void put_topology(const struct nodes_stat *s, struct list *list,
			 const struct tally_node *known)
{
	unsigned int nr = s->topo ? tally_topo_nr_nodes(s->topo) : 0;
	struct list cpus = {false}, distances = {false};
	char key[16];

	put_key(list, "cpus");
	put_text("[");
	for (unsigned int i = 0; known && i < known->nr_cpus; i++) {
		put_comma(&cpus);
		nodes_put_integer(known->cpus[i]);
	}
	put_text("]");
	put_key(list, "distances");
	put_text("{");
	for (unsigned int i = 0; known && known->distances && i < nr; i++) {
		snprintf(key, sizeof(key), "%d",
			 tally_topo_node(s->topo, i)->id);
		put_integer_of(&distances, key, known->distances[i]);
	}
	put_text("}");
	put_integer_of(list, "tier",
		       known && known->tier >= 0 ? known->tier : TALLY_UNKNOWN);
	put_key(list, "memory_kind");
	if (known && known->memory)
		put_string(known->memory);
	else
		put_text("null");
}

/* "hugepages-2048kB free": in an object for each size. */
static void put_huge(struct list *list, const struct nodes_column *c,
		     const struct nodes_column *last, int64_t value)
{
	const char *what = strchr(c->name, ' ');
	struct list in = {true};
	char name[96];

	if (!last) {
		put_key(list, "hugepages");
		put_text("[");
	}
	if (!last || last->page_bytes != c->page_bytes) {
		put_text(last ? "},{" : "{");
		in.begun = false;
		put_integer_of(&in, "page_bytes", c->page_bytes);
	}
	snprintf(name, sizeof(name), "%s_pages", what ? what + 1 : c->name);
	put_integer_of(&in, name, value);
}

static void put_figures(const struct nodes_stat *s, const struct nodes_row *row,
			struct list *list)
{
	struct members m = {.list = *list, .open = '{', .close = '}'};
	const struct nodes_column *huge = NULL;

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];
		int64_t value = nodes_value(s, row, c);

		if (c->group == NODES_TOPOLOGY || (s->o->skip_zeros && !value))
			continue;
		if (c->group == TALLY_SOURCE_HUGEPAGES) {
			leave(&m);
			put_huge(&m.list, c, huge, value);
			huge = c;
			continue;
		}
		if (huge)
			put_text("}]");
		huge = NULL;
		enter(&m, c);
		put_integer_of(&m.in, c->name, value);
	}
	if (huge)
		put_text("}]");
	leave(&m);
	*list = m.list;
}

static void put_deltas(const struct nodes_stat *s, const struct nodes_row *row)
{
	struct members m = {.open = '{', .close = '}'};

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];
		int64_t delta = TALLY_UNKNOWN;
		enum nodes_change change = nodes_change(s, row, c, &delta);

		if (change == NODES_UNCHANGED)
			continue;
		enter(&m, c);
		put_integer_of(&m.in, c->name,
			       change == NODES_CHANGED ? delta : TALLY_UNKNOWN);
	}
	leave(&m);
}

static void put_rates(const struct nodes_stat *s, const struct nodes_row *row)
{
	struct members m = {.open = '{', .close = '}'};

	for (unsigned int i = 0; i < s->nr_columns && s->seconds > 0; i++) {
		const struct nodes_column *c = &s->columns[i];
		enum nodes_change change;
		int64_t delta = 0;

		change = c->counter ? nodes_change(s, row, c, &delta)
				    : NODES_UNCHANGED;
		if (change == NODES_UNCHANGED)
			continue;
		enter(&m, c);
		put_key(&m.in, c->name);
		if (change == NODES_CHANGED)
			nodes_put_rate((double)delta / s->seconds);
		else
			put_text("null");
	}
	leave(&m);
}

static void put_resets(const struct nodes_stat *s, const struct nodes_row *row)
{
	struct members m = {.open = '[', .close = ']'};
	int64_t delta;

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (nodes_change(s, row, c, &delta) != NODES_RESET)
			continue;
		enter(&m, c);
		put_comma(&m.in);
		put_string(c->name);
	}
	leave(&m);
}

static void put_errors(const struct nodes_row *row)
{
	struct list errors = {false};

	for (int g = 0; g < TALLY_NR_SOURCES; g++)
		if (row->err[g] && row->err[g] != -ENODATA) {
			put_key(&errors, nodes_group(g));
			put_string(strerror(-row->err[g]));
		}
}

static void put_object(struct list *list, const char *key,
		       void (*put)(const struct nodes_stat *,
				   const struct nodes_row *),
		       const struct nodes_stat *s, const struct nodes_row *row)
{
	put_key(list, key);
	put_text("{");
	put(s, row);
	put_text("}");
}

static void put_node(const struct nodes_stat *s, const struct nodes_row *row)
{
	struct list list = {false};

	put_text("{");
	put_integer_of(&list, "id", row->id);
	if (nodes_wants_topology(s->o))
		put_topology(s, &list, row->known);
	put_figures(s, row, &list);
	if (s->before) {
		put_object(&list, "deltas", put_deltas, s, row);
		put_object(&list, "per_second", put_rates, s, row);
		put_object(&list, "resets", put_resets, s, row);
	}
	put_key(&list, "errors");
	put_text("{");
	put_errors(row);
	put_text("}}");
}

/* ---- what the members of nodes are -------------------------------------- */

static void put_page_bytes(const struct nodes_stat *s)
{
	const struct nodes_column *last = NULL;
	struct list list = {false};
	char name[48];

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (c->unit != TALLY_UNIT_PAGES ||
		    c->group == TALLY_SOURCE_HUGEPAGES ||
		    (last && same_member(last, c)))
			continue;
		member_name(c, name);
		put_integer_of(&list, name,
			       c->page_bytes ? c->page_bytes : TALLY_UNKNOWN);
		last = c;
	}
}

static void put_counters(const struct nodes_stat *s)
{
	struct members m = {.open = '[', .close = ']'};

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (!c->counter)
			continue;
		enter(&m, c);
		put_comma(&m.in);
		put_string(c->name);
	}
	leave(&m);
}

static void put_estimates(const struct nodes_stat *s)
{
	const struct nodes_column *last = NULL;
	struct list list = {false};
	char name[48];

	for (unsigned int i = 0; i < s->nr_columns; i++) {
		const struct nodes_column *c = &s->columns[i];

		if (!c->estimate || (last && same_member(last, c)))
			continue;
		put_comma(&list);
		member_name(c, name);
		put_string(name);
		last = c;
	}
}

int nodes_json(struct nodes_stat *s)
{
	struct list list = {false}, nodes = {false};

	put_text("{");
	put_integer_of(&list, "version", 1);
	put_integer_of(&list, "time_ns", s->now->time_ns);
	put_integer_of(&list, "interval_ns",
		       s->before ? s->now->time_ns - s->before->time_ns
				 : TALLY_UNKNOWN);
	put_key(&list, "nodes");
	put_text("[");
	for (unsigned int i = 0; i < s->nr_shown; i++) {
		put_comma(&nodes);
		put_node(s, &s->now->rows[s->shown[i]]);
	}
	put_text("]");
	put_integer_of(&list, "nodes_left_out", s->nr_rest);
	put_key(&list, "page_bytes");
	put_text("{");
	put_page_bytes(s);
	put_text("}");
	put_key(&list, "counters");
	put_text("{");
	put_counters(s);
	put_text("}");
	put_key(&list, "estimates");
	put_text("[");
	put_estimates(s);
	put_text("]}\n");
	return 0;
}
