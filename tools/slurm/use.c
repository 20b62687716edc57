// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/use.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <numatally/kernel_events.h>
#include <numatally/kernel_memory.h>
#include <numatally/kernel_tree.h>
#include <numatally/view.h>

#include "common/array.h"
#include "common/clock.h"

#define NS_PER_S INT64_C(1000000000)

/* Each fork of a task clones every event: 1.6 us each. */
#define MAX_EVENTS 512

/* Steps that end before are many; their memory is of no interest. */
#define FIRST_NS (NS_PER_S / 10)

/* A task that has no CPU time for so long executed without its events. */
#define EXECUTES_NS NS_PER_S

struct task {
	pid_t pid;
	struct tally_events *events;
	struct tally_tree *tree; /* of a task that is sampled */
	int64_t start_ns;
	bool executes;
};

/* Of a node: what is charged, by BOOK_COUNTED and what follows it. */
struct amounts {
	int64_t of[BOOK_NR - BOOK_COUNTED];
};

struct use {
	struct book *book;
	struct tally_account account; /* the job's */
	unsigned int nr_nodes;
	struct amounts *now, *charged; /* by node */
	struct task *tasks;
	size_t nr, room;
	struct tally_tree *tree; /* of all tasks; NULL: memory is not counted */
	struct tally_mem *mem;
	struct rusage ended; /* of what the caller has waited for */
	int64_t read_due_ns;

	pthread_mutex_t lock; /* the thread has it but while it sleeps */
	pthread_cond_t stopped;
	pthread_t thread;
	bool stop;
};

static int64_t *amount(struct amounts *a, unsigned int resource)
{
	return &a->of[resource - BOOK_COUNTED];
}

/* ---- reading -------------------------------------------------------------- */

/* What fails to be read is read the next time. */
static void read_events(struct use *u)
{
	for (unsigned int n = 0; n < u->nr_nodes; n++)
		*amount(&u->now[n], BOOK_CPU) =
			*amount(&u->now[n], BOOK_CPU_SAMPLED) = 0;
	for (size_t i = 0; i < u->nr; i++) {
		struct task *t = &u->tasks[i];
		unsigned int to = t->tree ? BOOK_CPU_SAMPLED : BOOK_CPU;

		(void)!tally_kernel_events_read(t->events);
		for (unsigned int n = 0; n < u->nr_nodes; n++) {
			const int64_t *count =
				tally_kernel_events_row(t->events, n)->count;

			*amount(&u->now[n], to) += count[TALLY_EVENT_CPU_NS];
			t->executes |= count[TALLY_EVENT_CPU_NS] > 0;
		}
	}
	u->read_due_ns = now_ns() + NS_PER_S;
}

/* Until it executes, a task has the memory that it shares with us. */
static bool all_execute(struct use *u)
{
	int64_t now = now_ns();
	bool all = true;

	for (size_t i = 0; i < u->nr; i++)
		all &= u->tasks[i].executes ||
		       now - u->tasks[i].start_ns > EXECUTES_NS;
	return all;
}

static bool sample_memory(struct use *u)
{
	const struct tally_mem_result *r;

	if (!all_execute(u)) {
		read_events(u);
		if (!all_execute(u))
			return false;
	}
	if (tally_kernel_mem_sample(u->mem, u->tree))
		return false;
	r = tally_kernel_mem_result(u->mem);
	for (unsigned int i = 0; i < r->nr_nodes; i++) {
		int index = tally_topo_index(u->book->topo, r->nodes[i].node);

		for (unsigned int k = 0; index >= 0 && k < TALLY_NR_MEM; k++)
			*amount(&u->now[index], BOOK_ANONYMOUS + k) =
				r->nodes[i].now[k].bytes;
	}
	return true;
}

/* ---- charging ------------------------------------------------------------- */

/* A charge that fails is part of the next one. */
static void charge(struct use *u)
{
	for (unsigned int n = 0; n < u->nr_nodes; n++) {
		struct tally_amount more[BOOK_NR - BOOK_COUNTED];
		unsigned int nr = 0;

		for (unsigned int r = BOOK_COUNTED; r < BOOK_PEAK; r++) {
			int64_t lacks = *amount(&u->now[n], r) -
					*amount(&u->charged[n], r);

			if (lacks > 0 || (lacks && r >= BOOK_ANONYMOUS))
				more[nr++] = (struct tally_amount){r, lacks};
		}
		if (!nr ||
		    tally_ledger_charge(u->book->ledger, u->account,
					tally_topo_node(u->book->topo, n)->id,
					more, nr))
			continue;
		for (unsigned int i = 0; i < nr; i++)
			*amount(&u->charged[n], more[i].resource) +=
				more[i].amount;
	}
}

