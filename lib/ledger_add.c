// SPDX-License-Identifier: MIT
/* The updates that are not inlined. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "cpu.h"
#include "ledger_internal.h"
#include "mark.h"

/* Of a sequence, before it is done with atomics. */
#define MAX_TRIES 8

/* Where one update goes: a lane, for as long as its mark is set. */
struct target {
	struct tally_ledger *ledger;
	struct lane *lane;
	struct mark mark;
	uint32_t thread;
	uint32_t bank;
};

static int begin(struct tally_ledger *l, struct target *t)
{
	t->ledger = l;
	return mark_thread(l, &t->thread);
}

/* The CPU's lane for atomics; where the CPU is not known any of these is
 * exact. */
static struct lane *lane_here(const struct tally_ledger *l, uint32_t *cpu)
{
	*cpu = cpu_now(l->rdpid);
	return &l->lanes[l->nr_cpus + (*cpu < l->nr_cpus ? *cpu : 0)];
}

/* Marks, and reads the bank. */
static void enter(struct target *t, uint32_t row)
{
	struct tally_ledger *l = t->ledger;
	uint32_t cpu;

	t->lane = lane_here(l, &cpu);
	t->mark.at = (struct layout_mark *)(t->lane->marks +
					    (size_t)t->thread * LAYOUT_LINE);
	mark_enter(l, &t->mark, row);
	if (__builtin_expect(!t->mark.ours, 0))
		mark_row(&t->mark, row);
	t->bank = ledger_bank(ledger_tag(l));
}

/* Whoever ends an account waits, after this says so, for marks and sequences
 * that are under way. */
