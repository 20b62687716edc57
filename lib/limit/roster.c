// SPDX-License-Identifier: MIT
#include "config.h"

#include <string.h>

#include "file/reserved.h"
#include "limit/lock.h"
#include "limit/roster.h"

/* Entries that a copy in the lists is given at once. */
#define ROOM 512u

/* A kill at any point leaves these stores in their order. */
#define put(word, value) __atomic_store_n(word, value, __ATOMIC_RELEASE)

/* The last edit that the copy of this edit has. */
static uint64_t *copy_edit(struct layout_roster *r, uint64_t edit)
{
	return &r->copy_edit[edit % LAYOUT_NR_COPIES];
}

static int populate_roster(struct tally_ledger *l, uint32_t node)
{
	const struct layout_plan *plan = l->layout->plan;
	int err = layout_populate(l->layout, &l->limit_tables,
				  plan->rosters.offset -
					  plan->reservations.offset +
					  node * plan->rosters.stride,
				  plan->rosters.stride);

	if (!err)
		__atomic_store_n(layout_roster_byte(l->layout, node), 1,
				 __ATOMIC_RELEASE);
	return err;
}

static int populate_lists(struct tally_ledger *l, uint32_t node, uint64_t exist)
{
	const struct layout_plan *plan = l->layout->plan;
	uint64_t left = l->layout->header.params.max_accounts - exist;
	uint64_t nr = left < ROOM ? left : ROOM;
	int err = 0;

	for (uint32_t i = 0; !err && i < LAYOUT_NR_COPIES; i++)
		err = layout_populate(l->layout, &l->limit_tables,
				      layout_list_offset(l->layout, node, i) -
					      plan->reservations.offset +
					      exist * sizeof(uint64_t),
				      nr * sizeof(uint64_t));
	if (!err)
		put(&layout_roster(l->layout, node)->exist, exist + nr);
	return err;
}

int limit_roster_room(struct tally_ledger *l, uint32_t node, uint64_t len)
{
	struct layout_roster *r = layout_roster(l->layout, node);
	uint64_t max = l->layout->header.params.max_accounts;
	int err = 0;

	if (!__atomic_load_n(layout_roster_byte(l->layout, node),
			     __ATOMIC_ACQUIRE))
		err = populate_roster(l, node);
	if (!err && len <= LAYOUT_SHORT_ROSTER &&
	    !(layout_copy_len(r, limit_get(&r->current)) & 1))
		return 0;
	if (len > max)
		len = max;
	while (!err && limit_get(&r->exist) < len)
		err = populate_lists(l, node, limit_get(&r->exist));
	return err;
}

uint64_t limit_roster_len(const struct layout *l, uint32_t node)
{
	uint64_t nr;

	if (!__atomic_load_n(layout_roster_byte(l, node), __ATOMIC_ACQUIRE))
		return 0;
	reserved_roster(l, node, limit_get(&layout_roster(l, node)->current),
			&nr);
	return nr;
}

/* Entries that a copy has room for. */
static uint64_t room_of(const struct layout *l, uint32_t node, bool in_lists)
{
	uint64_t exist = limit_get(&layout_roster(l, node)->exist);
	uint64_t max = l->header.params.max_accounts;

	return !in_lists ? LAYOUT_SHORT_ROSTER : exist < max ? exist : max;
}

static uint64_t *entries_of(struct layout *l, uint32_t node, uint64_t edit,
			    bool in_lists)
{
	uint32_t copy = edit % LAYOUT_NR_COPIES;

	return in_lists ? (uint64_t *)(l->origin +
				       layout_list_offset(l, node, copy))
			: layout_roster(l, node)->entries[copy];
}

/* Find the edits that lead from one to a later one, the last one first. Return
 * their number; 0: the log does not have all. */
