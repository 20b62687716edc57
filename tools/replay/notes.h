/* SPDX-License-Identifier: MIT */
#ifndef TOOL_REPLAY_NOTES_H
#define TOOL_REPLAY_NOTES_H

#include "replay/report.h"

/* Call @each for everything that a replay models or leaves out. */
void replay_notes(const struct replay_report *report,
		  void (*each)(void *arg, const char *note), void *arg);

#endif
