// SPDX-License-Identifier: MIT
/*
 * Changes reservations one instruction at a time. The file after each
 * instruction is what a kill there would leave, once the kernel has marked the
 * lock. A process that opens a copy of it must not wait, must find that the
 * call happened or did not, and that all sums agree. So must the next one, if
 * this process is killed while it repairs.
 */
#include "support/test.h"

#include <numatally/reader.h>

#include "support/image.h"
#include "support/limits.h"
#include "support/machine.h"
#include "support/step_calls.h"

static const struct tally_resource resources[2] = {
	{.name = "cores", .unit = "", .kind = TALLY_RESERVABLE},
	{.name = "memory", .unit = "bytes", .kind = TALLY_RESERVABLE},
};

/* Everything that may change and that is shown, after the next open. */
#define NR_WORDS 128
struct shape {
	unsigned int nr;
	int64_t words[NR_WORDS];
};

struct run {
	const struct call *call;
	struct image image;
	char copy[128], half[128];
	pid_t pid;
	/* Called in every state, with the process alive, or dead. */
	struct shape *seen[2];
	unsigned int nr_states, nr_undone;
	uint64_t most_undo;
	int64_t longest_ns;
};

/* ---- what must be true afterwards ---------------------------------------- */

static void put(struct shape *s, int64_t word)
{
	assert_true(s->nr < NR_WORDS);
	s->words[s->nr++] = word;
}

static void put_limit(struct shape *s, const struct tally_limit *limit)
{
	put(s, limit->limit);
	put(s, limit->held);
	put(s, limit->peak);
	put(s, (int64_t)limit->nr_refused);
}

static void put_account(struct shape *s, const struct tally_view *view,
			struct tally_account a)
{
	struct tally_reservation found = {.size = sizeof(found)};
	int64_t amounts[2];

	for (int n = 0; n < 3; n++) {
		assert_int_equal(
			tally_limit_holding(view, a, machine_nodes[n], amounts),
			0);
		put(s, amounts[CORES]);
		put(s, amounts[MEMORY]);
	}
	if (tally_limit_find(view, a, &found)) {
		put(s, 0);
		return;
	}
	put(s, (int)found.state);
	put(s, found.drawn ? (int64_t)found.parent.row : -1);
	for (int n = 0; n < 3; n++) {
		assert_int_equal(tally_limit_draw_free(view, found.token,
						       machine_nodes[n], MEMORY,
						       amounts),
				 0);
		put(s, amounts[0]);
	}
}

/* After any kill the current copy is whole. Its order may differ. */
static void put_roster(struct shape *s, const struct tally_view *view, int node)
{
	struct tally_roster roster;
	int64_t rows = 0;

	assert_int_equal(tally_limit_roster(view, node, &roster), 0);
	for (uint32_t i = 0; i < roster.nr_accounts; i++)
		rows |= INT64_C(1) << roster.accounts[i].row;
	assert_int_equal(tally_limit_roster_check(view, &roster), 0);
	put(s, rows);
	put(s, roster.nr_accounts);
}

static struct shape shape_of(const struct tally_view *view)
{
	const struct tally_accounts *accounts = tally_view_accounts(view);
	struct tally_limit limit = {.size = sizeof(limit)};
	struct shape s = {0};

	for (unsigned int r = CORES; r <= MEMORY; r++) {
		for (int n = 0; n < 3; n++) {
			assert_int_equal(tally_limit_node(view,
							  machine_nodes[n], r,
							  &limit),
					 0);
			put_limit(&s, &limit);
		}
		for (int i = 0; i < NR_ACCOUNTS; i++) {
			assert_int_equal(tally_limit_account(view,
							     find(accounts, i),
							     r, &limit),
					 0);
			put_limit(&s, &limit);
		}
	}
	for (int i = 0; i < NR_ACCOUNTS; i++)
		put_account(&s, view, find(accounts, i));
	for (int n = 0; n < 3; n++)
		put_roster(&s, view, machine_nodes[n]);
	return s;
}

