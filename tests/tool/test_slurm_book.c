// SPDX-License-Identifier: MIT
/* What Slurm's plugin keeps of jobs and steps. */
#include "support/test.h"

#include <numatally/view.h>

#include "slurm/book.h"
#include "support/machine.h"
#include "support/topo_trees.h"

#define GIB (INT64_C(1) << 30)

/*
 * Packages of two nodes of two cores of two CPUs, numbered as some firmware
 * does: a package has every other CPU, and a core's second one follows all
 * first ones.
 *
 *	node		0	1	2	3
 *	first CPUs	0 2	4 6	1 3	5 7
 *	second CPUs	8 10	12 14	9 11	13 15
 *	cores		0 1	2 3	4 5	6 7	as Slurm counts them
 */
struct scene {
	struct tree *tree;
	struct machine *machine;
	struct book book;
};

static void put(const struct tree *tree, const char *directory, int n,
		const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%d/%s", directory, n, file);
	tree_put(tree, path, text);
}

static void put_node(const struct tree *tree, int node, const char *cpus)
{
	char text[64];

	put(tree, NODE "/node", node, "cpulist", cpus);
	snprintf(text, sizeof(text), "Node %d MemTotal: 1048576 kB\n", node);
	put(tree, NODE "/node", node, "meminfo", text);
}

static void put_machine(const struct tree *tree)
{
	static const char *const cpus[] = {"0,2,8,10", "4,6,12,14", "1,3,9,11",
					   "5,7,13,15"};
	char text[32];

	tree_put(tree, CPU "/possible", "0-15\n");
	tree_put(tree, CPU "/online", "0-15\n");
	tree_put(tree, NODE "/online", "0-3\n");
	tree_put(tree, "proc/meminfo", "MemTotal: 4194304 kB\n");
	for (int node = 0; node < 4; node++)
		put_node(tree, node, cpus[node]);
	for (int cpu = 0; cpu < 16; cpu++) {
		snprintf(text, sizeof(text), "%d,%d\n", cpu % 8, cpu % 8 + 8);
		put(tree, CPU "/cpu", cpu, "topology/thread_siblings_list",
		    text);
		put(tree, CPU "/cpu", cpu, "topology/core_siblings_list",
		    cpu % 2 ? "1,3,5,7,9,11,13,15\n" : "0,2,4,6,8,10,12,14\n");
	}
}

static struct scene scene;

static int set_up(void **state)
{
	void *part;

	scene = (struct scene){0};
	if (tree_setup(&part))
		return -1;
	scene.tree = part;
	if (machine_setup(&part))
		return -1;
	scene.machine = part;
	put_machine(scene.tree);
	*state = &scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	void *part = s->machine;

	book_close(&s->book);
	if (machine_teardown(&part))
		return -1;
	part = s->tree;
	return tree_teardown(&part);
}

static void begin(struct scene *s)
{
	assert_int_equal(book_open(&s->book, s->machine->path, s->tree->root),
			 0);
}

/* What the account has on a node; -1: there is no such account. */
static int64_t amount(struct scene *s, const char *key, int node,
		      unsigned int resource)
{
	int64_t amounts[BOOK_NR];
	struct tally_account account;
	struct tally_view *view;

	if (tally_account_find(tally_ledger_accounts(s->book.ledger), key,
			       &account))
		return -1;
	assert_int_equal(tally_view_open(s->book.ledger, &view), 0);
	assert_int_equal(tally_limit_holding(view, account, node, amounts), 0);
	tally_view_close(view);
	return amounts[resource];
}

static void has(struct scene *s, const char *key, int node, int64_t cores,
		int64_t bytes)
{
	assert_int_equal(amount(s, key, node, BOOK_CORES), cores);
	assert_int_equal(amount(s, key, node, BOOK_MEMORY), bytes);
}

static int reserve(struct scene *s, uint32_t job, const char *cores,
		   int64_t bytes)
{
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	const struct grant grant = {cores, bytes, NULL};

	return book_reserve(&s->book, job, &grant, &refusal);
}

static int draw(struct scene *s, uint32_t job, uint32_t step, const char *cores,
		int64_t bytes)
{
	const struct grant grant = {cores, bytes, NULL};

	return book_draw(&s->book, job, step, &grant);
}

static void cores_in_slurms_order(void **state)
{
	static const int cpus[] = {0, 2, 4, 6, 1, 3, 5, 7};
	struct scene *s = *state;
	int64_t nr[4] = {0};

	begin(s);
	assert_int_equal(s->book.cores.nr, 8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(s->book.cores.core[i].cpu, cpus[i]);
		assert_int_equal(s->book.cores.core[i].index, i / 2);
	}
	assert_int_equal(cores_count(&s->book.cores, "1-2,5-7", nr), 5);
	for (int i = 0; i < 4; i++)
		assert_int_equal(nr[i], i == 3 ? 2 : 1);
}

