/* SPDX-License-Identifier: MIT */
/* What the agent and its BPF program exchange. */
#ifndef AGENT_SUMS_H
#define AGENT_SUMS_H

/* Of a cgroup on one CPU, since the program was attached. */
struct agent_sum {
	unsigned long long cpu_ns;
	unsigned long long switches;
	unsigned long long migrations; /* to this CPU */
};

enum agent_event_kind {
	AGENT_BORN = 1,
	AGENT_GONE,
	AGENT_RENAMED,
};

/* A cgroup's id is the inode of its directory. */
struct agent_event {
	unsigned long long id;
	unsigned long long parent;
	unsigned int kind;
	char name[256]; /* of AGENT_BORN alone */
};

#endif
