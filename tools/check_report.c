// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "output.h"
#include "text.h"

/* ---- JSON ---------------------------------------------------------------- */

/* By node number; what the kernel did not say is under "unknown". */
static json_t *json_homes(const struct check_node *node)
{
	json_t *homes = json_object();
	uint64_t unknown = 0;
	char id[16];

	for (size_t i = 0; i < node->nr_homes; i++) {
		const struct check_home *home = &node->homes[i];

		if (home->node < 0) {
			unknown += home->pages;
			continue;
		}
		snprintf(id, sizeof(id), "%d", home->node);
		if (json_object_set_new(homes, id,
					json_integer((json_int_t)home->pages)) <
		    0)
			goto fail;
	}
	if (unknown &&
	    json_object_set_new(homes, "unknown",
				json_integer((json_int_t)unknown)) < 0)
		goto fail;
	return homes;
fail:
	json_decref(homes);
	return NULL;
}

static json_t *json_strays(const struct check_node *node)
{
	json_t *strays = json_array();

	for (size_t i = 0; i < node->nr_strays; i++) {
		const struct check_page *page = &node->strays[i];
		json_t *on = page->on < 0 ? json_null()
					  : json_integer(page->on);

		if (json_array_append_new(strays,
					  json_pack("{s:I, s:o}", "offset",
						    (json_int_t)page->offset,
						    "on", on)) < 0) {
			json_decref(strays);
			return NULL;
		}
	}
	return strays;
}

static json_t *json_node(const struct check *check,
			 const struct check_node *node)
{
	const struct tally_placement *p = &node->placement;
	json_t *object = json_pack("{s:i, s:I, s:I, s:I, s:I, s:o, s:s?}", "id",
				   node->id, "pages", (json_int_t)p->pages,
				   "placed", (json_int_t)p->placed, "misplaced",
				   (json_int_t)p->misplaced, "unplaced",
				   (json_int_t)p->unplaced, "on",
				   json_homes(node), "why", node->why);

	if (object && check->verbose &&
	    json_object_set_new(object, "elsewhere", json_strays(node)) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *json_nodes(const struct check *check)
{
	json_t *nodes = json_array();

	for (unsigned int n = 0; n < check->nr_nodes; n++)
		if (json_array_append_new(
			    nodes, json_node(check, &check->nodes[n])) < 0) {
			json_decref(nodes);
			return NULL;
		}
	return nodes;
}

static json_t *json_texts(char **texts, size_t nr)
{
	json_t *problems = json_array();

	for (size_t i = 0; i < nr; i++)
		if (json_array_append_new(problems, text_json(texts[i])) < 0) {
			json_decref(problems);
			return NULL;
		}
	return problems;
}

int check_json(const struct check *check)
{
	const struct tally_placement *sum = &check->sum;

	return output_json(
		stdout,
		json_pack("{s:i, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:I, s:o, "
			  "s:I, s:o, s:o}",
			  "version", 1, "ledger", text_json(check->argument),
			  "path", text_json(check->path), "pages",
			  (json_int_t)sum->pages, "placed",
			  (json_int_t)sum->placed, "misplaced",
			  (json_int_t)sum->misplaced, "unplaced",
			  (json_int_t)sum->unplaced, "problems",
			  json_texts(check->problems, check->nr_told),
			  "nr_problems", (json_int_t)check->nr_problems,
			  "nodes", json_nodes(check), "accounts",
			  (json_int_t)check->nr_accounts, "writers",
			  ledgers_json_writers(&check->writers), "repaired",
			  json_texts(check->repaired, check->nr_repaired)));
}

/* ---- text ---------------------------------------------------------------- */

static void print_row(const char *node, const struct tally_placement *p)
{
	printf("%4s  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "  %9" PRIu64 "\n",
	       node, p->pages, p->placed, p->misplaced, p->unplaced);
}

static void print_nodes(const struct check *check)
{
	char id[16];

	printf("%4s  %9s  %9s  %9s  %9s\n", "node", "pages", "placed",
	       "misplaced", "unplaced");
	for (unsigned int n = 0; n < check->nr_nodes; n++) {
		snprintf(id, sizeof(id), "%d", check->nodes[n].id);
		print_row(id, &check->nodes[n].placement);
	}
	if (check->nr_nodes > 1)
		print_row("all", &check->sum);
}

static void print_stray(const struct check_node *node,
			const struct check_page *page)
{
	printf("node %d: page at 0x%zx is on ", node->id, page->offset);
	if (page->on < 0)
		printf("a node that is not known: %s\n", strerror(-page->on));
	else
		printf("node %d\n", page->on);
}

static void print_homes(const struct check_node *node)
{
	const char *lead = "on ";

	printf("node %d: ", node->id);
	for (size_t i = 0; i < node->nr_homes; i++) {
		const struct check_home *home = &node->homes[i];

		if (home->node < 0)
			printf("%sno known node: %" PRIu64, lead, home->pages);
		else
			printf("%snode %d: %" PRIu64, lead, home->node,
			       home->pages);
		lead = ", ";
	}
	printf(" page%s\n", node->placement.pages == 1 ? "" : "s");
}

/* Where the pages are that are not known to be where they should. */
static void print_elsewhere(const struct check *check)
{
	bool gap = false;

	for (unsigned int n = 0; n < check->nr_nodes; n++) {
		const struct check_node *node = &check->nodes[n];

		if (!node->placement.misplaced && !node->placement.unplaced)
			continue;
		if (!gap)
			putchar('\n');
		gap = true;
		if (node->why)
			printf("node %d: unplaced: %s\n", node->id, node->why);
		print_homes(node);
		for (size_t i = 0; i < node->nr_strays; i++)
			print_stray(node, &node->strays[i]);
	}
}

static void print_problems(const struct check *check)
{
	if (check->nr_repaired)
		putchar('\n');
	for (size_t i = 0; i < check->nr_repaired; i++)
		printf("repaired: %s\n", check->repaired[i]);
	if (check->nr_problems)
		putchar('\n');
	for (size_t i = 0; i < check->nr_told; i++)
		printf("problem: %s\n", check->problems[i]);
	if (check->nr_problems > check->nr_told)
		printf("and %zu more problems\n",
		       check->nr_problems - check->nr_told);
}

static void print_verdict(const struct check *check)
{
	const struct tally_placement *sum = &check->sum;
	const char *lead = "";

	putchar('\n');
	if (!sum->misplaced && !sum->unplaced && !check->nr_problems) {
		puts("all pages are on their nodes; no problems");
		return;
	}
	if (sum->misplaced) {
		printf("%" PRIu64 " misplaced", sum->misplaced);
		lead = ", ";
	}
	if (sum->unplaced) {
		printf("%s%" PRIu64 " unplaced", lead, sum->unplaced);
		lead = ", ";
	}
	if (check->nr_problems)
		printf("%s%zu problem%s", lead, check->nr_problems,
		       check->nr_problems == 1 ? "" : "s");
	putchar('\n');
}

int check_text(const struct check *check)
{
	int err = ledgers_print_head(check->argument, check->nr_accounts,
				     check->reader);

	if (err)
		return err;
	puts("\n");
	print_nodes(check);
	print_elsewhere(check);
	print_problems(check);
	print_verdict(check);
	return 0;
}
