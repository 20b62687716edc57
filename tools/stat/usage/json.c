// SPDX-License-Identifier: MIT
/* A reading as JSON. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/text.h"
#include "stat/usage/usage.h"

enum bound { BYTES, LOWER, UPPER };

/* The amount itself is null if nobody knows it. */
static int64_t bound_of(const struct tally_mem_figure *f,
			const struct tally_mem_figure *whole, enum bound b)
{
	if (b == BYTES && usage_is_open(f, whole))
		return TALLY_UNKNOWN;
	return b == BYTES   ? f->bytes
	       : b == LOWER ? f->lower_bytes
			    : f->upper_bytes;
}

static bool all_exact(const struct tally_mem_figure *figures)
{
	for (unsigned int k = 0; k < TALLY_NR_MEM; k++)
		if (!usage_is_exact(&figures[k]))
			return false;
	return true;
}

static const char *const bounds[] = {"", "_lower", "_upper"};

/* NAME_bytes by kind, and its bounds unless it is exact. */
static void put_kinds(struct json_writer *w, const char *name,
		      const struct tally_mem_figure *figures,
		      const struct tally_mem_figure *wholes,
		      const struct tally_mem_figure *whole)
{
	int last = all_exact(figures) ? BYTES : UPPER;
	char member[64];

	for (int b = BYTES; b <= last; b++) {
		snprintf(member, sizeof(member), "%s%s_bytes", name, bounds[b]);
		json_open_object(w, member);
		for (int k = 0; k < TALLY_NR_MEM; k++)
			json_put_int_unless(
				w,
				tally_kernel_mem_name((enum tally_mem_kind)k),
				bound_of(&figures[k],
					 wholes ? &wholes[k] : whole,
					 (enum bound)b),
				TALLY_UNKNOWN);
		json_close_object(w);
	}
}

/* NAME_bytes, and its bounds unless it is exact. */
static void put_figure(struct json_writer *w, const char *name,
		       const struct tally_mem_figure *f,
		       const struct tally_mem_figure *whole)
{
	int last = usage_is_exact(f) ? BYTES : UPPER;
	char member[64];

	for (int b = BYTES; b <= last; b++) {
		snprintf(member, sizeof(member), "%s%s_bytes", name, bounds[b]);
		json_put_int_unless(w, member,
				    bound_of(f, whole, (enum bound)b),
				    TALLY_UNKNOWN);
	}
}

static void put_memory(struct json_writer *w,
		       const struct tally_process_node *n)
{
	put_kinds(w, "memory", n->memory, NULL, &n->total);
	put_kinds(w, "private", n->own, n->memory, &n->total);
	put_kinds(w, "shared", n->common, n->memory, &n->total);
	put_figure(w, "memory_total", &n->total, &n->total);
	put_figure(w, "private_total", &n->total_own, &n->total);
	put_figure(w, "shared_total", &n->total_common, &n->total);
}

static void put_no_memory(struct json_writer *w)
{
	static const char *const names[] = {
		"memory_bytes",	       "private_bytes",
		"shared_bytes",	       "memory_total_bytes",
		"private_total_bytes", "shared_total_bytes",
	};

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		json_put_null(w, names[i]);
}

static void put_threads(struct json_writer *w, const struct usage_row *row,
			const struct tally_process_node *n)
{
	if (usage_threads(row) == TALLY_UNKNOWN)
		json_put_null(w, "threads");
	else
		json_put_int(w, "threads", n->nr_threads);
	if (usage_cpu_ns(row) == TALLY_UNKNOWN)
		json_put_null(w, "threads_cpu_ns");
	else
		json_put_int(w, "threads_cpu_ns", n->cpu_ns);
}

/* The use of a node, or of all (-1), by a row. */
static void put_node(struct json_writer *w, const struct usage_row *row,
		     int node)
{
	struct tally_process_node n;

	if (!usage_node(row, node, &n))
		return;
	if (usage_knows(row, node))
		put_memory(w, &n);
	else
		put_no_memory(w);
	put_threads(w, row, &n);
}

/* ---- the kernel's account of a cgroup -------------------------------------- */

