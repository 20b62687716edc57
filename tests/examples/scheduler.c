// SPDX-License-Identifier: MIT
/*
 * A scheduler: threads, in any number of processes side by side, place jobs on the
 * nodes of a cluster by one ledger.
 *
 *	queue ──pop──> claim ──> fit, or evict ──> reserve ──> commit
 *	  ^              │            │               │
 *	  ╰── back off ──┴────────────┴───────────────╯  another has it; no room
 *
 *	scheduler LEDGER JOBS THREADS
 *
 * Each process knows all jobs; which of them are pending stands in the ledger alone:
 * those without a committed reservation. So a process that is killed loses none, and
 * a job that fails, and is released by whatever sees that, is placed again.
 *
 * Once its input ends, the program tries each pending job once more, prints those
 * that are left in its queue, and ends.
 *
 * cc -o scheduler scheduler.c -pthread $(pkg-config --cflags --libs numatally)
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <numatally.h>

#include "scheduler_cluster.h"

enum { MOST_THREADS = 64 };
#define MS	    UINT64_C(1000000)
#define BACK_OFF_NS (20 * MS)
#define LOOK_NS	    (5 * MS)		 /* for jobs, if none is ready */
#define LEASE_NS    INT64_C(10000000000) /* of a claim: a scheduler may hang */

struct scheduler {
	struct tally_ledger *ledger;
	struct tally_topo *topo;
	pthread_mutex_t lock; /* of what follows */
	struct tally_queue *queue;
	bool known[MOST_JOBS]; /* [row]: its job is in the queue, or in a thread's
				  hands */
	atomic_bool ending;
};

struct worker {
	struct scheduler *s;
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct tally_place *place; /* what this thread has seen to be free */
	struct tally_candidates *candidates;  /* for eviction */
	struct tally_token tokens[MOST_JOBS]; /* [row]: of the candidates */
	struct tally_account victims[MOST_JOBS];
	pthread_t thread;
	int err;
};

/* A job, and what is decided about it. */
struct job {
	struct tally_queue_item item; /* data[0]: its number */
	struct tally_amount amounts[NR];
	struct tally_place_part part;
	struct tally_place_request wants;
	struct tally_fit fit;
	struct tally_token token;
};

/* The queue's time: in the end all items that wait are due, but those that are
 * put back then. */
#define THE_END (UINT64_MAX - 1)

