// SPDX-License-Identifier: MIT
/* numatally ls: list the ledgers. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <numatally/registry.h>

#include "common/array.h"
#include "common/json.h"
#include "common/ledgers.h"
#include "common/opt.h"
#include "common/output.h"
#include "common/text.h"
#include "common/verbs.h"

static const char help[] =
	"Usage: numatally ls [--json]\n"
	"\n"
	"List the ledgers: those in $NUMATALLY_DIR if that is set, else those of\n"
	"every user.\n"
	"\n"
	"  -j, --json     print JSON\n"
	"  -h, --help     print this help\n"
	"      --version  print the version\n"
	"\n"
	"A ledger is live while a process has it open for writing; saved if it is only\n"
	"read, as numatally save makes it; stale if it was created before the last\n"
	"boot; removed if a bind mount keeps its file; unknown if its file system has\n"
	"no locks, so that whether its writers live can't be known. See\n"
	"numatally-ls(1).\n";

enum { NAME, OWNER, AGE, ACCOUNTS, WRITERS, RESIDENT, STATE, NR_COLUMNS };

static int64_t age_ns(const struct tally_registry_entry *e)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - e->created_ns;
	return age > 0 ? age : 0;
}

/* ---- JSON ---------------------------------------------------------------- */

static void put_entry(struct json_writer *w,
		      const struct tally_registry_entry *e)
{
	const struct passwd *owner = getpwuid(e->uid);
	const struct ledgers_writers writers = {
		.alive = e->nr_alive,
		.dead = e->nr_dead,
		.unknown = e->nr_unknown,
	};

	json_open_object(w, NULL);
	json_put_bytes(w, "name", e->name);
	json_put_bytes(w, "path", e->path);
	json_put_uint(w, "uid", e->uid);
	json_put_string(w, "owner", owner ? owner->pw_name : NULL);
	json_put_int(w, "resident_bytes", e->resident_bytes);
	json_put_string(w, "state", ledgers_entry_state(e));
	if (e->error) {
		json_put_string(w, "error", ledgers_error(e->error));
	} else {
		json_put_int(w, "created_ns", e->created_ns);
		json_put_int(w, "age_ns", age_ns(e));
		json_put_uint(w, "accounts", e->nr_accounts);
		ledgers_put_writers(w, "writers", &writers);
	}
	json_close_object(w);
}

static bool print_json(const struct tally_registry_entry *list, size_t nr)
{
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_open_array(&w, "ledgers");
	for (size_t i = 0; i < nr; i++)
		put_entry(&w, &list[i]);
	json_close_array(&w);
	json_close_object(&w);
	return !json_finish(&w);
}

/* ---- text ---------------------------------------------------------------- */

struct line {
	char *cells[NR_COLUMNS];
};

static char *format(const char *pattern, ...)
	__attribute__((format(printf, 1, 2)));
static char *format(const char *pattern, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, pattern);
	n = vasprintf(&text, pattern, args);
	va_end(args);
	return n < 0 ? NULL : text;
}

static char *format_owner(uid_t uid)
{
	const struct passwd *owner = getpwuid(uid);

	return owner ? text_escape(owner->pw_name)
		     : format("%u", (unsigned int)uid);
}

static char *format_writers(const struct tally_registry_entry *e)
{
	if (e->nr_unknown)
		return format("%u+%u?", e->nr_alive, e->nr_unknown);
	return format("%u", e->nr_alive);
}

static char *format_state(const struct tally_registry_entry *e)
{
	if (e->error && e->error != -EACCES && e->error != -EPERM)
		return strdup(ledgers_error(e->error));
	if (!e->error && e->nr_dead)
		return format("%s, %u died", ledgers_entry_state(e),
			      e->nr_dead);
	return strdup(ledgers_entry_state(e));
}

