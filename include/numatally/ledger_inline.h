/* SPDX-License-Identifier: MIT */
/*
 * ledger_inline: the update path of a ledger, inlined into its caller.
 *
 * tally_ledger_inline_add() and its like do what tally_ledger_add() and its
 * like do, with the same arguments and errors, without a call: one restartable
 * sequence (rseq(2), as the C library registered it), whose last instruction
 * commits. Where they can't (another architecture, no rseq, a ledger that
 * several processes write to) they call.
 *
 * The structures here are frozen under the library's soname, and for these
 * functions only.
 */
#ifndef NUMATALLY_LEDGER_INLINE_H
#define NUMATALLY_LEDGER_INLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/export.h>
#include <numatally/ledger.h>

TALLY_BEGIN

/* One CPU's lane, as this process reaches it: a cache line. */
struct tally_lane {
	char *rows[2]; /* [bank]: row 0, of the plane of the CPU's
			  own node */
	const unsigned char *touched[2]; /* [bank][row / 64]: not 0 where
					    the row may be added to */
	char *marks;	/* of the lane's node, a line per thread slot */
	uint32_t plane; /* of the CPU's own node */
	uint32_t number;
	const void *pad[2];
};

/* What a struct tally_ledger begins with. */
struct tally_fast {
	struct tally_lane *lanes; /* by CPU */
	const uint64_t *epoch;	  /* its parity is the bank to add to */
	ptrdiff_t rseq;		  /* from the thread pointer */
	uint32_t nr_lanes;
	uint32_t row_shift;    /* of a row's bytes */
	uint32_t inlined;      /* not 0: this process alone writes, with rseq */
	uint32_t vector_bytes; /* of the widest store */
};

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__cppcheck__)

/* clang-format off */

/*
 * A sequence begins at 1, when its descriptor's address is in the thread's
 * rseq area, and ends behind the instruction before 2: a thread that is
 * preempted, migrated or signalled in between goes on at 4 instead. The CPU is
 * read inside, so that nothing is to be compared.
 *
 * After it: rax is row 0 of the bank that counts, rows of an untouched bucket
 * left for the slow path.
 */
#define TALLY_RSEQ_BEGIN						\
	".pushsection __rseq_cs, \"aw\"\n\t"				\
	".balign 32\n"							\
	"3:\n\t"							\
	".long 0, 0\n\t"						\
	".quad 1f, 2f - 1f, 4f\n\t"					\
	".popsection\n\t"						\
	".pushsection __rseq_cs_ptr_array, \"aw\"\n\t"			\
	".quad 3b\n\t"							\
	".popsection\n"							\
	"0:\n\t"							\
	"leaq 3b(%%rip), %%rax\n\t"					\
	"movq %%rax, %%fs:8(%[rseq])\n"					\
	"1:\n\t"

#define TALLY_RSEQ_LANE							\
	"movl %%fs:4(%[rseq]), %%ecx\n\t"				\
	"cmpl %[nr_lanes], %%ecx\n\t"					\
	"jae %l[slow]\n\t"						\
	"movl %[epoch], %%edx\n\t"					\
	"shlq $6, %%rcx\n\t"						\
	"andl $1, %%edx\n\t"						\
	"addq %[lanes], %%rcx\n\t"					\
	"movq 16(%%rcx,%%rdx,8), %%rax\n\t"				\
	"cmpb $0, (%%rax,%[bucket])\n\t"				\
	"je %l[slow]\n\t"						\
	"movq (%%rcx,%%rdx,8), %%rax\n\t"

#define TALLY_RSEQ_END							\
	"2:\n\t"							\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	/* ud1 0x53053053(%%rip), %%edi: the signature of an abort */	\
	".byte 0x0f, 0xb9, 0x3d\n\t"					\
	".long 0x53053053\n"						\
	"4:\n\t"							\
	"jmp 0b\n\t"							\
	".popsection\n\t"

#define TALLY_RSEQ_INPUTS(fast, account, resource)			\
	[rseq] "r" ((fast)->rseq),					\
	[nr_lanes] "m" ((fast)->nr_lanes),				\
	[epoch] "m" (*(fast)->epoch),					\
	[lanes] "m" ((fast)->lanes),					\
	[bucket] "r" ((uint64_t)((account).row >> 6)),			\
	[offset] "r" (((uint64_t)(account).row << (fast)->row_shift) +	\
		      (uint64_t)(resource) * 8)

/* clang-format on */

/*
 * The bare path: false where nothing was added, and the function without try_
 * is to be called.
 */
