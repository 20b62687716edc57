// SPDX-License-Identifier: MIT
/* numatally topo: list the NUMA nodes. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/error.h>
#include <numatally/topo.h>

#include "common/json.h"
#include "common/opt.h"
#include "common/output.h"
#include "common/root.h"
#include "common/verbs.h"

static const char help[] =
	"Usage: numatally topo [--json] [--input INPUT | --root ROOT]\n"
	"\n"
	"List the NUMA nodes: their CPUs, memory, tiers and distances.\n"
	"\n"
	"      --input INPUT  read hwloc's XML in the file INPUT, as lstopo writes it,\n"
	"                     or take INPUT for hwloc's synthetic description of a\n"
	"                     machine, such as 'numa:2 core:4 pu:2'\n"
	"  -j, --json         print JSON\n"
	"      --root ROOT    read the captured /sys and /proc of ROOT, a directory or\n"
	"                     an archive, not this machine's\n"
	"  -h, --help         print this help\n"
	"      --version      print the version\n"
	"\n"
	"A tier of 0 is the fastest memory; '-' is not known. See numatally-topo(1).\n";

/* An online CPU that is on no listed node. */
static bool is_stray(const struct tally_topo *topo, int cpu)
{
	return tally_topo_cpu_online(topo, cpu) &&
	       tally_topo_cpu_node(topo, cpu) < 0;
}

/* An online CPU that is on one of the nodes that list it. */
static bool is_shared(const struct tally_topo *topo, int cpu)
{
	return tally_topo_cpu_online(topo, cpu) &&
	       tally_topo_cpu_shared(topo, cpu);
}

/* ---- JSON ---------------------------------------------------------------- */

static void put_node(struct json_writer *w, const struct tally_topo *topo,
		     const struct tally_node *node)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	char key[16];

	json_open_object(w, NULL);
	json_put_int(w, "id", node->id);
	if (node->cpus)
		json_open_array(w, "cpus");
	else
		json_put_null(w, "cpus");
	for (unsigned int i = 0; node->cpus && i < node->nr_cpus; i++)
		json_put_int(w, NULL, node->cpus[i]);
	if (node->cpus)
		json_close_array(w);
	json_put_int_unless(w, "memory_bytes", node->memory_bytes, -1);
	json_open_object(w, "distances");
	for (unsigned int i = 0; node->distances && i < nr; i++) {
		snprintf(key, sizeof(key), "%d", tally_topo_node(topo, i)->id);
		json_put_int(w, key, node->distances[i]);
	}
	json_close_object(w);
	json_put_int_unless(w, "tier", node->tier, -1);
	json_put_string(w, "memory_kind", node->memory);
	json_close_object(w);
}

static void put_cpus(struct json_writer *w, const struct tally_topo *topo,
		     const char *name,
		     bool (*are)(const struct tally_topo *topo, int cpu))
{
	int nr_cpus = (int)tally_topo_nr_cpus(topo);

	json_open_array(w, name);
	for (int cpu = 0; cpu < nr_cpus; cpu++)
		if (are(topo, cpu))
			json_put_int(w, NULL, cpu);
	json_close_array(w);
}

static int print_json(const struct tally_topo *topo)
{
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_open_array(&w, "nodes");
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++)
		put_node(&w, topo, tally_topo_node(topo, i));
	json_close_array(&w);
	put_cpus(&w, topo, "cpus_without_node", is_stray);
	put_cpus(&w, topo, "cpus_of_several_nodes", is_shared);
	json_put_string(&w, "machine", tally_topo_machine(topo, 0)->name);
	json_close_object(&w);
	return json_finish(&w) ? EXIT_FAILURE : EXIT_SUCCESS;
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

/* lead, and ascending numbers as "0-3,8", or '-' if there are none. */
static void put_list(struct lines *lines, const char *lead, const int *ids,
		     unsigned int nr)
{
	unsigned int first = 0;

	if (!nr)
		put_word(lines, "-");
	for (unsigned int i = 1; ids && i <= nr; i++)
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

/* The cells of a row before its CPUs; how many columns they take. */
static unsigned int print_cells(const struct tally_node *node, bool tiers,
				bool kinds)
{
	char text[OUTPUT_NUMBER];
	int n = printf("%4d  %10s", node->id,
		       node->memory_bytes < 0
			       ? "-"
			       : output_bytes(node->memory_bytes, text));

	if (tiers && node->tier >= 0)
		n += printf("  %4d", node->tier);
	else if (tiers)
		n += printf("  %4s", "-");
	if (kinds)
		n += printf("  %-4s", node->memory ? node->memory : "-");
	return (unsigned int)(n + printf("  "));
}

static void print_nodes(const struct tally_topo *topo, unsigned int width)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	bool tiers = false, kinds = false;
	char heading[64];

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

		lines.indent = lines.column = print_cells(node, tiers, kinds);
		if (node->cpus && !node->nr_cpus)
			put_word(&lines, "none");
		else
			put_list(&lines, "", node->cpus, node->nr_cpus);
		putchar('\n');
	}
}

