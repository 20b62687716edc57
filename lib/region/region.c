// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/region.h>
#include <numatally/slice.h>

#include "base/uncancelled.h"
#include "base/sized.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define NODES_MAX	 4096 /* Linux itself stops at 1024 */
#define LONG_BITS	 (8 * (int)sizeof(long))
#define FALLOCATE_BYTES	 ((off_t)4 << 20) /* no signal interrupts one */
#define WINDOW_BYTES	 ((off_t)32 << 20)
#define RESIDENT_PAGES	 4096
#define MOVE_PAGES_BATCH 1024

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static bool is_paged(uint64_t n)
{
	return n % page_bytes() == 0;
}

/* Not by libnuma: its masks end the process if there is no memory for them. Nor
 * is numa_available() asked: mbind(2) tells what it refuses. */
static int bind_node(void *base, size_t bytes, int node)
{
	unsigned long mask[NODES_MAX / LONG_BITS] = {0};

	if (node >= NODES_MAX)
		return -EINVAL;
	mask[node / LONG_BITS] = 1UL << (node % LONG_BITS);
	/* The kernel reads one bit less than it is told. */
	if (mbind(base, bytes, MPOL_PREFERRED, mask, (unsigned long)node + 2,
		  0) < 0)
		return -errno;
	return 0;
}

static void set_up(void *base, size_t bytes, int fd, off_t offset, int node,
		   struct tally_region *region)
{
	*region = (struct tally_region){
		.base = base,
		.bytes = bytes,
		.offset = offset,
		.fd = fd,
		.node = node < 0 ? -1 : node,
		.bound = node < 0 ? 0 : bind_node(base, bytes, node),
	};
}

int tally_region_create(size_t bytes, int node, struct tally_region *region)
{
	UNCANCELLED;
	size_t page = page_bytes();
	void *base;
	int err;

	if (bytes == 0)
		return -EINVAL;
	if (bytes > SIZE_MAX - page)
		return -ENOMEM;
	bytes = (bytes + page - 1) / page * page;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -errno;
	err = tally_slice_register(base, bytes);
	if (err < 0) {
		munmap(base, bytes);
		return err;
	}
	set_up(base, bytes, -1, 0, node, region);
	return 0;
}

void tally_region_destroy(struct tally_region *region)
{
	if (!region || !region->base)
		return;
	tally_slice_unregister(region->base);
	munmap(region->base, region->bytes);
	*region = (struct tally_region){.fd = -1, .node = -1};
}

int tally_region_init(void *base, size_t bytes, int fd, off_t offset, int node,
		      struct tally_region *region)
{
	UNCANCELLED;

	if (bytes == 0 || offset < 0 || !is_paged((uintptr_t)base) ||
	    !is_paged(bytes) || !is_paged((uint64_t)offset))
		return -EINVAL;
	set_up(base, bytes, fd, offset, node, region);
	return 0;
}

/* Create the pages in the file, so that no access to them can fail. tmpfs takes
 * them from the node that mbind(2) named for this part of the file. */
static int allocate(int fd, off_t from, off_t to)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < to)
		return -EFBIG;
	while (from < to) {
		off_t n = to - from;

		if (n > FALLOCATE_BYTES)
			n = FALLOCATE_BYTES;
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, from, n) == 0)
			from += n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Write to each page what it contains. A read would only map the zero page. An
 * exchange of equal values loses no other thread's add, and no compiler turns
 * it into a load, as it may an add of 0. */
static void touch(char *base, size_t bytes)
{
	size_t page = page_bytes();

	for (size_t i = 0; i < bytes; i += page) {
		uint64_t *word = (uint64_t *)(base + i);
		uint64_t value = __atomic_load_n(word, __ATOMIC_RELAXED);

		while (!__atomic_compare_exchange_n(word, &value, value, false,
						    __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED))
			;
	}
}

/* may_touch: touching a missing page raises no SIGBUS. */
static int populate(char *base, size_t bytes, bool may_touch)
{
	int err;

	do
		err = madvise(base, bytes, MADV_POPULATE_WRITE) < 0 ? errno : 0;
	while (err == EINTR);
	if (err != EINVAL && err != ENOSYS && err != EPERM)
		return -err;
	/* A kernel that knows MADV_POPULATE_WRITE accepts it for 0 bytes. */
	if (madvise(base, 0, MADV_POPULATE_WRITE) == 0)
		return -err;
	if (!may_touch)
		return -EOPNOTSUPP;
	touch(base, bytes);
	return 0;
}

int tally_region_populate(const struct tally_region *region, size_t offset,
			  size_t bytes)
{
	UNCANCELLED;
	size_t page = page_bytes();
	size_t from = offset / page * page;
	bool may_touch = true;
	size_t to;

	assert(offset <= region->bytes && bytes <= region->bytes - offset);
	if (bytes == 0)
		return 0;
	to = (offset + bytes + page - 1) / page * page;
	if (region->fd >= 0) {
		int err = allocate(region->fd, region->offset + (off_t)from,
				   region->offset + (off_t)to);

		if (err == -EOPNOTSUPP)
			may_touch = false;
		else if (err < 0)
			return err;
	}
	return populate((char *)region->base + from, to - from, may_touch);
}

