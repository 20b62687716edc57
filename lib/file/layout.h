/* SPDX-License-Identifier: MIT */
/*
 * layout: the bytes of a ledger file, version 9.
 *
 * Numbers have fixed widths and the byte order of the machine: a ledger lives
 * in one machine's memory. Positions are offsets from the file's start.
 *
 *  ┌─ metadata ────────────────────────────────────────────────────────────┐
 *  │ header │ nodes │ … │ resources    ││ writers │ … │ heads │ accounts  │
 *  └───────────────────────────────────────────────────────────────────────┘
 *   written once, under a checksum       changed by every writer
 *
 *  ┌─ region of a node of this machine: page-aligned, bound to the node ───┐
 *  │ head │ folded  │ lane    ││ in     │ folded │ credit  │ lane          │
 *  │      │ records │ records ││ flight │ area   │ words   │ areas …       │
 *  └───────────────────────────────────────────────────────────────────────┘
 *   exist from the start        sparse: holes until they are touched
 *
 * A ledger may have nodes of other machines, too, to be reserved on: they have
 * neither regions nor planes.
 *
 * A lane belongs to one CPU and lies in the region of the CPU's node. A plane
 * is one node's share of a lane: amounts that are *for* that node. A CPU nearly
 * always adds to the plane of its own node; amounts for another node's memory
 * or cores go to that node's plane of the same, local, lane.
 *
 * A bank is one of two sets of cells. Adds go to the bank of the epoch's parity
 * (struct layout_control). A snapshot freezes the other bank; once it is closed,
 * that bank is folded into the folded cells of its region, and is zero until the
 * epoch advances. An account's amount is the sum of all three.
 *
 *  lane record: cache lines that the lane's CPU alone writes
 *  ┌──────────────────┬──────────────────┬──
 *  │ bank 0, plane 0  │ bank 0, plane 1  │ …  base → the plane's bucket headers
 *  └──────────────────┴──────────────────┴──  len: up to the last one touched
 *  ... and behind all slices a copy of each len, raised after it: a len below
 *  its copy is damage, not a plane that was never touched
 *
 *  lane area                                  n: planes, b: buckets
 *  ┌──────────────────────────┬──────────────────────────────────────────┐
 *  │ bucket headers [2][n][b] │ stagger │ cells [2][n][b][64 rows][row]  │
 *  └──────────────────────────┴──────────────────────────────────────────┘
 *
 *  folded area: the sums of folds, in two copies of which one is valid
 *  ┌──────────────────────────┬──────────────────────────────────────────┐
 *  │ bucket states [n][b]     │ cells [2][n][b][64 rows + 1][row]        │
 *  └──────────────────────────┴──────────────────────────────────────────┘
 *  the row behind the 64: counters of accounts in them that are gone
 *  folded record [n]: base → the plane's bucket states, len as above; copies
 *  bucket state: see layout_state_word(); below len none is 0
 *
 *  bucket header: a slice over 64 rows; base → row 0, once the rows exist; cap
 *  64 once readers can know that; len 64 from the first add of an epoch until the
 *  fold has taken what was added: 64 means that a fold has to visit the bucket
 *  row: one account's cells in this lane and plane, a cache line or more
 *  credit words: what accounts took, see file/layout_limit.h
 *  in flight: a line for each thread slot, see struct layout_thread
 *
 * Writers map the control and the generations once more, from the pages that
 * they begin in, LAYOUT_SKIP bytes further down. The first row of the first
 * lane lies at the beginning of a page, and a load from the same place in
 * another page waits for stores to that row.
 *
 * The stagger is (lane mod 64) cache lines: else one account's rows in many
 * lanes would fall into one set of the first-level cache.
 *
 * The last word of the page behind the last region is the seal. If the file is
 * cut anywhere, even if it is extended again, the seal is gone: data that was
 * read is valid only if the seal is still there afterwards.
 *
 *  the last page of a ledger       ┌─────┬──────────┬──────┐
 *                                  │ 0 … │ checksum │ seal │
 *                                  └─────┴──────────┴──────┘
 *
 * The checksum is that of a saved ledger (LAYOUT_SAVED), which no process writes
 * to; in others it is 0. It is the sum, modulo 2^64, over all blocks of 4096
 * bytes that are not zero, of XXH3 (64 bits) of the block, its offset in the file
 * being the seed; in the last block the checksum itself counts as 0. So holes
 * cost nothing, and a byte written into one shows.
 *
 * Places follow from the parameters alone (layout_plan()). The creator and each
 * opener compute them and must agree; headers in the file are then compared
 * with that plan each time they are used.
 */
