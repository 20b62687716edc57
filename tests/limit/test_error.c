// SPDX-License-Identifier: MIT
/* What stands in the way of a change of reservations: another process in the
 * middle of one, damage, fork(2), another C library. */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include <numatally/reader.h>

#include "support/calm.h"
#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

#define MEMORY 1

static int reserve(struct tally_ledger *l, const char *key,
		   struct tally_token *t)
{
	const struct tally_demand demand = {0, MEMORY, 2};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};

	return tally_limit_reserve(l, machine_account(l, key), &request, t,
				   NULL);
}

/* Takes the lock and keeps it. */
static void hold_it(const char *path, int fd)
{
	struct layout *inside = inside_open(path);
	struct tally_ledger *l;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	err = tally_ledger_open(path, &l);
	inside_lock_limits(inside, getpid());
	layout_limits(inside)->sequence |= 1;
	if (write(fd, &err, sizeof(err)) == sizeof(err))
		for (;;)
			pause();
	_exit(1);
}

static pid_t start_holder(const char *path)
{
	int fds[2], err = -1;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		hold_it(path, fds[1]);
	assert_int_equal(read(fds[0], &err, sizeof(err)), sizeof(err));
	assert_int_equal(err, 0);
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void a_lock_that_is_kept_times_out(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0), *next;
	struct tally_account a = machine_account(l, "a");
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_view *view;
	struct tally_token t, u;
	int64_t amounts[2], start, calm;
	pid_t pid;

	assert_int_equal(reserve(l, "a", &t), 0);
	pid = start_holder(m->path);
	start = now_ns();
	calm = calm_ns();
	assert_int_equal(reserve(l, "b", &u), -EAGAIN);
	assert_true(now_ns() - start >= TALLY_LIMIT_WAIT_NS * 9 / 10);
	assert_true(calm_ns() - calm < TALLY_LIMIT_WAIT_NS * 3);
	assert_int_equal(tally_limit_commit(l, t), -EAGAIN);
	/* Opening does not wait for the lock, and a reader waits less. */
	calm = calm_ns();
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_true(calm_ns() - calm < TALLY_LIMIT_WAIT_NS);
	assert_int_equal(tally_view_open(next, &view), 0);
	calm = calm_ns();
	assert_int_equal(tally_limit_node(view, 0, MEMORY, &limit), -EAGAIN);
	assert_int_equal(tally_limit_account(view, a, MEMORY, &limit), -EAGAIN);
	assert_int_equal(tally_limit_holding(view, a, 0, amounts), -EAGAIN);
	assert_int_equal(tally_limit_find(view, a, &found), -EAGAIN);
	assert_int_equal(tally_view_totals(view, 0, amounts), -EAGAIN);
	assert_true(calm_ns() - calm < 5 * TALLY_LIMIT_WAIT_NS);
	/* Once the holder is dead, at once. */
	inside_kill(m->path, pid);
	assert_int_equal(reserve(next, "b", &u), 0);
	assert_int_equal(tally_limit_node(view, 0, MEMORY, &limit), 0);
	assert_int_equal(limit.held, 4);
	assert_int_equal(tally_limit_commit(l, t), 0);
	limits_agree(l);
	tally_view_close(view);
	tally_ledger_close(next);
	tally_ledger_close(l);
}

static void a_damaged_file(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct layout_limits *limits = layout_limits(inside);
	struct layout_undo *undo =
		(struct layout_undo *)(inside->origin +
				       inside->plan->undo.offset);
	struct tally_token t, u;

	assert_int_equal(reserve(l, "a", &t), 0);
	limits->nr_undo = LAYOUT_NR_UNDO + 1;
	assert_int_equal(reserve(l, "b", &u), -EBADMSG);
	assert_int_equal(tally_limit_reap(l), -EBADMSG);
	limits->nr_undo = 0;
	/* Notes of changes where no reservations are. */
	limits->nr_undo = 1;
	*undo = (struct layout_undo){inside->plan->nodes.offset, 7};
	assert_int_equal(reserve(l, "b", &u), -EBADMSG);
	assert_int_equal(limits->nr_undo, 0);
	limits->nr_undo = 1;
	*undo = (struct layout_undo){inside->header.file_bytes, 7};
	assert_int_equal(reserve(l, "b", &u), -EBADMSG);
	assert_int_equal(reserve(l, "b", &u), 0);
	layout_uncommitted(inside, 0)->first = UINT64_MAX;
	assert_int_equal(tally_limit_reap(l), -EBADMSG);
	layout_uncommitted(inside, 0)->first = u.row + 1;
	assert_int_equal(tally_limit_reap(l), 0);
	limits_agree(l);
	inside_close(inside);
	tally_ledger_close(l);
}

