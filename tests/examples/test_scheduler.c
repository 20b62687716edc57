// SPDX-License-Identifier: MIT
/* The example of a scheduler: four of its processes side by side, of which one is
 * killed again and again, while jobs fail. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

#include <numatally/limit_claim.h>

#include "examples/scheduler_cluster.h"
#include "support/limits.h"
#include "support/machine.h"

#define NR_PROCESSES 4
#define NR_THREADS   2
#define NR_JOBS	     48 /* of which the cluster has room for half */
#define NR_NODES     (MACHINES * NODES)
#define SHORT_NS     INT64_C(5000000000)
#define PATIENCE_NS  INT64_C(600000000000)
#define LONG_NS	     INT64_C(600000000000)

struct process {
	pid_t pid;
	int input; /* it ends with it */
};

struct storm {
	const struct machine *machine;
	char said[128]; /* a file with what they print */
	struct tally_topo *topo;
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct process processes[NR_PROCESSES];
	unsigned int seed;
	unsigned int nr_kills, nr_failed;
};

static unsigned int choose(struct storm *s, unsigned int nr)
{
	s->seed = s->seed * 1103515245 + 12345;
	return (s->seed >> 8) % nr;
}

/* ---- processes ------------------------------------------------------------ */

static void be_a_scheduler(const struct storm *s, int input)
{
	int out = open(s->said, O_WRONLY | O_APPEND | O_CREAT, 0600);
	char jobs[16], threads[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(jobs, sizeof(jobs), "%d", NR_JOBS);
	snprintf(threads, sizeof(threads), "%d", NR_THREADS);
	if (out < 0 || dup2(out, 1) < 0 || dup2(input, 0) < 0)
		_exit(99);
	execl("tests/examples/scheduler", "scheduler", s->machine->path, jobs,
	      threads, NULL);
	_exit(99);
}

static void start(struct storm *s, struct process *p)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (!p->pid)
		be_a_scheduler(s, fds[0]);
	close(fds[0]);
	p->input = fds[1];
}

static void kill_one(struct storm *s)
{
	struct process *p = &s->processes[choose(s, NR_PROCESSES)];
	int status;

	kill(p->pid, SIGKILL);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFSIGNALED(status)); /* else it ended by itself */
	close(p->input);
	s->nr_kills++;
	start(s, p);
}

static void end(struct process *p)
{
	int status;

	close(p->input);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_int_equal(status, 0);
}

/* ---- what must be true at any time ---------------------------------------- */

static struct tally_account account_of(const struct storm *s, unsigned int job)
{
	struct tally_account a;
	char key[16];

	snprintf(key, sizeof(key), "job-%u", job);
	assert_int_equal(
		tally_account_find(tally_view_accounts(s->view), key, &a), 0);
	return a;
}

static int find(const struct storm *s, unsigned int job,
		struct tally_reservation *found)
{
	int err;

	*found = (struct tally_reservation){.size = sizeof(*found)};
	do
		err = tally_limit_find(s->view, account_of(s, job), found);
	while (err == -EAGAIN);
	assert_true(!err || err == -ENOENT);
	return err ? 0 : (int)found->state;
}

static void no_capacity_is_passed(const struct storm *s)
{
	struct tally_limit limit = {.size = sizeof(limit)};

	for (unsigned int i = 0; i < NR_NODES * NR; i++) {
		int err;

		do
			err = tally_limit_node(
				s->view, tally_topo_number(s->topo, i / NR),
				i % NR, &limit);
		while (err == -EAGAIN);
		assert_int_equal(err, 0);
		assert_true(limit.peak <= limit.limit);
		assert_true(limit.held <= limit.peak);
	}
}

/* A job has nothing, or all that it wants, on one node. */
static bool is_placed(const struct storm *s, unsigned int job)
{
	struct tally_account a = account_of(s, job);
	struct tally_amount wants[NR];
	int64_t has[NR];
	int err, node, nr;

	do
		err = tally_limit_holding(s->view, a, TALLY_VIEW_ALL, has);
	while (err == -EAGAIN);
	assert_int_equal(err, 0);
	if (!has[CORES] && !has[MEMORY])
		return false;
	cluster_amounts(job, wants);
	assert_int_equal(has[CORES], wants[CORES].amount);
	assert_int_equal(has[MEMORY], wants[MEMORY].amount);
	do
		nr = tally_limit_holdings(s->view, a, &node, 1);
	while (nr == -EAGAIN);
	assert_true(nr <= 1); /* 0: it failed meanwhile */
	return true;
}

static void a_job_fails(struct storm *s)
{
	unsigned int job = choose(s, NR_JOBS);
	struct tally_reservation found;
	int err;

	if (find(s, job, &found) != TALLY_COMMITTED)
		return;
	err = tally_limit_release(s->ledger, found.token, NULL, 0);
	assert_true(!err || err == -ESTALE); /* it was evicted */
	s->nr_failed += !err;
}

