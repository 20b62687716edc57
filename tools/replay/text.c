// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/output.h"
#include "common/text.h"
#include "replay/notes.h"

#define MAX_ROWS 32 /* up to so many nodes are all shown */
#define TOP_ROWS 16 /* of more, so many */
#define BAR	 6
#define COLUMN	 22 /* of a resource */

static void put_heading(const char *text)
{
	bool bold = output_colour(stdout);

	printf("%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[m" : "");
}

static void print_counts(const struct replay_report *report)
{
	const struct replay_setup *setup = report->setup;
	const struct replay_result *result = report->result;
	const struct replay_counts *counts = &result->counts;
	char wall[OUTPUT_NUMBER];

	printf("%llu events of %u job%s, by %u thread%s, on %u machine%s of %u "
	       "node%s, placed %s\n\n",
	       (unsigned long long)counts->done, setup->trace->nr_jobs,
	       setup->trace->nr_jobs == 1 ? "" : "s", setup->nr_threads,
	       setup->nr_threads == 1 ? "" : "s", setup->machines->nr_machines,
	       setup->machines->nr_machines == 1 ? "" : "s",
	       setup->machines->per_machine,
	       setup->machines->per_machine == 1 ? "" : "s",
	       replay_policy_names[setup->policy]);
	printf("admitted    %12llu\n", (unsigned long long)counts->admitted);
	printf("refused     %12llu\n", (unsigned long long)counts->refused);
	if (counts->skipped)
		printf("skipped     %12llu  events of what was refused\n",
		       (unsigned long long)counts->skipped);
	if (counts->conflicts)
		printf("conflicts   %12llu  others were faster: tried again\n",
		       (unsigned long long)counts->conflicts);
	printf("per second  %12llu  reservations, in %s\n\n",
	       (unsigned long long)replay_per_second(result),
	       output_time(result->wall_ns, wall));
}

static void print_calls(const struct replay_result *result)
{
	char median[OUTPUT_NUMBER], p99[OUTPUT_NUMBER], most[OUTPUT_NUMBER];
	char heading[80];

	snprintf(heading, sizeof(heading), "%-10s%14s%12s%12s%12s", "call",
		 "calls", "median", "p99", "longest");
	put_heading(heading);
	for (unsigned int i = 0; i < REPLAY_NR_OPS; i++) {
		const struct replay_times *t = &result->times[i];

		if (t->nr)
			printf("%-10s%14llu%12s%12s%12s\n", replay_op_names[i],
			       (unsigned long long)t->nr,
			       output_time((int64_t)replay_times_at(t, 0.5),
					   median),
			       output_time((int64_t)replay_times_at(t, 0.99),
					   p99),
			       output_time((int64_t)t->most, most));
	}
}

/* ---- peaks --------------------------------------------------------------- */

struct row {
	unsigned int node;
	double fullest; /* the highest share of a capacity */
};

static double share_of(const struct replay_report *report, size_t cell)
{
	int64_t capacity = report->setup->machines->capacity[cell];
	int64_t peak = report->result->cells[cell].peak;

	if (capacity == TALLY_LIMIT_NONE || capacity == 0)
		return 0;
	return (double)peak / (double)capacity;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->fullest != y->fullest)
		return x->fullest > y->fullest ? -1 : 1;
	return x->node < y->node ? -1 : 1;
}

static void fill_rows(const struct replay_report *report, struct row *rows)
{
	const struct replay_machines *m = report->setup->machines;

	for (unsigned int n = 0; n < m->nr_nodes; n++) {
		rows[n] = (struct row){.node = n};
		for (unsigned int r = 0; r < m->nr_resources; r++) {
			double share =
				share_of(report, replay_cell(m, (int)n, r));

			if (share > rows[n].fullest)
				rows[n].fullest = share;
		}
	}
	if (m->nr_nodes > MAX_ROWS)
		qsort(rows, m->nr_nodes, sizeof(*rows), compare_rows);
}

