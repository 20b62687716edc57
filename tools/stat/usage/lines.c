// SPDX-License-Identifier: MIT
/*
 * A line for each figure of each row, on each node and in all: --csv
 *
 *	time,by,id,start_ticks,name,node,figure,unit,value,lower,upper,delta
 *
 * or --long, as text. Unknown and inapplicable fields are empty. The header is
 * written once.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "common/text.h"
#include "stat/csv.h"
#include "stat/usage/usage.h"

struct lines {
	const struct usage *u;
	const struct usage_row *row;
	char *name; /* escaped, for --long */
	char id[64];
	int node; /* -1: none */
};

struct figure {
	const char *of; /* "private ", "" */
	const char *name;
	const char *unit;
	int64_t value;
	int64_t lower;
	int64_t upper;
	bool open; /* the value is not known, only its bounds are */
	bool has_delta;
	int64_t delta;
};

static void put_csv(const struct lines *l, const struct figure *f)
{
	static const char *const by[] = {
		[STAT_BY_PROCESS] = "process",
		[STAT_BY_CGROUP] = "cgroup",
		[STAT_BY_USER] = "user",
	};
	const struct tally_process_row *p = l->row->process;
	char user[64], name[96];

	stat_csv_time(l->u->real_ns);
	printf(",%s,", by[l->u->o->by]);
	stat_csv_text(l->row->cgroup ? l->row->cgroup : l->id);
	if (p && p->state)
		printf(",%ju,", (uintmax_t)p->start_ticks);
	else
		fputs(",,", stdout);
	if (p)
		stat_csv_text(p->name);
	else if (!l->row->cgroup)
		stat_csv_text(usage_user(l->u, l->row->sum->uid, user));
	putchar(',');
	if (l->node >= 0)
		printf("%d", l->node);
	putchar(',');
	snprintf(name, sizeof(name), "%s%s", f->of, f->name);
	stat_csv_name(name);
	printf(",%s,", f->unit);
	if (!f->open)
		printf("%jd", (intmax_t)f->value);
	putchar(',');
	if (f->lower != f->value || f->upper != f->value)
		printf("%jd,%jd,", (intmax_t)f->lower, (intmax_t)f->upper);
	else
		fputs(",,", stdout);
	if (f->has_delta)
		printf("%jd", (intmax_t)f->delta);
	putchar('\n');
}

static void put_value(int64_t value, const char *unit)
{
	char text[OUTPUT_NUMBER];

	if (unit[0] == 'b')
		fputs(output_bytes(value, text), stdout);
	else if (unit[0] == 'n')
		fputs(output_time(value, text), stdout);
	else
		printf("%jd", (intmax_t)value);
}

static void put_long(const struct lines *l, const struct figure *f)
{
	printf("%s", l->name);
	if (l->node >= 0)
		printf("  node %d", l->node);
	printf("  %s%s  ", f->of, f->name);
	if (f->open) {
		put_value(f->lower, f->unit);
		fputs(" to ", stdout);
		put_value(f->upper, f->unit);
	} else if (f->lower == f->value && f->upper == f->value) {
		put_value(f->value, f->unit);
	} else {
		putchar('~');
		put_value(f->value, f->unit);
		fputs("  (", stdout);
		put_value(f->lower, f->unit);
		fputs(" to ", stdout);
		put_value(f->upper, f->unit);
		putchar(')');
	}
	if (f->has_delta) {
		fputs(f->delta > 0 ? "  +" : "  ", stdout);
		put_value(f->delta, f->unit);
	}
	putchar('\n');
}

/* --csv has zeros, unless -z is given; --long has none. */
static void put(const struct lines *l, const struct figure *f)
{
	bool csv = l->u->o->csv;

	if ((l->u->o->skip_zeros || !csv) && !f->value && !f->upper &&
	    !f->delta)
		return;
	if (csv)
		put_csv(l, f);
	else
		put_long(l, f);
}

static void put_number(const struct lines *l, const char *name,
		       const char *unit, int64_t value)
{
	struct figure f = {.of = "", .name = name, .unit = unit};

	f.value = f.lower = f.upper = value;
	put(l, &f);
}

static void put_memory(const struct lines *l, const char *of, const char *name,
		       const struct tally_mem_figure *m,
		       const struct tally_mem_figure *whole)
{
	struct figure f = {.of = of,
			   .name = name,
			   .unit = "bytes",
			   .value = m->bytes,
			   .lower = m->lower_bytes,
			   .upper = m->upper_bytes,
			   .open = usage_is_open(m, whole)};

	put(l, &f);
}

static void put_total(const struct lines *l, unsigned int index)
{
	struct figure f = {.of = "", .name = "memory", .unit = "bytes"};
	struct tally_mem_figure m, whole;

	if (!usage_memory(l->u, l->row, l->u->nodes[index], &m) ||
	    !usage_memory(l->u, l->row, -1, &whole))
		return;
	f.value = m.bytes;
	f.lower = m.lower_bytes;
	f.upper = m.upper_bytes;
	f.open = usage_is_open(&m, &whole);
	f.delta = usage_change(l->row, index);
	f.has_delta = f.delta != TALLY_UNKNOWN;
	if (!f.has_delta)
		f.delta = 0;
	put(l, &f);
}

