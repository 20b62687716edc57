// SPDX-License-Identifier: MIT
/*
 * A queue against a plain list, by calls at random: each call of the one gives
 * what the other gives, and a snapshot that was kept for long shows what the list
 * was then.
 */
#include "support/test.h"

#include "support/queues.h"

#define MAX_ITEMS     900
#define MAX_SNAPSHOTS 5

struct list {
	struct tally_queue_item items[MAX_ITEMS];
	uint64_t len;
	uint64_t now;
};

/* A snapshot, and a copy of the list. */
struct kept {
	struct tally_queue_snapshot *s;
	struct list list;
};

struct run {
	uint64_t max_items, max_snapshots;
	struct tally_queue *q;
	struct list list;
	struct kept kept[MAX_SNAPSHOTS];
	struct tally_queue_handle gone; /* the last one */
	uint64_t random;
	uint64_t compared; /* snapshots */
	uint64_t nr_full, nr_empty;
};

static uint64_t draw(struct run *r, uint64_t below)
{
	r->random = r->random * UINT64_C(6364136223846793005) + 1;
	return (r->random >> 33) % below;
}

/* ---- the list ------------------------------------------------------------- */

static bool comes_before(const struct tally_queue_item *a,
			 const struct tally_queue_item *b)
{
	uint64_t at_a = a->since > a->not_before ? a->since : a->not_before;
	uint64_t at_b = b->since > b->not_before ? b->since : b->not_before;

	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (at_a != at_b)
		return at_a < at_b;
	return a->handle.generation < b->handle.generation;
}

static struct tally_queue_item *list_next(struct list *l)
{
	struct tally_queue_item *next = NULL;

	for (uint64_t i = 0; i < l->len; i++) {
		struct tally_queue_item *item = &l->items[i];

		if (item->not_before <= l->now &&
		    (!next || comes_before(item, next)))
			next = item;
	}
	return next;
}

static void list_remove(struct list *l, struct tally_queue_item *item)
{
	*item = l->items[--l->len];
}

static uint64_t list_due(const struct list *l)
{
	uint64_t due = UINT64_MAX;

	for (uint64_t i = 0; i < l->len; i++)
		if (l->items[i].not_before < due)
			due = l->items[i].not_before;
	return due <= l->now ? 0 : due;
}

/* ---- snapshots ------------------------------------------------------------ */

static int by_generation(const void *a, const void *b)
{
	const struct tally_queue_item *x = a, *y = b;

	return x->handle.generation < y->handle.generation ? -1 : 1;
}

static void compare(struct run *r, struct kept *kept)
{
	static struct tally_queue_item seen[MAX_ITEMS];
	struct list *l = &kept->list;
	struct tally_slice items;
	uint64_t n = 0;

	assert_int_equal(tally_queue_snapshot_len(kept->s), l->len);
	assert_int_equal(tally_queue_snapshot_now(kept->s), l->now);
	for (; !tally_queue_snapshot_slice(kept->s, n, &items);
	     n += items.len) {
		assert_true(n + items.len <= l->len);
		memcpy(&seen[n],
		       tally_slice_at(NULL, &items, sizeof(seen[0]), 0),
		       items.len * sizeof(seen[0]));
	}
	assert_int_equal(n, l->len);
	qsort(seen, n, sizeof(seen[0]), by_generation);
	qsort(l->items, n, sizeof(seen[0]), by_generation);
	if (n > 0)
		assert_memory_equal(seen, l->items, n * sizeof(seen[0]));
	r->compared++;
}

/* Take one, or compare one that was kept, and perhaps close it. */
static void use_snapshot(struct run *r)
{
	struct tally_queue_snapshot *s;
	struct kept *kept;
	uint64_t nr_open = 0;

	if (r->max_snapshots == 0)
		return;
	for (uint64_t i = 0; i < r->max_snapshots; i++)
		nr_open += r->kept[i].s != NULL;
	kept = &r->kept[draw(r, r->max_snapshots)];
	if (!kept->s) {
		kept->s = queue_snapshot(r->q, r->list.now);
		memcpy(&kept->list, &r->list, sizeof(r->list));
		return;
	}
	if (nr_open == r->max_snapshots)
		assert_int_equal(tally_queue_snapshot_open(r->q, 0, &s),
				 -ENOSPC);
	compare(r, kept);
	if (draw(r, 2)) {
		tally_queue_snapshot_close(kept->s);
		kept->s = NULL;
	}
}

/* ---- calls ---------------------------------------------------------------- */

static uint64_t draw_not_before(struct run *r)
{
	return draw(r, 3) ? 0 : r->list.now + draw(r, 40);
}

