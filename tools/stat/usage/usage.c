// SPDX-License-Identifier: MIT
/* numatally stat by process, cgroup or user: the readings. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/absent.h"
#include "common/clock.h"
#include "common/root.h"
#include "common/stdout.h"
#include "common/text.h"
#include "stat/usage/usage.h"

#define MAX_PIDS 8 /* in a message, of processes with the same error */

/* ---- opening --------------------------------------------------------------- */

static int open_processes(struct usage *u)
{
	const struct stat_options *o = u->o;
	struct tally_process_filter filter = {.size = sizeof(filter)};
	const char **commands;
	pid_t *pids;
	int error;

	pids = calloc(o->nr_names + 1, sizeof(*pids));
	commands = calloc(o->nr_names + 1, sizeof(*commands));
	for (size_t i = 0; pids && commands && i < o->nr_names; i++) {
		const struct stat_process_name *name = &o->names[i];

		if (!name->digits) {
			commands[filter.nr_commands++] = name->text;
		} else if (name->pid) {
			pids[filter.nr_pids++] = name->pid;
		} else {
			u->failed = true;
			warnx("process '%s': %s", name->text, strerror(ESRCH));
		}
	}
	filter.pids = pids;
	filter.commands = commands;
	error = !pids || !commands
			? -ENOMEM
			: tally_kernel_processes_open(o->root, u->topo, &filter,
						      NULL, &u->processes);
	free(pids);
	free(commands);
	return error;
}

static bool no_name_is_left(const struct stat_options *o)
{
	for (size_t i = 0; i < o->nr_names; i++)
		if (!o->names[i].digits || o->names[i].pid)
			return false;
	return o->nr_names;
}

static int open_all(struct usage *u)
{
	const struct stat_options *o = u->o;
	int error = tally_topo_open(o->root, &u->topo), without;

	/* A captured tree may lack the topology; what it lacks besides is told
	 * below. */
	if (error && error != -ENOENT && error != -ENOTDIR) {
		u->failed = true;
		warnx("nodes of CPUs: %s", text_error(error));
	}
	error = open_processes(u);
	if (!error)
		error = root_find_processes(o->root);
	if (error) {
		tally_kernel_processes_close(u->processes);
		u->processes = NULL;
	}
	if (o->by != STAT_BY_CGROUP || o->nr_names ||
	    (error && error != -ENOENT))
		return error;
	/* Without processes, the kernel's account of cgroups is left. */
	without = error;
	error = tally_kernel_groups_open(o->root, NULL, 0, &u->groups);
	if (without && error)
		return without;
	if (without) {
		u->failed = true;
		root_complain(o->root, without, ROOT_PROCESSES);
	} else if (error == -ENOENT) {
		warnx("%s%sno memory controller%s: cgroups are shown as the "
		      "sums of their processes",
		      o->root ? root_name(o->root) : "", o->root ? ": " : "",
		      o->root ? " was captured" : "");
		error = 0;
	}
	return error;
}

/* ---- errors ---------------------------------------------------------------- */

/* The row's error if it is the first row with it, or 0. */
static int new_error(const struct usage *u, unsigned int index)
{
	int error = tally_kernel_processes_row(u->processes, index)->err;

	for (unsigned int i = 0; error && i < index; i++)
		if (tally_kernel_processes_row(u->processes, i)->err == error)
			return 0;
	return error;
}

/* "processes 1, 23, …: Permission denied" */
static void report_error(const struct usage *u, unsigned int first, int error)
{
	unsigned int nr = tally_kernel_processes_nr(u->processes), nr_pids = 0;
	unsigned int others = 0;
	char list[16 * MAX_PIDS + 8] = "";
	size_t used = 0;

	for (unsigned int i = first; i < nr; i++) {
		const struct tally_process_row *row =
			tally_kernel_processes_row(u->processes, i);

		if (row->err != error)
			continue;
		if (nr_pids == MAX_PIDS) {
			others++;
			continue;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 "%s%d", nr_pids ? ", " : "",
					 (int)row->pid);
		nr_pids++;
	}
	if (others)
		warnx("processes %s and %u more: %s", list, others,
		      text_process_error(error));
	else
		warnx("process%s %s: %s", nr_pids > 1 ? "es" : "", list,
		      text_process_error(error));
}

/* A checksum of processes and their errors: report them again when it changes. */
static int sum_of_errors(const struct usage *u)
{
	unsigned int nr = tally_kernel_processes_nr(u->processes), sum = 0;

	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_process_row *row =
			tally_kernel_processes_row(u->processes, i);

		if (row->err)
			sum = 31 * sum + (unsigned int)row->pid -
			      (unsigned int)row->err;
	}
	return (int)(sum & INT32_MAX);
}

static void report_patterns(struct usage *u)
{
	unsigned int command = 0;

	for (size_t i = 0; i < u->o->nr_names; i++) {
		if (u->o->names[i].digits ||
		    tally_kernel_processes_matched(u->processes, command++))
			continue;
		u->failed = true;
		if (!u->nr_looks)
			warnx("no process has '%s' in its name or command line",
			      u->o->names[i].text);
	}
}

static void report_processes(struct usage *u)
{
	unsigned int nr = tally_kernel_processes_nr(u->processes);
	int sum = sum_of_errors(u), error;

	report_patterns(u);
	for (unsigned int i = 0; i < nr; i++) {
		error = new_error(u, i);
		if (!error)
			continue;
		u->failed = true;
		if (sum != u->reported)
			report_error(u, i, error);
	}
	u->reported = sum;
}

