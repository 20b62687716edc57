// SPDX-License-Identifier: MIT
/*
 * A machine that hwloc's XML or its synthetic description describes. A child
 * process asks hwloc, and answers with numbers:
 *
 *	nr_nodes, has_distances, name_bytes
 *	name_bytes characters, one a number
 *	for each node: id, kind, bandwidth, memory_bytes, nr_cpus, its CPUs
 *	if has_distances: nr_nodes rows of nr_nodes
 *	how many CPUs are on none of the nodes, and these
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hwloc.h>

#include "base/uncancelled.h"
#include "topo/child.h"
#include "topo/hwloc.h"
#include "topo/internal.h"
#include "topo/memory.h"
#include "topo/sysfs.h"

#define MAX_XML	 ((off_t)64 << 20)
#define MAX_NAME 256

/* ---- the child ----------------------------------------------------------- */

struct input {
	const char *text;
	int size; /* of XML; 0: text is synthetic */
};

/* Narrow nodes first, of those the ones with low numbers: the first that has a
 * CPU is its node. */
static int compare_nodes(const void *a, const void *b)
{
	const struct hwloc_obj *x = *(const struct hwloc_obj *const *)a;
	const struct hwloc_obj *y = *(const struct hwloc_obj *const *)b;
	int by =
		hwloc_bitmap_weight(x->cpuset) - hwloc_bitmap_weight(y->cpuset);

	return by ? by : x->os_index < y->os_index ? -1 : 1;
}

static int compare_ids(const void *a, const void *b)
{
	const struct hwloc_obj *x = *(const struct hwloc_obj *const *)a;
	const struct hwloc_obj *y = *(const struct hwloc_obj *const *)b;

	return x->os_index < y->os_index ? -1 : 1;
}

static void put(int fd, int64_t number)
{
	topo_child_write(fd, &number, sizeof(number));
}

static hwloc_topology_t load(const struct input *input)
{
	hwloc_topology_t t;

	if (hwloc_topology_init(&t) < 0 ||
	    hwloc_topology_set_flags(
		    t, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) < 0 ||
	    (input->size
		     ? hwloc_topology_set_xmlbuffer(t, input->text, input->size)
		     : hwloc_topology_set_synthetic(t, input->text)) < 0 ||
	    hwloc_topology_load(t) < 0)
		_exit(1);
	return t;
}

static void put_name(int fd, hwloc_topology_t t)
{
	const char *name =
		hwloc_obj_get_info_by_name(hwloc_get_root_obj(t), "HostName");
	size_t len = name ? strnlen(name, MAX_NAME) : 0;

	put(fd, (int64_t)len);
	for (size_t i = 0; i < len; i++)
		put(fd, name[i]);
}

static void put_cpus(int fd, hwloc_const_bitmap_t cpus)
{
	put(fd, hwloc_bitmap_weight(cpus));
	for (int cpu = hwloc_bitmap_first(cpus); cpu >= 0;
	     cpu = hwloc_bitmap_next(cpus, cpu))
		put(fd, cpu);
}

static void put_node(int fd, hwloc_topology_t t, hwloc_obj_t node)
{
	struct hwloc_location initiator;
	hwloc_uint64_t bandwidth = 0;

	hwloc_memattr_get_best_initiator(t, HWLOC_MEMATTR_ID_BANDWIDTH, node, 0,
					 &initiator, &bandwidth);
	put(fd, node->os_index);
	put(fd, topo_kind_of(node->subtype));
	put(fd, (int64_t)(bandwidth & INT64_MAX));
	put(fd, (int64_t)(node->attr->numanode.local_memory & INT64_MAX));
	put_cpus(fd, node->userdata);
}

static hwloc_uint64_t distance(const struct hwloc_distances_s *d,
			       hwloc_obj_t from, hwloc_obj_t to)
{
	hwloc_uint64_t there, back;

	return hwloc_distances_obj_pair_values((struct hwloc_distances_s *)d,
					       from, to, &there, &back) < 0
		       ? 0
		       : there;
}

