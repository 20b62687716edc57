// SPDX-License-Identifier: MIT
/* In place of counter.c, where clang, bpftool or libbpf is missing. */
#include "config.h"

#include <errno.h>

#include "count/counter.h"

int counter_open_groups(int version, int hierarchy, struct counter **counter)
{
	(void)version;
	(void)hierarchy;
	(void)counter;
	return -ENOSYS;
}

int counter_open_command(pid_t pid, struct counter **counter)
{
	(void)pid;
	(void)counter;
	return -ENOSYS;
}

void counter_close(struct counter *counter)
{
	(void)counter;
}

int counter_read(struct counter *counter, const struct counter_sum **sums,
		 unsigned int *nr)
{
	(void)counter;
	(void)sums;
	(void)nr;
	return -ENOSYS;
}

int counter_read_groups(struct counter *counter,
			int (*take)(void *data, uint64_t id,
				    const struct counter_sum *sums,
				    unsigned int nr),
			void *data)
{
	(void)counter;
	(void)take;
	(void)data;
	return -ENOSYS;
}

int counter_forget_group(struct counter *counter, uint64_t id,
			 const struct counter_sum **sums, unsigned int *nr)
{
	(void)counter;
	(void)id;
	(void)sums;
	(void)nr;
	return -ENOENT;
}

int counter_read_events(struct counter *counter,
			void (*take)(void *data,
				     const struct counter_event *event),
			void *data)
{
	(void)counter;
	(void)take;
	(void)data;
	return -ENOSYS;
}
