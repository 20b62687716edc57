// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/absent.h"

/* Append the run, and what follows it. */
static void end_run(struct absent *a, const char *then)
{
	char *text;
	int n = a->first == a->last
			? asprintf(&text, "%s%u%s", a->text ? a->text : "",
				   a->first, then)
			: asprintf(&text, "%s%u-%u%s", a->text ? a->text : "",
				   a->first, a->last, then);

	if (n < 0)
		err(EXIT_FAILURE, NULL);
	free(a->text);
	a->text = text;
}

void absent_add(struct absent *a, unsigned int node)
{
	if (a->nr && node == a->last + 1) {
		a->last = node;
	} else {
		if (a->nr)
			end_run(a, ", ");
		a->first = a->last = node;
	}
	a->nr++;
}

void absent_tell(struct absent *a)
{
	if (!a->nr)
		return;
	end_run(a, "");
	warnx("no node%s %s", a->nr > 1 ? "s" : "", a->text);
	free(a->text);
	*a = (struct absent){.nr = 0};
}
