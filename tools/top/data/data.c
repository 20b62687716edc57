// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/absent.h"
#include "common/opt.h"
#include "common/root.h"
#include "top/data/data.h"
#include "top/data/files.h"
#include "top/data/nodes.h"
#include "top/data/rows.h"

struct top_data {
	const char *root;
	const struct top_wanted *wanted;
	struct tally_topo *topo; /* NULL: unreadable */
	struct top_nodes nodes;
	struct top_rows rows;
	int64_t clock_s;
	double load[3];
	int64_t swap_bytes, swap_used_bytes;
};

/* ---- --nodes ---------------------------------------------------------------*/

bool top_wanted_parse(const char *text, struct top_wanted *wanted)
{
	struct top_wanted made = {0};

	/* There are no more ranges than characters. */
	made.ranges = calloc(strlen(text) + 1, sizeof(*made.ranges));
	while (made.ranges) {
		struct top_range *range = &made.ranges[made.nr++];

		text = parse_range(text, ABSENT_NODE_MAX, &range->first,
				   &range->last);
		if (!text || (*text && *text != ','))
			break;
		if (!*text++) {
			*wanted = made;
			return true;
		}
	}
	free(made.ranges);
	return false;
}

bool top_wanted_has(const struct top_wanted *wanted, int node)
{
	for (unsigned int i = 0; i < wanted->nr; i++)
		if ((unsigned int)node >= wanted->ranges[i].first &&
		    (unsigned int)node <= wanted->ranges[i].last)
			return true;
	return !wanted->nr;
}

/* ---- data -----------------------------------------------------------------*/

int top_data_open(const char *root, const struct top_wanted *wanted,
		  struct top_data **data, const char **lacks)
{
	struct top_data *made = calloc(1, sizeof(*made));
	int err;

	if (!made)
		return -ENOMEM;
	made->root = root;
	made->wanted = wanted;
	err = tally_topo_open(root, &made->topo);
	/* Optional: it has tiers, and the nodes of CPUs. */
	*lacks = ROOT_NODES;
	if (err == -ENOENT || err == -ENOTDIR)
		err = 0;
	if (!err)
		err = top_nodes_open(&made->nodes, root);
	if (!err) {
		*lacks = ROOT_PROCESSES;
		err = top_rows_open(&made->rows, root, made->topo);
	}
	if (err) {
		top_data_close(made);
		return err;
	}
	*data = made;
	return 0;
}

void top_data_close(struct top_data *data)
{
	if (!data)
		return;
	top_rows_close(&data->rows);
	top_nodes_close(&data->nodes);
	tally_topo_close(data->topo);
	free(data);
}

/* Nodes went on or off line. */
static void renew_topo(struct top_data *data)
{
	struct tally_topo *topo;

	if (tally_topo_open(data->root, &topo))
		return;
	if (data->rows.processes)
		tally_kernel_processes_set_topo(data->rows.processes, topo);
	tally_topo_close(data->topo);
	data->topo = topo;
	data->rows.topo = topo;
}

void top_data_want(struct top_data *data, bool commands)
{
	data->rows.wants_commands = commands;
}

int top_data_read(struct top_data *data)
{
	int err = top_nodes_read(&data->nodes, data->topo);

	if (err)
		return err;
	if (data->nodes.changed)
		renew_topo(data);
	data->clock_s = data->root ? 0 : (int64_t)time(NULL);
	top_files_load(data->root, data->load);
	top_files_swap(data->root, &data->swap_bytes, &data->swap_used_bytes);
	return top_rows_read(&data->rows);
}

bool top_data_has(const struct top_data *data, int node)
{
	for (unsigned int i = 0; i < data->nodes.nr; i++)
		if (data->nodes.rows[i].node == node)
			return true;
	return false;
}

int top_data_fill(struct top_data *data, enum top_by by,
		  struct top_model *model)
{
	top_model_clear(model);
	model->by = by;
	model->time_ns = data->nodes.time_ns;
	model->interval_ns = data->nodes.interval_ns;
	model->clock_s = data->clock_s;
	memcpy(model->load, data->load, sizeof(model->load));
	model->swap_bytes = data->swap_bytes;
	model->swap_used_bytes = data->swap_used_bytes;
	for (unsigned int i = 0; i < data->nodes.nr; i++) {
		const struct top_node *from = &data->nodes.rows[i];
		struct top_node *node;

		if (!top_wanted_has(data->wanted, from->node))
			continue;
		node = top_model_add_node(model, from->node);
		if (!node)
			return -ENOMEM;
		*node = *from;
	}
	return top_rows_fill(&data->rows, by, model);
}
