// SPDX-License-Identifier: MIT
/* Heaps of four entries below each: half as deep as with two, and the four lie on
 * two lines. An entry that moves tells its slot. */
#include "config.h"

#include "queue/internal.h"

#define BELOW 4

static bool leaves_before(const struct queue_entry *a,
			  const struct queue_entry *b)
{
	if (a->first != b->first)
		return a->first < b->first;
	if (a->second != b->second)
		return a->second < b->second;
	return a->generation < b->generation;
}

/* The tables of one call, so that checked mode looks at each header once. */
struct heap {
	struct tally_slice *s;
	struct queue_entry *entries;
	struct queue_slot *slots;
};

static struct heap heap_of(struct tally_queue *q, enum queue_heap heap)
{
	return (struct heap){
		.s = &q->heaps[heap].s,
		.entries = queue_first(&q->heaps[heap]),
		.slots = queue_first(&q->slots),
	};
}

static void put(const struct heap *h, uint64_t i,
		const struct queue_entry *entry)
{
	h->entries[i] = *entry;
	h->slots[entry->slot].place = (uint32_t)i & INT32_MAX;
}

/* Move what leaves later down into the hole at i, until the entry fits there. */
static void sift_up(const struct heap *h, uint64_t i,
		    const struct queue_entry *entry)
{
	while (i > 0) {
		uint64_t above = (i - 1) / BELOW;

		if (!leaves_before(entry, &h->entries[above]))
			break;
		put(h, i, &h->entries[above]);
		i = above;
	}
	put(h, i, entry);
}

static void sift_down(const struct heap *h, uint64_t i,
		      const struct queue_entry *entry)
{
	uint64_t len = h->s->len;

	for (;;) {
		uint64_t first = i * BELOW + 1;
		uint64_t end = first + BELOW < len ? first + BELOW : len;
		uint64_t next = first;

		if (first >= len)
			break;
		for (uint64_t j = first + 1; j < end; j++)
			if (leaves_before(&h->entries[j], &h->entries[next]))
				next = j;
		if (!leaves_before(&h->entries[next], entry))
			break;
		put(h, i, &h->entries[next]);
		i = next;
	}
	put(h, i, entry);
}

static void fit(const struct heap *h, uint64_t i,
		const struct queue_entry *entry)
{
	if (i > 0 && leaves_before(entry, &h->entries[(i - 1) / BELOW]))
		sift_up(h, i, entry);
	else
		sift_down(h, i, entry);
}

const struct queue_entry *queue_heap_root(struct tally_queue *q,
					  enum queue_heap heap)
{
	return q->heaps[heap].s.len ? queue_first(&q->heaps[heap]) : NULL;
}

void queue_heap_push(struct tally_queue *q, enum queue_heap heap,
		     const struct queue_entry *entry)
{
	struct queue_table *t = &q->heaps[heap];
	struct heap h;

	(void)!tally_slice_push(NULL, &t->s, t->size, entry);
	h = heap_of(q, heap);
	h.slots[entry->slot].heap = heap == QUEUE_WAITING;
	sift_up(&h, t->s.len - 1, entry);
}

void queue_heap_take(struct tally_queue *q, const struct queue_slot *slot)
{
	struct heap h = heap_of(q, slot->heap);
	uint64_t i = slot->place, last = h.s->len - 1;

	(void)!tally_slice_shorten(h.s, last);
	if (i < last)
		fit(&h, i, &h.entries[last]);
}

void queue_heap_set(struct tally_queue *q, const struct queue_slot *slot,
		    const struct queue_entry *entry)
{
	struct heap h = heap_of(q, slot->heap);

	fit(&h, slot->place, entry);
}
