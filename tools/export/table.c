// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/utf8.h"
#include "export/table.h"

struct export_row *export_row_new(char *labels, unsigned int node,
				  unsigned int nr_columns)
{
	struct export_row *row = NULL;

	if (labels)
		row = calloc(1,
			     sizeof(*row) + 2 * sizeof(int64_t) * nr_columns);
	if (!row) {
		free(labels);
		return NULL;
	}
	row->labels = labels;
	row->bytes = (unsigned int)strlen(labels);
	row->node = node;
	row->nr = nr_columns;
	row->shown = true;
	return row;
}

void export_row_free(struct export_row *row)
{
	if (!row)
		return;
	free(row->labels);
	free(row->base);
	free(row);
}

int export_table_reserve(struct export_table *table, size_t nr)
{
	void *rows = array_grow(table->rows, &table->room, nr,
				sizeof(struct export_row *));

	if (!rows)
		return -ENOMEM;
	table->rows = rows;
	return 0;
}

int export_table_add(struct export_table *table, struct export_row *row)
{
	if (!row || export_table_reserve(table, table->nr + 1)) {
		export_row_free(row);
		return -ENOMEM;
	}
	table->rows[table->nr++] = row;
	return 0;
}

void export_table_clear(struct export_table *table)
{
	for (size_t i = 0; i < table->nr; i++)
		export_row_free(table->rows[i]);
	table->nr = 0;
}

void export_table_begin(struct export_table *table)
{
	for (size_t i = 0; i < table->nr; i++)
		memset(export_fresh(table->rows[i]), 0,
		       table->rows[i]->nr * sizeof(int64_t));
}

void export_table_commit(struct export_table *table)
{
	for (size_t i = 0; i < table->nr; i++)
		memcpy(table->rows[i]->values, export_fresh(table->rows[i]),
		       table->rows[i]->nr * sizeof(int64_t));
}

int export_row_label(struct export_row *row, char *labels)
{
	if (!labels)
		return -ENOMEM;
	free(row->labels);
	row->labels = labels;
	row->bytes = (unsigned int)strlen(labels);
	return 0;
}

int64_t *export_row_base(struct export_row *row)
{
	if (!row->base)
		row->base = calloc(row->nr, sizeof(*row->base));
	return row->base;
}

/* ---- labels --------------------------------------------------------------- */

static char *put_hex(char *to, const unsigned char *bytes, size_t nr)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < nr; i++) {
		to = stpcpy(to, UTF8_REPLACEMENT);
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	return to;
}

char *export_escape(const char *bytes)
{
	/* A byte becomes five at most. */
	char *escaped = malloc(strlen(bytes) * 5 + 1), *to = escaped;
	const unsigned char *p = (const unsigned char *)bytes;

	while (escaped && *p) {
		size_t n = utf8_bytes(p);

		if (!n || (n == 3 && !memcmp(p, UTF8_REPLACEMENT, 3)))
			to = put_hex(to, p, n ? n : 1);
		else if (*p == '\n')
			to = stpcpy(to, "\\n");
		else if (*p == '"' || *p == '\\')
			to = stpcpy(stpcpy(to, "\\"), *p == '"' ? "\"" : "\\");
		else
			to = mempcpy(to, p, n);
		p += n ? n : 1;
	}
	if (escaped)
		*to = '\0';
	return escaped;
}
