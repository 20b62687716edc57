// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/demand.h"

#include <errno.h>
#include <stdlib.h>

#include <numatally/place.h>
#include <numatally/view.h>

static int node_id(const struct book *b, unsigned int index)
{
	return tally_topo_node(b->topo, index)->id;
}

static int64_t node_bytes(const struct book *b, unsigned int index)
{
	int64_t bytes = tally_topo_node(b->topo, index)->memory_bytes;

	return bytes > 0 ? bytes : 0;
}

/*
 * A job that names no memory gets all of the machine's from Slurm; a little less
 * is configured than the nodes have.
 */
static bool is_whole(const struct book *b, int64_t bytes)
{
	int64_t all = 0;

	for (unsigned int i = 0; i < tally_topo_nr_nodes(b->topo); i++)
		all += node_bytes(b, i);
	return all && bytes >= all - all / 10;
}

/* Replace the parts by @bytes in proportion to them, to the last byte. */
static void spread(int64_t bytes, int64_t *parts, unsigned int nr)
{
	__int128 all = 0, sum = 0;
	int64_t done = 0;

	for (unsigned int i = 0; i < nr; i++)
		all += parts[i];
	for (unsigned int i = 0; all && i < nr; i++) {
		sum += parts[i];
		parts[i] = (int64_t)(bytes * sum / all) - done;
		done += parts[i];
	}
}

/* ---- the nodes ------------------------------------------------------------ */

static int nodes_of_parent(const struct book *b, const struct parent *parent,
			   bool *on)
{
	struct tally_view *view;
	int err = tally_view_open(b->ledger, &view);

	if (err)
		return err;
	for (unsigned int i = 0; !err && i < tally_topo_nr_nodes(b->topo);
	     i++) {
		int64_t has[BOOK_NR];

		err = tally_limit_holding(view, parent->account, node_id(b, i),
					  has);
		on[i] = !err && on[i] && has[BOOK_CORES];
	}
	tally_view_close(view);
	return err;
}

/* Which nodes are asked for: 0, or -ENODEV. */
static int choose_nodes(const struct book *b, const struct grant *grant,
			const struct parent *parent, struct demand *d)
{
	bool none = true, given = false;

	for (unsigned int i = 0; i < tally_topo_nr_nodes(b->topo); i++) {
		given |= d->cores[i] != 0;
		d->on[i] = d->cores[i] &&
			   (!grant->wish ||
			    wish_has_node(grant->wish, node_id(b, i)));
		none &= !d->on[i];
	}
	if (none && given)
		return -ENODEV;
	return parent ? nodes_of_parent(b, parent, d->on) : 0;
}

/* ---- amounts -------------------------------------------------------------- */

/* Without a policy: the memory is divided as the cores are, that of the whole
 * machine as the nodes have it. */
static void fill(const struct book *b, const struct grant *grant,
		 const struct demand *d, int64_t *cores, int64_t *bytes)
{
	unsigned int nr = tally_topo_nr_nodes(b->topo);
	bool whole = is_whole(b, grant->memory_bytes);
	bool all = !grant->wish || (!grant->wish->has_nodes &&
				    grant->wish->policy == TALLY_PLACE_NONE);

	for (unsigned int i = 0; i < nr; i++) {
		cores[i] = d->on[i] ? d->cores[i] : 0;
		bytes[i] = whole ? node_bytes(b, i) : cores[i];
	}
	spread(grant->memory_bytes, bytes, nr);
	for (unsigned int i = 0; whole && !all && i < nr; i++)
		if (!d->on[i])
			bytes[i] = 0;
}

static int free_bytes(const struct tally_view *view,
		      const struct parent *parent, int node, int64_t *bytes)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	int err;

	if (parent)
		return tally_limit_draw_free(view, parent->token, node,
					     BOOK_MEMORY, bytes);
	err = tally_limit_node(view, node, BOOK_MEMORY, &limit);
	if (!err)
		*bytes = limit.limit == TALLY_LIMIT_NONE
				 ? INT64_MAX / 4096
				 : limit.limit - limit.held;
	return err;
}

/* What nodes have, as columns of tally_place. */
struct columns {
	int64_t *free[BOOK_NR_RESERVED], *capacity[BOOK_NR_RESERVED];
	int *numbers;
};

static int fill_columns(const struct book *b, const struct parent *parent,
			const int64_t *cores, const struct columns *c)
{
	struct tally_view *view;
	int err = tally_view_open(b->ledger, &view);

	if (err)
		return err;
	for (unsigned int i = 0; !err && i < tally_topo_nr_nodes(b->topo);
	     i++) {
		c->numbers[i] = node_id(b, i);
		c->free[BOOK_CORES][i] = cores[i];
		c->capacity[BOOK_CORES][i] = 0;
		c->capacity[BOOK_MEMORY][i] = node_bytes(b, i);
		err = free_bytes(view, parent, c->numbers[i],
				 &c->free[BOOK_MEMORY][i]);
	}
	for (unsigned int i = 0; i < b->cores.nr; i++)
		c->capacity[BOOK_CORES][b->cores.core[i].index]++;
	tally_view_close(view);
	return err;
}

static int keep(void *arg, const uint32_t *nodes, unsigned int nr, bool *kept)
{
	const bool *on = arg;

	for (unsigned int i = 0; i < nr; i++)
		kept[i] = on[nodes[i]];
	return 0;
}

static bool is_too_little(int err)
{
	return err == -ENOSPC || err == -ERANGE;
}

