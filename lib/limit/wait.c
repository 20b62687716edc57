// SPDX-License-Identifier: MIT
/* Waiting for room: see numatally/limit.h and limit/room.h. */
#include "config.h"

#include <errno.h>

#include "base/clock.h"
#include "base/futex.h"
#include "limit/request.h"
#include "limit/room.h"

/* Nobody tells of a lease that runs out, a process that dies, or what a credit
 * gives back without the lock. */
#define LOOK_NS 50000000

/* What room could end the refusal. */
static uint32_t bits_of(const struct limit_request *r, int err)
{
	return err == -ENOSPC && !r->parent
		       ? room_on(limit_request_node(r, r->demand))
		       : ROOM_ELSEWHERE;
}

/* Return -EINTR, -ETIMEDOUT, or 0 to ask again. */
static int sleep_at(const uint32_t *word, uint32_t made, uint32_t bits,
		    int64_t end_ns)
{
	int64_t now = now_ns();
	int64_t until = end_ns - now < LOOK_NS ? end_ns : now + LOOK_NS;
	const struct timespec t = {until / SECOND_NS, until % SECOND_NS};

	if (now >= end_ns)
		return -ETIMEDOUT;
	if (!futex_wait_bits(word, made, &t, bits))
		return 0;
	return errno == EINTR || errno == EFAULT ? -errno : 0;
}

int limit_request_wait(const struct limit_request *asked,
		       const struct tally_request *request, int64_t timeout_ns,
		       struct tally_refusal *refusal)
{
	struct layout_limits *limits = layout_limits(asked->ledger->layout);
	int64_t end_ns = deadline_ns(timeout_ns);
	uint32_t awaited = 0; /* bits that were set before made was read */

	for (;;) {
		struct limit_request r = *asked;
		struct tally_token unused;
		uint32_t made =
			__atomic_load_n(&limits->made, __ATOMIC_ACQUIRE);
		uint32_t bits;
		int err;

		if (awaited)
			__atomic_fetch_or(&limits->awaited, awaited,
					  __ATOMIC_RELAXED);
		err = limit_request(&r, request, &unused, refusal);
		if (!r.refused)
			return err;
		bits = bits_of(&r, err);
		if (bits != awaited) {
			awaited = bits;
			continue;
		}
		err = sleep_at(&limits->made, made, bits, end_ns);
		if (err)
			return err;
	}
}
