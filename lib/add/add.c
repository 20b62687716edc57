// SPDX-License-Identifier: MIT
/* Adds through calls: what the inlined ones leave to the library. */
#include "config.h"

#include <errno.h>

#include "add/inflight.h"
#include "add/post.h"
#include "add/wide.h"
#include "base/cpu.h"
#include "ledger/rseq.h"

/* Of a sequence, before atomics are used. */
#define MAX_TRIES 8

/* The thread_cache key of a lane for atomics. */
static uint64_t atomics_key(const struct tally_ledger *l, uint32_t cpu)
{
	return l->serial << LEDGER_CPU_BITS | LEDGER_ATOMICS | cpu;
}

static void cache_atomics(struct tally_ledger *l)
{
	uint64_t epoch_word = ledger_epoch_word(l);
	uint32_t bank = ledger_bank(epoch_word), cpu;
	const struct lane *lane;
	struct inflight_slot *slot;

	if (!l->nr_cpus)
		return;
	lane = post_lane(l, &cpu);
	/* The add that follows marks its bucket, which tags the table. */
	if (__atomic_load_n(
		    &l->tags[ledger_table(l, lane->number, bank, lane->plane)],
		    __ATOMIC_ACQUIRE) != ledger_tag(epoch_word))
		return;
	if (inflight_frame || cpu >= LEDGER_ATOMICS || inflight_slot(l, &slot))
		return;
	inflight_forget(INFLIGHT_FRAME);
	thread_cache = (struct tally_thread_cache){
		.epoch_word = epoch_word,
		.inflight =
			&((struct layout_inflight *)lane->inflight)[slot->thread]
				 .word,
		.rows = lane->rows[bank],
		.touched = ledger_touched(l, lane->number, bank, lane->plane),
	};
	inflight_recall(atomics_key(l, cpu));
}

static inline __attribute__((always_inline)) bool
can_add(const struct tally_ledger *l, struct tally_account account)
{
	return ledger_epoch_word(l) == thread_cache.epoch_word &&
	       !post_is_stale(l, account) &&
	       __atomic_load_n(
		       &thread_cache.touched[account.row / LAYOUT_BUCKET_ROWS],
		       __ATOMIC_ACQUIRE);
}

/*
 * tally_ledger_post() of one amount, with few loads: a CPU does not start them
 * until the locked addition before them has ended.
 */
static inline __attribute__((always_inline)) bool
add_cached(struct tally_ledger *l, uint32_t cpu, struct tally_account account,
	   unsigned int resource, int64_t amount)
{
	uint64_t offset = tally_fast_offset(&l->fast, account, resource);
	uint64_t key;
	bool done = false;

	/* Within another add nothing is cached. */
	if (__builtin_expect(inflight_frame != 0, 0))
		return false;
	key = inflight_forget(INFLIGHT_FRAME);
	if (key == atomics_key(l, cpu)) {
		inflight_set(l, thread_cache.inflight,
			     layout_inflight_word(thread_cache.epoch_word,
						  account.row));
		done = can_add(l, account);
		if (done)
			__atomic_fetch_add(
				(int64_t *)(thread_cache.rows + offset), amount,
				__ATOMIC_RELAXED);
		__atomic_store_n(thread_cache.inflight, 0, __ATOMIC_RELEASE);
	}
	inflight_recall(key);
	return done;
}

/*
 * Prepare sequences on this CPU: touch the bucket in its lane, and set this
 * thread's thread_cache to the lane.
 */
static int make_ready(struct tally_ledger *l, struct tally_account account,
		      uintptr_t frame)
{
	uint32_t cpu = (uint32_t)sched_getcpu();
	uint64_t epoch_word = ledger_epoch_word(l);
	uint32_t bank = ledger_bank(epoch_word);
	uint64_t bucket = account.row / LAYOUT_BUCKET_ROWS;
	struct inflight_slot *slot;
	const struct lane *lane;
	uint64_t *word;
	int err;

	if (post_is_stale(l, account))
		return post_stale(l);
	if (cpu >= l->nr_cpus)
		return 0;
	lane = &l->lanes[cpu];
	if (!ledger_is_marked(l, epoch_word, cpu, lane->plane, bucket)) {
		err = post_prepare(l, cpu, account.row, frame);
		if (err)
			return err;
	}
	if (!l->inflight)
		return 0;
	err = inflight_slot(l, &slot);
	if (err)
		return err;
	word = &((struct layout_inflight *)lane->inflight)[slot->thread].word;
	inflight_forget(INFLIGHT_FRAME);
	inflight_clear(slot, word);
	slot->word = word;
	thread_cache = (struct tally_thread_cache){
		.epoch_word = epoch_word,
		.inflight = word,
		.rows = lane->rows[bank],
		.end = __atomic_load_n(&l->banks[bank]->end[cpu],
				       __ATOMIC_ACQUIRE),
		.touched = l->banks[bank]->touched[cpu],
	};
	inflight_recall(l->fast.called_serial | cpu);
	return 0;
}

