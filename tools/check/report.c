// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/internal.h"
#include "common/json.h"
#include "common/ledgers.h"

/* ---- JSON ---------------------------------------------------------------- */

static void put_placement(struct json_writer *w,
			  const struct tally_placement *p)
{
	json_put_uint(w, "pages", p->pages);
	json_put_uint(w, "placed", p->placed);
	json_put_uint(w, "misplaced", p->misplaced);
	json_put_uint(w, "unplaced", p->unplaced);
}

/* By node number; pages whose node the kernel does not tell are "unknown". */
static void put_homes(struct json_writer *w, const struct check_node *node)
{
	uint64_t unknown = 0;
	char id[16];

	json_open_object(w, "on");
	for (size_t i = 0; i < node->nr_homes; i++) {
		const struct check_home *home = &node->homes[i];

		if (home->node < 0) {
			unknown += home->pages;
			continue;
		}
		snprintf(id, sizeof(id), "%d", home->node);
		json_put_uint(w, id, home->pages);
	}
	if (unknown)
		json_put_uint(w, "unknown", unknown);
	json_close_object(w);
}

static void put_strays(struct json_writer *w, const struct check_node *node)
{
	json_open_array(w, "elsewhere");
	for (size_t i = 0; i < node->nr_strays; i++) {
		const struct check_page *page = &node->strays[i];

		json_open_object(w, NULL);
		json_put_uint(w, "offset", page->offset);
		if (page->on < 0)
			json_put_null(w, "on");
		else
			json_put_int(w, "on", page->on);
		json_close_object(w);
	}
	json_close_array(w);
}

static void put_node(struct json_writer *w, const struct check *check,
		     const struct check_node *node)
{
	json_open_object(w, NULL);
	json_put_int(w, "id", node->id);
	put_placement(w, &node->placement);
	put_homes(w, node);
	json_put_string(w, "why", node->why);
	if (check->verbose)
		put_strays(w, node);
	json_close_object(w);
}

static void put_texts(struct json_writer *w, const char *name,
		      char *const *texts, size_t nr)
{
	json_open_array(w, name);
	for (size_t i = 0; i < nr; i++)
		json_put_string(w, NULL, texts[i]);
	json_close_array(w);
}

int check_json(const struct check *check)
{
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_put_bytes(&w, "ledger", check->argument);
	json_put_bytes(&w, "path", check->path);
	put_placement(&w, &check->sum);
	put_texts(&w, "problems", check->problems, check->nr_told);
	json_put_uint(&w, "nr_problems", check->nr_problems);
	json_open_array(&w, "nodes");
	for (unsigned int n = 0; n < check->nr_nodes; n++)
		put_node(&w, check, &check->nodes[n]);
	json_close_array(&w);
	json_put_uint(&w, "accounts", check->nr_accounts);
	ledgers_put_writers(&w, "writers", &check->writers);
	put_texts(&w, "repaired", check->repaired, check->nr_repaired);
	json_close_object(&w);
	return json_finish(&w);
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

/* Where the pages are that are not known to be on their nodes. */
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
