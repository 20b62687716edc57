// SPDX-License-Identifier: MIT
/* Adding by atomics: entries of any accounts, nodes and resources. */
#include "config.h"

#include <assert.h>
#include <errno.h>

#include "add/inflight.h"
#include "add/post.h"

/* Into post() and post_nested(). */
#define POST_INLINE static inline __attribute__((always_inline))

/* An add in flight, and the lane and bank that it goes to. */
struct target {
	struct tally_ledger *ledger;
	struct lane *lane;
	struct inflight inflight;
	uintptr_t frame;
	struct inflight_slot *slot;
	uint64_t epoch_word;
};

/* Set the word in flight, and read the bank. */
POST_INLINE void enter(struct target *t, uint32_t row)
{
	struct tally_ledger *l = t->ledger;
	uint32_t cpu;

	t->lane = post_lane(l, &cpu);
	t->inflight.at = (struct layout_inflight *)(t->lane->inflight +
						    (size_t)t->slot->thread *
							    LAYOUT_LINE);
	if (!t->inflight.nested)
		inflight_clear(t->slot, &t->inflight.at->word);
	inflight_enter(l, &t->inflight, row, t->frame);
	t->epoch_word = ledger_epoch_word(l);
}

/* Outside of an add: the kernel may make pages for long. */
static int touch(const struct target *t, uint32_t lane, uint32_t plane,
		 uint32_t row)
{
	return ledger_touch(t->ledger, lane, ledger_bank(t->epoch_word), plane,
			    row / LAYOUT_BUCKET_ROWS);
}

static int64_t *cell(const struct target *t, uint32_t plane, uint32_t row,
		     unsigned int resource)
{
	const struct tally_ledger *l = t->ledger;
	int64_t away = (int64_t)plane - (int64_t)t->lane->plane;

	return (int64_t *)(t->lane->rows[ledger_bank(t->epoch_word)] +
			   away * (int64_t)(l->layout->plan->nr_buckets *
					    l->layout->plan->bucket_bytes) +
			   ((uint64_t)row << l->row_shift)) +
	       resource;
}

static int plane_of(const struct tally_ledger *l, int node, uint32_t *plane)
{
	int index;

	if (node == TALLY_NODE_LOCAL)
		return l->nr_cpus ? 0 : -EREMOTE;
	index = layout_node_index(l->layout, node);
	if (index < 0)
		return index;
	*plane = (uint32_t)index;
	return *plane < l->layout->header.params.nr_planes ? 0 : -EREMOTE;
}

/* Return 0 if all entries can be added, -ESTALE, or 1 if *at is the first entry
 * whose bucket is not marked. */
POST_INLINE int look(const struct target *t, const struct tally_entry *entries,
		     const uint32_t *planes, unsigned int nr, unsigned int *at)
{
	for (unsigned int i = 0; i < nr; i++)
		if (post_is_stale(t->ledger, entries[i].account))
			return post_stale(t->ledger);
	for (unsigned int i = 0; i < nr; i++) {
		if (!ledger_is_marked(t->ledger, t->epoch_word, t->lane->number,
				      planes[i],
				      entries[i].account.row /
					      LAYOUT_BUCKET_ROWS)) {
			*at = i;
			return 1;
		}
	}
	return 0;
}

POST_INLINE void set_local(const struct target *t,
			   const struct tally_entry *entries, uint32_t *planes,
			   unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (entries[i].node == TALLY_NODE_LOCAL)
			planes[i] = t->lane->plane;
}

POST_INLINE void add_atomically(const struct target *t,
				const struct tally_entry *entries,
				const uint32_t *planes, unsigned int nr)
{
	for (unsigned int i = 1; i < nr; i++)
		if (entries[i].account.row != entries[i - 1].account.row)
			inflight_row(&t->inflight, entries[i].account.row);
	for (unsigned int i = 0; i < nr; i++)
		__atomic_fetch_add(cell(t, planes[i], entries[i].account.row,
					entries[i].resource),
				   entries[i].amount, __ATOMIC_RELAXED);
}

POST_INLINE int post_in(struct tally_ledger *l,
			const struct tally_entry *entries, unsigned int nr,
			uintptr_t frame, bool nested)
{
	uint32_t planes[64];
	struct target t;
	int err = inflight_slot(l, &t.slot);

	t.ledger = l;
	t.frame = frame;
	t.inflight.nested = nested;
	for (unsigned int i = 0; !err && i < nr; i++) {
		if (entries[i].account.row >=
		    l->layout->header.params.max_accounts)
			return post_stale(l);
		err = plane_of(l, entries[i].node, &planes[i]);
	}
	if (!nr || err)
		return err;
	do {
		unsigned int at = 0;

		enter(&t, entries[0].account.row);
		set_local(&t, entries, planes, nr);
		do
			err = look(&t, entries, planes, nr, &at);
		while (__builtin_expect(err > 0, 0) &&
		       ledger_mark(l, t.epoch_word, t.lane->number, planes[at],
				   entries[at].account.row /
					   LAYOUT_BUCKET_ROWS));
		if (!err)
			add_atomically(&t, entries, planes, nr);
		inflight_leave(&t.inflight);
		if (err <= 0)
			return err;
		err = touch(&t, t.lane->number, planes[at],
			    entries[at].account.row);
	} while (!err);
	return err;
}

