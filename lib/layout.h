/* SPDX-License-Identifier: MIT */
/*
 * layout: the bytes of a ledger file, version 1.
 *
 * All numbers are fixed-width, in the byte order of the machine (a ledger
 * lives in the memory of one); all positions are offsets from the file's start.
 *
 *  ┌─ metadata ────────────────────────────────────────────────────────────┐
 *  │ header │ nodes │ lanes │ resources ││ writers │ heads │ accounts      │
 *  └────────────────────────────────────────────────────────────────────────┘
 *   written once, under a checksum       changed by every writer
 *
 *  ┌─ region of a node: page-aligned, bound to the node, one per node ──────┐
 *  │ region head │ lane records         ││ lane area │ lane area │ …         │
 *  │             │ [lane][plane]        ││                                   │
 *  └────────────────────────────────────────────────────────────────────────┘
 *   exists from the start                a hole until it is touched
 *
 * A lane belongs to one CPU and lies in the region of the CPU's node. A plane
 * is one node's share of a lane: amounts that are *for* that node. A CPU adds
 * to the plane of its own node nearly always; an amount of another node's
 * memory or cores goes to that node's plane, in the same, local, lane.
 *
 *  lane record: a cache line or more, written by the lane's CPU alone
 *  ┌─────────────────┬─────────────────┬──
 *  │ slice, plane 0  │ slice, plane 1  │ …   base → the plane's bucket headers
 *  └─────────────────┴─────────────────┴──   len: up to the last one touched
 *
 *  lane area                                  n: planes, b: buckets
 *  ┌───────────────────────────┬───────────────────────────────────────┐
 *  │ bucket headers [n][b]     │ stagger │ cells [n][b][64 rows][row]   │
 *  └───────────────────────────┴───────────────────────────────────────┘
 *
 *  bucket header: a slice over 64 rows; base → row 0, len 0 until touched
 *  row: one account's cells in this lane and plane, a cache line or more
 *
 * The stagger is (lane mod 64) cache lines, so that one account's rows in many
 * lanes don't fall into one set of the first-level cache.
 *
 * Places are computed from the parameters alone (layout_plan), by the maker
 * and by whoever opens the file, and must agree; headers in the file are then
 * held against that plan each time one is used.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/region.h>
#include <numatally/slice.h>

#define LAYOUT_MAGIC	     "NUMATLY"
#define LAYOUT_VERSION	     1
#define LAYOUT_ORDER	     0x01020304u
#define LAYOUT_LINE	     64u
#define LAYOUT_BUCKET_ROWS   64u
#define LAYOUT_STAGGER_BYTES 4096u
#define LAYOUT_ACCOUNT_BYTES 32u /* of an account's record, before its key */
#define LAYOUT_NAME_BYTES    32
#define LAYOUT_UNIT_BYTES    16
#define LAYOUT_MAX_NODES     1024u
#define LAYOUT_MAX_LANES     65536u
#define LAYOUT_MAX_COLUMNS   512u
#define LAYOUT_MAX_ACCOUNTS  (1u << 26)
#define LAYOUT_MAX_KEY	     4095u
#define LAYOUT_NR_WRITERS    256u

/* What a ledger is made of; all else follows. */
struct layout_params {
	uint32_t nr_nodes;
	uint32_t nr_lanes;
	uint32_t nr_resources;
	uint32_t max_accounts;
	uint32_t max_key_bytes; /* without the NUL */
	uint32_t page_bytes;
};

/* A table in the file. */
struct layout_table {
	uint64_t offset;
	uint64_t stride;
	uint64_t count;
};

/* Where things lie. */
struct layout_plan {
	struct layout_table nodes;
	struct layout_table lanes;
	struct layout_table resources;
	struct layout_table writers;
	struct layout_table heads;
	struct layout_table accounts;
	uint64_t once_bytes;	   /* header .. resources: written once */
	uint64_t directory_offset; /* of struct layout_directory */
	uint64_t regions_offset;   /* of the first region */
	uint64_t record_bytes;	   /* of a lane record */
	uint64_t nr_buckets;	   /* in a plane */
	uint64_t row_bytes;
	uint64_t bucket_bytes;
	uint64_t cells_offset; /* in a lane area */
	uint64_t area_bytes;   /* of a lane area */
};