struct survey {
	const struct tally_region *region;
	void (*each)(void *arg, size_t offset, int node);
	void *arg;
	struct tally_placement placement;
	int refused;	      /* 0, or the -errno of move_pages(2) */
	char *window;	      /* the mapping that is asked about */
	size_t window_offset; /* of the window in the region */
	unsigned int nr_pages;
	void *pages[MOVE_PAGES_BATCH];
	int status[MOVE_PAGES_BATCH];
};

static void count(struct survey *s, size_t offset, int status)
{
	const struct tally_region *region = s->region;

	/* Only the zero page is mapped there, or the page just went. In a file
	 * the page exists all the same. Bound memory gets no NUMA hinting
	 * faults, whose pages Linux 6.1 would call missing. */
	if ((status == -ENOENT || status == -EFAULT) && region->fd < 0)
		return;
	s->placement.pages++;
	if (status < 0 || region->node < 0 || region->bound < 0)
		s->placement.unplaced++;
	else if (status == region->node)
		s->placement.placed++;
	else
		s->placement.misplaced++;
	if (s->each)
		s->each(s->arg, offset, status);
}

static void flush(struct survey *s)
{
	if (s->nr_pages > 0 && s->refused == 0 &&
	    move_pages(0, s->nr_pages, s->pages, NULL, s->status, 0) < 0)
		s->refused = -errno;
	for (unsigned int i = 0; i < s->nr_pages; i++)
		count(s,
		      s->window_offset +
			      (size_t)((char *)s->pages[i] - s->window),
		      s->refused < 0 ? s->refused : s->status[i]);
	s->nr_pages = 0;
}

static void ask(struct survey *s, char *page)
{
	s->pages[s->nr_pages++] = page;
	if (s->nr_pages == MOVE_PAGES_BATCH)
		flush(s);
}

/* For anonymous memory, mincore(2) reports this process's page table, and skips
 * ranges that have no table; move_pages(2) would look at each page. */
static int survey_memory(struct survey *s)
{
	const struct tally_region *region = s->region;
	unsigned char resident[RESIDENT_PAGES];
	size_t page = page_bytes();

	s->window = region->base;
	for (size_t from = 0; from < region->bytes;) {
		size_t bytes = region->bytes - from;

		if (bytes > RESIDENT_PAGES * page)
			bytes = RESIDENT_PAGES * page;
		if (mincore(s->window + from, bytes, resident) < 0)
			return -errno;
		for (size_t i = 0; i < bytes / page; i++)
			if (resident[i] & 1)
				ask(s, s->window + from + i * page);
		from += bytes;
	}
	flush(s);
	return 0;
}

/* The kernel tells the node of a file's page only if this process has mapped
 * it. So map the file again, a window at a time; that raises no SIGBUS
 * either. */
static int survey_run(struct survey *s, off_t from, off_t to)
{
	const struct tally_region *region = s->region;
	size_t page = page_bytes();

	while (from < to) {
		size_t bytes = (size_t)(to - from);

		if (bytes > (size_t)WINDOW_BYTES)
			bytes = (size_t)WINDOW_BYTES;
		s->window = mmap(NULL, bytes, PROT_READ,
				 MAP_SHARED | MAP_POPULATE, region->fd, from);
		if (s->window == MAP_FAILED)
			return -errno;
		s->window_offset = (size_t)(from - region->offset);
		for (size_t i = 0; i < bytes; i += page)
			ask(s, s->window + i);
		flush(s);
		munmap(s->window, bytes);
		from += (off_t)bytes;
	}
	return 0;
}

static int survey_file(struct survey *s)
{
	const struct tally_region *region = s->region;
	off_t page = (off_t)page_bytes();
	off_t end = region->offset + (off_t)region->bytes;
	off_t from = region->offset;

	while (from < end) {
		off_t data = lseek(region->fd, from, SEEK_DATA);
		off_t hole;
		int err;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		if (data >= end)
			return 0;
		hole = lseek(region->fd, data, SEEK_HOLE);
		if (hole < 0)
			return errno == ENXIO ? 0 : -errno;
		data = data / page * page;
		from = (hole + page - 1) / page * page;
		if (from > end)
			from = end;
		err = survey_run(s, data, from);
		if (err < 0)
			return err;
	}
	return 0;
}

int tally_region_verify(const struct tally_region *region,
			void (*each)(void *arg, size_t offset, int node),
			void *arg, struct tally_placement *placement)
{
	UNCANCELLED;
	struct survey s = {.region = region, .each = each, .arg = arg};
	int err;

	if (!sized_fits(placement,
			sized_upto(struct tally_placement, unplaced)))
		return -EINVAL;
	err = region->fd < 0 ? survey_memory(&s) : survey_file(&s);
	if (err < 0)
		return err;
	sized_put(placement, &s.placement, sizeof(s.placement));
	return s.refused;
}
