// SPDX-License-Identifier: MIT
/* Any bytes as a ledger's file: everything that a reader can do. Any result is
 * right if the call returns. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/limit_claim.h>
#include <numatally/reader.h>

#include "fuzz/fuzz.h"
#include "support/wild.h"
#include "support/values.h"

/* How many rows, charges in doubt and writers are read: as many as a file of
 * this size can have, or the first ones. */
#define MOST 2000

/* How many nodes are looked at, of the whole ledger and of each account. */
#define MOST_NODES 64

/* While a thread writes to the file. */
#define WILD_LOOKS 5

/* What is true of every result, even of a wrong one. */
#define HOLDS(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static int see(void *arg, const struct value *value)
{
	unsigned int *nr = arg;

	HOLDS(strlen(value->key) < 4096 && value->amount);
	return ++*nr == MOST;
}

static void look_at_account(const struct tally_view *view,
			    struct tally_account account, int64_t *amounts)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	size_t bytes = tally_account_key_bytes(accounts);
	struct tally_account found;
	char *key = malloc(bytes);

	HOLDS(key);
	if (!tally_account_key(accounts, account, key, bytes)) {
		HOLDS(strlen(key) < bytes);
		if (!tally_account_find(accounts, key, &found))
			HOLDS(tally_view_account(view, found, TALLY_VIEW_ALL,
						 amounts) <= 0);
	}
	free(key);
	(void)!tally_account_phase(accounts, account);
	for (unsigned int n = 0;
	     n < tally_view_nr_nodes(view) && n < MOST_NODES; n++)
		(void)!tally_view_account(view, account,
					  tally_view_node(view, n), amounts);
}

static void look_at_limits(const struct tally_view *view,
			   struct tally_account account, int64_t *amounts)
{
	struct tally_reservation reservation = {.size = sizeof(reservation)};
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_claimer claimer = {.size = sizeof(claimer)};
	int nodes[4], nr = tally_limit_holdings(view, account, nodes, 4);

	HOLDS(nr <= 2 * (int)tally_view_nr_nodes(view));
	(void)!tally_limit_holding(view, account, TALLY_VIEW_ALL, amounts);
	(void)!tally_limit_account(view, account, 0, &limit);
	if (!tally_limit_claimer(view, account, &claimer))
		HOLDS(claimer.alive >= -1 && claimer.alive <= 1);
	if (tally_limit_find(view, account, &reservation))
		return;
	HOLDS(reservation.token.row == account.row);
	HOLDS(reservation.drawn || !reservation.parent.row);
	(void)!tally_limit_draw_free(view, reservation.token,
				     tally_view_node(view, 0), 0, amounts);
}

#define MOST_CALLS 64

static void read_many(const struct tally_view *view)
{
	struct tally_entry entries[64];
	struct tally_key keys[16];
	char text[256];
	uint64_t cursor = 0, at = 0;
	size_t nr = 0;

	for (int i = 0; i < MOST_CALLS &&
			!tally_view_read(view, NULL, &cursor, entries, 64, &nr);
	     i++) {
		HOLDS(nr && nr <= 64 && cursor > at);
		at = cursor;
		for (size_t e = 0; e < nr; e++)
			HOLDS(entries[e].amount &&
			      entries[e].resource <
				      tally_view_nr_resources(view));
	}
	cursor = 0;
	for (int i = 0;
	     i < MOST_CALLS && !tally_view_keys(view, NULL, &cursor, keys, 16,
						text, sizeof(text), &nr);
	     i++) {
		HOLDS(nr && nr <= 16);
		for (size_t k = 0; k < nr; k++)
			HOLDS(keys[k].bytes < sizeof(text) &&
			      strlen(text + keys[k].offset) == keys[k].bytes);
	}
}

static int see_problem(void *arg, const char *problem)
{
	(void)arg;
	HOLDS(*problem);
	return 0;
}

