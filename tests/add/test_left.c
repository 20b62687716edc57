// SPDX-License-Identifier: MIT
/* Adds that a signal handler leaves by siglongjmp(3), after a write to a cell
 * has faulted. Snapshots wait for them until the thread's next add. */
#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <numatally/view.h>

#include "ledger/mapped.h"
#include "support/inside.h"
#include "support/machine.h"

#define SHORT_WHILE (SECOND_NS / 100)
#define PAGE	    4096
#define FAR_ROW	    192 /* its cells and those of row 0 share no page */

enum way { ADD, CHARGE, POST, NR_WAYS };

static struct tally_ledger *ledger;
static struct layout *inside;
static struct tally_account near, far;

static sigjmp_buf before;
static void (*in_handler)(void);

/* Let no cell of the far account be written, or again. */
static void protect(int protection)
{
	for (uint32_t i = 0; i < 2 * ledger->nr_cpus; i++)
		for (int b = 0; b < 2; b++) {
			uintptr_t cell =
				(uintptr_t)ledger->lanes[i].rows[b] +
				((uintptr_t)far.row << ledger->row_shift);

			if (mprotect((char *)ledger->lanes[i].rows[b] +
					     (cell / PAGE * PAGE -
					      (uintptr_t)ledger->lanes[i]
						      .rows[b]),
				     PAGE, protection))
				abort();
		}
}

/* Of the CPU that this thread stays on: its cells are those protected. */
static int own_node(void)
{
	return ledger->layout->nodes[ledger->lanes[sched_getcpu()].plane].id;
}

static int add_so(enum way way)
{
	const struct tally_amount amounts[] = {{0, 1}, {1, 1}};
	const struct tally_entry entries[] = {
		{near, TALLY_NODE_LOCAL, 1, 1},
		{far, TALLY_NODE_LOCAL, 1, 1},
		{far, TALLY_NODE_LOCAL, 0, 1},
	};

	switch (way) {
	case ADD:
		return tally_ledger_add(ledger, far, 0, 1);
	case CHARGE:
		return tally_ledger_charge(ledger, far, own_node(), amounts, 2);
	default:
		return tally_ledger_post(ledger, entries, 3);
	}
}

static void handle(int number)
{
	(void)number;
	if (in_handler) {
		in_handler();
		protect(PROT_READ | PROT_WRITE);
		return;
	}
	protect(PROT_READ | PROT_WRITE);
	siglongjmp(before, 1);
}

static void leave(enum way way)
{
	protect(PROT_READ);
	if (!sigsetjmp(before, 1)) {
		add_so(way);
		fail_msg("the add did not fault");
	}
}

static void *take_snapshot(void *timeout)
{
	struct tally_view *view;
	int err = tally_view_snapshot(ledger, 0, *(int64_t *)timeout, &view);

	if (!err)
		tally_view_close(view);
	*(int64_t *)timeout = err;
	return NULL;
}

/* In another thread. */
static int snapshot_in(int64_t timeout_ns)
{
	int64_t result = timeout_ns;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, take_snapshot, &result),
			 0);
	pthread_join(thread, NULL);
	return (int)result;
}

static void begin(struct machine *m, bool exclusive)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .exclusive = exclusive};
	const struct sigaction action = {.sa_handler = handle,
					 .sa_flags = SA_ONSTACK};
	cpu_set_t one;
	char key[16];

	if (TEST_TSAN)
		skip();
	CPU_ZERO(&one);
	CPU_SET((unsigned int)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	unlink(m->path);
	assert_int_equal(tally_ledger_create(m->path, m->topo,
					     machine_resources, 2, &options,
					     &ledger),
			 0);
	inside = inside_open(m->path);
	near = machine_account(ledger, "near");
	do {
		snprintf(key, sizeof(key), "%u", far.row);
		far = machine_account(ledger, key);
	} while (far.row < FAR_ROW);
	/* In both banks. */
	for (int i = 0; i < 2; i++) {
		for (enum way way = 0; way < NR_WAYS; way++)
			assert_int_equal(add_so(way), 0);
		if (snapshot_in(10 * SECOND_NS) == -ENOSYS) {
			tally_ledger_close(ledger);
			skip();
		}
	}
	sigaction(SIGSEGV, &action, NULL);
	in_handler = NULL;
}

static void end(void)
{
	tally_ledger_close(ledger);
	inside_close(inside);
	far.row = 0;
}

static int64_t nr_in_doubt(void)
{
	struct tally_view *view;
	int64_t nr;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	nr = (int64_t)tally_view_nr_in_doubt(view);
	tally_view_close(view);
	return nr;
}

/* Whether it can be there in part. */
static bool is_whole(enum way way)
{
	return way == ADD && (ledger->inlined || ledger->inflight);
}

