// SPDX-License-Identifier: MIT
/*
 * Memory of a known amount, which lives for a known time.
 *
 *	eat hold MIB MS		have it for so long
 *	eat give, take MIB MS	the same, from when both have theirs: one opens the
 *				FIFO that MEET names to write, one to read
 *	eat spike MIB MS	the same, give it back, and live on for 300 ms
 *	eat late MIB MS		wait for so long, have it, and end at once
 *	eat fork MIB MS		hold, with four children that only look at it
 *	eat copy MIB MS		hold, with two children that write to all of it
 *	eat shared MIB MS	hold it as shared memory, with three children
 *	eat serve MIB MS	the same, but they come after MS
 *	eat vfork MIB MS	hold, while a child of vfork(2) waits
 *	eat leader MIB MS	hold it in a thread, after the first one ended
 *	eat nowait MIB MS	have it in a child that nobody waits for, after MS
 *	eat exec MIB MS		have it, and execute eat hold 4 MS
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static size_t bytes;

static void pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t))
		;
}

static char *have(int flags)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(3);
	for (size_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
	return p;
}

/* Children that look at all pages, or write to them, and wait for each other. */
static void share(volatile char *p, int nr, bool write_to, long ms)
{
	int go[2], done[2];
	char x = 0;

	if (pipe(go) || pipe(done))
		exit(3);
	for (int i = 0; i < nr; i++) {
		if (fork())
			continue;
		for (size_t at = 0; at < bytes; at += 4096)
			if (write_to)
				p[at] = 2;
			else
				(void)p[at];
		close(go[1]);
		_exit(write(done[1], &x, 1) != 1 || read(go[0], &x, 1) != 0);
	}
	for (int i = 0; i < nr; i++)
		if (read(done[0], &x, 1) != 1)
			exit(3);
	pause_ms(ms);
	close(go[1]);
	while (wait(NULL) > 0)
		;
}

/* Open waits for the other. */
static void meet(bool give, long ms)
{
	const char *path = getenv("MEET");

	have(MAP_PRIVATE);
	if (!path || open(path, give ? O_WRONLY : O_RDONLY) < 0)
		exit(3);
	pause_ms(ms);
}

static void serve(long ms)
{
	char *p = have(MAP_SHARED);

	pause_ms(ms);
	share(p, 3, false, ms);
}

static void *hold_and_end(void *ms)
{
	pause_ms(10);
	have(MAP_PRIVATE);
	pause_ms(*(long *)ms);
	_exit(0);
}

static void hold_without_leader(long ms)
{
	static long kept;
	pthread_t thread;

	kept = ms;
	if (pthread_create(&thread, NULL, hold_and_end, &kept))
		exit(3);
	pthread_exit(NULL);
}

/* NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork, clang-analyzer-unix.Vfork) */
static void hold_beside_vfork(long ms)
{
	have(MAP_PRIVATE);
	if (!vfork()) {
		pause_ms(ms);
		_exit(0);
	}
	wait(NULL);
}
/* NOLINTEND(clang-analyzer-security.insecureAPI.vfork, clang-analyzer-unix.Vfork) */

static void nobody_waits(long ms)
{
	const struct sigaction action = {
		.sa_handler = SIG_DFL,
		.sa_flags = SA_NOCLDWAIT,
	};

	sigaction(SIGCHLD, &action, NULL);
	pause_ms(ms);
	if (!fork()) {
		have(MAP_PRIVATE);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	pause_ms(ms);
}

static void share_out(const char *how, long ms)
{
	if (!strcmp(how, "give") || !strcmp(how, "take"))
		meet(!strcmp(how, "give"), ms);
	else if (!strcmp(how, "fork"))
		share(have(MAP_PRIVATE), 4, false, ms);
	else if (!strcmp(how, "copy"))
		share(have(MAP_PRIVATE), 2, true, ms);
	else if (!strcmp(how, "shared"))
		share(have(MAP_SHARED), 3, false, ms);
	else if (!strcmp(how, "serve"))
		serve(ms);
	else if (!strcmp(how, "leader"))
		hold_without_leader(ms);
	else if (!strcmp(how, "nowait"))
		nobody_waits(ms);
	else
		exit(2);
}

int main(int argc, char **argv)
{
	const char *how = argc == 4 ? argv[1] : "";
	long ms = argc == 4 ? atol(argv[3]) : 0;

	bytes = argc == 4 ? (size_t)atol(argv[2]) << 20 : 0;
	if (!strcmp(how, "hold")) {
		have(MAP_PRIVATE);
		pause_ms(ms);
	} else if (!strcmp(how, "spike")) {
		char *p = have(MAP_PRIVATE);

		pause_ms(ms);
		munmap(p, bytes);
		pause_ms(300);
	} else if (!strcmp(how, "late")) {
		pause_ms(ms);
		have(MAP_PRIVATE);
	} else if (!strcmp(how, "exec")) {
		have(MAP_PRIVATE);
		execl(argv[0], argv[0], "hold", "4", argv[3], NULL);
		return 3;
	} else if (!strcmp(how, "vfork")) {
		hold_beside_vfork(ms);
	} else if (argc == 4) {
		share_out(how, ms);
	} else {
		fprintf(stderr, "usage: eat WAY MIB MS\n");
		return 2;
	}
	return 0;
}
