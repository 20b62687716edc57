// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <numatally/kernel_node.h>

#include "common/output.h"
#include "common/utf8.h"
#include "stat/csv.h"

static void put_field(const char *text, bool quoted)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		size_t n = utf8_bytes(p);

		if (!n || utf8_is_control(utf8_code(p, n)))
			fputs_unlocked(UTF8_REPLACEMENT, stdout);
		else
			fwrite_unlocked(p, 1, n, stdout);
		if (quoted && *p == '"')
			putc_unlocked('"', stdout);
		p += n ? n : 1;
	}
}

void stat_csv_text(const char *text)
{
	bool quoted = strpbrk(text, ",\"");

	if (quoted)
		putc_unlocked('"', stdout);
	put_field(text, quoted);
	if (quoted)
		putc_unlocked('"', stdout);
}

void stat_csv_name(const char *name)
{
	char text[96];
	size_t nr = 0;

	for (; *name && nr < sizeof(text) - 1; name++)
		if (*name != '\'')
			text[nr++] = *name;
	text[nr] = '\0';
	for (char *p = text; (p = strchr(p, ' '));)
		*p = '_';
	stat_csv_text(text);
}

void stat_csv_integer(int64_t n)
{
	char buf[OUTPUT_NUMBER];

	fputs_unlocked(output_integer(n, buf), stdout);
}

void stat_csv_decimal(double value)
{
	char buf[OUTPUT_NUMBER];

	fputs_unlocked(output_decimal(value, buf), stdout);
}

/* Many lines have the same time. */
void stat_csv_time(int64_t ns)
{
	static int64_t last = TALLY_UNKNOWN;
	static char text[48];
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	if (ns != last && gmtime_r(&seconds, &tm)) {
		size_t n =
			strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);

		snprintf(text + n, sizeof(text) - n, ".%06dZ",
			 (int)(ns % 1000000000 / 1000));
		last = ns;
	}
	if (ns != TALLY_UNKNOWN)
		fputs_unlocked(text, stdout);
}
