/* SPDX-License-Identifier: MIT */
/* Amounts with their bounds, and memory that several processes have mapped. */
#ifndef KERNEL_MEMORY_PARTS_H
#define KERNEL_MEMORY_PARTS_H

#include <stdint.h>

#include <numatally/kernel_memory.h>

/* Beside the kinds of <numatally/kernel_memory.h>: memory of which only the sum over
 * kinds but huge pages is known. */
#define MEM_ANY	     TALLY_NR_MEM
#define MEM_NR_KINDS (TALLY_NR_MEM + 1)

/* An amount of bytes. lower and upper are certain. low2 and high2 are the
 * squares of how far a 95 % interval reaches below and above: independent
 * errors add up by their squares. */
struct mem_amount {
	int64_t bytes;
	int64_t lower;
	int64_t upper;
	double low2;
	double high2;
};

void mem_amount_add(struct mem_amount *to, const struct mem_amount *a);
struct tally_mem_figure mem_amount_figure(const struct mem_amount *a);

/*
 * Bytes of one node that other processes of the tree may have mapped too: in
 * [lo, hi) of a file, or, if anonymous, at these addresses (the pages of a fork
 * keep their address).
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

/* The dev of totals, if nothing else is known of a process. */
#define MEM_DEV_TOTALS UINT32_MAX

struct mem_parts {
	struct mem_part *p;
	unsigned int nr;
	unsigned int cap;
};

int mem_parts_add(struct mem_parts *parts, const struct mem_part *part);
/* Sort the parts, and hand out every byte once. */
void mem_parts_merge(struct mem_parts *parts,
		     void (*each)(void *arg, int node, enum tally_mem_kind kind,
				  const struct mem_amount *amount),
		     void *arg);

#endif
