// SPDX-License-Identifier: MIT
/* numatally capture: pack what --root reads of this machine. */
#include "config.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture/internal.h"
#include "common/opt.h"
#include "common/output.h"
#include "common/root.h"
#include "common/signals.h"
#include "common/text.h"
#include "common/verbs.h"

static const char help[] =
	"Usage: numatally capture [--arguments] [--users] [--root ROOT] FILE\n"
	"\n"
	"Pack what topo, stat and top read of this machine: they read it with --root\n"
	"FILE, here or elsewhere. FILE is an archive that tar reads, or stdout for '-'.\n"
	"With a slash at its end, or where it is an empty directory, it becomes a\n"
	"directory. Nothing but a capture is replaced, and no directory is.\n"
	"\n"
	"      --arguments  with the arguments of processes\n"
	"      --root ROOT  pack a captured machine, a directory or an archive, not this\n"
	"                   one\n"
	"      --users      with the names of the users of processes\n"
	"  -h, --help       print this help\n"
	"      --version    print the version\n"
	"\n"
	"See numatally-capture(1) for what of processes is in it.\n";

/* ---- an archive ----------------------------------------------------------------- */

/* What is written until it is complete. */
static char *unfinished;

static void give_up(int signal_number)
{
	unlink(unfinished);
	signal_die(signal_number);
}

static int complain(const char *file, const char *words)
{
	warnx("%s: %s", file, words);
	return -1;
}

