// SPDX-License-Identifier: MIT
/* Opening and closing words of credits. */
#include "config.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "limit/credit_rseq.h"
#include "snapshot/epoch.h"
#include "file/reserved.h"
#include "limit/credit.h"

/* Of a sequence, before the gate is shut. */
#define MAX_TRIES 8

static uint64_t *word_at(const struct layout *l, uint32_t lane, uint64_t index)
{
	return &layout_credits(l, lane)[index].word;
}

/* The tag first: what sees the word sees it. */
static void open_word(struct layout *l, uint32_t lane, uint64_t index,
		      uint64_t word)
{
	struct layout_credit_word *at = &layout_credits(l, lane)[index];

	__atomic_store_n(&at->tag, limit_get(&layout_credit(l, index)->tag),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&at->word, word, __ATOMIC_RELEASE);
}

static bool exists(const struct layout *l, uint32_t lane)
{
	return __atomic_load_n(layout_credit_lane(l, lane), __ATOMIC_ACQUIRE) !=
	       0;
}

/* The cells of the credit's account. */
static int cells_of(struct tally_ledger *l, uint64_t index,
		    struct limit_cells *cells)
{
	const struct layout_credit *c = layout_credit(l->layout, index);
	const struct tally_account account = {
		.row = (uint32_t)limit_get(&c->row),
		.generation = (uint32_t)limit_get(&c->account),
	};
	const struct layout_params *params = &l->layout->header.params;

	if (account.row >= params->max_accounts ||
	    limit_get(&c->node) >= params->nr_nodes ||
	    limit_get(&c->resource) >= params->nr_resources)
		return -EBADMSG;
	return limit_cells_of(l, account, cells);
}

/* Return an idle amount to the pool. */
static int give_back(struct tally_ledger *l, uint64_t index, int64_t idle)
{
	struct layout_credit *c = layout_credit(l->layout, index);
	struct limit_cells cells;
	int err = cells_of(l, index, &cells);

	if (!err)
		err = limit_cells_change(
			&cells, NULL, (uint32_t)limit_get(&c->node),
			(unsigned int)limit_get(&c->resource), -idle);
	if (!err)
		limit_set(l->layout, &c->taken,
			  limit_get(&c->taken) - (uint64_t)idle);
	return err;
}

static void move(struct layout *l, uint32_t lane, uint64_t index, uint64_t word,
		 bool opens)
{
	struct layout_limits *limits = layout_limits(l);

	limit_set(l, &limits->moving, lane + UINT64_C(1));
	limit_set(l, &limits->moving_word, word);
	limit_set(l, &limits->moving_credit, index);
	limit_set(l, &limits->moving_opens, opens);
}

static void moved(struct layout *l)
{
	limit_set(l, &layout_limits(l)->moving, 0);
}

int limit_credit_recover(struct tally_ledger *l)
{
	struct layout *layout = l->layout;
	const struct layout_limits *limits = layout_limits(layout);
	uint64_t moving = limit_get(&limits->moving);
	uint64_t index = limit_get(&limits->moving_credit);
	uint64_t word = limit_get(&limits->moving_word), *at;
	int err = 0;

	if (!moving)
		return 0;
	if (moving > layout->header.params.nr_lanes ||
	    index >= LAYOUT_NR_CREDITS || !exists(layout, (uint32_t)moving - 1))
		return -EBADMSG;
	at = word_at(layout, (uint32_t)moving - 1, index);
	if (!limit_get(at)) {
		if (limit_get(&limits->moving_opens))
			open_word(layout, (uint32_t)moving - 1, index, word);
		else
			err = give_back(l, index, layout_credit_idle(word));
	}
	if (err) {
		limit_undo(layout);
		return err;
	}
	moved(layout);
	limit_keep(layout);
	return 0;
}

