// SPDX-License-Identifier: MIT
/* The limits of a ledger, and what is held against them. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"
#include "text.h"

/* Whether there is something to say of it. */
static bool matters(const struct tally_limit *limit)
{
	return limit->limit != TALLY_LIMIT_NONE || limit->held || limit->peak ||
	       limit->nr_refused;
}

static int set(json_t *object, const char *member, const char *name,
	       int64_t value)
{
	json_t *inner = json_object_get(object, member);

	if (!inner) {
		inner = json_object();
		if (json_object_set_new(object, member, inner) < 0)
			return -ENOMEM;
	}
	return json_object_set_new(inner, name, json_integer(value)) < 0
		       ? -ENOMEM
		       : 0;
}

/* What is set by nobody is left out, but for the member that is promised. */
static int set_limit(json_t *object, const char *member, const char *name,
		     const struct tally_limit *limit)
{
	int err = 0;

	if (limit->limit != TALLY_LIMIT_NONE)
		err = set(object, member, name, limit->limit);
	if (!err && matters(limit))
		err = set(object, "held", name, limit->held);
	if (!err && matters(limit))
		err = set(object, "peak", name, limit->peak);
	if (!err && matters(limit))
		err = set(object, "refused", name, (int64_t)limit->nr_refused);
	return err;
}

int show_json_node_limits(const struct tally_view *view, int node,
			  json_t *object)
{
	int err = 0;

	if (json_object_set_new(object, "capacity", json_object()) < 0)
		return -ENOMEM;
	for (unsigned int i = 0; !err && i < tally_view_nr_resources(view);
	     i++) {
		struct tally_limit limit;

		err = tally_limit_node(view, node, i, &limit);
		if (!err)
			err = set_limit(object, "capacity",
					tally_view_resource(view, i)->name,
					&limit);
	}
	return err;
}

static int set_reservation(const struct tally_view *view,
			   struct tally_account account, json_t *object)
{
	struct tally_reservation r;
	json_t *inner;
	int err = tally_limit_find(view, account, &r);

	if (err)
		return err == -ENOENT ? 0 : err;
	inner = json_pack("{s:s}", "state",
			  r.state == TALLY_COMMITTED ? "committed"
						     : "reserved");
	if (r.deadline_ns != INT64_MAX &&
	    json_object_set_new(inner, "deadline_monotonic_ns",
				json_integer(r.deadline_ns)) < 0) {
		json_decref(inner);
		return -ENOMEM;
	}
	return json_object_set_new(object, "reservation", inner) < 0 ? -ENOMEM
								     : 0;
}

int show_json_account_limits(const struct tally_view *view,
			     struct tally_account account, json_t *object)
{
	int err = set_reservation(view, account, object);

	for (unsigned int i = 0; !err && i < tally_view_nr_resources(view);
	     i++) {
		struct tally_limit limit;

		err = tally_limit_account(view, account, i, &limit);
		if (!err &&
		    (limit.limit != TALLY_LIMIT_NONE || limit.nr_refused))
			err = set_limit(object, "quota",
					tally_view_resource(view, i)->name,
					&limit);
	}
	return err == -ESTALE ? 0 : err;
}

/* ---- text ---------------------------------------------------------------- */

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

static int print_nodes(const struct tally_view *view)
{
	bool any = false;

	for (unsigned int i = 0; i < tally_view_nr_resources(view); i++) {
		const struct tally_resource *r = tally_view_resource(view, i);
		bool named = false;

		for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++) {
			int node = tally_view_node(view, n);
			struct tally_limit limit;
			int err = tally_limit_node(view, node, i, &limit);

			if (err)
				return err;
			if (!matters(&limit))
				continue;
			print_head(&any, "reserved             node");
			printf("%-20s %5d", named ? "" : r->name, node);
			named = true;
			print_cells(r, &limit);
		}
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
		struct tally_limit limit;

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
	int err = print_nodes(view);

	for (size_t i = 0; !err && i < look->nr; i++)
		err = print_account(view, &look->accounts[i], &any);
	return err;
}
