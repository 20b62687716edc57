// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All of it is inlined: no library is needed to run. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "file/layout.h"
#include "file/saved.h"

#define BLOCK	     LAYOUT_SUM_BLOCK
#define BUFFER_BYTES ((size_t)256 * BLOCK)

static bool is_zero(const char *block)
{
	static const char zeros[BLOCK];

	return !memcmp(block, zeros, BLOCK);
}

/* The sum over whole blocks, the first of which lies at this offset. */
static uint64_t sum_of(const char *blocks, size_t bytes, uint64_t at)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < bytes; i += BLOCK)
		if (!is_zero(blocks + i))
			sum += XXH3_64bits_withSeed(blocks + i, BLOCK, at + i);
	return sum;
}

static int read_whole(int fd, char *to, size_t bytes, uint64_t from)
{
	while (bytes) {
		ssize_t n = pread(fd, to, bytes, (off_t)from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		to += n;
		from += (uint64_t)n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* Find the next bytes at or behind *at that are no hole, in whole blocks. False:
 * there are none before the end. */
static bool next_data(int fd, uint64_t file_bytes, uint64_t *at, uint64_t *end)
{
	off_t data = lseek(fd, (off_t)*at, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO)
		return false;
	/* If the file system does not tell, all of it is data. */
	if (data >= 0)
		*at = (uint64_t)data / BLOCK * BLOCK;
	hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
	*end = hole < 0 ? file_bytes
			: ((uint64_t)hole + BLOCK - 1) / BLOCK * BLOCK;
	if (*end > file_bytes)
		*end = file_bytes;
	return *at < *end;
}

/* The sum over the file, with 0 where the checksum lies. *found is that. */
static int sum_file(int fd, uint64_t file_bytes, uint64_t *sum, uint64_t *found)
{
	const uint64_t sum_at = file_bytes - LAYOUT_SUM_BYTES;
	uint64_t at = 0, end, total = 0;
	char *buffer = malloc(BUFFER_BYTES);
	int err = buffer ? 0 : -ENOMEM;

	*found = 0;
	while (!err && at < file_bytes &&
	       next_data(fd, file_bytes, &at, &end)) {
		for (size_t n; !err && at < end; at += n) {
			n = end - at < BUFFER_BYTES ? end - at : BUFFER_BYTES;
			err = read_whole(fd, buffer, n, at);
			if (!err && at + n == file_bytes) {
				char *word = buffer + (sum_at - at);

				memcpy(found, word, sizeof(*found));
				memset(word, 0, sizeof(*found));
			}
			if (!err)
				total += sum_of(buffer, n, at);
		}
	}
	free(buffer);
	*sum = total;
	return err;
}

int saved_seal(int fd, uint64_t file_bytes)
{
	uint64_t sum, found;
	ssize_t n;
	int err = sum_file(fd, file_bytes, &sum, &found);

	if (err)
		return err;
	do
		n = pwrite(fd, &sum, sizeof(sum),
			   (off_t)(file_bytes - LAYOUT_SUM_BYTES));
	while (n < 0 && errno == EINTR);
	if (n < 0 || fsync(fd))
		return -errno;
	return n == sizeof(sum) ? 0 : -ENOSPC;
}

int saved_check(int fd, uint64_t file_bytes)
{
	uint64_t sum, found;
	int err = sum_file(fd, file_bytes, &sum, &found);

	return !err && sum != found ? -EBADMSG : err;
}
