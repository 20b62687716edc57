// SPDX-License-Identifier: MIT
/* numatally top: nodes, and what uses them, live. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/absent.h"
#include "common/clock.h"
#include "common/opt.h"
#include "common/output.h"
#include "common/root.h"
#include "common/signals.h"
#include "common/stdout.h"
#include "common/text.h"
#include "common/verbs.h"
#include "top/data/data.h"
#include "top/draw/draw.h"
#include "top/json.h"
#include "top/screen.h"
#include "top/state/keys.h"
#include "top/state/state.h"

/* The second reading comes early: it gives the first rates. */
#define FIRST_INTERVAL_NS 300000000

static const char help[] =
	"Usage: numatally top [--interval S] [--count N] [--batch | --json]\n"
	"                     [--by process|cgroup|user|thread] [--sort KEY] [-c] [-t]\n"
	"                     [--nodes LIST] [--root ROOT]\n"
	"\n"
	"Show the memory and CPUs of each node, and what uses them, until q is\n"
	"typed; h shows the keys.\n"
	"\n"
	"  -i, --interval S  read every S seconds (1.0)\n"
	"      --count N     end after N readings\n"
	"  -b, --batch       print plain text, one screen after another; the default if\n"
	"                    stdin or stdout is not a terminal\n"
	"  -j, --json        print a line of JSON for each reading\n"
	"      --by WHAT     show processes, cgroups, users or threads\n"
	"      --sort KEY    sort by memory, cpu, remote, pid, user, anonymous, file,\n"
	"                    shared, huge, swap, name, or a node's number\n"
	"  -c, --command-lines\n"
	"                    show command lines, not names\n"
	"  -t, --tree        show processes below their parents\n"
	"      --nodes LIST  show these nodes only: 0-3,8\n"
	"      --root ROOT   read the captured /sys and /proc of ROOT, a directory or an\n"
	"                    archive\n"
	"  -h, --help        print this help\n"
	"      --version     print the version\n"
	"\n"
	"See numatally-top(1).\n";

enum { OPT_BY = OPT_OWN, OPT_COUNT, OPT_NODES, OPT_ROOT, OPT_SORT };

struct top {
	const char *root;
	struct top_wanted wanted;
	bool batch, json;
	bool checked, lacks_wanted; /* nodes of --nodes and --sort */
	bool sort_set;		    /* --sort was given */
	bool commands;	/* the rows in the model have command lines */
	uint64_t count; /* 0: without end */
	struct top_data *data;
	struct top_model model;
	enum top_by filled; /* the rows in the model */
	struct top_list list;
	struct top_layout layout;
	struct top_grid grid;
	struct top_state state;
};

/* ---- frames ----------------------------------------------------------------*/

static int fill(struct top *top)
{
	top->filled = top->state.by;
	top->commands = top->json || top_state_wants_commands(&top->state);
	top_data_want(top->data, top->commands);
	return top_data_fill(top->data, top->state.by, &top->model);
}

/* Whether there is each node of --nodes, and that of --sort: else rows are sorted as
 * without it. */
static bool has_wanted(struct top *top)
{
	struct top_sort *sort = &top->state.sort;
	struct absent absent = {.nr = 0};
	bool all = true;

	for (unsigned int i = 0; i < top->wanted.nr; i++) {
		const struct top_range *range = &top->wanted.ranges[i];

		for (unsigned int n = range->first; n <= range->last; n++)
			if (!top_data_has(top->data, (int)n)) {
				absent_add(&absent, n);
				all = false;
			}
	}
	absent_tell(&absent);
	if (sort->column == TOP_NODE && !top_data_has(top->data, sort->node)) {
		warnx("no node %d: sorted by memory", sort->node);
		*sort = (struct top_sort){.column = TOP_MEMORY};
		all = false;
	}
	return all;
}

static int read_all(struct top *top)
{
	int err = top_data_read(top->data);

	if (!err)
		err = fill(top);
	if (!err && !top->checked) {
		top->checked = true;
		top->lacks_wanted = !has_wanted(top);
	}
	return err;
}

/* The columns of the widest name of the list. */
static unsigned int name_width(const struct top *top)
{
	unsigned int widest = 1;

	for (size_t i = 0; i < top->list.nr; i++) {
		const struct top_row *row = top->list.entries[i].row;
		bool command = top->state.commands &&
			       row->command != TOP_NO_TEXT;
		char *name = text_escape(top_model_text(
			&top->model, command ? row->command : row->name));
		unsigned int width = (name ? text_width(name) : 0) +
				     2 * top->list.entries[i].depth;

		if (width > widest)
			widest = width;
		free(name);
	}
	return widest;
}