static inline bool tally_ledger_try_add(struct tally_ledger *ledger,
					struct tally_account account,
					unsigned int resource, int64_t amount)
{
	const struct tally_fast *fast = (const struct tally_fast *)ledger;

	if (__builtin_expect(!fast->inlined, 0))
		return false;
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE
		"addq %[amount], (%%rax,%[offset])\n" TALLY_RSEQ_END
		: /* none */
		: TALLY_RSEQ_INPUTS(fast, account, resource), [amount] "er"(
								      amount)
		: "memory", "cc", "rax", "rcx", "rdx"
		: slow);
	return true;
slow:
	return false;
}

static inline bool tally_ledger_try_add2(struct tally_ledger *ledger,
					 struct tally_account account,
					 unsigned int resource,
					 const int64_t amounts[2])
{
	const struct tally_fast *fast = (const struct tally_fast *)ledger;

	if (__builtin_expect(!fast->inlined, 0))
		return false;
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE
		"movdqu (%[amounts]), %%xmm0\n\t"
		"paddq (%%rax,%[offset]), %%xmm0\n\t"
		"movdqa %%xmm0, (%%rax,%[offset])\n" TALLY_RSEQ_END
		: /* none */
		: TALLY_RSEQ_INPUTS(fast, account, resource), [amounts] "r"(
								      amounts)
		: "memory", "cc", "rax", "rcx", "rdx", "xmm0"
		: slow);
	return true;
slow:
	return false;
}

static inline bool tally_ledger_try_add4(struct tally_ledger *ledger,
					 struct tally_account account,
					 unsigned int resource,
					 const int64_t amounts[4])
{
	const struct tally_fast *fast = (const struct tally_fast *)ledger;

	if (__builtin_expect(!fast->inlined || fast->vector_bytes < 32, 0))
		return false;
	__asm__ goto(
		TALLY_RSEQ_BEGIN TALLY_RSEQ_LANE
		"vmovdqu (%[amounts]), %%ymm0\n\t"
		"vpaddq (%%rax,%[offset]), %%ymm0, %%ymm0\n\t"
		"vmovdqa %%ymm0, (%%rax,%[offset])\n" TALLY_RSEQ_END
		"vzeroupper\n\t"
		: /* none */
		: TALLY_RSEQ_INPUTS(fast, account, resource), [amounts] "r"(
								      amounts)
		: "memory", "cc", "rax", "rcx", "rdx", "xmm0"
		: slow);
	return true;
slow:
	return false;
}

#else

static inline bool tally_ledger_try_add(struct tally_ledger *ledger,
					struct tally_account account,
					unsigned int resource, int64_t amount)
{
	(void)ledger, (void)account, (void)resource, (void)amount;
	return false;
}

static inline bool tally_ledger_try_add2(struct tally_ledger *ledger,
					 struct tally_account account,
					 unsigned int resource,
					 const int64_t amounts[2])
{
	(void)ledger, (void)account, (void)resource, (void)amounts;
	return false;
}

static inline bool tally_ledger_try_add4(struct tally_ledger *ledger,
					 struct tally_account account,
					 unsigned int resource,
					 const int64_t amounts[4])
{
	(void)ledger, (void)account, (void)resource, (void)amounts;
	return false;
}

#endif

/* The inlined twins of tally_ledger_add(), tally_ledger_add2() and
 * tally_ledger_add4(). */
static inline int tally_ledger_inline_add(struct tally_ledger *ledger,
					  struct tally_account account,
					  unsigned int resource, int64_t amount)
{
	if (__builtin_expect(
		    tally_ledger_try_add(ledger, account, resource, amount), 1))
		return 0;
	return tally_ledger_add(ledger, account, resource, amount);
}

static inline int tally_ledger_inline_add2(struct tally_ledger *ledger,
					   struct tally_account account,
					   unsigned int resource,
					   const int64_t amounts[2])
{
	if (__builtin_expect(
		    tally_ledger_try_add2(ledger, account, resource, amounts),
		    1))
		return 0;
	return tally_ledger_add2(ledger, account, resource, amounts);
}

static inline int tally_ledger_inline_add4(struct tally_ledger *ledger,
					   struct tally_account account,
					   unsigned int resource,
					   const int64_t amounts[4])
{
	if (__builtin_expect(
		    tally_ledger_try_add4(ledger, account, resource, amounts),
		    1))
		return 0;
	return tally_ledger_add4(ledger, account, resource, amounts);
}

TALLY_END

#endif
