/* SPDX-License-Identifier: MIT */
#ifndef REPLAY_NOTES_H
#define REPLAY_NOTES_H

#include "replay_report.h"

/* Calls each for all that a replay models or leaves out, a line each. */
void replay_notes(const struct replay_report *report,
		  void (*each)(void *arg, const char *note), void *arg);

#endif
