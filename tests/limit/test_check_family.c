// SPDX-License-Identifier: MIT
/* Damages each word of parents and children; the check reports it, and a repair
 * mends what follows from the reservations. */
#include "support/test.h"

#include "file/reserved.h"
#include "support/inside.h"
#include "support/reserving.h"

/* b and c are drawn from a, and d from b; a has 10 on two nodes. */
enum { A, B, C, D, NR };

struct world {
	struct tally_ledger *ledger;
	struct layout *inside;
	struct tally_account accounts[NR];
	struct tally_token tokens[NR];
	char found[1024];
};

static void make(struct world *w, struct machine *m)
{
	static const int amounts[] = {10, 6, 3, 2};
	static const int parents[] = {0, A, A, B};
	static const char *const keys[] = {"a", "b", "c", "d"};

	w->ledger = machine_limit_ledger(m, 200);
	w->inside = inside_open(m->path);
	for (int i = 0; i < NR; i++) {
		const struct tally_demand demands[2] = {
			{0, MEMORY, amounts[i]}, {5, MEMORY, amounts[i]}};
		const struct tally_request request = request_of(demands, 2);

		w->accounts[i] = machine_account(w->ledger, keys[i]);
		assert_int_equal(
			i ? tally_limit_draw(w->ledger, w->accounts[i],
					     w->tokens[parents[i]], &request,
					     &w->tokens[i], NULL)
			  : tally_limit_reserve(w->ledger, w->accounts[i],
						&request, &w->tokens[i], NULL),
			0);
	}
	limits_agree(w->ledger);
}

