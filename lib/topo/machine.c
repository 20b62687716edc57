// SPDX-License-Identifier: MIT
/* A topology of described machines, and what is in a topology. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/topo.h>

#include "base/uncancelled.h"
#include "base/sized.h"
#include "topo/hwloc.h"
#include "topo/internal.h"
#include "topo/sysfs.h"

#define MAX_NAME 255

/* ---- the description ----------------------------------------------------- */

/* An element of an array whose elements have the size of the first. */
static const void *element(const void *array, unsigned int i)
{
	return (const char *)array + *(const size_t *)array * i;
}

static int machine_get(const struct tally_machine *machines, unsigned int i,
		       struct tally_machine *machine)
{
	const struct tally_machine *given = element(machines, i);

	if (given->size != machines->size)
		return -EINVAL;
	return sized_get(machine, sizeof(*machine),
			 sized_upto(struct tally_machine, nr_nodes), given);
}

static int node_get(const struct tally_machine *machine, unsigned int i,
		    struct tally_node *node)
{
	const struct tally_node *given = element(machine->nodes, i);

	if (given->size != machine->nodes->size)
		return -EINVAL;
	return sized_get(node, sizeof(*node),
			 sized_upto(struct tally_node, distances), given);
}

/* Numbers that ascend, all of them below TOPO_IDS. */
static bool ascends(int last, int next)
{
	return next > last && next < TOPO_IDS;
}

static bool node_is_sound(const struct tally_node *node, unsigned int nr_nodes)
{
	int last = -1;

	if (node->memory_bytes < -1 || node->tier < -1 ||
	    (node->nr_cpus && !node->cpus) ||
	    (node->memory && !topo_kind_named(node->memory)))
		return false;
	for (unsigned int i = 0; i < node->nr_cpus; i++) {
		if (!ascends(last, node->cpus[i]))
			return false;
		last = node->cpus[i];
	}
	for (unsigned int i = 0; node->distances && i < nr_nodes; i++)
		if (node->distances[i] <= 0)
			return false;
	return true;
}

/* What the arrays of a topology must hold. */
struct totals {
	size_t nodes;
	size_t cpus;
	size_t distances;
	size_t name_bytes;
	unsigned int nr_cpus; /* of the first machine */
};

/* The CPUs of a machine's nodes, each of which is in one of them alone. */
static int nodes_check(const struct tally_machine *machine, bool *taken,
		       struct totals *t, unsigned int *nr_cpus)
{
	int last = -1, most = -1, err;
	struct tally_node node;

	for (unsigned int i = 0; i < machine->nr_nodes; i++) {
		err = node_get(machine, i, &node);
		if (err)
			return err;
		if (!ascends(last, node.id) ||
		    !node_is_sound(&node, machine->nr_nodes))
			return -EINVAL;
		last = node.id;
		t->cpus += node.nr_cpus;
		t->distances += node.distances ? machine->nr_nodes : 0;
		for (unsigned int j = 0; j < node.nr_cpus; j++) {
			if (taken[node.cpus[j]])
				return -EINVAL;
			taken[node.cpus[j]] = true;
			most = node.cpus[j] > most ? node.cpus[j] : most;
		}
	}
	*nr_cpus = (unsigned int)(most + 1);
	return most < 0 ? -EINVAL : 0;
}

static int machine_check(const struct tally_machine *machine, bool alone,
			 bool *taken, struct totals *t, unsigned int *nr_cpus)
{
	size_t len = machine->name ? strlen(machine->name) : 0;

	if ((machine->here && t->nodes) || !machine->nodes ||
	    !machine->nr_nodes || len > MAX_NAME ||
	    (!len && (machine->name || !alone)))
		return -EINVAL;
	t->nodes += machine->nr_nodes;
	t->name_bytes += len + 1;
	return nodes_check(machine, taken, t, nr_cpus);
}

