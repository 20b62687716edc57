// SPDX-License-Identifier: MIT
/* Samples of the memory of a tree of processes, per node, within a budget. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel_mem.h"
#include "procfs.h"

#define PPM 1000000

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

static int64_t monotonic(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int tally_kernel_mem_create(const char *root,
			    const struct tally_mem_options *options,
			    struct tally_mem **mem)
{
	struct tally_mem_options o = {.budget_ppm = 0};
	struct tally_mem *m;
	int err;

	if (options)
		o = *options;
	if (o.budget_ppm > PPM || o.burst_ns < 0 || o.first_interval_ns < 0 ||
	    o.last_interval_ns < 0 || o.large_bytes < 0)
		return -EINVAL;
	o.budget_ppm = o.budget_ppm ? o.budget_ppm : 5000;
	o.burst_ns = o.burst_ns ? o.burst_ns : 1000000;
	if (!o.first_interval_ns)
		o.first_interval_ns = 1000000;
	if (!o.last_interval_ns)
		o.last_interval_ns = 500000000;
	o.large_bytes = o.large_bytes ? o.large_bytes : 256 << 20;
	o.nr_pages = o.nr_pages ? o.nr_pages : 2048;
	o.clock = o.clock ? o.clock : monotonic;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->o = o;
	m->live = !root;
	m->seed = o.seed;
	m->interval_ns = o.first_interval_ns;
	m->result.all.node = -1;
	m->result.unknown.node = -1;
	m->pagemap = -1;
	m->proc = procfs_open(root);
	err = m->proc < 0 ? m->proc
			  : mem_tmpfs_read(m->proc, m->live, &m->tmpfs);
	if (!err)
		err = tally_kernel_numa_maps_create(mem_walk_line, m,
						    &m->parser);
	if (err) {
		tally_kernel_mem_destroy(m);
		return err;
	}
	*mem = m;
	return 0;
}

void tally_kernel_mem_destroy(struct tally_mem *m)
{
	if (!m)
		return;
	if (m->proc >= 0)
		close(m->proc);
	tally_kernel_numa_maps_destroy(m->parser);
	free(m->tmpfs.dev);
	free(m->vmas.v);
	free(m->parts.p);
	free(m->hits.h);
	free(m->sums);
	free(m->nodes);
	free(m);
}

/* ---- sums ----------------------------------------------------------------- */

