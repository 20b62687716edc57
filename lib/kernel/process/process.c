// SPDX-License-Identifier: MIT
/* A reading: which processes exist, and whose memory is read when. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/uncancelled.h"
#include "kernel/process/internal.h"
#include "kernel/proc/group.h"
#include "kernel/proc/stat.h"
#include "kernel/proc/procfs.h"
#include "base/saturate.h"
#include "base/sort.h"
#include "base/array.h"

/* ---- listing ------------------------------------------------------------- */

/* Return the process if it has a row, else a new one. */
static struct process_entry *take(struct tally_process_stats *l, pid_t pid,
				  uint64_t start_ticks)
{
	unsigned int i = process_list_find(&l->rows, pid);
	struct process_entry *p;

	p = i < l->rows.nr ? l->rows.p[i] : NULL;
	if (p && p->row.pid == pid && p->row.start_ticks == start_ticks)
		return p;
	if (l->spare.nr)
		p = l->spare.p[--l->spare.nr];
	else
		p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->row = (struct tally_process_row){
		.pid = pid,
		.start_ticks = start_ticks,
		.uid = (uid_t)-1,
		.cgroup = "",
		.swap_bytes = TALLY_UNKNOWN,
	};
	p->nodes.table.nr = 0;
	mem_nodes_clear(&p->nodes.table);
	p->parts.nr = 0;
	p->is_new = true;
	p->listed = false;
	p->gone = false;
	p->stat_err = 0;
	return p;
}

/* stat has it in pages, which the parser takes for this machine's. */
static int64_t rss_bytes(const struct tally_process_stats *l,
			 const struct tally_stat *s)
{
	int64_t bytes;

	if (l->reader.live || !s->rss_bytes)
		return s->rss_bytes;
	if (!l->reader.page_bytes ||
	    __builtin_mul_overflow(s->rss_bytes / sysconf(_SC_PAGESIZE),
				   l->reader.page_bytes, &bytes))
		return TALLY_UNKNOWN;
	return bytes;
}

static void stat_set(const struct tally_process_stats *l,
		     struct process_entry *p, const struct tally_stat *s)
{
	struct tally_process_row *row = &p->row;

	row->ppid = s->ppid;
	row->state = s->state;
	memcpy(row->name, s->name, sizeof(row->name));
	row->nr_threads = s->nr_threads > 0 ? (unsigned int)s->nr_threads : 0;
	row->cpu_ns = saturate_add(s->user_ns, s->system_ns);
	row->rss_bytes = p->stat_err ? TALLY_UNKNOWN : rss_bytes(l, s);
	p->cpu = s->cpu;
	p->is = (struct tally_process){
		.pid = row->pid,
		.ppid = s->ppid,
		.start_ticks = s->start_ticks,
		.rss_bytes = s->rss_bytes,
		.state = s->state,
	};
	p->changed = row->rss_bytes != p->read_rss ||
		     row->nr_threads != p->read_threads;
	/* A process that ended has no memory, which costs nothing to see. */
	if (row->has_memory && process_has_ended(p))
		p->is_new = true;
}

static bool in_cgroup(const char *path, const char *in)
{
	const struct group_name of = group_name_of(in),
				name = group_name_of(path);

	return *path && group_name_holds(&of, &name);
}

/* What the filter asks about is read each time, because it changes. */
static int passes(struct tally_process_stats *l, struct process_entry *p,
		  bool *pass)
{
	const struct tally_process_filter *f = &l->filter;
	int err;

	*pass = false;
	if ((f->nr_pids || f->nr_commands) && !process_has_command(l, p) &&
	    !process_asked_for(l, p->row.pid))
		return 0;
	if (f->by_uid) {
		err = process_read_user(l, p);
		if (err == -ENOMEM)
			return err;
		if (err || p->row.uid != f->uid)
			return 0;
	}
	if (l->cgroup) {
		err = process_read_cgroup(l, p);
		if (err == -ENOMEM)
			return err;
		if (err || !in_cgroup(p->row.cgroup, l->cgroup))
			return 0;
	}
	*pass = true;
	return 0;
}

/* Take from its status what a process without a stat that makes sense has there. */
static void status_to_stat(struct tally_process_stats *l, pid_t pid,
			   struct tally_stat *s)
{
	static const char tag[] = "Name:";
	int64_t ppid, nr_threads;
	const char *name = l->text;
	char path[32];
	size_t len;