static unsigned int find_edits(const struct layout_roster *r, uint64_t from,
			       uint64_t to,
			       const struct layout_edit *edits[LAYOUT_NR_EDITS])
{
	for (unsigned int nr = 0; nr < LAYOUT_NR_EDITS; nr++) {
		const struct layout_edit *e = &r->edits[to % LAYOUT_NR_EDITS];

		if (limit_get(&e->number) != to)
			break;
		edits[nr] = e;
		to = limit_get(&e->before);
		if (to == from)
			return nr + 1;
	}
	return 0;
}

/* Let the copy have the edits that it lacks, if the log has them. A kill leaves
 * a copy that can take all of them once more. */
static bool catch_up(const struct layout_roster *r, uint64_t has,
		     uint64_t *entries, uint64_t max)
{
	const struct layout_edit *edits[LAYOUT_NR_EDITS];
	unsigned int nr = find_edits(r, has, limit_get(&r->current), edits);
	unsigned int left = nr;

	while (left--)
		if (limit_get(&edits[left]->entry) < max)
			put(&entries[limit_get(&edits[left]->entry)],
			    limit_get(&edits[left]->account));
	return nr != 0;
}

static void copy_all(const struct layout *l, uint32_t node, uint64_t *to,
		     uint64_t max)
{
	uint64_t current = limit_get(&layout_roster(l, node)->current), nr;
	const uint64_t *from = reserved_roster(l, node, current, &nr);

	for (uint64_t i = 0; i < nr && i < max; i++)
		put(&to[i], limit_get(&from[i]));
}

static void log_edit(struct layout_roster *r, uint64_t number, uint64_t entry,
		     uint64_t account)
{
	struct layout_edit *e = &r->edits[number % LAYOUT_NR_EDITS];

	put(&e->number, 0);
	put(&e->before, limit_get(&r->current));
	put(&e->entry, entry);
	put(&e->account, account);
	put(&e->number, number);
}

