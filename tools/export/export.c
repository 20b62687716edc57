// SPDX-License-Identifier: MIT
/* numatally export: metrics of ledgers, for monitoring. A program of its own,
 * which numatally executes: its libraries take time to load. */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/opt.h"
#include "common/verbs.h"
#ifdef HAVE_MICROHTTPD
#include "export/listen.h"
#endif
#include "export/output.h"

#define SERIES 10000

static const char help[] =
	"Usage: numatally export OUTPUT [OPTION]... [LEDGER]...\n"
	"\n"
	"Export the amounts of ledgers per node and account, as Prometheus reads them:\n"
	"of all ledgers of this machine, or of each LEDGER, a name (see 'numatally ls')\n"
	"or, with a '/' in it, a path.\n"
	"\n"
#ifdef HAVE_MICROHTTPD
	"      --listen ADDRESS:PORT\n"
	"                       serve them at http://ADDRESS:PORT/metrics; PORT 0: one that\n"
	"                       is free; the address is printed\n"
	"      --public         ADDRESS may be another one than of this machine alone\n"
#endif
#ifdef HAVE_CURL
	"      --otlp URL       send them to a collector, as OTLP in JSON: to\n"
	"                       http://localhost:4318/v1/metrics\n"
#endif
	"      --textfile FILE  write them into FILE, for node_exporter; -: to stdout\n"
	"  -i, --interval S     write them again every S seconds\n"
	"      --openmetrics    write OpenMetrics 1.0, not Prometheus' text format\n"
	"      --top N          the N largest accounts of a ledger have series of their\n"
	"                       own, and the rest is summed (as many as 10,000 series\n"
	"                       allow)\n"
	"      --all            all accounts have series of their own\n"
	"  -h, --help           print this help\n"
	"      --version        print the version\n"
	"\n"
	"See numatally-export(1).\n";

enum {
	OPT_ALL = OPT_OWN,
	OPT_LISTEN,
	OPT_OPENMETRICS,
	OPT_OTLP,
	OPT_PUBLIC,
	OPT_TEXTFILE,
	OPT_TOP,
};

struct export
{
	struct export_set set;
	const char *textfile, *listen, *otlp;
	bool public;
	enum export_format format;
	int64_t interval_ns; /* 0: once */
};

/* 0, or the exit status 2. */
static int parse_option(struct export *e, int opt)
{
	uint64_t top;
	int status = 0;

	switch (opt) {
	case OPT_ALL:
		e->set.bounds.series = SIZE_MAX;
		break;
	case OPT_LISTEN:
		e->listen = optarg;
		break;
	case OPT_OTLP:
		e->otlp = optarg;
		break;
	case OPT_PUBLIC:
		e->public = true;
		break;
	case OPT_OPENMETRICS:
		e->format = EXPORT_OPENMETRICS;
		break;
	case OPT_TEXTFILE:
		e->textfile = optarg;
		break;
	case OPT_TOP:
		status = opt_number("top", 0, UINT32_MAX, &top);
		if (!status) {
			e->set.bounds.series = SIZE_MAX;
			e->set.bounds.top = top;
		}
		break;
	case 'i':
		status = opt_interval("interval", &e->interval_ns);
		break;
	default:
		break;
	}
	return status;
}

/* The exit status, or -1 to go on. */
static int parse(struct export *e, int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, OPT_ALL},
		{"interval", required_argument, NULL, 'i'},
		{"listen", required_argument, NULL, OPT_LISTEN},
		{"openmetrics", no_argument, NULL, OPT_OPENMETRICS},
		{"otlp", required_argument, NULL, OPT_OTLP},
		{"public", no_argument, NULL, OPT_PUBLIC},
		{"textfile", required_argument, NULL, OPT_TEXTFILE},
		{"top", required_argument, NULL, OPT_TOP},
		OPT_END,
	};
	int opt, status;

	while ((opt = getopt_long(argc, argv, "i:" OPT_LETTERS, options,
				  NULL)) != -1) {
		if (opt_is_common(opt))
			return opt_common(opt, help);
		status = parse_option(e, opt);
		if (status)
			return status;
	}
	if (!!e->textfile + !!e->listen + !!e->otlp != 1)
		return opt_error("one of --listen, --otlp and --textfile is "
				 "needed");
	return -1;
}

static int add_ledgers(struct export_set *set, char **names)
{
	set->all = !*names;
	for (; *names; names++) {
		int err = **names ? export_set_add(set, *names) : -EINVAL;

		if (err == -EEXIST || err == -EINVAL)
			return opt_invalid(*names);
		if (err) {
			warnx("%s", strerror(-err));
			return EXIT_FAILURE;
		}
	}
	return 0;
}

static int output(struct export *e)
{
	if (e->listen) {
#ifdef HAVE_MICROHTTPD
		return export_listen(&e->set, e->listen, e->public);
#else
		return opt_error("--listen: built without libmicrohttpd");
#endif
	}
	export_catch_signals();
	if (e->otlp) {
#ifdef HAVE_CURL
		return export_otlp(&e->set, e->otlp, e->interval_ns);
#else
		return opt_error("--otlp: built without libcurl");
#endif
	}
	return export_textfile(&e->set, e->textfile, e->format, e->interval_ns);
}

static int export_main(int argc, char **argv)
{
	static struct export e = {
		.set.bounds = {.series = SERIES, .top = SIZE_MAX},
	};
	int status = parse(&e, argc, argv);

	if (status >= 0)
		return status;
	status = add_ledgers(&e.set, argv + optind);
	if (!status)
		status = output(&e);
	export_set_free(&e.set);
	return status;
}

int main(int argc, char **argv)
{
	static const struct verb verbs[] = {{"export", export_main}, {0}};

	return program_main(verbs, argc, argv);
}
