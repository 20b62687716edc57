// SPDX-License-Identifier: MIT
/* seeds DIR: writes inputs that are real ledgers, for fuzzers to start from. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <numatally/limit.h>

#include "account/internal.h"
#include "fuzz/fuzz.h"
#include "support/cluster.h"
#include "support/inside.h"
#include "support/small.h"

static const char *dir;

static void put(const char *name, const char *image, size_t bytes)
{
	static const uint32_t flags[] = {
		0,
		FUZZ_CHECKSUM,
		FUZZ_CHECKSUM | FUZZ_PLAN,
		FUZZ_CHECKSUM | FUZZ_CUT,
		FUZZ_CHECKSUM | FUZZ_PLAN | FUZZ_WILD,
	};
	char path[4096];

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s-%u", dir, name, flags[i]);
		assert_int_equal(fuzz_write(path, flags[i], image, bytes), 0);
	}
}

static void put_file(const char *name, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *image;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	image = malloc((size_t)st.st_size);
	assert_non_null(image);
	assert_int_equal(pread(fd, image, (size_t)st.st_size, 0), st.st_size);
	close(fd);
	put(name, image, (size_t)st.st_size);
	free(image);
}

/* A snapshot pinned, a live writer, three nodes. */
static void folded(void **state)
{
	struct small s;

	small_make(*state, &s);
	put("settled", s.image, s.bytes);
	small_free(&s);
}

/* Reserved with a lease, committed, and taken from credits, below a quota. */
static void held(void **state)
{
	struct machine *m = *state;
	const struct tally_demand demand = {5, 1, 3};
	struct tally_request request = {sizeof(request), &demand, 1, 0};
	struct tally_account a, b, above;
	struct tally_ledger *ledger;
	struct tally_credit credit;
	struct tally_token token;

	machine_few_cpus(m);
	ledger = machine_limit_ledger(m, 64);
	above = machine_account(ledger, "batch/");
	a = machine_account(ledger, "batch/job-42");
	b = machine_account(ledger, "c");
	assert_int_equal(tally_limit_set_capacity(ledger, 5, 1, 100), 0);
	assert_int_equal(tally_limit_set_quota(ledger, above, 1, 50), 0);
	assert_int_equal(tally_limit_reserve(ledger, a, &request, &token, NULL),
			 0);
	assert_int_equal(tally_limit_commit(ledger, token), 0);
	request.lease_ns = 3600 * SECOND_NS;
	assert_int_equal(tally_limit_reserve(ledger, b, &request, &token, NULL),
			 0);
	assert_int_equal(tally_limit_credit(ledger, a, 5, 1, &credit), 0);
	assert_int_equal(tally_limit_take(&credit, 4), 0);
	put_file("held", m->path);
	tally_ledger_close(ledger);
}

/* What fuzzers once found: an account that no row owns, and more credits than
 * there can be. */
static void found(void **state)
{
	struct machine *m = *state;
	struct layout *inside;
	uint32_t *owner;
	uint64_t *nr;

	held(state);
	inside = inside_open(m->path);
	owner = &record_in(inside, 1)->owner;
	*owner = INT32_MAX;
	put_file("owner", m->path);
	*owner = 0;
	nr = &layout_limits(inside)->nr_credits;
	*nr = UINT64_MAX;
	put_file("credits", m->path);
	*nr = LAYOUT_NR_CREDITS + 1;
	put_file("credit", m->path);
	inside_close(inside);
}

/* Nodes of this machine and of others, or of others alone. */
static void remote(void **state)
{
	struct machine *m = *state;
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts = 64};
	const struct tally_demand demands[] = {{cluster_node(1, 0), 1, 3},
					       {cluster_node(2, 1), 1, 4}};
	struct tally_request request = {sizeof(request), demands, 2, 0};

	machine_few_cpus(m);
	for (int here = 0; here < 2; here++) {
		struct tally_topo *topo = NULL;
		struct tally_ledger *ledger;
		struct tally_token token;

		assert_int_equal(
			cluster_create(here ? m->topo : NULL, 3, 2, &topo), 0);
		assert_int_equal(tally_ledger_create(m->path, topo,
						     machine_reservables, 2,
						     &options, &ledger),
				 0);
		tally_topo_close(topo);
		assert_int_equal(tally_limit_reserve(
					 ledger, machine_account(ledger, "a"),
					 &request, &token, NULL),
				 0);
		put_file(here ? "remote" : "remote-alone", m->path);
		tally_ledger_close(ledger);
		assert_int_equal(unlink(m->path), 0);
	}
}

static void empty(void **state)
{
	struct machine *m = *state;

	machine_few_cpus(m);
	tally_ledger_close(machine_ledger(m, 1));
	put_file("empty", m->path);
}

/* Rows of several lines, a few buckets, an exclusive writer, a spare column and
 * one that is none any more. */
static void wide(void **state)
{
	struct machine *m = *state;
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = 150,
		.max_key_bytes = 20,
		.exclusive = 1,
		.nr_spare = 2,
	};
	struct tally_resource resources[10];
	char names[10][16], key[20];
	struct tally_ledger *ledger;

	for (int i = 0; i < 10; i++) {
		snprintf(names[i], sizeof(names[i]), "r%d", i);
		resources[i] = (struct tally_resource){
			names[i], "", i < 9 ? TALLY_GAUGE : TALLY_RESERVABLE};
	}
	machine_few_cpus(m);
	assert_int_equal(tally_ledger_create(m->path, m->topo, resources, 10,
					     &options, &ledger),
			 0);
	assert_int_equal(
		tally_ledger_declare(ledger, &machine_resources[0], NULL, 0),
		10);
	for (int i = 0; i < 150; i += i % 8 ? 3 : 1) {
		snprintf(key, sizeof(key), "job-%d", i);
		assert_int_equal(tally_ledger_add(ledger,
						  machine_account(ledger, key),
						  (unsigned int)i % 9, i),
				 0);
	}
	tally_ledger_close(ledger);
	put_file("wide", m->path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest seeds[] = {
		MACHINE_TEST(folded), MACHINE_TEST(held),  MACHINE_TEST(found),
		MACHINE_TEST(remote), MACHINE_TEST(empty), MACHINE_TEST(wide),
	};

	if (argc != 2) {
		fputs("usage: fuzz_seeds DIR\n", stderr);
		return 2;
	}
	dir = argv[1];
	return cmocka_run_group_tests(seeds, NULL, NULL);
}
