// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "directory.h"
#include "doubt.h"
#include "mark.h"
#include "writer.h"

static struct layout_doubt *doubt_at(const struct layout *layout,
				     uint64_t number)
{
	const struct layout_table *table = &layout->plan->doubts;

	return (struct layout_doubt *)(layout->origin + table->offset +
				       (number - 1) % LAYOUT_NR_DOUBTS *
					       table->stride);
}

bool doubt_is_dead(const struct layout *layout, uint32_t thread)
{
	uint64_t owner = __atomic_load_n(&mark_slot(layout, thread)->owner,
					 __ATOMIC_ACQUIRE);

	return owner && writer_is_gone(layout, (uint32_t)owner - 1,
				       (uint32_t)(owner >> 32));
}

/* A marked row is not freed, so that the account is there or has just gone. */
static void fill_row(const struct layout *l, struct layout_doubt *doubt,
		     uint32_t i, uint32_t row)
{
	const uint32_t *generations =
		(const uint32_t *)(l->origin + l->plan->generations.offset);
	uint32_t generation = 0;

	if (row < directory_at(l)->nr_rows)
		generation =
			__atomic_load_n(&generations[row], __ATOMIC_RELAXED);
	doubt->row[i] = row;
	doubt->generation[i] = generation ? (generation - 1) | 1 : 0;
}

static void fill(const struct layout *l, struct layout_doubt *doubt,
		 uint64_t number, const struct layout_mark *mark, uint64_t word,
		 uint32_t pid)
{
	uint32_t nr_more = mark->nr_more;

	__atomic_store_n(&doubt->number, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	doubt->epoch = word >> LAYOUT_MARK_SHIFT;
	doubt->pid = pid;
	doubt->nr_rows = 1 + nr_more;
	fill_row(l, doubt, 0, layout_mark_row(word));
	for (uint32_t i = 1; i < LAYOUT_DOUBT_ROWS && i <= nr_more; i++)
		fill_row(l, doubt, i, mark->more[i - 1]);
	__atomic_store_n(&doubt->number, number, __ATOMIC_RELEASE);
}

/* The mark keeps its number until it is cleared, so that being noted twice is
 * being noted once. */
static void note(struct layout *layout, struct layout_mark *mark, uint32_t pid)
{
	uint64_t *nr = &layout_control(layout)->nr_doubts;
	uint64_t word = __atomic_load_n(&mark->word, __ATOMIC_ACQUIRE);
	uint64_t number = __atomic_load_n(&mark->doubt, __ATOMIC_RELAXED);

	if (word) {
		if (!number) {
			number = *nr + 1;
			__atomic_store_n(&mark->doubt, number,
					 __ATOMIC_RELEASE);
		}
		fill(layout, doubt_at(layout, number), number, mark, word, pid);
		if (*nr < number)
			__atomic_store_n(nr, number, __ATOMIC_RELEASE);
		__atomic_store_n(&mark->word, 0, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&mark->nr_more, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&mark->doubt, 0, __ATOMIC_RELEASE);
}

void doubt_reap(struct layout *layout, uint32_t thread)
{
	struct layout_thread *slot = mark_slot(layout, thread);

	for (uint32_t n = 0; n < layout->header.params.nr_nodes; n++)
		if (layout->nodes[n].nr_lanes)
			note(layout, layout_mark(layout, n, thread), slot->pid);
	__atomic_store_n(&slot->owner, 0, __ATOMIC_RELEASE);
}

static bool is_marked(const struct layout *layout, uint32_t thread)
{
	for (uint32_t n = 0; n < layout->header.params.nr_nodes; n++)
		if (layout->nodes[n].nr_lanes &&
		    __atomic_load_n(&layout_mark(layout, n, thread)->word,
				    __ATOMIC_RELAXED))
			return true;
	return false;
}

void doubt_reap_all(struct layout *layout, bool marked)
{
	uint32_t end = mark_nr_threads(layout);

	for (uint32_t t = 0; t < end; t++)
		if ((!marked || is_marked(layout, t)) &&
		    doubt_is_dead(layout, t))
			doubt_reap(layout, t);
}

uint64_t doubt_count(const struct layout *layout)
{
	return __atomic_load_n(&layout_control(layout)->nr_doubts,
			       __ATOMIC_ACQUIRE);
}

/* The last one that is counted is in the table before; who counts on takes its
 * place only much later. */
static bool count_stands(const struct layout *layout)
{
	uint64_t nr = doubt_count(layout);

	return !nr ||
	       __atomic_load_n(&doubt_at(layout, nr)->number,
			       __ATOMIC_ACQUIRE) == nr ||
	       doubt_count(layout) != nr;
}

static bool rows_exist(const struct layout *layout,
		       const struct layout_doubt *doubt)
{
	for (uint32_t i = 0; i < doubt->nr_rows && i < LAYOUT_DOUBT_ROWS; i++)
		if (doubt->row[i] >= layout->header.params.max_accounts)
			return false;
	return true;
}

int doubt_read(const struct layout *layout, uint64_t index,
	       struct layout_doubt *doubt)
{
	const struct layout_doubt *from = doubt_at(layout, index + 1);
	struct layout_doubt d;

	if (!count_stands(layout))
		return -EBADMSG;
	if (__atomic_load_n(&from->number, __ATOMIC_ACQUIRE) != index + 1)
		return -ENOENT;
	d = *from;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&from->number, __ATOMIC_RELAXED) != index + 1)
		return -ENOENT;
	if (!rows_exist(layout, &d) || !layout_is_whole(layout))
		return -EBADMSG;
	*doubt = d;
	return 0;
}
