// SPDX-License-Identifier: MIT
/*
 * Changes reservations one instruction at a time. The file after each
 * instruction is what a kill there would leave, once the kernel has marked the
 * lock. A process that opens a copy of it must not wait, must find that the
 * call happened or did not, and that all sums agree. So must the next one, if
 * this process is killed while it repairs.
 */
#include "support/test.h"

#include <signal.h>
#include <sys/ptrace.h>

#include <numatally/reader.h>

#include "support/image.h"
#include "support/limits.h"
#include "support/machine.h"

enum { CORES, MEMORY };

static const struct tally_resource resources[2] = {
	{.name = "cores", .unit = "", .kind = TALLY_RESERVABLE},
	{.name = "memory", .unit = "bytes", .kind = TALLY_RESERVABLE},
};

#define ALL(what) \
	what(0, CORES), what(0, MEMORY), what(5, CORES), what(5, MEMORY)
#define HOLD_2(node, resource)    \
	{                         \
		node, resource, 2 \
	}
#define HOLD_1(node, resource)    \
	{                         \
		node, resource, 1 \
	}
static const struct tally_demand twos[4] = {ALL(HOLD_2)};
static const struct tally_demand ones[4] = {ALL(HOLD_1)};

/* In most tests the last two have quotas. */
enum { JOB, OTHER, TEAM, BATCH, NR_ACCOUNTS };
static const char *const keys[NR_ACCOUNTS] = {
	"batch/team/job",
	"batch/other",
	"batch/team/",
	"batch/",
};

/* Everything that may change and that is shown, after the next open. */
#define NR_WORDS 128
struct shape {
	unsigned int nr;
	int64_t words[NR_WORDS];
};

/* A call: what its process does first, and what is stepped. */
struct call {
	const char *name;
	int (*before)(struct tally_ledger *l, struct tally_token *token);
	int (*step)(struct tally_ledger *l, struct tally_token token);
	int result;
	bool no_quotas;
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

/* ---- what is stepped ----------------------------------------------------- */

static struct tally_account find(const struct tally_accounts *accounts, int i)
{
	struct tally_account a;

	if (tally_account_find(accounts, keys[i], &a))
		return (struct tally_account){0};
	return a;
}

static struct tally_account account(struct tally_ledger *l, int i)
{
	return find(tally_ledger_accounts(l), i);
}

static int reserve_of(struct tally_ledger *l, int i,
		      const struct tally_demand *demands, int64_t lease_ns,
		      struct tally_token *t)
{
	const struct tally_request request = {sizeof(request), demands, 4,
					      lease_ns};

	return tally_limit_reserve(l, account(l, i), &request, t, NULL);
}

static int nothing(struct tally_ledger *l, struct tally_token *t)
{
	(void)l, (void)t;
	return 0;
}

static int reserve(struct tally_ledger *l, struct tally_token *t)
{
	return reserve_of(l, JOB, twos, 0, t);
}

static int reserve_and_commit(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve(l, t);

	return err ? err : tally_limit_commit(l, *t);
}

static int reserve_for_no_time(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve_of(l, JOB, twos, 1, t);

	limits_lapse(1);
	return err;
}

/* Its lease ends first: above those of all others. */
static int reserve_for_longer_and_longer(struct tally_ledger *l,
					 struct tally_token *t)
{
	int err = reserve_of(l, BATCH, ones, 3000 * SECOND_NS, t);

	if (!err)
		err = reserve_of(l, TEAM, ones, 2000 * SECOND_NS, t);
	return err ? err : reserve_of(l, JOB, twos, 1000 * SECOND_NS, t);
}

static int draw_of(struct tally_ledger *l, int i, struct tally_token from,
		   struct tally_token *t)
{
	const struct tally_request request = {sizeof(request), ones, 4, 0};

	return tally_limit_draw(l, account(l, i), from, &request, t, NULL);
}

/* A child of it, which is committed, and one of that. */
static int draw_below(struct tally_ledger *l, struct tally_token parent,
		      struct tally_token *child)
{
	int err = draw_of(l, TEAM, parent, child);
	struct tally_token unused;

	if (!err)
		err = tally_limit_commit(l, *child);
	return err ? err : draw_of(l, BATCH, *child, &unused);
}

static int be_a_child(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve_and_commit(l, t);

	return err ? err : draw_of(l, TEAM, *t, t);
}

static int be_a_parent(struct tally_ledger *l, struct tally_token *t)
{
	int err = reserve_and_commit(l, t);
	struct tally_token unused;

	return err ? err : draw_below(l, *t, &unused);
}

static int be_a_parent_for_no_time(struct tally_ledger *l,
				   struct tally_token *t)
{
	const struct tally_request none = {.size = sizeof(none), .lease_ns = 1};
	int err = reserve(l, t);
	struct tally_token unused;

