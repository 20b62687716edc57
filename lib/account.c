// SPDX-License-Identifier: MIT
/* The directory: what is found in it, and how accounts come into it. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "extent.h"

/* More changes of one chain than can happen while it is searched, unless a
 * hostile writer makes them up. */
#define MAX_TRIES 1000

/*
 * A chain has two keys on average where the directory is full, and a dozen at
 * most. Keys that are chosen to be in one chain are refused from here on, and a
 * chain that is twice as long is nobody's but a hostile one's: so no search is
 * long, and one for each key is not quadratic.
 */
#define CHAIN_FULL 128
#define CHAIN_MAX  256

typedef uint64_t key_word __attribute__((may_alias));

struct key {
	const char *text;
	size_t bytes;
	uint32_t hash;
};

int directory_open(struct layout *layout, struct tally_accounts **accounts)
{
	struct tally_accounts *a = calloc(1, sizeof(*a));
	const struct layout_plan *plan = layout->plan;
	int err;

	if (!a)
		return -ENOMEM;
	a->layout = layout;
	err = tally_region_init(layout->origin + plan->accounts.offset,
				plan->holds.offset - plan->accounts.offset,
				layout->fd, (off_t)plan->accounts.offset, -1,
				&a->records);
	if (err) {
		free(a);
		return err;
	}
	pthread_mutex_init(&a->lock, NULL);
	*accounts = a;
	return 0;
}

void directory_close(struct tally_accounts *a)
{
	if (!a)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a);
}

uint32_t directory_rows_in(const struct layout *l)
{
	const struct layout_table *table = &l->plan->accounts;
	uint64_t *known = layout_known_rows(l);
	uint32_t n =
		__atomic_load_n(&directory_at(l)->nr_rows, __ATOMIC_ACQUIRE);

	if (n > table->count)
		n = (uint32_t)table->count;
	/* They are made from the first one on, before they are counted. */
	if (n && !extent_has(l, known, table->offset, table->stride, n - 1))
		n = (uint32_t)__atomic_load_n(known, __ATOMIC_RELAXED);
	return n;
}

bool directory_has_all(const struct tally_accounts *a)
{
	uint32_t copy = __atomic_load_n(&directory_at(a->layout)->nr_rows_copy,
					__ATOMIC_ACQUIRE);

	return directory_nr_rows(a) >= copy;
}

int directory_if_whole(const struct tally_accounts *a, int err)
{
	return directory_has_all(a) && layout_is_whole(a->layout) ? err
								  : -EBADMSG;
}

static struct key make_key(const char *text)
{
	struct key key = {.text = text, .bytes = strlen(text)};
	uint64_t hash = layout_hash(text, key.bytes);

	/* FNV-1a's low bits alone tell short keys apart badly. */
	key.hash = (uint32_t)(hash ^ hash >> 32);
	return key;
}

/* The n-th word of a key, with NULs behind its end. */
static uint64_t word_of(const struct key *key, size_t n)
{
	size_t left = key->bytes - n * sizeof(key_word);
	uint64_t word = 0;

	memcpy(&word, key->text + n * sizeof(word),
	       left < sizeof(word) ? left : sizeof(word));
	return word;
}

static bool has_key(const struct record *r, const struct key *key)
{
	const key_word *words = (const key_word *)r->key;

	if (__atomic_load_n(&r->hash, __ATOMIC_RELAXED) != key->hash ||
	    __atomic_load_n(&r->key_bytes, __ATOMIC_RELAXED) != key->bytes)
		return false;
	for (size_t n = 0; n * sizeof(*words) < key->bytes; n++)
		if (__atomic_load_n(&words[n], __ATOMIC_RELAXED) !=
		    word_of(key, n))
			return false;
	return true;
}

/* What a search found. */
struct found {
	struct tally_account account;
	uint32_t life;
	uint32_t steps; /* that it took */
};