#ifndef FILE_LAYOUT_H
#define FILE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_MAGIC	     "NUMATLY"
#define LAYOUT_VERSION	     10
#define LAYOUT_ORDER	     0x01020304u
#define LAYOUT_LINE	     64u
#define LAYOUT_BUCKET_ROWS   64u
#define LAYOUT_STAGGER_BYTES 4096u
#define LAYOUT_SKIP	     2048u
#define LAYOUT_ACCOUNT_BYTES 40u /* of an account's record, before its key */
#define LAYOUT_NAME_BYTES    32
#define LAYOUT_UNIT_BYTES    16
#define LAYOUT_MAX_NODES     65536u
#define LAYOUT_MAX_PLANES    1024u
#define LAYOUT_MAX_MACHINES  32768u
#define LAYOUT_MACHINE_SHIFT 16 /* in a node's number */
#define LAYOUT_MAX_LANES     65536u
#define LAYOUT_MAX_COLUMNS   512u
#define LAYOUT_NR_KINDS	     3u /* of enum tally_kind, from 1 */
#define LAYOUT_MAX_ACCOUNTS  (1u << 26)
#define LAYOUT_MAX_KEY	     4095u
#define LAYOUT_NR_WRITERS    256u
#define LAYOUT_NR_THREADS    4096u
#define LAYOUT_NR_IN_DOUBT   256u
#define LAYOUT_INFLIGHT_ROWS 11u
#define LAYOUT_IN_DOUBT_ROWS 10u
#define LAYOUT_NR_BANKS	     2u
#define LAYOUT_EVEN_LANES    32
#define LAYOUT_EXCLUSIVE     1u /* flag: one process writes */
#define LAYOUT_SAVED	     2u /* flag: none does */
#define LAYOUT_SUM_BLOCK     4096u
#define LAYOUT_SUM_BYTES     16u /* from the checksum to the file's end */
#define LAYOUT_SEAL	     UINT64_C(0x6c616573796c6c61)

/* The parameters of a ledger; all else follows from them. */
struct layout_params {
	uint32_t nr_nodes; /* that can be reserved on */
	uint32_t nr_lanes;
	uint32_t nr_resources; /* columns, spare ones too */
	uint32_t max_accounts;
	uint32_t max_key_bytes; /* without the NUL */
	uint32_t page_bytes;
	uint32_t flags;
	uint32_t nr_spare; /* of the columns, when it was made: the last ones */
	uint32_t nr_planes;   /* the first nodes, which have regions */
	uint32_t nr_machines; /* of the nodes */
};

/* A table in the file. */
struct layout_table {
	uint64_t offset;
	uint64_t stride;
	uint64_t count;
};

