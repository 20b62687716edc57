// SPDX-License-Identifier: MIT
/* /proc/PID/stat and its neighbours: processes and threads. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <numatally/kernel_tree.h>

#include "base/uncancelled.h"
#include "kernel/proc/stat.h"
#include "kernel/proc/procfs.h"
#include "base/saturate.h"
#include "base/sized.h"

/* proc_pid_stat(5) counts fields from 1; 3 is the first after the name. */
enum {
	STAT_STATE = 3,
	STAT_PPID = 4,
	STAT_MINFLT = 10,
	STAT_CMINFLT = 11,
	STAT_MAJFLT = 12,
	STAT_CMAJFLT = 13,
	STAT_UTIME = 14,
	STAT_STIME = 15,
	STAT_NUM_THREADS = 20,
	STAT_STARTTIME = 22,
	STAT_RSS = 24,
	STAT_PROCESSOR = 39,
};

static int64_t ticks_ns(uint64_t ticks)
{
	int64_t hz = sysconf(_SC_CLK_TCK);
	int64_t ns;

	if (hz <= 0)
		hz = 100;
	if (ticks > INT64_MAX ||
	    __builtin_mul_overflow((int64_t)ticks, 1000000000 / hz, &ns))
		return INT64_MAX;
	return ns;
}

static int64_t clamp(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static void stat_set(struct tally_stat *s, unsigned int field, uint64_t v)
{
	int64_t bytes;

	switch (field) {
	case STAT_PPID:
		s->ppid = (pid_t)v;
		break;
	case STAT_MINFLT:
		s->minor_faults = clamp(v);
		break;
	case STAT_MAJFLT:
		s->major_faults = clamp(v);
		break;
	case STAT_CMINFLT:
	case STAT_CMAJFLT:
		s->child_faults = saturate_add(s->child_faults, clamp(v));
		break;
	case STAT_UTIME:
		s->user_ns = ticks_ns(v);
		break;
	case STAT_STIME:
		s->system_ns = ticks_ns(v);
		break;
	case STAT_NUM_THREADS:
		s->nr_threads = (int)v;
		break;
	case STAT_STARTTIME:
		s->start_ticks = v;
		break;
	case STAT_RSS:
		if (__builtin_mul_overflow(clamp(v), sysconf(_SC_PAGESIZE),
					   &bytes))
			bytes = INT64_MAX;
		s->rss_bytes = bytes;
		break;
	case STAT_PROCESSOR:
		s->cpu = (int)v;
		break;
	default:
		break;
	}
}

int kernel_stat_parse(const char *text, size_t len, struct tally_stat *stat)
{
	struct tally_stat s = {.size = sizeof(s), .cpu = -1};
	const char *at = text, *end = text + len, *close;
	unsigned int field = STAT_PPID;
	size_t n;
	uint64_t v;

	if (!procfs_decimal(&at, end, &v) || end - at < 2 || at[0] != ' ' ||
	    at[1] != '(')
		return -EBADMSG;
	s.pid = (pid_t)v;
	at += 2;
	/* Whatever the name is, the last parenthesis ends it. */
	close = memrchr(at, ')', (size_t)(end - at));
	if (!close || end - close < 3 || close[1] != ' ')
		return -EBADMSG;
	n = (size_t)(close - at);
	if (n >= sizeof(s.name))
		n = sizeof(s.name) - 1;
	memcpy(s.name, at, n);
	s.state = close[2];
	for (at = close + 3; at < end && *at == ' '; field++) {
		at++;
		/* Only fields that are not used here can be negative. */
		if (at < end && *at == '-') {
			at++;
			if (!procfs_decimal(&at, end, &v))
				break;
		} else if (procfs_decimal(&at, end, &v)) {
			stat_set(&s, field, v);
		} else {
			break;
		}
	}
	if (field <= STAT_STARTTIME)
		return -EBADMSG;
	*stat = s;
	return 0;
}

int kernel_stat_read(int proc, pid_t pid, pid_t tid, struct tally_stat *stat)
{
	char name[64], text[2048];
	size_t len;
	int err;

	if (tid > 0)
		snprintf(name, sizeof(name), "%d/task/%d/stat", pid, tid);
	else
		snprintf(name, sizeof(name), "%d/stat", pid);
	err = procfs_read_record(proc, name, text, sizeof(text), &len);
	if (err)
		return err;
	return kernel_stat_parse(text, len, stat);
}

int tally_kernel_stat_read(const char *root, pid_t pid, pid_t tid,
			   struct tally_stat *stat)
{
	UNCANCELLED;
	struct tally_stat s;
	int proc, err;

	if (!sized_fits(stat, sized_upto(struct tally_stat, cpu)))
		return -EINVAL;
	proc = procfs_open(root);
	if (proc < 0)
		return proc;
	err = kernel_stat_read(proc, pid, tid, &s);
	close(proc);
	if (!err)
		sized_put(stat, &s, sizeof(s));
	return err;
}

static int thread_read(int proc, pid_t pid, pid_t tid, struct kernel_thread *t)
{
	char name[64], text[4096];
	const char *at = text;
	int64_t voluntary, forced;
	size_t len;
	uint64_t ns;
	int err;

	err = kernel_stat_read(proc, pid, tid, &t->stat);
	if (err)
		return err;
	t->cpu_ns = saturate_add(t->stat.user_ns, t->stat.system_ns);
	snprintf(name, sizeof(name), "%d/task/%d/schedstat", pid, tid);
	if (!procfs_read(proc, name, text, sizeof(text), &len) &&
	    procfs_decimal(&at, text + len, &ns) && ns)
		t->cpu_ns = clamp(ns);
	t->context_switches = -1;
	snprintf(name, sizeof(name), "%d/task/%d/status", pid, tid);
	if (!procfs_read(proc, name, text, sizeof(text), &len) &&
	    procfs_field(text, "voluntary_ctxt_switches", &voluntary) &&
	    procfs_field(text, "nonvoluntary_ctxt_switches", &forced))
		t->context_switches = saturate_add(voluntary, forced);
	return 0;
}

int kernel_threads(const char *root, pid_t pid,
		   int (*each)(void *arg, const struct kernel_thread *t),
		   void *arg)
{
	struct procfs_list list = {.fd = -1};
	struct kernel_thread t;
	int proc, err = -ESRCH;
	char name[32];
	pid_t tid;

	proc = procfs_open(root);
	if (proc < 0)
		return proc;
	snprintf(name, sizeof(name), "%d/task", pid);
	list.fd = procfs_opendir(proc, name);
	if (list.fd < 0) {
		close(proc);
		return list.fd;
	}
	while ((tid = procfs_next(&list)) > 0) {
		if (thread_read(proc, pid, tid, &t))
			continue;
		err = each(arg, &t);
		if (err)
			break;
	}
	close(list.fd);
	close(proc);
	return tid < 0 ? (int)tid : err;
}
