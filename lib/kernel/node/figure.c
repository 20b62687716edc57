// SPDX-License-Identifier: MIT
/* Figures: their units, and the sizes of pages. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/node/internal.h"
#include "kernel/proc/page.h"

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static bool ends(const char *name, const char *with)
{
	size_t n = strlen(name), m = strlen(with);

	return n >= m && strcmp(name + n - m, with) == 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* In KiB, in files without units. */
static bool is_kib(const struct tally_node_stats *n, const char *name)
{
	static const char *const kib[] = {"pgpgin", "pgpgout", NULL};

	return is_one_of(name, kib) ||
	       (n->zone_names && strcmp(name, "nr_kernel_stack") == 0);
}

/* nr_* that only grow. */
static const char *const grow[] = {
	"nr_dirtied",		"nr_foll_pin_acquired",
	"nr_foll_pin_released", "nr_throttled_written",
	"nr_vmscan_write",	"nr_vmscan_immediate_reclaim",
	"nr_written",		NULL,
};

/* In pages of the size of a PMD, as vmstat_item_print_in_thp() knows. */
static const char *const pmd[] = {
	"nr_anon_transparent_hugepages",
	"nr_file_hugepages",
	"nr_file_pmdmapped",
	"nr_shmem_hugepages",
	"nr_shmem_pmdmapped",
	NULL,
};

static const char *const objects[] = {
	"nr_kernel_stack",
	"workingset_nodes",
	NULL,
};

/* Beside names that a prefix or suffix tells. */
static const char *const events[] = {
	"pginodesteal",
	"workingset_nodereclaim",
	NULL,
};

static void classify_vmstat(const struct tally_node_stats *n,
			    struct tally_figure *f)
{
	const char *name = f->name;

	f->counter = !begins(name, "nr_") || is_one_of(name, grow);
	f->unit = TALLY_UNIT_EVENTS;
	if (is_kib(n, name)) {
		f->unit = TALLY_UNIT_BYTES;
	} else if (is_one_of(name, objects)) {
		f->unit = TALLY_UNIT_OBJECTS;
		f->counter = false;
	} else if (is_one_of(name, pmd)) {
		f->unit = TALLY_UNIT_PAGES;
		f->page_bytes = n->pmd_bytes;
	} else if (!is_one_of(name, events) && !ends(name, "fault") &&
		   (begins(name, "nr_") || begins(name, "pg") ||
		    begins(name, "workingset_"))) {
		f->unit = TALLY_UNIT_PAGES;
		f->page_bytes = n->page_bytes;
	}
}

static void classify(const struct tally_node_stats *n, struct tally_figure *f,
		     const struct node_token *token)
{
	switch (f->source) {
	case TALLY_SOURCE_MEMINFO:
		f->unit = token->kib ? TALLY_UNIT_BYTES : TALLY_UNIT_PAGES;
		if (!token->kib)
			f->page_bytes = n->huge_bytes;
		break;
	case TALLY_SOURCE_NUMASTAT:
		f->unit = TALLY_UNIT_EVENTS;
		f->counter = true;
		break;
	case TALLY_SOURCE_VMSTAT:
		classify_vmstat(n, f);
		break;
	case TALLY_SOURCE_HUGEPAGES:
		f->unit = TALLY_UNIT_PAGES;
		f->page_bytes =
			strtol(f->name + strlen("hugepages-"), NULL, 10) * 1024;
		break;
	case TALLY_SOURCE_CPU:
		f->unit = TALLY_UNIT_NS;
		f->counter = true;
		break;
	default:
		f->unit = TALLY_UNIT_BYTES;
		f->estimate = true;
		break;
	}
}

/* Make room for twice as many figures, in every row too. */
static int grow_figures(struct tally_node_stats *n)
{
	unsigned int max = n->max_figures ? 2 * n->max_figures : 128;
	struct tally_figure *figures;

	figures = reallocarray(n->figures, max, sizeof(*figures));
	if (!figures)
		return -ENOMEM;
	n->figures = figures;
	for (unsigned int i = 0; i < n->nr_rows; i++) {
		struct node_row *row = n->rows[i];
		int64_t *values =
			reallocarray(row->values, max, sizeof(*values));

		if (!values)
			return -ENOMEM;
		for (unsigned int j = n->max_figures; j < max; j++)
			values[j] = TALLY_UNKNOWN;
		row->shown.values = row->values = values;
	}
	n->max_figures = max;
	return 0;
}

