// SPDX-License-Identifier: MIT
/*
 * Snapshots beside writers that never stop.
 *
 *	steady [-a | -f] [-x] [-t SECONDS] [-s SLICE_MS] [-i INTERVAL_US] [-w TURNS]
 *		LEDGER
 *
 * Makes the ledger, to which two processes write (-x: one exclusively), each
 * with a thread on every CPU, and two that hop. All of them move amounts from
 * one account to another. Besides, for each n one thread adds its n-th "first"
 * before another thread, in the other process if there is one, adds its n-th
 * "second".
 *
 * With -f the second process has no membarrier(2); with -a it opens the ledger as
 * one that adds seldom. Between charges a thread
 * loops TURNS times: a thread that only charges is nearly always preempted
 * inside a charge, and then every snapshot waits for its next time slice.
 *
 * Every other slice of time a snapshot is taken every INTERVAL_US, and must
 * hold that nothing was made or lost, and no second without its first. Prints
 *
 *	snapshots N
 *	broken N
 *	late N			snapshots that were -EAGAIN
 *	charges N		of all writers
 *	difference N		between their sum and the ledger's
 *	without N		charges in a second, the median of the slices
 *	with N			the same beside snapshots
 *	taking_ns N		a snapshot, the median
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numatally/ledger_inline.h>
#include <numatally/topo.h>
#include <numatally/view.h>

#include "base/clock.h"
#include "support/refusal.h"

#define MAX_WRITERS  128
#define NR_ACCOUNTS  256
#define NR_HOPPERS   2
#define MAX_SLICES   1024
#define MAX_TAKEN    (1 << 18)
#define ADDS_PER_HOP 1000

enum { GIVEN, CHARGES, FIRST, SECOND_OF, NR_RESOURCES };

static const struct tally_resource resources[] = {
	[GIVEN] = {"given", "", TALLY_GAUGE},
	[CHARGES] = {"charges", "", TALLY_COUNTER},
	[FIRST] = {"first", "", TALLY_COUNTER},
	[SECOND_OF] = {"second", "", TALLY_COUNTER},
};

/* Shared by both processes. */
struct shared {
	int stop;
	int failed;
	uint64_t nr_firsts __attribute__((aligned(64)));
	struct {
		uint64_t nr;
		uint64_t pad[7];
	} writers[MAX_WRITERS] __attribute__((aligned(64)));
};

static struct shared *shared;
static unsigned int nr_cpus;
static bool exclusive, refused, few_adds;
static long nr_turns;

struct writer {
	struct tally_ledger *ledger;
	const struct tally_account *accounts;
	unsigned int index;
	unsigned int cpu;
	bool hops;
};

static void sleep_ns(int64_t ns)
{
	const struct timespec t = {
		.tv_sec = ns / SECOND_NS,
		.tv_nsec = ns % SECOND_NS,
	};

	nanosleep(&t, NULL);
}

static bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
}

