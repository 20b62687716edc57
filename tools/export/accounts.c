// SPDX-License-Identifier: MIT
/* Reads the amounts of all accounts, in the order of their rows in the ledger. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "export/state.h"

#define BATCH 4096 /* amounts */

/* A pass over the accounts, beside those of the last look. */
struct pass {
	struct export_state *s;
	const struct tally_view *view;
	bool all;	 /* a new account has rows at once */
	double *weights; /* [resource]: what an amount of 1 is in its total */
	size_t at;	 /* in was */
	/* Of the account that is read: */
	struct export_account *a;
	int node; /* its number */
	unsigned int index;
	struct export_row *row; /* NULL: it has none */
	size_t row_at;
	struct export_sums *sums; /* NULL: of no node yet */
};

void export_account_free(struct export_account *a)
{
	export_table_clear(&a->table);
	free(a->table.rows);
	free(a->key);
	free(a->label);
	*a = (struct export_account){.account = a->account};
}

/* ---- rows --------------------------------------------------------------------- */

struct export_row *export_account_row(const struct export_shape *shape,
				      struct export_account *a,
				      unsigned int node, size_t *at)
{
	struct export_table *t = &a->table;
	struct export_row *row;
	char *before, *labels = NULL;

	while (*at < t->nr && t->rows[*at]->node < node)
		++*at;
	if (*at < t->nr && t->rows[*at]->node == node)
		return t->rows[*at];
	if (asprintf(&before, "account=\"%s\"", a->label) >= 0) {
		labels = export_shape_labels(shape, node, before);
		free(before);
	}
	row = export_row_new(labels, node, shape->nr_resources);
	if (export_table_add(t, row))
		return NULL;
	memmove(&t->rows[*at + 1], &t->rows[*at],
		(t->nr - 1 - *at) * sizeof(struct export_row *));
	t->rows[*at] = row;
	return row;
}

/* Give an account rows. One that has ended meanwhile, in a snapshot that shows it
 * still, stays in the rest. */
static int make_own(struct pass *p, struct export_account *a)
{
	const struct tally_accounts *accounts = tally_view_accounts(p->view);
	size_t bytes = tally_account_key_bytes(accounts);
	char *key = malloc(bytes);
	int err = key ? tally_account_key(accounts, a->account, key, bytes)
		      : -ENOMEM;

	if (err) {
		free(key);
		a->next = false;
		return err == -ESTALE ? 0 : err;
	}
	a->key = key;
	a->label = export_escape(key);
	a->own = a->next = true;
	return a->label ? 0 : -ENOMEM;
}

/* ---- accounts ----------------------------------------------------------------- */

static struct export_account *push(struct export_state *s)
{
	if (array_reserve(s->accounts, s->room, s->nr + 1))
		return NULL;
	s->accounts[s->nr] = (struct export_account){0};
	return &s->accounts[s->nr++];
}

/* Go on with an account of the last look. It has nothing, so far. */
static int keep(struct pass *p, struct export_account *was)
{
	struct export_account *a = push(p->s);

	p->a = a;
	if (!a)
		return -ENOMEM;
	*a = *was;
	*was = (struct export_account){.account = a->account};
	export_table_begin(&a->table);
	a->rank = 0;
	a->nr_nodes = 0;
	if (!a->next || a->own)
		return 0;
	a->moved = true;
	return make_own(p, a);
}

/* Go past those of the last look that are before the row: they have ended, or have
 * nothing any more. */
static int pass_by(struct pass *p, uint64_t row)
{
	const struct tally_accounts *accounts = tally_view_accounts(p->view);
	struct export_state *s = p->s;
	int err = 0, phase;

	for (; !err && p->at < s->nr_was && s->was[p->at].account.row < row;
	     p->at++) {
		phase = tally_account_phase(accounts, s->was[p->at].account);
		if (phase >= 0)
			err = keep(p, &s->was[p->at]);
		else if (phase != -ESTALE)
			err = phase;
	}
	return err;
}

static int begin_account(struct pass *p, struct tally_account account)
{
	struct export_state *s = p->s;
	struct export_account *was;
	int err = pass_by(p, account.row);

	if (err)
		return err;
	was = p->at < s->nr_was ? &s->was[p->at] : NULL;
	if (was && was->account.row == account.row &&
	    was->account.generation == account.generation) {
		p->at++;
		err = keep(p, was);
	} else {
		p->a = push(s);
		if (!p->a)
			return -ENOMEM;
		p->a->account = account;
		p->a->fresh = true;
		if (p->all)
			err = make_own(p, p->a);
	}
	p->sums = NULL;
	p->row_at = 0;
	return err;
}

