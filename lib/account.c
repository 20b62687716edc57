// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "extent.h"

enum { FREE = 0, CLAIMED = 1 };

/*
 * A chain has two keys on average where the directory is full, and a dozen at
 * most. Keys that are chosen to be in one chain are refused from here on, and a
 * chain that is twice as long is nobody's but a hostile one's: so no search is
 * long, and one for each key is not quadratic.
 */
#define CHAIN_FULL 128
#define CHAIN_MAX  256

/* Of records, made to exist by one call to the kernel. */
#define FAULT_BYTES (UINT64_C(64) << 10)

struct record {
	uint64_t hash;
	uint32_t phase; /* FREE, CLAIMED or enum tally_phase */
	uint32_t next;	/* row + 1; 0 ends the chain */
	uint32_t key_bytes;
	uint32_t pad[3];
	char key[];
};
_Static_assert(offsetof(struct record, key) == LAYOUT_ACCOUNT_BYTES,
	       "the plan knows the size of a record");

int directory_open(struct layout *layout, struct tally_accounts **accounts)
{
	struct tally_accounts *a = malloc(sizeof(*a));
	const struct layout_plan *plan = layout->plan;
	int err;

	if (!a)
		return -ENOMEM;
	a->layout = layout;
	a->faulted_bytes = 0;
	err = tally_region_init(layout->origin + plan->accounts.offset,
				plan->holds.offset - plan->accounts.offset,
				layout->fd, (off_t)plan->accounts.offset, -1,
				&a->records);
	if (err) {
		free(a);
		return err;
	}
	*accounts = a;
	return 0;
}

void directory_close(struct tally_accounts *accounts)
{
	free(accounts);
}

static struct record *record_at(const struct tally_accounts *a, uint32_t row)
{
	const struct layout_table *table = &a->layout->plan->accounts;

	return (struct record *)(a->layout->origin + table->offset +
				 row * table->stride);
}

static uint32_t *generation_at(const struct tally_accounts *a, uint32_t row)
{
	return (uint32_t *)(a->layout->origin +
			    a->layout->plan->generations.offset) +
	       row;
}

static uint32_t generation_of(const struct tally_accounts *a, uint32_t row)
{
	return __atomic_load_n(generation_at(a, row), __ATOMIC_ACQUIRE);
}

static struct layout_directory *directory(const struct tally_accounts *a)
{
	return (struct layout_directory *)(a->layout->origin +
					   a->layout->plan->directory_offset);
}

static uint64_t *head_of(const struct tally_accounts *a, uint64_t hash)
{
	const struct layout_table *table = &a->layout->plan->heads;

	return (uint64_t *)(a->layout->origin + table->offset) +
	       (hash & (table->count - 1));
}

uint32_t directory_nr_rows(const struct tally_accounts *a)
{
	const struct layout_table *table = &a->layout->plan->accounts;
	uint64_t *known = layout_known_rows(a->layout);
	uint32_t n = __atomic_load_n(&directory(a)->nr_rows, __ATOMIC_ACQUIRE);

	if (n > table->count)
		n = (uint32_t)table->count;
	/* They are made from the first one on, before they are counted. */
	if (n &&
	    !extent_has(a->layout, known, table->offset, table->stride, n - 1))
		n = (uint32_t)__atomic_load_n(known, __ATOMIC_RELAXED);
	return n;
}

bool directory_has_all(const struct tally_accounts *a)
{
	uint32_t copy =
		__atomic_load_n(&directory(a)->nr_rows_copy, __ATOMIC_ACQUIRE);

	return directory_nr_rows(a) >= copy;
}

static uint64_t hash_key(const char *key, size_t bytes)
{
	uint64_t hash = layout_hash(key, bytes);

	/* FNV-1a's low bits alone tell short keys apart badly. */
	return hash ^ hash >> 32;
}

static uint32_t phase_of(const struct record *r)
{
	return __atomic_load_n(&r->phase, __ATOMIC_ACQUIRE);
}

/* Searches the chain from the row that its head names down to the one that is
 * already searched; -ENOENT where the key is in none. *steps: so far. */
static int search(const struct tally_accounts *a, uint64_t from, uint64_t until,
		  uint64_t hash, const char *key, size_t bytes, uint32_t *steps,
		  uint32_t *found)
{
	uint32_t limit = directory_nr_rows(a);

	while (from != until && from) {
		const struct record *r;
		uint32_t row;

		/* A chain that leaves the rows or comes back is damage. */
		if (from > limit || (*steps)++ >= CHAIN_MAX)
			return -EBADMSG;
		row = (uint32_t)from - 1;
		r = record_at(a, row);
		/* Nothing free is linked; and who gave the row back before it
		 * was linked by another had written to it. */
		if (phase_of(r) == FREE)
			return -EBADMSG;
		if (r->hash == hash && r->key_bytes == bytes &&
		    !memcmp(r->key, key, bytes)) {
			*found = row;
			return 0;
		}
		from = __atomic_load_n(&r->next, __ATOMIC_RELAXED);
	}
	return -ENOENT;
}

