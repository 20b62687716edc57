// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "layout.h"
#include "process.h"

uint64_t layout_hash(const void *data, size_t bytes)
{
	const unsigned char *p = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t once_checksum(char *once, size_t bytes)
{
	struct layout_header *header = (struct layout_header *)once;

	header->checksum = 0;
	header->ready = 0;
	return layout_hash(once, bytes);
}

/* Zeros where the kernel does not say: such a ledger is never stale. */
static void read_boot_id(uint8_t id[16])
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	unsigned int digits = 0;

	memset(id, 0, 16);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	for (const char *p = text; *p && digits < 32; p++) {
		unsigned int v;

		if (*p >= '0' && *p <= '9')
			v = (unsigned int)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = (unsigned int)(*p - 'a') + 10;
		else
			continue;
		id[digits / 2] =
			(uint8_t)((unsigned int)id[digits / 2] << 4 | v);
		digits++;
	}
}

static bool boot_ids_differ(const uint8_t a[16], const uint8_t b[16])
{
	static const uint8_t unknown[16];

	return memcmp(a, unknown, 16) && memcmp(b, unknown, 16) &&
	       memcmp(a, b, 16);
}

static void fill_header(struct layout_header *header)
{
	struct process self;
	struct timespec now;

	memcpy(header->magic, LAYOUT_MAGIC, sizeof(header->magic));
	header->version = LAYOUT_VERSION;
	header->byte_order = LAYOUT_ORDER;
	if (getrandom(header->instance, sizeof(header->instance), 0) < 0)
		memset(header->instance, 0, sizeof(header->instance));
	read_boot_id(header->boot_id);
	clock_gettime(CLOCK_REALTIME, &now);
	header->created_ns =
		(int64_t)now.tv_sec * 1000000000 + (int64_t)now.tv_nsec;
	process_self(&self);
	header->maker_pid = self.pid;
	header->maker_start = self.start;
	header->maker_namespace = self.namespace;
}

static void copy_out(char *once, const struct layout *l)
{
	const struct layout_plan *plan = l->plan;

	memcpy(once, &l->header, sizeof(l->header));
	memcpy(once + plan->nodes.offset, l->nodes,
	       plan->nodes.stride * plan->nodes.count);
	memcpy(once + plan->lanes.offset, l->lanes,
	       plan->lanes.stride * plan->lanes.count);
	memcpy(once + plan->resources.offset, l->resources,
	       plan->resources.stride * plan->resources.count);
}

static int index_lanes(struct layout *l)
{
	const struct layout_params *params = &l->header.params;
	uint32_t first = 0;

	l->by_slot = calloc(params->nr_lanes, sizeof(*l->by_slot));
	l->first_slot = calloc(params->nr_nodes, sizeof(*l->first_slot));
	if (!l->by_slot || !l->first_slot)
		return -ENOMEM;
	for (uint32_t n = 0; n < params->nr_nodes; n++) {
		l->first_slot[n] = first;
		first += l->nodes[n].nr_lanes;
	}
	for (uint32_t i = 0; i < params->nr_lanes; i++)
		l->by_slot[l->first_slot[l->lanes[i].node] + l->lanes[i].slot] =
			i;
	return 0;
}

