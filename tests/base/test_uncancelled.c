// SPDX-License-Identifier: MIT
/* pthread_cancel(3) ends no thread inside the library: each call returns what
 * it returns without it, and all others go on. */
#include "support/test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include <numatally/kernel_events.h>
#include <numatally/kernel_group.h>
#include <numatally/kernel_memory.h>
#include <numatally/kernel_node.h>
#include <numatally/kernel_process.h>
#include <numatally/limit_claim.h>
#include <numatally/reader.h>
#include <numatally/slice_ref.h>

#include "support/inside.h"
#include "support/machine.h"

#define MEMORY 1

struct calls {
	int (*make)(struct machine *m, struct tally_ledger *l);
	struct machine *m;
	struct tally_ledger *l;
	int err;
	bool returned;
};

/* The request is pending from the start: the thread ends at the first
 * cancellation point. */
static void *cancelled(void *arg)
{
	struct calls *c = arg;

	pthread_cancel(pthread_self());
	c->err = c->make(c->m, c->l);
	c->returned = true;
	pthread_testcancel();
	return NULL;
}

static unsigned int nr_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

static struct tally_request request_for(const struct tally_demand *demand)
{
	return (struct tally_request){.size = sizeof(struct tally_request),
				      .demands = demand,
				      .nr_demands = 1};
}

/* What another process does after the calls. */
static int go_on(const char *path)
{
	const struct tally_demand demand = {0, MEMORY, 1};
	const struct tally_request request = request_for(&demand);
	struct tally_account account = {0};
	struct tally_ledger *l;
	struct tally_token t = {0};
	struct tally_view *v;
	int err = tally_ledger_open(path, &l);

	if (!err)
		err = tally_account_open(tally_ledger_accounts(l), "other",
					 &account);
	if (!err)
		err = tally_ledger_add(l, account, 0, 1);
	if (!err)
		err = tally_limit_reserve(l, account, &request, &t, NULL);
	if (!err)
		err = tally_limit_commit(l, t);
	if (!err)
		err = tally_limit_release(l, t, NULL, 0);
	if (!err)
		err = tally_account_end(tally_ledger_accounts(l), account);
	if (!err)
		err = tally_view_snapshot(l, 0, SECOND_NS, &v);
	if (err == -ENOSYS)
		return 0;
	if (!err)
		tally_view_close(v);
	if (!err)
		tally_ledger_close(l);
	return err;
}

static void others_go_on(const char *path)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(-go_on(path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(go_on(path), 0);
}

static void start(struct calls *c, pthread_t *thread)
{
	assert_int_equal(pthread_create(thread, NULL, cancelled, c), 0);
}

static void finish(struct calls *c, pthread_t thread)
{
	void *end;

	assert_int_equal(pthread_join(thread, &end), 0);
	assert_true(c->returned);
	assert_int_equal(c->err, 0);
	assert_ptr_equal(end, PTHREAD_CANCELED);
}

static void check(void **state,
		  int (*make)(struct machine *m, struct tally_ledger *l))
{
	struct machine *m = *state;
	struct calls c = {make, m, machine_limit_ledger(m, 0), 0, false};
	unsigned int nr = nr_open();
	pthread_t thread;

	start(&c, &thread);
	finish(&c, thread);
	assert_int_equal(nr_open(), nr);
	others_go_on(m->path);
	tally_ledger_close(c.l);
}

#define MUST(call)                   \
	do {                         \
		int err_ = (call);   \
                                     \
		if (err_)            \
			return err_; \
	} while (0)

static int make_ledgers(struct machine *m, struct tally_ledger *l)
{
	static const struct tally_resource gpus = {"gpus", "",
						   TALLY_RESERVABLE};
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .nr_spare = 1};
	struct tally_ledger *next;
	char path[128];
	int why;

	(void)l;
	snprintf(path, sizeof(path), "%s/next", m->dir);
	MUST(tally_ledger_create(path, m->topo, machine_reservables, 2,
				 &options, &next));
	MUST(tally_ledger_declare(next, &gpus, NULL, 0) - 2);
	tally_ledger_close(next);
	MUST(tally_ledger_open(path, &next));
	tally_ledger_close(next);
	MUST(tally_ledger_open_or_create(path, m->topo, machine_reservables, 2,
					 NULL, &next, &why));
	tally_ledger_close(next);
	unlink(path);
	MUST(tally_ledger_open_or_create(path, m->topo, machine_reservables, 2,
					 NULL, &next, &why));
	tally_ledger_close(next);
	unlink(path);
	return 0;
}

