// SPDX-License-Identifier: MIT
/* Read the memory of processes from their numa_maps. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/kernel_memory.h>

#include "stat/numastat/internal.h"
#include "common/root.h"
#include "common/text.h"

/* A longer numa_maps is endless. */
#define MOST_MAPS (256u << 20)

static struct stat_share *share_of(struct stat_process *p, int node)
{
	struct stat_share *shares;

	for (unsigned int i = 0; i < p->nr_shares; i++)
		if (p->shares[i].node == node)
			return &p->shares[i];
	shares = reallocarray(p->shares, p->nr_shares + 1, sizeof(*shares));
	if (!shares)
		err(EXIT_FAILURE, NULL);
	p->shares = shares;
	shares[p->nr_shares] = (struct stat_share){.node = node};
	return &shares[p->nr_shares++];
}

static enum stat_kind kind_of(const struct tally_mapping *m)
{
	if (m->kind == TALLY_MEM_HUGE)
		return STAT_HUGE;
	if (m->heap)
		return STAT_HEAP;
	return m->stack ? STAT_STACK : STAT_PRIVATE;
}

/* The parser has checked the bytes of each mapping; the sum can overflow in a
 * forged file. */
static void add_mapping(struct stat_process *p, const struct tally_mapping *m)
{
	enum stat_kind kind = kind_of(m);

	for (unsigned int i = 0; i < m->nr_nodes; i++) {
		int64_t bytes = (int64_t)(m->nodes[i].nr_pages * m->page_bytes);
		int64_t *sum = &share_of(p, m->nodes[i].node)->bytes[kind];

		if (__builtin_add_overflow(*sum, bytes, sum))
			*sum = INT64_MAX;
	}
}

/* 0, or an errno. */
static int read_maps(int proc, struct stat_process *p,
		     struct tally_numa_maps *parser)
{
	static char buf[65536];
	const struct tally_mapping *m;
	const char *at;
	size_t size = 0;
	char path[32];
	ssize_t n;
	int fd, err = 0;

	snprintf(path, sizeof(path), "%d/numa_maps", p->pid);
	fd = numastat_open(proc, path);
	if (fd < 0)
		return errno;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		size += n > 0 ? (size_t)n : 0;
		if (size > MOST_MAPS) {
			err = EBADMSG;
			break;
		}
		if (n > 0) {
			for (at = buf; (m = tally_kernel_numa_maps_next(
						parser, &at, buf + n));)
				add_mapping(p, m);
		} else if (errno != EINTR) {
			err = errno;
			break;
		}
	}
	close(fd);
	return err;
}

/* A kernel without NUMA returns ENOENT for a process that exists. A captured one may
 * lack its status. */
static int gone(int proc, pid_t pid, int err)
{
	char path[32];

	if (err != ENOENT)
		return err;
	snprintf(path, sizeof(path), "%d/status", pid);
	if (!faccessat(proc, path, F_OK, 0))
		return ENOENT;
	snprintf(path, sizeof(path), "%d/stat", pid);
	return faccessat(proc, path, F_OK, 0) ? ESRCH : ENOENT;
}

/* Load the locale for names that are not ASCII: it takes as long as reading
 * several processes. */
static void need_locale(const char *text)
{
	static bool loaded;

	while (*text && !((unsigned char)*text & 0x80))
		text++;
	if (*text && !loaded) {
		setlocale(LC_CTYPE, "");
		loaded = true;
	}
}

static void read_name(int proc, struct stat_process *p)
{
	char text[512];
	const char *name =
		numastat_process_name(proc, p->pid, text, sizeof(text));

	name = name ? name : "?";
	need_locale(name);
	p->name = text_printable(name);
	if (!p->name)
		err(EXIT_FAILURE, NULL);
}

/* 0, or an errno. */
static int read_process(int proc, struct stat_process *p,
			struct tally_numa_maps *parser, uint64_t *malformed)
{
	int err;

	read_name(proc, p);
	err = read_maps(proc, p, parser);
	*malformed = tally_kernel_numa_maps_finish(parser);
	return err ? gone(proc, p->pid, err) : 0;
}

static void drop(struct stat_process *p)
{
	free(p->name);
	free(p->shares);
}

bool numastat_processes_read(const struct stat_options *o,
			     struct stat_processes *all)
{
	struct tally_numa_maps *parser;
	int proc = numastat_open_proc(o->root), status;
	bool ok = true;
	size_t nr = 0;

	if (proc < 0)
		err(EXIT_FAILURE, "%s/proc", o->root ? root_name(o->root) : "");
	status = tally_kernel_numa_maps_create(&parser);
	if (status < 0)
		errx(EXIT_FAILURE, "%s", text_error(status));
	for (size_t i = 0; i < all->nr; i++) {
		struct stat_process *current = &all->p[i];
		uint64_t malformed;

		status = read_process(proc, current, parser, &malformed);
		if (status) {
			if (status != ESRCH || current->named) {
				warnx("process %d: %s", current->pid,
				      status == ENOENT ? "no numa_maps"
						       : text_error(-status));
				ok = false;
			}
			drop(current);
			continue;
		}
		if (malformed) {
			warnx("process %d: %llu lines of numa_maps are malformed",
			      current->pid, (unsigned long long)malformed);
			ok = false;
		}
		all->p[nr++] = *current;
	}
	all->nr = nr;
	tally_kernel_numa_maps_destroy(parser);
	close(proc);
	return ok;
}
