// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hwloc.h>

#include "topo/child.h"
#include "topo/hwloc.h"
#include "topo/sysfs.h"

/* hwloc's subtypes of nodes, of several versions, and our words for them. */
static const struct {
	const char *subtype;
	const char *name;
} kinds[] = {
	{"", NULL},	   {"DRAM", "DRAM"},	 {"HBM", "HBM"},
	{"MCDRAM", "HBM"}, {"NVM", "NVM"},	 {"SPM", "SPM"},
	{"CXL", "CXL"},	   {"CXL-DRAM", "CXL"},	 {"CXL-NVM", "CXL"},
	{"GPU", "GPU"},	   {"GPUMemory", "GPU"}, {"GPU-HBM", "GPU"},
};

#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *topo_kind_name(int kind)
{
	return kind > 0 && kind < (int)NR_KINDS ? kinds[kind].name : NULL;
}

const char *topo_kind_named(const char *name)
{
	for (size_t i = 1; name && i < NR_KINDS; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].name;
	return NULL;
}

int topo_kind_of(const char *subtype)
{
	for (size_t i = 1; subtype && i < NR_KINDS; i++)
		if (strcmp(kinds[i].subtype, subtype) == 0)
			return (int)i;
	return 0;
}

/*
 * Load only what nodes need: no caches, no I/O (which would ask every PCI
 * device and GPU library), and not the x86 backend, which would bind this
 * thread to each CPU in turn to read its CPUID.
 */
static int load(hwloc_topology_t *topology)
{
	if (hwloc_topology_init(topology) < 0)
		return -1;
	/* Fails if hwloc was built for another architecture: it has no x86
	 * backend then. */
	hwloc_topology_set_components(
		*topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
	if (hwloc_topology_set_all_types_filter(
		    *topology, HWLOC_TYPE_FILTER_KEEP_NONE) < 0 ||
	    hwloc_topology_set_flags(
		    *topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) < 0 ||
	    hwloc_topology_load(*topology) < 0) {
		hwloc_topology_destroy(*topology);
		return -1;
	}
	return 0;
}

static void describe(hwloc_topology_t topology, hwloc_obj_t node,
		     struct topo_memory *memory)
{
	struct hwloc_location initiator;
	hwloc_uint64_t bandwidth;

	memset(memory, 0, sizeof(*memory));
	memory->node = (int32_t)node->os_index;
	memory->kind = topo_kind_of(node->subtype);
	if (hwloc_memattr_get_best_initiator(topology,
					     HWLOC_MEMATTR_ID_BANDWIDTH, node,
					     0, &initiator, &bandwidth) == 0)
		memory->bandwidth = bandwidth;
}

/*
 * On a live machine, ignore hwloc's answer if the environment made it describe
 * another one (from XML, for example).
 */
static int ask(bool live, struct topo_memory **memory, unsigned int *nr)
{
	hwloc_topology_t topology;
	hwloc_obj_t node = NULL;
	int n;

	*memory = NULL;
	*nr = 0;
	if (load(&topology) < 0)
		return 0;
	n = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
	if (live && !hwloc_topology_is_thissystem(topology))
		n = 0;
	if (n > 0) {
		*memory = calloc((size_t)n, sizeof(**memory));
		if (!*memory) {
			hwloc_topology_destroy(topology);
			return -ENOMEM;
		}
	}
	while (n > 0 && *nr < (unsigned int)n &&
	       (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE,
						  node)))
		describe(topology, node, &(*memory)[(*nr)++]);
	hwloc_topology_destroy(topology);
	return 0;
}

static void write_memory(void *live, int fd)
{
	struct topo_memory *memory;
	unsigned int nr;

	if (ask(live != NULL, &memory, &nr))
		_exit(1);
	topo_child_write(fd, memory, nr * sizeof(*memory));
	free(memory);
}

int topo_ask_hwloc(const char *root, struct topo_memory **memory,
		   unsigned int *nr)
{
	char *fsroot = NULL;
	bool live = !root;
	void *data;
	size_t size;
	int err;

	if (root && asprintf(&fsroot, "HWLOC_FSROOT=%s", root) < 0)
		return -ENOMEM;
	char *environment[] = {
		fsroot,
		(char *)"HWLOC_COMPONENTS=linux,stop",
		NULL,
	};
	err = topo_child_run(live ? NULL : environment, write_memory,
			     live ? &live : NULL, &data, &size);
	free(fsroot);
	if (!err) {
		*memory = data;
		*nr = (unsigned int)(size / sizeof(**memory));
	} else if (!topo_fatal(err)) {
		/* hwloc stays unasked, or did not come to its end. */
		*memory = NULL;
		*nr = 0;
		err = 0;
	}
	return err;
}
