// SPDX-License-Identifier: MIT
#include "config.h"

#include "ledger/list.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tally_ledger *first;

void ledger_list_add(struct tally_ledger *ledger)
{
	static uint64_t serial;

	pthread_mutex_lock(&lock);
	ledger->serial = ++serial;
	ledger->next = first;
	first = ledger;
	pthread_mutex_unlock(&lock);
}

void ledger_list_remove(struct tally_ledger *ledger)
{
	pthread_mutex_lock(&lock);
	for (struct tally_ledger **l = &first; *l; l = &(*l)->next) {
		if (*l == ledger) {
			*l = ledger->next;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
}

struct tally_ledger *ledger_list_lock(void)
{
	pthread_mutex_lock(&lock);
	return first;
}

void ledger_list_unlock(void)
{
	pthread_mutex_unlock(&lock);
}
