// SPDX-License-Identifier: MIT
/* What the kernel refuses to a program that confined itself, in all of its threads. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/confine.h"

#define ALL                                                              \
	(CONFINE_SERVE | CONFINE_NOTIFY | CONFINE_FORK | CONFINE_PLACE | \
	 CONFINE_BPF)
#define UNLIMITED 77

static bool refused(long result)
{
	return result == -1 && errno == EPERM;
}

static bool executes(void)
{
	static char name[] = "/nowhere/true";
	char *const line[] = {name, NULL};

	return !refused(execv(name, line));
}

static bool traces(void)
{
	return !refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static bool connects(void)
{
	return !refused(socket(AF_INET, SOCK_STREAM, 0)) ||
	       !refused(socket(AF_NETLINK, SOCK_RAW, 0));
}

static bool connects_locally(void)
{
	return !refused(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static bool runs_data(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ||
	       !refused(mprotect(p, 4096, PROT_READ | PROT_EXEC)) ||
	       mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool gets_a_namespace(void)
{
	return !refused(unshare(CLONE_NEWUTS)) ||
	       !refused(syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0));
}

static bool loads_a_program(void)
{
	union bpf_attr attr = {0};

	return !refused(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

static bool changes_names(void)
{
	return !refused(unlink("/nowhere/x")) ||
	       !refused(rename("/nowhere/x", "/nowhere/y")) ||
	       !refused(chmod("/nowhere/x", 0600)) ||
	       !refused(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static bool has_children(void)
{
	pid_t pid = fork();
	int status = 1;

	if (!pid)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool is_limited(void)
{
	char text[4096] = "";
	int fd = open("/proc/self/status", O_RDONLY);

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
	       strstr(text, "Seccomp:\t2\n");
}

/* In a process that confines itself. */
static int confined(unsigned int more, bool (*can)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		confine(more);
		_exit(is_limited() ? can() : UNLIMITED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == UNLIMITED)
		skip();
	return WEXITSTATUS(status);
}

static void refused_always(void **state)
{
	static bool (*const forbidden[])(void) = {
		executes,	  traces,	   connects,	  runs_data,
		gets_a_namespace, loads_a_program, changes_names,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		assert_false(confined(0, forbidden[i]));
		assert_false(confined(ALL, forbidden[i]));
	}
}

static void refused_unless_asked_for(void **state)
{
	(void)state;
	assert_false(confined(ALL & ~CONFINE_NOTIFY, connects_locally));
	assert_true(confined(CONFINE_NOTIFY, connects_locally));
	assert_false(confined(ALL & ~CONFINE_FORK, has_children));
	assert_true(confined(CONFINE_FORK, has_children));
}

static int ready[2], go[2];

static void *other(void *arg)
{
	char byte = 0;

	(void)arg;
	(void)!write(ready[1], &byte, 1);
	(void)!read(go[0], &byte, 1);
	_exit(executes() || connects());
	return NULL;
}

/* A thread that is there already. */
static void of_all_threads(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	confined(0, executes);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		pthread_t thread;
		char byte = 0;

		if (pthread_create(&thread, NULL, other, NULL) ||
		    read(ready[0], &byte, 1) != 1)
			_exit(2);
		confine(CONFINE_SERVE);
		(void)!write(go[1], &byte, 1);
		pthread_join(thread, NULL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_always),
		cmocka_unit_test(refused_unless_asked_for),
		cmocka_unit_test(of_all_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
