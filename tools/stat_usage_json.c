// SPDX-License-Identifier: MIT
/* A look as JSON, on one line. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "stat_usage.h"
#include "text.h"

enum bound { BYTES, LOWER, UPPER };

static int64_t bound_of(const struct tally_mem_figure *f, enum bound b)
{
	return b == BYTES   ? f->bytes
	       : b == LOWER ? f->lower_bytes
			    : f->upper_bytes;
}

static json_t *kinds(const struct tally_mem_figure *figures, enum bound b)
{
	json_t *object = json_object();

	for (unsigned int k = 0; k < TALLY_NR_MEM; k++)
		json_object_set_new(
			object, tally_kernel_mem_name((enum tally_mem_kind)k),
			json_integer(bound_of(&figures[k], b)));
	return object;
}

static bool all_exact(const struct tally_mem_figure *figures)
{
	for (unsigned int k = 0; k < TALLY_NR_MEM; k++)
		if (!usage_is_exact(&figures[k]))
			return false;
	return true;
}

/* NAME_bytes, and the bounds where they say more. */
static int set_kinds(json_t *object, const char *name,
		     const struct tally_mem_figure *figures)
{
	static const char *const bounds[] = {"", "_lower", "_upper"};
	char key[64];
	int err = 0;

	for (int b = BYTES; b <= UPPER; b++) {
		if (b != BYTES && all_exact(figures))
			continue;
		snprintf(key, sizeof(key), "%s%s_bytes", name, bounds[b]);
		err |= json_object_set_new(object, key,
					   kinds(figures, (enum bound)b));
	}
	return err;
}

static int set_figure(json_t *object, const char *name,
		      const struct tally_mem_figure *f)
{
	char key[64];
	int err;

	snprintf(key, sizeof(key), "%s_bytes", name);
	err = json_object_set_new(object, key, json_integer(f->bytes));
	if (usage_is_exact(f))
		return err;
	snprintf(key, sizeof(key), "%s_lower_bytes", name);
	err |= json_object_set_new(object, key, json_integer(f->lower_bytes));
	snprintf(key, sizeof(key), "%s_upper_bytes", name);
	err |= json_object_set_new(object, key, json_integer(f->upper_bytes));
	return err;
}

static int set_node(json_t *object, const struct tally_process_node *n)
{
	int err = set_kinds(object, "memory", n->memory);

	err |= set_kinds(object, "private", n->own);
	err |= set_kinds(object, "shared", n->common);
	err |= set_figure(object, "memory_total", &n->total);
	err |= set_figure(object, "private_total", &n->total_own);
	err |= set_figure(object, "shared_total", &n->total_common);
	err |= json_object_set_new(object, "threads",
				   json_integer(n->nr_threads));
	return err | json_object_set_new(object, "threads_cpu_ns",
					 json_integer(n->cpu_ns));
}

/* ---- the kernel's account -------------------------------------------------- */

/* By unit, as the kernel names them. */
static int set_account(const struct usage *u, const struct usage_row *row,
		       unsigned int node, json_t *object)
{
	static const char *const units[] = {
		[TALLY_UNIT_BYTES] = "account_bytes",
		[TALLY_UNIT_PAGES] = "account_pages",
		[TALLY_UNIT_EVENTS] = "account_events",
	};
	unsigned int nr;
	const struct tally_figure *figures =
		tally_kernel_groups_figures(u->groups, &nr);
	int err = 0;

	for (unsigned int f = 0; f < nr; f++) {
		int64_t value = row->group->values[(size_t)node * nr + f];
		const char *name = units[figures[f].unit];
		json_t *is = json_object_get(object, name);

		if (value == TALLY_UNKNOWN || (u->o->skip_zeros && !value))
			continue;
		if (!is) {
			is = json_object();
			err |= json_object_set_new(object, name, is);
		}
		err |= json_object_set_new(is, figures[f].name,
					   json_integer(value));
	}
	return err;
}

static int add_account(const struct usage *u, const struct usage_row *row,
		       int node, json_t *object)
{
	unsigned int nr = 0;
	const int *nodes;
	int64_t all;

	if (!row->group || !row->group->values)
		return 0;
	nodes = tally_kernel_groups_nodes(u->groups, &nr);
	for (unsigned int n = 0; n < nr; n++)
		if (nodes[n] == node && set_account(u, row, n, object))
			return -1;
	all = usage_charged(u, row, node, USAGE_CHARGED);
	return json_object_set_new(object, "account_total_bytes",
				   all == TALLY_UNKNOWN ? json_null()
							: json_integer(all));
}

/* ---- rows ------------------------------------------------------------------ */

static json_t *make_nodes(const struct usage *u, const struct usage_row *row)
{
	json_t *array = json_array();
	int err = 0;

	for (unsigned int i = 0; i < u->nr_nodes; i++) {
		const struct tally_process_node *n =
			usage_node(row, u->nodes[i]);
		json_t *node = json_pack("{s:i}", "id", u->nodes[i]);

		if (n)
			err |= set_node(node, n);
		if (u->groups)
			err |= add_account(u, row, u->nodes[i], node);
		if (row->before)
			err |= json_object_set_new(
				node, "delta_bytes",
				json_integer(row->now[i] -
					     row->before->bytes[i]));
		err |= json_array_append_new(array, node);
	}
	if (!err)
		return array;
	json_decref(array);
	return NULL;
}

