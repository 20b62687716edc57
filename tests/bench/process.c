// SPDX-License-Identifier: MIT
/*
 * process [PAGES [ROUNDS]]: the cost of reading a large process, walked and
 * sampled in turn, and how often the bounds of a sample hold what the walk
 * found. The process has 1,000,000 pages of 4 KiB, three quarters of them
 * private, unevenly on all nodes with memory; a process that it forked has
 * copied some of them, and shares some.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <numaif.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <numatally/kernel_process.h>

#define PAGE   4096
#define PIECES 64

static struct tally_topo *topo;
static int nodes[64];
static unsigned int nr_nodes;

/* ---- the process ----------------------------------------------------------- */

static void find_nodes(void)
{
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++) {
		const struct tally_node *n = tally_topo_node(topo, i);

		if (n->memory_bytes && n->id < 64 && nr_nodes < 64)
			nodes[nr_nodes++] = n->id;
	}
}

static void touch(volatile char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		p[i * PAGE] = 1;
}

static void be_large(size_t pages, int to)
{
	char *pieces[PIECES];
	pid_t other;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < PIECES; i++) {
		unsigned long mask = nr_nodes ? 1ul << nodes[i * i % nr_nodes]
					      : 1;

		pieces[i] =
			mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | (i % 4 ? MAP_PRIVATE : MAP_SHARED),
			     -1, 0);
		if (pieces[i] == MAP_FAILED)
			err(1, "mmap");
		madvise(pieces[i], pages * PAGE, MADV_NOHUGEPAGE);
		/* If that is refused, the memory is anywhere. */
		(void)mbind(pieces[i], pages * PAGE, MPOL_BIND, &mask, 65, 0);
		touch(pieces[i], pages);
	}
	other = fork();
	if (other < 0)
		err(1, "fork");
	if (!other) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < PIECES; i += 2)
			touch(pieces[i], pages / (2 + i % 8));
	}
	if (write(to, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t begin(size_t pages)
{
	int said[2];
	char x;
	pid_t pid;

	if (pipe(said))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		be_large(pages / PIECES, said[1]);
	/* The process and the one that it forked. */
	for (int i = 0; i < 2; i++)
		if (read(said[0], &x, 1) != 1)
			errx(1, "it ended");
	close(said[0]);
	close(said[1]);
	return pid;
}

/* ---- readings ---------------------------------------------------------------
 */

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct tally_process_stats *open_one(pid_t pid, int64_t large_bytes,
					    uint64_t seed)
{
	struct tally_process_filter f = {
		.size = sizeof(f), .pids = &pid, .nr_pids = 1};
	struct tally_mem_options o = {.size = sizeof(o),
				      .budget_ppm = 1000000,
				      .large_bytes = large_bytes,
				      .seed = seed};
	struct tally_process_stats *l;
	int error = tally_kernel_processes_open(NULL, topo, &f, &o, &l);

	if (error)
		errx(1, "%s", strerror(-error));
	return l;
}

static double timed_read(struct tally_process_stats *l)
{
	double from = cpu_ms();
	int error = tally_kernel_processes_read(l);

	if (error)
		errx(1, "%s", strerror(-error));
	return cpu_ms() - from;
}

struct score {
	unsigned int inside, of;
	double width, widest;
};

static void score(struct score *s, const struct tally_mem_figure *f,
		  const struct tally_mem_figure *truth, double whole)
{
	double width = (double)(f->upper_bytes - f->lower_bytes) / whole;

	s->of++;
	s->inside += f->lower_bytes <= truth->upper_bytes &&
		     truth->lower_bytes <= f->upper_bytes;
	s->width += width;
	if (width > s->widest)
		s->widest = width;
}

static void compare(const struct tally_process_row *sampled,
		    const struct tally_process_row *walked, struct score *all,
		    struct score *kinds)
{
	double whole = (double)walked->all.total.bytes;

	for (unsigned int i = 0; i < walked->nr_nodes; i++)
		for (unsigned int j = 0; j < sampled->nr_nodes; j++) {
			const struct tally_process_node *w = &walked->nodes[i];
			const struct tally_process_node *s = &sampled->nodes[j];

			if (w->node != s->node)
				continue;
			score(all, &s->total, &w->total, whole);
			score(kinds, &s->memory[TALLY_MEM_ANONYMOUS],
			      &w->memory[TALLY_MEM_ANONYMOUS], whole);
			score(kinds, &s->memory[TALLY_MEM_SHARED],
			      &w->memory[TALLY_MEM_SHARED], whole);
		}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void tell(const char *what, const struct score *s)
{
	printf("%-28s %u of %u inside (%.1f %%), %.2f %% of it wide, at most "
	       "%.2f %%\n",
	       what, s->inside, s->of, 100.0 * s->inside / s->of,
	       100 * s->width / s->of, 100 * s->widest);
}

int main(int argc, char **argv)
{
	size_t pages = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	unsigned int rounds =
		argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : 200;
	double *walk = calloc(rounds + 1, sizeof(*walk));
	double *sample = calloc(rounds + 1, sizeof(*sample));
	double *ratio = calloc(rounds + 1, sizeof(*ratio));
	struct score all = {0}, kinds = {0};
	struct tally_process_stats *walker, *sampler;
	pid_t pid;
	int error = tally_topo_open(NULL, &topo);

	if (error || !walk || !sample || !ratio || !rounds)
		errx(1, "%s", strerror(error ? -error : ENOMEM));
	find_nodes();
	pid = begin(pages);
	walker = open_one(pid, INT64_MAX, 0);
	sampler = open_one(pid, 1, 1);
	/* Once each, untimed: the first reading allocates memory. */
	timed_read(walker);
	timed_read(sampler);
	for (unsigned int i = 0; i < rounds; i++) {
		walk[i] = timed_read(walker);
		sample[i] = timed_read(sampler);
		ratio[i] = sample[i] / walk[i];
		if (!tally_kernel_processes_row(sampler, 0)->sampled)
			errx(1, "pages can't be sampled here");
		compare(tally_kernel_processes_row(sampler, 0),
			tally_kernel_processes_row(walker, 0), &all, &kinds);
	}
	qsort(walk, rounds, sizeof(*walk), by_value);
	qsort(sample, rounds, sizeof(*sample), by_value);
	qsort(ratio, rounds, sizeof(*ratio), by_value);
	printf("%zu pages, %u nodes with memory, %u rounds, CPU time\n", pages,
	       nr_nodes, rounds);
	printf("walk %.2f ms, sample %.2f ms, 1/%.0f (medians; the worst of "
	       "100: 1/%.0f)\n",
	       walk[rounds / 2], sample[rounds / 2], 1 / ratio[rounds / 2],
	       1 / ratio[rounds * 99 / 100]);
	tell("a node's memory", &all);
	tell("a node's memory of a kind", &kinds);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tally_kernel_processes_close(walker);
	tally_kernel_processes_close(sampler);
	tally_topo_close(topo);
	free(walk);
	free(sample);
	free(ratio);
	return 0;
}
