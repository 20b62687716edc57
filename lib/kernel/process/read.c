// SPDX-License-Identifier: MIT
/* The files of one process. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/process/internal.h"
#include "kernel/proc/group.h"
#include "kernel/proc/stat.h"
#include "kernel/proc/procfs.h"
#include "base/saturate.h"
#include "base/array.h"
#include "base/self.h"
#include "topo/sysfs.h"

static int read_file(struct tally_process_stats *l,
		     const struct process_entry *p, const char *file,
		     size_t *len)
{
	char name[64];

	snprintf(name, sizeof(name), "%d/%s", p->row.pid, file);
	return procfs_read(l->reader.proc, name, l->text, sizeof(l->text), len);
}

/* Parse the effective user: the second number after "Uid:". -ENOENT: there is no
 * such line; -EBADMSG: it makes no sense. */
static int effective_uid(const char *text, uid_t *uid)
{
	const char *at = strstr(text, "\nUid:"), *end;
	uint64_t v = 0;
	int i;

	*uid = (uid_t)-1;
	if (!at)
		return -ENOENT;
	at += strlen("\nUid:");
	end = at + strcspn(at, "\n");
	for (i = 0; i < 2; i++) {
		at += strspn(at, " \t");
		if (at > end || !procfs_decimal(&at, end, &v))
			return -EBADMSG;
	}
	if (v > UINT32_MAX)
		return -EBADMSG;
	*uid = (uid_t)v;
	return 0;
}

int process_read_user(struct tally_process_stats *l, struct process_entry *p)
{
	struct tally_process_row *row = &p->row;
	int64_t kib = 0;
	size_t len;
	int err = read_file(l, p, "status", &len);

	if (err)
		return err;
	p->odd = effective_uid(l->text, &row->uid) == -EBADMSG;
	/* A kernel thread has no memory, nor has an ended process. */
	err = procfs_number(l->text, "VmSize", &kib);
	p->odd |= err == -EBADMSG;
	row->has_memory = err != -ENOENT ||
			  procfs_number(l->text, "VmRSS", &kib) != -ENOENT;
	row->swap_bytes = row->has_memory ? TALLY_UNKNOWN : 0;
	err = procfs_number(l->text, "VmSwap", &kib);
	if (!err && __builtin_mul_overflow(kib, 1024, &row->swap_bytes))
		err = -EBADMSG;
	if (err == -EBADMSG) {
		row->swap_bytes = TALLY_UNKNOWN;
		p->odd = true;
	}
	return 0;
}

pid_t process_of(struct tally_process_stats *l, pid_t pid)
{
	int64_t tgid = 0;
	char name[32];
	size_t len;

	snprintf(name, sizeof(name), "%d/status", pid);
	if (procfs_read(l->reader.proc, name, l->text, sizeof(l->text), &len) ||
	    procfs_number(l->text, "Tgid", &tgid) || tgid <= 0 ||
	    tgid > INT_MAX)
		return pid;
	return (pid_t)tgid;
}

/* The kernel writes no empty name; a captured file may have some. */
static int cgroup_set(struct process_entry *p, const char *path, size_t len)
{
	const char *end = path + len;
	char *to;

	if (array_reserve(p->cgroup, p->cgroup_cap, (unsigned int)len + 1))
		return -ENOMEM;
	to = p->cgroup;
	for (; path < end; path++)
		if (*path != '/' || (path + 1 < end && path[1] != '/') ||
		    (to == p->cgroup && path + 1 == end))
			*to++ = *path;
	*to = '\0';
	p->row.cgroup = p->cgroup;
	return 0;
}

int process_read_cgroup(struct tally_process_stats *l, struct process_entry *p)
{
	const char *path;
	size_t len = 0;
	int err = read_file(l, p, "cgroup", &len);

	if (err)
		return err;
	path = group_name_find(l->text, "memory", &len);
	/* Version 1 says "/" of a process that ended, wherever it was. */
	if (path && len == 1 && process_has_ended(p))
		len = 0;
	if (!path)
		path = group_name_find(l->text, "", &len);
	return path ? cgroup_set(p, path, len) : cgroup_set(p, "", 0);
}

/* Match each, to learn which has no process. */
static bool match(struct tally_process_stats *l, const char *text)
{
	bool any = false;

	for (unsigned int i = 0; i < l->filter.nr_commands; i++)
		if (strstr(text, l->commands[i]))
			l->matched[i] = any = true;
	return any;
}

