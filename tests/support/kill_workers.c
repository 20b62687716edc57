// SPDX-License-Identifier: MIT
/* Threads that change reservations at random, and report each call before it
 * and after it. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include "support/calm.h"
#include "support/kill_workers.h"
#include "support/machine.h"

/* ---- workers ------------------------------------------------------------- */

struct worker {
	struct tally_ledger *ledger;
	struct shared *shared;
	struct said *said;
	int number;
	unsigned int seed;
	struct tally_account accounts[NR_ACCOUNTS];
	struct tally_token tokens[NR_ACCOUNTS];
};

static void expect(struct worker *w, bool good, int line)
{
	if (!good)
		__atomic_store_n(&w->said->failed, line, __ATOMIC_RELEASE);
}
#define EXPECT(w, good) expect(w, good, __LINE__)

static int say_phase(struct said *said, int phase)
{
	__atomic_store_n(&said->phase, phase, __ATOMIC_RELEASE);
	return 0;
}

static void begin(struct worker *w, int i, const struct has *after)
{
	w->said->account = i;
	w->said->before = w->said->has[i];
	w->said->after = *after;
	__atomic_store_n(&w->said->since_ns, calm_ns(), __ATOMIC_RELAXED);
	say_phase(w->said, UNDER_WAY);
}

static void end(struct worker *w, int err)
{
	struct said *said = w->said;
	int64_t ns = calm_ns() - said->since_ns;

	say_phase(said, err ? REFUSED : DONE);
	if (ns > said->longest_ns)
		__atomic_store_n(&said->longest_ns, ns, __ATOMIC_RELAXED);
	said->nr_calls++;
	said->nr_refused += err != 0;
	if (!err)
		said->has[said->account] = said->after;
	say_phase(said, IDLE);
}

static unsigned int some(struct worker *w, unsigned int n)
{
	return (unsigned int)rand_r(&w->seed) % n;
}

/* With more threads than CPUs, one may be starved for as long as a call waits;
 * but not by the dead, and not many times in a row. */
static bool again(struct worker *w, int *tries, int err)
{
	if (err != -EAGAIN || ++*tries > MAX_TRIES)
		return false;
	w->said->nr_again++;
	__atomic_store_n(&w->said->since_ns, calm_ns(), __ATOMIC_RELAXED);
	return true;
}

static void reserve(struct worker *w, int i)
{
	struct tally_demand demands[NR_NODES];
	struct has after = {.state = TALLY_RESERVED};
	struct tally_request request = {.size = sizeof(request),
					.demands = demands};
	bool draws = some(w, 4) == 0;
	int err, tries = 0;

	if (some(w, 4) == 0)
		request.lease_ns = INT64_C(3600000000000);
	for (int n = 0; n < NR_NODES; n++) {
		int64_t amount = some(w, 8);

		if (n && some(w, 2))
			continue;
		demands[request.nr_demands++] =
			(struct tally_demand){machine_nodes[n], MEMORY, amount};
		after.held[n] = amount;
	}
	begin(w, i, &after);
	do
		err = draws ? tally_limit_draw(w->ledger, w->accounts[i],
					       w->shared->pool, &request,
					       &w->tokens[i], NULL)
			    : tally_limit_reserve(w->ledger, w->accounts[i],
						  &request, &w->tokens[i],
						  NULL);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err || err == -ENOSPC || err == -EDQUOT);
}

/* On the node without capacity. */
static void adopt(struct worker *w, int i)
{
	const struct tally_demand demand = {machine_nodes[2], MEMORY, ADOPTED};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};
	struct has after = {.state = TALLY_COMMITTED, .held = {0, 0, ADOPTED}};
	int err, tries = 0;

	begin(w, i, &after);
	do
		err = tally_limit_adopt(w->ledger, w->accounts[i], &request,
					&w->tokens[i]);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