static uint64_t now(const struct scheduler *s)
{
	struct timespec t;

	if (s->ending)
		return THE_END;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

static void describe(struct job *job)
{
	cluster_amounts(job->item.data[0], job->amounts);
	job->part = (struct tally_place_part){job->amounts, NR};
	job->wants = (struct tally_place_request){
		.size = sizeof(job->wants),
		.parts = &job->part,
		.nr_parts = 1,
		.policy = TALLY_PLACE_SINGLE_NODE,
		.score = TALLY_PLACE_MOST_ALLOCATED,
	};
	job->fit.size = sizeof(job->fit);
}

static int number_of(const struct worker *w, struct tally_account account,
		     uint64_t *number)
{
	char key[32];
	int err = tally_account_key(tally_view_accounts(w->view), account, key,
				    sizeof(key));

	if (!err)
		*number = strtoull(key + sizeof("job-") - 1, NULL, 10);
	return err;
}

/* ---- evicting ------------------------------------------------------------- */

/* Of each reservation, whether it may be evicted, and how important it is. */
static int rank(void *arg, const struct tally_reservation *found,
		struct tally_candidate *candidate)
{
	struct worker *w = arg;
	uint64_t number = 0;

	candidate->kept = found->state != TALLY_COMMITTED ||
			  number_of(w, candidate->account, &number);
	candidate->priority = cluster_priority(number);
	w->tokens[candidate->account.row] = found->token;
	return 0;
}

/* The job is pending then. -ESTALE: it is no longer where it was. */
static int evict(const struct worker *w, struct tally_account victim)
{
	struct tally_token token = w->tokens[victim.row];
	int err = tally_limit_release(w->ledger, token, NULL, 0);
	uint64_t number;

	if (!err && !number_of(w, victim, &number))
		printf("job-%" PRIu64 "#%" PRIu64 ": evicted\n", number,
		       token.generation);
	return err == -ESTALE ? 0 : err;
}

static int make_room(struct worker *w, struct job *job)
{
	const struct tally_eviction eviction = {
		.size = sizeof(eviction),
		.priority = (int32_t)job->item.priority,
	};
	struct tally_room room = {
		.size = sizeof(room),
		.victims = w->victims,
		.max_victims = MOST_JOBS,
	};
	int err = tally_place_candidates_refresh(w->candidates, w->view,
						 TALLY_PLACE_ANY, rank, w);

	if (!err)
		err = tally_place_make_room(w->candidates, &job->wants,
					    TALLY_PLACE_ANY, &eviction, &room,
					    &job->fit);
	for (uint32_t i = 0; !err && i < room.nr_victims; i++)
		err = evict(w, room.victims[i]);
	return err;
}

/* ---- deciding ------------------------------------------------------------- */

/* The amounts of a machine, or of all, as they are now. Old ones lead to a refusal at
 * worst. */
static void look_at(struct worker *w, uint32_t machine)
{
	const uint32_t *first = w->place->machines;
	uint32_t from = machine == TALLY_PLACE_ANY ? 0 : first[machine];
	uint32_t to = machine == TALLY_PLACE_ANY ? w->place->nr_nodes
						 : first[machine + 1];

	(void)!tally_place_refresh(w->place, w->view, from, to - from);
}

/* In what this thread has seen, or what is free now, or what less important jobs
 * have. */
static int find_room(struct worker *w, struct job *job)
{
	int err = tally_place_fit(w->place, &job->wants, TALLY_PLACE_ANY, NULL,
				  &job->fit);

	if (err != -ENOSPC)
		return err;
	look_at(w, TALLY_PLACE_ANY);
	err = tally_place_fit(w->place, &job->wants, TALLY_PLACE_ANY, NULL,
			      &job->fit);
	return err == -ENOSPC ? make_room(w, job) : err;
}

static void cancel(struct worker *w, struct job *job)
{
	(void)!tally_limit_cancel(w->ledger, job->token);
}

/* Place a job. Others may decide about it, or take the room, at the same time. */
static int schedule(struct worker *w, struct job *job)
{
	struct tally_request request = {
		.size = sizeof(request),
		.demands = job->fit.demands,
	};
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	int err = tally_limit_claim(w->ledger, job->item.account, LEASE_NS,
				    &job->token);

	if (err)
		return err; /* -EBUSY: another has it; -EEXIST: it is placed */
	do {
		err = find_room(w, job);
		if (err)
			break;
		request.nr_demands = job->fit.nr_demands;
		err = tally_limit_change(w->ledger, job->token, &request,
					 &refusal);
		if (!err)
			err = tally_limit_commit(w->ledger, job->token);
		look_at(w, job->fit.machine);
	} while (err == -ENOSPC && refusal.asked); /* another was faster */
	if (err)
		cancel(w, job);
	return err;
}

/* ---- waiting -------------------------------------------------------------- */

/* Of each resource what the node lacks, as a share of what is asked for. */
static double lacking(const struct tally_place *place, const struct job *job,
		      uint32_t node)
{
	double sum = 0;

	for (int r = 0; r < NR; r++) {
		int64_t amount = job->amounts[r].amount;
		int64_t lacks = amount - place->free[r][node];

		sum += lacks > 0 ? (double)lacks / (double)amount : 0;
	}
	return sum;
}

/* Wait for room where the job lacks least, until its time comes anyway. */
static int wait_for_room(struct worker *w, const struct job *job, int64_t ns)
{
	struct tally_demand demands[NR];
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = NR};
	uint32_t best = 0;

	for (uint32_t n = 1; n < w->place->nr_nodes; n++)
		if (lacking(w->place, job, n) < lacking(w->place, job, best))
			best = n;
	for (int r = 0; r < NR; r++)
		demands[r] = (struct tally_demand){
			.node = w->place->numbers[best],
			.resource = job->amounts[r].resource,
			.amount = job->amounts[r].amount,
		};
	return tally_limit_wait(w->ledger, job->item.account, &request, ns,
				NULL);
}

static void pause_for(uint64_t ns)
{
	const struct timespec t = {.tv_nsec = (long)ns};

	nanosleep(&t, NULL);
}

/* ---- the queue ------------------------------------------------------------ */

/* Find pending jobs that are not known here: new ones, those that failed or were
 * evicted, and those whose scheduler died. */
static int find_jobs(struct worker *w, bool *any)
{
	const struct tally_accounts *accounts = tally_view_accounts(w->view);
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_queue_item item = {0};
	struct tally_queue_handle unused;
	uint64_t cursor = 0;
	int err = 0;

	pthread_mutex_lock(&w->s->lock);
	while (!err && !tally_account_next(accounts, &cursor, &item.account)) {
		if (w->s->known[item.account.row] ||
		    number_of(w, item.account, &item.data[0]))
			continue;
		err = tally_limit_find(w->view, item.account, &found);
		if (!err && found.state == TALLY_COMMITTED)
			continue;
		if (err && err != -ENOENT) {
			err = 0; /* gone, or in the middle of a change */
			continue;
		}
		item.priority = cluster_priority(item.data[0]);
		err = tally_queue_push(w->s->queue, now(w->s), &item, &unused);
		w->s->known[item.account.row] = !err;
		*any = true;
	}
	pthread_mutex_unlock(&w->s->lock);
	return err;
}

