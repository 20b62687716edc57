// SPDX-License-Identifier: MIT
/* When a watch fires, against plain arrays: thresholds and amounts at random. */
#include "support/test.h"

#include "support/watches.h"

#define NR_NODES 3
#define NR_KEYS	 4
#define NR_WAIT	 12
#define MOST	 12 /* amounts are small, so that many are at a mark */

static const char *const keys[NR_KEYS] = {"a", "b", "t/x", "t/y"};

struct model {
	uint64_t random;
	struct tally_ledger *ledger;
	struct tally_account accounts[NR_KEYS];
	struct tally_token tokens[NR_KEYS];
	int64_t events[NR_KEYS][NR_NODES]; /* a counter's */
	int64_t levels[NR_KEYS][NR_NODES]; /* a gauge's */
	int64_t held[NR_KEYS][NR_NODES];
	int64_t capacity[NR_NODES]; /* INT64_MAX: none */
	int64_t quota;		    /* of "a"; INT64_MAX: none */
	/* Pending accounts, half of them below "w/". */
	struct tally_account waits[NR_WAIT];
	bool is_pending[NR_WAIT];
};

enum { EVENTS_OF, LEVEL_OF, MEMORY_OF };

static uint64_t draw(struct model *m, uint64_t below)
{
	m->random = m->random * UINT64_C(6364136223846793005) + 1;
	return (m->random >> 33) % below;
}

/* ---- what a threshold compares ---------------------------------------------- */

static bool is_of(const struct tally_watch_threshold *t, int key)
{
	size_t bytes = t->account ? strlen(t->account) : 0;

	if (!t->account)
		return true;
	if (t->of == TALLY_WATCH_AMOUNT && t->account[bytes - 1] == '/')
		return !strncmp(keys[key], t->account, bytes);
	return !strcmp(keys[key], t->account);
}

static int64_t amount_on(const struct model *m,
			 const struct tally_watch_threshold *t, int node)
{
	int64_t sum = 0;

	for (int k = 0; k < NR_KEYS; k++)
		if (is_of(t, k))
			sum += t->resource == EVENTS_OF	 ? m->events[k][node]
			       : t->resource == LEVEL_OF ? m->levels[k][node]
							 : m->held[k][node];
	return sum;
}

static int64_t held_on(const struct model *m, int node)
{
	int64_t sum = 0;

	for (int k = 0; k < NR_KEYS; k++)
		sum += m->held[k][node];
	return sum;
}

/* Of "a"; what is left of 63 bits, if it has none. */
static int64_t left_of_quota(const struct model *m)
{
	return m->quota - m->held[0][0] - m->held[0][1] - m->held[0][2];
}

static int64_t free_on(const struct model *m,
		       const struct tally_watch_threshold *t, int node)
{
	int64_t left = m->capacity[node] == INT64_MAX
			       ? INT64_MAX
			       : m->capacity[node] - held_on(m, node);

	if (!t->account)
		return left;
	/* What could be reserved is not below 0. */
	if (m->capacity[node] == INT64_MAX)
		left = INT64_MAX - held_on(m, node);
	if (left_of_quota(m) < left)
		left = left_of_quota(m);
	return left < 0 ? 0 : left;
}

static int64_t one(const struct model *m, const struct tally_watch_threshold *t,
		   int node)
{
	return t->of == TALLY_WATCH_FREE ? free_on(m, t, node)
					 : amount_on(m, t, node);
}

static int64_t nr_pending(const struct model *m, const char *prefix)
{
	int64_t nr = 0;

	for (int i = 0; i < NR_WAIT; i++)
		nr += m->is_pending[i] && (!prefix || i % 2);
	return nr;
}

static int64_t compared(const struct model *m,
			const struct tally_watch_threshold *t)
{
	bool low = (t->side == TALLY_WATCH_BELOW) ==
		   (t->node == TALLY_WATCH_SOME_NODE);
	int64_t sum = 0, found = low ? INT64_MAX : INT64_MIN;

	if (t->of == TALLY_WATCH_PENDING)
		return nr_pending(m, t->account);
	if (t->of == TALLY_WATCH_FREE && t->account &&
	    t->node == TALLY_VIEW_ALL)
		return m->quota == INT64_MAX ? INT64_MAX : left_of_quota(m);
	for (int i = 0; i < NR_NODES; i++) {
		int64_t a = one(m, t, i);

		if (t->node == machine_nodes[i])
			return a;
		if (low ? a < found : a > found)
			found = a;
		if (t->node != TALLY_VIEW_ALL)
			continue;
		if (a == INT64_MAX)
			sum = INT64_MAX;
		else if (sum != INT64_MAX)
			sum += a;
	}
	return t->node == TALLY_VIEW_ALL ? sum : found;
}