static void put_kinds(const struct lines *l, const char *of,
		      const struct tally_mem_figure *kinds,
		      const struct tally_mem_figure *wholes,
		      const struct tally_mem_figure *whole)
{
	for (unsigned int k = 0; k < TALLY_NR_MEM; k++)
		put_memory(l, of, tally_kernel_mem_name((enum tally_mem_kind)k),
			   &kinds[k], wholes ? &wholes[k] : whole);
}

static void put_processes(const struct lines *l,
			  const struct tally_process_node *n)
{
	if (usage_knows(l->row, l->node)) {
		/* Beside the kernel's account, memory of processes is called
		 * mapped. */
		put_kinds(l, l->row->group ? "mapped " : "", n->memory, NULL,
			  &n->total);
		put_kinds(l, "private ", n->own, n->memory, &n->total);
		put_kinds(l, "shared ", n->common, n->memory, &n->total);
		put_memory(l, "private ", "memory", &n->total_own, &n->total);
		put_memory(l, "shared ", "memory", &n->total_common, &n->total);
	}
	if (usage_threads(l->row) != TALLY_UNKNOWN)
		put_number(l, "threads", "threads", n->nr_threads);
	if (usage_cpu_ns(l->row) != TALLY_UNKNOWN)
		put_number(l, "threads' cpu time", "ns", n->cpu_ns);
}

static void put_account(const struct lines *l)
{
	unsigned int nr_nodes,
		nr = tally_kernel_groups_nr_figures(l->u->groups);
	const int *nodes = tally_kernel_groups_nodes(l->u->groups, &nr_nodes);
	static const char *const units[] = {
		[TALLY_UNIT_BYTES] = "bytes",
		[TALLY_UNIT_PAGES] = "pages",
		[TALLY_UNIT_EVENTS] = "events",
	};

	for (unsigned int n = 0; n < nr_nodes; n++)
		for (unsigned int f = 0; nodes[n] == l->node && f < nr; f++) {
			const struct tally_figure *figure =
				tally_kernel_groups_figure(l->u->groups, f);
			int64_t value =
				l->row->group->values[(size_t)n * nr + f];

			if (value != TALLY_UNKNOWN)
				put_number(l, figure->name, units[figure->unit],
					   value);
		}
}

static void put_row(struct lines *l)
{
	const struct usage_row *row = l->row;
	const struct tally_mem_figure *whole, *unknown;
	struct tally_process_node n;
	struct figure cpu = {.of = "", .name = "cpu time", .unit = "ns"};

	for (unsigned int i = 0; i < l->u->nr_nodes; i++) {
		l->node = l->u->nodes[i];
		put_total(l, i);
		if (row->group && row->group->values)
			put_account(l);
		if (usage_node(row, l->node, &n))
			put_processes(l, &n);
	}
	l->node = -1;
	if (!row->process && !row->sum)
		return;
	unknown = row->process ? &row->process->unknown.total
			       : &row->sum->unknown.total;
	whole = row->process ? &row->process->all.total : &row->sum->all.total;
	if (usage_knows(row, -1))
		put_memory(l, "unattributed ", "memory", unknown, unknown);
	if (usage_swap(row) != TALLY_UNKNOWN)
		put_number(l, "swap", "bytes", usage_swap(row));
	if (usage_knows(row, -1)) {
		put_memory(l, "local ", "memory",
			   row->process ? &row->process->local
					: &row->sum->local,
			   whole);
		put_memory(l, "remote ", "memory",
			   row->process ? &row->process->remote
					: &row->sum->remote,
			   whole);
	}
	cpu.value = cpu.lower = cpu.upper = usage_cpu_ns(row);
	cpu.has_delta = usage_cpu_change(row) != TALLY_UNKNOWN;
	cpu.delta = cpu.has_delta ? usage_cpu_change(row) : 0;
	if (cpu.value != TALLY_UNKNOWN)
		put(l, &cpu);
	if (usage_threads(row) != TALLY_UNKNOWN)
		put_number(l, "threads", "threads", usage_threads(row));
	if (!row->process)
		put_number(l, "processes", "processes", row->sum->nr_processes);
}

static char *name_of(const struct usage *u, const struct usage_row *row)
{
	char text[160], user[64];

	if (row->cgroup)
		return text_escape(*row->cgroup ? row->cgroup : "(none)");
	if (row->process)
		snprintf(text, sizeof(text), "%d %s", (int)row->process->pid,
			 row->process->name);
	else
		snprintf(text, sizeof(text), "%s",
			 usage_user(u, row->sum->uid, user));
	return text_escape(text);
}

int usage_lines(struct usage *u)
{
	struct lines l = {.u = u};

	if (u->o->csv && !u->nr_looks)
		fputs("time,by,id,start_ticks,name,node,figure,unit,value,"
		      "lower,upper,delta\n",
		      stdout);
	if (!u->o->csv && u->nr_looks)
		printf("\nafter %.3f s\n", (double)u->elapsed_ns / 1e9);
	for (unsigned int i = 0; i < u->nr_rows; i++) {
		l.row = &u->rows[i];
		l.name = name_of(u, l.row);
		if (!l.name)
			return -ENOMEM;
		if (l.row->process)
			snprintf(l.id, sizeof(l.id), "%d",
				 (int)l.row->process->pid);
		else if (!l.row->cgroup && l.row->sum->uid == (uid_t)-1)
			snprintf(l.id, sizeof(l.id), "?");
		else if (!l.row->cgroup)
			snprintf(l.id, sizeof(l.id), "%ju",
				 (uintmax_t)l.row->sum->uid);
		put_row(&l);
		free(l.name);
	}
	return 0;
}
