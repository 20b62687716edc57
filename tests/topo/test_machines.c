// SPDX-License-Identifier: MIT
/* This machine, and captured ones, compared with another way to read them. */
#include "support/test.h"

#include <dirent.h>

#include "support/captured.h"
#include "support/topo_trees.h"

/* The numbers of the directory's entries prefixN, ascending; the
 * caller frees. */
static bool *entries(const char *directory, const char *prefix)
{
	bool *found = calloc(65536, sizeof(*found));
	DIR *dir = opendir(directory);
	struct dirent *entry;
	int id, end;

	assert_non_null(found);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
		    sscanf(entry->d_name + strlen(prefix), "%5d%n", &id,
			   &end) == 1 &&
		    !entry->d_name[strlen(prefix) + (size_t)end])
			found[id] = true;
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool first_line(const char *path, char line[4096])
{
	FILE *f = fopen(path, "r");
	bool got = f && fgets(line, 4096, f);

	if (f)
		fclose(f);
	return got;
}

static bool is_online(const char *root, int cpu)
{
	char path[512], line[4096];

	snprintf(path, sizeof(path), "%s/" CPU "/cpu%d/online", root, cpu);
	return !first_line(path, line) || line[0] == '1';
}

/* By the digit of the node's mask that has this CPU. Links between CPUs and
 * nodes do not help: old kernels have none, and one captured machine has wrong
 * ones. */
static bool belongs(const char *root, int cpu, int node)
{
	char path[512], line[4096];
	size_t digit, len;

	snprintf(path, sizeof(path), "%s/" NODE "/node%d/cpumap", root, node);
	if (!first_line(path, line))
		return false;
	len = strcspn(line, "\n");
	digit = (size_t)cpu / 4 + (size_t)cpu / 32 + 1;
	if (digit > len)
		return false;
	line[len - digit + 1] = '\0';
	return strtol(line + len - digit, NULL, 16) >> cpu % 4 & 1;
}

static void assert_as_listed(const char *root)
{
	struct tally_topo *topo = NULL;
	char directory[256], path[512], line[4096];
	bool *cpus, *nodes;

	print_message("# %s\n", *root ? root : "this machine");
	assert_int_equal(tally_topo_open(*root ? root : NULL, &topo), 0);
	assert_sound(topo);
	snprintf(directory, sizeof(directory), "%s/" CPU, root);
	cpus = entries(directory, "cpu");
	snprintf(directory, sizeof(directory), "%s/" NODE, root);
	nodes = entries(directory, "node");
	for (int id = 0; id < 65536; id++) {
		const struct tally_node *node;
		unsigned int next = 0;

		assert_int_equal(tally_topo_index(topo, id) >= 0, nodes[id]);
		if (!nodes[id])
			continue;
		node = node_of(topo, id);
		for (int cpu = 0; cpu < 65536; cpu++)
			if (cpus[cpu] && is_online(root, cpu) &&
			    belongs(root, cpu, id)) {
				assert_true(next < node->nr_cpus);
				assert_int_equal(node->cpus[next], cpu);
				next++;
			}
		assert_int_equal(next, node->nr_cpus);
		snprintf(path, sizeof(path), "%s/" NODE "/node%d/distance",
			 root, id);
		if (node->distances && first_line(path, line)) {
			char *p = line;

			for (unsigned int i = 0; i < tally_topo_nr_nodes(topo);
			     i++)
				assert_int_equal(strtol(p, &p, 10),
						 node->distances[i]);
		}
		assert_true(node->memory_bytes >= 0);
	}
	free(cpus);
	free(nodes);
	tally_topo_close(topo);
}

static void this_machine(void **state)
{
	struct tally_topo *topo;

	(void)state;
	if (access("/" NODE, F_OK) == 0) {
		assert_as_listed("");
		return;
	}
	assert_int_equal(tally_topo_open(NULL, &topo), 0);
	assert_sound(topo);
	assert_int_equal(tally_topo_nr_nodes(topo), 1);
	tally_topo_close(topo);
}

/* What is special about one of them, for a reader of a failure. */
static void assert_particulars(const char *root)
{
	const char *name = strrchr(root, '/') + 1;
	struct tally_topo *topo;

	assert_int_equal(tally_topo_open(root, &topo), 0);
	if (strcmp(name, "nvidiagpunumanodes") == 0) {
		assert_string_equal(node_of(topo, 250)->memory, "GPU");
		assert_null(node_of(topo, 8)->memory);
		assert_row(topo, 8, "40,10,80,80,80,80,80,80");
	} else if (strcmp(name, "fakeheteromemtiers") == 0) {
		assert_string_equal(node_of(topo, 2)->memory, "SPM");
		assert_string_equal(node_of(topo, 9)->memory, "NVM");
		assert_int_equal(node_of(topo, 4)->tier, 0);
		assert_int_equal(node_of(topo, 1)->tier, 1);
		assert_int_equal(node_of(topo, 9)->tier, 2);
	} else if (strcmp(name, "fakememinitiators-1np2c+1npp+gi") == 0) {
		assert_int_equal(node_of(topo, 0)->tier, -1);
		assert_int_equal(node_of(topo, 0)->memory_bytes, 0);
		assert_int_equal(node_of(topo, 8)->tier, 0);
		assert_int_equal(node_of(topo, 10)->tier, 1);
	} else if (strcmp(name, "offline-cpu0-node0") == 0) {
		assert_int_equal(tally_topo_nr_cpus(topo), 192);
		assert_int_equal(tally_topo_cpu_node(topo, 21), 1);
		assert_int_equal(tally_topo_cpu_node(topo, 4), -ENOENT);
		assert_null(node_of(topo, 1)->distances);
	} else if (strcmp(name, "48amd64-4d2n6c-sparse") == 0) {
		assert_row(topo, 72, "16,22,16,22,16,22,10,16");
	}
	tally_topo_close(topo);
}

static void check_machine(const char *root)
{
	assert_as_listed(root);
	assert_particulars(root);
}

static void captured_machines(void **state)
{
	captured_each(*state, check_machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(this_machine),
		TREE_TEST(captured_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
