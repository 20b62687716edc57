/* SPDX-License-Identifier: MIT */
/* Reads the machine through the library, and makes models of it. */
#ifndef TOOL_TOP_DATA_DATA_H
#define TOOL_TOP_DATA_DATA_H

#include "top/model/model.h"

struct top_data;

/* The nodes to show. */
struct top_wanted {
	struct top_range {
		unsigned int first, last;
	} * ranges;
	unsigned int nr; /* 0: all */
};

/* Parse a list such as "0-3,8". The caller frees wanted->ranges. False: it is
 * not a list, or there is no memory; @wanted is untouched. */
bool top_wanted_parse(const char *text, struct top_wanted *wanted);
bool top_wanted_has(const struct top_wanted *wanted, int node);

/* @root: a captured tree, or NULL for this machine. Keeps pointers to @root and
 * @wanted. Returns 0 or -errno; *lacks is then for root_complain(). */
int top_data_open(const char *root, const struct top_wanted *wanted,
		  struct top_data **data, const char **lacks);
void top_data_close(struct top_data *data);

/* Read the machine again. An unreadable node or process is an error of its row.
 * Returns 0; -ENOMEM; or, if no node can be read, the reason. */
int top_data_read(struct top_data *data);

/* Whether the last reading found the node, shown or not. */
bool top_data_has(const struct top_data *data, int node);

/* Whether models have the command lines of processes, which are read for each. */
void top_data_want(struct top_data *data, bool commands);

/* Make a model of the last reading. Returns 0 or -ENOMEM. */
int top_data_fill(struct top_data *data, enum top_by by,
		  struct top_model *model);

#endif
