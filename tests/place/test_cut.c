// SPDX-License-Identifier: MIT
/*
 * The file of a ledger is cut while its columns and candidates are read. Each read
 * after that says so, and what was read before stays usable.
 */
#include "place/cluster_scene.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "support/machine.h"

/* ---- the reads ----------------------------------------------------------- */

static int create(struct scene *s)
{
	struct tally_place *place;
	int err = tally_place_create(s->view, s->topo, &place);

	if (!err)
		tally_place_destroy(place);
	return err;
}

static int columns(struct scene *s)
{
	return tally_place_refresh(s->place, s->view, 0, s->place->nr_nodes);
}

static int last_column(struct scene *s)
{
	return tally_place_refresh(s->place, s->view, s->place->nr_nodes - 1,
				   1);
}

static int machine(struct scene *s)
{
	return refresh(s, 0);
}

/* It has no candidates. */
static int idle_machine(struct scene *s)
{
	return refresh(s, MACHINES - 1);
}

static int all(struct scene *s)
{
	return refresh(s, TALLY_PLACE_ANY);
}

static int roster(struct scene *s)
{
	struct tally_roster r;
	int err;

	do {
		err = tally_limit_roster(s->view, cluster_node(0, 0), &r);
		for (uint32_t i = 0; !err && i < r.nr_accounts; i++)
			(void)*(const volatile uint32_t *)&r.accounts[i].row;
		if (!err)
			err = tally_limit_roster_check(s->view, &r);
	} while (err == -EAGAIN); /* it was cut in between */
	return err;
}

static int (*const reads[])(struct scene *s) = {
	create, columns, last_column, machine, idle_machine, all, roster,
};
#define NR_READS (sizeof(reads) / sizeof(reads[0]))

/* ---- the cut ------------------------------------------------------------- */

static const char *path;

static void cut_to(int eighths)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 8 * eighths), 0);
}

static struct scene *start(void)
{
	struct scene *s = scene_at(path);

	(void)reserved(s, "a", 0, 4);
	(void)reserved(s, "b", 0, 3);
	(void)reserved(s, "c", 1, 8);
	return s;
}

static void end(struct scene *s)
{
	void *state = s;

	assert_int_equal(scene_teardown(&state), 0);
	assert_int_equal(unlink(path), 0);
}

/* ---- the tests ----------------------------------------------------------- */

static void says(size_t i, bool reads_first, int eighths)
{
	int (*read)(struct scene * s) = reads[i];
	struct scene *s = start();
	int got;

	if (reads_first)
		assert_int_equal(read(s), 0);
	cut_to(eighths);
	for (int again = 0; again < 2; again++) {
		got = read(s);
		if (got != -EBADMSG)
			fail_msg("read %zu, cut to %d/8, says %d", i, eighths,
				 got);
	}
	end(s);
}

static void each_read_says_it(void)
{
	for (size_t i = 0; i < NR_READS; i++)
		for (int eighths = 0; eighths < 8; eighths++)
			says(i, eighths & 1, eighths);
}

static void a_roster_is_checked(void)
{
	struct scene *s = start();
	struct tally_roster r;

	assert_int_equal(tally_limit_roster(s->view, cluster_node(0, 0), &r),
			 0);
	assert_int_equal(r.nr_accounts, 2);
	assert_int_equal(tally_limit_roster_check(s->view, &r), 0);
	cut_to(0);
	assert_int_equal(tally_limit_roster_check(s->view, &r), -EBADMSG);
	end(s);
}

/* It has all of one account, and will read the next one. */
static int cuts(void *arg, const struct tally_reservation *reservation,
		struct tally_candidate *candidate)
{
	struct scene *s = arg;

	(void)reservation;
	(void)candidate;
	s->nr_described++;
	cut_to(0);
	return 0;
}

/* How much room the eviction of all candidates makes on a machine. */
static int make_room(struct scene *s, int64_t cores, uint32_t at)
{
	const struct tally_amount amount = {CORES, cores};
	const struct tally_place_part part = {&amount, 1};
	const struct tally_place_request request = {
		.size = sizeof(request), .parts = &part, .nr_parts = 1};
	const struct tally_eviction eviction = {.size = sizeof(eviction),
						.priority = 100};

	return tally_place_make_room(s->candidates, &request, at, &eviction,
				     &s->room, &s->fit);
}

static void in_the_middle(void)
{
	struct scene *s = start();
	const int64_t on_machine = 8 * NODES;

	assert_int_equal(columns(s), 0);
	assert_int_equal(all(s), 0);
	s->nr_described = 0;
	assert_int_equal(tally_place_candidates_refresh(s->candidates, s->view,
							TALLY_PLACE_ANY, cuts,
							s),
			 -EBADMSG);
	assert_int_equal(s->nr_described, 1);
	/* What was there before is there, as if nothing had been asked. */
	assert_int_equal(all(s), -EBADMSG);
	assert_int_equal(make_room(s, on_machine, 0), 0);
	assert_int_equal(s->room.nr_victims, 2);
	assert_int_equal(make_room(s, on_machine, 1), 0);
	assert_int_equal(s->room.nr_victims, 1);
	end(s);
}

static void *cut_later(void *of)
{
	usleep(1000);
	return truncate(of, 0) ? of : NULL;
}

static void at_any_time(int (*read)(struct scene *s))
{
	struct scene *s = start();
	pthread_t thread;
	void *failed;
	int err;

	assert_int_equal(pthread_create(&thread, NULL, cut_later, (void *)path),
			 0);
	do
		err = read(s);
	while (!err);
	assert_int_equal(err, -EBADMSG);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	end(s);
}

/* In one case, since the handler of SIGBUS comes with the first ledger. */
static void a_cut_file_is_an_error(void **state)
{
	const struct machine *m = *state;

	path = m->path;
	signal(SIGBUS, SIG_DFL); /* not cmocka's */
	each_read_says_it();
	a_roster_is_checked();
	in_the_middle();
	for (size_t i = 0; i < 4 * NR_READS; i++)
		at_any_time(reads[i % NR_READS]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(a_cut_file_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