static bool is_stale(const struct tally_ledger *l, struct tally_account account)
{
	return ledger_generation(l, account.row) != account.generation;
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

/* In a file that was cut short every handle is. */
static int stale(const struct tally_ledger *l)
{
	return layout_is_whole(l->layout) ? -ESTALE : -EBADMSG;
}

/* Whether all of it can be added: 0, -ESTALE, or 1 where entry *at is the first
 * whose bucket is not touched. */
static int look(const struct target *t, const struct tally_entry *entries,
		const uint32_t *planes, unsigned int nr, unsigned int *at)
{
	for (unsigned int i = 0; i < nr; i++)
		if (is_stale(t->ledger, entries[i].account))
			return stale(t->ledger);
	for (unsigned int i = 0; i < nr; i++) {
		if (!is_touched(t, planes[i], entries[i].account.row)) {
			*at = i;
			return 1;
		}
	}
	return 0;
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
	if (!nr || err)
		return err;
	do {
		unsigned int at;

		enter(&t, entries[0].account.row);
		set_local(&t, entries, planes, nr);
		err = look(&t, entries, planes, nr, &at);
		if (!err)
			add_atomically(&t, entries, planes, nr);
		mark_leave(&t.mark);
		if (err <= 0)
			return err;
		err = touch(&t, planes[at], entries[at].account.row);
	} while (!err);
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

/* The key of what a thread knows of a lane for atomics. */
static uint64_t atomics_key(const struct tally_ledger *l, uint32_t cpu)
{
	return l->serial << LEDGER_CPU_BITS | LEDGER_ATOMICS | cpu;
}

static void learn_atomics(struct tally_ledger *l)
{
	uint64_t tag = ledger_tag(l);
	uint32_t bank = ledger_bank(tag), cpu, thread;
	const struct lane *lane = lane_here(l, &cpu);

	if (mark_depth || cpu >= LEDGER_ATOMICS || mark_thread(l, &thread))
		return;
	mark_forget();
	mark_known = (struct tally_known){
		.tag = tag,
		.mark = &((struct layout_mark *)lane->marks)[thread].word,
		.rows = lane->rows[bank],
		.touched = ledger_touched(l, lane->number, bank, lane->plane),
	};
	mark_recall(atomics_key(l, cpu));
}

static inline __attribute__((always_inline)) bool
can_add(const struct tally_ledger *l, struct tally_account account)
{
	return ledger_tag(l) == mark_known.tag && !is_stale(l, account) &&
	       __atomic_load_n(
		       &mark_known.touched[account.row / LAYOUT_BUCKET_ROWS],
		       __ATOMIC_ACQUIRE);
}

/*
 * tally_ledger_post() of one amount, with little to load: what comes before the
 * locked addition is not done while the one before it still is.
 */
static inline __attribute__((always_inline)) bool
add_known(struct tally_ledger *l, uint32_t cpu, struct tally_account account,
	  unsigned int resource, int64_t amount)
{
	uint64_t offset = tally_fast_offset(&l->fast, account, resource);
	uint64_t key = mark_forget();
	bool done = false;

	if (key == atomics_key(l, cpu)) {
		mark_set(l, mark_known.mark,
			 layout_mark_word(mark_known.tag, account.row));
		done = can_add(l, account);
		if (done)
			__atomic_fetch_add(
				(int64_t *)(mark_known.rows + offset), amount,
				__ATOMIC_RELAXED);
		__atomic_store_n(mark_known.mark, 0, __ATOMIC_RELEASE);
	}
	mark_recall(key);
	return done;
}

/*
 * Has sequences get through here: the bucket is touched, for the lane that the
 * thread is on now, and the thread knows that lane.
 */
static int make_ready(struct tally_ledger *l, struct tally_account account)
{
	uint32_t cpu = (uint32_t)sched_getcpu();
	uint64_t tag = ledger_tag(l);
	uint32_t bank = ledger_bank(tag);
	uint64_t bucket = account.row / LAYOUT_BUCKET_ROWS;
	const struct lane *lane;
	uint32_t thread;
	int err;

	assert(account.row < l->layout->header.params.max_accounts);
	if (is_stale(l, account))
		return stale(l);
	if (cpu >= l->nr_cpus)
		return 0;
	lane = &l->lanes[cpu];
	if (!__atomic_load_n(&l->banks[bank]->touched[cpu][bucket],
			     __ATOMIC_RELAXED)) {
		err = ledger_touch(l, cpu, bank, lane->plane, bucket);
		if (err)
			return err;
	}
	if (!l->marked)
		return 0;
	err = mark_thread(l, &thread);
	if (err)
		return err;
	mark_forget();
	mark_known = (struct tally_known){
		.tag = tag,
		.mark = &((struct layout_mark *)lane->marks)[thread].word,
		.rows = lane->rows[bank],
		.end = __atomic_load_n(&l->banks[bank]->end[cpu],
				       __ATOMIC_ACQUIRE),
		.touched = l->banks[bank]->touched[cpu],
	};
	mark_recall(l->fast.serial | cpu);
	return 0;
}

/* Whether to try again, once all is ready. Inside another add, whose mark has
 * to stay, as in the handler of a signal, there is no use. */
static bool has_sequences(const struct tally_ledger *l)
{
	return l->inlined || (l->marked && !mark_depth);
}

static bool has_atomics_only(const struct tally_ledger *l)
{
	return !l->inlined && !l->marked;
}

static bool try_again(struct tally_ledger *l, struct tally_account account,
		      unsigned int resource, const int64_t *amounts,
		      unsigned int nr)
{
	if (nr == 1)
		return tally_ledger_try_add(l, account, resource, *amounts);
	if (nr == 2)
		return tally_ledger_try_add2(l, account, resource, amounts);
	return tally_ledger_try_add4(l, account, resource, amounts);
}

/*
 * Where a sequence did not get through: this thread's first one here, or in
 * this bucket, or it was interrupted; each time, as one is that a debugger
 * steps. Or there are none.
 */
static __attribute__((noinline)) int
add_slowly(struct tally_ledger *l, struct tally_account account,
	   unsigned int resource, const int64_t *amounts, unsigned int nr)
{
	assert(account.row < l->layout->header.params.max_accounts &&
	       resource % nr == 0 &&
	       resource + nr <= l->layout->header.params.nr_resources);
	for (int i = 0; has_sequences(l) && i < MAX_TRIES; i++) {
		int err = make_ready(l, account);

		if (err)
			return err;
		if (try_again(l, account, resource, amounts, nr))
			return 0;
	}
	if (has_atomics_only(l))
		learn_atomics(l);
	return post_side_by_side(l, account, resource, amounts, nr);
}

/* From here on each is out of the way of the one that goes on to it, which so
 * needs no stack. */
static __attribute__((noinline)) int add_one(struct tally_ledger *l,
					     struct tally_account account,
					     unsigned int resource,
					     int64_t amount)
{
	return add_slowly(l, account, resource, &amount, 1);
}

static __attribute__((noinline)) int
add_one_asking(struct tally_ledger *l, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	if (add_known(l, (uint32_t)sched_getcpu(), account, resource, amount))
		return 0;
	return add_one(l, account, resource, amount);
}

static __attribute__((noinline)) int
add_one_slowly(struct tally_ledger *l, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	if (has_atomics_only(l)) {
		if (!l->rdpid)
			return add_one_asking(l, account, resource, amount);
		if (add_known(l, cpu_rdpid(), account, resource, amount))
			return 0;
	}
	return add_one(l, account, resource, amount);
}

#if TALLY_RSEQ_BYTES > 0

static __attribute__((noinline)) int
add_one_marked(struct tally_ledger *l, struct tally_account account,
	       unsigned int resource, int64_t amount)
{
	if (tally_rseq_add_marked(&l->fast, account, resource, amount))
		return 0;
	return add_one_slowly(l, account, resource, amount);
}

int tally_ledger_add(struct tally_ledger *l, struct tally_account account,
		     unsigned int resource, int64_t amount)
{
	if (tally_rseq_several(&l->fast))
		return add_one_marked(l, account, resource, amount);
	if (tally_rseq_add_bare(&l->fast, account, resource, amount))
		return 0;
	return add_one_slowly(l, account, resource, amount);
}

#else

int tally_ledger_add(struct tally_ledger *l, struct tally_account account,
		     unsigned int resource, int64_t amount)
{
	return add_one_slowly(l, account, resource, amount);
}

#endif

int tally_ledger_add2(struct tally_ledger *l, struct tally_account account,
		      unsigned int resource, const int64_t amounts[2])
{
	if (tally_ledger_try_add2(l, account, resource, amounts))
		return 0;
	return add_slowly(l, account, resource, amounts, 2);
}

int tally_ledger_add4(struct tally_ledger *l, struct tally_account account,
		      unsigned int resource, const int64_t amounts[4])
{
	if (tally_ledger_try_add4(l, account, resource, amounts))
		return 0;
	return add_slowly(l, account, resource, amounts, 4);
}