static void ledgers(void **state)
{
	check(state, make_ledgers);
}

static int make_accounts(struct machine *m, struct tally_ledger *l)
{
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_account a, b;

	(void)m;
	MUST(tally_account_declare(accounts, "a", &a));
	MUST(tally_account_open(accounts, "b", &b));
	MUST(tally_account_ready(accounts, a));
	MUST(tally_account_set_owner(accounts, b, a));
	MUST(tally_account_pin(accounts, b, 1));
	MUST(tally_account_end(accounts, a));
	MUST(tally_account_unpin(accounts, b, 1));
	return 0;
}

static void accounts(void **state)
{
	check(state, make_accounts);
}

static int make_adds(struct machine *m, struct tally_ledger *l)
{
	const struct tally_amount amount = {0, 1};
	struct tally_account account;
	size_t added;
	char key[16];

	(void)m;
	/* New buckets again and again. */
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		MUST(tally_account_open(tally_ledger_accounts(l), key,
					&account));
		if (i % 64)
			continue;
		MUST(tally_ledger_add(l, account, 0, 1));
		MUST(tally_ledger_charge(l, account, 5, &amount, 1));
		MUST(tally_ledger_post(
			l, &(struct tally_entry){account, 9, 0, 1}, 1));
		MUST(tally_ledger_add_each(
			l, &(struct tally_entry){account, 0, 0, 1}, 1, &added));
	}
	return 0;
}

static void adds(void **state)
{
	check(state, make_adds);
}

static int make_limits(struct machine *m, struct tally_ledger *l)
{
	const struct tally_demand demand = {0, MEMORY, 10};
	const struct tally_request request = request_for(&demand);
	struct tally_account account;
	struct tally_token t;

	(void)m;
	MUST(tally_account_open(tally_ledger_accounts(l), "a/", &account));
	MUST(tally_limit_set_capacity(l, 0, MEMORY, 1000));
	MUST(tally_limit_set_quota(l, account, MEMORY, 1000));
	MUST(tally_limit_claim(l, account, 0, &t));
	MUST(tally_limit_cancel(l, t));
	MUST(tally_limit_reserve(l, account, &request, &t, NULL));
	MUST(tally_limit_cancel(l, t));
	MUST(tally_limit_reserve(l, account, &request, &t, NULL));
	MUST(tally_limit_commit(l, t));
	MUST(tally_limit_release(l, t, &demand, 1));
	MUST(tally_limit_adopt(l, account, &request, &t));
	MUST(tally_limit_release(l, t, NULL, 0));
	MUST(tally_limit_reap(l));
	MUST(tally_limit_repair(l, NULL, NULL));
	return 0;
}

static void limits(void **state)
{
	check(state, make_limits);
}

static int make_credits(struct machine *m, struct tally_ledger *l)
{
	struct tally_account account;
	struct tally_credit credit;

	(void)m;
	MUST(tally_account_open(tally_ledger_accounts(l), "a", &account));
	MUST(tally_limit_credit(l, account, 0, MEMORY, &credit));
	for (int i = 0; i < 1000; i++)
		MUST(tally_limit_take(&credit, i));
	for (int i = 0; i < 1000; i++)
		MUST(tally_limit_give(&credit, i));
	return 0;
}

static void credits(void **state)
{
	check(state, make_credits);
}

static int save(const struct tally_view *v, const char *dir)
{
	char path[128];
	int err;

	snprintf(path, sizeof(path), "%s/saved", dir);
	err = tally_reader_save(v, path, 0600);
	unlink(path);
	return err;
}

