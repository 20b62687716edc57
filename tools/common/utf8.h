/* SPDX-License-Identifier: MIT */
/* Bytes that may be UTF-8, whatever the locale. */
#ifndef TOOL_COMMON_UTF8_H
#define TOOL_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the place of what is no character. */
#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The bytes of the character at p, or 0: none is there. */
size_t utf8_bytes(const unsigned char *p);

/* The code of a character of n bytes. */
uint32_t utf8_code(const unsigned char *p, size_t n);

/* Whether all of the text is UTF-8. */
bool utf8_is(const char *text);

/* Whether it is a control character, C0 or C1. */
bool utf8_is_control(uint32_t code);

#endif