/* ---- when it fires ------------------------------------------------------------ */

struct watched {
	struct tally_watch *watch;
	struct tally_watch_threshold t[TALLY_WATCH_THRESHOLDS];
	unsigned int nr;
	bool any;
	bool armed;
	uint64_t nr_fired;
};

static bool model_fires(const struct model *m, struct watched *w,
			struct tally_watch_event *e)
{
	unsigned int nr_crossed = 0, nr_within = 0;

	*e = (struct tally_watch_event){.size = sizeof(*e)};
	for (unsigned int i = 0; i < w->nr; i++) {
		const struct tally_watch_threshold *t = &w->t[i];
		int64_t a = compared(m, t);
		bool below = t->side == TALLY_WATCH_BELOW;

		e->amounts[i] = a;
		if (below ? a < t->mark : a > t->mark) {
			e->crossed |= 1u << i;
			nr_crossed++;
		}
		if (below ? a < t->mark + t->hysteresis
			  : a > t->mark - t->hysteresis)
			nr_within++;
	}
	if (w->any ? !nr_within : nr_within < w->nr)
		w->armed = true;
	if (!w->armed || (w->any ? !nr_crossed : nr_crossed < w->nr))
		return false;
	w->armed = false;
	e->nr = ++w->nr_fired;
	return true;
}

static void draw_threshold(struct model *m, struct tally_watch_threshold *t)
{
	static const int nodes[] = {TALLY_VIEW_ALL, TALLY_WATCH_SOME_NODE,
				    TALLY_WATCH_EVERY_NODE};
	static const char *const named[] = {NULL, "a", "t/x", "t/", "none/"};
	uint64_t node = draw(m, 6);

	*t = (struct tally_watch_threshold){
		.of = draw(m, 2) ? TALLY_WATCH_FREE : TALLY_WATCH_AMOUNT,
		.side = draw(m, 2) ? TALLY_WATCH_BELOW : TALLY_WATCH_ABOVE,
		.resource = (unsigned int)draw(m, 3),
		.node = node < 3 ? machine_nodes[node] : nodes[node - 3],
		.mark = (int64_t)draw(m, MOST),
		.hysteresis = (int64_t)draw(m, 4),
	};
	if (!draw(m, 6)) {
		t->of = TALLY_WATCH_PENDING;
		t->node = TALLY_VIEW_ALL;
		t->account = draw(m, 2) ? "w/" : NULL;
	} else if (t->of == TALLY_WATCH_FREE) {
		t->resource = MEMORY_OF;
		t->account = draw(m, 2) ? "a" : NULL;
	} else {
		t->account = named[draw(m, 5)];
		if (t->resource == EVENTS_OF) /* it only grows */
			t->mark = compared(m, t) + t->mark / 2;
	}
}

static void draw_watch(struct model *m, const struct tally_view *view,
		       struct watched *w)
{
	w->nr = 1 + (unsigned int)draw(m, draw(m, 4) ? 2 : 8);
	w->any = draw(m, 2);
	w->armed = true;
	w->nr_fired = 0;
	for (unsigned int i = 0; i < w->nr; i++)
		draw_threshold(m, &w->t[i]);
	w->watch = watch(view, draw(m, 2) ? m->ledger : NULL, w->t, w->nr,
			 TALLY_WATCH_IDLE | (w->any ? TALLY_WATCH_ANY : 0));
}

/* ---- what changes -------------------------------------------------------------- */

static void change_held(struct model *m, int key, int node, int64_t amount)
{
	const struct tally_demand demand = {machine_nodes[node], MEMORY_OF,
					    amount};
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = &demand,
		.nr_demands = 1,
	};
	int64_t all = m->held[key][0] + m->held[key][1] + m->held[key][2];
	int err;

	/* Not to its end, which takes its token. */
	if (amount < 0 &&
	    (m->held[key][node] + amount < 0 || all + amount == 0))
		return;
	err = all ? tally_limit_change(m->ledger, m->tokens[key], &request,
				       NULL)
		  : tally_limit_reserve(m->ledger, m->accounts[key], &request,
					&m->tokens[key], NULL);
	/* A reservation of nothing. */
	if (!all && !amount) {
		assert_int_equal(err, 0);
		assert_int_equal(tally_limit_cancel(m->ledger, m->tokens[key]),
				 0);
		return;
	}
	assert_true(!err || err == -ENOSPC || err == -EDQUOT);
	if (!err)
		m->held[key][node] += amount;
}

