// SPDX-License-Identifier: MIT
/* The lock of limits goes round: one that waited for long has a turn, to which
 * the others leave it. What stays of a dead one's turn keeps nobody out. */
#include "support/test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <numatally/limit.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static uint64_t get(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void set(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool has_ended(pid_t pid, int *status)
{
	return waitpid(pid, status, WNOHANG) == pid;
}

/* A process that takes the lock once, for no change. */
static pid_t start_one(const struct machine *m)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *l;

		if (tally_ledger_open(m->path, &l))
			_exit(1);
		_exit(-tally_limit_reap(l));
	}
	return pid;
}

/* Wait until it has asked for a turn. */
static uint64_t wait_for_turn(const uint64_t *turn, pid_t pid)
{
	int status;

	while (!get(turn)) {
		assert_false(has_ended(pid, &status));
		usleep(1000);
	}
	return get(turn);
}

static void one_that_waits_gets_a_turn(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct layout_limits *limits = layout_limits(inside);
	int status;
	pid_t pid;

	set(&limits->lock, inside_owner(inside, getpid()));
	pid = start_one(m);
	wait_for_turn(&limits->turn, pid);
	set(&limits->lock, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(limits->turn, 0);
	assert_int_equal(limits->lock, 0);
	/* The others leave it the lock, but not for ever. */
	set(&limits->turn, 77);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(limits->turn, 0);
	inside_close(inside);
	tally_ledger_close(l);
}

static void one_that_dies_in_its_turn_keeps_nobody_out(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct layout_limits *limits = layout_limits(inside);
	int signals[] = {SIGKILL, SIGSTOP}, status;

	for (int i = 0; i < 2; i++) {
		pid_t pid;

		set(&limits->lock, inside_owner(inside, getpid()));
		pid = start_one(m);
		wait_for_turn(&limits->turn, pid);
		kill(pid, signals[i]);
		assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
		set(&limits->lock, 0);
		assert_int_not_equal(limits->turn, 0);
		assert_int_equal(tally_limit_reap(l), 0);
		assert_int_equal(limits->turn, 0);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	limits_agree(l);
	inside_close(inside);
	tally_ledger_close(l);
}

static void one_that_dies_with_the_lock_keeps_nobody_out(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct layout_limits *limits = layout_limits(inside);
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (tally_ledger_open(m->path, &l))
			_exit(1);
		set(&limits->lock, inside_owner(inside, getpid()));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_not_equal(limits->lock, 0);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(limits->lock, 0);
	inside_close(inside);
	tally_ledger_close(l);
}

static void one_that_gives_up_leaves_no_turn(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct layout_limits *limits = layout_limits(inside);
	int status;
	pid_t pid;

	set(&limits->lock, inside_owner(inside, getpid()));
	pid = start_one(m);
	wait_for_turn(&limits->turn, pid);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), EAGAIN);
	assert_int_equal(limits->turn, 0);
	set(&limits->lock, 0);
	inside_close(inside);
	tally_ledger_close(l);
}

/* ---- several at once ------------------------------------------------------ */

#define NR    4
#define CALLS 3000

struct board {
	unsigned int nr_ready;
	unsigned int nr_done; /* processes that had their calls */
};

static void board_wait(unsigned int *nr)
{
	while (__atomic_load_n(nr, __ATOMIC_ACQUIRE) < NR)
		usleep(100);
}

/* Reserve and release again and again, until all had their calls. */
static int hammer(const char *path, struct board *board, int number)
{
	struct tally_ledger *l;
	struct tally_account a;
	const struct tally_demand demand = {0, MEMORY, 1};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	char key[16];

	snprintf(key, sizeof(key), "%d", number);
	if (tally_ledger_open(path, &l) ||
	    tally_account_open(tally_ledger_accounts(l), key, &a))
		return 1;
	__atomic_add_fetch(&board->nr_ready, 1, __ATOMIC_ACQ_REL);
	board_wait(&board->nr_ready);
	for (int i = 0; __atomic_load_n(&board->nr_done, __ATOMIC_ACQUIRE) < NR;
	     i++) {
		struct tally_token t;

		if (i == CALLS)
			__atomic_add_fetch(&board->nr_done, 1,
					   __ATOMIC_ACQ_REL);
		if (tally_limit_reserve(l, a, &request, &t, NULL))
			return 2;
		if (tally_limit_release(l, t, NULL, 0))
			return 3;
	}
	tally_ledger_close(l);
	return 0;
}

/* None is kept out until it gives up. */
static void each_of_several_gets_through(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[NR];
	int status;

	assert_true(board != MAP_FAILED);
	for (int i = 0; i < NR; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i])
			_exit(hammer(m->path, board, i));
	}
	for (int i = 0; i < NR; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	limits_agree(l);
	munmap(board, sizeof(*board));
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(one_that_waits_gets_a_turn),
		MACHINE_TEST(one_that_dies_in_its_turn_keeps_nobody_out),
		MACHINE_TEST(one_that_dies_with_the_lock_keeps_nobody_out),
		MACHINE_TEST(one_that_gives_up_leaves_no_turn),
		MACHINE_TEST(each_of_several_gets_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
