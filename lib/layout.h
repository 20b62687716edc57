/* SPDX-License-Identifier: MIT */
/*
 * layout: the bytes of a ledger file, version 1.
 *
 * All numbers are fixed-width, in the byte order of the machine (a ledger
 * lives in the memory of one); all positions are offsets from the file's start.
 *
 *  ┌─ metadata ────────────────────────────────────────────────────────────┐
 *  │ header │ nodes │ lanes │ resources ││ writers │ … │ heads │ accounts  │
 *  └────────────────────────────────────────────────────────────────────────┘
 *   written once, under a checksum       changed by every writer
 *
 *  ┌─ region of a node: page-aligned, bound to the node, one per node ──────┐
 *  │ head │ settled │ lane records       ││ marks │ settled │ held  │ lane │ …
 * │ │      │ records │ [lane][bank][plane] ││       │ area    │ rows… │ areas │
 *  └────────────────────────────────────────────────────────────────────────┘
 *   exists from the start                 holes until they are touched
 *
 * A lane belongs to one CPU and lies in the region of the CPU's node. A plane
 * is one node's share of a lane: amounts that are *for* that node. A CPU adds
 * to the plane of its own node nearly always; an amount of another node's
 * memory or cores goes to that node's plane, in the same, local, lane.
 *
 * A bank is one of two sets of cells. Adds go to the bank of the epoch's parity
 * (struct layout_control); the other one is frozen by a snapshot, folded into
 * the settled cells of its region when the snapshot is released, and zero
 * until the epoch moves on. What an account has is the sum of all three.
 *
 *  lane record: cache lines written by the lane's CPU alone
 *  ┌──────────────────┬──────────────────┬──
 *  │ bank 0, plane 0  │ bank 0, plane 1  │ …  base → the plane's bucket headers
 *  └──────────────────┴──────────────────┴──  len: up to the last one touched
 *  ... and behind all slices a copy of each len, raised after it: a len that is
 *  less is damage, and not a plane that nobody touched
 *
 *  lane area                                  n: planes, b: buckets
 *  ┌──────────────────────────┬──────────────────────────────────────────┐
 *  │ bucket headers [2][n][b] │ stagger │ cells [2][n][b][64 rows][row]  │
 *  └──────────────────────────┴──────────────────────────────────────────┘
 *
 *  settled area: what folding leaves, in two copies of which one counts
 *  ┌──────────────────────────┬──────────────────────────────────────────┐
 *  │ bucket states [n][b]     │ cells [2][n][b][64 rows + 1][row]        │
 *  └──────────────────────────┴──────────────────────────────────────────┘
 *  the row behind the 64: counters of accounts that were in them and are gone
 *  settled record [n]: base → the plane's bucket states, len as above; copies
 *  bucket state: see layout_state_word(); below len none is 0
 *
 *  bucket header: a slice over 64 rows; base → row 0, len 0 until touched
 *  row: one account's cells in this lane and plane, a cache line or more
 *  held rows, credits: what accounts have reserved, see layout_limit.h
 *  marks: a line for every thread slot, see struct layout_thread
 *
 * The control and the generations are mapped a second time by those who add,
 * from the pages that they begin in, LAYOUT_SKIP bytes further down: the first
 * row of the first lane lies at the beginning of a page, and a load from the
 * same place in another page waits for stores to that.
 *
 * The stagger is (lane mod 64) cache lines, so that one account's rows in many
 * lanes don't fall into one set of the first-level cache.
 *
 * Behind the last region lies a page whose last word is the seal. Wherever the
 * file is cut, be it drawn long again, the seal is gone: what was read is worth
 * something only if the seal is there after it.
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
#define LAYOUT_SKIP	     2048u
#define LAYOUT_ACCOUNT_BYTES 32u /* of an account's record, before its key */
#define LAYOUT_NAME_BYTES    32
#define LAYOUT_UNIT_BYTES    16
#define LAYOUT_MAX_NODES     1024u
#define LAYOUT_MAX_LANES     65536u
#define LAYOUT_MAX_COLUMNS   512u
#define LAYOUT_MAX_ACCOUNTS  (1u << 26)
#define LAYOUT_MAX_KEY	     4095u
#define LAYOUT_NR_WRITERS    256u
#define LAYOUT_NR_THREADS    4096u
#define LAYOUT_NR_DOUBTS     256u
#define LAYOUT_MARK_ROWS     11u
#define LAYOUT_DOUBT_ROWS    10u
#define LAYOUT_NR_BANKS	     2u
#define LAYOUT_EVEN_LANES    32
#define LAYOUT_EXCLUSIVE     1u /* flag: one process writes */
#define LAYOUT_SEAL	     UINT64_C(0x6c616573796c6c61)

