// SPDX-License-Identifier: MIT
/*
 * The file of a ledger is cut while it is open. Each call that looks at it after
 * that says so, whatever it was to return.
 */
#include "support/test.h"

#include <signal.h>

#include <numatally/limit_claim.h>
#include <numatally/reader.h>

#include "support/machine.h"

enum { EVENTS, MEMORY };

/* What a call may use. */
struct cut {
	struct tally_ledger *l;
	struct tally_reader *r;
	struct tally_view *view; /* the reader's, or the ledger's */
	const struct tally_accounts *accounts;
	struct tally_account a;
	struct tally_token token; /* of its reservation */
	char copy[128];
};

static int totals(const struct cut *c)
{
	int64_t sums[2];

	return tally_view_totals(c->view, TALLY_VIEW_ALL, sums);
}

static int totals_of_node(const struct cut *c)
{
	int64_t sums[2];

	return tally_view_totals(c->view, 5, sums);
}

static int account(const struct cut *c)
{
	int64_t sums[2];

	return tally_view_account(c->view, c->a, 0, sums);
}

static int read_many(const struct cut *c)
{
	struct tally_entry entries[16];
	uint64_t cursor = 0;
	size_t nr;

	return tally_view_read(c->view, NULL, &cursor, entries, 16, &nr);
}

static int read_none(const struct cut *c)
{
	struct tally_entry entry;
	uint64_t cursor = 100;
	size_t nr;

	return tally_view_read(c->view, NULL, &cursor, &entry, 1, &nr);
}

static int read_keys(const struct cut *c)
{
	struct tally_key key;
	uint64_t cursor = 0;
	char text[192];
	size_t nr;

	return tally_view_keys(c->view, "team/", &cursor, &key, 1, text,
			       sizeof(text), &nr);
}

static int next(const struct cut *c)
{
	struct tally_account a;
	uint64_t cursor = 0;
	char key[192];

	return tally_view_next(c->view, &cursor, &a, key, sizeof(key));
}

/* At the end of what there was. */
static int next_of_none(const struct cut *c)
{
	struct tally_account a;
	uint64_t cursor = 100;

	return tally_account_next(c->accounts, &cursor, &a);
}

static int next_ready(const struct cut *c)
{
	struct tally_account a;
	uint64_t cursor = 0;

	return tally_account_next_in(c->accounts, TALLY_PHASE_READY, &cursor,
				     &a);
}

static int find(const struct cut *c)
{
	struct tally_account a;

	return tally_account_find(c->accounts, "team/a", &a);
}

static int find_none(const struct cut *c)
{
	struct tally_account a;

	return tally_account_find(c->accounts, "none", &a);
}

static int key_of(const struct cut *c)
{
	char key[192];

	return tally_account_key(c->accounts, c->a, key, sizeof(key));
}

static int phase(const struct cut *c)
{
	return tally_account_phase(c->accounts, c->a);
}

static int owner(const struct cut *c)
{
	struct tally_account a;

	return tally_account_owner(c->accounts, c->a, &a);
}

static int pins(const struct cut *c)
{
	uint32_t bits;

	return tally_account_pins(c->accounts, c->a, &bits);
}

static int limit_of_node(const struct cut *c)
{
	struct tally_limit l = {.size = sizeof(l)};

	return tally_limit_node(c->view, 5, MEMORY, &l);
}

static int limit_of_account(const struct cut *c)
{
	struct tally_limit l = {.size = sizeof(l)};

	return tally_limit_account(c->view, c->a, MEMORY, &l);
}

static int limit_free(const struct cut *c)
{
	int64_t amount;

	return tally_limit_free(c->view, c->a, 5, MEMORY, &amount);
}

static int holding(const struct cut *c)
{
	int64_t amounts[2];

	return tally_limit_holding(c->view, c->a, TALLY_VIEW_ALL, amounts);
}

static int holdings(const struct cut *c)
{
	return tally_limit_holdings(c->view, c->a, NULL, 0);
}

