// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <numatally/error.h>
#include <numatally/kernel_tree.h>
#include <numatally/ledger_inline.h>
#include <numatally/limit.h>
#include <numatally/view.h>

#include "support/machine.h"
#include "support/refusal.h"

static struct tally_view *snapshot(struct tally_ledger *ledger)
{
	struct tally_view *view = NULL;
	int err;

	do
		err = tally_view_snapshot(ledger, 0, SECOND_NS, &view);
	while (err == -EAGAIN);
	/* Some containers refuse membarrier(2). */
	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	return view;
}

static int64_t total(const struct tally_view *view, unsigned int resource)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	return amounts[resource];
}

static void a_snapshot_stands_still(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account a = machine_account(ledger, "a");
	uint64_t epoch = 0;

	for (int i = 0; i < 5; i++) {
		struct tally_view *view;

		assert_int_equal(tally_ledger_add(ledger, a, 0, 10), 0);
		view = snapshot(ledger);
		assert_true(tally_view_snapshot_info(view)->epoch > epoch);
		epoch = tally_view_snapshot_info(view)->epoch;
		assert_int_equal(tally_view_snapshot_info(view)->nr_in_doubt,
				 0);
		assert_int_equal(tally_ledger_add(ledger, a, 0, 1), 0);
		assert_int_equal(total(view, 0), 11 * i + 10);
		assert_int_equal(machine_total(ledger, 0), 11 * i + 11);
		assert_int_equal(total(view, 0), 11 * i + 10);
		tally_view_close(view);
		assert_int_equal(machine_total(ledger, 0), 11 * i + 11);
	}
	tally_ledger_close(ledger);
}

static void one_epoch_is_pinned_at_a_time(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account a = machine_account(ledger, "a");
	struct tally_view *first = snapshot(ledger), *joined, *other = NULL;

	assert_int_equal(tally_ledger_add(ledger, a, 0, 1), 0);
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND_NS, &other),
			 -EBUSY);
	assert_int_equal(tally_view_snapshot(ledger, TALLY_SNAPSHOT_JOIN | 2,
					     SECOND_NS, &other),
			 -EINVAL);
	assert_null(other);
	assert_int_equal(tally_view_snapshot(ledger, TALLY_SNAPSHOT_JOIN,
					     SECOND_NS, &joined),
			 0);
	assert_int_equal(tally_view_snapshot_info(joined)->epoch,
			 tally_view_snapshot_info(first)->epoch);
	tally_view_close(first);
	assert_int_equal(total(joined, 0), 0);
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND_NS, &other),
			 -EBUSY);
	tally_view_close(joined);
	other = snapshot(ledger);
	assert_int_equal(total(other, 0), 1);
	tally_view_close(other);
	tally_ledger_close(ledger);
}

/* A process that dies with a pin, or while it moves the epoch on, blocks no
 * other. */
static void a_dead_process_holds_no_pin(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_account a = machine_account(ledger, "a");
	struct tally_view *view;
	int status;
	pid_t pid;

	assert_int_equal(tally_ledger_add(ledger, a, 0, 3), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *own;

		if (tally_ledger_open(m->path, &own) ||
		    tally_view_snapshot(own, 0, SECOND_NS, &view))
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status))
		skip();
	assert_int_equal(tally_ledger_add(ledger, a, 0, 4), 0);
	view = snapshot(ledger);
	assert_int_equal(total(view, 0), 7);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

/* Until the test ends. */
static void *linger(void *arg)
{
	const int *held = arg;
	char byte;

	while (read(*held, &byte, 1) > 0)
		;
	_exit(0);
}

static void open_snapshot_and_leave_it_to_a_thread(const char *path, int ready,
						   int held_in)
{
	static int held;
	struct tally_ledger *own;
	struct tally_view *view;
	pthread_t thread;

	held = held_in;
	if (tally_ledger_open(path, &own) ||
	    tally_view_snapshot(own, 0, SECOND_NS, &view) ||
	    pthread_create(&thread, NULL, linger, &held) ||
	    write(ready, "", 1) != 1)
		_exit(1);
	syscall(SYS_exit, 0); /* of this thread */
}

static void wait_for_state(pid_t pid, char state)
{
	struct tally_stat stat_line = {.size = sizeof(stat_line)};

	do {
		sched_yield();
		assert_int_equal(
			tally_kernel_stat_read(NULL, pid, 0, &stat_line), 0);
	} while (stat_line.state != state);
}

/* /proc shows a process as a zombie when only its first thread has ended. */
static void a_process_without_its_first_thread_lives(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_view *view = NULL;
	int ready[2], held[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(held), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(held[1]);
		open_snapshot_and_leave_it_to_a_thread(m->path, ready[1],
						       held[0]);
	}
	close(ready[1]);
	close(held[0]);
	if (read(ready[0], &byte, 1) != 1)
		skip();
	wait_for_state(pid, 'Z');
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND_NS, &view),
			 -EBUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	view = snapshot(ledger);
	tally_view_close(view);
	close(ready[0]);
	close(held[1]);
	tally_ledger_close(ledger);
}

