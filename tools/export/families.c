// SPDX-License-Identifier: MIT
/* How metrics are called: by the conventions of Prometheus. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/resource.h"
#include "export/families.h"

static struct export_part *add(struct export_families *f,
			       struct export_part part)
{
	struct export_part *p;

	if (array_reserve(f->parts, f->room, f->nr + 1))
		return NULL;
	p = &f->parts[f->nr];
	*p = part;
	p->order = f->nr++;
	return p;
}

/* ---- resources ------------------------------------------------------------------ */

/* A resource's name without its unit, and the base unit. */
struct base {
	char stem[32];
	const char *unit;
	unsigned int digits;
};

static void strip(char *name, const char *suffix)
{
	size_t bytes = strlen(name), its = strlen(suffix);

	if (its && bytes > its + 1 && name[bytes - its - 1] == '_' &&
	    !strcmp(name + bytes - its, suffix))
		name[bytes - its - 1] = '\0';
}

static struct base base_of(const struct export_resource *r)
{
	static const struct {
		const char *unit, *base;
		unsigned int digits;
	} units[] = {
		{"ns", "seconds", 9}, {"us", "seconds", 6},
		{"ms", "seconds", 3}, {"s", "seconds", 0},
		{"B", "bytes", 0},
	};
	const struct tally_resource its = {r->name, r->unit, r->kind};
	struct base b = {.unit = r->unit};

	snprintf(b.stem, sizeof(b.stem), "%.*s", (int)resource_name_bytes(&its),
		 r->name);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(r->unit, units[i].unit)) {
			b.unit = units[i].base;
			b.digits = units[i].digits;
		}
	strip(b.stem, "total");
	strip(b.stem, b.unit);
	return b;
}

/* A column of a resource: what of it, and how. */
struct of {
	const struct export_ledger *ledger;
	const struct export_table *table;
	const struct export_resource *resource;
	unsigned int column;
	const char *level; /* "node", "account" */
	const char *what;  /* behind the stem: "", "_capacity" */
	const char *help;
	enum export_type type;
	bool amount; /* in the resource's unit */
};

static int add_resource(struct export_families *f, const struct of *of)
{
	struct base b = base_of(of->resource);
	struct export_part part = {
		.unit = of->amount ? b.unit : "",
		.digits = of->amount ? b.digits : 0,
		.type = of->type,
		.ledger = of->ledger,
		.table = of->table,
		.column = of->column,
		.resource = of->resource,
	};

	snprintf(part.name, sizeof(part.name), "numatally_%s_%s%s%s%s",
		 of->level, b.stem, of->what, *part.unit ? "_" : "", part.unit);
	snprintf(part.help, sizeof(part.help), "%s: %s.", of->resource->name,
		 of->help);
	return add(f, part) ? 0 : -ENOMEM;
}

static int add_nodes(struct export_families *f, const struct export_ledger *l,
		     unsigned int r)
{
	const struct export_resource *resource = &l->state->shape.resources[r];
	bool reservable = resource->kind == TALLY_RESERVABLE;
	struct of of = {
		.ledger = l,
		.table = &l->state->nodes,
		.resource = resource,
		.column = r * NODE_COLUMNS + NODE_AMOUNT,
		.level = "node",
		.what = reservable ? "_reserved" : "",
		.help = reservable ? "what is reserved on a NUMA node"
				   : "what all accounts have on a NUMA node",
		.type = resource->kind == TALLY_COUNTER ? EXPORT_COUNTER
							: EXPORT_GAUGE,
		.amount = true,
	};
	int err = add_resource(f, &of);

	if (err || !reservable)
		return err;
	of.column = r * NODE_COLUMNS + NODE_CAPACITY;
	of.what = "_capacity";
	of.help = "what a NUMA node has to reserve";
	err = add_resource(f, &of);
	of.column = r * NODE_COLUMNS + NODE_PEAK;
	of.what = "_reserved_peak";
	of.help = "the most that was reserved at once on a NUMA node";
	if (!err)
		err = add_resource(f, &of);
	of.column = r * NODE_COLUMNS + NODE_REFUSALS;
	of.what = "_refusals";
	of.help = "reservations that a NUMA node's capacity refused";
	of.type = EXPORT_COUNTER;
	of.amount = false;
	return err ? err : add_resource(f, &of);
}

