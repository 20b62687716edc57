/* SPDX-License-Identifier: MIT */
/* Processes that reserve, draw and give back until they are killed, and one that
 * reads; they say what they do in memory that they share with the test. */
#ifndef TEST_SUPPORT_KILL_WORKERS_H
#define TEST_SUPPORT_KILL_WORKERS_H

#include "support/test.h"

#include <numatally/limit.h>

#include "support/machine.h"

#define MEMORY	     1
#define NR_PROCESSES 4
#define NR_THREADS   2
#define NR_WORKERS   (NR_PROCESSES * NR_THREADS)
#define NR_ACCOUNTS  4 /* of each worker */
#define NR_NODES     3
#define CAPACITY     60
#define POOL	     12 /* on each node, of a reservation that some draw from */
#define SHORT_NS     INT64_C(5000000000)
#define LONG_NS	     INT64_C(600000000000)
#define ADOPTED	     3 /* by an account, whatever its quota */
#define MAX_TRIES    8
#define PAUSE_EVERY  64 /* kills */
#define READER_EVERY 4	/* of them, about: the reader is killed, too */

/* What an account has, as far as its worker was told. */
struct has {
	int state; /* of enum tally_reservation_state, or 0 */
	int64_t held[NR_NODES];
};

enum phase { IDLE, UNDER_WAY, DONE, REFUSED };

/* A worker's page: what it reports of itself. */
struct said {
	struct has has[NR_ACCOUNTS];
	int phase; /* of the call that the next three describe */
	int account;
	struct has before, after;
	int64_t since_ns; /* that it is in progress */
	int64_t longest_ns;
	uint64_t nr_calls, nr_refused, nr_again;
	int failed; /* line */
};

/* What a reader reports. */
struct reader_said {
	uint64_t nr_snapshots, nr_limits, nr_again;
	int failed; /* line */
};

struct shared {
	struct said said[NR_WORKERS];
	struct reader_said reader;
	struct tally_token pool;
	int pause;
	int nr_paused;
};

struct storm {
	struct machine *machine;
	struct tally_ledger *ledger;
	struct shared *shared;
	pid_t pids[NR_PROCESSES];
	pid_t reader;
	bool may_read; /* the kernel lets processes have snapshots */
	unsigned int seed;
	uint64_t nr_kills, nr_readers, nr_done, nr_not_done, nr_reaped,
		nr_again;
};

static inline void key_of(int worker, int i, char *key)
{
	sprintf(key, "all/%d/%d", worker, i);
}

/* Opens the ledger as this process of the storm, and works until it is killed. */
void be_killed(const struct storm *storm, int process);

/* Takes snapshots of it, with read permission alone, until it is killed. */
_Noreturn void read_until_killed(const struct storm *storm);

#endif