static int add_figure(struct tally_node_stats *n, enum tally_source source,
		      const struct node_token *token)
{
	struct tally_figure *f;
	char *name;
	int err;

	if (n->nr_figures == NODE_FIGURES)
		return -EFBIG;
	if (n->nr_figures == n->max_figures) {
		err = grow_figures(n);
		if (err)
			return err;
	}
	name = strndup(token->name, token->len);
	if (!name)
		return -ENOMEM;
	if (source == TALLY_SOURCE_VMSTAT && begins(name, "nr_zone_"))
		n->zone_names = true;
	f = &n->figures[n->nr_figures];
	*f = (struct tally_figure){.name = name, .source = source};
	classify(n, f, token);
	return (int)n->nr_figures++;
}

static bool is_figure(const struct tally_figure *f, enum tally_source source,
		      const char *name, size_t len)
{
	return f->source == source && strncmp(f->name, name, len) == 0 &&
	       !f->name[len];
}

int node_figure_find(const struct tally_node_stats *n, enum tally_source source,
		     const char *name, size_t len)
{
	for (unsigned int i = 0; i < n->nr_figures; i++)
		if (is_figure(&n->figures[i], source, name, len))
			return (int)i;
	return -ENOENT;
}

int node_figure(struct tally_node_stats *n, enum tally_source source,
		const struct node_token *token)
{
	int next = n->hint + 1;

	/* Lines mostly come in the order of the figures. */
	if ((unsigned int)next >= n->nr_figures ||
	    !is_figure(&n->figures[next], source, token->name, token->len))
		next = node_figure_find(n, source, token->name, token->len);
	if (next < 0)
		next = add_figure(n, source, token);
	if (next >= 0)
		n->hint = next;
	return next;
}

int node_figure_value(const struct tally_node_stats *n, int figure,
		      const struct node_token *token, int64_t *value)
{
	const struct tally_figure *f = &n->figures[figure];

	if (f->unit != TALLY_UNIT_BYTES) {
		*value = token->value;
		return 0;
	}
	return __builtin_mul_overflow(token->value, 1024, value) ? -ERANGE : 0;
}

void node_row_forget(const struct tally_node_stats *n, struct node_row *row,
		     enum tally_source source)
{
	for (unsigned int i = 0; i < n->nr_figures; i++)
		if (n->figures[i].source == source)
			row->values[i] = TALLY_UNKNOWN;
}

/* ---- sizes of pages ------------------------------------------------------ */

static int64_t number_after(const char *text, const char *label)
{
	const char *p = strstr(text, label);

	return p ? strtol(p + strlen(label), NULL, 10) : 0;
}

/* Whether a figure of these sources may be in such pages. */
static bool asks_for(const struct tally_node_stats *n, unsigned int sources)
{
	return n->asked & sources;
}

void node_sizes_find(struct tally_node_stats *n)
{
	int64_t bytes;

	n->tick_ns = 1000000000 / (n->live ? sysconf(_SC_CLK_TCK) : 100);
	if (asks_for(n,
		     1u << TALLY_SOURCE_VMSTAT | 1u << TALLY_SOURCE_ESTIMATE))
		n->page_bytes = kernel_page_bytes(n->tree, n->live);
	if (asks_for(n, 1u << TALLY_SOURCE_VMSTAT) &&
	    topo_read(n->tree, "sys/kernel/mm/transparent_hugepage/"
			       "hpage_pmd_size") == 0) {
		bytes = strtol(n->tree->text, NULL, 10);
		if (bytes > 0)
			n->pmd_bytes = bytes;
	}
	if (asks_for(n, 1u << TALLY_SOURCE_MEMINFO) &&
	    topo_read(n->tree, "proc/meminfo") == 0) {
		bytes = number_after(n->tree->text, "\nHugepagesize:");
		if (bytes > 0 && bytes < INT64_MAX / 1024)
			n->huge_bytes = bytes * 1024;
	}
}