#define NR_MANY 512

static struct tally_ledger *many_resources(const struct machine *m)
{
	static char names[NR_MANY][16];
	struct tally_resource resources[NR_MANY];
	struct tally_ledger *l;

	for (int i = 0; i < NR_MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "r%d", i);
		resources[i] =
			(struct tally_resource){names[i], "", TALLY_RESERVABLE};
	}
	assert_int_equal(tally_ledger_create(m->path, m->topo, resources,
					     NR_MANY, NULL, &l),
			 0);
	return l;
}

static int64_t held(struct tally_ledger *l, struct tally_account a, int node,
		    unsigned int resource)
{
	int64_t amounts[NR_MANY];
	struct tally_view *view;

	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_limit_holding(view, a, node, amounts), 0);
	tally_view_close(view);
	return amounts[resource];
}

/* Change by change: all resources on all nodes. */
static struct tally_token reserve_all(struct tally_ledger *l,
				      struct tally_account a)
{
	struct tally_demand demands[TALLY_LIMIT_MAX_DEMANDS];
	struct tally_request request = {.size = sizeof(request),
					.demands = demands};
	struct tally_token t;

	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	for (unsigned int i = 0; i < 3 * NR_MANY; i++) {
		demands[request.nr_demands++] = (struct tally_demand){
			machine_nodes[i % 3], i / 3, 1 + i};
		if (request.nr_demands < TALLY_LIMIT_MAX_DEMANDS)
			continue;
		assert_int_equal(tally_limit_change(l, t, &request, NULL), 0);
		request.nr_demands = 0;
	}
	assert_int_equal(held(l, a, 9, NR_MANY - 1), 3 * NR_MANY);
	return t;
}

/* To end it takes more changes than can be undone. */
static void more_is_held_than_can_be_undone(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = many_resources(m);
	struct layout *inside = inside_open(m->path);
	struct tally_account a = machine_account(l, "a"),
			     b = machine_account(l, "b");
	uint64_t *ending = &layout_limits(inside)->ending;
	struct tally_token t = reserve_all(l, a), u = reserve_all(l, b);

	limits_agree(l);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	assert_int_equal(held(l, a, TALLY_VIEW_ALL, 7), 0);
	assert_int_equal(held(l, b, 9, NR_MANY - 1), 3 * NR_MANY);
	limits_agree(l);
	/* A process that has begun with it died. */
	assert_int_equal(tally_limit_commit(l, u), 0);
	*ending = b.row + 1;
	assert_int_equal(tally_limit_commit(l, u), -ESTALE);
	assert_int_equal(held(l, b, TALLY_VIEW_ALL, 7), 0);
	assert_int_equal(*ending, 0);
	limits_agree(l);
	/* Any number is no harm. */
	*ending = UINT64_MAX;
	assert_int_equal(tally_limit_reap(l), 0);
	*ending = a.row + 1;
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(*ending, 0);
	/* Nor is what cannot be ended. */
	t = reserve_all(l, a);
	layout_capacity(inside, 0, 3)->held = INT64_MIN;
	*ending = a.row + 1;
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(*ending, 0);
	assert_int_equal(tally_limit_cancel(l, t), -EOVERFLOW);
	assert_int_equal(*ending, 0);
	assert_int_equal(tally_limit_reap(l), 0);
	inside_close(inside);
	tally_ledger_close(l);
}

struct meddler {
	uint64_t *word;
	bool stop;
};

/* Writes any count of changes to undo, all the time. */
static void *meddle(void *arg)
{
	struct meddler *m = arg;
	uint64_t i = 0;

	while (!__atomic_load_n(&m->stop, __ATOMIC_RELAXED))
		__atomic_store_n(m->word, ++i % (2 * LAYOUT_NR_UNDO),
				 __ATOMIC_RELAXED);
	return NULL;
}

