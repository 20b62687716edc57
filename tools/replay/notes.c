// SPDX-License-Identifier: MIT
/* What a replay adds to its trace, or leaves out. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "replay/notes.h"

struct teller {
	const struct replay_report *report;
	void (*each)(void *arg, const char *note);
	void *arg;
};

static void __attribute__((format(printf, 2, 3)))
tell(const struct teller *t, const char *format, ...)
{
	char note[256];
	va_list args;

	va_start(args, format);
	vsnprintf(note, sizeof(note), format, args);
	va_end(args);
	t->each(t->arg, note);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void tell_machines(const struct teller *t)
{
	const struct replay_machines *m = t->report->setup->machines;
	const struct replay_trace *trace = t->report->setup->trace;
	size_t nr_listed = trace->origin.nr_machines;

	if (nr_listed > m->nr_machines)
		tell(t, "%u of the list's %zu machines, evenly apart in it",
		     m->nr_machines, nr_listed);
	if (trace->origin.max_nodes > (int64_t)m->nr_machines)
		tell(t, "%u machines for the header's %lld", m->nr_machines,
		     (long long)trace->origin.max_nodes);
	if (m->per_machine > 1 && !trace->origin.nr_capacities)
		tell(t,
		     "the trace has no NUMA nodes: each machine is split "
		     "evenly over %u",
		     m->per_machine);
	if (trace->kind == REPLAY_SWF && trace->origin.max_procs > 0 &&
	    m->nr_machines > 1)
		tell(t,
		     "the %lld processors of the header are spread evenly "
		     "over the machines",
		     (long long)trace->origin.max_procs);
}

static void tell_unlimited(const struct teller *t)
{
	const struct replay_machines *m = t->report->setup->machines;

	for (unsigned int r = 0; r < m->nr_resources; r++) {
		unsigned int nr = 0;

		for (int n = 0; n < (int)m->nr_nodes; n++)
			nr += m->capacity[replay_cell(m, n, r)] ==
			      TALLY_LIMIT_NONE;
		if (nr)
			tell(t,
			     "%s: no capacity is known of %u node%s: it is "
			     "not limited there",
			     t->report->setup->trace->resources[r].name, nr,
			     plural(nr));
	}
}

static void tell_jobs(const struct teller *t)
{
	const struct replay_trace *trace = t->report->setup->trace;
	uint64_t wide = trace->nr_wide + t->report->result->counts.wide;

	if (trace->kind == REPLAY_AZURE)
		tell(t,
		     "a request holds its tokens for %lld ms for each that "
		     "it generates",
		     (long long)REPLAY_US_PER_TOKEN / 1000);
	if (trace->kind == REPLAY_PODS && trace->has_spec)
		tell(t, "models of GPUs are ignored");
	if (trace->kind == REPLAY_PODS)
		tell(t, "a share of a GPU is that share of all of a node's");
	if (trace->nr_never && trace->until_full && trace->kind == REPLAY_PODS)
		tell(t, "%u job%s that never ran: submitted when created",
		     trace->nr_never, plural(trace->nr_never));
	else if (trace->nr_never)
		tell(t, "%u job%s that never ran: left out", trace->nr_never,
		     plural(trace->nr_never));
	if (wide)
		tell(t,
		     "%llu job%s over more nodes than one request may name: "
		     "not asked for",
		     (unsigned long long)wide, plural(wide));
	if (trace->nr_beyond)
		tell(t,
		     "%u job%s on nodes beyond the first %u that are named: "
		     "left out",
		     trace->nr_beyond, plural(trace->nr_beyond),
		     trace->nr_numbers);
	if (trace->nr_errors)
		tell(t, "%u line%s with an error: %s left out",
		     trace->nr_errors, plural(trace->nr_errors),
		     trace->nr_errors == 1 ? "its job is" : "their jobs are");
	if (trace->until_full)
		tell(t, "nothing is given back");
}

void replay_notes(const struct replay_report *report,
		  void (*each)(void *arg, const char *note), void *arg)
{
	const struct teller t = {report, each, arg};

	tell_machines(&t);
	tell_unlimited(&t);
	tell_jobs(&t);
	tell(&t, "times give the order: it is replayed as fast as it goes");
}
