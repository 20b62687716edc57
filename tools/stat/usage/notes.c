// SPDX-License-Identifier: MIT
/* The notes below the table by process, cgroup or user. */
#include "config.h"

#include "stat/usage/table.h"

/* Notes follow an empty line. */
static const char *lead(bool *noted)
{
	const char *text = *noted ? "" : "\n";

	*noted = true;
	return text;
}

static bool has_figure(const struct usage_table *t, const char *name)
{
	return tally_kernel_groups_find_figure(t->u->groups, name) >= 0;
}

static void note_accounts(const struct usage_table *t, bool *noted)
{
	bool all = tally_kernel_groups_version(t->u->groups) == 2 ||
		   has_figure(t, "hierarchical_total") ||
		   has_figure(t, "hierarchical_anon");
	bool lacking = false;

	for (unsigned int i = 0; i < t->u->nr_rows; i++) {
		const struct usage_row *row = &t->u->rows[i];

		lacking |= row->sum && (!row->group || !row->group->values);
	}
	printf("%smemory, anon, file and so on are the kernel's account%s; the "
	       "rest is the sum of processes, with those of cgroups below\n",
	       lead(noted),
	       all ? ", with cgroups below" : " of the cgroup alone");
	if (usage_lacks_size(t->u))
		printf("%san account in pages, whose size no file tells, is "
		       "not known in bytes\n",
		       lead(noted));
	if (lacking)
		printf("%sa cgroup without memory.numa_stat has what processes "
		       "have mapped\n",
		       lead(noted));
}

static void note_bounds(const struct usage_table *t, bool *noted)
{
	const struct usage_row row = {.sum = &t->u->all};
	struct tally_process_node all = t->u->all.all;
	char lower[OUTPUT_NUMBER], upper[OUTPUT_NUMBER];

	if (t->u->o->nodes) {
		all = (struct tally_process_node){.node = -1};
		for (unsigned int i = 0; i < t->u->nr_nodes; i++) {
			struct tally_process_node n;

			usage_node(&row, t->u->nodes[i], &n);
			usage_node_add(&all, &n);
		}
	}
	printf("%s~ pages were sampled, or may be shared: %s to %s in all%s\n",
	       lead(noted), output_bytes(all.total.lower_bytes, lower),
	       output_bytes(all.total.upper_bytes, upper),
	       t->u->o->nodes ? " on these nodes" : "");
}

void usage_notes(const struct usage_table *t)
{
	bool noted = false;

	if (t->u->nr_left)
		printf("%s%u more\n", lead(&noted), t->u->nr_left);
	if (t->charges)
		note_accounts(t, &noted);
	else if (t->u->o->by == STAT_BY_CGROUP)
		printf("%s%sall is the sum of processes, with those of cgroups "
		       "below\n",
		       lead(&noted),
		       t->u->groups ? "no cgroup has memory.numa_stat: " : "");
	if (t->inexact)
		note_bounds(t, &noted);
	if (t->open)
		printf("%s1M-9M: not known, from so much to so much\n",
		       lead(&noted));
	if (t->local)
		printf("%slocal: on nodes where one of its threads ran last\n",
		       lead(&noted));
}
