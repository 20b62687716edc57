// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* How many bytes the UTF-8 character at p has, or 0 where there is none.
 * Table 3-7 of the Unicode standard, version 15: no overlong forms, no
 * surrogates, nothing above U+10FFFF. */
static size_t utf8_bytes(const unsigned char *p)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return p[0] ? 1 : 0;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

static bool is_utf8(const char *bytes)
{
	const unsigned char *p = (const unsigned char *)bytes;
	size_t n;

	while (*p && (n = utf8_bytes(p)))
		p += n;
	return !*p;
}

json_t *text_json(const char *bytes)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	const unsigned char *p = (const unsigned char *)bytes;
	char *valid, *to;
	json_t *string;

	if (is_utf8(bytes))
		return json_string(bytes);
	valid = to = malloc(strlen(bytes) * (sizeof(replacement) - 1) + 1);
	if (!valid)
		return NULL;
	while (*p) {
		size_t n = utf8_bytes(p);

		to = n ? mempcpy(to, p, n) : stpcpy(to, replacement);
		p += n ? n : 1;
	}
	*to = '\0';
	string = json_string(valid);
	free(valid);
	return string;
}

int text_json_set(json_t *object, const char *name, const char *bytes)
{
	char member[64];
	char *hex;
	int err;

	if (json_object_set_new(object, name, text_json(bytes)) < 0)
		return -1;
	if (is_utf8(bytes))
		return 0;
	hex = malloc(strlen(bytes) * 2 + 1);
	if (!hex)
		return -1;
	for (size_t i = 0; bytes[i]; i++)
		sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
	snprintf(member, sizeof(member), "%s_hex", name);
	err = json_object_set_new(object, member, json_string(hex));
	free(hex);
	return err;
}
