/* SPDX-License-Identifier: MIT */
/*
 * limit_inline: take from a credit and give back (numatally/limit.h), inlined
 * into the caller.
 *
 * tally_limit_inline_take() and tally_limit_inline_give() equal
 * tally_limit_take() and tally_limit_give(). They change the CPU's own word of
 * the credit: by one restartable sequence in an exclusive ledger, by one
 * compare-and-swap in a shared one. If the CPU has too little idle credit, or
 * its word is closed, they call.
 *
 *	word: 0: closed, else (idle + 1) << 16 | the tag's lower 16 bits,
 *	followed by the whole tag
 */
#ifndef NUMATALLY_LIMIT_INLINE_H
#define NUMATALLY_LIMIT_INLINE_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/export.h>
#include <numatally/ledger_fast.h>
#include <numatally/limit.h>

TALLY_BEGIN

#define TALLY_CREDIT_ONE  INT64_C(65536) /* an amount of 1, in a word */
#define TALLY_CREDIT_MOST (INT64_C(1) << 46)

/* In a program this is a constant to the compiler. */
#ifndef TALLY_CREDIT_RSEQ
#define TALLY_CREDIT_RSEQ(credit) tally_rseq_offset
#endif

#if defined(__x86_64__) && defined(TALLY_HAS_RSEQ) && !defined(__cppcheck__)

/* clang-format off */

/* rax: the address of this CPU's word, in the current table; rdx: the word,
 * open and of this credit. */
