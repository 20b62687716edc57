// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "kernel/proc/stat.h"
#include "support/child.h"

#define FIELDS                                                                   \
	"S 17 4242 4242 0 -1 4194560 111 222 33 44 150 25 6 7 20 0 3 0 "         \
	"987654321 3000000 512 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 " \
	"17 5 0 0 0 0 0\n"

static void parse_stat(void **state)
{
	const char *text = "4242 (make) " FIELDS;
	struct tally_stat s;
	int64_t tick = 1000000000 / sysconf(_SC_CLK_TCK);

	(void)state;
	assert_int_equal(kernel_stat_parse(text, strlen(text), &s), 0);
	assert_int_equal(s.pid, 4242);
	assert_int_equal(s.ppid, 17);
	assert_int_equal(s.state, 'S');
	assert_string_equal(s.name, "make");
	assert_int_equal(s.minor_faults, 111);
	assert_int_equal(s.major_faults, 33);
	assert_int_equal(s.user_ns, 150 * tick);
	assert_int_equal(s.system_ns, 25 * tick);
	assert_int_equal(s.nr_threads, 3);
	assert_int_equal(s.start_ticks, 987654321);
	assert_int_equal(s.rss_bytes, 512 * sysconf(_SC_PAGESIZE));
	assert_int_equal(s.cpu, 5);
}

static void parse_stat_names(void **state)
{
	static const char *const names[] = {
		"", "a b", ") S 1 (", "((", "))", "x) R 1 2 3 4", "\n", "\xff",
	};
	char text[512];
	struct tally_stat s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(text, sizeof(text), "1 (%s) " FIELDS, names[i]);
		assert_int_equal(kernel_stat_parse(text, strlen(text), &s), 0);
		assert_string_equal(s.name, names[i]);
		assert_int_equal(s.ppid, 17);
	}
}

/* Cut anywhere: an error, or, after the start time, the members before
 * the cut. */
static void parse_stat_cut(void **state)
{
	const char *text = "4242 (make) " FIELDS;
	size_t start = (size_t)(strstr(text, "987654321") - text);
	size_t len;

	(void)state;
	for (len = 0; len <= strlen(text); len++) {
		struct tally_stat s = {.pid = -7};
		char *copy = malloc(len + 1);
		int err;

		memcpy(copy, text, len);
		err = kernel_stat_parse(copy, len, &s);
		free(copy);
		if (len <= start) {
			assert_int_equal(err, -EBADMSG);
			assert_int_equal(s.pid, -7);
		} else {
			assert_int_equal(err, 0);
		}
	}
}

static void read_own_stat(void **state)
{
	struct tally_stat s = {.size = sizeof(s)}, t = s;

	(void)state;
	assert_int_equal(tally_kernel_stat_read(NULL, getpid(), 0, &s), 0);
	assert_int_equal(s.pid, getpid());
	assert_int_equal(s.ppid, getppid());
	assert_true(s.rss_bytes > 0);
	assert_int_equal(tally_kernel_stat_read(NULL, getpid(), getpid(), &t),
			 0);
	assert_int_equal(t.start_ticks, s.start_ticks);
	assert_int_equal(tally_kernel_stat_read("/nowhere", 1, 0, &s), -ENOENT);
}

/* A caller with fewer members, with more, or without a size. */
static void a_caller_of_another_version(void **state)
{
	struct {
		struct tally_stat s;
		int64_t later;
	} large = {{.size = sizeof(large)}, 7};
	struct tally_stat s = {.size = offsetof(struct tally_stat, ppid)};

	(void)state;
	s.ppid = -7;
	assert_int_equal(tally_kernel_stat_read(NULL, getpid(), 0, &s),
			 -EINVAL);
	assert_int_equal(s.size, offsetof(struct tally_stat, ppid));
	assert_int_equal(s.ppid, -7);
	assert_int_equal(tally_kernel_stat_read(NULL, getpid(), 0, &large.s),
			 0);
	assert_int_equal(large.s.size, sizeof(large));
	assert_int_equal(large.s.ppid, getppid());
	assert_int_equal(large.later, 0);
	s.size = 0;
	assert_int_equal(tally_kernel_stat_read(NULL, getpid(), 0, &s),
			 -EINVAL);
}

static void read_a_process_that_ended(void **state)
{
	struct tally_stat s = {.size = sizeof(s)};
	pid_t pid = child_that_waits();

	(void)state;
	child_end(pid);
	assert_int_equal(tally_kernel_stat_read(NULL, pid, 0, &s), -ESRCH);
}

static int count_thread(void *arg, const struct kernel_thread *t)
{
	unsigned int *nr = arg;

	assert_true(t->cpu_ns >= 0);
	assert_true(t->context_switches >= 0);
	assert_true(t->stat.cpu >= 0);
	++*nr;
	return 0;
}

static int stop_with_7(void *arg, const struct kernel_thread *t)
{
	(void)arg;
	(void)t;
	return 7;
}

static void read_threads(void **state)
{
	unsigned int nr = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(kernel_threads(NULL, getpid(), count_thread, &nr), 0);
	assert_true(nr >= 1);
	assert_int_equal(kernel_threads(NULL, getpid(), stop_with_7, NULL), 7);
	pid = child_that_waits();
	child_end(pid);
	assert_int_equal(kernel_threads(NULL, pid, count_thread, &nr), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_stat),
		cmocka_unit_test(parse_stat_names),
		cmocka_unit_test(parse_stat_cut),
		cmocka_unit_test(read_own_stat),
		cmocka_unit_test(a_caller_of_another_version),
		cmocka_unit_test(read_a_process_that_ended),
		cmocka_unit_test(read_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
