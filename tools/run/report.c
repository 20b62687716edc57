// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/output.h"
#include "run/report.h"

#define BAR_WIDTH 10

struct table {
	FILE *f;
	const struct run_account *account;
	int64_t cpu_ns; /* of all nodes */
	bool bars, colour;
};

static void print_count(struct table *t, int64_t n, enum tally_event e)
{
	bool estimated = t->account->estimates & 1u << e;
	char buf[32];

	snprintf(buf, sizeof(buf), "%s%" PRId64, estimated ? "~" : "", n);
	fprintf(t->f, " %12s", buf);
}

static void print_time(struct table *t, int64_t ns)
{
	bool estimated = t->account->estimates & 1u << TALLY_EVENT_CPU_NS;
	char buf[OUTPUT_NUMBER], marked[OUTPUT_NUMBER + 1];

	snprintf(marked, sizeof(marked), "%s%s", estimated ? "~" : "",
		 output_time(ns, buf));
	fprintf(t->f, " %11s", marked);
}

static void print_bar(struct table *t, int64_t part)
{
	if (!t->bars)
		return;
	fputs(t->colour ? " \033[36m" : " ", t->f);
	output_bar(t->f, part, t->cpu_ns, BAR_WIDTH);
	if (t->colour)
		fputs("\033[0m", t->f);
}

static void print_events_row(struct table *t, const char *label,
			     const struct tally_event_counts *counts)
{
	const int64_t *count = counts->count;

	fprintf(t->f, "%-8s", label);
	print_time(t, count[TALLY_EVENT_CPU_NS]);
	if (t->cpu_ns > 0)
		fprintf(t->f, " %5.1f %%",
			100 * (double)count[TALLY_EVENT_CPU_NS] /
				(double)t->cpu_ns);
	else
		fprintf(t->f, " %7s", "-");
	print_bar(t, count[TALLY_EVENT_CPU_NS]);
	print_count(t, count[TALLY_EVENT_PAGE_FAULTS], TALLY_EVENT_PAGE_FAULTS);
	print_count(t, count[TALLY_EVENT_CONTEXT_SWITCHES],
		    TALLY_EVENT_CONTEXT_SWITCHES);
	print_count(t, count[TALLY_EVENT_MIGRATIONS], TALLY_EVENT_MIGRATIONS);
	putc('\n', t->f);
}

static bool is_nothing(const struct tally_event_counts *counts)
{
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		if (counts->count[e])
			return false;
	return true;
}

static void node_label(char *label, size_t size, int node)
{
	snprintf(label, size, "node %d", node);
}

static struct tally_event_counts sum_events(const struct run_account *a)
{
	struct tally_event_counts sum = {{0}};

	for (unsigned int i = 0; i <= tally_topo_nr_nodes(a->topo); i++)
		for (int e = 0; e < TALLY_NR_EVENTS; e++)
			sum.count[e] += a->counts[i].count[e];
	return sum;
}

static void print_events(struct table *t)
{
	const struct run_account *a = t->account;
	unsigned int nr_nodes = tally_topo_nr_nodes(a->topo);
	struct tally_event_counts sum = sum_events(a);
	char label[32];

	fprintf(t->f, "%-8s %11s %7s%*s %12s %12s %12s\n", "", "CPU time",
		"share", t->bars ? BAR_WIDTH + 1 : 0, "", "page faults",
		"switches", "migrations");
	for (unsigned int i = 0; i < nr_nodes; i++) {
		node_label(label, sizeof(label),
			   tally_topo_node(a->topo, i)->id);
		print_events_row(t, label, &a->counts[i]);
	}
	if (!is_nothing(&a->counts[nr_nodes]))
		print_events_row(t, "no node", &a->counts[nr_nodes]);
	if (nr_nodes > 1 || !is_nothing(&a->counts[nr_nodes]))
		print_events_row(t, "all", &sum);
}

static void print_bytes(struct table *t, const struct run_figure *figure)
{
	char buf[OUTPUT_NUMBER], marked[OUTPUT_NUMBER + 1];

	if (figure->bytes < 0)
		strcpy(marked, "-");
	else
		snprintf(marked, sizeof(marked), "%s%s",
			 figure->lower == figure->upper ? "" : "~",
			 output_bytes(figure->bytes, buf));
	fprintf(t->f, " %11s", marked);
}

static void print_memory_row(struct table *t, const char *label,
			     const struct run_figures *figures)
{
	fprintf(t->f, "%-8s", label);
	for (int k = 0; k < TALLY_NR_MEM; k++)
		print_bytes(t, &figures->kinds[k]);
	print_bytes(t, &figures->at_once);
	putc('\n', t->f);
}

