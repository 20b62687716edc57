// SPDX-License-Identifier: MIT
/* A process sets a gauge, and is killed or stopped at each step of it. See
 * support/step.h and view/broken.sh. */
#include "support/test.h"

#include <sched.h>
#include <signal.h>

#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"
#include "support/step.h"

#define MOST_STEPS 20000

enum { OLD = 1000, NEW = 7, LAST = 50 };

struct subject {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct tally_account account;
};

static int64_t amount(const struct subject *s)
{
	return machine_amount(s->ledger, s->account, 5, 1);
}

/* The amount lies in two lanes, and partly in folded cells. */
static void start(struct subject *s)
{
	struct tally_view *view;
	int err;

	unlink(s->machine->path);
	s->ledger = machine_ledger(s->machine, 64);
	s->account = machine_account(s->ledger, "a");
	assert_int_equal(tally_ledger_add(s->ledger, s->account, 1, 3), 0);
	assert_int_equal(tally_gauge_set(s->ledger, s->account, 5, 1, 300), 0);
	err = tally_view_snapshot(s->ledger, 0, SECOND_NS, &view);
	if (err == -ENOSYS)
		skip();
	assert_int_equal(err, 0);
	tally_view_close(view);
	assert_int_equal(tally_gauge_set(s->ledger, s->account, 5, 1, OLD), 0);
}

static int set_one(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	int err = tally_ledger_open(s->machine->path, &ledger);

	if (err)
		return -err;
	step_begin();
	err = tally_gauge_set(ledger, s->account, 5, 1, NEW);
	step_end();
	tally_ledger_close(ledger);
	return -err;
}

static void each(void **state, void (*meanwhile)(const struct subject *s,
						 struct stepped *other))
{
	struct subject s = {.machine = *state};
	unsigned int step = 0;
	bool stopped;

	machine_few_cpus(*state);
	do {
		struct stepped other;

		assert_true(step < MOST_STEPS);
		start(&s);
		step_run(&other, step++, set_one, &s);
		stopped = other.stopped;
		meanwhile(&s, &other);
		tally_ledger_close(s.ledger);
	} while (stopped);
	print_message("# %u steps\n", step - 1);
}

static void kill_it(const struct subject *s, struct stepped *other)
{
	if (other->stopped)
		step_kill(other);
	assert_true(amount(s) == OLD || amount(s) == NEW);
	assert_int_equal(tally_gauge_set(s->ledger, s->account, 5, 1, LAST), 0);
	assert_int_equal(amount(s), LAST);
}

static void killed_at_each_step(void **state)
{
	each(state, kill_it);
}

/* An add counts before the set, or after it. */
static void add_to_it(const struct subject *s, struct stepped *other)
{
	assert_int_equal(tally_ledger_charge(s->ledger, s->account, 5,
					     &(struct tally_amount){1, 20}, 1),
			 0);
	step_on(other);
	assert_int_equal(other->status, 0);
	assert_true(amount(s) == NEW + 20 || amount(s) == NEW);
}

static void added_to_at_each_step(void **state)
{
	each(state, add_to_it);
}

/* Whether it sleeps, as it does between its looks at a lock. */
static bool is_asleep(pid_t pid)
{
	char path[64], text[256] = "";
	const char *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	at = strrchr(text, ')');
	return at && at[1] == ' ' && at[2] == 'S';
}

/* Another set waits for it, and is the last one then. */
static void set_it_too(const struct subject *s, struct stepped *other)
{
	pid_t pid = fork(), ended;
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		int err;

		do
			err = tally_gauge_set(s->ledger, s->account, 5, 1,
					      LAST);
		while (err == -EAGAIN);
		_exit(err != 0);
	}
	while (!(ended = waitpid(pid, &status, WNOHANG)) && !is_asleep(pid))
		sched_yield();
	step_on(other);
	assert_int_equal(other->status, 0);
	if (!ended)
		ended = waitpid(pid, &status, 0);
	assert_int_equal(ended, pid);
	assert_int_equal(status, 0);
	assert_true(amount(s) == NEW || amount(s) == LAST);
}

static void set_at_each_step(void **state)
{
	each(state, set_it_too);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(killed_at_each_step),
		MACHINE_TEST(added_to_at_each_step),
		MACHINE_TEST(set_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
