// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "export/text.h"

/* A value, what is around it, and a line's end. */
#define NUMBER 64

const char *export_content_type(enum export_format format)
{
	return format == EXPORT_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; "
			 "charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- numbers ----------------------------------------------------------------- */

static const char pairs[] = "0001020304050607080910111213141516171819"
			    "2021222324252627282930313233343536373839"
			    "4041424344454647484950515253545556575859"
			    "6061626364656667686970717273747576777879"
			    "8081828384858687888990919293949596979899";

/* Write the digits of @n so that they end before @end. Return where they begin. */
static char *put_digits(char *end, uint64_t n)
{
	while (n >= 100) {
		end -= 2;
		memcpy(end, &pairs[n % 100 * 2], 2);
		n /= 100;
	}
	if (n >= 10) {
		end -= 2;
		memcpy(end, &pairs[n * 2], 2);
	} else {
		*--end = (char)('0' + n);
	}
	return end;
}

/* The same with a point before the last @digits ones, without zeros at the end of
 * these. */
static char *put_decimal(char *end, uint64_t n, unsigned int digits)
{
	char text[NUMBER], *at = text + sizeof(text);
	uint64_t scale = 1;
	size_t bytes;

	for (unsigned int i = 0; i < digits; i++)
		scale *= 10;
	if (n % scale) {
		at = put_digits(at, n % scale + scale); /* a 1 before them */
		*at = '.';
		for (bytes = digits + 1; at[bytes - 1] == '0'; bytes--)
			;
		end -= bytes;
		memcpy(end, at, bytes);
	}
	return put_digits(end, n / scale);
}

static char *put_value(char *to, int64_t value, unsigned int digits)
{
	uint64_t n = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char text[NUMBER], *end = text + sizeof(text), *at;

	at = digits ? put_decimal(end, n, digits) : put_digits(end, n);
	if (value < 0)
		*--at = '-';
	return mempcpy(to, at, (size_t)(end - at));
}

/* ---- lines ------------------------------------------------------------------------ */

static int reserve(struct export_buffer *b, size_t bytes)
{
	return array_reserve(b->text, b->room, b->used + bytes);
}

static int put(struct export_buffer *b, const char *text)
{
	size_t bytes = strlen(text);

	if (reserve(b, bytes))
		return -ENOMEM;
	memcpy(b->text + b->used, text, bytes);
	b->used += bytes;
	return 0;
}

static const char *suffix(const struct export_part *p)
{
	switch (p->type) {
	case EXPORT_COUNTER:
		return "_total";
	case EXPORT_INFO:
		return "_info";
	default:
		return "";
	}
}

static int put_head(struct export_buffer *b, const struct export_part *p,
		    enum export_format format)
{
	static const char *const types[] = {"counter", "gauge", "info"};
	bool open = format == EXPORT_OPENMETRICS;
	const char *type =
		types[!open && p->type == EXPORT_INFO ? EXPORT_GAUGE : p->type];
	const char *end = open ? "" : suffix(p);
	char text[3 * sizeof(p->name) + sizeof(p->help) + 128];
	int bytes = snprintf(text, sizeof(text),
			     "# HELP %s%s %s\n# TYPE %s%s %s\n", p->name, end,
			     p->help, p->name, end, type);

	if (open && *p->unit)
		snprintf(text + bytes, sizeof(text) - (size_t)bytes,
			 "# UNIT %s %s\n", p->name, p->unit);
	return put(b, text);
}

/* The name and the ledger's label: what all lines of a part begin with. NULL: no
 * memory. */
static char *lead_of(const struct export_part *p, bool labels)
{
	const char *ledger = p->ledger ? p->ledger->label : NULL;
	const char *open = ledger || labels ? "{" : "";
	char *lead;
	int bytes;

	if (ledger)
		bytes = asprintf(&lead, "%s%s{ledger=\"%s\"%s", p->name,
				 suffix(p), ledger, labels ? "," : "");
	else
		bytes = asprintf(&lead, "%s%s%s", p->name, suffix(p), open);
	return bytes < 0 ? NULL : lead;
}

static int put_row(struct export_buffer *b, const struct export_part *p,
		   const struct export_row *row, const char *lead, size_t bytes)
{
	int64_t value = export_value(row, p->column);
	char *to;

	if (reserve(b, bytes + row->bytes + NUMBER))
		return -ENOMEM;
	to = mempcpy(b->text + b->used, lead, bytes);
	to = mempcpy(to, row->labels, row->bytes);
	if (row->bytes || p->ledger)
		*to++ = '}';
	*to++ = ' ';
	to = put_value(to, value, p->digits);
	*to++ = '\n';
	b->used = (size_t)(to - b->text);
	return 0;
}

static int put_part(struct export_buffer *b, const struct export_part *p)
{
	const struct export_table *t = p->table;
	char *lead, *bare;
	size_t bytes, bare_bytes;
	int err = 0;

	lead = lead_of(p, true);
	bare = lead_of(p, false);
	if (!lead || !bare)
		err = -ENOMEM;
	bytes = lead ? strlen(lead) : 0;
	bare_bytes = bare ? strlen(bare) : 0;
	for (size_t i = 0; !err && i < t->nr; i++) {
		const struct export_row *row = t->rows[i];

		if (!export_is_shown(p, row))
			continue;
		err = row->bytes ? put_row(b, p, row, lead, bytes)
				 : put_row(b, p, row, bare, bare_bytes);
	}
	free(lead);
	free(bare);
	return err;
}

int export_text(const struct export_families *f, enum export_format format,
		struct export_buffer *b)
{
	const struct export_part *family = NULL;
	int err = 0;

	b->used = 0;
	for (size_t i = 0; !err && i < f->nr; i++) {
		const struct export_part *p = &f->parts[i];

		if (!export_has_rows(p))
			continue;
		if (!family || strcmp(family->name, p->name) != 0) {
			family = p;
			err = put_head(b, p, format);
		}
		if (!err)
			err = put_part(b, p);
	}
	if (!err && format == EXPORT_OPENMETRICS)
		err = put(b, "# EOF\n");
	return err;
}
