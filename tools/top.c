// SPDX-License-Identifier: MIT
/* numatally top: nodes, and what uses them, again and again. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "top_data.h"
#include "top_draw.h"
#include "top_screen.h"
#include "top_state.h"
#include "verbs.h"

/* How soon the second reading is, without which there are no rates. */
#define FIRST_INTERVAL_S 0.3

static const char help[] =
	"Usage: numatally top [--interval S] [--count N] [--batch]\n"
	"                     [--by process|cgroup|user] [--sort KEY]\n"
	"                     [--nodes LIST] [--root DIR]\n"
	"\n"
	"Shows the memory and CPUs of each node, and what uses them, until q is\n"
	"typed; h shows the keys.\n"
	"\n"
	"  --interval S  every S seconds (1.0)\n"
	"  --count N     end after N times\n"
	"  --batch       write plain text, one screen after another; so also where\n"
	"                stdin or stdout is no terminal\n"
	"  --by WHAT     show processes, cgroups or users\n"
	"  --sort KEY    by memory, cpu, remote, pid, user, anonymous, file,\n"
	"                shared, huge, swap, name, or a node's number\n"
	"  --nodes LIST  these nodes only: 0-3,8\n"
	"  --root DIR    read a captured /sys and /proc from DIR\n"
	"  --help        show this\n";

struct top {
	const char *root;
	struct top_wanted wanted;
	bool batch;
	unsigned long count;
	struct top_data *data;
	struct top_model model;
	enum top_by filled; /* what the model has the rows of */
	struct top_list list;
	struct top_layout layout;
	struct top_grid grid;
	struct top_state state;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- frames ----------------------------------------------------------------*/

static int fill(struct top *top)
{
	top->filled = top->state.by;
	return top_data_fill(top->data, top->state.by, &top->model);
}

static int read_all(struct top *top)
{
	int err = top_data_read(top->data);

	return err ? err : fill(top);
}

/* height 0: as many lines as there is to show. */
static int draw(struct top *top, unsigned int width, unsigned int height)
{
	struct top_choice choice = {
		.by = top->state.by,
		.sort = top->state.sort,
		.whole = !height,
	};

	if (top_list_make(&top->list, &top->model, &top->state.sort,
			  top->state.view, top->state.filter))
		return -ENOMEM;
	choice.nr_rows = top->list.nr;
	top_layout_make(&top->layout, width, height, &top->model, &choice);
	top_state_settle(&top->state, &top->model, &top->list, &top->layout);
	if (top_grid_reset(&top->grid, width, top->layout.height))
		return -ENOMEM;
	top_draw(&top->grid, &top->layout, &top->model, &top->list, &top->state,
		 !top->batch);
	return 0;
}

/* ---- batch -----------------------------------------------------------------*/

static void sleep_until(int64_t ns)
{
	struct timespec then = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) ==
	       EINTR)
		;
}

static int64_t interval_ns(const struct top *top)
{
	return (int64_t)(top->state.interval_s * 1e9);
}

/* A height may be asked for, as a width may. */
static unsigned int batch_height(void)
{
	const char *lines = getenv("LINES");
	char *end;
	unsigned long n;

	if (!lines || *lines < '0' || *lines > '9')
		return 0;
	n = strtoul(lines, &end, 10);
	return *end || n > 10000 ? 0 : (unsigned int)n;
}

static int run_batch(struct top *top)
{
	unsigned int width = output_width(stdout, 80), height = batch_height();
	int64_t next = now_ns();
	int err = 0;

	for (unsigned long n = 1; !err; n++) {
		err = read_all(top);
		if (!err)
			err = draw(top, width, height);
		if (err)
			break;
		if (n > 1)
			putchar('\n');
		top_grid_print(&top->grid, stdout);
		fflush(stdout);
		if (ferror(stdout) || n == top->count)
			break;
		next += interval_ns(top);
		sleep_until(next);
	}
	return err;
}

/* ---- on a terminal ---------------------------------------------------------*/

static int show(struct top *top)
{
	unsigned int width, height;
	int err = 0;

	if (top->filled != top->state.by)
		err = fill(top);
	top_screen_size(&width, &height);
	if (!err)
		err = draw(top, width, height);
	return err ? err : top_screen_show(&top->grid);
}

/* Keys change what is shown at once, but it is only read again when its time
 * has come. */
