// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "common/array.h"

void check_problem(struct check *check, const char *pattern, ...)
{
	va_list args;
	char *text;
	int n;

	if (check->nr_problems++ >= CHECK_MAX_PROBLEMS)
		return;
	va_start(args, pattern);
	n = vasprintf(&text, pattern, args);
	va_end(args);
	if (n < 0)
		err(EXIT_FAILURE, NULL);
	check->problems[check->nr_told++] = text;
}

int check_repaired(void *check_arg, const char *problem)
{
	struct check *check = check_arg;

	if (array_reserve(check->repaired, check->room_repaired,
			  check->nr_repaired + 1))
		return -ENOMEM;
	check->repaired[check->nr_repaired] = strdup(problem);
	return check->repaired[check->nr_repaired++] ? 0 : -ENOMEM;
}

void check_free_problems(struct check *check)
{
	for (size_t i = 0; i < check->nr_told; i++)
		free(check->problems[i]);
	for (size_t i = 0; i < check->nr_repaired; i++)
		free(check->repaired[i]);
	free(check->repaired);
}