static void lists_that_are_none(void **state)
{
	static const char *const bad[] = {"x",	"-1", "3-1", "1-",
					  "0,", ",0", "0 1", "0-x"};
	struct scene *s = *state;
	int64_t nr[4] = {0};

	begin(s);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cores_count(&s->book.cores, bad[i], nr),
				 -EINVAL);
	assert_int_equal(cores_count(&s->book.cores, "8", nr), -ERANGE);
	assert_int_equal(
		cores_count(&s->book.cores, "0-18446744073709551615", nr),
		-ERANGE);
	assert_int_equal(cores_count(&s->book.cores, "", nr), 0);
	assert_int_equal(reserve(s, 1, "0-8", 1), -ERANGE);
	assert_int_equal(amount(s, "1", 0, BOOK_CORES), -1);
}

static void a_job_is_on_its_cores_nodes(void **state)
{
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve(s, 1, "1-3", 1000001), 0);
	has(s, "1", 0, 1, 333333);
	has(s, "1", 1, 2, 666668);
	has(s, "1", 2, 0, 0);
	/* Its next step asks again, from another process. */
	book_close(&s->book);
	begin(s);
	has(s, "1", TALLY_VIEW_ALL, 3, 1000001);
	assert_int_equal(reserve(s, 1, "1-3", 1000001), 0);
	has(s, "1", TALLY_VIEW_ALL, 3, 1000001);
}

static void the_whole_memory_is_of_all_nodes(void **state)
{
	struct scene *s = *state;

	begin(s);
	/* As slurmd finds it: a little less. */
	assert_int_equal(reserve(s, 1, "0", 4 * GIB - 400 * MIB), 0);
	for (int node = 0; node < 4; node++)
		has(s, "1", node, node == 0, GIB - 100 * MIB);
	assert_int_equal(book_end_job(&s->book, 1), 0);
	assert_int_equal(reserve(s, 1, "0", 2 * GIB), -ENOSPC);
}

static void a_refused_job_has_nothing(void **state)
{
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	const struct grant grant = {"2-3", GIB, NULL};
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve(s, 1, "2", 300 * MIB), 0);
	assert_int_equal(book_reserve(&s->book, 2, &grant, &refusal), -ENOSPC);
	assert_int_equal(refusal.node, 1);
	assert_int_equal(refusal.resource, BOOK_CORES);
	assert_int_equal(refusal.asked, 2);
	assert_int_equal(refusal.free, 1);
	assert_int_equal(amount(s, "2", 1, BOOK_CORES), -1);
	assert_int_equal(book_end_job(&s->book, 1), 0);
	assert_int_equal(book_reserve(&s->book, 2, &grant, &refusal), 0);
}

static void steps_draw_from_their_job(void **state)
{
	struct scene *s = *state;

	begin(s);
	assert_int_equal(draw(s, 1, 0, "0", MIB), -ENOENT);
	assert_int_equal(reserve(s, 1, "0-3", 400 * MIB), 0);
	assert_int_equal(draw(s, 1, 0, "0", 100 * MIB), 0);
	has(s, "1.0", 0, 1, 100 * MIB);
	has(s, "1", TALLY_VIEW_ALL, 4, 400 * MIB);
	/* A step that names no memory shares all of the job's. */
	assert_int_equal(draw(s, 1, 1, "1", 400 * MIB), 0);
	has(s, "1.1", 0, 1, 0);
	/* One that shares cores, too, has no part. */
	assert_int_equal(draw(s, 1, 2, "0-1", 0), -ENOSPC);
	assert_int_equal(amount(s, "1.2", 0, BOOK_CORES), -1);
	assert_int_equal(book_end_step(&s->book, 1, 0), 0);
	assert_int_equal(amount(s, "1.0", 0, BOOK_CORES), -1);
	assert_int_equal(draw(s, 1, 2, "0", 0), 0);
	assert_int_equal(book_end_step(&s->book, 1, 7), 0);
}

