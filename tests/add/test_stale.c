// SPDX-License-Identifier: MIT
/*
 * Handles of accounts that are gone. Every way of adding refuses them; and once
 * the process that ended the account has waited for a snapshot, adds that were
 * in flight are over, too.
 */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"

/* A ledger, and its file as another process would change it. */
struct subject {
	struct tally_ledger *ledger;
	struct layout *inside;
	struct tally_account gone, other;
};

static void open_subject(struct machine *m, bool exclusive, struct subject *s)
{
	static const char *const names[4] = {"a", "b", "c", "d"};
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	struct tally_resource resources[4];

	for (int i = 0; i < 4; i++)
		resources[i] = (struct tally_resource){
			.name = names[i], .unit = "", .kind = TALLY_COUNTER};
	assert_int_equal(tally_ledger_create(m->path, m->topo, resources, 4,
					     &options, &s->ledger),
			 0);
	s->inside = inside_open(m->path);
	s->gone = machine_account(s->ledger, "gone");
	s->other = machine_account(s->ledger, "other");
}

static void close_subject(struct machine *m, struct subject *s)
{
	inside_close(s->inside);
	tally_ledger_close(s->ledger);
	unlink(m->path);
}

static uint32_t *generation(const struct subject *s)
{
	return (uint32_t *)(s->inside->origin +
			    s->inside->plan->generations.offset) +
	       s->gone.row;
}

/* What the next account in the row does to it. */
static void end_account(const struct subject *s)
{
	__atomic_fetch_add(generation(s), 1, __ATOMIC_RELEASE);
}

static int64_t total(const struct subject *s)
{
	int64_t amounts[4];
	struct tally_view *view;

	assert_int_equal(tally_view_open(s->ledger, &view), 0);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	tally_view_close(view);
	return amounts[0] + amounts[1] + amounts[2] + amounts[3];
}

/* Every way to add 1 to an account, or to all 4; the last way adds to two. */
enum { EACH = 5, NR_WAYS = 7 };

static int add(const struct subject *s, int way)
{
	static const struct tally_amount ones[4] = {
		{0, 1}, {1, 1}, {2, 1}, {3, 1}};
	static const struct tally_amount apart[2] = {{0, 1}, {3, 1}};
	const struct tally_entry entries[2] = {{s->other, 0, 0, 1},
					       {s->gone, 0, 0, 1}};
	size_t added;

	switch (way) {
	case 0:
		return tally_ledger_inline_add(s->ledger, s->gone, 0, 1);
	case 1:
		return tally_ledger_add(s->ledger, s->gone, 0, 1);
	case 2:
		return tally_ledger_charge(s->ledger, s->gone, TALLY_NODE_LOCAL,
					   ones, 2);
	case 3:
		return tally_ledger_charge(s->ledger, s->gone, TALLY_NODE_LOCAL,
					   ones, 4);
	case 4:
		return tally_ledger_charge(s->ledger, s->gone, TALLY_NODE_LOCAL,
					   apart, 2);
	case EACH:
		return tally_ledger_add_each(s->ledger, entries + 1, 1, &added);
	default:
		return tally_ledger_post(s->ledger, entries, 2);
	}
}

static void refuse(struct machine *m, bool exclusive)
{
	struct subject s;
	int64_t before;

	open_subject(m, exclusive, &s);
	for (int round = 0; round < 2; round++)
		for (int way = 0; way < NR_WAYS; way++)
			assert_int_equal(add(&s, way), 0);
	before = total(&s);
	end_account(&s);
	for (int round = 0; round < 2; round++)
		for (int way = 0; way < NR_WAYS; way++)
			assert_int_equal(add(&s, way), -ESTALE);
	assert_int_equal(total(&s), before);
	/* The row's next account has a handle of its own. */
	s.gone.generation++;
	for (int way = 0; way < NR_WAYS; way++)
		assert_int_equal(add(&s, way), 0);
	assert_int_equal(total(&s), before + before / 2);
	/* A handle of a larger ledger; other ways must not be given one. */
	s.gone = (struct tally_account){UINT32_MAX, 1};
	for (int way = EACH; way < NR_WAYS; way++)
		assert_int_equal(add(&s, way), -ESTALE);
	assert_int_equal(total(&s), before + before / 2);
	close_subject(m, &s);
}

static void a_stale_handle_is_refused(void **state)
{
	refuse(*state, true);
	refuse(*state, false);
}

/* A thread that adds in one way until it is refused. */
struct adder {
	const struct subject *s;
	int way;
	int err;
	uint64_t nr;
};

static void *add_until_refused(void *arg)
{
	struct adder *a = arg;

	while (!a->err) {
		a->err = add(a->s, a->way);
		__atomic_store_n(&a->nr, a->nr + !a->err, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void end_under(struct machine *m, bool exclusive)
{
	struct adder adders[NR_WAYS];
	pthread_t threads[NR_WAYS];
	struct tally_view *view;
	struct subject s;
	int64_t after;
	int err;

	open_subject(m, exclusive, &s);
	for (int i = 0; i < NR_WAYS; i++) {
		adders[i] = (struct adder){.s = &s, .way = i};
		assert_int_equal(pthread_create(&threads[i], NULL,
						add_until_refused, &adders[i]),
				 0);
	}
	for (int i = 0; i < NR_WAYS; i++)
		while (__atomic_load_n(&adders[i].nr, __ATOMIC_RELAXED) < 100)
			usleep(100);
	end_account(&s);
	err = tally_view_snapshot(s.ledger, 0, 10 * SECOND_NS, &view);
	after = total(&s);
	for (int i = 0; i < NR_WAYS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(adders[i].err, -ESTALE);
	}
	/* Without membarrier(2), as in some containers, no snapshot waited. */
	if (!err) {
		assert_int_equal(total(&s), after);
		tally_view_close(view);
	} else {
		assert_int_equal(err, -ENOSYS);
	}
	close_subject(m, &s);
}

static void no_add_is_in_flight_after_a_snapshot(void **state)
{
	for (int i = 0; i < 20; i++) {
		end_under(*state, true);
		end_under(*state, false);
	}
}

static int setup(void **state)
{
	machine_setup(state);
	machine_few_cpus(*state);
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, machine_teardown)

/* Once more without restartable sequences. */
static bool again;

static void the_same_without_rseq(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (again)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		setenv("NUMATALLY_RSEQ", "0", 1);
		close(STDOUT_FILENO);
		execl("/proc/self/exe", "test_ledger_stale", "again", NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_stale_handle_is_refused),
		T(no_add_is_in_flight_after_a_snapshot),
		cmocka_unit_test(the_same_without_rseq),
	};

	(void)argv;
	again = argc > 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