static bool compare(const struct tally_accounts *a, uint32_t row,
		    const struct key *key, struct found *f)
{
	uint32_t generation = generation_of(a, row), life;
	const struct record *r = record_at(a, row);

	if (!(generation & 1) || !has_key(r, key))
		return false;
	/* A record is filled while its generation is even. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	life = life_of(r);
	if (generation_of(a, row) != generation ||
	    !(life_is_live(life) || life_is_claimed(life)))
		return false;
	f->account.row = row;
	f->account.generation = generation;
	f->life = life;
	return true;
}

/* Searches what the head names. It may come upon rows that are in another
 * chain by now, where this one has changed since. */
static int search(const struct tally_accounts *a, uint64_t head,
		  const struct key *key, struct found *found)
{
	uint32_t limit = directory_nr_rows(a);
	uint32_t from = (uint32_t)head;

	found->steps = 0;
	while (from) {
		const struct record *r;

		/* A chain that leaves the rows or comes back is damage. */
		if (from > limit || found->steps++ >= CHAIN_MAX)
			return -EBADMSG;
		r = record_at(a, from - 1);
		/* So it is when something free is linked. */
		if (LIFE_PHASE(life_of(r)) == PHASE_FREE)
			return -EBADMSG;
		if (compare(a, from - 1, key, found))
			return 0;
		from = __atomic_load_n(&r->next, __ATOMIC_ACQUIRE);
	}
	return -ENOENT;
}

/* What is linked, and still claimed, is ready or pending from now on: its owner
 * may have died in between. */
static void make_ready(const struct tally_accounts *a, const struct found *f)
{
	uint32_t life = f->life;

	if (a->layout->writable && life_is_claimed(life))
		__atomic_compare_exchange_n(
			&record_at(a, f->account.row)->life, &life,
			LIFE_PHASE(life) == PHASE_DECLARED ? TALLY_PHASE_PENDING
							   : TALLY_PHASE_READY,
			false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* *head: of the chain, which has no such key, where the result is -ENOENT. */
static int find(const struct tally_accounts *a, const struct key *key,
		uint64_t *head, struct found *f)
{
	const uint64_t *at = head_of(a, key->hash);

	f->steps = 0;
	/* Nor is it compared with what lies beyond a record. */
	if (key->bytes > a->layout->header.params.max_key_bytes)
		return -ENOENT;
	for (int try = 0; try < MAX_TRIES; try++) {
		int err;

		*head = __atomic_load_n(at, __ATOMIC_ACQUIRE);
		err = search(a, *head, key, f);
		/* Whatever chain it is in. */
		if (!err && life_is_live(f->life))
			return 0;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(at, __ATOMIC_RELAXED) != *head)
			continue;
		if (!err)
			make_ready(a, f);
		return err;
	}
	return -EBADMSG;
}

/* Whether the chain has the row. */
static bool has_row(const struct tally_accounts *a, uint64_t head, uint32_t row)
{
	uint32_t steps = 0, limit = directory_nr_rows(a);
	uint32_t at = (uint32_t)head;

	while (at && at <= limit && steps++ < CHAIN_MAX) {
		if (at == row + 1)
			return true;
		at = __atomic_load_n(&record_at(a, at - 1)->next,
				     __ATOMIC_ACQUIRE);
	}
	return false;
}

bool directory_is_linked(const struct tally_accounts *a, uint32_t row)
{
	struct found f = {.account.row = row};
	const struct record *r = record_at(a, row);

	for (int try = 0; try < MAX_TRIES; try++) {
		const uint64_t *at;
		uint64_t head;
		bool linked;

		f.life = life_of(r);
		if (!life_is_claimed(f.life))
			return life_is_live(f.life);
		at = head_of(a, __atomic_load_n(&r->hash, __ATOMIC_RELAXED));
		head = __atomic_load_n(at, __ATOMIC_ACQUIRE);
		linked = generation_of(a, row) & 1 && has_row(a, head, row);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (life_of(r) != f.life ||
		    __atomic_load_n(at, __ATOMIC_RELAXED) != head)
			continue;
		if (linked)
			make_ready(a, &f);
		return linked;
	}
	return false;
}

/* While the row is claimed; who searches sees that the generation is even. */
static void fill(const struct tally_accounts *a, uint32_t row,
		 const struct key *key)
{
	struct record *r = record_at(a, row);
	key_word *words = (key_word *)r->key;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&r->hash, key->hash, __ATOMIC_RELAXED);
	__atomic_store_n(&r->key_bytes, (uint16_t)key->bytes, __ATOMIC_RELAXED);
	for (size_t n = 0; n * sizeof(*words) <= key->bytes; n++)
		__atomic_store_n(&words[n], word_of(key, n), __ATOMIC_RELAXED);
	__atomic_store_n(&r->owner, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&r->child, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&r->sibling, 0, __ATOMIC_RELAXED);
	__atomic_store_n(generation_at(a, row), generation_of(a, row) | 1,
			 __ATOMIC_RELEASE);
	__atomic_fetch_or(&rows_at(a->layout, row / LAYOUT_BUCKET_ROWS)->ready,
			  row_bit(row), __ATOMIC_RELAXED);
}

static bool link_row(const struct tally_accounts *a, uint32_t row,
		     uint32_t hash, uint64_t head)
{
	__atomic_store_n(&record_at(a, row)->next, (uint32_t)head,
			 __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(head_of(a, hash), &head,
					   head_after(head, row + 1), false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Where find() found none: 1, or 0 where another has added it meanwhile. */
static int add(struct tally_accounts *a, const struct key *key, uint32_t phase,
	       uint64_t head, struct found *added)
{
	uint32_t row;
	int err;

	if (added->steps >= CHAIN_FULL)
		return -ENOSPC;
	err = directory_claim(a, phase, &row);
	/* Another may have put this very key into the last row. */
	if (err == -ENOSPC && !find(a, key, &head, added))
		return 0;
	if (err)
		return err;
	fill(a, row, key);
	added->account.row = row;
	added->account.generation = generation_of(a, row);
	added->life = life_of(record_at(a, row));
	while (!link_row(a, row, key->hash, head)) {
		err = find(a, key, &head, added);
		if (err != -ENOENT) {
			directory_unclaim(a, row);
			return err;
		}
	}
	make_ready(a, added);
	return 1;
}

/* 1: added. */
static int open_as(struct tally_accounts *a, const char *text, uint32_t phase,
		   struct tally_account *account)
{
	struct key key = make_key(text);
	struct found f;
	uint64_t head;
	int err;

	if (!key.bytes)
		return -EINVAL;
	if (key.bytes > a->layout->header.params.max_key_bytes)
		return -ENAMETOOLONG;
	err = find(a, &key, &head, &f);
	if (err == -ENOENT)
		err = a->layout->writable ? add(a, &key, phase, head, &f)
					  : -EROFS;
	err = directory_if_whole(a, err);
	if (err >= 0)
		*account = f.account;
	return err;
}

int tally_account_open(struct tally_accounts *a, const char *key,
		       struct tally_account *account)
{
	int err = open_as(a, key, PHASE_CLAIMED, account);

	return err < 0 ? err : 0;
}

int tally_account_declare(struct tally_accounts *a, const char *key,
			  struct tally_account *account)
{
	struct tally_account found;
	int err = open_as(a, key, PHASE_DECLARED, &found);

	if (err < 0)
		return err;
	if (!err)
		return -EEXIST;
	*account = found;
	return 0;
}

int tally_account_find(const struct tally_accounts *a, const char *text,
		       struct tally_account *account)
{
	struct key key = make_key(text);
	struct found f;
	uint64_t head;
	int err = directory_if_whole(a, find(a, &key, &head, &f));

	if (!err)
		*account = f.account;
	return err;
}

/* Whether there is, or was in the epoch, an account in that row. */
static bool is_there(const struct tally_accounts *a, uint32_t row,
		     uint64_t epoch, struct tally_account *account)
{
	uint32_t generation = generation_of(a, row);
	uint32_t life = life_of(record_at(a, row));

	account->row = row;
	account->generation = generation;
	if (life_is_live(life))
		return generation & 1;
	/* Its owner may have died before it was ready. */
	if (life_is_claimed(life))
		return generation & 1 && directory_is_linked(a, row) &&
		       generation_of(a, row) == generation;
	/* What ends just now was there in every snapshot that is held. */
	if (LIFE_PHASE(life) == TALLY_PHASE_GONE && generation & 1)
		return epoch != 0;
	account->generation--;
	return epoch && LIFE_PHASE(life) == TALLY_PHASE_GONE &&
	       directory_has(a, *account, epoch);
}

static int next(const struct tally_accounts *a, uint64_t epoch,
		uint64_t *cursor, struct tally_account *account)
{
	uint32_t end = directory_nr_rows(a);

	while (*cursor < end) {
		uint32_t row = (uint32_t)(*cursor)++;
		struct tally_account found;

		if (is_there(a, row, epoch, &found)) {
			int err = directory_if_whole(a, 0);

			if (!err)
				*account = found;
			return err;
		}
	}
	return directory_if_whole(a, -ENOENT);
}

int tally_account_next(const struct tally_accounts *a, uint64_t *cursor,
		       struct tally_account *account)
{
	return next(a, 0, cursor, account);
}

int tally_account_next_in(const struct tally_accounts *a,
			  enum tally_phase phase, uint64_t *cursor,
			  struct tally_account *account)
{
	uint32_t end = directory_nr_rows(a);

	while (*cursor < end) {
		uint32_t row = (uint32_t)*cursor;
		uint64_t ready = __atomic_load_n(
			&rows_at(a->layout, row / LAYOUT_BUCKET_ROWS)->ready,
			__ATOMIC_ACQUIRE);
		struct tally_account found;

		ready >>= row % LAYOUT_BUCKET_ROWS;
		if (phase == TALLY_PHASE_READY && !(ready & 1)) {
			*cursor += ready ? (unsigned int)__builtin_ctzll(ready)
					 : LAYOUT_BUCKET_ROWS -
						   row % LAYOUT_BUCKET_ROWS;
			continue;
		}
		++*cursor;
		if (is_there(a, row, 0, &found) &&
		    tally_account_phase(a, found) == (int)phase) {
			int err = directory_if_whole(a, 0);

			if (!err)
				*account = found;
			return err;
		}
	}
	return directory_if_whole(a, -ENOENT);
}

bool directory_has(const struct tally_accounts *a, struct tally_account account,
		   uint64_t epoch)
{
	const struct record *r;
	uint32_t generation;

	if (account.row >= directory_nr_rows(a) || !(account.generation & 1))
		return false;
	generation = generation_of(a, account.row);
	if (generation == account.generation)
		return true;
	r = record_at(a, account.row);
	return epoch && generation == account.generation + 1 &&
	       LIFE_PHASE(life_of(r)) == TALLY_PHASE_GONE &&
	       !(directory_gone(a->layout, account.row / LAYOUT_BUCKET_ROWS,
				epoch) &
		 row_bit(account.row));
}

/* A key as it is in the record just now. */
static int copy_key(const struct tally_accounts *a, uint32_t row, char *key,
		    size_t *bytes)
{
	const struct record *r = record_at(a, row);
	const key_word *words = (const key_word *)r->key;
	uint32_t max = a->layout->header.params.max_key_bytes;
	size_t n = __atomic_load_n(&r->key_bytes, __ATOMIC_RELAXED);

	if (!n || n > max)
		return -EBADMSG;
	for (size_t i = 0; i * sizeof(*words) <= n; i++) {
		uint64_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);

		memcpy(key + i * sizeof(word), &word, sizeof(word));
	}
	*bytes = n;
	return strnlen(key, n + 1) == n &&
			       make_key(key).hash ==
				       __atomic_load_n(&r->hash,
						       __ATOMIC_RELAXED)
		       ? 0
		       : -EBADMSG;
}

static int key_of(const struct tally_accounts *a, struct tally_account account,
		  uint64_t epoch, char *key, size_t bytes)
{
	char copy[LAYOUT_MAX_KEY + sizeof(key_word)];
	size_t key_bytes = 0;
	int err;

	if (!directory_has(a, account, epoch))
		return directory_if_whole(a, -ESTALE);
	err = copy_key(a, account.row, copy, &key_bytes);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (!directory_has(a, account, epoch))
		return directory_if_whole(a, -ESTALE);
	if (err)
		return err;
	if (key_bytes >= bytes)
		return -ERANGE;
	memcpy(key, copy, key_bytes + 1);
	return directory_if_whole(a, 0);
}

int tally_account_key(const struct tally_accounts *a,
		      struct tally_account account, char *key, size_t bytes)
{
	return key_of(a, account, 0, key, bytes);
}

int directory_next(const struct tally_accounts *a, uint64_t epoch,
		   uint64_t *cursor, struct tally_account *account, char *key)
{
	size_t bytes = tally_account_key_bytes(a);
	int err;

	do {
		err = next(a, epoch, cursor, account);
		if (!err)
			err = key_of(a, *account, epoch, key, bytes);
	} while (err == -ESTALE); /* gone meanwhile */
	return err;
}

size_t tally_account_key_bytes(const struct tally_accounts *a)
{
	return a->layout->header.params.max_key_bytes + 1;
}

int tally_account_phase(const struct tally_accounts *a,
			struct tally_account account)
{
	uint32_t life;
	int phase = -ESTALE;

	if (!directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	life = life_of(record_at(a, account.row));
	if (generation_of(a, account.row) != account.generation)
		return directory_if_whole(a, -ESTALE);
	if (LIFE_PHASE(life) == PHASE_CLAIMED)
		phase = TALLY_PHASE_READY;
	else if (LIFE_PHASE(life) == PHASE_DECLARED)
		phase = TALLY_PHASE_PENDING;
	else if (life_is_live(life))
		phase = (int)LIFE_PHASE(life);
	return directory_if_whole(a, phase);
}
