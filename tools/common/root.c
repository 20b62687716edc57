// SPDX-License-Identifier: MIT
#include "config.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numatally/topo.h>

#include "common/beside.h"
#include "common/root.h"
#include "common/text.h"

/* ---- an archive ---------------------------------------------------------- */

/* The directory in which it is unpacked, and the archive. */
static char unpacked[32];
static const char *archive;

/* numatally-capture unpack: the archive is its stdin, a socket its stdout. */
static _Noreturn void unpack(int file, int to)
{
	static char name[] = "numatally", verb[] = "unpack";
	char *argv[] = {name, verb, NULL};

	if (dup2(file, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0)
		beside_exec("numatally-capture", argv);
	_exit(EXIT_FAILURE);
}

/* Returns a descriptor of the directory, with @words for what is not in it; or -1, with
 * those for what is wrong. They may be empty. */
static int receive(int from, char *words, size_t size)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec text = {words, size - 1};
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *c;
	ssize_t n;
	int fd = -1;

	do
		n = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	words[n < 0 ? 0 : n] = '\0';
	c = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int unpack_file(int file, char *words, size_t size)
{
	int pair[2], fd, error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	pid = fork();
	if (pid == 0)
		unpack(file, pair[1]);
	error = errno;
	close(pair[1]);
	fd = pid < 0 ? -1 : receive(pair[0], words, size);
	close(pair[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = error;
	if (pid < 0)
		snprintf(words, size, "%s", strerror(error));
	return fd;
}

int root_open(const char **root)
{
	char words[512] = "";
	struct stat st;
	int file, fd;

	if (!*root || stat(*root, &st) || !S_ISREG(st.st_mode))
		return 0;
	file = open(*root, O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		warn("%s", *root);
		return -1;
	}
	fd = unpack_file(file, words, sizeof(words));
	close(file);
	if (fd < 0) {
		warnx("%s: %s", *root, *words ? words : "it is not unpacked");
		return -1;
	}
	if (*words)
		warnx("%s: %s", *root, words);
	snprintf(unpacked, sizeof(unpacked), "/proc/self/fd/%d", fd);
	archive = *root;
	*root = unpacked;
	return 0;
}

const char *root_name(const char *root)
{
	return !root ? "/" : root == unpacked ? archive : root;
}

/* ---- words --------------------------------------------------------------- */

void root_complain(const char *root, int err, const char *lacks)
{
	if (err == -ENOENT && access(root ? root : "/", F_OK) == 0)
		warnx("%s: %s", root_name(root), lacks);
	else
		warnx("%s: %s", root_name(root), text_error(err));
}

int root_find_processes(const char *root)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	int err;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc", root ? root : "");
	dir = opendir(path);
	if (!dir)
		return errno == ENOTDIR ? -ENOENT : -errno;
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (*entry->d_name < '1' || *entry->d_name > '9'));
	err = entry ? 0 : errno ? -errno : -ENOENT;
	closedir(dir);
	return err;
}

void root_warn_hidden(const char *root, const char *what)
{
	if (tally_topo_hidden(root))
		warnx("%s: sys/devices/system shows no nodes: %s on node 0",
		      root_name(root), what);
}

bool root_warn_hidepid(const char *root)
{
	/* Each PID namespace has a process 1. */
	bool hides = !root && !access("/proc/self/stat", R_OK) &&
		     access("/proc/1/stat", R_OK);

	if (hides)
		warnx("/proc hides processes of other users (hidepid)");
	return hides;
}
