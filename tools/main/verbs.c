// SPDX-License-Identifier: MIT
/* numatally-verbs VERB: numatally executes it for all but numastat's tables.
 * Its messages begin with numatally. */
#include "config.h"

#include <err.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/verbs.h"

static const struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
} verbs[] = {
#define VERB(name, summary) {#name, name##_main},
	VERBS(VERB)
#undef VERB
};

static int dispatch(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (argc > 1 && !strcmp(verbs[i].name, argv[1]))
			return run_verb(verbs[i].main, argc - 1, argv + 1);
	warnx("for numatally alone to execute");
	return 2;
}

int main(int argc, char **argv)
{
	occupy_standard_files();
	setlocale(LC_CTYPE, "");
	return close_stdout(dispatch(argc, argv));
}
