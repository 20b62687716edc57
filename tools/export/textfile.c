// SPDX-License-Identifier: MIT
/* Metrics in a file, as node_exporter's textfile collector reads them. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ledgers.h"
#include "common/signals.h"
#include "common/stdout.h"
#include "export/output.h"

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

void export_catch_signals(void)
{
	signal_take(SIGINT, end);
	signal_take(SIGTERM, end);
}

bool export_is_ended(void)
{
	return ended;
}

/* ---- a file --------------------------------------------------------------------- */

static int write_all(int fd, const struct export_buffer *b)
{
	size_t done = 0;

	while (done < b->used) {
		ssize_t n = write(fd, b->text + done, b->used - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int write_new(const char *file, const struct export_buffer *b)
{
	int fd = open(file,
		      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      0644);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, b);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

/* No reader sees a part of it. Nothing but a regular file is replaced. */
static int replace(const char *file, const struct export_buffer *b)
{
	struct stat st;
	char *beside;
	int err;

	if (!lstat(file, &st) && !S_ISREG(st.st_mode))
		return -EEXIST;
	if (asprintf(&beside, "%s.%ld.new", file, (long)getpid()) < 0)
		return -ENOMEM;
	/* What an earlier process of this number left. */
	unlink(beside);
	err = write_new(beside, b);
	if (!err && rename(beside, file))
		err = -errno;
	if (err)
		unlink(beside);
	free(beside);
	return err;
}

static int put(const char *file, const struct export_buffer *b)
{
	int err;

	if (!strcmp(file, "-")) {
		errno = 0;
		if (fwrite(b->text, 1, b->used, stdout) != b->used)
			stdout_failed(errno);
		return stdout_flush();
	}
	err = replace(file, b);
	if (err == -EEXIST)
		warnx("%s: not a regular file, which is not replaced", file);
	else if (err)
		warnx("%s: %s", file, strerror(-err));
	return err;
}

struct textfile {
	const char *file;
	enum export_format format;
	struct export_buffer b;
};

static int put_text(void *arg, const struct export_families *families)
{
	struct textfile *t = arg;
	int err = export_text(families, t->format, &t->b);

	if (err)
		warnx("%s", strerror(-err));
	return err ? err : put(t->file, &t->b);
}

int export_textfile(struct export_set *set, const char *file,
		    enum export_format format, int64_t interval_ns)
{
	struct textfile t = {.file = file, .format = format};
	int status;

	/* At the limit of a file's size the write fails, and nothing unfinished is
	 * left. */
	signal(SIGXFSZ, SIG_IGN);
	status = export_repeat(set, interval_ns, put_text, &t);
	free(t.b.text);
	return status;
}

/* ---- once, or again and again ---------------------------------------------------- */

static int export_once(struct export_set *set, export_put put_them, void *arg)
{
	struct export_families families = {0};
	int err = export_set_look(set);

	if (!err)
		err = export_families_make(&families, set);
	if (err)
		warnx("%s", strerror(-err));
	else
		err = put_them(arg, &families);
	export_families_free(&families);
	return err;
}

/* Whether any ledger can't be read. Why not is told when that changes. */
static bool is_any_down(const struct export_set *set)
{
	bool any = false;

	for (size_t i = 0; i < set->nr; i++) {
		struct export_ledger *l = set->ledgers[i];

		any |= !l->up;
		if (l->err && l->err != l->told)
			ledgers_complain_of(l->raw, l->err);
		l->told = l->err;
	}
	return any;
}

int export_repeat(struct export_set *set, int64_t interval_ns,
		  export_put put_them, void *arg)
{
	int64_t last = now_ns();
	bool failed = export_once(set, put_them, arg);

	failed |= is_any_down(set);
	if (!interval_ns)
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;
	while (!export_is_ended() && !ferror(stdout)) {
		sleep_interval(&last, interval_ns);
		if (export_is_ended())
			break;
		(void)export_once(set, put_them, arg);
		(void)is_any_down(set);
	}
	return EXIT_SUCCESS;
}
