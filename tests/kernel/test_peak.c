// SPDX-License-Identifier: MIT
/* Bounds of the most memory at once, of a process that is looked at seldom. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <numatally/kernel_memory.h>

#define SEEN_MIB 8
#define MORE_MIB 64

/* Other processes that get huge pages make bounds wider. */
#define TRIES 10

static struct tally_tree *tree;
static struct tally_peak *peak;
static struct tally_mem *mem;
static pid_t child;

static int tear_down(void **state)
{
	(void)state;
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = 0;
	tally_kernel_mem_destroy(mem);
	tally_kernel_peak_destroy(peak);
	tally_kernel_tree_destroy(tree);
	mem = NULL;
	peak = NULL;
	tree = NULL;
	return 0;
}

static void have(int64_t bytes)
{
	char *p = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(3);
	for (int64_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
}

/* Has some memory, and says so; then more, and executes a program that has
 * little, which closes said. */
static void grow_and_execute(int go, int said)
{
	char c = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &c, 1) != 1)
		_exit(3);
	have(SEEN_MIB * MIB);
	if (write(said, &c, 1) != 1 || read(go, &c, 1) != 1)
		_exit(3);
	have(MORE_MIB * MIB);
	execl("tests/support/eat", "eat", "hold", "1", "900000", NULL);
	_exit(3);
}

static void look(bool last)
{
	assert_int_equal(tally_kernel_tree_refresh(tree), 0);
	assert_int_equal(tally_kernel_peak_look(peak, tree, last), 0);
}

/* A sample ends the wait for more of what was before. */
static void sample(void)
{
	assert_int_equal(tally_kernel_mem_sample(mem, tree), 0);
	tally_kernel_peak_sampled(peak, tally_kernel_mem_result(mem));
}

static void end_child(void)
{
	struct tally_stat s = {.size = sizeof(s)};
	struct rusage usage;
	siginfo_t info;
	int status;

	kill(child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT),
			 0);
	assert_int_equal(tally_kernel_stat_read(NULL, child, 0, &s), 0);
	assert_int_equal(wait4(child, &status, 0, &usage), child);
	tally_kernel_peak_ended(peak, child, s.minor_faults + s.major_faults,
				usage.ru_minflt + usage.ru_majflt,
				usage.ru_maxrss * 1024);
	child = 0;
}

static void bounds_of_one(struct tally_peak_bounds *bounds)
{
	int go[2], said[2];
	char c = 0;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		grow_and_execute(go[0], said[1]);
	close(go[0]);
	close(said[1]);
	assert_int_equal(tally_kernel_tree_create(NULL, getpid(), false, &tree),
			 0);
	assert_int_equal(tally_kernel_peak_create(child, &peak), 0);
	assert_int_equal(tally_kernel_mem_create(NULL, NULL, &mem), 0);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(read(said[0], &c, 1), 1);
	look(false);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(read(said[0], &c, 1), 0);
	look(false);
	sample();
	look(false);
	look(false);
	end_child();
	look(true);
	tally_kernel_peak_bounds(peak, bounds);
	close(go[1]);
	close(said[0]);
	tear_down(NULL);
}

/* Pages of hugetlbfs that are free count, since they come without a fault. */
static int64_t pools(void)
{
	char line[256];
	long long kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Hugetlb: %lld", &kib) == 1)
			break;
	fclose(f);
	return kib * KIB;
}

/* Only its end tells how large it was: far larger than at the last look. */
static void an_execve_that_no_look_saw_coming_has_near_bounds(void **state)
{
	const int64_t least = (SEEN_MIB + MORE_MIB) * MIB;
	struct tally_peak_bounds b;
	int tries = 0;

	(void)state;
	/* A sanitizer has memory of its own. */
	if (TEST_SANITIZED)
		skip();
	do {
		bounds_of_one(&b);
		if (b.upper_bytes < 0) {
			print_message("# SKIP the kernel keeps no peaks\n");
			skip();
		}
		assert_true(b.lower_bytes <= least + 16 * MIB);
		assert_true(b.upper_bytes >= least);
		for (int k = 0; k < TALLY_NR_MEM; k++) {
			assert_true(b.lower_kinds[k] <= b.kinds[k]);
			assert_true(b.lower_kinds[k] <= b.lower_bytes);
		}
	} while (b.upper_bytes - pools() >= 2 * b.lower_bytes &&
		 ++tries < TRIES);
	assert_true(tries < TRIES);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			an_execve_that_no_look_saw_coming_has_near_bounds,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
