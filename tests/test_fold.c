// SPDX-License-Identifier: MIT
/*
 * Releases a snapshot one instruction at a time. Whatever the file holds after
 * any of them is what a kill there leaves: a copy of it must have every amount
 * once, before and after the next process goes on with it.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/view.h>

#include "inside.h"
#include "machine.h"

#define SECOND INT64_C(1000000000)

/* The file, and what it held after the last instruction that changed it. */
struct image {
	struct layout *now;
	char *last;
	size_t bytes;
	char copy[128]; /* path of the one that is killed */
	pid_t pid;
	int64_t expected;
	unsigned int nr_states;
};

/* The next run of pages that exist, from *at on. */
static bool next_data(const struct image *i, off_t *at, off_t *end)
{
	*at = lseek(i->now->fd, *at, SEEK_DATA);
	if (*at < 0)
		return false;
	*end = lseek(i->now->fd, *at, SEEK_HOLE);
	return true;
}

static bool changed(struct image *i)
{
	bool any = false;
	off_t end;

	for (off_t at = 0; next_data(i, &at, &end); at = end) {
		size_t bytes = (size_t)(end - at);

		if (!memcmp(i->last + at, i->now->origin + at, bytes))
			continue;
		memcpy(i->last + at, i->now->origin + at, bytes);
		any = true;
	}
	return any;
}

static void write_copy(const struct image *i)
{
	struct layout *copy;
	off_t end;
	int fd = open(i->copy, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)i->bytes), 0);
	for (off_t at = 0; next_data(i, &at, &end); at = end)
		assert_int_equal(
			pwrite(fd, i->last + at, (size_t)(end - at), at),
			end - at);
	close(fd);
	copy = inside_open(i->copy);
	/* As if it had been killed: this is not its start time. */
	inside_writer(copy, i->pid)->start = 1;
	inside_close(copy);
}

static void check_totals(const struct tally_view *view, int64_t expected)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], expected);
	assert_int_equal(amounts[1], -expected);
}

static void check_copy(struct image *i)
{
	struct tally_ledger *ledger;
	struct tally_view *view;

	i->nr_states++;
	write_copy(i);
	assert_int_equal(tally_ledger_open(i->copy, &ledger), 0);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	check_totals(view, i->expected);
	tally_view_close(view);
	assert_int_equal(tally_view_snapshot(ledger, 0, SECOND, &view), 0);
	check_totals(view, i->expected);
	tally_view_close(view);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	check_totals(view, i->expected);
	tally_view_close(view);
	tally_ledger_close(ledger);
}

static int release(const char *path)
{
	struct tally_ledger *ledger;
	struct tally_view *view;

	if (tally_ledger_open(path, &ledger) ||
	    tally_view_snapshot(ledger, 0, SECOND, &view))
		return 1;
	if (inside_stop())
		return 2;
	tally_view_close(view);
	_exit(0);
}

static void step_through(struct image *i, const char *path)
{
	bool stepped;

	i->pid = fork();
	assert_true(i->pid >= 0);
	if (!i->pid)
		_exit(release(path));
	stepped = inside_wait(i->pid);
	if (!stepped)
		skip();
	do
		if (changed(i))
			check_copy(i);
	while (inside_step(i->pid));
}

/* Adds from every CPU that it may have, for every node. */
static void add_everywhere(struct tally_ledger *ledger, int64_t *expected)
{
	for (int64_t i = 1; i <= 9; i++) {
		struct tally_account a =
			machine_account(ledger, i % 2 ? "odd" : "even");
		const struct tally_amount amounts[2] = {{0, i}, {1, -i}};

		assert_int_equal(tally_ledger_charge(ledger, a,
						     machine_nodes[i % 3],
						     amounts, 2),
				 0);
		*expected += i;
	}
}

static void a_release_killed_at_each_instruction(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger;
	struct image image = {0};

	/* An emulated machine takes minutes for the same instructions, and so
	 * does a sanitizer for the many more that it makes of them. */
	if (getenv("NUMATALLY_GUEST") || getenv("TSAN_OPTIONS"))
		skip();
	machine_few_cpus(m);
	ledger = machine_ledger(m, 64);
	snprintf(image.copy, sizeof(image.copy), "%s/copy", m->dir);
	image.now = inside_open(m->path);
	image.bytes = image.now->header.file_bytes;
	image.last = mmap(NULL, image.bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(image.last, MAP_FAILED);
	/* The first release makes the settled cells, the next one has them. */
	for (int round = 0; round < 2; round++) {
		add_everywhere(ledger, &image.expected);
		step_through(&image, m->path);
	}
	print_message("# %u states\n", image.nr_states);
	/* Bank, settled cells, state and zeros of three planes, at least. */
	assert_true(image.nr_states > 24);
	munmap(image.last, image.bytes);
	inside_close(image.now);
	tally_ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_release_killed_at_each_instruction, machine_setup,
			machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