static void any_count_of_changes(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct meddler meddler = {&layout_limits(inside)->nr_undo, false};
	int rounds = test_is_long() ? 100000 : 2000;
	struct tally_token t;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, meddle, &meddler), 0);
	for (int i = 0; i < rounds; i++) {
		int err = reserve(l, "a", &t);

		if (!err)
			err = tally_limit_release(l, t, NULL, 0);
		assert_true(!err || err == -EBADMSG || err == -EEXIST ||
			    err == -ESTALE);
	}
	__atomic_store_n(&meddler.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	inside_close(inside);
	tally_ledger_close(l);
}

/* The lock word names a process that does not exist, or one without
 * the lock. */
static void a_damaged_lock(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0), *next;
	struct layout *inside = inside_open(m->path);
	struct tally_token t;

	layout_limits(inside)->lock = UINT64_MAX;
	assert_int_equal(reserve(l, "a", &t), 0);
	layout_limits(inside)->lock = LAYOUT_NR_WRITERS;
	assert_int_equal(tally_limit_commit(l, t), 0);
	inside_lock_limits(inside, getpid());
	assert_int_equal(tally_limit_reap(l), -EAGAIN);
	assert_int_equal(tally_ledger_open(m->path, &next), 0);
	assert_int_equal(limits_of_node(next, 0).held, 2);
	tally_ledger_close(next);
	layout_limits(inside)->lock = 0;
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	inside_close(inside);
	tally_ledger_close(l);
}

/* A token that was used 2^32 reservations of its account ago. */
static void an_old_token_stays_stale(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0);
	struct layout *inside = inside_open(m->path);
	struct tally_token old, t;

	assert_int_equal(reserve(l, "a", &old), 0);
	assert_int_equal(tally_limit_cancel(l, old), 0);
	layout_reservation(inside, old.row)->generation += UINT32_MAX;
	assert_int_equal(reserve(l, "a", &t), 0);
	assert_int_equal(tally_limit_commit(l, old), -ESTALE);
	assert_int_equal(tally_limit_cancel(l, old), -ESTALE);
	assert_int_equal(tally_limit_release(l, old, NULL, 0), -ESTALE);
	assert_int_equal(tally_limit_cancel(l, t), 0);
	inside_close(inside);
	tally_ledger_close(l);
}

/* What a child of fork(2) gets when it tries. */
static int forked(struct tally_ledger *l, struct tally_token t)
{
	int status, err;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct tally_token u;

		err = reserve(l, "child", &u);
		if (err)
			_exit(-err);
		/* The parent's reservation is still there. */
		_exit(-tally_limit_release(l, t, NULL, 0));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void a_child_of_fork(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 0), *others[255];
	struct tally_token t;

	assert_int_equal(reserve(l, "a", &t), 0);
	assert_int_equal(forked(l, t), 0);
	assert_int_equal(tally_limit_commit(l, t), -ESTALE);
	/* What the child had not committed went with it. */
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(limits_of_node(l, 0).held, 0);
	assert_int_equal(reserve(l, "a", &t), 0);
	for (int i = 0; i < 255; i++)
		assert_int_equal(tally_ledger_open(m->path, &others[i]), 0);
	assert_int_equal(forked(l, t), -EUSERS);
	assert_int_equal(tally_limit_commit(l, t), 0);
	for (int i = 0; i < 255; i++)
		tally_ledger_close(others[i]);
	limits_agree(l);
	tally_ledger_close(l);
}

static void a_child_of_the_only_writer(void **state)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = true};
	struct machine *m = *state;
	struct tally_ledger *l;
	struct tally_token t;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	assert_int_equal(reserve(l, "a", &t), 0);
	/* It can't add an account either. */
	machine_account(l, "child");
	assert_int_equal(forked(l, t), -EPERM);
	assert_int_equal(tally_limit_release(l, t, NULL, 0), 0);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_lock_that_is_kept_times_out),
		MACHINE_TEST(a_damaged_file),
		MACHINE_TEST(more_is_held_than_can_be_undone),
		MACHINE_TEST(any_count_of_changes),
		MACHINE_TEST(a_damaged_lock),
		MACHINE_TEST(an_old_token_stays_stale),
		MACHINE_TEST(a_child_of_fork),
		MACHINE_TEST(a_child_of_the_only_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