static void work(void *arg, int fd)
{
	unsigned int kind = HWLOC_DISTANCES_KIND_FROM_OS |
			    HWLOC_DISTANCES_KIND_MEANS_LATENCY;
	hwloc_topology_t t = load(arg);
	int n = hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE);
	size_t nr = n < 0 ? 0 : (size_t)n;
	hwloc_obj_t *nodes = calloc(nr + 1, sizeof(hwloc_obj_t));
	hwloc_bitmap_t left =
		hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(t));
	struct hwloc_distances_s *d = NULL;
	unsigned int nr_matrices = 1;

	if (!nodes || !left ||
	    hwloc_distances_get_by_type(t, HWLOC_OBJ_NUMANODE, &nr_matrices, &d,
					kind, 0) < 0)
		_exit(1);
	for (unsigned int i = 0; i < nr; i++)
		nodes[i] = hwloc_get_obj_by_type(t, HWLOC_OBJ_NUMANODE, i);
	qsort(nodes, nr, sizeof(hwloc_obj_t), compare_nodes);
	for (unsigned int i = 0; i < nr; i++) {
		hwloc_bitmap_t own = hwloc_bitmap_alloc();

		if (!own || hwloc_bitmap_and(own, nodes[i]->cpuset, left) < 0 ||
		    hwloc_bitmap_andnot(left, left, own) < 0)
			_exit(1);
		nodes[i]->userdata = own;
	}
	qsort(nodes, nr, sizeof(hwloc_obj_t), compare_ids);
	put(fd, (int64_t)nr);
	put(fd, nr_matrices > 0);
	put_name(fd, t);
	for (unsigned int i = 0; i < nr; i++)
		put_node(fd, t, nodes[i]);
	for (unsigned int i = 0; nr_matrices && i < nr; i++)
		for (unsigned int j = 0; j < nr; j++)
			put(fd, (int64_t)(distance(d, nodes[i], nodes[j]) &
					  INT64_MAX));
	put_cpus(fd, left);
}

/* ---- the answer ---------------------------------------------------------- */

struct answer {
	const int64_t *next;
	size_t left;
	bool bad;
};

/* A number of that range; anything else spoils the answer. */
static int64_t take(struct answer *a, int64_t min, int64_t max)
{
	if (a->bad || !a->left || *a->next < min || *a->next > max) {
		a->bad = true;
		return min;
	}
	a->left--;
	return *a->next++;
}

static void take_name(struct answer *a, char name[MAX_NAME + 1])
{
	int64_t len = take(a, 0, MAX_NAME);

	for (int64_t i = 0; i < len; i++)
		name[i] = (char)take(a, INT8_MIN, INT8_MAX);
	name[a->bad ? 0 : len] = '\0';
}

/* cpus has room for what is left of the answer. */
static int *take_node(struct answer *a, struct tally_node *node,
		      uint64_t *bandwidth, int *cpus)
{
	node->size = sizeof(*node);
	node->id = (int)take(a, 0, TOPO_IDS - 1);
	node->tier = -1;
	node->memory = topo_kind_name((int)take(a, 0, INT8_MAX));
	*bandwidth = (uint64_t)take(a, 0, INT64_MAX);
	node->memory_bytes = take(a, 0, INT64_MAX);
	node->nr_cpus = (unsigned int)take(a, 0, TOPO_IDS);
	node->cpus = cpus;
	for (unsigned int i = 0; i < node->nr_cpus && !a->bad; i++)
		*cpus++ = (int)take(a, 0, TOPO_IDS - 1);
	return cpus;
}

/* A matrix with a distance that is none means nothing. */
static int *take_distances(struct answer *a, struct tally_node *nodes,
			   unsigned int nr, int *distances)
{
	bool known = true;

	for (size_t i = 0; i < (size_t)nr * nr && !a->bad; i++) {
		int64_t d = take(a, 0, INT64_MAX);

		known &= d > 0 && d <= TOPO_IDS;
		distances[i] = (int)(d & INT32_MAX);
	}
	for (unsigned int i = 0; known && i < nr; i++)
		nodes[i].distances = distances + (size_t)i * nr;
	return a->bad ? distances : distances + (size_t)nr * nr;
}

/* hwloc drops nodes without memory of a file that an old one wrote: their CPUs
 * are the machine's all the same. */
