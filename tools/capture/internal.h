/* SPDX-License-Identifier: MIT */
/*
 * A capture is what --root reads of a machine, as a directory or as an archive
 * that tar(1) reads:
 *
 *	numatally-capture	says what it is; the first in an archive
 *	proc/…, sys/…		files of files.c, what is private taken out
 *	etc/passwd		with --users: the names of their users
 */
#ifndef CAPTURE_INTERNAL_H
#define CAPTURE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define CAPTURE_MARK "numatally-capture"

/* The most bytes of a file that are read, and of an archive that is unpacked. */
#define CAPTURE_MOST_FILE (256u << 20)
#define CAPTURE_MOST	  (1u << 30)

/* ---- what is written --------------------------------------------------------- */

struct capture_out;

/*
 * Begin an archive in the open file @fd, or with @directory in that directory,
 * which is empty. @name is for messages. NULL after a message.
 */
struct capture_out *capture_out_open(int fd, const char *name,
				     const char *directory);

/* Write a directory, a link or a file. Return 0; or -1 after a message. */
int capture_out_directory(struct capture_out *out, const char *path);
int capture_out_link(struct capture_out *out, const char *path,
		     const char *target);
int capture_out_file(struct capture_out *out, const char *path,
		     const char *text, size_t len);

/* End it, which frees @out. Returns 0; or -1 after a message. */
int capture_out_close(struct capture_out *out);

/* Whether the open file is an archive that numatally capture made. */
bool capture_is(int fd);

/* ---- what is read ------------------------------------------------------------- */

struct capture;

/* Write to @to what a capture has of a file with the text @text. */
typedef void (*capture_filter)(struct capture *c, FILE *to, const char *text,
			       size_t len);

struct capture {
	struct capture_out *out;
	const char *root; /* NULL: this machine; the working directory is / or
			     that one */
	bool arguments, users;
	void *seen; /* tsearch(3)'s tree of the paths that are in it */
	uid_t *uids;
	size_t nr_uids, room_uids;
	/* What can't be read, though it is there. */
	unsigned int nr_refused;
	int refusal;
	char *refused; /* the first */
};

/* Pack all files of the list. Returns 0; or -1 after a message. */
int capture_files(struct capture *c);

/* Pack the file, directory or link, with the links on the way there. Returns 0,
 * also where there is none; or -1 after a message. */
int capture_pack(struct capture *c, const char *path, capture_filter filter);

/* Count a file that can't be read. One that does not exist is not counted: processes
 * end. */
void capture_refused(struct capture *c, const char *path, int error);

/* Pack the names of the users of the processes that were packed. */
int capture_users(struct capture *c);

/* Pack what names the hierarchies of cgroups, and each cgroup's memory. */
int capture_groups(struct capture *c);

/* ---- filters: what is private is taken out -------------------------------------- */

void capture_mounts(struct capture *c, FILE *to, const char *text, size_t len);
void capture_maps(struct capture *c, FILE *to, const char *text, size_t len);
void capture_numa_maps(struct capture *c, FILE *to, const char *text,
		       size_t len);
/* Nothing is; it has the user. */
void capture_status(struct capture *c, FILE *to, const char *text, size_t len);

/* ---- the other way --------------------------------------------------------------- */

/* Unpack the archive on stdin into memory; send the directory through the socket on
 * stdout: see root_open(). */
int unpack_main(int argc, char **argv);

#endif
