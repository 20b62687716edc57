// SPDX-License-Identifier: MIT
/* Damages each word of reservations; the check that covers the word
 * reports it. */
#include "support/test.h"

#include <numatally/reader.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

/* a/ has a quota and no reservation of its own; a/b and c have reservations,
 * one of them committed. */
struct world {
	struct tally_ledger *ledger;
	struct layout *inside;
	struct tally_account above, below, other, idle;
	char found[1024];
};

static struct tally_token reserve(struct tally_ledger *l,
				  struct tally_account a, int64_t amount)
{
	const struct tally_demand demands[2] = {{0, MEMORY, amount},
						{5, MEMORY, 2 * amount}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};
	struct tally_token t;

	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	return t;
}

static void make(struct world *w, struct machine *m)
{
	struct tally_token t;

	w->ledger = machine_limit_ledger(m, 200);
	w->inside = inside_open(m->path);
	w->above = machine_account(w->ledger, "a/");
	w->below = machine_account(w->ledger, "a/b");
	w->other = machine_account(w->ledger, "c");
	w->idle = machine_account(w->ledger, "idle");
	t = reserve(w->ledger, w->idle, 0);
	assert_int_equal(tally_limit_cancel(w->ledger, t), 0);
	assert_int_equal(
		tally_limit_set_quota(w->ledger, w->above, MEMORY, 100), 0);
	assert_int_equal(tally_limit_set_capacity(w->ledger, 0, MEMORY, 50), 0);
	reserve(w->ledger, machine_account(w->ledger, "d"), 1);
	reserve(w->ledger, w->below, 10);
	t = reserve(w->ledger, w->other, 3);
	assert_int_equal(tally_limit_commit(w->ledger, t), 0);
	limits_agree(w->ledger);
}

static int note(void *arg, const char *problem)
{
	char *found = arg;
	size_t used = strlen(found);

	snprintf(found + used, 1024 - used, "%s\n", problem);
	return 0;
}

static void find(struct world *w)
{
	struct tally_view *view;

	w->found[0] = '\0';
	assert_int_equal(tally_view_open(w->ledger, &view), 0);
	assert_int_equal(tally_limit_check(view, note, w->found), 0);
	tally_view_close(view);
}

/* This value in the word is reported; and once it is mended, nothing is. */
static void expect(struct world *w, void *word, uint64_t value,
		   const char *told)
{
	uint64_t old, *at = word;

	old = *at;
	*at = value;
	find(w);
	if (!strstr(w->found, told))
		fail_msg("'%s' is not in '%s'", told, w->found);
	*at = old;
	limits_agree(w->ledger);
}

/* The same for a derived word, which is repaired. */
static void expect_repair(struct world *w, void *word, uint64_t value,
			  const char *told)
{
	uint64_t old = *(uint64_t *)word;

	*(uint64_t *)word = value;
	w->found[0] = '\0';
	assert_int_equal(tally_limit_repair(w->ledger, note, w->found), 0);
	if (!strstr(w->found, told))
		fail_msg("'%s' is not in '%s'", told, w->found);
	limits_agree(w->ledger);
	assert_int_equal(*(uint64_t *)word, old);
}

