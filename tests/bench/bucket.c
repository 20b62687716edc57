// SPDX-License-Identifier: MIT
/* A bucket's first touch: a header laid over populated memory, or a ledger's
 * first add, beside malloc(). */
#include "config.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/region.h>
#include <numatally/slice.h>

#include "bench.h"
#include "ledgers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ROWS	     64u
#define ROW_BYTES    64u
#define BUCKET_BYTES (ROWS * ROW_BYTES)
#define NR_BUCKETS   1024u
#define NR_TOUCHED   32u /* of a ledger made anew for each round */

static struct tally_region region;
static struct tally_slice headers[NR_BUCKETS];
static void *blocks[NR_BUCKETS];
static struct bench_ledger ledger;

static int set_up(void)
{
	int err = tally_region_create((size_t)NR_BUCKETS * BUCKET_BYTES, -1,
				      &region);

	tally_slice_set_checked(false);
	/* Freed memory stays with the process. */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	return err ? err : tally_region_populate(&region, 0, region.bytes);
}

static void free_blocks(void *arg, uint64_t nr)
{
	(void)arg;
	(void)nr;
	for (size_t i = 0; i < NR_BUCKETS; i++) {
		free(blocks[i]);
		blocks[i] = NULL;
	}
}

static void tear_down(void)
{
	free_blocks(NULL, 0);
	tally_region_destroy(&region);
	bench_ledger_destroy(&ledger);
}

static void clear_headers(void *arg, uint64_t nr)
{
	(void)arg;
	(void)nr;
	memset(headers, 0, sizeof(headers));
}

static void fresh_ledger(void *arg, uint64_t nr)
{
	(void)arg;
	(void)nr;
	bench_ledger_destroy(&ledger);
	if (bench_ledger_create(0, ROWS * NR_TOUCHED, 8, &ledger))
		abort();
}

BENCH_LOOP void lay(void *arg, uint64_t nr)
{
	uint64_t base = (uintptr_t)region.base;

	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_slice *s = &headers[i];

		if (tally_slice_len(s) == 0)
			tally_slice_lay(s, base + i * BUCKET_BYTES, ROWS, ROWS);
	}
}
BENCH_ALIGN(lay)

BENCH_LOOP void keep(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		blocks[i] = malloc(BUCKET_BYTES);
}
BENCH_ALIGN(keep)

BENCH_LOOP void keep_zeroed(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		blocks[i] = calloc(1, BUCKET_BYTES);
}
BENCH_ALIGN(keep_zeroed)

BENCH_LOOP void allot(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		void *p = malloc(BUCKET_BYTES);

		bench_used(p);
		free(p);
	}
}
BENCH_ALIGN(allot)

BENCH_LOOP void touch(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		(void)!tally_ledger_add(ledger.ledger,
					ledger.accounts[i * ROWS], 0, 1);
}
BENCH_ALIGN(touch)

static const struct bench_contender contenders[] = {
	{.name = "malloc and free of one block",
	 .loops = &allot_loops,
	 .alone = true},
	{.name = "malloc, of blocks freed before",
	 .loops = &keep_loops,
	 .before = free_blocks,
	 .max_nr = NR_BUCKETS},
	{.name = "calloc, of blocks freed before",
	 .loops = &keep_zeroed_loops,
	 .before = free_blocks,
	 .max_nr = NR_BUCKETS},
	{.name = "numatally: header over memory that is there",
	 .kind = BENCH_OURS,
	 .loops = &lay_loops,
	 .before = clear_headers,
	 .max_nr = NR_BUCKETS,
	 .row = "bucket from memory that is there",
	 .target_ns = 1},
	{.name = "numatally: a ledger's first add",
	 .kind = BENCH_OURS,
	 .loops = &touch_loops,
	 .before = fresh_ledger,
	 .max_nr = NR_TOUCHED},
};

const struct bench_group bench_bucket_groups[] = {
	{.name = "bucket",
	 .title = "A bucket of 4 KiB, on first touch",
	 .unit = "bucket",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down},
};
const size_t bench_nr_bucket_groups = COUNT(bench_bucket_groups);
