// SPDX-License-Identifier: MIT
/*
 * One thread serves all connections, none of which it waits for: a client that
 * stalls holds nothing but its connection, until its time is over.
 *
 * A scrape has a text of its own. Where many clients take long to read theirs, those
 * that come within a second share one, and the oldest text is given up: so many
 * texts are all that clients can make this process keep.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "common/clock.h"
#include "common/confine.h"
#include "common/signals.h"
#include "common/stdout.h"
#include "export/listen.h"
#include "export/text.h"

#define NR_TEXTS    8
#define SHARE_NS    1000000000
#define CONNECTIONS 1024u
#define FILES	    ((rlim_t)4096)
#define TIMEOUT	    10u	       /* s, of a client that does nothing */
#define MEMORY	    (16 << 10) /* of a connection */
#define BLOCK	    (64 << 10)

enum { PLAIN, GZIP };

struct text {
	struct export_buffer b;
	enum export_format format;
	int encoding;
	int64_t made_ns;
	unsigned int readers;
	uint64_t generation;
};

struct server {
	struct export_set *set;
	struct export_families families;
	struct text texts[NR_TEXTS];
	struct export_buffer plain;
};

/* A client's text, until the text is given up. */
struct reading {
	struct text *text;
	uint64_t generation;
};

/* ---- texts ---------------------------------------------------------------------- */

#ifdef HAVE_ZLIB
static int compress_text(const struct export_buffer *from,
			 struct export_buffer *to)
{
	z_stream z = {0};
	size_t most;
	char *text;
	int err = -ENOMEM;

	/* 16: with gzip's head. */
	if (from->used > UINT32_MAX / 2 ||
	    deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	most = deflateBound(&z, from->used);
	text = most > to->room ? realloc(to->text, most) : to->text;
	if (text) {
		to->room = most > to->room ? most : to->room;
		to->text = text;
		z.next_in = (Bytef *)from->text;
		z.avail_in = (uInt)from->used;
		z.next_out = (Bytef *)text;
		z.avail_out = (uInt)most;
		err = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -EIO;
		to->used = z.total_out;
	}
	deflateEnd(&z);
	return err;
}
#else
static int compress_text(const struct export_buffer *from,
			 struct export_buffer *to)
{
	(void)from;
	(void)to;
	return -ENOSYS;
}
#endif

static int make_text(struct server *s, struct text *t)
{
	int err = export_set_look(s->set);

	if (!err)
		err = export_families_make(&s->families, s->set);
	if (!err)
		err = export_text(&s->families, t->format,
				  t->encoding == GZIP ? &s->plain : &t->b);
	if (!err && t->encoding == GZIP)
		err = compress_text(&s->plain, &t->b);
	return err;
}

/* One that nobody reads, else the oldest one. */
static struct text *free_text(struct server *s)
{
	struct text *oldest = &s->texts[0];

	for (struct text *t = s->texts; t < s->texts + NR_TEXTS; t++) {
		if (!t->readers)
			return t;
		if (t->made_ns < oldest->made_ns)
			oldest = t;
	}
	return oldest;
}

static struct text *recent_text(struct server *s, enum export_format format,
				int encoding)
{
	struct text *newest = NULL;

	for (struct text *t = s->texts; t < s->texts + NR_TEXTS; t++)
		if (t->b.used && t->format == format &&
		    t->encoding == encoding &&
		    (!newest || t->made_ns > newest->made_ns))
			newest = t;
	return newest && newest->made_ns > now_ns() - SHARE_NS ? newest : NULL;
}

/* NULL: no memory, or the ledgers can't be listed. */
static struct text *get_text(struct server *s, enum export_format format,
			     int encoding)
{
	struct text *t = free_text(s), *recent;

	recent = t->readers ? recent_text(s, format, encoding) : NULL;
	if (recent)
		return recent;
	t->generation++;
	t->readers = 0;
	t->b.used = 0;
	t->format = format;
	t->encoding = encoding;
	if (make_text(s, t)) {
		t->b.used = 0;
		return NULL;
	}
	t->made_ns = now_ns();
	return t;
}

/* ---- answers ----------------------------------------------------------------------- */

static ssize_t read_text(void *arg, uint64_t at, char *to, size_t most)
{
	const struct reading *r = arg;
	const struct export_buffer *b = &r->text->b;

	if (r->generation != r->text->generation)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (at >= b->used)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (most > b->used - at)
		most = b->used - at;
	memcpy(to, b->text + at, most);
	return (ssize_t)most;
}

static void end_reading(void *arg)
{
	struct reading *r = arg;

	if (r->generation == r->text->generation)
		r->text->readers--;
	free(r);
}

/* The quality that a list of a header gives to what begins with a word; -1: none. */
static double quality(const char *list, const char *word)
{
	for (const char *at = list; at; at = strchr(at, ',')) {
		const char *end, *q;

		at += strspn(at, ", \t");
		end = at + strcspn(at, ",");
		if (strncasecmp(at, word, strlen(word)) != 0)
			continue;
		q = strcasestr(at, ";q=");
		if (!q)
			q = strcasestr(at, "; q=");
		return q && q < end ? strtod(strchr(q, '=') + 1, NULL) : 1;
	}
	return -1;
}

static enum MHD_Result refuse(struct MHD_Connection *c, unsigned int status,
			      const char *words)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(words), (void *)words, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result ok = MHD_NO;

