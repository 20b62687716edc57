// SPDX-License-Identifier: MIT
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hwloc.h>

#include "topo_hwloc.h"
#include "topo_sysfs.h"

/* How long hwloc may take over a captured machine; it takes milliseconds. */
#define CHILD_SECONDS 10

/* hwloc's subtypes of nodes, several versions of it, and our words. */
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

static int kind_of(const char *subtype)
{
	for (size_t i = 1; subtype && i < NR_KINDS; i++)
		if (strcmp(kinds[i].subtype, subtype) == 0)
			return (int)i;
	return 0;
}

/*
 * Only what nodes need: no caches, no I/O (which would ask every PCI device
 * and GPU library), and not the x86 part, which would bind this thread to one
 * CPU after the other to ask it for its CPUID.
 */
static int load(hwloc_topology_t *topology)
{
	if (hwloc_topology_init(topology) < 0)
		return -1;
	/* Fails where hwloc was built for another architecture: without it. */
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
	memory->kind = kind_of(node->subtype);
	if (hwloc_memattr_get_best_initiator(topology,
					     HWLOC_MEMATTR_ID_BANDWIDTH, node,
					     0, &initiator, &bandwidth) == 0)
		memory->bandwidth = bandwidth;
}

/*
 * live: an environment may make hwloc describe another machine (from XML, say),
 * which tells nothing about this one.
 */
static int ask_here(bool live, struct topo_memory **memory, unsigned int *nr)
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

static void write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno != EINTR)
			_exit(1);
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
}

/* All signals are blocked: our caller's handlers must not run here. */
static _Noreturn void child(char **environment, int fd)
{
	const struct rlimit cpu = {CHILD_SECONDS, CHILD_SECONDS};
	const struct rlimit core = {0, 0};
	struct rlimit files;
	struct topo_memory *memory;
	unsigned int nr;
	int null;

	signal(SIGABRT, SIG_DFL);
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &core);
	/* Our caller may be at its limit. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Its complaints about the tree are not ours to print. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(1);
	environ = environment;
	if (ask_here(false, &memory, &nr))
		_exit(1);
	write_all(fd, memory, nr * sizeof(*memory));
	_exit(0);
}

/* Reads what the child says up to its end, or until it takes too long: then it
 * is killed. */
static int listen_to(pid_t pid, int fd, struct topo_memory **memory,
		     unsigned int *nr)
{
	size_t size = 0, room = TOPO_IDS / 64 * sizeof(**memory);
	char *data = malloc(room);
	bool ended = false;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (!data) {
		kill(pid, SIGKILL);
		return -ENOMEM;
	}
	while (!ended) {
		int ready = poll(&poll_fd, 1, CHILD_SECONDS * 1000);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0 || size == room)
			break;
		n = read(fd, data + size, room - size);
		if (n < 0 && errno == EINTR)
			continue;
		ended = n <= 0;
		size += ended ? 0 : (size_t)n;
	}
	if (!ended)
		kill(pid, SIGKILL);
	*memory = (struct topo_memory *)data;
	*nr = (unsigned int)(size / sizeof(**memory));
	return 0;
}

static int ask_child(char **environment, struct topo_memory **memory,
		     unsigned int *nr)
{
	sigset_t all, before;
	int fds[2], err;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child(environment, fds[1]);
	err = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return err;
	}
	err = listen_to(pid, fds[0], memory, nr);
	close(fds[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

static int ask_captured(const char *root, struct topo_memory **memory,
			unsigned int *nr)
{
	char *fsroot;
	int err;

	if (asprintf(&fsroot, "HWLOC_FSROOT=%s", root) < 0)
		return -ENOMEM;
	char *environment[] = {
		fsroot,
		(char *)"HWLOC_COMPONENTS=linux,stop",
		NULL,
	};
	err = ask_child(environment, memory, nr);
	free(fsroot);
	/* No more processes to be had: hwloc stays unasked. */
	if (err && !topo_fatal(err)) {
		*memory = NULL;
		*nr = 0;
		err = 0;
	}
	return err;
}

int topo_ask_hwloc(const char *root, struct topo_memory **memory,
		   unsigned int *nr)
{
	return root ? ask_captured(root, memory, nr)
		    : ask_here(true, memory, nr);
}
