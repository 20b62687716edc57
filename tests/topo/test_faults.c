// SPDX-License-Identifier: MIT
/* Topologies are opened while each call of the kernel, and each allocation,
 * fails once: what is known is right, and nothing is left. */
#include "support/test.h"

#include "support/fault.h"
#include "support/topo_trees.h"

/* Something is wrong. */
#define BAD 1

static bool is_row(const int *distances, int first, int second)
{
	return !distances || (distances[0] == first && distances[1] == second);
}

/* What a file tells that can't be read is unknown. */
static bool is_node(const struct tally_node *n, int id, int first, int last,
		    int64_t memory_bytes)
{
	return n->id == id &&
	       (!n->cpus || (n->nr_cpus == 2 && n->cpus[0] == first &&
			     n->cpus[1] == last)) &&
	       (n->memory_bytes == -1 || n->memory_bytes == memory_bytes) &&
	       (!n->memory || !strcmp(n->memory, "GPU"));
}

static bool is_tree(const struct tally_topo *t)
{
	const struct tally_node *a, *b;

	if (tally_topo_nr_nodes(t) != 2 || tally_topo_nr_cpus(t) != 4)
		return false;
	a = tally_topo_node(t, 0);
	b = tally_topo_node(t, 1);
	return is_node(a, 2, 0, 1, 1024 * KIB) && is_node(b, 7, 2, 3, 0) &&
	       is_row(a->distances, 10, 21) && is_row(b->distances, 22, 10) &&
	       a->tier <= 0 && b->tier <= 1;
}

static int check(int err, struct tally_topo *t,
		 bool (*is_right)(const struct tally_topo *t))
{
	if (err)
		return err;
	err = is_right(t) ? 0 : BAD;
	tally_topo_close(t);
	return err;
}

static int open_it(void *tree)
{
	struct tally_topo *t = NULL;
	int err = tally_topo_open(((struct tree *)tree)->root, &t);

	return check(err, t, is_tree);
}

static bool is_synthetic(const struct tally_topo *t)
{
	return tally_topo_nr_nodes(t) == 2 && tally_topo_nr_cpus(t) == 4 &&
	       tally_topo_node(t, 1)->cpus[1] == 3;
}

static int open_synthetic(void *unused)
{
	struct tally_topo *t = NULL;
	int err = tally_topo_open_synthetic("node:2 pu:2", &t);

	(void)unused;
	return check(err, t, is_synthetic);
}

static void each(int (*task)(void *arg), void *arg)
{
	fault_each_call(task, arg);
	fault_each_signal(task, arg);
	fault_each_allocation(task, arg);
}

static void of_a_tree(void **state)
{
	put_two_nodes(*state);
	tree_put(*state, "proc/stat", "cpu 1\ncpu0 1\n");
	tree_put(*state, TIER "/memory_tier4/nodelist", "2\n");
	/* The first that has a node is its tier. */
	tree_put(*state, TIER "/memory_tier9/nodelist", "2,7\n");
	tree_put(*state, GPU "/0000:01:00.0/numa_status", "Node: 7\n");
	each(open_it, *state);
}

static void of_a_tree_without_lists(void **state)
{
	put_two_nodes(*state);
	tree_remove(*state, CPU "/online");
	tree_remove(*state, NODE "/online");
	tree_remove(*state, NODE "/node2/cpulist");
	each(open_it, *state);
}

static void synthetic(void **state)
{
	each(open_synthetic, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(of_a_tree, tree_setup,
						tree_teardown),
		cmocka_unit_test_setup_teardown(of_a_tree_without_lists,
						tree_setup, tree_teardown),
		cmocka_unit_test_setup_teardown(synthetic, tree_setup,
						tree_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
