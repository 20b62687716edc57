// SPDX-License-Identifier: MIT
/* Threads, with the CPU usage of each on the node where it ran last. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/kernel_tree.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/opt.h"
#include "top/data/rows.h"

struct threads {
	struct top_thread *all;
	size_t nr, room;
};

static int compare(const void *a, const void *b)
{
	const struct top_thread *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

static struct top_thread *add_thread(const struct top_rows *rows,
				     unsigned int process, pid_t tid,
				     struct threads *threads)
{
	struct top_thread *t;

	if (array_reserve(threads->all, threads->room, threads->nr + 1))
		return NULL;
	t = &threads->all[threads->nr++];
	*t = (struct top_thread){
		.pid = tally_kernel_processes_row(rows->processes, process)->pid,
		.tid = tid,
		.process = process,
		.cpu = -1,
		.cpus = -1,
	};
	return t;
}

/* The thread, or the process, whose files can't be opened just now has a row with
 * the error. One that ended meanwhile, or that may not be read, has none. */
static int add_unread(const struct top_rows *rows, unsigned int process,
		      pid_t tid, int err, struct threads *threads)
{
	struct top_thread *t;

	if (err != -EMFILE && err != -ENFILE && err != -ENOMEM)
		return 0;
	t = add_thread(rows, process, tid, threads);
	if (!t)
		return -ENOMEM;
	t->err = err;
	memcpy(t->name,
	       tally_kernel_processes_row(rows->processes, process)->name,
	       sizeof(t->name));
	return 0;
}

static int read_thread(const struct top_rows *rows, pid_t pid, pid_t tid,
		       unsigned int process, struct threads *threads)
{
	struct tally_stat stat = {.size = sizeof(stat)};
	struct top_thread *t;
	int err = tally_kernel_stat_read(rows->root, pid, tid, &stat);

	if (err)
		return add_unread(rows, process, tid, err, threads);
	t = add_thread(rows, process, tid, threads);
	if (!t)
		return -ENOMEM;
	t->start_ticks = stat.start_ticks;
	t->cpu = stat.cpu;
	t->cpu_ns = stat.user_ns + stat.system_ns;
	memcpy(t->name, stat.name, sizeof(t->name));
	return 0;
}

static int read_process(const struct top_rows *rows, unsigned int process,
			struct threads *threads)
{
	pid_t pid = tally_kernel_processes_row(rows->processes, process)->pid;
	char path[PATH_MAX];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	if (snprintf(path, sizeof(path), "%s/proc/%d/task",
		     rows->root ? rows->root : "",
		     (int)pid) >= (int)sizeof(path))
		return 0;
	dir = opendir(path);
	if (!dir)
		return add_unread(rows, process, pid, -errno, threads);
	while (!err && (entry = readdir(dir))) {
		uint64_t tid;

		if (parse_number(entry->d_name, 1, INT_MAX, &tid))
			err = read_thread(rows, pid, (pid_t)tid, process,
					  threads);
	}
	closedir(dir);
	return err;
}

static void account(const struct top_rows *rows, struct threads *threads,
		    int64_t elapsed_ns)
{
	for (size_t i = 0; i < threads->nr; i++) {
		struct top_thread *t = &threads->all[i];
		const struct top_thread *before = NULL;

		if (rows->threads)
			before = bsearch(t, rows->threads, rows->nr_threads,
					 sizeof(*t), compare);
		if (t->err || !before ||
		    before->start_ticks != t->start_ticks || elapsed_ns <= 0)
			continue;
		t->cpus = (double)(t->cpu_ns - before->cpu_ns) /
			  (double)elapsed_ns;
		if (t->cpus < 0)
			t->cpus = 0;
	}
}

static int read_all(struct top_rows *rows)
{
	int64_t of_ns = tally_kernel_processes_time_ns(rows->processes);
	unsigned int nr = tally_kernel_processes_nr(rows->processes);
	int64_t time_ns = now_ns();
	struct threads threads = {.nr = 0};
	int err = 0;

	if (rows->threads && rows->threads_of_ns == of_ns)
		return 0;
	for (unsigned int i = 0; !err && i < nr; i++)
		err = read_process(rows, i, &threads);
	if (err) {
		free(threads.all);
		return err;
	}
	if (threads.nr)
		qsort(threads.all, threads.nr, sizeof(*threads.all), compare);
	account(rows, &threads, time_ns - rows->threads_ns);
	free(rows->threads);
	rows->threads = threads.all;
	rows->nr_threads = threads.nr;
	rows->threads_ns = time_ns;
	rows->threads_of_ns = of_ns;
	return 0;
}

static int fill_part(const struct top_rows *rows, const struct top_thread *t,
		     struct top_model *model)
{
	int node = rows->topo && t->cpu >= 0
			   ? tally_topo_cpu_node(rows->topo, t->cpu)
			   : -1;
	int index = node < 0 ? -1 : top_model_index(model, node);
	struct top_part *part;

	if (index < 0)
		return 0;
	part = top_model_add_part(model, (unsigned int)index);
	if (!part)
		return -ENOMEM;
	part->cpus = t->cpus;
	return 0;
}

static int fill_thread(struct top_rows *rows, const struct top_thread *t,
		       struct top_model *model)
{
	const struct tally_process_row *process =
		tally_kernel_processes_row(rows->processes, t->process);
	const char *user = top_rows_user(rows, process->uid);
	struct top_row *row = top_model_add_row(model);

	if (!row || !user || top_model_add_text(model, t->name, &row->name) ||
	    top_model_add_text(model, user, &row->user) ||
	    top_rows_add_command(rows, t->pid, model, row) ||
	    fill_part(rows, t, model))
		return -ENOMEM;
	row->id = t->tid;
	row->parent = t->pid;
	row->start_ticks = t->start_ticks;
	row->nr_processes = 1;
	row->cpus = t->cpus;
	row->err = t->err;
	return 0;
}

int top_rows_fill_threads(struct top_rows *rows, struct top_model *model)
{
	int err = read_all(rows);

	for (size_t i = 0; !err && i < rows->nr_threads; i++)
		err = fill_thread(rows, &rows->threads[i], model);
	return err;
}
