// SPDX-License-Identifier: MIT
/* Iterating over accounts, and the phase of one. */
#include "config.h"

#include <errno.h>

#include "account/internal.h"

/* Whether the row has an account, or had one in the epoch. */
static bool is_there(const struct tally_accounts *a, uint32_t row,
		     uint64_t epoch, struct tally_account *account)
{
	uint32_t generation = generation_of(a, row);
	uint32_t lifecycle = lifecycle_of(record_at(a, row));

	account->row = row;
	account->generation = generation;
	if (lifecycle_is_live(lifecycle))
		return generation & 1 && directory_is_born(a, row, epoch);
	/* Its claimer may have died before it was ready. */
	if (lifecycle_is_claimed(lifecycle))
		return generation & 1 && search_is_linked(a, row) &&
		       generation_of(a, row) == generation &&
		       directory_is_born(a, row, epoch);
	/* An account that is ending right now is in every pinned snapshot. */
	if (LIFECYCLE_PHASE(lifecycle) == TALLY_PHASE_GONE && generation & 1)
		return epoch && directory_is_born(a, row, epoch);
	account->generation--;
	return epoch && LIFECYCLE_PHASE(lifecycle) == TALLY_PHASE_GONE &&
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

int directory_next(const struct tally_accounts *a, uint64_t epoch,
		   uint64_t *cursor, struct tally_account *account, char *key,
		   size_t bytes)
{
	struct tally_account found = {0};
	uint64_t at = *cursor;
	int err;

	do {
		err = next(a, epoch, &at, &found);
		if (!err && key)
			err = search_key_of(a, found, epoch, key, bytes);
	} while (err == -ESTALE); /* gone meanwhile */
	if (err)
		return err;
	*cursor = at;
	*account = found;
	return 0;
}

int tally_account_phase(const struct tally_accounts *a,
			struct tally_account account)
{
	uint32_t lifecycle;
	int phase = -ESTALE;

	if (!directory_has_now(a, account) && !directory_has(a, account, 0))
		return directory_if_whole(a, -ESTALE);
	lifecycle = lifecycle_of(record_at(a, account.row));
	if (generation_of(a, account.row) != account.generation)
		return directory_if_whole(a, -ESTALE);
	if (LIFECYCLE_PHASE(lifecycle) == PHASE_CLAIMED)
		phase = TALLY_PHASE_READY;
	else if (LIFECYCLE_PHASE(lifecycle) == PHASE_DECLARED)
		phase = TALLY_PHASE_PENDING;
	else if (lifecycle_is_live(lifecycle))
		phase = (int)LIFECYCLE_PHASE(lifecycle);
	return directory_if_whole(a, phase);
}
