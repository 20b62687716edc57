// SPDX-License-Identifier: MIT
/* What limits and reservations should be. */
#include "support/test.h"

#include "support/model.h"
#include "support/model_limit.h"

int64_t model_taken_of(const struct model_account *a)
{
	int64_t sum = 0;

	for (int n = 0; n < MODEL_NODES; n++)
		sum += a->taken[n];
	return sum;
}

static int64_t reserved_of(const struct model_account *a)
{
	int64_t sum = 0;

	for (int n = 0; a->state && n < MODEL_NODES; n++)
		sum += a->held[n];
	return sum;
}

/* What counts in its quota. */
static int64_t own_held(const struct model_account *a)
{
	return (a->parent ? 0 : reserved_of(a)) + model_taken_of(a);
}

/* Whether key's reservations count in the quota of above. */
static bool counts_in(const struct model *m, int key, int above)
{
	const char *k = model_keys[key], *p = model_keys[above];
	size_t bytes = strlen(p);

	return key == above ||
	       (m->accounts[above].phase && m->accounts[above].had_quota &&
		p[bytes - 1] == '/' && !strncmp(k, p, bytes));
}

int64_t model_held_of(const struct model *m, int key)
{
	int64_t sum = 0;

	for (int k = 0; k < MODEL_KEYS; k++)
		if (m->accounts[k].phase && counts_in(m, k, key))
			sum += own_held(&m->accounts[k]);
	return sum;
}

int64_t model_held_on(const struct model *m, int node)
{
	int64_t sum = 0;

	for (int k = 0; k < MODEL_KEYS; k++) {
		const struct model_account *a = &m->accounts[k];

		if (a->phase)
			sum += a->taken[node] +
			       (a->state && !a->parent ? a->held[node] : 0);
	}
	return sum;
}

int64_t model_drawn_on(const struct model *m, int key, int node)
{
	int64_t sum = 0;

	for (int k = 0; k < MODEL_KEYS; k++)
		if (m->accounts[k].state && m->accounts[k].parent == key + 1)
			sum += m->accounts[k].held[node];
	return sum;
}

/* Whether its children have more than the account has. */
static bool is_overdrawn(const struct model *m, int key, int node)
{
	return model_drawn_on(m, key, node) > m->accounts[key].held[node];
}

static bool is_overdrawn_on_any(const struct model *m, int key)
{
	for (int n = 0; n < MODEL_NODES; n++)
		if (is_overdrawn(m, key, n))
			return true;
	return false;
}

static void raise_to(int64_t *peak, int64_t held)
{
	*peak = held > *peak ? held : *peak;
}

static void raise_peaks(struct model *m, int key, int node)
{
	raise_to(&m->nodes[node].peak, model_held_on(m, node));
	for (int k = 0; k < MODEL_KEYS; k++)
		if (counts_in(m, key, k))
			raise_to(&m->accounts[k].peak, model_held_of(m, k));
}

static void add(struct model *m, int key, const struct model_demand *d)
{
	m->accounts[key].held[d->node] += d->amount;
	if (d->amount > 0 && !m->accounts[key].parent)
		raise_peaks(m, key, d->node);
}

/* The account whose quota is exceeded: its own, else that of the shortest key
 * above; -1: none. */
static int exceeded(const struct model *m, int key)
{
	int found = -1;

	if (model_held_of(m, key) > m->accounts[key].quota)
		return key;
	for (int k = 0; k < MODEL_KEYS; k++)
		if (counts_in(m, key, k) &&
		    model_held_of(m, k) > m->accounts[k].quota &&
		    (found < 0 ||
		     strlen(model_keys[k]) < strlen(model_keys[found])))
			found = k;
	return found;
}

/* Nothing is as if it had been asked for, but for the count of refusals. */
static int refuse_of_node(struct model *m, const struct model *before, int node)
{
	*m = *before;
	m->nodes[node].nr_refused++;
	return -ENOSPC;
}

static int refuse_of_quota(struct model *m, const struct model *before, int key)
{
	*m = *before;
	m->accounts[key].nr_refused++;
	return -EDQUOT;
}

static bool is_full(const struct model *m, int node)
{
	return model_held_on(m, node) > m->nodes[node].capacity;
}

static void start(struct model_account *a, int parent)
{
	a->state = TALLY_RESERVED;
	a->parent = parent;
	memset(a->held, 0, sizeof(a->held));
}

int model_reserve(struct model *m, int key, const struct model_demand *demands,
		  int nr)
{
	struct model_account *a = &m->accounts[key];
	const struct model before = *m;
	int err = model_error_of(a), over;

	if (err)
		return err;
	if (a->state)
		return -EEXIST;
	start(a, 0);
	for (int i = 0; i < nr; i++) {
		add(m, key, &demands[i]);
		if (!demands[i].amount)
			continue;
		if (is_full(m, demands[i].node))
			return refuse_of_node(m, &before, demands[i].node);
		over = exceeded(m, key);
		if (over >= 0)
			return refuse_of_quota(m, &before, over);
	}
	return 0;
}

/* A parent counts no refusals. */
int model_draw(struct model *m, int key, int parent,
	       const struct model_demand *demands, int nr)
{
	struct model_account *a = &m->accounts[key];
	const struct model before = *m;
	int err = model_error_of(a);

	if (err)
		return err;
	if (a->state)
		return -EEXIST;
	if (!m->accounts[parent].state)
		return -ESTALE;
	start(a, parent + 1);
	for (int i = 0; i < nr; i++) {
		add(m, key, &demands[i]);
		if (demands[i].amount &&
		    is_overdrawn(m, parent, demands[i].node)) {
			*m = before;
			return -ENOSPC;
		}
	}
	return 0;
}

