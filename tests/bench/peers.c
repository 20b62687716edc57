// SPDX-License-Identifier: MIT
#include "config.h"

/* Inline read sections and uatomic_add(), as a program may. The analyzer does
 * not see that a thread's first read section registers it. */
#ifndef __clang_analyzer__
#define _LGPL_SOURCE
#endif
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_URCU_CDS
#include <urcu/urcu-bp.h>
#include <urcu/rculfhash.h>
#include <urcu/uatomic.h>
#endif
#ifdef HAVE_UTHASH_H
#include <uthash.h>
#endif
#ifdef HAVE_PCP_MMV
#include <pcp/pmapi.h>
#include <pcp/mmv_stats.h>
#endif

#include "pattern.h"
#include "peers.h"

#define NR PATTERN_NR_ROT

/* Counters by key, behind one mutex. */
struct keyed {
	char key[16];
	uint64_t count;
#ifdef HAVE_UTHASH_H
	UT_hash_handle hh;
#endif
};

static struct {
	pthread_mutex_t lock;
	struct hsearch_data table;
	struct keyed counters[NR];
	struct keyed *head; /* uthash's */
} keyed = {.lock = PTHREAD_MUTEX_INITIALIZER};

void *hsearch_arg(unsigned int thread)
{
	(void)thread;
	return &keyed;
}

BENCH_LOOP void hsearch_add(void *arg, uint64_t k)
{
	ENTRY entry = {.key = keyed.counters[k].key}, *found;

	(void)arg;
	pthread_mutex_lock(&keyed.lock);
	if (hsearch_r(entry, FIND, &found, &keyed.table))
		++*(uint64_t *)found->data;
	pthread_mutex_unlock(&keyed.lock);
}
PATTERN_LOOP(hsearch_add, rot)
PATTERN_LOOP(hsearch_add, hot)

#ifdef HAVE_UTHASH_H
BENCH_LOOP void uthash_add(void *arg, uint64_t k)
{
	struct keyed *found;

	(void)arg;
	pthread_mutex_lock(&keyed.lock);
	HASH_FIND_STR(keyed.head, keyed.counters[k].key, found);
	if (found)
		found->count++;
	pthread_mutex_unlock(&keyed.lock);
}
PATTERN_LOOP(uthash_add, rot)
PATTERN_LOOP(uthash_add, hot)
#endif

static int set_up_keyed(void)
{
	if (!hcreate_r(NR * 2, &keyed.table))
		return -errno;
	for (uint64_t k = 0; k < NR; k++) {
		struct keyed *c = &keyed.counters[k];
		ENTRY entry = {.key = c->key, .data = &c->count}, *entered;

		snprintf(c->key, sizeof(c->key), "job-%u", (unsigned int)k);
		if (!hsearch_r(entry, ENTER, &entered, &keyed.table))
			return -errno;
#ifdef HAVE_UTHASH_H
		HASH_ADD_STR(keyed.head, key, c);
#endif
	}
	return 0;
}

static void tear_down_keyed(void)
{
#ifdef HAVE_UTHASH_H
	HASH_CLEAR(hh, keyed.head);
#endif
	hdestroy_r(&keyed.table);
	memset(&keyed.table, 0, sizeof(keyed.table));
}

#ifdef HAVE_URCU_CDS
/* A thread's own counters, which a reader sums; and a table of shared ones. */
struct split {
	unsigned long counts[NR];
} __attribute__((aligned(64)));

struct numbered {
	struct cds_lfht_node node;
	uint64_t number;
	unsigned long count;
};

static struct split splits[BENCH_MAX_THREADS];
static struct numbered numbered[NR];
static struct cds_lfht *table;

void *urcu_arg(unsigned int thread)
{
	return &splits[thread];
}

BENCH_LOOP void split_add(struct split *s, uint64_t k)
{
	CMM_STORE_SHARED(s->counts[k], CMM_LOAD_SHARED(s->counts[k]) + 1);
}
PATTERN_LOOP(split_add, rot)
PATTERN_LOOP(split_add, hot)

static int same(struct cds_lfht_node *node, const void *number)
{
	return caa_container_of(node, struct numbered, node)->number ==
	       *(const uint64_t *)number;
}

BENCH_LOOP unsigned long hash(uint64_t k)
{
	return (unsigned long)(k * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
}

BENCH_LOOP void lfht_add(void *arg, uint64_t k)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	(void)arg;
	urcu_bp_read_lock();
	cds_lfht_lookup(table, hash(k), same, &k, &iter);
	node = cds_lfht_iter_get_node(&iter);
	if (node)
		uatomic_add(
			&caa_container_of(node, struct numbered, node)->count,
			1);
	urcu_bp_read_unlock();
}
PATTERN_LOOP(lfht_add, rot)
PATTERN_LOOP(lfht_add, hot)

