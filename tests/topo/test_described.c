// SPDX-License-Identifier: MIT
/* Topologies of machines that are described: in code, by hwloc's XML, and by its
 * synthetic descriptions. */
#include "support/test.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/topo_trees.h"
#include "topo/sysfs.h"

static const int low[] = {0, 1}, high[] = {2, 3, 7}, apart[] = {10, 21, 22, 10};
static const int both[] = {1, 2}, downwards[] = {3, 2}, far[] = {65536};
static const int none[] = {10, 0, 22, 10};

#define A_NODE(number, list, row)                                              \
	{                                                                      \
		.size = sizeof(struct tally_node), .id = (number), .tier = -1, \
		.memory = "DRAM", .memory_bytes = 1 << 30, .cpus = (list),     \
		.nr_cpus = sizeof(list) / sizeof(int), .distances = (row),     \
	}

static const struct tally_node two[] = {A_NODE(2, low, apart),
					A_NODE(40, high, apart + 2)};

#define A_MACHINE(called, list)                                         \
	{                                                               \
		.size = sizeof(struct tally_machine), .name = (called), \
		.nodes = (list),                                        \
		.nr_nodes = sizeof(list) / sizeof(struct tally_node),   \
	}

static void one_machine(void **state)
{
	const struct tally_machine machine = A_MACHINE(NULL, two);
	struct tally_topo *topo = NULL;

	(void)state;
	assert_int_equal(tally_topo_create(&machine, 1, &topo), 0);
	assert_sound(topo);
	assert_int_equal(tally_topo_nr_machines(topo), 1);
	assert_null(tally_topo_machine(topo, 0)->name);
	assert_int_equal(tally_topo_nr_nodes(topo), 2);
	assert_int_equal(tally_topo_nr_cpus(topo), 8);
	assert_cpus(topo, 2, "0,1");
	assert_cpus(topo, 40, "2,3,7");
	assert_row(topo, 2, "10,21");
	assert_row(topo, 40, "22,10");
	assert_int_equal(tally_topo_cpu_node(topo, 7), 40);
	assert_int_equal(tally_topo_cpu_node(topo, 5), -ENOENT);
	assert_false(tally_topo_cpu_online(topo, 5));
	assert_string_equal(node_of(topo, 2)->memory, "DRAM");
	assert_int_equal(node_of(topo, 2)->memory_bytes, 1 << 30);
	tally_topo_close(topo);
}

static void many_machines(void **state)
{
	enum { NR = 5000 };
	struct tally_machine *machines = calloc(NR, sizeof(*machines));
	char(*names)[16] = calloc(NR, sizeof(*names));
	struct tally_topo *topo = NULL;

	(void)state;
	assert_non_null(machines);
	assert_non_null(names);
	for (int i = 0; i < NR; i++) {
		machines[i] = (struct tally_machine)A_MACHINE(names[i], two);
		snprintf(names[i], sizeof(names[i]), "m%d", i);
	}
	assert_int_equal(tally_topo_create(machines, NR, &topo), 0);
	memset(names, 'x', NR * sizeof(*names));
	assert_int_equal(tally_topo_nr_machines(topo), NR);
	assert_int_equal(tally_topo_nr_nodes(topo), 2 * NR);
	for (unsigned int i = 0; i < NR; i++) {
		const struct tally_machine *m = tally_topo_machine(topo, i);
		int index = tally_topo_index_on(topo, i, 40);
		char name[16];

		snprintf(name, sizeof(name), "m%u", i);
		assert_string_equal(m->name, name);
		assert_int_equal(index, 2 * i + 1);
		assert_ptr_equal(tally_topo_node(topo, (unsigned int)index),
				 &m->nodes[1]);
		assert_int_equal(m->nodes[1].machine, i);
		assert_int_equal(m->nodes[1].distances[0], 22);
	}
	assert_int_equal(tally_topo_index_on(topo, 0, 3), -ENOENT);
	assert_int_equal(tally_topo_index_on(topo, NR, 2), -ENOENT);
	tally_topo_close(topo);
	free(machines);
	free(names);
}

/* What a description holds may be described again. */
static void a_topology_describes(void **state)
{
	struct tally_machine machine = A_MACHINE(NULL, two);
	struct tally_topo *topo = NULL, *again = NULL;

	(void)state;
	assert_int_equal(tally_topo_create(&machine, 1, &topo), 0);
	assert_int_equal(
		tally_topo_create(tally_topo_machine(topo, 0), 1, &again), 0);
	tally_topo_close(topo);
	assert_sound(again);
	assert_row(again, 40, "22,10");
	tally_topo_close(again);
}

