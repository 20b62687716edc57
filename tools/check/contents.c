// SPDX-License-Identifier: MIT
/* Whether a ledger is consistent: its accounts, headers and reservations. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <numatally/limit.h>

#include "check/internal.h"
#include "common/text.h"

static void check_account(struct check *check,
			  const struct tally_accounts *accounts,
			  struct tally_account account, char *key, size_t bytes)
{
	struct tally_account found;
	char *escaped;
	int err = tally_account_key(accounts, account, key, bytes);

	if (err == -ESTALE)
		return; /* it has ended */
	check->nr_accounts++;
	if (err) {
		check_problem(check, "row %" PRIu32 ": its key can't be read",
			      account.row);
		return;
	}
	err = tally_account_find(accounts, key, &found);
	if ((!err && found.row == account.row) ||
	    tally_account_phase(accounts, account) == -ESTALE)
		return;
	escaped = text_escape(key);
	if (err)
		check_problem(check,
			      "row %" PRIu32 ": its key '%s' is not found",
			      account.row, escaped ? escaped : "?");
	else
		check_problem(check,
			      "rows %" PRIu32 " and %" PRIu32
			      " have one key: '%s'",
			      account.row, found.row, escaped ? escaped : "?");
	free(escaped);
}

static int check_accounts(struct check *check, const struct tally_view *view)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	size_t bytes = tally_account_key_bytes(accounts);
	struct tally_account account;
	char *key = malloc(bytes);
	uint64_t cursor = 0;
	int end;

	if (!key)
		return -ENOMEM;
	while (!(end = tally_account_next(accounts, &cursor, &account)))
		check_account(check, accounts, account, key, bytes);
	free(key);
	return end == -ENOENT ? 0 : end;
}

/* A sum over all accounts reads each slice header. */
static int check_totals(struct check *check, const struct tally_view *view)
{
	unsigned int nr = tally_view_nr_resources(view);
	int64_t *amounts = calloc(nr, sizeof(*amounts));

	if (!amounts)
		return -ENOMEM;
	for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++) {
		int node = tally_view_node(view, n);
		int err = tally_view_totals(view, node, amounts);

		/* Not to wait for each node: see check_limits(). */
		if (err == -EAGAIN)
			break;
		if (err)
			check_problem(check,
				      "node %d: a slice header is damaged",
				      node);
		for (unsigned int i = 0; !err && i < nr; i++) {
			const struct tally_resource *r =
				tally_view_resource(view, i);

			if (r->kind == TALLY_COUNTER && amounts[i] < 0)
				check_problem(
					check,
					"node %d: the counter %s is below "
					"0: %" PRId64,
					node, r->name, amounts[i]);
		}
	}
	free(amounts);
	return 0;
}

static int add_problem(void *arg, const char *problem)
{
	check_problem(arg, "%s", problem);
	return 0;
}

static int check_limits(struct check *check, const struct tally_view *view)
{
	int err = tally_limit_check(view, add_problem, check);

	if (err != -EAGAIN)
		return err;
	check_problem(check, "reservations change all the time, or a process "
			     "was stopped or killed while it changed them");
	return 0;
}

int check_contents(struct check *check, const struct tally_view *view)
{
	int err = check_totals(check, view);

	if (!err)
		err = check_accounts(check, view);
	return err ? err : check_limits(check, view);
}