static int run_screen(struct top *top)
{
	int64_t read_ns = top->model.time_ns, next;
	unsigned long n = 1;
	enum top_event event = TOP_EVENT_REDRAW;
	int key, err = 0;

	while (!err && !top->state.quit && event != TOP_EVENT_END) {
		err = show(top);
		if (err || (n == top->count && !top->state.paused))
			break;
		next = read_ns + interval_ns(top);
		if (n == 1 && top->state.interval_s > FIRST_INTERVAL_S)
			next = read_ns + (int64_t)(FIRST_INTERVAL_S * 1e9);
		event = top_screen_wait(top->state.paused ? -1 : next, &key);
		if (event == TOP_EVENT_KEY)
			top_state_key(&top->state, key, &top->model, &top->list,
				      &top->layout);
		if (event != TOP_EVENT_TIME && !top->state.read)
			continue;
		top->state.read = false;
		read_ns = now_ns();
		err = read_all(top);
		n++;
	}
	return err;
}

static int run_interactive(struct top *top)
{
	/* The first reading takes the longest. */
	int err = read_all(top);

	if (err)
		return err;
	if (!top_screen_open())
		return -ENOTTY;
	err = run_screen(top);
	top_screen_close();
	return err;
}

/* ---- options ---------------------------------------------------------------*/

/* What could not be read is a failure, but of rows that somebody who looks
 * sees. */
static bool lacks(const struct top *top)
{
	for (unsigned int i = 0; i < top->model.nr_nodes; i++)
		if (top->model.nodes[i].err)
			return true;
	return top->batch && (top->model.nr_lacking || top->model.rows_err);
}

static int run(struct top *top)
{
	int err = top_data_open(top->root, &top->wanted, &top->data);
	int status;

	if (!err)
		err = top->batch ? run_batch(top) : run_interactive(top);
	if (err && err != -ENOTTY)
		warnx("%s%s%s", top->root ? top->root : "",
		      top->root ? ": " : "", strerror(-err));
	status = err || lacks(top) ? EXIT_FAILURE : EXIT_SUCCESS;
	top_data_close(top->data);
	top_model_free(&top->model);
	top_list_free(&top->list);
	top_grid_free(&top->grid);
	free(top->wanted.ranges);
	return status;
}

static bool parse_by(const char *text, enum top_by *by)
{
	static const char *const names[TOP_NR_BY] = {"process", "cgroup",
						     "user"};

	for (int i = 0; i < TOP_NR_BY; i++)
		if (!strcmp(text, names[i])) {
			*by = (enum top_by)i;
			return true;
		}
	return false;
}

static bool parse_interval(const char *text, double *seconds)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end ||
	    !(value >= TOP_INTERVAL_MIN && value <= TOP_INTERVAL_MAX))
		return false;
	*seconds = value;
	return true;
}

static bool parse_count(const char *text, unsigned long *count)
{
	char *end;

	errno = 0;
	*count = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *count;
}

/* What is wrong with the options has been said where it returns false. */
static bool parse_option(struct top *top, int opt)
{
	bool ok = false;

	switch (opt) {
	case 'b':
		top->batch = true;
		return true;
	case 'c':
		ok = parse_count(optarg, &top->count);
		break;
	case 'i':
		ok = parse_interval(optarg, &top->state.interval_s);
		break;
	case 'n':
		free(top->wanted.ranges);
		top->wanted = (struct top_wanted){0};
		ok = top_wanted_parse(optarg, &top->wanted);
		break;
	case 'r':
		top->root = optarg;
		return true;
	case 's':
		ok = !top_sort_parse(optarg, &top->state.sort);
		break;
	case 'y':
		ok = parse_by(optarg, &top->state.by);
		break;
	default:
		return false;
	}
	if (!ok)
		warnx("what is '%s'?", optarg);
	return ok;
}

int top_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"batch", no_argument, NULL, 'b'},
		{"by", required_argument, NULL, 'y'},
		{"count", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"interval", required_argument, NULL, 'i'},
		{"nodes", required_argument, NULL, 'n'},
		{"root", required_argument, NULL, 'r'},
		{"sort", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	static struct top top;
	int opt, status;

	top_state_init(&top.state);
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'h')
			return usage_help(help);
		if (!parse_option(&top, opt))
			return usage_error(help);
	}
	if (optind < argc) {
		warnx("what is '%s'?", argv[optind]);
		return usage_error(help);
	}
	if (!top_column_sorts(top.state.sort.column, top.state.by)) {
		warnx("%s have no %s",
		      top.state.by == TOP_USERS ? "users" : "cgroups",
		      top_column_name(top.state.sort.column));
		return usage_error(help);
	}
	if (!output_is_terminal(stdin) || !output_is_terminal(stdout))
		top.batch = true;
	status = run(&top);
	/* What ended us is told to whoever waits, but Ctrl-C is a key. */
	if (top_screen_signal() && top_screen_signal() != SIGINT) {
		signal(top_screen_signal(), SIG_DFL);
		raise(top_screen_signal());
	}
	return status;
}
