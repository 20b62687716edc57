// SPDX-License-Identifier: MIT
/* Reading one account over 64 lanes, and a whole ledger over 8: its totals, and
 * each amount. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <numatally/view.h>

#include "bench.h"
#include "ledgers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_COLUMNS   8u
#define SUM_LANES    64u
#define SUM_ACCOUNTS 64u
#define TOTALS_LANES 8u
#define TOTALS_CELLS (1u << 20)
#define LINE_WORDS   8u
#define STRIDE_WORDS 512u /* 4 KiB */

static struct bench_ledger ledger;
static struct tally_view *view;
static int64_t *words; /* a bare loop reads as many bytes */
static size_t words_bytes;

static int set_up(unsigned int nr_lanes, uint32_t nr_accounts, size_t bytes)
{
	int err =
		bench_ledger_create(nr_lanes, nr_accounts, NR_COLUMNS, &ledger);

	if (err)
		return err;
	err = bench_ledger_fill(&ledger, nr_lanes);
	if (!err)
		err = tally_view_open(ledger.ledger, &view);
	if (err)
		return err;
	words_bytes = bytes;
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (words == MAP_FAILED) {
		words = NULL;
		return -errno;
	}
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = 1;
	return 0;
}

static void tear_down(void)
{
	tally_view_close(view);
	view = NULL;
	bench_ledger_destroy(&ledger);
	if (words)
		munmap(words, words_bytes);
	words = NULL;
}

static uint32_t totals_accounts(void)
{
	return (bench_options.quick ? 1u << 14 : TOTALS_CELLS) / NR_COLUMNS;
}

static int set_up_sum(void)
{
	return set_up(SUM_LANES, SUM_ACCOUNTS,
		      (STRIDE_WORDS + LINE_WORDS) * SUM_LANES * sizeof(*words));
}

static int set_up_totals(void)
{
	return set_up(TOTALS_LANES, totals_accounts(),
		      (size_t)totals_accounts() * NR_COLUMNS * TOTALS_LANES *
			      sizeof(*words));
}

/* The cell of one resource, or the row, of one account in each lane. */
BENCH_LOOP void sum_cells(uint64_t nr, size_t stride)
{
	for (uint64_t i = 0; i < nr; i++) {
		int64_t sum = 0;

		for (size_t lane = 0; lane < SUM_LANES; lane++)
			sum += __atomic_load_n(&words[lane * stride],
					       __ATOMIC_RELAXED);
		bench_used(sum);
	}
}

BENCH_LOOP void sum_staggered(void *arg, uint64_t nr)
{
	(void)arg;
	sum_cells(nr, STRIDE_WORDS + LINE_WORDS);
}
BENCH_ALIGN(sum_staggered)

BENCH_LOOP void sum_colliding(void *arg, uint64_t nr)
{
	(void)arg;
	sum_cells(nr, STRIDE_WORDS);
}
BENCH_ALIGN(sum_colliding)

BENCH_LOOP void sum_ours(void *arg, uint64_t nr)
{
	int64_t amounts[NR_COLUMNS];

	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		(void)!tally_view_account(view, ledger.accounts[7],
					  TALLY_VIEW_ALL, amounts);
		bench_used(amounts[0]);
	}
}
BENCH_ALIGN(sum_ours)

static const struct bench_contender sum_contenders[] = {
	{.name = "loop over 64 cells, 4,096 + 64 bytes apart",
	 .kind = BENCH_FLOOR,
	 .loops = &sum_staggered_loops,
	 .alone = true},
	{.name = "loop over 64 cells, 4,096 bytes apart",
	 .loops = &sum_colliding_loops,
	 .alone = true},
	{.name = "numatally: tally_view_account, 8 resources",
	 .kind = BENCH_OURS,
	 .loops = &sum_ours_loops,
	 .alone = true,
	 .row = "sum of one account over 64 lanes, warm",
	 .target_ns = 30},
};

/* Eight sums, a row's columns; the compiler vectorizes it. */
BENCH_LOOP void read_linear(void *arg, uint64_t nr)
{
	typedef int64_t vector __attribute__((vector_size(64), may_alias));
	const vector *from = (const vector *)words;
	size_t nr_vectors = words_bytes / sizeof(vector);

	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		vector sum = {0}, sum2 = {0};

		for (size_t k = 0; k + 1 < nr_vectors; k += 2) {
			sum += from[k];
			sum2 += from[k + 1];
		}
		sum += sum2;
		for (unsigned int k = 0; k < 8; k++)
			bench_used(sum[k]);
	}
}
BENCH_ALIGN(read_linear)

BENCH_LOOP void totals_ours(void *arg, uint64_t nr)
{
	int64_t amounts[NR_COLUMNS];

	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		(void)!tally_view_totals(view, TALLY_VIEW_ALL, amounts);
		bench_used(amounts[0]);
	}
}
BENCH_ALIGN(totals_ours)

