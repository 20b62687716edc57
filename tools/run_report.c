// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "run_report.h"

#define BAR_WIDTH 10

struct table {
	FILE *f;
	const struct run_account *account;
	const struct tally_mem_result *memory; /* NULL: none */
	int64_t cpu_ns;			       /* in all */
	bool bars, colour;
	bool inexact; /* some figure of memory that was shown */
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

static void print_bytes(struct table *t, const struct tally_mem_figure *figure)
{
	bool inexact = figure->lower_bytes != figure->bytes ||
		       figure->upper_bytes != figure->bytes;
	char buf[OUTPUT_NUMBER], marked[OUTPUT_NUMBER + 1];

	snprintf(marked, sizeof(marked), "%s%s", inexact ? "~" : "",
		 output_bytes(figure->bytes, buf));
	fprintf(t->f, " %11s", marked);
	t->inexact |= inexact;
}

static void print_memory_row(struct table *t, const char *label,
			     const struct tally_mem_node *node)
{
	fprintf(t->f, "%-8s", label);
	for (int k = 0; k < TALLY_NR_MEM; k++)
		print_bytes(t, &node->peak[k]);
	print_bytes(t, &node->peak_total);
	putc('\n', t->f);
}

static const struct tally_mem_node *
find_memory(const struct tally_mem_result *memory, int id)
{
	static const struct tally_mem_node nothing;

	for (unsigned int i = 0; memory && i < memory->nr_nodes; i++)
		if (memory->nodes[i].node == id)
			return &memory->nodes[i];
	return &nothing;
}

static void print_memory(struct table *t)
{
	const struct tally_topo *topo = t->account->topo;
	unsigned int nr_nodes = tally_topo_nr_nodes(topo);
	char label[32];

	if (!t->memory || t->memory->nr_samples == 0)
		return;
	fprintf(t->f, "\n%-8s", "most");
	for (int k = 0; k < TALLY_NR_MEM; k++)
		fprintf(t->f, " %11s",
			tally_kernel_mem_name((enum tally_mem_kind)k));
	fprintf(t->f, " %11s\n", "at once");
	for (unsigned int i = 0; i < nr_nodes; i++) {
		int id = tally_topo_node(topo, i)->id;

		node_label(label, sizeof(label), id);
		print_memory_row(t, label, find_memory(t->memory, id));
	}
	if (t->memory->unknown.peak_total.bytes)
		print_memory_row(t, "no node", &t->memory->unknown);
	if (nr_nodes > 1)
		print_memory_row(t, "all", &t->memory->all);
}

static int64_t wall_ns(const struct run_child *child)
{
	return child->end_ns - child->start_ns;
}

static int64_t time_ns(const struct timeval *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_usec * INT64_C(1000);
}

static void print_whole(struct table *t, const struct run_child *child)
{
	char wall[OUTPUT_NUMBER], user[OUTPUT_NUMBER], sys[OUTPUT_NUMBER];
	char size[OUTPUT_NUMBER];

	fprintf(t->f, "\nwall %s  user %s  system %s",
		output_time(wall_ns(child), wall),
		output_time(time_ns(&child->usage.ru_utime), user),
		output_time(time_ns(&child->usage.ru_stime), sys));
	if (wall_ns(child) > 0)
		fprintf(t->f, "  CPUs %.2f",
			(double)t->cpu_ns / (double)wall_ns(child));
	fprintf(t->f, "\nthe largest process had %s\n",
		output_bytes(child->usage.ru_maxrss * INT64_C(1024), size));
}

static void print_notes(struct table *t)
{
	const struct run_account *a = t->account;
	const struct tally_mem_figure *all =
		t->memory ? &t->memory->all.peak_total : NULL;
	char lower[OUTPUT_NUMBER], upper[OUTPUT_NUMBER];

	if (a->estimates)
		fputs("~ an estimate: threads were sampled, and the rest "
		      "spread like it\n",
		      t->f);
	if (t->inexact)
		fprintf(t->f,
			"~ pages were sampled or are shared: %s to %s in all "
			"at once\n",
			output_bytes(all->lower_bytes, lower),
			output_bytes(all->upper_bytes, upper));
	if (all && all->bytes == 0)
		fputs("the memory was not seen: it ended too soon\n", t->f);
	if (a->nr_left)
		fprintf(t->f, "%u of its processes still run\n", a->nr_left);
	for (unsigned int i = 0; i < a->notes.nr; i++)
		fprintf(t->f, "%s\n", a->notes.texts[i]);
}

static const struct tally_mem_result *memory_of(const struct run_account *a)
{
	return a->mem ? tally_kernel_mem_result(a->mem) : NULL;
}

int run_report_table(FILE *f, const struct run_account *a,
		     const struct run_child *child)
{
	struct table t = {
		.f = f,
		.account = a,
		.memory = memory_of(a),
		.cpu_ns = sum_events(a).count[TALLY_EVENT_CPU_NS],
		.bars = output_is_terminal(f),
		.colour = output_colour(f),
	};

	putc('\n', f);
	print_events(&t);
	print_memory(&t);
	print_whole(&t, child);
	print_notes(&t);
	return fflush(f) ? -errno : 0;
}

static const char *const event_members[TALLY_NR_EVENTS] = {
	[TALLY_EVENT_CPU_NS] = "cpu_ns",
	[TALLY_EVENT_PAGE_FAULTS] = "page_faults",
	[TALLY_EVENT_CONTEXT_SWITCHES] = "context_switches",
	[TALLY_EVENT_MIGRATIONS] = "migrations",
};

static void set_events(json_t *object, const struct tally_event_counts *counts)
{
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		json_object_set_new(object, event_members[e],
				    json_integer(counts->count[e]));
}

enum bound { BYTES, LOWER, UPPER };

static json_t *json_figures(const struct tally_mem_figure *figures,
			    enum bound bound)
{
	json_t *object = json_object();

