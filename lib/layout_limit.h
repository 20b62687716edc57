/* SPDX-License-Identifier: MIT */
/*
 * layout_limit: the bytes of what accounts have reserved, and of its limits.
 *
 *  metadata                                          region of a node
 *  ┌────────┬────────────┬──────┬───────┬────────┬─────────┐ ┌──────┬─────────┐
 *  │ limits │ capacities │ undo │ holds │ quotas │ credits │ │ held │ credits │
 *  │        │ [node]     │      │       │        │         │ │ rows │ [lane]  │
 *  │        │ [resource] │      │ [row] │ [row]  │         │ │ [row]│         │
 *  └────────┴────────────┴──────┴───────┴────────┴─────────┘ └──────┴─────────┘
 *   exist from the start         holes until they are touched
 *
 * What an account holds is in three places, which change together: its held row
 * on the node (or a credit, if it was taken without a reservation), the node's
 * capacity, and the quota of itself and of each account above it that has one.
 */
#ifndef LAYOUT_LIMIT_H
#define LAYOUT_LIMIT_H

#include "layout.h"

#define LAYOUT_NR_UNDO	    4096u
#define LAYOUT_NR_CREDITS   4096u
#define LAYOUT_CREDIT_SHIFT 16

/*
 * Reservations. Whoever changes what follows, down to struct layout_quota, and
 * held rows, has the lock, which others take from a process that died. Each
 * word's old value is put into the table of undo before it is changed: where
 * nr_undo is not 0, whoever has the lock next puts them back, the last one
 * first. All is words of 64 bits for that.
 *
 * sequence is odd while words are being changed.
 *
 * Holds and quotas of a bucket of accounts exist, and are no holes, where its
 * byte in held[0] is 1; its held rows on a node, where that in held[1 + node]
 * is.
 */
struct layout_limits {
	uint64_t owner; /* of the lock, see owner.h */
	uint64_t pad_owner[7];
	uint64_t sequence;
	uint64_t nr_undo;
	uint64_t first_uncommitted; /* row + 1, of a list of holds */
	uint64_t nr_quotas;	    /* that were ever set */
	uint64_t nr_credits;	    /* of the table, ever used */
	/* A word of credits that is being opened or closed: its lane + 1 (0:
	 * none is), what it is while it is open, and whose it is. */
	uint64_t moving;
	uint64_t moving_word;
	uint64_t moving_credit; /* index */
	uint64_t moving_opens;	/* 1: opened; 0: closed */
	uint64_t pad[7];
};

struct layout_undo {
	uint64_t offset; /* of the word, in the file */
	uint64_t value;
};

/* Of a node, in a resource. */
struct layout_capacity {
	uint64_t limit; /* + 1; 0: none */
	int64_t held;
	int64_t peak; /* of held */
	uint64_t nr_refused;
	uint64_t pad[4];
};

enum {
	LAYOUT_HOLD_NONE = 0,
	LAYOUT_HOLD_RESERVED = 1,
	LAYOUT_HOLD_COMMITTED = 2,
};

/* An account's reservation. */
struct layout_hold {
	uint64_t state;
	uint64_t generation; /* reservations that the row ever had */
	uint64_t nodes;	     /* bit i: of the nodes of index i mod 64 */
	uint64_t owner; /* of layout_thread's kind; matters while uncommitted */
	int64_t deadline_ns; /* CLOCK_MONOTONIC; INT64_MAX: none */
	uint64_t next;	     /* in the list of uncommitted ones, row + 1 */
	uint64_t previous;
	uint64_t account; /* generation of the row */
};

/* Of an account, in a resource: with the accounts below it, if it ever had a
 * quota; else its own alone. */
struct layout_quota {
	uint64_t limit; /* + 1; 0: none */
	int64_t held;
	int64_t peak;
	uint64_t nr_refused;
};

/*
 * What an account takes from a node without a reservation, of one resource: a
 * run of words, one in each lane at the credit's index, holds what is taken
 *from the pool already but idle, and may be taken on the lane's CPU without the
 * lock. Only a word that is not 0 is changed without the lock; only whoever has
 * the lock opens one, or closes it.
 *
 *	word: 0: closed, else (idle + 1) << 16 | tag
 */
struct layout_credit {
	uint64_t tag; /* 16 bits, not 0; 0: never used */
	uint64_t row;
	uint64_t account; /* generation of the row */
	uint64_t node;	  /* index */
	uint64_t resource;
	int64_t taken;	/* what is held, and what is idle */
	uint64_t lanes; /* bit i: those of number i mod 64 may be open */
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

static inline struct layout_hold *layout_hold(const struct layout *l,
					      uint32_t row)
{
	return (struct layout_hold *)(l->origin + l->plan->holds.offset) + row;
}

/* [nr_resources] */
static inline struct layout_quota *layout_quotas(const struct layout *l,
						 uint32_t row)
{
	return (struct layout_quota *)(l->origin + l->plan->quotas.offset +
				       row * l->plan->quotas.stride);
}

/* Whether what is in struct layout_limits' tables for the row exists: of the
 * account (0), or its held row on a node (1 + node). */
static inline unsigned char *layout_held_byte(const struct layout *l,
					      uint32_t which, uint32_t row)
{
	return (unsigned char *)(l->origin + l->plan->held.offset) +
	       which * l->plan->nr_buckets + row / LAYOUT_BUCKET_ROWS;
}

/* What the account holds on the node: [nr_resources] */
static inline int64_t *layout_held(const struct layout *l, uint32_t node,
				   uint32_t row)
{
	return (int64_t *)(l->origin + l->nodes[node].region_offset +
			   l->nodes[node].held_offset +
			   row * l->plan->row_bytes);
}

static inline struct layout_credit *layout_credit(const struct layout *l,
						  uint64_t index)
{
	return (struct layout_credit *)(l->origin + l->plan->credits.offset) +
	       index;
}

/* A lane's: [LAYOUT_NR_CREDITS] */
static inline uint64_t *layout_credits(const struct layout *l, uint32_t lane)
{
	const struct layout_node *node = &l->nodes[l->lanes[lane].node];

	return (uint64_t *)(l->origin + node->region_offset +
			    node->credits_offset) +
	       (uint64_t)l->lanes[lane].slot * LAYOUT_NR_CREDITS;
}

static inline unsigned char *layout_credit_lane(const struct layout *l,
						uint32_t lane)
{
	return (unsigned char *)(l->origin + l->plan->credit_lanes.offset) +
	       lane;
}

static inline int64_t layout_credit_idle(uint64_t word)
{
	return word ? (int64_t)(word >> LAYOUT_CREDIT_SHIFT) - 1 : 0;
}

#endif
