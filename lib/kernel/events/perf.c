// SPDX-License-Identifier: MIT
/*
 * Perf events of a task outlive a CPU that goes offline, and count on when it
 * is back. They are read one by one: while one event of an inherited group
 * ends, the kernel refuses to tell the sum (ECHILD).
 *
 * Perf events of a cgroup belong to the CPU. They die with it, and the group
 * falls apart; its counts are carried over to the events opened in its place.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/events/perf.h"
#include "kernel/proc/procfs.h"

/* A group of one event for each enum tally_event; the first leads. */
struct perf_group {
	int cpu;	  /* -1: all of them */
	unsigned int row; /* of the CPU's node */
	int fds[TALLY_NR_EVENTS];
	struct tally_event_counts carried; /* counts of groups that died */
};

struct perf_set {
	unsigned int nr_rows;
	pid_t pid;
	int cgroup_fd;		/* -1: the events are a task's */
	unsigned int nr_events; /* the first ones */
	bool user_only;
	bool has_gaps;
	int64_t before_ns; /* CPU time of the cgroup when its events began;
			      -1: not known */
	int64_t missed_ns; /* CPU time on CPUs before their events were
			      opened */
	struct perf_group whole; /* of a task, on any CPU: if events per CPU
				    would tell no more, or not all */
	unsigned int nr_groups;
	struct perf_group groups[];
};

static const uint64_t perf_configs[TALLY_NR_EVENTS] = {
	[TALLY_EVENT_CPU_NS] = PERF_COUNT_SW_TASK_CLOCK,
	[TALLY_EVENT_PAGE_FAULTS] = PERF_COUNT_SW_PAGE_FAULTS,
	[TALLY_EVENT_CONTEXT_SWITCHES] = PERF_COUNT_SW_CONTEXT_SWITCHES,
	[TALLY_EVENT_MIGRATIONS] = PERF_COUNT_SW_CPU_MIGRATIONS,
};

static void group_init(struct perf_group *group, int cpu, unsigned int row)
{
	memset(group, 0, sizeof(*group));
	group->cpu = cpu;
	group->row = row;
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		group->fds[e] = -1;
}

static void group_close(struct perf_group *group)
{
	for (int e = 0; e < TALLY_NR_EVENTS; e++) {
		if (group->fds[e] >= 0)
			close(group->fds[e]);
		group->fds[e] = -1;
	}
}

static bool group_is_open(const struct perf_group *group)
{
	return group->fds[0] >= 0;
}

static int group_open(const struct perf_set *set, struct perf_group *group)
{
	bool of_task = set->cgroup_fd < 0;
	unsigned long flags = PERF_FLAG_FD_CLOEXEC;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.read_format = of_task ? 0 : PERF_FORMAT_GROUP,
		.inherit = of_task,
		.exclude_kernel = set->user_only,
		.exclude_hv = set->user_only,
	};

	if (!of_task)
		flags |= PERF_FLAG_PID_CGROUP;
	for (unsigned int e = 0; e < set->nr_events; e++) {
		/* The leader gates the group. */
		attr.disabled = e == 0;
		attr.enable_on_exec = e == 0 && of_task;
		attr.config = perf_configs[e];
		group->fds[e] =
			(int)syscall(SYS_perf_event_open, &attr,
				     of_task ? set->pid : set->cgroup_fd,
				     group->cpu, e ? group->fds[0] : -1, flags);
		if (group->fds[e] < 0) {
			int ret = -errno;

			group_close(group);
			return ret;
		}
	}
	return 0;
}

static int group_enable(const struct perf_group *group)
{
	if (ioctl(group->fds[0], PERF_EVENT_IOC_ENABLE, 0))
		return -errno;
	return 0;
}

static int read_one(int fd, int64_t *count)
{
	uint64_t n;
	ssize_t bytes = read(fd, &n, sizeof(n));

	if (bytes != sizeof(n))
		return bytes < 0 ? -errno : -EIO;
	*count += (int64_t)n;
	return 0;
}

/* Add the first max counts of a group to counts. Returns the number of events
 * in the group, or -errno. */
static int read_group(int fd, int64_t *counts, uint64_t max)
{
	uint64_t buf[1 + TALLY_NR_EVENTS];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0)
		return -errno;
	if (n < (ssize_t)(2 * sizeof(buf[0])) || buf[0] > TALLY_NR_EVENTS)
		return -EIO;
	for (uint64_t i = 0; i < buf[0] && i < max; i++)
		counts[i] += (int64_t)buf[1 + i];
	return (int)buf[0];
}

static int read_inherited(const struct perf_group *group,
			  unsigned int nr_events, int64_t *counts)
{
	int ret = 0;

	for (unsigned int e = 0; e < nr_events && !ret; e++)
		ret = read_one(group->fds[e], &counts[e]);
	return ret;
}

