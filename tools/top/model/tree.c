// SPDX-License-Identifier: MIT
/* A list of processes as a tree. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "top/model/list.h"

#define NONE SIZE_MAX

struct node {
	int64_t pid;
	size_t entry; /* in the list as it was */
	size_t parent, child, next;
	bool seen;
};

struct tree {
	struct node *nodes; /* by pid */
	size_t *at;	    /* of each entry, in nodes */
	size_t nr;
};

static int by_pid(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void link_nodes(struct tree *t, const struct top_list *list)
{
	for (size_t i = 0; i < t->nr; i++)
		t->nodes[i] = (struct node){
			.pid = list->entries[i].row->id,
			.entry = i,
			.parent = NONE,
			.child = NONE,
			.next = NONE,
		};
	qsort(t->nodes, t->nr, sizeof(*t->nodes), by_pid);
	for (size_t i = 0; i < t->nr; i++)
		t->at[t->nodes[i].entry] = i;
	/* From the last, so that the first child is the first in order. */
	for (size_t i = t->nr; i-- > 0;) {
		struct node *node = &t->nodes[t->at[i]], *parent;
		const struct node wanted = {
			.pid = list->entries[i].row->parent,
		};

		parent = bsearch(&wanted, t->nodes, t->nr, sizeof(*t->nodes),
				 by_pid);
		if (!parent || parent == node)
			continue;
		node->parent = (size_t)(parent - t->nodes);
		node->next = parent->child;
		parent->child = t->at[i];
	}
}

/* Write a node and what is below it. */
static size_t put(struct tree *t, const struct top_list *list,
		  struct top_entry *to, size_t nr, size_t root)
{
	unsigned int depth = 0;
	size_t at = root;

	for (;;) {
		struct node *node = &t->nodes[at];

		if (!node->seen) {
			node->seen = true;
			to[nr] = list->entries[node->entry];
			to[nr++].depth = depth;
			if (node->child != NONE) {
				at = node->child;
				depth++;
				continue;
			}
		}
		while (at != root && t->nodes[at].next == NONE) {
			at = t->nodes[at].parent;
			depth--;
		}
		if (at == root)
			return nr;
		at = t->nodes[at].next;
	}
}

int top_list_tree(struct top_list *list)
{
	struct top_entry *to = calloc(list->nr + 1, sizeof(*to));
	struct tree t = {
		.nodes = calloc(list->nr + 1, sizeof(*t.nodes)),
		.at = calloc(list->nr + 1, sizeof(*t.at)),
		.nr = list->nr,
	};
	size_t nr = 0;
	int err = to && t.nodes && t.at ? 0 : -ENOMEM;

	if (!err) {
		link_nodes(&t, list);
		for (size_t i = 0; i < t.nr; i++)
			if (t.nodes[t.at[i]].parent == NONE)
				nr = put(&t, list, to, nr, t.at[i]);
		/* Files of a captured tree may name parents in a circle. */
		for (size_t i = 0; i < t.nr; i++)
			if (!t.nodes[t.at[i]].seen) {
				t.nodes[t.at[i]].seen = true;
				to[nr] = list->entries[i];
				to[nr++].depth = 0;
			}
		memcpy(list->entries, to, nr * sizeof(*to));
	}
	free(to);
	free(t.nodes);
	free(t.at);
	return err;
}
