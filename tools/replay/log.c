// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "replay/log.h"

int replay_log_add(struct replay_log *log, const struct replay_record *record,
		   const struct tally_demand *demands)
{
	if (array_reserve(log->records, log->room, log->nr + 1) ||
	    array_reserve(log->demands, log->room_demands,
			  log->nr_demands + record->nr_demands + 1))
		return -ENOMEM;
	log->records[log->nr] = *record;
	log->records[log->nr++].demand = log->nr_demands;
	if (record->nr_demands)
		memcpy(&log->demands[log->nr_demands], demands,
		       record->nr_demands * sizeof(*demands));
	log->nr_demands += record->nr_demands;
	return 0;
}

void replay_log_free(struct replay_log *log)
{
	free(log->records);
	free(log->demands);
}