static bool all_matched(const struct tally_process_stats *l)
{
	unsigned int i = 0;

	while (i < l->filter.nr_commands && l->matched[i])
		i++;
	return i == l->filter.nr_commands;
}

bool process_has_command(struct tally_process_stats *l,
			 const struct process_entry *p)
{
	size_t len, i;
	bool any;

	if (!l->filter.nr_commands ||
	    (l->reader.live && p->row.pid == self_number(l->reader.proc)))
		return false;
	any = match(l, p->row.name);
	if ((any && all_matched(l)) || read_file(l, p, "cmdline", &len))
		return any;
	for (i = 0; i + 1 < len; i++)
		if (!l->text[i])
			l->text[i] = ' ';
	return match(l, l->text) || any;
}

/* ---- threads ------------------------------------------------------------- */

static int add_thread(struct tally_process_stats *l, struct process_entry *p,
		      int cpu, unsigned int nr, int64_t cpu_ns)
{
	int node = l->topo && cpu >= 0 ? tally_topo_cpu_node(l->topo, cpu) : -1;
	struct mem_node *n = mem_nodes_at(&p->nodes.table, node);

	if (!n)
		return -ENOMEM;
	n->nr_threads += nr;
	n->cpu_ns = saturate_add(n->cpu_ns, cpu_ns);
	return 0;
}

static int read_threads(struct tally_process_stats *l, struct process_entry *p)
{
	struct procfs_list list = {.fd = -1};
	struct tally_stat s;
	unsigned int nr = 0;
	char name[32];
	int err = 0;
	pid_t tid;

	if (p->row.nr_threads > 1) {
		snprintf(name, sizeof(name), "%d/task", p->row.pid);
		list.fd = procfs_opendir(l->reader.proc, name);
	}
	/* Without a list, they count as where the first one ran. */
	if (topo_fatal(list.fd))
		return list.fd;
	while (!err && list.fd >= 0 && (tid = procfs_next(&list)) > 0) {
		err = kernel_stat_read(l->reader.proc, p->row.pid, tid, &s);
		if (err) {
			err = topo_fatal(err) ? err : 0;
			continue;
		}
		nr++;
		err = add_thread(l, p, s.cpu, 1,
				 saturate_add(s.user_ns, s.system_ns));
	}
	if (list.fd >= 0)
		close(list.fd);
	/* A captured tree may have only the first thread's stat. */
	if (!err && !nr)
		err = add_thread(l, p, p->cpu, p->row.nr_threads,
				 p->row.cpu_ns);
	return err;
}

/* ---- memory -------------------------------------------------------------- */

static bool has_something(const struct mem_node *n)
{
	unsigned int k;

	for (k = 0; k < MEM_NR_KINDS; k++)
		if (n->all[k].upper || n->all[k].high2 > 0)
			return true;
	return false;
}

static void amounts_copy(struct mem_node *to, const struct mem_node *n)
{
	memcpy(to->all, n->all, sizeof(to->all));
	memcpy(to->own, n->own, sizeof(to->own));
	memcpy(to->maybe, n->maybe, sizeof(to->maybe));
}

/* Take over what the reader found, and the parts that it added. */
static int keep(struct tally_process_stats *l, struct process_entry *p)
{
	struct mem_nodes *found = &l->reader.nodes;
	struct mem_parts *parts = &l->reader.parts;
	unsigned int i;
	int err = 0;

	for (i = 0; i < found->nr; i++) {
		struct mem_node *to;

		if (!has_something(&found->n[i]))
			continue;
		to = mem_nodes_at(&p->nodes.table, found->n[i].node);
		if (!to)
			return -ENOMEM;
		amounts_copy(to, &found->n[i]);
	}
	amounts_copy(&p->nodes.table.unknown, &found->unknown);
	for (i = 0; !err && i < parts->nr; i++)
		err = mem_parts_add(&p->parts, &parts->p[i]);
	return err;
}

static void add_total(struct mem_amount *to, const struct mem_node *n)
{
	unsigned int k;

	for (k = 0; k < MEM_NR_KINDS; k++)
		mem_amount_add(to, &n->all[k]);
}

/* Divide memory by whether a thread ran on its node. If threads or memory are
 * of no known node, it may be either; nobody knows if all of them are. */
