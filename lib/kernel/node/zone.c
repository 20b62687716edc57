// SPDX-License-Identifier: MIT
/* MemAvailable of a node, estimated as the kernel does for the machine. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "kernel/node/internal.h"

/* Watermarks change with vm.min_free_kbytes and the like. */
#define WATERMARKS_NS 10000000000

static struct node_row *find_row(const struct tally_node_stats *n, int node)
{
	for (unsigned int i = 0; i < n->nr_rows; i++)
		if (n->rows[i]->shown.node == node)
			return n->rows[i];
	return NULL;
}

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* As calculate_totalreserve_pages(), without the boost. */
static void add_zone(const struct tally_node_stats *n,
		     const struct node_zone *zone)
{
	struct node_row *row = zone->node < 0 ? NULL : find_row(n, zone->node);
	int64_t most = zone->managed_known ? zone->managed : zone->present;
	int64_t reserve;

	if (!row)
		return;
	reserve = zone->high > zone->boost ? zone->high - zone->boost : 0;
	reserve = add(reserve, zone->protection);
	row->has_zones = true;
	row->low_pages = add(row->low_pages, zone->low);
	row->reserve_pages =
		add(row->reserve_pages, reserve < most ? reserve : most);
}

static int read_zones(struct tally_node_stats *n)
{
	struct node_zone zone = {.node = -1}, before;
	char *line;
	int got;

	while ((got = node_lines_next(&n->lines, &line)) > 0) {
		before = zone;
		got = node_text_zone(line, &zone);
		if (got < 0)
			return -EBADMSG;
		if (got > 0)
			add_zone(n, &before);
	}
	if (!got)
		add_zone(n, &zone);
	return got;
}

static void read_watermarks(struct tally_node_stats *n)
{
	int err;

	for (unsigned int i = 0; i < n->nr_rows; i++) {
		n->rows[i]->has_zones = false;
		n->rows[i]->low_pages = n->rows[i]->reserve_pages = 0;
	}
	err = node_file_start(n, &n->zoneinfo);
	if (!err) {
		err = read_zones(n);
		node_file_done(n, &n->zoneinfo);
	}
	n->zones_err = err;
	n->zones_ns = n->time_ns;
	n->zones_due = false;
}

static int64_t value_of(const struct tally_node_stats *n,
			const struct node_row *row, const char *name)
{
	int figure =
		node_figure_find(n, TALLY_SOURCE_MEMINFO, name, strlen(name));

	return figure < 0 ? TALLY_UNKNOWN : row->values[figure];
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* As si_mem_available(), for one node. */
static int64_t available(const struct tally_node_stats *n,
			 const struct node_row *row)
{
	int64_t free = value_of(n, row, "MemFree");
	int64_t active = value_of(n, row, "Active(file)");
	int64_t inactive = value_of(n, row, "Inactive(file)");
	int64_t reclaimable = value_of(n, row, "KReclaimable");
	int64_t low, reserve, file, bytes;

	if (reclaimable == TALLY_UNKNOWN)
		reclaimable = value_of(n, row, "SReclaimable");
	if (free == TALLY_UNKNOWN || active == TALLY_UNKNOWN ||
	    inactive == TALLY_UNKNOWN || reclaimable == TALLY_UNKNOWN ||
	    __builtin_mul_overflow(row->low_pages, n->page_bytes, &low) ||
	    __builtin_mul_overflow(row->reserve_pages, n->page_bytes,
				   &reserve) ||
	    __builtin_add_overflow(active, inactive, &file))
		return TALLY_UNKNOWN;
	bytes = free - reserve;
	bytes = add(bytes, file - min(file / 2, low));
	bytes = add(bytes, reclaimable - min(reclaimable / 2, low));
	return bytes < 0 ? 0 : bytes;
}

int node_zones_read(struct tally_node_stats *n)
{
	struct node_token token = {
		.name = "MemAvailable",
		.len = strlen("MemAvailable"),
	};
	int figure;

	if (n->zones_due || n->time_ns - n->zones_ns >= WATERMARKS_NS)
		read_watermarks(n);
	figure = node_figure(n, TALLY_SOURCE_ESTIMATE, &token);
	if (figure == -ENOMEM)
		return figure;
	for (unsigned int i = 0; i < n->nr_rows; i++) {
		struct node_row *row = n->rows[i];
		int *err = &row->shown.err[TALLY_SOURCE_ESTIMATE];

		*err = figure < 0 ? figure : n->zones_err;
		if (!*err && row->has_zones && n->page_bytes)
			row->values[figure] = available(n, row);
		if (!*err && row->values[figure] == TALLY_UNKNOWN)
			*err = -ENODATA;
	}
	return 0;
}
