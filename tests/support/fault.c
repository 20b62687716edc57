// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "support/fault.h"

/* A task that makes more calls than that has no end. */
#define MOST_CALLS 20000

enum way { CALLS, ALLOCATIONS, SIGNALS };

struct plan {
	enum way way;
	unsigned int nth; /* fails, counted from 0 */
	int (*task)(void *arg);
	void *arg;
};

/* What a run came to: exit statuses of its child. */
enum {
	GOOD,
	CANNOT = 10, /* be traced */
	NOT_BEGUN,   /* without a failure it does not succeed */
	WRONG,
	LEAKS,
	NOT_AGAIN, /* nor after one */
	MORE,	   /* good, and an allocation failed */
};

/* ---- allocations --------------------------------------------------------- */

/* A block that the task allocated, and has not freed. */
struct block {
	const void *at;
	unsigned int number;
};

#define MOST_BLOCKS 8192

/* Shared with the parent, which looks while the child is stopped. */
static struct shared {
	unsigned int nr;	/* allocations of this run of the task */
	unsigned int nr_before; /* those before its failure */
	bool over;		/* nothing fails any more */
} * shared;

static bool counts, may_fail;
static unsigned int fails_at;
static struct block blocks[MOST_BLOCKS];
static unsigned int nr_blocks;
/* Numbers of blocks that stay after a run without a failure: caches. */
static bool stays[MOST_CALLS];
static unsigned int nr_stay;

#if defined(__GLIBC__) && !TEST_SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t nr, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);

static bool fails(void)
{
	if (!counts || shared->nr != fails_at || !may_fail)
		return false;
	shared->nr_before = shared->nr++;
	may_fail = false;
	errno = ENOMEM;
	return true;
}

static void forget(const void *p)
{
	unsigned int i = 0;

	while (i < nr_blocks && blocks[i].at != p)
		i++;
	if (p && i < nr_blocks)
		blocks[i] = blocks[--nr_blocks];
}

static void *note(void *p)
{
	if (counts && p && nr_blocks < MOST_BLOCKS)
		blocks[nr_blocks++] = (struct block){p, shared->nr++};
	return p;
}

#define REPLACED __attribute__((visibility("default")))

REPLACED void *malloc(size_t size)
{
	return fails() ? NULL : note(__libc_malloc(size));
}

REPLACED void *calloc(size_t nr, size_t size)
{
	return fails() ? NULL : note(__libc_calloc(nr, size));
}

REPLACED void *realloc(void *p, size_t size)
{
	if (fails())
		return NULL;
	forget(p);
	return note(__libc_realloc(p, size));
}

REPLACED void free(void *p)
{
	forget(p);
	__libc_free(p);
}

#define CAN_FAIL_ALLOCATIONS 1
#else
#define CAN_FAIL_ALLOCATIONS 0
#endif

/* A child of the task has allocations of its own. */
static void count_no_more(void)
{
	counts = false;
}

static int run_counted(const struct plan *p)
{
	int got;

	nr_blocks = 0;
	*shared = (struct shared){0};
	counts = true;
	got = p->task(p->arg);
	counts = false;
	return got;
}

static void note_what_stays(void)
{
	for (unsigned int i = 0; i < nr_blocks; i++)
		if (blocks[i].number < MOST_CALLS)
			stays[blocks[i].number] = true;
	nr_stay = nr_blocks;
}

void fault_over(void)
{
	shared->over = true;
	counts = false;
}

/* The blocks that an interrupted task should have freed. */
static unsigned int nr_leaked(bool came_to_its_end)
{
	unsigned int nr = 0;

	if (came_to_its_end)
		return nr_blocks > nr_stay ? nr_blocks - nr_stay : 0;
	for (unsigned int i = 0; i < nr_blocks; i++)
		nr += blocks[i].number >= shared->nr_before ||
		      !stays[blocks[i].number];
	return nr;
}

/* ---- calls of the kernel ------------------------------------------------- */

/* The error of a call that may fail so, and whether a signal may interrupt
 * it. */
