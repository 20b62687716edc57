// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/self.h"
#include "topo/child.h"

/* hwloc takes milliseconds. The child may wait for a CPU for much longer. */
#define CPU_SECONDS  10
#define WAIT_SECONDS 60

#define MAX_ANSWER   ((size_t)64 << 20)

/* How much more memory the child may take; it takes some MiB. */
#define MORE_MEMORY ((rlim_t)1 << 30)

/* The child sleeps only where it opens a FIFO of a captured tree, which has no
 * writer. It is looked at so often, and given up when it has slept so often. */
#define LOOK_MS	    50
#define SLEEPS_MOST 6

void topo_child_write(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno != EINTR)
			_exit(1);
		if (n > 0) {
			p += n;
			size -= (size_t)n;
		}
	}
}

/* The bytes of this process's address space. */
static rlim_t address_space(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? (rlim_t)strtoull(text, NULL, 10) *
			       (rlim_t)sysconf(_SC_PAGESIZE)
		     : RLIM_INFINITY / 2;
}

/* All signals are blocked: the caller's handlers must not run in the child. */
static _Noreturn void child(char **environment, void (*work)(void *arg, int fd),
			    void *arg, int fd)
{
	const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
	const struct rlimit core = {0, 0};
	struct rlimit files, memory;
	int null;

	signal(SIGABRT, SIG_DFL);
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_CORE, &core);
	/* A captured tree may have a file without end. */
	memory.rlim_cur = memory.rlim_max = address_space() + MORE_MEMORY;
	setrlimit(RLIMIT_AS, &memory);
	/* The caller may be at its limit of descriptors. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* hwloc prints complaints about what it reads. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(1);
	if (environment)
		environ = environment;
	work(arg, fd);
	_exit(0);
}

static int make_room(char **data, size_t size, size_t *room)
{
	char *more;

	if (size < *room)
		return 0;
	if (size >= MAX_ANSWER)
		return -EFBIG;
	more = realloc(*data, *room ? *room * 2 : 65536);
	if (!more)
		return -ENOMEM;
	*room = *room ? *room * 2 : 65536;
	*data = more;
	return 0;
}

/* Whether the child waits for something other than a CPU or a disk. */
static bool sleeps(pid_t pid)
{
	char path[32], text[512];
	const char *end;
	ssize_t n = 0;
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	snprintf(path, sizeof(path), "%d/stat", pid);
	fd = proc >= 0 && self_is_numbered(proc)
		     ? openat(proc, path, O_RDONLY | O_CLOEXEC)
		     : -1;
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (proc >= 0)
		close(proc);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	return end && !strncmp(end, ") S", 3);
}

/* Wait until there is something to read. */
static int await(pid_t pid, int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	unsigned int nr = 0, nr_sleeps = 0;

	while (nr++ < WAIT_SECONDS * 1000 / LOOK_MS &&
	       nr_sleeps < SLEEPS_MOST) {
		int ready = poll(&poll_fd, 1, LOOK_MS);

		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
		nr_sleeps = sleeps(pid) ? nr_sleeps + 1 : 0;
	}
	return -ETIMEDOUT;
}

/* Read what the child writes, up to its end. */
static int listen_to(pid_t pid, int fd, char **data, size_t *size)
{
	size_t room = 0;

	for (;;) {
		int err = make_room(data, *size, &room);
		ssize_t n;

		if (!err)
			err = await(pid, fd);
		if (err)
			return err;
		n = read(fd, *data + *size, room - *size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		*size += (size_t)n;
	}
}

/* Whether the child came to the end of its work. */
static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0; /* the caller ignores SIGCHLD */
	if (WIFSIGNALED(status) &&
	    (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
		return -ETIMEDOUT;
	return status ? -EBADMSG : 0;
}

int topo_child_run(char **environment, void (*work)(void *arg, int fd),
		   void *arg, void **data, size_t *size)
{
	sigset_t all, before;
	char *answer = NULL;
	size_t len = 0;
	int fds[2], err, end;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child(environment, work, arg, fds[1]);
	err = pid < 0 ? -errno : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	if (!err)
		err = listen_to(pid, fds[0], &answer, &len);
	close(fds[0]);
	if (pid > 0) {
		if (err)
			kill(pid, SIGKILL);
		end = reap(pid);
		err = err ? err : end;
	}
	if (err) {
		free(answer);
		return err;
	}
	*data = answer;
	*size = len;
	return 0;
}