/* The figures of one unit, under the kernel's names. */
static void put_account_unit(struct json_writer *w, const struct usage *u,
			     const int64_t *values, enum tally_unit unit,
			     const char *member)
{
	unsigned int nr = tally_kernel_groups_nr_figures(u->groups);
	bool open = false;

	for (unsigned int f = 0; f < nr; f++) {
		const struct tally_figure *figure =
			tally_kernel_groups_figure(u->groups, f);

		if (figure->unit != unit || values[f] == TALLY_UNKNOWN ||
		    (u->o->skip_zeros && !values[f]))
			continue;
		if (!open)
			json_open_object(w, member);
		open = true;
		json_put_int(w, figure->name, values[f]);
	}
	if (open)
		json_close_object(w);
}

static void put_account(struct json_writer *w, const struct usage *u,
			const struct usage_row *row, int node)
{
	unsigned int nr_nodes = 0, nr;
	const int *nodes;

	if (!row->group || !row->group->values)
		return;
	nodes = tally_kernel_groups_nodes(u->groups, &nr_nodes);
	nr = tally_kernel_groups_nr_figures(u->groups);
	for (unsigned int n = 0; n < nr_nodes; n++) {
		const int64_t *values = &row->group->values[(size_t)n * nr];

		if (nodes[n] != node)
			continue;
		put_account_unit(w, u, values, TALLY_UNIT_BYTES,
				 "account_bytes");
		put_account_unit(w, u, values, TALLY_UNIT_PAGES,
				 "account_pages");
		put_account_unit(w, u, values, TALLY_UNIT_EVENTS,
				 "account_events");
	}
	json_put_int_unless(w, "account_total_bytes",
			    usage_charged(u, row, node, USAGE_CHARGED),
			    TALLY_UNKNOWN);
}

/* ---- rows ------------------------------------------------------------------ */

