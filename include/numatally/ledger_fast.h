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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>

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

/*
 * What a struct tally_ledger begins with. Where it lies says what an add would
 * else have to load, and the words of the file that every add compares are
 * mapped a second time, at a fixed distance from it:
 *
 *   a multiple of 1 MiB
 *   │ k × 64 KiB + 2 KiB │ struct tally_ledger │ control   │ generations
 *                        ^ the pointer         ^ + 64 KiB  ^ + 128 KiB
 *
 * Bit 0 of k: several processes write to it. Bits 1 to 3: a row is a cache line
 * shifted left by that.
 */
struct tally_fast {
	const struct tally_lanes *lanes; /* of the bank that adds go to, or all
					    0: add in another way */
	uint64_t serial; /* of a ledger of several processes, in this one; its
			    low bits are left for a CPU */
	ptrdiff_t rseq;	 /* from the thread pointer, as the next */
	ptrdiff_t known;
	uint32_t vector_bytes; /* of the widest store of a sequence */
	uint32_t pairs;	       /* aarch64: not 0: a plain store of two cells is
				  whole */
};

#define TALLY_FAST_SEVERAL     65536  /* in its address */
#define TALLY_FAST_TAG	       65544  /* of the epoch that adds go to */
#define TALLY_FAST_GENERATIONS 131072 /* of accounts, 4 bytes a row */

/* Of a cell, in bytes from row 0. */
static inline uint64_t tally_fast_offset(const struct tally_fast *fast,
					 struct tally_account account,
					 unsigned int resource)
{
	/* Not a shift, which would take its count in a certain register. */
	return (uint64_t)account.row *
		       (UINT64_C(64) << ((uintptr_t)fast >> 17 & 7)) +
	       (uint64_t)resource * 8;
}

/*
 * What a thread knows of the ledger of several processes that it added to last,
 * for one CPU and epoch. Handlers of signals change it, too: it is read inside
 * a sequence, which they end.
 */
struct tally_known {
	uint64_t key;	/* the ledger's serial, and the CPU; 0: nothing */
	uint64_t tag;	/* of the epoch */
	uint64_t *mark; /* in the region of the CPU's node */
	char *rows;	/* as in struct tally_lanes, from here on */
	uint64_t end;
	const unsigned char *touched;
};

TALLY_BEGIN

/* Where a thread's is, from its thread pointer: of the initial-exec model, so
 * that the place is the same in every thread. */
TALLY_API extern const ptrdiff_t tally_known_offset;

TALLY_END

/* A C library that has this registers threads, or says that it didn't. */
#ifdef RSEQ_SIG
#define TALLY_HAS_RSEQ 1
#endif

/* In a program these are constants to the compiler. */
#ifndef TALLY_RSEQ_OFFSET
#define TALLY_RSEQ_OFFSET(fast) __rseq_offset
#endif
#ifndef TALLY_KNOWN_OFFSET
#define TALLY_KNOWN_OFFSET(fast) tally_known_offset
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