static int check(const struct tally_machine *machines, unsigned int nr,
		 struct totals *t)
{
	bool *taken = malloc(TOPO_IDS * sizeof(*taken));
	struct tally_machine machine;
	unsigned int nr_cpus;
	int err = nr && machines ? 0 : -EINVAL;

	if (!taken)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	nr_cpus = TOPO_IDS;
	for (unsigned int i = 0; i < nr && !err; i++) {
		memset(taken, 0, nr_cpus);
		err = machine_get(machines, i, &machine);
		if (!err)
			err = machine_check(&machine, nr == 1, taken, t,
					    &nr_cpus);
		if (i == 0)
			t->nr_cpus = nr_cpus;
	}
	free(taken);
	return err ? err : t->nodes > UINT32_MAX ? -EINVAL : 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int names_check(const struct tally_topo *topo)
{
	const char **names;
	unsigned int i, nr = topo->nr_machines;

	if (nr == 1)
		return 0;
	names = malloc(nr * sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		names[i] = topo->machines[i].name;
	qsort(names, nr, sizeof(*names), compare_names);
	for (i = 1; i < nr && strcmp(names[i - 1], names[i]) != 0; i++)
		;
	free(names);
	return i < nr ? -EEXIST : 0;
}

/* ---- the copy ------------------------------------------------------------ */

static struct tally_topo *allocate(unsigned int nr_machines,
				   const struct totals *t)
{
	struct tally_topo *topo = calloc(1, sizeof(*topo));

	if (!topo)
		return NULL;
	topo->nr_machines = nr_machines;
	topo->nr_nodes = (unsigned int)t->nodes;
	topo->nr_cpus = t->nr_cpus;
	topo->machines = calloc(nr_machines, sizeof(*topo->machines));
	topo->nodes = calloc(t->nodes, sizeof(*topo->nodes));
	topo->cpus = calloc(t->cpus, sizeof(*topo->cpus));
	topo->distances = calloc(t->distances + 1, sizeof(*topo->distances));
	topo->names = calloc(t->name_bytes, 1);
	topo->cpu_nodes = calloc(t->nr_cpus, sizeof(*topo->cpu_nodes));
	topo->cpus_online = calloc(t->nr_cpus, sizeof(*topo->cpus_online));
	if (topo->machines && topo->nodes && topo->cpus && topo->distances &&
	    topo->names && topo->cpu_nodes && topo->cpus_online)
		return topo;
	tally_topo_close(topo);
	return NULL;
}

/* Where the next machine's arrays begin. */
struct ends {
	struct tally_node *node;
	int *cpu;
	int *distance;
	char *name;
};

static void copy(const void *from, int **to, unsigned int nr,
		 const int **copied)
{
	if (nr)
		memcpy(*to, from, nr * sizeof(**to));
	*copied = *to;
	*to += nr;
}

static void machine_copy(const struct tally_machine *given,
			 struct tally_machine *machine, unsigned int index,
			 struct ends *end)
{
	unsigned int nr = given->nr_nodes;

	machine->size = sizeof(*machine);
	machine->nodes = end->node;
	machine->nr_nodes = nr;
	machine->here = given->here;
	if (given->name) {
		size_t bytes = strlen(given->name) + 1;

		machine->name = memcpy(end->name, given->name, bytes);
		end->name += bytes;
	}
	for (unsigned int i = 0; i < nr; i++) {
		struct tally_node *node = end->node++;

		node_get(given, i, node);
		node->machine = index;
		node->memory = topo_kind_named(node->memory);
		copy(node->cpus, &end->cpu, node->nr_cpus, &node->cpus);
		if (node->distances)
			copy(node->distances, &end->distance, nr,
			     &node->distances);
	}
}

static void cpus_find_nodes(struct tally_topo *topo)
{
	for (unsigned int i = 0; i < topo->nr_cpus; i++)
		topo->cpu_nodes[i] = -ENOENT;
	for (unsigned int i = 0; i < topo->machines[0].nr_nodes; i++)
		for (unsigned int j = 0; j < topo->nodes[i].nr_cpus; j++) {
			int cpu = topo->nodes[i].cpus[j];

			topo->cpu_nodes[cpu] = topo->nodes[i].id;
			topo->cpus_online[cpu] = true;
		}
}

int tally_topo_create(const struct tally_machine *machines,
		      unsigned int nr_machines, struct tally_topo **topo)
{
	UNCANCELLED;
	struct tally_machine machine = {0};
	struct tally_topo *t;
	struct totals totals;
	struct ends end;
	int err = check(machines, nr_machines, &totals);

	if (err)
		return err;
	t = allocate(nr_machines, &totals);
	if (!t)
		return -ENOMEM;
	end = (struct ends){t->nodes, t->cpus, t->distances, t->names};
	for (unsigned int i = 0; i < nr_machines; i++) {
		machine_get(machines, i, &machine);
		machine_copy(&machine, &t->machines[i], i, &end);
	}
	err = names_check(t);
	if (err) {
		tally_topo_close(t);
		return err;
	}
	cpus_find_nodes(t);
	*topo = t;
	return 0;
}

/* ---- a topology ---------------------------------------------------------- */

void tally_topo_close(struct tally_topo *topo)
{
	UNCANCELLED;

	if (!topo)
		return;
	free(topo->machines);
	free(topo->nodes);
	free(topo->cpus);
	free(topo->distances);
	free(topo->names);
	free(topo->cpu_nodes);
	free(topo->cpus_online);
	free(topo->cpus_shared);
	free(topo);
}

unsigned int tally_topo_nr_machines(const struct tally_topo *topo)
{
	return topo->nr_machines;
}

const struct tally_machine *tally_topo_machine(const struct tally_topo *topo,
					       unsigned int index)
{
	assert(index < topo->nr_machines);
	return &topo->machines[index];
}

unsigned int tally_topo_nr_nodes(const struct tally_topo *topo)
{
	return topo->nr_nodes;
}

const struct tally_node *tally_topo_node(const struct tally_topo *topo,
					 unsigned int index)
{
	assert(index < topo->nr_nodes);
	return &topo->nodes[index];
}

int tally_topo_index(const struct tally_topo *topo, int node)
{
	return tally_topo_index_on(topo, 0, node);
}

int tally_topo_index_on(const struct tally_topo *topo, unsigned int machine,
			int node)
{
	const struct tally_machine *m;
	unsigned int low = 0, high;

	if (machine >= topo->nr_machines)
		return -ENOENT;
	m = &topo->machines[machine];
	high = m->nr_nodes;
	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (m->nodes[middle].id == node)
			return (int)(&m->nodes[middle] - topo->nodes);
		if (m->nodes[middle].id < node)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

int tally_topo_number(const struct tally_topo *topo, unsigned int index)
{
	const struct tally_node *node = tally_topo_node(topo, index);

	return node->machine > INT_MAX / TOPO_IDS
		       ? -ERANGE
		       : (int)node->machine * TOPO_IDS + node->id;
}

unsigned int tally_topo_nr_cpus(const struct tally_topo *topo)
{
	return topo->nr_cpus;
}

int tally_topo_cpu_node(const struct tally_topo *topo, int cpu)
{
	if (cpu < 0 || (unsigned int)cpu >= topo->nr_cpus)
		return -ENOENT;
	return topo->cpu_nodes[cpu];
}

bool tally_topo_cpu_online(const struct tally_topo *topo, int cpu)
{
	return cpu >= 0 && (unsigned int)cpu < topo->nr_cpus &&
	       topo->cpus_online[cpu];
}

bool tally_topo_cpu_shared(const struct tally_topo *topo, int cpu)
{
	return topo->cpus_shared && cpu >= 0 &&
	       (unsigned int)cpu < topo->nr_cpus && topo->cpus_shared[cpu];
}