static int list(struct top *top)
{
	if (top_list_make(&top->list, &top->model, &top->state.sort,
			  top_state_view(&top->state), top->state.filter))
		return -ENOMEM;
	return top->state.tree && top->state.by == TOP_PROCESSES
		       ? top_list_tree(&top->list)
		       : 0;
}

/* height 0: as many lines as needed. */
static int draw(struct top *top, unsigned int width, unsigned int height)
{
	struct top_choice choice = {
		.by = top->state.by,
		.sort = top->state.sort,
		.long_names = top->state.commands || top->state.tree,
		.whole = !height,
	};

	if (list(top))
		return -ENOMEM;
	choice.nr_rows = top->list.nr;
	if (width == OUTPUT_UNBOUND)
		choice.name_width = name_width(top);
	top_layout_make(&top->layout, width, height, &top->model, &choice);
	top_state_settle(&top->state, &top->model, &top->list, &top->layout);
	if (top_grid_reset(&top->grid, top->layout.width, top->layout.height))
		return -ENOMEM;
	top_draw(&top->grid, &top->layout, &top->model, &top->list, &top->state,
		 !top->batch);
	return 0;
}

/* ---- batch -----------------------------------------------------------------*/

/* 0: as many lines as needed. */
static unsigned int batch_height(void)
{
	const char *lines = getenv("LINES");
	uint64_t n = 0;

	if (lines)
		parse_number(lines, 1, 10000, &n);
	return (unsigned int)n;
}

static int print(struct top *top, uint64_t n, unsigned int width,
		 unsigned int height)
{
	int err = top->json ? list(top) : draw(top, width, height);

	if (err)
		return err;
	if (top->json) {
		(void)top_json(&top->model, &top->list);
		return 0;
	}
	if (n > 1)
		putchar('\n');
	top_grid_print(&top->grid, stdout);
	(void)stdout_flush();
	return 0;
}

static void report_rows(const struct top_model *model)
{
	static const char *const names[TOP_NR_BY] = {"process", "cgroup",
						     "user", "thread"};
	const struct top_row *row = model->rows;
	char *name, number[24];

	if (!model->nr_lacking)
		return;
	while (!row->err)
		row++;
	snprintf(number, sizeof(number), "%jd", (intmax_t)row->id);
	name = text_escape(top_has_ids(model->by)
				   ? number
				   : top_model_text(model, row->name));
	warnx("%zu of %zu rows are not readable: %s %s: %s", model->nr_lacking,
	      model->nr_rows, names[model->by], name ? name : "?",
	      text_process_error(row->err));
	free(name);
}

/* A screen shows the errors; in batch mode they are also told, once. */
static void report(const struct top *top)
{
	for (unsigned int i = 0; i < top->model.nr_nodes; i++) {
		const struct top_node *node = &top->model.nodes[i];

		if (node->err)
			warnx("node %d: meminfo: %s", node->node,
			      text_error(node->err));
	}
	if (top->model.rows_err)
		warnx("%s: %s", root_name(top->root),
		      top_model_rows_error(&top->model));
	report_rows(&top->model);
}

static int run_batch(struct top *top)
{
	unsigned int width = output_width(stdout), height = batch_height();
	int64_t next = now_ns();
	int err = 0;

	/* A screen of so many lines has an edge. */
	if (height && width == OUTPUT_UNBOUND)
		width = 80;
	for (uint64_t n = 1; !err; n++) {
		err = read_all(top);
		if (!err && n == 1)
			report(top);
		if (!err)
			err = print(top, n, width, height);
		if (err)
			break;
		if (ferror(stdout) || n == top->count)
			break;
		next += top->state.interval_ns;
		sleep_until(next);
	}
	return err;
}

/* ---- on a terminal ---------------------------------------------------------*/

static int show(struct top *top)
{
	unsigned int width, height;
	int err = 0;

	if (top->filled != top->state.by ||
	    (!top->commands && top_state_wants_commands(&top->state)))
		err = fill(top);
	top_screen_size(&width, &height);
	if (!err)
		err = draw(top, width, height);
	return err ? err : top_screen_show(&top->grid);
}

