// SPDX-License-Identifier: MIT
/*
 * Requests to a language model, as in AzureLLMInferenceTrace: the time of each,
 * and its tokens. The trace has no end times: a request holds all of its tokens,
 * as in a model's cache, while they are generated.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "replay/formats.h"

static const char *const columns[] = {"TIMESTAMP", "ContextTokens",
				      "GeneratedTokens"};

bool replay_is_azure(const char *line)
{
	return !strcmp(line, "TIMESTAMP,ContextTokens,GeneratedTokens");
}

/* 2023-11-16 18:15:46.6805900 */
static int read_time(struct replay_reader *r, int64_t *us)
{
	struct tm tm = {0};
	const char *end = strptime(r->fields[0], "%Y-%m-%d %H:%M:%S", &tm);
	int64_t unit = 1000000;

	if (!end || tm.tm_year < 0)
		return replay_bad(r, "not a date and time");
	*us = (int64_t)timegm(&tm) * unit;
	if (*end == '.')
		while (*++end >= '0' && *end <= '9') {
			unit /= 10;
			*us += unit * (*end - '0');
		}
	return *end ? replay_bad(r, "not a date and time") : 0;
}

static int read_request(struct replay_reader *r, struct replay_trace *trace)
{
	struct replay_item item = {REPLAY_ANYWHERE, 0, 0};
	int64_t us = 0, context = 0, generated = 0;

	if (replay_split_csv(r) || read_time(r, &us) ||
	    replay_number(r, 1, columns[1], 0, INT32_MAX, &context) ||
	    replay_number(r, 2, columns[2], 0, INT32_MAX, &generated))
		return -EINVAL;
	item.amount = context + generated;
	return replay_add_job(r, trace, us,
			      us + generated * REPLAY_US_PER_TOKEN, 0, &item,
			      item.amount ? 1 : 0);
}

int replay_read_azure(struct replay_reader *r, struct replay_trace *trace)
{
	int ret;

	replay_resource(trace, "tokens", "tokens");
	while ((ret = replay_next_line(r)) == 1)
		if ((ret = replay_file_error(read_request(r, trace))))
			return ret;
	return ret;
}
