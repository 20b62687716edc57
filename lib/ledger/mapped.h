/* SPDX-License-Identifier: MIT */
/* A mapped ledger: what writers need of it. */
#ifndef LEDGER_MAPPED_H
#define LEDGER_MAPPED_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TALLY_FAST_ROW_BYTES(fast) ((fast)->row_bytes)
#define TALLY_FAST_LANES	   offsetof(struct tally_fast, called_lanes)
#define TALLY_FAST_SERIAL	   offsetof(struct tally_fast, called_serial)
/* Fields, since a program's variables would take two loads here. */
#define TALLY_RSEQ_OFFSET(fast)		((fast)->rseq)
#define TALLY_THREAD_CACHE_OFFSET(fast) ((fast)->thread_cache)
#define TALLY_RSEQ_KEEP			/* for sequences of the library's own */
#include <numatally/ledger_inline.h>
#include <numatally/slice.h>

#include "file/file.h"

/*
 * Each CPU has two lanes: restartable sequences add to one, without atomics.
 * Atomics go to the other one: those of threads without sequences, and of
 * charges that don't fit one store. Mixed in one lane they would lose adds.
 */
struct lane {
	char *rows[LAYOUT_NR_BANKS]; /* of the plane of its own node */
	char *inflight; /* on the lane's node, a line for each thread slot */
	uint32_t plane; /* of the CPU's own node */
	uint32_t number;
};

/* A thread_cache key: a serial, and a CPU in these bits. */
#define LEDGER_CPU_BITS	 16
#define LEDGER_ATOMICS	 (1u << 15) /* of the CPU's other lane */
#define LEDGER_NO_SERIAL (UINT64_MAX >> LEDGER_CPU_BITS) /* in no key */

struct server;
struct tally_ledger {
	struct tally_fast fast;
	bool quads; /* x86-64: a store of four cells can be had */
	bool pairs; /* aarch64: a plain store of two cells is whole */
	/* The values of fast.lanes; the last one is empty. */
	struct tally_lanes *banks[LAYOUT_NR_BANKS + 1];
	uint64_t banks_bytes;
	char *mapped; /* where this structure lies; see ledger/map.h */
	uint64_t mapped_bytes;
	bool tables;   /* banks are filled in */
	bool inlined;  /* this process alone writes, with sequences */
	bool inflight; /* others write too; sequences set words in flight */
	struct lane *lanes; /* [nr_cpus], then as many for atomics */
	uint32_t nr_cpus;
	uint32_t row_shift; /* of a row's bytes */
	struct layout *layout;
	struct tally_accounts *accounts;
	unsigned char *touched; /* [lane][bank][plane][bucket] */
	uint64_t touched_bytes;
	/* [lane][bank][plane]: the epoch for which touched is right: see
	 * ledger_tag() */
	uint64_t *tags;
	uint64_t tags_bytes;
	struct tally_region limit_tables; /* of reservations and quotas */
	uint32_t nr_online;		  /* CPUs, when it was opened */
	char *const *credit_lanes;	  /* [cpu]; one of the next two */
	char **credit_open;
	char **credit_shut; /* every word in it is closed */
	char *credit_closed;
	uint64_t credit_bytes;
	/* Rows of terminating accounts that hold nothing any more, which
	 * limit_finish() tells the directory. */
	uint32_t ended[8];
	uint32_t nr_ended; /* may be more than there is room for */
	uint32_t room; /* the bits of the room that was made: see limit/room.h */
	/* With the lock of limits: when shared_ns() was last asked for, by
	 * now_ns(), and what it said. */
	int64_t asked_ns;
	int64_t answer_ns;
	uint64_t serial; /* never used again in this process */
	bool joined;	 /* this process has a writer slot */
	bool sequences;	 /* this process's threads have rseq */
	bool rdpid;	 /* see base/cpu.h */
	bool checked;	 /* inlined adds call, and are checked there */
	bool forbidden;	 /* forked off from an exclusive one */
	bool fenced; /* we rely on no membarrier: words in flight need fences */
	uint32_t pins;
	struct server *server; /* see snapshot/serve.h */
	pthread_mutex_t lock;  /* of advancing epochs, within the process */
	struct tally_ledger *next;
	/* Takes a writer slot: see ledger_join(). */
	int (*join)(struct tally_ledger *ledger);
	uint32_t nr_resources; /* that this process knows of: ledger_learn() */
	/* The largest amount, as unsigned, that each resource may be added:
	 * none but 0 of a reservable, nothing negative of a counter. */
	uint64_t most[LAYOUT_MAX_COLUMNS];
};

/* Whether the resource's kind allows to add this amount. One compare passes
 * most adds: two take a tenth of a call. */
static inline __attribute__((always_inline)) bool
ledger_may_add(const struct tally_ledger *l, unsigned int resource,
	       int64_t amount)
{
	uint64_t negative = -((uint64_t)amount >> 63); /* all bits */

	if (__builtin_expect((resource | negative) < l->fast.nr_plain, 1))
		return true;
	return resource < __atomic_load_n(&l->nr_resources, __ATOMIC_ACQUIRE) &&
	       (uint64_t)amount <=
		       __atomic_load_n(&l->most[resource], __ATOMIC_RELAXED);
}

/* Whether a process has declared the resource since this one last looked:
 * ledger_may_add() then knows it. Async-signal-safe. */
bool ledger_learn(struct tally_ledger *ledger, unsigned int resource);