static void refused(int err, const struct tally_machine *machines,
		    unsigned int nr)
{
	struct tally_topo *topo = (struct tally_topo *)1;

	assert_int_equal(tally_topo_create(machines, nr, &topo), err);
	assert_ptr_equal(topo, (struct tally_topo *)1);
}

static void refused_nodes(const struct tally_node *nodes, unsigned int nr)
{
	const struct tally_machine machine = {
		.size = sizeof(machine),
		.nodes = nodes,
		.nr_nodes = nr,
	};

	refused(-EINVAL, &machine, 1);
}

static void each_error(void **state)
{
	static const struct tally_node good = A_NODE(2, low, apart);
	static const struct tally_node twice[] = {A_NODE(2, low, apart),
						  A_NODE(2, high, NULL)};
	static const struct tally_node descends[] = {A_NODE(2, low, apart),
						     A_NODE(1, high, NULL)};
	static const struct tally_node shares[] = {A_NODE(2, low, apart),
						   A_NODE(3, both, NULL)};
	static const struct tally_node near[] = {A_NODE(2, low, none),
						 A_NODE(3, high, apart)};
	static char too_long[258];
	struct tally_machine m[2] = {A_MACHINE("a", two), A_MACHINE("b", two)};
	struct tally_node node = good;
	struct {
		struct tally_machine known;
		int more;
	} newer = {.known = A_MACHINE("a", two), .more = 1};

	(void)state;
	refused(-EINVAL, NULL, 0);
	refused(-EINVAL, m, 0);
	m[1].name = "a";
	refused(-EEXIST, m, 2);
	m[1].name = NULL;
	refused(-EINVAL, m, 2);
	m[1].name = "";
	refused(-EINVAL, m, 2);
	memset(too_long, 'a', 256);
	m[1].name = too_long;
	refused(-EINVAL, m, 2);
	m[1].name = "b";
	m[1].size = 0;
	refused(-EINVAL, m, 2);
	m[1].size = sizeof(m[1]);
	m[1].nr_nodes = 0;
	refused(-EINVAL, m, 2);
	newer.known.size = sizeof(newer);
	refused(-E2BIG, &newer.known, 1);

	refused_nodes(NULL, 1);
	refused_nodes(twice, 2);
	refused_nodes(descends, 2);
	refused_nodes(shares, 2);
	refused_nodes(near, 2);
	node.size = 8;
	refused_nodes(&node, 1);
	node = good;
	node.nr_cpus = 0; /* the machine has no CPU */
	refused_nodes(&node, 1);
	node = good;
	node.cpus = downwards;
	refused_nodes(&node, 1);
	node.cpus = far;
	node.nr_cpus = 1;
	refused_nodes(&node, 1);
	node.cpus = NULL;
	refused_nodes(&node, 1);
	node = good;
	node.id = 65536;
	refused_nodes(&node, 1);
	node.id = -1;
	refused_nodes(&node, 1);
	node = good;
	node.tier = -2;
	refused_nodes(&node, 1);
	node = good;
	node.memory_bytes = -2;
	refused_nodes(&node, 1);
	node = good;
	node.memory = "DRUM";
	refused_nodes(&node, 1);
}

/* The first machine may be this one, no other. */
static void here(void **state)
{
	struct tally_machine m[2] = {A_MACHINE("a", two), A_MACHINE("b", two)};
	struct tally_topo *topo = NULL;

	(void)state;
	m[1].here = true;
	refused(-EINVAL, m, 2);
	m[0].here = true;
	refused(-EINVAL, m, 2);
	m[1].here = false;
	assert_int_equal(tally_topo_create(m, 2, &topo), 0);
	assert_true(tally_topo_machine(topo, 0)->here);
	assert_false(tally_topo_machine(topo, 1)->here);
	assert_int_equal(tally_topo_number(topo, 1), 40);
	assert_int_equal(tally_topo_number(topo, 3), 65536 + 40);
	tally_topo_close(topo);
	assert_int_equal(tally_topo_open(NULL, &topo), 0);
	assert_true(tally_topo_machine(topo, 0)->here);
	tally_topo_close(topo);
	assert_int_equal(tally_topo_open_synthetic("numa:2 pu:1", &topo), 0);
	assert_false(tally_topo_machine(topo, 0)->here);
	tally_topo_close(topo);
}

