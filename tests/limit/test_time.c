// SPDX-License-Identifier: MIT
/* Time namespaces, in which the clocks are 100,000 s ahead: leases last as long
 * there as here, and processes of both share a ledger. */
#include "support/test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <numatally/limit.h>

#include "support/limits.h"
#include "support/machine.h"
#include "support/spaces.h"

#define EVENTS	  0
#define MEMORY	  1
#define CAPACITY  10
#define AMOUNT	  6 /* one process at a time has it */
#define NR_ROUNDS 20000
#define MOST_LATE 5
#define LEASE_NS  (60 * SECOND_NS)
#define SLIP_NS	  (20 * SECOND_NS) /* of a busy machine */

static int reserve(struct tally_ledger *l, const char *key, int64_t amount,
		   int64_t lease_ns, struct tally_token *t)
{
	const struct tally_demand demand = {0, MEMORY, amount};
	const struct tally_request request = {.size = sizeof(request),
					      .demands = &demand,
					      .nr_demands = 1,
					      .lease_ns = lease_ns};
	struct tally_account a;
	int err = tally_account_open(tally_ledger_accounts(l), key, &a);

	return err ? err : tally_limit_reserve(l, a, &request, t, NULL);
}

static struct tally_ledger *ledger_of(struct machine *m)
{
	struct tally_ledger *l = machine_limit_ledger(m, 0);

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, CAPACITY), 0);
	return l;
}

/* Until its lease ends, by the caller's own clock. */
static int64_t left_ns(struct tally_ledger *l, const char *key)
{
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_account a;
	struct tally_view *view;
	int err = tally_account_find(tally_ledger_accounts(l), key, &a);

	if (!err)
		err = tally_view_open(l, &view);
	if (!err) {
		err = tally_limit_find(view, a, &found);
		tally_view_close(view);
	}
	return err ? 0 : found.deadline_ns - now_ns();
}

static bool is_a_lease(int64_t left)
{
	return left > LEASE_NS - SLIP_NS && left < LEASE_NS + SLIP_NS;
}

/* ---- a process in another time namespace --------------------------------- */

static int told[2], tell[2];

static void say(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(20);
}

static void hear(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		_exit(21);
}

/* Its exit status, 77: refused; it goes on once it is told to. */
static pid_t ahead(int (*what)(struct machine *m), struct machine *m)
{
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(tell), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int64_t before = now_ns();
		int status;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!spaces_leave(CLONE_NEWTIME))
			_exit(77);
		pid = fork();
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (now_ns() - before < SPACES_AHEAD_NS / 2)
				_exit(77);
			_exit(what(m));
		}
		_exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status)
			      ? WEXITSTATUS(status)
			      : 22);
	}
	return pid;
}

static void ends_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < 2; i++) {
		close(told[i]);
		close(tell[i]);
	}
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int lease_there(struct machine *m)
{
	struct tally_ledger *l;
	struct tally_token t = {0};

	if (tally_ledger_open(m->path, &l) ||
	    reserve(l, "there", 5, LEASE_NS, &t))
		return 1;
	say(told[1]);
	hear(tell[0]);
	if (!is_a_lease(left_ns(l, "here")) || !is_a_lease(left_ns(l, "there")))
		return 2;
	/* The lease of here has not run out, nor has this. */
	if (tally_limit_reap(l) || limits_of_node(l, 0).held != CAPACITY)
		return 3;
	return tally_limit_commit(l, t) ? 4 : 0;
}

static void a_lease_is_as_long_there(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = ledger_of(m);
	pid_t pid = ahead(lease_there, m);
	struct tally_token t = {0};
	char c;

	close(told[1]);
	if (read(told[0], &c, 1) == 1) {
		assert_true(is_a_lease(left_ns(l, "there")));
		assert_int_equal(reserve(l, "here", 5, LEASE_NS, &t), 0);
		assert_true(is_a_lease(left_ns(l, "here")));
		assert_int_equal(tally_limit_reap(l), 0);
		assert_int_equal(limits_of_node(l, 0).held, CAPACITY);
		say(tell[1]);
	}
	ends_well(pid);
	assert_int_equal(tally_limit_commit(l, t), 0);
	tally_ledger_close(l);
}