static void the_end_of_a_job_ends_its_steps(void **state)
{
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve(s, 1, "0-3", MIB), 0);
	assert_int_equal(draw(s, 1, 0, "0", 0), 0);
	assert_int_equal(draw(s, 1, 1, "1", 0), 0);
	assert_int_equal(reserve(s, 12, "4", MIB), 0);
	assert_int_equal(draw(s, 12, 0, "4", 0), 0);
	assert_int_equal(book_end_job(&s->book, 1), 0);
	assert_int_equal(amount(s, "1", 0, BOOK_CORES), -1);
	assert_int_equal(amount(s, "1.0", 0, BOOK_CORES), -1);
	assert_int_equal(amount(s, "1.1", 0, BOOK_CORES), -1);
	has(s, "12", 2, 1, MIB);
	has(s, "12.0", 2, 1, 0);
	assert_int_equal(book_end_job(&s->book, 1), 0);
}

/* More demands than a request may have are granted whole or not at all. */
static void a_large_machine(void **state)
{
	struct scene *s = *state;
	char cpus[16];

	tree_put(s->tree, CPU "/possible", "0-39\n");
	tree_put(s->tree, CPU "/online", "0-39\n");
	tree_put(s->tree, NODE "/online", "0-39\n");
	tree_remove(s->tree, CPU "/cpu1");
	for (int node = 0; node < 40; node++) {
		snprintf(cpus, sizeof(cpus), "%d\n", node);
		put_node(s->tree, node, cpus);
		put(s->tree, CPU "/cpu", node, "topology/thread_siblings_list",
		    cpus);
		put(s->tree, CPU "/cpu", node, "topology/core_siblings_list",
		    "0-39\n");
	}
	begin(s);
	assert_int_equal(reserve(s, 1, "39", GIB), 0);
	assert_int_equal(reserve(s, 2, "0-39", 40 * GIB), -ENOSPC);
	assert_int_equal(amount(s, "2", 0, BOOK_CORES), -1);
	assert_int_equal(reserve(s, 3, "0-38", 39 * MIB), 0);
	has(s, "3", 38, 1, MIB);
	assert_int_equal(book_end_job(&s->book, 1), 0);
	assert_int_equal(book_end_job(&s->book, 3), 0);
	assert_int_equal(reserve(s, 2, "0-39", 40 * GIB), 0);
	has(s, "2", TALLY_VIEW_ALL, 40, 40 * GIB);
	assert_int_equal(draw(s, 2, 0, "0-39", 40 * GIB), 0);
	has(s, "2.0", TALLY_VIEW_ALL, 40, 40 * GIB);
}

/* No fault of a job's: the refusal names no limit. */
static void a_ledger_without_a_free_row(void **state)
{
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	const struct grant grant = {"0", MIB, NULL};
	struct tally_account account;
	struct scene *s = *state;
	char key[16];
	int err = 0;

	begin(s);
	for (int i = 0; !err; i++) {
		snprintf(key, sizeof(key), "x%d", i);
		err = tally_account_open(tally_ledger_accounts(s->book.ledger),
					 key, &account);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(book_reserve(&s->book, 1, &grant, &refusal), -ENOSPC);
	assert_int_equal(refusal.asked, 0);
}

static struct wish wish(const char *text)
{
	struct wish w = {.has_nodes = false};
	char why[256];

	assert_int_equal(wish_parse(text, &w, why, sizeof(why)), 0);
	return w;
}

static int reserve_as(struct scene *s, uint32_t job, const char *cores,
		      int64_t bytes, const char *text)
{
	struct tally_refusal refusal = {.size = sizeof(refusal)};
	const struct wish w = wish(text);
	const struct grant grant = {cores, bytes, &w};

	return book_reserve(&s->book, job, &grant, &refusal);
}

static void wishes(void **state)
{
	static const char *const bad[] = {"",
					  "x",
					  "nodes=",
					  "nodes=x",
					  "nodes=1-",
					  "nodes=,1",
					  "nodes=1,",
					  "0",
					  "restricted,0",
					  "restricted,best-effort",
					  "nodes=1024",
					  "nodes=2-1",
					  "none",
					  "nodes=-1",
					  "restrict",
					  "restricted,"};
	struct wish w = wish("nodes=0,2-3,single-numa-node");
	char why[256];

	(void)state;
	assert_int_equal(w.policy, TALLY_PLACE_SINGLE_NODE);
	for (int n = 0; n < 5; n++)
		assert_int_equal(wish_has_node(&w, n), n != 1 && n != 4);
	assert_false(wish_has_node(&w, 5000));
	w = wish("restricted,nodes=1023");
	assert_string_equal(wish_policy(&w), "restricted");
	assert_true(wish_has_node(&w, 1023));
	w = wish("best-effort");
	assert_true(wish_has_node(&w, 5000));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(wish_parse(bad[i], &w, why, sizeof(why)),
				 -EINVAL);
		assert_string_equal(wish_policy(&w), "best-effort");
	}
	assert_non_null(strstr(why, "invalid argument ''"));
}

