// SPDX-License-Identifier: MIT
/* Reading the memory of one process, whichever way it can be read. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel_mem.h"
#include "procfs.h"
#include "saturate.h"

#define PPM 1000000

static int64_t monotonic(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int mem_options_set(const struct tally_mem_options *given,
		    struct tally_mem_options *to)
{
	struct tally_mem_options o = {.budget_ppm = 0};

	if (given)
		o = *given;
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
	*to = o;
	return 0;
}

/*
 * Each CPU keeps up to so many pages for itself that it has not yet added to a
 * process's totals (before Linux 6.2: each thread, 64): a 95 % interval of the
 * sum, if what each keeps is anywhere between that and as many too few.
 */
static double lag_squared(void)
{
	double cpus = (double)sysconf(_SC_NPROCESSORS_CONF);
	double pages = 2 * cpus > 64 ? 2 * cpus : 64;
	double bytes = 1.959964 * pages * (double)sysconf(_SC_PAGESIZE);

	return bytes * bytes * cpus / 3;
}

int mem_reader_open(const char *root, const struct tally_mem_options *o,
		    struct mem_reader *r)
{
	int err;

	*r = (struct mem_reader){
		.live = !root,
		.large_bytes = o->large_bytes,
		.lag2 = lag_squared(),
		.hits = {.cap = o->nr_pages},
		.seed = o->seed,
		.nodes = {.unknown = {.node = -1}},
		.pagemap = -1,
	};
	r->proc = procfs_open(root);
	err = r->proc < 0 ? r->proc
			  : mem_tmpfs_read(r->proc, r->live, &r->tmpfs);
	if (!err)
		err = tally_kernel_numa_maps_create(mem_walk_line, r,
						    &r->parser);
	if (err)
		mem_reader_close(r);
	return err;
}

void mem_reader_close(struct mem_reader *r)
{
	if (r->proc >= 0)
		close(r->proc);
	tally_kernel_numa_maps_destroy(r->parser);
	free(r->tmpfs.dev);
	free(r->vmas.v);
	free(r->parts.p);
	free(r->hits.h);
	free(r->nodes.n);
	*r = (struct mem_reader){.proc = -1};
}

/* ---- what was read -------------------------------------------------------- */

struct mem_node *mem_nodes_at(struct mem_nodes *l, int node)
{
	unsigned int i;

	if (node < 0)
		return &l->unknown;
	for (i = 0; i < l->nr && l->n[i].node < node; i++)
		;
	if (i < l->nr && l->n[i].node == node)
		return &l->n[i];
	if (l->nr == l->cap) {
		unsigned int cap = l->cap ? 2 * l->cap : 8;
		struct mem_node *new;

		new = reallocarray(l->n, cap, sizeof(*new));
		if (!new)
			return NULL;
		l->n = new;
		l->cap = cap;
	}
	memmove(&l->n[i + 1], &l->n[i], (l->nr - i) * sizeof(*l->n));
	l->n[i] = (struct mem_node){.node = node};
	l->nr++;
	return &l->n[i];
}

void mem_nodes_clear(struct mem_nodes *l)
{
	unsigned int i;

	for (i = 0; i < l->nr; i++)
		l->n[i] = (struct mem_node){.node = l->n[i].node};
	l->unknown = (struct mem_node){.node = -1};
}

void mem_add_all(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a)
{
	struct mem_node *n = mem_nodes_at(&r->nodes, node);

	if (n)
		mem_amount_add(&n->all[kind], a);
	else
		r->err = -ENOMEM;
}

void mem_add_own(struct mem_reader *r, int node, enum tally_mem_kind kind,
		 const struct mem_amount *a)
{
	struct mem_node *n = mem_nodes_at(&r->nodes, node);

	if (n)
		mem_amount_add(&n->own[kind], a);
	else
		r->err = -ENOMEM;
}

void mem_add_part(struct mem_reader *r, const struct mem_part *part, bool sure)
{
	struct mem_node *n = mem_nodes_at(&r->nodes, part->node);
	int err;

	if (!part->amount.upper && part->amount.high2 <= 0)
		return;
	err = n ? mem_parts_add(&r->parts, part) : -ENOMEM;
	if (err) {
		r->err = err;
	} else if (!sure) {
		n->maybe[part->kind].upper = saturate_add(
			n->maybe[part->kind].upper, part->amount.upper);
		n->maybe[part->kind].high2 += part->amount.high2;
	}
}

void mem_add_mapped(struct mem_reader *r, uint64_t start,
		    const struct mem_vma *vma, enum tally_mem_kind kind,
		    int node, const struct mem_amount *a, bool sure)
{
	struct mem_part part = {
		.process = r->index, .node = node, .kind = kind, .amount = *a};

	if (kind == TALLY_MEM_ANONYMOUS || !vma || !vma->inode) {
		part.lo = start;
		part.hi = vma ? vma->end : start + 1;
	} else {
		part.dev = vma->dev;
		part.inode = vma->inode;
		part.lo = vma->offset;
		part.hi = vma->offset + (vma->end - vma->start);
	}
	mem_add_part(r, &part, sure);
}

/* ---- the ways to read it -------------------------------------------------- */

/* Forgets what one of the ways left half done. */
static void start_anew(struct mem_reader *r, unsigned int nr_parts)
{
	mem_nodes_clear(&r->nodes);
	r->parts.nr = nr_parts;
}

static int read_some_way(struct mem_reader *r, enum mem_way *way, int *refused)
{
	unsigned int nr_parts = r->parts.nr;
	int err;

	if (r->live && r->process->rss_bytes > r->large_bytes) {
		*way = MEM_SAMPLED;
		err = mem_sample_pages(r);
		/* Where pages can't be sampled, a walk may do. */
		if (!err || err == -ESRCH || err == -ENOMEM)
			return err;
		start_anew(r, nr_parts);
	}
	*way = MEM_WALKED;
	err = mem_walk(r);
	if (err == -ENOENT) {
		/* Gone, or a kernel without NUMA: then its status is there. */
		*way = MEM_TOTALS;
		err = mem_totals(r, 0);
	} else if (err && err != -ESRCH && err != -ENOMEM) {
		start_anew(r, nr_parts);
		*refused = err;
		*way = MEM_REFUSED;
		err = mem_totals(r, -1);
	}
	return err;
}

int mem_reader_read(struct mem_reader *r, const struct tally_process *p,
		    unsigned int index, enum mem_way *way, int *refused)
{
	unsigned int nr_parts = r->parts.nr;
	enum mem_way which;
	int err;

	r->process = p;
	r->index = index;
	mem_nodes_clear(&r->nodes);
	err = read_some_way(r, &which, refused);
	if (err)
		start_anew(r, nr_parts);
	else
		*way = which;
	return err;
}

/* ---- the budget ----------------------------------------------------------- */

int64_t mem_budget_spend(struct mem_budget *b, int64_t begin, int64_t end)
{
	int64_t cost = end > begin ? end - begin : 0;
	int64_t paid = 0;
	__int128 wait;

	if (b->started && end > b->last_ns)
		paid = (int64_t)((__int128)(end - b->last_ns) * b->ppm / PPM);
	b->started = true;
	b->last_ns = end;
	b->debt_ns = b->debt_ns + b->save_ns > paid ? b->debt_ns - paid
						    : -b->save_ns;
	b->debt_ns += cost;
	wait = (__int128)(b->debt_ns - b->burst_ns) * PPM / b->ppm;
	return wait > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)wait;
}
