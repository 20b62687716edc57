// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "support/image.h"

/* Finds the runs again where pages may have come or gone: SEEK_DATA takes as long
 * as hundreds of instructions. What was allocated before becomes data by a fault. */
static void find_runs(struct image *i)
{
	int fd = i->now->file->fd;
	struct stat st;
	off_t end = 0;

	assert_int_equal(fstat(fd, &st), 0);
	if (i->runs && st.st_blocks == i->blocks && inside_faults == i->faults)
		return;
	i->blocks = st.st_blocks;
	i->faults = inside_faults;
	i->nr_runs = 0;
	for (;;) {
		off_t at = lseek(fd, end, SEEK_DATA);

		if (at < 0)
			break;
		end = lseek(fd, at, SEEK_HOLE);
		i->runs = realloc(i->runs, (i->nr_runs + 1) * sizeof(*i->runs));
		assert_non_null(i->runs);
		i->runs[i->nr_runs++] =
			(struct image_run){(size_t)at, (size_t)end};
	}
}

void image_open(struct image *i, const char *path)
{
	*i = (struct image){.now = inside_open(path)};
	i->bytes = i->now->header.file_bytes;
	i->last = mmap(NULL, i->bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(i->last, MAP_FAILED);
	image_changed(i);
}

void image_close(struct image *i)
{
	munmap(i->last, i->bytes);
	free(i->runs);
	inside_close(i->now);
}

bool image_changed(struct image *i)
{
	bool any = false;

	find_runs(i);
	for (const struct image_run *r = i->runs; r < i->runs + i->nr_runs;
	     r++) {
		size_t bytes = r->end - r->at;

		if (!memcmp(i->last + r->at, i->now->origin + r->at, bytes))
			continue;
		memcpy(i->last + r->at, i->now->origin + r->at, bytes);
		any = true;
	}
	return any;
}

void image_write(const struct image *i, const char *path)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)i->bytes), 0);
	for (const struct image_run *r = i->runs; r < i->runs + i->nr_runs; r++)
		assert_int_equal(pwrite(fd, i->last + r->at, r->end - r->at,
					(off_t)r->at),
				 r->end - r->at);
	close(fd);
}