static struct shape shape_of_ledger(struct tally_ledger *l)
{
	struct tally_view *view;
	struct shape s;

	assert_int_equal(tally_view_open(l, &view), 0);
	s = shape_of(view);
	tally_view_close(view);
	return s;
}

static struct shape shape_of_file(const char *path)
{
	struct tally_reader *reader;
	struct tally_view *view;
	struct shape s;

	assert_int_equal(tally_reader_open(path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	s = shape_of(view);
	tally_view_close(view);
	tally_reader_close(reader);
	return s;
}

static bool same(const struct shape *a, const struct shape *b)
{
	return a->nr == b->nr &&
	       !memcmp(a->words, b->words, a->nr * sizeof(a->words[0]));
}

/* ---- copies -------------------------------------------------------------- */

/* Opens the copy of a state. Its process is dead, since it has no lock there; or
 * it lives and has only lost the limits' lock, so that nothing is reaped. */
static struct shape come_next(struct run *r, bool dead)
{
	struct tally_ledger *l;
	struct layout *copy;
	struct shape told, s;
	int64_t start;
	bool tells;
	int fd = -1;

	image_write(&r->image, r->copy);
	copy = inside_open(r->copy);
	if (!dead) {
		uint64_t owner = inside_owner(copy, r->pid);

		if (owner)
			fd = inside_live(r->copy, owner);
		layout_limits(copy)->lock = 0;
	}
	r->nr_undone += layout_limits(copy)->nr_undo != 0;
	tells = !(layout_limits(copy)->sequence & 1);
	if (tells)
		told = shape_of_file(r->copy);
	start = now_ns();
	assert_int_equal(tally_ledger_open(r->copy, &l), 0);
	assert_int_equal(layout_limits(copy)->nr_undo, 0);
	assert_int_equal(layout_limits(copy)->sequence & 1, 0);
	inside_close(copy);
	assert_int_equal(tally_limit_reap(l), 0);
	if (now_ns() - start > r->longest_ns)
		r->longest_ns = now_ns() - start;
	limits_agree(l);
	s = shape_of_ledger(l);
	/* What readers saw before the repair was right, except for what is
	 * reaped. */
	if (tells && !dead && !step_call_lapses(r->call))
		assert_true(same(&told, &s));
	/* And the ledger still works. */
	assert_int_equal(tally_limit_set_capacity(l, 9, MEMORY, 1), 0);
	tally_ledger_close(l);
	if (fd >= 0)
		close(fd);
	return s;
}

/* ---- stepping ------------------------------------------------------------ */

static void save_half(struct run *r)
{
	uint64_t nr = layout_limits(r->image.now)->nr_undo;

	if (nr <= r->most_undo)
		return;
	r->most_undo = nr;
	image_write(&r->image, r->half);
}

static void see(struct run *r)
{
	r->nr_states++;
	for (int dead = 0; dead < 2; dead++) {
		r->seen[dead] = realloc(r->seen[dead],
					r->nr_states * sizeof(*r->seen[dead]));
		assert_non_null(r->seen[dead]);
		r->seen[dead][r->nr_states - 1] = come_next(r, dead);
	}
	save_half(r);
}

static int child(const struct run *r, const char *path)
{
	struct tally_token t = {0};
	struct tally_ledger *l;

	if (tally_ledger_open(path, &l) || r->call->before(l, &t))
		return 1;
	if (inside_stop())
		return 2;
	return r->call->step(l, t) == r->call->result ? 0 : 3;
}

static void step_through(struct run *r)
{
	do
		if (image_changed(&r->image))
			see(r);
	while (inside_step(r->pid));
	assert_true(WIFEXITED(inside_status));
	assert_int_equal(WEXITSTATUS(inside_status), 0);
}

/* Every state is as before the call or as after it, and once as after it, never
 * again as before. */
static void compare(const struct run *r)
{
	for (int dead = 0; dead < 2; dead++) {
		const struct shape *seen = r->seen[dead];
		const struct shape *after = &seen[r->nr_states - 1];
		bool done = false;

		for (unsigned int i = 0; i < r->nr_states; i++) {
			if (same(&seen[i], after))
				done = true;
			else if (done || !same(&seen[i], &seen[0]))
				fail_msg("%s: state %u of %u is neither",
					 r->call->name, i, r->nr_states);
		}
	}
}

static void fill(struct machine *m, const struct call *call,
		 struct tally_ledger **ledger)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts = 64};
	const struct tally_request request = {sizeof(request), ones, 4, 0};
	struct tally_token t;
	struct tally_ledger *l;

	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo, resources, 2,
					     &options, &l),
			 0);
	for (int i = 0; i < NR_ACCOUNTS; i++)
		machine_account(l, keys[i]);
	for (unsigned int r = CORES; r <= MEMORY; r++) {
		assert_int_equal(tally_limit_set_capacity(l, 0, r, 10), 0);
		for (int i = TEAM; i <= BATCH && !call->no_quotas; i++)
			assert_int_equal(
				tally_limit_set_quota(l, account(l, i), r, 20),
				0);
	}
	assert_int_equal(
		tally_limit_reserve(l, account(l, OTHER), &request, &t, NULL),
		0);
	assert_int_equal(tally_limit_commit(l, t), 0);
	*ledger = l;
}

