// SPDX-License-Identifier: MIT
/* The updates that are not inlined, and first touch. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include <numatally/region.h>

#include "ledger_internal.h"
#include "mark.h"
#include "marked.h"

/* Of a sequence, before it is done with atomics. */
#define MAX_TRIES 8

/* The rows that are touched without a gap, from the first: what two threads do
 * here at once can only be too few. */
static void move_end(struct tally_ledger *l, uint32_t lane, uint32_t bank)
{
	const struct layout_plan *plan = l->layout->plan;
	const unsigned char *touched = l->banks[bank]->touched[lane];
	uint64_t *end = &l->banks[bank]->end[lane];
	uint64_t from = __atomic_load_n(end, __ATOMIC_RELAXED);
	uint64_t b = from / plan->bucket_bytes;

	while (b < plan->nr_buckets &&
	       __atomic_load_n(&touched[b], __ATOMIC_ACQUIRE))
		b++;
	if (b * plan->bucket_bytes > from)
		__atomic_store_n(end, b * plan->bucket_bytes, __ATOMIC_RELEASE);
}

/*
 * Pages exist before a header says so: whoever trusts a len never meets a
 * hole, which on a full file system would raise SIGBUS. All of it may be done
 * by several at once, or begun by one that died: each step does nothing where
 * it was done.
 */
int ledger_touch(struct tally_ledger *l, uint32_t lane, uint32_t bank,
		 uint32_t plane, uint64_t bucket)
{
	struct layout *layout = l->layout;
	const struct layout_plan *plan = layout->plan;
	const struct layout_lane *at = &layout->lanes[lane];
	const struct tally_region *region = &layout->regions[at->node];
	uint64_t start = layout->nodes[at->node].region_offset;
	struct tally_slice *headers = &layout_record(
		layout, at->node,
		at->slot)[bank * layout->header.params.nr_nodes + plane];
	uint64_t first = layout_headers_offset(layout, lane, bank, plane);
	uint64_t cells = layout_cells_offset(layout, lane, bank, plane, bucket);
	uint64_t from = tally_slice_len(headers);
	struct tally_slice *header =
		(struct tally_slice *)(layout->origin + first) + bucket;
	int err = 0;

	if (from > bucket && tally_slice_len(header))
		goto touched; /* by another process */
	err = tally_region_fault(region, cells - start, plan->bucket_bytes);
	if (!err && from <= bucket)
		err = tally_region_fault(region,
					 first + from * sizeof(*header) - start,
					 (bucket + 1 - from) * sizeof(*header));
	if (!layout_is_whole(layout))
		err = -EBADMSG;
	if (err)
		return err;
	tally_slice_lay(header, cells, LAYOUT_BUCKET_ROWS, LAYOUT_BUCKET_ROWS);
	err = tally_slice_grow(headers, bucket + 1);
	if (err)
		return err;
touched:
	layout_raise(&layout_record_lens(
			     layout, layout_record(layout, at->node, at->slot))
			     [bank * layout->header.params.nr_nodes + plane],
		     bucket + 1);
	/* Who sees the add sees that there is a header to look at. */
	__atomic_fetch_add(&layout_region_head(layout, at->node)->touches, 1,
			   __ATOMIC_RELEASE);
	__atomic_store_n(&ledger_touched(l, lane, bank, plane)[bucket], 1,
			 __ATOMIC_RELEASE);
	if (l->tables && lane < l->nr_cpus && plane == at->node)
		move_end(l, lane, bank);
	return 0;
}

/* Where one update goes: a lane, for as long as its mark is set. */
struct target {
	struct tally_ledger *ledger;
	struct lane *lane;
	struct mark mark;
	uint32_t cpu;
	uint32_t thread;
	uint32_t bank;
};

static int begin(struct tally_ledger *l, struct target *t)
{
	t->ledger = l;
	return mark_thread(l, &t->thread);
}

/* The CPU's lane for sequences or for atomics; marks, and reads the bank. */
static void enter(struct target *t, bool atomics, uint32_t row)
{
	struct tally_ledger *l = t->ledger;
	unsigned int cpu = (unsigned int)sched_getcpu();

	/* Where the CPU is not known any lane for atomics is exact. */
	t->cpu = cpu < l->nr_cpus ? cpu : 0;
	t->lane = &l->lanes[t->cpu + (atomics ? l->nr_cpus : 0)];
	t->mark.at = (struct layout_mark *)(t->lane->marks +
					    (size_t)t->thread * LAYOUT_LINE);
	mark_enter(l, &t->mark, row);
	if (__builtin_expect(!t->mark.ours, 0))
		mark_row(&t->mark, row);
	t->bank = __atomic_load_n(l->epoch, __ATOMIC_ACQUIRE) & 1;
}

