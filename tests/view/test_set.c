// SPDX-License-Identifier: MIT
/* Gauges are set, also by several threads and processes at once. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <numatally/view.h>

#include "file/file.h"
#include "support/inside.h"
#include "support/machine.h"

#define NR 4
enum { COUNTER, GAUGE, GAUGES, CORES };

static const struct tally_resource resources[NR] = {
	{"a", "", TALLY_COUNTER},
	{"b", "", TALLY_GAUGE},
	{"c", "", TALLY_GAUGE},
	{"cores", "", TALLY_RESERVABLE},
};

static struct tally_ledger *make(struct machine *m)
{
	struct tally_ledger *l = NULL;

	assert_int_equal(
		tally_ledger_create(NULL, m->topo, resources, NR, NULL, &l), 0);
	return l;
}

static void a_gauge_is_set(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	const int64_t values[] = {100, 7, 7, -3, INT64_MIN, INT64_MAX, 0};

	assert_int_equal(tally_ledger_add(l, a, GAUGE, 5), 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct tally_amount to[2] = {{GAUGE, values[i]},
						   {GAUGES, (int64_t)i}};

		for (int n = 0; n < 3; n++)
			assert_int_equal(
				tally_ledger_set(l, a, machine_nodes[n], to, 2),
				0);
		for (int n = 0; n < 3; n++) {
			assert_int_equal(
				machine_amount(l, a, machine_nodes[n], GAUGE),
				values[i]);
			assert_int_equal(
				machine_amount(l, a, machine_nodes[n], GAUGES),
				i);
		}
	}
	assert_int_equal(tally_ledger_add(l, a, GAUGE, 5), 0);
	assert_int_equal(machine_amount(l, a, TALLY_VIEW_ALL, GAUGE), 5);
	tally_ledger_close(l);
}

/* Of a gauge named twice, the last amount counts. */
static void a_gauge_is_set_twice(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	const struct tally_amount to[] = {{GAUGE, 40}, {GAUGES, 1}, {GAUGE, 9}};

	assert_int_equal(tally_ledger_set(l, a, 9, to, 3), 0);
	assert_int_equal(machine_amount(l, a, 9, GAUGE), 9);
	assert_int_equal(machine_amount(l, a, 9, GAUGES), 1);
	assert_int_equal(tally_ledger_set(l, a, 9, NULL, 0), 0);
	tally_ledger_close(l);
}

/* A snapshot keeps what was set before it. */
static void a_snapshot_keeps_what_was_set(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	struct tally_amount to = {GAUGE, 40};
	struct tally_view *view;
	int64_t amounts[NR];
	int err;

	assert_int_equal(tally_ledger_set(l, a, 5, &to, 1), 0);
	err = tally_view_snapshot(l, 0, INT64_MAX, &view);
	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	to.amount = 3;
	assert_int_equal(tally_ledger_set(l, a, 5, &to, 1), 0);
	assert_int_equal(tally_view_account(view, a, 5, amounts), 0);
	assert_int_equal(amounts[GAUGE], 40);
	tally_view_close(view);
	assert_int_equal(machine_amount(l, a, 5, GAUGE), 3);
	tally_ledger_close(l);
}

static void counters_and_reservables_are_not_set(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	const unsigned int none[] = {COUNTER, CORES, NR, UINT32_MAX};

	for (int i = 0; i < 4; i++) {
		const struct tally_amount to[2] = {{GAUGE, 1}, {none[i], 1}};

		assert_int_equal(tally_ledger_set(l, a, 5, to, 2), -EINVAL);
		assert_int_equal(tally_ledger_set(l, a, 7, to, 1), -ENOENT);
		assert_int_equal(
			tally_ledger_set(l, a, TALLY_NODE_LOCAL, to, 1),
			-ENOENT);
	}
	machine_is_empty(l);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(
		tally_ledger_set(l, a, 5, &(struct tally_amount){GAUGE, 1}, 1),
		-ESTALE);
	tally_ledger_close(l);
}