static const struct bench_contender totals_contenders[] = {
	{.name = "linear read of the same bytes",
	 .kind = BENCH_FLOOR,
	 .loops = &read_linear_loops,
	 .alone = true},
	{.name = "numatally: tally_view_totals",
	 .kind = BENCH_OURS,
	 .loops = &totals_ours_loops,
	 .alone = true,
	 .row = "totals of 1M cells x 8 lanes",
	 .target_ratio = 1.1},
};

#define NR_ENTRIES 4096u

static struct tally_entry entries[NR_ENTRIES];

/* The same loads, and a record for each amount. */
BENCH_LOOP void copy_linear(void *arg, uint64_t nr)
{
	typedef int64_t vector __attribute__((vector_size(64), may_alias));
	const vector *from = (const vector *)words;
	size_t nr_rows = words_bytes / sizeof(vector) / TOTALS_LANES;

	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		for (size_t row = 0; row < nr_rows; row++) {
			struct tally_entry *to =
				&entries[row * NR_COLUMNS % NR_ENTRIES];
			vector sum = from[row];

			for (size_t lane = 1; lane < TOTALS_LANES; lane++)
				sum += from[lane * nr_rows + row];
			for (unsigned int k = 0; k < NR_COLUMNS; k++)
				to[k] = (struct tally_entry){
					.account.row = (uint32_t)row,
					.resource = k,
					.amount = sum[k],
				};
			bench_stored(&to[NR_COLUMNS - 1]);
		}
}
BENCH_ALIGN(copy_linear)

BENCH_LOOP void read_all(uint64_t nr, const struct tally_filter *filter)
{
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t cursor = 0;
		size_t got = 0;

		while (!tally_view_read(view, filter, &cursor, entries,
					NR_ENTRIES, &got))
			bench_used(entries[got - 1].amount);
	}
}

BENCH_LOOP void read_ours(void *arg, uint64_t nr)
{
	(void)arg;
	read_all(nr, NULL);
}
BENCH_ALIGN(read_ours)

BENCH_LOOP void read_prefix(void *arg, uint64_t nr)
{
	const struct tally_filter filter = {
		.size = sizeof(filter),
		.prefix = "job-",
		.node = TALLY_VIEW_ALL,
		.resource = TALLY_VIEW_ALL,
	};

	(void)arg;
	read_all(nr, &filter);
}
BENCH_ALIGN(read_prefix)

/* What a caller does without it. */
BENCH_LOOP void read_one_by_one(void *arg, uint64_t nr)
{
	int64_t amounts[NR_COLUMNS];
	int node = tally_view_node(view, 0);

	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_account account;
		uint64_t cursor = 0;

		while (!tally_view_next(view, &cursor, &account, NULL, 0)) {
			(void)!tally_view_account(view, account, node, amounts);
			bench_used(amounts[0]);
		}
	}
}
BENCH_ALIGN(read_one_by_one)

#define VALUES (bench_options.quick ? 1u << 14 : TOTALS_CELLS)

static struct bench_contender read_contenders[] = {
	{.name = "loop over the same cells, a record for each amount",
	 .kind = BENCH_FLOOR,
	 .loops = &copy_linear_loops,
	 .alone = true},
	{.name = "numatally: tally_view_account, 8 resources",
	 .kind = BENCH_OURS,
	 .loops = &read_one_by_one_loops,
	 .alone = true},
	{.name = "numatally: tally_view_read",
	 .kind = BENCH_OURS,
	 .loops = &read_ours_loops,
	 .alone = true,
	 .row = "flat read of 1M amounts, 8 lanes",
	 .target_ns = 30},
	{.name = "numatally: the same, by a prefix of keys",
	 .kind = BENCH_OURS,
	 .loops = &read_prefix_loops,
	 .alone = true},
};

static int set_up_read(void)
{
	for (size_t i = 0; i < COUNT(read_contenders); i++)
		read_contenders[i].scale = VALUES;
	return set_up_totals();
}

const struct bench_group bench_view_groups[] = {
	{.name = "sum",
	 .title = "The sum of one account over 64 lanes, warm",
	 .unit = "sum",
	 .contenders = sum_contenders,
	 .nr_contenders = COUNT(sum_contenders),
	 .setup = set_up_sum,
	 .teardown = tear_down},
	{.name = "totals",
	 .title = "Totals of 1M cells \xc3\x97 8 lanes (64 MiB)",
	 .unit = "pass",
	 .contenders = totals_contenders,
	 .nr_contenders = COUNT(totals_contenders),
	 .large = true,
	 .setup = set_up_totals,
	 .teardown = tear_down},
	{.name = "read",
	 .title = "Flat read of 1M amounts over 8 lanes (64 MiB)",
	 .unit = "amount",
	 .contenders = read_contenders,
	 .nr_contenders = COUNT(read_contenders),
	 .large = true,
	 .setup = set_up_read,
	 .teardown = tear_down},
};
const size_t bench_nr_view_groups = COUNT(bench_view_groups);
