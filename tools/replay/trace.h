/* SPDX-License-Identifier: MIT */
/*
 * A trace: requests of jobs, in order.
 *
 *   files ── replay_load() ──> events, each with its items
 *                                │ replay_schedule(): sorts them, checks them,
 *                                v and gives each live job a slot
 *   slot:  reserve, commit, release, then the same for another job, …
 *
 * There are a few more slots than jobs that live at once. The ledger has an
 * account for each slot, so a long trace does not need a large ledger.
 */
#ifndef TOOL_REPLAY_TRACE_H
#define TOOL_REPLAY_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/limit.h>

#include "replay/read.h"

#define REPLAY_MAX_RESOURCES 16
#define REPLAY_MAX_NODES     65536 /* as of a ledger */
#define REPLAY_DENSE_NODES   1024  /* nodes of such numbers all have a place */
/* How long a request of AzureLLMInferenceTrace lives for each token that it
 * generates */
#define REPLAY_US_PER_TOKEN INT64_C(25000)

#define REPLAY_ANYWHERE	    (-1) /* as the node of an item */

enum replay_op {
	REPLAY_RESERVE,
	REPLAY_COMMIT,
	REPLAY_CANCEL,
	REPLAY_RELEASE,
	REPLAY_NR_OPS,
};
extern const char *const replay_op_names[REPLAY_NR_OPS];

struct replay_item {
	int32_t node; /* all items of an event have one, or none has */
	uint32_t resource;
	int64_t amount; /* above 0 */
};

struct replay_event {
	int64_t time_us;
	uint32_t order; /* among those of one time and rank */
	uint32_t job;	/* from 0 */
	uint32_t slot;	/* replay_schedule() */
	uint32_t turn;	/* its number among the events of its slot, from 0 */
	uint32_t line;
	uint32_t item; /* the first, in trace->items */
	uint32_t tasks;
	uint16_t file;
	uint8_t nr_items; /* 0, of a release: everything that the job holds */
	uint8_t op;	  /* enum replay_op */
	uint8_t rank;	  /* at one time, the lower come first */
	bool ends; /* the job holds nothing after it: replay_schedule() */
};

/*
 * If the items of a reserve are anywhere: with 0 tasks they are one lump, which
 * may be cut over the nodes of one machine; else each task asks for them on one
 * node, and tasks may be on different nodes.
 */

enum replay_kind {
	REPLAY_NONE,
	REPLAY_PODS, /* openb: pods, and the machines for them */
	REPLAY_SWF,
	REPLAY_CSV,
	REPLAY_AZURE, /* requests to a language model */
};

struct replay_resource {
	char name[32];
	char unit[16];
};

/* The machines on which a trace was recorded; 0 or NULL: not in the trace. */
struct replay_origin {
	int64_t (*machines)[REPLAY_MAX_RESOURCES]; /* capacities */
	size_t nr_machines, room_machines;
	int64_t max_procs, max_nodes;	/* of a SWF header */
	struct replay_item *capacities; /* of nodes */
	size_t nr_capacities, room_capacities;
	int32_t last_node; /* that is named; -1: none */
};

struct replay_trace {
	enum replay_kind kind;
	bool until_full; /* nothing is given back */
	char **files;
	uint16_t nr_files;
	struct replay_resource resources[REPLAY_MAX_RESOURCES];
	unsigned int nr_resources;
	struct replay_origin origin;
	struct replay_event *events;
	size_t nr_events, room_events;
	struct replay_item *items;
	size_t nr_items, room_items;
	uint32_t nr_jobs, nr_slots;
	uint32_t nr_never;  /* jobs that never ran */
	uint32_t nr_wide;   /* jobs left out: too many nodes for one request */
	uint32_t nr_errors; /* of lines: their jobs are left out */
	bool *left_out;	    /* by job */
	size_t room_left_out;
	/* The numbers of nodes, ascending, by their indices in items; NULL: the
	 * same. Jobs on nodes beyond the last one are left out. */
	int32_t *numbers;
	unsigned int nr_numbers;
	uint32_t nr_beyond; /* such jobs */
	bool has_pods; /* of openb: a list of them, not of machines alone */
	bool has_spec; /* a job asks for a model of GPU */
	void *names;   /* a tree of jobs' names: replay_job() */
};

void replay_free(struct replay_trace *trace);

/* The number of a resource, which is added if it is new. -E2BIG: too many */
int replay_resource(struct replay_trace *trace, const char *name,
		    const char *unit);

/* The number of the job of this name: a new one where the name is new or anew.
 * -ENOMEM, which is printed. */
int replay_job(struct replay_trace *trace, const char *name, bool anew,
	       uint32_t *job);

/* Leave a job out. -ENOMEM, which is printed. */
int replay_leave_out(struct replay_trace *trace, uint32_t job);

/* The number of a node: of @index, if the trace names no such node. */
static inline unsigned int replay_node(const struct replay_trace *trace,
				       size_t index)
{
	return trace->numbers && index < trace->nr_numbers
		       ? (unsigned int)trace->numbers[index]
		       : (unsigned int)index;
}

/* Append an event, and fill its item, nr_items, line, file and order in. Errors
 * are printed. */
int replay_add_event(struct replay_reader *reader, struct replay_trace *trace,
		     const struct replay_event *event,
		     const struct replay_item *items, unsigned int nr_items);

/* Append the events of a job: it reserves, commits, and releases at its end;
 * never, if that is before its begin. Errors are printed. */
int replay_add_job(struct replay_reader *reader, struct replay_trace *trace,
		   int64_t begin_us, int64_t end_us, uint32_t tasks,
		   const struct replay_item *items, unsigned int nr_items);

/* Add the capacity of a node, or a machine. -ENOMEM, which is printed */
int replay_add_capacity(struct replay_trace *trace,
			const struct replay_item *capacity);
int replay_add_machine(struct replay_trace *trace,
		       const int64_t capacities[REPLAY_MAX_RESOURCES]);

#endif
