/* SPDX-License-Identifier: MIT */
/* Amounts in few columns. */
#ifndef TOOL_TOP_DRAW_TEXT_H
#define TOOL_TOP_DRAW_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "top/model/model.h"

/* Holds any of these texts. Each function returns @text or a constant; an unknown
 * amount is "-". */
#define TOP_TEXT 32

/* "512B", "8.0G", "~774M": five columns, and one to mark an estimate. */
const char *top_text_bytes(int64_t bytes, bool estimate, char text[TOP_TEXT]);

/* "12%": four columns, and one for the mark. */
const char *top_text_ppm(int64_t ppm, bool estimate, char text[TOP_TEXT]);

/* CPUs in percent of one: "50.0", "1600": five columns, and one. */
const char *top_text_cpus(double cpus, bool estimate, char text[TOP_TEXT]);

/* "0", "0.4", "12345", "1.2M", "reset": five columns. */
const char *top_text_rate(struct top_rate rate, char text[TOP_TEXT]);

#endif
