// SPDX-License-Identifier: MIT
/* Whose claim it is: see numatally/limit_claim.h. */
#include "config.h"

#include <errno.h>

#include <numatally/limit_claim.h>

#include "base/sized.h"
#include "file/reserved.h"
#include "file/writer.h"
#include "limit/lock.h"
#include "view/file.h"

/* The owner word of the account's uncommitted reservation. */
static int owner_of(const struct tally_view *view, struct tally_account account,
		    uint64_t *owner)
{
	const struct layout *l = view_layout(view);
	struct reserved_read read = {0};
	uint64_t state;

	do {
		const struct layout_reservation *words;
		int err = reserved_begin(l, &read);

		if (!err)
			err = tally_account_phase(tally_view_accounts(view),
						  account);
		if (err < 0)
			return err;
		if (!reserved_is_current(l, account.row))
			return -ENOENT;
		words = layout_reservation(l, account.row);
		state = limit_get(&words->state);
		*owner = limit_get(&words->owner);
	} while (reserved_again(l, &read));
	if (!layout_is_whole(l))
		return -EBADMSG;
	return state == LAYOUT_RESERVATION_RESERVED ? 0 : -ENOENT;
}

int tally_limit_claimer(const struct tally_view *view,
			struct tally_account account,
			struct tally_claimer *claimer)
{
	struct tally_claimer got = {0};
	uint64_t owner;
	int err = sized_fits(claimer, sized_upto(struct tally_claimer, alive))
			  ? owner_of(view, account, &owner)
			  : -EINVAL;

	if (err)
		return err;
	writer_of(view_layout(view), owner, &got.pid, &got.alive);
	sized_put(claimer, &got, sizeof(got));
	return 0;
}
