/* SPDX-License-Identifier: MIT */
/* A ledger as its process holds it. */
#ifndef LEDGER_INTERNAL_H
#define LEDGER_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A program's are behind two loads here. */
#define TALLY_RSEQ_OFFSET(fast)	 ((fast)->rseq)
#define TALLY_KNOWN_OFFSET(fast) ((fast)->known)
#include <numatally/ledger_inline.h>
#include <numatally/slice.h>

#include "layout.h"

/*
 * Every CPU has two lanes: one that restartable sequences add to, without
 * atomics, and one for atomics, of threads that have no sequences and of
 * charges that don't fit one store. Mixed in one lane they would lose adds.
 */
struct lane {
	char *rows[LAYOUT_NR_BANKS]; /* of the plane of its own node */
	char *marks;	/* of the lane's node, a line per thread slot */
	uint32_t plane; /* of the CPU's own node */
	uint32_t number;
};

/* What fast.serial leaves for a CPU; and one that no thread knows. */
#define LEDGER_CPU_BITS	 16
#define LEDGER_ATOMICS	 (1u << 15) /* in a key: of the CPU's other lane */
#define LEDGER_NO_SERIAL (UINT64_MAX >> LEDGER_CPU_BITS)

struct tally_ledger {
	struct tally_fast fast;
	struct tally_lanes *banks[LAYOUT_NR_BANKS + 1]; /* what fast.lanes can
							   be; the last is 0 */
	uint64_t banks_bytes;
	char *mapped; /* what the ledger itself lies in; see fast.h */
	uint64_t mapped_bytes;
	bool tables;	    /* banks are filled in */
	bool inlined;	    /* this process alone writes, with sequences */
	bool marked;	    /* others do too, with sequences that mark */
	struct lane *lanes; /* [nr_cpus], then as many for atomics */
	uint32_t nr_cpus;
	uint32_t row_shift; /* of a row's bytes */
	struct layout *layout;
	struct tally_accounts *accounts;
	unsigned char *touched; /* [lane][bank][plane][bucket] */
	uint64_t touched_bytes;
	struct tally_region holds; /* the tables of holds and quotas */
	uint32_t nr_online;	   /* CPUs, when it was opened */
	char *const *credit_lanes; /* [cpu]: the table that counts: one of */
	char **credit_open;
	char **credit_shut; /* every word in it is closed */
	char *credit_closed;
	uint64_t credit_bytes;
	/* Rows that hold nothing any more, of accounts that are ending: told to
	 * the directory once the lock of limits is free; or too many. */
	uint32_t ended[8];
	uint32_t nr_ended;
	int64_t looked_ns;   /* when it was last asked whose processes live */
	uint64_t serial;     /* never used again in this process */
	uint32_t writer;     /* this process's slot */
	uint32_t generation; /* of that */
	bool sequences;	     /* this process's threads have rseq */
	bool rdpid;	     /* see cpu.h */
	bool forbidden;	     /* forked off from an exclusive one */
	bool fenced;	     /* no membarrier reaches us: marks need fences */
	uint32_t pins;
	pthread_mutex_t lock; /* of moving epochs on, within the process */
	struct tally_ledger *next;
};

/* The ledgers that this process has open, for threads that end and for fork. */
int ledger_list_add(struct tally_ledger *ledger);
void ledger_list_remove(struct tally_ledger *ledger);

/* In the child of a fork: the writer slot is the parent's. The child takes one
 * of its own when it first needs one. -EPERM: it may not; -EUSERS. */
#define LEDGER_NO_WRITER UINT32_MAX
void ledger_forked(struct tally_ledger *ledger);
int ledger_join(struct tally_ledger *ledger);

/* Opens what is mapped, as one more writer; takes over the layout. */
int ledger_open_over(struct layout *layout, struct tally_ledger **ledger);

/* Makes an empty one for this process alone, of the same nodes, lanes,
 * resources and size as another. */
int ledger_create_alike(const char *path, mode_t mode,
			const struct layout *like,
			struct tally_ledger **ledger);

/* What CPU numbers there can be, rounded up. */
uint64_t ledger_end_cpu(void);

/* Makes the bucket of that lane, bank and plane usable. */
int ledger_touch(struct tally_ledger *ledger, uint32_t lane, uint32_t bank,
		 uint32_t plane, uint64_t bucket);

/* Whether marked sequences can be had, and which ledger they are for. */
static inline void ledger_set_marked(struct tally_ledger *l, bool marked)
{
	l->marked = marked;
	__atomic_store_n(&l->fast.serial,
			 (marked ? l->serial : LEDGER_NO_SERIAL)
				 << LEDGER_CPU_BITS,
			 __ATOMIC_RELEASE);
}

static inline uint64_t ledger_tag(const struct tally_ledger *l)
{
	return __atomic_load_n(
		(const uint64_t *)((const char *)l + TALLY_FAST_TAG),
		__ATOMIC_ACQUIRE);
}

/* Where adds read it: what checks orders of accesses takes another mapping of
 * it for another word. */
static inline void ledger_set_tag(struct tally_ledger *l, uint64_t tag)
{
	__atomic_store_n((uint64_t *)((char *)l + TALLY_FAST_TAG), tag,
			 __ATOMIC_RELEASE);
}

static inline uint32_t ledger_generation(const struct tally_ledger *l,
					 uint32_t row)
{
	return __atomic_load_n(
		(const uint32_t *)((const char *)l + TALLY_FAST_GENERATIONS) +
			row,
		__ATOMIC_RELAXED);
}

/* The bank that adds go to. */
static inline uint32_t ledger_bank(uint64_t tag)
{
	return (tag & LAYOUT_TAG_BANK) != 0;
}

/* Has the inlined adds go to that bank, where there are any. */
static inline void ledger_use_bank(struct tally_ledger *l, uint32_t bank)
{
	__atomic_store_n(&l->fast.lanes,
			 l->banks[l->inlined ? bank : LAYOUT_NR_BANKS],
			 __ATOMIC_RELEASE);
}

static inline unsigned char *ledger_touched(const struct tally_ledger *l,
					    uint32_t lane, uint32_t bank,
					    uint32_t plane)
{
	uint64_t nr_planes = l->layout->header.params.nr_nodes;

	return l->touched +
	       ((lane * (uint64_t)LAYOUT_NR_BANKS + bank) * nr_planes + plane) *
		       l->layout->plan->nr_buckets;
}

#endif
