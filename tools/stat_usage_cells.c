// SPDX-License-Identifier: MIT
/* The cells of the table by process, cgroup or user. */
#include "config.h"

#include "stat_usage_table.h"

/* ---- numbers --------------------------------------------------------------- */

/* "0", "512", "9.8M", "120G": binary prefixes, three digits at most. */
static void brief(int64_t bytes, char text[USAGE_CELL])
{
	static const char prefixes[] = " KMGTPE";
	double value = (double)bytes;
	const char *p = prefixes;

	while ((value >= 999.5 || value <= -999.5) && p[1]) {
		value /= 1024;
		p++;
	}
	if (p == prefixes)
		snprintf(text, USAGE_CELL, "%d", (int)bytes);
	else if (value < 9.95 && value > -9.95)
		snprintf(text, USAGE_CELL, "%.1f%c", value, *p);
	else
		snprintf(text, USAGE_CELL, "%.0f%c", value, *p);
}

void usage_cell_figure(struct usage_table *t, const struct tally_mem_figure *f,
		       char text[USAGE_CELL])
{
	char plain[USAGE_CELL];

	brief(f->bytes, plain);
	snprintf(text, USAGE_CELL, "%s%.20s", usage_is_exact(f) ? "" : "~",
		 plain);
	t->inexact |= !usage_is_exact(f);
}

static void put_known(int64_t bytes, char text[USAGE_CELL])
{
	if (bytes == TALLY_UNKNOWN)
		snprintf(text, USAGE_CELL, "-");
	else
		brief(bytes, text);
}

static void put_change(int64_t bytes, char text[USAGE_CELL])
{
	char plain[USAGE_CELL];

	brief(bytes, plain);
	snprintf(text, USAGE_CELL, "%s%.20s", bytes > 0 ? "+" : "", plain);
}

/* ---- cells ----------------------------------------------------------------- */

static void figure_add(struct tally_mem_figure *to,
		       const struct tally_mem_figure *f)
{
	to->bytes = usage_add(to->bytes, f->bytes);
	to->lower_bytes = usage_add(to->lower_bytes, f->lower_bytes);
	to->upper_bytes = usage_add(to->upper_bytes, f->upper_bytes);
}

/* The nodes that have no column. */
static bool others(const struct usage_table *t, const struct usage_row *row,
		   struct tally_mem_figure *sum)
{
	struct tally_mem_figure f;
	bool known = false;

	*sum = (struct tally_mem_figure){.bytes = 0};
	for (unsigned int i = 0; i < t->nr; i++) {
		const struct usage_column *c = &t->columns[i];

		if (c->what != NODE || c->shown ||
		    !usage_memory(t->u, row, c->node, &f))
			continue;
		figure_add(sum, &f);
		known = true;
	}
	return known;
}

/* All nodes that are meant; with --nodes their sum. */
static bool all_of(const struct usage_table *t, const struct usage_row *row,
		   struct tally_mem_figure *sum)
{
	struct tally_mem_figure f;
	bool known = false;

	if (!t->u->o->nodes)
		return usage_memory(t->u, row, -1, sum);
	*sum = (struct tally_mem_figure){.bytes = 0};
	for (unsigned int i = 0; i < t->u->nr_nodes; i++)
		if (usage_memory(t->u, row, t->u->nodes[i], &f)) {
			figure_add(sum, &f);
			known = true;
		}
	return known;
}

static int64_t change(const struct usage_table *t, const struct usage_row *row)
{
	int64_t sum = 0;

	for (unsigned int i = 0; i < t->u->nr_nodes; i++)
		sum = usage_add(sum, row->now[i] - row->before->bytes[i]);
	return sum;
}

/* Private, or what others have too, on the nodes that are meant. */
static void split(struct usage_table *t, const struct usage_row *row,
		  bool common, char text[USAGE_CELL])
{
	const struct tally_process_node *n = usage_node(row, -1);
	struct tally_mem_figure sum = {.bytes = 0};

	if (!n) {
		snprintf(text, USAGE_CELL, "-");
		return;
	}
	if (!t->u->o->nodes) {
		usage_cell_figure(t, common ? &n->total_common : &n->total_own,
				  text);
		return;
	}
	for (unsigned int i = 0; i < t->u->nr_nodes; i++) {
		n = usage_node(row, t->u->nodes[i]);
		figure_add(&sum, common ? &n->total_common : &n->total_own);
	}
	usage_cell_figure(t, &sum, text);
}