static void done(struct world *w)
{
	inside_close(w->inside);
	tally_ledger_close(w->ledger);
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

static void told(const struct world *w, const char *words)
{
	if (!strstr(w->found, words))
		fail_msg("'%s' is not in '%s'", words, w->found);
}

/* What is found is mended. */
static void mend(struct world *w, const char *words)
{
	find(w);
	told(w, words);
	w->found[0] = '\0';
	assert_int_equal(tally_limit_repair(w->ledger, note, w->found), 0);
	told(w, words);
	limits_agree(w->ledger);
}

static void expect(struct world *w, void *word, uint64_t value,
		   const char *words)
{
	*(uint64_t *)word = value;
	mend(w, words);
}

/* All is as it was made. */
static void as_made(struct world *w)
{
	static const int left[] = {1, 4, 3, 2};
	struct tally_view *view;
	int64_t amount;

	assert_int_equal(tally_view_open(w->ledger, &view), 0);
	for (int i = 0; i < NR; i++) {
		assert_int_equal(tally_limit_draw_free(view, w->tokens[i], 5,
						       MEMORY, &amount),
				 0);
		assert_int_equal(amount, left[i]);
	}
	tally_view_close(view);
	assert_int_equal(of_node(w->ledger, 5).held, 10);
}

static struct layout_family *family(const struct world *w, int i)
{
	return layout_family(w->inside, w->accounts[i].row);
}

static void words_of_lists(void **state)
{
	struct world w;

	make(&w, *state);
	expect(&w, &family(&w, A)->children, 0,
	       "the lists of children have too few");
	as_made(&w);
	expect(&w, &family(&w, A)->children, 1000,
	       "row 0: the list of its children has a broken link");
	as_made(&w);
	expect(&w, &family(&w, A)->children, w.accounts[D].row + 1,
	       "row 0: the list of its children has a broken link");
	expect(&w, &family(&w, A)->children, w.accounts[A].row + 1,
	       "row 0: the list of its children has a broken link");
	expect(&w, &family(&w, D)->children, w.accounts[C].row + 1,
	       "row 3: the list of its children has a broken link");
	expect(&w, &family(&w, B)->siblings, 77,
	       "row 0: the list of its children has a broken link");
	expect(&w, &family(&w, C)->siblings, 0, "the list");
	expect(&w, &family(&w, B)->siblings, UINT64_MAX,
	       "row 0: the list of its children has a broken link");
	as_made(&w);
	assert_int_equal(tally_limit_release(w.ledger, w.tokens[A], NULL, 0),
			 0);
	limits_agree(w.ledger);
	done(&w);
}

/* A child whose parent is not there is drawn from the nodes. */
static void words_of_parents(void **state)
{
	struct world w;

	make(&w, *state);
	expect(&w, &family(&w, C)->parent, 150,
	       "row 2: drawn from a reservation that is not there");
	assert_int_equal(of_node(w.ledger, 5).held, 13);
	expect(&w, &family(&w, C)->parent, w.accounts[A].row + 1,
	       "the lists of children have too few");
	as_made(&w);
	expect(&w, &family(&w, C)->parent, UINT64_MAX,
	       "row 2: drawn from a reservation that is not there");
	/* In a circle. */
	family(&w, C)->parent = w.accounts[C].row + 1;
	find(&w);
	told(&w, "row 2: drawn from a reservation that is not there");
	family(&w, C)->parent = w.accounts[A].row + 1;
	expect(&w, &family(&w, A)->parent, w.accounts[D].row + 1,
	       "row 0: drawn from a reservation that is not there");
	as_made(&w);
	/* One that has ended. */
	layout_reservation(w.inside, w.accounts[C].row)->state =
		LAYOUT_RESERVATION_NONE;
	find(&w);
	told(&w, "row 2: drawn from a reservation that is not there");
	done(&w);
}

/* Nobody waits for a damaged link. */
static void calls_find_them(void **state)
{
	struct world w;

	make(&w, *state);
	family(&w, C)->parent = 0;
	assert_int_equal(tally_limit_release(w.ledger, w.tokens[A], NULL, 0),
			 -EBADMSG);
	family(&w, C)->parent = w.accounts[A].row + 1;
	as_made(&w);
	family(&w, B)->children = w.accounts[B].row + 1;
	assert_int_equal(tally_limit_release(w.ledger, w.tokens[A], NULL, 0),
			 -EBADMSG);
	assert_int_equal(layout_limits(w.inside)->ending, 0);
	family(&w, B)->children = 1000;
	assert_int_equal(tally_limit_release(w.ledger, w.tokens[A], NULL, 0),
			 -EBADMSG);
	mend(&w, "row 1: the list of its children has a broken link");
	assert_int_equal(tally_limit_release(w.ledger, w.tokens[A], NULL, 0),
			 0);
	limits_agree(w.ledger);
	done(&w);
}

static void words_of_amounts(void **state)
{
	struct layout_holding *drawn, *has;
	struct world w;

	make(&w, *state);
	drawn = reserved_drawn_on(w.inside, w.accounts[A].row, 1);
	assert_int_equal(drawn->amounts[MEMORY], 9);
	expect(&w, &drawn->amounts[MEMORY], 8,
	       "row 0: node 5: memory: it counts 8, but its children have 9");
	as_made(&w);
	expect(&w, &drawn->row, 0,
	       "row 0: the list of what its children have has a broken link");
	as_made(&w);
	expect(&w, &family(&w, A)->drawn, 0,
	       "row 0: node 5: lacks what its children have there");
	as_made(&w);
	expect(&w, &family(&w, A)->drawn, family(&w, B)->drawn,
	       "row 0: the list of what its children have has a broken link");
	as_made(&w);
	expect(&w, &family(&w, A)->drawn,
	       layout_reservation(w.inside, w.accounts[A].row)->holding,
	       "row 0: the list of what its children have has a broken link");
	as_made(&w);
	/* What a reservation has is never changed. */
	has = reserved_holding(w.inside, w.accounts[B].row, 1);
	has->amounts[MEMORY] = 1;
	find(&w);
	told(&w, "row 1: node 5: memory: its children have more than it");
	told(&w, "row 0: node 5: memory: it counts 9, but its children have 4");
	assert_int_equal(tally_limit_repair(w.ledger, note, w.found), 0);
	find(&w);
	assert_string_equal(
		w.found,
		"row 1: node 5: memory: its children have more than it\n");
	done(&w);
}

/* Those of a process whose slot another one has end, with their children. */
static void of_a_process_that_is_forgotten(void **state)
{
	struct world w;

	make(&w, *state);
	assert_int_equal(tally_limit_commit(w.ledger, w.tokens[D]), 0);
	layout_reservation(w.inside, w.accounts[B].row)->owner += UINT64_C(1)
								  << 40;
	mend(&w, "row 1: wrongly in the list of uncommitted reservations");
	assert_int_equal(tally_limit_commit(w.ledger, w.tokens[B]), -ESTALE);
	assert_int_equal(tally_limit_commit(w.ledger, w.tokens[D]), -ESTALE);
	assert_int_equal(tally_limit_commit(w.ledger, w.tokens[C]), 0);
	limits_agree(w.ledger);
	done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(words_of_lists),
		MACHINE_TEST(words_of_parents),
		MACHINE_TEST(calls_find_them),
		MACHINE_TEST(words_of_amounts),
		MACHINE_TEST(of_a_process_that_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