/* Whether a sequence can succeed. It can't within another add, in a signal
 * handler: that add's word in flight must stay. */
static bool has_sequences(const struct tally_ledger *l)
{
	return l->inlined || (l->inflight && !inflight_frame);
}

static bool has_atomics_only(const struct tally_ledger *l)
{
	return !l->inlined && !l->inflight;
}

static bool try_again(struct tally_ledger *l, struct tally_account account,
		      const struct tally_amount *amounts, unsigned int nr)
{
	if (nr == 1)
		return tally_ledger_add_fast(l, account, amounts->resource,
					     amounts->amount);
	return wide_add(l, account, amounts, nr);
}

/*
 * The sequence failed: it is the thread's first one here, or in this bucket, or
 * it was interrupted (which happens every time if a debugger steps through it).
 * Or there are no sequences.
 */
static __attribute__((noinline)) int
add_slowly(struct tally_ledger *l, struct tally_account account,
	   const struct tally_amount *amounts, unsigned int nr)
{
	if (account.row >= l->layout->header.params.max_accounts)
		return post_stale(l);
	inflight_look(INFLIGHT_FRAME);
	for (int i = 0; has_sequences(l) && rseq_register() && i < MAX_TRIES;
	     i++) {
		int err = make_ready(l, account, INFLIGHT_FRAME);

		if (err)
			return err;
		if (try_again(l, account, amounts, nr))
			return 0;
	}
	if (has_atomics_only(l))
		cache_atomics(l);
	return post_amounts(l, account, TALLY_NODE_LOCAL, amounts, nr);
}

/* Each function from here on is a tail call of the one below it, which then
 * needs no stack frame. */
static __attribute__((noinline)) int add_one(struct tally_ledger *l,
					     struct tally_account account,
					     unsigned int resource,
					     int64_t amount)
{
	return add_slowly(l, account, &(struct tally_amount){resource, amount},
			  1);
}

static __attribute__((noinline)) int
add_one_asking(struct tally_ledger *l, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	if (add_cached(l, (uint32_t)sched_getcpu(), account, resource, amount))
		return 0;
	return add_one(l, account, resource, amount);
}

static __attribute__((noinline)) int
add_one_slowly(struct tally_ledger *l, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	if (has_atomics_only(l)) {
		if (!l->rdpid)
			return add_one_asking(l, account, resource, amount);
		if (add_cached(l, cpu_rdpid(), account, resource, amount))
			return 0;
	}
	return add_one(l, account, resource, amount);
}

/* The resource may have been declared since this process last looked; or another
 * thread has looked meanwhile. */
static __attribute__((noinline, cold)) int
add_one_unknown(struct tally_ledger *l, struct tally_account account,
		unsigned int resource, int64_t amount)
{
	if (!ledger_learn(l, resource) && !ledger_may_add(l, resource, amount))
		return -EINVAL;
	return tally_ledger_add(l, account, resource, amount);
}

#ifdef TALLY_HAS_SEQUENCES

/* What a sequence has in registers, for when it failed: three more would have to
 * be saved on the stack if the arguments of tally_ledger_add() were kept. */
static __attribute__((noinline)) int add_one_at(struct tally_ledger *l,
						uint64_t row,
						uint32_t generation,
						uint64_t offset, int64_t amount)
{
	const struct tally_account account = {(uint32_t)row, generation};
	uint64_t first = tally_fast_offset(&l->fast, account, 0);

	return add_one_slowly(l, account, (unsigned int)((offset - first) / 8),
			      amount);
}

static __attribute__((noinline)) int
add_one_inflight(struct tally_ledger *l, struct tally_account account,
		 unsigned int resource, int64_t amount)
{
	uint64_t row = account.row;
	uint64_t offset = tally_fast_offset(&l->fast, account, resource);

	if (tally_rseq_add_inflight(&l->fast, account, resource, amount))
		return 0;
	return add_one_at(l, row, account.generation, offset, amount);
}

