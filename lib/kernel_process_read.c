// SPDX-License-Identifier: MIT
/* What the files of one process say. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_process.h"
#include "kernel_stat.h"
#include "procfs.h"
#include "saturate.h"

static int read_file(struct tally_processes *l, const struct process *p,
		     const char *file, size_t *len)
{
	char name[64];

	snprintf(name, sizeof(name), "%d/%s", p->row.pid, file);
	return procfs_read(l->reader.proc, name, l->text, sizeof(l->text), len);
}

/* The second of the numbers after "Uid:", the effective one. */
static bool effective_uid(const char *text, uid_t *uid)
{
	const char *at = strstr(text, "\nUid:"), *end;
	uint64_t v = 0;
	int i;

	if (!at)
		return false;
	at += strlen("\nUid:");
	end = at + strcspn(at, "\n");
	for (i = 0; i < 2; i++) {
		at += strspn(at, " \t");
		if (at > end || !procfs_decimal(&at, end, &v))
			return false;
	}
	*uid = (uid_t)v;
	return v <= UINT32_MAX;
}

int process_read_user(struct tally_processes *l, struct process *p)
{
	int64_t kib;
	size_t len;
	int err = read_file(l, p, "status", &len);

	if (err)
		return err;
	if (!effective_uid(l->text, &p->row.uid))
		return -EBADMSG;
	/* A kernel's thread has no memory, nor has what ended. */
	p->row.has_memory = procfs_field(l->text, "VmSize", &kib);
	p->row.swap_bytes = procfs_field(l->text, "VmSwap", &kib) &&
					    kib <= INT64_MAX / 1024
				    ? kib * 1024
				    : 0;
	return 0;
}

/* Whether the line, number:controllers:path, is of the hierarchy that has this
 * controller; "" is version 2. */
static const char *cgroup_path(char *line, const char *controller)
{
	char *list = strchr(line, ':'), *path;
	size_t n = strlen(controller);

	path = list ? strchr(++list, ':') : NULL;
	if (!path || path[1] != '/')
		return NULL;
	for (;;) {
		size_t len = strcspn(list, ",:");

		if (len == n && !strncmp(list, controller, n))
			return path + 1;
		if (list[len] != ',')
			return NULL;
		list += len + 1;
	}
}

static int cgroup_set(struct process *p, const char *path)
{
	size_t len = strlen(path) + 1;

	if (len > p->cgroup_cap) {
		size_t cap = len < 128 ? 128 : len + len / 2;
		char *new = realloc(p->cgroup, cap);

		if (!new)
			return -ENOMEM;
		p->cgroup = new;
		p->cgroup_cap = cap;
	}
	memcpy(p->cgroup, path, len);
	p->row.cgroup = p->cgroup;
	return 0;
}

int process_read_cgroup(struct tally_processes *l, struct process *p)
{
	const char *found = "", *path;
	char *line, *next;
	size_t len;
	int err = read_file(l, p, "cgroup", &len);

	if (err)
		return err;
	for (line = l->text; *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		path = cgroup_path(line, "memory");
		if (path) {
			found = path;
			break;
		}
		path = cgroup_path(line, "");
		if (path)
			found = path;
	}
	return cgroup_set(p, found);
}

static bool has_any(const struct tally_processes *l, const char *text)
{
	unsigned int i;

	for (i = 0; i < l->filter.nr_commands; i++)
		if (strstr(text, l->commands[i]))
			return true;
	return false;
}

bool process_has_command(struct tally_processes *l, const struct process *p)
{
	size_t len, i;

	if (l->reader.live && p->row.pid == getpid())
		return false;
	if (has_any(l, p->row.name))
		return true;
	if (read_file(l, p, "cmdline", &len))
		return false;
	for (i = 0; i + 1 < len; i++)
		if (!l->text[i])
			l->text[i] = ' ';
	return has_any(l, l->text);
}

/* ---- threads -------------------------------------------------------------- */

static int add_thread(struct tally_processes *l, struct process *p, int cpu,
		      unsigned int nr, int64_t cpu_ns)
{
	int node = l->topo && cpu >= 0 ? tally_topo_cpu_node(l->topo, cpu) : -1;
	struct mem_node *n = mem_nodes_at(&p->nodes.table, node);

	if (!n)
		return -ENOMEM;
	n->nr_threads += nr;
	n->cpu_ns = saturate_add(n->cpu_ns, cpu_ns);
	return 0;
}

