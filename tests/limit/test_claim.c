// SPDX-License-Identifier: MIT
/* Claims of pending accounts: what each caller is told, and when they end. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <numatally/error.h>
#include <numatally/limit_claim.h>
#include <numatally/reader.h>

#include "support/reserving.h"

static int claimer_of(struct tally_ledger *l, struct tally_account a,
		      struct tally_claimer *claimer)
{
	struct tally_view *view;
	int err;

	*claimer = (struct tally_claimer){.size = sizeof(*claimer)};
	assert_int_equal(tally_view_open(l, &view), 0);
	err = tally_limit_claimer(view, a, claimer);
	tally_view_close(view);
	return err;
}

static void is_claimed_by(struct tally_ledger *l, struct tally_account a,
			  pid_t pid, int alive)
{
	struct tally_claimer claimer;

	assert_int_equal(claimer_of(l, a, &claimer), 0);
	assert_int_equal(claimer.pid, pid);
	assert_int_equal(claimer.alive, alive);
}

static void is_not_claimed(struct tally_ledger *l, struct tally_account a)
{
	struct tally_claimer claimer;

	assert_int_equal(claimer_of(l, a, &claimer), -ENOENT);
}

static int tell(void *unused, const char *problem)
{
	(void)unused;
	print_error("%s\n", problem);
	return 1;
}

static int place(struct tally_ledger *l, struct tally_token t, int64_t amount)
{
	const struct tally_demand demand = {0, MEMORY, amount};
	const struct tally_request request = request_of(&demand, 1);

	return tally_limit_change(l, t, &request, NULL);
}

/* ---- answers -------------------------------------------------------------- */