static void words_of_a_node(void **state)
{
	struct layout_capacity *c;
	struct world w;

	make(&w, *state);
	c = layout_capacity(w.inside, 1, MEMORY);
	expect(&w, &c->held, 27,
	       "node 5: memory: its capacity counts 27, but 28 is held");
	expect(&w, &c->held, 29, "node 5: memory: more is held than its peak");
	expect(&w, &c->peak, 27, "node 5: memory: more is held than its peak");
	expect(&w, &c->limit, UINT64_MAX,
	       "node 5: memory: its capacity is below 0");
	c = layout_capacity(w.inside, 2, EVENTS);
	expect(&w, &c->held, 1,
	       "node 9: events: its capacity counts 1, but 0 is held");
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void words_of_a_quota(void **state)
{
	struct layout_quota *q;
	struct world w;

	make(&w, *state);
	q = &layout_quotas(w.inside, w.above.row)[MEMORY];
	expect(&w, &q->held, 29,
	       "row 0: memory: its quota counts 29, but it and accounts "
	       "below it hold 30");
	expect(&w, &q->limit, UINT64_MAX,
	       "row 0: memory: its quota is below 0");
	expect(&w, &q->limit, 0, "row 0: memory: its quota counts 30, but 0");
	expect(&w, &q->peak, 29, "row 0: memory: more is held than its peak");
	q = &layout_quotas(w.inside, w.below.row)[MEMORY];
	expect(&w, &q->held, 29,
	       "row 1: memory: its quota counts 29, but 30 is held");
	expect(&w, &q->limit, 5, "more accounts have quotas than are counted");
	q = &layout_quotas(w.inside, w.idle.row)[MEMORY];
	expect(&w, &q->held, 1,
	       "row 3: memory: its quota counts 1, but 0 is held");
	expect(&w, &layout_limits(w.inside)->nr_quotas, 0,
	       "more accounts have quotas than are counted");
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void words_of_holdings(void **state)
{
	unsigned char *populated;
	struct world w;
	int64_t *held;

	make(&w, *state);
	held = inside_holding(w.inside, 0, w.below.row)->amounts;
	expect(&w, &held[MEMORY], 11,
	       "row 1: memory: its quota counts 30, but 31 is held");
	expect(&w, &held[MEMORY], 11,
	       "node 0: memory: its capacity counts 14, but 15 is held");
	expect(&w, &held[MEMORY], (uint64_t)-1,
	       "row 1: node 0: memory: the holding is negative");
	expect(&w, &held[EVENTS], 1,
	       "row 1: node 0: events: held, but not reservable");
	held = inside_holding(w.inside, 1, w.idle.row)->amounts;
	expect(&w, &held[MEMORY], 1,
	       "row 3: node 5: memory: held without a reservation");
	populated = layout_populated(w.inside, 0);
	*populated = 0;
	find(&w);
	assert_non_null(strstr(w.found,
			       "node 0: memory: its capacity counts 14, but 0 "
			       "is held"));
	*populated = 1;
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

/* Where holdings are: on lists, of which each link can be damaged. */
static void links_of_holdings(void **state)
{
	struct layout_holding *first, *second, *other;
	struct layout_limits *limits;
	struct world w;
	uint64_t *link;

	make(&w, *state);
	limits = layout_limits(w.inside);
	link = &layout_reservation(w.inside, w.below.row)->holding;
	first = layout_holding(w.inside, *link - 1);
	second = layout_holding(w.inside, first->next - 1);
	other = inside_holding(w.inside, 0, w.other.row);
	expect(&w, link, 1000,
	       "row 1: the list of its holdings has a broken link");
	expect(&w, link, layout_reservation(w.inside, w.other.row)->holding,
	       "row 1: the list of its holdings has a broken link");
	expect(&w, link, first->next, "holding 3: not in the list of row 1");
	expect(&w, &second->next, *link,
	       "row 1: the list of its holdings has a broken link");
	expect(&w, &first->row, 2 + w.other.row,
	       "row 1: the list of its holdings has a broken link");
	expect(&w, &first->node, 3,
	       "row 1: the list of its holdings has a broken link");
	expect(&w, &limits->free_holding, 1,
	       "the list of free holdings has a broken link");
	expect(&w, &limits->nr_holdings, limits->nr_holdings + 1,
	       "not in the list of free ones");
	expect_repair(&w, link, first->next, "not in the list of row 1");
	/* What a list lost is found again, perhaps in another order. */
	link = (uint64_t *)&layout_capacity(w.inside, 1, MEMORY)->held;
	first->next = 1000;
	second->next = 0;
	expect_repair(&w, link, 1, "has a broken link");
	other->next = 1000;
	expect_repair(&w, link, 1, "has a broken link");
	limits->nr_holdings += 2;
	expect_repair(&w, link, 1, "not in the list of free ones");
	reserve(w.ledger, w.idle, 1);
	limits_agree(w.ledger);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

/* Two copies' lens are in one word. */
static void expect_len(struct world *w, struct layout_roster *r, uint32_t len)
{
	uint32_t *lens = &r->copy_len[r->current % LAYOUT_NR_COPIES & ~1u];
	uint32_t values[2] = {lens[0], lens[1]};
	uint64_t word;

	values[r->current % 2] = len;
	memcpy(&word, values, sizeof(word));
	expect(w, lens, word, "node 5: its roster is wrong");
}

static void words_of_rosters(void **state)
{
	struct layout_holding *h;
	struct layout_roster *r;
	uint64_t *word, *entries;
	uint32_t *len;
	struct world w;

	make(&w, *state);
	r = layout_roster(w.inside, 1);
	len = &r->copy_len[r->current % LAYOUT_NR_COPIES];
	entries = r->entries[r->current % LAYOUT_NR_COPIES];
	h = inside_holding(w.inside, 1, w.below.row);
	expect_len(&w, r, 2 << 1);
	expect_len(&w, r, 4 << 1);
	expect_len(&w, r, *len | 1);
	expect(&w, &entries[1], entries[0], "node 5: its roster is wrong");
	expect(&w, &r->current, r->current - 1, "node 5: its roster is wrong");
	expect(&w, &h->entry, 0, "node 5: its roster is wrong");
	expect(&w, &h->entry, 1, "node 5: its roster is wrong");
	expect(&w, &h->entry, UINT64_MAX, "node 5: its roster is wrong");
	word = (uint64_t *)&layout_capacity(w.inside, 1, MEMORY)->held;
	r->copy_len[r->current % LAYOUT_NR_COPIES] = 99 << 1;
	expect_repair(&w, word, 1, "node 5: its roster is wrong");
	h->entry = 77;
	expect_repair(&w, word, 1, "node 5: its roster is wrong");
	reserve(w.ledger, w.idle, 1);
	limits_agree(w.ledger);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

/* A gauge that has amounts becomes a reservable. */
static void words_of_sums(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0);
	struct tally_account a = machine_account(l, "a");
	const struct tally_amount five = {MEMORY, 5};
	struct world w = {.found = ""};

	assert_int_equal(tally_ledger_charge(l, a, 5, &five, 1), 0);
	tally_ledger_close(l);
	w.inside = inside_open(m->path);
	inside_set_kind(w.inside, MEMORY, TALLY_RESERVABLE);
	inside_close(w.inside);
	assert_int_equal(tally_ledger_open(m->path, &w.ledger), 0);
	assert_int_equal(tally_limit_set_capacity(w.ledger, 5, MEMORY, 8), 0);
	reserve(w.ledger, a, 2);
	find(&w);
	assert_string_equal(w.found, "node 5: memory: its sum differs from its "
				     "reservations by 5\n");
	w.found[0] = '\0';
	assert_int_equal(tally_limit_repair(w.ledger, note, w.found), 0);
	tally_ledger_close(w.ledger);
}

static void words_of_a_reservation(void **state)
{
	struct layout_reservation *reservation;
	struct world w;

	make(&w, *state);
	reservation = layout_reservation(w.inside, w.below.row);
	expect(&w, &reservation->state, LAYOUT_RESERVATION_NONE,
	       "row 1: node 0: memory: held without a reservation");
	expect(&w, &reservation->state, 3,
	       "row 1: the reservation has an unknown state");
	expect(&w, &reservation->state, LAYOUT_RESERVATION_COMMITTED,
	       "row 1: wrongly in the list of uncommitted reservations");
	expect(&w, &reservation->account, 99,
	       "row 1: has holdings of an account that is gone");
	expect(&w, &reservation->owner, reservation->owner + 1,
	       "row 1: wrongly in the list of uncommitted reservations");
	expect(&w, &reservation->owner, 0,
	       "row 1: wrongly in the list of uncommitted reservations");
	expect(&w, &reservation->links, 0,
	       "the list of uncommitted reservations has too few");
	expect(&w, &reservation->links, w.below.row + 1,
	       "the list of uncommitted reservations has too many");
	expect(&w, &reservation->links, 201,
	       "the list of uncommitted reservations has a broken link");
	expect(&w, &reservation->links, 199,
	       "the list of uncommitted reservations has a broken link");
	expect(&w, &reservation->links,
	       (UINT64_C(3) << 32) + reservation->links,
	       "row 1: wrongly in the list of uncommitted reservations");
	expect(&w, &reservation->lease, 1, "row 1: wrongly among the leases");
	expect(&w, (uint64_t *)&reservation->deadline_ns, 5,
	       "row 1: wrongly not among the leases");
	reservation = layout_reservation(w.inside, w.other.row);
	expect(&w, &reservation->state, LAYOUT_RESERVATION_RESERVED,
	       "the list of uncommitted reservations has too few");
	expect(&w, &layout_uncommitted(w.inside, 0)->first, 0,
	       "the list of uncommitted reservations has too few");
	expect(&w, &layout_uncommitted(w.inside, 1)->first, w.below.row + 1,
	       "the list of uncommitted reservations has too many");
	expect(&w, &layout_limits(w.inside)->nr_undo, 1,
	       "the undo table has entries, but no change is in progress");
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

/* Leases, and their words. */
static void leases_of(struct world *w, struct machine *m)
{
	const struct tally_demand demand = {0, MEMORY, 1};
	struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token t;
	char key[16];

	make(w, m);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "%d", i);
		request.lease_ns = 1000 * SECOND_NS - i * SECOND_NS;
		assert_int_equal(
			tally_limit_reserve(w->ledger,
					    machine_account(w->ledger, key),
					    &request, &t, NULL),
			0);
	}
	limits_agree(w->ledger);
}

static void words_of_leases(void **state)
{
	static const char wrong[] = "of no reservation, or in the wrong place";
	struct layout_reservation *reservation;
	struct layout_limits *limits;
	struct world w;

	leases_of(&w, *state);
	limits = layout_limits(w.inside);
	expect(&w, layout_lease(w.inside, 0), *layout_lease(w.inside, 1),
	       wrong);
	expect(&w, layout_lease(w.inside, 0), 0, wrong);
	expect(&w, layout_lease(w.inside, 19), UINT64_MAX, wrong);
	expect(&w, &limits->nr_leases, 19,
	       "19 leases are counted, but there are 20");
	expect(&w, &limits->nr_leases, UINT64_MAX, "are counted");
	expect(&w, &limits->leases_exist, 26,
	       "20 leases are counted, but there are 20");
	reservation = layout_reservation(
		w.inside,
		*layout_lease(w.inside, 9) & ((1u << LAYOUT_LEASE_SHIFT) - 1));
	expect(&w, &reservation->lease, 11, wrong);
	expect(&w, &reservation->lease, 0, "wrongly not among the leases");
	expect(&w, (uint64_t *)&reservation->deadline_ns, 5, wrong);
	expect(&w, (uint64_t *)&reservation->deadline_ns, INT64_MAX,
	       "wrongly among the leases");
	/* A damaged heap refuses a request with an error. */
	*layout_lease(w.inside, 0) = UINT64_MAX;
	assert_int_equal(tally_limit_reap(w.ledger), -EBADMSG);
	assert_int_equal(tally_limit_repair(w.ledger, note, w.found), 0);
	assert_non_null(strstr(w.found, wrong));
	assert_int_equal(tally_limit_reap(w.ledger), 0);
	limits_agree(w.ledger);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void leases_are_repaired(void **state)
{
	struct layout_reservation *reservation;
	struct layout_limits *limits;
	struct world w;

	leases_of(&w, *state);
	limits = layout_limits(w.inside);
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t *word = layout_lease(w.inside, i);

		expect_repair(&w, word, *word ^ 1, "lease ");
	}
	expect_repair(&w, &limits->nr_leases, 3, "3 leases are counted");
	expect_repair(&w, &limits->nr_leases, UINT64_MAX, "are counted");
	/* One whose process is dead ends. */
	reservation = layout_reservation(w.inside, w.below.row);
	reservation->owner = UINT64_C(1) << 32 | 200;
	w.found[0] = '\0';
	assert_int_equal(tally_limit_repair(w.ledger, note, w.found), 0);
	assert_non_null(strstr(w.found, "wrongly in the list"));
	limits_agree(w.ledger);
	assert_int_equal(reservation->state, LAYOUT_RESERVATION_NONE);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static int stop_at_once(void *arg, const char *problem)
{
	(void)problem;
	++*(int *)arg;
	return 7;
}

static void the_callback_can_stop_the_check(void **state)
{
	struct tally_view *view;
	struct world w;
	int nr = 0;

	make(&w, *state);
	layout_capacity(w.inside, 0, MEMORY)->held++;
	layout_capacity(w.inside, 1, MEMORY)->held++;
	assert_int_equal(tally_view_open(w.ledger, &view), 0);
	assert_int_equal(tally_limit_check(view, stop_at_once, &nr), 7);
	assert_int_equal(nr, 1);
	tally_view_close(view);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void a_change_in_progress_is_no_problem(void **state)
{
	struct machine *m = *state;
	struct tally_reader *reader;
	struct tally_view *view;
	struct world w;

	make(&w, m);
	layout_limits(w.inside)->sequence |= 1;
	layout_capacity(w.inside, 0, MEMORY)->held++;
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(tally_limit_check(view, note, w.found), -EAGAIN);
	layout_capacity(w.inside, 0, MEMORY)->held--;
	layout_limits(w.inside)->sequence++;
	w.found[0] = '\0';
	assert_int_equal(tally_limit_check(view, note, w.found), 0);
	assert_string_equal(w.found, "");
	tally_view_close(view);
	tally_reader_close(reader);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void derived_words_are_repaired(void **state)
{
	struct world w;
	struct layout_quota *above, *below;
	struct layout_capacity *node;
	struct layout_reservation *reservation;
	int nr;

	make(&w, *state);
	node = layout_capacity(w.inside, 0, MEMORY);
	above = &layout_quotas(w.inside, w.above.row)[MEMORY];
	below = &layout_quotas(w.inside, w.below.row)[MEMORY];
	reservation = layout_reservation(w.inside, w.below.row);
	expect_repair(&w, &node->held, 1000, "its capacity counts 1000");
	/* Its peak is the least that it can have been. */
	node->peak = 1;
	expect_repair(&w, &node->held, 2, "its capacity counts 2");
	assert_int_equal(node->peak, node->held);
	expect_repair(&w, &above->held, 7, "its quota counts 7");
	expect_repair(&w, &below->held, 0, "its quota counts 0");
	/* The list may be rebuilt in another order. */
	layout_uncommitted(w.inside, 0)->first = 0;
	expect_repair(&w, &node->held, 1, "too few");
	reservation->links |= UINT64_C(77) << 32;
	expect_repair(&w, &node->held, 1, "wrongly in");
	/* Reservations themselves cannot be derived from anything else. */
	inside_holding(w.inside, 0, w.idle.row)->amounts[MEMORY] = 5;
	w.found[0] = '\0';
	assert_int_equal(tally_limit_repair(w.ledger, note, w.found), 0);
	find(&w);
	assert_non_null(strstr(w.found, "held without a reservation"));
	nr = 0;
	assert_int_equal(tally_limit_repair(w.ledger, stop_at_once, &nr), 7);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(words_of_a_node),
		MACHINE_TEST(words_of_a_quota),
		MACHINE_TEST(words_of_holdings),
		MACHINE_TEST(links_of_holdings),
		MACHINE_TEST(words_of_rosters),
		MACHINE_TEST(words_of_sums),
		MACHINE_TEST(words_of_a_reservation),
		MACHINE_TEST(words_of_leases),
		MACHINE_TEST(leases_are_repaired),
		MACHINE_TEST(the_callback_can_stop_the_check),
		MACHINE_TEST(a_change_in_progress_is_no_problem),
		MACHINE_TEST(derived_words_are_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