static void look_at_nodes(const struct tally_view *view, int64_t *amounts)
{
	for (unsigned int n = 0;
	     n < tally_view_nr_nodes(view) && n < MOST_NODES; n++) {
		int node = tally_view_node(view, n), id;
		const char *machine = tally_view_machine(view, n, &id);
		struct tally_limit limit = {.size = sizeof(limit)};
		struct tally_roster roster;
		const void *origin;
		uint64_t rows = 0;

		if (!tally_limit_roster(view, node, &roster))
			for (uint32_t i = 0; i < roster.nr_accounts; i++)
				rows += roster.accounts[i].row;
		HOLDS(rows != UINT64_MAX &&
		      tally_limit_roster_check(view, &roster) <= 0);
		HOLDS(!machine || (*machine && strlen(machine) < 256));
		HOLDS(tally_view_nr_local(view) <= tally_view_nr_nodes(view));
		if (n < tally_view_nr_local(view))
			tally_view_slice(view, n, &origin);
		(void)!tally_view_totals(view, node, amounts);
		(void)!tally_limit_node(
			view, node, tally_view_nr_resources(view) - 1, &limit);
	}
}

static void look_at_accounts(const struct tally_view *view, int64_t *amounts)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	struct tally_account account;
	uint64_t cursor = 0;
	char key[5000];

	for (int i = 0;
	     i < MOST && !tally_account_next(accounts, &cursor, &account);
	     i++) {
		look_at_account(view, account, amounts);
		look_at_limits(view, account, amounts);
	}
	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	HOLDS(tally_account_find(accounts, key, &account) < 0);
	(void)!tally_account_find(accounts, "a", &account);
	(void)!tally_account_find(accounts, "", &account);
}

static void look_at_doubts(const struct tally_view *view, int64_t *amounts)
{
	uint64_t nr = tally_view_nr_in_doubt(view);
	uint64_t from = nr > 300 ? nr - 300 : 0;
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};

	for (uint64_t i = from; i < nr; i++) {
		if (tally_view_in_doubt(view, i, &doubt))
			continue;
		for (unsigned int j = 0;
		     j < doubt.nr_accounts && j < TALLY_IN_DOUBT_ACCOUNTS; j++)
			(void)!tally_view_account(view, doubt.accounts[j],
						  TALLY_VIEW_ALL, amounts);
	}
}

static void look_at_view(const struct tally_view *view)
{
	unsigned int nr_values = 0, nr = tally_view_nr_resources(view);
	int64_t *amounts = calloc(nr, sizeof(*amounts));

	HOLDS(nr > 0 && amounts);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_resource *r = tally_view_resource(view, i);

		HOLDS(strlen(r->name) < 32 && strlen(r->unit) < 16);
	}
	/* Each call waits for what is never finished, up to its time-out. */
	if (tally_view_totals(view, TALLY_VIEW_ALL, amounts) != -EAGAIN) {
		look_at_nodes(view, amounts);
		look_at_accounts(view, amounts);
		look_at_doubts(view, amounts);
		(void)!tally_limit_check(view, see_problem, NULL);
		(void)!values_each(view, see, &nr_values);
		read_many(view);
	}
	free(amounts);
}

static void look_at_file(const struct tally_reader *reader,
			 const struct tally_view *view)
{
	struct tally_placement placement = {.size = sizeof(placement)};
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_writer writer = {.size = sizeof(writer)};
	uint64_t cursor = 0;

	while (!tally_reader_writer_next(reader, &cursor, &writer))
		HOLDS(cursor < MOST);
	if (tally_reader_describe(reader, &info))
		return;
	HOLDS(info.nr_accounts <= info.max_accounts);
	for (unsigned int n = 0; n < tally_view_nr_local(view); n++)
		(void)!tally_region_verify(tally_reader_region(reader, n), NULL,
					   NULL, &placement);
}

/* The process that serves may be one that the file makes up. */
static void look_at_snapshot(struct tally_reader *reader)
{
	struct tally_view *view;

	if (tally_reader_snapshot(reader, TALLY_SNAPSHOT_JOIN, 0, &view))
		return;
	look_at_view(view);
	tally_view_close(view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct tally_reader *reader;
	struct tally_view *view;
	const char *path;
	uint32_t flags;

	path = fuzz_make(data, bytes, &flags);
	if (!path || tally_reader_open(path, &reader))
		return 0;
	look_at_snapshot(reader);
	if (!tally_reader_view(reader, &view)) {
		if (flags & FUZZ_WILD)
			wild_start(path, flags);
		for (int i = flags & FUZZ_WILD ? WILD_LOOKS : 1; i; i--)
			look_at_view(view);
		wild_stop();
		look_at_file(reader, view);
		if (flags & FUZZ_CUT) {
			fuzz_cut();
			look_at_view(view);
			look_at_file(reader, view);
		}
		tally_view_close(view);
	}
	tally_reader_close(reader);
	return 0;
}
