// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "limit_space.h"
#include "process.h"

/* A byte for every namespace, by its inode. */
#define FIRST_BYTE (INT64_C(1) << 62)
#define NR_BYTES   (INT64_C(1) << 32)

static int lock_bytes(int fd, int command, short type, int64_t from,
		      int64_t bytes, struct flock *lock)
{
	memset(lock, 0, sizeof(*lock));
	lock->l_type = type;
	lock->l_whence = SEEK_SET;
	lock->l_start = from;
	lock->l_len = bytes;
	return fcntl(fd, command, lock) ? -errno : 0;
}

static bool are_locked(int fd, int64_t from, int64_t end)
{
	struct flock lock;

	return from < end &&
	       !lock_bytes(fd, F_OFD_GETLK, F_WRLCK, from, end - from, &lock) &&
	       lock.l_type != F_UNLCK;
}

/* Locks are the open file's: a child of fork(2) has its parent's. */
static int open_again(int fd)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDWR | O_CLOEXEC);
}

static int claim(struct tally_ledger *l)
{
	struct process self;
	struct flock lock;
	int64_t byte;
	int fd;

	process_self(&self);
	byte = FIRST_BYTE + (int64_t)(self.namespace % NR_BYTES);
	fd = open_again(l->layout->fd);
	if (fd < 0)
		return 0;
	/* First ours: of two that come at once, one at least sees the other. */
	if (!lock_bytes(fd, F_OFD_SETLK, F_RDLCK, byte, 1, &lock) &&
	    (are_locked(fd, FIRST_BYTE, byte) ||
	     are_locked(fd, byte + 1, FIRST_BYTE + NR_BYTES))) {
		close(fd);
		return -EXDEV;
	}
	l->space = fd;
	return 0;
}

int limit_space_claim(struct tally_ledger *l)
{
	for (;;) {
		uint32_t state = LEDGER_UNCLAIMED;
		int err;

		if (__atomic_load_n(&l->claim, __ATOMIC_ACQUIRE) ==
		    LEDGER_CLAIMED)
			return 0;
		if (!__atomic_compare_exchange_n(
			    &l->claim, &state, LEDGER_CLAIMING, false,
			    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
			sched_yield();
			continue;
		}
		err = claim(l);
		__atomic_store_n(&l->claim,
				 err ? LEDGER_UNCLAIMED : LEDGER_CLAIMED,
				 __ATOMIC_RELEASE);
		return err;
	}
}

void limit_space_leave(struct tally_ledger *l)
{
	if (l->space >= 0)
		close(l->space);
	l->space = -1;
	__atomic_store_n(&l->claim, LEDGER_UNCLAIMED, __ATOMIC_RELEASE);
}
