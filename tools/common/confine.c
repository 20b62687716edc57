// SPDX-License-Identifier: MIT
#include "config.h"

#include "common/confine.h"

#ifdef HAVE_SECCOMP
#include <err.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Not every architecture has all of them. */
static const char *const always[] = {
	/* memory */
	"brk", "madvise", "membarrier", "mremap", "munmap",
	/* files */
	"access", "close", "dup2", "dup3", "faccessat", "faccessat2", "fcntl",
	"fstat", "fstatfs", "ftruncate", "getdents64", "lseek", "lstat",
	"newfstatat", "open", "openat", "pread64", "pwrite64", "read",
	"readlink", "readlinkat", "readv", "stat", "statfs", "statx", "write",
	"writev",
	/* threads and processes */
	"exit", "exit_group", "futex", "get_robust_list", "getcpu", "getegid",
	"geteuid", "getgid", "getpid", "getppid", "getrlimit", "gettid",
	"getuid", "prlimit64", "rseq", "sched_getaffinity", "sched_yield",
	"set_robust_list", "sysinfo", "uname",
	/* signals and time */
	"clock_getres", "clock_gettime", "clock_nanosleep", "getrandom",
	"gettimeofday", "nanosleep", "poll", "ppoll", "restart_syscall",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
	"sigaltstack", "time",
	/* events */
	"epoll_ctl", "epoll_pwait", "epoll_wait", NULL};

static const char *const serve[] = {"accept4",	  "getpeername", "getsockname",
				    "getsockopt", "recvfrom",	 "recvmsg",
				    "sendfile",	  "sendmsg",	 "sendto",
				    "setsockopt", "shutdown",	 NULL};

static const char *const local[] = {"sendto", NULL};

static const char *const children[] = {"fork",	"kill",	  "pipe2", "vfork",
				       "wait4", "waitid", NULL};

static const char *const place[] = {"fallocate",  "get_mempolicy", "mbind",
				    "move_pages", "set_mempolicy", NULL};

static const char *const perf[] = {"dup", "perf_event_open", NULL};

/* Commands of bpf(2) that read and write elements of maps. */
static const unsigned int bpf[] = {1, 2, 3, 4, 21, 24, 25, 26, 27};

#define CLONE_NAMESPACES                                               \
	(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | \
	 CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS)

static int number(const char *name)
{
	return seccomp_syscall_resolve_name(name);
}

static int allow(scmp_filter_ctx filter, const char *const *names)
{
	int err = 0;

	for (; *names && !err; names++)
		if (number(*names) != __NR_SCMP_ERROR)
			err = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
					       number(*names), 0);
	return err;
}

/* The call, if its argument is as told. */
static int allow_if(scmp_filter_ctx filter, const char *name,
		    struct scmp_arg_cmp argument)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number(name), 1,
				argument);
}

static int allow_memory(scmp_filter_ctx filter)
{
	int err = allow_if(filter, "mmap",
			   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (!err)
		err = allow_if(filter, "mprotect",
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return err;
}

/* A thread's name, and a signal to itself. */
static int allow_self(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp self =
		SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid());
	int err = allow_if(filter, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));

	if (!err)
		err = allow_if(filter, "tgkill", self);
	return err ? err : allow_if(filter, "rt_tgsigqueueinfo", self);
}

/* glibc asks for clone3(2) first, whose flags no filter can see. */
static int allow_children(scmp_filter_ctx filter)
{
	int err = allow(filter, children);

	if (!err)
		err = allow_if(
			filter, "clone",
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NAMESPACES, 0));
	return err || number("clone3") == __NR_SCMP_ERROR
		       ? err
		       : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
					  number("clone3"), 0);
}

static int allow_bpf(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(bpf) / sizeof(*bpf) && !err; i++)
		err = allow_if(filter, "bpf", SCMP_A0(SCMP_CMP_EQ, bpf[i]));
	return err;
}

static int allow_perf(scmp_filter_ctx filter)
{
	int err = allow(filter, perf);

	return err ? err
		   : allow_if(filter, "ioctl",
			      SCMP_A1(SCMP_CMP_EQ, PERF_EVENT_IOC_ENABLE));
}

static int fill(scmp_filter_ctx filter, unsigned int more)
{
	int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	if (!err)
		err = allow(filter, always);
	if (!err)
		err = allow_memory(filter);
	if (!err)
		err = allow_self(filter);
	if (!err && more & CONFINE_SERVE)
		err = allow(filter, serve);
	if (!err && more & CONFINE_NOTIFY)
		err = allow(filter, local);
	if (!err && more & CONFINE_NOTIFY)
		err = allow_if(filter, "socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (!err && more & CONFINE_FORK)
		err = allow_children(filter);
	if (!err && more & CONFINE_PLACE)
		err = allow(filter, place);
	if (!err && more & CONFINE_PERF)
		err = allow_perf(filter);
	return !err && more & CONFINE_BPF ? allow_bpf(filter) : err;
}

void confine(unsigned int more)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? fill(filter, more) : -ENOMEM;

	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	if (err)
		warnx("system calls are not limited: %s", strerror(-err));
}
#else
void confine(unsigned int more)
{
	(void)more;
}
#endif
