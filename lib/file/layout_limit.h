/* SPDX-License-Identifier: MIT */
/*
 * layout_limit: the bytes of reservations and limits.
 *
 *  metadata
 *  ┌────────┬────────────┬──────┬─────────╥─────────┬────────┬────────┬─────────┬──────────┐
 *  │ limits │ capacities │ undo │ uncom-  ║ reser-  │ leases │ quotas │ credits │ holdings │
 *  │        │ [node]     │      │ mitted  ║ vations │        │        │         │          │
 *  │        │ [resource] │      │ [writer]║ [row]   │ a heap │ [row]  │ [place] │ [place]  │
 *  └────────┴────────────┴──────┴─────────╨─────────┴────────┴────────┴─────────┴──────────┘
 *   exist from the start                   sparse: holes until they are touched
 *
 *  and behind them, sparse, rosters and lists, by node: see struct
 *  layout_roster.
 *
 *  reservation ─> holding ─> holding ─> ...   one for each node that an account
 *                 of node 3  of node 0        has something on
 *
 * A reservation may be drawn from another one, its parent, instead of from the
 * nodes. The parent then plays the node's part: a holding of its own counts what
 * all its children have on a node, and is never more than the parent has there.
 * Neither the node's capacity nor any quota changes.
 *
 *    ┌────────────────┐ drawn  ┌─────────┐     ┌─────────┐
 *    │ parent's family│ ─────> │ holding │ ──> │ holding │   of a node: what all
 *    └────────────────┘        └─────────┘     └─────────┘   children have there
 *      children │ ^ ^ parent
 *               v │ └───────────────┐
 *    ┌────────────────┐     ┌────────────────┐
 *    │ child's family │ <─> │ child's family │
 *    └────────────────┘     └────────────────┘
 *
 * A child may be a parent itself. The end of a parent ends what is below it,
 * the lowest first. Families exist only where something was drawn.
 *
 * The words that credits open are in the regions: struct layout_credit_word.
 *
 * An amount that an account holds counts in three places, which change
 * together: its holding on the node (or a credit, if it took without a
 * reservation), the node's capacity, and the quotas of itself and of each
 * account above it that has one.
 *
 * An uncommitted reservation ends with its process, and with its lease, if it
 * has one. What is to end is found without a look at what is not:
 *
 *  uncommitted   a list for each writer: of one process, the one whose owner
 *    [writer]    word the reservations have
 *    ┌───────┐        ┌─────────────┐        ┌─────────────┐
 *    │ first │ ─────> │ reservation │ <────> │ reservation │
 *    └───────┘        └─────────────┘        └─────────────┘
 *                                  lease │ ^
 *  leases                                v │ row
 *    ┌─────────┬───┬─────────────────┬──────────────────────┬───
 *    │ 7 words │ 0 │ 1 2 3 4 5 6 7 8 │ 9 10 11 12 13 14 15 … │ …
 *    └─────────┴───┴─────────────────┴──────────────────────┴───
 *    a heap: below place p lie 8 p + 1 .. 8 p + 8, in one cache line, and none
 *    of these ends before p
 */
#ifndef FILE_LAYOUT_LIMIT_H
#define FILE_LAYOUT_LIMIT_H

#include "file/file.h"

#define LAYOUT_NR_UNDO	    4096u
#define LAYOUT_NR_CREDITS   4096u
#define LAYOUT_CREDIT_SHIFT 16

/*
 * The owner of the lock alone changes what follows, down to struct
 * layout_quota, and holdings. If it dies, others take the lock over. Before a
 * word changes, its old value goes to the undo table; if nr_undo is not 0, the
 * next owner of the lock restores these values, the last one first. For this,
 * all are words of 64 bits.
 *
 * sequence is odd while words are being changed.
 *
 * The reservations and quotas of a bucket of accounts exist, and are no holes,
 * if its byte in populated is not 0; its families do if the byte has
 * LAYOUT_HAS_FAMILIES. Of the holdings, the first holdings_exist do.
 */
