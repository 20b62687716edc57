// SPDX-License-Identifier: MIT
/* The memory of real processes that hold a known amount of each kind. */
#include "support/test.h"

#include <numaif.h>
#include <sched.h>
#include <sys/vfs.h>
#include <time.h>

#include <numatally/kernel_memory.h>

#include "support/child.h"
#include "support/live.h"

static void look(const volatile char *p, int64_t bytes)
{
	int64_t i;

	for (i = 0; i < bytes; i += 4096)
		(void)p[i];
}

static void each_kind(char letter)
{
	char name[] = "numatally-XXXXXX";
	int fd;

	switch (letter) {
	case 'a':
		child_touch(child_map(8 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1),
			    8 * MIB);
		break;
	case 's':
		child_touch(child_map(4 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1),
			    4 * MIB);
		break;
	case 'm':
		fd = memfd_create("a name=with )odd\n bytes", 0);
		if (fd < 0 || ftruncate(fd, 3 * MIB))
			_exit(3);
		child_touch(child_map(3 * MIB, MAP_SHARED, fd), 3 * MIB);
		break;
	default:
		/* 6 MiB of a file, of which 2 MiB are written to. */
		fd = mkstemp(name);
		if (fd < 0 || ftruncate(fd, 6 * MIB))
			_exit(3);
		unlink(name);
		if (letter == 'S') {
			child_touch(child_map(6 * MIB, MAP_SHARED, fd),
				    6 * MIB);
		} else {
			char *p = child_map(6 * MIB, MAP_PRIVATE, fd);

			look(p, 6 * MIB);
			child_touch(p, 2 * MIB);
		}
		break;
	}
}

static void shows_each_kind(void **state)
{
	struct child c = begin(each_kind, NULL);
	const struct tally_mem_result *r;
	enum tally_mem_kind file = TALLY_MEM_FILE;
	struct statfs fs;

	(void)state;
	need_numa_maps(&c);
	keep_before(&c);
	tell(&c, 'a');
	r = sample(&c);
	grew(&r->all, &c.before.all, TALLY_MEM_ANONYMOUS, 8 * MIB);
	grew(&r->all, &c.before.all, TALLY_MEM_SHARED, 0);
	keep_before(&c);
	tell(&c, 's');
	tell(&c, 'm');
	r = sample(&c);
	grew(&r->all, &c.before.all, TALLY_MEM_SHARED, 7 * MIB);
	grew(&r->all, &c.before.all, TALLY_MEM_ANONYMOUS, 0);
	grew(&r->all, &c.before.all, TALLY_MEM_FILE, 0);
	keep_before(&c);
	/* The working directory may be on a tmpfs. */
	if (!statfs(".", &fs) && fs.f_type == 0x01021994)
		file = TALLY_MEM_SHARED;
	tell(&c, 'p');
	r = sample(&c);
	grew(&r->all, &c.before.all, TALLY_MEM_ANONYMOUS, 2 * MIB);
	grew(&r->all, &c.before.all, file, 4 * MIB);
	keep_before(&c);
	tell(&c, 'S');
	r = sample(&c);
	grew(&r->all, &c.before.all, TALLY_MEM_ANONYMOUS, 0);
	grew(&r->all, &c.before.all, file, 6 * MIB);
	assert_int_equal(r->nr_malformed, 0);
	assert_int_equal(r->nr_lost, 0);
	assert_int_equal(r->unknown.now_total.bytes, 0);
	end(&c);
}

