// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/opt.h"

#define INTERVAL_MIN 0.001
#define INTERVAL_MAX 86400.0

bool opt_is_common(int opt)
{
	return opt == 'h' || opt == OPT_VERSION || opt == '?';
}

int opt_common(int opt, const char *help)
{
	switch (opt) {
	case 'h':
		fputs(help, stdout);
		return EXIT_SUCCESS;
	case OPT_VERSION:
		puts(PACKAGE_STRING);
		return EXIT_SUCCESS;
	default:
		return opt_unknown();
	}
}

int opt_unknown(void)
{
	fprintf(stderr, "Try '%s --help' for more information.\n",
		program_invocation_short_name);
	return 2;
}

int opt_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarnx(format, args);
	va_end(args);
	return opt_unknown();
}

int opt_invalid(const char *argument)
{
	return opt_error("invalid argument '%s'", argument);
}

/* ---- values ---------------------------------------------------------------- */

bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *n)
{
	uint64_t number = 0;

	if (!*text)
		return false;
	for (; *text; text++)
		if (*text < '0' || *text > '9' ||
		    __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *text - '0', &number))
			return false;
	if (number < min || number > max)
		return false;
	*n = number;
	return true;
}

bool parse_seconds(const char *text, double min, double max, int64_t *ns)
{
	char *end;
	double s = strtod(text, &end);

	/* NaN is in no range. */
	if (end == text || *end || !(s >= min && s <= max))
		return false;
	*ns = (int64_t)(s * 1e9);
	return true;
}

bool parse_interval(const char *text, int64_t *ns)
{
	return parse_seconds(text, INTERVAL_MIN, INTERVAL_MAX, ns);
}

static const char *parse_digits(const char *text, unsigned int max,
				unsigned int *n)
{
	char *end;
	unsigned long number;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || number > max)
		return NULL;
	*n = (unsigned int)number;
	return end;
}

const char *parse_range(const char *text, unsigned int max, unsigned int *first,
			unsigned int *last)
{
	text = parse_digits(text, max, first);
	if (!text)
		return NULL;
	*last = *first;
	if (*text == '-')
		text = parse_digits(text + 1, max, last);
	return *last < *first ? NULL : text;
}

int parse_word(const char *text, const char *const *words, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (!strcmp(text, words[i]))
			return (int)i;
	return -1;
}

int opt_number(const char *option, uint64_t min, uint64_t max, uint64_t *n)
{
	if (parse_number(optarg, min, max, n))
		return 0;
	if (max == UINT64_MAX)
		return opt_error("--%s: '%s' is not a number from %" PRIu64
				 " up",
				 option, optarg, min);
	return opt_error("--%s: '%s' is not in %" PRIu64 " to %" PRIu64, option,
			 optarg, min, max);
}

int opt_seconds(const char *option, double min, double max, int64_t *ns)
{
	if (parse_seconds(optarg, min, max, ns))
		return 0;
	return opt_error("--%s: '%s' is not in %.10g to %.10g", option, optarg,
			 min, max);
}

int opt_interval(const char *option, int64_t *ns)
{
	return opt_seconds(option, INTERVAL_MIN, INTERVAL_MAX, ns);
}

int opt_word(const char *option, const char *const *words, unsigned int nr,
	     unsigned int *index)
{
	int found = parse_word(optarg, words, nr);

	if (found >= 0) {
		*index = (unsigned int)found;
		return 0;
	}
	fprintf(stderr, "%s: --%s: '%s' is none of",
		program_invocation_short_name, option, optarg);
	for (unsigned int i = 0; i < nr; i++)
		fprintf(stderr, "%s %s", i ? "," : "", words[i]);
	fputc('\n', stderr);
	return opt_unknown();
}
