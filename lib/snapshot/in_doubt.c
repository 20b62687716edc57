// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>

#include "account/directory.h"
#include "snapshot/in_doubt.h"
#include "file/writer.h"

static struct layout_in_doubt *in_doubt_at(const struct layout *layout,
					   uint64_t number)
{
	const struct layout_table *table = &layout->plan->in_doubt;

	return (struct layout_in_doubt *)(layout->origin + table->offset +
					  (number - 1) % LAYOUT_NR_IN_DOUBT *
						  table->stride);
}

bool in_doubt_is_dead(const struct layout *layout, uint32_t thread)
{
	uint64_t owner = __atomic_load_n(&layout_thread(layout, thread)->owner,
					 __ATOMIC_ACQUIRE);

	return owner == LAYOUT_THREAD_LEFT ||
	       (owner && writer_is_gone(layout, owner));
}

/* A row in flight is not freed: its account exists, or has just gone. */
static void fill_row(const struct layout *l, struct layout_in_doubt *doubt,
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

/* While a thread marks a bucket, it adds to no row yet. */
static bool names_row(const struct layout *l, uint64_t word)
{
	return layout_inflight_row(word) < l->header.params.max_accounts;
}

static void fill(const struct layout *l, struct layout_in_doubt *doubt,
		 uint64_t number, const struct layout_inflight *inflight,
		 uint64_t word, uint32_t pid)
{
	uint32_t nr_more = inflight->nr_more, nr = 0;

	__atomic_store_n(&doubt->number, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	doubt->epoch = word >> LAYOUT_INFLIGHT_SHIFT;
	doubt->pid = pid;
	if (names_row(l, word))
		fill_row(l, doubt, nr++, layout_inflight_row(word));
	doubt->nr_rows = nr + nr_more;
	for (uint32_t i = 0; nr < LAYOUT_IN_DOUBT_ROWS && i < nr_more; i++)
		fill_row(l, doubt, nr++, inflight->more[i]);
	__atomic_store_n(&doubt->number, number, __ATOMIC_RELEASE);
}

/* The word keeps its number until it is cleared, so that noting it twice makes
 * one entry. */
static void note(struct layout *layout, struct layout_inflight *inflight,
		 uint32_t pid)
{
	uint64_t *nr = &layout_control(layout)->nr_in_doubt;
	uint64_t word = __atomic_load_n(&inflight->word, __ATOMIC_ACQUIRE);
	uint64_t number = __atomic_load_n(&inflight->doubt, __ATOMIC_RELAXED);

	if (word && !names_row(layout, word) && !inflight->nr_more) {
		__atomic_store_n(&inflight->word, 0, __ATOMIC_RELEASE);
	} else if (word) {
		if (!number) {
			number = *nr + 1;
			__atomic_store_n(&inflight->doubt, number,
					 __ATOMIC_RELEASE);
		}
		fill(layout, in_doubt_at(layout, number), number, inflight,
		     word, pid);
		if (*nr < number)
			__atomic_store_n(nr, number, __ATOMIC_RELEASE);
		__atomic_store_n(&inflight->word, 0, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&inflight->nr_more, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&inflight->doubt, 0, __ATOMIC_RELEASE);
}

void in_doubt_reap(struct layout *layout, uint32_t thread)
{
	struct layout_thread *slot = layout_thread(layout, thread);

	for (uint32_t n = 0; n < layout->header.params.nr_planes; n++)
		if (layout->places[n].nr_lanes)
			note(layout, layout_inflight(layout, n, thread),
			     slot->pid);
	__atomic_store_n(&slot->owner, 0, __ATOMIC_RELEASE);
}

bool in_doubt_is_inflight(const struct layout *layout, uint32_t thread)
{
	for (uint32_t n = 0; n < layout->header.params.nr_planes; n++)
		if (layout->places[n].nr_lanes &&
		    __atomic_load_n(&layout_inflight(layout, n, thread)->word,
				    __ATOMIC_RELAXED))
			return true;
	return false;
}

void in_doubt_reap_all(struct layout *layout, bool inflight)
{
	uint32_t end = layout_nr_threads(layout);

	for (uint32_t t = 0; t < end; t++)
		if ((!inflight || in_doubt_is_inflight(layout, t)) &&
		    in_doubt_is_dead(layout, t))
			in_doubt_reap(layout, t);
}

uint64_t in_doubt_count(const struct layout *layout)
{
	return __atomic_load_n(&layout_control(layout)->nr_in_doubt,
			       __ATOMIC_ACQUIRE);
}

/* An entry is stored before it is counted, and replaced only much later. */
static bool count_stands(const struct layout *layout)
{
	uint64_t nr = in_doubt_count(layout);

	return !nr ||
	       __atomic_load_n(&in_doubt_at(layout, nr)->number,
			       __ATOMIC_ACQUIRE) == nr ||
	       in_doubt_count(layout) != nr;
}

static bool rows_exist(const struct layout *layout,
		       const struct layout_in_doubt *doubt)
{
	for (uint32_t i = 0; i < doubt->nr_rows && i < LAYOUT_IN_DOUBT_ROWS;
	     i++)
		if (doubt->row[i] >= layout->header.params.max_accounts)
			return false;
	return true;
}

int in_doubt_read(const struct layout *layout, uint64_t index,
		  struct layout_in_doubt *doubt)
{
	const struct layout_in_doubt *from = in_doubt_at(layout, index + 1);
	struct layout_in_doubt d;

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
