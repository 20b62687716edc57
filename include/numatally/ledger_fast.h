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
	uint32_t vector_bytes; /* of the widest store of a sequence */
	uint32_t pairs;	       /* aarch64: not 0: a plain store of two cells is
				  whole */
};

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
