// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/text.h"
#include "replay/read.h"

#define MAX_LINE (1u << 20)

static void __attribute__((format(printf, 3, 0)))
complain(const char *path, uint32_t number, const char *format, va_list args)
{
	char *escaped = text_escape(path);
	char why[512];

	vsnprintf(why, sizeof(why), format, args);
	warnx("%s:%u: %s", escaped ? escaped : "?", number, why);
	free(escaped);
}

int replay_bad_line(const char *path, uint32_t number, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(path, number, format, args);
	va_end(args);
	return -EINVAL;
}

int replay_bad(struct replay_reader *r, const char *format, ...)
{
	va_list args;

	if (r->nr_errors++ < REPLAY_MAX_MESSAGES) {
		va_start(args, format);
		complain(r->path, r->number, format, args);
		va_end(args);
	}
	return -EINVAL;
}

int replay_bad_file(const struct replay_reader *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(r->path, r->number, format, args);
	va_end(args);
	return -EBADMSG;
}

/* A failure of the file, not of a line. */
static int failed(struct replay_reader *r, int err)
{
	char *escaped = text_escape(r->path);

	warnx("%s: %s", escaped ? escaped : "?", strerror(err));
	free(escaped);
	return -err;
}

int replay_reader_open(struct replay_reader *r, const char *path)
{
	*r = (struct replay_reader){.path = path};
	r->f = fopen(path, "re");
	return r->f ? 0 : failed(r, errno);
}

void replay_reader_close(struct replay_reader *r)
{
	if (r->f)
		fclose(r->f);
	free(r->line);
}

static int grow(struct replay_reader *r, size_t wanted)
{
	return array_reserve(r->line, r->room, wanted) ? failed(r, ENOMEM) : 0;
}

/* Read up to the end of the line. 1; 0 at the end */
static int get_line(struct replay_reader *r, size_t *len)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(r->f)) != EOF && c != '\n') {
		if (!c)
			return replay_bad_file(r, "a zero byte");
		if (n == MAX_LINE)
			return replay_bad_file(r, "a line of more than 1 MiB");
		if (n + 1 >= r->room && grow(r, n + 2))
			return -ENOMEM;
		r->line[n++] = (char)c;
	}
	if (ferror(r->f))
		return failed(r, errno ? errno : EIO);
	if (c == EOF && !n)
		return 0;
	if (!r->room && grow(r, 1))
		return -ENOMEM;
	if (n && r->line[n - 1] == '\r')
		n--;
	r->line[n] = '\0';
	*len = n;
	return 1;
}

/* Some programs begin a text with a byte order mark. */
static void skip_mark(struct replay_reader *r, size_t *len)
{
	if (*len < 3 || memcmp(r->line, "\xef\xbb\xbf", 3) != 0)
		return;
	*len -= 3;
	memmove(r->line, r->line + 3, *len + 1);
}

int replay_next_line(struct replay_reader *r)
{
	size_t len = 0;
	int ret;

	do {
		if (r->number == UINT32_MAX)
			return replay_bad_file(r, "too many lines");
		r->number++;
		errno = 0;
		ret = get_line(r, &len);
		if (r->number == 1 && ret == 1)
			skip_mark(r, &len);
	} while (ret == 1 &&
		 (*r->line == '#' || strspn(r->line, " \t") == len));
	return ret;
}

static int add_field(struct replay_reader *r, char *field)
{
	if (r->nr_fields == REPLAY_MAX_FIELDS)
		return replay_bad(r, "more than %d fields", REPLAY_MAX_FIELDS);
	r->fields[r->nr_fields++] = field;
	return 0;
}

/* Remove the quotes of a field. Returns what is behind it. */
static char *unquote(char *field)
{
	char *to = field, *from = field + 1;

	for (; *from; *to++ = *from++)
		if (*from == '"' && *++from != '"') {
			*to = '\0';
			return from;
		}
	return NULL;
}

int replay_split_csv(struct replay_reader *r)
{
	char *p = r->line;

	r->nr_fields = 0;
	for (;;) {
		char *field = p;
		char *end = *p == '"' ? unquote(p) : p + strcspn(p, ",");
		bool last;

		if (!end || (*end && *end != ','))
			return replay_bad(r, "unmatched quotes");
		if (add_field(r, field))
			return -EINVAL;
		last = !*end;
		*end = '\0';
		if (last)
			return 0;
		p = end + 1;
	}
}

int replay_split_words(struct replay_reader *r)
{
	char *next = r->line, *field;

	r->nr_fields = 0;
	while ((field = strsep(&next, " \t")))
		if (*field && add_field(r, field))
			return -EINVAL;
	return 0;
}

int replay_column(struct replay_reader *r, const char *name)
{
	for (unsigned int i = 0; i < r->nr_fields; i++)
		if (!strcmp(r->fields[i], name))
			return (int)i;
	return -1;
}

int64_t replay_parse(const char *text, const char **end)
{
	const char *p = text + (*text == '-');
	int64_t n = 0;

	*end = text;
	if (*p < '0' || *p > '9')
		return 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, *p - '0', &n))
			return 0;
	/* There is one more number below 0 than above. */
	if (*text != '-' && __builtin_sub_overflow(0, n, &n))
		return 0;
	*end = p;
	return n;
}

/* The field may hold any bytes. */
static int bad_field(struct replay_reader *r, unsigned int field,
		     const char *what, const char *why)
{
	char shown[64];
	char *escaped;

	if (field >= r->nr_fields || !*r->fields[field])
		return replay_bad(r, "missing %s", what);
	snprintf(shown, sizeof(shown), "%.40s", r->fields[field]);
	escaped = text_escape(shown);
	replay_bad(r, "%s '%s' %s", what, escaped ? escaped : "?", why);
	free(escaped);
	return -EINVAL;
}

int replay_number(struct replay_reader *r, unsigned int field, const char *what,
		  int64_t least, int64_t most, int64_t *number)
{
	const char *text = field < r->nr_fields ? r->fields[field] : "";
	const char *end;
	int64_t n = replay_parse(text, &end);

	if (*end && strspn(text + (*text == '-'), "0123456789") ==
			    strlen(text + (*text == '-')))
		return bad_field(r, field, what, "is out of range");
	if (end == text || *end)
		return bad_field(r, field, what, "is not a number");
	if (n < least || n > most)
		return bad_field(r, field, what, "is out of range");
	*number = n;
	return 0;
}

int replay_seconds(struct replay_reader *r, unsigned int field,
		   const char *what, int64_t *us)
{
	const char *text = field < r->nr_fields ? r->fields[field] : "";
	const char *end;
	int64_t n = replay_parse(text, &end), part = 0;

	if (end == text)
		return bad_field(r, field, what, "is not a time in seconds");
	if (*end == '.') {
		const char *digit = end + 1;

		for (int64_t unit = 100000; *digit >= '0' && *digit <= '9';
		     unit /= 10)
			part += unit * (*digit++ - '0');
		end = digit;
	}
	if (*end)
		return bad_field(r, field, what, "is not a time in seconds");
	if (*text == '-')
		part = -part;
	if (__builtin_mul_overflow(n, 1000000, &n) ||
	    __builtin_add_overflow(n, part, &n))
		return bad_field(r, field, what, "is out of range");
	*us = n;
	return 0;
}
