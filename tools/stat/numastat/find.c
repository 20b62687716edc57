// SPDX-License-Identifier: MIT
/* Find the processes that a command line names. */
#include "config.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/root.h"
#include "common/text.h"
#include "stat/numastat/internal.h"

/* The kernel's limit of a command line is below this. */
#define MOST_WORDS (16u << 20)

/* A process's name and command line, with spaces for NUL bytes: patterns are
 * searched for in it. */
struct words {
	char *text;
	size_t len;
	size_t room;
};

/* ---- the list ------------------------------------------------------------- */

static void add(struct stat_processes *all, pid_t pid, bool named)
{
	if (array_reserve(all->p, all->room, all->nr + 1))
		err(EXIT_FAILURE, NULL);
	all->p[all->nr++] = (struct stat_process){.pid = pid, .named = named};
}

static int by_pid(const void *a, const void *b)
{
	const struct stat_process *p = a, *q = b;

	return (p->pid > q->pid) - (p->pid < q->pid);
}

static void sort(struct stat_processes *all)
{
	size_t nr = 0;

	if (!all->nr)
		return;
	qsort(all->p, all->nr, sizeof(*all->p), by_pid);
	for (size_t i = 1; i < all->nr; i++) {
		if (all->p[i].pid != all->p[nr].pid)
			all->p[++nr] = all->p[i];
		else
			all->p[nr].named |= all->p[i].named;
	}
	all->nr = nr + 1;
}

void numastat_processes_free(struct stat_processes *all)
{
	for (size_t i = 0; i < all->nr; i++) {
		free(all->p[i].name);
		free(all->p[i].shares);
	}
	free(all->p);
}

/* ---- patterns ------------------------------------------------------------- */

static void reserve(struct words *w, size_t bytes)
{
	if (array_reserve(w->text, w->room, w->len + bytes))
		err(EXIT_FAILURE, NULL);
}

static void take_name(struct words *w, int proc, pid_t pid)
{
	char text[512];
	const char *name = numastat_process_name(proc, pid, text, sizeof(text));
	size_t len;

	if (!name)
		return;
	len = strlen(name);
	reserve(w, len);
	memcpy(w->text, name, len);
	w->len = len;
}

static void take_command(struct words *w, int proc, pid_t pid)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%d/cmdline", pid);
	fd = numastat_open(proc, path);
	if (fd < 0)
		return;
	reserve(w, 4096);
	w->text[w->len++] = ' ';
	while (w->len < MOST_WORDS &&
	       (n = numastat_read(fd, w->text + w->len, w->room - w->len)) >
		       0) {
		for (char *p = w->text + w->len; n > 0; n--, p++, w->len++)
			if (!*p)
				*p = ' ';
		reserve(w, 4096);
	}
	close(fd);
}

/* False if its files can't be opened just now, as no other's can: see errno. */
static bool take_words(struct words *w, int proc, pid_t pid)
{
	w->len = 0;
	errno = 0;
	take_name(w, proc, pid);
	take_command(w, proc, pid);
	return errno != EMFILE && errno != ENFILE;
}

static void match(const struct stat_options *o, struct stat_processes *all,
		  const struct words *w, pid_t pid, bool *found)
{
	for (size_t i = 0; i < o->nr_names; i++) {
		const char *pattern = o->names[i].text;

		if (o->names[i].digits ||
		    !memmem(w->text, w->len, pattern, strlen(pattern)))
			continue;
		add(all, pid, false);
		found[i] = true;
	}
}

/* Our number, which is another where /proc is of another PID namespace. */
static long self_of(const struct stat_options *o, int proc)
{
	char text[16] = "";

	if (o->root || readlinkat(proc, "self", text, sizeof(text) - 1) < 0)
		return 0;
	return strtol(text, NULL, 10);
}

/* Search all processes but this one. False after a message: nobody knows whether
 * others match. */
static bool search(const struct stat_options *o, struct stat_processes *all,
		   bool *found)
{
	int proc = numastat_open_proc(o->root);
	DIR *dir = proc < 0 ? NULL : fdopendir(proc);
	struct words w = {NULL, 0, 0};
	struct dirent *entry;
	bool ok = true;
	long pid, self;
	char *end;

	if (!dir) {
		warn("%s/proc", o->root ? root_name(o->root) : "");
		if (proc >= 0)
			close(proc);
		return false;
	}
	self = self_of(o, proc);
	reserve(&w, 4096);
	while (ok && (entry = readdir(dir))) {
		if (*entry->d_name < '1' || *entry->d_name > '9')
			continue;
		pid = strtol(entry->d_name, &end, 10);
		if (*end || pid > INT_MAX || pid == self)
			continue;
		ok = take_words(&w, proc, (pid_t)pid);
		if (!ok)
			warn("%s/proc/%ld", o->root ? root_name(o->root) : "",
			     pid);
		match(o, all, &w, (pid_t)pid, found);
	}
	closedir(dir);
	free(w.text);
	return ok;
}

/* The number of a thread stands for its process. */
static void add_named(struct stat_processes *all, int proc, pid_t pid)
{
	add(all, proc < 0 ? pid : numastat_process_of(proc, pid), true);
}

bool numastat_find(const struct stat_options *o, struct stat_processes *all)
{
	bool *found = calloc(o->nr_names + 1, sizeof(*found));
	bool patterns = false, searched = true, ok = true;
	int proc = numastat_open_proc(o->root);

	if (!found)
		err(EXIT_FAILURE, NULL);
	*all = (struct stat_processes){NULL, 0, 0};
	for (size_t i = 0; i < o->nr_names; i++) {
		found[i] = o->names[i].digits && o->names[i].pid > 0;
		if (found[i])
			add_named(all, proc, o->names[i].pid);
		patterns |= !o->names[i].digits;
	}
	if (proc >= 0)
		close(proc);
	if (patterns) {
		root_warn_hidepid(o->root);
		searched = search(o, all, found);
	}
	for (size_t i = 0; i < o->nr_names; i++) {
		if (found[i] || (!o->names[i].digits && !searched))
			continue;
		ok = false;
		if (o->names[i].digits)
			warnx("process '%s': %s", o->names[i].text,
			      text_error(-ESRCH));
		else
			warnx("no process has '%s' in its name or command line",
			      o->names[i].text);
	}
	sort(all);
	free(found);
	return ok && searched;
}
