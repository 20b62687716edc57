// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ledger/mapped.h"
#include "support/inside.h"

struct layout *inside_open(const char *path)
{
	struct layout *l = calloc(1, sizeof(*l));
	struct layout_header *header;
	struct stat st;

	assert_non_null(l);
	l->file = calloc(1, sizeof(*l->file));
	assert_non_null(l->file);
	l->file->fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(l->file->fd >= 0);
	assert_int_equal(fstat(l->file->fd, &st), 0);
	l->origin = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_NORESERVE, l->file->fd, 0);
	assert_ptr_not_equal(l->origin, MAP_FAILED);
	header = (struct layout_header *)l->origin;
	l->header = *header;
	l->plan = &l->header.plan;
	l->nodes = (struct layout_node *)(l->origin + l->plan->nodes.offset);
	l->places = (struct layout_place *)(l->origin + l->plan->places.offset);
	return l;
}

void inside_close(struct layout *l)
{
	munmap(l->origin, l->header.file_bytes);
	close(l->file->fd);
	free(l->file);
	free(l);
}

void inside_sign(const struct layout *l)
{
	struct layout_header *header = (struct layout_header *)l->origin;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	header->checksum = 0;
	header->ready = 0;
	for (uint64_t i = 0; i < l->plan->once_bytes; i++)
		hash = (hash ^ (unsigned char)l->origin[i]) *
		       UINT64_C(0x100000001b3);
	header->checksum = hash;
	header->ready = 1;
}

/* As lib/file/layout.h says it. */
void inside_seal(const struct layout *l)
{
	static const char zeros[LAYOUT_SUM_BLOCK];
	uint64_t bytes = l->header.file_bytes, sum = 0;
	uint64_t *words = (uint64_t *)(l->origin + bytes - LAYOUT_SUM_BYTES);
	off_t at = 0;

	words[0] = 0;
	while ((at = lseek(l->file->fd, at, SEEK_DATA)) >= 0) {
		const char *block = l->origin + at;

		if (memcmp(block, zeros, LAYOUT_SUM_BLOCK) != 0)
			sum += XXH3_64bits_withSeed(block, LAYOUT_SUM_BLOCK,
						    (uint64_t)at);
		at += LAYOUT_SUM_BLOCK;
	}
	words[0] = sum;
}

void inside_set_kind(const struct layout *l, uint32_t resource, uint32_t kind)
{
	struct layout_resource *resources =
		(struct layout_resource *)(l->origin +
					   l->plan->resources.offset);

	resources[resource].kind = kind;
	inside_sign(l);
}

void inside_set_pairs(struct tally_ledger *ledger, bool pairs)
{
	ledger->pairs = pairs;
}

unsigned int inside_nr_inflight(const struct layout *l)
{
	uint32_t nr_threads = __atomic_load_n(&layout_control(l)->nr_threads,
					      __ATOMIC_RELAXED);
	unsigned int nr = 0;

	for (uint32_t n = 0; n < l->header.params.nr_planes; n++)
		for (uint32_t t = 0; l->places[n].nr_lanes && t < nr_threads;
		     t++)
			nr += __atomic_load_n(&layout_inflight(l, n, t)->word,
					      __ATOMIC_RELAXED) != 0;
	return nr;
}

uint64_t inside_owner(const struct layout *l, pid_t pid)
{
	const struct layout_table *table = &l->plan->writers;

	for (uint64_t i = 0; i < table->count; i++) {
		const struct layout_writer *w =
			(struct layout_writer *)(l->origin + table->offset +
						 i * table->stride);

		if (w->pid == (uint32_t)pid)
			return w->claim >> 32 << 32 | (i + 1);
	}
	return 0;
}

static struct flock lock_of(uint64_t owner, short type)
{
	return (struct flock){
		.l_type = type,
		.l_start = (off_t)(LAYOUT_LOCKS +
				   (((owner - 1) & UINT32_MAX) << 32 |
				    owner >> 32)),
		.l_len = 1,
	};
}

void inside_kill(const char *path, pid_t pid)
{
	struct layout *l = inside_open(path);
	uint64_t owner = inside_owner(l, pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC), status;
	struct flock lock;

	assert_true(fd >= 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	do {
		lock = lock_of(owner, F_RDLCK);
		assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
	} while (owner && lock.l_type != F_UNLCK && !usleep(1000));
	close(fd);
	inside_close(l);
}

int inside_live(const char *path, uint64_t owner)
{
	struct flock lock = lock_of(owner, F_WRLCK);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	return fd;
}

void inside_lock_limits(const struct layout *l, pid_t pid)
{
	uint64_t owner = inside_owner(l, pid);

	assert_int_not_equal(owner, 0);
	__atomic_store_n(&layout_limits(l)->lock, owner, __ATOMIC_RELEASE);
}

struct layout_holding *inside_holding(const struct layout *l, uint32_t node,
				      uint32_t row)
{
	uint64_t *first = &layout_reservation(l, row)->holding;
	struct layout_limits *limits = layout_limits(l);
	struct layout_holding *h;

	for (uint64_t place = *first; place; place = h->next) {
		h = layout_holding(l, place - 1);
		if (h->node == node)
			return h;
	}
	assert_true(limits->nr_holdings < limits->holdings_exist);
	h = layout_holding(l, limits->nr_holdings++);
	h->row = row + UINT64_C(1);
	h->node = node;
	h->next = *first;
	*first = limits->nr_holdings;
	return h;
}

int64_t inside_faults;
int inside_status;

static bool wait_stop(pid_t pid)
{
	struct rusage usage;

	assert_int_equal(wait4(pid, &inside_status, 0, &usage), pid);
	inside_faults &= ~(int64_t)UINT32_MAX; /* of this process */
	inside_faults |= usage.ru_minflt + usage.ru_majflt;
	return WIFSTOPPED(inside_status);
}

bool inside_wait(pid_t pid)
{
	inside_faults += (int64_t)1 << 32;
	/* The child does not outlive a failed test. */
	return wait_stop(pid) &&
	       !ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
}

bool inside_step(pid_t pid)
{
	return !ptrace(PTRACE_SINGLESTEP, pid, 0, 0) && wait_stop(pid);
}

int inside_stop(void)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return -errno;
	raise(SIGSTOP);
	return 0;
}
