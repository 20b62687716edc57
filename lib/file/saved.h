/* SPDX-License-Identifier: MIT */
/*
 * saved: the checksum of a saved ledger, over every byte of its file: see
 * layout.h. A file that is copied keeps it, whether zeros in it are holes or
 * not.
 */
#ifndef FILE_SAVED_H
#define FILE_SAVED_H

#include <stdint.h>

/*
 * Put the checksum into the file in fd, which no process changes any more, and
 * have all of it written to the disk.
 *
 * -EBADMSG	the file has another size
 * other	as pread(2), pwrite(2) and fsync(2)
 */
int saved_seal(int fd, uint64_t file_bytes);

/* Whether the file in fd is what was sealed: 0, or -EBADMSG; other errors as
 * pread(2). */
int saved_check(int fd, uint64_t file_bytes);

#endif