/* Its owner may have died between linking a row and making it ready. */
static void make_ready(const struct tally_accounts *a, struct record *r)
{
	uint32_t claimed = CLAIMED;

	if (a->layout->writable && phase_of(r) == CLAIMED)
		__atomic_compare_exchange_n(&r->phase, &claimed,
					    TALLY_PHASE_READY, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void handle(const struct tally_accounts *a, uint32_t row,
		   struct tally_account *account)
{
	struct record *r = record_at(a, row);

	make_ready(a, r);
	account->row = row;
	account->generation = generation_of(a, row);
}

static bool claim_row(struct tally_accounts *a, uint32_t row)
{
	uint32_t free_phase = FREE;

	return __atomic_compare_exchange_n(&record_at(a, row)->phase,
					   &free_phase, CLAIMED, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void raise(uint32_t *word, uint32_t to)
{
	uint32_t n = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (n < to &&
	       !__atomic_compare_exchange_n(word, &n, to, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void raise_nr_rows(struct tally_accounts *a, uint32_t to)
{
	raise(&directory(a)->nr_rows, to);
	raise(&directory(a)->nr_rows_copy, to);
}

/* Of nr rows, from one on. */
static int fault_rows(const struct tally_accounts *a, uint32_t row, uint64_t nr)
{
	const struct layout_plan *plan = a->layout->plan;
	int err = tally_region_fault(&a->records, row * plan->accounts.stride,
				     nr * plan->accounts.stride);

	if (err)
		return err;
	return tally_region_fault(&a->records,
				  plan->generations.offset -
					  plan->accounts.offset +
					  row * plan->generations.stride,
				  nr * plan->generations.stride);
}

/* Makes the pages of a row exist, and of some after it where there is room. */
static int fault_row(struct tally_accounts *a, uint32_t row)
{
	uint64_t stride = a->layout->plan->accounts.stride;
	uint64_t from = row * stride, nr = FAULT_BYTES / stride + 1;
	uint64_t done = __atomic_load_n(&a->faulted_bytes, __ATOMIC_RELAXED);
	uint64_t bytes;
	int err;

	if (from + stride <= done)
		return 0;
	if (nr > a->layout->header.params.max_accounts - row)
		nr = a->layout->header.params.max_accounts - row;
	bytes = nr * stride;
	err = fault_rows(a, row, nr);
	if (err)
		return fault_rows(a, row, 1);
	while (done < from + bytes &&
	       !__atomic_compare_exchange_n(&a->faulted_bytes, &done,
					    from + bytes, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return 0;
}

static int claim_fresh(struct tally_accounts *a, uint32_t *claimed)
{
	uint32_t max = a->layout->header.params.max_accounts;
	uint32_t row;
	int err;

	for (row = directory_nr_rows(a); row < max; row++) {
		err = fault_row(a, row);
		if (err)
			return err;
		if (claim_row(a, row)) {
			raise_nr_rows(a, row + 1);
			*claimed = row;
			return 0;
		}
	}
	return -ENOSPC;
}

static bool scan_for_free(struct tally_accounts *a, uint32_t *claimed)
{
	uint32_t row, end = directory_nr_rows(a);

	for (row = 0; row < end; row++) {
		if (phase_of(record_at(a, row)) == FREE && claim_row(a, row)) {
			__atomic_fetch_sub(&directory(a)->nr_freed, 1,
					   __ATOMIC_RELAXED);
			*claimed = row;
			return true;
		}
	}
	return false;
}

/* One that was given back, since another claimed the same key first. A few
 * tries, as rows may be given back behind the scan. */
static int claim_freed(struct tally_accounts *a, uint32_t *claimed)
{
	for (int try = 0; try < 4; try++) {
		if (!__atomic_load_n(&directory(a)->nr_freed, __ATOMIC_ACQUIRE))
			break;
		if (scan_for_free(a, claimed))
			return 0;
	}
	return -ENOSPC;
}

static int claim(struct tally_accounts *a, uint32_t *claimed)
{
	int err = claim_fresh(a, claimed);

	return err == -ENOSPC ? claim_freed(a, claimed) : err;
}

static void unclaim(struct tally_accounts *a, uint32_t row)
{
	__atomic_fetch_add(&directory(a)->nr_freed, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&record_at(a, row)->phase, FREE, __ATOMIC_RELEASE);
}

static int find(const struct tally_accounts *a, const char *key, size_t bytes,
		uint64_t hash, uint64_t *head, uint32_t *steps, uint32_t *row)
{
	*steps = 0;
	/* Nor is it compared with what lies beyond a record. */
	if (bytes > a->layout->header.params.max_key_bytes)
		return -ENOENT;
	*head = __atomic_load_n(head_of(a, hash), __ATOMIC_ACQUIRE);
	return search(a, *head, 0, hash, key, bytes, steps, row);
}

static int add(struct tally_accounts *a, uint64_t hash, const char *key,
	       size_t bytes, uint64_t head, uint32_t steps, uint32_t *added)
{
	struct record *r;
	uint32_t row;
	int err;

	if (steps >= CHAIN_FULL)
		return -ENOSPC;
	err = claim(a, &row);
	/* Another may have put this very key into the last row. */
	if (err == -ENOSPC && !find(a, key, bytes, hash, &head, &steps, added))
		return 0;
	if (err)
		return err;
	r = record_at(a, row);
	if (!generation_of(a, row))
		__atomic_store_n(generation_at(a, row), 1, __ATOMIC_RELAXED);
	r->hash = hash;
	r->key_bytes = (uint32_t)bytes;
	memcpy(r->key, key, bytes + 1);
	for (;;) {
		uint64_t searched = head;

		__atomic_store_n(&r->next, (uint32_t)head, __ATOMIC_RELAXED);
		if (__atomic_compare_exchange_n(
			    head_of(a, hash), &head, row + 1, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			break;
		err = search(a, head, searched, hash, key, bytes, &steps,
			     added);
		if (err != -ENOENT) {
			unclaim(a, row);
			return err;
		}
	}
	*added = row;
	return 0;
}

/* Nothing is true of a file that was cut short, or lacks rows. */
static int if_whole(const struct tally_accounts *a, int err)
{
	return directory_has_all(a) && layout_is_whole(a->layout) ? err
								  : -EBADMSG;
}

int tally_account_open(struct tally_accounts *a, const char *key,
		       struct tally_account *account)
{
	struct tally_account found = {0, 0};
	size_t bytes = strlen(key);
	uint64_t head, hash = hash_key(key, bytes);
	uint32_t row, steps;
	int err;

	if (!bytes)
		return -EINVAL;
	if (bytes > a->layout->header.params.max_key_bytes)
		return -ENAMETOOLONG;
	err = find(a, key, bytes, hash, &head, &steps, &row);
	if (err == -ENOENT)
		err = a->layout->writable
			      ? add(a, hash, key, bytes, head, steps, &row)
			      : -EROFS;
	if (!err)
		handle(a, row, &found);
	err = if_whole(a, err);
	if (!err)
		*account = found;
	return err;
}

int tally_account_find(const struct tally_accounts *a, const char *key,
		       struct tally_account *account)
{
	struct tally_account found = {0, 0};
	size_t bytes = strlen(key);
	uint64_t head, hash = hash_key(key, bytes);
	uint32_t row, steps;
	int err;

	err = find(a, key, bytes, hash, &head, &steps, &row);
	if (!err)
		handle(a, row, &found);
	err = if_whole(a, err);
	if (!err)
		*account = found;
	return err;
}

static bool exists(uint32_t phase)
{
	return phase >= TALLY_PHASE_PENDING && phase <= TALLY_PHASE_TERMINATING;
}

int tally_account_next(const struct tally_accounts *a, uint64_t *cursor,
		       struct tally_account *account)
{
	struct tally_account found = {0, 0};
	uint32_t end = directory_nr_rows(a);
	int err = -ENOENT;

	while (*cursor < end && err) {
		uint32_t row = (uint32_t)(*cursor)++;

		if (exists(phase_of(record_at(a, row)))) {
			handle(a, row, &found);
			err = 0;
		}
	}
	err = if_whole(a, err);
	if (!err)
		*account = found;
	return err;
}

/* The record that the handle means, or NULL. */
static const struct record *lookup(const struct tally_accounts *a,
				   struct tally_account account)
{
	const struct record *r;

	if (account.row >= directory_nr_rows(a))
		return NULL;
	r = record_at(a, account.row);
	if (phase_of(r) == FREE ||
	    generation_of(a, account.row) != account.generation)
		return NULL;
	return r;
}

int tally_account_key(const struct tally_accounts *a,
		      struct tally_account account, char *key, size_t bytes)
{
	const struct record *r = lookup(a, account);
	uint32_t key_bytes;

	if (!r)
		return if_whole(a, -ESTALE);
	key_bytes = __atomic_load_n(&r->key_bytes, __ATOMIC_RELAXED);
	if (!key_bytes || key_bytes > a->layout->header.params.max_key_bytes ||
	    strnlen(r->key, key_bytes + 1) != key_bytes ||
	    hash_key(r->key, key_bytes) != r->hash)
		return -EBADMSG;
	if (key_bytes >= bytes)
		return -ERANGE;
	memcpy(key, r->key, key_bytes);
	key[key_bytes] = '\0';
	return if_whole(a, 0);
}

size_t tally_account_key_bytes(const struct tally_accounts *a)
{
	return a->layout->header.params.max_key_bytes + 1;
}

int tally_account_phase(const struct tally_accounts *a,
			struct tally_account account)
{
	const struct record *r = lookup(a, account);
	uint32_t phase;

	if (!r)
		return if_whole(a, -ESTALE);
	phase = phase_of(r);
	return if_whole(a, phase == CLAIMED ? TALLY_PHASE_PENDING : (int)phase);
}
