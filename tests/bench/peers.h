/* SPDX-License-Identifier: MIT */
/* Counters as others offer them: in a hash table, in liburcu, in PCP. */
#ifndef TEST_BENCH_PEERS_H
#define TEST_BENCH_PEERS_H

#include "bench.h"

/* Set up all of their counters, 64 each, and take them down. */
int peers_setup(void);
void peers_teardown(void);

extern const struct bench_loops hsearch_add_rot_loops, hsearch_add_hot_loops;
void *hsearch_arg(unsigned int thread);

/* The loops are NULL if configure did not find the library. */
#ifdef HAVE_UTHASH_H
extern const struct bench_loops uthash_add_rot_loops, uthash_add_hot_loops;
#define PEERS_UTHASH(order) &uthash_add_##order##_loops
#else
#define PEERS_UTHASH(order) NULL
#endif

#ifdef HAVE_URCU_CDS
extern const struct bench_loops lfht_add_rot_loops, lfht_add_hot_loops;
extern const struct bench_loops split_add_rot_loops, split_add_hot_loops;
#define PEERS_LFHT(order)  &lfht_add_##order##_loops
#define PEERS_SPLIT(order) &split_add_##order##_loops
#else
#define PEERS_LFHT(order)  NULL
#define PEERS_SPLIT(order) NULL
#endif
void *urcu_arg(unsigned int thread);

#ifdef HAVE_PCP_MMV
extern const struct bench_loops mmv_inc_one_rot_loops, mmv_inc_one_hot_loops;
extern const struct bench_loops mmv_add_one_rot_loops, mmv_add_one_hot_loops;
#define PEERS_MMV_INC(order) &mmv_inc_one_##order##_loops
#define PEERS_MMV_ADD(order) &mmv_add_one_##order##_loops
#else
#define PEERS_MMV_INC(order) NULL
#define PEERS_MMV_ADD(order) NULL
#endif
/* NULL if the library could not make its file. */
void *mmv_arg(unsigned int thread);

#endif