static const struct {
	int number;
	const char *name;
	int error;
	bool waits;
} calls[] = {
	{SYS_openat, "openat", EMFILE, false},
	{SYS_memfd_create, "memfd_create", EMFILE, false},
	{SYS_pipe2, "pipe2", EMFILE, false},
	{SYS_newfstatat, "newfstatat", EACCES, false},
	{SYS_read, "read", EIO, true},
	{SYS_pread64, "pread", EIO, true},
	{SYS_write, "write", ENOSPC, true},
	{SYS_pwrite64, "pwrite", ENOSPC, true},
	{SYS_getdents64, "getdents", EIO, false},
	{SYS_lseek, "lseek", EINVAL, false},
	{SYS_mmap, "mmap", ENOMEM, false},
	{SYS_madvise, "madvise", ENOMEM, false},
	{SYS_fallocate, "fallocate", ENOSPC, true},
	{SYS_ftruncate, "ftruncate", ENOSPC, false},
	{SYS_fcntl, "fcntl", ENOLCK, false},
	{SYS_flock, "flock", ENOLCK, false},
	{SYS_fchmod, "fchmod", EPERM, false},
	{SYS_fsync, "fsync", EIO, false},
	{SYS_linkat, "linkat", EPERM, false},
	{SYS_renameat2, "renameat2", EPERM, false},
	{SYS_faccessat, "faccessat", EACCES, false},
	{SYS_getrandom, "getrandom", ENOSYS, false},
	{SYS_mbind, "mbind", EPERM, false},
	{SYS_mincore, "mincore", ENOMEM, false},
	{SYS_move_pages, "move_pages", EPERM, false},
	{SYS_membarrier, "membarrier", EPERM, false},
	{SYS_perf_event_open, "perf_event_open", EMFILE, false},
#ifdef SYS_poll
	{SYS_poll, "poll", EINTR, true},
#endif
	{SYS_clone, "clone", EAGAIN, false},
	{SYS_clone3, "clone3", EAGAIN, false},
};
#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

static const char *failed; /* the call that did, for messages */

#if defined(__x86_64__)

static bool set_register(pid_t pid, size_t offset, int64_t value)
{
	return !ptrace(PTRACE_POKEUSER, pid, offset, value);
}

/* The kernel finds no call of that number. */
static void leave_out(pid_t pid)
{
	assert_true(set_register(
		pid, offsetof(struct user_regs_struct, orig_rax), -1));
}

static void set_result(pid_t pid, int error)
{
	assert_true(set_register(pid, offsetof(struct user_regs_struct, rax),
				 -error));
}

#define CAN_TRACE 1
#else
#define CAN_TRACE 0

static void leave_out(pid_t pid)
{
	(void)pid;
}

static void set_result(pid_t pid, int error)
{
	(void)pid;
	(void)error;
}

#endif

/* The call that the child enters, if it may fail in this way; or NR_CALLS. */
static size_t call_of(pid_t pid, enum way way)
{
	struct __ptrace_syscall_info info = {0};
	size_t i = 0;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return NR_CALLS;
	while (i < NR_CALLS && ((uint64_t)calls[i].number != info.entry.nr ||
				(way == SIGNALS && !calls[i].waits)))
		i++;
	/* That of an open descriptor does not fail: fstat(3). A sanitizer maps
	 * memory itself, and ends the program without. */
	if (i < NR_CALLS && ((calls[i].number == SYS_newfstatat &&
			      info.entry.args[3] & AT_EMPTY_PATH) ||
			     (TEST_SANITIZED && calls[i].number == SYS_mmap)))
		return NR_CALLS;
	return i;
}

/* Let the child go on to its next call, or end of one, or SIGSTOP. */
static int next_stop(pid_t pid, int signal)
{
	int status;

	do {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, 0, signal), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			return status;
		signal = WSTOPSIG(status);
	} while (signal != SIGSTOP && signal != (SIGTRAP | 0x80));
	return status;
}

/* Lead the child from its first SIGSTOP to its second, and have a call fail.
 * Return whether one did. */
