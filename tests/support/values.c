// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "support/values.h"

struct walk {
	const struct tally_view *view;
	int (*each)(void *arg, const struct value *value);
	void *arg;
	int64_t *amounts;
};

static int of_account(const struct walk *w, struct tally_account account,
		      struct value *value)
{
	for (unsigned int n = 0; n < tally_view_nr_nodes(w->view); n++) {
		int err;

		value->node = tally_view_node(w->view, n);
		err = tally_view_account(w->view, account, value->node,
					 w->amounts);
		if (err == -ESTALE)
			return 0; /* gone meanwhile */
		for (unsigned int i = 0;
		     !err && i < tally_view_nr_resources(w->view); i++) {
			value->resource = i;
			value->amount = w->amounts[i];
			if (value->amount)
				err = w->each(w->arg, value);
		}
		if (err)
			return err;
	}
	return 0;
}

int values_each(const struct tally_view *view,
		int (*each)(void *arg, const struct value *value), void *arg)
{
	size_t bytes = tally_account_key_bytes(tally_view_accounts(view));
	struct walk w = {
		.view = view,
		.each = each,
		.arg = arg,
		.amounts = calloc(tally_view_nr_resources(view),
				  sizeof(*w.amounts)),
	};
	struct tally_account account;
	char *key = malloc(bytes);
	struct value value = {.key = key};
	uint64_t cursor = 0;
	int err = key && w.amounts ? 0 : -ENOMEM;

	while (!err) {
		err = tally_view_next(view, &cursor, &account, key, bytes);
		if (!err)
			err = of_account(&w, account, &value);
		else if (err == -ENOENT)
			break;
	}
	free(w.amounts);
	free(key);
	return err == -ENOENT ? 0 : err;
}

static int count(void *arg, const struct value *value)
{
	(void)value;
	++*(int *)arg;
	return 0;
}

int values_count(const struct tally_view *view)
{
	int nr = 0, err = values_each(view, count, &nr);

	return err ? err : nr;
}