static int nodes_grow(struct tally_mem *m)
{
	unsigned int cap = m->nodes_cap ? 2 * m->nodes_cap : 8;
	struct tally_mem_node *nodes;
	struct mem_sums *sums;

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

/* The sums of a node; NULL: no memory. */
static struct mem_sums *sums_of(struct tally_mem *m, int node)
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

void mem_add_own(struct tally_mem *m, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a)
{
	struct mem_sums *s = sums_of(m, node);

	if (s)
		mem_amount_add(&s->own[kind], a);
	else
		m->err = -ENOMEM;
}

void mem_add_part(struct tally_mem *m, const struct mem_part *part)
{
	int err;

	if (!part->amount.upper)
		return;
	err = mem_parts_add(&m->parts, part);
	if (err)
		m->err = err;
}

static void add_merged(void *arg, int node, enum tally_mem_kind kind,
		       const struct mem_amount *a)
{
	struct tally_mem *m = arg;
	struct mem_sums *s = sums_of(m, node);

	if (s)
		mem_amount_add(&s->all[kind], a);
	else
		m->err = -ENOMEM;
}

static void own_end(struct mem_sums *s, bool keep)
{
	unsigned int k;

	for (k = 0; keep && k < TALLY_NR_MEM; k++)
		mem_amount_add(&s->all[k], &s->own[k]);
	memset(s->own, 0, sizeof(s->own));
}

/* Ends a process: what was read of it counts, or none of it. */
static void process_end(struct tally_mem *m, bool keep, unsigned int nr_parts)
{
	unsigned int i;

	for (i = 0; i < m->result.nr_nodes; i++)
		own_end(&m->sums[i], keep);
	own_end(&m->unknown, keep);
	if (!keep)
		m->parts.nr = nr_parts;
}

void mem_add_mapped(struct tally_mem *m, uint64_t start,
		    const struct mem_vma *vma, enum tally_mem_kind kind,
		    int node, const struct mem_amount *a)
{
	struct mem_part part = {
		.process = m->index, .node = node, .kind = kind, .amount = *a};

	if (kind == TALLY_MEM_ANONYMOUS || !vma || !vma->inode) {
		part.lo = start;
		part.hi = vma ? vma->end : start + 1;
	} else {
		part.dev = vma->dev;
		part.inode = vma->inode;
		part.lo = vma->offset;
		part.hi = vma->offset + (vma->end - vma->start);
	}
	mem_add_part(m, &part);
}

/* ---- a sample ------------------------------------------------------------- */

static int read_process(struct tally_mem *m, struct tally_mem_result *r)
{
	unsigned int nr_parts = m->parts.nr;
	int err;

	if (m->live && m->process->rss_bytes > m->o.large_bytes) {
		err = mem_sample_pages(m);
		if (!err)
			r->nr_sampled++;
		/* Where pages can't be sampled, a walk may do. */
		if (!err || err == -ESRCH || err == -ENOMEM)
			return err;
	}
	err = mem_walk(m);
	if (!err) {
		r->nr_walked++;
	} else if (err == -ENOENT) {
		/* Gone, or a kernel without NUMA: then its status is there. */
		err = mem_totals(m, 0);
		if (!err)
			r->nr_totals++;
	} else if (err != -ESRCH && err != -ENOMEM) {
		if (!m->result.refused)
			m->result.refused = err;
		process_end(m, false, nr_parts);
		err = mem_totals(m, -1);
		if (!err)
			r->nr_unknown++;
	}
	return err;
}

static void figure_set(struct tally_mem_figure *now,
		       struct tally_mem_figure *peak,
		       const struct mem_amount *a)
{
	*now = mem_amount_figure(a);
	if (now->bytes > peak->bytes)
		*peak = *now;
}

static void node_set(struct tally_mem_node *n, const struct mem_sums *s,
		     struct mem_amount all[TALLY_NR_MEM])
{
	struct mem_amount total = {.bytes = 0};
	unsigned int k;

	for (k = 0; k < TALLY_NR_MEM; k++) {
		figure_set(&n->now[k], &n->peak[k], &s->all[k]);
		mem_amount_add(&total, &s->all[k]);
		if (all)
			mem_amount_add(&all[k], &s->all[k]);
	}
	figure_set(&n->now_total, &n->peak_total, &total);
}

static void result_set(struct tally_mem *m)
{
	struct mem_sums all;
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
	int64_t paid = 0, wait;
	__int128 t;

	if (m->started && end > m->last_ns)
		paid = (int64_t)((__int128)(end - m->last_ns) *
				 m->o.budget_ppm / PPM);
	m->started = true;
	m->last_ns = end;
	m->debt_ns = (m->debt_ns > paid ? m->debt_ns - paid : 0) + cost;
	t = (__int128)(m->debt_ns - m->o.burst_ns) * PPM / m->o.budget_ppm;
	wait = t > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)t;
	if (wait < m->interval_ns)
		wait = m->interval_ns;
	m->due_ns = end + wait;
	m->interval_ns = m->interval_ns < m->o.last_interval_ns / 2
				 ? 2 * m->interval_ns
				 : m->o.last_interval_ns;
	m->result.cost_ns += cost;
	m->result.last_cost_ns = cost;
}

static int sample(struct tally_mem *m, struct tally_tree *tree)
{
	struct tally_mem_result r = {.nr_nodes = 0};
	const struct tally_process *p;
	unsigned int i, nr, nr_parts;
	int err;

	err = tally_kernel_tree_refresh(tree);
	if (err)
		return err;
	for (i = 0; i < m->result.nr_nodes; i++)
		memset(&m->sums[i], 0, sizeof(m->sums[i]));
	memset(&m->unknown, 0, sizeof(m->unknown));
	m->parts.nr = 0;
	p = tally_kernel_tree_processes(tree, &nr);
	for (i = 0; i < nr; i++) {
		if (p[i].state == 'Z' || p[i].state == 'X')
			continue;
		m->process = &p[i];
		m->index = i;
		nr_parts = m->parts.nr;
		err = read_process(m, &r);
		process_end(m, !err, nr_parts);
		if (err == -ENOMEM)
			return err;
		r.nr_processes += !err;
		m->result.nr_lost += err != 0;
	}
	m->err = 0;
	mem_parts_merge(&m->parts, add_merged, m);
	if (m->err)
		return m->err;
	m->result.nr_processes = r.nr_processes;
	m->result.nr_walked = r.nr_walked;
	m->result.nr_sampled = r.nr_sampled;
	m->result.nr_totals = r.nr_totals;
	m->result.nr_unknown = r.nr_unknown;
	m->result.nr_samples++;
	result_set(m);
	return 0;
}

int tally_kernel_mem_sample(struct tally_mem *m, struct tally_tree *tree)
{
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
