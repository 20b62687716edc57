// SPDX-License-Identifier: MIT
/* The tables of a queue: reserved addresses, which become memory as they grow. */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>

#include "queue/internal.h"

#define NR_TABLES 5

/* A multiple of every size of a page. */
#define STEP_BYTES ((uint64_t)64 << 10)

static struct queue_table *table(struct tally_queue *q, unsigned int i)
{
	struct queue_table *const tables[NR_TABLES] = {
		&q->heaps[QUEUE_READY],
		&q->heaps[QUEUE_WAITING],
		&q->slots,
		&q->blocks,
		&q->births,
	};

	return tables[i];
}

static uint64_t part_bytes(const struct queue_table *t)
{
	uint64_t bytes = t->nr_max * t->size;

	return (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
}

int queue_map(struct tally_queue *q)
{
	uint64_t bytes = 0;
	int err;

	for (unsigned int i = 0; i < NR_TABLES; i++)
		bytes += part_bytes(table(q, i));
	q->base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	if (q->base == MAP_FAILED)
		return -errno;
	q->bytes = bytes;
	err = tally_slice_register(q->base, q->bytes);
	if (err < 0) {
		munmap(q->base, q->bytes);
		return err;
	}
	bytes = (uintptr_t)q->base;
	for (unsigned int i = 0; i < NR_TABLES; i++) {
		struct queue_table *t = table(q, i);

		tally_slice_place(&t->s, bytes, 0);
		bytes += part_bytes(t);
	}
	return 0;
}

void queue_unmap(struct tally_queue *q)
{
	tally_slice_unregister(q->base);
	munmap(q->base, q->bytes);
}

/* Memory doubles, so that there are few calls, and the kernel takes no page
 * before it is touched. */
int queue_room(struct queue_table *t, uint64_t nr)
{
	uint64_t bytes = t->s.cap * t->size, most = part_bytes(t);

	if (nr <= t->s.cap)
		return 0;
	bytes = bytes < STEP_BYTES
			? STEP_BYTES
			: (bytes + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
	while (bytes < nr * t->size)
		bytes *= 2;
	if (bytes > most)
		bytes = most;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): a base is an integer */
	if (mprotect((void *)(uintptr_t)t->s.base, bytes,
		     PROT_READ | PROT_WRITE) < 0)
		return -errno;
	nr = bytes / t->size;
	return tally_slice_extend(NULL, &t->s, t->size,
				  nr < t->nr_max ? nr : t->nr_max);
}
