// SPDX-License-Identifier: MIT
/* numatally stat in our own formats. */
#include "config.h"

#include <stdlib.h>

#include "common/root.h"
#include "common/verbs.h"
#include "stat/again.h"
#include "stat/line.h"

int stat_main(int argc, char **argv)
{
	struct stat_line line;
	int status;

	stat_line_begin(&line, argc, argv);
	status = stat_line_parse(&line, argc, argv);
	if (status < 0 && root_open(&line.o.root))
		status = EXIT_FAILURE;
	if (status < 0)
		status = line.o.by == STAT_BY_NODE ? stat_nodes_main(&line.o)
						   : stat_usage_main(&line.o);
	stat_line_end(&line);
	stat_again_end();
	return status;
}