	*s = (struct tally_stat){.cpu = -1};
	snprintf(path, sizeof(path), "%d/status", pid);
	if (procfs_read(l->reader.proc, path, l->text, sizeof(l->text), &len))
		return;
	if (!strncmp(name, tag, sizeof(tag) - 1)) {
		name += sizeof(tag) - 1;
		name += strspn(name, " \t");
		snprintf(s->name, sizeof(s->name), "%.*s",
			 (int)strcspn(name, "\n"), name);
	}
	if (procfs_field(l->text, "PPid", &ppid) && ppid <= INT_MAX)
		s->ppid = (pid_t)ppid;
	if (procfs_field(l->text, "Threads", &nr_threads) &&
	    nr_threads <= INT_MAX)
		s->nr_threads = (int)nr_threads;
}

/* The error of reading a process's stat. Without one, it has ended; a captured
 * process, which has a directory all the same, lacks it. */
static int read_stat(struct tally_process_stats *l, pid_t pid,
		     struct tally_stat *s)
{
	int err = kernel_stat_read(l->reader.proc, pid, 0, s);

	if (!err || l->reader.live)
		return err;
	if (err == -ESRCH && procfs_has(l->reader.proc, pid))
		err = -ENOENT;
	if (err != -ESRCH)
		status_to_stat(l, pid, s);
	return err;
}

static int add_process(struct tally_process_stats *l, pid_t pid)
{
	struct tally_stat s = {.cpu = -1};
	struct process_entry *p;
	bool pass = true;
	int err, ret = read_stat(l, pid, &s);

	/* /proc may hide it; any other error is its row's. */
	if ((ret == -ESRCH ||
	     (l->reader.live && (ret == -EACCES || ret == -EPERM))) &&
	    !process_asked_for(l, pid))
		return 0;
	p = take(l, pid, ret ? 0 : s.start_ticks);
	if (!p)
		return -ENOMEM;
	p->stat_err = ret;
	stat_set(l, p, &s);
	/* The error of reading its memory stays until that is read again. */
	if (ret)
		p->row.err = ret;
	err = ret == -ESRCH ? 0 : passes(l, p, &pass);
	if (!err && pass)
		err = process_list_add(&l->next, p);
	/* A process with a row stays in the rows. */
	if ((err || !pass) && !p->listed)
		process_destroy(p);
	return err;
}

static int list_all(struct tally_process_stats *l)
{
	struct procfs_list list = {.fd = l->reader.proc};
	pid_t pid;
	int err = 0;

	if (lseek(list.fd, 0, SEEK_SET) < 0)
		return -errno;
	while (!err && (pid = procfs_next(&list)) > 0)
		if (!process_asked_for(l, pid))
			err = add_process(l, pid);
	return err || pid > 0 ? err : (int)pid;
}

static int list_processes(struct tally_process_stats *l)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < l->filter.nr_commands; i++)
		l->matched[i] = false;
	if (l->filter.nr_commands || !l->filter.nr_pids)
		err = list_all(l);
	for (i = 0; !err && i < l->filter.nr_pids; i++)
		err = add_process(l, process_of(l, l->pids[i]));
	return err;
}

/* ---- a reading ----------------------------------------------------------- */

/* New ones first, then changed ones, then those read longest ago. */
static int by_need(const void *a, const void *b)
{
	const struct process_entry *p = *(struct process_entry *const *)a;
	const struct process_entry *q = *(struct process_entry *const *)b;

	if (p->is_new != q->is_new)
		return p->is_new ? -1 : 1;
	if (p->changed != q->changed)
		return p->changed ? -1 : 1;
	if (p->row.memory_ns != q->row.memory_ns)
		return p->row.memory_ns < q->row.memory_ns ? -1 : 1;
	return process_by_pid(a, b);
}

static int64_t now(const struct tally_process_stats *l)
{
	return l->o.clock(l->o.clock_arg);
}

