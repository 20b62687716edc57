// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "count/counter.h"
#include <count/count.skel.h> /* bpftool makes it */

#define BATCH 256

/* More than any kernel has. */
#define MOST_CPUS 16384

struct counter {
	struct count *program;
	struct ring_buffer *ring; /* NULL: a command's */
	unsigned int nr_cpus;	  /* possible ones */
	struct counter_sum *sums; /* by room and CPU */
	uint64_t ids[BATCH];
	unsigned long long nr_lost;
	void (*take)(void *data, const struct counter_event *event);
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

/* ---- opening --------------------------------------------------------------- */

/* A program that does nothing tells in some 20 us whether any may be loaded: libbpf
 * reads megabytes of the kernel's types first. */
static int ask(void)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL",
			       nothing, 2, NULL);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int begin(struct counter **counter)
{
	struct counter *c = calloc(1, sizeof(*c));
	int err;

	*counter = c;
	if (!c)
		return -ENOMEM;
	libbpf_set_print(silent);
	err = ask();
	if (err)
		return err;
	c->program = count__open();
	return c->program ? 0 : -errno;
}

/* Ask the kernel for how many CPUs it writes, before there are sums: /sys, where
 * libbpf looks, can be hidden. */
static int count_cpus(struct counter *c)
{
	const size_t bytes = MOST_CPUS * sizeof(uint64_t[2]);
	uint64_t(*seen)[2] = malloc(bytes);
	uint32_t first = 0;
	int err;

	if (!seen)
		return -ENOMEM;
	memset(seen, 0xff, bytes);
	err = bpf_map_lookup_elem(bpf_map__fd(c->program->maps.running), &first,
				  seen);
	while (!err && c->nr_cpus < MOST_CPUS && !seen[c->nr_cpus][0])
		c->nr_cpus++;
	free(seen);
	return err;
}

static int load(struct counter *c, size_t nr_rooms)
{
	int err = count__load(c->program);

	if (!err)
		err = count_cpus(c);
	if (err)
		return err;
	c->sums = calloc(nr_rooms * c->nr_cpus, sizeof(*c->sums));
	return c->sums ? 0 : -ENOMEM;
}

static int on_event(void *data, void *event, size_t bytes)
{
	const struct counter *c = data;

	if (bytes >= sizeof(struct counter_event))
		c->take(c->data, event);
	return 0;
}

static int load_for_groups(struct counter *c, int version, int hierarchy)
{
	struct count *p = c->program;
	int err;

	p->rodata->version = version;
	p->rodata->hierarchy = hierarchy;
	bpf_map__set_autocreate(p->maps.whole, false);
	bpf_map__set_autocreate(p->maps.tasks, false);
	bpf_program__set_autoload(p->progs.on_newtask, false);
	bpf_program__set_autoload(p->progs.on_exit, false);
	err = load(c, BATCH + 1);
	if (err)
		return err;
	c->ring = ring_buffer__new(bpf_map__fd(p->maps.events), on_event, c,
				   NULL);
	return c->ring ? count__attach(p) : -errno;
}

/* The kernel takes a process's descriptor for its first thread. */
static int follow(struct counter *c, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), err;
	unsigned long long faults = COUNTER_UNSEEN;

	if (fd < 0)
		return -errno;
	err = bpf_map__update_elem(c->program->maps.tasks, &fd, sizeof(fd),
				   &faults, sizeof(faults), BPF_ANY);
	close(fd);
	return err;
}

static int load_for_command(struct counter *c, pid_t pid)
{
	struct count *p = c->program;
	int err;

	p->rodata->command = 1;
	bpf_map__set_autocreate(p->maps.sums, false);
	bpf_map__set_autocreate(p->maps.events, false);
	bpf_program__set_autoload(p->progs.on_mkdir, false);
	bpf_program__set_autoload(p->progs.on_rmdir, false);
	bpf_program__set_autoload(p->progs.on_rename, false);
	err = load(c, 1);
	if (!err)
		err = count__attach(p);
	return err ? err : follow(c, pid);
}

static int finish(struct counter *c, int err, struct counter **counter)
{
	if (err)
		counter_close(c);
	else
		*counter = c;
	return err;
}

int counter_open_groups(int version, int hierarchy, struct counter **counter)
{
	struct counter *c;
	int err = begin(&c);

	if (!err)
		err = load_for_groups(c, version, hierarchy);
	return finish(c, err, counter);
}

int counter_open_command(pid_t pid, struct counter **counter)
{
	struct counter *c;
	int err = begin(&c);

	if (!err)
		err = load_for_command(c, pid);
	return finish(c, err, counter);
}

void counter_close(struct counter *c)
{
	if (!c)
		return;
	ring_buffer__free(c->ring);
	count__destroy(c->program);
	free(c->sums);
	free(c);
}

/* Whether something found no room since this was last called. */
static bool has_lost(struct counter *c)
{
	unsigned long long nr_lost =
		__atomic_load_n(&c->program->bss->nr_lost, __ATOMIC_RELAXED);
	bool lost = nr_lost != c->nr_lost;

	c->nr_lost = nr_lost;
	return lost;
}

/* ---- of a command ---------------------------------------------------------- */

int counter_read(struct counter *c, const struct counter_sum **sums,
		 unsigned int *nr)
{
	uint32_t first = 0;
	int err = bpf_map_lookup_elem(bpf_map__fd(c->program->maps.whole),
				      &first, c->sums);

	if (err)
		return err;
	*sums = c->sums;
	*nr = c->nr_cpus;
	return has_lost(c);
}

/* ---- of cgroups ------------------------------------------------------------ */

int counter_read_groups(struct counter *c,
			int (*take)(void *data, uint64_t id,
				    const struct counter_sum *sums,
				    unsigned int nr),
			void *data)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	int fd = bpf_map__fd(c->program->maps.sums), err = 0, ret = 0;
	uint32_t at = 0, next = 0;
	void *from = NULL;

	while (!ret && !err) {
		uint32_t nr = BATCH;

		err = bpf_map_lookup_batch(fd, from, &next, c->ids, c->sums,
					   &nr, &options);
		if (err && err != -ENOENT)
			return err;
		for (uint32_t i = 0; i < nr && !ret; i++)
			ret = take(data, c->ids[i],
				   c->sums + (size_t)i * c->nr_cpus,
				   c->nr_cpus);
		at = next;
		from = &at;
	}
	return ret;
}

int counter_forget_group(struct counter *c, uint64_t id,
			 const struct counter_sum **sums, unsigned int *nr)
{
	struct counter_sum *last = c->sums + (size_t)BATCH * c->nr_cpus;
	int err = bpf_map_lookup_and_delete_elem(
		bpf_map__fd(c->program->maps.sums), &id, last);

	if (err)
		return err;
	*sums = last;
	*nr = c->nr_cpus;
	return 0;
}

int counter_read_events(struct counter *c,
			void (*take)(void *data,
				     const struct counter_event *event),
			void *data)
{
	int ret;

	c->take = take;
	c->data = data;
	ret = ring_buffer__consume(c->ring);
	return ret < 0 ? ret : has_lost(c);
}
