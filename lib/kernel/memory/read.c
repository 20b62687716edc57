// SPDX-License-Identifier: MIT
/* Reading the memory of one process, in the best way that works. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/kcmp.h>

#include "kernel/memory/internal.h"
#include "kernel/proc/procfs.h"
#include "kernel/proc/page.h"
#include "topo/sysfs.h"
#include "base/clock.h"
#include "base/sized.h"

#define PPM 1000000
/* The kernel maps one or two pages of its own as code that can be called. */
#define MOST_VDSO_PAGES 4

static int64_t monotonic(void *arg)
{
	(void)arg;
	return now_ns();
}

int mem_options_set(const struct tally_mem_options *given,
		    struct tally_mem_options *to)
{
	struct tally_mem_options o = {.size = sizeof(o)};
	int err = given ? sized_get(&o, sizeof(o),
				    sized_upto(struct tally_mem_options,
					       clock_arg),
				    given)
			: 0;

	if (err)
		return err;
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
 * Each CPU keeps up to this many pages that it has not yet added to a process's
 * totals (before Linux 6.2: each thread, 64). A 95 % interval of the sum, if
 * each keeps a uniformly distributed number, too many or too few.
 */
static double lag_squared(void)
{
	double cpus = (double)sysconf(_SC_NPROCESSORS_CONF);
	double pages = 2 * cpus > 64 ? 2 * cpus : 64;
	double bytes = 1.959964 * pages * (double)sysconf(_SC_PAGESIZE);

	return bytes * bytes * cpus / 3;
}

/* Linux 6.2 counts by CPU, and 6.16 adds that up for status. Of a captured tree,
 * the kernel is not known. */
static void know_lag(struct mem_reader *r)
{
	unsigned long major, minor;
	struct utsname name;
	char *end;

	if (!r->live || uname(&name))
		return;
	major = strtoul(name.release, &end, 10);
	minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	r->thread_lag = major < 6 || (major == 6 && minor < 2);
	if (!r->thread_lag && major == 6 && minor < 16)
		r->totals_lag2 = r->lag2;
	r->vdso_bytes = MOST_VDSO_PAGES * sysconf(_SC_PAGESIZE);
}

/* Without NUMA, the kernel has node 0 alone, and no file that names it. */
static int find_only_node(struct topo_tree *tree)
{
	struct topo_set nodes, cpus;
	int first, err;

	err = topo_read_names(tree, &nodes, "node", TOPO_NODE_DIR);
	if (topo_fatal(err))
		return -1;
	if (!err && (first = topo_set_next(&nodes, 0)) >= 0)
		return topo_set_next(&nodes, first + 1) < 0 ? first : -1;
	return topo_read_names(tree, &cpus, "cpu", TOPO_CPU_DIR) == 0 &&
			       topo_set_next(&cpus, 0) >= 0
		       ? 0
		       : -1;
}

static int know_machine(struct mem_reader *r, const char *root)
{
	struct topo_tree *tree;
	int err = topo_tree_open(root, &tree);

	if (err)
		return err;
	r->only_node = find_only_node(tree);
	r->page_bytes = kernel_page_bytes(tree, r->live);
	if (r->page_bytes)
		mem_parser_set_page(r->parser, r->page_bytes);
	topo_tree_close(tree);
	return 0;
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
	know_lag(r);
	r->proc = procfs_open(root);
	err = r->proc < 0 ? r->proc
			  : mem_tmpfs_read(r->proc, r->live, &r->tmpfs);
	if (!err)
		err = tally_kernel_numa_maps_create(&r->parser);
	if (!err)
		err = know_machine(r, root);
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

/* ---- the ways to read a process ------------------------------------------ */

/* Drop what a failed way left. */
static void start_again(struct mem_reader *r, unsigned int nr_parts)
{
	mem_nodes_clear(&r->nodes);
	r->parts.nr = nr_parts;
}

static int read_some_way(struct mem_reader *r, enum mem_way *way, int *refused)
{
	unsigned int nr_parts = r->parts.nr;
	uint64_t nr_malformed = r->nr_malformed;
	int err;

	if (r->live && r->process->rss_bytes > r->large_bytes) {
		*way = MEM_SAMPLED;
		err = mem_sample_pages(r);
		/* If pages can't be sampled, a walk may work. */
		if (!err || err == -ESRCH || err == -ENOMEM)
			return err;
		start_again(r, nr_parts);
	}
	*way = MEM_WALKED;
	err = mem_walk(r);
	if (!err && r->nr_malformed != nr_malformed)
		*refused = -EBADMSG;
	if (err == -ENOENT) {
		/* It ended; or the kernel has no NUMA, and then it has a
		 * status. */
		*way = MEM_TOTALS;
		err = mem_totals(r, r->only_node);
		if (!err && r->odd)
			*refused = -EBADMSG;
	} else if (err && err != -ESRCH && err != -ENOMEM) {
		start_again(r, nr_parts);
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
		start_again(r, nr_parts);
	else
		*way = which;
	return err;
}

bool mem_is_parents(const struct mem_reader *r, const struct tally_process *p,
		    const struct tally_process *parent)
{
	long differs = -1;

	if (!parent || !p->rss_bytes)
		return false;
	if (r->live)
		differs = syscall(SYS_kcmp, p->pid, parent->pid, KCMP_VM, 0, 0);
	/* Where that is refused: one that called vfork(2) waits. */
	return differs < 0 ? parent->state == 'D' &&
				     parent->rss_bytes == p->rss_bytes
			   : !differs;
}

/* ---- the budget ---------------------------------------------------------- */

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
