// SPDX-License-Identifier: MIT
/* The cells of the table by process, cgroup or user. */
#include "config.h"

#include <errno.h>

#include "stat/usage/table.h"

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

/* "~9.8M", or "1.5M-9.8M". */
void usage_cell_figure(struct usage_table *t, const struct tally_mem_figure *f,
		       const struct tally_mem_figure *whole,
		       char text[USAGE_CELL])
{
	char plain[USAGE_CELL], lower[USAGE_CELL];

	if (usage_is_open(f, whole)) {
		brief(f->lower_bytes, lower);
		brief(f->upper_bytes, plain);
		snprintf(text, USAGE_CELL, "%.8s-%.8s", lower, plain);
		t->open = true;
		return;
	}
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

void usage_node_add(struct tally_process_node *to,
		    const struct tally_process_node *n)
{
	for (unsigned int k = 0; k < TALLY_NR_MEM; k++)
		figure_add(&to->memory[k], &n->memory[k]);
	figure_add(&to->total, &n->total);
	figure_add(&to->total_own, &n->total_own);
	figure_add(&to->total_common, &n->total_common);
	to->nr_threads += n->nr_threads;
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

/* All nodes, or the sum of those that --nodes selects. */
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

static void put_all_changes(const struct usage_table *t,
			    const struct usage_row *row, char text[USAGE_CELL])
{
	int64_t sum = TALLY_UNKNOWN;

	if (!row->before) {
		/* One that ended is not the one before. */
		snprintf(text, USAGE_CELL,
			 usage_row_error(row) == -ESRCH ? "-" : "new");
		return;
	}
	for (unsigned int i = 0; i < t->u->nr_nodes; i++) {
		int64_t more = usage_change(row, i);

		if (more != TALLY_UNKNOWN)
			sum = usage_add(sum == TALLY_UNKNOWN ? 0 : sum, more);
	}
	if (sum == TALLY_UNKNOWN)
		snprintf(text, USAGE_CELL, "-");
	else
		put_change(sum, text);
}

/* Private or shared memory on the selected nodes. */
static void split(struct usage_table *t, const struct usage_row *row,
		  bool common, char text[USAGE_CELL])
{
	struct tally_mem_figure sum = {.bytes = 0}, whole;
	struct tally_process_node n;

	if (!usage_node(row, -1, &n) || !all_of(t, row, &whole)) {
		snprintf(text, USAGE_CELL, "-");
		return;
	}
	if (!t->u->o->nodes) {
		usage_cell_figure(t, common ? &n.total_common : &n.total_own,
				  &n.total, text);
		return;
	}
	for (unsigned int i = 0; i < t->u->nr_nodes; i++) {
		usage_node(row, t->u->nodes[i], &n);
		figure_add(&sum, common ? &n.total_common : &n.total_own);
	}
	usage_cell_figure(t, &sum, &whole, text);
}

static void put_local(const struct usage_row *row, char text[USAGE_CELL])
{
	const struct tally_mem_figure *local, *remote, *whole;

	if (!row->process && !row->sum) {
		snprintf(text, USAGE_CELL, "-");
		return;
	}
	local = row->process ? &row->process->local : &row->sum->local;
	remote = row->process ? &row->process->remote : &row->sum->remote;
	whole = row->process ? &row->process->all.total : &row->sum->all.total;
	if (usage_is_open(local, whole) ||
	    usage_add(local->bytes, remote->bytes) <= 0) {
		snprintf(text, USAGE_CELL, "-");
		return;
	}
	snprintf(text, USAGE_CELL, "~%.0f%%",
		 100.0 * (double)local->bytes /
			 ((double)local->bytes + (double)remote->bytes));
}

/* Without an account, what the processes have mapped is known. */
static bool put_mapped(struct usage_table *t, const struct usage_row *row,
		       enum usage_charge charge, char text[USAGE_CELL])
{
	static const enum tally_mem_kind kinds[] = {
		[USAGE_ANONYMOUS] = TALLY_MEM_ANONYMOUS,
		[USAGE_FILE] = TALLY_MEM_FILE,
		[USAGE_SHARED] = TALLY_MEM_SHARED,
	};
	struct tally_mem_figure sum = {.bytes = 0}, whole;
	struct tally_process_node n;

	if ((row->group && row->group->values) || charge > USAGE_SHARED ||
	    !row->sum || !all_of(t, row, &whole))
		return false;
	usage_node(row, -1, &n);
	if (!t->u->o->nodes)
		sum = n.memory[kinds[charge]];
	for (unsigned int i = 0; t->u->o->nodes && i < t->u->nr_nodes; i++) {
		usage_node(row, t->u->nodes[i], &n);
		figure_add(&sum, &n.memory[kinds[charge]]);
	}
	usage_cell_figure(t, &sum, &whole, text);
	return true;
}

static void put_charged(struct usage_table *t, const struct usage_row *row,
			enum usage_charge charge, char text[USAGE_CELL])
{
	int64_t sum = TALLY_UNKNOWN;

	if (put_mapped(t, row, charge, text))
		return;

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
	int64_t took = usage_cpu_change(row);

	if (took == TALLY_UNKNOWN || t->u->elapsed_ns <= 0 || !t->u->processes)
		snprintf(text, USAGE_CELL, "-");
	else
		snprintf(text, USAGE_CELL, "%.2f",
			 (double)took / (double)t->u->elapsed_ns);
}

static void put_memory(struct usage_table *t, const struct usage_row *row,
		       const struct usage_column *c, char text[USAGE_CELL])
{
	struct tally_mem_figure f, whole;
	bool known;

	if (!usage_memory(t->u, row, -1, &whole))
		whole = (struct tally_mem_figure){.bytes = 0};
	if (c->what == NODE)
		known = usage_memory(t->u, row, c->node, &f);
	else if (c->what == OTHERS)
		known = others(t, row, &f);
	else
		known = all_of(t, row, &f);
	if (known)
		usage_cell_figure(t, &f, &whole, text);
	else
		snprintf(text, USAGE_CELL, "-");
}

static void put_no_node(struct usage_table *t, const struct usage_row *row,
			char text[USAGE_CELL])
{
	const struct tally_process_node *n =
		row->process ? &row->process->unknown : &row->sum->unknown;
	struct tally_mem_figure whole;

	if (usage_memory(t->u, row, -1, &whole))
		usage_cell_figure(t, &n->total, &whole, text);
	else
		snprintf(text, USAGE_CELL, "-");
}

static void put_identity(const struct usage_table *t,
			 const struct usage_row *row, enum usage_what what,
			 char text[USAGE_CELL])
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
	else if ((!row->process && !row->sum && !t->u->processes) ||
		 (what != PROCESSES && usage_threads(row) == TALLY_UNKNOWN))
		snprintf(text, USAGE_CELL, "-");
	else if (what == PROCESSES)
		snprintf(text, USAGE_CELL, "%u",
			 row->sum ? row->sum->nr_processes : 0);
	else
		snprintf(text, USAGE_CELL, "%jd", (intmax_t)usage_threads(row));
}

void usage_cell(struct usage_table *t, const struct usage_row *row,
		const struct usage_column *c, char text[USAGE_CELL])
{
	switch (c->what) {
	case NO_NODE:
		put_no_node(t, row, text);
		return;
	case CHANGE:
		put_all_changes(t, row, text);
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
		put_known(usage_swap(row), text);
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
		put_identity(t, row, c->what, text);
		return;
	}
}