static int add_strays(struct tally_topo *topo, const int *cpus, unsigned int nr)
{
	unsigned int nr_cpus = topo->nr_cpus;
	int *nodes;
	bool *online;

	if (!nr)
		return 0;
	for (unsigned int i = 0; i < nr; i++)
		if ((unsigned int)cpus[i] >= nr_cpus)
			nr_cpus = (unsigned int)cpus[i] + 1;
	nodes = reallocarray(topo->cpu_nodes, nr_cpus, sizeof(*nodes));
	if (nodes)
		topo->cpu_nodes = nodes;
	online = reallocarray(topo->cpus_online, nr_cpus, sizeof(*online));
	if (online)
		topo->cpus_online = online;
	if (!nodes || !online)
		return -ENOMEM;
	for (; topo->nr_cpus < nr_cpus; topo->nr_cpus++) {
		nodes[topo->nr_cpus] = -ENOENT;
		online[topo->nr_cpus] = false;
	}
	for (unsigned int i = 0; i < nr; i++)
		online[cpus[i]] = true;
	return 0;
}

static int create(const struct tally_machine *machine, const int *strays,
		  unsigned int nr_strays, struct tally_topo **topo)
{
	struct tally_topo *made;
	int err = tally_topo_create(machine, 1, &made);

	if (err)
		return err;
	err = add_strays(made, strays, nr_strays);
	if (err)
		tally_topo_close(made);
	else
		*topo = made;
	return err;
}

static int answer_read(struct answer *a, struct tally_topo **topo)
{
	unsigned int nr = (unsigned int)take(a, 1, TOPO_IDS);
	bool has_distances = take(a, 0, 1);
	struct tally_node *nodes = calloc(nr, sizeof(*nodes));
	uint64_t *bandwidths = calloc(nr, sizeof(*bandwidths));
	int *numbers = calloc(a->left + 1, sizeof(*numbers)), *end = numbers;
	unsigned int nr_strays = 0;
	char name[MAX_NAME + 1];
	struct tally_machine machine = {
		.size = sizeof(machine),
		.name = name,
		.nodes = nodes,
		.nr_nodes = nr,
	};
	int err = nodes && bandwidths && numbers ? 0 : -ENOMEM;

	if (!err) {
		take_name(a, name);
		if (!*name)
			machine.name = NULL;
		for (unsigned int i = 0; i < nr && !a->bad; i++)
			end = take_node(a, &nodes[i], &bandwidths[i], end);
		if (has_distances && !a->bad)
			end = take_distances(a, nodes, nr, end);
		nr_strays = (unsigned int)take(a, 0, TOPO_IDS);
		for (unsigned int i = 0; i < nr_strays && !a->bad; i++)
			end[i] = (int)take(a, 0, TOPO_IDS - 1);
		if (a->bad || a->left)
			err = -EINVAL;
	}
	if (!err) {
		topo_rank_by_bandwidth(nodes, nr, bandwidths);
		err = create(&machine, end, nr_strays, topo);
	}
	free(nodes);
	free(bandwidths);
	free(numbers);
	return err;
}

/* -EINVAL: hwloc cannot read the input, or makes no machine of it. */
static int input_open(const struct input *input, struct tally_topo **topo)
{
	char *environment[] = {NULL};
	struct answer a = {0};
	void *data;
	size_t size;
	int err =
		topo_child_run(environment, work, (void *)input, &data, &size);

	if (err)
		return err == -EBADMSG || err == -EFBIG ? -EINVAL : err;
	a.next = data;
	a.left = size / sizeof(*a.next);
	err = answer_read(&a, topo);
	free(data);
	return err;
}

/* ---- the inputs ---------------------------------------------------------- */

int tally_topo_open_synthetic(const char *text, struct tally_topo **topo)
{
	UNCANCELLED;
	struct input input = {.text = text};

	return input_open(&input, topo);
}

/* Read a regular file, with a null byte behind it. */
static int read_xml(int fd, char **text, int *size)
{
	struct stat st;
	size_t len = 0;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -ENXIO;
	if (st.st_size > MAX_XML)
		return -EFBIG;
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	while (len < (size_t)st.st_size && n) {
		n = read(fd, *text + len, (size_t)st.st_size - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? (size_t)n : 0;
	}
	(*text)[len] = '\0';
	*size = (int)len + 1;
	return len ? 0 : -EBADMSG;
}

int tally_topo_open_xml(const char *path, struct tally_topo **topo)
{
	UNCANCELLED;
	struct input input = {0};
	char *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int err;

	if (fd < 0)
		return -errno;
	err = read_xml(fd, &text, &input.size);
	close(fd);
	input.text = text;
	if (!err)
		err = input_open(&input, topo);
	free(text);
	return err == -EINVAL ? -EBADMSG : err;
}
