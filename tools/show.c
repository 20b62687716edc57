// SPDX-License-Identifier: MIT
/* numatally show: what a ledger holds. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ledgers.h"
#include "output.h"
#include "show.h"
#include "text.h"
#include "verbs.h"

#define TOP_DEFAULT  50
#define INTERVAL_MAX 1e6

static const char help[] =
	"Usage: numatally show LEDGER [--json] [--top N | --all] [--sort RESOURCE]\n"
	"                      [--interval S [--count N]]\n"
	"\n"
	"Shows a ledger per node: the totals, and the accounts. LEDGER is a name\n"
	"(see 'numatally ls') or, with a '/' in it, a path.\n"
	"\n"
	"  --json           write JSON, of all accounts unless --top is given\n"
	"  --top N          show at most N accounts (text: 50)\n"
	"  --all            show all accounts\n"
	"  --sort RESOURCE  the accounts with most of it first, not by key\n"
	"  --interval S     show it again every S seconds; in text, counters are\n"
	"                   then rates\n"
	"  --count N        end after N times\n"
	"  --help           show this\n";

struct show {
	const char *argument;
	const char *sort;
	char path[PATH_MAX];
	struct show_choice choice;
	bool json;
	double interval; /* seconds; 0: once */
	unsigned long count;
	struct tally_reader *reader;
	struct tally_view *view;
	struct stat st;		 /* of the file that we read */
	struct show_look before; /* no accounts, no totals: none */
};

/* ---- JSON ---------------------------------------------------------------- */

/* The document is written part by part: a ledger can be large. */
static int put_json(json_t *json)
{
	size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	int err;

	if (!json)
		return -ENOMEM;
	/* Some terminals obey control characters above U+0080. */
	if (output_is_terminal(stdout))
		flags |= JSON_ENSURE_ASCII;
	err = json_dumpf(json, stdout, flags);
	json_decref(json);
	return err < 0 ? -EPIPE : 0;
}

static json_t *json_resources(const struct tally_view *view)
{
	json_t *resources = json_array();

	for (unsigned int i = 0; i < tally_view_nr_resources(view); i++) {
		const struct tally_resource *r = tally_view_resource(view, i);

		if (json_array_append_new(
			    resources,
			    json_pack("{s:s, s:s, s:s}", "name", r->name,
				      "unit", r->unit, "kind",
				      r->kind == TALLY_STOCK ? "stock"
							     : "counter")) <
		    0) {
			json_decref(resources);
			return NULL;
		}
	}
	return resources;
}

static json_t *json_amounts(const struct tally_view *view,
			    const int64_t *amounts)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < tally_view_nr_resources(view); i++)
		if (json_object_set_new(object,
					tally_view_resource(view, i)->name,
					json_integer(amounts[i])) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static json_t *json_nodes(const struct tally_view *view,
			  const struct show_look *look)
{
	unsigned int nr = tally_view_nr_resources(view);
	json_t *nodes = json_array();

	for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++) {
		int id = tally_view_node(view, n);
		json_t *node = json_pack(
			"{s:i, s:o}", "id", id, "totals",
			json_amounts(view, &look->totals[(size_t)n * nr]));

		if (!node || show_json_node_limits(view, id, node) ||
		    json_array_append(nodes, node) < 0) {
			json_decref(node);
			json_decref(nodes);
			return NULL;
		}
		json_decref(node);
	}
	return nodes;
}

