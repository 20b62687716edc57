/* SPDX-License-Identifier: MIT */
/* Nodes of --nodes that the machine does not have, told in one message. */
#ifndef TOOL_COMMON_ABSENT_H
#define TOOL_COMMON_ABSENT_H

/* The kernel's own limit is 1024. */
#define ABSENT_NODE_MAX 4095

struct absent {
	unsigned int nr, first, last; /* nodes; the last run of them */
	char *text;		      /* the runs before: "1-5, 7, " */
};

/* Add a node. Ascending ones that follow each other are told as a range. */
void absent_add(struct absent *absent, unsigned int node);

/* Print "no node 7" or "no nodes 1-5, 7" if there is any, and begin again. */
void absent_tell(struct absent *absent);

#endif
