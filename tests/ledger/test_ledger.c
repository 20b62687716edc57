// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "support/machine.h"

static void adds_add_up(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account a = machine_account(ledger, "a");

	assert_int_equal(tally_ledger_add(ledger, a, 0, 5), 0);
	assert_int_equal(tally_ledger_add(ledger, a, 0, 7), 0);
	assert_int_equal(tally_ledger_add(ledger, a, 1, -3), 0);
	assert_int_equal(machine_total(ledger, 0), 12);
	assert_int_equal(machine_total(ledger, 1), -3);
	assert_int_equal(tally_ledger_resource(ledger, "memory"), 1);
	assert_int_equal(tally_ledger_resource(ledger, "time"), -ENOENT);
	tally_ledger_close(ledger);
}

static void a_charge_is_for_the_node_it_names(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account a = machine_account(ledger, "a");
	const struct tally_amount charge[] = {{0, 1}, {1, 4096}};
	int64_t amounts[2];
	struct tally_view *view;

	for (int i = 0; i < 3; i++)
		for (int n = 0; n <= i; n++)
			assert_int_equal(tally_ledger_charge(ledger, a,
							     machine_nodes[i],
							     charge, 2),
					 0);
	assert_int_equal(tally_ledger_charge(ledger, a, 7, charge, 2), -ENOENT);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			tally_view_account(view, a, machine_nodes[i], amounts),
			0);
		assert_int_equal(amounts[0], i + 1);
		assert_int_equal(amounts[1], 4096 * (i + 1));
	}
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static void impossible_ledgers_are_refused(void **state)
{
	struct machine *m = *state;
	struct tally_resource bad[2] = {machine_resources[0],
					machine_resources[0]};
	struct tally_ledger_options options = {.size = sizeof(options),
					       .max_accounts = UINT_MAX};
	struct tally_ledger *ledger = NULL;

#define CREATE(resources, nr, opts) \
	tally_ledger_create(m->path, m->topo, resources, nr, opts, &ledger)
	assert_int_equal(CREATE(machine_resources, 0, NULL), -EINVAL);
	assert_int_equal(CREATE(machine_resources, 513, NULL), -EINVAL);
	assert_int_equal(CREATE(bad, 2, NULL), -EEXIST);
	bad[0].name = "0ther";
	assert_int_equal(CREATE(bad, 2, NULL), -EINVAL);
	bad[0].name = "a name";
	assert_int_equal(CREATE(bad, 2, NULL), -EINVAL);
	bad[0].name = "_23456789012345678901234567890123";
	assert_int_equal(CREATE(bad, 2, NULL), -EINVAL);
	bad[0].name = "fine";
	bad[0].unit = "sixteen_bytes_or";
	assert_int_equal(CREATE(bad, 2, NULL), -EINVAL);
	bad[0].unit = "";
	bad[0].kind = (enum tally_kind)4;
	assert_int_equal(CREATE(bad, 2, NULL), -EINVAL);
	assert_int_equal(CREATE(machine_resources, 2, &options), -EINVAL);
	assert_int_equal(access(m->path, F_OK), -1);
	ledger = machine_ledger(m, 0);
	tally_ledger_close(ledger);
	assert_int_equal(CREATE(machine_resources, 2, NULL), -EEXIST);
#undef CREATE
}

static void a_ledger_larger_than_the_address_space(void **state)
{
	struct machine *m = *state;
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts = 1u << 26};
	struct tally_resource *many = calloc(512, sizeof(*many));
	char(*names)[16] = calloc(512, sizeof(*names));
	struct tally_ledger *ledger = NULL;

	assert_non_null(many);
	assert_non_null(names);
	for (int i = 0; i < 512; i++) {
		snprintf(names[i], sizeof(names[i]), "r%d", i);
		many[i] = (struct tally_resource){
			.name = names[i],
			.unit = "",
			.kind = TALLY_COUNTER,
		};
	}
	assert_int_equal(
		tally_ledger_create(m->path, m->topo, many, 512, NULL, &ledger),
		0);
	assert_int_equal(tally_ledger_resource(ledger, "r511"), 511);
	tally_ledger_close(ledger);
	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo, many, 512,
					     &options, &ledger),
			 -E2BIG);
	free(names);
	free(many);
}

static void a_file_size_limit_is_an_error_not_a_signal(void **state)
{
	struct machine *m = *state;
	struct rlimit old, small;
	struct tally_ledger *ledger = NULL;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1 << 16;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, NULL,
					     &ledger),
			 -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(access(m->path, F_OK), -1);
}

