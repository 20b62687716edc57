// SPDX-License-Identifier: MIT
#include "config.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "file/layout.h"

#define FILE_BYTES_MAX (UINT64_C(64) << 20)
#define ONCE_BYTES_MAX (UINT64_C(1) << 20)

static char path[64];
static int fd = -1;
static char *file; /* mapped at its largest size */

static void end(void)
{
	unlink(path);
}

static void make_once(void)
{
	const char *dir = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	if (fd >= 0)
		return;
	snprintf(path, sizeof(path), "%s/tally-fuzz-%ld", dir, (long)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	file = mmap(NULL, FILE_BYTES_MAX, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (fd < 0 || file == MAP_FAILED) {
		perror(path);
		abort();
	}
	atexit(end);
}

static uint32_t take_u32(const uint8_t **at, const uint8_t *end_at)
{
	uint32_t n = 0;

	if (end_at - *at >= (ptrdiff_t)sizeof(n)) {
		memcpy(&n, *at, sizeof(n));
		*at += sizeof(n);
	} else {
		*at = end_at;
	}
	return n;
}

static void fill(const uint8_t *at, const uint8_t *end_at, uint64_t bytes)
{
	while (at < end_at) {
		uint64_t index = take_u32(&at, end_at);
		uint64_t nr = take_u32(&at, end_at);
		uint64_t room = (uint64_t)(end_at - at) / 8;

		if (nr > room)
			nr = room;
		if (index < bytes / 8 && nr <= bytes / 8 - index)
			memcpy(file + index * 8, at, nr * 8);
		at += nr * 8;
		if (!nr && room == 0)
			break;
	}
}

static uint64_t hash(const char *p, uint64_t bytes)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (uint64_t i = 0; i < bytes; i++)
		h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static bool resize(uint64_t bytes)
{
	return bytes <= FILE_BYTES_MAX && !ftruncate(fd, (off_t)bytes);
}

/* What follows from the numbers of nodes, lanes and so on. A table that the new
 * plan places elsewhere is lost. */
static bool fix_plan(uint64_t *bytes)
{
	struct layout_header *header = (struct layout_header *)file;
	struct layout_plan plan;
	uint64_t file_bytes;

	if (*bytes < sizeof(*header) || layout_plan(&header->params, &plan))
		return true;
	if (plan.once_bytes > ONCE_BYTES_MAX)
		return false;
	if (*bytes < plan.once_bytes && !resize(plan.once_bytes))
		return false;
	if (*bytes < plan.once_bytes)
		*bytes = plan.once_bytes;
	header->plan = plan;
	if (layout_place(&header->params, &plan,
			 (struct layout_place *)(file + plan.places.offset),
			 (struct layout_lane *)(file + plan.lanes.offset),
			 &file_bytes))
		return true;
	header->file_bytes = file_bytes;
	if (!resize(file_bytes))
		return false;
	*bytes = file_bytes;
	*(uint64_t *)(file + file_bytes - sizeof(uint64_t)) = LAYOUT_SEAL;
	return true;
}

static void fix_checksum(uint64_t bytes)
{
	struct layout_header *header = (struct layout_header *)file;
	uint32_t ready;

	if (bytes < sizeof(*header) || header->plan.once_bytes > bytes)
		return;
	ready = header->ready;
	header->checksum = 0;
	header->ready = 0;
	header->checksum = hash(file, header->plan.once_bytes);
	header->ready = ready;
}

const char *fuzz_make(const uint8_t *data, size_t nr, uint32_t *flags)
{
	const uint8_t *end_at = data + nr;
	uint64_t bytes;

	make_once();
	*flags = take_u32(&data, end_at);
	bytes = (uint64_t)take_u32(&data, end_at) * 8;
	if (!resize(0) || !resize(bytes))
		return NULL;
	fill(data, end_at, bytes);
	if (*flags & FUZZ_PLAN && !fix_plan(&bytes))
		return NULL;
	if (*flags & FUZZ_CHECKSUM)
		fix_checksum(bytes);
	return path;
}

void fuzz_cut(void)
{
	if (ftruncate(fd, 4096))
		abort();
}

static int put_run(FILE *f, const char *image, uint64_t from, uint64_t to)
{
	const uint32_t head[2] = {(uint32_t)from, (uint32_t)(to - from)};

	return fwrite(head, sizeof(head), 1, f) == 1 &&
			       fwrite(image + from * 8, 8, to - from, f) ==
				       to - from
		       ? 0
		       : -1;
}

int fuzz_write(const char *to, uint32_t flags, const char *image, size_t bytes)
{
	const uint32_t head[2] = {flags, (uint32_t)(bytes / 8)};
	const uint64_t *words = (const uint64_t *)image;
	FILE *f = fopen(to, "w");
	uint64_t nr = bytes / 8;
	int err;

	if (!f)
		return -1;
	err = fwrite(head, sizeof(head), 1, f) == 1 ? 0 : -1;
	for (uint64_t i = 0; i < nr && !err;) {
		uint64_t from = i;

		while (i < nr && words[i])
			i++;
		if (i > from)
			err = put_run(f, image, from, i);
		else
			i++;
	}
	return fclose(f) ? -1 : err;
}
