/* SPDX-License-Identifier: MIT */
/* What a grant of Slurm's is on each NUMA node. */
#ifndef NUMATALLY_SLURM_DEMAND_H
#define NUMATALLY_SLURM_DEMAND_H

#include "slurm/book.h"

/* Of the nodes of the topology; the owner frees all three. */
struct demand {
	struct tally_demand *list;
	unsigned int nr;
	int64_t *cores; /* as Slurm gave them, by node */
	bool *on;	/* the nodes whose cores are asked for */
};

/* Whose reservation is drawn from. */
struct parent {
	struct tally_account account;
	struct tally_token token;
};

/*
 * Make the demands of @grant, on the nodes where @parent has cores, and of these
 * on those that its user wishes. @parent NULL: on all nodes. On an error, too,
 * cores and on are set if Slurm's list makes sense; demand_free() takes what was
 * not made.
 *
 * -ERANGE	Slurm counts more cores than the machine has
 * -ENODEV	Slurm gave no cores of the nodes that the user wishes
 * -EXDEV	the policy that the user wishes refuses it
 */
int demand_make(struct book *book, const struct grant *grant,
		const struct parent *parent, struct demand *demand);
void demand_free(struct demand *demand);

#endif
