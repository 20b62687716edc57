// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/same.h"

int same_nodes[MODEL_NODES];
int same_op;

static void same_amounts(const struct tally_view *view, struct tally_account a,
			 const struct model_account *m, bool with_held)
{
	int64_t is[MODEL_RESOURCES], all[MODEL_RESOURCES] = {0};

	for (int n = 0; n < MODEL_NODES; n++) {
		int64_t held = m->taken[n] + (m->state ? m->held[n] : 0);

		SAME(tally_view_account(view, a, same_nodes[n], is), 0);
		SAME(is[EVENTS], m->amounts[n][EVENTS]);
		SAME(is[LEVEL], m->amounts[n][LEVEL]);
		if (with_held)
			SAME(is[MEMORY], held);
		for (int r = 0; r < MODEL_RESOURCES; r++)
			all[r] += is[r];
	}
	SAME(tally_view_account(view, a, TALLY_VIEW_ALL, is), 0);
	for (int r = 0; r < (with_held ? 3 : 2); r++)
		SAME(is[r], all[r]);
}

static void same_totals(const struct tally_view *view, const struct model *m)
{
	for (int n = 0; n < MODEL_NODES; n++) {
		int64_t events = m->nodes[n].gone_events, level = 0, is[3];

		for (int k = 0; k < MODEL_KEYS; k++) {
			const struct model_account *a = &m->accounts[k];

			events += a->phase ? a->amounts[n][EVENTS] : 0;
			level += a->phase ? a->amounts[n][LEVEL] : 0;
		}
		SAME(tally_view_totals(view, same_nodes[n], is), 0);
		SAME(is[EVENTS], events);
		SAME(is[LEVEL], level);
	}
}

/* The keys that an iteration finds, a bit each. In a snapshot, an account that is
 * gone may have had the key of another. */
static unsigned int found_in(const struct tally_view *view, bool once)
{
	struct tally_account a;
	unsigned int found = 0;
	uint64_t cursor = 0;
	char key[192];
	int err;

	while (!(err = tally_view_next(view, &cursor, &a, key, sizeof(key))))
		for (int k = 0; k < MODEL_KEYS; k++)
			if (!strcmp(key, model_keys[k])) {
				SAME(once && found >> k & 1, 0);
				found |= 1u << k;
			}
	SAME(err, -ENOENT);
	return found;
}

static unsigned int existing(const struct model *m)
{
	unsigned int found = 0;

	for (int k = 0; k < MODEL_KEYS; k++)
		found |= m->accounts[k].phase ? 1u << k : 0;
	return found;
}

/* Its parent, and what is left of it for its children. */
static void same_family(const struct tally_view *view, int k,
			const struct tally_reservation *r,
			const struct model *m)
{
	const struct model_account *should = &m->accounts[k];
	struct tally_account parent;
	int64_t is;

	SAME(r->state, should->state);
	SAME(r->drawn, should->parent != 0);
	if (r->drawn) {
		SAME(tally_account_find(tally_view_accounts(view),
					model_keys[should->parent - 1],
					&parent),
		     0);
		SAME(r->parent.row, parent.row);
		SAME(r->parent.generation, parent.generation);
	}
	for (int n = 0; n < MODEL_NODES; n++) {
		SAME(tally_limit_draw_free(view, r->token, same_nodes[n],
					   MEMORY, &is),
		     0);
		SAME(is, should->held[n] - model_drawn_on(m, k, n));
	}
}

static void same_limits(const struct tally_view *view, int k,
			struct tally_account a, const struct model *m)
{
	const struct model_account *should = &m->accounts[k];
	struct tally_reservation r = {.size = sizeof(r)};
	struct tally_limit l = {.size = sizeof(l)};
	int64_t is;
	int err;

	SAME(tally_limit_account(view, a, MEMORY, &l), 0);
	SAME(l.held, model_held_of(m, k));
	SAME(l.limit, should->quota);
	SAME(m->ever_took ? l.peak >= should->peak : l.peak == should->peak, 1);
	SAME(l.nr_refused, should->nr_refused);
	err = tally_limit_find(view, a, &r);
	SAME(err, should->state ? 0 : -ENOENT);
	if (!err)
		same_family(view, k, &r, m);
	if (should->phase != TALLY_PHASE_TERMINATING)
		for (int n = 0; n < MODEL_NODES; n++) {
			SAME(tally_limit_free(view, a, same_nodes[n], MEMORY,
					      &is),
			     0);
			SAME(is, model_free(m, k, n));
		}
}