static int drawn_free(const struct cut *c)
{
	int64_t amount;

	return tally_limit_draw_free(c->view, c->token, 5, MEMORY, &amount);
}

static int reservation(const struct cut *c)
{
	struct tally_reservation r = {.size = sizeof(r)};

	return tally_limit_find(c->view, c->a, &r);
}

static int next_capacity(const struct cut *c)
{
	struct tally_limit l = {.size = sizeof(l)};
	unsigned int resource;
	uint64_t cursor = 0;
	int node;

	return tally_limit_capacity_next(c->view, &cursor, &node, &resource,
					 &l);
}

static int next_quota(const struct cut *c)
{
	struct tally_limit l = {.size = sizeof(l)};
	struct tally_account a;
	unsigned int resource;
	uint64_t cursor = 0;

	return tally_limit_quota_next(c->view, &cursor, &a, &resource, &l);
}

static int next_reservation(const struct cut *c)
{
	struct tally_reservation r = {.size = sizeof(r)};
	struct tally_account a;
	uint64_t cursor = 0;

	return tally_limit_reservation_next(c->view, &cursor, &a, &r);
}

static int claimer(const struct cut *c)
{
	struct tally_claimer claimer = {.size = sizeof(claimer)};

	return tally_limit_claimer(c->view, c->a, &claimer);
}

static int told(void *unused, const char *problem)
{
	(void)unused;
	(void)problem;
	return 0;
}

static int check(const struct cut *c)
{
	return tally_limit_check(c->view, told, NULL);
}

static int save(const struct cut *c)
{
	return tally_reader_save(c->view, c->copy, 0600);
}

static int (*const reads[])(const struct cut *c) = {
	totals,	       totals_of_node,
	account,       next,
	next_of_none,  next_ready,
	find,	       find_none,
	key_of,	       phase,
	owner,	       pins,
	limit_of_node, limit_of_account,
	limit_free,    holding,
	reservation,   next_capacity,
	next_quota,    next_reservation,
	claimer,       check,
	save,	       read_many,
	read_none,     read_keys,
	holdings,      drawn_free,
};
#define NR_READS (sizeof(reads) / sizeof(reads[0]))

/* ---- of a reader alone --------------------------------------------------- */

static int describe(const struct cut *c)
{
	struct tally_reader_info info = {.size = sizeof(info)};

	return tally_reader_describe(c->r, &info);
}

static int next_writer(const struct cut *c)
{
	struct tally_writer w = {.size = sizeof(w)};
	uint64_t cursor = 0;

	return tally_reader_writer_next(c->r, &cursor, &w);
}

static int (*const reader_reads[])(const struct cut *c) = {describe,
							   next_writer};

/* ---- of a writer alone ----------------------------------------------------- */

static struct tally_accounts *of(const struct cut *c)
{
	return tally_ledger_accounts(c->l);
}

static int end_it(const struct cut *c)
{
	return tally_account_end(of(c), c->a);
}

static int ready_it(const struct cut *c)
{
	return tally_account_ready(of(c), c->a);
}

static int pin_it(const struct cut *c)
{
	return tally_account_pin(of(c), c->a, 3);
}

static int unpin_it(const struct cut *c)
{
	return tally_account_unpin(of(c), c->a, 3);
}

static int own_it(const struct cut *c)
{
	return tally_account_set_owner(of(c), c->a, c->a);
}

static int set_capacity(const struct cut *c)
{
	return tally_limit_set_capacity(c->l, 5, MEMORY, 20);
}

static int set_quota(const struct cut *c)
{
	return tally_limit_set_quota(c->l, c->a, MEMORY, 20);
}

static int exchange(const struct cut *c)
{
	struct tally_capacity capacity = {5, MEMORY, 20};

	return tally_limit_exchange(c->l, &capacity, 1, NULL, 0);
}

static int reserve_more(const struct cut *c)
{
	const struct tally_demand demand = {5, MEMORY, 1};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token t;

	return tally_limit_reserve(c->l, c->a, &request, &t, NULL);
}