/* Begin an edit, which spoils a copy. Return its number. */
static uint64_t begin(struct layout_roster *r)
{
	uint64_t current = limit_get(&r->current);
	uint64_t number = limit_get(&r->begun) + 1;

	/* Numbers of edits that were undone may lead to the current copy. */
	if (number % LAYOUT_NR_COPIES == current % LAYOUT_NR_COPIES)
		number++;
	put(&r->begun, number);
	put(&r->copy_begun[number % LAYOUT_NR_COPIES], number);
	/* A reader of anything that follows finds this. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return number;
}

/* Set an entry and the length: in the next copy, which then is current. */
static void edit(struct layout *l, uint32_t node, uint64_t entry,
		 uint64_t account, uint64_t len)
{
	struct layout_roster *r = layout_roster(l, node);
	bool in_lists = len > LAYOUT_SHORT_ROSTER ||
			layout_copy_len(r, limit_get(&r->current)) & 1;
	uint64_t max = room_of(l, node, in_lists);
	uint64_t number = begin(r);
	uint64_t *has = copy_edit(r, number);
	uint64_t *entries = entries_of(l, node, number, in_lists);
	bool stays = (layout_copy_len(r, number) & 1) == in_lists;

	if (!stays || !catch_up(r, limit_get(has), entries, max)) {
		put(has, UINT64_MAX);
		copy_all(l, node, entries, max);
	}
	put(has, UINT64_MAX);
	if (entry < max)
		put(&entries[entry], account);
	put(&r->copy_len[number % LAYOUT_NR_COPIES],
	    (uint32_t)len << 1 | in_lists);
	put(has, number);
	log_edit(r, number, entry, account);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	limit_set(l, &r->current, number);
}

uint64_t limit_roster_entry(const struct layout *l, uint32_t row)
{
	const struct tally_account account = {
		.row = row,
		.generation = (uint32_t)limit_get(
			&layout_reservation(l, row)->account),
	};
	uint64_t entry;

	memcpy(&entry, &account, sizeof(entry));
	return entry;
}

static void note_place(const struct layout *l, uint32_t node, uint64_t entry,
		       const struct layout_holding *h)
{
	uint64_t offset = (uint64_t)((const char *)h - l->origin);
	uint64_t place =
		(offset - l->plan->holdings.offset) / l->plan->holdings.stride +
		1;

	if (entry < LAYOUT_SHORT_ROSTER)
		__atomic_store_n(&layout_roster(l, node)->places[entry],
				 place <= UINT32_MAX ? (uint32_t)place : 0,
				 __ATOMIC_RELAXED);
}

/* Where the entry's holding most likely is, or NULL. */
static struct layout_holding *noted(const struct layout *l, uint32_t node,
				    uint64_t entry)
{
	uint64_t place =
		entry < LAYOUT_SHORT_ROSTER
			? __atomic_load_n(
				  &layout_roster(l, node)->places[entry],
				  __ATOMIC_RELAXED)
			: 0;

	return place && place <= reserved_nr_holdings(l)
		       ? layout_holding(l, place - 1)
		       : NULL;
}

const struct layout_holding *limit_roster_last(const struct layout *l,
					       uint32_t node)
{
	const struct layout_roster *r = layout_roster(l, node);
	uint64_t len = layout_copy_len(r, limit_get(&r->current)) >> 1;

	return len ? noted(l, node, len - 1) : NULL;
}

void limit_roster_add(struct layout *l, struct layout_holding *h)
{
	uint32_t node = reserved_node(l, h);
	uint64_t len = limit_roster_len(l, node);

	note_place(l, node, len, h);
	edit(l, node, len, limit_roster_entry(l, reserved_row(l, h)), len + 1);
	limit_set(l, &h->entry, len + 1);
}

/* The holding that the account of an entry has on the node. */
static struct layout_holding *holding_of(const struct layout *l, uint32_t node,
					 uint64_t entry,
					 struct tally_account account)
{
	struct layout_holding *h = noted(l, node, entry);

	if (h && limit_get(&h->row) == account.row + UINT64_C(1) &&
	    limit_get(&h->node) == node)
		return h;
	return account.row < l->header.params.max_accounts &&
			       *layout_populated(l, account.row)
		       ? reserved_holding(l, account.row, node)
		       : NULL;
}

/* The account of the last entry, of these, moves to another one. */
static void move(struct layout *l, uint32_t node, const uint64_t *entries,
		 uint64_t last, uint64_t entry)
{
	uint64_t word = limit_get(&entries[last]);
	struct tally_account account;
	struct layout_holding *h;

	memcpy(&account, &word, sizeof(account));
	h = holding_of(l, node, last, account);
	if (!h)
		return;
	limit_set(l, &h->entry, entry + 1);
	note_place(l, node, entry, h);
}

void limit_roster_remove(struct layout *l, struct layout_holding *h)
{
	uint32_t node = reserved_node(l, h);
	uint64_t current = limit_get(&layout_roster(l, node)->current), len;
	const uint64_t *entries = reserved_roster(l, node, current, &len);
	uint64_t entry = limit_get(&h->entry) - 1;

	limit_set(l, &h->entry, 0);
	if (entry >= len)
		return;
	if (entry != len - 1)
		move(l, node, entries, len - 1, entry);
	edit(l, node, entry, limit_get(&entries[len - 1]), len - 1);
}

void limit_roster_make(struct layout *l, uint32_t node, const uint64_t *entries,
		       uint64_t nr)
{
	struct layout_roster *r = layout_roster(l, node);
	bool in_lists = nr > LAYOUT_SHORT_ROSTER;
	uint64_t number = begin(r);
	uint64_t *to = entries_of(l, node, number, in_lists);

	for (uint32_t i = 0; i < LAYOUT_NR_COPIES; i++)
		put(&r->copy_edit[i], UINT64_MAX);
	/* More holdings than accounts are damage, too. */
	if (nr > room_of(l, node, in_lists))
		nr = room_of(l, node, in_lists);
	for (uint64_t i = 0; i < nr; i++)
		put(&to[i], entries[i]);
	put(&r->copy_len[number % LAYOUT_NR_COPIES],
	    (uint32_t)nr << 1 | in_lists);
	put(copy_edit(r, number), number);
	put(&r->current, number);
}
