// SPDX-License-Identifier: MIT
/* A reading as JSON. */
#include "config.h"

#include <sys/types.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/text.h"
#include "top/json.h"

static void put_known(struct json_writer *w, const char *name, int64_t n)
{
	json_put_int_unless(w, name, n, TOP_UNKNOWN);
}

static void put_cpus(struct json_writer *w, const char *name, double cpus)
{
	put_known(w, name, cpus < 0 ? TOP_UNKNOWN : (int64_t)(cpus * 1e6));
}

static void put_node(struct json_writer *w, const struct top_node *node)
{
	static const char *const rates[TOP_NR_COUNTERS] = {
		[TOP_MISS] = "misses_per_second",
		[TOP_REMOTE] = "remote_per_second",
		[TOP_PROMOTED] = "promoted_per_second",
		[TOP_DEMOTED] = "demoted_per_second",
	};

	json_open_object(w, NULL);
	json_put_int(w, "id", node->node);
	json_put_int_unless(w, "tier", node->tier, -1);
	put_known(w, "memory_bytes", node->total_bytes);
	put_known(w, "used_bytes", node->used_bytes);
	put_known(w, "cpus", node->nr_cpus);
	put_known(w, "busy_ppm", node->cpu_ppm);
	for (int c = 0; c < TOP_NR_COUNTERS; c++)
		if (node->rates[c].state == TOP_RATE_KNOWN)
			json_put_double(w, rates[c], node->rates[c].per_s);
		else
			json_put_null(w, rates[c]);
	json_put_string(w, "error", node->err ? text_error(node->err) : NULL);
	json_close_object(w);
}

/* Of a row that can't be read, the memory of a node is not known. */
static void put_kinds(struct json_writer *w, const int64_t *kinds, bool known)
{
	json_open_object(w, "memory_bytes");
	for (int k = 0; k < TALLY_NR_MEM; k++)
		put_known(w, tally_kernel_mem_name((enum tally_mem_kind)k),
			  known ? kinds[k] : TOP_UNKNOWN);
	json_close_object(w);
}

static void put_part(struct json_writer *w, const struct top_model *model,
		     const struct top_part *part, bool known)
{
	json_open_object(w, NULL);
	json_put_int(w, "id", model->nodes[part->index].node);
	if (model->by != TOP_THREADS) {
		put_kinds(w, part->kinds, known);
		put_known(w, "memory_total_bytes",
			  known ? part->bytes : TOP_UNKNOWN);
		json_put_bool(w, "estimate", part->estimate);
	}
	put_cpus(w, "cpu_ppm", part->cpus);
	json_close_object(w);
}

/* Of what the row is. */
static void put_identity(struct json_writer *w, const struct top_model *model,
			 const struct top_row *row)
{
	const char *name = top_model_text(model, row->name);

	switch (model->by) {
	case TOP_PROCESSES:
	case TOP_THREADS:
		json_put_int(w, model->by == TOP_PROCESSES ? "pid" : "tid",
			     row->id);
		json_put_int_unless(w,
				    model->by == TOP_PROCESSES ? "ppid" : "pid",
				    row->parent, row->no_stat ? 0 : -1);
		if (row->no_stat)
			json_put_null(w, "start_ticks");
		else
			json_put_uint(w, "start_ticks", row->start_ticks);
		json_put_bytes(w, "user", top_model_text(model, row->user));
		json_put_bytes(w, "command", name);
		json_put_bytes(w, "command_line",
			       row->command == TOP_NO_TEXT
				       ? NULL
				       : top_model_text(model, row->command));
		break;
	case TOP_CGROUPS:
		json_put_bytes(w, "cgroup", name);
		put_known(w, "processes", row->nr_processes);
		break;
	default:
		json_put_int_unless(w, "uid", row->id, (uid_t)-1);
		json_put_bytes(w, "user", name);
		put_known(w, "processes", row->nr_processes);
	}
}

static void put_row(struct json_writer *w, const struct top_model *model,
		    const struct top_row *row)
{
	json_open_object(w, NULL);
	put_identity(w, model, row);
	put_cpus(w, "cpu_ppm", row->cpus);
	if (model->by != TOP_THREADS) {
		put_kinds(w, row->kinds, true);
		put_known(w, "memory_total_bytes", row->bytes);
		json_put_bool(w, "estimate", row->estimate);
		put_known(w, "swap_bytes", row->swap_bytes);
		put_known(w, "remote_ppm", row->remote_ppm);
	}
	json_open_array(w, "nodes");
	for (unsigned int i = 0; i < row->nr_parts; i++)
		put_part(w, model, &model->parts[row->part + i], !row->err);
	json_close_array(w);
	json_put_string(w, "error",
			row->err ? text_process_error(row->err) : NULL);
	json_close_object(w);
}

static void put_load(struct json_writer *w, const struct top_model *model)
{
	if (model->load[0] < 0) {
		json_put_null(w, "load_average");
		return;
	}
	json_open_array(w, "load_average");
	for (int i = 0; i < 3; i++)
		json_put_double(w, NULL, model->load[i]);
	json_close_array(w);
}

int top_json(const struct top_model *model, const struct top_list *list)
{
	static const char *const names[TOP_NR_BY] = {
		[TOP_PROCESSES] = "processes",
		[TOP_CGROUPS] = "cgroups",
		[TOP_USERS] = "users",
		[TOP_THREADS] = "threads",
	};
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	put_known(&w, "realtime_ns",
		  model->clock_s ? real_ns(model->time_ns) : TOP_UNKNOWN);
	json_put_int(&w, "time_ns", model->time_ns);
	json_put_int_unless(&w, "interval_ns", model->interval_ns, 0);
	put_load(&w, model);
	put_known(&w, "swap_bytes", model->swap_bytes);
	put_known(&w, "swap_used_bytes", model->swap_used_bytes);
	json_open_array(&w, "nodes");
	for (unsigned int i = 0; i < model->nr_nodes; i++)
		put_node(&w, &model->nodes[i]);
	json_close_array(&w);
	json_open_array(&w, names[model->by]);
	for (size_t i = 0; i < list->nr; i++)
		put_row(&w, model, list->entries[i].row);
	json_close_array(&w);
	json_put_string(&w, "error", top_model_rows_error(model));
	json_open_array(&w, "estimates");
	json_put_string(&w, NULL, "remote_ppm");
	json_close_array(&w);
	json_close_object(&w);
	return json_finish(&w);
}