/* Sequences of an exclusive ledger set no word, and see none, unless a snapshot
 * waits for long. */
static int64_t add_until_snapshot(void)
{
	int64_t result = 10 * SECOND_NS, nr = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, take_snapshot, &result),
			 0);
	while (pthread_tryjoin_np(thread, NULL)) {
		assert_int_equal(add_so(ADD), 0);
		nr++;
		sched_yield();
	}
	assert_int_equal(result, 0);
	return nr;
}

static void the_next_add_heals(void **state)
{
	for (unsigned int i = 0; i < 2u * 2 * NR_WAYS * NR_WAYS; i++) {
		enum way way = i / 4 % NR_WAYS, next = i / 4 / NR_WAYS;
		bool exclusive = i & 1, asked = i & 2;
		int64_t had[2], doubts, nr;

		begin(*state, exclusive);
		for (unsigned int r = 0; r < 2; r++)
			had[r] = machine_total(ledger, r);
		leave(way);
		if (asked && !(exclusive && is_whole(way)))
			assert_int_equal(snapshot_in(SHORT_WHILE), -EAGAIN);
		assert_int_equal(add_so(next), 0);
		had[0] += exclusive && next == ADD ? add_until_snapshot() : 0;
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		assert_int_equal(inside_nr_inflight(inside), 0);
		doubts = is_whole(way) ? 0 : 1;
		assert_int_equal(nr_in_doubt(), doubts);
		assert_int_equal(machine_total(ledger, 0), had[0] + 1);
		nr = next == ADD ? 0 : next == CHARGE ? 1 : 2;
		/* A post had added to the near account. */
		assert_int_equal(machine_total(ledger, 1),
				 had[1] + nr + (way == POST));
		/* Sequences go on, if there are any. */
		for (int k = 0; k < 3; k++)
			assert_int_equal(add_so(ADD), 0);
		assert_int_equal(inside_nr_inflight(inside), 0);
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		assert_int_equal(nr_in_doubt(), doubts);
		end();
	}
}

/* The report names the process, and what it charged. */
static void a_part_is_in_doubt(void **state)
{
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};
	struct tally_view *view;

	begin(*state, false);
	leave(POST);
	assert_int_equal(add_so(ADD), 0);
	assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), 0);
	assert_int_equal(doubt.pid, getpid());
	assert_int_equal(doubt.nr_accounts, 2);
	assert_int_equal(doubt.accounts[0].row, near.row);
	assert_int_equal(doubt.accounts[1].row, far.row);
	tally_view_close(view);
	end();
}

/* Keep a compiler from leaving out what nothing reads. */
static void use(volatile char *room)
{
	__asm__ volatile("" : : "r"(room) : "memory");
}

static __attribute__((noinline)) int add_deep_below(enum way way)
{
	volatile char room[64 * 1024];
	int err;

	use(room);
	err = add_so(way);
	use(room);
	return err;
}

static __attribute__((noinline)) void leave_deep_below(enum way way)
{
	volatile char room[64 * 1024];

	use(room);
	leave(way);
	use(room);
}

/* What stays: adds that are called from deeper in the stack could be a
 * handler's. They count, but don't heal. */
static void adds_from_deep_below(void **state)
{
	for (enum way way = CHARGE; way < NR_WAYS; way++) {
		int64_t had;

		begin(*state, false);
		leave(way);
		had = machine_total(ledger, 0);
		for (enum way next = 0; next < NR_WAYS; next++)
			assert_int_equal(add_deep_below(next), 0);
		assert_int_equal(machine_total(ledger, 0), had + NR_WAYS);
		assert_int_equal(snapshot_in(SHORT_WHILE), -EAGAIN);
		assert_int_equal(add_so(ADD), 0);
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		/* But from above. */
		leave_deep_below(way);
		assert_int_equal(add_so(ADD), 0);
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		assert_int_equal(machine_total(ledger, 0), had + NR_WAYS + 2);
		assert_int_equal(nr_in_doubt(), 2);
		end();
	}
}

static void the_threads_own_snapshot_heals(void **state)
{
	for (enum way way = 0; way < NR_WAYS; way++) {
		int64_t result = 10 * SECOND_NS;

		begin(*state, false);
		leave(way);
		take_snapshot(&result);
		assert_int_equal(result, 0);
		assert_int_equal(nr_in_doubt(), 1);
		assert_int_equal(add_deep_below(ADD), 0);
		assert_int_equal(inside_nr_inflight(inside), 0);
		end();
	}
}

static void *leave_and_end(void *way)
{
	leave(*(enum way *)way);
	return NULL;
}

