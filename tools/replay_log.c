// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay_log.h"

static void *grow(void *array, size_t *room, size_t needed, size_t bytes)
{
	size_t more = *room ? *room : 1024;
	void *grown;

	if (needed <= *room)
		return array;
	while (more < needed)
		more *= 2;
	grown = reallocarray(array, more, bytes);
	if (grown)
		*room = more;
	return grown;
}

int replay_log_add(struct replay_log *log, const struct replay_record *record,
		   const struct tally_hold *holds)
{
	struct replay_record *records =
		grow(log->records, &log->room, log->nr + 1, sizeof(*records));
	struct tally_hold *all;

	if (!records)
		return -ENOMEM;
	log->records = records;
	all = grow(log->holds, &log->room_holds,
		   log->nr_holds + record->nr_holds + 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	log->holds = all;
	records[log->nr] = *record;
	records[log->nr++].hold = log->nr_holds;
	if (record->nr_holds)
		memcpy(&all[log->nr_holds], holds,
		       record->nr_holds * sizeof(*holds));
	log->nr_holds += record->nr_holds;
	return 0;
}

void replay_log_free(struct replay_log *log)
{
	free(log->records);
	free(log->holds);
}
