/* SPDX-License-Identifier: MIT */
/* Reads the machine, by the library, and makes models of what it read. */
#ifndef TOP_DATA_H
#define TOP_DATA_H

#include "top_model.h"

struct top_data;

/* Whether a node is wanted, by its number. */
struct top_wanted {
	struct top_range {
		int first, last;
	} * ranges;
	unsigned int nr; /* 0: all are */
};

/* A list as "0-3,8". False: it is none, and nothing is to be freed, or there
 * is no memory. */
bool top_wanted_parse(const char *text, struct top_wanted *wanted);
bool top_wanted_has(const struct top_wanted *wanted, int node);

/* root: a captured tree, or NULL; both are borrowed. 0 or -errno. */
int top_data_open(const char *root, const struct top_wanted *wanted,
		  struct top_data **data);
void top_data_close(struct top_data *data);

/* Reads it all anew. What can't be read is an error of its row, or of all
 * rows; -ENOMEM, or no node can be read at all: why. */
int top_data_read(struct top_data *data);

/* Makes a model of the last reading. -ENOMEM */
int top_data_fill(struct top_data *data, enum top_by by,
		  struct top_model *model);

#endif