static void nodes_that_are_wished(void **state)
{
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve_as(s, 1, "0-1,4", MIB, "nodes=1,3"), -ENODEV);
	assert_int_equal(amount(s, "1", 0, BOOK_CORES), -1);
	assert_int_equal(reserve_as(s, 1, "0-1,4", MIB, "nodes=1-2"), 0);
	has(s, "1", 2, 1, MIB);
	has(s, "1", TALLY_VIEW_ALL, 1, MIB);
	/* A step has cores where its job has some. */
	assert_int_equal(draw(s, 1, 0, "0-1,4", MIB), 0);
	has(s, "1.0", TALLY_VIEW_ALL, 1, MIB);
	/* Of all of a machine's memory, that of the nodes. */
	assert_int_equal(reserve_as(s, 2, "0,6", 4 * GIB, "nodes=0"), 0);
	has(s, "2", 0, 1, GIB);
	has(s, "2", TALLY_VIEW_ALL, 1, GIB);
}

static void policies(void **state)
{
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve_as(s, 1, "0,2", MIB, "single-numa-node"),
			 -EXDEV);
	/* Two cores are of one node, of as few as could be. */
	assert_int_equal(reserve_as(s, 1, "0,2", MIB, "restricted"), -EXDEV);
	assert_int_equal(amount(s, "1", 0, BOOK_CORES), -1);
	assert_int_equal(reserve_as(s, 1, "0,2", MIB, "best-effort"), 0);
	has(s, "1", TALLY_VIEW_ALL, 2, MIB);
	assert_int_equal(reserve_as(s, 2, "4-6", MIB, "single-numa-node"),
			 -EXDEV);
	assert_int_equal(reserve_as(s, 2, "4-6", MIB, "restricted"), 0);
	has(s, "2", TALLY_VIEW_ALL, 3, MIB);
	assert_int_equal(reserve_as(s, 3, "1", GIB - MIB, "single-numa-node"),
			 0);
	has(s, "3", 0, 1, GIB - MIB);
	/* The nodes have too little, whatever the policy is. */
	assert_int_equal(
		reserve_as(s, 4, "3", 4 * GIB - 500 * MIB, "best-effort"),
		-ENOSPC);
}

static void the_memory_of_a_policy_is_where_it_is_free(void **state)
{
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve(s, 1, "0", GIB - MIB), 0);
	assert_int_equal(reserve(s, 2, "1,3", 4 * MIB), -ENOSPC);
	assert_int_equal(reserve_as(s, 2, "1,3", 4 * MIB, "best-effort"), 0);
	has(s, "2", TALLY_VIEW_ALL, 2, 4 * MIB);
	has(s, "2", 0, 1, 0);
	has(s, "2", 1, 1, 4 * MIB);
	/* All of the machine's memory: that of the nodes which it has cores of. */
	assert_int_equal(reserve_as(s, 3, "4-5", 4 * GIB, "single-numa-node"),
			 0);
	has(s, "3", 2, 2, GIB);
	has(s, "3", TALLY_VIEW_ALL, 2, GIB);
}

static void a_step_has_a_policy(void **state)
{
	const struct wish one = wish("single-numa-node");
	const struct grant two_nodes = {"1-2", MIB, &one};
	const struct grant one_node = {"2-3", MIB, &one};
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve(s, 1, "0-3", 4 * MIB), 0);
	assert_int_equal(book_draw(&s->book, 1, 0, &two_nodes), -EXDEV);
	assert_int_equal(amount(s, "1.0", 0, BOOK_CORES), -1);
	assert_int_equal(book_draw(&s->book, 1, 0, &one_node), 0);
	has(s, "1.0", 1, 2, MIB);
	has(s, "1.0", TALLY_VIEW_ALL, 2, MIB);
	/* Its job's reservation is not made again, whatever a step wishes. */
	assert_int_equal(reserve_as(s, 1, "0-3", MIB, "single-numa-node"), 0);
}

static void cpus_of_a_step(void **state)
{
	const struct wish w = wish("nodes=1-2");
	const struct grant grant = {"0-3", MIB, &w}, all = {"0-3", MIB, NULL};
	struct scene *s = *state;
	cpu_set_t cpus;

	begin(s);
	assert_int_equal(reserve(s, 1, "0-3", MIB), 0);
	assert_int_equal(book_bind(&s->book, 1, &all, &cpus, sizeof(cpus)), 0);
	assert_int_equal(book_bind(&s->book, 1, &grant, &cpus, sizeof(cpus)),
			 1);
	assert_int_equal(CPU_COUNT(&cpus), 4);
	assert_true(CPU_ISSET(4, &cpus) && CPU_ISSET(14, &cpus));
	assert_int_equal(reserve_as(s, 2, "4-7", MIB, "nodes=3"), 0);
	assert_int_equal(book_bind(&s->book, 2,
				   &(struct grant){"4-7", MIB, NULL}, &cpus,
				   sizeof(cpus)),
			 1);
	assert_int_equal(CPU_COUNT(&cpus), 4);
	assert_true(CPU_ISSET(5, &cpus) && CPU_ISSET(15, &cpus));
}

