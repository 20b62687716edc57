// SPDX-License-Identifier: MIT
/*
 * What a capture holds: every file that topo, stat and top open below --root, hwloc's
 * among them that tell of a node's memory. A reader of another file gets a line here;
 * tests/tool/capture.sh has all of them read a capture, and looks what they open.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/internal.h"

#define CPU   "sys/devices/system/cpu"
#define NODE  "sys/devices/system/node"
#define NODES NODE "/node[0-9]*"
#define HUGE  "hugepages/hugepages-*kB"

static const struct file {
	const char *pattern;
	capture_filter filter;
} files[] = {
	/* nodes and CPUs */
	{CPU "/online", NULL},
	{CPU "/possible", NULL},
	{CPU "/cpu[0-9]*", NULL},
	{CPU "/cpu[0-9]*/online", NULL},
	{CPU "/cpu[0-9]*/node[0-9]*", NULL},
	/* Without these hwloc looks no further; old kernels have the second. */
	{CPU "/cpu[0-9]*/topology", NULL},
	{CPU "/cpu[0-9]*/topology/package_cpus", NULL},
	{CPU "/cpu[0-9]*/topology/core_siblings", NULL},
	{NODE "/online", NULL},
	{NODES, NULL},
	{NODES "/cpulist", NULL},
	{NODES "/cpumap", NULL},
	{NODES "/distance", NULL},
	{NODES "/meminfo", NULL},
	{NODES "/numastat", NULL},
	{NODES "/vmstat", NULL},
	{NODES "/hugepages", NULL},
	{NODES "/" HUGE "/nr_hugepages", NULL},
	{NODES "/" HUGE "/free_hugepages", NULL},
	{NODES "/" HUGE "/surplus_hugepages", NULL},
	{"sys/kernel/mm/hugepages", NULL},
	{"sys/kernel/mm/" HUGE "/nr_hugepages", NULL},
	{"sys/kernel/mm/" HUGE "/free_hugepages", NULL},
	{"sys/kernel/mm/" HUGE "/surplus_hugepages", NULL},
	{"sys/kernel/mm/transparent_hugepage/hpage_pmd_size", NULL},
	/* tiers and kinds of memory */
	{"sys/devices/virtual/memory_tiering/memory_tier[0-9]*/nodelist", NULL},
	{NODES "/access[0-9]*/initiators/*", NULL},
	{"sys/bus/dax/devices/*/target_node", NULL},
	{"sys/bus/dax/drivers/kmem/dax*", NULL},
	{"proc/driver/nvidia/gpus/*/numa_status", NULL},
	/* the machine */
	{"proc/cpuinfo", NULL},
	{"proc/loadavg", NULL},
	{"proc/meminfo", NULL},
	{"proc/stat", NULL},
	{"proc/vmstat", NULL},
	{"proc/zoneinfo", NULL},
	{"proc/self/mountinfo", capture_mounts},
	/* of a tree without mountinfo: which version its cgroups are */
	{"sys/fs/cgroup/cgroup.controllers", NULL},
	{"sys/fs/cgroup/memory/cgroup.controllers", NULL},
};

/* Of a process. */
static const struct file process_files[] = {
	{"stat", NULL},
	{"status", capture_status},
	{"cgroup", NULL},
	{"maps", capture_maps},
	{"numa_maps", capture_numa_maps},
	{"task/[0-9]*/stat", NULL},
};

static const struct file arguments = {"cmdline", NULL};

/* Whose files are sought: glob(3) hands nothing else to its function. */
static struct capture *seeker;

/* A directory that can't be read, among others of a process that ended. */
static int refused(const char *path, int error)
{
	capture_refused(seeker, path, error);
	return 0;
}

/* Whether any is found. The caller frees @found then. */
static bool find(struct capture *c, const char *pattern, glob_t *found)
{
	int error;

	seeker = c;
	error = glob(pattern, GLOB_NOSORT, refused, found);
	if (error == GLOB_NOSPACE)
		errx(EXIT_FAILURE, "%s", strerror(ENOMEM));
	return !error;
}

static int pack_all(struct capture *c, const char *pattern,
		    capture_filter filter)
{
	glob_t found;
	int err = 0;

	if (!find(c, pattern, &found))
		return 0;
	for (size_t i = 0; !err && i < found.gl_pathc; i++)
		err = capture_pack(c, found.gl_pathv[i], filter);
	globfree(&found);
	return err;
}

static int pack_of(struct capture *c, const char *process, const struct file *f)
{
	char pattern[PATH_MAX];

	snprintf(pattern, sizeof(pattern), "%s/%s", process, f->pattern);
	return pack_all(c, pattern, f->filter);
}

/* One process after the other: one that starts meanwhile has no file, and not all
 * but the first. */
static int pack_processes(struct capture *c)
{
	glob_t found;
	int err = 0;

	if (!find(c, "proc/[0-9]*", &found))
		return 0;
	for (size_t i = 0; !err && i < found.gl_pathc; i++) {
		const char *process = found.gl_pathv[i];

		for (size_t f = 0;
		     !err && f < sizeof(process_files) / sizeof(*process_files);
		     f++)
			err = pack_of(c, process, &process_files[f]);
		if (!err && c->arguments)
			err = pack_of(c, process, &arguments);
	}
	globfree(&found);
	return err;
}

int capture_files(struct capture *c)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(files) / sizeof(*files); i++)
		err = pack_all(c, files[i].pattern, files[i].filter);
	if (!err)
		err = pack_processes(c);
	if (!err)
		err = capture_groups(c);
	if (!err && c->users)
		err = capture_users(c);
	return err;
}
