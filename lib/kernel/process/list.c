// SPDX-License-Identifier: MIT
/* Lists of processes, ascending by number. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "kernel/process/internal.h"
#include "base/array.h"
#include "base/sort.h"

void process_destroy(struct process_entry *p)
{
	process_nodes_free(&p->nodes);
	free(p->parts.p);
	free(p->cgroup);
	free(p);
}

int process_list_add(struct process_list *l, struct process_entry *p)
{
	if (array_reserve(l->p, l->cap, l->nr + 1))
		return -ENOMEM;
	l->p[l->nr++] = p;
	return 0;
}

void process_list_free(struct process_list *l, bool processes)
{
	unsigned int i;

	for (i = 0; processes && i < l->nr; i++)
		process_destroy(l->p[i]);
	free(l->p);
}

int process_by_pid(const void *a, const void *b)
{
	const struct process_entry *p = *(struct process_entry *const *)a;
	const struct process_entry *q = *(struct process_entry *const *)b;

	return (p->row.pid > q->row.pid) - (p->row.pid < q->row.pid);
}

unsigned int process_list_find(const struct process_list *l, pid_t pid)
{
	unsigned int lo = 0, hi = l->nr;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (l->p[mid]->row.pid < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A tree that changes while it is listed can have a number twice. */
void process_list_sort(struct process_list *l)
{
	unsigned int i, nr = 0;

	sort_in_place(l->p, l->nr, sizeof(struct process_entry *),
		      process_by_pid);
	for (i = 0; i < l->nr; i++) {
		struct process_entry *p = l->p[i];

		if (!nr || l->p[nr - 1]->row.pid != p->row.pid)
			l->p[nr++] = p;
		else if (p != l->p[nr - 1] && !p->listed)
			process_destroy(p);
	}
	l->nr = nr;
}

bool process_asked_for(const struct tally_process_stats *l, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < l->filter.nr_pids; i++)
		if (l->pids[i] == pid)
			return true;
	return false;
}
