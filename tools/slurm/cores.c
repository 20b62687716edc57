// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/cores.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* The first number in a file of a CPU's topology; @otherwise without one. */
static int first_in(const char *root, int cpu, const char *name, int otherwise)
{
	char path[4096], line[256];
	unsigned long n;
	FILE *file;
	bool is_read;

	snprintf(path, sizeof(path),
		 "%s/sys/devices/system/cpu/cpu%d/topology/%s",
		 root ? root : "", cpu, name);
	file = fopen(path, "re");
	if (!file)
		return otherwise;
	is_read = fgets(line, sizeof(line), file);
	fclose(file);
	if (!is_read || !isdigit((unsigned char)*line))
		return otherwise;
	n = strtoul(line, NULL, 10);
	return n <= INT_MAX ? (int)n : otherwise;
}

static int by_place(const void *a, const void *b)
{
	const struct core *x = a, *y = b;

	if (x->package != y->package)
		return x->package < y->package ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->cpu > y->cpu) - (x->cpu < y->cpu);
}

int cores_read(struct cores *cores, const char *root,
	       const struct tally_topo *topo)
{
	unsigned int nr_cpus = tally_topo_nr_cpus(topo);

	*cores = (struct cores){calloc(nr_cpus + 1, sizeof(struct core)), 0};
	if (!cores->core)
		return -ENOMEM;
	for (int cpu = 0; cpu < (int)nr_cpus; cpu++) {
		int node = tally_topo_cpu_node(topo, cpu);
		int index = tally_topo_index(topo, node);

		if (node < 0 || index < 0 ||
		    !tally_topo_cpu_online(topo, cpu) ||
		    first_in(root, cpu, "thread_siblings_list", cpu) != cpu)
			continue;
		cores->core[cores->nr++] = (struct core){
			.cpu = cpu,
			.package = first_in(root, cpu, "core_siblings_list", 0),
			.first = tally_topo_node(topo, (unsigned int)index)
					 ->cpus[0],
			.index = index,
		};
	}
	qsort(cores->core, cores->nr, sizeof(struct core), by_place);
	return 0;
}

int cores_count(const struct cores *cores, const char *list, int64_t *nr)
{
	int sum = 0;

	while (*list) {
		unsigned long first, last;
		char *end;

		if (!isdigit((unsigned char)*list))
			return -EINVAL;
		first = last = strtoul(list, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (last < first || (*end && (*end != ',' || !end[1])))
			return -EINVAL;
		if (last >= cores->nr)
			return -ERANGE;
		for (unsigned long i = first; i <= last; i++) {
			nr[cores->core[i].index]++;
			sum++;
		}
		list = *end ? end + 1 : end;
	}
	return sum;
}
