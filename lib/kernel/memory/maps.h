/* SPDX-License-Identifier: MIT */
/* /proc/PID/maps: the mappings of a process. */
#ifndef KERNEL_MEMORY_MAPS_H
#define KERNEL_MEMORY_MAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of /proc/PID/maps: a mapping. */
struct mem_vma {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	uint64_t inode;	 /* 0: no file */
	uint32_t dev;
	bool accessible;
	bool shared;
	bool shmem;
	bool hugetlb;
	/* For a sample of pages: */
	uint64_t first_page; /* the number of pages in mappings before it */
	unsigned int nr_hits;
	unsigned int nr_looked; /* of these: pagemap told whether others have
				   it */
	unsigned int nr_exclusive;
	bool forked; /* another process has some of its pages */
};

struct mem_vmas {
	struct mem_vma *v; /* ascending */
	unsigned int nr;
	unsigned int cap;
};

/* The devices of the mounted instances of tmpfs. */
struct mem_tmpfs {
	uint32_t *dev;
	unsigned int nr;
	unsigned int cap;
	bool live;
};

/* Whether the kernel gives this path to shmem. */
bool mem_path_is_shmem(const char *path);

/* The page size of lines without one, as kernels before 3.14 write them. */
struct tally_numa_maps;
void mem_parser_set_page(struct tally_numa_maps *parser, int64_t bytes);

/* live: proc is this machine's. */
int mem_tmpfs_read(int proc, bool live, struct mem_tmpfs *tmpfs);
int mem_vmas_read(int proc, pid_t pid, const struct mem_tmpfs *tmpfs,
		  struct mem_vmas *vmas);
/* Return the mapping that contains the address, or NULL. */
const struct mem_vma *mem_vmas_find(const struct mem_vmas *vmas, uint64_t at);

#endif
