// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "file/descriptor.h"
#include "file/writer.h"
#include "snapshot/pin.h"

#define KEEP_NS (5 * SECOND_NS)

/* -errno. */
static int lock_byte(const struct layout *layout, int command, short *type,
		     uint64_t epoch, enum pin_byte byte)
{
	uint64_t first = byte == PIN_BYTE ? LAYOUT_PINS : LAYOUT_STILL;
	struct flock lock = {
		.l_type = *type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(first + 2 * (epoch & UINT32_MAX)),
		.l_len = 1,
	};
	int fd = descriptor_get(layout->file);

	if (fd < 0)
		return fd;
	if (fcntl(fd, command, &lock))
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	*type = lock.l_type;
	return 0;
}

int pin_lock(const struct layout *layout, uint64_t epoch, enum pin_byte byte)
{
	short type = F_RDLCK;
	int err;

	/* No process writes to it, and its file system may have no locks. */
	if (layout->header.params.flags & LAYOUT_SAVED)
		return 0;
	err = lock_byte(layout, F_OFD_SETLK, &type, epoch, byte);
	/* Before what the caller looks at next. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return err;
}

void pin_unlock(const struct layout *layout, uint64_t epoch, enum pin_byte byte)
{
	short type = F_UNLCK;

	if (!(layout->header.params.flags & LAYOUT_SAVED))
		lock_byte(layout, F_OFD_SETLK, &type, epoch, byte);
}

bool pin_is_locked(const struct layout *layout, uint64_t epoch,
		   enum pin_byte byte)
{
	short type = F_WRLCK;

	return !lock_byte(layout, F_OFD_GETLK, &type, epoch, byte) &&
	       type != F_UNLCK;
}

int64_t pin_age(const struct layout *layout)
{
	int64_t taken = __atomic_load_n(&layout_control(layout)->taken_ns,
					__ATOMIC_RELAXED);

	return (int64_t)((uint64_t)clock_ns(CLOCK_REALTIME) - (uint64_t)taken);
}

bool pin_is_old(const struct layout *layout)
{
	const struct layout_control *control = layout_control(layout);
	int64_t keep = __atomic_load_n(&control->keep_ns, __ATOMIC_RELAXED);
	/* After a clock was set back it is old, too. */
	uint64_t age = (uint64_t)pin_age(layout);

	return age > (uint64_t)(keep > 0 ? keep : KEEP_NS);
}

void pin_close(const struct layout *layout, uint64_t epoch)
{
	struct layout_control *control = layout_control(layout);

	layout_raise(&control->closing, epoch);
	layout_raise(&control->closed, epoch);
	/* Before what the caller folds. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool is_pinned_by_readers(const struct layout *layout, uint64_t epoch)
{
	/* No reader can have a file that has no name. */
	return !layout->unshared && pin_is_locked(layout, epoch, PIN_BYTE) &&
	       !pin_is_old(layout);
}

bool pin_is_pinned(const struct layout *layout, uint64_t epoch)
{
	return is_pinned_by_readers(layout, epoch) || writer_pins(layout);
}

int pin_try_close(const struct layout *layout, uint64_t epoch)
{
	struct layout_control *control = layout_control(layout);

	if (writer_pins(layout))
		return -EBUSY;
	layout_raise(&control->closing, epoch);
	/* Before the look at the lock: a reader looks the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&control->closed, __ATOMIC_RELAXED) < epoch &&
	    is_pinned_by_readers(layout, epoch)) {
		/* Unless another process has raised it meanwhile. */
		__atomic_compare_exchange_n(&control->closing, &epoch,
					    epoch - 1, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED);
		return -EBUSY;
	}
	pin_close(layout, epoch);
	return 0;
}

bool pin_is_lost(const struct layout *layout, uint64_t epoch)
{
	const struct layout_control *control = layout_control(layout);
	uint64_t now;

	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&control->closed, __ATOMIC_ACQUIRE) >= epoch)
		return true;
	/* The epoch before it: no writer lived, and none has come since. */
	now = __atomic_load_n(&control->epoch, __ATOMIC_ACQUIRE);
	return now != epoch && now + 1 != epoch;
}