	if (!err)
		err = draw_below(l, *t, &unused);
	if (!err)
		err = tally_limit_change(l, *t, &none, NULL);
	limits_lapse(1);
	return err;
}

static int be_near_the_limit(struct tally_ledger *l, struct tally_token *t)
{
	(void)t;
	return tally_limit_set_capacity(l, 5, MEMORY, 2);
}

static int step_reserve(struct tally_ledger *l, struct tally_token t)
{
	return reserve(l, &t);
}

static int step_reserve_other(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {0, MEMORY, 99};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};

	return tally_limit_reserve(l, account(l, TEAM), &request, &t, NULL);
}

static int step_commit(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_commit(l, t);
}

static int step_cancel(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_cancel(l, t);
}

static int step_release(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_release(l, t, NULL, 0);
}

static int step_release_part(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_release(l, t, ones, 3);
}

static int step_release_all_parts(struct tally_ledger *l, struct tally_token t)
{
	return tally_limit_release(l, t, twos, 4);
}

/* One more where it has something, one less elsewhere, and some on a node where
 * it has nothing. */
static int change(struct tally_ledger *l, struct tally_token t, int64_t more)
{
	const struct tally_demand demands[] = {
		{0, CORES, -2},	 {0, MEMORY, 1}, {5, CORES, more},
		{5, MEMORY, -1}, {9, MEMORY, 2},
	};
	const struct tally_request request = {sizeof(request), demands, 5, 0};

	return tally_limit_change(l, t, &request, NULL);
}

static int step_change(struct tally_ledger *l, struct tally_token t)
{
	return change(l, t, 1);
}

static int step_change_too_much(struct tally_ledger *l, struct tally_token t)
{
	return change(l, t, 1000);
}

static int step_give_all(struct tally_ledger *l, struct tally_token t)
{
	struct tally_demand demands[4];
	const struct tally_request request = {sizeof(request), demands, 4, 0};

	for (unsigned int i = 0; i < 4; i++) {
		demands[i] = twos[i];
		demands[i].amount = -2;
	}
	return tally_limit_change(l, t, &request, NULL);
}

/* It is then the last one that ends. */
static int step_renew(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {9, MEMORY, 2};
	const struct tally_request request = {sizeof(request), &demand, 1,
					      4000 * SECOND_NS};

	return tally_limit_change(l, t, &request, NULL);
}

static int step_draw(struct tally_ledger *l, struct tally_token t)
{
	return draw_of(l, TEAM, t, &t);
}

static int step_draw_too_much(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demands[] = {{0, CORES, 1}, {5, MEMORY, 3}};
	const struct tally_request request = {sizeof(request), demands, 2, 0};

	return tally_limit_draw(l, account(l, TEAM), t, &request, &t, NULL);
}

/* More in one place, less in others. */
static int step_change_child(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demands[] = {
		{0, CORES, 1}, {5, CORES, -1}, {5, MEMORY, -1}};
	const struct tally_request request = {sizeof(request), demands, 3, 0};

	return tally_limit_change(l, t, &request, NULL);
}

static int step_adopt(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_request request = {sizeof(request), twos, 4, 0};

	return tally_limit_adopt(l, account(l, JOB), &request, &t);
}

static int step_quota(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_set_quota(l, account(l, BATCH), MEMORY, 50);
}

static int step_capacity(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_set_capacity(l, 9, CORES, 50);
}

static int step_exchange(struct tally_ledger *l, struct tally_token t)
{
	struct tally_capacity capacities[] = {{0, CORES, 20}, {9, MEMORY, 0}};
	struct tally_quota quotas[] = {{"batch/", MEMORY, 50},
				       {"batch/team/", CORES, 60},
				       {"batch/", CORES, 70}};

	(void)t;
	return tally_limit_exchange(l, capacities, 2, quotas, 3);
}

static int step_reap(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_reap(l);
}

/* Without a reservation; the process has one credit. */
static struct tally_credit credit;

static int take_some(struct tally_ledger *l, struct tally_token *t)
{
	int err = tally_limit_set_capacity(l, 5, MEMORY, 5000);

	(void)t;
	for (int i = TEAM; !err && i <= BATCH; i++)
		err = tally_limit_set_quota(l, account(l, i), MEMORY, 5000);
	if (!err)
		err = tally_limit_credit(l, account(l, JOB), 5, MEMORY,
					 &credit);
	return err ? err : tally_limit_take(&credit, 3);
}