/* Where everything lies. */
struct layout_plan {
	struct layout_table nodes;
	struct layout_table machines;
	struct layout_table places; /* by plane */
	struct layout_table lanes;
	struct layout_table resources; /* that it was made with */
	struct layout_table writers;
	struct layout_table threads;
	struct layout_table in_doubt;
	struct layout_table heads;
	struct layout_table rows; /* struct layout_rows, by bucket */
	struct layout_table accounts;
	struct layout_table generations;
	struct layout_table capacities; /* [node][resource] */
	struct layout_table spares;	/* struct layout_spare */
	struct layout_table undo;
	struct layout_table uncommitted;  /* by writer slot */
	struct layout_table populated;	  /* bytes, by bucket */
	struct layout_table reservations; /* by row, as the next one */
	struct layout_table leases;	  /* words */
	struct layout_table quotas;   /* nr_resources of struct layout_quota */
	struct layout_table families; /* by row */
	struct layout_table credits;
	struct layout_table holdings;	  /* by place */
	struct layout_table rosters;	  /* by node */
	struct layout_table lists;	  /* by node: copies of rosters */
	struct layout_table roster_bytes; /* by node */
	struct layout_table credit_lanes; /* bytes: 1: the lane's exist */
	uint64_t once_bytes;	   /* header .. resources: written once */
	uint64_t control_offset;   /* of struct layout_control */
	uint64_t directory_offset; /* of struct layout_directory */
	uint64_t limits_offset;	   /* of struct layout_limits */
	uint64_t regions_offset;   /* of the first region */
	uint64_t record_bytes;	   /* of a lane record */
	uint64_t folded_bytes;	   /* of the folded records */
	uint64_t nr_buckets;	   /* in a plane */
	uint64_t row_bytes;
	uint64_t bucket_bytes;
	uint64_t copy_bytes;	/* of a bucket in a folded copy */
	uint64_t cells_offset;	/* in a lane area */
	uint64_t area_bytes;	/* of a lane area */
	uint64_t copies_offset; /* of cells in a folded area */
	uint64_t copies_bytes;	/* of a folded area */
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
	int64_t created_ns; /* since 1970 */
	uint64_t checksum;  /* over once_bytes, with this and ready 0 */
	uint32_t ready;	    /* stored last */
	uint32_t pad;
};

/* A node, under its number in the ledger: machine << 16 | its own number. Those
 * of this machine, which is the first, have planes. If it is another machine,
 * none has. */
struct layout_node {
	int32_t id;
};

struct layout_machine {
	char name[256]; /* with a NUL; empty: it has none, and is alone */
};

