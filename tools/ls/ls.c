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
#include <sys/stat.h>
#include <time.h>

#include <numatally/reader.h>

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
	"A ledger is live while a process has it open for writing; stale if it was\n"
	"created before the last boot; unknown if its file system has no locks, so\n"
	"that whether its writers live can't be known. See numatally-ls(1).\n";

struct row {
	const struct ledgers_file *file;
	struct tally_reader_info info;
	struct ledgers_writers writers;
	const char *state;
	int err; /* of reading it: only uid and resident_bytes are known */
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
	row->info.size = sizeof(row->info);
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

/* False: it was removed after it was listed. */
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

static void put_row(struct json_writer *w, const struct row *row)
{
	const struct passwd *owner = getpwuid(row->uid);

	json_open_object(w, NULL);
	json_put_bytes(w, "name", row->file->name);
	json_put_bytes(w, "path", row->file->path);
	json_put_uint(w, "uid", row->uid);
	json_put_string(w, "owner", owner ? owner->pw_name : NULL);
	json_put_int(w, "resident_bytes", row->resident_bytes);
	json_put_string(w, "state", row->state);
	if (row->err) {
		json_put_string(w, "error", ledgers_error(row->err));
	} else {
		json_put_int(w, "created_ns", row->info.created_ns);
		json_put_int(w, "age_ns", age_ns(row));
		json_put_uint(w, "accounts", row->info.nr_accounts);
		ledgers_put_writers(w, "writers", &row->writers);
	}
	json_close_object(w);
}

static bool print_json(const struct row *rows, size_t nr)
{
	struct json_writer w;

	json_begin(&w, stdout);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_open_array(&w, "ledgers");
	for (size_t i = 0; i < nr; i++)
		put_row(&w, &rows[i]);
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

static char *format_writers(const struct row *row)
{
	if (row->writers.unknown)
		return format("%u+%u?", row->writers.alive,
			      row->writers.unknown);
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

static bool print_text(const struct row *rows, size_t nr)
{
	static char *headings[] = {"ledger",  "owner",	  "age",  "accounts",
				   "writers", "resident", "state"};
	struct line *lines = calloc(nr + 1, sizeof(*lines));
	unsigned int widths[NR_COLUMNS];
	bool ok = lines;

	for (size_t i = 0; ok && i < nr; i++)
		ok = fill_line(&lines[i], &rows[i]);
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

static int list(bool json)
{
	struct ledgers ledgers;
	struct row *rows;
	size_t nr = 0;
	bool ok;

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
	return list(json);
}
