// SPDX-License-Identifier: MIT
/*
 * Whether a snapshot stands still from its first instant on.
 *
 *	litmus [-x] [-t SECONDS] LEDGER
 *
 * One thread (-x: of this process, else of another) adds, each time right
 * after stores that miss every cache: its next stores, the word in flight and
 * the add itself, reach other CPUs late, while its loads are early. A snapshot
 * that does not wait for these stores changes after it was taken. Ends at the
 * first such snapshot, or after SECONDS; prints
 *
 *	snapshots N
 *	broken N
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
#include <sys/wait.h>
#include <unistd.h>

#include <numatally/ledger_inline.h>
#include <numatally/topo.h>
#include <numatally/view.h>

#include "base/clock.h"

#define COLD_BYTES (UINT64_C(256) << 20)
#define NR_COLD	   24
#define NR_AGAIN   50

static const struct tally_resource adds = {"adds", "", TALLY_COUNTER};
static int *stop;
static char *cold;

static void go_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int die(const char *what, int err)
{
	fprintf(stderr, "litmus: %s: %s\n", what, strerror(-err));
	*stop = 1;
	return 1;
}

static void *add(void *arg)
{
	struct tally_ledger *ledger = arg;
	struct tally_account account;
	uint64_t at = 0;

	go_to(1);
	if (tally_account_open(tally_ledger_accounts(ledger), "a", &account))
		return NULL;
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < NR_COLD; i++) {
			at = at * UINT64_C(6364136223846793005) + 1;
			__atomic_store_n(&cold[(at >> 20) % COLD_BYTES], 1,
					 __ATOMIC_RELAXED);
		}
		if (tally_ledger_inline_add(ledger, account, 0, 1))
			return NULL;
	}
	return NULL;
}

static int add_in_process(const char *path)
{
	struct tally_ledger *ledger;

	if (tally_ledger_open(path, &ledger))
		return 1;
	add(ledger);
	tally_ledger_close(ledger);
	return 0;
}

/* 1: it changed after it was taken. */
static int look(struct tally_ledger *ledger, struct tally_account account)
{
	struct tally_view *view;
	int64_t first, again;
	int err = tally_view_snapshot(ledger, 0, SECOND_NS, &view);
	int broken = 0;

	if (err == -EAGAIN)
		return 0;
	if (err)
		return err;
	err = tally_view_account(view, account, TALLY_VIEW_ALL, &first);
	for (int i = 0; !err && i < NR_AGAIN; i++) {
		err = tally_view_account(view, account, TALLY_VIEW_ALL, &again);
		broken |= first != again;
	}
	tally_view_close(view);
	return err ? err : broken;
}

static int watch(struct tally_ledger *ledger, double seconds)
{
	int64_t end = now_ns() + (int64_t)(seconds * (double)SECOND_NS);
	struct tally_account account;
	uint64_t nr = 0;
	int err = tally_account_open(tally_ledger_accounts(ledger), "a",
				     &account);
	int broken = 0;

	go_to(0);
	while (!err && !broken && now_ns() < end) {
		err = look(ledger, account);
		nr++;
		if (err > 0) {
			broken = 1;
			err = 0;
		}
	}
	*stop = 1;
	if (err)
		return die("snapshot", err);
	printf("snapshots %" PRIu64 "\nbroken %d\n", nr, broken);
	return 0;
}

static int run(struct tally_ledger *ledger, const char *path, bool exclusive,
	       double seconds)
{
	pthread_t thread;
	pid_t pid = -1;
	int ret;

	if (exclusive) {
		if (pthread_create(&thread, NULL, add, ledger))
			return die("pthread_create", -EAGAIN);
	} else {
		pid = fork();
		if (pid < 0)
			return die("fork", -errno);
		if (!pid)
			_exit(add_in_process(path));
	}
	ret = watch(ledger, seconds);
	if (exclusive)
		pthread_join(thread, NULL);
	else
		waitpid(pid, NULL, 0);
	return ret;
}

int main(int argc, char **argv)
{
	struct tally_ledger_options options = {.size = sizeof(options),
					       .max_accounts = 64};
	struct tally_ledger *ledger;
	struct tally_topo *topo;
	double seconds = 1;
	int c, err, ret;

	while ((c = getopt(argc, argv, "t:x")) != -1) {
		if (c == 'x')
			options.exclusive = 1;
		else if (c == 't')
			seconds = atof(optarg);
		else
			return 2;
	}
	if (optind + 1 != argc)
		return 2;
	stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cold = mmap(NULL, COLD_BYTES, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (stop == MAP_FAILED || cold == MAP_FAILED)
		return 1;
	err = tally_topo_open(NULL, &topo);
	if (err)
		return die("topology", err);
	err = tally_ledger_create(argv[optind], topo, &adds, 1, &options,
				  &ledger);
	tally_topo_close(topo);
	if (err)
		return die(argv[optind], err);
	ret = run(ledger, argv[optind], options.exclusive, seconds);
	tally_ledger_close(ledger);
	return ret;
}
