// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdio.h>

#include "common/json.h"
#include "replay/notes.h"

static void put_resources(struct json_writer *w,
			  const struct replay_trace *trace)
{
	json_open_array(w, "resources");
	for (unsigned int i = 0; i < trace->nr_resources; i++) {
		json_open_object(w, NULL);
		json_put_string(w, "name", trace->resources[i].name);
		json_put_string(w, "unit", trace->resources[i].unit);
		json_close_object(w);
	}
	json_close_array(w);
}

/* Of calls that were never made, nobody knows how long they take. */
static void put_time(struct json_writer *w, const char *name,
		     const struct replay_times *times, uint64_t ns)
{
	if (times->nr)
		json_put_uint(w, name, ns);
	else
		json_put_null(w, name);
}

static void put_calls(struct json_writer *w, const struct replay_result *result)
{
	json_open_object(w, "calls");
	for (unsigned int i = 0; i < REPLAY_NR_OPS; i++) {
		const struct replay_times *times = &result->times[i];

		json_open_object(w, replay_op_names[i]);
		json_put_uint(w, "calls", times->nr);
		put_time(w, "median_ns", times, replay_times_at(times, 0.5));
		put_time(w, "p99_ns", times, replay_times_at(times, 0.99));
		put_time(w, "longest_ns", times, times->most);
		json_close_object(w);
	}
	json_close_object(w);
}

enum figure { CAPACITY, PEAK, REFUSALS };

/* One figure of a node, by resource. No capacity is null. */
static void put_cells(struct json_writer *w, const struct replay_report *report,
		      unsigned int node, const char *name, enum figure figure)
{
	const struct replay_trace *trace = report->setup->trace;
	const struct replay_machines *m = report->setup->machines;

	json_open_object(w, name);
	for (unsigned int i = 0; i < trace->nr_resources; i++) {
		size_t cell = replay_cell(m, (int)node, i);
		const struct replay_cell_end *end =
			&report->result->cells[cell];
		const char *resource = trace->resources[i].name;

		if (figure == CAPACITY)
			json_put_int_unless(w, resource, m->capacity[cell],
					    TALLY_LIMIT_NONE);
		else if (figure == PEAK)
			json_put_int(w, resource, end->peak);
		else
			json_put_uint(w, resource, end->nr_refused);
	}
	json_close_object(w);
}

static void put_nodes(struct json_writer *w, const struct replay_report *report)
{
	const struct replay_machines *m = report->setup->machines;

	json_open_array(w, "nodes");
	for (unsigned int n = 0; n < m->nr_nodes; n++) {
		json_open_object(w, NULL);
		json_put_uint(w, "id", replay_node(report->setup->trace, n));
		json_put_uint(w, "machine", n / m->per_machine);
		put_cells(w, report, n, "capacity", CAPACITY);
		put_cells(w, report, n, "peak", PEAK);
		put_cells(w, report, n, "refusals", REFUSALS);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_note(void *writer, const char *note)
{
	json_put_string(writer, NULL, note);
}

static void put_texts(struct json_writer *w, const struct replay_report *report)
{
	const struct replay_verdict *verdict = report->verdict;

	json_open_array(w, "modelled");
	replay_notes(report, put_note, w);
	json_close_array(w);
	json_open_array(w, "problems");
	for (size_t i = 0; verdict && i < verdict->nr_kept; i++)
		json_put_string(w, NULL, verdict->problems[i]);
	json_close_array(w);
}

static void put_setup(struct json_writer *w, const struct replay_setup *setup)
{
	const struct replay_trace *trace = setup->trace;

	json_put_uint(w, "threads", setup->nr_threads);
	json_put_uint(w, "machines", setup->machines->nr_machines);
	json_put_uint(w, "nodes_per_machine", setup->machines->per_machine);
	json_put_string(w, "place", replay_policy_names[setup->policy]);
	json_put_bool(w, "until_full", trace->until_full);
	json_open_array(w, "traces");
	for (uint16_t i = 0; i < trace->nr_files; i++)
		json_put_string(w, NULL, trace->files[i]);
	json_close_array(w);
	put_resources(w, trace);
}

int replay_json(const struct replay_report *report)
{
	const struct replay_result *result = report->result;
	const struct replay_counts *counts = &result->counts;
	const struct replay_verdict *verdict = report->verdict;
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_put_uint(&w, "events", counts->done);
	json_put_uint(&w, "admitted", counts->admitted);
	json_put_uint(&w, "refused", counts->refused);
	if (verdict)
		json_put_bool(&w, "verified", !verdict->nr_problems);
	else
		json_put_null(&w, "verified");
	json_put_uint(&w, "per_second", replay_per_second(result));
	json_put_uint(&w, "jobs", report->setup->trace->nr_jobs);
	json_put_uint(&w, "errors", report->setup->trace->nr_errors);
	json_put_uint(&w, "skipped", counts->skipped);
	json_put_uint(&w, "conflicts", counts->conflicts);
	json_put_int(&w, "wall_ns", result->wall_ns);
	put_setup(&w, report->setup);
	put_calls(&w, result);
	put_nodes(&w, report);
	put_texts(&w, report);
	json_close_object(&w);
	return json_finish(&w);
}