static __attribute__((noinline)) int
post_nested(struct tally_ledger *l, const struct tally_entry *entries,
	    unsigned int nr, uintptr_t frame)
{
	return post_in(l, entries, nr, frame, true);
}

static int post(struct tally_ledger *l, const struct tally_entry *entries,
		unsigned int nr, uintptr_t frame)
{
	inflight_look(frame);
	if (__builtin_expect(inflight_frame != 0, 0))
		return post_nested(l, entries, nr, frame);
	return post_in(l, entries, nr, frame, false);
}

/* In flight is no row, so that a kill leaves nothing in doubt. */
POST_INLINE int prepare_in(struct tally_ledger *l, uint32_t lane, uint32_t row,
			   uintptr_t frame, bool nested)
{
	uint32_t none = l->layout->header.params.max_accounts;
	uint32_t plane = l->layout->lanes[lane].node;
	struct target t;
	int err = inflight_slot(l, &t.slot);

	t.ledger = l;
	t.frame = frame;
	t.inflight.nested = nested;
	while (!err) {
		bool marked;

		enter(&t, none < LAYOUT_MAX_ACCOUNTS ? none : row);
		marked = ledger_mark(l, t.epoch_word, lane, plane,
				     row / LAYOUT_BUCKET_ROWS);
		inflight_leave(&t.inflight);
		if (marked)
			break;
		err = touch(&t, lane, plane, row);
	}
	return err;
}

int post_prepare(struct tally_ledger *l, uint32_t cpu, uint32_t row,
		 uintptr_t frame)
{
	return __builtin_expect(inflight_frame != 0, 0)
		       ? prepare_in(l, cpu, row, frame, true)
		       : prepare_in(l, cpu, row, frame, false);
}

/* Again, if a resource was declared since this process last looked, or another
 * thread has looked meanwhile. */
static __attribute__((noinline, cold)) int
post_unknown(struct tally_ledger *l, const struct tally_entry *entries,
	     unsigned int nr, const struct tally_entry *unknown)
{
	return ledger_learn(l, unknown->resource) ||
			       ledger_may_add(l, unknown->resource,
					      unknown->amount)
		       ? tally_ledger_post(l, entries, nr)
		       : -EINVAL;
}

int tally_ledger_post(struct tally_ledger *l, const struct tally_entry *entries,
		      unsigned int nr)
{
	assert(nr <= 64);
	for (unsigned int i = 0; i < nr; i++)
		if (!ledger_may_add(l, entries[i].resource, entries[i].amount))
			return post_unknown(l, entries, nr, &entries[i]);
	return post(l, entries, nr, INFLIGHT_FRAME);
}

static inline __attribute__((always_inline)) int
post_of(struct tally_ledger *l, struct tally_account account, int node,
	const struct tally_amount *amounts, unsigned int nr, bool check)
{
	struct tally_entry entries[64];

	assert(nr <= 64);
	for (unsigned int i = 0; i < nr; i++) {
		if (check &&
		    !ledger_may_add(l, amounts[i].resource, amounts[i].amount))
			return -EINVAL;
		entries[i] = (struct tally_entry){
			.account = account,
			.node = node,
			.resource = amounts[i].resource,
			.amount = amounts[i].amount,
		};
	}
	return post(l, entries, nr, INFLIGHT_FRAME);
}

int post_amounts(struct tally_ledger *l, struct tally_account account, int node,
		 const struct tally_amount *amounts, unsigned int nr)
{
	return post_of(l, account, node, amounts, nr, false);
}

/* The same, of a charge. */
static __attribute__((noinline, cold)) int
charge_unknown(struct tally_ledger *l, struct tally_account account, int node,
	       const struct tally_amount *amounts, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		ledger_learn(l, amounts[i].resource);
		if (!ledger_may_add(l, amounts[i].resource, amounts[i].amount))
			return -EINVAL;
	}
	return post_amounts(l, account, node, amounts, nr);
}

int post_charge(struct tally_ledger *l, struct tally_account account, int node,
		const struct tally_amount *amounts, unsigned int nr)
{
	int err = post_of(l, account, node, amounts, nr, true);

	if (__builtin_expect(err == -EINVAL, 0))
		err = charge_unknown(l, account, node, amounts, nr);
	return err;
}

/* Return false if it was not added, and has to be called for. */
static inline __attribute__((always_inline)) bool
add_quickly(struct tally_ledger *l, const struct tally_entry *e)
{
	return e->node == TALLY_NODE_LOCAL &&
	       ledger_may_add(l, e->resource, e->amount) &&
	       tally_ledger_add_fast(l, e->account, e->resource, e->amount);
}

int tally_ledger_add_each(struct tally_ledger *l,
			  const struct tally_entry *entries, size_t nr,
			  size_t *nr_added)
{
	int err = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct tally_entry *e = &entries[i];

		if (__builtin_expect(add_quickly(l, e), 1))
			continue;
		err = tally_ledger_charge(
			l, e->account, e->node,
			&(struct tally_amount){e->resource, e->amount}, 1);
		if (err)
			break;
	}
	*nr_added = i;
	return err;
}