	for (int k = 0; k < TALLY_NR_MEM; k++) {
		const struct tally_mem_figure *f = &figures[k];

		json_object_set_new(
			object, tally_kernel_mem_name((enum tally_mem_kind)k),
			json_integer(bound == BYTES   ? f->bytes
				     : bound == LOWER ? f->lower_bytes
						      : f->upper_bytes));
	}
	return object;
}

static void set_memory(json_t *object, const struct tally_mem_node *node)
{
	json_object_set_new(object, "memory_peak_bytes",
			    json_figures(node->peak, BYTES));
	json_object_set_new(object, "memory_peak_lower_bytes",
			    json_figures(node->peak, LOWER));
	json_object_set_new(object, "memory_peak_upper_bytes",
			    json_figures(node->peak, UPPER));
}

static json_t *json_nodes(const struct run_account *a)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < tally_topo_nr_nodes(a->topo); i++) {
		int id = tally_topo_node(a->topo, i)->id;
		json_t *node = json_object();

		json_object_set_new(node, "id", json_integer(id));
		set_events(node, &a->counts[i]);
		set_memory(node, find_memory(memory_of(a), id));
		json_array_append_new(array, node);
	}
	return array;
}

static json_t *json_unattributed(const struct run_account *a)
{
	const struct tally_mem_result *memory = memory_of(a);
	json_t *object = json_object();

	set_events(object, &a->counts[tally_topo_nr_nodes(a->topo)]);
	if (memory)
		json_object_set_new(object, "memory_peak_bytes",
				    json_figures(memory->unknown.peak, BYTES));
	return object;
}

/* Memory always is one: between two samples nobody looked. */
static json_t *json_estimates(const struct run_account *a)
{
	json_t *array = json_array();

	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		if (a->estimates & 1u << e)
			json_array_append_new(array,
					      json_string(event_members[e]));
	json_array_append_new(array, json_string("memory_peak_bytes"));
	return array;
}

static json_t *json_problems(const struct run_account *a)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < a->notes.nr; i++)
		json_array_append_new(array, json_string(a->notes.texts[i]));
	return array;
}

int run_report_json(FILE *f, const struct run_account *a,
		    const struct run_child *child, const char *ledger)
{
	static const char *const ways[] = {"inherit", "cgroup", "sample"};
	const struct tally_mem_result *memory = memory_of(a);
	const struct rusage *usage = &child->usage;
	json_t *root = json_object();

	json_object_set_new(root, "version", json_integer(1));
	json_object_set_new(root, "exit_status",
			    json_integer(child->exit_status));
	json_object_set_new(root, "wall_ns", json_integer(wall_ns(child)));
	json_object_set_new(root, "user_ns",
			    json_integer(time_ns(&usage->ru_utime)));
	json_object_set_new(root, "system_ns",
			    json_integer(time_ns(&usage->ru_stime)));
	json_object_set_new(root, "largest_process_bytes",
			    json_integer(usage->ru_maxrss * INT64_C(1024)));
	json_object_set_new(root, "ledger",
			    ledger ? json_string(ledger) : json_null());
	json_object_set_new(root, "events", json_string(ways[a->way]));
	json_object_set_new(root, "nodes", json_nodes(a));
	json_object_set_new(root, "unattributed", json_unattributed(a));
	json_object_set_new(
		root, "memory_samples",
		json_integer(memory ? (json_int_t)memory->nr_samples : 0));
	json_object_set_new(root, "still_running", json_integer(a->nr_left));
	json_object_set_new(root, "estimates", json_estimates(a));
	json_object_set_new(root, "problems", json_problems(a));
	return output_json(f, root);
}