/* It is declared, then ready, then gone. */
static void change_pending(struct model *m, int i)
{
	struct tally_accounts *accounts = tally_ledger_accounts(m->ledger);
	char key[16];

	snprintf(key, sizeof(key), "%s%d", i % 2 ? "w/" : "", i);
	if (m->is_pending[i]) {
		assert_int_equal(tally_account_ready(accounts, m->waits[i]), 0);
	} else if (tally_account_end(accounts, m->waits[i]) || draw(m, 4)) {
		assert_int_equal(
			tally_account_declare(accounts, key, &m->waits[i]), 0);
		m->is_pending[i] = true;
		return;
	}
	m->is_pending[i] = false;
}

static void step(struct model *m)
{
	int key = (int)draw(m, NR_KEYS), node = (int)draw(m, NR_NODES);
	int64_t amount = (int64_t)draw(m, MOST);

	switch (draw(m, 10)) {
	case 0:
		add_events(m->ledger, m->accounts[key], machine_nodes[node],
			   amount / 4);
		m->events[key][node] += amount / 4;
		break;
	case 1:
	case 2:
		assert_int_equal(tally_gauge_set(m->ledger, m->accounts[key],
						 machine_nodes[node], LEVEL_OF,
						 amount - 3),
				 0);
		m->levels[key][node] = amount - 3;
		break;
	case 3:
		m->capacity[node] = draw(m, 4) ? amount : INT64_MAX;
		assert_int_equal(
			tally_limit_set_capacity(m->ledger, machine_nodes[node],
						 MEMORY_OF, m->capacity[node]),
			0);
		break;
	case 4:
		m->quota = draw(m, 4) ? amount : INT64_MAX;
		assert_int_equal(tally_limit_set_quota(m->ledger,
						       m->accounts[0],
						       MEMORY_OF, m->quota),
				 0);
		break;
	case 5:
	case 6:
		change_pending(m, (int)draw(m, NR_WAIT));
		break;
	default:
		change_held(m, key, node, (int64_t)draw(m, 9) - 4);
	}
}

static void open_model(struct model *m, const struct machine *machine,
		       uint64_t seed)
{
	static const struct tally_resource resources[] = {
		{"events", "", TALLY_COUNTER},
		{"level", "", TALLY_GAUGE},
		{"memory", "bytes", TALLY_RESERVABLE},
	};

	*m = (struct model){.random = seed, .quota = INT64_MAX};
	assert_int_equal(tally_ledger_create(machine->path, machine->topo,
					     resources, 3, NULL, &m->ledger),
			 0);
	for (int i = 0; i < NR_NODES; i++)
		m->capacity[i] = INT64_MAX;
	for (int k = 0; k < NR_KEYS; k++)
		m->accounts[k] = machine_account(m->ledger, keys[k]);
}

static void it_fires_as_the_model_does(void **state)
{
	int nr_watches = getenv("NUMATALLY_SHORT") ? 200
			 : test_is_long()	   ? 20000
						   : 1000;
	struct tally_watch_event seen, expected;
	uint64_t nr_fired = 0, nr_again = 0;
	struct tally_view *view;
	struct model m;

	open_model(&m, *state, 7);
	view = view_of(m.ledger);
	for (int i = 0; i < nr_watches; i++) {
		struct watched w;

		draw_watch(&m, view, &w);
		for (int k = 0; k < 150; k++) {
			bool fired = model_fires(&m, &w, &expected);

			assert_int_equal(fires(w.watch, &seen), fired);
			if (fired) {
				expected.fired_ns = seen.fired_ns;
				assert_memory_equal(&seen, &expected,
						    sizeof(seen));
				nr_fired++;
				nr_again += expected.nr > 1;
			}
			step(&m);
		}
		tally_watch_close(w.watch);
	}
	/* It is worth its time. */
	assert_true(nr_fired > (uint64_t)nr_watches / 2);
	assert_true(nr_again > (uint64_t)nr_watches / 8);
	tally_view_close(view);
	tally_ledger_close(m.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(it_fires_as_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