/* A grandchild maps all of it too, then writes to half of the private part. */
static void share(char letter)
{
	static char *anon, *shared;
	static int go[2], done[2];
	char x = 0;

	switch (letter) {
	case 'a':
		anon = child_map(16 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		shared = child_map(4 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
		child_touch(anon, 16 * MIB);
		child_touch(shared, 4 * MIB);
		break;
	case 'f':
		if (!anon || !shared || pipe(go) || pipe(done))
			_exit(3);
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			look(shared, 4 * MIB);
			do {
				if (write(done[1], &x, 1) != 1 ||
				    read(go[0], &x, 1) != 1)
					_exit(0);
				child_touch(anon, 8 * MIB);
			} while (true);
		}
		if (read(done[0], &x, 1) != 1)
			_exit(3);
		break;
	default:
		if (write(go[1], &x, 1) != 1 || read(done[0], &x, 1) != 1)
			_exit(3);
		break;
	}
}

static bool is_within(const struct tally_mem_figure *f,
		      const struct tally_mem_figure *before, int64_t grown)
{
	int64_t truth = before->bytes + grown;

	return f->lower_bytes <= truth + CHILD_SLIP &&
	       f->upper_bytes >= truth - CHILD_SLIP;
}

static void within(const struct tally_mem_figure *f,
		   const struct tally_mem_figure *before, int64_t grown)
{
	if (!is_within(f, before, grown))
		fail_msg("%lld is not in %lld … %lld",
			 (long long)(before->bytes + grown),
			 (long long)f->lower_bytes, (long long)f->upper_bytes);
}

static void counts_shared_memory_once(void **state)
{
	struct child c = begin(share, NULL);
	const struct tally_mem_result *r;
	const struct tally_mem_figure *anon;
	int64_t grown;

	(void)state;
	need_numa_maps(&c);
	keep_before(&c);
	tell(&c, 'a');
	tell(&c, 'f');
	r = sample(&c);
	assert_int_equal(r->nr_processes, 2);
	anon = &r->all.now[TALLY_MEM_ANONYMOUS];
	grew(&r->all, &c.before.all, TALLY_MEM_SHARED, 4 * MIB);
	within(anon, &c.before.all.now[TALLY_MEM_ANONYMOUS], 16 * MIB);
	assert_true(anon->upper_bytes > anon->lower_bytes);
	tell(&c, 'w');
	r = sample(&c);
	anon = &r->all.now[TALLY_MEM_ANONYMOUS];
	within(anon, &c.before.all.now[TALLY_MEM_ANONYMOUS], 24 * MIB);
	/* Without looking at pages it would be 16 MiB, which is more than 4
	 * standard errors away. */
	grown = anon->bytes - c.before.all.now[TALLY_MEM_ANONYMOUS].bytes;
	assert_true(grown > 18 * MIB && grown < 30 * MIB);
	end(&c);
}

/* Keep NUMA balancing away from this process's memory, as a policy does: the
 * kernel then shows all of it to move_pages(2). */
static void no_hinting(void)
{
	unsigned long mask = 0;
	int nodes[64];

	for (unsigned int i = memory_nodes(nodes); i-- > 0;)
		mask |= 1ul << nodes[i];
	if (mask)
		(void)set_mempolicy(MPOL_BIND, &mask, 65);
}

static bool move_pages_shows(char *page)
{
	void *at = page;
	int node = 0;

	return move_pages(0, 1, &at, NULL, &node, 0) || node >= 0;
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Run on any CPU of another node than the page until the kernel hides the page,
 * which it begins to do after a second of CPU time. */
static bool gets_hidden(char *page)
{
	cpu_set_t old, one;
	unsigned int home, node;
	void *at = page;
	int status = -1;

	if (sched_getaffinity(0, sizeof(old), &old) ||
	    move_pages(0, 1, &at, NULL, &status, 0) || status < 0)
		return false;
	home = (unsigned int)status;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET((size_t)i, &old))
			continue;
		CPU_ZERO(&one);
		CPU_SET((size_t)i, &one);
		if (sched_setaffinity(0, sizeof(one), &one) ||
		    getcpu(NULL, &node) || node == home)
			continue;
		while (cpu_ns() < INT64_C(5000000000))
			if (!move_pages_shows(page))
				return true;
		break;
	}
	return false;
}

