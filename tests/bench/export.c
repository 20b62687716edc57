// SPDX-License-Identifier: MIT
/* A scrape of 100,000 amounts, beside the same lines by fprintf. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/reader.h>

#include "bench.h"
#include "export/text.h"
#include "ledgers.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_COLUMNS   8u
#define NR_VALUES    100000u
#define NR_ENTRIES   4096u

static struct bench_ledger ledger;
static struct export_set set;
static struct export_families families;
static struct export_buffer buffer;
static struct tally_reader *reader;
static struct tally_entry entries[NR_ENTRIES];
static FILE *out;

static int set_up(void)
{
	uint32_t nr = NR_VALUES / NR_COLUMNS / (bench_options.quick ? 100 : 1);
	int err = bench_ledger_create(0, nr, NR_COLUMNS, &ledger);

	if (!err)
		err = bench_ledger_fill(&ledger, 1);
	set = (struct export_set){
		.bounds = {.series = SIZE_MAX, .top = SIZE_MAX},
	};
	if (!err)
		err = export_set_add(&set, ledger.path);
	if (!err)
		err = tally_reader_open(ledger.path, &reader);
	out = fopen("/dev/null", "w");
	return err ? err : out ? 0 : -errno;
}

static void tear_down(void)
{
	if (out)
		fclose(out);
	out = NULL;
	tally_reader_close(reader);
	reader = NULL;
	export_families_free(&families);
	families = (struct export_families){0};
	export_set_free(&set);
	free(buffer.text);
	buffer = (struct export_buffer){0};
	bench_ledger_destroy(&ledger);
}

/* A quick run has fewer values, and its times mean nothing. */
BENCH_LOOP void scrape(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		if (export_set_look(&set) ||
		    export_families_make(&families, &set) ||
		    export_text(&families, EXPORT_TEXT, &buffer))
			abort();
		bench_used(buffer.used);
	}
}
BENCH_ALIGN(scrape)

static void print(const struct tally_view *view, const struct tally_entry *e,
		  const char *key)
{
	const struct tally_resource *r = tally_view_resource(view, e->resource);

	fprintf(out,
		"numatally_account_%s_total{ledger=\"%s\",account=\"%s\","
		"numa_node=\"%d\"} %" PRId64 "\n",
		r->name, ledger.path, key, e->node, e->amount);
}

BENCH_LOOP void scrape_fprintf(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++) {
		struct tally_account last = {UINT32_MAX, 0};
		struct tally_view *view;
		uint64_t cursor = 0;
		char key[192] = "";
		size_t got;

		if (tally_reader_snapshot(reader, TALLY_SNAPSHOT_JOIN, 1000000,
					  &view) &&
		    tally_reader_view(reader, &view))
			abort();
		while (!tally_view_read(view, NULL, &cursor, entries,
					NR_ENTRIES, &got))
			for (size_t k = 0; k < got; k++) {
				const struct tally_entry *e = &entries[k];

				if (e->account.row != last.row &&
				    tally_account_key(tally_view_accounts(view),
						      e->account, key,
						      sizeof(key)))
					abort();
				last = e->account;
				print(view, e, key);
			}
		tally_view_close(view);
	}
}
BENCH_ALIGN(scrape_fprintf)

static const struct bench_contender contenders[] = {
	{.name = "fprintf of each",
	 .kind = BENCH_PEER,
	 .loops = &scrape_fprintf_loops,
	 .scale = NR_VALUES,
	 .alone = true},
	{.name = "numatally export",
	 .kind = BENCH_OURS,
	 .loops = &scrape_loops,
	 .scale = NR_VALUES,
	 .alone = true,
	 .row = "export of 100,000 amounts, each",
	 .target_ratio = 1.0 / 3},
};

const struct bench_group bench_export_groups[] = {
	{.name = "export",
	 .title = "A scrape of 100,000 amounts",
	 .unit = "amount",
	 .contenders = contenders,
	 .nr_contenders = COUNT(contenders),
	 .setup = set_up,
	 .teardown = tear_down,
	 .large = true},
};
const size_t bench_nr_export_groups = COUNT(bench_export_groups);
