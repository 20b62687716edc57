// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/cores.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Take "8" or "0-3" from the start of *list. False: neither is there. */
static bool take_range(const char **list, unsigned long *first,
		       unsigned long *last)
{
	char *end;

	if (!isdigit((unsigned char)**list))
		return false;
	*first = *last = strtoul(*list, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		*last = strtoul(end + 1, &end, 10);
	*list = end;
	return true;
}

static bool read_line(const char *root, int cpu, const char *name, char *line,
		      size_t bytes)
{
	char path[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path),
		 "%s/sys/devices/system/cpu/cpu%d/topology/%s",
		 root ? root : "", cpu, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	n = read(fd, line, bytes - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/*
 * The first of the CPUs that share a core or package with @cpu, as a file of its
 * topology lists them; @otherwise without a list. firsts[nr_cpus] keeps what one
 * look tells of all of them, one more than its number; 0: nothing yet.
 */
static int first_of(int *firsts, unsigned int nr_cpus, const char *root,
		    int cpu, const char *name, int otherwise)
{
	unsigned long from, to, first;
	char line[4096];
	const char *list = line;

	if (firsts[cpu])
		return firsts[cpu] - 1;
	if (!read_line(root, cpu, name, line, sizeof(line)) ||
	    !take_range(&list, &from, &to) || from >= nr_cpus)
		return otherwise;
	first = from;
	do {
		for (; from <= to && from < nr_cpus; from++)
			if (!firsts[from])
				firsts[from] = (int)first + 1;
		list += *list == ',';
	} while (take_range(&list, &from, &to));
	return (int)first;
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
	int *in_core = calloc(2 * (size_t)nr_cpus + 1, sizeof(int));
	int *in_package;

	*cores = (struct cores){calloc(nr_cpus + 1, sizeof(struct core)), 0};
	if (!cores->core || !in_core) {
		free(in_core);
		return -ENOMEM;
	}
	in_package = in_core + nr_cpus;
	for (int cpu = 0; cpu < (int)nr_cpus; cpu++) {
		int node = tally_topo_cpu_node(topo, cpu);
		int index = tally_topo_index(topo, node);

		if (node < 0 || index < 0 ||
		    !tally_topo_cpu_online(topo, cpu) ||
		    first_of(in_core, nr_cpus, root, cpu,
			     "thread_siblings_list", cpu) != cpu)
			continue;
		cores->core[cores->nr++] = (struct core){
			.cpu = cpu,
			.package = first_of(in_package, nr_cpus, root, cpu,
					    "core_siblings_list", 0),
			.first = tally_topo_node(topo, (unsigned int)index)
					 ->cpus[0],
			.index = index,
		};
	}
	free(in_core);
	qsort(cores->core, cores->nr, sizeof(struct core), by_place);
	return 0;
}

int cores_count(const struct cores *cores, const char *list, int64_t *nr)
{
	int sum = 0;

	while (*list) {
		unsigned long first, last;

		if (!take_range(&list, &first, &last) || last < first ||
		    (*list && (*list != ',' || !list[1])))
			return -EINVAL;
		if (last >= cores->nr)
			return -ERANGE;
		for (unsigned long i = first; i <= last; i++) {
			nr[cores->core[i].index]++;
			sum++;
		}
		list += *list == ',';
	}
	return sum;
}