/* Where the region of a plane's node lies, and what it has. */
struct layout_place {
	uint32_t nr_lanes; /* lane records in it */
	uint32_t pad;
	uint64_t region_offset;
	uint64_t region_bytes;
	uint64_t inflight_offset; /* in the region, as those below */
	uint64_t folded_offset;	  /* of the folded area */
	uint64_t credits_offset;  /* of the credit words of its lanes */
	uint64_t areas_offset;	  /* of the lane areas */
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

/* What was declared of a spare column: see file/column.h. */
struct layout_spare {
	struct layout_resource resource;
	uint64_t check; /* layout_hash() of it */
};

/*
 * Epochs. E = epoch: adds go to bank E mod 2. Three words tell the progress of
 * the other bank, that of epoch E - 1; each follows the one before:
 *
 *	epoch		the next words are of this epoch; epoch_word follows
 *	epoch_word	adds go to the new bank, except those in flight
 *	frozen		... and no add goes to the old bank any more
 *	folded		... and the old bank is folded, and zero again
 *
 * Between frozen and folded the old bank is a snapshot, if it is pinned: by a
 * writer in its slot (struct layout_writer), by a reader with a read lock on the
 * byte at LAYOUT_PINS + 2 E (snapshot/pin.h). Two bytes apart, since the kernel
 * makes one lock of two that touch. A reader that found no writer has locked the
 * byte at LAYOUT_STILL + 2 (E + 1), too.
 */
#define LAYOUT_PINS  (UINT64_C(3) << 60)
#define LAYOUT_STILL (LAYOUT_PINS + (UINT64_C(1) << 40))
struct layout_control {
	uint64_t epoch;
	/* Every add reads it: it and epoch are alone in their line. See
	 * layout_epoch_word(). */
	uint64_t epoch_word;
	uint64_t pad[6];
	uint64_t frozen;
	uint64_t folded;
	uint64_t lock; /* of the process that advances epochs: file/robust.h */
	uint64_t nr_in_doubt; /* ever; the last ones are in the table */
	uint32_t nr_threads;  /* thread slots ever used */
	uint32_t bell;	      /* a futex that serving processes sleep at */
	uint64_t closing;     /* no reader may pin epochs up to this one, */
	uint64_t closed;      /* and those that are pinned don't count */
	int64_t taken_ns;     /* when the epoch began, since 1970 */
	int64_t keep_ns; /* after which a reader's pin gives way; 0: default */
	uint64_t gauges_lock; /* of the process that sets gauges: file/turn.h */
	uint64_t gauges_turn;
};

/* A thread that registers its adds in flight; the slot is free if owner is 0.
 * LAYOUT_THREAD_LEFT: the thread will not go on with what it has in flight. */
#define LAYOUT_THREAD_LEFT UINT64_MAX
struct layout_thread {
	uint64_t owner; /* its process's owner word */
	uint32_t pid;
	uint32_t pad;
};

/*
 * A thread's add in flight; one in each region, alone in its line. The word is
 * not 0 while the thread adds to the bank of its epoch in a way that a
 * membarrier does not end, or marks a bucket before it adds: then the row is
 * max_accounts, if a row can have that number, and nothing is in doubt. One store
 * sets epoch and row, so that the word tells what a killed thread was doing. A charge of several rows names the others
 * behind it.
 *
 *	word: epoch << 27 | row << 1 | 1	(older: another epoch than ours)
 */
struct layout_inflight {
	uint64_t word;
	uint64_t doubt; /* its number in doubt, once the thread was dead */
	uint32_t nr_more;
	uint32_t more[LAYOUT_INFLIGHT_ROWS];
};

/* An add that was in flight when its process died. */
struct layout_in_doubt {
	uint64_t number; /* from 1; stored last */
	uint64_t epoch;
	uint32_t pid;
	uint32_t nr_rows;
	uint32_t row[LAYOUT_IN_DOUBT_ROWS];
	uint32_t generation[LAYOUT_IN_DOUBT_ROWS]; /* of the row's account */
};

/*
 * A process that has the ledger open for writing: see file/writer.h. Its owner
 * word, by which the file names it, is generation << 32 | slot + 1. It locks
 * the byte at LAYOUT_LOCKS + (slot << 32 | generation), behind the end of any
 * file. pins, reached and serves are generation << 32 | the value.
 */
#define LAYOUT_LOCKS (UINT64_C(1) << 61)
struct layout_writer {
	uint64_t claim;	  /* generation << 32 | 1 if its byte has a read lock */
	uint64_t pins;	  /* of the frozen bank */
	uint64_t reached; /* by membarriers: its adds in flight use no fence */
	uint64_t serves;  /* 1: it takes snapshots for readers */
	uint32_t pid;	  /* to be shown; 0: it left */
	uint32_t pad;
};

struct layout_directory {
	uint32_t nr_rows;      /* every row ever used lies below it */
	uint32_t nr_free;      /* how many of them are free, roughly */
	uint32_t nr_gone;      /* and how many wait to be reclaimed */
	uint32_t nr_rows_copy; /* raised after nr_rows */
	uint64_t lock;	       /* of the process that ends accounts */
};

/* The rows of a bucket, a bit for each. */
struct layout_rows {
	uint64_t free;	/* without those whose claimer died */
	uint64_t gone;	/* their accounts are gone: to be reclaimed */
	uint64_t ready; /* every row that is ready, and some that were */
	uint64_t pad;
};

/* First in a region, on memory of its node. */
struct layout_region_head {
	int32_t id;
	int32_t bound;	  /* as in tally_region */
	uint64_t touches; /* grows when a bucket of a lane is touched */
};

/*
 * Compute where everything lies for these parameters.
 *
 * -EINVAL	a parameter is 0 or over its limit
 * -E2BIG	the file would not fit an address space
 */
int layout_plan(const struct layout_params *params, struct layout_plan *plan);

/* Assign slots to the lanes and places to the regions. The caller has set the
 * lanes' nodes. -E2BIG, -EINVAL as layout_plan(). */
int layout_place(const struct layout_params *params,
		 const struct layout_plan *plan, struct layout_place *places,
		 struct layout_lane *lanes, uint64_t *file_bytes);

/* Whether nodes and machines can be those of a ledger with these parameters. */
bool layout_nodes_valid(const struct layout_params *params,
			const struct layout_node *nodes,
			const struct layout_machine *machines);
bool layout_resource_valid(const struct layout_resource *resource);

/* FNV-1a, 64 bits. Each step is a bijection of the hash, so that one changed
 * byte always changes the result. http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t layout_hash(const void *data, size_t bytes);

#endif
