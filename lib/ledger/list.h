/* SPDX-License-Identifier: MIT */
/* The ledgers that this process has open: for threads that end, and for
 * fork(2). */
#ifndef LEDGER_LIST_H
#define LEDGER_LIST_H

#include "ledger/mapped.h"

/* Add a ledger, and give it its serial; remove it. Thread-safe. */
void ledger_list_add(struct tally_ledger *ledger);
void ledger_list_remove(struct tally_ledger *ledger);

/* Locks the list and returns its first ledger, or NULL; struct tally_ledger's
 * next leads on. The list stands still until ledger_list_unlock(). */
struct tally_ledger *ledger_list_lock(void);
void ledger_list_unlock(void);

#endif
