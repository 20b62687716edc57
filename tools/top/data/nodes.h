/* SPDX-License-Identifier: MIT */
/* The nodes of a machine, and the rates of their counters. */
#ifndef TOOL_TOP_DATA_NODES_H
#define TOOL_TOP_DATA_NODES_H

#include <stdbool.h>

#include <numatally/kernel_node.h>
#include <numatally/topo.h>

#include "top/model/model.h"

enum top_amount {
	TOP_AMOUNT_COUNTER, /* and one for each enum top_counter */
	TOP_AMOUNT_BUSY = TOP_AMOUNT_COUNTER + TOP_NR_COUNTERS, /* ns */
	TOP_AMOUNT_IDLE,
	TOP_AMOUNT_TOTAL, /* bytes */
	TOP_AMOUNT_FREE,
	TOP_NR_AMOUNTS
};

/* A node at the last reading. */
struct top_past {
	int node;
	int64_t amounts[TOP_NR_AMOUNTS];
};

#define TOP_MAX_SUMMED 24

struct top_nodes {
	struct tally_node_stats *handle;
	unsigned int nr_figures; /* when these indexes were looked up */
	int figures[TOP_MAX_SUMMED];
	struct top_node *rows;
	struct top_past *past; /* of the same nodes */
	unsigned int nr;
	int64_t time_ns, interval_ns;
	bool changed; /* the set of nodes, since the reading before */
};

int top_nodes_open(struct top_nodes *nodes, const char *root);
void top_nodes_close(struct top_nodes *nodes);

/* Read all nodes. @topo, or NULL, has their tiers and numbers of CPUs. Returns 0;
 * -ENOMEM; or the reason that there are no nodes. */
int top_nodes_read(struct top_nodes *nodes, const struct tally_topo *topo);

#endif