struct layout_limits {
	uint64_t lock; /* see file/turn.h */
	uint64_t turn;
	/* Those that wait for room, or watch: see limit/room.h; without undo. */
	uint32_t awaited; /* bits of what they wait for */
	uint32_t made;	  /* a futex: how often they were told */
	uint64_t pad_lock[5];
	uint64_t sequence;
	uint64_t nr_undo;
	uint64_t nr_leases;
	uint64_t nr_quotas;  /* accounts that ever had one */
	uint64_t nr_credits; /* of the table, ever used */
	/* A credit's word that is being opened or closed: its lane + 1 (0: no
	 * word is), its value while it is open, and its credit. */
	uint64_t moving;
	uint64_t moving_word;
	uint64_t moving_credit; /* index */
	uint64_t moving_opens;	/* 1: opened; 0: closed */
	uint64_t nr_holdings;	/* places ever used */
	uint64_t free_holding;	/* place + 1, of a list of free ones */
	/* Without undo: */
	uint64_t holdings_exist; /* places that are no hole */
	uint64_t leases_exist;	 /* words of leases that are no hole */
	int64_t looked_ns;	 /* when it was last asked which writers live */
	/* The row + 1 of a reservation whose end takes more changes than can be
	 * undone at once: the next owner of the lock goes on with it. */
	uint64_t ending;
	/* Spare columns that have a resource << 1 | 1 if the limits of the next one
	 * are set: the next owner of the lock declares it. The bit alone is
	 * undone. */
	uint64_t nr_declared;
};

struct layout_undo {
	uint64_t offset; /* of the word, in the file */
	uint64_t value;
};

/* A node's, of a resource. */
struct layout_capacity {
	uint64_t limit; /* + 1; 0: none */
	int64_t held;
	int64_t peak; /* of held */
	uint64_t nr_refused;
	uint64_t pad[4];
};

enum {
	LAYOUT_RESERVATION_NONE = 0,
	LAYOUT_RESERVATION_RESERVED = 1,
	LAYOUT_RESERVATION_COMMITTED = 2,
};

/* An account's reservation. */
struct layout_reservation {
	uint64_t state;
	uint64_t generation; /* reservations that the row has had */
	uint64_t holding;    /* the first one's place + 1 */
	uint64_t owner;	     /* owner word of its process, while uncommitted */
	int64_t deadline_ns; /* by shared_ns(); INT64_MAX: none */
	/* In the list of uncommitted ones, each row + 1 or 0: the next one, and
	 * << 32 the one before. */
	uint64_t links;
	uint64_t lease;	  /* its place in the heap + 1; 0: it is not there */
	uint64_t account; /* generation of the row */
};

/* What is drawn from a row's reservation, and what that is drawn from. All is 0
 * while it has neither parent nor children. */
struct layout_family {
	uint64_t parent;   /* row + 1; 0: it is drawn from the nodes */
	uint64_t children; /* row + 1 of the first one */
	/* In the list of the parent's children, each row + 1 or 0: the next one,
	 * and << 32 the one before. */
	uint64_t siblings;
	uint64_t drawn; /* the first holding of what its children have */
};

/* A writer slot's uncommitted reservations. */
struct layout_uncommitted {
	uint64_t first; /* row + 1 */
	uint64_t pad[7];
};

/*
 * A lease: its deadline in whole steps of shared_ns() << 26 | its row. So
 * comparing two words tells which one ends first.
 */
#define LAYOUT_LEASE_SHIFT 26
#define LAYOUT_LEASE_SKIP  7u /* words before the first one */
#define LAYOUT_LEASE_WIDTH 8u /* below each */

/* What an account has on a node; or, with LAYOUT_DRAWN in its row, what the
 * children of the account's reservation have there. */
#define LAYOUT_DRAWN (UINT64_C(1) << 32)

struct layout_holding {
	uint64_t row;	   /* + 1; 0: the place is free */
	uint64_t node;	   /* index */
	uint64_t next;	   /* of the row's, or of free places: place + 1 */
	uint64_t entry;	   /* in the node's roster: index + 1; 0: in none yet */
	int64_t amounts[]; /* [nr_resources] */
};

