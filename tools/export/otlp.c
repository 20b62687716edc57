// SPDX-License-Identifier: MIT
/*
 * Metrics to an OpenTelemetry collector: OTLP over HTTP, in JSON. An integer is a
 * string there, so that each of 64 bits arrives as it is; amounts keep the unit of
 * their ledger for that.
 */
#include "config.h"

#include <curl/curl.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/output.h"
#include "export/output.h"

#define TIMEOUT	   10L /* s */
#define CUMULATIVE 2

struct otlp {
	const char *url;
	CURL *curl;
	struct curl_slist *headers;
	struct json_writer w;
	int64_t now_ns;
};

/* ---- attributes ----------------------------------------------------------------- */

static void put_attribute(struct json_writer *w, const char *key,
			  const char *value)
{
	json_open_object(w, NULL);
	json_put_string(w, "key", key);
	json_open_object(w, "value");
	json_put_string(w, "stringValue", value);
	json_close_object(w);
	json_close_object(w);
}

/* Undo the escapes of a label's value up to its quote, and go behind it. */
static const char *unescape(const char *from, char *to)
{
	for (; *from && *from != '"'; from++) {
		bool escaped = *from == '\\' && from[1];

		from += escaped;
		*to++ = *from;
		if (escaped && *from == 'n')
			to[-1] = '\n';
	}
	*to = '\0';
	return *from ? from + 1 : from;
}

/* Labels are name="value", with commas between them. */
static int put_labels(struct json_writer *w, const char *labels)
{
	char *name = malloc(2 * strlen(labels) + 2);
	char *value = name ? name + strlen(labels) + 1 : NULL;

	if (!name)
		return -ENOMEM;
	while (*labels) {
		size_t bytes = strcspn(labels, "=");

		memcpy(name, labels, bytes);
		name[bytes] = '\0';
		if (!labels[bytes] || !labels[bytes + 1])
			break;
		labels = unescape(labels + bytes + 2, value);
		put_attribute(w, name, value);
		labels += *labels == ',';
	}
	free(name);
	return 0;
}

/* ---- metrics --------------------------------------------------------------------- */

static void put_integer(struct json_writer *w, const char *name, int64_t n)
{
	char text[OUTPUT_NUMBER];

	json_put_string(w, name, output_integer(n, text));
}

static int put_point(struct otlp *o, const struct export_part *p,
		     const struct export_row *row)
{
	struct json_writer *w = &o->w;
	int err;

	json_open_object(w, NULL);
	json_open_array(w, "attributes");
	if (p->ledger)
		put_attribute(w, "ledger", p->ledger->raw);
	err = put_labels(w, row->labels);
	json_close_array(w);
	if (p->type == EXPORT_COUNTER && p->ledger)
		put_integer(w, "startTimeUnixNano", p->ledger->start_ns);
	put_integer(w, "timeUnixNano", o->now_ns);
	put_integer(w, "asInt", export_value(row, p->column));
	json_close_object(w);
	return err;
}

static int put_points(struct otlp *o, const struct export_part *p)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->table->nr; i++) {
		const struct export_row *row = p->table->rows[i];

		if (export_is_shown(p, row))
			err = put_point(o, p, row);
	}
	return err;
}

/* By UCUM. */
static const char *unit_of(const struct export_part *p)
{
	if (p->digits)
		return p->resource ? p->resource->unit : "ns";
	return strcmp(p->unit, "bytes") != 0 ? "1" : "By";
}

/* Values are not in seconds. */
static void open_metric(struct otlp *o, const struct export_part *p)
{
	struct json_writer *w = &o->w;
	size_t bytes = strlen(p->name);
	char name[sizeof(p->name)];

	if (p->digits)
		bytes -= strlen("_seconds");
	snprintf(name, sizeof(name), "%.*s", (int)bytes, p->name);
	json_open_object(w, NULL);
	json_put_string(w, "name", name);
	json_put_string(w, "description", p->help);
	json_put_string(w, "unit", unit_of(p));
	json_open_object(w, p->type == EXPORT_COUNTER ? "sum" : "gauge");
	if (p->type == EXPORT_COUNTER) {
		json_put_int(w, "aggregationTemporality", CUMULATIVE);
		json_put_bool(w, "isMonotonic", true);
	}
	json_open_array(w, "dataPoints");
}

