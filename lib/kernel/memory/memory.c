// SPDX-License-Identifier: MIT
/* Samples of the memory of a tree of processes, per node, within a budget. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/uncancelled.h"
#include "kernel/memory/read.h"

/* A node's sums in this sample. */
struct sums {
	struct mem_amount all[MEM_NR_KINDS];
};

struct tally_mem {
	struct mem_reader reader;
	struct tally_mem_options o;
	struct sums unknown;
	struct sums *sums; /* in the order of nodes */
	struct tally_mem_node *nodes;
	unsigned int nodes_cap;
	struct tally_mem_result result;
	int err;
	struct mem_budget budget;
	int64_t interval_ns;
	int64_t due_ns;
};

static const char *const kind_names[TALLY_NR_MEM] = {
	[TALLY_MEM_ANONYMOUS] = "anonymous",
	[TALLY_MEM_FILE] = "file",
	[TALLY_MEM_SHARED] = "shared",
	[TALLY_MEM_HUGE] = "huge",
};

const char *tally_kernel_mem_name(enum tally_mem_kind kind)
{
	assert((unsigned int)kind < TALLY_NR_MEM);
	return kind_names[kind];
}

int tally_kernel_mem_create(const char *root,
			    const struct tally_mem_options *options,
			    struct tally_mem **mem)
{
	UNCANCELLED;
	struct tally_mem_options o;
	struct tally_mem *m;
	int err = mem_options_set(options, &o);

	if (err)
		return err;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->o = o;
	m->budget.ppm = o.budget_ppm;
	m->budget.burst_ns = o.burst_ns;
	m->interval_ns = o.first_interval_ns;
	m->result.all.node = -1;
	m->result.unknown.node = -1;
	err = mem_reader_open(root, &o, &m->reader);
	if (err) {
		free(m);
		return err;
	}
	*mem = m;
	return 0;
}

void tally_kernel_mem_destroy(struct tally_mem *m)
{
	UNCANCELLED;

	if (!m)
		return;
	mem_reader_close(&m->reader);
	free(m->sums);
	free(m->nodes);
	free(m);
}

/* ---- sums ---------------------------------------------------------------- */

