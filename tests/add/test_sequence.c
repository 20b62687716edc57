// SPDX-License-Identifier: MIT
/*
 * Interrupts every restartable sequence before each of its instructions, by a
 * stop and by a signal whose handler adds too. The kernel aborts the sequence
 * each time, and each add counts once. A thread that is in flight is also
 * stopped before each instruction: a snapshot waits for its add, or does not
 * have it.
 */
#include "support/test.h"

#include <elf.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifdef HAVE_SYS_RSEQ_H
#include <sys/rseq.h>
#endif

#include <numatally/ledger_inline.h>
#include <numatally/slice.h>
#include <numatally/view.h>

#include "support/inside.h"
#include "support/machine.h"

/* Under ThreadSanitizer no ledger has sequences. */
#define SEES_SEQUENCES (!TEST_TSAN)

#if SEES_SEQUENCES && defined(TALLY_HAS_SEQUENCES) && defined(HAVE_SYS_RSEQ_H)

#if defined(__aarch64__)
#define PC		 pc
#define BREAKPOINT	 0xd4200000UL
#define BREAKPOINT_BYTES 4
#define AFTER_BREAKPOINT 0
#else
#define PC		 rip
#define BREAKPOINT	 0xccUL
#define BREAKPOINT_BYTES 1
#define AFTER_BREAKPOINT 1
#endif

#define MAX_STEPS	 100000
#define MAX_INSTRUCTIONS 64
#define NR_BEFORE	 6
#define SHORT_WHILE	 2000000

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() +
			       __rseq_offset);
}

/* One way to add, and what it adds to. */
struct way {
	const char *name;
	bool exclusive;
	bool exclusive_pairs; /* aarch64 has plain stores there */
	unsigned int nr;
};

static struct tally_ledger *ledger, *other;
static struct tally_account account, other_account;
static unsigned int nr_side_by_side;

static void add_to(struct tally_ledger *to, struct tally_account a)
{
	static const struct tally_amount ones[4] = {
		{0, 1}, {1, 1}, {2, 1}, {3, 1}};
	int err = nr_side_by_side == 1
			  ? tally_ledger_inline_add(to, a, 0, 1)
			  : tally_ledger_charge(to, a, TALLY_NODE_LOCAL, ones,
						nr_side_by_side);

	if (err && err != -ESTALE)
		_exit(2);
}

static void add(void)
{
	add_to(ledger, account);
}

/* To another ledger first, so that the thread's cache is of that one. */
static void add_in_handler(int number)
{
	(void)number;
	add_to(other, other_account);
	add();
	add_to(other, other_account);
}

static bool stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	return cpu >= 0 && !sched_setaffinity(0, sizeof(set), &set);
}

/* The kernel then aborts no sequence, so that one can be stepped. */
static bool unregister(void)
{
	uint32_t cpu = (uint32_t)sched_getcpu();

	if (syscall(SYS_rseq, area(), sizeof(struct rseq), RSEQ_FLAG_UNREGISTER,
		    RSEQ_SIG))
		return false;
	area()->cpu_id_start = cpu;
	area()->cpu_id = cpu;
	return true;
}

/* Adds once, and then once each time that the tracer continues it. */
static int traced(const struct machine *m, const struct way *way,
		  bool registered)
{
	const struct tally_resource resources[4] = {
		{"a", "", TALLY_COUNTER},
		{"b", "", TALLY_COUNTER},
		{"c", "", TALLY_COUNTER},
		{"d", "", TALLY_COUNTER},
	};
	const struct tally_ledger_options options = {
		.size = sizeof(options), .exclusive = way->exclusive};

	if (tally_ledger_create(NULL, m->topo, resources, 4, NULL, &other) ||
	    tally_account_open(tally_ledger_accounts(other), "o",
			       &other_account) ||
	    tally_ledger_create(m->path, m->topo, resources, 4, &options,
				&ledger) ||
	    tally_account_open(tally_ledger_accounts(ledger), "a", &account) ||
	    !stay_here() || signal(SIGUSR1, add_in_handler) == SIG_ERR)
		return 1;
	inside_set_pairs(ledger, !way->exclusive_pairs);
	nr_side_by_side = way->nr;
	add_to(other, other_account);
	add();
	if (!registered && !unregister())
		return 1;
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 1;
	for (;;) {
		raise(SIGSTOP);
		if (tally_account_open(tally_ledger_accounts(ledger), "a",
				       &account))
			return 1;
		add();
	}
}

/* The traced process, or NULL if tracing is refused. */
static pid_t start(const struct machine *m, const struct way *way,
		   bool registered)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(traced(m, way, registered));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* The child does not outlive a failed test. */
	if (WIFSTOPPED(status) &&
	    !ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL))
		return pid;
	print_message("tracing a child with rseq is refused\n");
	skip();
	return 0;
}

static void end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static uint64_t peek(pid_t pid, uint64_t address)
{
	uint64_t word;

	errno = 0;
	word = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, address, 0);
	assert_int_equal(errno, 0);
	return word;
}

