// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/ledgers.h"
#include "export/ledger.h"

/* ---- opening ------------------------------------------------------------------ */

struct export_ledger *export_ledger_new(const char *label, const char *name)
{
	struct export_ledger *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->raw = strdup(label);
	l->label = export_escape(label);
	l->name = strdup(name);
	if (!l->raw || !l->label || !l->name) {
		export_ledger_free(l);
		return NULL;
	}
	l->at.name = l->name;
	return l;
}

static void free_table(struct export_table *t)
{
	export_table_clear(t);
	free(t->rows);
}

void export_ledger_free(struct export_ledger *l)
{
	if (!l)
		return;
	tally_reader_close(l->at.reader);
	export_state_free(l->state);
	free_table(&l->ledger);
	free_table(&l->writers);
	free_table(&l->info);
	free_table(&l->error);
	free(l->raw);
	free(l->label);
	free(l->name);
	free(l);
}

/* ---- a look ---------------------------------------------------------------------- */

static bool is_same(const struct export_ledger *l)
{
	return l->state &&
	       !memcmp(l->instance, l->at.about.instance, sizeof(l->instance));
}

static int read_anew(struct export_ledger *l, const struct tally_view *view,
		     const struct export_bounds *bounds)
{
	struct export_state *state = NULL;
	int err = export_state_new(view, bounds, &state);

	if (!err)
		err = export_state_read(state, view, bounds);
	if (!err && l->state)
		err = export_state_carry(state, l->state, is_same(l));
	if (err) {
		export_state_free(state);
		return err;
	}
	if (!l->state)
		l->start_ns = l->at.about.created_ns;
	export_state_free(l->state);
	l->state = state;
	memcpy(l->instance, l->at.about.instance, sizeof(l->instance));
	return 0;
}

static int read_view(struct export_ledger *l, const struct tally_view *view,
		     const struct export_bounds *bounds)
{
	if (is_same(l) && export_shape_fits(&l->state->shape, view))
		return export_state_read(l->state, view, bounds);
	return read_anew(l, view, bounds);
}

static int try_look(struct export_ledger *l, const struct export_bounds *bounds)
{
	const struct tally_snapshot_info *snapshot;
	int64_t *values = l->ledger.rows[0]->values;
	struct tally_view *view;
	int err = followed_view(&l->at, &view);

	if (err)
		return err;
	snapshot = tally_view_snapshot_info(view);
	values[LEDGER_SNAPSHOT] = snapshot != NULL;
	values[LEDGER_AGE_NS] = snapshot ? snapshot->age_ns : EXPORT_ABSENT;
	values[LEDGER_IN_DOUBT] = (int64_t)tally_view_nr_in_doubt(view);
	err = read_view(l, view, bounds);
	tally_view_close(view);
	return err;
}

/* ---- of the ledger itself ------------------------------------------------------- */

static int put_writers(struct export_ledger *l)
{
	static const char *const states[] = {"alive", "dead", "unknown"};
	struct ledgers_writers w = ledgers_writers(l->at.reader);
	int64_t values[] = {w.alive, w.dead, w.unknown};
	char *labels;
	int err = 0;

	for (int i = 0; !err && i < 3; i++) {
		if (asprintf(&labels, "state=\"%s\"", states[i]) < 0)
			labels = NULL;
		err = export_table_add(&l->writers,
				       export_row_new(labels, 0, 1));
		if (!err)
			l->writers.rows[i]->values[0] = values[i];
	}
	return err;
}

static int put_one(struct export_table *table, char *labels)
{
	int err = export_table_add(table, export_row_new(labels, 0, 1));

	if (!err)
		table->rows[0]->values[0] = 1;
	return err;
}

static char *info_labels(const struct export_ledger *l)
{
	char *path = export_escape(l->at.path), *labels;
	char id[2 * sizeof(l->instance) + 1];

	for (size_t i = 0; i < sizeof(l->instance); i++)
		sprintf(id + 2 * i, "%02x", l->instance[i]);
	if (!path || asprintf(&labels, "path=\"%s\",id=\"%s\"", path, id) < 0)
		labels = NULL;
	free(path);
	return labels;
}

static char *error_labels(int err)
{
	char *words = export_escape(ledgers_error(err)), *labels;

	if (!words || asprintf(&labels, "error=\"%s\"", words) < 0)
		labels = NULL;
	free(words);
	return labels;
}

static int tell(struct export_ledger *l)
{
	int64_t *values = l->ledger.rows[0]->values;
	const struct export_state *s = l->state;
	int err;

	values[LEDGER_UP] = 1;
	values[LEDGER_ACCOUNTS] = l->at.about.nr_accounts;
	values[LEDGER_REST] = 0;
	for (size_t i = 0; i < s->nr; i++)
		values[LEDGER_REST] += !s->accounts[i].own;
	values[LEDGER_LEFT_OUT] = s->shape.nr_left_out;
	values[LEDGER_CREATED_NS] = l->at.about.created_ns;
	err = put_writers(l);
	return err ? err : put_one(&l->info, info_labels(l));
}

static int begin(struct export_ledger *l)
{
	struct export_row *row;
	int err = 0;

	export_table_clear(&l->writers);
	export_table_clear(&l->info);
	export_table_clear(&l->error);
	if (!l->ledger.nr)
		err = export_table_add(
			&l->ledger,
			export_row_new(strdup(""), 0, LEDGER_COLUMNS));
	if (err)
		return err;
	row = l->ledger.rows[0];
	for (unsigned int i = 0; i < LEDGER_COLUMNS; i++)
		row->values[i] = EXPORT_ABSENT;
	return 0;
}

int export_ledger_look(struct export_ledger *l, int err,
		       struct export_bounds bounds)
{
	int failed = begin(l);

	l->up = false;
	if (failed)
		return failed;
	bounds.nr_accounts = l->at.about.nr_accounts;
	/* Once more where the snapshot was given up, or another ledger took the
	 * place of this one. */
	for (int i = 0; !err && i < 2; i++) {
		err = try_look(l, &bounds);
		if ((err != -ESTALE && err != -EIDRM) || i)
			break;
		err = followed_open(&l->at);
	}
	l->up = !err;
	l->err = err;
	if (!err)
		return tell(l);
	for (unsigned int i = 0; i < LEDGER_COLUMNS; i++)
		l->ledger.rows[0]->values[i] = EXPORT_ABSENT;
	l->ledger.rows[0]->values[LEDGER_UP] = 0;
	return put_one(&l->error, error_labels(err));
}