/* Nodes where all amounts are 0 are left out. */
static int fill_account(const struct tally_view *view,
			const struct show_account *account, int64_t *amounts,
			json_t *nodes)
{
	unsigned int nr = tally_view_nr_resources(view);
	char id[16];

	for (unsigned int n = 0; n < tally_view_nr_nodes(view); n++) {
		int node = tally_view_node(view, n);
		int err = tally_view_account(view, account->account, node,
					     amounts);
		bool some = false;

		if (err)
			return err;
		for (unsigned int i = 0; i < nr; i++)
			some |= amounts[i] != 0;
		snprintf(id, sizeof(id), "%d", node);
		if (some && json_object_set_new(
				    nodes, id, json_amounts(view, amounts)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Nothing where the account is gone meanwhile. */
static int put_account(const struct tally_view *view,
		       const struct show_account *account, int64_t *amounts,
		       bool *first)
{
	json_t *object = json_object();
	json_t *nodes = json_object();
	int err = fill_account(view, account, amounts, nodes);

	if (!err &&
	    (text_json_set(object, "key", account->key) < 0 ||
	     json_object_set_new(object, "phase",
				 json_string(show_phase(account->phase))) < 0 ||
	     json_object_set(object, "nodes", nodes) < 0))
		err = -ENOMEM;
	json_decref(nodes);
	if (!err)
		err = show_json_account_limits(view, account->account, object);
	if (err) {
		json_decref(object);
		return err == -ESTALE ? 0 : err;
	}
	if (!*first)
		putchar(',');
	*first = false;
	return put_json(object);
}

static int put_member(const char *lead, json_t *value)
{
	fputs(lead, stdout);
	return put_json(value);
}

static int print_json(const struct show *show, const struct show_look *look)
{
	const struct tally_view *view = show->view;
	struct ledgers_writers writers = ledgers_writers(show->reader);
	int64_t *amounts =
		calloc(tally_view_nr_resources(view), sizeof(*amounts));
	int err = amounts ? 0 : -ENOMEM;
	bool first = true;

	if (!err)
		err = put_member("{\"version\":1,\"ledger\":",
				 text_json(show->argument));
	if (!err)
		err = put_member(",\"path\":", text_json(show->path));
	if (!err)
		err = put_member(
			",\"state\":",
			json_string(ledgers_state(show->reader, &writers)));
	if (!err)
		err = put_member(",\"writers\":",
				 ledgers_json_writers(&writers));
	if (!err)
		err = put_member(",\"monotonic_ns\":",
				 json_integer(look->time_ns));
	if (!err)
		err = put_member(",\"resources\":", json_resources(view));
	if (!err)
		err = put_member(",\"nodes\":", json_nodes(view, look));
	fputs(",\"accounts\":[", stdout);
	for (size_t i = 0; !err && i < look->nr; i++)
		err = put_account(view, &look->accounts[i], amounts, &first);
	free(amounts);
	puts(err ? "" : "]}");
	return err;
}

/* ---- text ---------------------------------------------------------------- */

static int print_text(const struct show *show, const struct show_look *look)
{
	bool again = show->before.totals;
	char number[OUTPUT_NUMBER];
	int err;

	if (again)
		putchar('\n');
	err = ledgers_print_head(show->argument, look->nr_exist, show->reader);
	if (err)
		return err;
	if (again)
		printf(", counters over %s",
		       output_time(look->time_ns - show->before.time_ns,
				   number));
	puts("\n");
	err = show_text(show->view, look, again ? &show->before : NULL);
	if (!err)
		err = show_limits(show->view, look);
	if (!err && look->nr < look->nr_exist)
		printf("\n%zu more account%s (--all shows all)\n",
		       look->nr_exist - look->nr,
		       look->nr_exist - look->nr == 1 ? "" : "s");
	return err;
}

/* ---- the verb ------------------------------------------------------------ */

static int attach(struct show *show)
{
	int err = stat(show->path, &show->st) ? -errno : 0;

	if (!err)
		err = tally_reader_open(show->path, &show->reader);
	return err ? err : tally_reader_view(show->reader, &show->view);
}

static int show_once(struct show *show)
{
	struct show_look look;
	int err = show_look(show->view, &show->choice, &look);

	if (err)
		return err;
	err = show->json ? print_json(show, &look) : print_text(show, &look);
	fflush(stdout);
	show_look_free(&show->before);
	show->before = look;
	return err;
}

/* The file may be removed, or another be made under its name. */
static bool is_there(const struct show *show)
{
	struct stat st;

	return !stat(show->path, &st) && st.st_dev == show->st.st_dev &&
	       st.st_ino == show->st.st_ino;
}

static void sleep_until(struct timespec *next, double interval)
{
	double whole = floor(interval);

	next->tv_sec += (time_t)whole;
	next->tv_nsec += (long)((interval - whole) * 1e9);
	if (next->tv_nsec >= 1000000000) {
		next->tv_nsec -= 1000000000;
		next->tv_sec++;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) ==
	       EINTR)
		;
}

static int repeat(struct show *show)
{
	struct timespec next;
	unsigned long n = 1;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (;; n++) {
		err = show_once(show);
		if (err || show->interval <= 0 || ferror(stdout) ||
		    (show->count && n >= show->count))
			return err;
		sleep_until(&next, show->interval);
		if (!is_there(show)) {
			warnx("%s: was removed", show->path);
			return 0;
		}
	}
}

static int find_sort(struct show *show)
{
	for (unsigned int i = 0; i < tally_view_nr_resources(show->view); i++)
		if (!strcmp(tally_view_resource(show->view, i)->name,
			    show->sort)) {
			show->choice.sort = (int)i;
			return 0;
		}
	return -ENOENT;
}

static int run(struct show *show)
{
	int err;

	if (!ledgers_find(show->argument, show->path))
		return EXIT_FAILURE;
	err = attach(show);
	if (!err && show->sort && find_sort(show)) {
		warnx("%s: no resource '%s'", show->argument, show->sort);
		return EXIT_FAILURE;
	}
	if (!err)
		err = repeat(show);
	if (err && err != -EPIPE)
		warnx("%s: %s", show->path, ledgers_error(err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool parse_number(const char *text, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool parse_interval(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return end != text && !*end && *seconds >= 0.001 &&
	       *seconds <= INTERVAL_MAX;
}

/* What is wrong with the options has been said where it returns false. */
static bool parse_option(struct show *show, int opt, bool *top)
{
	unsigned long number = 0;

	switch (opt) {
	case 'j':
		show->json = true;
		return true;
	case 'a':
		show->choice.most = SIZE_MAX;
		*top = true;
		return true;
	case 's':
		show->sort = optarg;
		return true;
	case 't':
		if (!parse_number(optarg, &number))
			break;
		show->choice.most = number;
		*top = true;
		return true;
	case 'i':
		if (!parse_interval(optarg, &show->interval))
			break;
		return true;
	case 'c':
		if (!parse_number(optarg, &show->count) || !show->count)
			break;
		return true;
	default:
		return false;
	}
	warnx("what is '%s'?", optarg);
	return false;
}

int show_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"count", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"interval", required_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'j'},
		{"sort", required_argument, NULL, 's'},
		{"top", required_argument, NULL, 't'},
		{NULL, 0, NULL, 0},
	};
	static struct show show = {.choice = {.sort = -1}};
	bool top = false;
	int opt, status;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h')
			return usage_help(help);
		if (!parse_option(&show, opt, &top))
			return usage_error(help);
	}
	if (optind + 1 != argc || (show.count && show.interval <= 0)) {
		if (optind == argc)
			warnx("which ledger?");
		else if (optind + 1 < argc)
			warnx("what is '%s'?", argv[optind + 1]);
		else
			warnx("--count goes with --interval");
		return usage_error(help);
	}
	show.argument = argv[optind];
	if (!top)
		show.choice.most = show.json ? SIZE_MAX : TOP_DEFAULT;
	show.choice.rows = !show.json;
	status = run(&show);
	show_look_free(&show.before);
	tally_view_close(show.view);
	tally_reader_close(show.reader);
	return status;
}
