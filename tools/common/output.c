// SPDX-License-Identifier: MIT
#include "config.h"

#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/opt.h"
#include "common/output.h"

static char *put_digits(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

const char *output_unsigned(uint64_t n, char buf[OUTPUT_NUMBER])
{
	char *end = buf + OUTPUT_NUMBER - 1;

	*end = '\0';
	return put_digits(end, n);
}

const char *output_integer(int64_t n, char buf[OUTPUT_NUMBER])
{
	char *end = buf + OUTPUT_NUMBER - 1;

	*end = '\0';
	end = put_digits(end, n < 0 ? -(uint64_t)n : (uint64_t)n);
	if (n < 0)
		*--end = '-';
	return end;
}

const char *output_decimal(double value, char buf[OUTPUT_NUMBER])
{
	double thousandths = (value < 0 ? -value : value) * 1000;
	char *at = buf + OUTPUT_NUMBER - 1;
	uint64_t n;

	if (!(thousandths < 9e15)) {
		snprintf(buf, OUTPUT_NUMBER, "%.17e", value);
		return buf;
	}
	n = (uint64_t)(thousandths + 0.5);
	*at = '\0';
	at = put_digits(at, 1000 + n % 1000);
	*at = '.';
	at = put_digits(at, n / 1000);
	if (value < 0)
		*--at = '-';
	return at;
}

const char *output_bytes(int64_t bytes, char buf[OUTPUT_NUMBER])
{
	static const char prefixes[] = "KMGTPE";
	const char *p = prefixes;
	double value = (double)bytes / 1024;
	double limit = 1023.95; /* rounds to 1024.0 */

	if (bytes > -1024 && bytes < 1024) {
		snprintf(buf, OUTPUT_NUMBER, "%d B", (int)bytes);
		return buf;
	}
	while ((value >= limit || value <= -limit) && p[1]) {
		value /= 1024;
		p++;
	}
	snprintf(buf, OUTPUT_NUMBER, "%.1f %ciB", value, *p);
	return buf;
}

const char *output_time(int64_t ns, char buf[OUTPUT_NUMBER])
{
	static const char *const units[] = {"us", "ms", "s"};
	const char *sign = ns < 0 ? "-" : "";
	uint64_t abs = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint64_t s = abs / 1000000000 + (abs % 1000000000 >= 500000000);
	double value = (double)abs / 1000;
	size_t unit = 0;
	int digits;

	if (abs < 1000) {
		snprintf(buf, OUTPUT_NUMBER, "%s%u ns", sign,
			 (unsigned int)abs);
		return buf;
	}
	while (unit < 2 && value >= 999.5) {
		value /= 1000;
		unit++;
	}
	if (unit == 2 && value >= 3599.5) {
		snprintf(buf, OUTPUT_NUMBER, "%s%lluh %02llum", sign,
			 (unsigned long long)(s / 3600),
			 (unsigned long long)(s / 60 % 60));
		return buf;
	}
	if (unit == 2 && value >= 99.95) {
		snprintf(buf, OUTPUT_NUMBER, "%s%um %02us", sign,
			 (unsigned int)(s / 60), (unsigned int)(s % 60));
		return buf;
	}
	digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
	snprintf(buf, OUTPUT_NUMBER, "%s%.*f %s", sign, digits, value,
		 units[unit]);
	return buf;
}

bool output_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

wchar_t output_bar_column(int64_t part, int64_t whole, unsigned int width,
			  unsigned int column)
{
	/* A full block, then one to seven eighths of one. */
	static const wchar_t blocks[] = L"\u2588\u258f\u258e\u258d"
					L"\u258c\u258b\u258a\u2589";
	bool utf8 = output_utf8();
	double share = whole > 0 ? (double)part / (double)whole : 0;
	unsigned int steps = utf8 ? 8 : 1;
	unsigned int filled;

	if (share < 0)
		share = 0;
	if (share > 1)
		share = 1;
	filled = (unsigned int)(share * width * steps + 0.5);
	if (column < filled / steps)
		return utf8 ? blocks[0] : L'#';
	if (column == filled / steps && filled % steps)
		return blocks[filled % steps];
	return L' ';
}

void output_bar(FILE *f, int64_t part, int64_t whole, unsigned int width)
{
	for (unsigned int column = 0; column < width; column++)
		fprintf(f, "%lc",
			(wint_t)output_bar_column(part, whole, width, column));
}

bool output_is_terminal(FILE *f)
{
	return isatty(fileno(f));
}

bool output_colour(FILE *f)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return output_is_terminal(f) && (!no_color || !*no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

unsigned int output_width(FILE *f)
{
	const char *columns = getenv("COLUMNS");
	bool terminal = output_is_terminal(f);
	uint64_t n = terminal ? 80 : OUTPUT_UNBOUND;
	struct winsize size;

	if (terminal && ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	if (columns)
		parse_number(columns, 1, OUTPUT_UNBOUND - 1, &n);
	return (unsigned int)n;
}