/* Moves *at to the end of the last read. */
static int read_memory(struct tally_process_stats *l, int64_t *at)
{
	int64_t wait, end = now(l);
	unsigned int i;
	int err = 0;

	l->order.nr = 0;
	for (i = 0; !err && i < l->next.nr; i++)
		err = process_list_add(&l->order, l->next.p[i]);
	sort_in_place(l->order.p, l->order.nr, sizeof(struct process_entry *),
		      by_need);
	wait = mem_budget_spend(&l->budget, *at, end);
	*at = end;
	for (i = 0; !err && i < l->order.nr; i++) {
		struct process_entry *p = l->order.p[i];

		if (p->row.err == -ESRCH)
			continue;
		if (!p->is_new && wait > 0)
			break;
		p->row.memory_ns = *at;
		err = process_read_memory(l, p);
		end = now(l);
		wait = mem_budget_spend(&l->budget, *at, end);
		*at = end;
	}
	return err;
}

/* End a reading, which is charged up to at. */
static void end_reading(struct tally_process_stats *l, int64_t begin,
			int64_t at)
{
	int64_t most = l->budget.save_ns > l->budget.burst_ns
			       ? l->budget.save_ns
			       : l->budget.burst_ns;

	l->time_ns = now(l);
	(void)mem_budget_spend(&l->budget, at, l->time_ns);
	if (l->budget.debt_ns > most)
		l->budget.debt_ns = most;
	l->last_cost_ns = l->time_ns - begin;
	l->cost_ns += l->last_cost_ns;
}

/* Drop rows that are not in next, and those in next that ended. */
static int drop_gone(struct tally_process_stats *l)
{
	struct process_list *rows = &l->rows, *next = &l->next;
	unsigned int i, nr = 0;
	int err = 0;

	for (i = 0; i < rows->nr; i++) {
		unsigned int at = process_list_find(next, rows->p[i]->row.pid);

		if (at < next->nr && next->p[at] == rows->p[i])
			continue;
		if (!err)
			err = process_list_add(&l->spare, rows->p[i]);
		if (err)
			process_destroy(rows->p[i]);
	}
	rows->nr = 0;
	for (i = 0; i < next->nr; i++) {
		if (!next->p[i]->gone) {
			next->p[nr++] = next->p[i];
			continue;
		}
		if (!err)
			err = process_list_add(&l->spare, next->p[i]);
		if (err)
			process_destroy(next->p[i]);
	}
	next->nr = nr;
	return err;
}

static int first_error(struct tally_process_stats *l)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < l->rows.nr; i++) {
		l->rows.p[i]->listed = true;
		if (l->rows.p[i]->row.memory_ns)
			l->rows.p[i]->is_new = false;
		if (!err)
			err = l->rows.p[i]->row.err;
	}
	return err;
}

int tally_kernel_processes_read(struct tally_process_stats *l)
{
	UNCANCELLED;

	int64_t begin = now(l), at = begin;
	struct process_list old;
	int err, dropped;

	l->nr_sums = 0;
	l->next.nr = 0;
	err = list_processes(l);
	process_list_sort(&l->next);
	if (!err)
		err = read_memory(l, &at);
	dropped = drop_gone(l);
	old = l->rows;
	l->rows = l->next;
	l->next = old;
	end_reading(l, begin, at);
	if (dropped && !err)
		err = dropped;
	dropped = first_error(l);
	return err ? err : dropped;
}

/* ---- what was read ------------------------------------------------------- */

unsigned int tally_kernel_processes_nr(const struct tally_process_stats *l)
{
	return l->rows.nr;
}

const struct tally_process_row *
tally_kernel_processes_row(const struct tally_process_stats *l,
			   unsigned int index)
{
	assert(index < l->rows.nr);
	return &l->rows.p[index]->row;
}

int tally_kernel_processes_find(const struct tally_process_stats *l, pid_t pid)
{
	unsigned int i = process_list_find(&l->rows, pid);

	return i < l->rows.nr && l->rows.p[i]->row.pid == pid ? (int)i
							      : -ENOENT;
}

bool tally_kernel_processes_matched(const struct tally_process_stats *l,
				    unsigned int command)
{
	assert(command < l->filter.nr_commands);
	return l->matched[command];
}

int64_t tally_kernel_processes_time_ns(const struct tally_process_stats *l)
{
	return l->time_ns;
}

int64_t tally_kernel_processes_last_cost_ns(const struct tally_process_stats *l)
{
	return l->last_cost_ns;
}

int64_t tally_kernel_processes_cost_ns(const struct tally_process_stats *l)
{
	return l->cost_ns;
}
