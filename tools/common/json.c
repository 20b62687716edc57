// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/output.h"
#include "common/stdout.h"
#include "common/utf8.h"

/* ---- bytes ----------------------------------------------------------------- */

static void fail(struct json_writer *w)
{
	w->error = errno ? -errno : -EIO;
	if (w->f == stdout)
		stdout_failed(-w->error);
}

static void write_out(struct json_writer *w, const void *bytes, size_t nr)
{
	if (!w->error && fwrite_unlocked(bytes, 1, nr, w->f) != nr)
		fail(w);
}

/* A buffer of our own: a call of stdio for each part takes longer than all
 * else. */
static void empty(struct json_writer *w)
{
	write_out(w, w->buf, w->used);
	w->used = 0;
}

static void put(struct json_writer *w, const void *bytes, size_t nr)
{
	if (nr > sizeof(w->buf) - w->used)
		empty(w);
	if (nr > sizeof(w->buf)) {
		write_out(w, bytes, nr);
		return;
	}
	memcpy(w->buf + w->used, bytes, nr);
	w->used += nr;
}

static void put_char(struct json_writer *w, char c)
{
	if (w->used == sizeof(w->buf))
		empty(w);
	w->buf[w->used++] = c;
}

static void put_text(struct json_writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_escape(struct json_writer *w, uint32_t code)
{
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	char escape[16];

	for (const char *letter = letters; *letter; letter += 2)
		if (code == (unsigned char)letter[0]) {
			put_char(w, '\\');
			put_char(w, letter[1]);
			return;
		}
	if (code < 0x10000)
		snprintf(escape, sizeof(escape), "\\u%04X", code);
	else
		snprintf(escape, sizeof(escape), "\\u%04X\\u%04X",
			 0xd800 + ((code - 0x10000) >> 10),
			 0xdc00 + ((code - 0x10000) & 0x3ff));
	put_text(w, escape);
}

/* Bytes that are not copied as they are. NUL ends a string. */
static const bool special[256] = {
	[0 ... 0x1f] = true,
	['"'] = true,
	['\\'] = true,
	[0x7f ... 0xff] = true,
};

/* Put the character at p, and return its bytes. */
static size_t put_special(struct json_writer *w, const unsigned char *p)
{
	size_t n = utf8_bytes(p);

	if (n > 1 && !w->ascii && !utf8_is_control(utf8_code(p, n)))
		put(w, p, n);
	else if (n)
		put_escape(w, utf8_code(p, n));
	else if (w->ascii)
		put_escape(w, 0xfffd);
	else
		put_text(w, UTF8_REPLACEMENT);
	return n ? n : 1;
}

static void put_quoted(struct json_writer *w, const char *text)
{
	const unsigned char *p = (const unsigned char *)text, *plain;

	put_char(w, '"');
	while (*p) {
		for (plain = p; !special[*p]; p++)
			;
		if (p != plain)
			put(w, plain, (size_t)(p - plain));
		if (*p)
			p += put_special(w, p);
	}
	put_char(w, '"');
}

/* The comma and the name before a value. */
static void lead(struct json_writer *w, const char *name)
{
	if (w->comma)
		put_char(w, ',');
	w->comma = true;
	if (name) {
		put_quoted(w, name);
		put_char(w, ':');
	}
}

static void put_value(struct json_writer *w, const char *name, const char *text)
{
	lead(w, name);
	put_text(w, text);
}

/* ---- the document ---------------------------------------------------------- */

void json_begin(struct json_writer *w, FILE *f)
{
	w->f = f;
	w->used = 0;
	w->error = 0;
	w->comma = false;
	w->ascii = output_is_terminal(f);
}

int json_finish(struct json_writer *w)
{
	put_char(w, '\n');
	empty(w);
	if (fflush(w->f) == EOF && !w->error)
		fail(w);
	return w->error;
}

static void open_value(struct json_writer *w, const char *name, char open)
{
	lead(w, name);
	put_char(w, open);
	w->comma = false;
}

static void close_value(struct json_writer *w, char close)
{
	put_char(w, close);
	w->comma = true;
}

void json_open_object(struct json_writer *w, const char *name)
{
	open_value(w, name, '{');
}

void json_close_object(struct json_writer *w)
{
	close_value(w, '}');
}

void json_open_array(struct json_writer *w, const char *name)
{
	open_value(w, name, '[');
}

void json_close_array(struct json_writer *w)
{
	close_value(w, ']');
}

/* ---- values ---------------------------------------------------------------- */

void json_put_int(struct json_writer *w, const char *name, int64_t value)
{
	char buf[OUTPUT_NUMBER];

	put_value(w, name, output_integer(value, buf));
}

void json_put_uint(struct json_writer *w, const char *name, uint64_t value)
{
	char buf[OUTPUT_NUMBER];

	put_value(w, name, output_unsigned(value, buf));
}

void json_put_bool(struct json_writer *w, const char *name, bool value)
{
	put_value(w, name, value ? "true" : "false");
}

void json_put_null(struct json_writer *w, const char *name)
{
	put_value(w, name, "null");
}

void json_put_int_unless(struct json_writer *w, const char *name, int64_t value,
			 int64_t none)
{
	if (value == none)
		json_put_null(w, name);
	else
		json_put_int(w, name, value);
}

void json_put_double(struct json_writer *w, const char *name, double value)
{
	char buf[OUTPUT_NUMBER];

	if (isfinite(value))
		put_value(w, name, output_decimal(value, buf));
	else
		json_put_null(w, name);
}

void json_put_string(struct json_writer *w, const char *name, const char *text)
{
	if (!text) {
		json_put_null(w, name);
		return;
	}
	lead(w, name);
	put_quoted(w, text);
}

void json_put_bytes(struct json_writer *w, const char *name, const char *text)
{
	char member[64], hex[3];

	json_put_string(w, name, text);
	if (!text || utf8_is(text))
		return;
	snprintf(member, sizeof(member), "%s_hex", name);
	lead(w, member);
	put_char(w, '"');
	for (; *text; text++) {
		snprintf(hex, sizeof(hex), "%02x", (unsigned char)*text);
		put(w, hex, 2);
	}
	put_char(w, '"');
}