static void fail(const char *what, int err)
{
	fprintf(stderr, "steady: %s: %s\n", what, strerror(-err));
	__atomic_store_n(&shared->failed, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
}

static void go_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % nr_cpus, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* In one store if possible; else as a charge of two accounts. */
static int charge(const struct writer *w, uint64_t n)
{
	struct tally_account from = w->accounts[n * 7 % NR_ACCOUNTS];
	struct tally_account to = w->accounts[(n * 13 + 1) % NR_ACCOUNTS];
	const struct tally_entry entries[] = {
		{from, TALLY_NODE_LOCAL, GIVEN, -3},
		{to, TALLY_NODE_LOCAL, GIVEN, 3},
		{to, TALLY_NODE_LOCAL, CHARGES, 1},
	};

	if (n % 8)
		return tally_ledger_inline_add(w->ledger, to, CHARGES, 1);
	return tally_ledger_post(w->ledger, entries, 3);
}

static void *write_steadily(void *arg)
{
	struct writer *w = arg;
	uint64_t *nr = &shared->writers[w->index].nr;

	go_to(w->cpu);
	for (uint64_t n = 0; !stopped(); n++) {
		int err = charge(w, n);

		if (err) {
			fail("charge", err);
			break;
		}
		__atomic_store_n(nr, n + 1, __ATOMIC_RELAXED);
		for (long i = 0; i < nr_turns; i++)
			__asm__ volatile("" ::: "memory");
		if (w->hops && n % ADDS_PER_HOP == 0)
			go_to(w->cpu + (unsigned int)(n / ADDS_PER_HOP));
	}
	return NULL;
}

static void *add_firsts(void *arg)
{
	const struct writer *w = arg;

	while (!stopped()) {
		int err = tally_ledger_inline_add(w->ledger, w->accounts[0],
						  FIRST, 1);

		if (err)
			fail("first", err);
		__atomic_fetch_add(&shared->nr_firsts, 1, __ATOMIC_RELEASE);
		sleep_ns(20000);
	}
	return NULL;
}

static void *add_seconds(void *arg)
{
	const struct writer *w = arg;
	uint64_t n = 0;

	while (!stopped()) {
		int err = 0;

		while (n < __atomic_load_n(&shared->nr_firsts,
					   __ATOMIC_ACQUIRE) &&
		       !err) {
			err = tally_ledger_inline_add(w->ledger, w->accounts[1],
						      SECOND_OF, 1);
			n++;
		}
		if (err)
			fail("second", err);
		sched_yield();
	}
	return NULL;
}

/* The writers of one process. */
struct crew {
	struct tally_account accounts[NR_ACCOUNTS];
	struct writer writers[MAX_WRITERS];
	pthread_t threads[MAX_WRITERS];
	unsigned int nr;
};

static int start(struct crew *c, struct tally_ledger *ledger, unsigned int cpu,
		 unsigned int index, void *(*run)(void *))
{
	struct writer *w = &c->writers[c->nr];
	int err;

	*w = (struct writer){
		.ledger = ledger,
		.accounts = c->accounts,
		.index = index,
		.cpu = cpu,
		.hops = cpu >= nr_cpus,
	};
	err = pthread_create(&c->threads[c->nr], NULL, run, w);
	if (err) {
		fail("pthread_create", -err);
		return -err;
	}
	c->nr++;
	return 0;
}

static int open_accounts(struct crew *c, struct tally_ledger *ledger)
{
	for (int i = 0; i < NR_ACCOUNTS; i++) {
		char key[16];
		int err;

		snprintf(key, sizeof(key), "a%d", i);
		err = tally_account_open(tally_ledger_accounts(ledger), key,
					 &c->accounts[i]);
		if (err) {
			fail(key, err);
			return err;
		}
	}
	return 0;
}

/* which: 0 or 1, the first or second process. */
static struct crew *start_crew(struct tally_ledger *ledger, unsigned int which)
{
	struct crew *c = calloc(1, sizeof(*c));
	unsigned int each = nr_cpus + NR_HOPPERS;
	int err = c ? open_accounts(c, ledger) : -ENOMEM;

	for (unsigned int i = 0; !err && i < each; i++)
		err = start(c, ledger, i, which * each + i, write_steadily);
	if (!err && which == 0)
		err = start(c, ledger, 0, 0, add_firsts);
	if (!err && (which == 1 || exclusive))
		start(c, ledger, 0, 0, add_seconds);
	return c;
}

static void end_crew(struct crew *c)
{
	for (unsigned int i = 0; c && i < c->nr; i++)
		pthread_join(c->threads[i], NULL);
	free(c);
}

static int open_for_few_adds(const char *path, struct tally_ledger **ledger)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .few_adds = 1};
	struct tally_topo *topo;
	int err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	err = tally_ledger_open_or_create(path, topo, resources, NR_RESOURCES,
					  &options, ledger, NULL);
	tally_topo_close(topo);
	return err;
}

static int run_second_process(const char *path)
{
	const int membarrier = SYS_membarrier;
	struct tally_ledger *ledger;
	int err = 0;

	if (refused)
		err = refusal_start(&membarrier, 1, EPERM);
	if (!err)
		err = few_adds ? open_for_few_adds(path, &ledger)
			       : tally_ledger_open(path, &ledger);
	if (err) {
		fail(path, err);
		return 1;
	}
	end_crew(start_crew(ledger, 1));
	tally_ledger_close(ledger);
	return 0;
}

static uint64_t nr_charges(void)
{
	uint64_t nr = 0;

	for (int i = 0; i < MAX_WRITERS; i++)
		nr += __atomic_load_n(&shared->writers[i].nr, __ATOMIC_RELAXED);
	return nr;
}

struct results {
	uint64_t nr_snapshots, nr_broken, nr_late;
	int64_t rates[2][MAX_SLICES]; /* [with snapshots] */
	unsigned int nr_slices[2];
	int64_t taken_ns[MAX_TAKEN];
	unsigned int nr_taken;
};

static void check(const struct tally_view *view, struct results *r)
{
	int64_t amounts[NR_RESOURCES];
	int err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);

	if (err) {
		fail("totals", err);
	} else if (amounts[GIVEN] || amounts[SECOND_OF] > amounts[FIRST]) {
		fprintf(stderr,
			"steady: given %" PRId64 ", first %" PRId64
			", second %" PRId64 "\n",
			amounts[GIVEN], amounts[FIRST], amounts[SECOND_OF]);
		r->nr_broken++;
	}
	r->nr_snapshots++;
}

