// SPDX-License-Identifier: MIT
/* The line that tells that a watch fired. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/text.h"
#include "watch/threshold.h"

/* ---- text ------------------------------------------------------------------- */

static void print_time(FILE *f, int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char text[64];
	struct tm tm;

	if (localtime_r(&seconds, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		fprintf(f, "%s.%03d", text, (int)(ns / 1000000 % 1000));
	if (strftime(text, sizeof(text), "%z", &tm))
		fputs(text, f);
}

/* As it was written, with the amount before the mark. */
static void print_threshold(FILE *f, const struct watch_threshold *t,
			    int64_t amount, bool first)
{
	const char *const words[] = {
		[TALLY_WATCH_FREE] = "free ",
		[TALLY_WATCH_AMOUNT] = "",
		[TALLY_WATCH_PENDING] = t->key ? "pending " : "pending",
	};
	char *name = strndup(t->text, t->bytes);
	char *escaped = name ? text_escape(name) : NULL;

	fprintf(f, "%s%s%s %" PRId64 " %c %" PRId64, first ? " " : ", ",
		words[t->parsed.of], escaped ? escaped : "?", amount,
		t->parsed.side == TALLY_WATCH_BELOW ? '<' : '>',
		t->parsed.mark);
	free(escaped);
	free(name);
}

static void print_text(FILE *f, const struct watch_line *l,
		       const struct tally_watch_event *e)
{
	bool first = true;

	print_time(f, real_ns(e->fired_ns));
	for (unsigned int i = 0; i < l->nr; i++)
		if (e->crossed & UINT32_C(1) << i) {
			print_threshold(f, &l->thresholds[i], e->amounts[i],
					first);
			first = false;
		}
}

/* ---- JSON ------------------------------------------------------------------- */

static void put_node(struct json_writer *w, const struct tally_view *view,
		     int node)
{
	const char *machine = NULL;
	int id = -1;

	if (node < TALLY_VIEW_ALL) {
		json_put_string(w, "node",
				node == TALLY_WATCH_SOME_NODE ? "some"
							      : "every");
		return;
	}
	for (unsigned int i = 0; i < tally_view_nr_nodes(view); i++)
		if (tally_view_node(view, i) == node)
			machine = tally_view_machine(view, i, &id);
	if (node == TALLY_VIEW_ALL)
		json_put_null(w, "node");
	else
		json_put_int(w, "node", id);
	if (machine)
		json_put_bytes(w, "machine", machine);
}

static void put_threshold(struct json_writer *w, const struct tally_view *view,
			  const struct watch_threshold *t, int64_t amount,
			  bool crossed)
{
	static const char *const words[] = {
		[TALLY_WATCH_FREE] = "free",
		[TALLY_WATCH_AMOUNT] = "amount",
		[TALLY_WATCH_PENDING] = "pending",
	};

	json_open_object(w, NULL);
	json_put_string(w, "of", words[t->parsed.of]);
	json_put_string(w, "resource", t->resource);
	put_node(w, view, t->parsed.node);
	if (t->key)
		json_put_bytes(w, "account", t->key);
	else
		json_put_null(w, "account");
	json_put_string(w, "side",
			t->parsed.side == TALLY_WATCH_BELOW ? "below"
							    : "above");
	json_put_int(w, "mark", t->parsed.mark);
	json_put_int(w, "back",
		     t->parsed.side == TALLY_WATCH_BELOW
			     ? t->parsed.mark + t->parsed.hysteresis
			     : t->parsed.mark - t->parsed.hysteresis);
	json_put_int_unless(w, "amount", amount, INT64_MAX);
	json_put_bool(w, "crossed", crossed);
	json_close_object(w);
}

static void print_json(FILE *f, const struct watch_line *l,
		       const struct tally_watch_event *e)
{
	struct json_writer w;

	json_begin(&w, f);
	json_open_object(&w, NULL);
	json_put_int(&w, "version", 1);
	json_put_bytes(&w, "ledger", l->argument);
	json_put_bytes(&w, "path", l->path);
	json_put_uint(&w, "count", e->nr);
	json_put_int(&w, "time_ns", real_ns(e->fired_ns));
	json_open_array(&w, "thresholds");
	for (unsigned int i = 0; i < l->nr; i++)
		put_threshold(&w, l->view, &l->thresholds[i], e->amounts[i],
			      e->crossed & UINT32_C(1) << i);
	json_close_array(&w);
	json_close_object(&w);
	json_finish(&w);
}

char *watch_line(const struct watch_line *line,
		 const struct tally_watch_event *event)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return NULL;
	if (line->json)
		print_json(f, line, event);
	else
		print_text(f, line, event);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	text[strcspn(text, "\n")] = '\0';
	return text;
}
