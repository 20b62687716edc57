// SPDX-License-Identifier: MIT
/* Opening and declaring accounts. */
#include "config.h"

#include <errno.h>

#include "base/uncancelled.h"
#include "account/internal.h"

/* Fill a claimed row. Searches skip it: its generation is even. */
static void fill(const struct tally_accounts *a, uint32_t row,
		 const struct key *key)
{
	struct record *r = record_at(a, row);
	key_word *words = (key_word *)r->key;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&r->hash, key->hash, __ATOMIC_RELAXED);
	__atomic_store_n(&r->key_bytes, (uint16_t)key->bytes, __ATOMIC_RELAXED);
	for (size_t n = 0; n * sizeof(*words) <= key->bytes; n++)
		__atomic_store_n(&words[n], search_word(key, n),
				 __ATOMIC_RELAXED);
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
	struct record *r = record_at(a, row);

	/* After the search: no earlier than the end of one that had the key. */
	__atomic_store_n(&r->born,
			 __atomic_load_n(&layout_control(a->layout)->epoch,
					 __ATOMIC_RELAXED),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&r->next, (uint32_t)head, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(head_of(a, hash), &head,
					   head_after(head, row + 1), false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Add a key that search_find() did not find. Return 1, or 0 if another process
 * added it first. */
static int add(struct tally_accounts *a, const struct key *key, uint32_t phase,
	       uint64_t head, struct found *added)
{
	UNCANCELLED;
	uint32_t row;
	int err;

	if (added->steps >= CHAIN_FULL) {
		reclaim_chain(a);
		err = search_find(a, key, &head, added);
		if (err != -ENOENT)
			return err;
		if (added->steps >= CHAIN_FULL)
			return -ENOSPC;
	}
	err = reclaim_claim(a, phase, &row);
	/* Another process may have added this key, in the last row. */
	if (err == -ENOSPC && !search_find(a, key, &head, added))
		return 0;
	if (err)
		return err;
	fill(a, row, key);
	added->account.row = row;
	added->account.generation = generation_of(a, row);
	added->lifecycle = lifecycle_of(record_at(a, row));
	while (!link_row(a, row, key->hash, head)) {
		err = search_find(a, key, &head, added);
		if (err != -ENOENT) {
			rows_unclaim(a, row);
			return err;
		}
	}
	search_make_ready(a, added);
	return 1;
}

/* Return 1 if the account was added, 0 if it existed. */
static int open_as(struct tally_accounts *a, const char *text, uint32_t phase,
		   struct tally_account *account)
{
	struct key key = search_key(text);
	struct found f;
	uint64_t head;
	int err;

	if (!key.bytes)
		return -EINVAL;
	if (key.bytes > a->layout->header.params.max_key_bytes)
		return -ENAMETOOLONG;
	err = search_find(a, &key, &head, &f);
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
	a->hooks.tell(a->hooks.ledger);
	*account = found;
	return 0;
}
