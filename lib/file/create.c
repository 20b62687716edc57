// SPDX-License-Identifier: MIT
/* A ledger's file is created. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "file/internal.h"

static void copy_out(char *once, const struct layout *l)
{
	const struct layout_plan *plan = l->plan;

	memcpy(once, &l->header, sizeof(l->header));
	memcpy(once + plan->nodes.offset, l->nodes,
	       plan->nodes.stride * plan->nodes.count);
	memcpy(once + plan->machines.offset, l->machines,
	       plan->machines.stride * plan->machines.count);
	memcpy(once + plan->places.offset, l->places,
	       plan->places.stride * plan->places.count);
	memcpy(once + plan->lanes.offset, l->lanes,
	       plan->lanes.stride * plan->lanes.count);
	memcpy(once + plan->resources.offset, l->resources,
	       plan->resources.stride * plan->resources.count);
}

static int make_region(struct layout *l, uint32_t n)
{
	struct layout_region_head *head = layout_region_head(l, n);
	int node = l->nodes[n].id;
	int err = file_init_region(l, n, node);

	if (err)
		return err;
	err = tally_region_populate(&l->regions[n], 0,
				    l->places[n].inflight_offset);
	if (err)
		return err;
	head->id = node;
	head->bound = l->regions[n].bound;
	return 0;
}

static void make_records(struct layout *l)
{
	uint32_t nr_planes = l->header.params.nr_planes;
	uint64_t nr_buckets = l->plan->nr_buckets;

	for (uint32_t i = 0; i < l->header.params.nr_lanes; i++) {
		struct tally_slice *record =
			layout_record(l, l->lanes[i].node, l->lanes[i].slot);

		for (uint32_t bp = 0; bp < LAYOUT_NR_BANKS * nr_planes; bp++)
			tally_slice_place(&record[bp],
					  layout_headers_offset(l, i,
								bp / nr_planes,
								bp % nr_planes),
					  nr_buckets);
	}
	for (uint32_t n = 0; n < nr_planes; n++)
		for (uint32_t p = 0; l->places[n].nr_lanes && p < nr_planes;
		     p++)
			tally_slice_place(&layout_folded(l, n)[p],
					  layout_states_offset(l, n, p),
					  nr_buckets);
}

static int write_whole(int fd, const void *from, size_t bytes, uint64_t to)
{
	ssize_t n;

	do
		n = pwrite(fd, from, bytes, (off_t)to);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == bytes ? 0 : -ENOSPC;
}

/* Set the size, and allocate the metadata up to the sparse tables. */
static int make_file(struct layout *l)
{
	struct rlimit limit;
	size_t once_bytes = l->plan->once_bytes;
	off_t head_bytes = (off_t)l->plan->accounts.offset;
	const uint64_t seal = LAYOUT_SEAL;
	char *once;
	int err;

	/* Exceeding the limit would raise SIGXFSZ. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) &&
	    limit.rlim_cur < l->header.file_bytes)
		return -EFBIG;
	if (ftruncate(l->file->fd, (off_t)l->header.file_bytes))
		return -errno;
	do
		err = posix_fallocate(l->file->fd, 0, head_bytes);
	while (err == EINTR);
	if (err)
		return -err;
	once = calloc(1, once_bytes);
	if (!once)
		return -ENOMEM;
	copy_out(once, l);
	l->header.checksum = header_checksum(once, once_bytes);
	((struct layout_header *)once)->checksum = l->header.checksum;
	err = write_whole(l->file->fd, once, once_bytes, 0);
	free(once);
	return err ? err
		   : write_whole(l->file->fd, &seal, sizeof(seal),
				 l->header.file_bytes - sizeof(seal));
}

void layout_content_free(struct layout_content *content)
{
	free(content->nodes);
	free(content->machines);
	free(content->lanes);
	free(content->resources);
}

int layout_create(int fd, const struct layout_content *content,
		  struct layout **layout)
{
	struct layout *l = calloc(1, sizeof(*l));
	struct layout_content own = *content;
	int err;

	if (!l) {
		close(fd);
		layout_content_free(&own);
		return -ENOMEM;
	}
	l->writable = true;
	l->nodes = own.nodes;
	l->machines = own.machines;
	l->lanes = own.lanes;
	l->resources = own.resources;
	l->plan = &l->header.plan;
	l->header.params = own.params;
	err = descriptor_take(fd, true, &l->file);
	if (!err)
		err = layout_plan(&own.params, &l->header.plan);
	if (!err)
		err = file_place(l, &l->header.file_bytes);
	if (!err && !layout_nodes_valid(&own.params, l->nodes, l->machines))
		err = -EINVAL;
	if (!err) {
		header_fill(&l->header);
		err = make_file(l);
	}
	if (!err)
		err = file_map(l);
	for (uint32_t n = 0; !err && n < own.params.nr_planes; n++)
		err = make_region(l, n);
	if (err) {
		layout_unmap(l);
		return err;
	}
	make_records(l);
	*layout = l;
	return 0;
}

void layout_publish(struct layout *l)
{
	struct layout_header *header = (struct layout_header *)l->origin;

	__atomic_store_n(&header->ready, 1, __ATOMIC_RELEASE);
}