static int read_threads(struct tally_processes *l, struct process *p)
{
	struct procfs_list list = {.fd = -1};
	struct tally_stat s;
	unsigned int nr = 0;
	char name[32];
	int err = 0;
	pid_t tid;

	if (p->row.nr_threads > 1) {
		snprintf(name, sizeof(name), "%d/task", p->row.pid);
		list.fd = procfs_openat(l->reader.proc, name);
	}
	while (!err && list.fd >= 0 && (tid = procfs_next(&list)) > 0) {
		if (kernel_stat_read(l->reader.proc, p->row.pid, tid, &s))
			continue;
		nr++;
		err = add_thread(l, p, s.cpu, 1,
				 saturate_add(s.user_ns, s.system_ns));
	}
	if (list.fd >= 0)
		close(list.fd);
	/* A captured tree may have only what the first thread says. */
	if (!err && !nr)
		err = add_thread(l, p, p->cpu, p->row.nr_threads,
				 p->row.cpu_ns);
	return err;
}

/* ---- memory --------------------------------------------------------------- */

static bool has_something(const struct mem_node *n)
{
	unsigned int k;

	for (k = 0; k < TALLY_NR_MEM; k++)
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

/* Takes over what the reader found, and the parts that it added. */
static int keep(struct tally_processes *l, struct process *p)
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

	for (k = 0; k < TALLY_NR_MEM; k++)
		mem_amount_add(to, &n->all[k]);
}

/* What lies where a thread of it ran; where threads or memory are of no known
 * node, it may be either. */
static void find_local(struct process *p)
{
	struct mem_amount local = {.bytes = 0}, remote = {.bytes = 0};
	const struct mem_nodes *l = &p->nodes.table;
	struct mem_amount either = {.bytes = 0};
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		add_total(l->n[i].nr_threads ? &local : &remote, &l->n[i]);
	if (l->unknown.nr_threads) {
		local.upper = saturate_add(local.upper, remote.upper);
		local.high2 += remote.high2;
		remote.lower = 0;
		remote.low2 = 0;
	}
	add_total(&either, &l->unknown);
	local.upper = saturate_add(local.upper, either.upper);
	remote.upper = saturate_add(remote.upper, either.upper);
	p->row.local = mem_amount_figure(&local);
	p->row.remote = mem_amount_figure(&remote);
}

static int show(struct process *p)
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

static int read_amounts(struct tally_processes *l, struct process *p)
{
	enum mem_way way = MEM_WALKED;
	int err, refused = 0;

	l->reader.parts.nr = 0;
	err = mem_reader_read(&l->reader, &p->is, 0, &way, &refused);
	if (err)
		return err;
	p->row.sampled = way == MEM_SAMPLED;
	p->row.err = refused;
	return keep(l, p);
}

int process_read_memory(struct tally_processes *l, struct process *p)
{
	bool alive = p->row.state != 'Z' && p->row.state != 'X';
	int err;

	p->nodes.table.nr = 0;
	mem_nodes_clear(&p->nodes.table);
	p->parts.nr = 0;
	p->read_rss = p->row.rss_bytes;
	p->read_threads = p->row.nr_threads;
	p->row.sampled = false;
	p->row.has_memory = true;
	err = process_read_user(l, p);
	/* A captured process may have no status. */
	if (err == -ESRCH && !l->reader.live)
		err = 0;
	if (!err)
		err = process_read_cgroup(l, p);
	/* Kernels can be built without cgroups. */
	if (err == -ESRCH)
		err = cgroup_set(p, "");
	if (!err && alive)
		err = read_threads(l, p);
	p->row.has_memory &= alive;
	if (!err && p->row.has_memory)
		err = read_amounts(l, p);
	if (err == -ENOMEM)
		return err;
	if (err == -ESRCH && !process_asked_for(l, p->row.pid))
		p->gone = true;
	if (err) {
		p->row.err = err;
		p->row.has_memory = false;
	}
	return show(p);
}
