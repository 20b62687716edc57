/* SPDX-License-Identifier: MIT */
/* A child with a known amount of memory, and a sampler of it. */
#ifndef TEST_SUPPORT_LIVE_H
#define TEST_SUPPORT_LIVE_H

#include "support/test.h"

#include <numatally/kernel_memory.h>

#include "support/child.h"

/* A child that acts once for each letter it reads, and answers each. */
struct child {
	pid_t pid;
	int to;
	int from;
	struct tally_tree *tree;
	struct tally_mem *mem;
	struct tally_mem_result before;
	struct tally_mem_node nodes[64]; /* by number */
};

/* Starts a child that calls act for each letter. */
static inline struct child begin(void (*act)(char letter),
				 const struct tally_mem_options *o)
{
	struct child c;
	int to[2], from[2];
	char letter;

	memset(&c, 0, sizeof(c));
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	fflush(NULL);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (!c.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		close(from[0]);
		while (read(to[0], &letter, 1) == 1) {
			act(letter);
			if (write(from[1], &letter, 1) != 1)
				break;
		}
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	c.to = to[1];
	c.from = from[0];
	assert_int_equal(tally_kernel_tree_create(NULL, c.pid, true, &c.tree),
			 0);
	assert_int_equal(tally_kernel_mem_create(NULL, o, &c.mem), 0);
	return c;
}

static inline void tell(struct child *c, char letter)
{
	char answer;

	assert_int_equal(write(c->to, &letter, 1), 1);
	assert_int_equal(read(c->from, &answer, 1), 1);
}

static inline const struct tally_mem_result *sample(struct child *c)
{
	assert_int_equal(tally_kernel_mem_sample(c->mem, c->tree), 0);
	return tally_kernel_mem_result(c->mem);
}

static inline void end(struct child *c)
{
	close(c->to);
	close(c->from);
	kill(c->pid, SIGKILL);
	assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
	tally_kernel_mem_destroy(c->mem);
	tally_kernel_tree_destroy(c->tree);
}

/* In some containers no process can read another's numa_maps, not even its
 * child's. */
static inline void need_numa_maps(struct child *c)
{
	const struct tally_mem_result *r = sample(c);

	if (r->nr_walked && !CHILD_MORE_IS_TOUCHED)
		return;
	if (CHILD_MORE_IS_TOUCHED)
		print_message("# the sanitizer touches memory too\n");
	else
		print_message("# numa_maps can't be read: %s\n",
			      r->refused ? strerror(-r->refused) : "no NUMA");
	end(c);
	skip();
}

static inline void keep_before(struct child *c)
{
	const struct tally_mem_result *r = sample(c);
	unsigned int i;

	c->before = *r;
	for (i = 0; i < r->nr_nodes; i++)
		if (r->nodes[i].node < 64)
			c->nodes[r->nodes[i].node] = r->nodes[i];
}

static inline void grew(const struct tally_mem_node *now,
			const struct tally_mem_node *before,
			enum tally_mem_kind k, int64_t bytes)
{
	int64_t by = now->now[k].bytes - before->now[k].bytes;

	if (by < bytes - CHILD_SLIP || by > bytes + CHILD_SLIP)
		fail_msg("%s grew by %lld bytes, not %lld",
			 tally_kernel_mem_name(k), (long long)by,
			 (long long)bytes);
}

static inline unsigned int memory_nodes(int nodes[64]);

static inline void need_sampling(struct child *c)
{
	if (sample(c)->nr_sampled)
		return;
	print_message("# pages can't be sampled here\n");
	end(c);
	skip();
}

/* The nodes with memory, as in "0-2,5". */
static inline unsigned int memory_nodes(int nodes[64])
{
	FILE *f = fopen("/sys/devices/system/node/has_memory", "r");
	unsigned int nr = 0;
	int from, to, c = ',';

	while (f && c == ',' && fscanf(f, "%d", &from) == 1) {
		to = from;
		c = fgetc(f);
		if (c == '-') {
			if (fscanf(f, "%d", &to) != 1)
				break;
			c = fgetc(f);
		}
		for (; from <= to && from < 64 && nr < 64; from++)
			nodes[nr++] = from;
	}
	if (f)
		fclose(f);
	return nr;
}

#endif
