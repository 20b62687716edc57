// SPDX-License-Identifier: MIT
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/wild.h"

static struct {
	pthread_t thread;
	uint64_t *words; /* of the file */
	uint64_t bytes;
	uint64_t *used; /* the words that are not 0 when it starts */
	uint64_t nr_used;
	uint32_t seed;
	bool runs, began, stop;
} wild;

static uint32_t next_number(void)
{
	wild.seed = wild.seed * 1664525u + 1013904223u;
	return wild.seed >> 8;
}

/* Mostly words in use, as most of the file is holes. */
static uint64_t choose(void)
{
	return wild.used[next_number() % wild.nr_used];
}

static void *run(void *arg)
{
	const uint64_t values[] = {0, 1, UINT64_MAX, 64, 1u << 20, 3};

	__atomic_store_n(&wild.began, true, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&wild.stop, __ATOMIC_RELAXED)) {
		uint64_t *word = &wild.words[choose()];
		uint64_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
		uint32_t n = next_number();
		uint64_t value = n & 8 ? before ^ UINT64_C(1) << n % 64
				       : values[n % 6];

		__atomic_store_n(word, value, __ATOMIC_RELAXED);
		for (n = next_number() % 64; n; n--)
			__atomic_signal_fence(__ATOMIC_SEQ_CST);
		__atomic_store_n(word, before, __ATOMIC_RELAXED);
	}
	return arg;
}

static void find_used(int fd)
{
	off_t from = 0;

	wild.used = malloc(wild.bytes + sizeof(*wild.used));
	while (wild.used && (from = lseek(fd, from, SEEK_DATA)) >= 0) {
		off_t to = lseek(fd, from, SEEK_HOLE);

		for (; from < to; from += (off_t)sizeof(*wild.words))
			if (wild.words[(size_t)from / sizeof(*wild.words)])
				wild.used[wild.nr_used++] =
					(uint64_t)from / sizeof(*wild.words);
	}
}

void wild_start(const char *path, uint32_t seed)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		abort();
	wild.bytes = (uint64_t)st.st_size;
	wild.words = mmap(NULL, wild.bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd, 0);
	if (wild.words == MAP_FAILED)
		abort();
	wild.nr_used = 0;
	find_used(fd);
	close(fd);
	wild.seed = seed;
	wild.began = false;
	wild.stop = false;
	wild.runs = wild.nr_used &&
		    !pthread_create(&wild.thread, NULL, run, NULL);
	while (wild.runs && !__atomic_load_n(&wild.began, __ATOMIC_RELAXED))
		sched_yield();
	if (wild.runs)
		return;
	munmap(wild.words, wild.bytes);
	free(wild.used);
}

void wild_stop(void)
{
	if (!wild.runs)
		return;
	__atomic_store_n(&wild.stop, true, __ATOMIC_RELAXED);
	pthread_join(wild.thread, NULL);
	wild.runs = false;
	munmap(wild.words, wild.bytes);
	free(wild.used);
}
