// SPDX-License-Identifier: MIT
/* What numatally check says of reservations that are damaged, or never at rest. */
#include "support/test.h"

#include "support/cluster.h"
#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

enum { EVENTS, MEMORY };

static void reserve(struct tally_ledger *l, int node, unsigned int resource,
		    int64_t amount)
{
	const struct tally_demand demand = {node, resource, amount};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_token token;

	assert_int_equal(tally_limit_reserve(l, machine_account(l, "a"),
					     &request, &token, NULL),
			 0);
}

/* Runs numatally check on the ledger: its exit status and its output. */
static int check(const struct machine *m, const char *option, char *said)
{
	char command[512];
	size_t used;
	FILE *f;

	if (!getenv("NUMATALLY"))
		skip();
	snprintf(command, sizeof(command), "timeout 150 '%s' check %s '%s'",
		 getenv("NUMATALLY"), option, m->path);
	f = popen(command, "r"); /* NOLINT(cert-env33-c) */
	assert_non_null(f);
	used = fread(said, 1, 8191, f);
	said[used] = '\0';
	return pclose(f);
}

static void reports_a_problem(void **state)
{
	static const char problem[] =
		"node 5: memory: its capacity counts 29, but 28 is held";
	struct machine *m = *state;
	struct tally_ledger *l = machine_limit_ledger(m, 200);
	struct layout *inside = inside_open(m->path);
	char said[8192], line[128];

	reserve(l, 5, MEMORY, 28);
	/* Its status tells of pages, too, which lie on other nodes here. */
	check(m, "", said);
	assert_null(strstr(said, "problem:"));
	layout_capacity(inside, 1, MEMORY)->held++;
	snprintf(line, sizeof(line), "problem: %s\n", problem);
	assert_int_not_equal(check(m, "", said), 0);
	assert_non_null(strstr(said, line));
	snprintf(line, sizeof(line), "\"%s\"", problem);
	assert_int_not_equal(check(m, "--json", said), 0);
	assert_non_null(strstr(said, line));
	inside_close(inside);
	tally_ledger_close(l);
}

/* It waits 0.2 s for a change that never ends: once, not for each node. */
static void waits_once(void **state)
{
	static const struct tally_resource cores = {"cores", "",
						    TALLY_RESERVABLE};
	struct machine *m = *state;
	struct tally_topo *topo = NULL;
	struct tally_ledger *l;
	struct layout *inside;
	char said[8192];

	assert_int_equal(cluster_create(NULL, 1500, 1, &topo), 0);
	assert_int_equal(
		tally_ledger_create(m->path, topo, &cores, 1, NULL, &l), 0);
	tally_topo_close(topo);
	reserve(l, cluster_node(1, 0), 0, 1);
	inside = inside_open(m->path);
	layout_limits(inside)->sequence |= 1;
	assert_int_not_equal(check(m, "", said), 0);
	assert_non_null(
		strstr(said, "problem: reservations change all the time"));
	assert_null(strstr(said, "damaged"));
	inside_close(inside);
	tally_ledger_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(reports_a_problem),
		MACHINE_TEST(waits_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