static int nodes_grow(struct tally_mem *m)
{
	unsigned int cap = m->nodes_cap ? 2 * m->nodes_cap : 8;
	struct tally_mem_node *nodes;
	struct sums *sums;

	nodes = reallocarray(m->nodes, cap, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	m->nodes = nodes;
	m->result.nodes = nodes;
	sums = reallocarray(m->sums, cap, sizeof(*sums));
	if (!sums)
		return -ENOMEM;
	m->sums = sums;
	m->nodes_cap = cap;
	return 0;
}

/* Return the sums of a node; NULL: no memory. */
static struct sums *sums_of(struct tally_mem *m, int node)
{
	unsigned int i, nr = m->result.nr_nodes;

	if (node < 0)
		return &m->unknown;
	for (i = 0; i < nr && m->nodes[i].node < node; i++)
		;
	if (i < nr && m->nodes[i].node == node)
		return &m->sums[i];
	if (nr == m->nodes_cap && nodes_grow(m))
		return NULL;
	memmove(&m->nodes[i + 1], &m->nodes[i], (nr - i) * sizeof(*m->nodes));
	memmove(&m->sums[i + 1], &m->sums[i], (nr - i) * sizeof(*m->sums));
	m->nodes[i] = (struct tally_mem_node){.node = node};
	memset(&m->sums[i], 0, sizeof(m->sums[i]));
	m->result.nr_nodes++;
	return &m->sums[i];
}

static void add_to_node(void *arg, int node, enum tally_mem_kind kind,
			const struct mem_amount *a)
{
	struct tally_mem *m = arg;
	struct sums *s = sums_of(m, node);

	if (s)
		mem_amount_add(&s->all[kind], a);
	else
		m->err = -ENOMEM;
}

static void add_process(struct tally_mem *m, const struct mem_nodes *l)
{
	unsigned int i, k;

	for (i = 0; i <= l->nr; i++) {
		const struct mem_node *n = i < l->nr ? &l->n[i] : &l->unknown;

		for (k = 0; k < MEM_NR_KINDS; k++)
			add_to_node(m, n->node, (enum tally_mem_kind)k,
				    &n->own[k]);
	}
}

/* ---- a sample ------------------------------------------------------------ */

static void figure_set(struct tally_mem_figure *now,
		       struct tally_mem_figure *peak,
		       const struct tally_mem_figure *f)
{
	*now = *f;
	if (now->bytes > peak->bytes)
		*peak = *now;
}

static void node_set(struct tally_mem_node *n, const struct sums *s,
		     struct mem_amount all[MEM_NR_KINDS])
{
	struct mem_amount total = {.bytes = 0};
	struct tally_mem_figure f;
	unsigned int k;

	for (k = 0; k < MEM_NR_KINDS; k++) {
		mem_amount_add(&total, &s->all[k]);
		if (all)
			mem_amount_add(&all[k], &s->all[k]);
		if (k == MEM_ANY)
			continue;
		f = mem_figure_of(s->all, k);
		figure_set(&n->now[k], &n->peak[k], &f);
	}
	f = mem_amount_figure(&total);
	figure_set(&n->now_total, &n->peak_total, &f);
}

static void result_set(struct tally_mem *m)
{
	struct sums all;
	unsigned int i;

	memset(&all, 0, sizeof(all));
	for (i = 0; i < m->result.nr_nodes; i++)
		node_set(&m->nodes[i], &m->sums[i], all.all);
	node_set(&m->result.unknown, &m->unknown, all.all);
	node_set(&m->result.all, &all, NULL);
}

static void schedule(struct tally_mem *m, int64_t begin, int64_t end)
{
	int64_t cost = end > begin ? end - begin : 0;
	int64_t wait = mem_budget_spend(&m->budget, begin, end);

	if (wait < m->interval_ns)
		wait = m->interval_ns;
	m->due_ns = end + wait;
	m->interval_ns = m->interval_ns < m->o.last_interval_ns / 2
				 ? 2 * m->interval_ns
				 : m->o.last_interval_ns;
	m->result.cost_ns += cost;
	m->result.last_cost_ns = cost;
}

static int read_process(struct tally_mem *m, const struct tally_process *p,
			unsigned int index, struct tally_mem_result *r)
{
	unsigned int *const counts[] = {
		[MEM_WALKED] = &r->nr_walked,
		[MEM_SAMPLED] = &r->nr_sampled,
		[MEM_TOTALS] = &r->nr_totals,
		[MEM_REFUSED] = &r->nr_unknown,
	};
	enum mem_way way;
	int err, refused = 0;

	err = mem_reader_read(&m->reader, p, index, &way, &refused);
	if (!m->result.refused)
		m->result.refused = refused;
	if (err)
		return err;
	++*counts[way];
	r->nr_processes++;
	add_process(m, &m->reader.nodes);
	return m->err;
}

static const struct tally_process *row_of(const struct tally_tree *tree,
					  pid_t pid)
{
	unsigned int lo = 0, hi = tally_kernel_tree_nr(tree), end = hi;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (tally_kernel_tree_row(tree, mid)->pid < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < end && tally_kernel_tree_row(tree, lo)->pid == pid
		       ? tally_kernel_tree_row(tree, lo)
		       : NULL;
}

static int sample(struct tally_mem *m, struct tally_tree *tree)
{
	struct tally_mem_result r = {.nr_nodes = 0};
	unsigned int i, nr;
	int err;

	err = tally_kernel_tree_refresh(tree);
	if (err)
		return err;
	m->err = 0;
	for (i = 0; i < m->result.nr_nodes; i++)
		memset(&m->sums[i], 0, sizeof(m->sums[i]));
	memset(&m->unknown, 0, sizeof(m->unknown));
	m->reader.parts.nr = 0;
	nr = tally_kernel_tree_nr(tree);
	for (i = 0; i < nr; i++) {
		const struct tally_process *p = tally_kernel_tree_row(tree, i);

		if (p->state == 'Z' || p->state == 'X' ||
		    mem_is_parents(&m->reader, p, row_of(tree, p->ppid)))
			continue;
		err = read_process(m, p, i, &r);
		if (err == -ENOMEM)
			return err;
		m->result.nr_lost += err != 0;
	}
	mem_parts_merge(&m->reader.parts, add_to_node, m);
	if (m->err)
		return m->err;
	m->result.nr_processes = r.nr_processes;
	m->result.nr_walked = r.nr_walked;
	m->result.nr_sampled = r.nr_sampled;
	m->result.nr_totals = r.nr_totals;
	m->result.nr_unknown = r.nr_unknown;
	m->result.nr_malformed = m->reader.nr_malformed;
	m->result.nr_samples++;
	result_set(m);
	return 0;
}

int tally_kernel_mem_sample(struct tally_mem *m, struct tally_tree *tree)
{
	UNCANCELLED;

	int64_t begin = m->o.clock(m->o.clock_arg);
	int err = sample(m, tree);

	schedule(m, begin, m->o.clock(m->o.clock_arg));
	return err;
}

int64_t tally_kernel_mem_due(const struct tally_mem *m)
{
	return m->due_ns;
}

const struct tally_mem_result *
tally_kernel_mem_result(const struct tally_mem *m)
{
	return &m->result;
}