static void an_unnamed_ledger_counts_too(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = NULL;

	assert_int_equal(tally_ledger_create(NULL, m->topo, machine_resources,
					     2, NULL, &ledger),
			 0);
	assert_int_equal(
		tally_ledger_add(ledger, machine_account(ledger, "a"), 0, 9),
		0);
	assert_int_equal(machine_total(ledger, 0), 9);
	tally_ledger_close(ledger);
}

static void the_file_has_the_mode_asked_for(void **state)
{
	struct machine *m = *state;
	struct tally_ledger_options options = {.size = sizeof(options),
					       .mode = 0600};
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct stat st;

	tally_ledger_close(ledger);
	assert_int_equal(stat(m->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(unlink(m->path), 0);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &ledger),
			 0);
	tally_ledger_close(ledger);
	assert_int_equal(stat(m->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* Threads hop over all CPUs and add; most adds are one of two that end on
 * another CPU. */
#define HOPPERS	    8
#define HOPPER_ADDS 20000

struct hopper {
	struct tally_ledger *ledger;
	struct tally_account account;
	int failed;
};

static void hop(unsigned int to)
{
	long nr = sysconf(_SC_NPROCESSORS_CONF);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(to % (unsigned int)nr, &set);
	sched_setaffinity(0, sizeof(set), &set); /* some may be refused us */
}

static void *hop_and_add(void *arg)
{
	struct hopper *h = arg;

	for (unsigned int i = 0; i < HOPPER_ADDS; i++) {
		if (i % 64 == 0)
			hop(i / 64 + (unsigned int)(uintptr_t)h);
		h->failed |= tally_ledger_add(h->ledger, h->account, 0, 1);
		h->failed |= tally_ledger_add(h->ledger, h->account, 1,
					      i % 2 ? -5 : 5);
	}
	return NULL;
}

static void hopping_threads_lose_nothing(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct hopper hoppers[HOPPERS];
	pthread_t threads[HOPPERS];
	char key[16];

	for (int i = 0; i < HOPPERS; i++) {
		snprintf(key, sizeof(key), "a%d", i / 2);
		hoppers[i] = (struct hopper){
			.ledger = ledger,
			.account = machine_account(ledger, key),
		};
		assert_int_equal(pthread_create(&threads[i], NULL, hop_and_add,
						&hoppers[i]),
				 0);
	}
	for (int i = 0; i < HOPPERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(hoppers[i].failed, 0);
	}
	assert_int_equal(machine_total(ledger, 0), HOPPERS * HOPPER_ADDS);
	assert_int_equal(machine_total(ledger, 1), 0);
	tally_ledger_close(ledger);
}

static int add_many(const char *path, const char *key, int n)
{
	struct tally_ledger *ledger;
	struct tally_account account;
	int err = tally_ledger_open(path, &ledger);

	if (err)
		return 1;
	err = tally_account_open(tally_ledger_accounts(ledger), key, &account);
	for (int i = 0; !err && i < n; i++)
		err = tally_ledger_add(ledger, account, 0, 1);
	tally_ledger_close(ledger);
	return err != 0;
}

static void several_processes_add_to_a_ledger(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	pid_t pids[3];
	int status;

	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i])
			_exit(add_many(m->path, i ? "shared" : "own", 50000));
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(machine_total(ledger, 0), 150000);
	tally_ledger_close(ledger);
}

static void a_child_of_fork_adds_too(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 0);
	struct tally_account a = machine_account(ledger, "a");
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(tally_ledger_add(ledger, a, 0, 3) != 0);
	assert_int_equal(tally_ledger_add(ledger, a, 0, 4), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(machine_total(ledger, 0), 7);
	tally_ledger_close(ledger);
}

/* A killed process's adds stay. */
static void adds_outlive_a_kill(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	int to_us[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(to_us), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *own;

		if (tally_ledger_open(m->path, &own) ||
		    tally_ledger_add(own, machine_account(own, "a"), 0, 11) ||
		    write(to_us[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(to_us[0], &byte, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(machine_total(ledger, 0), 11);
	close(to_us[0]);
	close(to_us[1]);
	tally_ledger_close(ledger);
}

/* The headers between two buckets are made, the buckets are not. */
static void first_touches_far_apart(void **state)
{
	struct tally_ledger *ledger = machine_ledger(*state, 100000);
	struct tally_account first = machine_account(ledger, "first");
	struct tally_account last = first;
	struct tally_view *view;
	int64_t amounts[2];
	char key[16];

	for (int i = 1; i < 20000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		last = machine_account(ledger, key);
	}
	assert_int_equal(tally_ledger_add(ledger, last, 0, 2), 0);
	assert_int_equal(tally_ledger_add(ledger, first, 0, 1), 0);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(
		tally_view_account(view, last, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], 2);
	assert_int_equal(
		tally_view_account(view, first, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], 1);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static void a_name_leads_into_the_directory_of_ledgers(void **state)
{
	struct machine *m = *state;
	char path[PATH_MAX], expected[PATH_MAX];

	assert_int_equal(setenv("NUMATALLY_DIR", m->dir, 1), 0);
	snprintf(expected, sizeof(expected), "%s/x.ledger", m->dir);
	assert_int_equal(tally_ledger_path("x", path, sizeof(path)), 0);
	assert_string_equal(path, expected);
	assert_int_equal(tally_ledger_path("./x", path, sizeof(path)), 0);
	assert_string_equal(path, "./x");
	assert_int_equal(tally_ledger_path("", path, sizeof(path)), -EINVAL);
	assert_int_equal(tally_ledger_path(".x", path, sizeof(path)), -EINVAL);
	assert_int_equal(tally_ledger_path("x", path, 4), -ENAMETOOLONG);
	assert_int_equal(tally_ledger_make_dir(), 0);
	assert_int_equal(chmod(m->dir, 0777), 0);
	assert_int_equal(tally_ledger_make_dir(), -EPERM);
	unsetenv("NUMATALLY_DIR");
	assert_int_equal(tally_ledger_path("x", path, sizeof(path)), 0);
	assert_int_equal(strncmp(path, "/dev/shm/numatally", 18), 0);
}

#if defined(__x86_64__)

typedef long long vector __attribute__((vector_size(32), aligned(8)));

__attribute__((target("avx2"), noinline)) static void
add_amid_vectors(struct tally_ledger *ledger, struct tally_account account,
		 const struct tally_amount amounts[4], vector *v)
{
	vector a = v[0], b = v[1], c = v[2];

	a += c;
	(void)!tally_ledger_charge(ledger, account, TALLY_NODE_LOCAL, amounts,
				   4);
	v[0] = a + b + c;
	v[1] = a - b;
	v[2] = a - c;
}

/* A caller's wide registers keep their contents. */
static void a_charge_leaves_vectors_alone(void **state)
{
	struct machine *m = *state;
	const struct tally_resource resources[4] = {
		{"a", "", TALLY_COUNTER},
		{"b", "", TALLY_COUNTER},
		{"c", "", TALLY_COUNTER},
		{"d", "", TALLY_COUNTER},
	};
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = true};
	const struct tally_amount amounts[4] = {{0, 1}, {1, 2}, {2, 3}, {3, 4}};
	struct tally_account account;
	struct tally_ledger *ledger;

	if (!__builtin_cpu_supports("avx2"))
		skip();
	assert_int_equal(tally_ledger_create(m->path, m->topo, resources, 4,
					     &options, &ledger),
			 0);
	account = machine_account(ledger, "a");
	assert_int_equal(tally_ledger_charge(ledger, account, TALLY_NODE_LOCAL,
					     amounts, 4),
			 0);
	for (int i = 0; i < 100; i++) {
		vector v[3] = {
			{1, 2, 3, 4}, {10, 20, 30, 40}, {100, 200, 300, 400}};

		add_amid_vectors(ledger, account, amounts, v);
		for (int j = 0; j < 4; j++) {
			assert_int_equal(v[0][j], 211 * (j + 1));
			assert_int_equal(v[1][j], 91 * (j + 1));
			assert_int_equal(v[2][j], 1 * (j + 1));
		}
	}
	tally_ledger_close(ledger);
}

#else

static void a_charge_leaves_vectors_alone(void **state)
{
	(void)state;
	skip();
}

#endif

int main(void)
{
	umask(022);

	const struct CMUnitTest tests[] = {
		MACHINE_TEST(adds_add_up),
		MACHINE_TEST(a_charge_is_for_the_node_it_names),
		MACHINE_TEST(impossible_ledgers_are_refused),
		MACHINE_TEST(a_ledger_larger_than_the_address_space),
		MACHINE_TEST(a_file_size_limit_is_an_error_not_a_signal),
		MACHINE_TEST(an_unnamed_ledger_counts_too),
		MACHINE_TEST(the_file_has_the_mode_asked_for),
		MACHINE_TEST(hopping_threads_lose_nothing),
		MACHINE_TEST(several_processes_add_to_a_ledger),
		MACHINE_TEST(a_child_of_fork_adds_too),
		MACHINE_TEST(adds_outlive_a_kill),
		MACHINE_TEST(first_touches_far_apart),
		MACHINE_TEST(a_name_leads_into_the_directory_of_ledgers),
		MACHINE_TEST(a_charge_leaves_vectors_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
