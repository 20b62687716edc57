// SPDX-License-Identifier: MIT
/* Resources that were declared later, and other functions; declared by several at
 * once. */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <numatally/reader.h>

#include "file/column.h"
#include "support/declaring.h"
#include "support/machine.h"

/* ---- with other functions -------------------------------------------------- */

static void is_saved(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 3);
	struct tally_reader *reader;
	struct tally_view *view;
	int64_t amounts[4];
	char path[128];

	snprintf(path, sizeof(path), "%s/saved", m->dir);
	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(declare(l, &gpus), SECOND);
	assert_int_equal(tally_ledger_add(l, machine_account(l, "a"), FIRST, 5),
			 0);
	assert_int_equal(reserve(l, "a", 9, SECOND, 3), 0);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(declare(l, &used), SECOND + 1);
	assert_int_equal(tally_reader_save(view, path, 0600), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	assert_int_equal(tally_reader_open(path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(tally_view_nr_resources(view), 4);
	assert_string_equal(tally_view_resource(view, SECOND)->name, "gpus");
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[FIRST], 5);
	assert_int_equal(amounts[SECOND], 3);
	tally_view_close(view);
	tally_reader_close(reader);
}

static int open_or_create(struct machine *m, const struct tally_resource *some,
			  unsigned int nr)
{
	struct tally_ledger *l;
	int err = tally_ledger_open_or_create(m->path, m->topo, some, nr, NULL,
					      &l, NULL);

	if (!err)
		tally_ledger_close(l);
	return err;
}

static void may_be_asked_for_or_not(void **state)
{
	struct machine *m = *state;
	struct tally_resource all[] = {machine_reservables[0],
				       machine_reservables[1], faults, used};

	tally_ledger_close(create(m, 2));
	assert_int_equal(open_or_create(m, all, 2), 0);
	assert_int_equal(open_or_create(m, all, 3), -EEXIST);
	{
		struct tally_ledger *l = open_again(m);

		assert_int_equal(declare(l, &faults), FIRST);
		tally_ledger_close(l);
	}
	assert_int_equal(open_or_create(m, all, 1), -EEXIST);
	assert_int_equal(open_or_create(m, all, 2), 0);
	assert_int_equal(open_or_create(m, all, 3), 0);
	assert_int_equal(open_or_create(m, all, 4), -EEXIST);
	all[2].unit = "pages";
	assert_int_equal(open_or_create(m, all, 3), -EEXIST);
}

/* What the tool prints of the ledger; the caller closes it. */
static FILE *numatally(const struct machine *m, const char *verb,
		       const char *options)
{
	const char *tool = getenv("NUMATALLY");
	char command[256];
	FILE *f;

	if (!tool)
		skip();
	snprintf(command, sizeof(command), "%s %s %s %s", tool, verb, options,
		 m->path);
	f = popen(command, "r"); /* NOLINT(cert-env33-c) */
	assert_non_null(f);
	return f;
}

static bool prints(FILE *f, const char *text)
{
	char line[16384];
	bool found = false;

	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, text) != NULL;
	return found;
}

/* Also one that shows the ledger already. */
static void the_tool_shows_it(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l = create(m, 2);
	struct tally_account a = machine_account(l, "a");
	FILE *json = numatally(m, "show", "--json --interval 0.02");
	FILE *text = numatally(m, "show", "--interval 0.02"), *f;
	struct tally_capacity four = {5, 0, 4};

	assert_true(prints(json, "\"name\":\"memory\""));
	assert_true(prints(text, "memory"));
	assert_int_equal(declare(l, &faults), FIRST);
	assert_int_equal(tally_ledger_declare(l, &gpus, &four, 1), SECOND);
	assert_int_equal(tally_ledger_add(l, a, FIRST, 33), 0);
	assert_true(prints(json, "{\"name\":\"faults\",\"unit\":\"\","
				 "\"kind\":\"counter\"}"));
	assert_true(prints(json, "\"capacity\":{\"gpus\":4}"));
	assert_true(prints(json, "\"faults\":33"));
	assert_true(prints(text, "faults"));
	assert_true(prints(text, "gpus"));
	f = numatally(m, "check", "");
	assert_false(prints(f, "problem"));
	pclose(f);
	unlink(m->path);
	pclose(json);
	pclose(text);
	tally_ledger_close(l);
}

