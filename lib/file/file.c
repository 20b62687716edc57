// SPDX-License-Identifier: MIT
/* A ledger's file is mapped: a new one, or one that is read and checked. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file/column.h"
#include "file/internal.h"
#include "file/saved.h"
#include "file/sigbus.h"

static int index_nodes(struct layout *l)
{
	const struct layout_params *params = &l->header.params;
	uint32_t n = 0;

	l->first_node =
		calloc((size_t)params->nr_machines + 1, sizeof(*l->first_node));
	if (!l->first_node)
		return -ENOMEM;
	for (uint32_t m = 0; m <= params->nr_machines; m++) {
		while (n < params->nr_nodes &&
		       (uint32_t)l->nodes[n].id >> LAYOUT_MACHINE_SHIFT < m)
			n++;
		l->first_node[m] = n;
	}
	return 0;
}

static int index_lanes(struct layout *l)
{
	const struct layout_params *params = &l->header.params;
	uint32_t first = 0;

	l->by_slot = calloc((size_t)params->nr_lanes + 1, sizeof(*l->by_slot));
	l->first_slot =
		calloc((size_t)params->nr_planes + 1, sizeof(*l->first_slot));
	if (!l->by_slot || !l->first_slot)
		return -ENOMEM;
	for (uint32_t n = 0; n < params->nr_planes; n++) {
		l->first_slot[n] = first;
		first += l->places[n].nr_lanes;
	}
	for (uint32_t i = 0; i < params->nr_lanes; i++)
		l->by_slot[l->first_slot[l->lanes[i].node] + l->lanes[i].slot] =
			i;
	return 0;
}

/* Set the distances between lanes that lie evenly: see steps. */
static void step_lanes(struct layout *l, uint32_t node)
{
	char *const *cells = l->cells + l->first_slot[node];
	uint32_t nr_lanes = l->places[node].nr_lanes, nr_even = 0;

	for (uint32_t i = nr_lanes; i-- > 1;) {
		nr_even = i + 1 < nr_lanes && cells[i + 1] - cells[i] ==
						      cells[i] - cells[i - 1]
				  ? nr_even + 1
				  : 1;
		if (nr_even + 1 >= LAYOUT_EVEN_LANES)
			l->steps[l->first_slot[node] + i - 1] =
				(uint64_t)(cells[i] - cells[i - 1]);
	}
}

