/* SPDX-License-Identifier: MIT */
/*
 * wide: adds two or four amounts to adjacent cells, by a sequence whose last
 * instruction stores all of them.
 *
 * x86-64: a store of 16 or 32 bytes at any address. A row lies in one page, so
 * no interrupt or kill can split the store.
 *
 * aarch64: two cells, aligned to 16 bytes. An interrupt may come between the
 * two stores of an stp, which is then repeated as a whole: a sequence that is
 * aborted there would have added one half. A single-copy atomic access can't be
 * split: an aligned stxp always is one, an aligned stp is with FEAT_LSE2
 * (HWCAP_USCAT).
 */
#ifndef ADD_WIDE_H
#define ADD_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/ledger.h>

#include "ledger/mapped.h"

/* Whether the amounts are of consecutive resources. */
static inline bool wide_in_a_row(const struct tally_amount *amounts,
				 unsigned int nr)
{
	for (unsigned int i = 1; i < nr; i++)
		if (amounts[i].resource != amounts->resource + i)
			return false;
	return true;
}

#ifdef TALLY_HAS_SEQUENCES

/* clang-format off */

#if defined(__x86_64__)

#define WIDE_ALIGNED 1

#define WIDE_AMOUNTS							\
	[amounts] "r" (amounts),					\
	[at] "i" (offsetof(struct tally_amount, amount))

/* Amounts are 16 bytes apart. */
#define WIDE_PAIR							\
	"movq %c[at](%[amounts]), %%xmm0\n\t"				\
	"movhps %c[at]+16(%[amounts]), %%xmm0\n\t"			\
	"movdqu (%%rax,%[offset]), %%xmm1\n\t"				\
	"paddq %%xmm1, %%xmm0\n\t"					\
	"movdqu %%xmm0, (%%rax,%[offset])"

#define WIDE_QUAD							\
	"vmovq %c[at](%[amounts]), %%xmm0\n\t"				\
	"vmovhps %c[at]+16(%[amounts]), %%xmm0, %%xmm0\n\t"		\
	"vmovq %c[at]+32(%[amounts]), %%xmm1\n\t"			\
	"vmovhps %c[at]+48(%[amounts]), %%xmm1, %%xmm1\n\t"		\
	"vinserti128 $1, %%xmm1, %%ymm0, %%ymm0\n\t"			\
	"vpaddq (%%rax,%[offset]), %%ymm0, %%ymm0\n\t"			\
	"vmovdqu %%ymm0, (%%rax,%[offset])"

#define WIDE_VECTORS TALLY_RSEQ_WORDS, "xmm0", "xmm1"

/* vzeroupper clears the upper halves, which the caller may use with AVX. */
#define WIDE_ALL_VECTORS						\
	WIDE_VECTORS, "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",	\
	"xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",	\
	"xmm15"

#define WIDE_TWO(sequence)						\
	sequence(WIDE_PAIR, "", WIDE_VECTORS, WIDE_AMOUNTS)
#define WIDE_FOUR(sequence)						\
	sequence(WIDE_QUAD, "vzeroupper\n\t", WIDE_ALL_VECTORS, WIDE_AMOUNTS)

_Static_assert(sizeof(struct tally_amount) == 16, "the sequences rely on it");

#elif defined(__aarch64__)

#define WIDE_ALIGNED 2

#define WIDE_AMOUNTS							\
	[first] "r" (amounts[0].amount), [second] "r" (amounts[1].amount)

#define WIDE_PAIR							\
	"ldp x10, x11, [x9]\n\t"					\
	"add x10, x10, %[first]\n\t"					\
	"add x11, x11, %[second]\n\t"					\
	"stp x10, x11, [x9]"

#define WIDE_EXCLUSIVE							\
	"ldxp x10, x11, [x9]\n\t"					\
	"add x10, x10, %[first]\n\t"					\
	"add x11, x11, %[second]\n\t"					\
	"stxp w16, x10, x11, [x9]"

/* After the sequence: an exclusive store may fail. */
#define WIDE_STORED "cbnz w16, %l[slow]\n\t"

#define WIDE_TWO(sequence)						\
	if (l->pairs)							\
		sequence(WIDE_PAIR, "", WIDE_AMOUNTS);			\
	else								\
		sequence(WIDE_EXCLUSIVE, WIDE_STORED, WIDE_AMOUNTS)

#endif

/* clang-format on */

/* Defines a function that adds so. It returns false if it added nothing. */
#define WIDE_FUNCTION(name, width, sequence)                                \
	static inline __attribute__((always_inline)) bool name(             \
		const struct tally_ledger *l, struct tally_account account, \
		const struct tally_amount *amounts)                         \
	{                                                                   \
		const struct tally_fast *fast = &l->fast;                   \
		unsigned int resource = amounts->resource;                  \
                                                                            \
		width(sequence);                                            \
		return true;                                                \
slow:                                                                       \
		return false;                                               \
	}

WIDE_FUNCTION(wide_two_bare, WIDE_TWO, TALLY_RSEQ_BARE)
WIDE_FUNCTION(wide_two_inflight, WIDE_TWO, TALLY_RSEQ_INFLIGHT)
#ifdef WIDE_FOUR
WIDE_FUNCTION(wide_four_bare, WIDE_FOUR, TALLY_RSEQ_BARE)
WIDE_FUNCTION(wide_four_inflight, WIDE_FOUR, TALLY_RSEQ_INFLIGHT)
#endif

/* Whether one store can add all of the amounts. */
static inline bool wide_fits(const struct tally_ledger *l,
			     const struct tally_amount *amounts,
			     unsigned int nr)
{
	if (nr == 2)
		return amounts->resource % WIDE_ALIGNED == 0 &&
		       wide_in_a_row(amounts, 2);
#ifdef WIDE_FOUR
	if (nr == 4)
		return l->quads && wide_in_a_row(amounts, 4);
#else
	(void)l;
#endif
	return false;
}

/* Add amounts that fit. Return false if nothing was added. */
static inline bool wide_add(const struct tally_ledger *l,
			    struct tally_account account,
			    const struct tally_amount *amounts, unsigned int nr)
{
	bool several = tally_rseq_several(&l->fast);

#ifdef WIDE_FOUR
	if (nr == 4)
		return several ? wide_four_inflight(l, account, amounts)
			       : wide_four_bare(l, account, amounts);
#else
	(void)nr;
#endif
	return several ? wide_two_inflight(l, account, amounts)
		       : wide_two_bare(l, account, amounts);
}

#else

static inline bool wide_fits(const struct tally_ledger *l,
			     const struct tally_amount *amounts,
			     unsigned int nr)
{
	(void)l, (void)amounts, (void)nr;
	return false;
}

static inline bool wide_add(const struct tally_ledger *l,
			    struct tally_account account,
			    const struct tally_amount *amounts, unsigned int nr)
{
	(void)l, (void)account, (void)amounts, (void)nr;
	return false;
}

#endif
#endif
