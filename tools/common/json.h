/* SPDX-License-Identifier: MIT */
/*
 * Writes a JSON document to a stream as it goes, on one line.
 *
 * Each function that writes a value takes the name of the member that it is, or
 * NULL in an array and for the document itself. The caller closes what it
 * opens. An error is kept until json_finish(), and nothing is written after it.
 * Nothing else may write to the stream until then.
 */
#ifndef TOOL_COMMON_JSON_H
#define TOOL_COMMON_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_writer {
	FILE *f;
	int error;
	bool comma; /* before the next value */
	bool ascii; /* \u for all else: some terminals obey U+0080 to U+009F */
	size_t used;
	char buf[4096];
};

/* Begin a document on @f, in ASCII if that is a terminal. */
void json_begin(struct json_writer *w, FILE *f);

/* End the line, and flush it. Returns 0, or -errno of what failed first. */
int json_finish(struct json_writer *w);

void json_open_object(struct json_writer *w, const char *name);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *name);
void json_close_array(struct json_writer *w);

void json_put_int(struct json_writer *w, const char *name, int64_t value);
void json_put_uint(struct json_writer *w, const char *name, uint64_t value);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_null(struct json_writer *w, const char *name);

/* Null where @value is @none. */
void json_put_int_unless(struct json_writer *w, const char *name, int64_t value,
			 int64_t none);

/* With three decimals; null where it is not finite. */
void json_put_double(struct json_writer *w, const char *name, double value);

/* Null where @text is NULL. A byte that is not UTF-8 becomes U+FFFD. */
void json_put_string(struct json_writer *w, const char *name, const char *text);

/* The same of a member; where @text is not UTF-8, a member NAME_hex follows,
 * with its bytes as hexadecimal digits. */
void json_put_bytes(struct json_writer *w, const char *name, const char *text);

#endif
