// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/kernel_tree.h>

#include "base/self.h"
#include "kernel/events/sample.h"
#include "kernel/proc/procfs.h"
#include "kernel/proc/stat.h"

/* A thread when it was last seen. */
struct seen {
	pid_t tid;	/* 0: an empty slot */
	uint64_t start; /* detects a reused number */
	struct tally_event_counts counts;
};

/* A hash table with open addressing, at most half full. */
struct seen_table {
	struct seen *places;
	size_t nr_places; /* a power of two */
	size_t nr_seen;
};

struct task_sampler {
	const struct tally_topo *topo;
	struct tally_tree *tree;
	struct seen_table last, now;
	struct tally_event_counts before, living;
	/* Of the read under way: */
	struct tally_event_counts *rows;
	pid_t pid;
};

/*
 * Return how often the thread moved to another CPU, from
 * /proc/PID/task/TID/sched; 0 if the kernel does not tell.
 */
static int64_t read_migrations(pid_t pid, pid_t tid)
{
	static const char name[] = "se.nr_migrations";
	char path[64], buf[1024];
	ssize_t n;
	char *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/sched", (int)pid,
		 (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	/* Its line is among the first ones. */
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	/* The thread's name, in the first line, can be anything. */
	at = strchr(buf, '\n');
	at = at ? strstr(at, name) : NULL;
	at = at ? strchr(at, ':') : NULL;
	return at ? strtoll(at + 1, NULL, 10) : 0;
}

static void fill(const struct kernel_thread *thread, pid_t pid,
		 struct seen *seen)
{
	const struct tally_stat *stat = &thread->stat;
	int64_t *count = seen->counts.count;

	seen->tid = stat->pid;
	seen->start = stat->start_ticks;
	count[TALLY_EVENT_CPU_NS] = thread->cpu_ns;
	count[TALLY_EVENT_PAGE_FAULTS] =
		stat->minor_faults + stat->major_faults;
	count[TALLY_EVENT_CONTEXT_SWITCHES] =
		thread->context_switches > 0 ? thread->context_switches : 0;
	count[TALLY_EVENT_MIGRATIONS] = read_migrations(pid, stat->pid);
}

static struct seen *table_place(const struct seen_table *table, pid_t tid)
{
	size_t mask = table->nr_places - 1;
	size_t i = ((size_t)tid * 2654435761u) & mask;

	while (table->places[i].tid && table->places[i].tid != tid)
		i = (i + 1) & mask;
	return &table->places[i];
}

static int table_grow(struct seen_table *table)
{
	struct seen_table bigger = {
		.nr_places = table->nr_places ? 2 * table->nr_places : 64,
		.nr_seen = table->nr_seen,
	};

	bigger.places = calloc(bigger.nr_places, sizeof(*bigger.places));
	if (!bigger.places)
		return -ENOMEM;
	for (size_t i = 0; i < table->nr_places; i++)
		if (table->places[i].tid)
			*table_place(&bigger, table->places[i].tid) =
				table->places[i];
	free(table->places);
	*table = bigger;
	return 0;
}

static int table_add(struct seen_table *table, const struct seen *seen)
{
	struct seen *place;

	if (2 * (table->nr_seen + 1) > table->nr_places && table_grow(table))
		return -ENOMEM;
	place = table_place(table, seen->tid);
	if (!place->tid)
		table->nr_seen++;
	*place = *seen;
	return 0;
}

static const struct seen *table_find(const struct seen_table *table,
				     const struct seen *seen)
{
	const struct seen *place;

	if (!table->nr_seen)
		return NULL;
	place = table_place(table, seen->tid);
	return place->tid && place->start == seen->start ? place : NULL;
}

static void table_clear(struct seen_table *table)
{
	if (table->places)
		memset(table->places, 0,
		       table->nr_places * sizeof(*table->places));
	table->nr_seen = 0;
}

static struct tally_event_counts *row_of(struct task_sampler *s, int cpu)
{
	int node = cpu < 0 ? -1 : tally_topo_cpu_node(s->topo, cpu);
	int index = node < 0 ? -1 : tally_topo_index(s->topo, node);

	return &s->rows[index < 0 ? (int)tally_topo_nr_nodes(s->topo) : index];
}

static int look_at_thread(void *arg, const struct kernel_thread *thread)
{
	struct task_sampler *s = arg;
	struct tally_event_counts *row = row_of(s, thread->stat.cpu);
	const struct seen *last;
	struct seen seen = {0};

	fill(thread, s->pid, &seen);
	last = table_find(&s->last, &seen);
	for (int e = 0; e < TALLY_NR_EVENTS; e++) {
		int64_t more = seen.counts.count[e];

		s->living.count[e] += more;
		if (last)
			more -= last->counts.count[e];
		if (more > 0)
			row->count[e] += more;
	}
	return table_add(&s->now, &seen);
}

static int note_thread(void *arg, const struct kernel_thread *thread)
{
	struct task_sampler *s = arg;
	struct seen seen = {0};

	fill(thread, s->pid, &seen);
	s->before = seen.counts;
	return table_add(&s->last, &seen);
}

static bool has_numbers(void)
{
	int proc = procfs_open(NULL);
	bool has = proc >= 0 && self_is_numbered(proc);

	if (proc >= 0)
		close(proc);
	return has;
}

int task_sampler_open(const struct tally_topo *topo, pid_t pid,
		      struct tally_tree *tree, struct task_sampler **sampler)
{
	struct task_sampler *s;

	if (kill(pid, 0) && errno == ESRCH)
		return -ESRCH;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->topo = topo;
	s->tree = tree;
	s->pid = pid;
	/* If procfs tells nothing, assume that nothing went before. */
	if (has_numbers() &&
	    kernel_threads(NULL, pid, note_thread, s) == -ENOMEM) {
		task_sampler_close(s);
		return -ENOMEM;
	}
	*sampler = s;
	return 0;
}

void task_sampler_close(struct task_sampler *s)
{
	if (!s)
		return;
	free(s->last.places);
	free(s->now.places);
	free(s);
}

int task_sampler_read(struct task_sampler *s, struct tally_event_counts *rows)
{
	struct seen_table swap;
	unsigned int nr;
	int ret;

	s->rows = rows;
	memset(&s->living, 0, sizeof(s->living));
	if (!s->tree)
		return 0;
	ret = tally_kernel_tree_refresh(s->tree);
	if (ret)
		return ret;
	table_clear(&s->now);
	nr = tally_kernel_tree_nr(s->tree);
	for (unsigned int i = 0; i < nr && ret != -ENOMEM; i++) {
		s->pid = tally_kernel_tree_row(s->tree, i)->pid;
		/* A process that ended loses only its own counts. */
		ret = kernel_threads(NULL, s->pid, look_at_thread, s);
	}
	swap = s->last;
	s->last = s->now;
	s->now = swap;
	return ret == -ENOMEM ? ret : 0;
}

void task_sampler_before(const struct task_sampler *s,
			 struct tally_event_counts *counts)
{
	*counts = s->before;
}

void task_sampler_living(const struct task_sampler *s,
			 struct tally_event_counts *counts)
{
	*counts = s->living;
}