static int lease_that_ends(struct machine *m)
{
	struct tally_ledger *l;
	struct tally_token t = {0};

	if (tally_ledger_open(m->path, &l) || reserve(l, "there", 5, 1, &t))
		return 1;
	say(told[1]);
	hear(tell[0]);
	return tally_limit_commit(l, t) == -ESTALE ? 0 : 2;
}

static void a_lease_ends_there_as_here(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = ledger_of(m);
	pid_t pid = ahead(lease_that_ends, m);
	struct tally_token t = {0};
	char c;

	close(told[1]);
	if (read(told[0], &c, 1) == 1) {
		limits_lapse(1);
		assert_int_equal(reserve(l, "here", CAPACITY, 0, &t), 0);
		say(tell[1]);
	}
	ends_well(pid);
	tally_ledger_close(l);
}

/* ---- both at once -------------------------------------------------------- */

static struct {
	int64_t held; /* by both */
	int64_t nr_over, nr_granted;
} * both;

/* -errno; or the number of adds that it made. */
static int64_t take_turns(struct tally_ledger *l, const char *key)
{
	int64_t nr_adds = 0;
	int nr_late = 0; /* where a busy machine ran the other alone */

	for (int i = 0; i < NR_ROUNDS; i++) {
		struct tally_account a;
		struct tally_token t = {0};
		int err;

		do
			err = reserve(l, key, AMOUNT, 0, &t);
		while (err == -EAGAIN && nr_late++ < MOST_LATE);
		if (!err) {
			if (__atomic_add_fetch(&both->held, AMOUNT,
					       __ATOMIC_SEQ_CST) > CAPACITY)
				both->nr_over++;
			both->nr_granted++;
			__atomic_sub_fetch(&both->held, AMOUNT,
					   __ATOMIC_SEQ_CST);
			do
				err = tally_limit_cancel(l, t);
			while (err == -EAGAIN && nr_late++ < MOST_LATE);
		}
		if (err && err != -ENOSPC)
			return err;
		err = tally_account_open(tally_ledger_accounts(l), key, &a);
		if (!err)
			err = tally_ledger_add(l, a, EVENTS, 1);
		if (err)
			return err;
		nr_adds++;
	}
	return nr_adds;
}

static int take_turns_there(struct machine *m)
{
	struct tally_ledger *l;
	int64_t nr;

	if (tally_ledger_open(m->path, &l))
		return 1;
	say(told[1]);
	nr = take_turns(l, "there");
	tally_ledger_close(l);
	return nr == NR_ROUNDS ? 0 : 2;
}

static void processes_of_both_share_a_ledger(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = ledger_of(m);
	pid_t pid;
	char c;

	both = mmap(NULL, sizeof(*both), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(both, MAP_FAILED);
	pid = ahead(take_turns_there, m);
	close(told[1]);
	if (read(told[0], &c, 1) == 1)
		assert_int_equal(take_turns(l, "here"), NR_ROUNDS);
	ends_well(pid);
	assert_int_equal(both->nr_over, 0);
	assert_true(both->nr_granted > 0);
	assert_int_equal(machine_total(l, EVENTS), 2 * NR_ROUNDS);
	limits_agree(l);
	munmap(both, sizeof(*both));
	tally_ledger_close(l);
}

static int open_an_exclusive_one(struct machine *m)
{
	struct tally_ledger *l;

	return tally_ledger_open(m->path, &l) == -EBUSY ? 0 : 1;
}

static void an_exclusive_one_is_not_opened_there(void **state)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = 1};
	struct machine *m = *state;
	struct tally_ledger *l;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	ends_well(ahead(open_an_exclusive_one, m));
	assert_int_equal(
		tally_ledger_add(l, machine_account(l, "a"), EVENTS, 1), 0);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_lease_is_as_long_there),
		MACHINE_TEST(a_lease_ends_there_as_here),
		MACHINE_TEST(processes_of_both_share_a_ledger),
		MACHINE_TEST(an_exclusive_one_is_not_opened_there),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
