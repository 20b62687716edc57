// SPDX-License-Identifier: MIT
/* numatally topo: what nodes there are. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/topo.h>

#include "output.h"
#include "verbs.h"

static const char help[] =
	"Usage: numatally topo [--json] [--root DIR]\n"
	"\n"
	"Lists the NUMA nodes: their CPUs, memory, tiers and distances.\n"
	"\n"
	"  --json      write JSON\n"
	"  --root DIR  read the captured /sys and /proc below DIR, not this\n"
	"              machine's\n"
	"  --help      show this\n"
	"\n"
	"A tier of 0 is the fastest memory; '-' is what is not known.\n";

/* ---- JSON ---------------------------------------------------------------- */

static json_t *json_or_null(int64_t value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *json_distances(const struct tally_topo *topo,
			      const struct tally_node *node)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	json_t *object = json_object();
	char key[16];

	for (unsigned int i = 0; node->distances && i < nr; i++) {
		snprintf(key, sizeof(key), "%d", tally_topo_node(topo, i)->id);
		if (json_object_set_new(object, key,
					json_integer(node->distances[i])) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static json_t *json_node(const struct tally_topo *topo,
			 const struct tally_node *node)
{
	json_t *cpus = json_array();

	for (unsigned int i = 0; i < node->nr_cpus; i++)
		if (json_array_append_new(cpus, json_integer(node->cpus[i])) <
		    0) {
			json_decref(cpus);
			return NULL;
		}
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:s?}", "id", node->id,
			 "cpus", cpus, "memory_bytes",
			 json_or_null(node->memory_bytes), "distances",
			 json_distances(topo, node), "tier",
			 json_or_null(node->tier), "memory_kind", node->memory);
}

/* Online CPUs that no listed node has. */
static json_t *json_stray_cpus(const struct tally_topo *topo)
{
	int nr = (int)tally_topo_nr_cpus(topo);
	json_t *cpus = json_array();

	for (int cpu = 0; cpu < nr; cpu++)
		if (tally_topo_cpu_online(topo, cpu) &&
		    tally_topo_cpu_node(topo, cpu) < 0 &&
		    json_array_append_new(cpus, json_integer(cpu)) < 0) {
			json_decref(cpus);
			return NULL;
		}
	return cpus;
}

static int print_json(const struct tally_topo *topo)
{
	json_t *nodes = json_array();
	int err;

	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++)
		if (json_array_append_new(
			    nodes, json_node(topo, tally_topo_node(topo, i))) <
		    0) {
			json_decref(nodes);
			nodes = NULL;
			break;
		}
	err = output_json(stdout, json_pack("{s:i, s:o, s:o}", "version", 1,
					    "nodes", nodes, "cpus_without_node",
					    json_stray_cpus(topo)));
	if (err == -ENOMEM)
		warnx("no memory for the JSON");
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- text ---------------------------------------------------------------- */

/*
 * Writes words, broken into lines of at most width columns, of which the
 * second and following begin at column indent.
 */
struct lines {
	unsigned int indent;
	unsigned int width;
	unsigned int column;
};

static void put_word(struct lines *lines, const char *word)
{
	unsigned int len = (unsigned int)strlen(word);

	if (lines->column > lines->indent &&
	    lines->column + len > lines->width) {
		printf("\n%*s", (int)lines->indent, "");
		lines->column = lines->indent;
	}
	fputs(word, stdout);
	lines->column += len;
}

static void put_range(struct lines *lines, const char *lead, int first,
		      int last, bool more)
{
	const char *comma = more ? "," : "";
	char word[64];

	if (first == last)
		snprintf(word, sizeof(word), "%s%d%s", lead, first, comma);
	else
		snprintf(word, sizeof(word), "%s%d-%d%s", lead, first, last,
			 comma);
	put_word(lines, word);
}

/* lead, and ascending numbers as "0-3,8", or '-' where there are none. */
static void put_list(struct lines *lines, const char *lead, const int *ids,
		     unsigned int nr)
{
	unsigned int first = 0;

	if (!nr)
		put_word(lines, "-");
	for (unsigned int i = 1; i <= nr; i++)
		if (i == nr || ids[i] != ids[i - 1] + 1) {
			put_range(lines, first ? "" : lead, ids[first],
				  ids[i - 1], i < nr);
			first = i;
		}
}

static void put_heading(const char *text)
{
	bool bold = output_colour(stdout);

	printf("%s%s%s\n", bold ? "\033[1m" : "", text, bold ? "\033[m" : "");
}

static void print_nodes(const struct tally_topo *topo, unsigned int width)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	bool tiers = false, kinds = false;
	char text[OUTPUT_NUMBER], heading[64];

	for (unsigned int i = 0; i < nr; i++) {
		tiers |= tally_topo_node(topo, i)->tier >= 0;
		kinds |= tally_topo_node(topo, i)->memory != NULL;
	}
	snprintf(heading, sizeof(heading), "%4s  %10s%s%s  %s", "node",
		 "memory", tiers ? "  tier" : "", kinds ? "  kind" : "",
		 "cpus");
	put_heading(heading);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node *node = tally_topo_node(topo, i);
		struct lines lines = {.width = width};

		lines.indent = (unsigned int)printf(
			"%4d  %10s", node->id,
			node->memory_bytes < 0
				? "-"
				: output_bytes(node->memory_bytes, text));
		if (tiers && node->tier >= 0)
			lines.indent +=
				(unsigned int)printf("  %4d", node->tier);
		else if (tiers)
			lines.indent += (unsigned int)printf("  %4s", "-");
		if (kinds)
			lines.indent += (unsigned int)printf(
				"  %-4s", node->memory ? node->memory : "-");
		lines.indent += (unsigned int)printf("  ");
		lines.column = lines.indent;
		put_list(&lines, "", node->cpus, node->nr_cpus);
		putchar('\n');
	}
}

