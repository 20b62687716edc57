// SPDX-License-Identifier: MIT
/* Looks at processes, and at how many there were. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>

#include <numatally/kernel_memory.h>

#include "kernel/memory/peak.h"
#include "kernel/proc/procfs.h"
#include "kernel/proc/stat.h"
#include "base/clock.h"
#include "base/saturate.h"

/* A fork takes longer, on all CPUs together: they wait for each other. */
#define FORK_NS 5000

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* ---- a process ------------------------------------------------------------- */

static int64_t kib_field(const char *text, const char *key)
{
	int64_t kib = 0;

	if (!procfs_field(text, key, &kib) || kib > INT64_MAX / 1024)
		return -1;
	return kib * 1024;
}

static bool ignores_children(const char *text)
{
	const char *at = strstr(text, "\nSigIgn:");

	return at && strtoull(at + 8, NULL, 16) >> (SIGCHLD - 1) & 1;
}

/* The first thread has ended: what is left of the process shows in another. */
static int other_thread(int proc, pid_t pid, char *text, size_t size)
{
	struct procfs_list list = {.fd = -1};
	char name[64];
	size_t len;
	pid_t tid;
	int err = -ESRCH;

	snprintf(name, sizeof(name), "%d/task", (int)pid);
	list.fd = procfs_opendir(proc, name);
	if (list.fd < 0)
		return list.fd;
	while (err && (tid = procfs_next(&list)) > 0) {
		snprintf(name, sizeof(name), "%d/task/%d/status", (int)pid,
			 (int)tid);
		if (tid != pid)
			err = procfs_read(proc, name, text, size, &len);
		if (!err && kib_field(text, "VmRSS") < 0)
			err = -ESRCH;
	}
	close(list.fd);
	return err;
}

static int status_read(int proc, const struct tally_stat *s, char *text,
		       size_t size)
{
	char name[32];
	size_t len;

	if (s->state == 'Z' || s->state == 'X')
		return s->nr_threads > 1
			       ? other_thread(proc, s->pid, text, size)
			       : -ESRCH;
	snprintf(name, sizeof(name), "%d/status", (int)s->pid);
	return procfs_read_record(proc, name, text, size, &len);
}

static void status_take(const char *text, struct peak_process *p)
{
	static const char *const keys[TALLY_NR_MEM] = {
		[TALLY_MEM_ANONYMOUS] = "RssAnon",
		[TALLY_MEM_FILE] = "RssFile",
		[TALLY_MEM_SHARED] = "RssShmem",
		[TALLY_MEM_HUGE] = "HugetlbPages",
	};

	for (int k = 0; k < TALLY_NR_MEM; k++)
		p->kinds[k] = kib_field(text, keys[k]);
	p->ignores = ignores_children(text);
	p->rss_bytes = max(kib_field(text, "VmRSS"), 0);
	p->anonymous_bytes = max(p->kinds[TALLY_MEM_ANONYMOUS], 0);
	p->other_bytes = max(p->rss_bytes - p->anonymous_bytes, 0);
	p->peak_bytes = kib_field(text, "VmHWM");
	/* A process without memory has neither. */
	if (p->peak_bytes >= 0 || !p->rss_bytes)
		p->peak_bytes = max(p->peak_bytes, p->rss_bytes);
}

/* The faults are read before the memory, which thus includes theirs; and again
 * after it, for it may include more. */
int peak_process_look(int proc, pid_t pid, const struct peak_process *was,
		      struct peak_process *p)
{
	char text[4096];
	struct tally_stat s;
	int err = kernel_stat_read(proc, pid, 0, &s);

	if (err)
		return err;
	*p = (struct peak_process){
		.pid = pid,
		.start_ticks = s.start_ticks,
		.faults = s.minor_faults + s.major_faults,
		.child_faults = s.child_faults,
	};
	memcpy(p->name, s.name, sizeof(p->name));
	p->most_faults = p->faults;
	err = status_read(proc, &s, text, sizeof(text));
	if (!err)
		status_take(text, p);
	if (err)
		return err == -ESRCH ? 0 : err;
	if (!was || was->start_ticks != p->start_ticks ||
	    was->faults == p->faults || kernel_stat_read(proc, pid, 0, &s) ||
	    s.start_ticks != p->start_ticks)
		return 0;
	p->most_faults = s.minor_faults + s.major_faults;
	return 0;
}

int64_t peak_process_mapped(int proc, struct peak_process *p,
			    struct mem_vmas *vmas)
{
	static const struct mem_tmpfs none;
	struct peak_process again;
	int64_t copied = 0;

	/* A mapping that goes before the second look had no page there. */
	if (mem_vmas_read(proc, p->pid, &none, vmas) ||
	    peak_process_look(proc, p->pid, p, &again) ||
	    again.start_ticks != p->start_ticks || again.peak_bytes <= 0)
		return 0;
	for (unsigned int i = 0; i < vmas->nr; i++) {
		const struct mem_vma *v = &vmas->v[i];

		if (v->inode && !v->shared)
			copied = saturate_add(copied,
					      (int64_t)(v->end - v->start));
	}
	*p = again;
	return max(p->other_bytes - copied, 0);
}

/* ---- numbers --------------------------------------------------------------- */

/* The last number that was given: the last word of loadavg. */
static int64_t last_number(int fd)
{
	char text[128], *word;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	int64_t last;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	word = strrchr(text, ' ');
	last = word ? strtoll(word, NULL, 10) : 0;
	return last > 0 ? last : -1;
}

void peak_numbers_open(struct peak_numbers *n, int proc)
{
	struct statfs fs;
	char text[64];
	size_t len;

	*n = (struct peak_numbers){.fd = procfs_openat(proc, "loadavg"),
				   .from = -1,
				   .to = -1,
				   .ns = now_ns()};
	if (n->fd < 0)
		return;
	/* A container may have one that is made up. */
	if (!fstatfs(n->fd, &fs) && fs.f_type == PROC_SUPER_MAGIC &&
	    !procfs_read(proc, "sys/kernel/pid_max", text, sizeof(text), &len))
		n->most = strtoll(text, NULL, 10);
	if (n->most > 1)
		n->to = last_number(n->fd);
	else
		peak_numbers_close(n);
}

void peak_numbers_close(struct peak_numbers *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

static int64_t distance(const struct peak_numbers *n, int64_t from, int64_t to)
{
	return (to - from + n->most) % n->most;
}

int64_t peak_numbers_next(struct peak_numbers *n)
{
	int64_t before = n->ns;

	if (n->fd < 0)
		return -1;
	n->ns = now_ns();
	n->from = n->to;
	n->to = last_number(n->fd);
	/* They may have begun again more than once. */
	if (n->from >= n->most || n->to >= n->most ||
	    n->ns - before > n->most / 2 * FORK_NS)
		n->from = -1;
	return n->from < 0 || n->to < 0 ? -1 : distance(n, n->from, n->to);
}

bool peak_numbers_in(const struct peak_numbers *n, pid_t pid)
{
	return n->from >= 0 && n->to >= 0 && pid != n->from &&
	       distance(n, n->from, pid) <= distance(n, n->from, n->to);
}

bool peak_numbers_before(const struct peak_numbers *n, pid_t pid)
{
	return n->from >= 0 && distance(n, n->from, pid) > n->most / 2;
}