/* With what the job's other steps have charged. */
static void raise_peaks(struct use *u)
{
	struct tally_view *view;
	int64_t has[BOOK_NR];

	if (tally_view_open(u->book->ledger, &view))
		return;
	for (unsigned int n = 0; n < u->nr_nodes; n++) {
		int node = tally_topo_node(u->book->topo, n)->id;
		int64_t sum = 0;

		if (tally_view_account(view, u->account, node, has))
			continue;
		for (int k = 0; k < TALLY_NR_MEM; k++)
			sum += has[BOOK_ANONYMOUS + k];
		if (sum > has[BOOK_PEAK])
			(void)!tally_gauge_raise(u->book->ledger, u->account,
						 node, BOOK_PEAK, sum);
	}
	tally_view_close(view);
}

/* Returns when to call this next. */
static int64_t tick(struct use *u)
{
	bool sampled = u->mem && now_ns() >= tally_kernel_mem_due(u->mem) &&
		       sample_memory(u);
	int64_t memory_due = u->mem ? tally_kernel_mem_due(u->mem) : INT64_MAX;
	bool due = now_ns() >= u->read_due_ns;

	if (due)
		read_events(u);
	if (due || sampled)
		charge(u);
	if (sampled)
		raise_peaks(u);
	else if (memory_due <= now_ns())
		/* The tasks don't execute yet. */
		memory_due = now_ns() + NS_PER_S / 100;
	return memory_due < u->read_due_ns ? memory_due : u->read_due_ns;
}

static bool is_stopped(struct use *u, int64_t due)
{
	struct timespec until = {.tv_sec = due / NS_PER_S,
				 .tv_nsec = due % NS_PER_S};

	while (!u->stop && pthread_cond_timedwait(&u->stopped, &u->lock,
						  &until) != ETIMEDOUT)
		;
	return u->stop;
}

static void *follow(void *arg)
{
	struct use *u = arg;
	int64_t due = now_ns() + FIRST_NS;

	pthread_mutex_lock(&u->lock);
	if (!is_stopped(u, due) &&
	    !tally_kernel_tree_create(NULL, getpid(), false, &u->tree))
		(void)!tally_kernel_mem_create(NULL, NULL, &u->mem);
	while (!is_stopped(u, due))
		due = tick(u);
	pthread_mutex_unlock(&u->lock);
	return NULL;
}

/* ---- begin and end -------------------------------------------------------- */

static void destroy(struct use *u)
{
	for (size_t i = 0; i < u->nr; i++) {
		tally_kernel_events_close(u->tasks[i].events);
		tally_kernel_tree_destroy(u->tasks[i].tree);
	}
	tally_kernel_mem_destroy(u->mem);
	tally_kernel_tree_destroy(u->tree);
	free(u->tasks);
	free(u->now);
	free(u->charged);
	free(u);
}

/* All signals are for the threads that Slurm chose, but those of faults. */
static int start_thread(struct use *u)
{
	pthread_condattr_t clock;
	sigset_t all, before;
	int err;

	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->stopped, &clock);
	pthread_condattr_destroy(&clock);
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&u->thread, NULL, follow, u);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int use_begin(struct book *b, uint32_t job, struct use **use)
{
	struct use *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->book = b;
	u->nr_nodes = tally_topo_nr_nodes(b->topo);
	u->now = calloc(u->nr_nodes, sizeof(*u->now));
	u->charged = calloc(u->nr_nodes, sizeof(*u->charged));
	u->read_due_ns = now_ns() + NS_PER_S;
	getrusage(RUSAGE_CHILDREN, &u->ended);
	err = u->now && u->charged ? book_job(b, job, &u->account) : -ENOMEM;
	if (!err)
		err = start_thread(u);
	if (err)
		destroy(u);
	else
		*use = u;
	return err;
}