/* The gauges of a gone account are in no total. */
static void a_gone_gauge_is_no_total(void **state)
{
	const struct tally_amount to[2] = {{GAUGE, 40}, {GAUGES, -4}};
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");
	struct tally_view *view;
	int64_t amounts[NR];

	assert_int_equal(tally_ledger_set(l, a, 5, to, 2), 0);
	assert_int_equal(tally_ledger_add(l, a, COUNTER, 6), 0);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[COUNTER], 6);
	assert_int_equal(amounts[GAUGE], 0);
	assert_int_equal(amounts[GAUGES], 0);
	tally_view_close(view);
	tally_ledger_close(l);
}

static void one_gauge_is_set(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");

	assert_int_equal(tally_gauge_set(l, a, 9, GAUGE, 40), 0);
	assert_int_equal(tally_gauge_set(l, a, 9, GAUGE, -2), 0);
	assert_int_equal(machine_amount(l, a, 9, GAUGE), -2);
	assert_int_equal(machine_amount(l, a, TALLY_VIEW_ALL, GAUGE), -2);
	assert_int_equal(tally_gauge_set(l, a, 9, COUNTER, 1), -EINVAL);
	assert_int_equal(tally_gauge_set(l, a, 9, CORES, 1), -EINVAL);
	assert_int_equal(tally_gauge_set(l, a, 9, NR, 1), -EINVAL);
	assert_int_equal(tally_gauge_set(l, a, 7, GAUGE, 1), -ENOENT);
	assert_int_equal(tally_gauge_set(l, a, TALLY_NODE_LOCAL, GAUGE, 1),
			 -ENOENT);
	assert_int_equal(machine_amount(l, a, 9, GAUGE), -2);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(tally_gauge_set(l, a, 9, GAUGE, 1), -ESTALE);
	tally_ledger_close(l);
}

static void a_gauge_is_only_raised(void **state)
{
	struct tally_ledger *l = make(*state);
	struct tally_account a = machine_account(l, "a");

	assert_int_equal(tally_gauge_raise(l, a, 9, GAUGE, -2), 0);
	assert_int_equal(machine_amount(l, a, 9, GAUGE), 0);
	assert_int_equal(tally_gauge_raise(l, a, 9, GAUGE, 40), 0);
	assert_int_equal(tally_gauge_raise(l, a, 9, GAUGE, 39), 0);
	assert_int_equal(tally_gauge_raise(l, a, 5, GAUGE, 7), 0);
	assert_int_equal(machine_amount(l, a, 9, GAUGE), 40);
	assert_int_equal(machine_amount(l, a, 5, GAUGE), 7);
	assert_int_equal(tally_gauge_raise(l, a, 9, COUNTER, 1), -EINVAL);
	assert_int_equal(tally_gauge_raise(l, a, 7, GAUGE, 1), -ENOENT);
	assert_int_equal(tally_account_end(tally_ledger_accounts(l), a), 0);
	assert_int_equal(tally_gauge_raise(l, a, 9, GAUGE, 1), -ESTALE);
	tally_ledger_close(l);
}

static void a_cut_file_is_not_set(void **state)
{
	struct machine *m = *state;
	struct tally_account a;
	struct tally_ledger *l;

	signal(SIGBUS, SIG_DFL); /* not cmocka's */
	l = machine_ledger(m, 0);
	a = machine_account(l, "a");
	assert_int_equal(tally_gauge_set(l, a, 9, 1, 40), 0);
	assert_int_equal(truncate(m->path, 0), 0);
	assert_int_equal(tally_gauge_set(l, a, 9, 1, 41), -EBADMSG);
	tally_ledger_close(l);
}

/* ---- from several processes at once -------------------------------------- */

#define LOW  7
#define HIGH 1000
#define MANY 1000000 /* what adds add */

static int stop; /* this process's threads */

struct setter {
	struct tally_ledger *l;
	struct tally_account a;
};

static void *set_again_and_again(void *arg)
{
	const struct setter *s = arg;
	bool high = false;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		int err = tally_gauge_set(s->l, s->a, 5, 1, high ? HIGH : LOW);

		if (err && err != -EAGAIN)
			abort();
		high = !high;
	}
	return NULL;
}