static void push(struct run *r)
{
	struct tally_queue_item item = {
		.account = {(uint32_t)draw(r, 1000), 1},
		.priority = (int64_t)draw(r, 5) - 2,
		.not_before = draw_not_before(r),
		.data = {r->random, ~r->random},
	};
	int err = tally_queue_push(r->q, r->list.now, &item, &item.handle);

	if (r->list.len == r->max_items) {
		assert_int_equal(err, -ENOSPC);
		r->nr_full++;
		return;
	}
	assert_int_equal(err, 0);
	item.since = r->list.now;
	r->list.items[r->list.len++] = item;
}

static void pop(struct run *r)
{
	struct tally_queue_item item, first, *next = list_next(&r->list);
	int first_err = tally_queue_peek(r->q, r->list.now, &first);
	int err = tally_queue_pop(r->q, r->list.now, &item);

	assert_int_equal(first_err, err);
	if (!next) {
		assert_int_equal(err, r->list.len ? -EAGAIN : -ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_memory_equal(&item, next, sizeof(item));
	assert_memory_equal(&first, next, sizeof(first));
	r->gone = item.handle;
	list_remove(&r->list, next);
}

static void change(struct run *r, struct tally_queue_item *item)
{
	struct tally_queue_item seen;

	assert_int_equal(tally_queue_get(r->q, item->handle, &seen), 0);
	assert_memory_equal(&seen, item, sizeof(seen));
	switch (draw(r, 3)) {
	case 0:
		item->priority = (int64_t)draw(r, 5) - 2;
		assert_int_equal(tally_queue_set_priority(r->q, item->handle,
							  item->priority),
				 0);
		break;
	case 1:
		item->not_before = draw_not_before(r);
		assert_int_equal(tally_queue_back_off(r->q, r->list.now,
						      item->handle,
						      item->not_before),
				 0);
		break;
	default:
		assert_int_equal(tally_queue_remove(r->q, item->handle, &seen),
				 0);
		assert_memory_equal(&seen, item, sizeof(seen));
		r->gone = item->handle;
		list_remove(&r->list, item);
	}
}

static void step(struct run *r, unsigned int pushes)
{
	struct tally_queue_item seen;
	uint64_t due, what = draw(r, 100);

	r->list.now += draw(r, 8) == 0;
	if (what < pushes)
		push(r);
	else if (what < 75)
		pop(r);
	else if (what < 95 && r->list.len > 0)
		change(r, &r->list.items[draw(r, r->list.len)]);
	else
		use_snapshot(r);
	assert_int_equal(tally_queue_len(r->q), r->list.len);
	assert_int_equal(tally_queue_get(r->q, r->gone, &seen), -ESTALE);
	if (r->list.len == 0) {
		assert_int_equal(tally_queue_due(r->q, &due), -ENOENT);
		r->nr_empty++;
	} else {
		assert_int_equal(tally_queue_due(r->q, &due), 0);
		/* What became ready since the last call is not ready yet. */
		assert_int_equal(due <= r->list.now ? 0 : due,
				 list_due(&r->list));
	}
}

/* Fills and empties in turn. Where a copy of a block were lost, there would be no
 * memory soon, since the queue has addresses for what it needs alone. */
static void run(uint64_t max_items, uint64_t max_snapshots, uint64_t nr_steps)
{
	static struct run r;

	r = (struct run){.max_items = max_items,
			 .max_snapshots = max_snapshots,
			 .q = queue_of(max_items, max_snapshots),
			 .random = max_items};
	for (uint64_t i = 0; i < nr_steps; i++)
		step(&r, i / (5 * max_items) % 2 ? 25 : 55);
	for (int i = 0; i < MAX_SNAPSHOTS; i++) {
		if (r.kept[i].s)
			compare(&r, &r.kept[i]);
		tally_queue_snapshot_close(r.kept[i].s);
	}
	/* What a run is for has come about. */
	if (max_snapshots > 0)
		assert_true(r.compared > nr_steps / 200);
	assert_true(r.nr_full > 0 || nr_steps < 100000);
	assert_true(r.nr_empty > 0 || nr_steps < 100000);
	tally_queue_destroy(r.q);
}

static uint64_t steps(void)
{
	if (test_is_long())
		return 1000000;
	return getenv("NUMATALLY_SHORT") ? 5000 : 100000;
}

static void without_snapshots(void **state)
{
	(void)state;
	run(50, 0, steps());
}

static void of_one_block(void **state)
{
	(void)state;
	run(20, 3, steps());
}

static void of_a_few_blocks(void **state)
{
	(void)state;
	run(100, MAX_SNAPSHOTS, steps());
}

static void of_many_blocks(void **state)
{
	(void)state;
	run(MAX_ITEMS, MAX_SNAPSHOTS, steps());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_snapshots),
		cmocka_unit_test(of_one_block),
		cmocka_unit_test(of_a_few_blocks),
		cmocka_unit_test(of_many_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