struct layout_header {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	struct layout_params params;
	struct layout_plan plan;
	uint64_t file_bytes;
	uint8_t instance[16];
	uint8_t boot_id[16];
	uint64_t maker_start;	  /* ticks after boot */
	uint64_t maker_namespace; /* inode of its PID namespace */
	int64_t created_ns;	  /* since the epoch */
	uint32_t maker_pid;
	uint32_t pad;
	uint64_t checksum; /* over once_bytes, with this and ready 0 */
	uint32_t ready;	   /* stored last */
	uint32_t pad2;
};

struct layout_node {
	int32_t id;
	uint32_t nr_lanes; /* lane records in its region */
	uint64_t region_offset;
	uint64_t region_bytes;
	uint64_t areas_offset; /* in the region */
};

struct layout_lane {
	uint32_t node; /* index */
	uint32_t slot; /* among the lanes of its node */
};

struct layout_resource {
	char name[LAYOUT_NAME_BYTES];
	char unit[LAYOUT_UNIT_BYTES];
	uint32_t kind;
	uint32_t pad;
};

/* A process that has the ledger open; free where pid is 0. */
struct layout_writer {
	uint32_t pid;
	uint32_t pad;
	uint64_t start;
	uint64_t namespace;
};

struct layout_directory {
	uint32_t nr_rows;  /* below it lies every row ever used */
	uint32_t nr_freed; /* of these, about how many are free again */
};

/* First in a region, on memory of its node. */
struct layout_region_head {
	int32_t id;
	int32_t bound; /* as in tally_region */
};

/* A ledger file that is mapped and checked; the copies are ours. */
struct layout {
	char *origin;
	int fd;
	bool writable;
	bool stale; /* made before this boot */
	struct layout_header header;
	const struct layout_plan *plan; /* &header.plan */
	struct layout_node *nodes;
	struct layout_lane *lanes;
	struct layout_resource *resources;
	struct tally_region *regions; /* by node index */
};

/*
 * Where things lie, for these parameters.
 *
 * -EINVAL	a parameter is 0 or over its limit
 * -E2BIG	more than an address space holds
 */
int layout_plan(const struct layout_params *params, struct layout_plan *plan);

/* Slots for the lanes, and places for the regions, of nodes whose ids and
 * lanes whose nodes are set. -E2BIG, -EINVAL as layout_plan(). */
int layout_place(const struct layout_params *params,
		 const struct layout_plan *plan, struct layout_node *nodes,
		 struct layout_lane *lanes, uint64_t *file_bytes);

/* FNV-1a, 64 bits: every step is a bijection of the hash, so that one changed
 * byte always changes the result. http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t layout_hash(const void *data, size_t bytes);

bool layout_resource_valid(const struct layout_resource *resource);

/*
 * Makes the file in fd, which is empty, and maps it; unready until
 * layout_publish(). Takes over fd, nodes and lanes, both as layout_place()
 * takes them, and resources, all from malloc; on failure too.
 */
int layout_create(int fd, const struct layout_params *params,
		  struct layout_node *nodes, struct layout_lane *lanes,
		  struct layout_resource *resources, struct layout **layout);
void layout_publish(struct layout *layout);

/* Maps the file in fd and checks it; errors as tally_reader_open(). Takes over
 * fd, on failure too. */
int layout_map(int fd, bool writable, struct layout **layout);
void layout_unmap(struct layout *layout);

/* The index of the node with this number, or -ENOENT. */
int layout_node_index(const struct layout *layout, int node);

/* The lane record of the slot-th lane in the region of a node: slices over
 * bucket headers, one per plane. */
static inline struct tally_slice *layout_record(const struct layout *layout,
						uint32_t node, uint32_t slot)
{
	return (struct tally_slice *)(layout->origin +
				      layout->nodes[node].region_offset +
				      LAYOUT_LINE +
				      slot * layout->plan->record_bytes);
}

/* Where the plan puts bucket headers and cells, as offsets in the file. */
uint64_t layout_headers_offset(const struct layout *layout, uint32_t lane,
			       uint32_t plane);
uint64_t layout_cells_offset(const struct layout *layout, uint32_t lane,
			     uint32_t plane, uint64_t bucket);

#endif