static void *add_again_and_again(void *arg)
{
	const struct setter *s = arg;
	const struct tally_amount amount = {1, MANY};

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (tally_ledger_charge(s->l, s->a, 5, &amount, 1))
			abort();
		sched_yield();
	}
	return NULL;
}

/* A process of two threads that set. */
static void set_until_killed(const char *path)
{
	struct setter s;
	pthread_t thread;

	if (tally_ledger_open(path, &s.l) ||
	    tally_account_open(tally_ledger_accounts(s.l), "a", &s.a))
		_exit(1);
	/* ThreadSanitizer knows no threads of a process that forked with some. */
	if (!TEST_TSAN &&
	    pthread_create(&thread, NULL, set_again_and_again, &s))
		_exit(1);
	set_again_and_again(&s);
}

static bool is_set(int64_t amount)
{
	return amount % MANY == LOW || amount % MANY == HIGH;
}

/* A live view can read one lane before a set, and another after the next. */
static void each_snapshot_is_set(const struct setter *s)
{
	struct tally_view *view;
	int64_t amounts[2];
	int err = tally_view_snapshot(s->l, 0, SECOND_NS, &view);

	if (err == -EAGAIN)
		return;
	assert_int_equal(err, 0);
	assert_int_equal(tally_view_account(view, s->a, 5, amounts), 0);
	if (!is_set(amounts[1]))
		fail_msg("%" PRId64, amounts[1]);
	tally_view_close(view);
}

/* And one of them is killed, again and again. */
static void sets_take_turns(void **state)
{
	struct machine *m = *state;
	struct setter s = {.l = machine_ledger(m, 0)};
	pthread_t threads[3];
	struct tally_view *view;
	int err = tally_view_snapshot(s.l, 0, INT64_MAX, &view);

	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	tally_view_close(view);
	s.a = machine_account(s.l, "a");
	assert_int_equal(tally_gauge_set(s.l, s.a, 5, 1, LOW), 0);
	stop = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i ? set_again_and_again
						  : add_again_and_again,
						&s),
				 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			set_until_killed(m->path);
		for (int n = 0; n < 50; n++)
			each_snapshot_is_set(&s);
		inside_kill(m->path, pid);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_true(is_set(machine_amount(s.l, s.a, 5, 1)));
	assert_int_equal(tally_gauge_set(s.l, s.a, 5, 1, 3), 0);
	assert_int_equal(machine_amount(s.l, s.a, 5, 1), 3);
	assert_int_equal(machine_amount(s.l, s.a, TALLY_VIEW_ALL, 1), 3);
	tally_ledger_close(s.l);
}

/* A stopped process has the lock; then it dies. */
static void a_set_waits_for_another_process(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_ledger(m, 0), *other;
	struct tally_account a = machine_account(l, "a");
	struct layout *inside = inside_open(m->path);
	uint64_t *lock = &layout_control(inside)->gauges_lock;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (!tally_ledger_open(m->path, &other) &&
		    write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	__atomic_store_n(lock, inside_owner(inside, pid), __ATOMIC_RELEASE);
	assert_int_equal(tally_gauge_set(l, a, 5, 1, 4), -EAGAIN);
	assert_int_equal(machine_amount(l, a, 5, 1), 0);
	inside_kill(m->path, pid);
	assert_int_equal(tally_gauge_set(l, a, 5, 1, 4), 0);
	assert_int_equal(machine_amount(l, a, 5, 1), 4);
	close(ready[0]);
	close(ready[1]);
	inside_close(inside);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_gauge_is_set),
		MACHINE_TEST(a_gauge_is_set_twice),
		MACHINE_TEST(a_snapshot_keeps_what_was_set),
		MACHINE_TEST(counters_and_reservables_are_not_set),
		MACHINE_TEST(a_gone_gauge_is_no_total),
		MACHINE_TEST(one_gauge_is_set),
		MACHINE_TEST(a_gauge_is_only_raised),
		MACHINE_TEST(a_cut_file_is_not_set),
		MACHINE_TEST(sets_take_turns),
		MACHINE_TEST(a_set_waits_for_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