static int make_views(struct machine *m, struct tally_ledger *l)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_account account;
	struct tally_reader *reader;
	struct tally_view *v;
	uint64_t cursor = 0;
	int64_t amounts[2];
	int err;

	MUST(tally_account_open(tally_ledger_accounts(l), "a", &account));
	for (int i = 0; i < 3; i++) {
		MUST(tally_ledger_add(l, account, 0, 1));
		err = tally_view_snapshot(l, 0, SECOND_NS, &v);
		if (err == -ENOSYS)
			break;
		MUST(err);
		MUST(tally_view_totals(v, TALLY_VIEW_ALL, amounts));
		tally_view_close(v);
	}
	MUST(tally_reader_open(m->path, &reader));
	MUST(tally_reader_view(reader, &v));
	MUST(tally_view_totals(v, TALLY_VIEW_ALL, amounts));
	MUST(tally_limit_check(v, NULL, NULL));
	MUST(save(v, m->dir));
	tally_view_close(v);
	MUST(tally_reader_writer_next(reader, &cursor, &writer));
	tally_reader_close(reader);
	return 0;
}

static void views(void **state)
{
	check(state, make_views);
}

static int make_memory(struct machine *m, struct tally_ledger *l)
{
	const struct tally_slice none = {0};
	struct tally_placement placement = {.size = sizeof(placement)};
	struct tally_region region;
	struct tally_slice_ref ref;
	struct tally_topo *topo;
	int err;

	(void)m, (void)l;
	MUST(tally_topo_open(NULL, &topo));
	tally_topo_close(topo);
	MUST(tally_topo_open_synthetic("numa:2 pu:2", &topo));
	tally_topo_close(topo);
	MUST(tally_region_create(1 << 20, 0, &region));
	MUST(tally_region_populate(&region, 0, 1 << 20));
	err = tally_region_verify(&region, NULL, NULL, &placement);
	tally_region_destroy(&region);
	if (err != -ENOSYS && err != -EPERM)
		MUST(err);
	MUST(tally_slice_ref_init(&none, &ref));
	MUST(tally_slice_ref_publish(&ref, &none, NULL, NULL));
	tally_slice_ref_reclaim(&ref);
	tally_slice_ref_destroy(&ref);
	return 0;
}

static void memory(void **state)
{
	check(state, make_memory);
}

/* Reading may be refused: only that the calls return counts. */
static int make_counts(struct machine *m, struct tally_ledger *l)
{
	struct tally_process_stats *processes;
	struct tally_node_stats *nodes;
	struct tally_group_mount mount = {.size = sizeof(mount)};
	struct tally_groups *groups;
	struct tally_events *events;
	struct tally_stat stat = {.size = sizeof(stat)};
	struct tally_topo *topo;
	struct tally_tree *tree;
	struct tally_mem *mem;
	int sum = 0; /* of errors, which are negative */

	(void)m, (void)l;
	MUST(tally_topo_open(NULL, &topo));
	MUST(tally_kernel_stat_read(NULL, getpid(), 0, &stat));
	MUST(tally_kernel_tree_create(NULL, getpid(), true, &tree));
	MUST(tally_kernel_tree_refresh(tree));
	if (!tally_kernel_events_open(topo, TALLY_EVENTS_SAMPLE, getpid(), tree,
				      -1, &events)) {
		sum += tally_kernel_events_start(events);
		sum += tally_kernel_events_read(events);
		tally_kernel_events_close(events);
	}
	MUST(tally_kernel_mem_create(NULL, NULL, &mem));
	sum += tally_kernel_mem_sample(mem, tree);
	tally_kernel_mem_destroy(mem);
	tally_kernel_tree_destroy(tree);
	if (!tally_kernel_groups_mount(NULL, "cpuacct", "", &mount)) {
		free(mount.point);
		free(mount.prefix);
	}
	if (!tally_kernel_groups_open(NULL, "/", 16, &groups)) {
		sum += tally_kernel_groups_read(groups);
		tally_kernel_groups_close(groups);
	}
	if (!tally_kernel_nodes_open(NULL, ~0u, &nodes)) {
		sum += tally_kernel_nodes_read(nodes);
		tally_kernel_nodes_close(nodes);
	}
	if (!tally_kernel_processes_open(NULL, topo, NULL, NULL, &processes)) {
		sum += tally_kernel_processes_read(processes);
		tally_kernel_processes_close(processes);
	}
	tally_topo_close(topo);
	return sum > 0;
}

