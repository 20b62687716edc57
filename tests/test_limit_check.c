// SPDX-License-Identifier: MIT
/* Each word of reservations is damaged, and what finds it says so. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <numatally/reader.h>

#include "inside.h"
#include "limits.h"
#include "machine.h"

enum { EVENTS, MEMORY };

/* a/ has a quota and holds nothing; a/b and c hold, one of them for sure. */
struct world {
	struct tally_ledger *ledger;
	struct layout *inside;
	struct tally_account above, below, other, idle;
	char found[1024];
};

static struct tally_token reserve(struct tally_ledger *l,
				  struct tally_account a, int64_t amount)
{
	const struct tally_hold holds[2] = {{0, MEMORY, amount},
					    {5, MEMORY, 2 * amount}};
	const struct tally_request request = {.holds = holds, .nr_holds = 2};
	struct tally_token t;

	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	return t;
}

static void make(struct world *w, struct machine *m)
{
	struct tally_token t;

	w->ledger = machine_ledger(m, 200);
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

/* With this in the word, that is told; and nothing once it is mended. */
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

/* The same, of a word that follows from others, which is repaired. */
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

static void expect_byte(struct world *w, uint32_t which, uint32_t row,
			const char *told)
{
	unsigned char *byte = layout_held_byte(w->inside, which, row);

	*byte = 0;
	find(w);
	if (!strstr(w->found, told))
		fail_msg("'%s' is not in '%s'", told, w->found);
	*byte = 1;
	limits_agree(w->ledger);
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
	       "row 0: memory: its quota counts 29, but it and those below it "
	       "hold 30");
	expect(&w, &q->limit, UINT64_MAX,
	       "row 0: memory: its quota is below 0");
	expect(&w, &q->limit, 0, "row 0: memory: its quota counts 30, but 0");
	expect(&w, &q->peak, 29, "row 0: memory: more is held than its peak");
	q = &layout_quotas(w.inside, w.below.row)[MEMORY];
	expect(&w, &q->held, 29,
	       "row 1: memory: its quota counts 29, but 30 is held");
	expect(&w, &q->limit, 5, "there are more quotas than are counted");
	q = &layout_quotas(w.inside, w.idle.row)[MEMORY];
	expect(&w, &q->held, 1,
	       "row 3: memory: its quota counts 1, but 0 is held");
	expect(&w, &layout_limits(w.inside)->nr_quotas, 0,
	       "there are more quotas than are counted");
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void words_of_what_is_held(void **state)
{
	struct world w;
	int64_t *held;

	make(&w, *state);
	held = layout_held(w.inside, 0, w.below.row);
	expect(&w, &held[MEMORY], 11,
	       "row 1: memory: its quota counts 30, but 31 is held");
	expect(&w, &held[MEMORY], 11,
	       "node 0: memory: its capacity counts 14, but 15 is held");
	expect(&w, &held[MEMORY], (uint64_t)-1,
	       "row 1: node 0: less than no memory is held");
	expect(&w, &held[EVENTS], 1,
	       "row 1: node 0: events is held, a counter");
	held = layout_held(w.inside, 1, w.idle.row);
	expect(&w, &held[MEMORY], 1,
	       "row 3: node 5: memory is held, not reserved");
	expect_byte(&w, 0, 0, "row 1: node 0: memory is held, not reserved");
	expect_byte(&w, 1, 0,
		    "node 0: memory: its capacity counts 14, but 0 is held");
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void words_of_a_reservation(void **state)
{
	struct layout_hold *hold;
	struct world w;

	make(&w, *state);
	hold = layout_hold(w.inside, w.below.row);
	expect(&w, &hold->state, LAYOUT_HOLD_NONE,
	       "row 1: node 0: memory is held, not reserved");
	expect(&w, &hold->state, 3,
	       "row 1: its reservation is in no state that there is");
	expect(&w, &hold->state, LAYOUT_HOLD_COMMITTED,
	       "row 1: is in the list of what is uncommitted as it should not");
	expect(&w, &hold->nodes, 1,
	       "row 1: node 5: memory is held, beside those nodes");
	expect(&w, &hold->account, 99,
	       "row 1: the account of what it holds is gone");
	expect(&w, &hold->next, 0,
	       "the list of what is uncommitted has less than there is");
	expect(&w, &hold->next, w.below.row + 1,
	       "the list of what is uncommitted has more than there is");
	expect(&w, &hold->next, 201,
	       "the list of what is uncommitted leads nowhere");
	expect(&w, &hold->next, 199,
	       "the list of what is uncommitted leads nowhere");
	expect(&w, &hold->previous, 3,
	       "row 1: is in the list of what is uncommitted as it should not");
	hold = layout_hold(w.inside, w.other.row);
	expect(&w, &hold->state, LAYOUT_HOLD_RESERVED,
	       "the list of what is uncommitted has less than there is");
	expect(&w, &layout_limits(w.inside)->first_uncommitted, 0,
	       "the list of what is uncommitted has less than there is");
	expect(&w, &layout_limits(w.inside)->nr_undo, 1,
	       "something is to be undone, but nothing is under way");
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static int stop_at_once(void *arg, const char *problem)
{
	(void)problem;
	++*(int *)arg;
	return 7;
}

static void whoever_is_told_may_stop_it(void **state)
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

static void nothing_is_said_of_what_is_half_done(void **state)
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

/* numatally check, of the ledger: its exit status, and what it says. */
static int check(const struct machine *m, const char *option, char *said)
{
	char command[512];
	size_t used;
	FILE *f;

	if (!getenv("NUMATALLY"))
		skip();
	snprintf(command, sizeof(command), "'%s' check %s '%s'",
		 getenv("NUMATALLY"), option, m->path);
	f = popen(command, "r"); /* NOLINT(cert-env33-c) */
	assert_non_null(f);
	used = fread(said, 1, 8191, f);
	said[used] = '\0';
	return pclose(f);
}

static void the_command_tells_it(void **state)
{
	static const char problem[] =
		"node 5: memory: its capacity counts 29, but 28 is held";
	struct machine *m = *state;
	char said[8192], line[128];
	struct world w;

	make(&w, m);
	check(m, "", said);
	assert_null(strstr(said, "problem:"));
	layout_capacity(w.inside, 1, MEMORY)->held++;
	snprintf(line, sizeof(line), "problem: %s\n", problem);
	assert_int_not_equal(check(m, "", said), 0);
	assert_non_null(strstr(said, line));
	snprintf(line, sizeof(line), "\"%s\"", problem);
	assert_int_not_equal(check(m, "--json", said), 0);
	assert_non_null(strstr(said, line));
	layout_capacity(w.inside, 1, MEMORY)->held--;
	layout_limits(w.inside)->sequence |= 1;
	assert_int_not_equal(check(m, "", said), 0);
	assert_non_null(
		strstr(said, "problem: reservations are changed all the time"));
	assert_null(strstr(said, "damaged"));
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

static void what_follows_is_repaired(void **state)
{
	struct world w;
	struct layout_limits *limits;
	struct layout_quota *above, *below;
	struct layout_capacity *node;
	struct layout_hold *hold;
	int nr;

	make(&w, *state);
	limits = layout_limits(w.inside);
	node = layout_capacity(w.inside, 0, MEMORY);
	above = &layout_quotas(w.inside, w.above.row)[MEMORY];
	below = &layout_quotas(w.inside, w.below.row)[MEMORY];
	hold = layout_hold(w.inside, w.below.row);
	expect_repair(&w, &node->held, 1000, "its capacity counts 1000");
	/* Its peak is the least that it can have been. */
	node->peak = 1;
	expect_repair(&w, &node->held, 2, "its capacity counts 2");
	assert_int_equal(node->peak, node->held);
	expect_repair(&w, &above->held, 7, "its quota counts 7");
	expect_repair(&w, &below->held, 0, "its quota counts 0");
	/* The list may come out in another order. */
	limits->first_uncommitted = 0;
	expect_repair(&w, &node->held, 1, "has less");
	hold->previous = 77;
	expect_repair(&w, &node->held, 1, "as it should not be");
	/* What accounts hold is not to be known from anything else. */
	layout_held(w.inside, 0, w.idle.row)[MEMORY] = 5;
	w.found[0] = '\0';
	assert_int_equal(tally_limit_repair(w.ledger, note, w.found), 0);
	find(&w);
	assert_non_null(strstr(w.found, "is held, not reserved"));
	nr = 0;
	assert_int_equal(tally_limit_repair(w.ledger, stop_at_once, &nr), 7);
	inside_close(w.inside);
	tally_ledger_close(w.ledger);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(words_of_a_node),
		T(words_of_a_quota),
		T(words_of_what_is_held),
		T(words_of_a_reservation),
		T(whoever_is_told_may_stop_it),
		T(nothing_is_said_of_what_is_half_done),
		T(the_command_tells_it),
		T(what_follows_is_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
