// SPDX-License-Identifier: MIT
/*
 * Four processes set limits, declare resources with limits, reserve, draw and
 * release of them, and are killed at random: for 5 seconds, or 10 minutes with
 * NUMATALLY_LONG, with a new ledger each 40 ms. A set of limits is there
 * whole or not at all; a resource that is found has all of its limits, and nobody
 * ever gets more.
 */
#include "support/test.h"

#include <signal.h>
#include <sys/prctl.h>

#include "support/inside.h"
#include "support/limits.h"
#include "support/machine.h"

#define MEMORY	     1
#define FIRST	     2 /* that is declared */
#define NR_SPARE     12
#define NR_PROCESSES 4
#define ROUND_NS     INT64_C(40000000)
#define SHORT_NS     INT64_C(5000000000)
#define LONG_NS	     INT64_C(600000000000)

struct storm {
	struct machine *machine;
	pid_t pids[NR_PROCESSES];
	unsigned int seed;
	uint64_t nr_kills, nr_rounds, nr_found;
};

/* ---- processes: their exit status is the line that failed, mod 256 -------- */

struct worker {
	struct tally_ledger *ledger;
	unsigned int seed;
	int number;
};

#define MUST(holds)                            \
	do {                                   \
		if (!(holds))                  \
			_exit(__LINE__ % 256); \
	} while (0)

static unsigned int some(struct worker *w, unsigned int n)
{
	return (unsigned int)rand_r(&w->seed) / 7 % n;
}

/* Whether it is to be tried again. */
static bool again(int err)
{
	return err == -EAGAIN || err == -ESTALE;
}

/* All of a set are numbers in a row. */
static void set(struct worker *w)
{
	int64_t v = 100 + some(w, 1000);
	struct tally_capacity c[] = {{0, MEMORY, v}, {5, MEMORY, v + 1}};
	struct tally_quota q = {"all/", MEMORY, v + 2};
	int err = tally_limit_exchange(w->ledger, c, 2, &q, 1);

	MUST(!err || again(err));
	MUST(err || (c[1].capacity == c[0].capacity + 1 &&
		     q.quota == c[0].capacity + 2));
}

static const char *name_of(int i, char name[16])
{
	snprintf(name, 16, "r%d", i);
	return name;
}

static void declare(struct worker *w)
{
	int i = (int)some(w, NR_SPARE);
	char name[16];
	const struct tally_resource r = {name_of(i, name), "",
					 TALLY_RESERVABLE};
	const struct tally_capacity c[] = {{0, 0, i + 100}, {5, 0, i + 101}};
	const struct tally_quota q[] = {{"all/", 0, i + 3}, {"more/", 0, i}};
	int n = tally_ledger_declare_limited(w->ledger, &r, c, 2, q,
					     i % 2 ? 2 : 1);

	MUST(n >= FIRST || again(n));
	MUST(n < FIRST || n == tally_ledger_resource(w->ledger, name));
}

static int reserve(struct worker *w, const char *key, unsigned int resource,
		   int64_t amount, const struct tally_token *from,
		   struct tally_token *token)
{
	const struct tally_demand d = {some(w, 2) ? 0 : 5, resource, amount};
	const struct tally_request r = {
		.size = sizeof(r), .demands = &d, .nr_demands = 1};
	struct tally_account a;
	int err = tally_account_open(tally_ledger_accounts(w->ledger), key, &a);

	if (!err)
		err = from ? tally_limit_draw(w->ledger, a, *from, &r, token,
					      NULL)
			   : tally_limit_reserve(w->ledger, a, &r, token, NULL);
	return err;
}

/* What can't be had, and what can. */
static void use(struct worker *w)
{
	int i = (int)some(w, NR_SPARE), n, err;
	struct tally_token job, step;
	char name[16], key[32];

	n = tally_ledger_resource(w->ledger, name_of(i, name));
	MUST(n >= FIRST || n == -ENOENT);
	if (n < FIRST)
		return;
	snprintf(key, sizeof(key), "all/%d", w->number);
	err = reserve(w, key, (unsigned int)n, i + 4, NULL, &job);
	MUST(err == -EDQUOT || again(err));
	err = reserve(w, key, (unsigned int)n, i + 3, NULL, &job);
	MUST(!err || err == -EDQUOT || again(err));
	if (err)
		return;
	snprintf(key, sizeof(key), "step/%d", w->number);
	err = reserve(w, key, (unsigned int)n, 1 + some(w, 20), &job, &step);
	MUST(!err || err == -ENOSPC || again(err));
	/* Others may have the lock for as long as a call waits. */
	do
		err = tally_limit_release(w->ledger, job, NULL, 0);
	while (err == -EAGAIN);
	MUST(!err);
}

