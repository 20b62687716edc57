// SPDX-License-Identifier: MIT
/* Snapshots of what the workers reserve: within every limit, each time. */
#include "support/test.h"

#include <numatally/reader.h>

#include "support/kill_workers.h"

#define TIMEOUT_NS (100 * 1000000)

static _Noreturn void end_badly(struct reader_said *said, int line)
{
	__atomic_store_n(&said->failed, line, __ATOMIC_RELEASE);
	_exit(1);
}
#define MUST(holds)                                \
	do {                                       \
		if (!(holds))                      \
			end_badly(said, __LINE__); \
	} while (0)

/* Whether it stands. -EAGAIN: a process was killed in the middle of a change;
 * -ESTALE: the reader was too slow. */
static bool is_read(struct reader_said *said, int err)
{
	MUST(!err || err == -EAGAIN || err == -ESTALE);
	return !err;
}

/* adopted: what accounts may have beyond the limit. */
static void check_limit(struct reader_said *said, int err,
			const struct tally_limit *limit, int64_t is,
			int64_t adopted)
{
	if (!is_read(said, err))
		return;
	MUST(limit->limit == is);
	MUST(limit->held >= 0 && limit->held <= is + adopted);
	MUST(limit->over == (limit->held > is));
	said->nr_limits++;
}

static void check_nodes(struct reader_said *said, const struct tally_view *view)
{
	for (int n = 0; n < 2; n++) {
		struct tally_limit limit = {.size = sizeof(limit)};
		int64_t amounts[2];

		if (is_read(said,
			    tally_view_totals(view, machine_nodes[n], amounts)))
			MUST(amounts[MEMORY] >= POOL &&
			     amounts[MEMORY] <= CAPACITY);
		check_limit(said,
			    tally_limit_node(view, machine_nodes[n], MEMORY,
					     &limit),
			    &limit, CAPACITY, 0);
	}
}

static void check_quota(struct reader_said *said, const struct tally_view *view,
			const char *key, int64_t quota, int nr_accounts)
{
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_account account;

	MUST(!tally_account_find(tally_view_accounts(view), key, &account));
	check_limit(said, tally_limit_account(view, account, MEMORY, &limit),
		    &limit, quota, (int64_t)nr_accounts * ADOPTED);
}

static void check(struct reader_said *said, const struct tally_view *view)
{
	check_nodes(said, view);
	check_quota(said, view, "all/", 2 * CAPACITY, NR_WORKERS * NR_ACCOUNTS);
	for (int w = 0; w < NR_WORKERS; w++) {
		char key[32];

		sprintf(key, "all/%d/", w);
		check_quota(said, view, key, CAPACITY / 2, NR_ACCOUNTS);
	}
}

void read_until_killed(const struct storm *storm)
{
	struct reader_said *said = &storm->shared->reader;
	const struct timespec nap = {0, 200000}; /* the others' turn */
	struct tally_reader *reader;

	MUST(!tally_reader_open(storm->machine->path, &reader));
	for (;;) {
		struct tally_view *view;
		int err = tally_reader_snapshot(reader, TALLY_SNAPSHOT_JOIN,
						TIMEOUT_NS, &view);

		/* Those that serve were just killed, or are being started. */
		if (err == -EAGAIN || err == -ESRCH) {
			said->nr_again++;
			continue;
		}
		MUST(!err);
		check(said, view);
		tally_view_close(view);
		__atomic_fetch_add(&said->nr_snapshots, 1, __ATOMIC_RELAXED);
		nanosleep(&nap, NULL);
	}
}