static void no_ledger(void **state)
{
	struct scene *s = *state;

	assert_int_equal(book_open(&s->book, s->machine->dir, s->tree->root),
			 -EBADMSG);
	assert_int_equal(book_open(&s->book, s->machine->path, "/nowhere"),
			 -ENOENT);
	assert_null(s->book.ledger);
}

static void charge(struct scene *s, struct tally_account account, int node,
		   unsigned int resource, int64_t amount)
{
	const struct tally_amount a = {resource, amount};

	assert_int_equal(
		tally_ledger_charge(s->book.ledger, account, node, &a, 1), 0);
}

static void what_a_job_has_and_uses(void **state)
{
	struct scene *s = *state;
	struct tally_account account;
	int64_t all[4][BOOK_NR];

	begin(s);
	assert_int_equal(book_has(&s->book, 1, all), -ENOENT);
	assert_int_equal(reserve(s, 1, "1-2", 2 * MIB), 0);
	assert_int_equal(draw(s, 1, 0, "1", MIB), 0);
	assert_int_equal(book_job(&s->book, 1, &account), 0);
	charge(s, account, 1, BOOK_CPU, 7);
	charge(s, account, 3, BOOK_PEAK, 9);
	assert_int_equal(book_has(&s->book, 1, all), 0);
	for (int n = 0; n < 4; n++) {
		assert_int_equal(all[n][BOOK_CORES], n < 2);
		assert_int_equal(all[n][BOOK_MEMORY], n < 2 ? MIB : 0);
		assert_int_equal(all[n][BOOK_CPU], n == 1 ? 7 : 0);
		assert_int_equal(all[n][BOOK_PEAK], n == 3 ? 9 : 0);
	}
	assert_int_equal(book_end_job(&s->book, 1), 0);
	assert_int_equal(book_has(&s->book, 1, all), -ENOENT);
}

/* As an older program made it, with an account, and in use by a step of its. */
static void a_ledger_with_other_resources(void **state)
{
	static const struct tally_resource cores = {"cores", "cores",
						    TALLY_RESERVABLE};
	struct tally_account account;
	struct tally_ledger *older;
	struct scene *s = *state;

	begin(s);
	assert_int_equal(reserve(s, 1, "1", MIB), 0);
	book_close(&s->book);
	assert_int_equal(book_renew(&s->book, s->machine->path, s->tree->root),
			 0);
	has(s, "1", 0, 1, MIB);
	assert_int_equal(unlink(s->machine->path), 0);
	assert_int_equal(tally_ledger_create(s->machine->path, s->book.topo,
					     &cores, 1, NULL, &older),
			 0);
	assert_int_equal(
		tally_account_open(tally_ledger_accounts(older), "1", &account),
		0);
	book_close(&s->book);
	assert_int_equal(book_open(&s->book, s->machine->path, s->tree->root),
			 -EEXIST);
	assert_int_equal(book_renew(&s->book, s->machine->path, s->tree->root),
			 0);
	assert_int_equal(amount(s, "1", 0, BOOK_CORES), -1);
	assert_int_equal(reserve(s, 1, "1", MIB), 0);
	tally_ledger_close(older);
}

#define SCENE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(cores_in_slurms_order),
		SCENE_TEST(lists_that_are_none),
		SCENE_TEST(a_job_is_on_its_cores_nodes),
		SCENE_TEST(the_whole_memory_is_of_all_nodes),
		SCENE_TEST(a_refused_job_has_nothing),
		SCENE_TEST(steps_draw_from_their_job),
		SCENE_TEST(the_end_of_a_job_ends_its_steps),
		SCENE_TEST(a_large_machine),
		SCENE_TEST(a_ledger_without_a_free_row),
		SCENE_TEST(what_a_job_has_and_uses),
		SCENE_TEST(a_ledger_with_other_resources),
		cmocka_unit_test(wishes),
		SCENE_TEST(nodes_that_are_wished),
		SCENE_TEST(policies),
		SCENE_TEST(the_memory_of_a_policy_is_where_it_is_free),
		SCENE_TEST(a_step_has_a_policy),
		SCENE_TEST(cpus_of_a_step),
		SCENE_TEST(no_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