static bool is_used(const struct usage *u, int node)
{
	for (unsigned int i = 0; i < u->all.nr_nodes; i++)
		if (u->all.nodes[i].node == node)
			return true;
	return false;
}

/* Whether the machine has the node; where that is not known, a process must use
 * it. */
static bool has_node(const struct usage *u, int node)
{
	return (u->topo && tally_topo_index(u->topo, node) >= 0) ||
	       is_used(u, node);
}

static void report_nodes(struct usage *u)
{
	struct absent absent = {.nr = 0};

	for (size_t i = 0; i < u->o->nr_nodes; i++) {
		if (has_node(u, u->o->nodes[i]))
			continue;
		u->failed = true;
		if (!u->nr_looks)
			absent_add(&absent, (unsigned int)u->o->nodes[i]);
	}
	absent_tell(&absent);
	if (u->o->sort && u->o->sort_node >= 0 &&
	    !has_node(u, u->o->sort_node)) {
		u->failed = true;
		if (!u->nr_looks)
			warnx("no node %d: not sorted", u->o->sort_node);
	}
	u->failed |= u->o->sort_unknown;
}

static void report_groups(struct usage *u)
{
	for (unsigned int i = 0; i < tally_kernel_groups_nr(u->groups); i++) {
		const struct tally_group_row *row =
			tally_kernel_groups_row(u->groups, i);
		char *path;

		if (!row->err || row->err == -ENOENT)
			continue;
		u->failed = true;
		path = u->nr_looks ? NULL : text_escape(row->path);
		if (path)
			warnx("cgroup %s: %s", path, text_error(row->err));
		free(path);
	}
}

/* ---- readings -------------------------------------------------------------- */

/* Keep the sum over all: the next sums replace it in the library. */
static int keep_all(struct usage *u)
{
	const struct tally_process_sum *all;
	int error;

	free(u->all_nodes);
	u->all_nodes = NULL;
	u->all = (struct tally_process_sum){.nr_nodes = 0};
	if (!u->processes)
		return 0;
	error = tally_kernel_processes_sum(u->processes, TALLY_BY_ALL);
	if (error || !tally_kernel_processes_nr_sums(u->processes))
		return error;
	all = tally_kernel_processes_sum_at(u->processes, 0);
	u->all_nodes = calloc(all->nr_nodes + 1, sizeof(*u->all_nodes));
	if (!u->all_nodes)
		return -ENOMEM;
	u->all = *all;
	if (all->nr_nodes)
		memcpy(u->all_nodes, all->nodes,
		       all->nr_nodes * sizeof(*u->all_nodes));
	u->all.nodes = u->all_nodes;
	return 0;
}

static int read_processes(struct usage *u)
{
	int error = tally_kernel_processes_read(u->processes);

	if (error == -ENOMEM)
		return error;
	if (error && !tally_kernel_processes_nr(u->processes)) {
		u->failed = true;
		warnx("processes: %s", text_error(error));
	}
	report_processes(u);
	return 0;
}

static int look(struct usage *u)
{
	int64_t time_ns;
	int error = u->processes ? read_processes(u) : 0;

	if (error)
		return error;
	if (u->groups) {
		error = tally_kernel_groups_read(u->groups);
		if (error == -ENOMEM)
			return error;
		report_groups(u);
	}
	error = keep_all(u);
	if (!error)
		report_nodes(u);
	if (!error && u->processes && u->o->by != STAT_BY_PROCESS)
		error = tally_kernel_processes_sum(u->processes,
						   u->o->by == STAT_BY_USER
							   ? TALLY_BY_USER
							   : TALLY_BY_CGROUP);
	if (error)
		return error;
	time_ns = u->processes ? tally_kernel_processes_time_ns(u->processes)
			       : now_ns();
	u->elapsed_ns = u->nr_looks ? time_ns - u->time_ns : 0;
	u->time_ns = time_ns;
	u->real_ns = u->o->root ? TALLY_UNKNOWN : real_ns(time_ns);
	return usage_choose(u);
}

static int write_look(struct usage *u)
{
	int error = 0;

	if (u->o->json)
		usage_json(u);
	else if (u->o->csv || u->o->long_format)
		error = usage_lines(u);
	else
		error = usage_table(u);
	(void)stdout_flush();
	return error;
}

static int repeat(struct usage *u)
{
	struct stat_again again = {.nr = 0};
	int error;

	do {
		error = look(u);
		if (!error)
			error = write_look(u);
		if (!error && u->o->interval_ns)
			error = usage_remember(u);
		u->nr_looks++;
	} while (!error && stat_again(u->o, &again, u->time_ns));
	return error;
}

int stat_usage_main(const struct stat_options *o)
{
	struct usage u = {.o = o};
	int error = open_all(&u);

	if (error) {
		root_complain(o->root, error, ROOT_PROCESSES);
	} else if (!no_name_is_left(o)) {
		root_warn_hidden(o->root, ROOT_CPUS);
		root_warn_hidepid(o->root);
		stat_again_begin(o);
		error = repeat(&u);
		if (error == -ENOMEM)
			warnx("%s", strerror(ENOMEM));
	}
	usage_free_rows(&u);
	usage_forget(&u.before);
	free(u.all_nodes);
	tally_kernel_groups_close(u.groups);
	tally_kernel_processes_close(u.processes);
	tally_topo_close(u.topo);
	return error || u.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
