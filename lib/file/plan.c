// SPDX-License-Identifier: MIT
/* Where things lie in a ledger file: arithmetic alone. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "file/layout_limit.h"

/* Leaves room for others in the 47 and 48 bits of x86-64 and aarch64. */
#define MAX_FILE_BYTES (UINT64_C(1) << 46)

static uint64_t align(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static uint64_t power_of_two_from(uint64_t n)
{
	uint64_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static uint64_t put(struct layout_table *table, uint64_t at, uint64_t stride,
		    uint64_t count)
{
	table->offset = align(at, LAYOUT_LINE);
	table->stride = stride;
	table->count = count;
	return table->offset + stride * count;
}

static bool in(uint32_t n, uint32_t max)
{
	return n >= 1 && n <= max;
}

static bool params_valid(const struct layout_params *p)
{
	return in(p->nr_nodes, LAYOUT_MAX_NODES) &&
	       in(p->nr_machines, LAYOUT_MAX_MACHINES) &&
	       p->nr_planes <= p->nr_nodes &&
	       (p->nr_planes ? in(p->nr_planes, LAYOUT_MAX_PLANES) &&
				       in(p->nr_lanes, LAYOUT_MAX_LANES)
			     : !p->nr_lanes) &&
	       in(p->nr_resources, LAYOUT_MAX_COLUMNS) &&
	       p->nr_spare < p->nr_resources &&
	       in(p->max_accounts, LAYOUT_MAX_ACCOUNTS) &&
	       in(p->max_key_bytes, LAYOUT_MAX_KEY) && p->page_bytes >= 4096 &&
	       p->page_bytes <= (1u << 20) &&
	       (p->page_bytes & (p->page_bytes - 1)) == 0 &&
	       (p->flags & ~(LAYOUT_EXCLUSIVE | LAYOUT_SAVED)) == 0;
}

/* Each of these places a part of the metadata behind at and returns its
 * end. */

static uint64_t plan_once(const struct layout_params *params, uint64_t at,
			  struct layout_plan *plan)
{
	at = put(&plan->nodes, at, sizeof(struct layout_node),
		 params->nr_nodes);
	at = put(&plan->machines, at, sizeof(struct layout_machine),
		 params->nr_machines);
	at = put(&plan->places, at, sizeof(struct layout_place),
		 params->nr_planes);
	at = put(&plan->lanes, at, sizeof(struct layout_lane),
		 params->nr_lanes);
	at = put(&plan->resources, at, sizeof(struct layout_resource),
		 params->nr_resources - params->nr_spare);
	plan->once_bytes = at;
	return at;
}

static uint64_t plan_writers(uint64_t page, uint64_t at,
			     struct layout_plan *plan)
{
	at = put(&plan->writers, align(at, page), LAYOUT_LINE,
		 LAYOUT_NR_WRITERS);
	at = align(at, page) + LAYOUT_SKIP;
	plan->control_offset = at;
	at += align(sizeof(struct layout_control), LAYOUT_LINE);
	plan->directory_offset = at;
	at += LAYOUT_LINE;
	at = put(&plan->threads, at, sizeof(struct layout_thread),
		 LAYOUT_NR_THREADS);
	return put(&plan->in_doubt, at, sizeof(struct layout_in_doubt),
		   LAYOUT_NR_IN_DOUBT);
}

/* What exists from the start of limits and reservations. */
static uint64_t plan_limits(const struct layout_params *params, uint64_t at,
			    struct layout_plan *plan)
{
	plan->limits_offset = align(at, LAYOUT_LINE);
	at = plan->limits_offset + sizeof(struct layout_limits);
	at = put(&plan->capacities, at, sizeof(struct layout_capacity),
		 (uint64_t)params->nr_nodes * params->nr_resources);
	at = put(&plan->spares, at, sizeof(struct layout_spare),
		 params->nr_spare);
	at = put(&plan->undo, at, sizeof(struct layout_undo), LAYOUT_NR_UNDO);
	at = put(&plan->uncommitted, at, sizeof(struct layout_uncommitted),
		 LAYOUT_NR_WRITERS);
	at = put(&plan->populated, at, 1, plan->nr_buckets);
	at = put(&plan->roster_bytes, at, 1, params->nr_nodes);
	return put(&plan->credit_lanes, at, 1, params->nr_lanes);
}

static uint64_t plan_accounts(const struct layout_params *params, uint64_t at,
			      struct layout_plan *plan)
{
	uint64_t page = params->page_bytes;

	/* One to two accounts in a chain when the directory is full. */
	at = put(&plan->heads, at, sizeof(uint64_t),
		 power_of_two_from((params->max_accounts + 1) / 2));
	at = put(&plan->rows, at, sizeof(struct layout_rows), plan->nr_buckets);
	at = put(&plan->accounts, align(at, page),
		 align(LAYOUT_ACCOUNT_BYTES + params->max_key_bytes + 1,
		       LAYOUT_LINE),
		 params->max_accounts);
	return put(&plan->generations, align(at, page) + LAYOUT_SKIP,
		   sizeof(uint32_t), params->max_accounts);
}

static uint64_t plan_reservations(const struct layout_params *params,
				  uint64_t at, struct layout_plan *plan)
{
	at = put(&plan->reservations, align(at, params->page_bytes),
		 sizeof(struct layout_reservation), params->max_accounts);
	at = put(&plan->leases, at, sizeof(uint64_t),
		 LAYOUT_LEASE_SKIP + (uint64_t)params->max_accounts);
	at = put(&plan->quotas, at,
		 params->nr_resources * sizeof(struct layout_quota),
		 params->max_accounts);
	at = put(&plan->families, at, sizeof(struct layout_family),
		 params->max_accounts);
	at = put(&plan->credits, at, sizeof(struct layout_credit),
		 LAYOUT_NR_CREDITS);
	at = put(&plan->holdings, at,
		 align(sizeof(struct layout_holding) +
			       params->nr_resources * sizeof(int64_t),
		       LAYOUT_LINE / 2),
		 /* what an account has, and what its children have of it */
		 2 * (uint64_t)params->nr_nodes * params->max_accounts);
	at = put(&plan->rosters, at, sizeof(struct layout_roster),
		 params->nr_nodes);
	return put(&plan->lists, at,
		   LAYOUT_NR_COPIES * sizeof(uint64_t) * params->max_accounts,
		   params->nr_nodes);
}

/* The sizes of what regions have. */
static int plan_regions(const struct layout_params *params,
			struct layout_plan *plan)
{
	uint64_t page = params->page_bytes;
	uint64_t slices = params->nr_planes *
			  (sizeof(struct tally_slice) + sizeof(uint64_t));
	uint64_t nr_headers = plan->nr_buckets * params->nr_planes;
	uint64_t cells_bytes;

	plan->folded_bytes = align(slices, LAYOUT_LINE);
	plan->record_bytes = align(LAYOUT_NR_BANKS * slices, LAYOUT_LINE);
	plan->row_bytes = power_of_two_from(
		align(params->nr_resources * sizeof(int64_t), LAYOUT_LINE));
	plan->bucket_bytes = plan->row_bytes * LAYOUT_BUCKET_ROWS;
	plan->copy_bytes = plan->bucket_bytes + plan->row_bytes;
	if (__builtin_mul_overflow(nr_headers,
				   plan->bucket_bytes * LAYOUT_NR_BANKS,
				   &cells_bytes) ||
	    cells_bytes > MAX_FILE_BYTES)
		return -E2BIG;
	plan->cells_offset =
		align(LAYOUT_NR_BANKS * nr_headers * sizeof(struct tally_slice),
		      page);
	plan->area_bytes = align(
		plan->cells_offset + LAYOUT_STAGGER_BYTES + cells_bytes, page);
	plan->copies_offset = align(nr_headers * sizeof(uint64_t), page);
	plan->copies_bytes = align(
		plan->copies_offset + 2 * nr_headers * plan->copy_bytes, page);
	return 0;
}

int layout_plan(const struct layout_params *params, struct layout_plan *out)
{
	struct layout_plan plan = {0};
	uint64_t at = sizeof(struct layout_header);
	int err;

	if (!params_valid(params))
		return -EINVAL;
	plan.nr_buckets = align(params->max_accounts, LAYOUT_BUCKET_ROWS) /
			  LAYOUT_BUCKET_ROWS;
	at = plan_once(params, at, &plan);
	at = plan_writers(params->page_bytes, at, &plan);
	at = plan_limits(params, at, &plan);
	at = plan_accounts(params, at, &plan);
	at = plan_reservations(params, at, &plan);
	plan.regions_offset = align(at, params->page_bytes);
	if (plan.regions_offset > MAX_FILE_BYTES)
		return -E2BIG;
	err = plan_regions(params, &plan);
	if (!err)
		*out = plan;
	return err;
}

/* Place what a node's region has. Return its bytes, or 0 for too many. */
static uint64_t place_in_region(const struct layout_params *params,
				const struct layout_plan *plan,
				struct layout_place *place)
{
	uint64_t page = params->page_bytes, nr_lanes = place->nr_lanes;
	uint64_t at, areas;

	at = align(LAYOUT_LINE + plan->folded_bytes +
			   nr_lanes * plan->record_bytes,
		   page);
	place->inflight_offset = at;
	/* No add is in flight, or folded, on a node without CPUs. */
	if (nr_lanes)
		at += align((uint64_t)LAYOUT_NR_THREADS * LAYOUT_LINE, page);
	place->folded_offset = at;
	if (nr_lanes)
		at += plan->copies_bytes;
	place->credits_offset = at;
	at += align(nr_lanes * LAYOUT_NR_CREDITS *
			    sizeof(struct layout_credit_word),
		    page);
	place->areas_offset = at;
	if (__builtin_mul_overflow(nr_lanes, plan->area_bytes, &areas) ||
	    areas > MAX_FILE_BYTES)
		return 0;
	return at + areas;
}

int layout_place(const struct layout_params *params,
		 const struct layout_plan *plan, struct layout_place *places,
		 struct layout_lane *lanes, uint64_t *file_bytes)
{
	uint64_t at = plan->regions_offset;

	for (uint32_t n = 0; n < params->nr_planes; n++)
		places[n].nr_lanes = 0;
	for (uint32_t l = 0; l < params->nr_lanes; l++) {
		if (lanes[l].node >= params->nr_planes)
			return -EINVAL;
		lanes[l].slot = places[lanes[l].node].nr_lanes++;
	}
	for (uint32_t n = 0; n < params->nr_planes; n++) {
		struct layout_place *place = &places[n];

		place->region_offset = at;
		place->region_bytes = place_in_region(params, plan, place);
		at += place->region_bytes;
		if (!place->region_bytes || at > MAX_FILE_BYTES)
			return -E2BIG;
	}
	*file_bytes = at + params->page_bytes; /* of the seal */
	return 0;
}

bool layout_nodes_valid(const struct layout_params *params,
			const struct layout_node *nodes,
			const struct layout_machine *machines)
{
	uint32_t machine = 0;
	int32_t last = -1;

	for (uint32_t n = 0; n < params->nr_nodes; n++) {
		uint32_t next = (uint32_t)nodes[n].id >> LAYOUT_MACHINE_SHIFT;

		/* Each machine has a node, and nodes of the first have planes,
		 * or none has. */
		if (nodes[n].id <= last || next > machine + 1 ||
		    (params->nr_planes && (n < params->nr_planes) != !next))
			return false;
		last = nodes[n].id;
		machine = next;
	}
	if (machine != params->nr_machines - 1)
		return false;
	for (uint32_t m = 0; m < params->nr_machines; m++) {
		size_t len = strnlen(machines[m].name, sizeof(machines->name));

		if (len == sizeof(machines->name) ||
		    (!len && params->nr_machines > 1))
			return false;
	}
	return true;
}

static bool is_name(const char *s, size_t bytes, bool may_be_empty)
{
	size_t len = strnlen(s, bytes);

	if (len == bytes || (!len && !may_be_empty))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		bool digit = c >= '0' && c <= '9';

		if (!(c == '_' || (c >= 'a' && c <= 'z') ||
		      (c >= 'A' && c <= 'Z') || (digit && i)))
			return false;
	}
	return true;
}

bool layout_resource_valid(const struct layout_resource *r)
{
	return is_name(r->name, sizeof(r->name), false) &&
	       is_name(r->unit, sizeof(r->unit), true) && r->kind >= 1 &&
	       r->kind <= LAYOUT_NR_KINDS;
}

static uint64_t area_offset(const struct layout *layout, uint32_t lane)
{
	const struct layout_lane *l = &layout->lanes[lane];
	const struct layout_place *place = &layout->places[l->node];

	return place->region_offset + place->areas_offset +
	       l->slot * layout->plan->area_bytes;
}

uint64_t layout_headers_offset(const struct layout *layout, uint32_t lane,
			       uint32_t bank, uint32_t plane)
{
	uint64_t nr_planes = layout->header.params.nr_planes;

	return area_offset(layout, lane) + (bank * nr_planes + plane) *
						   layout->plan->nr_buckets *
						   sizeof(struct tally_slice);
}

uint64_t layout_cells_offset(const struct layout *layout, uint32_t lane,
			     uint32_t bank, uint32_t plane, uint64_t bucket)
{
	const struct layout_plan *plan = layout->plan;
	uint64_t nr_planes = layout->header.params.nr_planes;

	return area_offset(layout, lane) + plan->cells_offset +
	       (uint64_t)lane * LAYOUT_LINE % LAYOUT_STAGGER_BYTES +
	       ((bank * nr_planes + plane) * plan->nr_buckets + bucket) *
		       plan->bucket_bytes;
}

uint64_t layout_copies_offset(const struct layout *layout, uint32_t node,
			      uint32_t copy, uint32_t plane, uint64_t bucket)
{
	const struct layout_plan *plan = layout->plan;
	uint64_t nr_planes = layout->header.params.nr_planes;

	return layout_folded_offset(layout, node) + plan->copies_offset +
	       ((copy * nr_planes + plane) * plan->nr_buckets + bucket) *
		       plan->copy_bytes;
}