/*
 * The accounts that have something on a node, in no order: a list, in some
 * copies. An edit changes the copy that was current longest ago, and makes it
 * the current one. So a reader has the time of several edits to read a list that
 * nobody changes.
 *
 *	copy 0: edit 4	edit 8 goes here: first the copy gets 5 to 7 from the log
 *	copy 1: edit 5
 *	copy 2: edit 6
 *	copy 3: edit 7	is current
 *
 * A copy's begun is the number of an edit from before the copy changes for it,
 * so that a reader knows. Each edit sets one entry and the length. Its number is
 * never used again, also if the edit is undone; a copy that has such an edit is
 * made anew from the current one. An entry is a row's number and the generation
 * of its account, as in struct tally_account.
 *
 * Copies begin in the roster itself. One that gets longer than that moves to
 * the node's lists, and stays there.
 */
#define LAYOUT_NR_COPIES    4u
#define LAYOUT_NR_EDITS	    8u	/* in the log */
#define LAYOUT_SHORT_ROSTER 16u /* entries of a copy in the roster itself */

struct layout_edit {
	uint64_t number; /* 0: none */
	uint64_t before; /* the edit that it follows */
	uint64_t entry;	 /* index */
	uint64_t account;
};

struct layout_roster {
	/* What a reader needs is in one line, since each edit takes the line
	 * from its CPU. */
	uint64_t current; /* edit; its copy is current mod LAYOUT_NR_COPIES */
	uint64_t exist;	  /* entries of each copy in the lists */
	/* Of each copy: the edit for which it changes, or last did; and its
	 * entries << 1 | 1 if they are in the node's lists. */
	uint64_t copy_begun[LAYOUT_NR_COPIES];
	uint32_t copy_len[LAYOUT_NR_COPIES];
	/* The last edit that a copy has; UINT64_MAX: unknown. */
	uint64_t copy_edit[LAYOUT_NR_COPIES];
	uint64_t begun; /* the last edit that was */
	uint64_t pad[3];
	/* Where the first entries' holdings most likely are: place + 1. Others
	 * are found by a walk. */
	uint32_t places[LAYOUT_SHORT_ROSTER];
	struct layout_edit edits[LAYOUT_NR_EDITS]; /* number mod */
	uint64_t entries[LAYOUT_NR_COPIES][LAYOUT_SHORT_ROSTER];
};

/* An account's, of a resource. held includes what accounts below it hold, if it
 * ever had a quota. */
struct layout_quota {
	uint64_t limit; /* + 1; 0: none */
	int64_t held;
	int64_t peak;
	uint64_t nr_refused;
};

/*
 * Taking a resource on a node without a reservation. Each lane has a word at
 * the credit's index: the idle amount that was drawn from the pool, which the
 * lane's CPU may take without the lock. Without the lock, only a word that is
 * not 0 may change; opening or closing one needs the lock.
 *
 *	word: 0: closed, else (idle + 1) << 16 | the tag's lower 16 bits
 *
 * A place of the table is used again for another account, under a tag that was
 * never used before. Its lower bits are in the word, so that a compare-and-swap
 * takes nothing from what another credit opened in between; all of it is beside
 * the word, and is read after it, since the lower bits repeat.
 */
struct layout_credit_word {
	uint64_t word;
	uint64_t tag; /* of the word, while it is open */
};

struct layout_credit {
	uint64_t tag; /* the lower 16 bits are not 0; 0: never used */
	uint64_t row;
	uint64_t account; /* generation of the row */
	uint64_t node;	  /* index */
	uint64_t resource;
	int64_t taken;	/* held and idle */
	uint64_t lanes; /* bit i: words of lanes i mod 64 may be open */
	uint64_t pad;
};

static inline struct layout_limits *layout_limits(const struct layout *l)
{
	return (struct layout_limits *)(l->origin + l->plan->limits_offset);
}

static inline struct layout_capacity *
layout_capacity(const struct layout *l, uint32_t node, uint32_t resource)
{
	return (struct layout_capacity *)(l->origin +
					  l->plan->capacities.offset) +
	       (uint64_t)node * l->header.params.nr_resources + resource;
}

