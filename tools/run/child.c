// SPDX-License-Identifier: MIT
/*
 * The command stays in our process group, as under time(1), so that a terminal
 * reaches both. It interrupts and stops the command alone; we stop after the
 * command: when a shell sees us stop, nothing may read the terminal any more.
 * Signals that a process sends us are passed on. Nothing tells whether it sent
 * them to us alone, or to the group, as a shell's kill %1 does: then the command
 * gets them twice, or once where the first is still pending.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numatally/kernel_tree.h>

#include "common/clock.h"
#include "common/signals.h"
#include "run/child.h"

#define NS_PER_S INT64_C(1000000000)

/* How long the command may take to stop when the terminal asks it to. */
#define STOP_NS (NS_PER_S / 10)

/* Signals that we read while the command runs. */
static const int noted_signals[] = {
	SIGCHLD, SIGCONT, SIGTSTP, SIGTERM, SIGHUP,
	SIGUSR1, SIGUSR2, SIGINT,  SIGQUIT,
};

/* Of these, what ends the waiting for what the command left. */
static const int ending_signals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT};

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What we were given, and restore for the command. */
struct given {
	sigset_t mask;
	struct sigaction child_action;
};

static void __attribute__((noreturn))
execute(char **argv, const struct given *given, int go, int failure)
{
	ssize_t n;
	char c;
	int err;

	do
		n = read(go, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(RUN_FAILED);
	sigaction(SIGCHLD, &given->child_action, NULL);
	sigprocmask(SIG_SETMASK, &given->mask, NULL);
	execvp(argv[0], argv);
	err = errno;
	n = write(failure, &err, sizeof(err));
	_exit(n > 0 && err == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXECUTE);
}

static int open_pipes(int go[2], int failure[2])
{
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failure, O_CLOEXEC)) {
		int ret = -errno;

		close(go[0]);
		close(go[1]);
		return ret;
	}
	return 0;
}

static void note_signals(struct run_child *child, struct given *given)
{
	struct sigaction default_action = {.sa_handler = SIG_DFL};
	sigset_t noted;

	/* While SIGCHLD is ignored, wait4(2) returns nothing. */
	sigaction(SIGCHLD, &default_action, &given->child_action);
	sigemptyset(&child->ending);
	for (size_t i = 0; i < ARRAY_SIZE(ending_signals); i++)
		if (!signal_is_ignored(ending_signals[i]))
			sigaddset(&child->ending, ending_signals[i]);
	sigemptyset(&noted);
	for (size_t i = 0; i < ARRAY_SIZE(noted_signals); i++)
		sigaddset(&noted, noted_signals[i]);
	sigprocmask(SIG_BLOCK, &noted, &given->mask);
	child->signals = signalfd(-1, &noted, SFD_CLOEXEC | SFD_NONBLOCK);
}

int run_child_spawn(struct run_child *child, char **argv)
{
	struct given given;
	int go[2] = {-1, -1}, failure[2] = {-1, -1};
	int ret = open_pipes(go, failure);

	memset(child, 0, sizeof(*child));
	if (ret)
		return ret;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	note_signals(child, &given);
	child->pid = child->signals < 0 ? -1 : fork();
	ret = child->pid < 0 ? -errno : 0;
	if (child->pid == 0) {
		/* Else it would not notice our end. */
		close(go[1]);
		execute(argv, &given, go[0], failure[1]);
	}
	close(go[0]);
	close(failure[1]);
	child->go = go[1];
	child->failure = failure[0];
	if (ret) {
		run_child_close(child);
		return ret;
	}
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

void run_child_raise_files(unsigned long nr)
{
	struct rlimit limit;
	rlim_t wanted;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	wanted = nr + 256; /* for everything else */
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted) {
		struct rlimit higher = {wanted, wanted};

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			return;
		limit.rlim_cur = limit.rlim_max;
	}
	setrlimit(RLIMIT_NOFILE, &limit);
}

int run_child_go(struct run_child *child)
{
	struct timespec now;
	ssize_t n;
	int err;

	clock_gettime(CLOCK_REALTIME, &now);
	child->started_ns = now.tv_sec * NS_PER_S + now.tv_nsec;
	child->start_ns = now_ns();
	if (write(child->go, "", 1) != 1)
		return -errno;
	do
		n = read(child->failure, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	return n == sizeof(err) ? -err : 0;
}

static void add_time(struct timeval *sum, const struct timeval *more)
{
	struct timeval t;

	timeradd(sum, more, &t);
	*sum = t;
}

static void add_usage(struct rusage *sum, const struct rusage *more)
{
	add_time(&sum->ru_utime, &more->ru_utime);
	add_time(&sum->ru_stime, &more->ru_stime);
	if (more->ru_maxrss > sum->ru_maxrss)
		sum->ru_maxrss = more->ru_maxrss;
	sum->ru_minflt += more->ru_minflt;
	sum->ru_majflt += more->ru_majflt;
	sum->ru_nvcsw += more->ru_nvcsw;
	sum->ru_nivcsw += more->ru_nivcsw;
}

/*
 * Whether a shell waits for us in the foreground of a terminal. It would hang if
 * we did not stop too. Elsewhere we must not stop: a process that stopped the
 * command would wake the command alone.
 */
static bool shell_waits(void)
{
	int tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	pid_t group = getpgrp();
	bool waits;

	if (tty < 0)
		return false;
	waits = tcgetpgrp(tty) == group && getsid(0) != group;
	close(tty);
	return waits;
}

static void child_changed(struct run_child *child, int status, bool *stop)
{
	if (WIFSTOPPED(status)) {
		child->stop_due_ns = 0;
		child->stopped = true;
		*stop = true;
		return;
	}
	child->stopped = false;
	if (WIFCONTINUED(status))
		return;
	child->ended = true;
	child->end_ns = now_ns();
	child->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	child->exit_status = child->signal ? RUN_SIGNALLED + child->signal
					   : WEXITSTATUS(status);
}

/* Return a process that has ended, and how many page faults were its own, which
 * no one can tell once it is waited for; or -1, any process. */
static pid_t peek(bool in_proc, int64_t *faults)
{
	struct tally_stat stat_line = {.size = sizeof(stat_line)};
	siginfo_t info = {.si_pid = 0};

	*faults = 0;
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) ||
	    !info.si_pid)
		return -1;
	if (in_proc &&
	    !tally_kernel_stat_read(NULL, info.si_pid, 0, &stat_line))
		*faults = stat_line.minor_faults + stat_line.major_faults;
	return info.si_pid;
}