/* What a ledger is made of; all else follows. */
struct layout_params {
	uint32_t nr_nodes;
	uint32_t nr_lanes;
	uint32_t nr_resources;
	uint32_t max_accounts;
	uint32_t max_key_bytes; /* without the NUL */
	uint32_t page_bytes;
	uint32_t flags;
	uint32_t pad;
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
	struct layout_table threads;
	struct layout_table doubts;
	struct layout_table heads;
	struct layout_table rows; /* struct layout_rows, by bucket */
	struct layout_table accounts;
	struct layout_table generations;
	struct layout_table capacities; /* [node][resource] */
	struct layout_table undo;
	struct layout_table held;   /* bytes, [1 + node][bucket] */
	struct layout_table holds;  /* by row, as the next one */
	struct layout_table quotas; /* nr_resources of struct layout_quota */
	struct layout_table credits;
	struct layout_table credit_lanes; /* bytes: 1: the lane's exist */
	uint64_t once_bytes;	   /* header .. resources: written once */
	uint64_t control_offset;   /* of struct layout_control */
	uint64_t directory_offset; /* of struct layout_directory */
	uint64_t limits_offset;	   /* of struct layout_limits */
	uint64_t regions_offset;   /* of the first region */
	uint64_t record_bytes;	   /* of a lane record */
	uint64_t settled_bytes;	   /* of the settled records */
	uint64_t nr_buckets;	   /* in a plane */
	uint64_t row_bytes;
	uint64_t bucket_bytes;
	uint64_t copy_bytes;	/* of a bucket in a settled copy */
	uint64_t cells_offset;	/* in a lane area */
	uint64_t area_bytes;	/* of a lane area */
	uint64_t copies_offset; /* of cells in a settled area */
	uint64_t copies_bytes;	/* of a settled area */
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
	uint64_t marks_offset;	 /* in the region, as the next two */
	uint64_t settled_offset; /* of the settled area */
	uint64_t held_offset;	 /* of the held rows */
	uint64_t credits_offset; /* of the credits of its lanes */
	uint64_t areas_offset;	 /* of the lane areas */
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

/*
 * Epochs. E = epoch: adds go to bank E mod 2. Three words tell how far the
 * other bank, of epoch E - 1, has come, each behind the one before:
 *
 *	epoch		the next words are of this one, tag is next
 *	tag		adds have left it, but for those that were under way
 *	frozen		... and nobody adds to it any more
 *	folded		... and it is settled, and zero again
 */
struct layout_control {
	uint64_t epoch; /* alone in their line: every add reads tag */
	uint64_t tag;	/* see layout_tag() */
	uint64_t pad[6];
	uint64_t frozen;
	uint64_t folded;
	/* Who moves epochs on: how many have << 32 | writer slot + 1; 0 in the
	 * lower half: nobody does. */
	uint64_t owner;
	uint64_t nr_doubts;  /* ever; the last ones are in the table */
	uint32_t nr_threads; /* thread slots ever used */
	uint32_t pad2;
};

/* A thread that marks what it does; free where owner is 0. */
struct layout_thread {
	uint64_t owner; /* generation of its process's slot << 32 | slot + 1 */
	uint32_t pid;
	uint32_t pad;
};

/*
 * A thread's mark, one in each region, alone in its line. The word is not 0
 * while the thread adds to the bank of that epoch in a way that a membarrier
 * doesn't end, and names the epoch and the row, in one store, for when it is
 * killed half-way. A charge of several rows names the others behind it.
 *
 *	word: epoch << 27 | row << 1 | 1	(older: another epoch than ours)
 */
struct layout_mark {
	uint64_t word;
	uint64_t doubt; /* number that it got, once its thread was dead */
	uint32_t nr_more;
	uint32_t more[LAYOUT_MARK_ROWS];
};

/* What a thread was doing when its process died. */
struct layout_doubt {
	uint64_t number; /* from 1; stored last */
	uint64_t epoch;
	uint32_t pid;
	uint32_t nr_rows;
	uint32_t row[LAYOUT_DOUBT_ROWS];
	uint32_t generation[LAYOUT_DOUBT_ROWS]; /* of the row's account */
};

/* A process that has the ledger open; free where who is 0. */
struct layout_writer {
	uint64_t who; /* inode of its PID namespace << 32 | pid */
	uint64_t start;
	uint64_t locked;     /* start, once it has the slot's byte: writer.h */
	uint32_t pins;	     /* that it holds on the frozen bank */
	uint32_t reached;    /* by membarriers: its marks are not fenced */
	uint32_t generation; /* processes that had this slot before */
	uint32_t pad;
};

struct layout_directory {
	uint32_t nr_rows;      /* below it lies every row ever used */
	uint32_t nr_free;      /* of these, about how many are free */
	uint32_t nr_gone;      /* and how many wait to be cleaned */
	uint32_t nr_rows_copy; /* raised after nr_rows */
	uint64_t owner;	       /* who ends accounts: as layout_control's */
};

/* The rows of a bucket, a bit for each. */
struct layout_rows {
	uint64_t free;	/* but where somebody died who took one */
	uint64_t gone;	/* of an account that is gone: to be cleaned */
	uint64_t ready; /* what is ready is in it, and what once was */
	uint64_t pad;
};

/* First in a region, on memory of its node. */
struct layout_region_head {
	int32_t id;
	int32_t bound;	  /* as in tally_region */
	uint64_t touches; /* grows when a bucket of a lane is touched */
};

/* A ledger file that is mapped and checked; the copies are ours. */
struct layout {
	char *origin;
	const uint64_t *seal; /* in the file's last word */
	int fd;
	int writer_fd; /* the file again, -1: none; see writer.h */
	bool writable;
	bool stale; /* made before this boot */
	struct layout_header header;
	const struct layout_plan *plan; /* &header.plan */
	struct layout_node *nodes;
	struct layout_lane *lanes;
	struct layout_resource *resources;
	struct tally_region *regions; /* by node index */
	uint32_t *by_slot;	      /* lanes, region by region */
	uint32_t *first_slot;	      /* in by_slot, by node index */
	char **cells; /* as by_slot: the lane's first cell, of bank 0, plane 0 */
	uint64_t *steps; /* as by_slot: to the next lane's, or 0: the
			    LAYOUT_EVEN_LANES from there don't lie evenly */
	uint64_t *seen;	 /* see layout_seen() */
	uint64_t seen_bytes;
	uint64_t *first_seen; /* in seen, by node index */
	uint64_t *known;      /* in seen; see layout_known() */
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

/* Whether the file was whole until now, as far as it was read before. */
static inline bool layout_is_whole(const struct layout *l)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(l->seal, __ATOMIC_RELAXED) == LAYOUT_SEAL;
}

static inline struct layout_control *layout_control(const struct layout *l)
{
	return (struct layout_control *)(l->origin + l->plan->control_offset);
}

/* The number of the slot-th lane in the region of a node. */
static inline uint32_t layout_lane_at(const struct layout *l, uint32_t node,
				      uint32_t slot)
{
	return l->by_slot[l->first_slot[node] + slot];
}

/* Raises a word that only grows. */
static inline void layout_raise(uint64_t *word, uint64_t to)
{
	uint64_t n = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (n < to &&
	       !__atomic_compare_exchange_n(word, &n, to, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/*
 * What a bucket has settled: the epoch of its last fold << 1 | the copy of its
 * cells that counts; 0: it never was. With a check above it, so that a state
 * that is damaged is told from another.
 */
#define LAYOUT_STATE_SHIFT 48
static inline uint64_t layout_state_word(uint64_t state)
{
	uint64_t check = state * UINT64_C(0x9e3779b97f4a7c15);

	return state |
	       ((check >> LAYOUT_STATE_SHIFT ^ 0xa5c3) << LAYOUT_STATE_SHIFT);
}

static inline uint64_t layout_state(uint64_t word)
{
	return word & ((UINT64_C(1) << LAYOUT_STATE_SHIFT) - 1);
}

/* The slices over a node's settled bucket states, one per plane. */
static inline struct tally_slice *layout_settled(const struct layout *l,
						 uint32_t node)
{
	return (struct tally_slice *)(l->origin + l->nodes[node].region_offset +
				      LAYOUT_LINE);
}

/* The copies of these slices' lens. */
static inline uint64_t *layout_settled_lens(const struct layout *l,
					    uint32_t node)
{
	return (uint64_t *)(layout_settled(l, node) +
			    l->header.params.nr_nodes);
}

/* The record of the slot-th lane in the region of a node: slices over bucket
 * headers, [bank][plane]. */
static inline struct tally_slice *layout_record(const struct layout *l,
						uint32_t node, uint32_t slot)
{
	return (struct tally_slice *)((char *)layout_settled(l, node) +
				      l->plan->settled_bytes +
				      slot * l->plan->record_bytes);
}

/* The copies of a lane record's lens. */
static inline uint64_t *layout_record_lens(const struct layout *l,
					   struct tally_slice *record)
{
	return (uint64_t *)(record + (size_t)LAYOUT_NR_BANKS *
					     l->header.params.nr_nodes);
}

/* Where a node's settled area begins, as an offset in the file. */
static inline uint64_t layout_settled_offset(const struct layout *l,
					     uint32_t node)
{
	return l->nodes[node].region_offset + l->nodes[node].settled_offset;
}

/* ... and the bucket states of a plane, which are first in it. */
static inline uint64_t layout_states_offset(const struct layout *l,
					    uint32_t node, uint32_t plane)
{
	return layout_settled_offset(l, node) +
	       plane * l->plan->nr_buckets * sizeof(uint64_t);
}

/* The mark of a thread slot in the region of a node. */
static inline struct layout_mark *layout_mark(const struct layout *l,
					      uint32_t node, uint32_t thread)
{
	return (struct layout_mark *)(l->origin + l->nodes[node].region_offset +
				      l->nodes[node].marks_offset +
				      (uint64_t)thread * LAYOUT_LINE);
}

#define LAYOUT_MARK_SHIFT 27
#define LAYOUT_TAG_BANK	  (UINT64_C(1) << LAYOUT_MARK_SHIFT)

/* An epoch as marks hold it. Adds read this one of it, so that a mark takes one
 * addition, and goes with the epoch. */
static inline uint64_t layout_tag(uint64_t epoch)
{
	return epoch << LAYOUT_MARK_SHIFT;
}

static inline uint64_t layout_mark_word(uint64_t tag, uint32_t row)
{
	return tag | (uint64_t)row << 1 | 1;
}

/* Whether it is of another epoch; as many bits of it as a word holds do not
 * come again while a thread stands still. */
static inline bool layout_mark_differs(uint64_t word, uint64_t epoch)
{
	return word && ((word >> LAYOUT_MARK_SHIFT ^ epoch) &
			UINT64_MAX >> LAYOUT_MARK_SHIFT) != 0;
}

static inline uint32_t layout_mark_row(uint64_t word)
{
	return (uint32_t)(word >> 1) & (LAYOUT_MAX_ACCOUNTS - 1);
}

static inline struct layout_region_head *
layout_region_head(const struct layout *l, uint32_t node)
{
	return (struct layout_region_head *)(l->origin +
					     l->nodes[node].region_offset);
}

/* Words of a set of the lanes in the region of a node. */
static inline uint64_t layout_lane_words(const struct layout *l, uint32_t node)
{
	return (l->nodes[node].nr_lanes + 63) / 64;
}

/*
 * What this process has seen of the lanes' headers of a bucket, so that it need
 * not look at each of them again: touches at that time, plus 1; the set of
 * settled copies that exist; and then, for each bank, the set of slots whose
 * header was as it must be, and touched.
 */
#define LAYOUT_SEEN_SETS 2u
static inline uint64_t *layout_seen(const struct layout *l, uint32_t node,
				    uint32_t plane, uint64_t bucket)
{
	return l->seen + l->first_seen[node] +
	       (plane * l->plan->nr_buckets + bucket) *
		       (LAYOUT_SEEN_SETS +
			LAYOUT_NR_BANKS * layout_lane_words(l, node));
}

/* What is known to exist, see extent.h: of the accounts' records; of a lane's
 * headers, of its cells; and of a node's settled states. */
static inline uint64_t *layout_known_rows(const struct layout *l)
{
	return l->known;
}

static inline uint64_t *layout_known(const struct layout *l, uint32_t lane,
				     uint32_t bank, uint32_t plane)
{
	uint64_t nr_planes = l->header.params.nr_nodes;

	return l->known + 1 +
	       2 * ((lane * (uint64_t)LAYOUT_NR_BANKS + bank) * nr_planes +
		    plane);
}

static inline uint64_t *layout_known_states(const struct layout *l,
					    uint32_t node, uint32_t plane)
{
	return layout_known(l, l->header.params.nr_lanes, 0, 0) +
	       (uint64_t)node * l->header.params.nr_nodes + plane;
}

/* Where the plan puts things, as offsets in the file. */
uint64_t layout_headers_offset(const struct layout *layout, uint32_t lane,
			       uint32_t bank, uint32_t plane);
uint64_t layout_cells_offset(const struct layout *layout, uint32_t lane,
			     uint32_t bank, uint32_t plane, uint64_t bucket);
uint64_t layout_copies_offset(const struct layout *layout, uint32_t node,
			      uint32_t copy, uint32_t plane, uint64_t bucket);

#endif