static int64_t sum_of(const struct model_demand *demands, int nr, int node)
{
	int64_t sum = 0;

	for (int i = 0; i < nr; i++)
		if (node < 0 || demands[i].node == node)
			sum += demands[i].amount;
	return sum;
}

/* What is drawn from it ends with it. */
static int end_reservation(struct model *m, int key)
{
	for (int k = 0; k < MODEL_KEYS; k++)
		if (m->accounts[k].state && m->accounts[k].parent == key + 1)
			end_reservation(m, k);
	m->accounts[key].state = 0;
	model_finish(m, key);
	return 0;
}

static void end_empty(struct model *m, int key)
{
	if (!reserved_of(&m->accounts[key]))
		end_reservation(m, key);
}

/* Give back what is below 0. Return whether some is, or -ERANGE. */
static int give_back(struct model *m, int key,
		     const struct model_demand *demands, int nr)
{
	int some = 0;

	for (int i = 0; i < nr; i++) {
		if (demands[i].amount >= 0)
			continue;
		if (m->accounts[key].held[demands[i].node] < -demands[i].amount)
			return -ERANGE;
		add(m, key, &demands[i]);
		some = 1;
	}
	return some;
}

int model_change(struct model *m, int key, const struct model_demand *demands,
		 int nr)
{
	const struct model before = *m;
	struct model_account *a = &m->accounts[key];
	bool takes = false;
	int gave, over;

	if (!a->phase || !a->state)
		return -ESTALE;
	for (int i = 0; i < nr; i++)
		takes |= demands[i].amount > 0;
	if (takes && a->phase == TALLY_PHASE_TERMINATING)
		return -ESHUTDOWN;
	gave = give_back(m, key, demands, nr);
	if (gave < 0) {
		*m = before;
		return gave;
	}
	for (int i = 0; i < nr; i++)
		if (demands[i].amount > 0)
			add(m, key, &demands[i]);
	if (gave && is_overdrawn_on_any(m, key)) {
		*m = before;
		return -EBUSY;
	}
	for (int i = 0; i < nr; i++) {
		if (demands[i].amount <= 0)
			continue;
		if (a->parent) {
			if (sum_of(demands, nr, demands[i].node) > 0 &&
			    is_overdrawn(m, a->parent - 1, demands[i].node)) {
				*m = before;
				return -ENOSPC;
			}
			continue;
		}
		if (sum_of(demands, nr, demands[i].node) > 0 &&
		    is_full(m, demands[i].node))
			return refuse_of_node(m, &before, demands[i].node);
		over = sum_of(demands, nr, -1) > 0 ? exceeded(m, key) : -1;
		if (over >= 0)
			return refuse_of_quota(m, &before, over);
	}
	if (gave && !takes)
		end_empty(m, key);
	return 0;
}

int model_commit(struct model *m, int key)
{
	struct model_account *a = &m->accounts[key];

	if (!a->phase || !a->state)
		return -ESTALE;
	a->state = TALLY_COMMITTED;
	return 0;
}

int model_cancel(struct model *m, int key)
{
	struct model_account *a = &m->accounts[key];

	if (!a->phase || !a->state)
		return -ESTALE;
	return a->state == TALLY_COMMITTED ? -EBUSY : end_reservation(m, key);
}

int model_release(struct model *m, int key, const struct model_demand *demands,
		  int nr)
{
	struct model_account *a = &m->accounts[key];
	const struct model before = *m;

	if (!a->phase || !a->state)
		return -ESTALE;
	if (!nr)
		return end_reservation(m, key);
	for (int i = 0; i < nr; i++) {
		if (a->held[demands[i].node] < demands[i].amount) {
			*m = before;
			return -ERANGE;
		}
		a->held[demands[i].node] -= demands[i].amount;
	}
	if (is_overdrawn_on_any(m, key)) {
		*m = before;
		return -EBUSY;
	}
	end_empty(m, key);
	return 0;
}

int model_take(struct model *m, int key, int node, int64_t amount)
{
	const struct model before = *m;
	int err = model_error_of(&m->accounts[key]), over;

	if (err || !amount)
		return err;
	m->accounts[key].taken[node] += amount;
	raise_peaks(m, key, node);
	if (is_full(m, node))
		return refuse_of_node(m, &before, node);
	over = exceeded(m, key);
	if (over >= 0)
		return refuse_of_quota(m, &before, over);
	m->ever_took = true;
	return 0;
}

int model_give(struct model *m, int key, int node, int64_t amount)
{
	struct model_account *a = &m->accounts[key];

	if (!a->phase)
		return -ESTALE;
	if (a->taken[node] < amount)
		return -ERANGE;
	a->taken[node] -= amount;
	model_finish(m, key);
	return 0;
}

int model_set_quota(struct model *m, int key, int64_t quota)
{
	struct model_account *a = &m->accounts[key];

	if (!a->phase)
		return -ESTALE;
	a->quota = quota;
	if (a->had_quota)
		return 0;
	a->had_quota = true;
	raise_to(&a->peak, model_held_of(m, key));
	return 0;
}

int64_t model_free(const struct model *m, int key, int node)
{
	int64_t least = m->nodes[node].capacity - model_held_on(m, node);

	for (int k = 0; k < MODEL_KEYS; k++)
		if (counts_in(m, key, k)) {
			int64_t left =
				m->accounts[k].quota - model_held_of(m, k);

			least = left < least ? left : least;
		}
	return least > 0 ? least : 0;
}