static void the_threads_end_heals(void **state)
{
	for (enum way way = 0; way < NR_WAYS; way++) {
		pthread_t thread;

		begin(*state, false);
		assert_int_equal(
			pthread_create(&thread, NULL, leave_and_end, &way), 0);
		pthread_join(thread, NULL);
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		assert_int_equal(nr_in_doubt(), 1);
		end();
	}
}

static void closing_heals(void **state)
{
	for (enum way way = 0; way < NR_WAYS; way++) {
		struct tally_ledger *other;

		begin(*state, false);
		assert_int_equal(
			tally_ledger_open(((struct machine *)*state)->path,
					  &other),
			0);
		leave(way);
		tally_ledger_close(ledger);
		ledger = other;
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		assert_int_equal(nr_in_doubt(), 1);
		/* This thread starts anew. */
		assert_int_equal(add_so(POST), 0);
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		end();
	}
}

/* ---- Handlers that return: what they interrupt goes on. ---- */

static uint64_t word_before, word_after;

static uint64_t inflight_word(void)
{
	for (uint32_t n = 0; n < inside->header.params.nr_planes; n++)
		for (uint32_t t = 0; inside->places[n].nr_lanes &&
				     t < layout_nr_threads(inside);
		     t++)
			if (layout_inflight(inside, n, t)->word)
				return layout_inflight(inside, n, t)->word;
	return 0;
}

static unsigned int nr_left(void)
{
	unsigned int nr = 0;

	for (uint32_t t = 0; t < layout_nr_threads(inside); t++)
		nr += layout_thread(inside, t)->owner == LAYOUT_THREAD_LEFT;
	return nr;
}

static void add_near(void)
{
	const struct tally_amount amounts[] = {{1, 5}, {0, 5}};

	word_before = inflight_word();
	if (tally_ledger_add(ledger, near, 0, 5) ||
	    tally_ledger_charge(ledger, near, TALLY_NODE_LOCAL, amounts, 2))
		abort();
	word_after = inflight_word();
}

static void interrupt(enum way way)
{
	int64_t had = machine_total(ledger, 0);

	in_handler = add_near;
	protect(PROT_READ);
	assert_int_equal(add_so(way), 0);
	in_handler = NULL;
	assert_int_equal(machine_total(ledger, 0), had + 11);
	assert_true(word_before);
	assert_int_equal(nr_left(), 0);
	/* An add by atomics may yet write. */
	if (!is_whole(way))
		assert_int_equal(word_after, word_before);
	assert_int_equal(inside_nr_inflight(inside), 0);
	assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
	assert_int_equal(nr_in_doubt(), 0);
}

static void *interrupt_all(void *arg)
{
	for (enum way way = 0; way < NR_WAYS; way++)
		interrupt(way);
	return arg;
}

/* A stack of handlers that lies above the add in the thread's own. */
static void *interrupt_on_stack_above(void *arg)
{
	char room[64 * 1024];
	const stack_t handlers = {.ss_sp = room, .ss_size = sizeof(room)};
	const stack_t none = {.ss_flags = SS_DISABLE};

	sigaltstack(&handlers, NULL);
	interrupt_all(arg);
	sigaltstack(&none, NULL);
	return arg;
}

static void handlers_that_return(void **state)
{
	void *(*const how[])(void *arg) = {interrupt_all,
					   interrupt_on_stack_above};

	for (int i = 0; i < 4; i++) {
		pthread_t thread;

		begin(*state, false);
		if (i < 2) {
			how[i](NULL);
		} else {
			assert_int_equal(
				pthread_create(&thread, NULL, how[i - 2], NULL),
				0);
			pthread_join(thread, NULL);
		}
		end();
	}
}

/* A stack of handlers anywhere, which a handler leaves. */
static void left_on_another_stack(void **state)
{
	const stack_t none = {.ss_flags = SS_DISABLE};
	stack_t handlers = {.ss_size = 64 * 1024};

	handlers.ss_sp = malloc(handlers.ss_size);
	assert_non_null(handlers.ss_sp);
	for (enum way way = CHARGE; way < NR_WAYS; way++) {
		begin(*state, false);
		sigaltstack(&handlers, NULL);
		leave(way);
		assert_int_equal(add_so(POST), 0);
		assert_int_equal(snapshot_in(10 * SECOND_NS), 0);
		assert_int_equal(nr_in_doubt(), 1);
		sigaltstack(&none, NULL);
		end();
	}
	free(handlers.ss_sp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(the_next_add_heals),
		MACHINE_TEST(a_part_is_in_doubt),
		MACHINE_TEST(adds_from_deep_below),
		MACHINE_TEST(the_threads_own_snapshot_heals),
		MACHINE_TEST(the_threads_end_heals),
		MACHINE_TEST(closing_heals),
		MACHINE_TEST(handlers_that_return),
		MACHINE_TEST(left_on_another_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
