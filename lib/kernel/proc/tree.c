// SPDX-License-Identifier: MIT
/* The descendants of a process. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/kernel_tree.h>

#include "base/uncancelled.h"
#include "kernel/proc/stat.h"
#include "kernel/proc/procfs.h"
#include "base/array.h"
#include "base/self.h"

struct member_list {
	struct tally_process *p;
	unsigned int nr;
	unsigned int cap;
};

struct tally_tree {
	int proc;
	pid_t pid;
	bool self;
	bool children;	      /* the kernel has children files */
	uint64_t start_ticks; /* of pid */
	struct member_list members;
	struct member_list next;  /* the members found by the refresh under
				     way */
	struct member_list queue; /* members whose children are yet to be
				     listed; or every process of the machine */
};

static int list_add(struct member_list *l, const struct tally_process *p)
{
	if (array_reserve(l->p, l->cap, l->nr + 1))
		return -ENOMEM;
	l->p[l->nr++] = *p;
	return 0;
}

/* Return the index of pid in an ascending list, or where to insert it. */
static unsigned int list_find(const struct member_list *l, pid_t pid)
{
	unsigned int lo = 0, hi = l->nr;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (l->p[mid].pid < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool list_has(const struct member_list *l, pid_t pid)
{
	unsigned int i = list_find(l, pid);

	return i < l->nr && l->p[i].pid == pid;
}

/* Insert in order. -EEXIST: it is in the list. */
static int list_insert(struct member_list *l, const struct tally_process *p)
{
	unsigned int i = list_find(l, p->pid);
	int err;

	if (i < l->nr && l->p[i].pid == p->pid)
		return -EEXIST;
	err = list_add(l, p);
	if (err)
		return err;
	memmove(&l->p[i + 1], &l->p[i], (l->nr - 1 - i) * sizeof(*l->p));
	l->p[i] = *p;
	return 0;
}

static int process_read(const struct tally_tree *t, pid_t pid,
			struct tally_process *p)
{
	struct tally_stat s;
	int err = kernel_stat_read(t->proc, pid, 0, &s);

	if (err)
		return err;
	*p = (struct tally_process){
		.pid = pid,
		.ppid = s.ppid,
		.start_ticks = s.start_ticks,
		.rss_bytes = s.rss_bytes,
		.state = s.state,
		.nr_threads = s.nr_threads,
	};
	return 0;
}

/* Add a process whose parent, or whose past, makes it a member. */
static int add_member(struct tally_tree *t, const struct tally_process *p)
{
	int err;

	if (p->pid == t->pid)
		return 0;
	err = list_insert(&t->next, p);
	if (err == -EEXIST)
		return 0;
	return err ? err : list_add(&t->queue, p);
}

/* Add the living children that a thread's file lists. */
static int add_children_of(struct tally_tree *t, pid_t pid, pid_t tid)
{
	char name[64], text[4096];
	struct tally_process p;
	size_t have = 0;
	ssize_t n;
	int fd, err = 0;

	snprintf(name, sizeof(name), "%d/task/%d/children", pid, tid);
	fd = procfs_openat(t->proc, name);
	if (fd < 0)
		return 0;
	do {
		const char *at = text, *end, *word;
		uint64_t child;

		n = procfs_read_some(fd, text + have, sizeof(text) - have);
		end = text + have + (n > 0 ? n : 0);
		for (;;) {
			while (at < end && *at == ' ')
				at++;
			word = at;
			/* More digits may follow in the next piece. */
			if (!procfs_decimal(&at, end, &child) ||
			    (at == end && n > 0)) {
				at = word;
				break;
			}
			if (list_has(&t->next, (pid_t)child) ||
			    process_read(t, (pid_t)child, &p))
				continue;
			err = add_member(t, &p);
			if (err)
				break;
		}
		have = (size_t)(end - at);
		if (have >= 32)
			break; /* no number: not such a file */
		memmove(text, at, have);
	} while (!err && n > 0);
	close(fd);
	return err;
}

static int add_children(struct tally_tree *t, pid_t pid, int nr_threads)
{
	struct procfs_list list = {.fd = -1};
	char name[32];
	pid_t tid;
	int err = 0;

	/* A thread that it starts just now has its children found next time. */
	if (nr_threads == 1)
		return add_children_of(t, pid, pid);
	snprintf(name, sizeof(name), "%d/task", pid);
	list.fd = procfs_opendir(t->proc, name);
	if (list.fd < 0)
		return 0;
	while (!err && (tid = procfs_next(&list)) > 0)
		err = add_children_of(t, pid, tid);
	close(list.fd);
	return err;
}

static int follow_children(struct tally_tree *t, int nr_threads)
{
	unsigned int i;
	int err;

	err = add_children(t, t->pid, nr_threads);
	for (i = 0; !err && i < t->queue.nr; i++)
		err = add_children(t, t->queue.p[i].pid,
				   t->queue.p[i].nr_threads);
	return err;
}

/* Find members by the parent of every process. */
static int scan_all(struct tally_tree *t, bool root_lives)
{
	struct procfs_list list = {.fd = t->proc};
	struct tally_process p;
	unsigned int i, before;
	int err = 0;
	pid_t pid;

	if (lseek(t->proc, 0, SEEK_SET) < 0)
		return -errno;
	t->queue.nr = 0;
	while (!err && (pid = procfs_next(&list)) > 0)
		if (!list_has(&t->next, pid) && !process_read(t, pid, &p))
			err = list_add(&t->queue, &p);
	if (pid < 0)
		return (int)pid;
	/* Numbers wrap around, so a child may come before its parent. */
	do {
		before = t->next.nr;
		for (i = 0; !err && i < t->queue.nr; i++) {
			const struct tally_process *q = &t->queue.p[i];

			if (q->pid == t->pid ||
			    !((root_lives && q->ppid == t->pid) ||
			      list_has(&t->next, q->ppid)))
				continue;
			err = list_insert(&t->next, q);
			if (err == -EEXIST)
				err = 0;
		}
	} while (!err && t->next.nr != before);
	return err;
}

int tally_kernel_tree_refresh(struct tally_tree *t)
{
	UNCANCELLED;
	struct tally_process p, root = {.nr_threads = 0};
	struct member_list old;
	bool root_lives;
	unsigned int i;
	int err = 0;

	t->next.nr = 0;
	t->queue.nr = 0;
	root_lives = !process_read(t, t->pid, &root) &&
		     root.start_ticks == t->start_ticks;
	for (i = 0; !err && i < t->members.nr; i++) {
		const struct tally_process *m = &t->members.p[i];

		if (m->pid == t->pid || process_read(t, m->pid, &p) ||
		    p.start_ticks != m->start_ticks)
			continue;
		err = add_member(t, &p);
	}
	if (!err)
		err = t->children ? follow_children(t, root.nr_threads)
				  : scan_all(t, root_lives);
	if (!err && t->self && root_lives)
		err = list_insert(&t->next, &root);
	if (err)
		return err;
	old = t->members;
	t->members = t->next;
	t->next = old;
	return 0;
}

int tally_kernel_tree_create(const char *root, pid_t pid, bool self,
			     struct tally_tree **tree)
{
	UNCANCELLED;
	struct tally_process p;
	struct tally_tree *t;
	char name[64];
	int err;

	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->pid = pid;
	t->self = self;
	t->proc = procfs_open(root);
	if (t->proc < 0) {
		err = t->proc;
		free(t);
		return err;
	}
	err = root || self_is_numbered(t->proc) ? process_read(t, pid, &p)
						: -ESRCH;
	if (err) {
		tally_kernel_tree_destroy(t);
		return err;
	}
	t->start_ticks = p.start_ticks;
	snprintf(name, sizeof(name), "%d/task/%d/children", pid, pid);
	t->children = !faccessat(t->proc, name, R_OK, 0);
	*tree = t;
	return 0;
}

void tally_kernel_tree_destroy(struct tally_tree *t)
{
	UNCANCELLED;

	if (!t)
		return;
	close(t->proc);
	free(t->members.p);
	free(t->next.p);
	free(t->queue.p);
	free(t);
}

unsigned int tally_kernel_tree_nr(const struct tally_tree *t)
{
	return t->members.nr;
}

const struct tally_process *tally_kernel_tree_row(const struct tally_tree *t,
						  unsigned int index)
{
	assert(index < t->members.nr);
	return &t->members.p[index];
}
