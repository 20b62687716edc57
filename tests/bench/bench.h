/* SPDX-License-Identifier: MIT */
/*
 * The frame of the benchmarks: groups of contenders that take turns in one
 * run, each timed at several code alignments.
 *
 * A subject is a file that defines one or more groups. A contender's loop is
 * an ordinary function, always inlined:
 *
 *	BENCH_LOOP void add_plain(void *arg, uint64_t nr)
 *	{
 *		for (uint64_t i = 0; i < nr; i++)
 *			...
 *	}
 *	BENCH_ALIGN(add_plain)
 *
 * and {.name = "plain", .loops = &add_plain_loops} in its group's table.
 */
#ifndef TEST_BENCH_BENCH_H
#define TEST_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* How many copies of each loop there are, each at another place in a cache
 * line. */
#define BENCH_NR_ALIGNMENTS 9
#define BENCH_MAX_THREADS   2

typedef void (*bench_loop)(void *arg, uint64_t nr);

/* Copies of one loop. */
struct bench_loops {
	const char *name; /* the functions': name_at0, name_at1, … */
	bench_loop at[BENCH_NR_ALIGNMENTS];
};

#define BENCH_LOOP static inline __attribute__((always_inline))

/* A loop begins 7 bytes (or instructions, where they are all of one length)
 * further down each time. */
#define BENCH_AT(fn, n)                                                \
	static __attribute__((noinline, aligned(64))) void fn##_at##n( \
		void *arg, uint64_t nr)                                \
	{                                                              \
		__asm__ volatile(".rept " #n " * 7\n\tnop\n\t.endr" :: \
					 : "memory");                  \
		fn(arg, nr);                                           \
	}
#define BENCH_ALIGN(fn)                                                      \
	BENCH_AT(fn, 0)                                                      \
	BENCH_AT(fn, 1)                                                      \
	BENCH_AT(fn, 2)                                                      \
	BENCH_AT(fn, 3)                                                      \
	BENCH_AT(fn, 4)                                                      \
	BENCH_AT(fn, 5)                                                      \
	BENCH_AT(fn, 6)                                                      \
	BENCH_AT(fn, 7)                                                      \
	BENCH_AT(fn, 8)                                                      \
	const struct bench_loops fn##_loops = {                              \
		#fn,                                                         \
		{fn##_at0, fn##_at1, fn##_at2, fn##_at3, fn##_at4, fn##_at5, \
		 fn##_at6, fn##_at7, fn##_at8},                              \
	};

/* The compiler must have stored *p before, and knows nothing of it after. */
#define bench_stored(p) __asm__ volatile("" : "+m"(*(p)))
/* The compiler must compute the value. */
#define bench_used(value) __asm__ volatile("" ::"r"(value))

enum bench_kind {
	BENCH_PEER,  /* what others offer, or what one would write by hand */
	BENCH_FLOOR, /* what nothing can undercut that keeps a promise */
	BENCH_OURS,
};

struct bench_contender {
	const char *name;
	enum bench_kind kind;
	const struct bench_loops *loops;
	/* The argument of this thread's loops; NULL: none. */
	void *(*arg)(unsigned int thread);
	/* Called untimed before each of the rounds. */
	void (*before)(void *arg, uint64_t nr);
	uint64_t max_nr; /* of a round; 0: any */
	double scale;	 /* operations that one turn is; 0: 1 */
	bool alone;	 /* is not run by two threads at once */
	/* What the second thread does meanwhile, if not the same */
	const struct bench_loops *company;
	void *(*company_arg)(unsigned int thread);
	/* The row of the table of targets, and the target: a ratio to base, the
	 * name of a contender in the group (NULL: its first), or ns. */
	const char *row;
	const char *base;
	double target_ratio, target_ns;
	double second_thread_target; /* ratio of two threads to one */
	/* How many times as long a round with the second thread is: where the
	 * two take turns, it has to have many of them. 0: as long as others */
	unsigned int pair_rounds;
};

