// SPDX-License-Identifier: MIT
/* A queue of pending accounts and its snapshots, beside a heap in an array, which
 * has neither handles nor times, and copies of it. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <numatally/queue.h>

#include "bench.h"

#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))
#define BELOW	      4
#define NR_SAMPLES    20000
#define NR_PRIORITIES 1000

/* ---- a heap in an array --------------------------------------------------- */

struct entry {
	int64_t priority;
	uint64_t number; /* in the order in which they came */
	struct tally_account account;
};

struct heap {
	struct entry *entries;
	struct entry *copy;
	uint64_t len;
	uint64_t number;
};

static inline bool leaves_before(const struct entry *a, const struct entry *b)
{
	return a->priority != b->priority ? a->priority > b->priority
					  : a->number < b->number;
}

static inline void heap_push(struct heap *h, struct tally_account account,
			     int64_t priority)
{
	const struct entry new = {priority, h->number++, account};
	uint64_t i = h->len++;

	for (; i > 0; i = (i - 1) / BELOW) {
		if (!leaves_before(&new, &h->entries[(i - 1) / BELOW]))
			break;
		h->entries[i] = h->entries[(i - 1) / BELOW];
	}
	h->entries[i] = new;
}

static inline struct tally_account heap_pop(struct heap *h)
{
	const struct entry first = h->entries[0];
	const struct entry last = h->entries[--h->len];
	uint64_t i = 0;

	for (;;) {
		uint64_t next = i * BELOW + 1, end = next + BELOW;

		if (next >= h->len)
			break;
		if (end > h->len)
			end = h->len;
		for (uint64_t j = next + 1; j < end; j++)
			if (leaves_before(&h->entries[j], &h->entries[next]))
				next = j;
		if (!leaves_before(&h->entries[next], &last))
			break;
		h->entries[i] = h->entries[next];
		i = next;
	}
	h->entries[i] = last;
	return first.account;
}

/* ---- loops ---------------------------------------------------------------- */

struct pending {
	uint64_t nr;
	struct tally_queue *queue;
	struct heap heap;
	uint64_t random;
};
static struct pending all[] = {{.nr = 1000}, {.nr = 100000}};

static void *few_arg(unsigned int thread)
{
	(void)thread;
	return &all[0];
}

static void *many_arg(unsigned int thread)
{
	(void)thread;
	return &all[1];
}

static inline int64_t some(struct pending *p)
{
	p->random = p->random * UINT64_C(6364136223846793005) + 1;
	return (int64_t)((p->random >> 32) * NR_PRIORITIES >> 32);
}

static inline void queue_turn(struct pending *p)
{
	struct tally_queue_item item;
	struct tally_queue_handle handle;

	if (tally_queue_pop(p->queue, 0, &item))
		abort();
	item.priority = some(p);
	if (tally_queue_push(p->queue, 0, &item, &handle))
		abort();
}

static inline void heap_turn(struct pending *p)
{
	heap_push(&p->heap, heap_pop(&p->heap), some(p));
}

BENCH_LOOP void turn_queue(void *arg, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		queue_turn((struct pending *)arg);
}
BENCH_ALIGN(turn_queue)

BENCH_LOOP void turn_heap(void *arg, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		heap_turn((struct pending *)arg);
}
BENCH_ALIGN(turn_heap)

BENCH_LOOP void snapshot_queue(void *arg, uint64_t nr)
{
	struct pending *p = (struct pending *)arg;

	for (uint64_t i = 0; i < nr; i++) {
		struct tally_queue_snapshot *s;

		if (tally_queue_snapshot_open(p->queue, 0, &s))
			abort();
		queue_turn(p);
		tally_queue_snapshot_close(s);
	}
}
BENCH_ALIGN(snapshot_queue)

BENCH_LOOP void copy_heap(void *arg, uint64_t nr)
{
	struct pending *p = (struct pending *)arg;

	for (uint64_t i = 0; i < nr; i++) {
		memcpy(p->heap.copy, p->heap.entries,
		       p->heap.len * sizeof(struct entry));
		bench_stored(&p->heap.copy[0].number);
		heap_turn(p);
	}
}
BENCH_ALIGN(copy_heap)

/* ---- queues --------------------------------------------------------------- */

static int fill(struct pending *p)
{
	const struct tally_queue_options options = {
		.size = sizeof(options),
		.max_items = p->nr + 1,
		.max_snapshots = 4,
	};
	int err = tally_queue_create(&options, &p->queue);

	p->random = 1;
	p->heap = (struct heap){
		.entries = malloc((p->nr + 1) * sizeof(struct entry)),
		.copy = malloc((p->nr + 1) * sizeof(struct entry)),
	};
	if (!p->heap.entries || !p->heap.copy)
		return -ENOMEM;
	for (uint32_t i = 0; !err && i < p->nr; i++) {
		const struct tally_queue_item item = {
			.account = {i, 1},
			.priority = some(p),
		};
		struct tally_queue_handle handle;

		err = tally_queue_push(p->queue, 0, &item, &handle);
		heap_push(&p->heap, item.account, item.priority);
	}
	return err;
}

