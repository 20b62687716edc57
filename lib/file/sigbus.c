// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fork_lock.h"
#include "file/sigbus.h"

/* The signal may interrupt TSan within an atomic access of ours, where it can't
 * begin another. */
#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define UNSEEN __attribute__((disable_sanitizer_instrumentation))
#endif
#endif
#ifndef UNSEEN
#define UNSEEN
#endif

/* A mapping; unused if bytes is 0. Entries are reused and never freed: a
 * handler may be reading any of them. */
struct guarded {
	uintptr_t origin;
	size_t bytes;
	bool writable;
	struct guarded *next;
};

FORK_LOCK(list);
static struct guarded *list;

static struct sigaction before; /* installed when ours was */
static bool reset;		/* it was for one signal, and has had it */
static bool installed;

/* A raw system call: a sanitizer would take mmap() for a write. */
UNSEEN static bool put_zeros(uintptr_t at, size_t bytes, bool writable)
{
	int prot = PROT_READ | (writable ? PROT_WRITE : 0);
	long ret =
		syscall(SYS_mmap, at, bytes, prot,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
			-1, 0L);

	return ret != -1;
}

/* The whole mapping, so that it faults once. Strict overcommit may refuse that:
 * then the page alone. */
UNSEEN static bool mend(const struct guarded *g, uintptr_t address)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t origin = __atomic_load_n(&g->origin, __ATOMIC_RELAXED);
	size_t bytes = __atomic_load_n(&g->bytes, __ATOMIC_RELAXED);

	return put_zeros(origin, bytes, g->writable) ||
	       put_zeros(address & ~(page - 1), page, g->writable);
}

/* An entry that is being filled or cleared does not match. */
UNSEEN static bool contains(const struct guarded *g, uintptr_t address)
{
	size_t bytes = __atomic_load_n(&g->bytes, __ATOMIC_ACQUIRE);
	uintptr_t origin = __atomic_load_n(&g->origin, __ATOMIC_ACQUIRE);

	return address - origin < bytes &&
	       __atomic_load_n(&g->bytes, __ATOMIC_RELAXED) == bytes;
}

UNSEEN bool sigbus_mend(const siginfo_t *info)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	int saved = errno;
	bool done = false;

	/* A signal that was sent has no address. */
	if (info->si_code != BUS_ADRERR && info->si_code != BUS_OBJERR &&
	    info->si_code != BUS_MCEERR_AR)
		return false;
	for (struct guarded *g = __atomic_load_n(&list, __ATOMIC_ACQUIRE);
	     g && !done; g = g->next)
		done = contains(g, address) && mend(g, address);
	errno = saved;
	return done;
}

/* End the program as without our handler: by this signal, at this place. */
static void end(const siginfo_t *info)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(SIGBUS, &action, NULL);
	syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGBUS,
		info);
}

static bool is_function(const struct sigaction *action)
{
	return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* The kernel ignores no fault. */
static bool is_ignored(const siginfo_t *info)
{
	return before.sa_handler == SIG_IGN &&
	       (info->si_code <= 0 || info->si_code == BUS_MCEERR_AO);
}

/* Do what the kernel would have done. Our handler has the mask and flags of
 * the one before. */
static void hand_on(int signal, siginfo_t *info, void *context)
{
	bool once = ((unsigned int)before.sa_flags & SA_RESETHAND) != 0;

	if (is_ignored(info))
		return;
	if (!is_function(&before) ||
	    (once && __atomic_exchange_n(&reset, true, __ATOMIC_RELAXED)))
		end(info);
	else if (before.sa_flags & SA_SIGINFO)
		before.sa_sigaction(signal, info, context);
	else
		before.sa_handler(signal);
}

UNSEEN static void handle(int signal, siginfo_t *info, void *context)
{
	if (!sigbus_mend(info))
		hand_on(signal, info, context);
}

/* Install our handler, once, or again after the default was restored. A
 * handler that was installed after ours may call ours, so ours must not call
 * it. */
static int install(void)
{
	struct sigaction now, action = {.sa_sigaction = handle};

	if (sigaction(SIGBUS, NULL, &now))
		return -errno;
	if (installed && is_function(&now))
		return 0;
	before = now;
	reset = false;
	if (!is_function(&before)) {
		sigemptyset(&action.sa_mask);
		action.sa_flags = SA_ONSTACK | SA_RESTART;
	} else {
		action.sa_mask = before.sa_mask;
		action.sa_flags =
			(int)((unsigned int)before.sa_flags & ~SA_RESETHAND);
	}
	action.sa_flags |= SA_SIGINFO;
	if (sigaction(SIGBUS, &action, NULL))
		return -errno;
	installed = true;
	return 0;
}

static struct guarded *take_free(void)
{
	struct guarded *g;

	for (g = list; g && g->bytes; g = g->next)
		;
	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->next = list;
	__atomic_store_n(&list, g, __ATOMIC_RELEASE);
	return g;
}

int sigbus_guard(char *origin, size_t bytes, bool writable)
{
	struct guarded *g;
	int err;

	list_take();
	err = install();
	g = err ? NULL : take_free();
	if (g) {
		__atomic_store_n(&g->origin, (uintptr_t)origin,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&g->writable, writable, __ATOMIC_RELAXED);
		__atomic_store_n(&g->bytes, bytes, __ATOMIC_RELEASE);
	} else if (!err) {
		err = -ENOMEM;
	}
	list_leave();
	return err;
}

void sigbus_unguard(const char *origin)
{
	list_take();
	for (struct guarded *g = list; g; g = g->next)
		if (g->bytes && g->origin == (uintptr_t)origin)
			__atomic_store_n(&g->bytes, 0, __ATOMIC_RELEASE);
	list_leave();
}