static bool is_touched(const struct target *t, uint32_t plane, uint32_t row)
{
	const unsigned char *touched =
		ledger_touched(t->ledger, t->lane->number, t->bank, plane);

	return __atomic_load_n(&touched[row / LAYOUT_BUCKET_ROWS],
			       __ATOMIC_ACQUIRE) != 0;
}

static int touch(const struct target *t, uint32_t plane, uint32_t row)
{
	return ledger_touch(t->ledger, t->lane->number, t->bank, plane,
			    row / LAYOUT_BUCKET_ROWS);
}

static int64_t *cell(const struct target *t, uint32_t plane, uint32_t row,
		     unsigned int resource)
{
	const struct tally_ledger *l = t->ledger;
	int64_t away = (int64_t)plane - (int64_t)t->lane->plane;

	return (int64_t *)(t->lane->rows[t->bank] +
			   away * (int64_t)(l->layout->plan->nr_buckets *
					    l->layout->plan->bucket_bytes) +
			   ((uint64_t)row << l->row_shift)) +
	       resource;
}

/*
 * Adds to one, two or four cells side by side, if this CPU is still the one
 * that the cells are for. false: it is not, or the thread was interrupted.
 */
static bool add_on_cpu(const struct target *t, int64_t *to,
		       const int64_t *amounts, unsigned int nr)
{
#if TALLY_RSEQ_BYTES > 0
	const struct tally_fast *fast = &t->ledger->fast;

	if (nr == 1)
		return tally_rseq_on_cpu(fast, t->cpu, to, amounts);
	if (nr == 2)
		return tally_rseq_on_cpu2(fast, t->cpu, to, amounts);
#endif
#if TALLY_RSEQ_BYTES >= 32
	return tally_rseq_on_cpu4(fast, t->cpu, to, amounts);
#else
	(void)t, (void)to, (void)amounts, (void)nr;
	return false;
#endif
}

/*
 * The same, marked around its sequence, which may touch a bucket or be inside
 * another add. 1: not done, since
 * the thread was interrupted each time, as one is that a debugger steps.
 */
static int add_marked(struct tally_ledger *l, struct tally_account account,
		      unsigned int resource, const int64_t *amounts,
		      unsigned int nr)
{
	struct target t;
	int err = begin(l, &t);

	for (int try = 0; !err && try < MAX_TRIES; try++) {
		bool done = false, touched;

		enter(&t, false, account.row);
		touched = is_touched(&t, t.lane->plane, account.row);
		if (touched)
			done = add_on_cpu(
				&t,
				cell(&t, t.lane->plane, account.row, resource),
				amounts, nr);
		mark_leave(&t.mark);
		if (done)
			return 0;
		if (!touched)
			err = touch(&t, t.lane->plane, account.row);
	}
	return err ? err : 1;
}

static int plane_of(const struct tally_ledger *l, int node, uint32_t *plane)
{
	int index;

	if (node == TALLY_NODE_LOCAL)
		return 0;
	index = layout_node_index(l->layout, node);
	if (index < 0)
		return index;
	*plane = (uint32_t)index;
	return 0;
}

/* The first entry whose bucket is not touched, or nr. */
static unsigned int untouched(const struct target *t,
			      const struct tally_entry *entries,
			      const uint32_t *planes, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!is_touched(t, planes[i], entries[i].account.row))
			return i;
	return nr;
}

static void set_local(const struct target *t, const struct tally_entry *entries,
		      uint32_t *planes, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (entries[i].node == TALLY_NODE_LOCAL)
			planes[i] = t->lane->plane;
}

static void add_atomically(const struct target *t,
			   const struct tally_entry *entries,
			   const uint32_t *planes, unsigned int nr)
{
	for (unsigned int i = 1; i < nr; i++)
		if (entries[i].account.row != entries[i - 1].account.row)
			mark_row(&t->mark, entries[i].account.row);
	for (unsigned int i = 0; i < nr; i++)
		__atomic_fetch_add(cell(t, planes[i], entries[i].account.row,
					entries[i].resource),
				   entries[i].amount, __ATOMIC_RELAXED);
}

int tally_ledger_post(struct tally_ledger *l, const struct tally_entry *entries,
		      unsigned int nr)
{
	uint32_t planes[64];
	struct target t;
	int err = begin(l, &t);

	assert(nr <= 64);
	for (unsigned int i = 0; !err && i < nr; i++) {
		assert(entries[i].resource <
			       l->layout->header.params.nr_resources &&
		       entries[i].account.row <
			       l->layout->header.params.max_accounts);
		err = plane_of(l, entries[i].node, &planes[i]);
	}
	while (nr && !err) {
		unsigned int i;

		enter(&t, true, entries[0].account.row);
		set_local(&t, entries, planes, nr);
		i = untouched(&t, entries, planes, nr);
		if (i == nr)
			add_atomically(&t, entries, planes, nr);
		mark_leave(&t.mark);
		if (i == nr)
			break;
		err = touch(&t, planes[i], entries[i].account.row);
	}
	return err;
}

