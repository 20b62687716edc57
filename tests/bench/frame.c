// SPDX-License-Identifier: MIT
/*
 * Timing. In every round each contender runs once at each alignment, so that a
 * disturbance hits all of them alike; a round is too short for most
 * interruptions, and medians leave out the rest.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define PATIENCE_NS 10e6

struct bench_options bench_options = {
	.rounds = 41,
	.round_ns = 50e3,
	.nr_threads = 2,
	.cpus = {-1, -1},
};

/* A long round is usually interrupted on a busy machine, so its CPU time
 * counts. For a short one reading that clock takes too long. */
static bool large;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(large ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *one, const void *two)
{
	double a = *(const double *)one;
	double b = *(const double *)two;

	return (a > b) - (a < b);
}

static double median(double *of, size_t nr)
{
	qsort(of, nr, sizeof(*of), ascending);
	return nr % 2 ? of[nr / 2] : (of[nr / 2 - 1] + of[nr / 2]) / 2;
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * The second thread. It runs the loop of its order until the order changes. It
 * lives as long as a group, because threads keep pointers into the group's
 * memory.
 */
enum state { IDLE, RUNNING, STOPPING, ENDING };

static struct {
	pthread_t thread;
	enum state state;
	bench_loop loop;
	void *arg;
	uint64_t nr;
	unsigned int turns; /* since the order */
} second;

static enum state second_state(void)
{
	return __atomic_load_n(&second.state, __ATOMIC_ACQUIRE);
}

static void set_second(enum state state)
{
	__atomic_store_n(&second.state, state, __ATOMIC_RELEASE);
}

static void *second_main(void *arg)
{
	pin(bench_options.cpus[1]);
	for (;;) {
		switch (second_state()) {
		case IDLE:
			sched_yield();
			break;
		case RUNNING:
			second.loop(second.arg, second.nr);
			__atomic_fetch_add(&second.turns, 1, __ATOMIC_RELEASE);
			break;
		case STOPPING:
			set_second(IDLE);
			break;
		case ENDING:
			return arg;
		}
	}
}

static void order(bench_loop loop, void *arg, uint64_t nr)
{
	second.loop = loop;
	second.arg = arg;
	/* In small portions, to stop soon. */
	second.nr = nr / 8 + 1;
	second.turns = 0;
	set_second(RUNNING);
	while (!__atomic_load_n(&second.turns, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void withdraw(void)
{
	set_second(STOPPING);
	while (second_state() != IDLE)
		sched_yield();
}

/* The group's rounds; fewer with the second thread, which takes time to start
 * and stop. */
static unsigned int nr_rounds(void)
{
	return large ? (bench_options.rounds + 3) / 4 : bench_options.rounds;
}

static unsigned int nr_pairs(void)
{
	return (nr_rounds() + 3) / 4;
}

static double round_ns(void)
{
	return bench_options.round_ns * (large ? 20 : 1);
}

/* A contender, while its group runs. */
struct runner {
	const struct bench_contender *c;
	struct bench_result *result;
	void *args[BENCH_MAX_THREADS];
	void *company_arg;
	uint64_t nr;
	double *samples; /* [alignment][round] */
	double *pairs;	 /* the same, two threads at it */
};

static double scale(const struct bench_contender *c)
{
	return c->scale > 0 ? c->scale : 1;
}

static double time_round(const struct runner *r, unsigned int at, uint64_t nr)
{
	double start, ns;

	if (r->c->before)
		r->c->before(r->args[0], nr);
	if (large)
		r->c->loops->at[at](r->args[0], nr);
	start = now_ns();
	r->c->loops->at[at](r->args[0], nr);
	ns = now_ns() - start;
	return ns / ((double)nr * scale(r->c));
}

/* The least of a few: it was not interrupted. */
static double time_least(const struct runner *r, uint64_t nr)
{
	double least = time_round(r, 0, nr);

	for (int i = 0; i < 4; i++) {
		double ns = time_round(r, 0, nr);

		least = ns < least ? ns : least;
	}
	return least * scale(r->c) * (double)nr;
}

/* As many turns as fill a round. */
static void calibrate(struct runner *r)
{
	uint64_t max = r->c->max_nr ? r->c->max_nr : UINT64_MAX / 4;
	uint64_t nr = 1;

	for (;;) {
		double ns = time_least(r, nr);

		if (ns >= round_ns() / 4) {
			double fit = (double)nr * round_ns() / ns;

			nr = fit < 1 ? 1 : (uint64_t)fit;
			break;
		}
		if (nr >= max)
			break;
		nr *= 2;
	}
	r->nr = nr < max ? nr : max;
}

static bool has_pair(const struct runner *r)
{
	return bench_options.nr_threads > 1 && !r->c->alone &&
	       (!r->c->before || r->c->company);
}

/* A round in which the second thread ran as well, if possible: on a busy
 * machine another process may have its CPU. */
static double time_met(const struct runner *r, unsigned int at)
{
	bool is_long = r->c->pair_rounds && !bench_options.quick;
	uint64_t nr = r->nr * (is_long ? r->c->pair_rounds : 1);
	double start = now_ns();
	double ns;

	do {
		unsigned int turns =
			__atomic_load_n(&second.turns, __ATOMIC_ACQUIRE);

		ns = time_round(r, at, nr);
		if (__atomic_load_n(&second.turns, __ATOMIC_ACQUIRE) - turns >=
		    2)
			break;
	} while (now_ns() - start < PATIENCE_NS && !bench_options.quick);
	return ns;
}

/* One round at each alignment while the second thread runs. */
static void time_pair(struct runner *r, unsigned int round)
{
	const struct bench_loops *loops = r->c->company ? r->c->company
							: r->c->loops;

	order(loops->at[round % BENCH_NR_ALIGNMENTS],
	      r->c->company ? r->company_arg : r->args[1], r->nr);
	for (unsigned int at = 0; at < BENCH_NR_ALIGNMENTS; at++)
		r->pairs[at * nr_pairs() + round] = time_met(r, at);
	withdraw();
}

static void conclude(struct runner *r)
{
	double medians[BENCH_NR_ALIGNMENTS], pairs[BENCH_NR_ALIGNMENTS];
	unsigned int rounds = nr_rounds();

	for (unsigned int at = 0; at < BENCH_NR_ALIGNMENTS; at++) {
		medians[at] = median(&r->samples[at * rounds], rounds);
		pairs[at] = median(&r->pairs[at * nr_pairs()], nr_pairs());
	}
	r->result->ns = median(medians, BENCH_NR_ALIGNMENTS);
	r->result->least_ns = medians[0];
	r->result->most_ns = medians[BENCH_NR_ALIGNMENTS - 1];
	if (has_pair(r))
		r->result->pair_ns = median(pairs, BENCH_NR_ALIGNMENTS);
}

static int start(struct runner *r, const struct bench_group *group,
		 const struct bench_contender *c, struct bench_result *result)
{
	size_t nr = (size_t)nr_rounds() * BENCH_NR_ALIGNMENTS;

	memset(result, 0, sizeof(*result));
	r->c = c;
	r->result = result;
	result->missing = group->missing ? group->missing(c) : NULL;
	if (result->missing)
		return 0;
	for (unsigned int t = 0; c->arg && t < bench_options.nr_threads; t++)
		r->args[t] = c->arg(t);
	if (c->company_arg)
		r->company_arg = c->company_arg(1);
	r->samples = calloc(nr, sizeof(*r->samples));
	r->pairs = calloc(nr, sizeof(*r->pairs));
	return r->samples && r->pairs ? 0 : -ENOMEM;
}

static void compete(struct runner *runners, size_t nr)
{
	unsigned int rounds = nr_rounds();

	for (size_t i = 0; i < nr; i++)
		if (!runners[i].result->missing)
			calibrate(&runners[i]);
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int at = 0; at < BENCH_NR_ALIGNMENTS; at++)
			for (size_t i = 0; i < nr; i++)
				if (!runners[i].result->missing)
					runners[i].samples[at * rounds + round] =
						time_round(&runners[i], at,
							   runners[i].nr);
		for (size_t i = 0; round % 4 == 0 && i < nr; i++)
			if (!runners[i].result->missing &&
			    has_pair(&runners[i]))
				time_pair(&runners[i], round / 4);
	}
	for (size_t i = 0; i < nr; i++)
		if (!runners[i].result->missing)
			conclude(&runners[i]);
}

int bench_run(const struct bench_group *group, struct bench_result *results)
{
	size_t nr = group->nr_contenders;
	struct runner *runners = calloc(nr, sizeof(*runners));
	int err = runners ? 0 : -ENOMEM;

	large = group->large;
	pin(bench_options.cpus[0]);
	if (!err && group->setup)
		err = group->setup();
	if (err)
		goto out;
	for (size_t i = 0; !err && i < nr; i++)
		err = start(&runners[i], group, &group->contenders[i],
			    &results[i]);
	if (!err && bench_options.nr_threads > 1) {
		set_second(IDLE);
		err = -pthread_create(&second.thread, NULL, second_main, NULL);
	}
	if (!err) {
		compete(runners, nr);
		if (bench_options.nr_threads > 1) {
			set_second(ENDING);
			pthread_join(second.thread, NULL);
		}
	}
	for (size_t i = 0; i < nr; i++) {
		free(runners[i].samples);
		free(runners[i].pairs);
	}
	if (group->teardown)
		group->teardown();
out:
	free(runners);
	return err;
}

int bench_turn(const struct bench_group *group, uint64_t nr)
{
	int err = group->setup ? group->setup() : 0;

	if (err)
		return err;
	for (size_t i = 0; i < group->nr_contenders; i++) {
		const struct bench_contender *c = &group->contenders[i];
		uint64_t turns = c->max_nr && c->max_nr < nr ? c->max_nr : nr;
		void *arg;

		if (group->missing && group->missing(c))
			continue;
		arg = c->arg ? c->arg(0) : NULL;
		/* What is done only once is done by another of its loops. */
		if (c->before)
			c->before(arg, turns);
		c->loops->at[1](arg, turns);
		if (c->before)
			c->before(arg, turns);
		c->loops->at[0](arg, turns);
		printf("%s_at0\t%s\t%s\t%.0f\n", c->loops->name, group->name,
		       c->name, (double)turns * scale(c));
	}
	if (group->teardown)
		group->teardown();
	return 0;
}

size_t bench_base(const struct bench_group *group,
		  const struct bench_contender *contender)
{
	for (size_t i = 0; contender->base && i < group->nr_contenders; i++)
		if (!strcmp(group->contenders[i].name, contender->base))
			return i;
	return 0;
}
