/* SPDX-License-Identifier: MIT */
/*
 * Short histories of two to four threads that change and read the same limits.
 * Each is compared with all orders of its calls that their times allow: one
 * order must give every result, refusals included, and what is left. Orders
 * with the same calls and the same state are tried once (Wing and Gong 1993,
 * with Lowe's addition of 2017).
 */
#ifndef TEST_SUPPORT_HISTORY_H
#define TEST_SUPPORT_HISTORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <numatally/limit.h>

#include "support/machine.h"

#define NR_NODES    2
#define NR_ACCOUNTS 3
#define MAX_THREADS 4
#define MAX_CALLS   6 /* of a thread */

/* The state of the sequential model. No padding: it is compared as bytes. */
struct model {
	int32_t capacity[NR_NODES];
	int32_t quota; /* of q/, over all accounts */
	int32_t held[NR_ACCOUNTS][NR_NODES];
	int32_t taken[NR_ACCOUNTS][NR_NODES]; /* without a reservation */
	int32_t state[NR_ACCOUNTS];
	int32_t parent[NR_ACCOUNTS]; /* + 1; 0: drawn from the nodes */
	uint32_t generation[NR_ACCOUNTS];
};

struct call {
	int kind; /* of kinds[] */
	int account, node;
	int32_t amounts[NR_NODES];
	uint32_t generation; /* of the token */
	int parent;
	uint32_t parent_generation;
	/* The result. */
	int err;
	uint32_t got; /* generation */
	int64_t told[2];
	uint64_t from, to; /* when */
};

struct thread;

struct kind {
	const char *name;
	void (*make)(struct thread *t, struct call *c);
	void (*call)(struct thread *t, struct call *c);
	/* Applies the call to the model; whether that gives the recorded
	 * result. */
	bool (*step)(struct model *m, const struct call *c);
};

struct history {
	struct model first;
	int nr_threads;
	int nr[MAX_THREADS];
	struct call calls[MAX_THREADS][MAX_CALLS];
};

struct test {
	const struct kind *kinds;
	unsigned int nr_kinds;
	int scale; /* amounts of reservations and limits */
	struct tally_ledger *ledger;
	struct tally_account accounts[NR_ACCOUNTS], quota;
	struct history history;
	pthread_barrier_t barrier;
	uint64_t clock;
	uint32_t latest[NR_ACCOUNTS];	       /* generations */
	int32_t theirs[NR_ACCOUNTS][NR_NODES]; /* taken for sure */
	struct tally_credit credits[NR_ACCOUNTS][NR_NODES];
	int nr_here;
	bool ends;
};

struct thread {
	struct test *test;
	struct tally_view *view;
	int number;
	unsigned int seed;
};

static inline unsigned int some(struct thread *t, unsigned int n)
{
	return (unsigned int)rand_r(&t->seed) % n;
}

struct checker;

/* Fails if no order gives the history; else returns the state at its end. */
struct checker *history_checker(const struct kind *kinds);
const struct model *history_check(struct checker *checker,
				  const struct history *history);
uint64_t history_nr_states(const struct checker *checker);
void history_free(struct checker *checker);

/* Starts a thread that records histories, each between two waits at the
 * barrier, until test->ends. */
void *history_run(void *thread);

/* How many calls ran beside another. */
unsigned int history_nr_overlaps(const struct history *history);

#endif