static void same_capacities(const struct tally_view *view,
			    const struct model *m)
{
	for (int n = 0; n < MODEL_NODES; n++) {
		struct tally_limit l = {.size = sizeof(l)};

		SAME(tally_limit_node(view, same_nodes[n], MEMORY, &l), 0);
		SAME(l.held, model_held_on(m, n));
		SAME(l.limit, m->nodes[n].capacity);
		SAME(m->ever_took ? l.peak >= m->nodes[n].peak
				  : l.peak == m->nodes[n].peak,
		     1);
		SAME(l.nr_refused, m->nodes[n].nr_refused);
	}
}

static int count_problem(void *unused, const char *problem)
{
	(void)unused;
	fail_msg("op %d: %s", same_op, problem);
	return 1;
}

/* Of an account that exists: also what is not in views. */
static void same_account(const struct tally_accounts *in,
			 const struct tally_view *view, int k,
			 const struct model *m)
{
	const struct model_account *should = &m->accounts[k];
	struct tally_account a, owner, its_owner;
	uint32_t pins = 0;
	int err;

	SAME(tally_account_find(in, model_keys[k], &a), 0);
	SAME(tally_account_phase(in, a), should->phase);
	SAME(tally_account_pins(in, a, &pins), 0);
	SAME(pins, should->pins);
	err = tally_account_owner(in, a, &owner);
	SAME(err, should->owner < 0 ? -ENOENT : 0);
	if (!err) {
		SAME(tally_account_find(in, model_keys[should->owner],
					&its_owner),
		     0);
		SAME(owner.row, its_owner.row);
		SAME(owner.generation, its_owner.generation);
	}
	same_amounts(view, a, should, true);
	same_limits(view, k, a, m);
}

void same_all(const struct tally_accounts *in, const struct tally_view *view,
	      const struct model *m)
{
	struct tally_account a;

	SAME(found_in(view, true), existing(m));
	for (int k = 0; k < MODEL_KEYS; k++) {
		if (m->accounts[k].phase)
			same_account(in, view, k, m);
		else
			SAME(tally_account_find(in, model_keys[k], &a),
			     -ENOENT);
	}
	same_totals(view, m);
	same_capacities(view, m);
	SAME(tally_limit_check(view, count_problem, NULL), 0);
}

void same_snapshot(const struct tally_view *snapshot, const struct model *then,
		   const struct tally_account *handles)
{
	/* Later accounts are there, too, without amounts. */
	SAME(existing(then) & ~found_in(snapshot, false), 0);
	same_totals(snapshot, then);
	for (int k = 0; k < MODEL_KEYS; k++)
		if (then->accounts[k].phase)
			same_amounts(snapshot, handles[k], &then->accounts[k],
				     false);
}

/* In a copy what was taken is reserved, except by a child of a reservation; and
 * an account called "gone" has the counters of those that are gone. */
static struct model copied(const struct model *model)
{
	struct model m = *model;
	int k;

	for (k = 0; k < MODEL_KEYS; k++)
		for (int n = 0; n < MODEL_NODES; n++) {
			struct model_account *a = &m.accounts[k];

			if (!a->taken[n] || (a->state && a->parent))
				continue;
			if (!a->state) {
				memset(a->held, 0, sizeof(a->held));
				a->state = TALLY_COMMITTED;
				a->parent = 0;
			}
			a->held[n] += a->taken[n];
			a->taken[n] = 0;
		}
	k = 0;

	while (strcmp(model_keys[k], "gone") != 0)
		k++;
	for (int n = 0; m.accounts[k].phase && n < MODEL_NODES; n++) {
		m.accounts[k].amounts[n][EVENTS] += m.nodes[n].gone_events;
		m.nodes[n].gone_events = 0;
	}
	return m;
}

/* What a reader finds, and what it finds in a copy. */
void same_saved(const char *path, const char *copy_path, const struct model *m,
		int nr_others)
{
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_reader *reader, *copy;
	struct tally_view *view, *saved_view;
	const struct model copy_of = copied(m);
	int nr = nr_others;

	for (int k = 0; k < MODEL_KEYS; k++)
		nr += m->accounts[k].phase != 0;
	SAME(tally_reader_open(path, &reader), 0);
	SAME(tally_reader_describe(reader, &info), 0);
	SAME(info.nr_accounts, nr);
	SAME(tally_reader_view(reader, &view), 0);
	same_all(tally_view_accounts(view), view, m);
	SAME(tally_reader_save(view, copy_path, 0600), 0);
	SAME(tally_reader_open(copy_path, &copy), 0);
	SAME(tally_reader_view(copy, &saved_view), 0);
	same_all(tally_view_accounts(saved_view), saved_view, &copy_of);
	tally_view_close(saved_view);
	tally_reader_close(copy);
	tally_view_close(view);
	tally_reader_close(reader);
}
