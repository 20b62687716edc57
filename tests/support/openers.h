/* SPDX-License-Identifier: MIT */
/* Processes that open one ledger: of one unit of memory, on node 0. */
#ifndef TEST_SUPPORT_OPENERS_H
#define TEST_SUPPORT_OPENERS_H

#include <signal.h>
#include <sys/prctl.h>

#include <numatally/limit.h>

#include "support/machine.h"

#define MEMORY 1

static inline int reserve(struct tally_ledger *l, const char *key)
{
	const struct tally_demand demand = {0, MEMORY, 1};
	const struct tally_request request = {
		.size = sizeof(request), .demands = &demand, .nr_demands = 1};
	struct tally_account a;
	struct tally_token t;
	int err = tally_account_open(tally_ledger_accounts(l), key, &a);

	return err ? err : tally_limit_reserve(l, a, &request, &t, NULL);
}

/* A ledger of which one process can have all. */
static inline void make(struct machine *m)
{
	struct tally_ledger *l = machine_limit_ledger(m, 0);

	assert_int_equal(tally_limit_set_capacity(l, 0, MEMORY, 1), 0);
	tally_ledger_close(l);
}

static inline struct tally_ledger *create(struct machine *m, int exclusive,
					  mode_t mode)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options), .exclusive = exclusive, .mode = mode};
	struct tally_ledger *l = NULL;

	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_reservables, 2, &options,
					     &l),
			 0);
	return l;
}

/* A child that does it and exits with what it returned. */
static inline pid_t child_of(int (*what)(struct machine *m), struct machine *m)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(what(m));
	}
	return pid;
}

static inline int result_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