static int open_inherited(const struct book *b, pid_t pid,
			  struct tally_events **events)
{
	enum tally_events_way way = TALLY_EVENTS_INHERIT_TIME;

	if (tally_kernel_events_nr_inherited(b->topo, way) > MAX_EVENTS)
		return -E2BIG;
	return tally_kernel_events_open(b->topo, way, pid, NULL, -1, events);
}

static int add_task(struct use *u, pid_t pid)
{
	struct task t = {.pid = pid, .start_ns = now_ns()};
	int refused, err;

	if (array_reserve(u->tasks, u->room, u->nr + 1))
		return -ENOMEM;
	refused = open_inherited(u->book, pid, &t.events);
	if (refused) {
		err = tally_kernel_tree_create(NULL, pid, true, &t.tree);
		if (!err)
			err = tally_kernel_events_open(u->book->topo,
						       TALLY_EVENTS_SAMPLE, pid,
						       t.tree, -1, &t.events);
		if (err) {
			tally_kernel_tree_destroy(t.tree);
			return err;
		}
	}
	u->tasks[u->nr++] = t;
	return refused;
}

int use_task(struct use *u, pid_t pid)
{
	int err;

	pthread_mutex_lock(&u->lock);
	err = add_task(u, pid);
	pthread_mutex_unlock(&u->lock);
	return err;
}

static int64_t more_ns(const struct timeval *now, const struct timeval *before)
{
	return (now->tv_sec - before->tv_sec) * NS_PER_S +
	       (now->tv_usec - before->tv_usec) * INT64_C(1000);
}

void use_task_ended(struct use *u, pid_t pid)
{
	struct rusage now, *was = &u->ended;

	pthread_mutex_lock(&u->lock);
	getrusage(RUSAGE_CHILDREN, &now);
	for (size_t i = 0; i < u->nr; i++) {
		const int64_t totals[TALLY_NR_EVENTS] = {
			[TALLY_EVENT_CPU_NS] =
				more_ns(&now.ru_utime, &was->ru_utime) +
				more_ns(&now.ru_stime, &was->ru_stime),
			[TALLY_EVENT_PAGE_FAULTS] =
				now.ru_minflt + now.ru_majflt - was->ru_minflt -
				was->ru_majflt,
			[TALLY_EVENT_CONTEXT_SWITCHES] =
				now.ru_nvcsw + now.ru_nivcsw - was->ru_nvcsw -
				was->ru_nivcsw,
			[TALLY_EVENT_MIGRATIONS] = -1,
		};

		if (u->tasks[i].pid != pid)
			continue;
		(void)!tally_kernel_events_read(u->tasks[i].events);
		tally_kernel_events_reconcile(u->tasks[i].events, totals,
					      TALLY_NR_EVENTS,
					      now.ru_nvcsw - was->ru_nvcsw);
		u->tasks[i].executes = true;
	}
	u->ended = now;
	read_events(u);
	charge(u);
	pthread_mutex_unlock(&u->lock);
}

void use_end(struct use *u)
{
	if (!u)
		return;
	pthread_mutex_lock(&u->lock);
	u->stop = true;
	pthread_cond_signal(&u->stopped);
	pthread_mutex_unlock(&u->lock);
	pthread_join(u->thread, NULL);
	read_events(u);
	for (unsigned int n = 0; n < u->nr_nodes; n++)
		for (unsigned int k = 0; k < TALLY_NR_MEM; k++)
			*amount(&u->now[n], BOOK_ANONYMOUS + k) = 0;
	charge(u);
	pthread_cond_destroy(&u->stopped);
	pthread_mutex_destroy(&u->lock);
	destroy(u);
}

/*
 * At the first perf event of a machine Linux patches its own code, which takes 1 to
 * 2 ms; after the last one it undoes that. So this process keeps one, which counts
 * nothing, and steps find the code patched.
 */
static void keep_patched(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.disabled = 1,
	};
	static bool kept;

	if (!kept)
		syscall(SYS_perf_event_open, &attr, 0, -1, -1,
			PERF_FLAG_FD_CLOEXEC);
	kept = true;
}

int use_probe(const struct book *b)
{
	struct tally_events *events = NULL;
	int err = open_inherited(b, getpid(), &events);

	tally_kernel_events_close(events);
	if (!err)
		keep_patched();
	return err;
}
