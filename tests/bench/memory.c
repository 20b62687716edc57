// SPDX-License-Identifier: MIT
/*
 * The memory of a ledger's file, as the file system counts it, in whole pages.
 */
#include "config.h"

#include <string.h>

#include "bench.h"
#include "ledgers.h"

#define NR_COLUMNS 8u

static int measure(FILE *to, unsigned int nr_lanes, uint32_t nr_accounts)
{
	const unsigned int touched[] = {1, 4, nr_lanes};
	struct bench_ledger b;
	int64_t empty, before;
	int err = bench_ledger_create(nr_lanes, 1, NR_COLUMNS, &b);

	if (err)
		return err;
	empty = bench_ledger_bytes(&b);
	bench_ledger_destroy(&b);
	err = bench_ledger_create(nr_lanes, nr_accounts, NR_COLUMNS, &b);
	if (err)
		return err;
	before = bench_ledger_bytes(&b);
	fprintf(to, "%7u %12.1f %12.1f", nr_lanes, (double)empty / 1024,
		(double)(before - empty) / nr_accounts);
	for (size_t i = 0; !err && i < sizeof(touched) / sizeof(touched[0]);
	     i++) {
		if (touched[i] > nr_lanes) {
			fprintf(to, " %12s", "");
			continue;
		}
		bench_ledger_destroy(&b);
		err = bench_ledger_create(nr_lanes, nr_accounts, NR_COLUMNS,
					  &b);
		if (!err)
			err = bench_ledger_fill(&b, touched[i]);
		if (!err)
			fprintf(to, " %12.1f",
				(double)(bench_ledger_bytes(&b) - empty) /
					nr_accounts);
	}
	fputc('\n', to);
	bench_ledger_destroy(&b);
	return err;
}

/* Many accounts and lanes, few of which are touched. */
static int measure_large(FILE *to)
{
	const unsigned int nr_lanes = 64, nr_touched = 4;
	uint32_t nr_accounts = bench_options.quick ? 4096 : 1000000;
	double cells = (double)nr_accounts * NR_COLUMNS * 8 * nr_touched;
	struct bench_ledger b;
	int err = bench_ledger_create(nr_lanes, nr_accounts, NR_COLUMNS, &b);

	if (!err)
		err = bench_ledger_fill(&b, nr_touched);
	if (!err) {
		double bytes = (double)bench_ledger_bytes(&b);

		fprintf(to,
			"  %u accounts, %u of %u lanes charged: %.1f MiB, "
			"%.2f x their cells (<= 1.3 x: %s)\n",
			nr_accounts, nr_touched, nr_lanes, bytes / 1048576,
			bytes / cells, bytes <= 1.3 * cells ? "met" : "missed");
	}
	bench_ledger_destroy(&b);
	return err;
}

int bench_memory(FILE *to)
{
	static const unsigned int lanes[] = {2, 64, 512};
	uint32_t nr_accounts = bench_options.quick ? 256 : 4096;
	int err = 0;

	fprintf(to,
		"\nmemory: of a ledger of %u accounts, %u resources, keys of "
		"31 bytes at most\n"
		"  lanes    empty KiB    bytes per account: untouched, charged "
		"on 1 lane, on 4, on all\n",
		nr_accounts, NR_COLUMNS);
	for (size_t i = 0; !err && i < sizeof(lanes) / sizeof(lanes[0]); i++)
		err = measure(to, lanes[i], nr_accounts);
	if (!err)
		err = measure_large(to);
	if (err)
		fprintf(stderr, "bench: memory: %s\n", strerror(-err));
	return err;
}