static void counts(void **state)
{
	check(state, make_counts);
}

/* ---- Waiting for a lock is a cancellation point, too. ---- */

static uint64_t *lock_word(const struct layout *inside, int which)
{
	switch (which) {
	case 0:
		return &layout_limits(inside)->lock;
	case 1:
		return &layout_control(inside)->lock;
	default:
		return &((struct layout_directory
				  *)(inside->origin +
				     inside->plan->directory_offset))
				->lock;
	}
}

/* Another process has the lock until the caller writes to fd. */
static void hold(const char *path, int which, int told, int tell)
{
	struct layout *inside = inside_open(path);
	struct tally_ledger *l;
	uint64_t *word = lock_word(inside, which);
	char c = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tally_ledger_open(path, &l))
		_exit(1);
	*word = inside_owner(inside, getpid());
	if (write(tell, &c, 1) != 1 || read(told, &c, 1) != 1)
		_exit(2);
	*word = 0;
	tally_ledger_close(l);
	_exit(0);
}

static int wait_for_lock(struct machine *m, struct tally_ledger *l, int which)
{
	const struct tally_demand demand = {0, MEMORY, 10};
	const struct tally_request request = request_for(&demand);
	struct tally_account account;
	struct tally_token t;
	struct tally_view *v;
	int err;

	(void)m;
	MUST(tally_account_open(tally_ledger_accounts(l), "a", &account));
	switch (which) {
	case 0:
		return tally_limit_reserve(l, account, &request, &t, NULL);
	case 1:
		err = tally_view_snapshot(l, 0, 60 * SECOND_NS, &v);
		if (!err)
			tally_view_close(v);
		return err == -ENOSYS ? 0 : err;
	default:
		return tally_account_pin(tally_ledger_accounts(l), account, 1);
	}
}

/* The holder may be slow to release it. */
static int wait_long(struct machine *m, struct tally_ledger *l, int which)
{
	int err;

	do
		err = wait_for_lock(m, l, which);
	while (err == -EAGAIN);
	return err;
}

static int wait_for_limits(struct machine *m, struct tally_ledger *l)
{
	return wait_long(m, l, 0);
}

static int wait_for_epoch(struct machine *m, struct tally_ledger *l)
{
	return wait_long(m, l, 1);
}

static int wait_for_directory(struct machine *m, struct tally_ledger *l)
{
	return wait_long(m, l, 2);
}

static void waits(void **state)
{
	int (*const make[])(struct machine * m, struct tally_ledger * l) = {
		wait_for_limits, wait_for_epoch, wait_for_directory};
	struct machine *m = *state;

	for (int i = 0; i < 3; i++) {
		struct tally_ledger *l = machine_limit_ledger(m, 0);
		struct calls c = {make[i], m, l, 0, false};
		int tell[2], told[2], status;
		pthread_t thread;
		pid_t pid;
		char byte;

		assert_int_equal(pipe(tell), 0);
		assert_int_equal(pipe(told), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid)
			hold(m->path, i, told[0], tell[1]);
		assert_int_equal(read(tell[0], &byte, 1), 1);
		start(&c, &thread);
		usleep(20000);
		assert_int_equal(write(told[1], &byte, 1), 1);
		finish(&c, thread);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		for (int f = 0; f < 2; f++) {
			close(tell[f]);
			close(told[f]);
		}
		others_go_on(m->path);
		tally_ledger_close(l);
		unlink(m->path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(ledgers), MACHINE_TEST(accounts),
		MACHINE_TEST(adds),    MACHINE_TEST(limits),
		MACHINE_TEST(credits), MACHINE_TEST(views),
		MACHINE_TEST(memory),  MACHINE_TEST(counts),
		MACHINE_TEST(waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
