// SPDX-License-Identifier: MIT
/* On which nodes real processes have memory, and processes that come and go. */
#include "support/test.h"

#include <numaif.h>

#include <numatally/kernel_memory.h>

#include "support/child.h"
#include "support/live.h"

/* ---- nodes ---------------------------------------------------------------- */

static int bind_node;

static void on_node(char letter)
{
	unsigned long mask[16] = {0};
	char *p = child_map(16 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	(void)letter;
	mask[bind_node / 64] = 1ul << bind_node % 64;
	if (mbind(p, 16 * MIB, MPOL_BIND, mask, 1024, 0))
		_exit(77);
	child_touch(p, 16 * MIB);
}

/* One interval in 20 may miss; one three times as wide hardly ever does. */
static void about(const struct tally_mem_figure *f, int64_t truth)
{
	int64_t low = f->bytes - 3 * (f->bytes - f->lower_bytes) - CHILD_SLIP;
	int64_t high = f->bytes + 3 * (f->upper_bytes - f->bytes) + CHILD_SLIP;

	if (truth < low || truth > high)
		fail_msg("%lld is not in %lld … %lld", (long long)truth,
			 (long long)low, (long long)high);
}

static void places(const struct tally_mem_options *o)
{
	int nodes[64];
	unsigned int i, k, nr = memory_nodes(nodes);

	if (!nr) {
		print_message("# no NUMA\n");
		skip();
	}
	for (i = 0; i < nr; i++) {
		const struct tally_mem_result *r;
		struct child c;
		char answer;

		bind_node = nodes[i];
		c = begin(on_node, NULL);
		need_numa_maps(&c);
		keep_before(&c);
		if (o) {
			tally_kernel_mem_destroy(c.mem);
			assert_int_equal(
				tally_kernel_mem_create(NULL, o, &c.mem), 0);
		}
		assert_int_equal(write(c.to, "x", 1), 1);
		if (read(c.from, &answer, 1) != 1) {
			print_message("# mbind is refused\n");
			end(&c);
			skip();
		}
		if (o)
			need_sampling(&c);
		r = sample(&c);
		for (k = 0; k < r->nr_nodes; k++) {
			const struct tally_mem_node *n = &r->nodes[k];
			int64_t truth = n->node == bind_node ? 16 * MIB : 0;

			assert_true(n->node >= 0 && n->node < 64);
			truth += c.nodes[n->node].now_total.bytes;
			about(&n->now_total, truth);
			if (!o)
				grew(n, &c.nodes[n->node], TALLY_MEM_ANONYMOUS,
				     n->node == bind_node ? 16 * MIB : 0);
		}
		end(&c);
	}
}

static void walks_find_the_node(void **state)
{
	(void)state;
	places(NULL);
}

static void samples_find_the_node(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o),
				      .large_bytes = 8 * MIB};

	(void)state;
	places(&o);
}

/* ---- processes that come and go ------------------------------------------- */

static void storm(char letter)
{
	pid_t pid;

	(void)letter;
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid = fork();
		if (!pid && !fork())
			_exit(0);
		if (!pid)
			_exit(0);
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

static void survives_a_fork_storm(void **state)
{
	struct child c = begin(storm, NULL);
	const struct tally_mem_result *r;
	unsigned int i;

	(void)state;
	tell(&c, 'x');
	for (i = 0; i < 100; i++) {
		r = sample(&c);
		assert_true(r->nr_processes >= 1);
		assert_int_equal(r->nr_malformed, 0);
		assert_true(r->all.now_total.bytes > 0);
	}
	assert_int_equal(r->nr_samples, 100);
	end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_find_the_node),
		cmocka_unit_test(samples_find_the_node),
		cmocka_unit_test(survives_a_fork_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
