// SPDX-License-Identifier: MIT
/* openb: the pods and machines of cluster-trace-gpu-v2023. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "replay/formats.h"

/* The numbers of the resources, whichever file comes first. */
enum { CPU_MILLI, MEMORY_MIB, GPU_MILLI, NR };

static int declare(struct replay_reader *r, struct replay_trace *trace)
{
	if (replay_resource(trace, "cpu_milli", "millicores") == CPU_MILLI &&
	    replay_resource(trace, "memory_mib", "MiB") == MEMORY_MIB &&
	    replay_resource(trace, "gpu_milli", "milligpus") == GPU_MILLI)
		return 0;
	return replay_bad(r, "too many resources");
}

/* Whether the line names these columns, each once, among others. */
static bool names(const char *line, const char *const *columns, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		size_t len = strlen(columns[i]);
		const char *p = line;

		while (strcspn(p, ",") != len || strncmp(p, columns[i], len)) {
			p += strcspn(p, ",");
			if (!*p++)
				return false;
		}
	}
	return true;
}

static const char *const pod_columns[] = {
	"cpu_milli",	 "memory_mib",	  "num_gpu",	    "gpu_milli",
	"creation_time", "deletion_time", "scheduled_time",
};
static const char *const machine_columns[] = {
	"cpu_milli",
	"memory_mib",
	"gpu",
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool replay_is_pods(const char *line)
{
	return names(line, pod_columns, COUNT(pod_columns));
}

bool replay_is_machines(const char *line)
{
	return names(line, machine_columns, COUNT(machine_columns));
}

struct columns {
	unsigned int at[COUNT(pod_columns)];
	int spec; /* -1: none */
};

static void find(struct replay_reader *r, const char *const *names_of,
		 size_t nr, struct columns *columns)
{
	for (size_t i = 0; i < nr; i++)
		columns->at[i] = (unsigned int)replay_column(r, names_of[i]);
	columns->spec = replay_column(r, "gpu_spec");
}

/* The demands of a pod. A share of a GPU counts as that part of it. */
static int read_demand(struct replay_reader *r, const struct columns *c,
		       struct replay_item items[NR], unsigned int *nr)
{
	int64_t amounts[NR] = {0}, gpus;

	if (replay_number(r, c->at[0], pod_columns[0], 0, INT32_MAX,
			  &amounts[CPU_MILLI]) ||
	    replay_number(r, c->at[1], pod_columns[1], 0, INT64_MAX / 1024,
			  &amounts[MEMORY_MIB]) ||
	    replay_number(r, c->at[2], pod_columns[2], 0, 1000000, &gpus) ||
	    replay_number(r, c->at[3], pod_columns[3], 0, 1000,
			  &amounts[GPU_MILLI]))
		return -EINVAL;
	amounts[GPU_MILLI] *= gpus;
	*nr = 0;
	for (uint32_t i = 0; i < NR; i++)
		if (amounts[i])
			items[(*nr)++] = (struct replay_item){REPLAY_ANYWHERE,
							      i, amounts[i]};
	return 0;
}

/* An empty field is -1. */
static int read_time(struct replay_reader *r, const struct columns *c,
		     unsigned int i, int64_t *us)
{
	*us = -1;
	if (c->at[i] < r->nr_fields && !*r->fields[c->at[i]])
		return 0;
	if (replay_seconds(r, c->at[i], pod_columns[i], us))
		return -EINVAL;
	return *us >= 0 ? 0 : replay_bad(r, "%s is below 0", pod_columns[i]);
}

static int read_pod(struct replay_reader *r, struct replay_trace *trace,
		    const struct columns *c)
{
	struct replay_item items[NR];
	int64_t created, deleted, begun;
	unsigned int nr;

	if (replay_split_csv(r) || read_demand(r, c, items, &nr) ||
	    read_time(r, c, 4, &created) || read_time(r, c, 5, &deleted) ||
	    read_time(r, c, 6, &begun))
		return -EINVAL;
	if (created < 0)
		return replay_bad(r, "missing creation_time");
	if (begun < 0)
		trace->nr_never++;
	if (begun < 0 && !trace->until_full)
		return 0;
	if (begun < 0)
		begun = created;
	if (deleted >= 0 && deleted < begun && !trace->until_full)
		return replay_bad(r, "deleted before it is scheduled");
	if (c->spec >= 0 && (unsigned int)c->spec < r->nr_fields &&
	    *r->fields[c->spec])
		trace->has_spec = true;
	return replay_add_job(r, trace, begun, deleted, 0, items, nr);
}

int replay_read_pods(struct replay_reader *r, struct replay_trace *trace)
{
	struct columns columns;
	int ret = declare(r, trace);

	if (ret || replay_split_csv(r))
		return -EINVAL;
	trace->has_pods = true;
	find(r, pod_columns, COUNT(pod_columns), &columns);
	while ((ret = replay_next_line(r)) == 1)
		if ((ret = replay_file_error(read_pod(r, trace, &columns))))
			return ret;
	return ret;
}

static int read_machine(struct replay_reader *r, struct replay_trace *trace,
			const struct columns *c)
{
	int64_t capacities[REPLAY_MAX_RESOURCES] = {0};

	if (replay_split_csv(r) ||
	    replay_number(r, c->at[0], machine_columns[0], 0, INT32_MAX,
			  &capacities[CPU_MILLI]) ||
	    replay_number(r, c->at[1], machine_columns[1], 0, INT64_MAX / 1024,
			  &capacities[MEMORY_MIB]) ||
	    replay_number(r, c->at[2], machine_columns[2], 0, 1000000,
			  &capacities[GPU_MILLI]))
		return -EINVAL;
	capacities[GPU_MILLI] *= 1000;
	return replay_add_machine(trace, capacities);
}

int replay_read_machines(struct replay_reader *r, struct replay_trace *trace)
{
	struct columns columns;
	int ret = declare(r, trace);

	if (ret || replay_split_csv(r))
		return -EINVAL;
	find(r, machine_columns, COUNT(machine_columns), &columns);
	while ((ret = replay_next_line(r)) == 1)
		if ((ret = replay_file_error(read_machine(r, trace, &columns))))
			return ret;
	return ret;
}