static void commit(struct worker *w, int i)
{
	struct has after = w->said->has[i];
	int err, tries = 0;

	after.state = TALLY_COMMITTED;
	begin(w, i, &after);
	do
		err = tally_limit_commit(w->ledger, w->tokens[i]);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

static void give_back(struct worker *w, int i, bool cancel)
{
	const struct has after = {0};
	int err, tries = 0;

	begin(w, i, &after);
	do
		err = cancel ? tally_limit_cancel(w->ledger, w->tokens[i])
			     : tally_limit_release(w->ledger, w->tokens[i],
						   NULL, 0);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

/* Moves one from each node to the next, and takes one more. */
static void change(struct worker *w, int i)
{
	struct tally_demand demands[2 * NR_NODES + 1];
	const struct tally_request request = {.size = sizeof(request),
					      .demands = demands,
					      .nr_demands = 2 * NR_NODES + 1};
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	struct has after = w->said->has[i];
	int err, tries = 0;

	for (int n = 0; n < NR_NODES; n++) {
		int next = (n + 1) % NR_NODES,
		    one = w->said->has[i].held[n] > 0;

		demands[2 * n] =
			(struct tally_demand){machine_nodes[n], MEMORY, -one};
		demands[2 * n + 1] =
			(struct tally_demand){machine_nodes[next], MEMORY, one};
		after.held[n] -= one;
		after.held[next] += one;
	}
	demands[2 * NR_NODES] =
		(struct tally_demand){machine_nodes[0], MEMORY, 1};
	after.held[0]++;
	begin(w, i, &after);
	do
		err = tally_limit_change(w->ledger, w->tokens[i], &request,
					 &refusal);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err || err == -ENOSPC || err == -EDQUOT);
}

/* One account in each state. */
static void give_part_back(struct worker *w, int i)
{
	struct tally_demand demands[NR_NODES];
	struct has after = w->said->has[i];
	unsigned int nr = 0;
	int64_t left = 0;
	int err, tries = 0;

	for (int n = 0; n < NR_NODES; n++) {
		if (after.held[n]) {
			demands[nr++] = (struct tally_demand){machine_nodes[n],
							      MEMORY, 1};
			after.held[n]--;
		}
		left += after.held[n];
	}
	if (!nr)
		return;
	if (!left)
		after.state = 0;
	begin(w, i, &after);
	do
		err = tally_limit_release(w->ledger, w->tokens[i], demands, nr);
	while (again(w, &tries, err));
	end(w, err);
	EXPECT(w, !err);
}

static void act(struct worker *w)
{
	int i = (int)some(w, NR_ACCOUNTS);
	unsigned int way = some(w, 8);

	switch (w->said->has[i].state) {
	case 0:
		if (way)
			reserve(w, i);
		else
			adopt(w, i);
		break;
	case TALLY_RESERVED:
		if (way < 3)
			commit(w, i);
		else if (way < 4)
			change(w, i);
		else if (way < 6)
			give_back(w, i, true);
		else
			give_part_back(w, i);
		break;
	default:
		if (way < 4)
			give_back(w, i, false);
		else if (way < 6)
			change(w, i);
		else
			give_part_back(w, i);
	}
}

static void pause_here(struct shared *shared)
{
	const struct timespec nap = {0, 100000};

	__atomic_fetch_add(&shared->nr_paused, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&shared->pause, __ATOMIC_ACQUIRE))
		nanosleep(&nap, NULL);
	__atomic_fetch_sub(&shared->nr_paused, 1, __ATOMIC_ACQ_REL);
}

/* Finds what it had before it was killed. */
static bool find_tokens(struct worker *w)
{
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_view *view;
	char key[32];

	if (tally_view_open(w->ledger, &view))
		return false;
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		const struct tally_accounts *accounts =
			tally_view_accounts(view);
		int err;

		key_of(w->number, i, key);
		if (tally_account_find(accounts, key, &w->accounts[i]))
			return false;
		/* -EAGAIN if other processes were killed and none has come
		 * since. */
		do
			err = tally_limit_find(view, w->accounts[i], &found);
		while (err == -EAGAIN);
		if (w->said->has[i].state != (err ? 0 : (int)found.state))
			return false;
		if (!err)
			w->tokens[i] = found.token;
	}
	tally_view_close(view);
	return true;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	if (!find_tokens(w)) {
		EXPECT(w, false);
		return NULL;
	}
	for (;;) {
		act(w);
		/* Let the others run, now and then outside of a call. */
		if (some(w, 4) == 0)
			sched_yield();
		if (__atomic_load_n(&w->shared->pause, __ATOMIC_ACQUIRE))
			pause_here(w->shared);
	}
	return NULL;
}

void be_killed(const struct storm *storm, int process)
{
	struct tally_ledger *ledger = storm->ledger;
	struct worker w[NR_THREADS];
	pthread_t threads[NR_THREADS];
	int err = 0;

	/* With a ledger opened anew, or the one that fork(2) copied. */
	if (storm->seed % 4)
		err = tally_ledger_open(storm->machine->path, &ledger);
	/* One serves always. */
	if (!err && (!process || storm->seed % 2))
		err = tally_ledger_serve(ledger, 0);
	for (int t = 0; t < NR_THREADS; t++) {
		int number = process * NR_THREADS + t;

		w[t] = (struct worker){
			.ledger = ledger,
			.shared = storm->shared,
			.said = &storm->shared->said[number],
			.number = number,
			.seed = storm->seed + (unsigned int)t,
		};
		EXPECT(&w[t], !err);
		if (err || pthread_create(&threads[t], NULL, work, &w[t]))
			_exit(1);
	}
	for (;;)
		pause();
}