/* A child of fork(2) closes the views it inherited, and takes its own. */
static void a_child_closes_its_parents_views(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_account a = machine_account(ledger, "a");
	struct tally_view *view = snapshot(ledger), *own;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (tally_ledger_add(ledger, a, 0, 1))
			_exit(1);
		if (tally_view_snapshot(ledger, TALLY_SNAPSHOT_JOIN, SECOND_NS,
					&own))
			_exit(2);
		tally_view_close(view);
		if (tally_view_snapshot(ledger, 0, SECOND_NS, &view) != -EBUSY)
			_exit(3);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(total(view, 0), 0);
	tally_view_close(view);
	view = snapshot(ledger);
	assert_int_equal(total(view, 0), 1);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

/* A process without membarrier(2) fences its word in flight, so that others can
 * wait for it; but it cannot wait for them. */
static int add_without_membarrier(const char *path)
{
	const int membarrier = SYS_membarrier;
	struct tally_ledger *ledger;
	struct tally_view *view;

	if (refusal_start(&membarrier, 1, EPERM))
		return 77;
	if (tally_ledger_open(path, &ledger) ||
	    tally_ledger_add(ledger, machine_account(ledger, "a"), 0, 5) ||
	    tally_view_snapshot(ledger, 0, SECOND_NS, &view) != -ENOSYS)
		return 1;
	tally_ledger_close(ledger);
	return 0;
}

static void a_process_without_membarrier(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_view *view = snapshot(ledger);
	int status;
	pid_t pid;

	tally_view_close(view);
	/* If no process has it: see fenced.sh. */
	if (syscall(SYS_membarrier, 0, 0, 0) < 0) {
		tally_ledger_close(ledger);
		skip();
	}
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(add_without_membarrier(m->path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) != 77) {
		assert_int_equal(status, 0);
		view = snapshot(ledger);
		assert_int_equal(total(view, 0), 5);
		tally_view_close(view);
	}
	tally_ledger_close(ledger);
	if (WEXITSTATUS(status) == 77)
		skip();
}

/* A filter that comes once the ledger is open. Errors name what was refused,
 * whatever number the filter gives, and adds go on. */
static int refuse_later(struct machine *m, bool exclusive, unsigned int error)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	const struct tally_demand demand = {0, 1, 10000};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	const int membarrier = SYS_membarrier;
	struct tally_account account;
	struct tally_credit credit;
	struct tally_ledger *ledger;
	struct tally_token token;
	struct tally_view *view;

	if (tally_ledger_create(NULL, m->topo, machine_reservables, 2, &options,
				&ledger))
		return 1;
	account = machine_account(ledger, "a");
	if (tally_limit_set_capacity(ledger, 0, 1, 10000) ||
	    tally_limit_credit(ledger, account, 0, 1, &credit) ||
	    tally_limit_take(&credit, 1) ||
	    tally_ledger_add(ledger, account, 0, 1))
		return 2;
	if (refusal_start(&membarrier, 1, error))
		return 77;
	if (tally_view_snapshot(ledger, 0, SECOND_NS, &view) != -ENOSYS)
		return 3;
	/* Credit that sequences take from is drawn back by a barrier. */
	if (tally_limit_reserve(ledger, account, &request, &token, NULL) !=
	    (credit.atomic ? -ENOSPC : -ENOSYS))
		return 4;
	if (tally_limit_take(&credit, 1) || tally_limit_give(&credit, 2) ||
	    tally_ledger_add(ledger, account, 0, 1) ||
	    machine_total(ledger, 0) != 2)
		return 5;
	tally_ledger_close(ledger);
	return 0;
}

