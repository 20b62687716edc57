// SPDX-License-Identifier: MIT
/* Noting problems, and repairing words that follow from others. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "limit/check.h"

void check_tell(struct limit_check *c, const char *pattern, ...)
{
	va_list args;
	char *text;
	int n;

	if (c->err || c->nr_problems == LIMIT_CHECK_PROBLEMS)
		return;
	va_start(args, pattern);
	n = vasprintf(&text, pattern, args);
	va_end(args);
	if (n < 0)
		c->err = -ENOMEM;
	else
		c->problems[c->nr_problems++] = text;
}

const char *check_node(struct limit_check *c, uint32_t node)
{
	int id;
	const char *machine = tally_view_machine(c->view, node, &id);

	if (machine && c->layout->header.params.nr_machines > 1)
		snprintf(c->node, sizeof(c->node), "%s/%d", machine, id);
	else
		snprintf(c->node, sizeof(c->node), "%d", id);
	return c->node;
}

void check_forget(struct limit_check *c)
{
	while (c->nr_problems)
		free(c->problems[--c->nr_problems]);
}

void check_put(struct limit_check *c, const void *word, uint64_t value)
{
	if (!c->repaired)
		return;
	limit_set(c->repaired->layout,
		  c->repaired->layout->origin +
			  ((const char *)word - c->layout->origin),
		  value);
	limit_keep(c->repaired->layout);
}
