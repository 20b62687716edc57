/* SPDX-License-Identifier: MIT */
/* A ledger that another user may read, and snapshots of its readers. */
#ifndef TEST_SUPPORT_SERVED_H
#define TEST_SUPPORT_SERVED_H

#include "support/test.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <numatally/reader.h>

#include "base/clock.h"
#include "support/machine.h"

#define SERVED_MODE 0644
#define NOBODY	    65534

/* How long to wait for a snapshot: long, on a busy machine, unless the library is
 * broken or one was waited for in vain before. */
static int64_t served_late_ns;
static inline int64_t served_ns(void)
{
	if (served_late_ns)
		return served_late_ns;
	return getenv("NUMATALLY_BROKEN") ? 5 * SECOND_NS : 30 * SECOND_NS;
}

static inline struct tally_ledger *served_ledger(struct machine *m,
						 bool exclusive)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.exclusive = exclusive,
		.mode = SERVED_MODE,
	};
	struct tally_ledger *l;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &l),
			 0);
	assert_int_equal(chmod(m->dir, 0755), 0);
	return l;
}

static inline struct tally_reader *served_reader(const struct machine *m)
{
	struct tally_reader *reader;

	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	return reader;
}

static inline int served_take(struct tally_reader *reader, unsigned int flags,
			      struct tally_view **view)
{
	int err = tally_reader_snapshot(reader, flags, served_ns(), view);

	/* Some containers refuse membarrier(2). */
	if (err == -ENOSYS)
		skip();
	if (err == -EAGAIN)
		served_late_ns = SECOND_NS / 10;
	return err;
}

static inline int64_t served_total(const struct tally_view *view,
				   unsigned int resource)
{
	int64_t amounts[2];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	return amounts[resource];
}

static inline void served_add(struct tally_ledger *l, const char *key,
			      int64_t amount)
{
	assert_int_equal(
		tally_ledger_add(l, machine_account(l, key), 0, amount), 0);
}

/* Where this process is root: let it be a user that owns nothing. */
static inline bool served_be_nobody(void)
{
	return geteuid() || (!setgid(NOBODY) && !setuid(NOBODY));
}

static inline int served_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