/* Returns a descriptor; or -1 after a message. Sets *@there: a capture is replaced. */
static int open_archive(const char *file, bool *there)
{
	struct stat st;
	bool is;
	int fd;

	*there = !lstat(file, &st);
	if (*there) {
		fd = S_ISREG(st.st_mode)
			     ? open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
			     : -1;
		is = fd >= 0 && capture_is(fd);
		if (fd >= 0)
			close(fd);
		if (!is)
			return complain(
				file,
				"it exists and is no capture: not replaced");
	}
	if (asprintf(&unfinished, "%s.%ld.new", file, (long)getpid()) < 0)
		err(EXIT_FAILURE, NULL);
	fd = open(unfinished,
		  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return complain(file, strerror(errno));
	signal_take(SIGHUP, give_up);
	signal_take(SIGINT, give_up);
	signal_take(SIGTERM, give_up);
	return fd;
}

static int name_archive(const char *file, bool there)
{
	int error = 0;

	if (there)
		error = rename(unfinished, file) ? errno : 0;
	else if (link(unfinished, file))
		/* Some file systems have no links. */
		error = errno == EEXIST || renameat2(AT_FDCWD, unfinished,
						     AT_FDCWD, file,
						     RENAME_NOREPLACE)
				? errno
				: 0;
	else
		unlink(unfinished);
	if (error)
		complain(file, strerror(error));
	return error ? -1 : 0;
}

/* ---- a directory ---------------------------------------------------------------- */

/* Make it, or take an empty one. Returns its real path; or NULL after a message. */
static char *open_directory(const char *name)
{
	struct dirent *entry;
	bool empty = true;
	char *path;
	DIR *dir;

	if (mkdir(name, 0700) && errno != EEXIST) {
		complain(name, strerror(errno));
		return NULL;
	}
	dir = opendir(name);
	if (!dir) {
		complain(name, strerror(errno));
		return NULL;
	}
	while ((entry = readdir(dir)))
		empty &= !strcmp(entry->d_name, ".") ||
			 !strcmp(entry->d_name, "..");
	closedir(dir);
	if (!empty) {
		complain(name, "it is not empty: not replaced");
		return NULL;
	}
	path = realpath(name, NULL);
	if (!path)
		complain(name, strerror(errno));
	return path;
}

static bool wants_directory(const char *name)
{
	size_t len = strlen(name);
	struct stat st;

	return (len && name[len - 1] == '/') ||
	       (!stat(name, &st) && S_ISDIR(st.st_mode));
}

/* ---- what is in it -------------------------------------------------------------- */

static int put_mark(struct capture *c)
{
	time_t now = time(NULL);
	char text[256], date[32];
	struct tm utc;
	int n;

	strftime(date, sizeof(date), "%FT%TZ", gmtime_r(&now, &utc));
	n = snprintf(text, sizeof(text),
		     "A capture by numatally " PACKAGE_VERSION " of %s.\n"
		     "Read it with --root of numatally topo, stat and top.\n",
		     date);
	return capture_out_file(c->out, CAPTURE_MARK, text, (size_t)n);
}

/* Tell what this machine shows nobody, or not this user. A captured one lacked it when
 * it was captured. Returns whether it does. */
static bool lacks(void)
{
	int processes = root_find_processes(NULL);

	if (processes)
		root_complain(NULL, processes, ROOT_PROCESSES);
	if (!access("proc/meminfo", F_OK) ||
	    !access("sys/devices/system/node", F_OK))
		return root_warn_hidepid(NULL) || processes;
	root_complain(NULL, -errno, ROOT_NODES);
	return true;
}

/* Returns 0; 1 where something could not be read; or -1, after a message. */
static int fill(struct capture *c)
{
	char *name;
	int status;

	if (put_mark(c) || capture_files(c))
		return -1;
	status = !c->root && lacks();
	if (!c->nr_refused)
		return status;
	name = c->refused ? text_escape(c->refused) : NULL;
	if (c->nr_refused == 1)
		warnx("%s%s: %s", c->root ? "" : "/", name ? name : "?",
		      strerror(c->refusal));
	else
		warnx("%s%s: %s; nor could %u other files be read",
		      c->root ? "" : "/", name ? name : "?",
		      strerror(c->refusal), c->nr_refused - 1);
	free(name);
	return 1;
}

static int capture(struct capture *c, int fd, const char *name,
		   const char *directory)
{
	int status = -1;

	/* The patterns of files are below it. */
	if (chdir(c->root ? c->root : "/")) {
		complain(c->root ? root_name(c->root) : "/", strerror(errno));
		return -1;
	}
	if (c->root)
		c->root = ".";
	c->out = capture_out_open(fd, name, directory);
	if (c->out) {
		status = fill(c);
		if (capture_out_close(c->out))
			status = -1;
	}
	tdestroy(c->seen, free);
	free(c->uids);
	free(c->refused);
	return status;
}

static int capture_directory(struct capture *c, const char *name)
{
	char *path = open_directory(name);
	int status = path ? capture(c, -1, name, path) : -1;

	free(path);
	return status;
}

/* The working directory changes meanwhile. */
static char *absolute(const char *file)
{
	char *here = *file == '/' ? NULL : get_current_dir_name(), *path;

	if ((*file != '/' && !here) ||
	    asprintf(&path, "%s%s%s", here ? here : "", here ? "/" : "", file) <
		    0)
		err(EXIT_FAILURE, "%s", file);
	free(here);
	return path;
}

static int capture_archive(struct capture *c, const char *name)
{
	char *file = absolute(name);
	int status = -1;
	bool there;
	int fd = open_archive(file, &there);

	if (fd >= 0) {
		status = capture(c, fd, file, NULL);
		if (close(fd) && status >= 0)
			status = complain(file, strerror(errno));
		if (status >= 0 && name_archive(file, there))
			status = -1;
		if (status < 0)
			unlink(unfinished);
	}
	free(unfinished);
	free(file);
	return status;
}

static int capture_to(struct capture *c, const char *name)
{
	if (wants_directory(name))
		return capture_directory(c, name);
	if (strcmp(name, "-") != 0)
		return capture_archive(c, name);
	return output_is_terminal(stdout)
		       ? complain("stdout", "a terminal can't show a capture")
		       : capture(c, STDOUT_FILENO, "standard output", NULL);
}

static int capture_main(int argc, char **argv)
{
	enum { OPT_ARGUMENTS = OPT_OWN, OPT_ROOT, OPT_USERS };
	static const struct option options[] = {
		{"arguments", no_argument, NULL, OPT_ARGUMENTS},
		{"root", required_argument, NULL, OPT_ROOT},
		{"users", no_argument, NULL, OPT_USERS},
		OPT_END,
	};
	struct capture c = {0};
	int opt, status;

	while ((opt = getopt_long(argc, argv, OPT_LETTERS, options, NULL)) !=
	       -1)
		switch (opt) {
		case OPT_ARGUMENTS:
			c.arguments = true;
			break;
		case OPT_ROOT:
			c.root = optarg;
			break;
		case OPT_USERS:
			c.users = true;
			break;
		default:
			return opt_common(opt, help);
		}
	if (optind == argc)
		return opt_error("missing FILE");
	if (optind + 1 < argc)
		return opt_invalid(argv[optind + 1]);
	if (root_open(&c.root))
		return EXIT_FAILURE;
	status = capture_to(&c, argv[optind]);
	return status ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {
		{"capture", capture_main},
		{"unpack", unpack_main},
		{0},
	};

	return program_main(verbs, argc, argv);
}