static void close_metric(struct otlp *o)
{
	json_close_array(&o->w);
	json_close_object(&o->w);
	json_close_object(&o->w);
}

/* Parts of one name, and of one unit, are a metric. */
static bool is_other(const struct export_part *a, const struct export_part *b)
{
	return strcmp(a->name, b->name) != 0 || a->digits != b->digits;
}

static int put_metrics(struct otlp *o, const struct export_families *f)
{
	const struct export_part *open = NULL;
	int err = 0;

	for (size_t i = 0; !err && i < f->nr; i++) {
		const struct export_part *p = &f->parts[i];

		if (!export_has_rows(p))
			continue;
		if (open && is_other(open, p))
			close_metric(o);
		if (!open || is_other(open, p))
			open_metric(o, p);
		open = p;
		err = put_points(o, p);
	}
	if (open)
		close_metric(o);
	return err;
}

static int put_document(struct otlp *o, const struct export_families *f)
{
	struct json_writer *w = &o->w;
	char host[256] = "";
	int err;

	gethostname(host, sizeof(host) - 1);
	json_open_object(w, NULL);
	json_open_array(w, "resourceMetrics");
	json_open_object(w, NULL);
	json_open_object(w, "resource");
	json_open_array(w, "attributes");
	put_attribute(w, "service.name", "numatally");
	put_attribute(w, "service.version", PACKAGE_VERSION);
	put_attribute(w, "host.name", host);
	json_close_array(w);
	json_close_object(w);
	json_open_array(w, "scopeMetrics");
	json_open_object(w, NULL);
	json_open_object(w, "scope");
	json_put_string(w, "name", "numatally");
	json_put_string(w, "version", PACKAGE_VERSION);
	json_close_object(w);
	json_open_array(w, "metrics");
	err = put_metrics(o, f);
	json_close_array(w);
	json_close_object(w);
	json_close_array(w);
	json_close_object(w);
	json_close_array(w);
	json_close_object(w);
	return err;
}

/* ---- sending ----------------------------------------------------------------------- */

static size_t ignore(void *bytes, size_t size, size_t nr, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * nr;
}

static int post(struct otlp *o, const char *text, size_t bytes)
{
	long status = 0;
	CURLcode code;

	curl_easy_setopt(o->curl, CURLOPT_POSTFIELDS, text);
	curl_easy_setopt(o->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)bytes);
	code = curl_easy_perform(o->curl);
	if (code != CURLE_OK) {
		warnx("%s: %s", o->url, curl_easy_strerror(code));
		return -EIO;
	}
	curl_easy_getinfo(o->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 == 2)
		return 0;
	warnx("%s: HTTP status %ld", o->url, status);
	return -EIO;
}

static int put(void *arg, const struct export_families *f)
{
	struct otlp *o = arg;
	char *text = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&text, &bytes);
	int err = memory ? 0 : -errno;

	if (!err) {
		o->now_ns = real_ns(now_ns());
		json_begin(&o->w, memory);
		err = put_document(o, f);
		if (json_finish(&o->w) && !err)
			err = -ENOMEM;
		if (fclose(memory) && !err)
			err = -ENOMEM;
	}
	if (err)
		warnx("%s", strerror(-err));
	else
		err = post(o, text, bytes);
	free(text);
	return err;
}

static int set_up(struct otlp *o)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	o->curl = curl_easy_init();
	o->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!o->curl || !o->headers)
		return -ENOMEM;
	curl_easy_setopt(o->curl, CURLOPT_URL, o->url);
	curl_easy_setopt(o->curl, CURLOPT_HTTPHEADER, o->headers);
	curl_easy_setopt(o->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(o->curl, CURLOPT_TIMEOUT, TIMEOUT);
	curl_easy_setopt(o->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(o->curl, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(o->curl, CURLOPT_USERAGENT,
			 "numatally/" PACKAGE_VERSION);
	return 0;
}

int export_otlp(struct export_set *set, const char *url, int64_t interval_ns)
{
	struct otlp o = {.url = url};
	int err = set_up(&o);
	int status = EXIT_FAILURE;

	if (err)
		warnx("%s", strerror(-err));
	else
		status = export_repeat(set, interval_ns, put, &o);
	curl_slist_free_all(o.headers);
	curl_easy_cleanup(o.curl);
	curl_global_cleanup();
	return status;
}
