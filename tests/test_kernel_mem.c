// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/kernel.h>

static void sample_self(void **state)
{
	struct tally_tree *tree;
	struct tally_mem *mem;
	const struct tally_mem_result *r;

	(void)state;
	assert_int_equal(tally_kernel_tree_create(NULL, getpid(), true, &tree),
			 0);
	assert_int_equal(tally_kernel_mem_create(NULL, NULL, &mem), 0);
	assert_int_equal(tally_kernel_mem_sample(mem, tree), 0);
	r = tally_kernel_mem_result(mem);
	assert_int_equal(r->nr_samples, 1);
	assert_int_equal(r->nr_processes, 1);
	assert_true(r->all.now_total.bytes > 0);
	tally_kernel_mem_destroy(mem);
	tally_kernel_tree_destroy(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sample_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
