// SPDX-License-Identifier: MIT
/* Searching for keys. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "account/internal.h"

/* A chain does not change more often while it is searched, unless a hostile
 * writer pretends so. */
#define MAX_TRIES 1000

/* Longer than an honest writer makes a chain (CHAIN_FULL). With that limit no
 * search is long, and a search for each key is not quadratic. */
#define CHAIN_MAX 256

struct key search_key(const char *text)
{
	struct key key = {.text = text, .bytes = strlen(text)};
	uint64_t hash = layout_hash(text, key.bytes);

	/* FNV-1a's low bits alone are poor for short keys. */
	key.hash = (uint32_t)(hash ^ hash >> 32);
	return key;
}

uint64_t search_word(const struct key *key, size_t n)
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
		    search_word(key, n))
			return false;
	return true;
}

static bool compare(const struct tally_accounts *a, uint32_t row,
		    const struct key *key, struct found *f)
{
	uint32_t generation = generation_of(a, row), lifecycle;
	const struct record *r = record_at(a, row);

	if (!(generation & 1) || !has_key(r, key))
		return false;
	/* A record is filled while its generation is even. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	lifecycle = lifecycle_of(r);
	if (generation_of(a, row) != generation ||
	    !(lifecycle_is_live(lifecycle) || lifecycle_is_claimed(lifecycle)))
		return false;
	f->account.row = row;
	f->account.generation = generation;
	f->lifecycle = lifecycle;
	return true;
}

/* Search from the head on. If the chain changes meanwhile, this may reach rows
 * of another chain. */
static int search_chain(const struct tally_accounts *a, uint64_t head,
			const struct key *key, struct found *found)
{
	uint32_t limit = directory_nr_rows(a);
	uint32_t from = (uint32_t)head;

	found->steps = 0;
	while (from) {
		const struct record *r;

		/* A link beyond the rows, or a ring, is damage. */
		if (from > limit || found->steps++ >= CHAIN_MAX)
			return -EBADMSG;
		r = record_at(a, from - 1);
		/* So is a free row in a chain. */
		if (LIFECYCLE_PHASE(lifecycle_of(r)) == PHASE_FREE)
			return -EBADMSG;
		if (compare(a, from - 1, key, found))
			return 0;
		from = __atomic_load_n(&r->next, __ATOMIC_ACQUIRE);
	}
	return -ENOENT;
}

void search_make_ready(const struct tally_accounts *a, const struct found *f)
{
	uint32_t lifecycle = f->lifecycle;

	if (a->layout->writable && lifecycle_is_claimed(lifecycle))
		__atomic_compare_exchange_n(
			&record_at(a, f->account.row)->lifecycle, &lifecycle,
			LIFECYCLE_PHASE(lifecycle) == PHASE_DECLARED
				? TALLY_PHASE_PENDING
				: TALLY_PHASE_READY,
			false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

int search_find(const struct tally_accounts *a, const struct key *key,
		uint64_t *head, struct found *f)
{
	const uint64_t *at = head_of(a, key->hash);

	f->steps = 0;
	/* Comparing it would read beyond the record. */
	if (key->bytes > a->layout->header.params.max_key_bytes)
		return -ENOENT;
	for (int try = 0; try < MAX_TRIES; try++) {
		int err;

		*head = __atomic_load_n(at, __ATOMIC_ACQUIRE);
		err = search_chain(a, *head, key, f);
		/* In whichever chain the row is. */
		if (!err && lifecycle_is_live(f->lifecycle))
			return 0;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(at, __ATOMIC_RELAXED) != *head)
			continue;
		if (!err)
			search_make_ready(a, f);
		return err;
	}
	return -EBADMSG;
}

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

bool search_is_linked(const struct tally_accounts *a, uint32_t row)
{
	struct found f = {.account.row = row};
	const struct record *r = record_at(a, row);

	for (int try = 0; try < MAX_TRIES; try++) {
		const uint64_t *at;
		uint64_t head;
		bool linked;

		f.lifecycle = lifecycle_of(r);
		if (!lifecycle_is_claimed(f.lifecycle))
			return lifecycle_is_live(f.lifecycle);
		at = head_of(a, __atomic_load_n(&r->hash, __ATOMIC_RELAXED));
		head = __atomic_load_n(at, __ATOMIC_ACQUIRE);
		linked = generation_of(a, row) & 1 && has_row(a, head, row);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (lifecycle_of(r) != f.lifecycle ||
		    __atomic_load_n(at, __ATOMIC_RELAXED) != head)
			continue;
		if (linked)
			search_make_ready(a, &f);
		return linked;
	}
	return false;
}

int tally_account_find(const struct tally_accounts *a, const char *text,
		       struct tally_account *account)
{
	struct key key = search_key(text);
	struct found f;
	uint64_t head;
	int err = directory_if_whole(a, search_find(a, &key, &head, &f));

	if (!err)
		*account = f.account;
	return err;
}

/* Copy the key that the record has at this moment. */
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
			       search_key(key).hash ==
				       __atomic_load_n(&r->hash,
						       __ATOMIC_RELAXED)
		       ? 0
		       : -EBADMSG;
}

int search_key_of(const struct tally_accounts *a, struct tally_account account,
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
	return search_key_of(a, account, 0, key, bytes);
}

size_t tally_account_key_bytes(const struct tally_accounts *a)
{
	return a->layout->header.params.max_key_bytes + 1;
}
