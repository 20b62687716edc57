// SPDX-License-Identifier: MIT
/* The machines of a replay: from the trace, and from the user. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/machines.h"

/* openb's pods are a sample, which few of its 1,523 machines can hold. */
#define DEFAULT_PODS_MACHINES 10
#define DEFAULT_PODS_NODES    2

/* Of a larger machine, as many as can be replayed. */
static size_t most_machines(int64_t nr, unsigned int per_machine)
{
	int64_t most = REPLAY_MAX_NODES / per_machine;

	return (size_t)(nr < most ? nr : most);
}

static void choose_numbers(const struct replay_trace *trace,
			   const struct replay_wish *wish,
			   struct replay_machines *m)
{
	const struct replay_origin *origin = &trace->origin;
	bool pods = trace->kind == REPLAY_PODS;
	size_t nr = (size_t)origin->last_node + 1;

	m->nr_machines = wish->nr_machines;
	m->per_machine = wish->per_machine;
	if (!m->per_machine)
		m->per_machine = pods ? DEFAULT_PODS_NODES : 1;
	if (m->nr_machines)
		return;
	nr = (nr + m->per_machine - 1) / m->per_machine;
	if (origin->max_nodes > (int64_t)nr)
		nr = most_machines(origin->max_nodes, m->per_machine);
	if (pods && (!origin->nr_machines ||
		     origin->nr_machines > DEFAULT_PODS_MACHINES))
		nr = DEFAULT_PODS_MACHINES;
	else if (pods)
		nr = origin->nr_machines;
	m->nr_machines = nr ? (unsigned int)nr : 1;
}

static int check_numbers(const struct replay_trace *trace,
			 const struct replay_machines *m)
{
	const struct replay_origin *origin = &trace->origin;

	if ((uint64_t)m->nr_machines * m->per_machine > REPLAY_MAX_NODES)
		warnx("%u machines of %u nodes: at most %d nodes",
		      m->nr_machines, m->per_machine, REPLAY_MAX_NODES);
	else if (origin->last_node >= (int32_t)m->nr_nodes)
		warnx("the trace names node %d, and %u machine%s of %u node%s "
		      "have %u",
		      origin->last_node, m->nr_machines,
		      m->nr_machines == 1 ? "" : "s", m->per_machine,
		      m->per_machine == 1 ? "" : "s", m->nr_nodes);
	else if (origin->nr_machines && m->nr_machines > origin->nr_machines)
		warnx("%u machines: the list has %zu", m->nr_machines,
		      origin->nr_machines);
	else
		return 0;
	return -EINVAL;
}

/* The share of one of nr; the first ones get the remainder. */
static int64_t share(int64_t whole, unsigned int nr, unsigned int index)
{
	return whole / nr + (index < whole % nr);
}

static void set_machine(struct replay_machines *m, unsigned int machine,
			unsigned int resource, int64_t capacity)
{
	for (unsigned int i = 0; i < m->per_machine; i++)
		m->capacity[replay_cell(m, (int)(machine * m->per_machine + i),
					resource)] =
			share(capacity, m->per_machine, i);
}

/* Machines of the list, which is sorted by kind, at even distances. */
static void set_listed(const struct replay_trace *trace,
		       struct replay_machines *m)
{
	for (unsigned int i = 0; i < m->nr_machines; i++) {
		const int64_t *capacities =
			trace->origin.machines[i * trace->origin.nr_machines /
					       m->nr_machines];

		for (unsigned int r = 0; r < m->nr_resources; r++)
			set_machine(m, i, r, capacities[r]);
	}
}

static void set_recorded(const struct replay_trace *trace,
			 struct replay_machines *m)
{
	const struct replay_origin *origin = &trace->origin;

