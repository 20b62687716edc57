// SPDX-License-Identifier: MIT
/*
 * A process opens a ledger, and is stopped at each step of that while another
 * process opens it too, or takes over from the dead. file/broken.sh runs this
 * with steps.
 */
#include "support/test.h"

#include <signal.h>

#include <numatally/reader.h>
#include <numatally/view.h>

#include "support/machine.h"
#include "support/step.h"

#define MOST_STEPS 1000

struct subject {
	struct machine *machine;
	bool exclusive;
	struct tally_ledger *first;  /* of this process, from the start */
	struct tally_ledger *second; /* another, if it could be opened */
	struct stepped *stepped;
};

static struct tally_writer *next_writer(struct tally_reader *reader,
					uint64_t *cursor,
					struct tally_writer *writer)
{
	int err;

	writer->size = sizeof(*writer);
	err = tally_reader_writer_next(reader, cursor, writer);
	assert_true(!err || err == -ENOENT);
	return err ? NULL : writer;
}

/* The slots of a process that are listed as alive; -1: something failed. In a
 * child, no assertion is of use. */
static int nr_alive(const char *path, pid_t pid)
{
	struct tally_writer writer;
	struct tally_reader *reader;
	uint64_t cursor = 0;
	int nr = 0;

	if (tally_reader_open(path, &reader))
		return -1;
	while (next_writer(reader, &cursor, &writer))
		nr += writer.pid == pid && writer.alive == 1;
	tally_reader_close(reader);
	return nr;
}

static int open_in_steps(void *arg)
{
	const struct subject *s = arg;
	struct tally_ledger *ledger;
	int err, nr;

	step_begin();
	err = tally_ledger_open(s->machine->path, &ledger);
	step_end();
	if (err)
		return -err;
	nr = nr_alive(s->machine->path, getpid());
	tally_ledger_close(ledger);
	return nr == 1 ? 0 : 1;
}

/* A process that is killed while it has the ledger open. */
static void leave_a_dead_writer(const struct subject *s)
{
	struct tally_ledger *ledger;
	struct tally_view *view;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		if (!tally_ledger_open(s->machine->path, &ledger) &&
		    !tally_view_snapshot(ledger, 0, SECOND_NS, &view))
			kill(getpid(), SIGKILL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* ---- meanwhile ----------------------------------------------------------- */

static void open_another(struct subject *s)
{
	bool both = !s->exclusive || !s->stepped->stopped;
	int err = tally_ledger_open(s->machine->path, &s->second);

	assert_true(!err || (!both && err == -EBUSY));
	step_on(s->stepped);
	/* Else one of the two has it. */
	assert_int_equal(s->stepped->status, both || err ? 0 : EBUSY);
}

/* The slot goes on to later generations. */
static void open_twice(struct subject *s)
{
	struct tally_ledger *ledger;

	assert_int_equal(tally_ledger_open(s->machine->path, &ledger), 0);
	tally_ledger_close(ledger);
	assert_int_equal(tally_ledger_open(s->machine->path, &s->second), 0);
	step_on(s->stepped);
	assert_int_equal(s->stepped->status, 0);
}

static void kill_it(struct subject *s)
{
	struct tally_view *view;
	int err;

	step_kill(s->stepped);
	assert_int_equal(tally_ledger_open(s->machine->path, &s->second), 0);
	/* And keeps nothing pinned. */
	err = tally_view_snapshot(s->second, 0, SECOND_NS, &view);
	if (err == -ENOSYS)
		return;
	assert_int_equal(err, 0);
	tally_view_close(view);
	assert_int_equal(nr_alive(s->machine->path, s->stepped->pid), 0);
}

static void each(void **state, bool exclusive,
		 void (*meanwhile)(struct subject *s))
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	unsigned int step = 0;
	bool stopped;

	machine_few_cpus(*state);
	do {
		struct stepped other;
		struct subject s = {.machine = *state,
				    .exclusive = exclusive,
				    .stepped = &other};

		assert_true(step < MOST_STEPS);
		unlink(s.machine->path);
		assert_int_equal(tally_ledger_create(s.machine->path,
						     s.machine->topo,
						     machine_resources, 2,
						     &options, &s.first),
				 0);
		if (exclusive) {
			tally_ledger_close(s.first);
			s.first = NULL;
		}
		leave_a_dead_writer(&s);
		step_run(&other, step++, open_in_steps, &s);
		stopped = other.stopped;
		meanwhile(&s);
		assert_int_equal(nr_alive(s.machine->path, getpid()),
				 (s.first != NULL) + (s.second != NULL));
		tally_ledger_close(s.second);
		tally_ledger_close(s.first);
	} while (stopped);
	print_message("# %u steps\n", step - 1);
}

static void opened_by_two(void **state)
{
	each(state, false, open_another);
}

static void opened_twice(void **state)
{
	each(state, false, open_twice);
}

static void opened_by_one_of_two(void **state)
{
	each(state, true, open_another);
}

static void opened_by_the_dead(void **state)
{
	each(state, false, kill_it);
	each(state, true, kill_it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(opened_by_two),
		MACHINE_TEST(opened_twice),
		MACHINE_TEST(opened_by_one_of_two),
		MACHINE_TEST(opened_by_the_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
