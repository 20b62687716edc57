/* SPDX-License-Identifier: MIT */
/* ask: how a process with read permission alone gets a snapshot, by a lock and a
 * wake-up of a process that serves (snapshot/serve.h). See snapshot/pin.h. */
#ifndef SNAPSHOT_ASK_H
#define SNAPSHOT_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "file/file.h"
#include "snapshot/pin.h"

struct ask_pin;

/* What the views of one reader have pinned. The reader's file must not be open
 * in the structure of another. */
struct asker {
	const struct layout *layout;
	struct ask_pin *first;
};

void ask_init(struct asker *asker, const struct layout *layout);
void ask_destroy(struct asker *asker); /* without pins */

/*
 * Pin a snapshot, and describe it. Thread-safe.
 *
 * -EBUSY	an older one is pinned, and join is false
 * -EAGAIN	no snapshot was taken within timeout_ns
 * -ESRCH	writers live, and none of them serves
 * -EBADMSG	the file is damaged or was cut short
 * -ENOMEM	no memory
 * others	as fcntl(2)
 */
int ask_pin(struct asker *asker, bool join, int64_t timeout_ns,
	    struct pin_info *info);
void ask_unpin(struct asker *asker, uint64_t epoch);

/* What a reader sleeps at: the half of frozen that each snapshot changes. */
const uint32_t *ask_answer(const struct layout *layout);

/* Wake nr threads that serve: a pin is gone, or a snapshot wanted. */
void ask_ring(const struct layout *layout, int nr);

#endif