/* ---- at once ---------------------------------------------------------------- */

#define NR_PROCESSES 4
#define NR_SPARE     16

/* What each process was told, and how often an add succeeded. */
struct told {
	int number[NR_PROCESSES][NR_SPARE];
	uint64_t nr_added[NR_SPARE];
};

static void name_of(int i, char name[16])
{
	snprintf(name, 16, "r%d", i);
}

/* Each in an order of its own, and adds to what the others declared. */
static _Noreturn void declare_all(struct machine *m, int me, struct told *told)
{
	struct tally_ledger *l = open_again(m);
	struct tally_account a = machine_account(l, "a");

	for (int k = 0; k < NR_SPARE; k++) {
		int i = (k * (2 * me + 1) + me) % NR_SPARE;
		char name[16];
		const struct tally_resource r = {name, "ns", TALLY_COUNTER};

		name_of(i, name);
		do
			told->number[me][i] = declare(l, &r);
		while (told->number[me][i] == -EAGAIN);
		for (unsigned int c = FIRST; c < FIRST + NR_SPARE; c++)
			if (!tally_ledger_add(l, a, c, 1))
				__atomic_fetch_add(&told->nr_added[c - FIRST],
						   1, __ATOMIC_RELAXED);
	}
	tally_ledger_close(l);
	_exit(0);
}

/* Every view has the first so many, whole. */
static void *look(void *arg)
{
	struct machine *m = arg;
	struct tally_reader *reader;
	unsigned int last = 2;

	if (tally_reader_open(m->path, &reader))
		return "it does not open";
	while (last < 2 + NR_SPARE) {
		struct tally_view *view;
		unsigned int nr;

		if (tally_reader_view(reader, &view))
			return "no view";
		nr = tally_view_nr_resources(view);
		if (nr < last)
			return "one is gone";
		for (unsigned int i = 2; i < nr; i++)
			if (tally_view_resource(view, i)->name[0] != 'r' ||
			    strcmp(tally_view_resource(view, i)->unit, "ns"))
				return "another description";
		last = nr;
		tally_view_close(view);
	}
	tally_reader_close(reader);
	return NULL;
}

static void declared_by_several_at_once(void **state)
{
	struct machine *m = *state;
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(told, MAP_FAILED);
	for (int round = 0; round < 30; round++) {
		struct tally_ledger *l = create(m, NR_SPARE);
		pid_t pids[NR_PROCESSES];
		pthread_t thread;
		void *wrong;

		memset(told, 0, sizeof(*told));
		machine_account(l, "a");
		for (int p = 0; p < NR_PROCESSES; p++) {
			pids[p] = fork();
			assert_true(pids[p] >= 0);
			if (!pids[p]) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				declare_all(m, p, told);
			}
		}
		assert_int_equal(pthread_create(&thread, NULL, look, m), 0);
		for (int p = 0; p < NR_PROCESSES; p++) {
			int status;

			assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
			assert_int_equal(status, 0);
		}
		pthread_join(thread, &wrong);
		assert_ptr_equal(wrong, NULL);
		for (int i = 0; i < NR_SPARE; i++) {
			char name[16];

			name_of(i, name);
			for (int p = 0; p < NR_PROCESSES; p++)
				assert_int_equal(
					told->number[p][i],
					tally_ledger_resource(l, name));
			assert_int_equal(
				machine_total(l, FIRST + (unsigned int)i),
				told->nr_added[i]);
		}
		tally_ledger_close(l);
	}
	munmap(told, sizeof(*told));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(is_saved),
		MACHINE_TEST(may_be_asked_for_or_not),
		MACHINE_TEST(the_tool_shows_it),
		MACHINE_TEST(declared_by_several_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
