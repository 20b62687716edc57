/* SPDX-License-Identifier: MIT */
/*
 * ledger_inline: the update path of a ledger, inlined into its caller.
 *
 * tally_ledger_inline_add() and its like do what tally_ledger_add() and its
 * like do, with the same arguments and errors, without a call: one restartable
 * sequence (rseq(2), as the C library registered it), whose last instruction
 * commits. Where they can't (another architecture, no rseq, a thread's first
 * add on a CPU, or the first one after a snapshot) they call.
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

/* The widest store that this architecture's sequences ever use. */
#ifndef TALLY_RSEQ_BYTES
#define TALLY_RSEQ_BYTES 0
#endif

/* A compiler weighs the text of a sequence as if it were many instructions. */
#if defined(__GNUC__)
#define TALLY_INLINE static inline __attribute__((always_inline))
#else
#define TALLY_INLINE static inline
#endif

TALLY_BEGIN

#if TALLY_RSEQ_BYTES > 0

/*
 * The inlined part: false where nothing was added, and the function without
 * try_ is to be called.
 */
TALLY_INLINE bool tally_ledger_try_add(struct tally_ledger *ledger,
				       struct tally_account account,
				       unsigned int resource, int64_t amount)
{
	const struct tally_fast *fast = (const struct tally_fast *)ledger;

	if (tally_rseq_several(fast))
		return tally_rseq_add_marked(fast, account, resource, amount);
	return tally_rseq_add_bare(fast, account, resource, amount);
}

TALLY_INLINE bool tally_ledger_try_add2(struct tally_ledger *ledger,
					struct tally_account account,
					unsigned int resource,
					const int64_t amounts[2])
{
	const struct tally_fast *fast = (const struct tally_fast *)ledger;

	if (tally_rseq_several(fast))
		return tally_rseq_add2_marked(fast, account, resource, amounts);
	return tally_rseq_add2_bare(fast, account, resource, amounts);
}

#else

TALLY_INLINE bool tally_ledger_try_add(struct tally_ledger *ledger,
				       struct tally_account account,
				       unsigned int resource, int64_t amount)
{
	(void)ledger, (void)account, (void)resource, (void)amount;
	return false;
}

TALLY_INLINE bool tally_ledger_try_add2(struct tally_ledger *ledger,
					struct tally_account account,
					unsigned int resource,
					const int64_t amounts[2])
{
	(void)ledger, (void)account, (void)resource, (void)amounts;
	return false;
}

#endif

#if TALLY_RSEQ_BYTES >= 32

TALLY_INLINE bool tally_ledger_try_add4(struct tally_ledger *ledger,
					struct tally_account account,
					unsigned int resource,
					const int64_t amounts[4])
{
	const struct tally_fast *fast = (const struct tally_fast *)ledger;

	if (__builtin_expect(fast->vector_bytes < 32, 0))
		return false;
	if (tally_rseq_several(fast))
		return tally_rseq_add4_marked(fast, account, resource, amounts);
	return tally_rseq_add4_bare(fast, account, resource, amounts);
}

#else

TALLY_INLINE bool tally_ledger_try_add4(struct tally_ledger *ledger,
					struct tally_account account,
					unsigned int resource,
					const int64_t amounts[4])
{
	(void)ledger, (void)account, (void)resource, (void)amounts;
	return false;
}

#endif

/* What a call is given is made ready here, and not on the way to it. */
#if defined(__GNUC__)
#define TALLY_NOT_BEFORE(account) \
	__asm__ volatile("" : "+r"((account).row), "+r"((account).generation))
#else
#define TALLY_NOT_BEFORE(account)
#endif

/* The inlined twins of tally_ledger_add(), tally_ledger_add2() and
 * tally_ledger_add4(). */
TALLY_INLINE int tally_ledger_inline_add(struct tally_ledger *ledger,
					 struct tally_account account,
					 unsigned int resource, int64_t amount)
{
	if (__builtin_expect(
		    tally_ledger_try_add(ledger, account, resource, amount), 1))
		return 0;
	TALLY_NOT_BEFORE(account);
	return tally_ledger_add(ledger, account, resource, amount);
}

TALLY_INLINE int tally_ledger_inline_add2(struct tally_ledger *ledger,
					  struct tally_account account,
					  unsigned int resource,
					  const int64_t amounts[2])
{
	if (__builtin_expect(
		    tally_ledger_try_add2(ledger, account, resource, amounts),
		    1))
		return 0;
	TALLY_NOT_BEFORE(account);
	return tally_ledger_add2(ledger, account, resource, amounts);
}

TALLY_INLINE int tally_ledger_inline_add4(struct tally_ledger *ledger,
					  struct tally_account account,
					  unsigned int resource,
					  const int64_t amounts[4])
{
	if (__builtin_expect(
		    tally_ledger_try_add4(ledger, account, resource, amounts),
		    1))
		return 0;
	TALLY_NOT_BEFORE(account);
	return tally_ledger_add4(ledger, account, resource, amounts);
}

#undef TALLY_INLINE
#undef TALLY_NOT_BEFORE

TALLY_END

#endif
