// SPDX-License-Identifier: MIT
#include "config.h"

#include <string.h>

#include "common/group.h"

/* Move behind each "/.." that a name begins with, and count them. */
static unsigned int skip_up(const char **name)
{
	unsigned int nr = 0;

	while (!strncmp(*name, "/..", 3) &&
	       ((*name)[3] == '/' || !(*name)[3])) {
		*name += 3;
		nr++;
	}
	if (!strcmp(*name, "/"))
		++*name;
	return nr;
}

bool group_is_in(const char *name, const char *of)
{
	unsigned int up, of_up;
	size_t n;

	if (!*name || !*of)
		return !*name && !*of;
	up = skip_up(&name);
	of_up = skip_up(&of);
	n = strlen(of);
	if (!n)
		return up <= of_up;
	return up == of_up && !strncmp(name, of, n) &&
	       (name[n] == '/' || !name[n]);
}

bool group_sum_failed(const struct tally_process_sum *sum)
{
	return sum->nr_failed && sum->nr_failed >= sum->nr_processes;
}

bool group_sum_knows(const struct tally_process_sum *sum)
{
	return !group_sum_failed(sum) || sum->all.total.upper_bytes;
}

const struct tally_process_sum *
group_sum(const struct tally_process_stats *processes, const char *name)
{
	unsigned int nr = tally_kernel_processes_nr_sums(processes);
	const struct tally_process_sum *first = NULL;

	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_process_sum *sum =
			tally_kernel_processes_sum_at(processes, i);

		if (!strcmp(sum->cgroup, name))
			return sum;
		if (!first && *sum->cgroup)
			first = sum;
	}
	/* There is no sum of a cgroup that holds all that have processes. */
	return first && group_is_in(first->cgroup, name) ? first : NULL;
}
