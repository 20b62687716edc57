// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "support/image.h"

void image_open(struct image *i, const char *path)
{
	i->now = inside_open(path);
	i->bytes = i->now->header.file_bytes;
	i->last = mmap(NULL, i->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(i->last, MAP_FAILED);
	image_changed(i);
}

void image_close(struct image *i)
{
	munmap(i->last, i->bytes);
	inside_close(i->now);
}

/* The next run of pages that exist, from *at on. */
static bool next_data(const struct image *i, off_t *at, off_t *end)
{
	*at = lseek(i->now->file->fd, *at, SEEK_DATA);
	if (*at < 0)
		return false;
	*end = lseek(i->now->file->fd, *at, SEEK_HOLE);
	return true;
}

bool image_changed(struct image *i)
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

void image_write(const struct image *i, const char *path)
{
	off_t end;
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)i->bytes), 0);
	for (off_t at = 0; next_data(i, &at, &end); at = end)
		assert_int_equal(
			pwrite(fd, i->last + at, (size_t)(end - at), at),
			end - at);
	close(fd);
}
