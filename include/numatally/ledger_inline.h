/* SPDX-License-Identifier: MIT */
/*
 * ledger_inline: the update path of a ledger, inlined into the caller.
 *
 * tally_ledger_inline_add() equals tally_ledger_add(), without a call: it is
 * one restartable sequence (rseq(2)), whose last instruction commits the add. It
 * calls where no sequence can run: on another architecture, without rseq, on a
 * thread's first add on a CPU, and on the first after a snapshot. Where the C
 * library registers no thread for rseq, a thread's first add does, unless other
 * code has: the kernel has one area for each thread.
 *
 * It does not check the resource. An add that tally_ledger_add() refuses with
 * -EINVAL is undefined here, and may change another account. In a ledger that
 * was opened in checked mode (numatally/slice.h) it always calls, and so
 * refuses it.
 */
#ifndef NUMATALLY_LEDGER_INLINE_H
#define NUMATALLY_LEDGER_INLINE_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/export.h>
#include <numatally/ledger.h>
#include <numatally/ledger_fast.h>
#include <numatally/ledger_rseq_aarch64.h>
#include <numatally/ledger_rseq_x86.h>

/* Compilers take a sequence's text for many instructions, and would not inline
 * it. */
#if defined(__GNUC__)
#define TALLY_INLINE static inline __attribute__((always_inline))
#else
#define TALLY_INLINE static inline
#endif

TALLY_BEGIN

#ifdef TALLY_HAS_SEQUENCES

/* The inlined part alone. If it returns false it added nothing, and the caller
 * calls tally_ledger_add(). */
TALLY_INLINE TALLY_NODISCARD bool
tally_ledger_add_fast(struct tally_ledger *ledger, struct tally_account account,
		      unsigned int resource, int64_t amount)
{
	const struct tally_fast *fast = (const struct tally_fast *)ledger;

	if (tally_rseq_several(fast))
		return tally_rseq_add_inflight(fast, account, resource, amount);
	return tally_rseq_add_bare(fast, account, resource, amount);
}

#else

TALLY_INLINE TALLY_NODISCARD bool
tally_ledger_add_fast(struct tally_ledger *ledger, struct tally_account account,
		      unsigned int resource, int64_t amount)
{
	(void)ledger, (void)account, (void)resource, (void)amount;
	return false;
}

#endif

/* Keeps the compiler from preparing the call's arguments before the sequence.
 */
#if defined(__GNUC__)
#define TALLY_NOT_BEFORE(account) \
	__asm__ volatile("" : "+r"((account).row), "+r"((account).generation))
#else
#define TALLY_NOT_BEFORE(account)
#endif

/* The inlined twin of tally_ledger_add(). */
TALLY_INLINE TALLY_NODISCARD int
tally_ledger_inline_add(struct tally_ledger *ledger,
			struct tally_account account, unsigned int resource,
			int64_t amount)
{
	if (__builtin_expect(
		    tally_ledger_add_fast(ledger, account, resource, amount),
		    1))
		return 0;
	TALLY_NOT_BEFORE(account);
	return tally_ledger_add(ledger, account, resource, amount);
}

#undef TALLY_INLINE
#undef TALLY_NOT_BEFORE

TALLY_END

#endif