static void take(struct tally_ledger *ledger, struct results *r)
{
	struct tally_view *view;
	int64_t began = now_ns();
	int err = tally_view_snapshot(ledger, 0, 10 * SECOND_NS, &view);

	if (err == -EAGAIN) {
		r->nr_late++;
		return;
	}
	if (err) {
		fail("snapshot", err);
		return;
	}
	if (r->nr_taken < MAX_TAKEN)
		r->taken_ns[r->nr_taken++] = now_ns() - began;
	check(view, r);
	tally_view_close(view);
}

static void run_slice(struct tally_ledger *ledger, int64_t slice_ns,
		      int64_t interval_ns, struct results *r)
{
	int64_t began = now_ns(), next = began;
	uint64_t before = nr_charges();
	unsigned int with = interval_ns != 0;

	while (with && now_ns() < began + slice_ns && !stopped()) {
		take(ledger, r);
		next += interval_ns;
		if (next > now_ns())
			sleep_ns(next - now_ns());
		else
			next = now_ns();
	}
	if (!with)
		sleep_ns(slice_ns);
	r->rates[with][r->nr_slices[with]++] =
		(int64_t)((double)(nr_charges() - before) * 1e9 /
			  (double)(now_ns() - began));
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(int64_t *values, unsigned int nr)
{
	if (!nr)
		return 0;
	qsort(values, nr, sizeof(*values), compare);
	return values[nr / 2];
}

static void report(struct tally_ledger *ledger, struct results *r)
{
	int64_t amounts[NR_RESOURCES] = {0};
	struct tally_view *view;

	if (!tally_view_open(ledger, &view)) {
		if (tally_view_totals(view, TALLY_VIEW_ALL, amounts))
			fail("totals", -EBADMSG);
		tally_view_close(view);
	}
	printf("snapshots %" PRIu64 "\nbroken %" PRIu64 "\nlate %" PRIu64 "\n",
	       r->nr_snapshots, r->nr_broken, r->nr_late);
	printf("charges %" PRIu64 "\ndifference %" PRId64 "\n", nr_charges(),
	       amounts[CHARGES] - (int64_t)nr_charges() + amounts[GIVEN]);
	printf("without %" PRId64 "\nwith %" PRId64 "\n",
	       median(r->rates[0], r->nr_slices[0]),
	       median(r->rates[1], r->nr_slices[1]));
	printf("taking_ns %" PRId64 "\n", median(r->taken_ns, r->nr_taken));
}

static int make(const char *path, struct tally_ledger **ledger)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = NR_ACCOUNTS + 16,
		.exclusive = exclusive,
	};
	struct tally_topo *topo;
	int err = tally_topo_open(NULL, &topo);

	if (err)
		return err;
	err = tally_ledger_create(path, topo, resources, NR_RESOURCES, &options,
				  ledger);
	nr_cpus = tally_topo_nr_cpus(topo);
	if (2 * (nr_cpus + NR_HOPPERS) > MAX_WRITERS)
		nr_cpus = MAX_WRITERS / 2 - NR_HOPPERS;
	tally_topo_close(topo);
	return err;
}

static int run(const char *path, double seconds, int64_t slice_ns,
	       int64_t interval_ns, struct results *r)
{
	struct tally_ledger *ledger;
	struct crew *crew;
	int64_t end;
	pid_t pid = -1;
	int err = make(path, &ledger);

	if (err) {
		fail(path, err);
		return 1;
	}
	if (!exclusive)
		pid = fork();
	if (!pid)
		_exit(run_second_process(path));
	crew = start_crew(ledger, 0);
	end = now_ns() + (int64_t)(seconds * (double)SECOND_NS);
	for (unsigned int i = 0;
	     now_ns() < end && !stopped() && r->nr_slices[1] < MAX_SLICES; i++)
		run_slice(ledger, slice_ns, i % 2 ? interval_ns : 0, r);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	end_crew(crew);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	report(ledger, r);
	tally_ledger_close(ledger);
	return shared->failed;
}

int main(int argc, char **argv)
{
	static struct results results;
	int64_t slice_ms = 250, interval_us = 1000;
	double seconds = 2;
	int c;

	while ((c = getopt(argc, argv, "afi:s:t:w:x")) != -1) {
		if (c == 'a')
			few_adds = true;
		else if (c == 'f')
			refused = true;
		else if (c == 'x')
			exclusive = true;
		else if (c == 'i')
			interval_us = atol(optarg);
		else if (c == 's')
			slice_ms = atol(optarg);
		else if (c == 'w')
			nr_turns = atol(optarg);
		else if (c == 't')
			seconds = atof(optarg);
		else
			return 2;
	}
	if (optind + 1 != argc || slice_ms < 1 || interval_us < 1)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return run(argv[optind], seconds, slice_ms * 1000000,
		   interval_us * 1000, &results);
}