static int fit(const struct tally_place *place, const struct demand *d,
	       enum tally_place_policy policy,
	       const struct tally_amount *amount, struct tally_fit *fit)
{
	const struct tally_place_part part = {amount, 1};
	const struct tally_place_request request = {
		.size = sizeof(request),
		.parts = &part,
		.nr_parts = 1,
		.policy = policy,
		.filter = keep,
		.arg = d->on,
	};

	*fit = (struct tally_fit){.size = sizeof(*fit)};
	return tally_place_fit(place, &request, 0, NULL, fit);
}

/* Where a node has not as much memory as its cores' part, it goes to other nodes
 * that are asked for, if these have it. */
static int place_memory(const struct book *b, const struct grant *grant,
			const struct tally_place *place, const struct demand *d,
			int64_t *bytes, struct tally_fit *f)
{
	const struct tally_amount memory = {BOOK_MEMORY, grant->memory_bytes};
	unsigned int nr = tally_topo_nr_nodes(b->topo);
	bool fits = true;
	int err;

	for (unsigned int i = 0; i < nr; i++)
		fits &= bytes[i] <= place->free[BOOK_MEMORY][i];
	if (fits || is_whole(b, grant->memory_bytes))
		return 0;
	err = fit(place, d, TALLY_PLACE_BEST_EFFORT, &memory, f);
	for (unsigned int i = 0; !err && i < nr; i++)
		bytes[i] = 0;
	for (unsigned int i = 0; !err && i < f->nr_demands; i++)
		bytes[tally_topo_index(b->topo, f->demands[i].node)] =
			f->demands[i].amount;
	/* The reserve says what there is too little of. */
	return is_too_little(err) ? 0 : err;
}

/*
 * Of the cores that Slurm gave all are taken; so a policy decides whether their
 * nodes will do. It is about cores alone: a little memory needs but one node, and
 * a restricted policy would refuse cores that need two.
 */
static int place_all(const struct book *b, const struct grant *grant,
		     const struct parent *parent, const struct demand *d,
		     const int64_t *cores, int64_t *bytes)
{
	size_t nr = tally_topo_nr_nodes(b->topo);
	int64_t *cells = calloc(nr * 4, sizeof(*cells));
	int *numbers = calloc(nr, sizeof(*numbers));
	struct tally_fit *f = calloc(1, sizeof(*f));
	const struct columns c = {
		{cells, cells + nr}, {cells + 2 * nr, cells + 3 * nr}, numbers};
	const struct tally_place place = {
		.size = sizeof(place),
		.nr_nodes = (uint32_t)nr,
		.nr_resources = BOOK_NR_RESERVED,
		.free = c.free,
		.capacity = c.capacity,
		.numbers = numbers,
	};
	struct tally_amount all = {BOOK_CORES, 0};
	int err = cells && numbers && f ? fill_columns(b, parent, cores, &c)
					: -ENOMEM;

	for (size_t i = 0; i < nr; i++)
		all.amount += cores[i];
	if (!err)
		err = fit(&place, d, grant->wish->policy, &all, f);
	if (is_too_little(err))
		err = -EXDEV;
	if (!err)
		err = place_memory(b, grant, &place, d, bytes, f);
	free(f);
	free(numbers);
	free(cells);
	return err;
}

static void add_demands(const struct book *b, struct demand *d,
			const int64_t *cores, const int64_t *bytes)
{
	for (unsigned int i = 0; i < tally_topo_nr_nodes(b->topo); i++) {
		int id = node_id(b, i);

		if (cores[i])
			d->list[d->nr++] =
				(struct tally_demand){id, BOOK_CORES, cores[i]};
		if (bytes[i])
			d->list[d->nr++] = (struct tally_demand){
				id, BOOK_MEMORY, bytes[i]};
	}
}

static int make(struct book *b, const struct grant *grant,
		const struct parent *parent, struct demand *d, int64_t *cores,
		int64_t *bytes)
{
	int nr = cores_count(&b->cores, grant->cores, d->cores);
	int err = nr < 0 ? nr : choose_nodes(b, grant, parent, d);
	bool asks = false;

	if (err)
		return err;
	fill(b, grant, d, cores, bytes);
	for (unsigned int i = 0; i < tally_topo_nr_nodes(b->topo); i++)
		asks |= cores[i] != 0;
	if (asks && grant->wish && grant->wish->policy != TALLY_PLACE_NONE)
		err = place_all(b, grant, parent, d, cores, bytes);
	if (err)
		return err;
	add_demands(b, d, cores, bytes);
	return 0;
}

int demand_make(struct book *b, const struct grant *grant,
		const struct parent *parent, struct demand *d)
{
	unsigned int nr = tally_topo_nr_nodes(b->topo);
	int64_t *cores = calloc(nr, sizeof(*cores));
	int64_t *bytes = calloc(nr, sizeof(*bytes));
	int err = -ENOMEM;

	*d = (struct demand){
		.list = calloc((size_t)nr * BOOK_NR_RESERVED, sizeof(*d->list)),
		.cores = calloc(nr, sizeof(*d->cores)),
		.on = calloc(nr, sizeof(*d->on)),
	};
	if (cores && bytes && d->list && d->cores && d->on)
		err = make(b, grant, parent, d, cores, bytes);
	free(cores);
	free(bytes);
	return err;
}

void demand_free(struct demand *d)
{
	free(d->list);
	free(d->cores);
	free(d->on);
	*d = (struct demand){0};
}