static void find_local(struct process_entry *p)
{
	struct mem_amount local = {.bytes = 0}, remote = {.bytes = 0};
	const struct mem_nodes *l = &p->nodes.table;
	struct mem_amount either = {.bytes = 0};
	unsigned int i, nr_threads = 0;

	for (i = 0; i < l->nr; i++) {
		add_total(l->n[i].nr_threads ? &local : &remote, &l->n[i]);
		nr_threads += l->n[i].nr_threads;
	}
	if (l->unknown.nr_threads || !nr_threads) {
		local.upper = saturate_add(local.upper, remote.upper);
		local.high2 += remote.high2;
		remote.lower = 0;
		remote.low2 = 0;
	}
	if (!nr_threads)
		remote.bytes = 0;
	add_total(&either, &l->unknown);
	local.upper = saturate_add(local.upper, either.upper);
	local.high2 += either.high2;
	remote.upper = saturate_add(remote.upper, either.upper);
	remote.high2 += either.high2;
	p->row.local = mem_amount_figure(&local);
	p->row.remote = mem_amount_figure(&remote);
}

static int show(struct process_entry *p)
{
	struct shown_nodes shown;
	int err = process_nodes_show(&p->nodes, &shown);

	if (err)
		return err;
	p->row.nodes = shown.nodes;
	p->row.nr_nodes = shown.nr_nodes;
	p->row.all = shown.all;
	p->row.unknown = shown.unknown;
	find_local(p);
	return 0;
}

static const struct tally_process *
parent_of(const struct tally_process_stats *l, const struct process_entry *p)
{
	unsigned int i = process_list_find(&l->next, p->row.ppid);

	return i < l->next.nr && l->next.p[i]->row.pid == p->row.ppid
		       ? &l->next.p[i]->is
		       : NULL;
}

static int read_amounts(struct tally_process_stats *l, struct process_entry *p)
{
	enum mem_way way = MEM_WALKED;
	int err, refused = 0;

	p->is_parents = mem_is_parents(&l->reader, &p->is, parent_of(l, p));
	l->reader.parts.nr = 0;
	err = mem_reader_read(&l->reader, &p->is, 0, &way, &refused);
	if (err)
		return err;
	p->row.sampled = way == MEM_SAMPLED;
	p->row.err = refused;
	return keep(l, p);
}

/* Why a process's memory is not known: a captured one may lack every file that
 * tells it. -ESRCH: it ended since it was listed. */
static int why_unknown(struct tally_process_stats *l,
		       const struct process_entry *p)
{
	struct tally_stat s;

	if (l->reader.live)
		return -ESRCH;
	if (p->stat_err)
		return procfs_has(l->reader.proc, p->row.pid) ? p->stat_err
							      : -ESRCH;
	if (kernel_stat_read(l->reader.proc, p->row.pid, 0, &s) ||
	    s.state == 'Z' || s.state == 'X')
		return -ESRCH;
	return -ENODATA;
}

int process_read_memory(struct tally_process_stats *l, struct process_entry *p)
{
	bool alive = !process_has_ended(p);
	int err;

	p->nodes.table.nr = 0;
	mem_nodes_clear(&p->nodes.table);
	p->parts.nr = 0;
	p->odd = false;
	p->row.err = 0;
	p->read_rss = p->row.rss_bytes;
	p->read_threads = p->row.nr_threads;
	p->row.sampled = false;
	p->row.has_memory = true;
	err = process_read_user(l, p);
	/* A captured process may have no status. */
	if (err == -ESRCH && !l->reader.live) {
		p->row.has_memory = !p->stat_err && p->row.rss_bytes != 0;
		p->row.swap_bytes = TALLY_UNKNOWN;
		err = 0;
	}
	if (!err) {
		err = process_read_cgroup(l, p);
		/* Kernels can be built without cgroups. */
		if (err == -ESRCH)
			err = cgroup_set(p, "", 0);
	}
	if (!err && alive)
		err = read_threads(l, p);
	p->row.has_memory &= alive;
	if (!err && p->row.has_memory)
		err = read_amounts(l, p);
	if (err == -ENOMEM)
		return err;
	if (err == -ESRCH)
		err = why_unknown(l, p);
	if (err == -ESRCH && !process_asked_for(l, p->row.pid))
		p->gone = true;
	if (err) {
		p->row.err = err;
		p->row.has_memory = false;
	} else if (!p->row.err) {
		p->row.err = p->odd ? -EBADMSG : p->stat_err;
	}
	return show(p);
}
