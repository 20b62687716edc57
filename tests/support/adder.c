// SPDX-License-Identifier: MIT
/*
 * Adds to a ledger from threads that hop over all CPUs.
 *
 *	adder [-c] [-t THREADS] [-n ADDS] [-k KEY] LEDGER
 *
 * -c makes the ledger (over this machine's topology) and leaves it; without it
 * the ledger must exist. ADDS adds of 1 in all, to resource "adds". Prints
 * the ledger's total afterwards.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/ledger.h>
#include <numatally/topo.h>
#include <numatally/view.h>

#define MAX_THREADS  64
#define ADDS_PER_HOP 1000

struct adder {
	struct tally_ledger *ledger;
	struct tally_account account;
	unsigned int nr_cpus;
	unsigned int cpu;
	long nr_adds;
	int err;
};

static void hop(struct adder *a)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(a->cpu++ % a->nr_cpus, &set);
	/*
	 * Pinning to an offline CPU fails; then the thread stays where it is.
	 */
	sched_setaffinity(0, sizeof(set), &set);
}

static void *add(void *arg)
{
	struct adder *a = arg;

	for (long i = 0; i < a->nr_adds && !a->err; i++) {
		if (i % ADDS_PER_HOP == 0)
			hop(a);
		a->err = tally_ledger_add(a->ledger, a->account, 0, 1);
	}
	return NULL;
}

static int die(const char *what, int err)
{
	fprintf(stderr, "adder: %s: %s\n", what, strerror(-err));
	return 1;
}

static int print_total(struct tally_ledger *ledger)
{
	struct tally_view *view;
	int64_t total;
	int err = tally_view_open(ledger, &view);

	if (err)
		return die("view", err);
	err = tally_view_totals(view, TALLY_VIEW_ALL, &total);
	tally_view_close(view);
	if (err)
		return die("totals", err);
	printf("%" PRId64 "\n", total);
	return 0;
}

static int run(struct tally_ledger *ledger, struct tally_account account,
	       unsigned int nr_cpus, unsigned int nr_threads, long nr_adds)
{
	struct adder adders[MAX_THREADS];
	pthread_t threads[MAX_THREADS];

	for (unsigned int i = 0; i < nr_threads; i++) {
		adders[i] = (struct adder){
			.ledger = ledger,
			.account = account,
			.nr_cpus = nr_cpus,
			.cpu = i,
			.nr_adds = nr_adds / (long)nr_threads +
				   (i < nr_adds % (long)nr_threads),
		};
		if (pthread_create(&threads[i], NULL, add, &adders[i]))
			return die("pthread_create", -1);
	}
	for (unsigned int i = 0; i < nr_threads; i++) {
		pthread_join(threads[i], NULL);
		if (adders[i].err)
			return die("add", adders[i].err);
	}
	return print_total(ledger);
}

int main(int argc, char **argv)
{
	static const struct tally_resource adds = {"adds", "", TALLY_COUNTER};
	unsigned int nr_threads = 1;
	const char *key = "adder";
	struct tally_account account;
	struct tally_ledger *ledger;
	struct tally_topo *topo;
	long nr_adds = 1000000;
	int c, err, create = 0;
	char path[4096];

	while ((c = getopt(argc, argv, "ck:n:t:")) != -1) {
		if (c == 'c')
			create = 1;
		else if (c == 'k')
			key = optarg;
		else if (c == 'n')
			nr_adds = atol(optarg);
		else if (c == 't')
			nr_threads = (unsigned int)atoi(optarg);
		else
			return 2;
	}
	if (optind + 1 != argc || nr_threads < 1 || nr_threads > MAX_THREADS)
		return 2;
	err = tally_ledger_path(argv[optind], path, sizeof(path));
	if (err)
		return die(argv[optind], err);
	err = tally_topo_open(NULL, &topo);
	if (err)
		return die("topology", err);
	if (create && !strchr(argv[optind], '/'))
		err = tally_ledger_make_dir();
	if (err)
		return die("directory", err);
	err = create ? tally_ledger_create(path, topo, &adds, 1, NULL, &ledger)
		     : tally_ledger_open(path, &ledger);
	if (err)
		return die(path, err);
	err = tally_account_open(tally_ledger_accounts(ledger), key, &account);
	if (err)
		return die(key, err);
	err = run(ledger, account, tally_topo_nr_cpus(topo), nr_threads,
		  nr_adds);
	tally_ledger_close(ledger);
	tally_topo_close(topo);
	return err;
}