struct bench_group {
	const char *name;
	const char *title;
	const char *unit; /* what is timed: "add" */
	const struct bench_contender *contenders;
	size_t nr_contenders;
	/* 0, or prints on stderr why not. */
	int (*setup)(void);
	void (*teardown)(void);
	/* Fewer rounds, each 20 times as long and after an untimed one: for
	 * loops that fill the cache first. */
	bool large;
	/* Whether the contender can run here: NULL, or why not. */
	const char *(*missing)(const struct bench_contender *contender);
	/* A line below the group's results, or nothing. */
	void (*note)(FILE *to);
};

struct bench_options {
	unsigned int rounds; /* of each contender at each alignment */
	double round_ns;     /* how long one is to take */
	bool quick;
	bool counting;		 /* bench_turn(): one thread, nothing timed */
	unsigned int nr_threads; /* 1 or 2: the second thread's runs too */
	int cpus[BENCH_MAX_THREADS]; /* -1: not pinned */
};
extern struct bench_options bench_options;

/* Medians in ns per operation, over rounds, then over alignments. */
struct bench_result {
	const char *missing; /* why there is none, or NULL */
	double ns;
	double least_ns, most_ns; /* over alignments */
	double pair_ns; /* the first thread's, two threads at it; 0: not run */
};

/* Runs a group; results has one for each contender. */
int bench_run(const struct bench_group *group, struct bench_result *results);

/* Run nr turns of each contender's first loop, untimed, and print which
 * function, group, contender and how many operations that was. */
int bench_turn(const struct bench_group *group, uint64_t nr);

/* The index of the result that the contender is measured against. */
size_t bench_base(const struct bench_group *group,
		  const struct bench_contender *contender);

/* The groups, by subject. */
extern const struct bench_group bench_add_groups[];
extern const size_t bench_nr_add_groups;
extern const struct bench_group bench_charge_groups[];
extern const size_t bench_nr_charge_groups;
extern const struct bench_group bench_export_groups[];
extern const size_t bench_nr_export_groups;
extern const struct bench_group bench_view_groups[];
extern const size_t bench_nr_view_groups;
extern const struct bench_group bench_serve_groups[];
extern const struct bench_group bench_fold_groups[];
extern const struct bench_group bench_snapshot_groups[];
extern const size_t bench_nr_serve_groups;
extern const size_t bench_nr_fold_groups;
extern const size_t bench_nr_snapshot_groups;
extern const struct bench_group bench_slice_groups[];
extern const size_t bench_nr_slice_groups;
extern const struct bench_group bench_bucket_groups[];
extern const size_t bench_nr_bucket_groups;
extern const struct bench_group bench_limit_groups[];
extern const size_t bench_nr_limit_groups;
extern const struct bench_group bench_refusal_groups[];
extern const size_t bench_nr_refusal_groups;
extern const struct bench_group bench_wait_groups[];
extern const size_t bench_nr_wait_groups;
extern const struct bench_group bench_cluster_groups[];
extern const size_t bench_nr_cluster_groups;
extern const struct bench_group bench_decide_groups[];
extern const size_t bench_nr_decide_groups;
extern const struct bench_group bench_place_groups[];
extern const size_t bench_nr_place_groups;
extern const struct bench_group bench_claim_groups[];
extern const size_t bench_nr_claim_groups;
extern const struct bench_group bench_room_groups[];
extern const size_t bench_nr_room_groups;
extern const struct bench_group bench_draw_groups[];
extern const size_t bench_nr_draw_groups;
extern const struct bench_group bench_queue_groups[];
extern const size_t bench_nr_queue_groups;
extern const struct bench_group bench_roster_groups[];
extern const size_t bench_nr_roster_groups;

/* Results in four forms. report_rows() prints how each row of the table of
 * targets came out. */
void report_machine(FILE *to);
void report_group(FILE *to, const struct bench_group *group,
		  const struct bench_result *results);
void report_row_head(FILE *to);
void report_rows(FILE *to, const struct bench_group *group,
		 const struct bench_result *results);
void report_csv_head(FILE *to);
void report_csv(FILE *to, const struct bench_group *group,
		const struct bench_result *results);
void report_svg(FILE *to, const struct bench_group *group,
		const struct bench_result *results);

/* Bytes of a ledger's file, by number of lanes. */
int bench_memory(FILE *to);

#endif