/* The peak, its share of the capacity, a bar. */
static void print_cell(const struct replay_report *report, size_t cell)
{
	int64_t capacity = report->setup->machines->capacity[cell];
	int64_t peak = report->result->cells[cell].peak;

	printf("  %9lld ", (long long)peak);
	if (capacity == TALLY_LIMIT_NONE || capacity == 0)
		printf("%5s", "-");
	else
		printf("%3.0f %%", 100 * share_of(report, cell));
	putchar(' ');
	output_bar(stdout, peak, capacity, BAR);
}

static void print_block(const struct replay_report *report,
			const struct row *rows, unsigned int nr_rows,
			unsigned int first, unsigned int end)
{
	const struct replay_machines *m = report->setup->machines;
	char heading[512];
	size_t len;

	snprintf(heading, sizeof(heading), "\n%4s", "node");
	for (unsigned int r = first; r < end; r++) {
		len = strlen(heading);
		snprintf(heading + len, sizeof(heading) - len, "  %*.*s%*s",
			 -20, COLUMN, report->setup->trace->resources[r].name,
			 r + 1 < end ? COLUMN - 20 : 0, "");
	}
	put_heading(heading);
	for (unsigned int i = 0; i < nr_rows; i++) {
		printf("%4u", replay_node(report->setup->trace, rows[i].node));
		for (unsigned int r = first; r < end; r++)
			print_cell(report,
				   replay_cell(m, (int)rows[i].node, r));
		putchar('\n');
	}
}

static int print_peaks(const struct replay_report *report)
{
	const struct replay_machines *m = report->setup->machines;
	struct row *rows = calloc(m->nr_nodes, sizeof(*rows));
	unsigned int nr = m->nr_nodes > MAX_ROWS ? TOP_ROWS : m->nr_nodes;
	unsigned int width = output_width(stdout);
	unsigned int at_once =
		width > 4 + COLUMN + 2 ? (width - 4) / (COLUMN + 2) : 1;

	if (!rows)
		return -ENOMEM;
	fill_rows(report, rows);
	printf("\npeaks, of capacities\n");
	if (at_once > REPLAY_MAX_RESOURCES)
		at_once = REPLAY_MAX_RESOURCES;
	for (unsigned int r = 0; r < m->nr_resources; r += at_once)
		print_block(report, rows, nr, r,
			    r + at_once < m->nr_resources ? r + at_once
							  : m->nr_resources);
	if (nr < m->nr_nodes)
		printf("%u more nodes, none of them fuller\n",
		       m->nr_nodes - nr);
	free(rows);
	return 0;
}

/* ---- the rest ------------------------------------------------------------ */

static void print_note(void *arg, const char *note)
{
	(void)arg;
	printf("- %s\n", note);
}

static void print_verdict(const struct replay_report *report)
{
	const struct replay_verdict *v = report->verdict;

	if (!v->nr_problems && report->setup->nr_threads == 1) {
		puts("\nverified: all decisions, places and peaks are those of "
		     "the sequential reference");
		return;
	}
	if (!v->nr_problems) {
		puts("\nverified: no capacity was passed at any instant, no "
		     "refusal was false, nothing is left");
		return;
	}
	printf("\nNOT verified: %llu problem%s\n",
	       (unsigned long long)v->nr_problems,
	       v->nr_problems == 1 ? "" : "s");
	for (size_t i = 0; i < v->nr_kept; i++) {
		char *escaped = text_escape(v->problems[i]);

		printf("- %s\n", escaped ? escaped : "?");
		free(escaped);
	}
	if (v->nr_kept < v->nr_problems)
		printf("and %llu more\n",
		       (unsigned long long)(v->nr_problems - v->nr_kept));
}

int replay_text(const struct replay_report *report)
{
	print_counts(report);
	print_calls(report->result);
	if (print_peaks(report)) {
		warnx("no memory for the table");
		return -ENOMEM;
	}
	puts("\nmodelled");
	replay_notes(report, print_note, NULL);
	if (report->verdict)
		print_verdict(report);
	return 0;
}
