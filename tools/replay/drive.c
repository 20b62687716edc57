// SPDX-License-Identifier: MIT
/* The threads of a replay. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <numatally/error.h>

#include "common/clock.h"
#include "replay/act.h"
#include "replay/drive.h"
#include "replay/ledger.h"

#define SPINS	    64	      /* before a thread yields */
#define PROGRESS_NS 100000000 /* between two updates */
#define ERASE	    "\r\033[K"

/* ---- the threads --------------------------------------------------------- */

static void fail(struct replay_drive *d, uint64_t index, int err)
{
	int none = 0;

	if (__atomic_compare_exchange_n(&d->err, &none, err, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		__atomic_store_n(&d->failed, index, __ATOMIC_RELEASE);
}

/*
 * Wait until the earlier events of the slot are done. The thread with the
 * earliest event that is not done never waits, so all threads progress.
 */
static bool wait_for_turn(const struct replay_drive *d,
			  const struct replay_slot *slot, uint32_t turn)
{
	for (unsigned int looks = 1;
	     __atomic_load_n(&slot->done, __ATOMIC_ACQUIRE) != turn; looks++) {
		if (__atomic_load_n(&d->err, __ATOMIC_RELAXED))
			return false;
		if (looks % SPINS == 0)
			sched_yield();
	}
	return true;
}

static void *run_thread(void *arg)
{
	struct replay_thread *t = arg;
	struct replay_drive *d = t->drive;
	const struct replay_trace *trace = d->setup->trace;

	while (!__atomic_load_n(&d->err, __ATOMIC_RELAXED)) {
		uint64_t i = __atomic_fetch_add(&d->next, 1, __ATOMIC_RELAXED);
		const struct replay_event *event;
		struct replay_slot *slot;
		int err;

		if (i >= trace->nr_events)
			break;
		event = &trace->events[i];
		slot = &d->slots[event->slot];
		if (!wait_for_turn(d, slot, event->turn))
			break;
		err = replay_act(t, (uint32_t)i);
		if (err)
			fail(d, i, err);
		t->counts.done++;
		__atomic_store_n(&slot->done, event->turn + 1,
				 __ATOMIC_RELEASE);
	}
	return NULL;
}

static void show_progress(const struct replay_drive *d)
{
	uint64_t nr = d->setup->trace->nr_events, next;

	/* At least once, however fast the threads are. */
	for (;;) {
		next = __atomic_load_n(&d->next, __ATOMIC_RELAXED);
		if (next > nr)
			next = nr;
		fprintf(stderr, ERASE "%3u %%  %llu of %llu events",
			nr ? (unsigned int)(100 * next / nr) : 100,
			(unsigned long long)next, (unsigned long long)nr);
		fflush(stderr);
		if (next == nr || __atomic_load_n(&d->err, __ATOMIC_RELAXED))
			break;
		sleep_until(now_ns() + PROGRESS_NS);
	}
	fputs(ERASE, stderr);
}

static int run_threads(struct replay_drive *d, struct replay_thread *threads)
{
	unsigned int nr = d->setup->nr_threads, started = 0;
	pthread_t ids[REPLAY_MAX_THREADS];
	int err = 0;

	while (!err && started < nr) {
		err = pthread_create(&ids[started], NULL, run_thread,
				     &threads[started]);
		if (!err)
			started++;
	}
	if (err) {
		fail(d, UINT64_MAX, -err);
		warnx("can't start a thread: %s", strerror(err));
	} else if (d->setup->progress) {
		show_progress(d);
	}
	while (started)
		pthread_join(ids[--started], NULL);
	return -err;
}

static void add_counts(struct replay_counts *to,
		       const struct replay_counts *from)
{
	to->admitted += from->admitted;
	to->refused += from->refused;
	to->skipped += from->skipped;
	to->wide += from->wide;
	to->conflicts += from->conflicts;
	to->done += from->done;
}

/* Print at which event a call failed that must not. */
static int print_failure(const struct replay_drive *d)
{
	const struct replay_trace *trace = d->setup->trace;
	const struct replay_event *e;

	if (!d->err || d->failed >= trace->nr_events)
		return d->err;
	e = &trace->events[d->failed];
	replay_bad_line(trace->files[e->file], e->line, "%s: %s",
			replay_op_names[e->op], tally_strerror(d->err));
	return d->err;
}

static int set_up_threads(struct replay_drive *d,
			  const struct replay_result *result,
			  struct replay_thread *threads)
{
	for (unsigned int i = 0; i < d->setup->nr_threads; i++) {
		struct replay_thread *t = &threads[i];

		t->drive = d;
		t->log = result->logs ? &result->logs[i] : NULL;
		if (replay_columns_create(d->setup->machines, &t->columns)) {
			warnx("no memory for %u threads", d->setup->nr_threads);
			return -ENOMEM;
		}
	}
	return 0;
}

static int run(struct replay_drive *d, struct replay_result *result)
{
	unsigned int nr = d->setup->nr_threads;
	struct replay_thread *threads = calloc(nr, sizeof(*threads));
	int64_t begin;
	int err;

	if (!threads) {
		warnx("no memory for %u threads", nr);
		return -ENOMEM;
	}
	err = set_up_threads(d, result, threads);
	begin = now_ns();
	if (!err)
		err = run_threads(d, threads);
	result->wall_ns = now_ns() - begin;
	result->nr_stamps = d->stamps;
	for (unsigned int i = 0; i < nr; i++) {
		add_counts(&result->counts, &threads[i].counts);
		for (unsigned int op = 0; op < REPLAY_NR_OPS; op++)
			replay_times_merge(&result->times[op],
					   &threads[i].times[op]);
		replay_columns_destroy(&threads[i].columns);
	}
	free(threads);
	return err ? err : print_failure(d);
}

/* ---- before and after ---------------------------------------------------- */

static int look_at_cells(const struct replay_drive *d,
			 struct replay_result *result, bool at_end)
{
	const struct replay_machines *m = d->setup->machines;

	for (size_t i = 0; i < m->nr_cells; i++) {
		struct replay_cell_end *cell = &result->cells[i];
		struct tally_limit limit = {.size = sizeof(limit)};
		int err = tally_limit_node(d->view, (int)(i / m->nr_resources),
					   (unsigned int)(i % m->nr_resources),
					   &limit);

		if (err) {
			warnx("reading what is held: %s",
			      tally_strerror_of("tally_limit_node", err));
			return err;
		}
		if (at_end) {
			cell->left = limit.held;
			continue;
		}
		cell->held = limit.held;
		cell->peak = limit.peak;
		cell->nr_refused = limit.nr_refused;
	}
	return 0;
}

static int give_all_back(const struct replay_drive *d)
{
	for (uint32_t i = 0; i < d->setup->trace->nr_slots; i++) {
		int err = d->slots[i].held
				  ? tally_limit_release(d->ledger,
							d->slots[i].token, NULL,
							0)
				  : 0;

		if (err) {
			warnx("releasing what is left: %s",
			      tally_strerror_of("tally_limit_release", err));
			return err;
		}
	}
	return 0;
}

static int prepare(struct replay_drive *d, struct replay_result *result)
{
	const struct replay_setup *setup = d->setup;
	uint32_t nr_slots = setup->trace->nr_slots;
	int err =
		replay_ledger_create(setup->trace, setup->machines, &d->ledger);

	if (err)
		return err;
	d->slots = calloc(nr_slots + 1ul, sizeof(*d->slots));
	result->cells =
		calloc(setup->machines->nr_cells + 1, sizeof(*result->cells));
	result->nr_logs = setup->logs ? setup->nr_threads : 0;
	if (result->nr_logs)
		result->logs = calloc(result->nr_logs, sizeof(*result->logs));
	if (!d->slots || !result->cells || (result->nr_logs && !result->logs))
		err = -ENOMEM;
	if (!err)
		err = tally_view_open(d->ledger, &d->view);
	for (uint32_t i = 0; !err && i < nr_slots; i++)
		err = replay_ledger_account(d->ledger, i, &d->slots[i].account);
	if (err)
		warnx("%u accounts: %s", nr_slots,
		      tally_strerror_of("tally_account_open", err));
	return err;
}

static void tear_down(struct replay_drive *d)
{
	for (uint32_t i = 0; d->slots && i < d->setup->trace->nr_slots; i++)
		free(d->slots[i].left);
	free(d->slots);
	tally_view_close(d->view);
	tally_ledger_close(d->ledger);
}

int replay_drive(const struct replay_setup *setup, struct replay_result *result)
{
	struct replay_drive d = {.setup = setup};
	int err;

	*result = (struct replay_result){0};
	err = prepare(&d, result);
	if (!err)
		err = run(&d, result);
	if (!err)
		err = look_at_cells(&d, result, false);
	if (!err)
		err = give_all_back(&d);
	if (!err)
		err = look_at_cells(&d, result, true);
	tear_down(&d);
	return err;
}

void replay_result_free(struct replay_result *result)
{
	for (unsigned int i = 0; result->logs && i < result->nr_logs; i++)
		replay_log_free(&result->logs[i]);
	free(result->logs);
	free(result->cells);
}
