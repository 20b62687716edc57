// SPDX-License-Identifier: MIT
/* Amounts, and the names of resources and accounts, for people. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "show/internal.h"

bool show_is_unit(const struct tally_resource *r, const char *unit)
{
	return !strcmp(r->unit, unit);
}

void show_rate(const struct tally_resource *r, double rate,
	       char text[OUTPUT_NUMBER])
{
	char amount[OUTPUT_NUMBER];

	if (rate > -0.05 && rate < 0.05)
		snprintf(text, OUTPUT_NUMBER, "0");
	else if (show_is_unit(r, "bytes"))
		snprintf(text, OUTPUT_NUMBER, "%.28s/s",
			 output_bytes((int64_t)rate, amount));
	else if (show_is_unit(r, "ns"))
		snprintf(text, OUTPUT_NUMBER, "%.28s/s",
			 output_time((int64_t)rate, amount));
	else
		snprintf(text, OUTPUT_NUMBER, "%.*f/s",
			 rate > -100 && rate < 100 ? 1 : 0, rate);
}

void show_amount(const struct tally_resource *r, int64_t amount,
		 char text[OUTPUT_NUMBER])
{
	if (!amount)
		snprintf(text, OUTPUT_NUMBER, "0");
	else if (show_is_unit(r, "bytes"))
		output_bytes(amount, text);
	else if (show_is_unit(r, "ns"))
		output_time(amount, text);
	else
		snprintf(text, OUTPUT_NUMBER, "%lld", (long long)amount);
}

/* Append to a label, which may be NULL, and is freed. */
static char *append(char *label, const char *before, const char *text)
{
	char *longer = NULL;

	if (label && text &&
	    asprintf(&longer, "%s (%s%s)", label, before, text) < 0)
		longer = NULL;
	free(label);
	return longer;
}

char *show_label(const struct show_account *account)
{
	char *label = text_escape(account->key), *parent;

	if (account->phase != TALLY_PHASE_READY)
		label = append(label, "", show_phase(account->phase));
	if (account->parent) {
		parent = text_escape(account->parent);
		label = append(label, "of ", parent);
		free(parent);
	}
	return label;
}
