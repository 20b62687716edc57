/* SPDX-License-Identifier: MIT */
/* What the tools and the BPF program exchange. */
#ifndef TOOL_COUNT_SUMS_H
#define TOOL_COUNT_SUMS_H

/* Of a cgroup, or of a command, on one CPU, since the program was attached. */
struct counter_sum {
	unsigned long long cpu_ns;
	unsigned long long faults;
	unsigned long long switches;
	unsigned long long migrations; /* to this CPU */
};

/* The page faults so far of a command's first task, until it runs. */
#define COUNTER_UNSEEN (~0ULL)

enum counter_event_kind {
	COUNTER_BORN = 1,
	COUNTER_GONE,
	COUNTER_RENAMED,
};

/* A cgroup's id is the inode of its directory. */
struct counter_event {
	unsigned long long id;
	unsigned long long parent;
	unsigned int kind;
	char name[256]; /* of COUNTER_BORN alone */
};

#endif
