// SPDX-License-Identifier: MIT
#include "config.h"

#include "common/json.h"
#include "run/report.h"

static const char *const event_members[TALLY_NR_EVENTS] = {
	[TALLY_EVENT_CPU_NS] = "cpu_ns",
	[TALLY_EVENT_PAGE_FAULTS] = "page_faults",
	[TALLY_EVENT_CONTEXT_SWITCHES] = "context_switches",
	[TALLY_EVENT_MIGRATIONS] = "migrations",
};

static void put_events(struct json_writer *w,
		       const struct tally_event_counts *counts)
{
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		json_put_int(w, event_members[e], counts->count[e]);
}

enum bound { BYTES, LOWER, UPPER };

static int64_t bound_of(const struct run_figure *f, enum bound bound)
{
	return bound == BYTES ? f->bytes : bound == LOWER ? f->lower : f->upper;
}

static void put_kinds(struct json_writer *w, const char *name,
		      const struct run_figures *figures, enum bound bound)
{
	json_open_object(w, name);
	for (int k = 0; k < TALLY_NR_MEM; k++)
		json_put_int_unless(
			w, tally_kernel_mem_name((enum tally_mem_kind)k),
			bound_of(&figures->kinds[k], bound), -1);
	json_close_object(w);
}

static void put_memory(struct json_writer *w, const struct run_figures *f)
{
	put_kinds(w, "memory_peak_bytes", f, BYTES);
	put_kinds(w, "memory_peak_lower_bytes", f, LOWER);
	put_kinds(w, "memory_peak_upper_bytes", f, UPPER);
}

static void put_at_once(struct json_writer *w, const struct run_account *a)
{
	struct run_figures f;

	run_memory_all(&a->memory, &f);
	json_open_object(w, "memory_at_once");
	json_put_int_unless(w, "bytes", f.at_once.bytes, -1);
	json_put_int_unless(w, "lower_bytes", f.at_once.lower, -1);
	json_put_int_unless(w, "upper_bytes", f.at_once.upper, -1);
	json_close_object(w);
}

static void put_nodes(struct json_writer *w, const struct run_account *a)
{
	struct run_figures f;

	json_open_array(w, "nodes");
	for (unsigned int i = 0; i < tally_topo_nr_nodes(a->topo); i++) {
		json_open_object(w, NULL);
		json_put_int(w, "id", tally_topo_node(a->topo, i)->id);
		put_events(w, &a->counts[i]);
		run_memory_node(&a->memory, i, &f);
		put_memory(w, &f);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_unattributed(struct json_writer *w, const struct run_account *a)
{
	struct run_figures f;

	json_open_object(w, "unattributed");
	put_events(w, &a->counts[tally_topo_nr_nodes(a->topo)]);
	run_memory_unknown(&a->memory, &f);
	put_kinds(w, "memory_peak_bytes", &f, BYTES);
	json_close_object(w);
}

/* Memory is always an estimate: its peak may be between two samples. */
static void put_estimates(struct json_writer *w, const struct run_account *a)
{
	json_open_array(w, "estimates");
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		if (a->estimates & 1u << e)
			json_put_string(w, NULL, event_members[e]);
	json_put_string(w, NULL, "memory_peak_bytes");
	json_close_array(w);
}

int run_report_json(FILE *f, const struct run_account *a,
		    const struct run_child *child, const char *ledger)
{
	static const char *const ways[] = {"inherit", "cgroup", "sample",
					   "bpf"};
	const struct tally_mem_result *memory = run_memory_result(&a->memory);
	const struct rusage *usage = &child->usage;
	struct json_writer w;

	json_begin(&w, f);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_put_int(&w, "exit_status", child->exit_status);
	json_put_int_unless(&w, "signal", child->signal, 0);
	json_put_int(&w, "started_ns", child->started_ns);
	json_put_int(&w, "wall_ns", run_wall_ns(child));
	json_put_int(&w, "user_ns", run_time_ns(&usage->ru_utime));
	json_put_int(&w, "system_ns", run_time_ns(&usage->ru_stime));
	json_put_int(&w, "largest_process_bytes",
		     run_largest_bytes(&a->memory, child));
	put_at_once(&w, a);
	json_put_string(&w, "ledger", ledger);
	json_put_string(&w, "events", ways[a->way]);
	put_nodes(&w, a);
	put_unattributed(&w, a);
	json_put_uint(&w, "memory_samples", memory ? memory->nr_samples : 0);
	json_put_uint(&w, "still_running", a->nr_left);
	put_estimates(&w, a);
	json_open_array(&w, "problems");
	for (size_t i = 0; i < a->notes.nr; i++)
		json_put_string(&w, NULL, a->notes.texts[i]);
	json_close_array(&w);
	json_close_object(&w);
	return json_finish(&w);
}
