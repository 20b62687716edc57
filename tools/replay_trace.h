/* SPDX-License-Identifier: MIT */
/*
 * A trace, as numatally replay goes through it: requests of jobs, in order.
 *
 *   files ── replay_load() ──> events, each with its items
 *                                │ replay_schedule(): sorts, checks, and gives
 *                                v each job that lives a slot
 *   slot:  reserve, commit, release, then the same for another job, …
 *
 * There are as many slots as jobs live at once, and a few more; a ledger has an
 * account for each, so that a long trace needs no large ledger.
 */
#ifndef REPLAY_TRACE_H
#define REPLAY_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/limit.h>

#include "replay_read.h"

#define REPLAY_MAX_RESOURCES 16
#define REPLAY_MAX_NODES     1024
/* A request of AzureLLMInferenceTrace lives so long for each that it generates.
 */
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
	uint32_t turn;	/* the how-many-eth event of its slot, from 0 */
	uint32_t line;
	uint32_t item; /* the first, in trace->items */
	uint32_t tasks;
	uint16_t file;
	uint8_t nr_items; /* of a release: 0: all that the job holds */
	uint8_t op;	  /* enum replay_op */
	uint8_t rank;	  /* at one time, the lower come first */
	bool ends; /* the job holds nothing any more: replay_schedule() */
};

/*
 * Where the items of a reserve are anywhere: with tasks 0 they are one lump,
 * which may be cut over the nodes of one machine; else each of as many tasks
 * asks for them, on one node, and each may be on another.
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

/* What a trace says of the machine it is from; what it doesn't is 0 or NULL. */
struct replay_said {
	int64_t (*machines)[REPLAY_MAX_RESOURCES]; /* capacities */
	size_t nr_machines;
	int64_t max_procs, max_nodes;	/* of a SWF header */
	struct replay_item *capacities; /* of nodes */
	size_t nr_capacities;
	int32_t last_node; /* that is named anywhere; -1: none is */
};

struct replay_trace {
	enum replay_kind kind;
	bool until_full; /* nothing is given back */
	char **files;
	uint16_t nr_files;
	struct replay_resource resources[REPLAY_MAX_RESOURCES];
	unsigned int nr_resources;
	struct replay_said said;
	struct replay_event *events;
	size_t nr_events;
	struct replay_item *items;
	size_t nr_items;
	uint32_t nr_jobs, nr_slots;
	uint32_t nr_never; /* jobs that the trace has, but that never ran */
	uint32_t nr_wide;  /* jobs left out: more than one request may have */
	bool has_spec;	   /* some ask for a model of GPU, or for a part */
	void *names;	   /* of CSV's jobs, to their numbers */
};

/*
 * Reads the files into *trace, which is all 0 but for until_full; there is
 * something to free whatever it returns. -EINVAL, -ENOMEM or what reading said:
 * all have been said on stderr.
 */
int replay_load(struct replay_trace *trace, char **paths, int nr);

/* The same. Sorts the events, and finds fault with their order. */
int replay_schedule(struct replay_trace *trace);

void replay_free(struct replay_trace *trace);

/* ---- what readers of a format use ---------------------------------------- */

/* The rest of a file whose first line, which is in reader, is of that kind. */
int replay_read_pods(struct replay_reader *reader, struct replay_trace *trace);
int replay_read_machines(struct replay_reader *reader,
			 struct replay_trace *trace);
int replay_read_swf(struct replay_reader *reader, struct replay_trace *trace);
int replay_read_csv(struct replay_reader *reader, struct replay_trace *trace);
int replay_read_azure(struct replay_reader *reader, struct replay_trace *trace);
bool replay_is_azure(const char *line);
bool replay_is_pods(const char *line);
bool replay_is_machines(const char *line);
bool replay_is_swf(const char *line);

/* The number of the resource, which is new, perhaps; -E2BIG: too many. */
int replay_resource(struct replay_trace *trace, const char *name,
		    const char *unit);

/* Appends; event->item, nr_items, line, file and order are filled in. What is
 * wrong has been said. */
int replay_add_event(struct replay_reader *reader, struct replay_trace *trace,
		     const struct replay_event *event,
		     const struct replay_item *items, unsigned int nr_items);

/* A job that reserves, commits, and releases at its end (below begin: never). */
int replay_add_job(struct replay_reader *reader, struct replay_trace *trace,
		   int64_t begin_us, int64_t end_us, uint32_t tasks,
		   const struct replay_item *items, unsigned int nr_items);

/* Another node or machine. -ENOMEM, which has been said */
int replay_add_capacity(struct replay_trace *trace,
			const struct replay_item *capacity);
int replay_add_machine(struct replay_trace *trace,
		       const int64_t capacities[REPLAY_MAX_RESOURCES]);

#endif