static void print_stray_cpus(const struct tally_topo *topo, unsigned int width)
{
	static const char label[] = "CPUs on none of these nodes:";
	struct lines lines = {.indent = 2, .width = width};
	unsigned int max = tally_topo_nr_cpus(topo), nr = 0;
	int *cpus = calloc(max, sizeof(*cpus));

	if (!cpus)
		err(EXIT_FAILURE, NULL);
	for (int cpu = 0; cpu < (int)max; cpu++)
		if (tally_topo_cpu_online(topo, cpu) &&
		    tally_topo_cpu_node(topo, cpu) < 0)
			cpus[nr++] = cpu;
	if (nr) {
		fputs(label, stdout);
		lines.column = sizeof(label) - 1;
		put_list(&lines, " ", cpus, nr);
		putchar('\n');
	}
	free(cpus);
}

static unsigned int digits(int number)
{
	return (unsigned int)snprintf(NULL, 0, "%d", number);
}

/* The columns that the widest number of the matrix needs. */
static unsigned int cell_width(const struct tally_topo *topo)
{
	unsigned int nr = tally_topo_nr_nodes(topo), widest = 2;

	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node *node = tally_topo_node(topo, i);

		if (digits(node->id) > widest)
			widest = digits(node->id);
		for (unsigned int j = 0; node->distances && j < nr; j++)
			if (digits(node->distances[j]) > widest)
				widest = digits(node->distances[j]);
	}
	return widest;
}

static void print_matrix(const struct tally_topo *topo, int cell)
{
	unsigned int nr = tally_topo_nr_nodes(topo);

	printf("%4s", "");
	for (unsigned int i = 0; i < nr; i++)
		printf("  %*d", cell, tally_topo_node(topo, i)->id);
	putchar('\n');
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node *node = tally_topo_node(topo, i);

		printf("%4d", node->id);
		for (unsigned int j = 0; j < nr; j++)
			if (node->distances)
				printf("  %*d", cell, node->distances[j]);
			else
				printf("  %*s", cell, "-");
		putchar('\n');
	}
}

/* The nodes at one distance from a node. */
static void put_group(struct lines *lines, const struct tally_topo *topo,
		      const struct tally_node *node, int distance, int *ids)
{
	unsigned int nr = 0;
	char label[16];

	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++)
		if (node->distances[i] == distance)
			ids[nr++] = tally_topo_node(topo, i)->id;
	snprintf(label, sizeof(label), "  %d: ", distance);
	put_list(lines, label, ids, nr);
}

/* For each node, the others by distance: what a wide matrix says, narrower. */
static void print_groups(const struct tally_topo *topo, unsigned int width)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	int *ids = calloc(nr, sizeof(*ids));

	if (!ids)
		err(EXIT_FAILURE, NULL);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node *node = tally_topo_node(topo, i);
		struct lines lines = {.indent = 6, .width = width, .column = 4};
		int last = 0;

		printf("%4d", node->id);
		for (; node->distances;) {
			int next = 0;

			for (unsigned int j = 0; j < nr; j++) {
				int d = node->distances[j];

				if (d > last && (!next || d < next))
					next = d;
			}
			if (!next)
				break;
			put_group(&lines, topo, node, next, ids);
			last = next;
		}
		puts(node->distances ? "" : "  -");
	}
	free(ids);
}

static void print_distances(const struct tally_topo *topo, unsigned int width)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	unsigned int cell = cell_width(topo);
	bool known = false;

	for (unsigned int i = 0; i < nr; i++)
		known |= tally_topo_node(topo, i)->distances != NULL;
	putchar('\n');
	if (!known) {
		puts("distances: not known");
	} else if (4 + (size_t)nr * (cell + 2) <= width) {
		put_heading("distances");
		print_matrix(topo, (int)cell);
	} else {
		put_heading("distances, and the nodes at each");
		print_groups(topo, width);
	}
}

static int print_text(const struct tally_topo *topo)
{
	unsigned int width = output_width(stdout, 80);

	print_nodes(topo, width);
	print_stray_cpus(topo, width);
	print_distances(topo, width);
	return EXIT_SUCCESS;
}

int topo_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"root", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct tally_topo *topo;
	const char *root = NULL;
	bool json = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'j':
			json = true;
			break;
		case 'r':
			root = optarg;
			break;
		case 'h':
			return usage_help(help);
		default:
			return usage_error(help);
		}
	if (optind < argc) {
		warnx("what is '%s'?", argv[optind]);
		return usage_error(help);
	}
	status = tally_topo_open(root, &topo);
	if (status == -ENOENT && root) {
		warnx("%s: no captured machine: no CPUs in "
		      "sys/devices/system/cpu",
		      root);
		return EXIT_FAILURE;
	}
	if (status < 0) {
		errno = -status;
		warn("%s", root ? root : "/sys");
		return EXIT_FAILURE;
	}
	status = json ? print_json(topo) : print_text(topo);
	tally_topo_close(topo);
	return status;
}
