// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "file/sparse.h"
#include "file/file.h"

uint64_t sparse_from(const struct layout *layout, uint64_t at)
{
	off_t hole = lseek(descriptor_get(layout->file), (off_t)at, SEEK_HOLE);

	if (hole >= 0)
		return (uint64_t)hole - at;
	/* Beyond the end; or else the file system does not tell. */
	return errno == ENXIO ? 0 : layout->header.file_bytes - at;
}

bool sparse_begins(const struct layout *layout, uint64_t at, uint64_t bytes)
{
	off_t data = lseek(descriptor_get(layout->file), (off_t)at, SEEK_DATA);

	if (data >= 0)
		return (uint64_t)data - at < bytes;
	return errno != ENXIO;
}

bool sparse_has(const struct layout *layout, uint64_t *known, uint64_t first,
		uint64_t stride, uint64_t i)
{
	uint64_t end = __atomic_load_n(known, __ATOMIC_RELAXED);

	if (i < end)
		return true;
	/* From the known end: an array that grows is not walked each time. */
	end += sparse_from(layout, first + end * stride) / stride;
	__atomic_store_n(known, end, __ATOMIC_RELAXED);
	return i < end;
}

bool sparse_has_part(const struct layout *layout, uint64_t *known,
		     uint64_t first, uint64_t stride, uint64_t i)
{
	uint64_t part = __atomic_load_n(known, __ATOMIC_RELAXED);
	uint64_t nr;

	if (i >= part >> 32 && i < (uint32_t)part)
		return true;
	nr = sparse_from(layout, first + i * stride) / stride;
	if (!nr && !sparse_begins(layout, first + i * stride, stride))
		return false;
	nr = nr ? nr : 1;
	if (nr > UINT32_MAX - i)
		nr = UINT32_MAX - i;
	__atomic_store_n(known, i << 32 | (i + nr), __ATOMIC_RELAXED);
	return true;
}
