/* SPDX-License-Identifier: MIT */
/* Options and operands of a verb: values, help, and wrong usage. */
#ifndef TOOL_COMMON_OPT_H
#define TOOL_COMMON_OPT_H

#include <stdbool.h>
#include <stdint.h>

/* What is wrong is printed after program_invocation_short_name, which is
 * "numatally VERB". */

/* The options of every verb, which end its list; OPT_LETTERS are their letters.
 * A verb that prints JSON has -j, and one that repeats has -i. */
#define OPT_LETTERS "h"
/* clang-format off */
#define OPT_END                                      \
	{"help", no_argument, NULL, 'h'},            \
	{"version", no_argument, NULL, OPT_VERSION}, \
	{NULL, 0, NULL, 0}
/* clang-format on */
enum {
	OPT_VERSION = 256,
	OPT_OWN, /* the first of a verb's own options without a letter */
};

/* Whether @opt is one of these, or what getopt_long() has complained of: then
 * opt_common() takes it, and returns the exit status. */
bool opt_is_common(int opt);
int opt_common(int opt, const char *help);

/* Print one line that tells what is wrong, and a line that points to --help, on
 * stderr. Returns the exit status 2. */
int opt_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, where getopt_long() has printed what is wrong. */
int opt_unknown(void);

/* The same, of an argument that should not be there: "invalid argument 'x'". */
int opt_invalid(const char *argument);

/* ---- values ---------------------------------------------------------------- */

/* Parse a decimal number, digits alone, of @min to @max. */
bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *n);

/* Parse seconds, of @min to @max, which may have decimals. */
bool parse_seconds(const char *text, double min, double max, int64_t *ns);

/* The same of 0.001 to 86400. */
bool parse_interval(const char *text, int64_t *ns);

/* Parse "N" or "N-M", of 0 to @max. Returns the text behind it, or NULL. */
const char *parse_range(const char *text, unsigned int max, unsigned int *first,
			unsigned int *last);

/* Look @text up. Returns its index, or -1. */
int parse_word(const char *text, const char *const *words, unsigned int nr);

/*
 * Parse the value of a long option, which is in optarg. Return 0; or 2 after
 * opt_error(), with @n, @ns or @index untouched.
 */
int opt_number(const char *option, uint64_t min, uint64_t max, uint64_t *n);
int opt_seconds(const char *option, double min, double max, int64_t *ns);
int opt_interval(const char *option, int64_t *ns);
int opt_word(const char *option, const char *const *words, unsigned int nr,
	     unsigned int *index);

#endif
