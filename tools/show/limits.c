// SPDX-License-Identifier: MIT
/* The limits of a ledger, and what is held under them, as text. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "show/internal.h"

static void print_cells(const struct tally_resource *r,
			const struct tally_limit *limit)
{
	char held[OUTPUT_NUMBER], most[OUTPUT_NUMBER], peak[OUTPUT_NUMBER];

	show_amount(r, limit->held, held);
	show_amount(r, limit->peak, peak);
	if (limit->limit == TALLY_LIMIT_NONE)
		snprintf(most, sizeof(most), "-");
	else
		show_amount(r, limit->limit, most);
	printf("  %10s%c %10s  %10s  %8llu\n", held, limit->over ? '!' : ' ',
	       most, peak, (unsigned long long)limit->nr_refused);
}

static void print_head(bool *any, const char *first)
{
	if (!*any)
		printf("\n%-26s  %10s  %10s  %10s  %8s\n", first, "held",
		       "limit", "peak", "refused");
	*any = true;
}

static int print_node(const struct tally_view *view, unsigned int index,
		      const char *resource)
{
	char *name = show_node(view, index);

	if (!name)
		return -ENOMEM;
	printf("%-*s", 26 - (int)text_width(name), resource);
	if (strlen(resource) + text_width(name) >= 26)
		printf("\n%*s", 26 - (int)text_width(name), "");
	fputs(name, stdout);
	free(name);
	return 0;
}

/* At most so many nodes for each resource, unless all are of this machine. */
static int print_nodes(const struct tally_view *view, size_t most)
{
	bool any = false, all = show_one_machine(view);

	for (unsigned int i = 0; i < tally_view_nr_resources(view); i++) {
		const struct tally_resource *r = tally_view_resource(view, i);
		size_t nr = 0;

		for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++) {
			int node = tally_view_node(view, n);
			struct tally_limit limit = {.size = sizeof(limit)};
			int err = tally_limit_node(view, node, i, &limit);

			if (err)
				return err;
			if (!show_matters(&limit))
				continue;
			if (nr++ >= most && !all)
				continue;
			print_head(&any, "reserved             node");
			err = print_node(view, n, nr == 1 ? r->name : "");
			if (err)
				return err;
			print_cells(r, &limit);
		}
		if (nr > most && !all)
			printf("%-26s  %zu more\n", "", nr - most);
	}
	return 0;
}

static int print_account(const struct tally_view *view,
			 const struct show_account *account, bool *any)
{
	char *key = NULL;
	int err = 0;

	for (unsigned int i = 0; !err && i < tally_view_nr_resources(view);
	     i++) {
		const struct tally_resource *r = tally_view_resource(view, i);
		struct tally_limit limit = {.size = sizeof(limit)};

		err = tally_limit_account(view, account->account, i, &limit);
		if (err ||
		    (limit.limit == TALLY_LIMIT_NONE && !limit.nr_refused))
			continue;
		print_head(any, "quotas");
		key = key ? key : text_escape(account->key);
		if (!key)
			return -ENOMEM;
		if (text_width(key) + 1 + strlen(r->name) > 26)
			printf("%s\n%-26s", key, r->name);
		else
			printf("%s %-*s", key, 25 - (int)text_width(key),
			       r->name);
		print_cells(r, &limit);
	}
	free(key);
	return err == -ESTALE ? 0 : err;
}

int show_limits(const struct tally_view *view, const struct show_look *look)
{
	bool any = false;
	int err = print_nodes(view, look->most_nodes);

	for (size_t i = 0; !err && i < look->nr; i++)
		err = print_account(view, &look->accounts[i], &any);
	return err;
}
