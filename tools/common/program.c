// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <locale.h>
#include <string.h>

#include "common/stdout.h"
#include "common/verbs.h"

static int dispatch(const struct verb *verbs, int argc, char **argv)
{
	for (; argc > 1 && verbs->name; verbs++)
		if (!strcmp(verbs->name, argv[1]))
			return run_verb(verbs->main, argc - 1, argv + 1);
	warnx("for numatally alone to execute");
	return 2;
}

int program_main(const struct verb *verbs, int argc, char **argv)
{
	occupy_standard_files();
	setlocale(LC_CTYPE, "");
	return stdout_close(dispatch(verbs, argc, argv));
}
