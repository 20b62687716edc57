// SPDX-License-Identifier: MIT
/* A scheduler's state in objects, as one would write it, copied for each decision. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decide.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct host {
	int64_t free[NR_RESOURCES], capacity[NR_RESOURCES];
	uint64_t generation;   /* of its last change */
	uint32_t newer, older; /* in the order of their changes; 0: none */
	uint32_t nr_jobs, jobs[16];
};

struct object {
	uint32_t host;
	int64_t amounts[NR_RESOURCES];
	char key[32];
};

/* Hosts from 1 on. */
struct state {
	struct host *hosts;
	struct object *objects;
	uint64_t generation;
	uint32_t newest;
};

static uint32_t nr_objects;
static struct state all; /* that they share */
static struct state snapshots[NR_SCHEDULERS];
static uint32_t placed[NR_PENDING]; /* on which host; 0: on none */
static uint32_t peer_next;

static size_t hosts_size(void)
{
	return (NR_NODES + 1) * sizeof(*all.hosts);
}

static size_t objects_size(void)
{
	return nr_objects * sizeof(*all.objects);
}

static void to_front(struct state *s, uint32_t at)
{
	struct host *h = &s->hosts[at];

	h->generation = ++s->generation;
	if (s->newest == at)
		return;
	if (h->newer)
		s->hosts[h->newer].older = h->older;
	if (h->older)
		s->hosts[h->older].newer = h->newer;
	h->newer = 0;
	h->older = s->newest;
	if (s->newest)
		s->hosts[s->newest].newer = at;
	s->newest = at;
}

static bool has_room(const struct host *h, const struct tally_amount *amounts)
{
	for (unsigned int i = 0; i < NR_RESOURCES; i++)
		if (h->free[i] < amounts[i].amount)
			return false;
	return true;
}

static void change(struct state *s, uint32_t at,
		   const struct tally_amount *amounts, int sign)
{
	for (unsigned int i = 0; i < NR_RESOURCES; i++)
		s->hosts[at].free[i] -= sign * amounts[i].amount;
	to_front(s, at);
}

static uint32_t best(const struct state *s, const struct tally_amount *amounts)
{
	double least = 1e300;
	uint32_t found = 0;

	for (uint32_t n = 1; n <= NR_NODES; n++) {
		const struct host *h = &s->hosts[n];
		double left = 0;

		if (!has_room(h, amounts))
			continue;
		for (unsigned int i = 0; i < NR_RESOURCES; i++)
			left += (double)(h->free[i] - amounts[i].amount) /
				(double)h->capacity[i];
		if (left < least) {
			least = left;
			found = n;
		}
	}
	return found;
}

static void copy_all(struct state *to)
{
	memcpy(to->hosts, all.hosts, hosts_size());
	memcpy(to->objects, all.objects, objects_size());
}

static void copy_changed(struct state *to)
{
	for (uint32_t at = all.newest;
	     at && all.hosts[at].generation > to->generation;
	     at = all.hosts[at].older)
		to->hosts[at] = all.hosts[at];
	to->generation = all.generation;
}

static void peer_decides(struct state *snapshot, void (*copy)(struct state *))
{
	struct tally_amount amounts[NR_RESOURCES];
	uint32_t *at = &placed[peer_next];

	amounts_of(peer_next * 31, amounts);
	if (*at)
		change(&all, *at, amounts, -1);
	copy(snapshot);
	*at = best(snapshot, amounts);
	if (!*at)
		abort();
	change(&all, *at, amounts, 1);
	peer_next = (peer_next + 1) % NR_PENDING;
}

BENCH_LOOP void whole(void *arg, uint64_t nr)
{
	(void)arg;
	for (uint64_t i = 0; i < nr; i++)
		peer_decides(&snapshots[0], copy_all);
}
BENCH_ALIGN(whole)

BENCH_LOOP void changed(void *arg, uint64_t nr)
{
	uint32_t nr_schedulers = *(const uint32_t *)arg;

	for (uint64_t i = 0; i < nr; i++)
		peer_decides(&snapshots[i % nr_schedulers], copy_changed);
}
BENCH_ALIGN(changed)

int objects_open(uint32_t nr_jobs)
{
	nr_objects = nr_jobs;
	all.hosts = calloc(1, hosts_size());
	all.objects = calloc(1, objects_size());
	if (!all.hosts || !all.objects)
		return -ENOMEM;
	memset(placed, 0, sizeof(placed));
	for (uint32_t n = 1; n <= NR_NODES; n++) {
		memcpy(all.hosts[n].free, node_has, sizeof(node_has));
		memcpy(all.hosts[n].capacity, node_has, sizeof(node_has));
		to_front(&all, n);
	}
	for (uint32_t i = 0; i < nr_objects; i++) {
		struct tally_amount amounts[NR_RESOURCES];
		uint32_t at = first_of(i);
		struct host *h;

		amounts_of(i, amounts);
		while (!has_room(&all.hosts[1 + at], amounts))
			at = (at + 1) % NR_NODES;
		change(&all, 1 + at, amounts, 1);
		h = &all.hosts[1 + at];
		h->jobs[h->nr_jobs++ % COUNT(h->jobs)] = i;
		all.objects[i].host = 1 + at;
	}
	for (unsigned int i = 0; i < NR_SCHEDULERS; i++) {
		snapshots[i].hosts = malloc(hosts_size());
		snapshots[i].objects = i ? NULL : malloc(objects_size());
		if (!snapshots[i].hosts || (!i && !snapshots[i].objects))
			return -ENOMEM;
		memcpy(snapshots[i].hosts, all.hosts, hosts_size());
		snapshots[i].generation = all.generation;
	}
	return 0;
}

void objects_close(void)
{
	for (unsigned int i = 0; i < NR_SCHEDULERS; i++) {
		free(snapshots[i].hosts);
		free(snapshots[i].objects);
	}
	memset(snapshots, 0, sizeof(snapshots));
	free(all.hosts);
	free(all.objects);
	memset(&all, 0, sizeof(all));
}