static void print_cpus(const struct tally_topo *topo, unsigned int width,
		       const char *label,
		       bool (*are)(const struct tally_topo *topo, int cpu))
{
	struct lines lines = {.indent = 2, .width = width};
	unsigned int max = tally_topo_nr_cpus(topo), nr = 0;
	int *cpus = calloc(max, sizeof(*cpus));

	if (!cpus)
		err(EXIT_FAILURE, NULL);
	for (int cpu = 0; cpu < (int)max; cpu++)
		if (are(topo, cpu))
			cpus[nr++] = cpu;
	if (nr) {
		fputs(label, stdout);
		lines.column = (unsigned int)strlen(label);
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

/* The least distance of a node above that one, or 0. */
static int next_distance(const struct tally_node *node, unsigned int nr,
			 int above)
{
	int next = 0;

	for (unsigned int i = 0; node->distances && i < nr; i++) {
		int d = node->distances[i];

		if (d > above && (!next || d < next))
			next = d;
	}
	return next;
}

/* For each node, the others by distance: narrower than a wide matrix. */
static void print_groups(const struct tally_topo *topo, unsigned int width)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	int *ids = calloc(nr, sizeof(*ids));

	if (!ids)
		err(EXIT_FAILURE, NULL);
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node *node = tally_topo_node(topo, i);
		struct lines lines = {.indent = 6, .width = width, .column = 4};
		int distance = 0;

		printf("%4d", node->id);
		while ((distance = next_distance(node, nr, distance)))
			put_group(&lines, topo, node, distance, ids);
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

/* Where a node's CPUs are not known, they may be among those of no node. */
static bool knows_all_cpus(const struct tally_topo *topo)
{
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++)
		if (!tally_topo_node(topo, i)->cpus)
			return false;
	return true;
}

static int print_text(const struct tally_topo *topo)
{
	unsigned int width = output_width(stdout);

	print_nodes(topo, width);
	print_cpus(topo, width,
		   knows_all_cpus(topo) ? "CPUs on none of these nodes:"
					: "CPUs of which no node is known:",
		   is_stray);
	print_cpus(topo, width, "CPUs that several nodes list:", is_shared);
	print_distances(topo, width);
	return EXIT_SUCCESS;
}

/* A list that makes no sense is an error of its node. */
static int report_unknown(const struct tally_topo *topo)
{
	int status = EXIT_SUCCESS;

	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++) {
		const struct tally_node *node = tally_topo_node(topo, i);

		if (node->cpus)
			continue;
		warnx("node %d: its CPUs are not known", node->id);
		status = EXIT_FAILURE;
	}
	return status;
}

/* ---- the verb ------------------------------------------------------------ */

/* hwloc's words for an input; lstopo tells a file from a description so, too. */
static int open_input(const char *input, struct tally_topo **topo)
{
	int error;

	if (access(input, F_OK) == 0) {
		error = tally_topo_open_xml(input, topo);
		if (error == -EBADMSG)
			warnx("%s: hwloc finds no machine in it: not its XML, "
			      "or cut short",
			      input);
		else if (error)
			warnx("%s: %s", input,
			      tally_strerror_of("tally_topo_open_xml", error));
		return error;
	}
	error = tally_topo_open_synthetic(input, topo);
	if (error == -EINVAL)
		warnx("'%s' is no file, and no machine that hwloc can make",
		      input);
	else if (error)
		warnx("'%s': %s", input,
		      tally_strerror_of("tally_topo_open_synthetic", error));
	return error;
}

static int open_root(const char *root, struct tally_topo **topo)
{
	int error = tally_topo_open(root, topo);

	if (error)
		root_complain(
			root, error,
			"it has no CPUs in sys/devices/system/cpu, nor in "
			"proc");
	else
		root_warn_hidden(root, ROOT_ALL);
	return error;
}

int topo_main(int argc, char **argv)
{
	enum { OPT_INPUT = OPT_OWN, OPT_ROOT };
	static const struct option options[] = {
		{"input", required_argument, NULL, OPT_INPUT},
		{"json", no_argument, NULL, 'j'},
		{"root", required_argument, NULL, OPT_ROOT},
		OPT_END,
	};
	const char *root = NULL, *input = NULL;
	struct tally_topo *topo;
	bool json = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "j" OPT_LETTERS, options,
				  NULL)) != -1)
		switch (opt) {
		case OPT_INPUT:
			input = optarg;
			break;
		case 'j':
			json = true;
			break;
		case OPT_ROOT:
			root = optarg;
			break;
		default:
			return opt_common(opt, help);
		}
	if (optind < argc)
		return opt_invalid(argv[optind]);
	if (root && input)
		return opt_error("--input and --root exclude each other");
	if (root_open(&root) ||
	    (input ? open_input(input, &topo) : open_root(root, &topo)))
		return EXIT_FAILURE;
	status = json ? print_json(topo) : print_text(topo);
	status |= report_unknown(topo);
	tally_topo_close(topo);
	return status;
}