static void one_caller_has_it(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_token t, u = {7, 7};

	is_not_claimed(l, a);
	assert_int_equal(tally_limit_claim(l, a, 0, &t), 0);
	is_claimed_by(l, a, getpid(), 1);
	assert_int_equal(tally_limit_claim(l, a, 0, &u), -EBUSY);
	assert_int_equal(u.generation, 7);
	assert_int_equal(reserve(l, a, 0, 1, &u), -EEXIST);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	is_not_claimed(l, a);
	assert_int_equal(tally_limit_cancel(l, t), -ESTALE);
	assert_int_equal(tally_limit_claim(l, a, 0, &u), 0);
	assert_int_equal(place(l, t, 1), -ESTALE);
	assert_int_equal(tally_limit_cancel(l, u), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

static void what_it_reserves_is_committed(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_token t, u;

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 10), 0);
	assert_int_equal(tally_limit_claim(l, a, 0, &t), 0);
	/* A refusal leaves the claim. */
	assert_int_equal(place(l, t, 11), -ENOSPC);
	is_claimed_by(l, a, getpid(), 1);
	assert_int_equal(place(l, t, 10), 0);
	assert_int_equal(tally_limit_claim(l, a, 0, &u), -EBUSY);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(tally_limit_claim(l, a, 0, &u), -EEXIST);
	is_not_claimed(l, a);
	assert_int_equal(held(l, a, 0), 10);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	assert_int_equal(tally_limit_claim(l, a, 0, &u), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

static void what_cannot_be_claimed_is_refused(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_account ends = machine_account(l, "ends");
	struct tally_account gone = machine_account(l, "gone");
	struct tally_claimer claimer = {.size = 0};
	struct tally_view *view;
	struct tally_token t;

	assert_int_equal(tally_account_pin(accounts, ends, 0), 0);
	assert_int_equal(tally_account_end(accounts, ends), 0);
	assert_int_equal(tally_account_end(accounts, gone), 0);
	assert_int_equal(tally_limit_claim(l, ends, 0, &t), -ESHUTDOWN);
	assert_int_equal(tally_limit_claim(l, gone, 0, &t), -ESTALE);
	assert_int_equal(tally_limit_claim(l, ends, -1, &t), -EINVAL);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_claimer(view, ends, &claimer), -EINVAL);
	tally_view_close(view);
	assert_int_equal(claimer_of(l, gone, &claimer), -ESTALE);
	assert_string_equal(
		tally_strerror_of("tally_limit_claim", -EBUSY),
		"a thread or a process that lives has claimed the account");
	assert_string_equal(tally_strerror_of("tally_limit_claimer", -ENOENT),
			    "the account is not claimed");
	tally_ledger_close(l);
}

static void a_lease_ends_it(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	const struct tally_request renew = {.size = sizeof(renew),
					    .lease_ns = 1000 * SECOND_NS};
	struct tally_token t, u;

	assert_int_equal(tally_limit_claim(l, a, 1, &t), 0);
	limits_lapse(1);
	assert_int_equal(tally_limit_claim(l, a, SECOND_NS, &u), 0);
	assert_int_equal(place(l, t, 1), -ESTALE);
	assert_int_equal(tally_limit_change(l, u, &renew, NULL), 0);
	limits_lapse(SECOND_NS);
	assert_int_equal(tally_limit_claim(l, a, 0, &t), -EBUSY);
	tally_ledger_close(l);
}

static void it_delays_the_end_of_an_account(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_account a = machine_account(l, "a");
	struct tally_token t;

	assert_int_equal(tally_limit_claim(l, a, 0, &t), 0);
	assert_int_equal(tally_account_end(accounts, a), 0);
	assert_int_equal(tally_account_phase(accounts, a),
			 TALLY_PHASE_TERMINATING);
	assert_int_equal(place(l, t, 1), -ESHUTDOWN);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	assert_int_equal(tally_account_phase(accounts, a), -ESTALE);
	tally_ledger_close(l);
}

static void one_to_be_drawn_is_claimed_by_a_draw(void **state)
{
	const struct tally_request nothing = request_of(NULL, 0);
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account gang = machine_account(l, "gang");
	struct tally_account pod = machine_account(l, "pod");
	struct tally_token parent, t, u;

	assert_int_equal(reserve(l, gang, 0, 10, &parent), 0);
	assert_int_equal(tally_limit_commit(l, parent), 0);
	assert_int_equal(tally_limit_draw(l, pod, parent, &nothing, &t, NULL),
			 0);
	is_claimed_by(l, pod, getpid(), 1);
	assert_int_equal(tally_limit_draw(l, pod, parent, &nothing, &u, NULL),
			 -EEXIST);
	assert_int_equal(tally_limit_claim(l, pod, 0, &u), -EBUSY);
	assert_int_equal(place(l, t, 11), -ENOSPC);
	assert_int_equal(place(l, t, 10), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	assert_int_equal(limits_of_node(l, 0).held, 10);
	limits_agree(l);
	tally_ledger_close(l);
}

/* A reservation of nothing is one there, too, but of no process. */
static void a_saved_one_is_of_nobody(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct tally_account a = machine_account(l, "a");
	struct tally_claimer claimer = {.size = sizeof(claimer)};
	struct tally_reader *reader;
	struct tally_view *view;
	struct tally_token t;
	char path[96];

	snprintf(path, sizeof(path), "%s/saved", m->dir);
	assert_int_equal(tally_limit_claim(l, a, 0, &t), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, path, 0600), 0);
	tally_view_close(view);
	assert_int_equal(tally_reader_open(path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(tally_limit_check(view, tell, NULL), 0);
	assert_int_equal(tally_account_find(tally_view_accounts(view), "a", &a),
			 0);
	assert_int_equal(tally_limit_claimer(view, a, &claimer), 0);
	assert_int_equal(claimer.pid, 0);
	assert_int_equal(claimer.alive, 0);
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(l);
}

/* ---- other processes ------------------------------------------------------ */

static void stay(struct tally_ledger *l)
{
	(void)l;
	for (;;)
		pause();
}

static void leave(struct tally_ledger *l)
{
	tally_ledger_close(l);
	stay(NULL);
}

static void be_another_program(struct tally_ledger *l)
{
	(void)l;
	execlp("sleep", "sleep", "200", NULL);
	_exit(1);
}

static void be_killed(struct tally_ledger *l)
{
	(void)l;
	kill(getpid(), SIGKILL);
}

/* A child that claims the account, says so, and does that. */
static pid_t claims(const struct machine *m,
		    void (*then)(struct tally_ledger *))
{
	struct tally_account a = {0};
	struct tally_token t;
	struct tally_ledger *l;
	int fds[2], err = -1;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		err = tally_ledger_open(m->path, &l);
		if (!err)
			err = tally_account_find(tally_ledger_accounts(l), "a",
						 &a);
		if (!err)
			err = tally_limit_claim(l, a, 0, &t);
		if (write(fds[1], &err, sizeof(err)) == sizeof(err) && !err)
			then(l);
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &err, sizeof(err)), sizeof(err));
	assert_int_equal(err, 0);
	close(fds[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void another_process_has_it(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	pid_t pid = claims(*state, stay);
	struct tally_token t;

	is_claimed_by(l, a, pid, 1);
	assert_int_equal(tally_limit_claim(l, a, 0, &t), -EBUSY);
	kill(pid, SIGSTOP);
	assert_int_equal(tally_limit_claim(l, a, 0, &t), -EBUSY);
	end(pid);
	tally_ledger_close(l);
}

/* While another process reads of a dead one in /proc, it counts as alive. */
static int claim_soon(struct tally_ledger *l, struct tally_account a)
{
	struct tally_token t;
	int err;

	while ((err = tally_limit_claim(l, a, 0, &t)) == -EBUSY)
		usleep(1000);
	return err;
}

static void it_ends_with_its_process(void **state)
{
	static void (*const ends[])(struct tally_ledger *) = {
		be_killed, leave, be_another_program};
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");

	for (int i = 0; i < 3; i++) {
		pid_t pid = claims(*state, ends[i]);
		struct tally_reservation found = {.size = sizeof(found)};
		struct tally_claimer claimer;
		struct tally_view *view;

		/* Nobody has looked: it is there, of one that is gone. A close of
		 * the ledger ends it itself. */
		do
			if (claimer_of(l, a, &claimer))
				break;
		while (claimer.alive);
		/* A process that is to be found at its slot has another PID. */
		assert_true(claimer.pid == pid || !claimer.pid);
		assert_int_equal(claim_soon(l, a), 0);
		is_claimed_by(l, a, getpid(), 1);
		assert_int_equal(tally_view_open(l, &view), 0);
		assert_int_equal(tally_limit_find(view, a, &found), 0);
		tally_view_close(view);
		assert_int_equal(tally_limit_cancel(l, found.token), 0);
		limits_agree(l);
		end(pid);
	}
	tally_ledger_close(l);
}

/* The next process has its slot in the table of writers. */
static void its_successor_has_it_not(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_account a = machine_account(l, "a");
	pid_t first = claims(*state, be_killed), next;

	assert_int_equal(waitpid(first, NULL, 0), first);
	is_claimed_by(l, a, first, 0);
	/* Opening the ledger ends what is left there. */
	next = claims(*state, stay);
	is_claimed_by(l, a, next, 1);
	end(next);
	assert_int_equal(claim_soon(l, a), 0);
	limits_agree(l);
	tally_ledger_close(l);
}

static void a_terminating_account_is_gone_without_its_claimer(void **state)
{
	struct tally_ledger *l = machine_limit_ledger(*state, 0);
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_account a = machine_account(l, "a");
	pid_t pid = claims(*state, stay);

	assert_int_equal(tally_account_end(accounts, a), 0);
	assert_int_equal(tally_account_phase(accounts, a),
			 TALLY_PHASE_TERMINATING);
	end(pid);
	while (tally_account_phase(accounts, a) != -ESTALE) {
		assert_int_equal(tally_limit_reap(l), 0);
		usleep(1000);
	}
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(one_caller_has_it),
		MACHINE_TEST(what_it_reserves_is_committed),
		MACHINE_TEST(what_cannot_be_claimed_is_refused),
		MACHINE_TEST(a_lease_ends_it),
		MACHINE_TEST(it_delays_the_end_of_an_account),
		MACHINE_TEST(one_to_be_drawn_is_claimed_by_a_draw),
		MACHINE_TEST(a_saved_one_is_of_nobody),
		MACHINE_TEST(another_process_has_it),
		MACHINE_TEST(it_ends_with_its_process),
		MACHINE_TEST(its_successor_has_it_not),
		MACHINE_TEST(a_terminating_account_is_gone_without_its_claimer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
