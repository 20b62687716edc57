// SPDX-License-Identifier: MIT
/* A process forks while its other threads are at any point of calls that take locks
 * of the whole process: its children go on. */
#include "support/test.h"

#include <pthread.h>
#include <sys/wait.h>

#include <numatally/region.h>

#include "support/served.h"

#define NR_FORKS 300
/* A child that hangs dies of it. */
#define MOST_SECONDS 60

struct subject {
	const char *path;
	struct tally_ledger *ledger;
	struct tally_reader *reader;
	bool ends;
	int err;
};

static int use_a_reader(const struct subject *s)
{
	struct tally_reader *reader;
	int err = tally_reader_open(s->path, &reader);

	if (!err)
		tally_reader_close(reader);
	return err;
}

static int use_a_region(const struct subject *s)
{
	struct tally_region region;
	int err = tally_region_create(4096, -1, &region);

	(void)s;
	if (!err)
		tally_region_destroy(&region);
	return err;
}

static int use_a_snapshot(const struct subject *s)
{
	struct tally_view *view;
	int err = tally_reader_snapshot(s->reader, TALLY_SNAPSHOT_JOIN,
					served_ns(), &view);

	if (!err)
		tally_view_close(view);
	return err;
}

/* Until the last fork. */
static void *repeat(struct subject *s, int (*use)(const struct subject *))
{
	int err = 0;

	while (!err && !__atomic_load_n(&s->ends, __ATOMIC_RELAXED))
		err = use(s);
	if (err)
		__atomic_store_n(&s->err, err, __ATOMIC_RELAXED);
	return NULL;
}

static void *use_readers(void *arg)
{
	return repeat(arg, use_a_reader);
}

static void *use_regions(void *arg)
{
	return repeat(arg, use_a_region);
}

static void *use_snapshots(void *arg)
{
	return repeat(arg, use_a_snapshot);
}

static int go_on_in_child(const struct subject *s)
{
	struct tally_ledger *l;
	int err;

	alarm(MOST_SECONDS);
	err = use_a_region(s);
	if (!err)
		err = use_a_reader(s);
	if (!err)
		err = tally_ledger_open(s->path, &l);
	if (err)
		return err;
	tally_ledger_close(l);
	tally_reader_close(s->reader);
	tally_ledger_close(s->ledger);
	return 0;
}

static void children_go_on(void **state, void *(*meanwhile)(void *arg))
{
	struct machine *m = *state;
	struct subject s = {.path = m->path};
	struct tally_view *view;
	pthread_t threads[2];

	s.ledger = served_ledger(m, false);
	s.reader = served_reader(m);
	assert_int_equal(tally_ledger_serve(s.ledger, 0), 0);
	/* It is skipped where there are no snapshots. */
	assert_int_equal(served_take(s.reader, 0, &view), 0);
	tally_view_close(view);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, meanwhile, &s), 0);
	for (int i = 0; i < NR_FORKS; i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			_exit(-go_on_in_child(&s));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	__atomic_store_n(&s.ends, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(s.err, 0);
	tally_reader_close(s.reader);
	tally_ledger_close(s.ledger);
}

static void beside_readers(void **state)
{
	children_go_on(state, use_readers);
}

static void beside_regions(void **state)
{
	children_go_on(state, use_regions);
}

static void beside_snapshots(void **state)
{
	children_go_on(state, use_snapshots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(beside_readers),
		MACHINE_TEST(beside_regions),
		MACHINE_TEST(beside_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