static void put_local(const struct usage_row *row, char text[USAGE_CELL])
{
	const struct tally_mem_figure *local = NULL, *remote = NULL;

	if (row->process) {
		local = &row->process->local;
		remote = &row->process->remote;
	} else if (row->sum) {
		local = &row->sum->local;
		remote = &row->sum->remote;
	}
	if (!local || usage_add(local->bytes, remote->bytes) <= 0) {
		snprintf(text, USAGE_CELL, "-");
		return;
	}
	snprintf(text, USAGE_CELL, "~%.0f%%",
		 100.0 * (double)local->bytes /
			 ((double)local->bytes + (double)remote->bytes));
}

static void put_charged(struct usage_table *t, const struct usage_row *row,
			enum usage_charge charge, char text[USAGE_CELL])
{
	int64_t sum = TALLY_UNKNOWN;

	if (!t->u->o->nodes) {
		put_known(usage_charged(t->u, row, -1, charge), text);
		return;
	}
	for (unsigned int i = 0; i < t->u->nr_nodes; i++) {
		int64_t bytes =
			usage_charged(t->u, row, t->u->nodes[i], charge);

		if (bytes != TALLY_UNKNOWN)
			sum = sum == TALLY_UNKNOWN ? bytes
						   : usage_add(sum, bytes);
	}
	put_known(sum, text);
}

static void put_cpu(const struct usage_table *t, const struct usage_row *row,
		    char text[USAGE_CELL])
{
	if (!row->before || t->u->elapsed_ns <= 0)
		snprintf(text, USAGE_CELL, "-");
	else
		snprintf(text, USAGE_CELL, "%.2f",
			 (double)(usage_cpu_ns(row) - row->before->cpu_ns) /
				 (double)t->u->elapsed_ns);
}

static void put_memory(struct usage_table *t, const struct usage_row *row,
		       const struct usage_column *c, char text[USAGE_CELL])
{
	struct tally_mem_figure f;
	bool known;

	if (c->what == NODE)
		known = usage_memory(t->u, row, c->node, &f);
	else if (c->what == OTHERS)
		known = others(t, row, &f);
	else
		known = all_of(t, row, &f);
	if (known)
		usage_cell_figure(t, &f, text);
	else
		snprintf(text, USAGE_CELL, "-");
}

static void put_who(const struct usage_table *t, const struct usage_row *row,
		    enum usage_what what, char text[USAGE_CELL])
{
	char user[64];

	if (what == USER)
		snprintf(text, USAGE_CELL, "%.23s",
			 usage_user(t->u,
				    row->process ? row->process->uid
						 : row->sum->uid,
				    user));
	else if (what == NUMBER)
		snprintf(text, USAGE_CELL, "%d", (int)row->process->pid);
	else if (what == PROCESSES)
		snprintf(text, USAGE_CELL, "%u",
			 row->sum ? row->sum->nr_processes : 0);
	else
		snprintf(text, USAGE_CELL, "%u",
			 row->process ? row->process->nr_threads
			 : row->sum   ? row->sum->nr_threads
				      : 0);
}

void usage_cell(struct usage_table *t, const struct usage_row *row,
		const struct usage_column *c, char text[USAGE_CELL])
{
	switch (c->what) {
	case NO_NODE:
		usage_cell_figure(t,
				  row->process ? &row->process->unknown.total
					       : &row->sum->unknown.total,
				  text);
		return;
	case CHANGE:
		if (row->before)
			put_change(change(t, row), text);
		else
			snprintf(text, USAGE_CELL, "new");
		return;
	case PRIVATE:
	case COMMON:
		split(t, row, c->what == COMMON, text);
		return;
	case ANONYMOUS:
	case FILES:
	case SHMEM:
	case KERNEL:
		put_charged(t, row,
			    (enum usage_charge)(c->what - ANONYMOUS +
						USAGE_ANONYMOUS),
			    text);
		return;
	case SWAP:
		if (row->process || row->sum)
			brief(usage_swap(row), text);
		else
			snprintf(text, USAGE_CELL, "-");
		return;
	case LOCAL:
		put_local(row, text);
		return;
	case CPU:
		put_cpu(t, row, text);
		return;
	case NODE:
	case OTHERS:
	case ALL:
		put_memory(t, row, c, text);
		return;
	default:
		put_who(t, row, c->what, text);
		return;
	}
}