static bool lead(pid_t pid, const struct plan *p)
{
	unsigned int nr = 0;
	int status;

	failed = NULL;
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, 0,
				PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL),
			 0);
	for (;;) {
		size_t i;

		status = next_stop(pid, 0);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP)
			break;
		i = p->way == ALLOCATIONS || shared->over
			    ? NR_CALLS
			    : call_of(pid, p->way);
		if (i == NR_CALLS || nr++ != p->nth)
			continue;
		failed = calls[i].name;
		shared->nr_before = shared->nr;
		leave_out(pid);
		status = next_stop(pid, 0);
		assert_true(WIFSTOPPED(status));
		set_result(pid, p->way == CALLS ? calls[i].error : EINTR);
	}
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	return failed != NULL;
}

/* ---- what is left -------------------------------------------------------- */

struct held {
	unsigned long fds;
	unsigned long mapped_bytes;
};

static unsigned long count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned long nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

/* Neighbours become one mapping, so their number tells nothing. */
static unsigned long mapped_bytes(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from, to, sum = 0;
	char line[4608];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    !strstr(line, "[heap]") && !strstr(line, "[stack]"))
			sum += to - from;
	if (f)
		fclose(f);
	return sum;
}

static struct held look(void)
{
	return (struct held){count_fds(), mapped_bytes()};
}

static int compare(const struct held *was, const struct held *is,
		   unsigned int nr)
{
	if (is->fds == was->fds && is->mapped_bytes == was->mapped_bytes && !nr)
		return GOOD;
	/* A sanitizer has mappings of its own. */
	if (is->fds == was->fds && TEST_SANITIZED)
		return GOOD;
	print_error("left: %ld descriptors, %ld bytes mapped, %u allocations\n",
		    (long)(is->fds - was->fds),
		    (long)(is->mapped_bytes - was->mapped_bytes), nr);
	return LEAKS;
}

/* ---- a run --------------------------------------------------------------- */

/* What is made once for all time is made in the first run. */
static int run_before(const struct plan *p)
{
	int got = p->task(p->arg);

	if (!got)
		got = run_counted(p);
	if (got)
		print_error("without a failure: %d\n", got);
	note_what_stays();
	return got;
}

static _Noreturn void child(const struct plan *p)
{
	struct held was, is;
	int got;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pthread_atfork(NULL, NULL, count_no_more);
	if (run_before(p))
		_exit(NOT_BEGUN);
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		_exit(CANNOT);
	was = look();
	was = look();
	fails_at = p->nth;
	may_fail = p->way == ALLOCATIONS;
	raise(SIGSTOP);
	got = run_counted(p);
	raise(SIGSTOP);
	is = look();
	if (got > 0 || (got && p->way == SIGNALS)) {
		print_error("returned %d\n", got);
		_exit(WRONG);
	}
	if (compare(&was, &is, nr_leaked(!got)))
		_exit(LEAKS);
	got = p->task(p->arg);
	if (got)
		print_error("afterwards: %d\n", got);
	_exit(got				   ? NOT_AGAIN
	      : p->way == ALLOCATIONS && !may_fail ? MORE
						   : GOOD);
}

/* Return whether something failed: then there may be more. */
static bool run(const struct plan *p)
{
	pid_t pid = fork();
	int status;
	bool some;

	assert_true(pid >= 0);
	if (!pid)
		child(p);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
		skip();
	some = WIFSTOPPED(status) && lead(pid, p);
	if (WIFSTOPPED(status))
		assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == MORE)
		return true;
	if (status != GOOD)
		fail_msg("the %uth fails (%s): status %#x", p->nth,
			 failed ? failed : "an allocation", status);
	return some;
}

static void each(enum way way, int (*task)(void *arg), void *arg)
{
	struct plan p = {.way = way, .task = task, .arg = arg};

	if (!CAN_TRACE || TEST_TSAN)
		skip();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	while (p.nth < MOST_CALLS && run(&p))
		p.nth++;
	assert_true((p.nth > 0 || way == SIGNALS) && p.nth < MOST_CALLS);
	munmap(shared, sizeof(*shared));
}

void fault_each_call(int (*task)(void *arg), void *arg)
{
	each(CALLS, task, arg);
}

void fault_each_allocation(int (*task)(void *arg), void *arg)
{
	if (CAN_FAIL_ALLOCATIONS)
		each(ALLOCATIONS, task, arg);
}

void fault_each_signal(int (*task)(void *arg), void *arg)
{
	each(SIGNALS, task, arg);
}
