// SPDX-License-Identifier: MIT
/*
 * What a compiler calls with -fsanitize=thread, instead of ThreadSanitizer: each
 * access to a shared mapping of a file is a step, and so is each lock of one.
 */
#include "support/test.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "support/step.h"

static bool is_child, is_counting;
static unsigned int next, stop_at = UINT_MAX;
static struct {
	const void *place;
	unsigned int nr;
} visits[4096];

static void stop_at_last(void)
{
	if (next++ == stop_at)
		raise(SIGSTOP);
}

void step_begin(void)
{
	is_counting = true;
	stop_at_last();
}

void step_end(void)
{
	is_counting = false;
}

void step_again(unsigned int after)
{
	memset(visits, 0, sizeof(visits));
	stop_at = next + after;
}

static void await(struct stepped *s)
{
	int status;

	assert_int_equal(waitpid(s->pid, &status, WUNTRACED), s->pid);
	s->stopped = WIFSTOPPED(status);
	s->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void step_run(struct stepped *s, unsigned int nth, int (*what)(void *arg),
	      void *arg)
{
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (!s->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		is_child = true;
		stop_at = nth;
		_exit(what(arg));
	}
	await(s);
}

void step_signal(struct stepped *s, int signal)
{
	kill(s->pid, signal);
	kill(s->pid, SIGCONT);
	await(s);
}

void step_on(struct stepped *s)
{
	if (!s->stopped)
		return;
	kill(s->pid, SIGCONT);
	await(s);
	assert_false(s->stopped);
}

void step_kill(struct stepped *s)
{
	if (!s->stopped)
		return;
	kill(s->pid, SIGKILL);
	await(s);
}

/* A sanitizer has the calls for itself. */
#if !TEST_SANITIZED

/* Of one place in the code. */
#define MOST_VISITS 3
/* At random: one step in so many yields. */
#define RARELY 64

/* ---- which accesses count ------------------------------------------------ */

static struct {
	uintptr_t from, to;
} shared[256];
static unsigned int nr_shared;

/* In place of the C library's: no other code sees the mappings of a ledger. */
void *mmap(void *at, size_t bytes, int protection, int flags, int fd,
	   off_t offset)
{
	long mapped =
		syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
	unsigned int i;
	void *p;

	memcpy(&p, &mapped, sizeof(p));
	if (p == MAP_FAILED || fd < 0 || (flags & MAP_TYPE) == MAP_PRIVATE)
		return p;
	i = __atomic_fetch_add(&nr_shared, 1, __ATOMIC_RELAXED) %
	    (sizeof(shared) / sizeof(shared[0]));
	shared[i].from = (uintptr_t)p;
	shared[i].to = (uintptr_t)p + bytes;
	return p;
}

static bool is_shared(uintptr_t at)
{
	unsigned int nr = __atomic_load_n(&nr_shared, __ATOMIC_RELAXED);

	for (unsigned int i = 0;
	     i < nr && i < sizeof(shared) / sizeof(shared[0]); i++)
		if (at >= shared[i].from && at < shared[i].to)
			return true;
	return false;
}

/* ---- steps --------------------------------------------------------------- */

static bool is_visited(const void *place)
{
	size_t nr = sizeof(visits) / sizeof(visits[0]);
	size_t i = ((uintptr_t)place >> 1) % nr;

	while (visits[i].place && visits[i].place != place)
		i = (i + 1) % nr;
	visits[i].place = place;
	return visits[i].nr++ >= MOST_VISITS;
}

/* at: NULL for a lock. */
static void step(const volatile void *at, const void *place)
{
	static __thread unsigned int seed;

	if (is_child) {
		if (is_counting && (!at || is_shared((uintptr_t)at)) &&
		    !is_visited(place))
			stop_at_last();
		return;
	}
	if (!seed)
		seed = (unsigned int)(uintptr_t)&seed >> 6;
	if (rand_r(&seed) % RARELY == 0 && is_shared((uintptr_t)at))
		sched_yield();
}

/* In place of the C library's, too: a lock of the file is a step. */
int fcntl(int fd, int command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	step(NULL, __builtin_return_address(0));
	return (int)syscall(SYS_fcntl, fd, command, arg);
}

/* ---- what the compiler calls --------------------------------------------- */

#define HERE __builtin_return_address(0)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* Before the access. */
#define PLAIN(name)             \
	void name(void *at);    \
	void name(void *at)     \
	{                       \
		step(at, HERE); \
	}
#define PLAIN_OF(bytes)                     \
	PLAIN(__tsan_read##bytes)           \
	PLAIN(__tsan_write##bytes)          \
	PLAIN(__tsan_read_write##bytes)     \
	PLAIN(__tsan_unaligned_read##bytes) \
	PLAIN(__tsan_unaligned_write##bytes)
PLAIN_OF(1)
PLAIN_OF(2)
PLAIN_OF(4)
PLAIN_OF(8)
PLAIN_OF(16)

#define RANGE(name)                        \
	void name(void *at, size_t bytes); \
	void name(void *at, size_t bytes)  \
	{                                  \
		(void)bytes;               \
		step(at, HERE);            \
	}
RANGE(__tsan_read_range)
RANGE(__tsan_write_range)

#define CHANGE(bits, name, builtin)                                \
	uint##bits##_t __tsan_atomic##bits##_##name(               \
		uint##bits##_t *at, uint##bits##_t by, int order); \
	uint##bits##_t __tsan_atomic##bits##_##name(               \
		uint##bits##_t *at, uint##bits##_t by, int order)  \
	{                                                          \
		(void)order;                                       \
		step(at, HERE);                                    \
		return builtin(at, by, __ATOMIC_SEQ_CST);          \
	}
#define COMPARE(bits, name)                                                  \
	int __tsan_atomic##bits##_compare_exchange_##name(                   \
		uint##bits##_t *at, uint##bits##_t *old, uint##bits##_t new, \
		int order, int failure);                                     \
	int __tsan_atomic##bits##_compare_exchange_##name(                   \
		uint##bits##_t *at, uint##bits##_t *old, uint##bits##_t new, \
		int order, int failure)                                      \
	{                                                                    \
		(void)order, (void)failure;                                  \
		step(at, HERE);                                              \
		return __atomic_compare_exchange_n(at, old, new, false,      \
						   __ATOMIC_SEQ_CST,         \
						   __ATOMIC_SEQ_CST);        \
	}
/* clang's */
#define COMPARE_VALUE(bits)                                                 \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(          \
		uint##bits##_t *at, uint##bits##_t old, uint##bits##_t new, \
		int order, int failure);                                    \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(          \
		uint##bits##_t *at, uint##bits##_t old, uint##bits##_t new, \
		int order, int failure)                                     \
	{                                                                   \
		(void)order, (void)failure;                                 \
		step(at, HERE);                                             \
		__atomic_compare_exchange_n(at, &old, new, false,           \
					    __ATOMIC_SEQ_CST,               \
					    __ATOMIC_SEQ_CST);              \
		return old;                                                 \
	}
#define ATOMIC(bits)                                                        \
	uint##bits##_t __tsan_atomic##bits##_load(const uint##bits##_t *at, \
						  int order);               \
	uint##bits##_t __tsan_atomic##bits##_load(const uint##bits##_t *at, \
						  int order)                \
	{                                                                   \
		(void)order;                                                \
		step(at, HERE);                                             \
		return __atomic_load_n(at, __ATOMIC_SEQ_CST);               \
	}                                                                   \
	void __tsan_atomic##bits##_store(uint##bits##_t *at,                \
					 uint##bits##_t value, int order);  \
	void __tsan_atomic##bits##_store(uint##bits##_t *at,                \
					 uint##bits##_t value, int order)   \
	{                                                                   \
		(void)order;                                                \
		step(at, HERE);                                             \
		__atomic_store_n(at, value, __ATOMIC_SEQ_CST);              \
	}                                                                   \
	CHANGE(bits, exchange, __atomic_exchange_n)                         \
	CHANGE(bits, fetch_add, __atomic_fetch_add)                         \
	CHANGE(bits, fetch_sub, __atomic_fetch_sub)                         \
	CHANGE(bits, fetch_and, __atomic_fetch_and)                         \
	CHANGE(bits, fetch_or, __atomic_fetch_or)                           \
	CHANGE(bits, fetch_xor, __atomic_fetch_xor)                         \
	COMPARE(bits, strong)                                               \
	COMPARE(bits, weak)                                                 \
	COMPARE_VALUE(bits)
ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

#endif