static int make_seen(struct layout *l)
{
	const struct layout_params *params = &l->header.params;
	uint64_t nr_words = 0, first_known;
	void *p;

	l->cells = calloc((size_t)params->nr_lanes + 1, sizeof(*l->cells));
	l->steps = calloc((size_t)params->nr_lanes + 1, sizeof(*l->steps));
	l->first_seen =
		calloc((size_t)params->nr_planes + 1, sizeof(*l->first_seen));
	if (!l->cells || !l->steps || !l->first_seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < params->nr_lanes; i++)
		l->cells[i] = l->origin +
			      layout_cells_offset(l, l->by_slot[i], 0, 0, 0);
	for (uint32_t n = 0; n < params->nr_planes; n++) {
		step_lanes(l, n);
		l->first_seen[n] = nr_words;
		nr_words += params->nr_planes * l->plan->nr_buckets *
			    (LAYOUT_SEEN_SETS +
			     LAYOUT_NR_BANKS * layout_lane_words(l, n));
	}
	first_known = nr_words;
	nr_words += (uint64_t)params->nr_planes *
			    ((uint64_t)params->nr_lanes * 2 * LAYOUT_NR_BANKS +
			     params->nr_planes) +
		    1;
	p = mmap(NULL, nr_words * sizeof(*l->seen), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	l->seen = p;
	l->known = l->seen + first_known;
	l->seen_bytes = nr_words * sizeof(*l->seen);
	return 0;
}

int file_map(struct layout *l)
{
	size_t bytes = l->header.file_bytes;
	int prot = PROT_READ | (l->writable ? PROT_WRITE : 0);
	void *origin = mmap(NULL, bytes, prot, MAP_SHARED | MAP_NORESERVE,
			    l->file->fd, 0);
	int err;

	if (origin == MAP_FAILED)
		return -errno;
	l->origin = origin;
	l->seal = (const uint64_t *)(l->origin + bytes) - 1;
	err = sigbus_guard(origin, bytes, l->writable);
	if (err)
		return err;
	err = tally_slice_register(origin, bytes);
	if (err)
		return err;
	/* Keep core dumps of programs that have a ledger open small. */
	madvise(origin, bytes, MADV_DONTDUMP);
	l->regions = calloc((size_t)l->header.params.nr_planes + 1,
			    sizeof(*l->regions));
	if (!l->regions)
		return -ENOMEM;
	err = index_nodes(l);
	if (!err)
		err = index_lanes(l);
	return err ? err : make_seen(l);
}

int file_place(struct layout *l, uint64_t *file_bytes)
{
	l->places = calloc((size_t)l->header.params.nr_planes + 1,
			   sizeof(*l->places));
	return l->places ? layout_place(&l->header.params, l->plan, l->places,
					l->lanes, file_bytes)
			 : -ENOMEM;
}

int file_init_region(struct layout *l, uint32_t n, int node)
{
	const struct layout_place *at = &l->places[n];

	return tally_region_init(
		l->origin + at->region_offset, at->region_bytes, l->file->fd,
		(off_t)at->region_offset, node, &l->regions[n]);
}

static int read_whole(int fd, void *to, size_t bytes, size_t from)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, (char *)to + done, bytes - done,
				  (off_t)(from + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

static void *copy_table(const char *once, const struct layout_table *table)
{
	void *copy = malloc(table->stride * table->count + 1);

	if (copy)
		memcpy(copy, once + table->offset,
		       table->stride * table->count);
	return copy;
}

/* The tables must be what the plan makes of them. */
static int check_tables(struct layout *l, const char *once)
{
	const struct layout_plan *plan = l->plan;
	const struct layout_params *params = &l->header.params;
	uint64_t file_bytes;
	int err = file_place(l, &file_bytes);

	if (err == -ENOMEM)
		return err;
	if (err || file_bytes != l->header.file_bytes ||
	    !layout_nodes_valid(params, l->nodes, l->machines) ||
	    memcmp(l->places, once + plan->places.offset,
		   plan->places.stride * plan->places.count) ||
	    memcmp(l->lanes, once + plan->lanes.offset,
		   plan->lanes.stride * plan->lanes.count))
		return -EBADMSG;
	for (uint64_t i = 0; i < plan->resources.count; i++)
		if (!layout_resource_valid(&l->resources[i]))
			return -EBADMSG;
	return 0;
}

static int read_once(struct layout *l)
{
	char *once = malloc(l->plan->once_bytes);
	int err;

	if (!once)
		return -ENOMEM;
	err = read_whole(l->file->fd, once, l->plan->once_bytes, 0);
	if (err)
		goto out;
	memcpy(once, &l->header, sizeof(l->header));
	err = -EBADMSG;
	if (header_checksum(once, l->plan->once_bytes) != l->header.checksum)
		goto out;
	err = -ENOMEM;
	l->nodes = copy_table(once, &l->plan->nodes);
	l->machines = copy_table(once, &l->plan->machines);
	l->lanes = copy_table(once, &l->plan->lanes);
	l->resources = copy_table(once, &l->plan->resources);
	if (l->nodes && l->machines && l->lanes && l->resources)
		err = check_tables(l, once);
out:
	free(once);
	return err;
}

/* Of another version, unless only the words that say so are damaged. */
static int check_kind(struct layout *l)
{
	int err = header_check(&l->header);

	if (err != -EPROTO || !(l->header.params.flags & LAYOUT_SAVED))
		return err;
	header_set_kind(&l->header);
	return header_check(&l->header) || read_once(l) ? err : -EBADMSG;
}

static int check_file(struct layout *l)
{
	struct stat st;
	int err;

	if (fstat(l->file->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	err = read_whole(l->file->fd, &l->header, sizeof(l->header), 0);
	if (err)
		return err;
	err = check_kind(l);
	if (err)
		return err;
	if ((uint64_t)st.st_size != l->header.file_bytes)
		return -EBADMSG;
	l->stale = header_is_stale(&l->header);
	err = read_once(l);
	if (err || !(l->header.params.flags & LAYOUT_SAVED))
		return err;
	return l->writable ? -EROFS
			   : saved_check(l->file->fd, l->header.file_bytes);
}

static int open_region(struct layout *l, uint32_t n)
{
	struct layout_region_head *head = layout_region_head(l, n);
	int bound = __atomic_load_n(&head->bound, __ATOMIC_RELAXED);
	int id = __atomic_load_n(&head->id, __ATOMIC_RELAXED);
	int err = file_init_region(l, n, -1);

	if (err)
		return err;
	if (id != l->nodes[n].id || bound > 0 || bound < -4095)
		return -EBADMSG;
	l->regions[n].node = l->nodes[n].id;
	l->regions[n].bound = bound;
	return 0;
}

static int check_columns(const struct layout *l)
{
	struct layout_resource resource;
	int err = 0;

	for (uint32_t i = 0; !err && i < column_nr(l); i++)
		err = column_read(l, i, &resource);
	return err;
}

int layout_map(int fd, bool writable, struct layout **layout)
{
	struct layout *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		close(fd);
		return -ENOMEM;
	}
	l->writable = writable;
	l->plan = &l->header.plan;
	err = descriptor_take(fd, writable, &l->file);
	if (!err)
		err = check_file(l);
	if (!err)
		err = file_map(l);
	for (uint32_t n = 0; !err && n < l->header.params.nr_planes; n++)
		err = open_region(l, n);
	if (!err)
		err = check_columns(l);
	if (!err && !layout_is_whole(l))
		err = -EBADMSG;
	if (err) {
		layout_unmap(l);
		return err;
	}
	*layout = l;
	return 0;
}

void layout_unmap(struct layout *l)
{
	if (!l)
		return;
	if (l->origin) {
		tally_slice_unregister(l->origin);
		sigbus_unguard(l->origin);
		munmap(l->origin, l->header.file_bytes);
	}
	if (l->seen)
		munmap(l->seen, l->seen_bytes);
	descriptor_drop(l->file);
	free(l->cells);
	free(l->steps);
	free(l->first_seen);
	free(l->nodes);
	free(l->machines);
	free(l->first_node);
	free(l->places);
	free(l->lanes);
	free(l->resources);
	free(l->regions);
	free(l->by_slot);
	free(l->first_slot);
	free(l);
}

int layout_populate(const struct layout *l, const struct tally_region *region,
		    size_t offset, size_t bytes)
{
	struct tally_region own = *region;
	int err;

	own.fd = descriptor_get(l->file);
	err = own.fd < 0 ? own.fd : tally_region_populate(&own, offset, bytes);
	return err && !layout_is_whole(l) ? -EBADMSG : err;
}

int layout_node_index(const struct layout *l, int node)
{
	uint32_t machine = (uint32_t)node >> LAYOUT_MACHINE_SHIFT;
	uint32_t low, high, guess;

	if (machine >= l->header.params.nr_machines)
		return -ENOENT;
	low = l->first_node[machine];
	high = l->first_node[machine + 1];
	/* Most machines have the nodes 0 to n - 1. */
	guess = low + ((uint32_t)node & ((1u << LAYOUT_MACHINE_SHIFT) - 1));
	if (guess < high && l->nodes[guess].id == node)
		return (int)guess;
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (l->nodes[middle].id == node)
			return (int)middle;
		if (l->nodes[middle].id < node)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}
