/* SPDX-License-Identifier: MIT */
/* What numatally replay says at the end, on stdout. */
#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

#include "replay_verify.h"

struct replay_report {
	const struct replay_setup *setup;
	const struct replay_result *result;
	const struct replay_verdict *verdict; /* NULL: it wasn't asked for */
};

/* Reserves, admitted or refused. */
uint64_t replay_per_second(const struct replay_result *result);

/* -errno, which has been said */
int replay_text(const struct replay_report *report);
int replay_json(const struct replay_report *report);

#endif
