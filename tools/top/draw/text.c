// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdio.h>

#include "top/draw/text.h"

static const char *mark(bool estimate)
{
	return estimate ? "~" : "";
}

static const char unknown[] = "-";

const char *top_text_bytes(int64_t bytes, bool estimate, char text[TOP_TEXT])
{
	static const char prefixes[] = "KMGTPE";
	const char *p = prefixes;
	double value = (double)bytes / 1024;

	if (bytes < 0)
		return unknown;
	if (bytes < 1024) {
		snprintf(text, TOP_TEXT, "%s%d%s", mark(estimate), (int)bytes,
			 bytes ? "B" : "");
		return text;
	}
	while (value >= 1023.5 && p[1]) {
		value /= 1024;
		p++;
	}
	snprintf(text, TOP_TEXT, "%s%.*f%c", mark(estimate), value < 9.95,
		 value, *p);
	return text;
}

const char *top_text_ppm(int64_t ppm, bool estimate, char text[TOP_TEXT])
{
	if (ppm < 0)
		return unknown;
	if (ppm > 1000000)
		ppm = 1000000;
	snprintf(text, TOP_TEXT, "%s%d%%", mark(estimate),
		 (int)((ppm + 5000) / 10000));
	return text;
}

const char *top_text_cpus(double cpus, bool estimate, char text[TOP_TEXT])
{
	double percent = cpus * 100;

	if (!(cpus >= 0))
		return unknown;
	if (percent > 99999)
		percent = 99999;
	snprintf(text, TOP_TEXT, "%s%.*f", mark(estimate),
		 percent > 0 && percent < 999.95, percent);
	return text;
}

const char *top_text_rate(struct top_rate rate, char text[TOP_TEXT])
{
	static const char prefixes[] = "kMGTPE";
	const char *p = prefixes;
	double value = rate.per_s;

	if (rate.state == TOP_RATE_RESET)
		return "reset";
	if (rate.state != TOP_RATE_KNOWN || !(value >= 0))
		return unknown;
	if (value < 99999.5) {
		snprintf(text, TOP_TEXT, "%.*f", value > 0 && value < 9.95,
			 value);
		return text;
	}
	for (value /= 1000; value >= 999.5 && p[1]; p++)
		value /= 1000;
	if (value >= 999.5)
		return ">999E";
	snprintf(text, TOP_TEXT, "%.*f%c", value < 9.95, value, *p);
	return text;
}
