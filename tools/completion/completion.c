// SPDX-License-Identifier: MIT
/* numatally completion: print what a shell completes numatally with. */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/opt.h"
#include "common/verbs.h"
#include "completion/bash.h"

static const char help[] =
	"Usage: numatally completion [SHELL]\n"
	"\n"
	"Print what SHELL, bash, reads to complete verbs, options and ledgers:\n"
	"\n"
	"  source <(numatally completion)\n"
	"\n"
	"  -h, --help     print this help\n"
	"      --version  print the version\n"
	"\n"
	"See numatally-completion(1).\n";

int completion_main(int argc, char **argv)
{
	static const struct option options[] = {
		OPT_END,
	};
	int opt = getopt_long(argc, argv, OPT_LETTERS, options, NULL);

	if (opt != -1)
		return opt_common(opt, help);
	if (optind < argc && strcmp(argv[optind], "bash") != 0)
		return opt_error("no completion for '%s', but for bash",
				 argv[optind]);
	if (optind + 1 < argc)
		return opt_invalid(argv[optind + 1]);
	fputs(completion_bash, stdout);
	return EXIT_SUCCESS;
}
