// SPDX-License-Identifier: MIT
/* numatally ls: which ledgers there are. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <numatally/reader.h>

#include "ledgers.h"
#include "output.h"
#include "text.h"
#include "verbs.h"

static const char help[] =
	"Usage: numatally ls [--json]\n"
	"\n"
	"Lists the ledgers that we can see: those in $NUMATALLY_DIR, where it is\n"
	"set, else those of every user.\n"
	"\n"
	"  --json  write JSON\n"
	"  --help  show this\n"
	"\n"
	"A ledger is live while a process has it open for writing; stale when it\n"
	"was made before this machine was booted; hidden when its writers are in\n"
	"another PID namespace, so that we can't know.\n";

struct row {
	const struct ledgers_file *file;
	struct tally_reader_info info;
	struct ledgers_writers writers;
	const char *state;
	int err; /* no more is known than the next two */
	uid_t uid;
	int64_t resident_bytes;
};

enum { NAME, OWNER, AGE, ACCOUNTS, WRITERS, RESIDENT, STATE, NR_COLUMNS };

static int look(struct row *row)
{
	struct tally_reader *reader;
	int err = tally_reader_open(row->file->path, &reader);

	if (err)
		return err;
	err = tally_reader_describe(reader, &row->info);
	row->writers = ledgers_writers(reader);
	row->state = ledgers_state(reader, &row->writers);
	tally_reader_close(reader);
	return err;
}

static const char *error_state(int err)
{
	switch (err) {
	case -EACCES:
	case -EPERM:
		return "not permitted";
	case -EAGAIN:
		return "unfinished";
	case -EBADMSG:
		return "damaged";
	case -EPROTO:
		return "foreign";
	default:
		return "unreadable";
	}
}

/* False: it is gone since it was listed. */
static bool fill(struct row *row, const struct ledgers_file *file)
{
	struct stat st;

	*row = (struct row){.file = file};
	if (lstat(file->path, &st))
		return false;
	row->uid = st.st_uid;
	row->resident_bytes = (int64_t)st.st_blocks * 512;
	row->err = look(row);
	if (row->err)
		row->state = error_state(row->err);
	return row->err != -ENOENT;
}

static int64_t age_ns(const struct row *row)
{
	struct timespec now;
	int64_t age;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec -
	      row->info.created_ns;
	return age > 0 ? age : 0;
}

/* ---- JSON ---------------------------------------------------------------- */

static json_t *json_row(const struct row *row)
{
	const struct passwd *owner = getpwuid(row->uid);
	json_t *object = json_object();

	if (text_json_set(object, "name", row->file->name) < 0 ||
	    text_json_set(object, "path", row->file->path) < 0 ||
	    json_object_set_new(object, "uid", json_integer(row->uid)) < 0 ||
	    json_object_set_new(object, "owner",
				owner ? text_json(owner->pw_name)
				      : json_null()) < 0 ||
	    json_object_set_new(object, "resident_bytes",
				json_integer(row->resident_bytes)) < 0 ||
	    json_object_set_new(object, "state", json_string(row->state)) < 0)
		goto fail;
	if (row->err) {
		if (json_object_set_new(object, "error",
					json_string(ledgers_error(row->err))) <
		    0)
			goto fail;
		return object;
	}
	if (json_object_set_new(object, "created_ns",
				json_integer(row->info.created_ns)) < 0 ||
	    json_object_set_new(object, "age_ns", json_integer(age_ns(row))) <
		    0 ||
	    json_object_set_new(object, "accounts",
				json_integer(row->info.nr_accounts)) < 0 ||
	    json_object_set_new(object, "writers",
				ledgers_json_writers(&row->writers)) < 0)
		goto fail;
	return object;
fail:
	json_decref(object);
	return NULL;
}

static bool print_json(const struct row *rows, size_t nr)
{
	json_t *ledgers = json_array();
	int err;

	for (size_t i = 0; i < nr; i++)
		if (json_array_append_new(ledgers, json_row(&rows[i])) < 0) {
			json_decref(ledgers);
			ledgers = NULL;
			break;
		}
	err = output_json(stdout, json_pack("{s:i, s:o}", "version", 1,
					    "ledgers", ledgers));
	if (err == -ENOMEM)
		warnx("%s", strerror(ENOMEM));
	return !err;
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

static char *format_writers(const struct row *row)
{
	if (row->writers.hidden)
		return format("%u+%u?", row->writers.alive,
			      row->writers.hidden);
	return format("%u", row->writers.alive);
}

static char *format_state(const struct row *row)
{
	if (row->err && row->err != -EACCES && row->err != -EPERM)
		return strdup(ledgers_error(row->err));
	if (!row->err && row->writers.dead)
		return format("%s, %u died", row->state, row->writers.dead);
	return strdup(row->state);
}

static bool fill_line(struct line *line, const struct row *row)
{
	char number[OUTPUT_NUMBER];

	line->cells[NAME] = text_escape(row->file->name);
	line->cells[OWNER] = format_owner(row->uid);
	line->cells[AGE] =
		strdup(row->err ? "-" : output_time(age_ns(row), number));
	line->cells[ACCOUNTS] = row->err ? strdup("-")
					 : format("%u", row->info.nr_accounts);
	line->cells[WRITERS] = row->err ? strdup("-") : format_writers(row);
	line->cells[RESIDENT] =
		strdup(output_bytes(row->resident_bytes, number));
	line->cells[STATE] = format_state(row);
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

static bool print_text(const struct row *rows, size_t nr)
{
	static char *headings[] = {"ledger",  "owner",	  "age",  "accounts",
				   "writers", "resident", "state"};
	struct line *lines = calloc(nr + 1, sizeof(*lines));
	unsigned int widths[NR_COLUMNS];
	bool ok = lines;

	for (size_t i = 0; ok && i < nr; i++)
		ok = fill_line(&lines[i], &rows[i]);
	for (int c = 0; c < NR_COLUMNS; c++)
		widths[c] = text_width(headings[c]);
	for (size_t i = 0; ok && i < nr; i++)
		for (int c = 0; c < NR_COLUMNS; c++)
			if (text_width(lines[i].cells[c]) > widths[c])
				widths[c] = text_width(lines[i].cells[c]);
	if (ok && !nr)
		puts("no ledgers");
	else if (ok)
		print_line(headings, widths);
	else
		warnx("%s", strerror(ENOMEM));
	for (size_t i = 0; ok && i < nr; i++)
		print_line(lines[i].cells, widths);
	for (size_t i = 0; lines && i < nr; i++)
		for (int c = 0; c < NR_COLUMNS; c++)
			free(lines[i].cells[c]);
	free(lines);
	return ok;
}

int ls_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct ledgers ledgers;
	struct row *rows;
	size_t nr = 0;
	bool json = false, ok;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'j':
			json = true;
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
	if (ledgers_list(&ledgers))
		errx(EXIT_FAILURE, "%s", strerror(ENOMEM));
	rows = calloc(ledgers.nr + 1, sizeof(*rows));
	if (!rows)
		err(EXIT_FAILURE, NULL);
	ok = !ledgers.incomplete;
	for (size_t i = 0; i < ledgers.nr; i++)
		if (fill(&rows[nr], &ledgers.files[i])) {
			ok &= !rows[nr].err;
			nr++;
		}
	ok &= json ? print_json(rows, nr) : print_text(rows, nr);
	free(rows);
	ledgers_free(&ledgers);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