static bool fill_line(struct line *line, const struct tally_registry_entry *e)
{
	char number[OUTPUT_NUMBER];

	line->cells[NAME] = text_escape(e->name);
	line->cells[OWNER] = format_owner(e->uid);
	line->cells[AGE] =
		strdup(e->error ? "-" : output_time(age_ns(e), number));
	line->cells[ACCOUNTS] = e->error ? strdup("-")
					 : format("%u", e->nr_accounts);
	line->cells[WRITERS] = e->error ? strdup("-") : format_writers(e);
	line->cells[RESIDENT] = strdup(output_bytes(e->resident_bytes, number));
	line->cells[STATE] = format_state(e);
	for (int c = 0; c < NR_COLUMNS; c++)
		if (!line->cells[c])
			return false;
	return true;
}

static void print_line(char *const *cells, const unsigned int *widths)
{
	for (int c = 0; c < NR_COLUMNS; c++) {
		int pad = (int)(widths[c] - text_width(cells[c]));
		bool left = c == NAME || c == OWNER || c == STATE;

		if (c == STATE)
			pad = 0;
		printf("%s%*s%s%*s", c ? "  " : "", left ? 0 : pad, "",
		       cells[c], left ? pad : 0, "");
	}
	putchar('\n');
}

static void measure(const struct line *lines, size_t nr, char *const *headings,
		    unsigned int *widths)
{
	for (int c = 0; c < NR_COLUMNS; c++)
		widths[c] = text_width(headings[c]);
	for (size_t i = 0; i < nr; i++)
		for (int c = 0; c < NR_COLUMNS; c++)
			if (text_width(lines[i].cells[c]) > widths[c])
				widths[c] = text_width(lines[i].cells[c]);
}

static bool print_text(const struct tally_registry_entry *list, size_t nr)
{
	static char *headings[] = {"ledger",  "owner",	  "age",  "accounts",
				   "writers", "resident", "state"};
	struct line *lines = calloc(nr + 1, sizeof(*lines));
	unsigned int widths[NR_COLUMNS];
	bool ok = lines;

	for (size_t i = 0; ok && i < nr; i++)
		ok = fill_line(&lines[i], &list[i]);
	if (!ok) {
		warnx("%s", strerror(ENOMEM));
	} else if (!nr) {
		puts("no ledgers");
	} else {
		measure(lines, nr, headings, widths);
		print_line(headings, widths);
		for (size_t i = 0; i < nr; i++)
			print_line(lines[i].cells, widths);
	}
	for (size_t i = 0; lines && i < nr; i++)
		for (int c = 0; c < NR_COLUMNS; c++)
			free(lines[i].cells[c]);
	free(lines);
	return ok;
}

/* ---- the verb ------------------------------------------------------------ */

/* All ledgers; false: some can't be read. */
static bool fill(const struct tally_registry *registry,
		 struct tally_registry_entry **list, size_t *nr)
{
	struct tally_registry_entry e = {.size = sizeof(e)};
	uint64_t cursor = 0;
	size_t room = 0;
	bool ok = true;
	int err;

	while (!(err = tally_registry_next(registry, &cursor, &e))) {
		ok &= !e.error;
		if (!e.name) {
			ledgers_complain(&e);
			continue;
		}
		if (array_reserve(*list, room, *nr + 1))
			err = -ENOMEM;
		if (err)
			break;
		(*list)[(*nr)++] = e;
	}
	if (err != -ENOENT)
		errx(EXIT_FAILURE, "%s", strerror(-err));
	return ok;
}

static int list_all(bool json)
{
	struct tally_registry_entry *list = NULL;
	struct tally_registry *registry;
	size_t nr = 0;
	int err = tally_registry_open(0, &registry);
	bool ok;

	if (err)
		errx(EXIT_FAILURE, "%s", strerror(-err));
	ok = fill(registry, &list, &nr);
	ok &= json ? print_json(list, nr) : print_text(list, nr);
	free(list);
	tally_registry_close(registry);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int ls_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		OPT_END,
	};
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "j" OPT_LETTERS, options,
				  NULL)) != -1)
		switch (opt) {
		case 'j':
			json = true;
			break;
		default:
			return opt_common(opt, help);
		}
	if (optind < argc)
		return opt_invalid(argv[optind]);
	return list_all(json);
}