static inline struct layout_reservation *
layout_reservation(const struct layout *l, uint32_t row)
{
	return (struct layout_reservation *)(l->origin +
					     l->plan->reservations.offset) +
	       row;
}

static inline struct layout_uncommitted *
layout_uncommitted(const struct layout *l, uint32_t slot)
{
	return (struct layout_uncommitted *)(l->origin +
					     l->plan->uncommitted.offset) +
	       slot;
}

/* The word at a place of the heap. */
static inline uint64_t *layout_lease(const struct layout *l, uint64_t place)
{
	return (uint64_t *)(l->origin + l->plan->leases.offset) +
	       LAYOUT_LEASE_SKIP + place;
}

/* [nr_resources] */
static inline struct layout_quota *layout_quotas(const struct layout *l,
						 uint32_t row)
{
	return (struct layout_quota *)(l->origin + l->plan->quotas.offset +
				       row * l->plan->quotas.stride);
}

static inline struct layout_family *layout_family(const struct layout *l,
						  uint32_t row)
{
	return (struct layout_family *)(l->origin + l->plan->families.offset) +
	       row;
}

/* Not 0 if the reservations and quotas of the row's bucket exist; with
 * LAYOUT_HAS_FAMILIES if its families do, too. */
#define LAYOUT_HAS_FAMILIES 2u

static inline unsigned char *layout_populated(const struct layout *l,
					      uint32_t row)
{
	return (unsigned char *)(l->origin + l->plan->populated.offset) +
	       row / LAYOUT_BUCKET_ROWS;
}

static inline struct layout_holding *layout_holding(const struct layout *l,
						    uint64_t place)
{
	return (struct layout_holding *)(l->origin + l->plan->holdings.offset +
					 place * l->plan->holdings.stride);
}

/* 1 if the node's roster exists. */
static inline unsigned char *layout_roster_byte(const struct layout *l,
						uint32_t node)
{
	return (unsigned char *)(l->origin + l->plan->roster_bytes.offset) +
	       node;
}

static inline struct layout_roster *layout_roster(const struct layout *l,
						  uint32_t node)
{
	return (struct layout_roster *)(l->origin + l->plan->rosters.offset) +
	       node;
}

/* The copy that this edit made: its entries << 1 | 1 if they are in the lists. */
static inline uint32_t layout_copy_len(const struct layout_roster *r,
				       uint64_t edit)
{
	return __atomic_load_n(&r->copy_len[edit % LAYOUT_NR_COPIES],
			       __ATOMIC_RELAXED);
}

/* A copy in the node's lists: [max_accounts] */
static inline uint64_t layout_list_offset(const struct layout *l, uint32_t node,
					  uint32_t copy)
{
	return l->plan->lists.offset + node * l->plan->lists.stride +
	       copy * l->plan->lists.stride / LAYOUT_NR_COPIES;
}

static inline struct layout_credit *layout_credit(const struct layout *l,
						  uint64_t index)
{
	return (struct layout_credit *)(l->origin + l->plan->credits.offset) +
	       index;
}

/* A lane's words: [LAYOUT_NR_CREDITS] */
static inline struct layout_credit_word *layout_credits(const struct layout *l,
							uint32_t lane)
{
	const struct layout_place *place = &l->places[l->lanes[lane].node];

	return (struct layout_credit_word *)(l->origin + place->region_offset +
					     place->credits_offset) +
	       (uint64_t)l->lanes[lane].slot * LAYOUT_NR_CREDITS;
}

static inline unsigned char *layout_credit_lane(const struct layout *l,
						uint32_t lane)
{
	return (unsigned char *)(l->origin + l->plan->credit_lanes.offset) +
	       lane;
}

/* The tag after this one. */
static inline uint64_t layout_credit_next(uint64_t tag)
{
	return (uint16_t)(tag + 1) ? tag + 1 : tag + 2;
}

static inline int64_t layout_credit_idle(uint64_t word)
{
	return word ? (int64_t)(word >> LAYOUT_CREDIT_SHIFT) - 1 : 0;
}

#endif
