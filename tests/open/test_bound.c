// SPDX-License-Identifier: MIT
/* A ledger that was removed, whose file a bind mount still has at another path, as
 * a container may: all that open it there learn that it was removed. */
#include "support/served.h"

#include <stdio.h>
#include <sys/mount.h>

#include <numatally/error.h>
#include <numatally/registry.h>
#include <numatally/watch.h>

#include "support/spaces.h"

/* In a mount namespace of its own, which ends with this process. */
static bool may_mount;

static int leave_mounts(void **state)
{
	(void)state;
	may_mount = spaces_leave_mounts();
	return 0;
}

/* Create the ledger, bind it to its directory's bound.ledger, and remove it. */
static void remove_bound(struct machine *m, char *bound, size_t size)
{
	FILE *f;

	snprintf(bound, size, "%s/bound.ledger", m->dir);
	tally_ledger_close(machine_limit_ledger(m, 0));
	f = fopen(bound, "w");
	assert_non_null(f);
	fclose(f);
	if (!may_mount || mount(m->path, bound, NULL, MS_BIND, NULL)) {
		print_message("# the kernel refuses the mount\n");
		unlink(bound);
		unlink(m->path);
		skip();
	}
	assert_int_equal(tally_ledger_remove(m->path, 0), 0);
}

static void unbind(const char *bound)
{
	assert_int_equal(umount2(bound, MNT_DETACH), 0);
	assert_int_equal(unlink(bound), 0);
}

static void a_reader_learns_it(void **state)
{
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_reader *reader;
	struct tally_view *view;
	char bound[128];

	remove_bound(*state, bound, sizeof(bound));
	assert_int_equal(tally_reader_open(bound, &reader), 0);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	assert_int_equal(info.removed, 1);
	assert_int_equal(served_take(reader, 0, &view), -EIDRM);
	tally_reader_close(reader);
	unbind(bound);
}

static void a_watch_learns_it(void **state)
{
	const struct tally_watch_threshold t = {
		.of = TALLY_WATCH_FREE,
		.side = TALLY_WATCH_BELOW,
		.node = machine_nodes[0],
		.resource = 1,
		.mark = -1,
	};
	const struct tally_watch_options options = {
		.size = sizeof(options),
		.thresholds = &t,
		.nr_thresholds = 1,
		.flags = TALLY_WATCH_IDLE,
	};
	struct tally_reader *reader;
	struct tally_watch *watch;
	struct tally_view *view;
	char bound[128];

	remove_bound(*state, bound, sizeof(bound));
	assert_int_equal(tally_reader_open(bound, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(tally_watch_open(view, &options, &watch), 0);
	assert_int_equal(tally_watch_wait(watch, served_ns(), NULL), -EIDRM);
	tally_watch_close(watch);
	tally_view_close(view);
	tally_reader_close(reader);
	unbind(bound);
}

static void a_writer_learns_it(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *l;
	char bound[128];

	remove_bound(m, bound, sizeof(bound));
	assert_int_equal(tally_ledger_open(bound, &l), -EIDRM);
	assert_int_equal(tally_ledger_open_or_create(bound, m->topo,
						     machine_reservables, 2,
						     NULL, &l, NULL),
			 -EIDRM);
	assert_string_equal(tally_strerror_of("tally_ledger_open", -EIDRM),
			    "the ledger was removed or replaced, and a mount "
			    "keeps its file");
	unbind(bound);
	/* Where nothing is mounted, it is only gone. */
	assert_int_equal(tally_ledger_open(m->path, &l), -ENOENT);
}

static void the_registry_says_it(void **state)
{
	struct tally_registry_entry e = {.size = sizeof(e)};
	struct machine *m = *state;
	struct tally_registry *registry;
	uint64_t cursor = 0;
	char bound[128];

	remove_bound(m, bound, sizeof(bound));
	setenv("NUMATALLY_DIR", m->dir, 1);
	assert_int_equal(tally_registry_open(0, &registry), 0);
	assert_int_equal(tally_registry_next(registry, &cursor, &e), 0);
	assert_string_equal(e.name, "bound");
	assert_int_equal(e.error, 0);
	assert_int_equal(e.removed, 1);
	tally_registry_close(registry);
	unsetenv("NUMATALLY_DIR");
	unbind(bound);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_reader_learns_it),
		MACHINE_TEST(a_watch_learns_it),
		MACHINE_TEST(a_writer_learns_it),
		MACHINE_TEST(the_registry_says_it),
	};

	return cmocka_run_group_tests(tests, leave_mounts, NULL);
}