/* Reap processes that ended. *stop: the command stopped just now. */
static void reap(struct run_child *child, bool *stop)
{
	struct rusage usage;
	int64_t faults;
	int status;
	pid_t pid;

	while ((pid = wait4(peek(child->in_proc, &faults), &status,
			    WNOHANG | WUNTRACED | WCONTINUED, &usage)) > 0) {
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			add_usage(&child->usage, &usage);
			if (child->on_end)
				child->on_end(child->on_end_arg, pid, faults,
					      &usage);
		}
		if (pid == child->pid && !child->ended)
			child_changed(child, status, stop);
	}
	if (pid < 0 && errno == ECHILD)
		child->alone = true;
}

/*
 * A signal from the terminal has reached the whole group, and one from the
 * command need not go back. But a terminal that hangs up signals the leader of
 * the session alone, which may be us.
 */
static bool is_to_be_forwarded(const struct run_child *child,
			       const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGINT || info->ssi_signo == SIGQUIT ||
	    (pid_t)info->ssi_pid == child->pid)
		return false;
	return info->ssi_code != SI_KERNEL ||
	       (info->ssi_signo == SIGHUP && getsid(0) == getpid());
}

static void take_signal(struct run_child *child,
			const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (!child->ended) {
		if (is_to_be_forwarded(child, info))
			kill(child->pid, number);
	} else if (!child->interrupted && sigismember(&child->ending, number)) {
		child->interrupted = number;
	}
}

static void take_signals(struct run_child *child, bool *stop, bool *continued)
{
	struct signalfd_siginfo info;

	while (read(child->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		if (info.ssi_signo == SIGCONT)
			*continued = true;
		/* The command may have ended before the signal came. */
		if (sigismember(&child->ending, (int)info.ssi_signo))
			reap(child, stop);
		if (info.ssi_signo != SIGCONT)
			take_signal(child, &info);
		if (info.ssi_signo == SIGTSTP)
			child->stop_due_ns = now_ns() + STOP_NS;
	}
}

/*
 * A command inside vfork(2) can't stop before its child executes, and the child
 * may have stopped already. The shell would wait for ever.
 */
static bool is_stuck(struct run_child *child)
{
	struct tally_stat stat_line = {.size = sizeof(stat_line)};

	if (!child->stop_due_ns || now_ns() < child->stop_due_ns)
		return false;
	child->stop_due_ns = 0;
	return child->in_proc &&
	       !tally_kernel_stat_read(NULL, child->pid, 0, &stat_line) &&
	       stat_line.state == 'D';
}

void run_child_wait(struct run_child *child, int64_t until_ns)
{
	struct pollfd poll_fd = {.fd = child->signals, .events = POLLIN};
	struct timespec timeout = {0, 0};
	bool stop = false, continued = false;
	int64_t left;

	if (child->stop_due_ns && child->stop_due_ns < until_ns)
		until_ns = child->stop_due_ns;
	left = until_ns - now_ns();
	if (left > 0) {
		timeout.tv_sec = left / NS_PER_S;
		timeout.tv_nsec = left % NS_PER_S;
	}
	if (ppoll(&poll_fd, 1, &timeout, NULL) > 0) {
		take_signals(child, &stop, &continued);
		reap(child, &stop);
	}
	if (child->ended) {
		/* What the command left has stopped by itself. */
		if (child->stop_due_ns && shell_waits())
			raise(SIGSTOP);
		child->stop_due_ns = 0;
		return;
	}
	/* A stop that is seen together with SIGCONT came after it. */
	if (continued && child->stopped && !stop)
		kill(child->pid, SIGCONT);
	else if (((stop && child->stopped) || is_stuck(child)) && shell_waits())
		raise(SIGSTOP);
}

void run_child_close(struct run_child *child)
{
	if (child->go >= 0)
		close(child->go);
	if (child->failure >= 0)
		close(child->failure);
	if (child->signals >= 0)
		close(child->signals);
	child->go = child->failure = child->signals = -1;
}