/* ---- and afterwards ------------------------------------------------------- */

/* Each job is placed once room is made for all. */
static void none_is_lost(struct storm *s)
{
	int64_t until = now_ns() + PATIENCE_NS;
	struct tally_reservation found;

	for (unsigned int i = 0; i < NR_NODES * NR; i++)
		assert_int_equal(tally_limit_set_capacity(
					 s->ledger,
					 tally_topo_number(s->topo, i / NR),
					 i % NR, NR_JOBS * 8 * GIB),
				 0);
	for (unsigned int job = 0; job < NR_JOBS; job++)
		while (find(s, job, &found) != TALLY_COMMITTED) {
			if (now_ns() > until)
				fail_msg("job-%u is lost", job);
			usleep(1000);
		}
}

/* Each line tells of one reservation; none is told of twice, nor an urgent one
 * evicted. */
static void none_is_placed_twice(const struct storm *s)
{
	unsigned int nr_lines = 0, nr_evicted = 0, untold = 0;
	uint64_t most[NR_JOBS] = {0};
	unsigned char *told = calloc(NR_JOBS, 1 << 20);
	FILE *f = fopen(s->said, "r");
	char line[128];

	assert_non_null(told);
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		uint64_t generation;
		unsigned int job;

		if (strchr(line, ' ') &&
		    strcmp(strchr(line, ' '), " pending\n") == 0)
			fail_msg("in a queue: %s", line);
		if (sscanf(line, "job-%u#%" SCNu64 ":", &job, &generation) != 2)
			continue;
		assert_true(job < NR_JOBS && generation < UINT64_C(1) << 20);
		if (strstr(line, "evicted")) {
			assert_int_equal(cluster_priority(job), 0);
			assert_false(told[job << 20 | generation] & 2);
			told[job << 20 | generation] |= 2;
			nr_evicted++;
			continue;
		}
		assert_false(told[job << 20 | generation] & 1);
		told[job << 20 | generation] |= 1;
		most[job] = generation > most[job] ? generation : most[job];
		nr_lines++;
	}
	fclose(f);
	free(told);
	for (unsigned int job = 0; job < NR_JOBS; job++) {
		struct tally_reservation found;

		assert_int_equal(find(s, job, &found), TALLY_COMMITTED);
		assert_true(most[job] <= found.token.generation);
		/* Killed before it could tell. */
		untold += most[job] < found.token.generation;
	}
	print_message(
		"# %u kills; jobs failed %u times, were evicted %u times, "
		"and placed %u times\n",
		s->nr_kills, s->nr_failed, nr_evicted, nr_lines);
	assert_true(untold <= s->nr_kills * NR_THREADS);
	assert_true(nr_lines + s->nr_kills * NR_THREADS >=
		    s->nr_failed + nr_evicted + NR_JOBS);
}

/* Rosters, too; and as a user would look. */
static void the_ledger_agrees(const struct storm *s)
{
	const char *tool = getenv("NUMATALLY");
	int status;
	pid_t pid;

	limits_agree(s->ledger);
	for (unsigned int job = 0; job < NR_JOBS; job++)
		assert_true(is_placed(s, job));
	if (!tool)
		return;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int out = open("/dev/null", O_WRONLY);

		dup2(out, 1);
		execl(tool, "numatally", "check", s->machine->path, NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void processes_are_killed(void **state)
{
	struct storm s = {.machine = *state, .seed = (unsigned int)getpid()};
	int64_t until = now_ns() + (test_is_long() ? LONG_NS : SHORT_NS);
	int64_t every = test_is_long() ? SECOND_NS : SECOND_NS / 5;
	int64_t next = now_ns() + every;

	print_message("# seed %u\n", s.seed);
	snprintf(s.said, sizeof(s.said), "%s/said", s.machine->dir);
	assert_int_equal(cluster_topo(&s.topo), 0);
	assert_int_equal(cluster_open(s.machine->path, s.topo, &s.ledger), 0);
	assert_int_equal(cluster_submit(s.ledger, NR_JOBS), 0);
	assert_int_equal(tally_view_open(s.ledger, &s.view), 0);
	for (int i = 0; i < NR_PROCESSES; i++)
		start(&s, &s.processes[i]);
	while (now_ns() < until) {
		usleep(1000 + choose(&s, 4000));
		a_job_fails(&s);
		no_capacity_is_passed(&s);
		(void)is_placed(&s, choose(&s, NR_JOBS));
		if (now_ns() < next)
			continue;
		kill_one(&s);
		next = now_ns() + every;
	}
	none_is_lost(&s);
	for (int i = 0; i < NR_PROCESSES; i++)
		end(&s.processes[i]);
	none_is_placed_twice(&s);
	the_ledger_agrees(&s);
	tally_view_close(s.view);
	tally_ledger_close(s.ledger);
	tally_topo_close(s.topo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(processes_are_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