static int add_quotas(struct export_families *f, const struct export_ledger *l,
		      unsigned int r)
{
	struct of of = {
		.ledger = l,
		.table = &l->state->quotas,
		.resource = &l->state->shape.resources[r],
		.column = r * QUOTA_COLUMNS + QUOTA_LIMIT,
		.level = "account",
		.what = "_quota",
		.help = "the quota of an account, with those below it",
		.type = EXPORT_GAUGE,
		.amount = true,
	};
	int err = add_resource(f, &of);

	of.column = r * QUOTA_COLUMNS + QUOTA_HELD;
	of.what = "_quota_held";
	of.help = "what counts against an account's quota";
	if (!err)
		err = add_resource(f, &of);
	of.column = r * QUOTA_COLUMNS + QUOTA_REFUSALS;
	of.what = "_quota_refusals";
	of.help = "reservations that an account's quota refused";
	of.type = EXPORT_COUNTER;
	of.amount = false;
	return err ? err : add_resource(f, &of);
}

static int add_accounts(struct export_families *f,
			const struct export_ledger *l, unsigned int r)
{
	const struct export_resource *resource = &l->state->shape.resources[r];
	bool reservable = resource->kind == TALLY_RESERVABLE;
	struct of of = {
		.ledger = l,
		.table = &l->state->own,
		.resource = resource,
		.column = r,
		.level = "account",
		.what = reservable ? "_reserved" : "",
		.help = reservable
				? "what an account has reserved on a NUMA node"
				: "what an account has on a NUMA node",
		.type = resource->kind == TALLY_COUNTER ? EXPORT_COUNTER
							: EXPORT_GAUGE,
		.amount = true,
	};
	int err = add_resource(f, &of);

	of.table = &l->state->rest;
	if (!err)
		err = add_resource(f, &of);
	return !err && reservable ? add_quotas(f, l, r) : err;
}

/* ---- ledgers --------------------------------------------------------------------- */

/* A metric of a ledger, or of the exporter, in a column of a table. */
static int add_column(struct export_families *f, struct export_part part,
		      const struct export_ledger *l,
		      const struct export_table *table, unsigned int column)
{
	part.ledger = l;
	part.table = table;
	part.column = column;
	return add(f, part) ? 0 : -ENOMEM;
}

#define GAUGE(metric, text)                                   \
	{                                                     \
		.name = (metric), .help = (text), .unit = "", \
		.type = EXPORT_GAUGE                          \
	}
#define COUNTER(metric, text)                                 \
	{                                                     \
		.name = (metric), .help = (text), .unit = "", \
		.type = EXPORT_COUNTER                        \
	}
#define INFO(metric, text)                                    \
	{                                                     \
		.name = (metric), .help = (text), .unit = "", \
		.type = EXPORT_INFO                           \
	}
#define SECONDS(metric, text)                                                 \
	{                                                                     \
		.name = metric "_seconds", .help = (text), .unit = "seconds", \
		.digits = 9, .type = EXPORT_GAUGE                             \
	}

static int add_ledger(struct export_families *f, const struct export_ledger *l)
{
	static const struct export_part columns[LEDGER_COLUMNS] = {
		[LEDGER_UP] =
			GAUGE("numatally_ledger_up",
			      "Whether the ledger could be read: 1 or 0."),
		[LEDGER_ACCOUNTS] = GAUGE("numatally_ledger_accounts",
					  "Accounts that the ledger has."),
		[LEDGER_REST] = GAUGE(
			"numatally_ledger_rest_accounts",
			"Accounts that are exported together, as the rest."),
		[LEDGER_LEFT_OUT] = GAUGE("numatally_ledger_left_out_resources",
					  "Resources that are not exported."),
		[LEDGER_CREATED_NS] =
			SECONDS("numatally_ledger_created_timestamp",
				"When the ledger was made, since 1970."),
		[LEDGER_IN_DOUBT] = COUNTER(
			"numatally_ledger_in_doubt",
			"Charges that a killed process may have made or not."),
		[LEDGER_SNAPSHOT] =
			GAUGE("numatally_ledger_snapshot",
			      "Whether all amounts are of one moment: 1 or 0."),
		[LEDGER_AGE_NS] = SECONDS("numatally_ledger_snapshot_age",
					  "How old the snapshot was."),
	};
	int err = 0;

	for (unsigned int i = 0; !err && i < LEDGER_COLUMNS; i++)
		err = add_column(f, columns[i], l, &l->ledger, i);
	return err;
}

