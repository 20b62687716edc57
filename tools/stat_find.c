// SPDX-License-Identifier: MIT
/* Who is meant by the numbers and patterns of a command line. */
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

#include "stat_compat.h"

/* A process's name and command line, as patterns look through them: NUL bytes
 * are spaces. */
struct words {
	char *text;
	size_t len;
	size_t cap;
};

int stat_open_proc(const char *root)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/proc", root ? root : "") >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static ssize_t read_some(int fd, char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n;
}

ssize_t stat_read_file(int proc, const char *name, char *buf, size_t size)
{
	int fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read_some(fd, buf, size - 1);
	if (n >= 0)
		buf[n] = '\0';
	close(fd);
	return n;
}

/* ---- the list ------------------------------------------------------------- */

static void add(struct stat_processes *all, pid_t pid, bool named)
{
	if (all->nr == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 16;
		struct stat_process *p =
			reallocarray(all->p, cap, sizeof(*all->p));

		if (!p)
			err(EXIT_FAILURE, NULL);
		all->p = p;
		all->cap = cap;
	}
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

void stat_processes_free(struct stat_processes *all)
{
	for (size_t i = 0; i < all->nr; i++) {
		free(all->p[i].name);
		free(all->p[i].shares);
	}
	free(all->p);
}

/* ---- patterns ------------------------------------------------------------- */

static void grow(struct words *w, size_t room)
{
	char *text;

	if (w->cap - w->len >= room)
		return;
	text = realloc(w->text, w->len + room);
	if (!text)
		err(EXIT_FAILURE, NULL);
	w->text = text;
	w->cap = w->len + room;
}

char *stat_name(char *text)
{
	static const char tag[] = "Name:";

	if (strncmp(text, tag, sizeof(tag) - 1) != 0)
		return NULL;
	text += sizeof(tag) - 1;
	text += strspn(text, " \t");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void take_name(struct words *w, int proc, pid_t pid)
{
	char path[32], text[512];
	const char *name;
	size_t len;

	snprintf(path, sizeof(path), "%d/status", pid);
	if (stat_read_file(proc, path, text, sizeof(text)) < 0)
		return;
	name = stat_name(text);
	if (!name)
		return;
	len = strlen(name);
	grow(w, len);
	memcpy(w->text, name, len);
	w->len = len;
}

static void take_command(struct words *w, int proc, pid_t pid)
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%d/cmdline", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	grow(w, 4096);
	w->text[w->len++] = ' ';
	while ((n = read_some(fd, w->text + w->len, w->cap - w->len)) > 0) {
		for (char *p = w->text + w->len; n > 0; n--, p++, w->len++)
			if (!*p)
				*p = ' ';
		grow(w, 4096);
	}
	close(fd);
}

static void take_words(struct words *w, int proc, pid_t pid)
{
	w->len = 0;
	take_name(w, proc, pid);
	take_command(w, proc, pid);
}

static void match(const struct stat_options *o, struct stat_processes *all,
		  const struct words *w, pid_t pid, bool *found)
{
	for (size_t i = 0; i < o->nr_who; i++) {
		const char *pattern = o->who[i].text;

		if (o->who[i].digits ||
		    !memmem(w->text, w->len, pattern, strlen(pattern)))
			continue;
		add(all, pid, false);
		found[i] = true;
	}
}

/* Ourselves we don't find. */
static void search(const struct stat_options *o, struct stat_processes *all,
		   bool *found)
{
	int proc = stat_open_proc(o->root);
	DIR *dir = proc < 0 ? NULL : fdopendir(proc);
	struct words w = {NULL, 0, 0};
	struct dirent *entry;
	long pid;
	char *end;

	if (!dir) {
		warn("%s/proc", o->root ? o->root : "");
		if (proc >= 0)
			close(proc);
		return;
	}
	grow(&w, 4096);
	while ((entry = readdir(dir))) {
		if (*entry->d_name < '1' || *entry->d_name > '9')
			continue;
		pid = strtol(entry->d_name, &end, 10);
		if (*end || pid > INT_MAX || (!o->root && pid == getpid()))
			continue;
		take_words(&w, proc, (pid_t)pid);
		match(o, all, &w, (pid_t)pid, found);
	}
	closedir(dir);
	free(w.text);
}

bool stat_find(const struct stat_options *o, struct stat_processes *all)
{
	bool *found = calloc(o->nr_who + 1, sizeof(*found));
	bool patterns = false, ok = true;

	if (!found)
		err(EXIT_FAILURE, NULL);
	*all = (struct stat_processes){NULL, 0, 0};
	for (size_t i = 0; i < o->nr_who; i++) {
		found[i] = o->who[i].digits && o->who[i].pid > 0;
		if (found[i])
			add(all, o->who[i].pid, true);
		patterns |= !o->who[i].digits;
	}
	if (patterns)
		search(o, all, found);
	for (size_t i = 0; i < o->nr_who; i++) {
		if (found[i])
			continue;
		ok = false;
		if (o->who[i].digits)
			warnx("process '%s': %s", o->who[i].text,
			      strerror(ESRCH));
		else
			warnx("no process has '%s' in its name or command line",
			      o->who[i].text);
	}
	sort(all);
	free(found);
	return ok;
}
