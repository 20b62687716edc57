/* SPDX-License-Identifier: MIT */
/*
 * descriptor: a ledger's file, as this process has it open.
 *
 * A program may close descriptors that it did not open (closefrom(3), a daemon
 * does), and the number then comes to mean another file. So a descriptor is
 * compared with the file before each use, and opened again by its path if it
 * is another one.
 */
#ifndef FILE_DESCRIPTOR_H
#define FILE_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

struct descriptor {
	int fd;
	int flags; /* of open(2) */
	dev_t device;
	ino_t inode;
	bool named; /* once it had a name */
	char *path; /* absolute; NULL: not known */
};

/* Take over fd, on failure too. -ENOMEM; -errno of fstat(2). */
int descriptor_take(int fd, bool writable, struct descriptor **descriptor);

/* Close it, if it is still the file's; takes NULL. */
void descriptor_drop(struct descriptor *descriptor);

/* Set the file's path, by which it can be opened again. */
void descriptor_name(struct descriptor *descriptor, const char *path);

/* Return a descriptor of the file, which stays the structure's. -EBADF: the
 * program closed it, and the path names the file no longer. Thread-safe. */
int descriptor_get(struct descriptor *descriptor);

/* Whether the file had a name, and has none any more; a bind mount may still lead
 * to it. False if the program closed it, since it may have one then. */
bool descriptor_was_removed(struct descriptor *descriptor);

/* Whether path leads to the file. It follows no symbolic link. */
bool descriptor_is_at(const struct descriptor *descriptor, const char *path);

/*
 * Open the file again, as another open file description, which the caller
 * closes.
 *
 * -ENOSYS	/proc is not mounted, and the path names the file no longer
 * other	as open(2)
 */
int descriptor_again(struct descriptor *descriptor);

#endif
