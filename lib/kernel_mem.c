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
	struct mem_sums unknown;
	struct mem_sums *sums; /* beside nodes */
	struct tally_mem_node *nodes;
	unsigned int nodes_cap;
	struct tally_mem_result result;
	/* The process that is being read. */
	const struct tally_process *process;
	unsigned int index;
	unsigned int nr_lines;
	int err;
	/* The budget. */
	bool started;
	int64_t debt_ns;
	int64_t last_ns;
	int64_t interval_ns;
	int64_t due_ns;
};

static int64_t monotonic(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void walk_line(void *arg, const struct tally_mapping *map);

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
	o.budget_ppm = o.budget_ppm ? o.budget_ppm : 10000;
	o.burst_ns = o.burst_ns ? o.burst_ns : 1000000;
	if (!o.first_interval_ns)
		o.first_interval_ns = 1000000;
	if (!o.last_interval_ns)
		o.last_interval_ns = 500000000;
	o.large_bytes = o.large_bytes ? o.large_bytes : 256 << 20;
	o.nr_pages = o.nr_pages ? o.nr_pages : 4096;
	o.clock = o.clock ? o.clock : monotonic;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->o = o;
	m->live = !root;
	m->interval_ns = o.first_interval_ns;
	m->result.all.node = -1;
	m->result.unknown.node = -1;
	m->proc = procfs_open(root);
	err = m->proc < 0 ? m->proc : mem_tmpfs_read(m->proc, &m->tmpfs);
	if (!err)
		err = tally_kernel_numa_maps_create(walk_line, m, &m->parser);
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

/* Adds what no other process has. */
static void add_own(struct tally_mem *m, int node, enum tally_mem_kind kind,
		    const struct mem_amount *a)
{
	struct mem_sums *s = sums_of(m, node);

	if (s)
		mem_amount_add(&s->own[kind], a);
	else
		m->err = -ENOMEM;
}

/* Adds what other processes may have as well. */
static void add_part(struct tally_mem *m, const struct mem_part *part)
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

/* ---- a process from its numa_maps ----------------------------------------- */

static void walk_add(struct tally_mem *m, const struct tally_mapping *map,
		     const struct mem_vma *vma, enum tally_mem_kind kind,
		     int node, const struct mem_amount *a)
{
	struct mem_part part = {
		.process = m->index, .node = node, .kind = kind, .amount = *a};

	if (map->nr_mappers <= 1) {
		add_own(m, node, kind, a);
		return;
	}
	if (kind == TALLY_MEM_ANONYMOUS || !vma || !vma->inode) {
		part.lo = map->start;
		part.hi = vma ? vma->end : map->start + 1;
	} else {
		part.dev = vma->dev;
		part.inode = vma->inode;
		part.lo = vma->offset;
		part.hi = vma->offset + (vma->end - vma->start);
	}
	add_part(m, &part);
}

/* numa_maps says how many of a mapping's pages are anonymous, and how many
 * pages are on each node, but not both at once. */
static void walk_node(struct tally_mem *m, const struct tally_mapping *map,
		      const struct mem_vma *vma, enum tally_mem_kind kind,
		      unsigned int i, uint64_t before)
{
	const struct tally_node_pages *n = &map->nodes[i];
	uint64_t anon = map->nr_anonymous, total = map->nr_pages;
	uint64_t rest = total - anon, here = n->nr_pages;
	uint64_t share, least, most;
	int64_t page = (int64_t)map->page_bytes;
	struct mem_amount a = {.bytes = 0};

	share = (uint64_t)((unsigned __int128)anon * (before + here) / total -
			   (unsigned __int128)anon * before / total);
	least = here > rest ? here - rest : 0;
	most = here < anon ? here : anon;
	a.bytes = (int64_t)share * page;
	a.lower = (int64_t)least * page;
	a.upper = (int64_t)most * page;
	walk_add(m, map, vma, TALLY_MEM_ANONYMOUS, n->node, &a);
	a.bytes = (int64_t)(here - share) * page;
	a.lower = (int64_t)(here - most) * page;
	a.upper = (int64_t)(here - least) * page;
	walk_add(m, map, vma, kind, n->node, &a);
}

static void walk_line(void *arg, const struct tally_mapping *map)
{
	struct tally_mem *m = arg;
	const struct mem_vma *vma = mem_vmas_find(&m->vmas, map->start);
	enum tally_mem_kind kind = map->kind;
	struct mem_amount a = {.bytes = 0};
	uint64_t before = 0;
	unsigned int i;

	m->nr_lines++;
	if (vma && vma->start != map->start)
		vma = NULL;
	if (kind == TALLY_MEM_FILE && vma && vma->shmem)
		kind = TALLY_MEM_SHARED;
	for (i = 0; i < map->nr_nodes; i++) {
		uint64_t here = map->nodes[i].nr_pages;

		if (!here)
			continue;
		if (kind == TALLY_MEM_FILE || kind == TALLY_MEM_SHARED) {
			walk_node(m, map, vma, kind, i, before);
		} else {
			a.bytes = (int64_t)(here * map->page_bytes);
			a.lower = a.bytes;
			a.upper = a.bytes;
			walk_add(m, map, vma, kind, map->nodes[i].node, &a);
		}
		before += here;
	}
}

/* Whether a process that was read until the text ended was there until then:
 * for one that ends meanwhile, the text just ends early. */
static bool still_there(struct tally_mem *m)
{
	struct tally_stat s;
	char name[32], text[2048];
	size_t len;

	if (m->nr_lines >= m->vmas.nr)
		return true;
	snprintf(name, sizeof(name), "%d/stat", m->process->pid);
	return !procfs_read(m->proc, name, text, sizeof(text), &len) &&
	       !tally_kernel_stat_parse(text, len, &s) &&
	       s.start_ticks == m->process->start_ticks && s.state != 'Z' &&
	       s.state != 'X';
}

static int walk(struct tally_mem *m)
{
	char name[32], buf[16384];
	ssize_t n;
	int fd, err;

	err = mem_vmas_read(m->proc, m->process->pid, &m->tmpfs, &m->vmas);
	if (err == -ENOMEM)
		return err;
	snprintf(name, sizeof(name), "%d/numa_maps", m->process->pid);
	fd = openat(m->proc, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	m->nr_lines = 0;
	m->err = 0;
	while ((n = procfs_read_some(fd, buf, sizeof(buf))) > 0)
		tally_kernel_numa_maps_feed(m->parser, buf, (size_t)n);
	m->result.nr_malformed += tally_kernel_numa_maps_finish(m->parser);
	close(fd);
	if (m->err)
		return m->err;
	if (n < 0)
		return (int)n;
	return still_there(m) ? 0 : -ESRCH;
}

/* ---- a process from its totals -------------------------------------------- */

static const char *const status_keys[TALLY_NR_MEM] = {
	[TALLY_MEM_ANONYMOUS] = "RssAnon",
	[TALLY_MEM_FILE] = "RssFile",
	[TALLY_MEM_SHARED] = "RssShmem",
	[TALLY_MEM_HUGE] = "HugetlbPages",
};

static int totals_read(struct tally_mem *m, int64_t totals[TALLY_NR_MEM])
{
	char name[32], text[4096];
	unsigned int k;
	size_t len;
	int err;

	snprintf(name, sizeof(name), "%d/status", m->process->pid);
	err = procfs_read(m->proc, name, text, sizeof(text), &len);
	if (err)
		return err;
	for (k = 0; k < TALLY_NR_MEM; k++) {
		int64_t kib = 0;

		/* A kernel without huge pages doesn't mention them. */
		if (!procfs_field(text, status_keys[k], &kib) &&
		    k != TALLY_MEM_HUGE)
			return -ESRCH; /* it ended: no memory any more */
		if (kib > INT64_MAX / 1024)
			return -EBADMSG;
		totals[k] = kib * 1024;
	}
	return 0;
}

/* All of a process on one node, or on no known one. */
static int totals(struct tally_mem *m, int node)
{
	int64_t bytes[TALLY_NR_MEM];
	unsigned int k;
	int err;

	err = totals_read(m, bytes);
	if (err)
		return err;
	m->err = 0;
	for (k = 0; k < TALLY_NR_MEM; k++) {
		struct mem_part part = {
			.dev = MEM_DEV_TOTALS,
			.hi = UINT64_MAX,
			.process = m->index,
			.node = node,
			.kind = (enum tally_mem_kind)k,
			.amount = {.bytes = bytes[k],
				   .lower = bytes[k],
				   .upper = bytes[k]},
		};

		add_part(m, &part);
	}
	return m->err;
}

/* ---- a sample ------------------------------------------------------------- */

static int read_process(struct tally_mem *m, struct tally_mem_result *r)
{
	unsigned int nr_parts = m->parts.nr;
	int err = walk(m);

	if (!err) {
		r->nr_walked++;
	} else if (err == -ENOENT) {
		/* Gone, or a kernel without NUMA: then its status is there. */
		err = totals(m, 0);
		if (!err)
			r->nr_totals++;
	} else if (err != -ESRCH && err != -ENOMEM) {
		if (!m->result.refused)
			m->result.refused = err;
		process_end(m, false, nr_parts);
		err = totals(m, -1);
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
