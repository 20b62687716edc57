// SPDX-License-Identifier: MIT
/* numatally stat by process, cgroup or user: once, or again and again. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stat_usage.h"

#define MAX_SAID 8 /* of the processes that have the same error */

/* ---- opening --------------------------------------------------------------- */

static int open_processes(struct usage *u)
{
	const struct stat_options *o = u->o;
	struct tally_process_filter filter = {.nr_pids = 0};
	const char **commands;
	pid_t *pids;
	int error;

	pids = calloc(o->nr_who + 1, sizeof(*pids));
	commands = calloc(o->nr_who + 1, sizeof(*commands));
	for (size_t i = 0; pids && commands && i < o->nr_who; i++) {
		const struct stat_who *who = &o->who[i];

		if (!who->digits) {
			commands[filter.nr_commands++] = who->text;
		} else if (who->pid) {
			pids[filter.nr_pids++] = who->pid;
		} else {
			u->failed = true;
			warnx("%s: no process has this number", who->text);
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

static bool nobody_is_left(const struct stat_options *o)
{
	for (size_t i = 0; i < o->nr_who; i++)
		if (!o->who[i].digits || o->who[i].pid)
			return false;
	return o->nr_who;
}

static int open_all(struct usage *u)
{
	const struct stat_options *o = u->o;
	int error = tally_topo_open(o->root, &u->topo);

	/* Some captured machines have processes alone. */
	if (error && error != -ENOENT) {
		u->failed = true;
		warnx("nodes of CPUs: %s", strerror(-error));
	}
	error = open_processes(u);
	if (error || o->by != STAT_BY_CGROUP || o->nr_who)
		return error;
	error = tally_kernel_groups_open(o->root, NULL, 0, &u->groups);
	if (error == -ENOENT) {
		warnx("no memory controller: shown is what the processes "
		      "of cgroups have mapped");
		error = 0;
	}
	return error;
}

/* ---- what can't be read ---------------------------------------------------- */

/* The row's error where it is the first with it, or 0. */
static int new_error(const struct usage *u, unsigned int index)
{
	int error = tally_kernel_processes_row(u->processes, index)->err;

	for (unsigned int i = 0; error && i < index; i++)
		if (tally_kernel_processes_row(u->processes, i)->err == error)
			return 0;
	return error;
}

/* "processes 1, 23, …: Permission denied" */
static void say(const struct usage *u, unsigned int first, int error)
{
	unsigned int nr = tally_kernel_processes_nr(u->processes), said = 0;
	unsigned int others = 0;
	char list[16 * MAX_SAID + 8] = "";
	size_t used = 0;

	for (unsigned int i = first; i < nr; i++) {
		const struct tally_process_row *row =
			tally_kernel_processes_row(u->processes, i);

		if (row->err != error)
			continue;
		if (said == MAX_SAID) {
			others++;
			continue;
		}
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 "%s%d", said ? ", " : "",
					 (int)row->pid);
		said++;
	}
	if (others)
		warnx("processes %s and %u more: %s", list, others,
		      strerror(-error));
	else
		warnx("process%s %s: %s", said > 1 ? "es" : "", list,
		      strerror(-error));
}

/* What has changed since they were said last, roughly: who has which. */
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

static void report_processes(struct usage *u)
{
	unsigned int nr = tally_kernel_processes_nr(u->processes);
	int sum = sum_of_errors(u), error;

	if (!nr && u->o->nr_who && !nobody_is_left(u->o)) {
		u->failed = true;
		if (!u->nr_looks)
			warnx("no process has this in its name or command "
			      "line");
	}
	for (unsigned int i = 0; i < nr; i++) {
		error = new_error(u, i);
		if (!error)
			continue;
		u->failed = true;
		if (sum != u->said)
			say(u, i, error);
	}
	u->said = sum;
}

static void report_groups(struct usage *u)
{
	for (unsigned int i = 0; i < tally_kernel_groups_nr(u->groups); i++) {
		const struct tally_group_row *row =
			tally_kernel_groups_row(u->groups, i);

		if (!row->err || row->err == -ENOENT)
			continue;
		u->failed = true;
		if (!u->nr_looks)
			warnx("cgroup %s: %s", row->path,
			      row->err == -EBADMSG
				      ? "not as the kernel writes it"
				      : strerror(-row->err));
	}
}

/* ---- a look after another -------------------------------------------------- */

/* The sum over all, which is lost when others are added up. */
static int keep_all(struct usage *u)
{
	const struct tally_process_sum *all;
	int error = tally_kernel_processes_sum(u->processes, TALLY_BY_ALL);

	free(u->all_nodes);
	u->all_nodes = NULL;
	u->all = (struct tally_process_sum){.nr_nodes = 0};
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

static int look(struct usage *u)
{
	int64_t time_ns;
	int error = tally_kernel_processes_read(u->processes);

	if (error == -ENOMEM)
		return error;
	if (error && !tally_kernel_processes_nr(u->processes)) {
		u->failed = true;
		warnx("processes: %s", strerror(-error));
	}
	report_processes(u);
	if (u->groups) {
		error = tally_kernel_groups_read(u->groups);
		if (error == -ENOMEM)
			return error;
		report_groups(u);
	}
	error = keep_all(u);
	if (!error && u->o->by != STAT_BY_PROCESS)
		error = tally_kernel_processes_sum(u->processes,
						   u->o->by == STAT_BY_USER
							   ? TALLY_BY_USER
							   : TALLY_BY_CGROUP);
	if (error)
		return error;
	time_ns = tally_kernel_processes_time_ns(u->processes);
	u->elapsed_ns = u->nr_looks ? time_ns - u->time_ns : 0;
	u->time_ns = time_ns;
	return usage_choose(u);
}

static int write_look(struct usage *u)
{
	int error;

	if (u->o->json)
		error = usage_json(u);
	else if (u->o->csv || u->o->long_format)
		error = usage_lines(u);
	else
		error = usage_table(u);
	fflush(stdout);
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
		warnx("%s: %s", o->root ? o->root : "/proc", strerror(-error));
	} else if (!nobody_is_left(o)) {
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