static int add_words(struct export_families *f, const struct export_ledger *l)
{
	static const struct export_part parts[] = {
		INFO("numatally_ledger",
		     "Which ledger it is: its file, and its id."),
		INFO("numatally_ledger_error",
		     "Why the ledger could not be read."),
		GAUGE("numatally_ledger_writers",
		      "Processes that have the ledger open for writing, by "
		      "state."),
	};
	int err = add_column(f, parts[0], l, &l->info, 0);

	if (!err)
		err = add_column(f, parts[1], l, &l->error, 0);
	return err ? err : add_column(f, parts[2], l, &l->writers, 0);
}

static int add_resources(struct export_families *f,
			 const struct export_ledger *l)
{
	int err = 0;

	for (unsigned int r = 0; !err && r < l->state->shape.nr_resources;
	     r++) {
		err = add_nodes(f, l, r);
		if (!err)
			err = add_accounts(f, l, r);
	}
	return err;
}

static int add_exporter(struct export_families *f, const struct export_set *set)
{
	static const struct export_part parts[] = {
		INFO("numatally_export", "The exporter's version."),
		GAUGE("numatally_export_ignored_ledgers",
		      "Ledgers of this machine beyond as many as are "
		      "exported."),
	};
	char *labels[] = {strdup("version=\"" PACKAGE_VERSION "\""),
			  strdup("")};
	int64_t values[] = {1, (int64_t)set->nr_ignored};
	int err = 0;

	export_table_clear(&f->exporter);
	for (unsigned int i = 0; i < 2; i++) {
		struct export_row *row = export_row_new(labels[i], 0, 2);

		if (row) {
			row->values[i] = values[i];
			row->values[!i] = EXPORT_ABSENT;
		}
		if (export_table_add(&f->exporter, row) ||
		    add_column(f, parts[i], NULL, &f->exporter, i))
			err = -ENOMEM;
	}
	return err;
}

/* ---- by name ---------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const struct export_part *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* The name is another one's: of another type, or of the same table. */
static bool clashes(const struct export_part *first,
		    const struct export_part *last,
		    const struct export_part *part)
{
	if (part->type != first->type)
		return true;
	for (const struct export_part *p = last;; p--) {
		if (p->ledger != part->ledger)
			return false;
		if (p->resource != part->resource)
			return true;
		if (p == first)
			return false;
	}
}

static void drop_clashes(struct export_families *f)
{
	size_t nr = 0, first = 0;

	for (size_t i = 0; i < f->nr; i++) {
		const struct export_part *p = &f->parts[i];

		if (!nr || strcmp(f->parts[first].name, p->name) != 0)
			first = nr;
		else if (clashes(&f->parts[first], &f->parts[nr - 1], p)) {
			/* Once for what it is on nodes, and on accounts. */
			if (p->ledger && p->table == &p->ledger->state->nodes)
				p->ledger->ledger.rows[0]
					->values[LEDGER_LEFT_OUT]++;
			continue;
		}
		f->parts[nr++] = *p;
	}
	f->nr = nr;
}

int export_families_make(struct export_families *f,
			 const struct export_set *set)
{
	int err;

	f->nr = 0;
	err = add_exporter(f, set);
	for (size_t i = 0; !err && i < set->nr; i++) {
		const struct export_ledger *l = set->ledgers[i];

		err = add_ledger(f, l);
		if (!err)
			err = add_words(f, l);
		if (!err && l->up)
			err = add_resources(f, l);
	}
	if (err)
		return err;
	qsort(f->parts, f->nr, sizeof(*f->parts), compare);
	drop_clashes(f);
	return 0;
}

void export_families_free(struct export_families *f)
{
	export_table_clear(&f->exporter);
	free(f->exporter.rows);
	free(f->parts);
}

bool export_has_rows(const struct export_part *p)
{
	for (size_t i = 0; i < p->table->nr; i++)
		if (export_is_shown(p, p->table->rows[i]))
			return true;
	return false;
}
