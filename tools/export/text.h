/* SPDX-License-Identifier: MIT */
/* Metrics as text, as Prometheus reads it. */
#ifndef TOOL_EXPORT_TEXT_H
#define TOOL_EXPORT_TEXT_H

#include "export/families.h"

enum export_format {
	EXPORT_TEXT,	    /* 0.0.4 */
	EXPORT_OPENMETRICS, /* 1.0 */
};

struct export_buffer {
	char *text;
	size_t used, room;
};

/* Write the metrics into a buffer, from its beginning. -ENOMEM */
int export_text(const struct export_families *families,
		enum export_format format, struct export_buffer *buffer);

/* The Content-Type of a format. */
const char *export_content_type(enum export_format format);

#endif