static int set_process(const struct usage *u, const struct tally_process_row *p,
		       json_t *row)
{
	char user[64], state[2] = {p->state, '\0'};
	int err = 0;

	err |= json_object_set_new(row, "pid", json_integer(p->pid));
	err |= json_object_set_new(row, "start_ticks",
				   json_integer((json_int_t)p->start_ticks));
	err |= json_object_set_new(row, "ppid", json_integer(p->ppid));
	err |= json_object_set_new(row, "uid",
				   p->uid == (uid_t)-1
					   ? json_null()
					   : json_integer((json_int_t)p->uid));
	err |= text_json_set(row, "user", usage_user(u, p->uid, user));
	err |= text_json_set(row, "command", p->name);
	err |= text_json_set(row, "cgroup", p->cgroup);
	err |= text_json_set(row, "state", state);
	err |= json_object_set_new(row, "sampled", json_boolean(p->sampled));
	err |= json_object_set_new(row, "memory_time_ns",
				   json_integer(p->memory_ns));
	return err | json_object_set_new(row, "rss_bytes",
					 json_integer(p->rss_bytes));
}

static int set_shares(const struct usage_row *r, json_t *row)
{
	int err;

	err = json_object_set_new(row, "threads",
				  json_integer(r->process
						       ? r->process->nr_threads
						       : r->sum->nr_threads));
	err |= json_object_set_new(row, "cpu_ns",
				   json_integer(usage_cpu_ns(r)));
	err |= json_object_set_new(row, "swap_bytes",
				   json_integer(usage_swap(r)));
	err |= set_figure(row, "local",
			  r->process ? &r->process->local : &r->sum->local);
	err |= set_figure(row, "remote",
			  r->process ? &r->process->remote : &r->sum->remote);
	if (r->before)
		err |= json_object_set_new(
			row, "cpu_delta_ns",
			json_integer(usage_cpu_ns(r) - r->before->cpu_ns));
	return err;
}

/* What all of its nodes have, and what is of none. */
static int set_whole(const struct usage_row *r, json_t *row)
{
	json_t *all = json_object(), *unknown = json_object();
	int err;

	err = set_node(all, r->process ? &r->process->all : &r->sum->all);
	err |= set_node(unknown,
			r->process ? &r->process->unknown : &r->sum->unknown);
	err |= json_object_set_new(row, "all", all);
	return err | json_object_set_new(row, "unattributed", unknown);
}

static json_t *make_row(const struct usage *u, const struct usage_row *r)
{
	json_t *row = json_object();
	int error = usage_row_error(r), err = 0;
	char user[64];

	if (r->process) {
		err |= set_process(u, r->process, row);
	} else if (r->cgroup) {
		err |= text_json_set(row, "cgroup", r->cgroup);
	} else {
		err |= json_object_set_new(
			row, "uid", json_integer((json_int_t)r->sum->uid));
		err |= text_json_set(row, "user",
				     usage_user(u, r->sum->uid, user));
	}
	if (!r->process)
		err |= json_object_set_new(
			row, "processes",
			json_integer(r->sum ? r->sum->nr_processes : 0));
	err |= json_object_set_new(row, "error",
				   error ? json_string(strerror(-error))
					 : json_null());
	if (r->process || r->sum) {
		err |= set_shares(r, row);
		err |= set_whole(r, row);
	}
	err |= json_object_set_new(row, "nodes", make_nodes(u, r));
	if (!err)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *make_rows(const struct usage *u)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < u->nr_rows; i++)
		if (json_array_append_new(array, make_row(u, &u->rows[i]))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

/* What is a range rather than an amount has members for that, too. */
static json_t *estimates(void)
{
	static const char *const names[] = {
		"private_bytes",      "private_total_bytes", "shared_bytes",
		"shared_total_bytes", "local_bytes",	     "remote_bytes",
		"memory_bytes",	      "memory_total_bytes",
	};
	json_t *array = json_array();

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (json_array_append_new(array, json_string(names[i]))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *make_all(const struct usage *u)
{
	struct usage_row row = {.sum = &u->all};
	json_t *all = json_pack("{s:i}", "processes", (int)u->all.nr_processes);
	int err = 0;

	err |= set_shares(&row, all);
	err |= set_whole(&row, all);
	if (!err)
		return all;
	json_decref(all);
	return NULL;
}

int usage_json(struct usage *u)
{
	static const char *const names[] = {
		[STAT_BY_PROCESS] = "processes",
		[STAT_BY_CGROUP] = "cgroups",
		[STAT_BY_USER] = "users",
	};
	json_t *document;
	int err = 0;

	document = json_pack(
		"{s:i, s:I, s:o, s:o, s:I, s:o, s:o}", "version", 1, "time_ns",
		(json_int_t)u->time_ns, "interval_ns",
		u->nr_looks ? json_integer(u->elapsed_ns) : json_null(),
		names[u->o->by], make_rows(u), "left_out",
		(json_int_t)u->nr_left, "all", make_all(u), "estimates",
		estimates());
	if (document && u->groups)
		err = json_object_set_new(
			document, "cgroup_version",
			json_integer(tally_kernel_groups_version(u->groups)));
	if (document && u->groups &&
	    tally_kernel_groups_version(u->groups) == 1) {
		unsigned int nr;
		const struct tally_figure *f =
			tally_kernel_groups_figures(u->groups, &nr);

		err |= json_object_set_new(document, "page_bytes",
					   nr ? json_integer(f[0].page_bytes)
					      : json_null());
	}
	if (err) {
		json_decref(document);
		return -ENOMEM;
	}
	return output_json(stdout, document);
}