static void put_nodes(struct json_writer *w, const struct usage *u,
		      const struct usage_row *row)
{
	json_open_array(w, "nodes");
	for (unsigned int i = 0; i < u->nr_nodes; i++) {
		json_open_object(w, NULL);
		json_put_int(w, "id", u->nodes[i]);
		put_node(w, row, u->nodes[i]);
		if (u->groups)
			put_account(w, u, row, u->nodes[i]);
		if (row->before)
			json_put_int_unless(w, "delta_bytes",
					    usage_change(row, i),
					    TALLY_UNKNOWN);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_process(struct json_writer *w, const struct usage *u,
			const struct tally_process_row *p)
{
	char user[64], state[2] = {p->state, '\0'};

	json_put_int(w, "pid", p->pid);
	if (p->state)
		json_put_uint(w, "start_ticks", p->start_ticks);
	else
		json_put_null(w, "start_ticks");
	json_put_int_unless(w, "ppid", p->ppid, p->state ? -1 : 0);
	json_put_int_unless(w, "uid", p->uid, (uid_t)-1);
	json_put_bytes(w, "user", usage_user(u, p->uid, user));
	json_put_bytes(w, "command", p->name);
	json_put_bytes(w, "cgroup", p->cgroup);
	json_put_bytes(w, "state", state);
	json_put_bool(w, "sampled", p->sampled);
	json_put_int(w, "memory_time_ns", p->memory_ns);
	json_put_int_unless(w, "rss_bytes", p->rss_bytes, TALLY_UNKNOWN);
}

static void put_shares(struct json_writer *w, const struct usage_row *r)
{
	const struct tally_mem_figure *whole =
		r->process ? &r->process->all.total : &r->sum->all.total;

	json_put_int_unless(w, "threads", usage_threads(r), TALLY_UNKNOWN);
	json_put_int_unless(w, "cpu_ns", usage_cpu_ns(r), TALLY_UNKNOWN);
	json_put_int_unless(w, "swap_bytes", usage_swap(r), TALLY_UNKNOWN);
	if (usage_knows(r, -1)) {
		put_figure(w, "local",
			   r->process ? &r->process->local : &r->sum->local,
			   whole);
		put_figure(w, "remote",
			   r->process ? &r->process->remote : &r->sum->remote,
			   whole);
	} else {
		json_put_null(w, "local_bytes");
		json_put_null(w, "remote_bytes");
	}
	if (r->before)
		json_put_int_unless(w, "cpu_delta_ns", usage_cpu_change(r),
				    TALLY_UNKNOWN);
}

/* Its memory on all nodes, and on none. */
static void put_whole(struct json_writer *w, const struct usage_row *r)
{
	const struct tally_process_node *n = r->process ? &r->process->unknown
							: &r->sum->unknown;

	json_open_object(w, "all");
	put_node(w, r, -1);
	json_close_object(w);
	json_open_object(w, "unattributed");
	if (usage_knows(r, -1))
		put_memory(w, n);
	else
		put_no_memory(w);
	put_threads(w, r, n);
	json_close_object(w);
}

static void put_nr_processes(struct json_writer *w, const struct usage *u,
			     const struct usage_row *r)
{
	if (r->sum || u->processes)
		json_put_uint(w, "processes",
			      r->sum ? r->sum->nr_processes : 0);
	else
		json_put_null(w, "processes");
}

static void put_row(struct json_writer *w, const struct usage *u,
		    const struct usage_row *r)
{
	int error = usage_row_error(r);
	char user[64];

	json_open_object(w, NULL);
	if (r->process) {
		put_process(w, u, r->process);
	} else if (r->cgroup) {
		json_put_bytes(w, "cgroup", r->cgroup);
	} else {
		json_put_int_unless(w, "uid", r->sum->uid, (uid_t)-1);
		json_put_bytes(w, "user", usage_user(u, r->sum->uid, user));
	}
	if (!r->process)
		put_nr_processes(w, u, r);
	json_put_string(w, "error", error ? text_process_error(error) : NULL);
	if (r->process || r->sum) {
		put_shares(w, r);
		put_whole(w, r);
	}
	put_nodes(w, u, r);
	json_close_object(w);
}

/* ---- the document ---------------------------------------------------------- */

static void put_all(struct json_writer *w, const struct usage *u)
{
	struct usage_row row = {.sum = &u->all};

	json_open_object(w, "all");
	json_put_int(w, "processes", u->all.nr_processes);
	put_shares(w, &row);
	put_whole(w, &row);
	json_close_object(w);
}

/* The members that can be ranges: those then have bounds beside them. */
static void put_estimates(struct json_writer *w)
{
	static const char *const names[] = {
		"private_bytes",      "private_total_bytes", "shared_bytes",
		"shared_total_bytes", "local_bytes",	     "remote_bytes",
		"memory_bytes",	      "memory_total_bytes",
	};

	json_open_array(w, "estimates");
	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		json_put_string(w, NULL, names[i]);
	json_close_array(w);
}

static void put_groups(struct json_writer *w, const struct usage *u)
{
	int version = tally_kernel_groups_version(u->groups);

	json_put_int(w, "cgroup_version", version);
	if (version != 1)
		return;
	if (tally_kernel_groups_nr_figures(u->groups))
		json_put_int_unless(
			w, "page_bytes",
			tally_kernel_groups_figure(u->groups, 0)->page_bytes,
			0);
	else
		json_put_null(w, "page_bytes");
}

void usage_json(const struct usage *u)
{
	static const char *const names[] = {
		[STAT_BY_PROCESS] = "processes",
		[STAT_BY_CGROUP] = "cgroups",
		[STAT_BY_USER] = "users",
	};
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_put_int(&w, "time_ns", u->time_ns);
	if (u->nr_looks)
		json_put_int(&w, "interval_ns", u->elapsed_ns);
	else
		json_put_null(&w, "interval_ns");
	json_open_array(&w, names[u->o->by]);
	for (unsigned int i = 0; i < u->nr_rows; i++)
		put_row(&w, u, &u->rows[i]);
	json_close_array(&w);
	json_put_uint(&w, "left_out", u->nr_left);
	json_put_int_unless(&w, "realtime_ns", u->real_ns, TALLY_UNKNOWN);
	if (u->processes)
		put_all(&w, u);
	else
		json_put_null(&w, "all");
	put_estimates(&w);
	if (u->groups)
		put_groups(&w, u);
	json_close_object(&w);
	json_finish(&w); /* stdout_close() reports what fails */
}
