// SPDX-License-Identifier: MIT
/*
 * terminal COMMAND...: runs COMMAND on a terminal and in a session of its own,
 * and reads commands from stdin:
 *
 *   type TEXT     types TEXT: \n is Enter, ^C and so on are control keys
 *   await TEXT    waits until TEXT is printed, after what was awaited before
 *   hang up       takes the terminal away
 *   exit STATUS   waits until COMMAND ends, with this status
 *
 * Exits with 1 if something else happens, or nothing in time, and prints all
 * output on stderr.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_S = 100 };

static struct {
	int fd; /* our side; -1: hung up */
	pid_t pid;
	char seen[1 << 16];
	size_t nr_seen, nr_awaited;
} term = {.fd = -1};

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void __attribute__((noreturn)) fail(const char *line, const char *why)
{
	fprintf(stderr, "%s: %s; seen:\n%.*s\n", line, why, (int)term.nr_seen,
		term.seen);
	kill(term.pid, SIGKILL);
	exit(1);
}

/* Reads for a moment what COMMAND prints. False: the terminal is closed. */
static bool listen(int ms)
{
	struct pollfd p = {.fd = term.fd, .events = POLLIN};
	ssize_t n;

	if (term.fd < 0 || poll(&p, 1, ms) <= 0)
		return true;
	if (term.nr_seen == sizeof(term.seen))
		fail("terminal", "too much was said");
	n = read(term.fd, term.seen + term.nr_seen,
		 sizeof(term.seen) - term.nr_seen);
	if (n <= 0)
		return false;
	term.nr_seen += (size_t)n;
	return true;
}

static void type(const char *line, const char *text)
{
	for (; *text; text++) {
		char c = *text;

		if (c == '\\' && text[1] == 'n') {
			c = '\r';
			text++;
		} else if (c == '^' && text[1]) {
			c = (char)(*++text & 0x1f);
		}
		if (write(term.fd, &c, 1) != 1)
			fail(line, strerror(errno));
	}
}

static void await(const char *line, const char *text)
{
	time_t end = now() + PATIENCE_S;
	bool more = true;

	for (;;) {
		char *at = memmem(term.seen + term.nr_awaited,
				  term.nr_seen - term.nr_awaited, text,
				  strlen(text));

		if (at) {
			term.nr_awaited =
				(size_t)(at - term.seen) + strlen(text);
			return;
		}
		if (!more)
			fail(line, "the terminal was left");
		if (now() > end)
			fail(line, "waited too long");
		more = listen(100);
	}
}

static void await_exit(const char *line, int expected)
{
	time_t end = now() + PATIENCE_S;
	int status;

	while (waitpid(term.pid, &status, WNOHANG) == 0) {
		if (now() > end)
			fail(line, "waited too long");
		/* With the terminal closed there is nothing to wait for. */
		if (term.fd < 0 || !listen(20))
			usleep(20000);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
		fail(line, "ended otherwise");
}

static void act(const char *line)
{
	if (strncmp(line, "type ", 5) == 0) {
		type(line, line + 5);
	} else if (strncmp(line, "await ", 6) == 0) {
		await(line, line + 6);
	} else if (strcmp(line, "hang up") == 0) {
		close(term.fd);
		term.fd = -1;
	} else if (strncmp(line, "exit ", 5) == 0) {
		await_exit(line, atoi(line + 5));
	} else {
		fail(line, "what?");
	}
}

static void __attribute__((noreturn)) be_command(int fd, char **argv)
{
	sigset_t none;

	setsid();
	if (ioctl(fd, TIOCSCTTY, 0))
		err(99, "TIOCSCTTY");
	for (int i = 0; i <= 2; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
	/* The tests may have been started with some signals ignored: by
	 * nohup(1), or by a shell without job control. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	char line[1024], name[64];
	int fd = -1;

	if (argc < 2)
		errx(2, "usage: terminal COMMAND...");
	term.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (term.fd >= 0 && !grantpt(term.fd) && !unlockpt(term.fd) &&
	    !ptsname_r(term.fd, name, sizeof(name)))
		fd = open(name, O_RDWR | O_NOCTTY);
	if (fd < 0)
		err(77, "no terminal");
	ioctl(term.fd, TIOCSWINSZ, &size);
	term.pid = fork();
	if (term.pid < 0)
		err(99, "fork");
	if (term.pid == 0)
		be_command(fd, argv + 1);
	close(fd);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		act(line);
	}
	return 0;
}