static int change(const struct cut *c)
{
	const struct tally_demand demand = {5, MEMORY, 1};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};

	return tally_limit_change(c->l, c->token, &request, NULL);
}

static int commit(const struct cut *c)
{
	return tally_limit_commit(c->l, c->token);
}

static int cancel(const struct cut *c)
{
	return tally_limit_cancel(c->l, c->token);
}

static int release(const struct cut *c)
{
	return tally_limit_release(c->l, c->token, NULL, 0);
}

static int reap(const struct cut *c)
{
	return tally_limit_reap(c->l);
}

static int repair(const struct cut *c)
{
	return tally_limit_repair(c->l, told, NULL);
}

static int (*const writes[])(const struct cut *c) = {
	end_it,	      ready_it,	 pin_it,   unpin_it,	 own_it,
	set_capacity, set_quota, exchange, reserve_more, change,
	commit,	      cancel,	 release,  reap,	 repair,
};
#define NR_WRITES (sizeof(writes) / sizeof(writes[0]))

/* ---- the tests ----------------------------------------------------------- */

static struct tally_token fill(struct tally_ledger *l)
{
	const struct tally_demand demand = {5, MEMORY, 2};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account team = machine_account(l, "team/");
	struct tally_account a = machine_account(l, "team/a");
	struct tally_token t;

	assert_int_equal(tally_limit_set_capacity(l, 5, MEMORY, 10), 0);
	assert_int_equal(tally_limit_set_quota(l, team, MEMORY, 9), 0);
	assert_int_equal(tally_ledger_add(l, a, EVENTS, 7), 0);
	assert_int_equal(
		tally_account_set_owner(tally_ledger_accounts(l), a, team), 0);
	assert_int_equal(tally_limit_reserve(l, a, &request, &t, NULL), 0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	return t;
}

/* When it was read once, or never. */
static void says(struct machine *m, int (*what)(const struct cut *c),
		 bool reads_first, bool of_reader, off_t bytes)
{
	struct cut c = {0};
	int got;

	signal(SIGBUS, SIG_DFL); /* not cmocka's */
	c.l = machine_limit_ledger(m, 200);
	c.token = fill(c.l);
	snprintf(c.copy, sizeof(c.copy), "%s/copy", m->dir);
	assert_int_equal(tally_reader_open(m->path, &c.r), 0);
	assert_int_equal(of_reader ? tally_reader_view(c.r, &c.view)
				   : tally_view_open(c.l, &c.view),
			 0);
	c.accounts = tally_view_accounts(c.view);
	assert_int_equal(tally_account_find(c.accounts, "team/a", &c.a), 0);
	if (reads_first)
		assert_in_range(what(&c) + ENOENT, 0, 1000);
	unlink(c.copy);
	assert_int_equal(truncate(m->path, bytes), 0);
	got = what(&c);
	if (got != -EBADMSG)
		fail_msg("says %d", got);
	assert_int_equal(access(c.copy, F_OK), -1);
	tally_view_close(c.view);
	tally_reader_close(c.r);
	tally_ledger_close(c.l);
	unlink(m->path);
}

static void each(struct machine *m, bool of_reader)
{
	for (size_t i = 0; i < 2 * NR_READS; i++)
		says(m, reads[i / 2], i % 2, of_reader, 0);
}

static void of_a_reader(void **state)
{
	machine_few_cpus(*state);
	each(*state, true);
	for (size_t i = 0; i < 2; i++)
		says(*state, reader_reads[i], i % 2, true, 0);
}

static void of_a_writer(void **state)
{
	machine_few_cpus(*state);
	each(*state, false);
	for (size_t i = 0; i < NR_WRITES; i++)
		for (off_t bytes = 0; bytes <= 1 << 17;
		     bytes += bytes ? bytes : 4096)
			says(*state, writes[i], false, false, bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(of_a_reader),
		MACHINE_TEST(of_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
