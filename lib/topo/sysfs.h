/* SPDX-License-Identifier: MIT */
/*
 * Reading the text files and directories of a /sys and /proc tree, this
 * machine's or a captured one. The functions distrust the tree: a number out of
 * bounds, a cut line or a file of another kind is an error, never a wrong
 * answer.
 *
 * They return 0 or -errno. Most errors mean that the file does not tell (it is
 * missing, unreadable or garbage: -EBADMSG), and the caller may look elsewhere.
 * topo_fatal() recognises errors that tell nothing about the file.
 */
#ifndef TOPO_SYSFS_H
#define TOPO_SYSFS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#define TOPO_CPU_DIR  "sys/devices/system/cpu"
#define TOPO_NODE_DIR "sys/devices/system/node"

/* Numbers of CPUs and nodes are below this. Linux itself stops at 8192 CPUs and
 * 1024 nodes. */
#define TOPO_IDS 65536

struct topo_set {
	uint64_t words[TOPO_IDS / 64];
};

static inline bool topo_set_has(const struct topo_set *set, int id)
{
	return id >= 0 && id < TOPO_IDS && set->words[id / 64] >> (id % 64) & 1;
}

static inline void topo_set_add(struct topo_set *set, int id)
{
	set->words[id / 64] |= (uint64_t)1 << (id % 64);
}

static inline void topo_set_remove(struct topo_set *set, int id)
{
	set->words[id / 64] &= ~((uint64_t)1 << (id % 64));
}

/* The smallest member that is at least id, or -1. */
int topo_set_next(const struct topo_set *set, int id);
unsigned int topo_set_count(const struct topo_set *set);

/* id names the loop's own variable, which can't stand in parentheses. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define topo_set_each(set, id)                        \
	for (int id = topo_set_next(set, 0); id >= 0; \
	     id = topo_set_next(set, id + 1))
/* NOLINTEND(bugprone-macro-parentheses) */

/* A tree, and a buffer for one file of it. */
struct topo_tree {
	int fd;
	char text[65536];
};

static inline bool topo_fatal(int err)
{
	return err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

/* Open a tree; root NULL is "/". Errors as of open(2). */
int topo_tree_open(const char *root, struct topo_tree **tree);
void topo_tree_close(struct topo_tree *tree);

#define TOPO_PRINTF(n) __attribute__((format(printf, n, (n) + 1)))

/* Read a file into tree->text, without null bytes at its end. */
int topo_read(struct topo_tree *tree, const char *path, ...) TOPO_PRINTF(2);

/* Parse a list such as "0-3,8"; an empty line is an empty set. */
int topo_read_list(struct topo_tree *tree, struct topo_set *set,
		   const char *path, ...) TOPO_PRINTF(3);

int topo_parse_list(const char *text, struct topo_set *set);

/* Parse a mask such as "00000000,000000f0". */
int topo_read_mask(struct topo_tree *tree, struct topo_set *set,
		   const char *path, ...) TOPO_PRINTF(3);

/* Read the CPUs of a node: its list, or, of an old kernel, its mask. */
int topo_read_cpus(struct topo_tree *tree, struct topo_set *set, int node);

/* Find the CPUs that are online in proc/stat, or proc/cpuinfo. -ENOENT: neither
 * tells. */
int topo_read_proc_cpus(struct topo_tree *tree, struct topo_set *set);

/* Find the numbers N of a directory's entries prefixN. */
int topo_read_names(struct topo_tree *tree, struct topo_set *set,
		    const char *prefix, const char *path, ...) TOPO_PRINTF(4);

/* Find the node that the CPU is linked to. -ENOENT: none, or several. */
int topo_read_link(struct topo_tree *tree, int cpu, int *node);

/* Find the nodes that are memory of NVIDIA's GPUs: proc/driver/nvidia. */
int topo_read_gpus(struct topo_tree *tree, struct topo_set *set);

/* Read the MemTotal of a meminfo file, in bytes. */
int topo_read_memory(struct topo_tree *tree, int64_t *bytes, const char *path,
		     ...) TOPO_PRINTF(3);

/* Read a row of exactly nr distances. */
int topo_read_distances(struct topo_tree *tree, int *row, unsigned int nr,
			const char *path, ...) TOPO_PRINTF(4);

#endif
