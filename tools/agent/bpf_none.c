// SPDX-License-Identifier: MIT
/* In place of bpf.c, where clang, bpftool or libbpf is missing. */
#include "config.h"

#include <errno.h>

#include "agent/bpf.h"

int agent_bpf_open(int version, int hierarchy, struct agent_bpf **bpf)
{
	(void)version;
	(void)hierarchy;
	(void)bpf;
	return -ENOSYS;
}

void agent_bpf_close(struct agent_bpf *bpf)
{
	(void)bpf;
}

int agent_bpf_read(struct agent_bpf *bpf,
		   int (*take)(void *data, uint64_t id,
			       const struct agent_sum *sums, unsigned int nr),
		   void *data)
{
	(void)bpf;
	(void)take;
	(void)data;
	return -ENOSYS;
}

int agent_bpf_forget(struct agent_bpf *bpf, uint64_t id,
		     const struct agent_sum **sums, unsigned int *nr)
{
	(void)bpf;
	(void)id;
	(void)sums;
	(void)nr;
	return -ENOENT;
}

int agent_bpf_events(struct agent_bpf *bpf,
		     void (*take)(void *data, const struct agent_event *event),
		     void *data)
{
	(void)bpf;
	(void)take;
	(void)data;
	return -ENOSYS;
}
