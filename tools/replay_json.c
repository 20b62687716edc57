// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <string.h>

#include "output.h"
#include "replay_notes.h"
#include "text.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *files(const struct replay_trace *trace)
{
	json_t *array = json_array();

	for (uint16_t i = 0; i < trace->nr_files; i++)
		json_array_append_new(array, text_json(trace->files[i]));
	return array;
}

static json_t *resources(const struct replay_trace *trace)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < trace->nr_resources; i++)
		json_array_append_new(
			array, json_pack("{s:s, s:s}", "name",
					 trace->resources[i].name, "unit",
					 trace->resources[i].unit));
	return array;
}

/* Of a node: what each resource's cell has; what no limit has is null. */
static json_t *of_cells(const struct replay_report *report, unsigned int node,
			json_t *(*get)(const struct replay_report *report,
				       size_t cell))
{
	const struct replay_trace *trace = report->setup->trace;
	json_t *object = json_object();

	for (unsigned int i = 0; i < trace->nr_resources; i++)
		json_object_set_new(
			object, trace->resources[i].name,
			get(report, replay_cell(report->setup->machines,
						(int)node, i)));
	return object;
}

static json_t *capacity(const struct replay_report *report, size_t cell)
{
	int64_t n = report->setup->machines->capacity[cell];

	return n == TALLY_LIMIT_NONE ? json_null() : json_integer(n);
}

static json_t *peak(const struct replay_report *report, size_t cell)
{
	return json_integer(report->result->cells[cell].peak);
}

static json_t *nr_refused(const struct replay_report *report, size_t cell)
{
	return number(report->result->cells[cell].nr_refused);
}

static json_t *nodes(const struct replay_report *report)
{
	const struct replay_machines *m = report->setup->machines;
	json_t *array = json_array();

	for (unsigned int n = 0; n < m->nr_nodes; n++)
		json_array_append_new(
			array,
			json_pack("{s:i, s:i, s:o, s:o, s:o}", "id", (int)n,
				  "machine", (int)(n / m->per_machine),
				  "capacity", of_cells(report, n, capacity),
				  "peak", of_cells(report, n, peak), "refusals",
				  of_cells(report, n, nr_refused)));
	return array;
}

static json_t *calls(const struct replay_result *result)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < REPLAY_NR_OPS; i++) {
		const struct replay_times *times = &result->times[i];

		json_object_set_new(
			object, replay_op_names[i],
			json_pack("{s:o, s:o, s:o, s:o}", "calls",
				  number(times->nr), "median_ns",
				  number(replay_times_at(times, 0.5)), "p99_ns",
				  number(replay_times_at(times, 0.99)),
				  "longest_ns", number(times->most)));
	}
	return object;
}

static void add_note(void *arg, const char *note)
{
	json_array_append_new(arg, json_string(note));
}

static json_t *modelled(const struct replay_report *report)
{
	json_t *array = json_array();

	replay_notes(report, add_note, array);
	return array;
}

static json_t *verified(const struct replay_verdict *verdict)
{
	return verdict ? json_boolean(!verdict->nr_problems) : json_null();
}

static json_t *problems(const struct replay_verdict *verdict)
{
	json_t *array = json_array();

	for (size_t i = 0; verdict && i < verdict->nr_told; i++)
		json_array_append_new(array, text_json(verdict->problems[i]));
	return array;
}

uint64_t replay_per_second(const struct replay_result *result)
{
	double s = (double)result->wall_ns / 1e9;
	uint64_t nr = result->counts.admitted + result->counts.refused;

	return s > 0 ? (uint64_t)((double)nr / s) : 0;
}

int replay_json(const struct replay_report *report)
{
	const struct replay_setup *setup = report->setup;
	const struct replay_result *result = report->result;
	const struct replay_counts *counts = &result->counts;
	json_t *json = json_pack(
		"{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, "
		"s:i, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
		"version", 1, "events", number(counts->done), "admitted",
		number(counts->admitted), "refused", number(counts->refused),
		"verified", verified(report->verdict), "per_second",
		number(replay_per_second(result)), "jobs",
		number(setup->trace->nr_jobs), "skipped",
		number(counts->skipped), "conflicts", number(counts->conflicts),
		"wall_ns", json_integer(result->wall_ns), "threads",
		(int)setup->nr_threads, "machines",
		(int)setup->machines->nr_machines, "nodes_per_machine",
		(int)setup->machines->per_machine, "place",
		replay_policy_names[setup->policy], "until_full",
		setup->trace->until_full, "traces", files(setup->trace),
		"resources", resources(setup->trace), "calls", calls(result),
		"nodes", nodes(report), "modelled", modelled(report),
		"problems", problems(report->verdict));
	int err = output_json(stdout, json);

	if (err == -ENOMEM)
		warnx("no memory for the JSON");
	return err;
}
