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
	bool accessible;
	bool shared;
	bool shmem;
	bool hugetlb;
	/* For a sample of pages: */
	uint64_t first_page; /* how many there are in mappings before it */
	unsigned int nr_hits;
	bool forked; /* another process has some of its pages */
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
	bool live;
};

/* Whether a path is one that the kernel gives to shmem. */
bool mem_path_is_shmem(const char *path);

/* live: proc is that of this machine. */
int mem_tmpfs_read(int proc, bool live, struct mem_tmpfs *tmpfs);
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

/* A resident page of a sample. */
struct mem_hit {
	uint64_t address;
	unsigned int vma;
	int node;
	enum tally_mem_kind kind;
	bool exclusive; /* no other process has it mapped */
};

struct mem_hits {
	struct mem_hit *h;
	unsigned int nr;
	unsigned int cap;
};

/*
 * Fills hits with resident pages of a process, which has about so many.
 *
 * -EAGAIN	too few of the pages drawn were resident
 * -ESRCH	it ended
 * other	as open(2) of its pagemap, and move_pages(2), say
 */
int mem_pages_draw(int proc, pid_t pid, struct mem_vmas *vmas,
		   uint64_t resident, uint64_t *seed, struct mem_hits *hits);

/* Draws resident pages of a mapping, and counts those that no other process
 * has. False: too few were resident, or pagemap couldn't be read. */
bool mem_pages_exclusive(int pagemap, const struct mem_vma *vma, uint64_t *seed,
			 unsigned int *exclusive, unsigned int *of);

/* Orders hits by kind and node, first those of nobody else, then others by
 * mapping; and the length of the group that begins at first. */
void mem_hits_sort(struct mem_hits *hits);
unsigned int mem_hits_group(const struct mem_hits *hits, unsigned int first);

/* What nr hits of so many stand for, of this total. */
struct mem_amount mem_share(int64_t total, unsigned int nr, unsigned int of);

/* ---- the sampler ---------------------------------------------------------- */

/* A node's sums in this sample; and those of the process that is being read,
 * which count only once it has been read to the end. */
struct mem_sums {
	struct mem_amount all[TALLY_NR_MEM];
	struct mem_amount own[TALLY_NR_MEM];
};

struct tally_mem {
	int proc;
	bool live; /* /proc is this machine's, not a captured one */
	struct tally_mem_options o;
	struct tally_numa_maps *parser;
	struct mem_tmpfs tmpfs;
	struct mem_vmas vmas;
	struct mem_parts parts;
	struct mem_hits hits;
	uint64_t seed;
	struct mem_sums unknown;
	struct mem_sums *sums; /* beside nodes */
	struct tally_mem_node *nodes;
	unsigned int nodes_cap;
	struct tally_mem_result result;
	/* The process that is being read. */
	const struct tally_process *process;
	unsigned int index;
	unsigned int nr_lines;
	int pagemap; /* -1: not opened yet */
	int err;
	/* The budget. */
	bool started;
	int64_t debt_ns;
	int64_t last_ns;
	int64_t interval_ns;
	int64_t due_ns;
};

/* Adds what no other process has. These leave an error in err. */
void mem_add_own(struct tally_mem *m, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a);
/* Adds what other processes may have as well: in general; or pages of a
 * mapping (NULL: not known which) that begins at start. */
void mem_add_part(struct tally_mem *m, const struct mem_part *part);
void mem_add_mapped(struct tally_mem *m, uint64_t start,
		    const struct mem_vma *vma, enum tally_mem_kind kind,
		    int node, const struct mem_amount *a);

/*
 * Reads the process that is being read: every line of its numa_maps.
 *
 * -ESRCH	it ended
 * -ENOENT	it ended, or the kernel knows no NUMA
 * -ENOMEM	no memory
 * other	as open(2), read(2) say
 */
int mem_walk(struct tally_mem *m);
void mem_walk_line(void *arg, const struct tally_mapping *map);

/* Reads its totals, as if all of it were on one node (-1: on no known one).
 * Errors as above. */
int mem_totals(struct tally_mem *m, int node);

/* Reads its totals, and a sample of its pages. Errors as mem_pages_draw(). */
int mem_sample_pages(struct tally_mem *m);

#endif