static void print_memory(struct table *t)
{
	const struct run_memory *memory = &t->account->memory;
	const struct tally_topo *topo = t->account->topo;
	unsigned int nr_nodes = tally_topo_nr_nodes(topo);
	struct run_figures figures;
	char label[32];

	fprintf(t->f, "\n%-8s", "most");
	for (int k = 0; k < TALLY_NR_MEM; k++)
		fprintf(t->f, " %11s",
			tally_kernel_mem_name((enum tally_mem_kind)k));
	fprintf(t->f, " %11s\n", "at once");
	for (unsigned int i = 0; i < nr_nodes; i++) {
		node_label(label, sizeof(label), tally_topo_node(topo, i)->id);
		run_memory_node(memory, i, &figures);
		print_memory_row(t, label, &figures);
	}
	run_memory_unknown(memory, &figures);
	if (figures.at_once.bytes > 0)
		print_memory_row(t, "no node", &figures);
	run_memory_all(memory, &figures);
	if (nr_nodes > 1)
		print_memory_row(t, "all", &figures);
}

static void print_whole(struct table *t, const struct run_child *child)
{
	char wall[OUTPUT_NUMBER], user[OUTPUT_NUMBER], sys[OUTPUT_NUMBER];
	char size[OUTPUT_NUMBER];
	const struct run_memory *memory = &t->account->memory;
	int64_t largest = run_largest_bytes(memory, child);

	fprintf(t->f, "\nwall %s  user %s  system %s",
		output_time(run_wall_ns(child), wall),
		output_time(run_time_ns(&child->usage.ru_utime), user),
		output_time(run_time_ns(&child->usage.ru_stime), sys));
	if (run_wall_ns(child) > 0)
		fprintf(t->f, "  CPUs %.2f",
			(double)t->cpu_ns / (double)run_wall_ns(child));
	/* The tool's own memory, before the execve(2), counts in rusage. */
	fprintf(t->f, "\n%s %s\n",
		memory->bounds.largest_bytes == largest
			? "the largest process had"
			: "no process had more than",
		output_bytes(largest, size));
}

static void print_way(struct table *t)
{
	static const char *const ways[] = {
		[TALLY_EVENTS_INHERIT] = "by perf events",
		[TALLY_EVENTS_CGROUP] = "by perf events of a cgroup",
		[TALLY_EVENTS_SAMPLE] = "from samples of threads",
		[RUN_BY_BPF] = "by BPF",
	};

	fprintf(t->f, "counted %s\n", ways[t->account->way]);
}

static void print_bounds(struct table *t)
{
	char lower[OUTPUT_NUMBER], upper[OUTPUT_NUMBER];
	struct run_figures all;
	const struct run_figure *f = &all.at_once;

	run_memory_all(&t->account->memory, &all);
	output_bytes(f->lower, lower);
	output_bytes(f->upper, upper);
	if (f->upper < 0 && f->lower > 0)
		fprintf(t->f, "~ memory: at least %s at once in all\n", lower);
	else if (f->upper >= 0 && f->lower <= 0)
		fprintf(t->f, "~ memory: at most %s at once in all\n", upper);
	else if (f->upper >= 0)
		fprintf(t->f, "~ memory: %s to %s at once in all\n", lower,
			upper);
	if (f->bytes < 0 && t->account->tree)
		fputs("the memory was not seen: it ended too soon\n", t->f);
}

static void print_notes(struct table *t, const struct run_child *child)
{
	const struct run_account *a = t->account;

	if (a->estimates & 1u << TALLY_EVENT_CPU_NS &&
	    a->way != TALLY_EVENTS_SAMPLE)
		fputs("~ an estimate: time at context switches and exits has no "
		      "events, and was spread\n",
		      t->f);
	if (a->way == TALLY_EVENTS_SAMPLE ||
	    a->estimates & 1u << TALLY_EVENT_PAGE_FAULTS)
		fputs("~ an estimate: threads were sampled, and the rest "
		      "spread like it\n",
		      t->f);
	print_bounds(t);
	if (child->signal)
		fprintf(t->f, "signal %d ended it: %s\n", child->signal,
			strsignal(child->signal));
	if (a->nr_left)
		fprintf(t->f, "%u of its processes still run\n", a->nr_left);
	for (size_t i = 0; i < a->notes.nr; i++)
		fprintf(t->f, "%s\n", a->notes.texts[i]);
}

int run_report_table(FILE *f, const struct run_account *a,
		     const struct run_child *child)
{
	struct table t = {
		.f = f,
		.account = a,
		.cpu_ns = sum_events(a).count[TALLY_EVENT_CPU_NS],
		.bars = output_is_terminal(f),
		.colour = output_colour(f),
	};

	putc('\n', f);
	print_events(&t);
	print_memory(&t);
	print_whole(&t, child);
	print_way(&t);
	print_notes(&t, child);
	return fflush(f) ? -errno : 0;
}