	if (origin->nr_machines)
		set_listed(trace, m);
	if (trace->kind == REPLAY_SWF && origin->max_procs > 0)
		for (unsigned int i = 0; i < m->nr_machines; i++)
			set_machine(
				m, i, 0,
				share(origin->max_procs, m->nr_machines, i));
	for (size_t i = 0; i < origin->nr_capacities; i++) {
		const struct replay_item *c = &origin->capacities[i];

		for (int n = 0; n < (int)m->nr_nodes; n++)
			if (c->node == REPLAY_ANYWHERE || c->node == n)
				m->capacity[replay_cell(m, n, c->resource)] =
					c->amount;
	}
}

static int bad_wish(const struct replay_trace *trace, const char *at)
{
	warnx("--capacity: invalid '%s'", at);
	for (unsigned int i = 0; i < trace->nr_resources; i++)
		warnx("%s %s", i ? "and" : "the trace's resources are",
		      trace->resources[i].name);
	return -EINVAL;
}

/* Parse RESOURCE=AMOUNT, and move *at behind it and a comma. *len is of the name. */
static bool take_wish(const char **at, size_t *len, int64_t *amount)
{
	const char *digits, *end;

	*len = strcspn(*at, "=");
	if (!*len || !(*at)[*len])
		return false;
	digits = *at + *len + 1;
	*amount = replay_parse(digits, &end);
	if (end == digits || *amount < 0 || (*end && *end != ','))
		return false;
	*at = *end ? end + 1 : end;
	return true;
}

bool replay_wish_is_list(const char *wish)
{
	int64_t amount;
	size_t len;

	do {
		if (!take_wish(&wish, &len, &amount))
			return false;
	} while (*wish);
	return true;
}

static int set_wished(const struct replay_trace *trace, const char *wish,
		      struct replay_machines *m)
{
	while (wish && *wish) {
		const char *name = wish;
		unsigned int r = 0;
		int64_t amount;
		size_t len;

		if (!take_wish(&wish, &len, &amount))
			return bad_wish(trace, name);
		while (r < m->nr_resources &&
		       (strncmp(trace->resources[r].name, name, len) != 0 ||
			trace->resources[r].name[len]))
			r++;
		if (r == m->nr_resources)
			return bad_wish(trace, name);
		for (unsigned int i = 0; i < m->nr_machines; i++)
			set_machine(m, i, r, amount);
	}
	return 0;
}

/* Without any limit, nothing would be refused. */
static int check_known(const struct replay_trace *trace,
		       const struct replay_machines *m)
{
	for (size_t i = 0; i < m->nr_cells; i++)
		if (m->capacity[i] != TALLY_LIMIT_NONE)
			return 0;
	if (trace->kind == REPLAY_PODS && !trace->origin.nr_machines)
		warnx("%s: a list of pods: give the list of machines, too, or "
		      "--capacity %s=...",
		      trace->files[0], trace->resources[0].name);
	else
		warnx("the trace has no capacity: give --capacity %s=...",
		      trace->nr_resources ? trace->resources[0].name
					  : "RESOURCE");
	return -EINVAL;
}

int replay_machines(struct replay_trace *trace, const struct replay_wish *wish,
		    struct replay_machines *m)
{
	int err;

	*m = (struct replay_machines){.nr_resources = trace->nr_resources};
	choose_numbers(trace, wish, m);
	m->nr_nodes = m->nr_machines * m->per_machine;
	err = check_numbers(trace, m);
	if (err)
		return err;
	m->nr_cells = (size_t)m->nr_nodes * m->nr_resources;
	m->capacity = calloc(m->nr_cells + 1, sizeof(*m->capacity));
	if (!m->capacity) {
		warnx("no memory for %u nodes", m->nr_nodes);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m->nr_cells; i++)
		m->capacity[i] = TALLY_LIMIT_NONE;
	set_recorded(trace, m);
	err = set_wished(trace, wish->capacity, m);
	if (!err)
		err = check_known(trace, m);
	if (err)
		replay_machines_free(m);
	return err;
}

void replay_machines_free(struct replay_machines *m)
{
	free(m->capacity);
	m->capacity = NULL;
}
