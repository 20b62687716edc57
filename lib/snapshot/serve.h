/* SPDX-License-Identifier: MIT */
/* serve: the thread that tally_ledger_serve() starts, which takes snapshots for
 * readers and folds what closed ones left. It sleeps until ask_ring(). */
#ifndef SNAPSHOT_SERVE_H
#define SNAPSHOT_SERVE_H

#include "ledger/mapped.h"

/* End it; do nothing if it does not run. */
void serve_stop(struct tally_ledger *ledger);

/* In the child of a fork(2), which lacks the thread. */
void serve_forked(struct tally_ledger *ledger);

#endif