/* How far each lane's cells are from the next one's, or 0. */
static void step_lanes(struct layout *l, uint32_t node)
{
	char *const *cells = l->cells + l->first_slot[node];
	uint32_t nr_lanes = l->nodes[node].nr_lanes, nr_even = 0;

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

	l->cells = calloc(params->nr_lanes, sizeof(*l->cells));
	l->steps = calloc(params->nr_lanes, sizeof(*l->steps));
	l->first_seen = calloc(params->nr_nodes, sizeof(*l->first_seen));
	if (!l->cells || !l->steps || !l->first_seen)
		return -ENOMEM;
	for (uint32_t i = 0; i < params->nr_lanes; i++)
		l->cells[i] = l->origin +
			      layout_cells_offset(l, l->by_slot[i], 0, 0, 0);
	for (uint32_t n = 0; n < params->nr_nodes; n++) {
		step_lanes(l, n);
		l->first_seen[n] = nr_words;
		nr_words += params->nr_nodes * l->plan->nr_buckets *
			    (LAYOUT_SEEN_SETS +
			     LAYOUT_NR_BANKS * layout_lane_words(l, n));
	}
	first_known = nr_words;
	nr_words += (uint64_t)params->nr_nodes *
			    ((uint64_t)params->nr_lanes * 2 * LAYOUT_NR_BANKS +
			     params->nr_nodes) +
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

static int map_file(struct layout *l)
{
	size_t bytes = l->header.file_bytes;
	int prot = PROT_READ | (l->writable ? PROT_WRITE : 0);
	void *origin =
		mmap(NULL, bytes, prot, MAP_SHARED | MAP_NORESERVE, l->fd, 0);
	int err;

	if (origin == MAP_FAILED)
		return -errno;
	l->origin = origin;
	l->seal = (const uint64_t *)(l->origin + bytes) - 1;
	err = fault_guard(origin, bytes, l->writable);
	if (err)
		return err;
	err = tally_slice_register(origin, bytes);
	if (err)
		return err;
	/* A core dump of a program that keeps a ledger stays small. */
	madvise(origin, bytes, MADV_DONTDUMP);
	assert(l->header.params.nr_nodes > 0);
	l->regions = calloc(l->header.params.nr_nodes, sizeof(*l->regions));
	if (!l->regions)
		return -ENOMEM;
	err = index_lanes(l);
	return err ? err : make_seen(l);
}

static int init_region(struct layout *l, uint32_t n, int node)
{
	const struct layout_node *at = &l->nodes[n];

	return tally_region_init(
		l->origin + at->region_offset, at->region_bytes, l->fd,
		(off_t)at->region_offset, node, &l->regions[n]);
}

static int make_region(struct layout *l, uint32_t n)
{
	const struct layout_node *node = &l->nodes[n];
	struct layout_region_head *head = layout_region_head(l, n);
	int err = init_region(l, n, node->id);

	if (err)
		return err;
	err = tally_region_fault(&l->regions[n], 0, node->marks_offset);
	if (err)
		return err;
	head->id = node->id;
	head->bound = l->regions[n].bound;
	return 0;
}

static void make_records(struct layout *l)
{
	uint32_t nr_planes = l->header.params.nr_nodes;
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
		for (uint32_t p = 0; l->nodes[n].nr_lanes && p < nr_planes; p++)
			tally_slice_place(&layout_settled(l, n)[p],
					  layout_states_offset(l, n, p),
					  nr_buckets);
}

static int write_whole(int fd, const void *from, size_t bytes, uint64_t to)
{
	ssize_t n = pwrite(fd, from, bytes, (off_t)to);

	if (n < 0)
		return -errno;
	return (size_t)n == bytes ? 0 : -ENOSPC;
}

/* Sized, with every page of the metadata that is not filled as it is used. */
static int make_file(struct layout *l)
{
	struct rlimit limit;
	size_t once_bytes = l->plan->once_bytes;
	off_t head_bytes = (off_t)l->plan->accounts.offset;
	const uint64_t seal = LAYOUT_SEAL;
	char *once;
	int err;

	/* Passing the limit would raise SIGXFSZ. */
	if (!getrlimit(RLIMIT_FSIZE, &limit) &&
	    limit.rlim_cur < l->header.file_bytes)
		return -EFBIG;
	if (ftruncate(l->fd, (off_t)l->header.file_bytes))
		return -errno;
	err = posix_fallocate(l->fd, 0, head_bytes);
	if (err)
		return -err;
	once = calloc(1, once_bytes);
	if (!once)
		return -ENOMEM;
	copy_out(once, l);
	l->header.checksum = once_checksum(once, once_bytes);
	((struct layout_header *)once)->checksum = l->header.checksum;
	err = write_whole(l->fd, once, once_bytes, 0);
	free(once);
	return err ? err
		   : write_whole(l->fd, &seal, sizeof(seal),
				 l->header.file_bytes - sizeof(seal));
}

int layout_create(int fd, const struct layout_params *params,
		  struct layout_node *nodes, struct layout_lane *lanes,
		  struct layout_resource *resources, struct layout **layout)
{
	struct layout *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		close(fd);
		free(nodes);
		free(lanes);
		free(resources);
		return -ENOMEM;
	}
	l->fd = fd;
	l->writer_fd = -1;
	l->writable = true;
	l->nodes = nodes;
	l->lanes = lanes;
	l->resources = resources;
	l->plan = &l->header.plan;
	l->header.params = *params;
	err = layout_plan(params, &l->header.plan);
	if (!err)
		err = layout_place(params, l->plan, nodes, lanes,
				   &l->header.file_bytes);
	if (!err) {
		fill_header(&l->header);
		err = make_file(l);
	}
	if (!err)
		err = map_file(l);
	for (uint32_t n = 0; !err && n < params->nr_nodes; n++)
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

static int check_header(const struct layout_header *header)
{
	struct layout_plan plan;

	if (memcmp(header->magic, LAYOUT_MAGIC, sizeof(header->magic)))
		return -EBADMSG;
	if (header->byte_order != LAYOUT_ORDER ||
	    header->version != LAYOUT_VERSION ||
	    header->params.page_bytes != (uint32_t)sysconf(_SC_PAGESIZE))
		return -EPROTO;
	if (layout_plan(&header->params, &plan) ||
	    memcmp(&plan, &header->plan, sizeof(plan)))
		return -EBADMSG;
	if (!header->ready)
		return -EAGAIN;
	return header->ready == 1 ? 0 : -EBADMSG;
}

static void *copy_table(const char *once, const struct layout_table *table)
{
	void *copy = malloc(table->stride * table->count);

	if (copy)
		memcpy(copy, once + table->offset,
		       table->stride * table->count);
	return copy;
}

/* The tables say what the plan would have made of them. */
static int check_tables(struct layout *l, const char *once)
{
	const struct layout_plan *plan = l->plan;
	const struct layout_params *params = &l->header.params;
	uint64_t file_bytes;

	if (layout_place(params, plan, l->nodes, l->lanes, &file_bytes) ||
	    file_bytes != l->header.file_bytes ||
	    memcmp(l->nodes, once + plan->nodes.offset,
		   plan->nodes.stride * plan->nodes.count) ||
	    memcmp(l->lanes, once + plan->lanes.offset,
		   plan->lanes.stride * plan->lanes.count))
		return -EBADMSG;
	for (uint32_t i = 0; i < params->nr_resources; i++)
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
	err = read_whole(l->fd, once, l->plan->once_bytes, 0);
	if (err)
		goto out;
	err = -EBADMSG;
	if (once_checksum(once, l->plan->once_bytes) != l->header.checksum)
		goto out;
	err = -ENOMEM;
	l->nodes = copy_table(once, &l->plan->nodes);
	l->lanes = copy_table(once, &l->plan->lanes);
	l->resources = copy_table(once, &l->plan->resources);
	if (l->nodes && l->lanes && l->resources)
		err = check_tables(l, once);
out:
	free(once);
	return err;
}

static int check_file(struct layout *l)
{
	uint8_t boot_id[16];
	struct stat st;
	int err;

	if (fstat(l->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	err = read_whole(l->fd, &l->header, sizeof(l->header), 0);
	if (err)
		return err;
	err = check_header(&l->header);
	if (err)
		return err;
	if ((uint64_t)st.st_size != l->header.file_bytes)
		return -EBADMSG;
	read_boot_id(boot_id);
	l->stale = boot_ids_differ(boot_id, l->header.boot_id);
	return read_once(l);
}

static int open_region(struct layout *l, uint32_t n)
{
	struct layout_region_head *head = layout_region_head(l, n);
	int bound = __atomic_load_n(&head->bound, __ATOMIC_RELAXED);
	int id = __atomic_load_n(&head->id, __ATOMIC_RELAXED);
	int err = init_region(l, n, -1);

	if (err)
		return err;
	if (id != l->nodes[n].id || bound > 0 || bound < -4095)
		return -EBADMSG;
	l->regions[n].node = l->nodes[n].id;
	l->regions[n].bound = bound;
	return 0;
}

int layout_map(int fd, bool writable, struct layout **layout)
{
	struct layout *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		close(fd);
		return -ENOMEM;
	}
	l->fd = fd;
	l->writer_fd = -1;
	l->writable = writable;
	l->plan = &l->header.plan;
	err = check_file(l);
	if (!err)
		err = map_file(l);
	for (uint32_t n = 0; !err && n < l->header.params.nr_nodes; n++)
		err = open_region(l, n);
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
		fault_unguard(l->origin);
		munmap(l->origin, l->header.file_bytes);
	}
	if (l->seen)
		munmap(l->seen, l->seen_bytes);
	close(l->fd);
	free(l->cells);
	free(l->steps);
	free(l->first_seen);
	free(l->nodes);
	free(l->lanes);
	free(l->resources);
	free(l->regions);
	free(l->by_slot);
	free(l->first_slot);
	free(l);
}

int layout_node_index(const struct layout *l, int node)
{
	uint32_t low = 0, high = l->header.params.nr_nodes;

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
