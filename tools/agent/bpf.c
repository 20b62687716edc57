// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "agent/bpf.h"
#include <agent/cpu.skel.h> /* bpftool makes it */

#define BATCH 256

struct agent_bpf {
	struct cpu *program;
	struct ring_buffer *ring;
	unsigned int nr_cpus;	/* possible ones */
	struct agent_sum *sums; /* (BATCH + 1) times nr_cpus */
	uint64_t ids[BATCH];
	unsigned long long nr_lost;
	void (*take)(void *data, const struct agent_event *event);
	void *data;
};

/* What libbpf has to say of a refusal is in the error. */
static int silent(enum libbpf_print_level level, const char *format,
		  va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int on_event(void *data, void *event, size_t bytes)
{
	const struct agent_bpf *bpf = data;

	if (bytes >= sizeof(struct agent_event))
		bpf->take(bpf->data, event);
	return 0;
}

static int load(struct agent_bpf *bpf, int version, int hierarchy)
{
	int nr = libbpf_num_possible_cpus(), err;

	if (nr < 0)
		return nr;
	bpf->nr_cpus = (unsigned int)nr;
	bpf->sums = calloc((BATCH + 1) * (size_t)nr, sizeof(*bpf->sums));
	bpf->program = bpf->sums ? cpu__open() : NULL;
	if (!bpf->program)
		return bpf->sums ? -errno : -ENOMEM;
	bpf->program->rodata->version = version;
	bpf->program->rodata->hierarchy = hierarchy;
	err = cpu__load(bpf->program);
	if (err)
		return err;
	bpf->ring = ring_buffer__new(bpf_map__fd(bpf->program->maps.events),
				     on_event, bpf, NULL);
	if (!bpf->ring)
		return -errno;
	return cpu__attach(bpf->program);
}

int agent_bpf_open(int version, int hierarchy, struct agent_bpf **bpf)
{
	struct agent_bpf *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	libbpf_set_print(silent);
	err = load(b, version, hierarchy);
	if (err)
		agent_bpf_close(b);
	else
		*bpf = b;
	return err;
}

void agent_bpf_close(struct agent_bpf *bpf)
{
	if (!bpf)
		return;
	ring_buffer__free(bpf->ring);
	cpu__destroy(bpf->program);
	free(bpf->sums);
	free(bpf);
}

int agent_bpf_read(struct agent_bpf *bpf,
		   int (*take)(void *data, uint64_t id,
			       const struct agent_sum *sums, unsigned int nr),
		   void *data)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	int fd = bpf_map__fd(bpf->program->maps.sums), err = 0, ret = 0;
	uint32_t at = 0, next = 0;
	void *from = NULL;

	while (!ret && !err) {
		uint32_t nr = BATCH;

		err = bpf_map_lookup_batch(fd, from, &next, bpf->ids, bpf->sums,
					   &nr, &options);
		if (err && err != -ENOENT)
			return err;
		for (uint32_t i = 0; i < nr && !ret; i++)
			ret = take(data, bpf->ids[i],
				   bpf->sums + (size_t)i * bpf->nr_cpus,
				   bpf->nr_cpus);
		at = next;
		from = &at;
	}
	return ret;
}

int agent_bpf_forget(struct agent_bpf *bpf, uint64_t id,
		     const struct agent_sum **sums, unsigned int *nr)
{
	struct agent_sum *last = bpf->sums + (size_t)BATCH * bpf->nr_cpus;
	int err = bpf_map__lookup_and_delete_elem(
		bpf->program->maps.sums, &id, sizeof(id), last,
		bpf->nr_cpus * sizeof(*last), 0);

	if (err)
		return err;
	*sums = last;
	*nr = bpf->nr_cpus;
	return 0;
}

int agent_bpf_events(struct agent_bpf *bpf,
		     void (*take)(void *data, const struct agent_event *event),
		     void *data)
{
	unsigned long long nr_lost;
	int ret;

	bpf->take = take;
	bpf->data = data;
	ret = ring_buffer__consume(bpf->ring);
	if (ret < 0)
		return ret;
	nr_lost =
		__atomic_load_n(&bpf->program->bss->nr_lost, __ATOMIC_RELAXED);
	ret = nr_lost != bpf->nr_lost;
	bpf->nr_lost = nr_lost;
	return ret;
}
