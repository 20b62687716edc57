// SPDX-License-Identifier: MIT
/* Where the pages of a ledger are, and why. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/topo.h>

#include "check/internal.h"
#include "common/array.h"

/* The pages of one region. */
struct survey {
	struct check_node *node;
	bool list;
};

static void count_page(struct check_node *node, int on)
{
	for (size_t i = 0; i < node->nr_homes; i++)
		if (node->homes[i].node == on) {
			node->homes[i].pages++;
			return;
		}
	if (array_reserve(node->homes, node->room_homes, node->nr_homes + 1))
		err(EXIT_FAILURE, NULL);
	node->homes[node->nr_homes++] = (struct check_home){on, 1};
}

static void list_page(struct check_node *node, size_t offset, int on)
{
	if (array_reserve(node->strays, node->room_strays, node->nr_strays + 1))
		err(EXIT_FAILURE, NULL);
	node->strays[node->nr_strays++] = (struct check_page){offset, on};
}

static void survey_page(void *arg, size_t offset, int on)
{
	struct survey *survey = arg;

	count_page(survey->node, on);
	if (survey->list && on != survey->node->id)
		list_page(survey->node, offset, on);
}

static int compare_homes(const void *a, const void *b)
{
	const struct check_home *ha = a, *hb = b;

	return (ha->node > hb->node) - (ha->node < hb->node);
}

void check_region(struct check *check, const struct tally_view *view,
		  unsigned int index)
{
	const struct tally_region *region =
		tally_reader_region(check->reader, index);
	struct check_node *node = &check->nodes[index];
	struct survey survey = {node, check->verbose};
	struct tally_placement *sum = &check->sum;

	node->id = tally_view_node(view, index);
	node->bound = region->bound;
	node->placement.size = sizeof(node->placement);
	node->verified = tally_region_verify(region, survey_page, &survey,
					     &node->placement);
	if (node->verified && !node->placement.pages)
		check_problem(check, "node %d: its pages can't be listed: %s",
			      node->id, strerror(-node->verified));
	if (node->nr_homes)
		qsort(node->homes, node->nr_homes, sizeof(*node->homes),
		      compare_homes);
	sum->pages += node->placement.pages;
	sum->placed += node->placement.placed;
	sum->misplaced += node->placement.misplaced;
	sum->unplaced += node->placement.unplaced;
}

/* Why the kernel did not place a region, as far as this is known now. */
static char *explain_bound(const struct tally_topo *topo, int node, int bound)
{
	int index = topo ? tally_topo_index(topo, node) : -1;
	char *why = NULL;

	if (bound == -ENOSYS)
		why = strdup("the kernel has no NUMA support");
	else if (bound == -EPERM || bound == -EACCES)
		why = strdup("placing memory was not permitted (mbind)");
	else if (bound == -EINVAL && topo && index < 0)
		why = strdup("there is no such node now");
	else if (bound == -EINVAL && index >= 0 &&
		 tally_topo_node(topo, (unsigned int)index)->memory_bytes == 0)
		why = strdup("the node has no memory");
	else if (bound == -EINVAL)
		why = strdup("the node had no memory, or was outside its "
			     "maker's cpuset");
	else if (asprintf(&why, "mbind: %s", strerror(-bound)) < 0)
		why = NULL;
	if (!why)
		err(EXIT_FAILURE, NULL);
	return why;
}

static char *explain_verified(int verified)
{
	char *why;

	if (asprintf(&why, "the kernel does not tell where pages are: %s",
		     strerror(-verified)) < 0)
		err(EXIT_FAILURE, NULL);
	return why;
}

void check_explain(struct check *check)
{
	struct tally_topo *topo = NULL;

	if (tally_topo_open(NULL, &topo))
		topo = NULL;
	for (unsigned int n = 0; n < check->nr_nodes; n++) {
		struct check_node *node = &check->nodes[n];

		if (node->bound < 0)
			node->why = explain_bound(topo, node->id, node->bound);
		else if (node->verified && node->placement.pages)
			node->why = explain_verified(node->verified);
	}
	tally_topo_close(topo);
}
