/* SPDX-License-Identifier: MIT */
/* A trace that a test makes up, and what a replay of it has. */
#ifndef TEST_SUPPORT_REPLAY_MADE_H
#define TEST_SUPPORT_REPLAY_MADE_H

#include "support/test.h"

#include "replay/verify.h"
#include "support/replay_text.h"

#define CSV "time,job,op,node,resource,amount\n"

struct made {
	struct replay_trace trace;
	struct replay_machines machines;
	struct replay_setup setup;
	struct replay_result result;
	struct replay_log logs[2];
	struct replay_cell_end cells[80];
	struct replay_verdict verdict;
	uint64_t stamps;
	struct replay_columns columns;
	struct replay_place place;
};

static inline void make(struct made *m, const char *text,
			const struct replay_wish *wish)
{
	struct replay_texts texts = {.nr = 0};

	*m = (struct made){.stamps = 0};
	replay_put(&texts, text, strlen(text));
	/* Problems name the texts' paths. */
	assert_int_equal(replay_load_texts(&texts, &m->trace), 0);
	m->trace.files = NULL;
	assert_int_equal(replay_machines(&m->trace, wish, &m->machines), 0);
	assert_in_range(m->machines.nr_cells, 1, 80);
	assert_int_equal(replay_columns_create(&m->machines, &m->columns), 0);
	m->setup = (struct replay_setup){
		.trace = &m->trace,
		.machines = &m->machines,
	};
	m->result.cells = m->cells;
	m->result.logs = m->logs;
	m->result.nr_logs = 2;
	replay_remove(&texts);
}

static inline void unmake(struct made *m)
{
	replay_verdict_free(&m->verdict);
	replay_log_free(&m->logs[0]);
	replay_log_free(&m->logs[1]);
	replay_columns_destroy(&m->columns);
	replay_machines_free(&m->machines);
	replay_free(&m->trace);
}

#endif
