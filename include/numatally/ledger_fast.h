/* SPDX-License-Identifier: MIT */
/*
 * ledger_fast: what the inlined update path of a ledger reads, and what the
 * restartable sequences of all architectures have in common. Included by
 * numatally/ledger_inline.h, and not of use by itself.
 *
 * The structures here are frozen under the library's soname, for the inlined
 * functions only.
 */
#ifndef NUMATALLY_LEDGER_FAST_H
#define NUMATALLY_LEDGER_FAST_H

#include <stddef.h>
#include <stdint.h>

#if defined(__has_include)
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif
#endif

#define TALLY_LANES_MAX 8192

/* The lanes that sequences add to in one bank, by CPU. A thread without rseq
 * has the CPU -1 or -2, of which the words that are looked at are 0. */
struct tally_lanes {
	char *rows[TALLY_LANES_MAX];   /* row 0, of the plane of the CPU's own
					  node */
	uint64_t end[TALLY_LANES_MAX]; /* bytes from there that may be added to;
					  beyond, look at touched */
	const unsigned char *touched[TALLY_LANES_MAX]; /* [row / 64]: not 0
							  where the row may be
							  added to */
};

/* What a struct tally_ledger begins with. */
struct tally_fast {
	const struct tally_lanes *lanes; /* of the bank that adds go to, or all
					    0: add in another way */
	uint64_t row_bytes;
	ptrdiff_t rseq;	       /* from the thread pointer */
	uint32_t vector_bytes; /* of the widest store of a sequence */
	uint32_t pairs;	       /* aarch64: not 0: a plain store of two cells is
				  whole */
};

/* A C library that has this registers threads, or says that it didn't. */
#ifdef RSEQ_SIG
#define TALLY_HAS_RSEQ 1
#endif

/* In a program this is a constant to the compiler. */
#ifndef TALLY_RSEQ_OFFSET
#define TALLY_RSEQ_OFFSET(fast) __rseq_offset
#endif

/*
 * A sequence's descriptor, at 3: it begins at 1, when the descriptor's address
 * is in the thread's rseq area, and ends behind the instruction before 2, which
 * commits. A thread that is preempted, migrated or signalled in between goes on
 * at 4 instead.
 */
#define TALLY_RSEQ_DESCRIPTOR                          \
	".pushsection __rseq_cs, \"aw\"\n\t"           \
	".balign 32\n"                                 \
	"3:\n\t"                                       \
	".long 0, 0\n\t"                               \
	".quad 1f, 2f - 1f, 4f\n\t"                    \
	".popsection\n\t"                              \
	".pushsection __rseq_cs_ptr_array, \"aw\"\n\t" \
	".quad 3b\n\t"                                 \
	".popsection\n"

#endif
