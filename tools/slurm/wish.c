// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/wish.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const policies[] = {
	[TALLY_PLACE_NONE] = "",
	[TALLY_PLACE_BEST_EFFORT] = "best-effort",
	[TALLY_PLACE_RESTRICTED] = "restricted",
	[TALLY_PLACE_SINGLE_NODE] = "single-numa-node",
};

enum { NR_POLICIES = sizeof(policies) / sizeof(policies[0]) };

const char *wish_policy(const struct wish *w)
{
	return policies[w->policy];
}

bool wish_has_node(const struct wish *w, int node)
{
	return !w->has_nodes ||
	       (node < WISH_MAX_NODES && w->nodes[node / 64] >> node % 64 & 1);
}

/* One number, or two of a range, up to @end. */
static bool parse_nodes(struct wish *w, const char *text, const char *end)
{
	unsigned long first, last;
	char *at;

	if (!isdigit((unsigned char)*text))
		return false;
	first = last = strtoul(text, &at, 10);
	if (*at == '-' && isdigit((unsigned char)at[1]))
		last = strtoul(at + 1, &at, 10);
	if (at != end || last < first || last >= WISH_MAX_NODES)
		return false;
	for (unsigned long n = first; n <= last; n++)
		w->nodes[n / 64] |= UINT64_C(1) << n % 64;
	w->has_nodes = true;
	return true;
}

static bool parse_policy(struct wish *w, const char *text, size_t length)
{
	for (unsigned int i = TALLY_PLACE_NONE + 1; i < NR_POLICIES; i++) {
		if (strlen(policies[i]) != length ||
		    strncmp(policies[i], text, length) != 0)
			continue;
		if (w->policy != TALLY_PLACE_NONE)
			return false;
		w->policy = (enum tally_place_policy)i;
		return true;
	}
	return false;
}

int wish_parse(const char *text, struct wish *wish, char *why, size_t bytes)
{
	struct wish w = {.policy = TALLY_PLACE_NONE};
	bool in_list = false;

	for (const char *at = text, *end;; at = end + 1) {
		const char *list = at;

		end = at + strcspn(at, ",");
		if (!strncmp(at, "nodes=", 6)) {
			list = at + 6;
			in_list = true;
		}
		if (!in_list || !parse_nodes(&w, list, end)) {
			in_list = false;
			if (list != at ||
			    !parse_policy(&w, at, (size_t)(end - at))) {
				snprintf(why, bytes,
					 "invalid argument '%.*s' of "
					 "--numatally: it takes "
					 "single-numa-node, restricted or "
					 "best-effort, and nodes=LIST, as "
					 "nodes=0,2-3",
					 (int)(end - at), at);
				return -EINVAL;
			}
		}
		if (!*end)
			break;
	}
	*wish = w;
	return 0;
}