/* Distances that are not given take no memory: here they would take 16 GiB. */
static void many_nodes(void **state)
{
	const struct rlimit bound = {UINT64_C(1) << 30, UINT64_C(1) << 30};
	struct tally_node *nodes = calloc(TOPO_IDS, sizeof(*nodes));
	const struct tally_machine machine = {
		.size = sizeof(machine),
		.nodes = nodes,
		.nr_nodes = TOPO_IDS,
	};
	struct tally_topo *topo;
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(nodes);
	for (int i = 0; i < TOPO_IDS; i++)
		nodes[i] = (struct tally_node){
			.size = sizeof(*nodes),
			.id = i,
			.tier = -1,
			.memory_bytes = -1,
		};
	nodes->cpus = low;
	nodes->nr_cpus = 1;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		/* A sanitizer has more, but fills what it allocates. */
		if (!TEST_SANITIZED && setrlimit(RLIMIT_AS, &bound))
			_exit(1);
		_exit(-tally_topo_create(&machine, 1, &topo));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	free(nodes);
}

/* ---- hwloc's descriptions ------------------------------------------------- */

static void synthetic(void **state)
{
	struct tally_topo *topo = NULL;

	(void)state;
	assert_int_equal(
		tally_topo_open_synthetic("pack:2 numa:2 core:2 pu:1", &topo),
		0);
	assert_sound(topo);
	assert_int_equal(tally_topo_nr_nodes(topo), 4);
	assert_cpus(topo, 0, "0,1");
	assert_cpus(topo, 3, "6,7");
	assert_null(node_of(topo, 0)->distances);
	assert_int_equal(node_of(topo, 0)->memory_bytes, 1 << 30);
	tally_topo_close(topo);

	/* The CPUs belong to the first node of each package. */
	assert_int_equal(
		tally_topo_open_synthetic(
			"pack:2 [numa(memory=3GiB)] [numa] core:2 pu:1", &topo),
		0);
	assert_sound(topo);
	assert_int_equal(tally_topo_nr_nodes(topo), 4);
	assert_cpus(topo, 0, "0,1");
	assert_cpus(topo, 1, "");
	assert_cpus(topo, 2, "2,3");
	assert_int_equal(node_of(topo, 2)->memory_bytes, INT64_C(3) << 30);
	tally_topo_close(topo);
}

static void bad_synthetic(void **state)
{
	static const char *const texts[] = {
		"",
		"rubbish",
		"pu:0",
		"numa:-1 pu:1",
		"numa:2 pu:",
		"numa:100000 pu:1",
		"pu:99999999999999999999",
		"\n\n",
	};
	struct tally_topo *topo = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int err = tally_topo_open_synthetic(texts[i], &topo);

		if (err != -EINVAL && err != -ETIMEDOUT)
			fail_msg("'%s': %d", texts[i], err);
		assert_null(topo);
	}
}