static _Noreturn void be_killed(const struct storm *s, int process)
{
	struct worker w = {.seed = s->seed, .number = process};

	MUST(!tally_ledger_open(s->machine->path, &w.ledger));
	for (;;) {
		unsigned int way = some(&w, 8);

		if (way < 4)
			declare(&w);
		else if (way < 6)
			set(&w);
		else
			use(&w);
	}
}

/* ---- the storm ----------------------------------------------------------- */

static void start_process(struct storm *s, int process)
{
	s->seed = s->seed * 1103515245 + 12345;
	s->pids[process] = fork();
	assert_true(s->pids[process] >= 0);
	if (s->pids[process])
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_killed(s, process);
}

static void check_alive(const struct storm *s)
{
	int status;

	for (int p = 0; p < NR_PROCESSES; p++)
		if (waitpid(s->pids[p], &status, WNOHANG) == s->pids[p])
			fail_msg("a process ended at line %d mod 256: %x",
				 WEXITSTATUS(status), status);
}

static struct tally_limit of_node(const struct tally_view *view, int node,
				  unsigned int resource)
{
	struct tally_limit limit = {.size = sizeof(limit)};

	assert_int_equal(tally_limit_node(view, node, resource, &limit), 0);
	return limit;
}

static struct tally_limit of_key(const struct tally_view *view, const char *key,
				 unsigned int resource)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_account a;

	assert_int_equal(tally_account_find(tally_view_accounts(view), key, &a),
			 0);
	assert_int_equal(tally_limit_account(view, a, resource, &limit), 0);
	return limit;
}

/* All are dead. */
static void check(struct storm *s)
{
	struct tally_ledger *l;
	struct tally_view *view;
	struct tally_account more;
	bool any_more;
	int64_t v;

	assert_int_equal(tally_ledger_open(s->machine->path, &l), 0);
	any_more =
		!tally_account_find(tally_ledger_accounts(l), "more/", &more);
	assert_int_equal(tally_limit_reap(l), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	for (unsigned int n = FIRST; n < tally_view_nr_resources(view); n++) {
		int i = atoi(tally_view_resource(view, n)->name + 1);

		s->nr_found++;
		assert_int_equal(of_node(view, 0, n).limit, i + 100);
		assert_int_equal(of_node(view, 5, n).limit, i + 101);
		assert_true(of_node(view, 9, n).limit == TALLY_LIMIT_NONE);
		assert_int_equal(of_key(view, "all/", n).limit, i + 3);
		if (any_more)
			assert_true(of_key(view, "more/", n).limit ==
				    (i % 2 ? i : TALLY_LIMIT_NONE));
		assert_false(of_key(view, "all/", n).over);
		assert_int_equal(of_key(view, "all/", n).held, 0);
	}
	v = of_node(view, 0, MEMORY).limit;
	assert_int_equal(of_node(view, 5, MEMORY).limit, v + 1);
	assert_int_equal(of_key(view, "all/", MEMORY).limit, v + 2);
	tally_view_close(view);
	limits_agree(l);
	tally_ledger_close(l);
}

static void make_ledger(const struct storm *s)
{
	const struct tally_capacity c[] = {{0, MEMORY, 100}, {5, MEMORY, 101}};
	const struct tally_quota q = {"all/", MEMORY, 102};
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts = 64,
						     .nr_spare = NR_SPARE,
						     .capacities = c,
						     .nr_capacities = 2,
						     .quotas = &q,
						     .nr_quotas = 1};
	struct tally_ledger *l;

	unlink(s->machine->path);
	assert_int_equal(tally_ledger_create(s->machine->path, s->machine->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	tally_ledger_close(l);
}

static void one_round(struct storm *s)
{
	int64_t until = now_ns() + ROUND_NS;

	make_ledger(s);
	for (int p = 0; p < NR_PROCESSES; p++)
		start_process(s, p);
	while (now_ns() < until) {
		const struct timespec delay = {.tv_nsec = rand_r(&s->seed) %
							  3000000};
		int p = rand_r(&s->seed) % NR_PROCESSES;

		nanosleep(&delay, NULL);
		check_alive(s);
		inside_kill(s->machine->path, s->pids[p]);
		s->nr_kills++;
		start_process(s, p);
	}
	check_alive(s);
	for (int p = 0; p < NR_PROCESSES; p++)
		inside_kill(s->machine->path, s->pids[p]);
	check(s);
	s->nr_rounds++;
}

static void killed_at_random(void **state)
{
	int64_t until = now_ns() + (test_is_long() ? LONG_NS : SHORT_NS);
	struct storm s = {.machine = *state, .seed = (unsigned int)getpid()};

	print_message("# seed %u\n", s.seed);
	while (now_ns() < until)
		one_round(&s);
	print_message("# %" PRIu64 " ledgers, %" PRIu64 " kills, %" PRIu64
		      " resources found\n",
		      s.nr_rounds, s.nr_kills, s.nr_found);
	assert_true(s.nr_found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(killed_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
