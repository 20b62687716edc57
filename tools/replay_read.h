/* SPDX-License-Identifier: MIT */
/* Lines, fields and numbers of a text that may hold anything. */
#ifndef REPLAY_READ_H
#define REPLAY_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define REPLAY_MAX_FIELDS 64

struct replay_reader {
	const char *path;
	uint16_t file; /* its index in a trace */
	FILE *f;
	char *line; /* without its end */
	size_t room;
	uint32_t number; /* of the line, from 1 */
	char *fields[REPLAY_MAX_FIELDS];
	unsigned int nr_fields;
};

/* -errno, which has been said. */
int replay_reader_open(struct replay_reader *reader, const char *path);
void replay_reader_close(struct replay_reader *reader);

/* Reads the next line that is not empty, and no comment ('#'). 1; 0: there is
 * none; -EINVAL, -ENOMEM or what reading said, which has been said. */
int replay_next_line(struct replay_reader *reader);

/* "numatally replay: PATH:LINE: ..." on stderr; -EINVAL */
int replay_bad(const struct replay_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int replay_bad_line(const char *path, uint32_t number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Cuts the line into fields, at commas (quotes are taken off), or at spaces and
 * tabs. -EINVAL, which has been said. */
int replay_split_csv(struct replay_reader *reader);
int replay_split_words(struct replay_reader *reader);

/* The index of the first line's field of this name, or -1. */
int replay_column(const struct replay_reader *reader, const char *name);

/* A field as a number, from least to most; or as a time in seconds, with or
 * without decimals, of which six count. -EINVAL, which has been said. */
int replay_number(const struct replay_reader *reader, unsigned int field,
		  const char *what, int64_t least, int64_t most,
		  int64_t *number);
int replay_seconds(const struct replay_reader *reader, unsigned int field,
		   const char *what, int64_t *us);

/* What text begins with as a number; *end is behind it, or text: none, or one
 * that is no int64_t. */
int64_t replay_parse(const char *text, const char **end);

#endif
