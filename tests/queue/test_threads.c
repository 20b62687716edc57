// SPDX-License-Identifier: MIT
/* One thread changes a queue as fast as it can, others keep snapshots of it and
 * read them slowly: each is whole. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

#include "support/queues.h"

#define NR_ITEMS   500
#define NR_READERS 3

static struct tally_queue *queue;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int nr_read;

/* Between two locks the writer keeps the number of items, the sum of their
 * priorities, and that of their rows. */
static bool is_whole(const struct tally_queue_snapshot *s)
{
	struct tally_slice items;
	uint64_t rows = 0, generations = 0, from = 0;
	int64_t priorities = 0;

	for (; !tally_queue_snapshot_slice(s, from, &items);
	     from += items.len) {
		for (uint64_t i = 0; i < items.len; i++) {
			const struct tally_queue_item *item =
				tally_slice_at(NULL, &items, sizeof(*item), i);

			priorities += item->priority;
			rows += item->account.row;
			generations += item->handle.generation != 0;
			if (item->data[1] != ~item->data[0])
				return false;
		}
		sched_yield();
	}
	return from == NR_ITEMS && generations == NR_ITEMS && priorities == 0 &&
	       rows == (uint64_t)NR_ITEMS * (NR_ITEMS - 1) / 2;
}

static void *read_slowly(void *done)
{
	void *wrong = NULL;

	while (!wrong && !__atomic_load_n((bool *)done, __ATOMIC_RELAXED)) {
		struct tally_queue_snapshot *s;
		int err;

		pthread_mutex_lock(&lock);
		err = tally_queue_snapshot_open(queue, 0, &s);
		pthread_mutex_unlock(&lock);
		if (err)
			return done;
		for (int i = 0; i < 3; i++)
			if (!is_whole(s))
				wrong = done;
		tally_queue_snapshot_close(s);
		__atomic_fetch_add(&nr_read, 1, __ATOMIC_RELAXED);
	}
	return wrong;
}

/* Two items, of which one gets what the other loses. */
static int move_priority(const struct tally_queue_handle *handles, uint64_t i)
{
	struct tally_queue_item a, b;
	int err = tally_queue_get(queue, handles[i % NR_ITEMS], &a);

	if (!err)
		err = tally_queue_get(queue, handles[i * 7 % NR_ITEMS], &b);
	if (err || i % NR_ITEMS == i * 7 % NR_ITEMS)
		return err;
	err = tally_queue_set_priority(queue, a.handle, a.priority + 3);
	if (!err)
		err = tally_queue_set_priority(queue, b.handle, b.priority - 3);
	return err;
}

/* One leaves, and comes back. */
static int turn(struct tally_queue_handle *handles, uint64_t i)
{
	struct tally_queue_item item;
	int err;

	if (i % 2)
		err = tally_queue_pop(queue, i, &item);
	else
		err = tally_queue_remove(queue, handles[i * 13 % NR_ITEMS],
					 &item);
	if (err)
		return err;
	item.not_before = i % 5 ? 0 : i + 3;
	return tally_queue_push(queue, i, &item, &handles[item.account.row]);
}

static int write_fast(struct tally_queue_handle *handles, unsigned int nr)
{
	int err = 0;

	for (uint64_t i = 0; !err; i++) {
		if (i >= 2000 &&
		    __atomic_load_n(&nr_read, __ATOMIC_RELAXED) >= nr)
			break;
		pthread_mutex_lock(&lock);
		err = i % 3 ? turn(handles, i) : move_priority(handles, i);
		pthread_mutex_unlock(&lock);
		/* Where there is one CPU, readers have their turns. */
		if (i % 64 == 0)
			sched_yield();
	}
	return err;
}

static void snapshots_are_whole(void **state)
{
	const unsigned int nr = test_is_long() ? 20000 : 200;
	struct tally_queue_handle handles[NR_ITEMS];
	pthread_t readers[NR_READERS];
	bool done = false;
	void *wrong;
	int err;

	(void)state;
	nr_read = 0;
	queue = queue_of(NR_ITEMS, NR_READERS);
	for (uint32_t i = 0; i < NR_ITEMS; i++)
		handles[i] = queue_put(queue, 0, i, 0, 0);
	for (int i = 0; i < NR_READERS; i++)
		assert_int_equal(
			pthread_create(&readers[i], NULL, read_slowly, &done),
			0);
	err = write_fast(handles, nr);
	__atomic_store_n(&done, true, __ATOMIC_RELAXED);
	for (int i = 0; i < NR_READERS; i++) {
		assert_int_equal(pthread_join(readers[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(err, 0);
	tally_queue_destroy(queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(snapshots_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
