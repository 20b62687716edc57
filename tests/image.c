// SPDX-License-Identifier: MIT
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "image.h"

void image_open(struct image *i, const struct machine *m)
{
	memset(i, 0, sizeof(*i));
	snprintf(i->copy, sizeof(i->copy), "%s/copy", m->dir);
	i->now = inside_open(m->path);
	i->bytes = i->now->header.file_bytes;
	i->last = mmap(NULL, i->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(i->last, MAP_FAILED);
}

void image_close(struct image *i)
{
	munmap(i->last, i->bytes);
	inside_close(i->now);
}

/* The next run of pages that exist, from *at on. */
static bool next_data(const struct image *i, off_t *at, off_t *end)
{
	*at = lseek(i->now->fd, *at, SEEK_DATA);
	if (*at < 0)
		return false;
	*end = lseek(i->now->fd, *at, SEEK_HOLE);
	return true;
}

static bool changed(struct image *i)
{
	bool any = false;
	off_t end;

	for (off_t at = 0; next_data(i, &at, &end); at = end) {
		size_t bytes = (size_t)(end - at);

		if (!memcmp(i->last + at, i->now->origin + at, bytes))
			continue;
		memcpy(i->last + at, i->now->origin + at, bytes);
		any = true;
	}
	return any;
}

static void write_copy(const struct image *i)
{
	struct layout *copy;
	off_t end;
	int fd = open(i->copy, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)i->bytes), 0);
	for (off_t at = 0; next_data(i, &at, &end); at = end)
		assert_int_equal(
			pwrite(fd, i->last + at, (size_t)(end - at), at),
			end - at);
	close(fd);
	copy = inside_open(i->copy);
	/* As if it had been killed: this is not its start time. */
	inside_writer(copy, i->pid)->start = 1;
	inside_close(copy);
}

bool image_step_through(struct image *i, const char *path,
			int (*victim)(const char *path, void *arg),
			void (*check)(struct image *image, void *arg),
			void *arg)
{
	i->pid = fork();
	assert_true(i->pid >= 0);
	if (!i->pid)
		_exit(victim(path, arg));
	if (!inside_wait(i->pid))
		return false;
	do {
		if (!changed(i))
			continue;
		i->nr_states++;
		write_copy(i);
		check(i, arg);
	} while (inside_step(i->pid));
	return true;
}