static int pop(struct scheduler *s, struct job *job)
{
	int err;

	pthread_mutex_lock(&s->lock);
	err = tally_queue_pop(s->queue, now(s), &job->item);
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* Put a job back that could not be placed. *ready: another one is. */
static int back_off(struct scheduler *s, struct job *job, bool *ready)
{
	uint64_t when = UINT64_MAX, t = now(s);
	int err;

	pthread_mutex_lock(&s->lock);
	job->item.not_before = t == THE_END ? UINT64_MAX : t + BACK_OFF_NS;
	err = tally_queue_push(s->queue, t, &job->item, &job->item.handle);
	if (!err)
		err = tally_queue_due(s->queue, &when);
	pthread_mutex_unlock(&s->lock);
	*ready = when <= t;
	return err;
}

/* There is room now, unless another thread has popped it. */
static void try_again(struct scheduler *s, const struct job *job)
{
	pthread_mutex_lock(&s->lock);
	(void)!tally_queue_back_off(s->queue, now(s), job->item.handle, 0);
	pthread_mutex_unlock(&s->lock);
}

static void forget(struct scheduler *s, const struct job *job)
{
	pthread_mutex_lock(&s->lock);
	s->known[job->item.account.row] = false;
	pthread_mutex_unlock(&s->lock);
}

/* ---- threads -------------------------------------------------------------- */

static void say(const struct worker *w, const struct job *job)
{
	const char *name =
		tally_topo_machine(w->s->topo, job->fit.machine)->name;

	printf("job-%" PRIu64 "#%" PRIu64 ": placed on %s/%d\n",
	       job->item.data[0], job->token.generation, name,
	       job->fit.demands[0].node & 0xffff);
}

/* Place the job, or see to it that it is tried again. */
static int handle(struct worker *w, struct job *job)
{
	bool ready;
	int err, why;

	describe(job);
	why = schedule(w, job);
	switch (why) {
	case 0:
		say(w, job);
		/* fall through */
	case -EEXIST: /* another has placed it */
	case -ESTALE: /* it is gone, or our claim: then it is found again */
	case -ESHUTDOWN:
		forget(w->s, job);
		return 0;
	case -ENOSPC:
	case -EDQUOT:
	case -ERANGE: /* no node is so large: capacities may grow */
	case -EBUSY:  /* another decides about it */
	case -EAGAIN:
		err = back_off(w->s, job, &ready);
		if (!err && why == -ENOSPC && !ready && !w->s->ending &&
		    !wait_for_room(w, job, (int64_t)BACK_OFF_NS))
			try_again(w->s, job);
		return err;
	default:
		return why;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct job job;

	while (!w->err) {
		bool ending = w->s->ending, found = false;

		w->err = pop(w->s, &job);
		if (!w->err) {
			w->err = handle(w, &job);
			continue;
		}
		if (w->err != -ENOENT && w->err != -EAGAIN)
			break;
		w->err = find_jobs(w, &found);
		if (ending && !found)
			break;
		if (!found)
			pause_for(LOOK_NS);
	}
	return NULL;
}

static int start(struct worker *w, struct scheduler *s)
{
	int err;

	w->s = s;
	w->ledger = s->ledger;
	err = tally_view_open(s->ledger, &w->view);
	if (!err)
		err = tally_place_create(w->view, s->topo, &w->place);
	if (!err)
		err = tally_place_candidates_create(w->place, &w->candidates);
	return err ? err : -pthread_create(&w->thread, NULL, work, w);
}

static void stop(struct worker *w)
{
	tally_place_candidates_destroy(w->candidates);
	tally_place_destroy(w->place);
	tally_view_close(w->view);
}

static int set_up(struct scheduler *s, const char *path, long nr_jobs)
{
	const struct tally_queue_options options = {.size = sizeof(options),
						    .max_items = MOST_JOBS};
	int err = cluster_topo(&s->topo);

	if (!err)
		err = cluster_open(path, s->topo, &s->ledger);
	if (!err)
		err = cluster_submit(s->ledger, nr_jobs);
	if (!err)
		err = tally_queue_create(&options, &s->queue);
	return err;
}

static void tear_down(struct scheduler *s)
{
	struct tally_queue_item item;

	while (!tally_queue_pop(s->queue, UINT64_MAX, &item))
		printf("job-%" PRIu64 ": pending\n", item.data[0]);
	tally_queue_destroy(s->queue);
	tally_ledger_close(s->ledger);
	tally_topo_close(s->topo);
}

int main(int argc, char **argv)
{
	static struct scheduler s = {.lock = PTHREAD_MUTEX_INITIALIZER};
	static struct worker workers[MOST_THREADS];
	int nr = argc == 4 ? atoi(argv[3]) : 0, err;
	long nr_jobs = argc == 4 ? atol(argv[2]) : 0;

	if (nr < 1 || nr > MOST_THREADS || nr_jobs < 1 || nr_jobs > MOST_JOBS) {
		fprintf(stderr, "usage: scheduler LEDGER JOBS THREADS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	err = set_up(&s, argv[1], nr_jobs);
	for (int i = 0; !err && i < nr; i++)
		err = start(&workers[i], &s);
	if (err) {
		fprintf(stderr, "scheduler: %s\n", tally_strerror(err));
		return 1;
	}
	while (getchar() != EOF)
		;
	s.ending = true;
	for (int i = 0; i < nr; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].err)
			fprintf(stderr, "scheduler: %s\n",
				tally_strerror(workers[i].err));
		err = workers[i].err ? workers[i].err : err;
		stop(&workers[i]);
	}
	tear_down(&s);
	return err != 0;
}