/*
 * Map what adds need of a ledger, over a file that is mapped; take over the
 * layout, on failure too. fenced: this process relies on no membarrier. The
 * ledger has no writer slot, accounts, join or thread_cache yet: opening it
 * (lib/open) sets these.
 */
int ledger_map(struct layout *layout, bool fenced,
	       struct tally_ledger **ledger);
void ledger_unmap(struct tally_ledger *ledger);

/*
 * Make sure that this process has a writer slot: the child of a fork(2) takes
 * one of its own when it first needs it. Thread-safe.
 *
 * -EPERM	the ledger is exclusive, and its parent's
 * -EUSERS	every slot is taken
 * other	as writer_join()
 */
static inline int ledger_join(struct tally_ledger *l)
{
	if (l->forbidden)
		return -EPERM;
	/* Before the lock: its owner may be waiting for other processes. */
	if (__atomic_load_n(&l->joined, __ATOMIC_ACQUIRE))
		return 0;
	return l->join(l);
}

/* The end of possible CPU numbers, rounded up. */
uint64_t ledger_end_cpu(void);

/* Allocate the bucket of that lane, bank and plane. Thread-safe. -ENOMEM,
 * -ENOSPC; -EBADMSG: the file was cut short. */
int ledger_touch(struct tally_ledger *ledger, uint32_t lane, uint32_t bank,
		 uint32_t plane, uint64_t bucket);

/*
 * Mark a bucket that exists in the bank of this epoch, so that its fold visits
 * it, and let adds pass. To be called with a word in flight since before the
 * epoch was read: so the fold waits. Return false if it does not exist.
 * Thread-safe, async-signal-safe.
 */
bool ledger_mark(struct tally_ledger *ledger, uint64_t epoch_word,
		 uint32_t lane, uint32_t plane, uint64_t bucket);

/* Before sequences are directed to the bank of this epoch: what was marked in
 * an earlier one is not. */
void ledger_unmark(struct tally_ledger *ledger, uint64_t epoch_word);

/* Set whether sequences may add in flight. */
static inline void ledger_set_inflight(struct tally_ledger *l, bool inflight)
{
	uint64_t none = LEDGER_NO_SERIAL << LEDGER_CPU_BITS;
	uint64_t serial = inflight ? l->serial << LEDGER_CPU_BITS : none;

	l->inflight = inflight;
	__atomic_store_n(&l->fast.called_serial, serial, __ATOMIC_RELEASE);
	__atomic_store_n(&l->fast.serial, l->checked ? none : serial,
			 __ATOMIC_RELEASE);
}

static inline uint64_t ledger_epoch_word(const struct tally_ledger *l)
{
	return __atomic_load_n(
		(const uint64_t *)((const char *)l + TALLY_FAST_EPOCH_WORD),
		__ATOMIC_ACQUIRE);
}

/* In the mapping where adds read it: tools that check the order of accesses
 * take another mapping for another word. */
static inline void ledger_set_epoch_word(struct tally_ledger *l,
					 uint64_t epoch_word)
{
	__atomic_store_n((uint64_t *)((char *)l + TALLY_FAST_EPOCH_WORD),
			 epoch_word, __ATOMIC_RELEASE);
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
static inline uint32_t ledger_bank(uint64_t epoch_word)
{
	return (epoch_word & LAYOUT_EPOCH_WORD_BANK) != 0;
}

/* Direct sequences, if there are any, to that bank; LAYOUT_NR_BANKS: let none
 * add. */
static inline void ledger_use_bank(struct tally_ledger *l, uint32_t bank)
{
	const struct tally_lanes *none = l->banks[LAYOUT_NR_BANKS];
	const struct tally_lanes *lanes = l->inlined ? l->banks[bank] : none;

	__atomic_store_n(&l->fast.called_lanes, lanes, __ATOMIC_RELEASE);
	__atomic_store_n(&l->fast.lanes, l->checked ? none : lanes,
			 __ATOMIC_RELEASE);
}

static inline uint64_t ledger_table(const struct tally_ledger *l, uint32_t lane,
				    uint32_t bank, uint32_t plane)
{
	return (lane * (uint64_t)LAYOUT_NR_BANKS + bank) *
		       l->layout->header.params.nr_planes +
	       plane;
}

/* A byte for each bucket; a multiple of 8. */
static inline uint64_t ledger_table_bytes(const struct tally_ledger *l)
{
	return (l->layout->plan->nr_buckets + 7) & ~UINT64_C(7);
}

static inline unsigned char *ledger_touched(const struct tally_ledger *l,
					    uint32_t lane, uint32_t bank,
					    uint32_t plane)
{
	return l->touched +
	       ledger_table(l, lane, bank, plane) * ledger_table_bytes(l);
}

/* The tag of a table of touched for an epoch. 0: nothing is touched in it. */
static inline uint64_t ledger_tag(uint64_t epoch_word)
{
	return epoch_word | 1;
}

/* Whether the bucket is marked in the bank of this epoch. What a table with
 * another tag says is of an earlier one. */
static inline __attribute__((always_inline)) bool
ledger_is_marked(const struct tally_ledger *l, uint64_t epoch_word,
		 uint32_t lane, uint32_t plane, uint64_t bucket)
{
	uint64_t table = ledger_table(l, lane, ledger_bank(epoch_word), plane);

	return __atomic_load_n(&l->tags[table], __ATOMIC_ACQUIRE) ==
		       ledger_tag(epoch_word) &&
	       __atomic_load_n(
		       &l->touched[table * ledger_table_bytes(l) + bucket],
		       __ATOMIC_ACQUIRE);
}

#endif
