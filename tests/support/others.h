/* SPDX-License-Identifier: MIT */
/* Files that are no ledgers: no function of a ledger may replace or remove
 * them. */
#ifndef TEST_SUPPORT_OTHERS_H
#define TEST_SUPPORT_OTHERS_H

#include <sys/stat.h>

struct others {
	unsigned int nr;
	char paths[8][128];
	struct stat was[8];
};

/* Make one of each kind in @dir: files with and without text, a directory, a
 * FIFO, a socket, links to a file and to nothing, and, where the test may make
 * one, a device. */
void others_make(struct others *others, const char *dir);

/* Fail the test unless they are as they were made. */
void others_assert_untouched(const struct others *others);

#endif