static void large(char letter)
{
	static char *anon, *shared;
	static int done[2];
	char x = 0;

	switch (letter) {
	case 'h':
		if (!gets_hidden(anon))
			_exit(77);
		return;
	case 'p':
		no_hinting();
		return;
	case 'a':
		anon = child_map(64 * MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1);
		shared = child_map(32 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
		child_touch(anon, 64 * MIB);
		child_touch(shared, 32 * MIB);
		return;
	default:
		break;
	}
	if (!anon || !shared || pipe(done))
		_exit(3);
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_touch(anon, 16 * MIB);
		look(shared, 32 * MIB);
		if (write(done[1], &x, 1) != 1)
			_exit(3);
		for (;;)
			pause();
	}
	if (read(done[0], &x, 1) != 1)
		_exit(3);
}

/*
 * Sample until the anonymous memory has grown by that, within the bounds, of which
 * one in 20 misses the truth.
 */
static const struct tally_mem_result *sample_within(struct child *c,
						    int64_t grown)
{
	const struct tally_mem_figure *before =
		&c->before.all.now[TALLY_MEM_ANONYMOUS];
	const struct tally_mem_result *r = sample(c);

	for (int i = 0; i < 100; i++) {
		if (is_within(&r->all.now[TALLY_MEM_ANONYMOUS], before, grown))
			return r;
		usleep(100000);
		r = sample(c);
	}
	within(&r->all.now[TALLY_MEM_ANONYMOUS], before, grown);
	return r;
}

static void samples_a_large_process(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o),
				      .large_bytes = 16 * MIB};
	struct child c = begin(large, &o);
	const struct tally_mem_result *r;
	const struct tally_mem_figure *f;

	(void)state;
	need_numa_maps(&c);
	tell(&c, 'p');
	keep_before(&c);
	tell(&c, 'a');
	need_sampling(&c);
	r = sample_within(&c, 64 * MIB);
	assert_int_equal(r->nr_processes, 1);
	assert_int_equal(r->nr_walked, 0);
	f = &r->all.now[TALLY_MEM_ANONYMOUS];
	assert_true(f->upper_bytes - f->lower_bytes > 0);
	/* The sum over nodes is what status says. */
	grew(&r->all, &c.before.all, TALLY_MEM_ANONYMOUS, 64 * MIB);
	grew(&r->all, &c.before.all, TALLY_MEM_SHARED, 32 * MIB);
	/* A grandchild has the same, except for 16 MiB that it writes to. */
	tell(&c, 'f');
	r = sample_within(&c, 80 * MIB);
	assert_int_equal(r->nr_sampled, 2);
	grew(&r->all, &c.before.all, TALLY_MEM_SHARED, 32 * MIB);
	f = &r->all.now[TALLY_MEM_ANONYMOUS];
	assert_true(f->bytes > 70 * MIB && f->bytes < 90 * MIB);
	end(&c);
}

/* As above, where move_pages(2) shows only what the grandchild wrote to. */
static void hidden_pages_are_no_sample(void **state)
{
	struct tally_mem_options o = {.size = sizeof(o),
				      .large_bytes = 16 * MIB};
	struct child c = begin(large, &o);
	char answer;

	(void)state;
	need_numa_maps(&c);
	keep_before(&c);
	tell(&c, 'a');
	assert_int_equal(write(c.to, "h", 1), 1);
	if (read(c.from, &answer, 1) != 1) {
		print_message("# the kernel hides no pages\n");
		end(&c);
		skip();
	}
	sample_within(&c, 64 * MIB);
	tell(&c, 'f');
	sample_within(&c, 80 * MIB);
	assert_int_equal(tally_kernel_mem_result(c.mem)->nr_lost, 0);
	end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_each_kind),
		cmocka_unit_test(counts_shared_memory_once),
		cmocka_unit_test(samples_a_large_process),
		cmocka_unit_test(hidden_pages_are_no_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