static void membarrier_is_refused_later(void **state)
{
	const unsigned int errors[] = {EPERM, ENOSYS, EACCES};
	bool skipped = false;

	if (syscall(SYS_membarrier, 0, 0, 0) < 0)
		skip();
	for (unsigned int i = 0; i < 6; i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			_exit(refuse_later(*state, i % 2, errors[i / 2]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 77)
			skipped = true;
		else
			assert_int_equal(WEXITSTATUS(status), 0);
	}
	if (skipped)
		skip();
	assert_string_equal(tally_strerror_of("tally_view_snapshot", -ENOSYS),
			    "the kernel refuses membarrier(2)");
	assert_string_equal(tally_strerror_of("tally_limit_reserve", -ENOSYS),
			    "the kernel refuses membarrier(2)");
}

/* Writers in threads and processes that move amounts from one account to
 * another. */
struct giver {
	struct tally_ledger *ledger;
	struct tally_account from, to;
	int *stop;
	int64_t nr;
	int err;
};

static void *give(void *arg)
{
	struct giver *g = arg;
	const struct tally_entry entries[2] = {
		{g->from, TALLY_NODE_LOCAL, 1, -7},
		{g->to, 5, 1, 7},
	};

	while (!__atomic_load_n(g->stop, __ATOMIC_RELAXED) && !g->err) {
		g->err = tally_ledger_post(g->ledger, entries, 2);
		if (!g->err)
			g->err =
				tally_ledger_inline_add(g->ledger, g->to, 0, 1);
		g->nr += !g->err;
	}
	return NULL;
}

static int give_as_process(const char *path, int *stop, int64_t *nr)
{
	struct giver g = {.stop = stop};

	if (tally_ledger_open(path, &g.ledger))
		return 1;
	g.from = machine_account(g.ledger, "from");
	g.to = machine_account(g.ledger, "to");
	give(&g);
	*nr = g.nr;
	tally_ledger_close(g.ledger);
	return g.err != 0;
}

static void every_snapshot_is_whole(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct {
		int stop;
		int64_t nr;
	} *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct giver givers[2];
	pthread_t threads[2];
	int64_t last = 0, nr;
	int status;
	pid_t pid;

	assert_ptr_not_equal(shared, MAP_FAILED);
	machine_account(ledger, "from");
	machine_account(ledger, "to");
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(give_as_process(m->path, &shared->stop, &shared->nr));
	for (int i = 0; i < 2; i++) {
		givers[i] = (struct giver){
			.ledger = ledger,
			.from = machine_account(ledger, "from"),
			.to = machine_account(ledger, "to"),
			.stop = &shared->stop,
		};
		assert_int_equal(
			pthread_create(&threads[i], NULL, give, &givers[i]), 0);
	}
	for (int i = 0; i < 100; i++) {
		struct tally_view *view = snapshot(ledger);
		int64_t events = total(view, 0);

		assert_int_equal(total(view, 1), 0);
		assert_true(events >= last);
		assert_int_equal(total(view, 0), events);
		last = events;
		tally_view_close(view);
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	nr = shared->nr;
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(givers[i].err, 0);
		nr += givers[i].nr;
	}
	assert_int_equal(machine_total(ledger, 0), nr);
	assert_int_equal(machine_total(ledger, 1), 0);
	munmap(shared, 4096);
	tally_ledger_close(ledger);
}

/* Signals interrupt the inlined adds of an exclusive ledger, whose threads hop,
 * while snapshots are taken. */
#define INLINED 200000

static void on_signal(int number)
{
	(void)number;
}

static void *add_inlined(void *arg)
{
	struct giver *g = arg;
	const struct tally_amount two[2] = {{0, 1}, {1, -1}};
	cpu_set_t set;

	for (unsigned int i = 0; i < INLINED; i++) {
		if (i % 4096 == 0) {
			CPU_ZERO(&set);
			CPU_SET(i / 4096 % 2, &set);
			sched_setaffinity(0, sizeof(set), &set);
		}
		if (i % 3)
			g->err |= tally_ledger_charge(g->ledger, g->to,
						      TALLY_NODE_LOCAL, two, 2);
		else
			g->err |= tally_ledger_inline_add(g->ledger, g->from, 0,
							  1);
	}
	g->nr = 1;
	return NULL;
}

static void inlined_adds_are_exact(void **state)
{
	struct machine *m = *state;
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = 1};
	struct giver givers[4];
	struct tally_ledger *ledger, *other = NULL;
	pthread_t threads[4];
	int64_t nr_twos = 4 * (int64_t)(INLINED - (INLINED + 2) / 3);
	int status;
	pid_t pid;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &ledger),
			 0);
	assert_int_equal(tally_ledger_open(m->path, &other), -EBUSY);
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < 4; i++) {
		givers[i] = (struct giver){
			.ledger = ledger,
			.from = machine_account(ledger, "from"),
			.to = machine_account(ledger, "to"),
		};
		assert_int_equal(pthread_create(&threads[i], NULL, add_inlined,
						&givers[i]),
				 0);
	}
	for (int i = 0; i < 200; i++) {
		struct tally_view *view = snapshot(ledger);
		int64_t amounts[2];

		pthread_kill(threads[i % 4], SIGUSR1);
		/* Two resources of one store are never seen apart. */
		assert_int_equal(tally_view_account(view, givers[0].to,
						    TALLY_VIEW_ALL, amounts),
				 0);
		assert_int_equal(amounts[0], -amounts[1]);
		tally_view_close(view);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(givers[i].err, 0);
	}
	assert_int_equal(machine_total(ledger, 0), 4 * INLINED);
	assert_int_equal(machine_total(ledger, 1), -nr_twos);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(tally_ledger_inline_add(ledger, givers[0].to, 0, 1) !=
		      -EPERM);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	tally_ledger_close(ledger);
	/* Its writer has ended; another may have the ledger now. */
	assert_int_equal(tally_ledger_open(m->path, &other), 0);
	assert_int_equal(machine_total(other, 0), 4 * INLINED);
	tally_ledger_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_snapshot_stands_still),
		MACHINE_TEST(one_epoch_is_pinned_at_a_time),
		MACHINE_TEST(a_dead_process_holds_no_pin),
		MACHINE_TEST(a_process_without_its_first_thread_lives),
		MACHINE_TEST(a_child_closes_its_parents_views),
		MACHINE_TEST(a_process_without_membarrier),
		MACHINE_TEST(membarrier_is_refused_later),
		MACHINE_TEST(every_snapshot_is_whole),
		MACHINE_TEST(inlined_adds_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