static int set_up_urcu(void)
{
	table = cds_lfht_new_flavor(NR * 2, NR * 2, 0, 0, &urcu_bp_flavor,
				    NULL);
	if (!table)
		return -ENOMEM;
	urcu_bp_read_lock();
	for (uint64_t k = 0; k < NR; k++) {
		numbered[k].number = k;
		cds_lfht_node_init(&numbered[k].node);
		cds_lfht_add(table, hash(k), &numbered[k].node);
	}
	urcu_bp_read_unlock();
	return 0;
}

static void tear_down_urcu(void)
{
	if (!table)
		return;
	urcu_bp_read_lock();
	for (uint64_t k = 0; k < NR; k++)
		cds_lfht_del(table, &numbered[k].node);
	urcu_bp_read_unlock();
	urcu_bp_synchronize_rcu();
	cds_lfht_destroy(table, NULL);
	table = NULL;
}
#else
void *urcu_arg(unsigned int thread)
{
	(void)thread;
	return NULL;
}

static int set_up_urcu(void)
{
	return 0;
}

static void tear_down_urcu(void)
{
}
#endif

#ifdef HAVE_PCP_MMV
static struct {
	char dir[64];
	mmv_registry_t *registry;
	void *file;
	pmAtomValue *values[NR];
	char instances[NR][16];
} mmv;

void *mmv_arg(unsigned int thread)
{
	(void)thread;
	return mmv.file;
}

BENCH_LOOP void mmv_inc_one(void *file, uint64_t k)
{
	mmv_inc_value(file, mmv.values[k], 1);
}
PATTERN_LOOP(mmv_inc_one, rot)
PATTERN_LOOP(mmv_inc_one, hot)

BENCH_LOOP void mmv_add_one(void *file, uint64_t k)
{
	mmv_stats_add(file, "adds", mmv.instances[k], 1);
}
PATTERN_LOOP(mmv_add_one, rot)
PATTERN_LOOP(mmv_add_one, hot)

/* Its file lies below a directory that it takes from the environment. */
static int set_up_mmv(void)
{
	pmUnits units = {.dimCount = 1, .scaleCount = PM_COUNT_ONE};
	char path[96];

	if (!mmv.dir[0]) {
		snprintf(mmv.dir, sizeof(mmv.dir), "/tmp/tally-mmv-XXXXXX");
		if (!mkdtemp(mmv.dir))
			return -errno;
		setenv("PCP_TMP_DIR", mmv.dir, 1);
	}
	snprintf(path, sizeof(path), "%s/mmv", mmv.dir);
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	mmv.registry = mmv_stats_registry("bench", 1, MMV_FLAG_PROCESS);
	if (!mmv.registry)
		return 0;
	mmv_stats_add_indom(mmv.registry, 1, "", "");
	for (unsigned int k = 0; k < NR; k++) {
		snprintf(mmv.instances[k], sizeof(mmv.instances[k]), "job-%u",
			 k);
		mmv_stats_add_instance(mmv.registry, 1, (int)k,
				       mmv.instances[k]);
	}
	mmv_stats_add_metric(mmv.registry, "adds", 1, MMV_TYPE_U64,
			     MMV_SEM_COUNTER, units, 1, "", "");
	mmv.file = mmv_stats_start(mmv.registry);
	for (unsigned int k = 0; mmv.file && k < NR; k++)
		mmv.values[k] = mmv_lookup_value_desc(mmv.file, "adds",
						      mmv.instances[k]);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void tear_down_mmv(void)
{
	if (mmv.file)
		mmv_stats_stop("bench", mmv.file);
	if (mmv.registry)
		mmv_stats_free(mmv.registry);
	mmv.file = NULL;
	mmv.registry = NULL;
	if (mmv.dir[0])
		nftw(mmv.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	if (mmv.dir[0])
		mkdir(mmv.dir, 0700);
}

/* The directory stays the same one for all groups. */
__attribute__((destructor)) static void remove_mmv_dir(void)
{
	if (mmv.dir[0])
		rmdir(mmv.dir);
}
#else
void *mmv_arg(unsigned int thread)
{
	(void)thread;
	return NULL;
}

static int set_up_mmv(void)
{
	return 0;
}

static void tear_down_mmv(void)
{
}
#endif

int peers_setup(void)
{
	int err = set_up_keyed();

	if (!err)
		err = set_up_urcu();
	return err ? err : set_up_mmv();
}

void peers_teardown(void)
{
	tear_down_mmv();
	tear_down_urcu();
	tear_down_keyed();
}