/* This CPU has less idle credit than the next take. */
static int take_nearly_all(struct tally_ledger *l, struct tally_token *t)
{
	int err = take_some(l, t);

	for (int i = 0; !err && i < 63; i++)
		err = tally_limit_take(&credit, 3);
	return err;
}

static int take_to_the_limit(struct tally_ledger *l, struct tally_token *t)
{
	int err = take_some(l, t);

	return err ? err : tally_limit_set_capacity(l, 5, MEMORY, 4);
}

static int step_take(struct tally_ledger *l, struct tally_token t)
{
	(void)l, (void)t;
	return tally_limit_take(&credit, 5);
}

static int step_take_one(struct tally_ledger *l, struct tally_token t)
{
	(void)l, (void)t;
	return tally_limit_take(&credit, 1);
}

static int step_give(struct tally_ledger *l, struct tally_token t)
{
	(void)l, (void)t;
	return tally_limit_give(&credit, 2);
}

static int step_reserve_rest(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {5, MEMORY, 4990};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};

	return tally_limit_reserve(l, account(l, JOB), &request, &t, NULL);
}

static int step_reserve_more(struct tally_ledger *l, struct tally_token t)
{
	const struct tally_demand demand = {5, MEMORY, 4997};
	const struct tally_request request = {sizeof(request), &demand, 1, 0};

	return tally_limit_reserve(l, account(l, JOB), &request, &t, NULL);
}

static int step_credit(struct tally_ledger *l, struct tally_token t)
{
	(void)t;
	return tally_limit_credit(l, account(l, JOB), 5, MEMORY, &credit);
}

static const struct call calls[] = {
	{"reserve", nothing, step_reserve, 0, false},
	{"reserve, refused", be_near_the_limit, step_reserve, -ENOSPC, false},
	{"reserve, after a reap", reserve_for_no_time, step_reserve_other,
	 -ENOSPC, false},
	{"commit", reserve, step_commit, 0, false},
	{"cancel", reserve, step_cancel, 0, false},
	{"cancel of a lease among others", reserve_for_longer_and_longer,
	 step_cancel, 0, false},
	{"renewal of a lease among others", reserve_for_longer_and_longer,
	 step_renew, 0, false},
	{"release", reserve_and_commit, step_release, 0, false},
	{"release of a part", reserve_and_commit, step_release_part, 0, false},
	{"release of all parts", reserve, step_release_all_parts, 0, false},
	{"change", reserve, step_change, 0, false},
	{"change, refused", reserve_and_commit, step_change_too_much, -EDQUOT,
	 false},
	{"change that leaves nothing", reserve, step_give_all, 0, false},
	{"draw", reserve_and_commit, step_draw, 0, false},
	{"draw, refused", reserve_and_commit, step_draw_too_much, -ENOSPC,
	 false},
	{"change of a child", be_a_child, step_change_child, 0, false},
	{"cancel of a child", be_a_child, step_cancel, 0, false},
	{"release of a parent", be_a_parent, step_release, 0, false},
	{"shrinking of a parent, refused", be_a_parent, step_give_all, -EBUSY,
	 false},
	{"reap of a parent", be_a_parent_for_no_time, step_reap, 0, false},
	{"adopt", nothing, step_adopt, 0, false},
	{"set_quota", reserve_and_commit, step_quota, 0, true},
	{"set_capacity", nothing, step_capacity, 0, false},
	{"exchange", reserve_and_commit, step_exchange, 0, true},
	{"reap", reserve_for_no_time, step_reap, 0, false},
	{"credit", nothing, step_credit, 0, false},
	{"take, drawn ahead", take_nearly_all, step_take, 0, false},
	{"take at a limit", take_to_the_limit, step_take_one, -ENOSPC, false},
	{"give at a limit", take_to_the_limit, step_give, 0, false},
	{"reserve, after drawing back", take_some, step_reserve_rest, 0, false},
	{"reserve, refused after drawing back", take_some, step_reserve_more,
	 -ENOSPC, false},
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
	if (tells && !dead && r->call->before != reserve_for_no_time &&
	    r->call->before != be_a_parent_for_no_time)
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
	int status = 0;

	do
		if (image_changed(&r->image))
			see(r);
	while (!ptrace(PTRACE_SINGLESTEP, r->pid, 0, 0) &&
	       waitpid(r->pid, &status, 0) == r->pid && WIFSTOPPED(status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
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
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct run r = {.call = &calls[i]};
		struct tally_ledger *l;

		snprintf(r.half, sizeof(r.half), "%s/half", m->dir);
		fill(m, &calls[i], &l);
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
