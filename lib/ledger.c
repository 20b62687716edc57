// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/ledger.h>
#include <numatally/region.h>

#ifdef HAVE_SYS_RSEQ_H
#include <sys/rseq.h>
#endif

#include "cpu.h"
#include "directory.h"
#include "epoch.h"
#include "fast.h"
#include "ledger_internal.h"
#include "limit_credit.h"
#include "limit_hold.h"
#include "limit_lock.h"
#include "mark.h"
#include "writer.h"

#if defined(__SANITIZE_THREAD__)
#define SEES_SEQUENCES 0 /* it would take their adds for races */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SEES_SEQUENCES 0
#endif
#endif
#ifndef SEES_SEQUENCES
#define SEES_SEQUENCES 1
#endif

/* Whether this thread's rseq area is registered, as glibc (2.35 and later) does
 * it for every thread, and where it is. */
static bool have_sequences(ptrdiff_t *offset)
{
#if TALLY_RSEQ_BYTES > 0 && defined(HAVE_SYS_RSEQ_H)
	const struct rseq *area =
		(const struct rseq *)((char *)__builtin_thread_pointer() +
				      __rseq_offset);

	*offset = __rseq_offset;
	return SEES_SEQUENCES && __rseq_size && (int)area->cpu_id >= 0;
#else
	*offset = 0;
	return false;
#endif
}

static void set_stores(struct tally_fast *fast)
{
	fast->vector_bytes = TALLY_RSEQ_BYTES;
#if defined(__x86_64__)
	if (!__builtin_cpu_supports("avx2"))
		fast->vector_bytes = 16;
#elif defined(__aarch64__)
	fast->pairs = (getauxval(AT_HWCAP) & HWCAP_USCAT) != 0;
#endif
}

static void set_lane(struct tally_ledger *l, uint32_t number)
{
	const struct layout *layout = l->layout;
	struct lane *lane = &l->lanes[number];

	lane->number = number;
	lane->plane = layout->lanes[number].node;
	lane->marks = (char *)layout_mark(layout, lane->plane, 0);
	for (uint32_t b = 0; b < LAYOUT_NR_BANKS; b++) {
		lane->rows[b] =
			layout->origin +
			layout_cells_offset(layout, number, b, lane->plane, 0);
		if (!l->tables || number >= l->nr_cpus)
			continue;
		l->banks[b]->rows[number] = lane->rows[b];
		l->banks[b]->touched[number] =
			ledger_touched(l, number, b, lane->plane);
	}
}

/* What CPU numbers there can be, rounded up: as many bits as the kernel has in
 * a set of CPUs. */
uint64_t ledger_end_cpu(void)
{
	unsigned long set[1024];
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(set), set);

	return 8 * (bytes < 0 ? sizeof(set) : (uint64_t)bytes);
}

