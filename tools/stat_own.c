// SPDX-License-Identifier: MIT
/* numatally stat, where the output is our own: which part answers. */
#include "config.h"

#include <err.h>

#include "stat.h"

static const struct part {
	enum stat_by by;
	int (*main)(const struct stat_options *o);
} parts[] = {
	{STAT_BY_NODE, stat_nodes_main},
	{STAT_BY_PROCESS, stat_usage_main},
	{STAT_BY_CGROUP, stat_usage_main},
	{STAT_BY_USER, stat_usage_main},
};

int stat_run(const struct stat_options *o)
{
	for (unsigned int i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i].by == o->by && parts[i].main)
			return parts[i].main(o);
	warnx("there is no such output");
	return 2;
}