int tally_ledger_charge(struct tally_ledger *l, struct tally_account account,
			int node, const struct tally_amount *amounts,
			unsigned int nr)
{
	struct tally_entry entries[64];

	assert(nr <= 64);
	for (unsigned int i = 0; i < nr; i++)
		entries[i] = (struct tally_entry){
			.account = account,
			.node = node,
			.resource = amounts[i].resource,
			.amount = amounts[i].amount,
		};
	return tally_ledger_post(l, entries, nr);
}

static int post_side_by_side(struct tally_ledger *l,
			     struct tally_account account,
			     unsigned int resource, const int64_t *amounts,
			     unsigned int nr)
{
	struct tally_entry entries[4];

	for (unsigned int i = 0; i < nr; i++)
		entries[i] = (struct tally_entry){
			.account = account,
			.node = TALLY_NODE_LOCAL,
			.resource = resource + i,
			.amount = amounts[i],
		};
	return tally_ledger_post(l, entries, nr);
}

static int add_side_by_side(struct tally_ledger *l,
			    struct tally_account account, unsigned int resource,
			    const int64_t *amounts, unsigned int nr)
{
	assert(account.row < l->layout->header.params.max_accounts &&
	       resource % nr == 0 &&
	       resource + nr <= l->layout->header.params.nr_resources);
	if (l->sequences && nr * sizeof(*amounts) <= l->fast.vector_bytes) {
		int err = add_marked(l, account, resource, amounts, nr);

		if (err <= 0)
			return err;
	}
	return post_side_by_side(l, account, resource, amounts, nr);
}

/* Touches the bucket for the lane that the thread is on now. */
static int touch_here(struct tally_ledger *l, struct tally_account account)
{
	unsigned int cpu = (unsigned int)sched_getcpu();
	uint32_t bank = __atomic_load_n(&l->fast.lanes, __ATOMIC_RELAXED) ==
			l->banks[1];
	uint64_t bucket = account.row / LAYOUT_BUCKET_ROWS;
	uint32_t plane;

	assert(account.row < l->layout->header.params.max_accounts);
	if (cpu >= l->nr_cpus)
		return 0;
	plane = l->lanes[cpu].plane;
	if (__atomic_load_n(&ledger_touched(l, cpu, bank, plane)[bucket],
			    __ATOMIC_RELAXED))
		return 0;
	return ledger_touch(l, cpu, bank, plane, bucket);
}

/*
 * Where a sequence did not get through: its bucket was not touched, or it was
 * interrupted; or nothing is inlined.
 */
static __attribute__((noinline)) int
add_slowly(struct tally_ledger *l, struct tally_account account,
	   unsigned int resource, const int64_t *amounts, unsigned int nr)
{
	for (int i = 0; l->inlined && i < MAX_TRIES; i++) {
		int err = touch_here(l, account);
		bool done;

		if (err)
			return err;
		if (nr == 1)
			done = tally_ledger_try_add(l, account, resource,
						    *amounts);
		else if (nr == 2)
			done = tally_ledger_try_add2(l, account, resource,
						     amounts);
		else
			done = tally_ledger_try_add4(l, account, resource,
						     amounts);
		if (done)
			return 0;
	}
	return add_side_by_side(l, account, resource, amounts, nr);
}

/* Out of the way, so that the others need no stack. */
static __attribute__((noinline)) int
add_one_slowly(struct tally_ledger *l, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	return add_slowly(l, account, resource, &amount, 1);
}

static __attribute__((noinline)) int
add_one_marked(struct tally_ledger *l, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	uint64_t slot;

	if (mark_known(l, &slot) &&
	    marked_add(l, slot, account, resource, amount))
		return 0;
	return add_one_slowly(l, account, resource, amount);
}

int tally_ledger_add(struct tally_ledger *l, struct tally_account account,
		     unsigned int resource, int64_t amount)
{
	if (l->marked)
		return add_one_marked(l, account, resource, amount);
	if (tally_ledger_try_add(l, account, resource, amount))
		return 0;
	return add_one_slowly(l, account, resource, amount);
}

int tally_ledger_add2(struct tally_ledger *l, struct tally_account account,
		      unsigned int resource, const int64_t amounts[2])
{
	if (l->inlined && tally_ledger_try_add2(l, account, resource, amounts))
		return 0;
	return add_slowly(l, account, resource, amounts, 2);
}

int tally_ledger_add4(struct tally_ledger *l, struct tally_account account,
		      unsigned int resource, const int64_t amounts[4])
{
	if (l->inlined && tally_ledger_try_add4(l, account, resource, amounts))
		return 0;
	return add_slowly(l, account, resource, amounts, 4);
}