static void *map_zeroes(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The tables begin within a page: at its beginning lies the first row of CPU 0,
 * and a load from the same place in another page waits for stores to that. */
#define BANKS_SKIP 2048

static int open_lanes(struct tally_ledger *l)
{
	const struct layout *layout = l->layout;
	const struct layout_params *params = &layout->header.params;
	char *banks;

	l->lanes = calloc(params->nr_lanes, sizeof(*l->lanes));
	l->banks_bytes = BANKS_SKIP +
			 (LAYOUT_NR_BANKS + 1) * sizeof(*l->banks[0]) +
			 ledger_end_cpu() * sizeof(l->banks[0]->rows[0]);
	banks = map_zeroes(l->banks_bytes);
	l->touched_bytes = (uint64_t)params->nr_lanes * LAYOUT_NR_BANKS *
			   params->nr_nodes * layout->plan->nr_buckets;
	l->touched = map_zeroes(l->touched_bytes);
	if (banks)
		l->banks[0] = (struct tally_lanes *)(banks + BANKS_SKIP);
	if (!l->lanes || !banks || !l->touched)
		return -ENOMEM;
	for (uint32_t b = 1; b <= LAYOUT_NR_BANKS; b++)
		l->banks[b] = l->banks[b - 1] + 1;
	for (uint32_t i = 0; i < params->nr_lanes; i++)
		set_lane(l, i);
	ledger_use_bank(l, ledger_bank(ledger_tag(l)));
	return 0;
}

static void close_over(struct tally_ledger *l)
{
	directory_close(l->accounts);
	limit_credit_untable(l);
	if (l->touched)
		munmap(l->touched, l->touched_bytes);
	if (l->banks[0])
		munmap((char *)l->banks[0] - BANKS_SKIP, l->banks_bytes);
	free(l->lanes);
	pthread_mutex_destroy(&l->lock);
	layout_unmap(l->layout);
	fast_unmap(l);
}

static int join(void *ledger, uint32_t *slot, uint32_t *generation)
{
	struct tally_ledger *l = ledger;
	int err = ledger_join(l);

	if (err)
		return err;
	*slot = l->writer;
	*generation = l->generation;
	return 0;
}

static int cool(void *ledger, int64_t timeout_ns)
{
	return epoch_cool(ledger, timeout_ns);
}

static void settle(void *ledger)
{
	limit_credit_settle(ledger);
}

int ledger_open_over(struct layout *layout, struct tally_ledger **ledger)
{
	const struct layout_params *params = &layout->header.params;
	bool exclusive = params->flags & LAYOUT_EXCLUSIVE;
	struct tally_ledger *l;
	int err = fast_map(layout, &l);

	if (err) {
		layout_unmap(layout);
		return err;
	}
	l->layout = layout;
	pthread_mutex_init(&l->lock, NULL);
	l->fast.known = mark_known_offset();
	l->nr_cpus = params->nr_lanes / 2;
	l->row_shift = (uint32_t)__builtin_ctzll(layout->plan->row_bytes);
	set_stores(&l->fast);
	l->rdpid = l->nr_cpus <= CPU_MASK && cpu_has_rdpid();
	l->sequences = have_sequences(&l->fast.rseq);
	l->fenced = epoch_register(exclusive) != 0;
	/* Nothing but a membarrier ends a sequence that is not marked. */
	l->tables = l->sequences && l->nr_cpus < TALLY_LANES_MAX &&
		    ledger_end_cpu() <= TALLY_LANES_MAX;
	l->inlined = l->tables && exclusive && !l->fenced;
	err = open_lanes(l);
	if (!err)
		err = directory_open(layout, &l->accounts);
	if (!err)
		err = writer_join(layout, &l->writer, &l->generation);
	if (!err) {
		directory_serve(l->accounts, &(struct directory_hooks){
						     .ledger = l,
						     .join = join,
						     .cool = cool,
						     .settle = settle,
					     });
		epoch_join(l);
		directory_join(l->accounts, l->writer);
		limit_lock_join(layout, l->writer);
		writer_set_reached(layout, l->writer, !l->fenced);
		err = limit_hold_open(l);
		if (!err)
			err = ledger_list_add(l);
		if (err)
			writer_leave(layout, l->writer);
		else
			ledger_set_marked(l, l->tables && !exclusive &&
						     !l->fenced);
	}
	if (err) {
		close_over(l);
		return err;
	}
	*ledger = l;
	return 0;
}

void ledger_forked(struct tally_ledger *l)
{
	bool exclusive = l->layout->header.params.flags & LAYOUT_EXCLUSIVE;

	pthread_mutex_init(&l->lock, NULL); /* whoever held it is not here */
	writer_forked(l->layout);
	directory_forked(l->accounts);
	l->pins = 0;
	l->inlined = false;
	ledger_set_marked(l, false);
	ledger_use_bank(l, 0);
	l->credit_lanes = exclusive ? l->credit_shut : l->credit_open;
	l->forbidden = exclusive;
	l->writer = LEDGER_NO_WRITER;
}

int ledger_join(struct tally_ledger *l)
{
	int err = 0;

	if (l->forbidden)
		return -EPERM;
	/* Not under the lock, which is held while others are waited for. */
	if (__atomic_load_n(&l->writer, __ATOMIC_ACQUIRE) != LEDGER_NO_WRITER)
		return 0;
	pthread_mutex_lock(&l->lock);
	if (l->writer == LEDGER_NO_WRITER) {
		uint32_t slot;

		err = writer_join(l->layout, &slot, &l->generation);
		if (!err) {
			l->fenced = epoch_register(false) != 0;
			writer_set_reached(l->layout, slot, !l->fenced);
			ledger_set_marked(l, l->tables && !l->fenced);
			directory_join(l->accounts, slot);
			limit_lock_join(l->layout, slot);
			__atomic_store_n(&l->writer, slot, __ATOMIC_RELEASE);
			epoch_join(l);
		}
	}
	pthread_mutex_unlock(&l->lock);
	return err;
}

int tally_ledger_open(const char *path, struct tally_ledger **ledger)
{
	struct tally_ledger *l;
	struct layout *layout;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = layout_map(fd, true, &layout);
	if (err)
		return err;
	if (layout->stale) {
		layout_unmap(layout);
		return -ESTALE;
	}
	err = ledger_open_over(layout, &l);
	if (err)
		return err;
	/* The maker of an exclusive one may have died: then it is ours. */
	if (layout->header.params.flags & LAYOUT_EXCLUSIVE &&
	    !writer_alone(layout, l->writer)) {
		tally_ledger_close(l);
		return -EBUSY;
	}
	*ledger = l;
	return 0;
}

void tally_ledger_close(struct tally_ledger *l)
{
	if (!l)
		return;
	ledger_list_remove(l);
	if (l->writer != LEDGER_NO_WRITER) {
		epoch_close(l);
		mark_leave_all(l);
		writer_leave(l->layout, l->writer);
	}
	close_over(l);
}

struct tally_accounts *tally_ledger_accounts(struct tally_ledger *l)
{
	return l->accounts;
}

int tally_ledger_resource(const struct tally_ledger *l, const char *name)
{
	uint32_t nr = l->layout->header.params.nr_resources;

	for (uint32_t i = 0; i < nr; i++)
		if (!strcmp(l->layout->resources[i].name, name))
			return (int)i;
	return -ENOENT;
}