static void start(struct run *r, struct machine *m, const char *path,
		  int (*what)(const struct run *r, const char *path))
{
	snprintf(r->copy, sizeof(r->copy), "%s/copy", m->dir);
	image_open(&r->image, path);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (!r->pid)
		_exit(what(r, path));
	if (!inside_wait(r->pid))
		skip();
}

static void finish(struct run *r)
{
	free(r->seen[0]);
	free(r->seen[1]);
	image_close(&r->image);
}

static int open_it(const struct run *r, const char *path)
{
	struct tally_ledger *l;

	(void)r;
	if (inside_stop())
		return 2;
	_exit(tally_ledger_open(path, &l) ? 1 : 0);
}

/* The process that repairs is killed at each instruction, too. */
static void repair(struct machine *m, const struct run *broken)
{
	struct run r = {.call = broken->call};

	snprintf(r.half, sizeof(r.half), "%s/half2", m->dir);
	start(&r, m, broken->half, open_it);
	step_through(&r);
	for (unsigned int i = 0; i < r.nr_states; i++)
		for (int dead = 0; dead < 2; dead++)
			assert_true(
				same(&r.seen[dead][i], &broken->seen[1][0]));
	print_message("# its repair: %u states\n", r.nr_states);
	assert_true(r.nr_states > broken->most_undo);
	finish(&r);
}

static void skip_where_slow(void)
{
	/* As in test_fold. */
	if (test_in_guest() || TEST_TSAN)
		skip();
}

static void each_call_killed_at_each_instruction(void **state)
{
	struct machine *m = *state;

	skip_where_slow();
	machine_few_cpus(m);
	for (unsigned int i = 0; i < step_nr_calls; i++) {
		struct run r = {.call = &step_calls[i]};
		struct tally_ledger *l;

		snprintf(r.half, sizeof(r.half), "%s/half", m->dir);
		fill(m, &step_calls[i], &l);
		start(&r, m, m->path, child);
		step_through(&r);
		compare(&r);
		print_message("# %s: %u states, %u of them undone, the next "
			      "one took %.1f ms at most\n",
			      r.call->name, r.nr_states, r.nr_undone / 2,
			      (double)r.longest_ns / 1e6);
		assert_true(r.nr_undone > 1);
		if (i < 2)
			repair(m, &r);
		finish(&r);
		tally_ledger_close(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_call_killed_at_each_instruction, machine_setup,
			machine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
