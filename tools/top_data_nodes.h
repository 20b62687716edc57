/* SPDX-License-Identifier: MIT */
/* The nodes of a machine, and how fast their counters grow. */
#ifndef TOP_DATA_NODES_H
#define TOP_DATA_NODES_H

#include <stdbool.h>

#include <numatally/kernel_node.h>
#include <numatally/topo.h>

#include "top_model.h"

enum top_amount {
	TOP_AMOUNT_COUNTER, /* and one for each enum top_counter */
	TOP_AMOUNT_BUSY = TOP_AMOUNT_COUNTER + TOP_NR_COUNTERS, /* ns */
	TOP_AMOUNT_IDLE,
	TOP_AMOUNT_TOTAL, /* bytes */
	TOP_AMOUNT_FREE,
	TOP_NR_AMOUNTS
};

/* What a node had at the last reading. */
struct top_past {
	int node;
	int64_t amounts[TOP_NR_AMOUNTS];
};

#define TOP_MAX_SUMMED 24

struct top_nodes {
	struct tally_nodes *handle;
	unsigned int nr_figures; /* when their places were looked up: */
	int figures[TOP_MAX_SUMMED];
	struct top_node *rows;
	struct top_past *past; /* of the same nodes */
	unsigned int nr;
	int64_t time_ns, interval_ns;
	bool changed; /* others than in the reading before */
};

int top_nodes_open(struct top_nodes *nodes, const char *root);
void top_nodes_close(struct top_nodes *nodes);

/* topo says of which tier a node is, and how many CPUs it has. -ENOMEM, or why
 * there are no nodes. */
int top_nodes_read(struct top_nodes *nodes, const struct tally_topo *topo);

#endif
