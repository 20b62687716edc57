// SPDX-License-Identifier: MIT
/* A mapped ledger: its lanes, and what its resources allow. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/ledger.h>
#include <numatally/region.h>

#include "base/cpu.h"
#include "file/column.h"
#include "ledger/map.h"
#include "ledger/mapped.h"
#include "ledger/rseq.h"

#if defined(__SANITIZE_THREAD__)
#define SEES_SEQUENCES 0 /* it would report their adds as races */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SEES_SEQUENCES 0
#endif
#endif
#ifndef SEES_SEQUENCES
#define SEES_SEQUENCES 1
#endif

static bool wants_sequences(void)
{
	const char *value = getenv("NUMATALLY_RSEQ");

	return SEES_SEQUENCES && (!value || strcmp(value, "0") != 0);
}

static void set_stores(struct tally_ledger *l)
{
#if defined(__x86_64__)
	l->quads = __builtin_cpu_supports("avx2");
#elif defined(__aarch64__)
	l->pairs = (getauxval(AT_HWCAP) & HWCAP_USCAT) != 0;
#else
	(void)l;
#endif
}

_Static_assert(TALLY_COUNTER == 1 && TALLY_RESERVABLE == LAYOUT_NR_KINDS,
	       "files hold these kinds");

static uint64_t most_of(uint32_t kind)
{
	switch (kind) {
	case TALLY_COUNTER:
		return INT64_MAX;
	case TALLY_GAUGE:
		return UINT64_MAX;
	default: /* limits alone change it */
		return 0;
	}
}

/* Several threads and handlers may look at once, and find the same. */
static void learn_upto(struct tally_ledger *l, uint32_t nr)
{
	uint32_t known = __atomic_load_n(&l->nr_resources, __ATOMIC_ACQUIRE);

	for (uint32_t i = known; i < nr; i++)
		__atomic_store_n(&l->most[i],
				 most_of(column_kind(l->layout, i)),
				 __ATOMIC_RELAXED);
	while (known < nr &&
	       !__atomic_compare_exchange_n(&l->nr_resources, &known, nr, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

bool ledger_learn(struct tally_ledger *l, unsigned int resource)
{
	uint32_t nr = column_nr(l->layout);

	if (resource >= nr ||
	    resource < __atomic_load_n(&l->nr_resources, __ATOMIC_RELAXED))
		return false;
	learn_upto(l, nr);
	return true;
}

/* nr_plain stays as it is: it is read where each load counts. */
static void set_kinds(struct tally_ledger *l)
{
	learn_upto(l, column_nr(l->layout));
	l->fast.row_bytes = (uint32_t)l->layout->plan->row_bytes;
	while (l->fast.nr_plain < l->nr_resources && l->most[l->fast.nr_plain])
		l->fast.nr_plain++;
}

static void set_lane(struct tally_ledger *l, uint32_t number)
{
	const struct layout *layout = l->layout;
	struct lane *lane = &l->lanes[number];

	lane->number = number;
	lane->plane = layout->lanes[number].node;
	lane->inflight = (char *)layout_inflight(layout, lane->plane, 0);
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

/* As many as the kernel has bits in a set of CPUs. */
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

/* The tables begin in the middle of a page. The first row of CPU 0 lies at the
 * beginning of one, and a load from the same place in another page waits for
 * stores to that row. */
#define BANKS_SKIP 2048

static int open_lanes(struct tally_ledger *l)
{
	const struct layout *layout = l->layout;
	const struct layout_params *params = &layout->header.params;
	char *banks;

	/* None, if the ledger is of other machines alone. */
	l->lanes = calloc((size_t)params->nr_lanes + 1, sizeof(*l->lanes));
	l->banks_bytes = BANKS_SKIP +
			 (LAYOUT_NR_BANKS + 1) * sizeof(*l->banks[0]) +
			 ledger_end_cpu() * sizeof(l->banks[0]->rows[0]);
	banks = map_zeroes(l->banks_bytes);
	l->touched_bytes = (uint64_t)params->nr_lanes * LAYOUT_NR_BANKS *
				   params->nr_planes * ledger_table_bytes(l) +
			   1;
	l->touched = map_zeroes(l->touched_bytes);
	l->tags_bytes = ((uint64_t)params->nr_lanes * LAYOUT_NR_BANKS *
				 params->nr_planes +
			 1) *
			sizeof(*l->tags);
	l->tags = map_zeroes(l->tags_bytes);
	if (banks)
		l->banks[0] = (struct tally_lanes *)(banks + BANKS_SKIP);
	if (!l->lanes || !banks || !l->touched || !l->tags)
		return -ENOMEM;
	for (uint32_t b = 1; b <= LAYOUT_NR_BANKS; b++)
		l->banks[b] = l->banks[b - 1] + 1;
	for (uint32_t i = 0; i < params->nr_lanes; i++)
		set_lane(l, i);
	ledger_use_bank(l, ledger_bank(ledger_epoch_word(l)));
	return 0;
}

int ledger_map(struct layout *layout, bool fenced, struct tally_ledger **ledger)
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
	l->nr_cpus = params->nr_lanes / 2;
	l->row_shift = (uint32_t)__builtin_ctzll(layout->plan->row_bytes);
	set_stores(l);
	set_kinds(l);
	l->checked = tally_slice_checked();
	l->rdpid = l->nr_cpus <= CPU_MASK && cpu_has_rdpid();
	l->sequences = wants_sequences() && rseq_register();
	l->fast.rseq = rseq_offset();
	l->fenced = fenced;
	/* Ending sequences that set no word in flight takes a membarrier. */
	l->tables = l->sequences && l->nr_cpus < TALLY_LANES_MAX &&
		    ledger_end_cpu() <= TALLY_LANES_MAX;
	l->inlined = l->tables && exclusive && !fenced;
	err = open_lanes(l);
	if (err) {
		ledger_unmap(l);
		return err;
	}
	*ledger = l;
	return 0;
}

void ledger_unmap(struct tally_ledger *l)
{
	if (l->touched)
		munmap(l->touched, l->touched_bytes);
	if (l->tags)
		munmap(l->tags, l->tags_bytes);
	if (l->banks[0])
		munmap((char *)l->banks[0] - BANKS_SKIP, l->banks_bytes);
	free(l->lanes);
	pthread_mutex_destroy(&l->lock);
	layout_unmap(l->layout);
	fast_unmap(l);
}

struct tally_accounts *tally_ledger_accounts(struct tally_ledger *l)
{
	return l->accounts;
}

int tally_ledger_resource(const struct tally_ledger *l, const char *name)
{
	return column_find(l->layout, name, NULL);
}