/*
 * *dead: the CPU left the group. To find out, ask the last event for the group:
 * it is then alone in it. The former leader still tells of a whole group, with
 * only itself in it.
 */
static int read_of_cgroup(const struct perf_group *group,
			  struct tally_event_counts *counts, bool *dead)
{
	struct tally_event_counts more = {{0}};
	int last = TALLY_NR_EVENTS - 1;
	int ret = read_group(group->fds[last], more.count, TALLY_NR_EVENTS);

	if (ret < 0)
		return ret;
	*dead = ret != TALLY_NR_EVENTS;
	if (*dead) {
		memset(&more, 0, sizeof(more));
		for (int e = 0; e < TALLY_NR_EVENTS; e++) {
			ret = read_group(group->fds[e], &more.count[e], 1);
			if (ret < 0)
				return ret;
		}
	}
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		counts->count[e] += more.count[e];
	return 0;
}

/* Set *counts to what the group has counted. */
static int group_read(const struct perf_set *set,
		      const struct perf_group *group,
		      struct tally_event_counts *counts, bool *dead)
{
	*counts = group->carried;
	*dead = false;
	if (!group_is_open(group))
		return 0;
	if (set->cgroup_fd < 0)
		return read_inherited(group, set->nr_events, counts->count);
	return read_of_cgroup(group, counts, dead);
}

/* An error that is one CPU's, not the kernel's. */
static bool is_for_cpu(int ret)
{
	return ret == -ENODEV || ret == -ENXIO || ret == -EINVAL;
}

/* A CPU that is offline now may come, if sysfs links it to a node. */
static bool cpu_may_run(const struct tally_topo *topo, int cpu)
{
	return tally_topo_cpu_online(topo, cpu) ||
	       tally_topo_cpu_node(topo, cpu) >= 0;
}

/* Return the row of the CPU's node; the last one, if that is not known. */
static unsigned int cpu_row(const struct tally_topo *topo, int cpu)
{
	int node = tally_topo_cpu_node(topo, cpu);
	int index = node < 0 ? -1 : tally_topo_index(topo, node);

	return index < 0 ? tally_topo_nr_nodes(topo) : (unsigned int)index;
}

/* Return the number of CPUs that have events of their own on a task. 0: all
 * possible CPUs are on one node, and one set for all of them tells as much. */
static unsigned int nr_cpus_apart(const struct tally_topo *topo)
{
	int nr_cpus = (int)tally_topo_nr_cpus(topo);
	unsigned int nr = 0, nr_first = 0;

	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		if (!cpu_may_run(topo, cpu))
			continue;
		nr++;
		if (cpu_row(topo, cpu) == cpu_row(topo, 0))
			nr_first++;
	}
	return nr_first == (unsigned int)nr_cpus ? 0 : nr;
}

/* Whether every possible CPU has events of its own. */
static bool is_complete(const struct tally_topo *topo, unsigned int nr_apart)
{
	return nr_apart == tally_topo_nr_cpus(topo);
}

unsigned int tally_kernel_events_nr_inherited(const struct tally_topo *topo,
					      enum tally_events_way way)
{
	unsigned int nr_apart = nr_cpus_apart(topo);
	unsigned int each = way == TALLY_EVENTS_INHERIT	       ? TALLY_NR_EVENTS
			    : way == TALLY_EVENTS_INHERIT_TIME ? 1
							       : 0;

	return (nr_apart + !is_complete(topo, nr_apart)) * each;
}

static int set_open(struct perf_set *set, bool complete)
{
	unsigned int nr_open = 0;
	int ret, bad = 0;

	for (unsigned int i = 0; i < set->nr_groups; i++) {
		ret = group_open(set, &set->groups[i]);
		if (ret && !is_for_cpu(ret))
			return ret;
		if (ret)
			bad = ret;
		else
			nr_open++;
	}
	if (set->cgroup_fd < 0 && (bad || !complete))
		return group_open(set, &set->whole);
	return nr_open ? 0 : bad ? bad : -ENODEV;
}

int perf_set_open(const struct tally_topo *topo, pid_t pid, int cgroup_fd,
		  unsigned int nr_events, bool user_only, struct perf_set **set)
{
	unsigned int nr_nodes = tally_topo_nr_nodes(topo);
	unsigned int nr_cpus = tally_topo_nr_cpus(topo);
	unsigned int nr_apart = nr_cpus_apart(topo);
	struct perf_set *s;
	int ret;

	s = malloc(sizeof(*s) + nr_cpus * sizeof(s->groups[0]));
	if (!s)
		return -ENOMEM;
	s->nr_rows = nr_nodes + 1;
	s->pid = pid;
	s->cgroup_fd = -1;
	s->nr_events = nr_events;
	s->user_only = user_only;
	s->has_gaps = false;
	s->before_ns = -1;
	s->missed_ns = 0;
	s->nr_groups = 0;
	group_init(&s->whole, -1, nr_apart ? nr_nodes : cpu_row(topo, 0));
	for (int cpu = 0; cpu < (int)nr_cpus; cpu++)
		if (cpu_may_run(topo, cpu) && (nr_apart || cgroup_fd >= 0))
			group_init(&s->groups[s->nr_groups++], cpu,
				   cpu_row(topo, cpu));
	ret = 0;
	if (cgroup_fd >= 0) {
		/* Kept, to open events on a CPU that comes back. */
		s->cgroup_fd = dup(cgroup_fd);
		if (s->cgroup_fd < 0)
			ret = -errno;
	}
	if (!ret)
		ret = set_open(s, is_complete(topo, nr_apart));
	if (ret) {
		perf_set_close(s);
		return ret;
	}
	*set = s;
	return 0;
}

