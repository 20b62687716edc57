// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/root.h"
#include "common/text.h"
#include "top/model/model.h"

void top_model_clear(struct top_model *model)
{
	model->time_ns = model->clock_s = model->interval_ns = 0;
	model->nr_nodes = 0;
	model->nr_rows = model->nr_parts = model->nr_texts = 0;
	for (int i = 0; i < 3; i++)
		model->load[i] = -1;
	model->swap_bytes = model->swap_used_bytes = TOP_UNKNOWN;
	model->nr_lacking = 0;
	model->rows_err = 0;
}

void top_model_free(struct top_model *model)
{
	free(model->nodes);
	free(model->rows);
	free(model->parts);
	free(model->texts);
	*model = (struct top_model){0};
}

struct top_node *top_model_add_node(struct top_model *model, int number)
{
	struct top_node *node;

	if (array_reserve(model->nodes, model->room_nodes,
			  (size_t)model->nr_nodes + 1))
		return NULL;
	node = &model->nodes[model->nr_nodes++];
	*node = (struct top_node){
		.node = number,
		.tier = -1,
		.total_bytes = TOP_UNKNOWN,
		.used_bytes = TOP_UNKNOWN,
		.nr_cpus = TOP_UNKNOWN,
		.cpu_ppm = TOP_UNKNOWN,
	};
	return node;
}

struct top_row *top_model_add_row(struct top_model *model)
{
	struct top_row *row;

	if (array_reserve(model->rows, model->room_rows, model->nr_rows + 1))
		return NULL;
	row = &model->rows[model->nr_rows++];
	*row = (struct top_row){
		.cpus = -1,
		.bytes = TOP_UNKNOWN,
		.swap_bytes = TOP_UNKNOWN,
		.remote_ppm = TOP_UNKNOWN,
		.command = TOP_NO_TEXT,
		.part = model->nr_parts,
	};
	for (int i = 0; i < TALLY_NR_MEM; i++)
		row->kinds[i] = TOP_UNKNOWN;
	return row;
}

struct top_part *top_model_add_part(struct top_model *model, unsigned int index)
{
	struct top_part *part;

	if (array_reserve(model->parts, model->room_parts, model->nr_parts + 1))
		return NULL;
	part = &model->parts[model->nr_parts++];
	*part = (struct top_part){.index = index, .cpus = -1};
	model->rows[model->nr_rows - 1].nr_parts++;
	return part;
}

int top_model_add_text(struct top_model *model, const char *text, size_t *place)
{
	size_t size = strlen(text) + 1;

	if (array_reserve(model->texts, model->room_texts,
			  model->nr_texts + size))
		return -ENOMEM;
	memcpy(model->texts + model->nr_texts, text, size);
	*place = model->nr_texts;
	model->nr_texts += size;
	return 0;
}

const char *top_model_rows_error(const struct top_model *model)
{
	if (model->rows_err == -ENOENT)
		return ROOT_PROCESSES;
	return model->rows_err ? text_error(model->rows_err) : NULL;
}

const char *top_model_text(const struct top_model *model, size_t place)
{
	return place < model->nr_texts ? model->texts + place : "";
}

int top_model_index(const struct top_model *model, int node)
{
	unsigned int low = 0, high = model->nr_nodes;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (model->nodes[middle].node == node)
			return (int)middle;
		if (model->nodes[middle].node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

const struct top_part *top_model_part(const struct top_model *model,
				      const struct top_row *row,
				      unsigned int index)
{
	for (unsigned int i = 0; i < row->nr_parts; i++)
		if (model->parts[row->part + i].index == index)
			return &model->parts[row->part + i];
	return NULL;
}

/* ---- sums ----------------------------------------------------------------- */

/* A sum is not known if one of its amounts is not. */
static void add(int64_t *sum, int64_t amount)
{
	if (*sum == TOP_UNKNOWN)
		return;
	if (amount == TOP_UNKNOWN)
		*sum = TOP_UNKNOWN;
	else if (__builtin_add_overflow(*sum, amount, sum))
		*sum = amount < 0 ? INT64_MIN + 1 : INT64_MAX;
}

void top_model_sum(const struct top_model *model, struct top_node *all)
{
	double busy = 0, cpus = 0;

	*all = (struct top_node){
		.node = -1,
		.tier = -1,
		.cpu_ppm = TOP_UNKNOWN,
	};
	if (!model->nr_nodes)
		all->total_bytes = all->used_bytes = all->nr_cpus = TOP_UNKNOWN;
	for (unsigned int i = 0; i < model->nr_nodes; i++) {
		const struct top_node *node = &model->nodes[i];

		add(&all->total_bytes, node->total_bytes);
		add(&all->used_bytes, node->used_bytes);
		add(&all->nr_cpus, node->nr_cpus);
		if (node->cpu_ppm != TOP_UNKNOWN && node->nr_cpus > 0) {
			busy += (double)node->cpu_ppm * (double)node->nr_cpus;
			cpus += (double)node->nr_cpus;
		}
		for (int c = 0; c < TOP_NR_COUNTERS; c++)
			all->rates[c] =
				top_rate_add(all->rates[c], node->rates[c]);
	}
	if (cpus > 0)
		all->cpu_ppm = (int64_t)(busy / cpus);
}

/* ---- rates ---------------------------------------------------------------- */

struct top_rate top_rate(int64_t before, int64_t now, int64_t ns)
{
	if (now == TOP_UNKNOWN)
		return (struct top_rate){.state = TOP_RATE_UNKNOWN};
	if (before == TOP_UNKNOWN || ns <= 0)
		return (struct top_rate){.state = TOP_RATE_FIRST};
	if (now < before)
		return (struct top_rate){.state = TOP_RATE_RESET};
	return (struct top_rate){
		.state = TOP_RATE_KNOWN,
		.per_s = ((double)now - (double)before) * 1e9 / (double)ns,
	};
}

struct top_rate top_rate_add(struct top_rate a, struct top_rate b)
{
	if (a.state == TOP_RATE_RESET || b.state == TOP_RATE_RESET)
		return (struct top_rate){.state = TOP_RATE_RESET};
	if (a.state != TOP_RATE_KNOWN || b.state != TOP_RATE_KNOWN)
		return a.state > b.state ? a : b;
	a.per_s += b.per_s;
	return a;
}

int64_t top_busy_ppm(int64_t busy_before, int64_t busy_now, int64_t idle_before,
		     int64_t idle_now)
{
	double busy, idle;

	if (busy_before == TOP_UNKNOWN || busy_now == TOP_UNKNOWN ||
	    idle_before == TOP_UNKNOWN || idle_now == TOP_UNKNOWN ||
	    busy_now < busy_before)
		return TOP_UNKNOWN;
	busy = (double)busy_now - (double)busy_before;
	idle = (double)idle_now - (double)idle_before;
	/* proc(5): iowait goes backwards at times. */
	if (idle < 0)
		idle = 0;
	if (busy + idle <= 0)
		return TOP_UNKNOWN;
	return (int64_t)(busy * 1e6 / (busy + idle));
}

int64_t top_remote_ppm(int64_t local, int64_t remote)
{
	double all = (double)local + (double)remote;

	return all > 0 ? (int64_t)((double)remote * 1e6 / all) : TOP_UNKNOWN;
}
