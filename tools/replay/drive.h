/* SPDX-License-Identifier: MIT */
/*
 * A trace is driven through the library.
 *
 * Threads take the events in order, one at a time. An event waits until the
 * earlier events of its slot, which other threads have taken, are done. With
 * one thread the order is therefore that of the trace; several threads race,
 * except where events depend on each other.
 */
#ifndef TOOL_REPLAY_DRIVE_H
#define TOOL_REPLAY_DRIVE_H

#include "replay/setup.h"

/* Replay setup's trace. Errors are printed: -errno. The caller frees the
 * result, also after a failure. */
int replay_drive(const struct replay_setup *setup,
		 struct replay_result *result);
void replay_result_free(struct replay_result *result);

#endif