/* Two nodes with one cpuset, as HBM beside DRAM, and a third with its own. */
static const char xml[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
	"<topology version=\"2.0\">\n"
	" <object type=\"Machine\" os_index=\"0\" cpuset=\"0xf\""
	"  complete_cpuset=\"0xf\" allowed_cpuset=\"0xf\" nodeset=\"0x8000000b\""
	"  complete_nodeset=\"0x8000000b\" allowed_nodeset=\"0x8000000b\""
	"  gp_index=\"1\">\n"
	"  <info name=\"HostName\" value=\"alpha\"/>\n"
	"  <object type=\"Package\" os_index=\"0\" cpuset=\"0x3\""
	"   complete_cpuset=\"0x3\" nodeset=\"0x9\" complete_nodeset=\"0x9\""
	"   gp_index=\"2\">\n"
	"   <object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x3\""
	"    complete_cpuset=\"0x3\" nodeset=\"0x1\" complete_nodeset=\"0x1\""
	"    gp_index=\"3\" local_memory=\"4096\"/>\n"
	"   <object type=\"NUMANode\" subtype=\"HBM\" os_index=\"3\""
	"    cpuset=\"0x3\" complete_cpuset=\"0x3\" nodeset=\"0x8\""
	"    complete_nodeset=\"0x8\" gp_index=\"4\" local_memory=\"8192\"/>\n"
	"   <object type=\"PU\" os_index=\"0\" cpuset=\"0x1\""
	"    complete_cpuset=\"0x1\" nodeset=\"0x9\" complete_nodeset=\"0x9\""
	"    gp_index=\"5\"/>\n"
	"   <object type=\"PU\" os_index=\"1\" cpuset=\"0x2\""
	"    complete_cpuset=\"0x2\" nodeset=\"0x9\" complete_nodeset=\"0x9\""
	"    gp_index=\"6\"/>\n"
	"  </object>\n"
	"  <object type=\"Package\" os_index=\"1\" cpuset=\"0xc\""
	"   complete_cpuset=\"0xc\" nodeset=\"0x2\" complete_nodeset=\"0x2\""
	"   gp_index=\"7\">\n"
	"   <object type=\"NUMANode\" os_index=\"1\" cpuset=\"0xc\""
	"    complete_cpuset=\"0xc\" nodeset=\"0x2\" complete_nodeset=\"0x2\""
	"    gp_index=\"8\" local_memory=\"4096\"/>\n"
	"   <object type=\"PU\" os_index=\"2\" cpuset=\"0x4\""
	"    complete_cpuset=\"0x4\" nodeset=\"0x2\" complete_nodeset=\"0x2\""
	"    gp_index=\"9\"/>\n"
	"   <object type=\"PU\" os_index=\"3\" cpuset=\"0x8\""
	"    complete_cpuset=\"0x8\" nodeset=\"0x2\" complete_nodeset=\"0x2\""
	"    gp_index=\"10\"/>\n"
	"  </object>\n"
	" </object>\n"
	" <distances2 type=\"NUMANode\" nbobjs=\"3\" kind=\"5\""
	"  name=\"NUMALatency\" indexing=\"os\">\n"
	"  <indexes length=\"6\">0 1 3 </indexes>\n"
	"  <u64values length=\"27\">10 20 13 20 10 23 14 24 10 </u64values>\n"
	" </distances2>\n"
	"</topology>\n";

static void described_by_xml(void **state)
{
	const struct tree *tree = *state;
	struct tally_topo *topo = NULL;
	char path[512];

	tree_put(tree, "m.xml", xml);
	snprintf(path, sizeof(path), "%s/m.xml", tree->root);
	assert_int_equal(tally_topo_open_xml(path, &topo), 0);
	assert_sound(topo);
	assert_string_equal(tally_topo_machine(topo, 0)->name, "alpha");
	assert_int_equal(tally_topo_nr_nodes(topo), 3);
	assert_cpus(topo, 0, "0,1");
	assert_cpus(topo, 1, "2,3");
	assert_cpus(topo, 3, "");
	assert_string_equal(node_of(topo, 3)->memory, "HBM");
	assert_int_equal(node_of(topo, 3)->memory_bytes, 8192);
	assert_row(topo, 0, "10,20,13");
	assert_row(topo, 3, "14,24,10");
	tally_topo_close(topo);
}

/* As hwloc 1 wrote it: node 1 has no memory, so it is in no nodeset. */
static const char old_xml[] =
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	"<!DOCTYPE topology SYSTEM \"hwloc.dtd\">\n"
	"<topology>\n"
	" <object type=\"Machine\" os_index=\"0\" cpuset=\"0x2f\""
	"  complete_cpuset=\"0x2f\" online_cpuset=\"0x2f\" allowed_cpuset=\"0x2f\""
	"  nodeset=\"0x1\" complete_nodeset=\"0x3\" allowed_nodeset=\"0x1\">\n"
	"  <object type=\"NUMANode\" os_index=\"0\" cpuset=\"0x3\""
	"   complete_cpuset=\"0x3\" online_cpuset=\"0x3\" allowed_cpuset=\"0x3\""
	"   nodeset=\"0x1\" complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\""
	"   local_memory=\"4096\">\n"
	"   <object type=\"PU\" os_index=\"0\" cpuset=\"0x1\" complete_cpuset=\"0x1\""
	"    online_cpuset=\"0x1\" allowed_cpuset=\"0x1\" nodeset=\"0x1\""
	"    complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\"/>\n"
	"   <object type=\"PU\" os_index=\"1\" cpuset=\"0x2\" complete_cpuset=\"0x2\""
	"    online_cpuset=\"0x2\" allowed_cpuset=\"0x2\" nodeset=\"0x1\""
	"    complete_nodeset=\"0x1\" allowed_nodeset=\"0x1\"/>\n"
	"  </object>\n"
	"  <object type=\"NUMANode\" os_index=\"1\" cpuset=\"0x2c\""
	"   complete_cpuset=\"0x2c\" online_cpuset=\"0x2c\" allowed_cpuset=\"0x2c\""
	"   nodeset=\"0x0\" complete_nodeset=\"0x2\" allowed_nodeset=\"0x0\">\n"
	"   <object type=\"PU\" os_index=\"2\" cpuset=\"0x4\" complete_cpuset=\"0x4\""
	"    online_cpuset=\"0x4\" allowed_cpuset=\"0x4\" nodeset=\"0x0\""
	"    complete_nodeset=\"0x2\" allowed_nodeset=\"0x0\"/>\n"
	"   <object type=\"PU\" os_index=\"3\" cpuset=\"0x8\" complete_cpuset=\"0x8\""
	"    online_cpuset=\"0x8\" allowed_cpuset=\"0x8\" nodeset=\"0x0\""
	"    complete_nodeset=\"0x2\" allowed_nodeset=\"0x0\"/>\n"
	"   <object type=\"PU\" os_index=\"5\" cpuset=\"0x20\" complete_cpuset=\"0x20\""
	"    online_cpuset=\"0x20\" allowed_cpuset=\"0x20\" nodeset=\"0x0\""
	"    complete_nodeset=\"0x2\" allowed_nodeset=\"0x0\"/>\n"
	"  </object>\n"
	" </object>\n"
	"</topology>\n";

/* hwloc drops the node. Its CPUs are there, on no node. */
static void dropped_by_hwloc(void **state)
{
	static const bool online[] = {true, true, true, true, false, true};
	const struct tree *tree = *state;
	struct tally_topo *topo = NULL;
	char path[512];

	tree_put(tree, "m.xml", old_xml);
	snprintf(path, sizeof(path), "%s/m.xml", tree->root);
	assert_int_equal(tally_topo_open_xml(path, &topo), 0);
	assert_sound(topo);
	assert_int_equal(tally_topo_nr_nodes(topo), 1);
	assert_cpus(topo, 0, "0,1");
	assert_int_equal(tally_topo_nr_cpus(topo), 6);
	for (int cpu = 0; cpu < 6; cpu++) {
		assert_int_equal(tally_topo_cpu_online(topo, cpu), online[cpu]);
		assert_int_equal(tally_topo_cpu_node(topo, cpu),
				 cpu < 2 ? 0 : -ENOENT);
	}
	tally_topo_close(topo);
}

/* A file cut anywhere, and other kinds of files. */
static void bad_xml(void **state)
{
	const struct tree *tree = *state;
	struct tally_topo *topo = NULL;
	char path[512], *cut = strdup(xml);

	assert_non_null(cut);
	snprintf(path, sizeof(path), "%s/m.xml", tree->root);
	assert_int_equal(tally_topo_open_xml(path, &topo), -ENOENT);
	for (size_t len = 0; len < sizeof(xml) - 2; len += 97) {
		memcpy(cut, xml, len);
		cut[len] = '\0';
		tree_put(tree, "m.xml", cut);
		assert_int_equal(tally_topo_open_xml(path, &topo), -EBADMSG);
		assert_null(topo);
	}
	free(cut);
	assert_int_equal(tally_topo_open_xml(tree->root, &topo), -EISDIR);
	assert_int_equal(tally_topo_open_xml("/dev/zero", &topo), -ENXIO);
	assert_int_equal(truncate(path, (INT64_C(64) << 20) + 1), 0);
	assert_int_equal(tally_topo_open_xml(path, &topo), -EFBIG);
	snprintf(path, sizeof(path), "%s/fifo", tree->root);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(tally_topo_open_xml(path, &topo), -ENXIO);
	assert_null(topo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_machine),
		cmocka_unit_test(many_machines),
		cmocka_unit_test(a_topology_describes),
		cmocka_unit_test(each_error),
		cmocka_unit_test(here),
		cmocka_unit_test(many_nodes),
		cmocka_unit_test(synthetic),
		cmocka_unit_test(bad_synthetic),
		TREE_TEST(described_by_xml),
		TREE_TEST(dropped_by_hwloc),
		TREE_TEST(bad_xml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