/* Aligned to a cache line, which saves a tenth of the call. */
__attribute__((aligned(64))) int tally_ledger_add(struct tally_ledger *l,
						  struct tally_account account,
						  unsigned int resource,
						  int64_t amount)
{
	if (!ledger_may_add(l, resource, amount))
		return add_one_unknown(l, account, resource, amount);
	if (tally_rseq_several(&l->fast))
		return add_one_inflight(l, account, resource, amount);
	if (tally_rseq_add_bare(&l->fast, account, resource, amount))
		return 0;
	return add_one_slowly(l, account, resource, amount);
}

#else

int tally_ledger_add(struct tally_ledger *l, struct tally_account account,
		     unsigned int resource, int64_t amount)
{
	if (!ledger_may_add(l, resource, amount))
		return add_one_unknown(l, account, resource, amount);
	return add_one_slowly(l, account, resource, amount);
}

#endif

#ifdef TALLY_HAS_SEQUENCES

/* Amounts that one store can add, of any kinds. */
static __attribute__((noinline)) int
charge_wide(struct tally_ledger *l, struct tally_account account,
	    const struct tally_amount *amounts, unsigned int nr)
{
	if (has_atomics_only(l))
		return post_charge(l, account, TALLY_NODE_LOCAL, amounts, nr);
	for (unsigned int i = 0; i < nr; i++)
		if (!ledger_may_add(l, amounts[i].resource, amounts[i].amount))
			return post_charge(l, account, TALLY_NODE_LOCAL,
					   amounts, nr);
	if (wide_add(l, account, amounts, nr))
		return 0;
	return add_slowly(l, account, amounts, nr);
}

/* Whether one compare shows that the kinds of resources in a row allow all of
 * the amounts. */
static inline __attribute__((always_inline)) bool
is_plain(const struct tally_ledger *l, const struct tally_amount *amounts,
	 unsigned int nr)
{
	uint64_t negative = 0; /* all bits, if one is */

#pragma GCC unroll 4
	for (unsigned int i = 0; i < nr; i++)
		negative |= (uint64_t)(amounts[i].amount >> 63);
	return (amounts[nr - 1].resource | negative) < l->fast.nr_plain;
}

/* Tail calls, as above. */
static __attribute__((noinline)) int
charge_two_inflight(struct tally_ledger *l, struct tally_account account,
		    const struct tally_amount *amounts)
{
	if (wide_two_inflight(l, account, amounts))
		return 0;
	return charge_wide(l, account, amounts, 2);
}

#ifdef WIDE_FOUR

static __attribute__((noinline)) int
charge_four_inflight(struct tally_ledger *l, struct tally_account account,
		     const struct tally_amount *amounts)
{
	if (wide_four_inflight(l, account, amounts))
		return 0;
	return charge_wide(l, account, amounts, 4);
}

static __attribute__((noinline)) int
charge_four(struct tally_ledger *l, struct tally_account account,
	    const struct tally_amount *amounts)
{
	if (!wide_fits(l, amounts, 4))
		return post_charge(l, account, TALLY_NODE_LOCAL, amounts, 4);
	if (!is_plain(l, amounts, 4))
		return charge_wide(l, account, amounts, 4);
	if (tally_rseq_several(&l->fast))
		return charge_four_inflight(l, account, amounts);
	if (wide_four_bare(l, account, amounts))
		return 0;
	return charge_wide(l, account, amounts, 4);
}

#endif

static __attribute__((noinline)) int
charge_two(struct tally_ledger *l, struct tally_account account,
	   const struct tally_amount *amounts)
{
	if (!wide_fits(l, amounts, 2))
		return post_charge(l, account, TALLY_NODE_LOCAL, amounts, 2);
	if (!is_plain(l, amounts, 2))
		return charge_wide(l, account, amounts, 2);
	if (tally_rseq_several(&l->fast))
		return charge_two_inflight(l, account, amounts);
	if (wide_two_bare(l, account, amounts))
		return 0;
	return charge_wide(l, account, amounts, 2);
}

#endif

int tally_ledger_charge(struct tally_ledger *l, struct tally_account account,
			int node, const struct tally_amount *amounts,
			unsigned int nr)
{
	if (node != TALLY_NODE_LOCAL)
		return post_charge(l, account, node, amounts, nr);
	switch (nr) {
	case 1:
		return tally_ledger_add(l, account, amounts->resource,
					amounts->amount);
#ifdef TALLY_HAS_SEQUENCES
	case 2:
		return charge_two(l, account, amounts);
#endif
#ifdef WIDE_FOUR
	case 4:
		return charge_four(l, account, amounts);
#endif
	default:
		return post_charge(l, account, node, amounts, nr);
	}
}