static int set_up(void)
{
	int err = 0;

	for (size_t i = 0; !err && i < COUNT(all); i++)
		err = fill(&all[i]);
	return err;
}

static void tear_down(void)
{
	for (size_t i = 0; i < COUNT(all); i++) {
		tally_queue_destroy(all[i].queue);
		all[i].queue = NULL;
		free(all[i].heap.entries);
		free(all[i].heap.copy);
		all[i].heap = (struct heap){0};
	}
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Of single calls, with the clock's own time: the median and P99 of a snapshot,
 * and of the pop and the push after it, which copy what it needs. */
struct tails {
	int64_t snapshot[2], turn[2];
};
static struct tails tails[COUNT(all)];

static void sort_tail(int64_t *took, size_t nr, int64_t *tail)
{
	qsort(took, nr, sizeof(*took), by_size);
	tail[0] = took[nr / 2];
	tail[1] = took[nr - 1 - nr / 100];
}

static void measure_tails(struct pending *p, struct tails *t)
{
	static int64_t took[2][NR_SAMPLES];
	size_t nr = bench_options.quick ? NR_SAMPLES / 20 : NR_SAMPLES;

	for (size_t i = 0; i < nr; i++) {
		struct tally_queue_snapshot *s;
		int64_t began = now_ns(), taken;

		if (tally_queue_snapshot_open(p->queue, 0, &s))
			abort();
		taken = now_ns();
		queue_turn(p);
		took[0][i] = taken - began;
		took[1][i] = now_ns() - taken;
		tally_queue_snapshot_close(s);
	}
	sort_tail(took[0], nr, t->snapshot);
	sort_tail(took[1], nr, t->turn);
}

static void end_snapshots(void)
{
	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i].queue)
			measure_tails(&all[i], &tails[i]);
	tear_down();
}

static void note_tails(FILE *to)
{
	for (size_t i = 0; i < COUNT(all); i++)
		fprintf(to,
			"%" PRIu64 " pending: a snapshot takes %" PRId64
			" ns, P99 %" PRId64
			"; the pop and push after it %" PRId64 ", P99 %" PRId64
			"\n",
			all[i].nr, tails[i].snapshot[0], tails[i].snapshot[1],
			tails[i].turn[0], tails[i].turn[1]);
}

#define TURNS(how_many, which)                                            \
	{                                                                 \
		{.name = "a heap in an array",                            \
		 .kind = BENCH_FLOOR,                                     \
		 .loops = &turn_heap_loops,                               \
		 .arg = (which),                                          \
		 .alone = true},                                          \
			{.name = "numatally: tally_queue_pop, _push",     \
			 .kind = BENCH_OURS,                              \
			 .loops = &turn_queue_loops,                      \
			 .arg = (which),                                  \
			 .alone = true,                                   \
			 .row = "a pop and a push, " how_many " pending", \
			 .target_ratio = 3},                              \
	}
static const struct bench_contender few_turns[] = TURNS("1,000", few_arg);
static const struct bench_contender many_turns[] = TURNS("100,000", many_arg);

static const struct bench_contender snapshots[] = {
	{.name = "numatally: 1,000 pending",
	 .kind = BENCH_OURS,
	 .loops = &snapshot_queue_loops,
	 .arg = few_arg,
	 .alone = true},
	{.name = "numatally: 100,000 pending",
	 .kind = BENCH_OURS,
	 .loops = &snapshot_queue_loops,
	 .arg = many_arg,
	 .alone = true,
	 .row = "a snapshot of 100,000 pending, a pop and a push",
	 .base = "a heap in an array, copied: 100,000",
	 .target_ratio = 0.1},
	{.name = "a heap in an array, copied: 1,000",
	 .loops = &copy_heap_loops,
	 .arg = few_arg,
	 .alone = true},
	{.name = "a heap in an array, copied: 100,000",
	 .loops = &copy_heap_loops,
	 .arg = many_arg,
	 .alone = true},
};

const struct bench_group bench_queue_groups[] = {
	{.name = "queue-few",
	 .title = "Taking the next of 1,000 pending accounts, and adding one",
	 .unit = "pop and push",
	 .contenders = few_turns,
	 .nr_contenders = COUNT(few_turns),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "queue-many",
	 .title = "Taking the next of 100,000 pending accounts, and adding one",
	 .unit = "pop and push",
	 .contenders = many_turns,
	 .nr_contenders = COUNT(many_turns),
	 .setup = set_up,
	 .teardown = tear_down},
	{.name = "queue-snapshot",
	 .title =
		 "A snapshot of all pending accounts, then a pop and a push, which change it",
	 .unit = "snapshot, pop and push",
	 .contenders = snapshots,
	 .nr_contenders = COUNT(snapshots),
	 .setup = set_up,
	 .teardown = end_snapshots,
	 .note = note_tails},
};
const size_t bench_nr_queue_groups = COUNT(bench_queue_groups);
