// SPDX-License-Identifier: MIT
/* One thread shows elements to another, in each way that slices have.
 * slice/barrier.sh builds it with ThreadSanitizer, with and without the
 * barrier. */
#include "config.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <numatally/slice_ref.h>

#define NR 64

static uint64_t elements[NR];
static struct tally_slice list;
static struct tally_slice_ref ref;
static uint64_t sum;

/* The reader takes the library's locks before the writer does. In the other
 * order they would order the two threads, and hide a missing barrier. */
static pthread_barrier_t start;

static void *read_list(void *arg)
{
	uint64_t seen = 0;

	pthread_barrier_wait(&start);
	while (seen < NR)
		for (uint64_t len = tally_slice_len(&list); seen < len; seen++)
			sum += elements[seen];
	return arg;
}

static void *read_ref(void *arg)
{
	uint64_t seen = 0;

	tally_slice_read_lock();
	tally_slice_read_unlock();
	pthread_barrier_wait(&start);
	while (seen < NR) {
		tally_slice_read_lock();
		for (uint64_t len = tally_slice_ref_get(&ref)->len; seen < len;
		     seen++)
			sum += elements[seen];
		tally_slice_read_unlock();
	}
	return arg;
}

static void push(uint64_t i)
{
	uint64_t element = i + 1;

	tally_slice_push(elements, &list, sizeof(element), &element);
}

static void grow(uint64_t i)
{
	elements[i] = i + 1;
	tally_slice_grow(&list, i + 1);
}

static void publish(uint64_t i)
{
	struct tally_slice next = {.len = i + 1, .cap = NR};

	elements[i] = i + 1;
	tally_slice_ref_publish(&ref, &next, NULL, NULL);
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	void (*show)(uint64_t i) = push;
	void *(*look)(void *arg) = read_list;
	pthread_t reader;

	tally_slice_set_checked(false);
	list = (struct tally_slice){.cap = NR};
	if (tally_slice_ref_init(&list, &ref) != 0)
		return 1;
	if (strcmp(way, "grow") == 0) {
		show = grow;
	} else if (strcmp(way, "publish") == 0) {
		show = publish;
		look = read_ref;
	} else if (strcmp(way, "push") != 0) {
		return 2;
	}
	if (pthread_barrier_init(&start, NULL, 2) != 0 ||
	    pthread_create(&reader, NULL, look, NULL) != 0)
		return 1;
	pthread_barrier_wait(&start);
	for (uint64_t i = 0; i < NR; i++)
		show(i);
	pthread_join(reader, NULL);
	tally_slice_ref_destroy(&ref);
	return sum == (uint64_t)NR * (NR + 1) / 2 ? 0 : 1;
}
