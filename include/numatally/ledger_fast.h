/* SPDX-License-Identifier: MIT */
/*
 * ledger_fast: what the inlined update path reads, and what the restartable
 * sequences of all architectures share. For numatally/ledger_inline.h, which
 * includes it; programs use nothing of it.
 *
 * The structures are frozen under the library's soname.
 */
#ifndef NUMATALLY_LEDGER_FAST_H
#define NUMATALLY_LEDGER_FAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/account.h>
#include <numatally/export.h>

#define TALLY_LANES_MAX 8192

/* The lanes that sequences add to in one bank, by CPU. A thread without rseq
 * has CPU -1 or -2, whose words are 0. */
struct tally_lanes {
	char *rows[TALLY_LANES_MAX];   /* row 0, for the CPU's own node */
	uint64_t end[TALLY_LANES_MAX]; /* sequences may add below this many bytes
					  from row 0; above it, if touched */
	const unsigned char *touched[TALLY_LANES_MAX]; /* [row / 64]: not 0 if
							  sequences may add to
							  the row */
};

/*
 * The beginning of a struct tally_ledger. Its address encodes what an add
 * would otherwise load, and the words of the file that every add compares are
 * mapped a second time, at a fixed distance from it:
 *
 *   a multiple of 1 MiB
 *   │ k × 64 KiB + 2 KiB │ struct tally_ledger │ control   │ generations
 *                        ^ the pointer         ^ + 64 KiB  ^ + 128 KiB
 *
 * Bit 0 of k: several processes may write. Bits 1 to 3: the shift from a cache
 * line to a row.
 */
struct tally_fast {
	const struct tally_lanes *lanes; /* of the current bank; all 0 if no
					    sequence may add */
	uint64_t serial; /* of a shared ledger, in this process; its low bits are
			    0, for a CPU */
	ptrdiff_t rseq;	 /* from the thread pointer, as the next */
	ptrdiff_t thread_cache;
	/* The same for the exported functions. In a ledger opened in checked
	 * mode lanes and serial are empty, so that inlined functions call. */
	const struct tally_lanes *called_lanes;
	uint64_t called_serial;
	uint32_t row_bytes;
	uint32_t nr_plain; /* the first resources, up to a reservable one */
};

#define TALLY_FAST_SEVERAL     65536  /* in its address */
#define TALLY_FAST_EPOCH_WORD  65544  /* of the current epoch */
#define TALLY_FAST_GENERATIONS 131072 /* of accounts, 4 bytes a row */

/* The bytes of a row. Inlined code takes them from the ledger's address,
 * without a load; the library loads them, in fewer instructions. The row is
 * multiplied because a shift would need its count in a fixed register. */
#ifndef TALLY_FAST_ROW_BYTES
#define TALLY_FAST_ROW_BYTES(fast) \
	(UINT64_C(64) << ((uintptr_t)(fast) >> 17 & 7))
#endif

/* The offset of a cell from row 0, in bytes. */
static inline uint64_t tally_fast_offset(const struct tally_fast *fast,
					 struct tally_account account,
					 unsigned int resource)
{
	return (uint64_t)account.row * TALLY_FAST_ROW_BYTES(fast) +
	       (uint64_t)resource * 8;
}

/*
 * A thread's cache of the shared ledger that it added to last, for one CPU and
 * epoch. Signal handlers that add change it too: it is read inside a sequence,
 * which a signal aborts.
 */
struct tally_thread_cache {
	uint64_t key;	     /* the ledger's serial, and the CPU; 0: empty */
	uint64_t epoch_word; /* of that epoch */
	uint64_t *inflight;  /* this thread's word, on the CPU's node */
	char *rows;	     /* this and what follows: as in tally_lanes */
	uint64_t end;
	const unsigned char *touched;
};

TALLY_BEGIN

/* The offsets of a thread's cache and of its rseq area from its thread pointer:
 * equal in every thread, because both are of the initial-exec model. */
TALLY_API extern const ptrdiff_t tally_thread_cache_offset;
TALLY_API extern const ptrdiff_t tally_rseq_offset;

TALLY_END

#if defined(__linux__) && defined(__GNUC__)
#define TALLY_HAS_RSEQ 1
#endif

/* Constants to the compiler in a program; the library has its own. */
#ifndef TALLY_FAST_LANES
#define TALLY_FAST_LANES  offsetof(struct tally_fast, lanes)
#define TALLY_FAST_SERIAL offsetof(struct tally_fast, serial)
#endif
#ifndef TALLY_RSEQ_OFFSET
#define TALLY_RSEQ_OFFSET(fast) tally_rseq_offset
#endif
#ifndef TALLY_THREAD_CACHE_OFFSET
#define TALLY_THREAD_CACHE_OFFSET(fast) tally_thread_cache_offset
#endif

/*
 * The descriptor of a sequence, at label 3. The sequence begins at 1, once the
 * descriptor's address is in the thread's rseq area, and ends at 2, behind the
 * instruction that commits. The kernel moves a thread that is preempted,
 * migrated or signalled in between to 4.
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