void perf_set_close(struct perf_set *set)
{
	if (!set)
		return;
	group_close(&set->whole);
	for (unsigned int i = 0; i < set->nr_groups; i++)
		group_close(&set->groups[i]);
	if (set->cgroup_fd >= 0)
		close(set->cgroup_fd);
	free(set);
}

/* Return the cgroup's CPU time since it was made, which the kernel counts on
 * all CPUs, whether they come or go; -1: not known. */
static int64_t cgroup_cpu_ns(const struct perf_set *set)
{
	static const char key[] = "usage_usec ";
	char text[1024];
	size_t len;

	if (procfs_read(set->cgroup_fd, "cpu.stat", text, sizeof(text), &len) ||
	    strncmp(text, key, sizeof(key) - 1) != 0)
		return -1;
	return strtoll(text + sizeof(key) - 1, NULL, 10) * 1000;
}

int perf_set_enable(struct perf_set *set)
{
	int ret = 0;

	if (set->cgroup_fd < 0)
		return 0;
	set->before_ns = cgroup_cpu_ns(set);
	for (unsigned int i = 0; i < set->nr_groups && !ret; i++)
		if (group_is_open(&set->groups[i]))
			ret = group_enable(&set->groups[i]);
	return ret;
}

/* Open a cgroup's events on a CPU that is back. */
static void group_revive(struct perf_set *set, struct perf_group *group)
{
	if (set->cgroup_fd < 0 || group_is_open(group))
		return;
	if (group_open(set, group))
		return;
	set->has_gaps = true;
	if (group_enable(group))
		group_close(group);
}

/*
 * Return the CPU time missed before events were opened again. The cgroup's own
 * clock tells it; a small difference is how the two clocks differ, and what
 * tasks do at their end.
 */
static int64_t missed_ns(struct perf_set *set, int64_t whole, int64_t counted,
			 int64_t switches)
{
	int64_t missed = whole - counted;

	if (missed >
	    whole / 50 + 20000000 + switches * (PERF_SWITCH_NS + PERF_EXIT_NS))
		set->has_gaps = true;
	if (set->has_gaps && missed > set->missed_ns)
		set->missed_ns = missed;
	return set->missed_ns;
}

int perf_set_read(struct perf_set *set, struct tally_event_counts *rows)
{
	struct tally_event_counts whole, counts;
	struct tally_event_counts *unknown = &rows[set->nr_rows - 1];
	struct tally_event_counts *rest = &rows[set->whole.row];
	int64_t cgroup_ns = 0, counted_ns = 0, switches = 0;
	bool dead;
	int ret, err;

	memset(rows, 0, set->nr_rows * sizeof(*rows));
	/* Read the whole first: it must not exceed its parts because they were
	 * read before it. */
	ret = group_read(set, &set->whole, &whole, &dead);
	if (set->cgroup_fd >= 0 && set->before_ns >= 0)
		cgroup_ns = cgroup_cpu_ns(set) - set->before_ns;
	for (unsigned int i = 0; i < set->nr_groups; i++) {
		struct perf_group *group = &set->groups[i];

		err = group_read(set, group, &counts, &dead);
		if (err)
			ret = err;
		if (dead) {
			group_close(group);
			group->carried = counts;
			set->has_gaps = true;
		}
		group_revive(set, group);
		counted_ns += counts.count[TALLY_EVENT_CPU_NS];
		switches += counts.count[TALLY_EVENT_CONTEXT_SWITCHES];
		for (int e = 0; e < TALLY_NR_EVENTS; e++) {
			rows[group->row].count[e] += counts.count[e];
			whole.count[e] -= counts.count[e];
		}
	}
	for (int e = 0; e < TALLY_NR_EVENTS; e++)
		if (whole.count[e] > 0)
			rest->count[e] += whole.count[e];
	unknown->count[TALLY_EVENT_CPU_NS] +=
		missed_ns(set, cgroup_ns, counted_ns, switches);
	return ret;
}

bool perf_set_has_gaps(const struct perf_set *set)
{
	return set->has_gaps;
}