#define TALLY_CREDIT_SEQUENCE(change, credit, amount)			\
	__asm__ goto(							\
		TALLY_RSEQ_DESCRIPTOR					\
		"leaq 3b(%%rip), %%rax\n\t"				\
		"movq %%rax, %%fs:8(%[rseq])\n"				\
		"1:\n\t"						\
		"movslq %%fs:4(%[rseq]), %%rdx\n\t"			\
		"movq (%[lanes]), %%rax\n\t"				\
		"movq (%%rax,%%rdx,8), %%rax\n\t"			\
		"addq %[offset], %%rax\n\t"				\
		"movq (%%rax), %%rdx\n\t"				\
		"cmpw %w[tag], %%dx\n\t"				\
		"jne %l[slow]\n\t"					\
		"cmpq %[tag], 8(%%rax)\n\t"				\
		"jne %l[slow]\n\t"					\
		change "\n\t"						\
		"movq %%rdx, (%%rax)\n"					\
		"2:\n\t"						\
		".pushsection __rseq_failure, \"ax\"\n\t"		\
		/* ud1 0x53053053(%%rip), %%edi: the signature of an abort */ \
		".byte 0x0f, 0xb9, 0x3d\n\t"				\
		".long 0x53053053\n"					\
		"4:\n\t"						\
		"jmp %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: [rseq] "r" (TALLY_CREDIT_RSEQ(credit)),		\
		  [lanes] "r" ((credit)->lanes),			\
		  [offset] "r" ((credit)->offset),			\
		  [tag] "r" ((credit)->tag),				\
		  [words] "er" ((amount) * TALLY_CREDIT_ONE)		\
		: "memory", "cc", "rax", "rdx"				\
		: slow)

/* clang-format on */

#define TALLY_CREDIT_TAKE          \
	"subq %[words], %%rdx\n\t" \
	"cmpq $65536, %%rdx\n\t"   \
	"jl %l[slow]"
#define TALLY_CREDIT_GIVE          \
	"addq %[words], %%rdx\n\t" \
	"jo %l[slow]"

#elif defined(__aarch64__) && defined(TALLY_HAS_RSEQ) && !defined(__cppcheck__)

/* clang-format off */

/* x16: the address of this CPU's word; x17: the word */
#define TALLY_CREDIT_SEQUENCE(change, credit, amount)			\
	__asm__ goto(							\
		TALLY_RSEQ_DESCRIPTOR					\
		"adrp x16, 3b\n\t"					\
		"add x16, x16, :lo12:3b\n\t"				\
		"str x16, [%[area], #8]\n"				\
		"1:\n\t"						\
		"ldrsw x17, [%[area], #4]\n\t"				\
		"ldr x16, [%[lanes]]\n\t"				\
		"ldr x16, [x16, x17, lsl #3]\n\t"			\
		"add x16, x16, %[offset]\n\t"				\
		"ldar x17, [x16]\n\t"					\
		"ldr x12, [x16, #8]\n\t"				\
		"cmp x12, %[tag]\n\t"					\
		"b.ne %l[slow]\n\t"					\
		"eor x12, x12, x17\n\t"				\
		"tst x12, #0xffff\n\t"					\
		"b.ne %l[slow]\n\t"					\
		change "\n\t"						\
		"str x17, [x16]\n"					\
		"2:\n\t"						\
		".pushsection __rseq_failure, \"ax\"\n\t"		\
		/* the signature of an abort */				\
		".inst 0xd428bc00\n"					\
		"4:\n\t"						\
		"b %l[slow]\n\t"					\
		".popsection\n\t"					\
		: /* none */						\
		: [area] "r" ((char *)__builtin_thread_pointer() +	\
			      TALLY_CREDIT_RSEQ(credit)),		\
		  [lanes] "r" ((credit)->lanes),			\
		  [offset] "r" ((credit)->offset),			\
		  [tag] "r" ((credit)->tag),				\
		  [words] "r" ((amount) * TALLY_CREDIT_ONE)		\
		: "memory", "cc", "x12", "x16", "x17"			\
		: slow)

/* clang-format on */

#define TALLY_CREDIT_TAKE            \
	"sub x17, x17, %[words]\n\t" \
	"cmp x17, #16, lsl #12\n\t"  \
	"b.lt %l[slow]"
#define TALLY_CREDIT_GIVE             \
	"adds x17, x17, %[words]\n\t" \
	"b.vs %l[slow]"

#endif

#ifdef TALLY_CREDIT_SEQUENCE

static inline __attribute__((always_inline)) bool
tally_credit_rseq_take(const struct tally_credit *credit, int64_t amount)
{
	TALLY_CREDIT_SEQUENCE(TALLY_CREDIT_TAKE, credit, amount);
	return true;
slow:
	return false;
}

static inline __attribute__((always_inline)) bool
tally_credit_rseq_give(const struct tally_credit *credit, int64_t amount)
{
	TALLY_CREDIT_SEQUENCE(TALLY_CREDIT_GIVE, credit, amount);
	return true;
slow:
	return false;
}

static inline int tally_credit_cpu(const struct tally_credit *credit)
{
	const char *area;

	(void)credit;
	area = (const char *)__builtin_thread_pointer() +
	       TALLY_CREDIT_RSEQ(credit);
	return (int)__atomic_load_n((const uint32_t *)(area + 4),
				    __ATOMIC_RELAXED);
}

#else

static inline bool tally_credit_rseq_take(const struct tally_credit *credit,
					  int64_t amount)
{
	(void)credit, (void)amount;
	return false;
}

static inline bool tally_credit_rseq_give(const struct tally_credit *credit,
					  int64_t amount)
{
	(void)credit, (void)amount;
	return false;
}

static inline int tally_credit_cpu(const struct tally_credit *credit)
{
	(void)credit;
	return -1;
}

#endif

/* Other threads draw idle credit back by the same compare-and-swap. */
static inline bool tally_credit_swap(const struct tally_credit *credit, int cpu,
				     int64_t words)
{
	char *lane = __atomic_load_n(&(*credit->lanes)[cpu], __ATOMIC_RELAXED);
	int64_t *word = (int64_t *)(void *)(lane + credit->offset);
	int64_t old = __atomic_load_n(word, __ATOMIC_ACQUIRE), changed;

	do {
		uint64_t tag =
			__atomic_load_n((uint64_t *)word + 1, __ATOMIC_RELAXED);

		if (tag != credit->tag || (uint16_t)(tag ^ (uint64_t)old) ||
		    __builtin_add_overflow(old, words, &changed) ||
		    changed < TALLY_CREDIT_ONE)
			return false;
	} while (!__atomic_compare_exchange_n(
		word, &old, changed, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	return true;
}

/* The inlined parts alone. If one returns false it did nothing, and the caller
 * calls the function without _fast. */
static inline TALLY_NODISCARD bool
tally_limit_take_fast(const struct tally_credit *credit, int64_t amount)
{
	int cpu;

	if ((uint64_t)amount >= (uint64_t)TALLY_CREDIT_MOST)
		return false;
	if (__builtin_expect(!credit->atomic, 1))
		return tally_credit_rseq_take(credit, amount);
	cpu = tally_credit_cpu(credit);
	return cpu >= 0 &&
	       tally_credit_swap(credit, cpu, -amount * TALLY_CREDIT_ONE);
}

static inline TALLY_NODISCARD bool
tally_limit_give_fast(const struct tally_credit *credit, int64_t amount)
{
	int cpu;

	if ((uint64_t)amount >= (uint64_t)TALLY_CREDIT_MOST)
		return false;
	if (__builtin_expect(!credit->atomic, 1))
		return tally_credit_rseq_give(credit, amount);
	cpu = tally_credit_cpu(credit);
	return cpu >= 0 &&
	       tally_credit_swap(credit, cpu, amount * TALLY_CREDIT_ONE);
}

/* The inlined twins of tally_limit_take() and tally_limit_give(). */
static inline TALLY_NODISCARD int
tally_limit_inline_take(const struct tally_credit *credit, int64_t amount)
{
	if (__builtin_expect(tally_limit_take_fast(credit, amount), 1))
		return 0;
	return tally_limit_take(credit, amount);
}

static inline TALLY_NODISCARD int
tally_limit_inline_give(const struct tally_credit *credit, int64_t amount)
{
	if (__builtin_expect(tally_limit_give_fast(credit, amount), 1))
		return 0;
	return tally_limit_give(credit, amount);
}

#ifdef TALLY_CREDIT_SEQUENCE
#undef TALLY_CREDIT_SEQUENCE
#undef TALLY_CREDIT_TAKE
#undef TALLY_CREDIT_GIVE
#endif

TALLY_END

#endif
