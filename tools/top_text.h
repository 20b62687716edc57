/* SPDX-License-Identifier: MIT */
/* Amounts in the few columns that numatally top has for them. */
#ifndef TOP_TEXT_H
#define TOP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "top_model.h"

/* Room for any of these, which return text, or one of their own. What is not
 * known is "-". */
#define TOP_TEXT 32

/* "512B", "8.0G", "~774M": five columns, and one for the mark of an estimate.*/
const char *top_text_bytes(int64_t bytes, bool estimate, char text[TOP_TEXT]);

/* "12%": four columns, and one for the mark. */
const char *top_text_ppm(int64_t ppm, bool estimate, char text[TOP_TEXT]);

/* CPUs in percent of one: "50.0", "1600": five columns, and one. */
const char *top_text_cpus(double cpus, bool estimate, char text[TOP_TEXT]);

/* "0", "0.4", "12345", "1.2M", "reset": five columns. */
const char *top_text_rate(struct top_rate rate, char text[TOP_TEXT]);

#endif