	if (r) {
		MHD_add_response_header(r, "Content-Type",
					"text/plain; charset=utf-8");
		if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
			MHD_add_response_header(r, "Allow", "GET, HEAD");
		ok = MHD_queue_response(c, status, r);
		MHD_destroy_response(r);
	}
	return ok;
}

static enum MHD_Result send_text(struct MHD_Connection *c, struct text *t)
{
	struct reading *reading = malloc(sizeof(*reading));
	struct MHD_Response *r = NULL;
	enum MHD_Result ok = MHD_NO;

	if (reading) {
		*reading = (struct reading){t, t->generation};
		r = MHD_create_response_from_callback(
			t->b.used, BLOCK, read_text, reading, end_reading);
	}
	if (!r) {
		free(reading);
		return MHD_NO;
	}
	t->readers++;
	MHD_add_response_header(r, "Content-Type",
				export_content_type(t->format));
	MHD_add_response_header(r, "Vary", "Accept, Accept-Encoding");
	if (t->encoding == GZIP)
		MHD_add_response_header(r, "Content-Encoding", "gzip");
	ok = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result scrape(struct server *s, struct MHD_Connection *c)
{
	const char *accept =
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
	const char *encodings = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
							    "Accept-Encoding");
	double open = quality(accept, "application/openmetrics-text");
	int encoding = PLAIN;
	struct text *t;

#ifdef HAVE_ZLIB
	if (quality(encodings, "gzip") > 0)
		encoding = GZIP;
#else
	(void)encodings;
#endif
	t = get_text(s,
		     open > 0 && open >= quality(accept, "text/plain")
			     ? EXPORT_OPENMETRICS
			     : EXPORT_TEXT,
		     encoding);
	return t ? send_text(c, t)
		 : refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
			  "the ledgers can't be read\n");
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *c,
			      const char *url, const char *method,
			      const char *version, const char *data,
			      size_t *bytes, void **seen)
{
	(void)version;
	(void)data;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED,
			      "only GET and HEAD\n");
	if (!*seen) {
		*seen = c;
		return MHD_YES;
	}
	if (*bytes) {
		*bytes = 0;
		return MHD_YES;
	}
	if (!strcmp(url, "/metrics"))
		return scrape(arg, c);
	if (!strcmp(url, "/"))
		return refuse(c, MHD_HTTP_OK,
			      "numatally export: metrics are at /metrics\n");
	return refuse(c, MHD_HTTP_NOT_FOUND, "metrics are at /metrics\n");
}

/* ---- the server ---------------------------------------------------------------------- */

static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	if (limit.rlim_cur < FILES)
		limit.rlim_cur = limit.rlim_max < FILES ? limit.rlim_max
							: FILES;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void say_nothing(void *arg, const char *format, va_list args)
{
	(void)arg;
	(void)format;
	(void)args;
}

static int serve(struct server *s, int fd, const char *url)
{
	struct MHD_Daemon *daemon;
	sigset_t signals;
	int signal;

	sigemptyset(&signals);
	if (!signal_is_ignored(SIGINT))
		sigaddset(&signals, SIGINT);
	if (!signal_is_ignored(SIGTERM))
		sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL,
		NULL, answer, s, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
		MHD_OPTION_END);
	if (!daemon) {
		warnx("the listener can't be started");
		close(fd);
		return EXIT_FAILURE;
	}
	confine(CONFINE_SERVE);
	puts(url);
	(void)stdout_flush();
	while (sigwait(&signals, &signal))
		;
	MHD_stop_daemon(daemon);
	return EXIT_SUCCESS;
}

int export_listen(struct export_set *set, const char *address, bool public)
{
	static struct server s;
	char url[128];
	int fd, status = export_socket(address, public, &fd, url, sizeof(url));

	if (status)
		return status;
	s.set = set;
	allow_files();
	export_drop_privileges();
	status = serve(&s, fd, url);
	for (int i = 0; i < NR_TEXTS; i++)
		free(s.texts[i].b.text);
	free(s.plain.text);
	export_families_free(&s.families);
	return status;
}