static int begin_node(struct pass *p, int number)
{
	const struct export_shape *shape = &p->s->shape;

	if (p->index >= shape->nr_nodes ||
	    shape->nodes[p->index].number != number)
		p->index = export_shape_node(shape, number);
	if (p->index == shape->nr_nodes)
		return -EBADMSG;
	p->node = number;
	p->a->nr_nodes++;
	p->sums = &p->s->sums[export_listed(shape, p->index)];
	p->row = NULL;
	if (!p->a->own)
		return 0;
	p->row = export_account_row(shape, p->a, p->index, &p->row_at);
	return p->row ? 0 : -ENOMEM;
}

static void take(struct pass *p, const struct tally_entry *e)
{
	int64_t *sum = p->row ? &p->sums->own[e->resource]
			      : &p->sums->others[e->resource];

	*sum = (int64_t)((uint64_t)*sum + (uint64_t)e->amount);
	if (p->row)
		export_fresh(p->row)[e->resource] = e->amount;
	if (!p->all)
		p->a->rank += (double)e->amount * p->weights[e->resource];
}

static int take_batch(struct pass *p, size_t nr)
{
	const struct tally_entry *e = p->s->entries;
	int err = 0;

	for (size_t i = 0; !err && i < nr; i++, e++) {
		if (!p->a || e->account.row != p->a->account.row ||
		    e->account.generation != p->a->account.generation)
			err = begin_account(p, e->account);
		if (!err && (!p->sums || e->node != p->node))
			err = begin_node(p, e->node);
		if (!err && p->sums && e->resource < p->s->shape.nr_resources)
			take(p, e);
	}
	return err;
}

/* All amounts of an account come in one batch. */
static int read_batch(struct pass *p, uint64_t *cursor, size_t *nr)
{
	struct export_state *s = p->s;
	int err;

	while ((err = tally_view_read(p->view, NULL, cursor, s->entries,
				      s->room_entries, nr)) == -ERANGE)
		if (array_reserve(s->entries, s->room_entries,
				  s->room_entries + 1))
			return -ENOMEM;
	return err;
}

static int read_all(struct pass *p)
{
	uint64_t cursor = 0;
	size_t nr;
	int err;

	while (!(err = read_batch(p, &cursor, &nr)))
		if ((err = take_batch(p, nr)))
			return err;
	return err == -ENOENT ? pass_by(p, UINT64_MAX) : err;
}

/* ---- a look --------------------------------------------------------------------- */

static void swap(struct export_state *s)
{
	struct export_account *accounts = s->accounts;
	size_t nr = s->nr, room = s->room;

	s->accounts = s->was;
	s->nr = s->nr_was;
	s->room = s->room_was;
	s->was = accounts;
	s->nr_was = nr;
	s->room_was = room;
}

int export_account_by_row(const void *a, const void *b)
{
	const struct export_account *x = a, *y = b;

	return (x->account.row > y->account.row) -
	       (x->account.row < y->account.row);
}

/* After a failure: all that there were, and none that are new. */
static int put_back(struct pass *p)
{
	struct export_state *s = p->s;
	size_t nr = 0;

	for (size_t i = 0; i < s->nr; i++)
		if (s->accounts[i].fresh)
			export_account_free(&s->accounts[i]);
		else
			s->accounts[nr++] = s->accounts[i];
	s->nr = nr;
	for (size_t i = 0; i < s->nr_was; i++) {
		struct export_account *a;

		/* Before p->at these alone have not been moved. */
		if (i < p->at && !s->was[i].own)
			continue;
		a = push(s);
		if (!a)
			return -ENOMEM;
		*a = s->was[i];
	}
	s->nr_was = 0;
	if (s->nr)
		qsort(s->accounts, s->nr, sizeof(*s->accounts),
		      export_account_by_row);
	return 0;
}

static void set_weights(struct pass *p)
{
	struct export_state *s = p->s;

	for (unsigned int r = 0; r < s->shape.nr_resources; r++) {
		double total = 0;

		for (size_t n = 0; n < s->nodes.nr; n++)
			total += (double)export_fresh(
				s->nodes.rows[n])[(size_t)r * NODE_COLUMNS];
		p->weights[r] = total > 0 ? 1 / total : 0;
	}
}

static int begin(struct pass *p)
{
	struct export_state *s = p->s;
	size_t bytes = s->shape.nr_resources * sizeof(int64_t);

	p->weights = calloc(s->shape.nr_resources, sizeof(*p->weights));
	if (!p->weights || array_reserve(s->entries, s->room_entries, BATCH))
		return -ENOMEM;
	set_weights(p);
	for (size_t n = 0; n < s->rest.nr; n++) {
		memset(s->sums[n].own, 0, bytes);
		memset(s->sums[n].others, 0, bytes);
	}
	return 0;
}

int export_accounts_read(struct export_state *s, const struct tally_view *view,
			 bool all)
{
	struct pass p = {.s = s, .view = view, .all = all};
	int err = begin(&p);

	if (!err) {
		swap(s);
		s->nr = 0;
		err = read_all(&p);
		if (err && put_back(&p))
			err = -ENOMEM;
	}
	free(p.weights);
	return err;
}
