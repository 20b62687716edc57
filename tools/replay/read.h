/* SPDX-License-Identifier: MIT */
/* Lines, fields and numbers of a text that is not trusted. Errors are printed. */
#ifndef TOOL_REPLAY_READ_H
#define TOOL_REPLAY_READ_H

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
	uint32_t number;    /* of the line, from 1 */
	uint32_t nr_errors; /* of lines */
	char *fields[REPLAY_MAX_FIELDS];
	unsigned int nr_fields;
};

/* -errno */
int replay_reader_open(struct replay_reader *reader, const char *path);
void replay_reader_close(struct replay_reader *reader);

/* Read the next line that is neither empty nor a comment ('#'). 1; 0 at the end;
 * -EBADMSG, -ENOMEM, or what a read failed with. */
int replay_next_line(struct replay_reader *reader);

/* So many errors of lines are printed. */
#define REPLAY_MAX_MESSAGES 10

/* Print "numatally replay: PATH:LINE: ...", of the first lines with an error:
 * other lines can be read. Returns -EINVAL. */
int replay_bad(struct replay_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Print it: the file can't be read. Returns -EBADMSG. */
int replay_bad_file(const struct replay_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Print it of any line. */
int replay_bad_line(const char *path, uint32_t number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Cut the line into fields, at commas (quotes are removed), or at spaces and
 * tabs. -EINVAL */
int replay_split_csv(struct replay_reader *reader);
int replay_split_words(struct replay_reader *reader);

/* The index of the field of this text, or -1. */
int replay_column(struct replay_reader *reader, const char *name);

/* Parse a field: a number from @least to @most; or a time in seconds, of whose
 * decimals six count. -EINVAL */
int replay_number(struct replay_reader *reader, unsigned int field,
		  const char *what, int64_t least, int64_t most,
		  int64_t *number);
int replay_seconds(struct replay_reader *reader, unsigned int field,
		   const char *what, int64_t *us);

/* Parse the number that @text begins with. *@end is behind it; it is @text where
 * there is none, or none that is an int64_t. */
int64_t replay_parse(const char *text, const char **end);

#endif
