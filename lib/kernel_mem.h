/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the memory sampler share: the mappings of a process, and
 * amounts with their bounds.
 */
#ifndef KERNEL_MEM_H
#define KERNEL_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/kernel.h>

/* An amount of bytes. lower and upper are sure; low2 and high2 are the squares
 * of how far a 95 % interval reaches below and above, so that independent
 * errors add up as they should. */
struct mem_amount {
	int64_t bytes;
	int64_t lower;
	int64_t upper;
	double low2;
	double high2;
};

void mem_amount_add(struct mem_amount *to, const struct mem_amount *a);
struct tally_mem_figure mem_amount_figure(const struct mem_amount *a);

/* A mapping's line in /proc/PID/maps. */
struct mem_vma {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	uint64_t inode;	 /* 0: no file */
	uint32_t dev;
	bool readable;
	bool shmem;
	bool hugetlb;
};

struct mem_vmas {
	struct mem_vma *v; /* ascending */
	unsigned int nr;
	unsigned int cap;
};

/* The devices of the instances of tmpfs that are mounted. */
struct mem_tmpfs {
	uint32_t *dev;
	unsigned int nr;
};

/* Whether a path is one that the kernel gives to shmem. */
bool mem_path_is_shmem(const char *path);

int mem_tmpfs_read(int proc, struct mem_tmpfs *tmpfs);
int mem_vmas_read(int proc, pid_t pid, const struct mem_tmpfs *tmpfs,
		  struct mem_vmas *vmas);
/* The mapping that holds the address, or NULL. */
const struct mem_vma *mem_vmas_find(const struct mem_vmas *vmas, uint64_t at);

/*
 * Bytes that other processes of the tree may have mapped as well: those of one
 * node in [lo, hi) of a file; or at addresses, where they are anonymous (a
 * fork's pages keep their address).
 */
struct mem_part {
	uint64_t inode;
	uint64_t lo;
	uint64_t hi;
	uint32_t dev;
	unsigned int process;
	int node;
	enum tally_mem_kind kind;
	struct mem_amount amount;
};

/* A dev for the totals of a process of which nothing else is known. */
#define MEM_DEV_TOTALS UINT32_MAX

struct mem_parts {
	struct mem_part *p;
	unsigned int nr;
	unsigned int cap;
};

int mem_parts_add(struct mem_parts *parts, const struct mem_part *part);
/* Hands out every byte once; sorts the parts. */
void mem_parts_merge(struct mem_parts *parts,
		     void (*each)(void *arg, int node, enum tally_mem_kind kind,
				  const struct mem_amount *amount),
		     void *arg);

#endif