/* Change the word from old to 0. shut: no sequence uses it. */
static bool clear(struct tally_ledger *l, uint32_t lane, uint64_t *word,
		  uint64_t old, bool shut)
{
	if (l->inlined && !shut)
		return credit_rseq_swap(l->fast.rseq, lane, word, old, 0);
	return __atomic_compare_exchange_n(word, &old, 0, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Return 1 if the word was open. -EAGAIN: sequences prevent it; shut the
 * gate. */
static int close_word(struct tally_ledger *l, uint32_t lane, uint64_t index,
		      bool shut)
{
	struct layout *layout = l->layout;
	uint64_t *word = word_at(layout, lane, index);
	uint64_t old;
	int err;

	for (int try = 0;; try++) {
		old = limit_get(word);
		if (!old)
			return 0;
		if (try == MAX_TRIES && l->inlined && !shut) {
			moved(layout);
			limit_keep(layout);
			return -EAGAIN;
		}
		move(layout, lane, index, old, false);
		limit_keep(layout);
		if (clear(l, lane, word, old, shut))
			break;
	}
	err = give_back(l, index, layout_credit_idle(old));
	if (err) {
		limit_undo(layout);
		return err;
	}
	moved(layout);
	limit_keep(layout);
	return 1;
}

/* From here to open_gate(), no sequence uses an open word. */
static int shut_gate(struct tally_ledger *l)
{
	if (!l->inlined)
		return 0;
	__atomic_store_n(&l->credit_lanes, l->credit_shut, __ATOMIC_RELEASE);
	return epoch_barrier(l);
}

static void open_gate(struct tally_ledger *l)
{
	if (l->inlined)
		__atomic_store_n(&l->credit_lanes, l->credit_open,
				 __ATOMIC_RELEASE);
}

static int close_all(struct tally_ledger *l, uint64_t index)
{
	struct layout *layout = l->layout;
	struct layout_credit *c = layout_credit(layout, index);
	uint64_t lanes = limit_get(&c->lanes);
	int nr = 0;

	for (uint32_t i = 0; i < l->nr_cpus; i++) {
		int err;

		if (!(lanes >> i % 64 & 1) || !exists(layout, i))
			continue;
		err = close_word(l, i, index, true);
		if (err < 0)
			return err;
		nr += err;
	}
	limit_set(layout, &c->lanes, 0);
	limit_keep(layout);
	return nr;
}

static bool may_be_open(const struct layout *l, uint64_t index,
			const unsigned int *resource)
{
	const struct layout_credit *c = layout_credit(l, index);

	return limit_get(&c->lanes) &&
	       (!resource || limit_get(&c->resource) == *resource);
}

int limit_credit_draw_back(struct tally_ledger *l, const unsigned int *resource)
{
	struct layout *layout = l->layout;
	uint64_t nr_credits = reserved_nr_credits(layout);
	uint64_t first = 0;
	int nr = 0, err;

	while (first < nr_credits && !may_be_open(layout, first, resource))
		first++;
	if (first == nr_credits)
		return 0;
	err = shut_gate(l);
	for (uint64_t i = first; err >= 0 && i < nr_credits; i++) {
		if (!may_be_open(layout, i, resource))
			continue;
		err = close_all(l, i);
		if (err > 0)
			nr += err;
	}
	open_gate(l);
	return err < 0 ? err : nr;
}

static bool is_ending(const struct tally_ledger *l, uint64_t index)
{
	const struct layout_credit *c = layout_credit(l->layout, index);
	const struct tally_account account = {
		.row = (uint32_t)limit_get(&c->row),
		.generation = (uint32_t)limit_get(&c->account),
	};

	return (limit_get(&c->taken) || limit_get(&c->lanes)) &&
	       tally_account_phase(l->accounts, account) ==
		       TALLY_PHASE_TERMINATING;
}

void limit_credit_draw_back_ending(struct tally_ledger *l)
{
	uint64_t nr_credits = reserved_nr_credits(l->layout);
	int err = shut_gate(l);

	for (uint64_t i = 0; !err && i < nr_credits; i++) {
		if (!is_ending(l, i))
			continue;
		if (close_all(l, i) >= 0)
			limit_note(l,
				   (uint32_t)limit_get(
					   &layout_credit(l->layout, i)->row));
	}
	open_gate(l);
}

int limit_credit_close_here(struct tally_ledger *l, uint32_t cpu,
			    uint64_t index)
{
	const unsigned int resource = (unsigned int)limit_get(
		&layout_credit(l->layout, index)->resource);
	int err;

	if (cpu >= l->nr_cpus || !exists(l->layout, cpu))
		return 0;
	err = close_word(l, cpu, index, false);
	return err == -EAGAIN ? limit_credit_draw_back(l, &resource) : err;
}

void limit_credit_plan(struct tally_ledger *l, uint32_t cpu, uint64_t index,
		       int64_t idle)
{
	struct layout_credit *c = layout_credit(l->layout, index);
	uint64_t word = (uint64_t)(idle + 1) << LAYOUT_CREDIT_SHIFT |
			(uint16_t)limit_get(&c->tag);

	limit_set(l->layout, &c->lanes,
		  limit_get(&c->lanes) | UINT64_C(1) << cpu % 64);
	move(l->layout, cpu, index, word, true);
}

void limit_credit_open(struct tally_ledger *l, uint32_t cpu, uint64_t index)
{
	open_word(l->layout, cpu, index,
		  limit_get(&layout_limits(l->layout)->moving_word));
	moved(l->layout);
	limit_keep(l->layout);
}

/* A thread without rseq has a negative CPU number. */
#define LEAD 16

static uint64_t table_end(const struct tally_ledger *l)
{
	uint64_t end = ledger_end_cpu();

	return end > l->nr_cpus ? end : l->nr_cpus;
}

int limit_credit_tables(struct tally_ledger *l)
{
	uint64_t nr = table_end(l) + LEAD;
	uint64_t closed_bytes =
		LAYOUT_NR_CREDITS * sizeof(struct layout_credit_word);
	char *map, **tables;
	long nr_online = sysconf(_SC_NPROCESSORS_ONLN);

	if (l->credit_open)
		return 0;
	l->nr_online = nr_online > 0 ? (uint32_t)nr_online : 1;
	l->credit_bytes = closed_bytes + 2 * nr * sizeof(*tables);
	map = mmap(NULL, l->credit_bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	l->credit_closed = map;
	tables = (char **)(map + closed_bytes);
	for (uint64_t i = 0; i < 2 * nr; i++)
		tables[i] = map;
	l->credit_shut = tables + nr + LEAD;
	l->credit_open = tables + LEAD;
	__atomic_store_n(&l->credit_lanes, l->credit_open, __ATOMIC_RELEASE);
	return 0;
}

void limit_credit_untable(struct tally_ledger *l)
{
	if (l->credit_open)
		munmap(l->credit_closed, l->credit_bytes);
}

int limit_credit_touch(struct tally_ledger *l, uint32_t cpu)
{
	struct layout *layout = l->layout;
	uint32_t node = layout->lanes[cpu].node;
	char *words = (char *)layout_credits(layout, cpu);
	int err = 0;

	if (!exists(layout, cpu)) {
		err = layout_populate(
			layout, &layout->regions[node],
			(size_t)(words - layout->origin) -
				layout->places[node].region_offset,
			LAYOUT_NR_CREDITS * sizeof(struct layout_credit_word));
		if (!err)
			__atomic_store_n(layout_credit_lane(layout, cpu), 1,
					 __ATOMIC_RELEASE);
	}
	if (!err)
		__atomic_store_n(&l->credit_open[cpu], words, __ATOMIC_RELEASE);
	return err;
}