static uint64_t get_pc(pid_t pid)
{
	struct user_regs_struct regs;
	struct iovec io = {&regs, sizeof(regs)};

	assert_int_equal(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io), 0);
	return regs.PC;
}

static void set_pc(pid_t pid, uint64_t pc)
{
	struct user_regs_struct regs;
	struct iovec io = {&regs, sizeof(regs)};

	assert_int_equal(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io), 0);
	regs.PC = pc;
	assert_int_equal(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io), 0);
}

/* Continues it, with a signal or none. Returns the signal at which it stops. */
static int go(pid_t pid, enum __ptrace_request how, int number)
{
	int status;

	assert_int_equal(ptrace(how, pid, 0, number), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	return WSTOPSIG(status);
}

/* Continues it, with a signal or none, until it reaches an instruction. */
static void go_to(pid_t pid, uint64_t pc, int number)
{
	const uint64_t mask = (UINT64_C(1) << 8 * BREAKPOINT_BYTES) - 1;
	uint64_t word = peek(pid, pc);

	assert_int_equal(
		ptrace(PTRACE_POKETEXT, pid, pc, (word & ~mask) | BREAKPOINT),
		0);
	assert_int_equal(go(pid, PTRACE_CONT, number), SIGTRAP);
	assert_int_equal(ptrace(PTRACE_POKETEXT, pid, pc, word), 0);
	assert_int_equal(get_pc(pid), pc + AFTER_BREAKPOINT);
	set_pc(pid, pc);
}

/* An instruction in a sequence. */
struct instruction {
	uint64_t at;
	uint64_t abort;
};

/* Whether pc is in the sequence begun last; *after is where that continues. */
static bool in_sequence(pid_t pid, uint64_t pc, uint64_t *abort)
{
	uint64_t cs =
		peek(pid, (uint64_t)area() + offsetof(struct rseq, rseq_cs));

	if (!cs)
		return false;
	*abort = peek(pid, cs + offsetof(struct rseq_cs, abort_ip));
	return pc - peek(pid, cs + offsetof(struct rseq_cs, start_ip)) <
	       peek(pid, cs + offsetof(struct rseq_cs, post_commit_offset));
}

/* Steps through an add to the end of its sequence. *before has the last
 * instructions on the way to it. */
static unsigned int step(pid_t pid, struct instruction *found,
			 uint64_t before[NR_BEFORE])
{
	long nr_steps = 0;
	unsigned int nr = 0;

	while (go(pid, PTRACE_SINGLESTEP, 0) == SIGTRAP) {
		struct instruction i = {.at = get_pc(pid)};

		assert_true(nr_steps++ < MAX_STEPS);
		if (in_sequence(pid, i.at, &i.abort)) {
			assert_true(nr < MAX_INSTRUCTIONS);
			found[nr++] = i;
		} else if (nr) {
			break;
		} else {
			memmove(before, before + 1,
				(NR_BEFORE - 1) * sizeof(*before));
			before[NR_BEFORE - 1] = i.at;
		}
	}
	return nr;
}

static void check(const struct machine *m, const struct way *way, int64_t nr)
{
	struct tally_ledger *after;
	struct tally_view *view;
	int64_t amounts[4];

	assert_int_equal(tally_ledger_open(m->path, &after), 0);
	assert_int_equal(tally_view_open(after, &view), 0);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(amounts[i], i < way->nr ? nr : 0);
	tally_view_close(view);
	tally_ledger_close(after);
	unlink(m->path);
}

/* Where an aborted sequence lands before it is tried again. */
static void leaves_no_mark(pid_t pid, const struct layout *inside)
{
	for (int i = 0; inside_nr_inflight(inside); i++) {
		assert_true(i < 8);
		assert_int_equal(go(pid, PTRACE_SINGLESTEP, 0), SIGTRAP);
	}
}

static void interrupt_everywhere(const struct machine *m, const struct way *way)
{
	struct instruction found[MAX_INSTRUCTIONS];
	/* A stepped exclusive store always fails. */
	int64_t nr_adds = way->exclusive_pairs ? 1 : 2;
	uint64_t before[NR_BEFORE] = {0};
	struct layout *inside;
	unsigned int nr;
	pid_t pid = start(m, way, false);

	nr = step(pid, found, before);
	end(pid);
	check(m, way, nr_adds);
	print_message("%s: %u instructions\n", way->name, nr);
	if (!nr && !test_in_guest())
		return;
	assert_true(nr >= 3);

	nr_adds = 1;
	pid = start(m, way, true);
	inside = inside_open(m->path);
	for (unsigned int i = 0; i < 2 * nr; i++) {
		int number = i < nr ? 0 : SIGUSR1;

		go_to(pid, found[i % nr].at, 0);
		go_to(pid, found[i % nr].abort, number);
		leaves_no_mark(pid, inside);
		assert_int_equal(go(pid, PTRACE_CONT, 0), SIGSTOP);
		assert_int_equal(inside_nr_inflight(inside), 0);
		nr_adds += number ? 2 : 1;
	}
	for (unsigned int i = 0; i < NR_BEFORE; i++) {
		go_to(pid, before[i], 0);
		assert_int_equal(go(pid, PTRACE_CONT, SIGUSR1), SIGSTOP);
		nr_adds += 2;
	}
	inside_close(inside);
	end(pid);
	check(m, way, nr_adds);
}

static int64_t total(const struct tally_view *view)
{
	int64_t amounts[4];

	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	return amounts[0];
}

/*
 * Stops a thread before an instruction, and takes a snapshot after another
 * process has ended the account, or not. If the snapshot did not wait, it does
 * not have what the thread does next; and if the account has ended, nothing has
 * it. Returns 1 if the snapshot waited.
 */
static int stop_at(pid_t pid, uint64_t at, struct tally_ledger *beside,
		   uint32_t *generation)
{
	struct tally_view *live, *view;
	int64_t frozen = 0, all = 0;
	int err;

	go_to(pid, at, 0);
	if (generation)
		__atomic_fetch_add(generation, 2, __ATOMIC_RELEASE);
	assert_int_equal(tally_view_open(beside, &live), 0);
	err = tally_view_snapshot(beside, 0, SHORT_WHILE, &view);
	assert_true(!err || err == -EAGAIN);
	if (!err) {
		frozen = total(view);
		all = total(live);
	}
	assert_int_equal(go(pid, PTRACE_CONT, 0), SIGSTOP);
	if (!err) {
		assert_int_equal(total(view), frozen);
		assert_int_equal(total(live), generation ? all : all + 1);
		tally_view_close(view);
	}
	tally_view_close(live);
	return err != 0;
}

static void stop_everywhere(const struct machine *m, const struct way *way)
{
	struct instruction found[MAX_INSTRUCTIONS];
	uint64_t before[NR_BEFORE] = {0};
	struct tally_ledger *beside;
	struct tally_account a;
	uint32_t *generations;
	struct layout *inside;
	unsigned int nr;
	int nr_waited[2] = {0, 0};
	pid_t pid = start(m, way, false);

	nr = step(pid, found, before);
	assert_int_equal(go(pid, PTRACE_CONT, 0), SIGSTOP);
	assert_int_equal(tally_ledger_open(m->path, &beside), 0);
	a = machine_account(beside, "a");
	inside = inside_open(m->path);
	generations =
		(uint32_t *)(inside->origin + inside->plan->generations.offset);
	for (unsigned int i = 0; i < NR_BEFORE + nr; i++) {
		uint64_t at = i < NR_BEFORE ? before[i]
					    : found[i - NR_BEFORE].at;

		for (int ends = 0; ends < 2; ends++) {
			/* So that the thread's cache has the epoch. */
			assert_int_equal(go(pid, PTRACE_CONT, 0), SIGSTOP);
			nr_waited[ends] +=
				stop_at(pid, at, beside,
					ends ? &generations[a.row] : NULL);
		}
	}
	print_message("%s: snapshots waited at %d of %u instructions\n",
		      way->name, nr_waited[0], nr);
	assert_true(nr_waited[0] >= 2);
	assert_int_equal(nr_waited[0], nr_waited[1]);
	inside_close(inside);
	tally_ledger_close(beside);
	end(pid);
	unlink(m->path);
}

static void sequences_are_aborted_anywhere(void **state)
{
	static const struct way ways[] = {
		{"one", true, false, 1},
		{"two", true, false, 2},
		{"one, marked", false, false, 1},
		{"two, marked", false, false, 2},
#if defined(__aarch64__)
		{"two, by an exclusive store", true, true, 2},
		{"two, by an exclusive store, marked", false, true, 2},
#endif
	};

	if (!__rseq_size)
		skip();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		interrupt_everywhere(*state, &ways[i]);
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2")) {
		interrupt_everywhere(*state,
				     &(struct way){"four", true, false, 4});
		interrupt_everywhere(
			*state, &(struct way){"four, marked", false, false, 4});
	}
#endif
}

static void snapshots_wait_for_adds_in_flight(void **state)
{
	static const struct way ways[] = {
		{"one, marked", false, false, 1},
		{"two, marked", false, false, 2},
	};

	/* Emulated, it takes longer than the time-out of the snapshot. */
	if (!__rseq_size || test_in_guest())
		skip();
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		stop_everywhere(*state, &ways[i]);
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		stop_everywhere(*state,
				&(struct way){"four, marked", false, false, 4});
#endif
}

#else

static void snapshots_wait_for_adds_in_flight(void **state)
{
	(void)state;
	skip();
}

static void sequences_are_aborted_anywhere(void **state)
{
	(void)state;
	skip();
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sequences_are_aborted_anywhere,
						machine_setup,
						machine_teardown),
		cmocka_unit_test_setup_teardown(
			snapshots_wait_for_adds_in_flight, machine_setup,
			machine_teardown),
	};

	/* In checked mode inlined adds are calls, without a sequence to step
	 * through. */
	tally_slice_set_checked(false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