/* Keys change the screen at once; the next reading keeps its time. */
static int run_screen(struct top *top)
{
	int64_t read_ns = top->model.time_ns, next;
	uint64_t n = 1;
	enum top_event event = TOP_EVENT_REDRAW;
	int key, err = 0;

	while (!err && !top->state.quit && event != TOP_EVENT_END) {
		err = show(top);
		if (err || (n == top->count && !top->state.paused))
			break;
		next = read_ns + top->state.interval_ns;
		if (n == 1 && top->state.interval_ns > FIRST_INTERVAL_NS)
			next = read_ns + FIRST_INTERVAL_NS;
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
	if (top->lacks_wanted || !top_screen_open())
		return -ENOTTY;
	err = run_screen(top);
	top_screen_close();
	return err;
}

/* ---- options ---------------------------------------------------------------*/

/* Whether a node or, in batch mode, a row is missing: a screen shows the error of
 * a row. */
static bool lacks(const struct top *top)
{
	for (unsigned int i = 0; i < top->model.nr_nodes; i++)
		if (top->model.nodes[i].err)
			return true;
	if (top->lacks_wanted)
		return true;
	return top->batch && (top->model.nr_lacking || top->model.rows_err);
}

static int run(struct top *top)
{
	const char *what = ROOT_NODES;
	int err, status;

	if (root_open(&top->root))
		return EXIT_FAILURE;
	err = top_data_open(top->root, &top->wanted, &top->data, &what);
	if (!err) {
		root_warn_hidden(top->root, ROOT_ALL);
		root_warn_hidepid(top->root);
	}
	if (!err)
		err = top->batch ? run_batch(top) : run_interactive(top);
	if (err && err != -ENOTTY)
		root_complain(top->root, err, what);
	status = err || lacks(top) ? EXIT_FAILURE : EXIT_SUCCESS;
	top_data_close(top->data);
	top_model_free(&top->model);
	top_list_free(&top->list);
	top_grid_free(&top->grid);
	free(top->wanted.ranges);
	return status;
}

static int take_nodes(struct top *top)
{
	struct top_wanted wanted;

	if (!top_wanted_parse(optarg, &wanted))
		return opt_error("--nodes: '%s' is not a list of nodes",
				 optarg);
	free(top->wanted.ranges);
	top->wanted = wanted;
	return 0;
}

static int take_by(struct top *top)
{
	static const char *const names[TOP_NR_BY] = {"process", "cgroup",
						     "user", "thread"};
	unsigned int by = top->state.by;
	int status = opt_word("by", names, TOP_NR_BY, &by);

	top->state.by = (enum top_by)by;
	return status;
}

/* 0, or the exit status. */
static int take_option(struct top *top, int opt)
{
	switch (opt) {
	case 'b':
		top->batch = true;
		return 0;
	case OPT_COUNT:
		return opt_number("count", 1, UINT64_MAX, &top->count);
	case 'i':
		return opt_interval("interval", &top->state.interval_ns);
	case OPT_NODES:
		return take_nodes(top);
	case OPT_ROOT:
		top->root = optarg;
		return 0;
	case 'c':
		top->state.commands = true;
		return 0;
	case 'j':
		top->json = true;
		return 0;
	case 't':
		top->state.tree = true;
		return 0;
	case OPT_SORT:
		top->sort_set = true;
		return top_sort_parse(optarg, &top->state.sort)
			       ? opt_error("--sort: '%s' is not a column",
					   optarg)
			       : 0;
	case OPT_BY:
		return take_by(top);
	default:
		return 0;
	}
}

int top_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"batch", no_argument, NULL, 'b'},
		{"command-lines", no_argument, NULL, 'c'},
		{"json", no_argument, NULL, 'j'},
		{"tree", no_argument, NULL, 't'},
		{"by", required_argument, NULL, OPT_BY},
		{"count", required_argument, NULL, OPT_COUNT},
		{"interval", required_argument, NULL, 'i'},
		{"nodes", required_argument, NULL, OPT_NODES},
		{"root", required_argument, NULL, OPT_ROOT},
		{"sort", required_argument, NULL, OPT_SORT},
		OPT_END,
	};
	static const char *const names[TOP_NR_BY] = {
		[TOP_PROCESSES] = "processes",
		[TOP_CGROUPS] = "cgroups",
		[TOP_USERS] = "users",
		[TOP_THREADS] = "threads",
	};
	static struct top top;
	int opt, status;

	top_state_init(&top.state);
	while ((opt = getopt_long(argc, argv, "bci:jt" OPT_LETTERS, options,
				  NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		status = take_option(&top, opt);
		if (status)
			return status;
	}
	if (optind < argc)
		return opt_invalid(argv[optind]);
	if (top.state.by == TOP_THREADS && !top.sort_set)
		top.state.sort.column = TOP_CPU;
	if (top.state.tree && top.state.by != TOP_PROCESSES)
		return opt_error("--tree is of processes");
	if (!top_column_sorts(top.state.sort.column, top.state.by))
		return opt_error("--sort: %s have no %s", names[top.state.by],
				 top_column_name(top.state.sort.column));
	if (top.json || !output_is_terminal(stdin) ||
	    !output_is_terminal(stdout))
		top.batch = true;
	status = run(&top);
	/* The parent learns of the signal. Ctrl-C quits as a key does. */
	if (top_screen_signal() && top_screen_signal() != SIGINT) {
		signal_die(top_screen_signal());
	}
	return status;
}
