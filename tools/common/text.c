// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <numatally/error.h>

#include "common/text.h"

/* "\xHH" */
#define ESCAPE_BYTES 4

static bool is_printable(wchar_t c, wchar_t escape)
{
	return wcwidth(c) > 0 && c != escape;
}

static char *escape_byte(char *to, unsigned char byte)
{
	if (byte == '\\')
		return stpcpy(to, "\\\\");
	return to + sprintf(to, "\\x%02x", byte);
}

/* @escape is escaped although it is printable. */
static char *make_printable(const char *bytes, wchar_t escape)
{
	size_t left = strlen(bytes);
	char *escaped = malloc(left * ESCAPE_BYTES + 1);
	char *to = escaped;
	mbstate_t state = {0};

	if (!escaped)
		return NULL;
	while (left > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, bytes, left, &state);

		if (n == 0 || n > left || !is_printable(c, escape)) {
			if (n == 0 || n > left) {
				n = 1;
				state = (mbstate_t){0};
			}
			for (size_t i = 0; i < n; i++)
				to = escape_byte(to, (unsigned char)bytes[i]);
		} else {
			to = mempcpy(to, bytes, n);
		}
		bytes += n;
		left -= n;
	}
	*to = '\0';
	return escaped;
}

char *text_escape(const char *bytes)
{
	return make_printable(bytes, L'\\');
}

char *text_printable(const char *bytes)
{
	return make_printable(bytes, L'\0');
}

const char *text_error(int err)
{
	return tally_strerror_of("tally_kernel_", err);
}

const char *text_process_error(int err)
{
	return err == -ENOENT	 ? "no stat"
	       : err == -ENODATA ? "no file tells its memory"
				 : text_error(err);
}

unsigned int text_width(const char *escaped)
{
	mbstate_t state = {0};
	unsigned int width = 0;
	size_t left = strlen(escaped);

	while (left > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, escaped, left, &state);
		int columns;

		if (n == 0 || n > left)
			return width + (unsigned int)left;
		columns = wcwidth(c);
		width += columns > 0 ? (unsigned int)columns : 0;
		escaped += n;
		left -= n;
	}
	return width;
}
