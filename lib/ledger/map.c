// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "ledger/map.h"
#include "file/sigbus.h"

#define STEP	 UINT64_C(65536)
#define ALIGN	 (16 * STEP)
#define CONTROL	 STEP /* its page, as the next one */
#define TABLE	 (2 * STEP)
#define ROW_BITS 3
_Static_assert(TALLY_FAST_EPOCH_WORD ==
			       CONTROL + offsetof(struct layout_control,
						  epoch_word) &&
		       TALLY_FAST_GENERATIONS == TABLE,
	       "the inlined adds look for them there");
_Static_assert(LAYOUT_MAX_COLUMNS * sizeof(int64_t) / LAYOUT_LINE <
		       1u << (1u << ROW_BITS),
	       "a row's bytes fit the address");

static uint64_t place(const struct layout *layout)
{
	bool several = !(layout->header.params.flags & LAYOUT_EXCLUSIVE);
	uint64_t lines = layout->plan->row_bytes / LAYOUT_LINE;

	return (uint64_t)__builtin_ctzll(lines) << 1 | several;
}

static int map_at(char *at, uint64_t bytes, int fd, uint64_t offset)
{
	int flags = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS
					: MAP_SHARED | MAP_NORESERVE);

	if (mmap(at, bytes, PROT_READ | PROT_WRITE, flags, fd, (off_t)offset) ==
	    MAP_FAILED)
		return -errno;
	if (fd < 0)
		return 0;
	madvise(at, bytes, MADV_DONTDUMP);
	return sigbus_guard(at, bytes, true);
}

/* Also if mapping failed: then nothing is guarded. */
static void unguard(const char *at)
{
	sigbus_unguard(at + CONTROL);
	sigbus_unguard(at + TABLE);
}

int fast_map(const struct layout *layout, struct tally_ledger **ledger)
{
	const struct layout_plan *plan = layout->plan;
	uint64_t table = LAYOUT_SKIP +
			 plan->generations.count * plan->generations.stride;
	uint64_t bytes = 2 * ALIGN + TABLE + table;
	char *from = mmap(NULL, bytes, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at;
	int err;

	if (from == MAP_FAILED)
		return -errno;
	at = from + (-(uintptr_t)from & (ALIGN - 1)) + place(layout) * STEP;
	err = map_at(at, LAYOUT_SKIP + sizeof(**ledger), -1, 0);
	if (!err)
		err = map_at(at + CONTROL,
			     LAYOUT_SKIP + sizeof(struct layout_control),
			     layout->file->fd,
			     plan->control_offset - LAYOUT_SKIP);
	if (!err)
		err = map_at(at + TABLE, table, layout->file->fd,
			     plan->generations.offset - LAYOUT_SKIP);
	if (err) {
		unguard(at);
		munmap(from, bytes);
		return err;
	}
	*ledger = (struct tally_ledger *)(at + LAYOUT_SKIP);
	(*ledger)->mapped = from;
	(*ledger)->mapped_bytes = bytes;
	return 0;
}

void fast_unmap(struct tally_ledger *l)
{
	unguard((char *)l - LAYOUT_SKIP);
	munmap(l->mapped, l->mapped_bytes);
}
