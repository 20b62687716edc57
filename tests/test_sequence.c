// SPDX-License-Identifier: MIT
/*
 * Every restartable sequence is interrupted before each of its instructions,
 * by a stop and by a signal whose handler adds too: it is aborted each time,
 * and each add counts once.
 */
#include "config.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#ifdef HAVE_SYS_RSEQ_H
#include <sys/rseq.h>
#endif

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "machine.h"

/* Under ThreadSanitizer no ledger has sequences. */
#if defined(__SANITIZE_THREAD__)
#define SEES_SEQUENCES 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SEES_SEQUENCES 0
#endif
#endif
#ifndef SEES_SEQUENCES
#define SEES_SEQUENCES 1
#endif

#if SEES_SEQUENCES && TALLY_RSEQ_BYTES > 0 && defined(HAVE_SYS_RSEQ_H)

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

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() +
			       __rseq_offset);
}

/* How to add, and to what. */
struct way {
	const char *name;
	bool exclusive;
	bool exclusive_pairs; /* where aarch64 has plain ones */
	unsigned int nr;
};

static struct tally_ledger *ledger;
static struct tally_account account;
static unsigned int nr_side_by_side;

static void add(void)
{
	static const int64_t ones[4] = {1, 1, 1, 1};
	int err;

	if (nr_side_by_side == 1)
		err = tally_ledger_inline_add(ledger, account, 0, 1);
	else if (nr_side_by_side == 2)
		err = tally_ledger_inline_add2(ledger, account, 0, ones);
	else
		err = tally_ledger_inline_add4(ledger, account, 0, ones);
	if (err)
		_exit(2);
}

static void add_in_handler(int number)
{
	(void)number;
	add();
}

static bool stay_here(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned int)cpu, &set);
	return cpu >= 0 && !sched_setaffinity(0, sizeof(set), &set);
}

/* The kernel then aborts nothing, so that sequences can be stepped. */
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

/* Adds once, and then once each time that it is let run on. */
static int traced(const struct machine *m, const struct way *way,
		  bool registered)
{
	const struct tally_resource resources[4] = {
		{"a", "", TALLY_COUNTER},
		{"b", "", TALLY_COUNTER},
		{"c", "", TALLY_COUNTER},
		{"d", "", TALLY_COUNTER},
	};
	const struct tally_ledger_options options = {.exclusive =
							     way->exclusive};

	if (tally_ledger_create(m->path, m->topo, resources, 4, &options,
				&ledger) ||
	    tally_account_open(tally_ledger_accounts(ledger), "a", &account) ||
	    !stay_here() || signal(SIGUSR1, add_in_handler) == SIG_ERR)
		return 1;
	((struct tally_fast *)ledger)->pairs = !way->exclusive_pairs;
	nr_side_by_side = way->nr;
	add();
	if (!registered && !unregister())
		return 1;
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 1;
	for (;;) {
		raise(SIGSTOP);
		add();
	}
}

/* The traced process, NULL where there can't be one. */
static pid_t start(const struct machine *m, const struct way *way,
		   bool registered)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(traced(m, way, registered));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSTOPPED(status))
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

/* Lets it go on, with a signal or none; the signal that it stops at. */
static int go(pid_t pid, enum __ptrace_request how, int number)
{
	int status;

	assert_int_equal(ptrace(how, pid, 0, number), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	return WSTOPSIG(status);
}

/* Runs on, with a signal or none, until it comes to an instruction. */
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

/* Whether pc is in the sequence that was begun last; where it then goes on. */
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

/*
 * Steps through an add, to the end of its sequence. Where several processes may
 * write, the inlined sequence comes first, and adds nothing.
 */
static unsigned int step(pid_t pid, const struct way *way,
			 struct instruction *found)
{
	unsigned int nr = 0, nr_left = way->exclusive ? 1 : 2;
	bool inside = false;
	long nr_steps = 0;

	while (go(pid, PTRACE_SINGLESTEP, 0) == SIGTRAP) {
		struct instruction i = {.at = get_pc(pid)};

		assert_true(nr_steps++ < MAX_STEPS);
		if (in_sequence(pid, i.at, &i.abort)) {
			assert_true(nr < MAX_INSTRUCTIONS);
			found[nr++] = i;
			inside = true;
		} else if (inside) {
			inside = false;
			if (!--nr_left)
				break;
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

static void interrupt_everywhere(const struct machine *m, const struct way *way)
{
	struct instruction found[MAX_INSTRUCTIONS];
	/* An exclusive store fails where it is stepped. */
	int64_t nr_adds = way->exclusive_pairs ? 1 : 2;
	unsigned int nr;
	pid_t pid = start(m, way, false);

	nr = step(pid, way, found);
	end(pid);
	check(m, way, nr_adds);
	print_message("%s: %u instructions\n", way->name, nr);
	if (!nr && !getenv("NUMATALLY_GUEST"))
		return;
	assert_true(nr >= 3);

	nr_adds = 1;
	pid = start(m, way, true);
	for (unsigned int i = 0; i < 2 * nr; i++) {
		int number = i < nr ? 0 : SIGUSR1;

		go_to(pid, found[i % nr].at, 0);
		go_to(pid, found[i % nr].abort, number);
		assert_int_equal(go(pid, PTRACE_CONT, 0), SIGSTOP);
		nr_adds += number ? 2 : 1;
	}
	end(pid);
	check(m, way, nr_adds);
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

#else

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
