// SPDX-License-Identifier: MIT
/* Thresholds as users write them. */
#include "config.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "common/opt.h"
#include "common/text.h"
#include "watch/threshold.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

/* Digits, and one of K M G T P E, of powers of 1024. Returns what follows. */
static const char *parse_amount(const char *text, int64_t *amount)
{
	static const char units[] = "KMGTPE";
	bool negative = *text == '-';
	const char *p = text + negative, *unit;
	int64_t n = 0;

	if (*p < '0' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *p - '0', &n))
			return NULL;
	unit = *p ? strchr(units, *p) : NULL;
	if (unit) {
		for (const char *u = units; u <= unit; u++)
			if (__builtin_mul_overflow(n, 1024, &n))
				return NULL;
		p++;
	}
	*amount = negative ? -n : n;
	return p;
}

/* What is behind the sign: MARK[,BACK]. */
static bool parse_marks(const char *text, struct tally_watch_threshold *t)
{
	int64_t back;

	text = parse_amount(text, &t->mark);
	if (!text)
		return false;
	if (!*text)
		return true;
	if (*text != ',')
		return false;
	text = parse_amount(text + 1, &back);
	if (!text || *text)
		return false;
	return !(t->side == TALLY_WATCH_BELOW
			 ? __builtin_sub_overflow(back, t->mark, &t->hysteresis)
			 : __builtin_sub_overflow(t->mark, back,
						  &t->hysteresis)) &&
	       t->hysteresis >= 0;
}

/* A part of the text before the sign. */
static bool copy(char **to, const char *from, size_t bytes)
{
	*to = bytes ? strndup(from, bytes) : NULL;
	return *to;
}

/* What is before the sign: RESOURCE[@NODE][:KEY]. */
static bool parse_name(struct watch_threshold *t, size_t bytes)
{
	const char *p = t->text, *end = t->text + bytes;
	size_t nr = strspn(p, letters);

	if (nr > bytes || !copy(&t->resource, p, nr))
		return false;
	p += nr;
	if (p < end && *p == '@') {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		nr = (size_t)((colon ? colon : end) - p);
		if (!copy(&t->node, p + 1, nr - 1))
			return false;
		p += nr;
	}
	if (p < end && *p == ':') {
		if (!copy(&t->key, p + 1, (size_t)(end - p) - 1))
			return false;
		p = end;
	}
	return p == end;
}

static bool parse_key(struct watch_threshold *t, const char *text)
{
	return !t->bytes || copy(&t->key, text, t->bytes);
}

int watch_parse(const char *option, const char *text, enum tally_watch_of of,
		enum tally_watch_side side, struct watch_threshold *threshold)
{
	char sign = side == TALLY_WATCH_BELOW ? '<' : '>';
	const char *equal = strrchr(text, '='), *at = strrchr(text, sign);

	if (!at || at < equal)
		at = equal;
	*threshold = (struct watch_threshold){
		.text = text,
		.parsed.of = of,
		.parsed.side = side,
		.parsed.node = TALLY_VIEW_ALL,
	};
	if (at) {
		threshold->bytes = (unsigned int)(at - text);
		if ((of == TALLY_WATCH_PENDING
			     ? parse_key(threshold, text)
			     : parse_name(threshold, threshold->bytes)) &&
		    parse_marks(at + 1, &threshold->parsed)) {
			threshold->parsed.account = threshold->key;
			return 0;
		}
	}
	watch_free(threshold);
	return opt_error("--%s: '%s' is not %s%cAMOUNT[,BACK]", option, text,
			 of == TALLY_WATCH_PENDING ? "[KEY]"
						   : "RESOURCE[@NODE][:KEY]",
			 sign);
}

void watch_free(struct watch_threshold *t)
{
	free(t->resource);
	free(t->node);
	free(t->key);
	t->resource = t->node = t->key = NULL;
}

/* ---- what they name ------------------------------------------------------- */

static bool complain(const char *ledger, const char *what, const char *name)
{
	char *escaped = text_escape(name);

	warnx("%s: no such %s: %s", ledger, what, escaped ? escaped : "?");
	free(escaped);
	return false;
}

static bool find_resource(const struct tally_view *view, const char *name,
			  unsigned int *resource)
{
	unsigned int nr = tally_view_nr_resources(view);

	for (*resource = 0; *resource < nr; ++*resource)
		if (!strcmp(tally_view_resource(view, *resource)->name, name))
			return true;
	return false;
}

/* A node of this machine is its number, any other MACHINE/NUMBER. */
static bool is_node(const struct tally_view *view, unsigned int index,
		    const char *machine, size_t bytes, uint64_t number)
{
	int id;
	const char *its = tally_view_machine(view, index, &id);

	if ((uint64_t)id != number)
		return false;
	if (!machine)
		return index < tally_view_nr_local(view);
	return its && strlen(its) == bytes && !memcmp(its, machine, bytes);
}

static bool find_node(const struct tally_view *view, const char *text,
		      int *node)
{
	static const char *const words[] = {"every", "some", "all"};
	const char *slash = strrchr(text, '/');
	int word = parse_word(text, words, 3);
	uint64_t number;

	if (word >= 0) {
		*node = TALLY_WATCH_EVERY_NODE + word;
		return true;
	}
	if (!parse_number(slash ? slash + 1 : text, 0, INT32_MAX, &number))
		return false;
	for (unsigned int i = 0; i < tally_view_nr_nodes(view); i++)
		if (is_node(view, i, slash ? text : NULL,
			    slash ? (size_t)(slash - text) : 0, number)) {
			*node = tally_view_node(view, i);
			return true;
		}
	return false;
}

bool watch_resolve(const struct tally_view *view, const char *ledger,
		   struct watch_threshold *t)
{
	struct tally_account account;
	size_t bytes = t->key ? strlen(t->key) : 0;

	if (t->parsed.of == TALLY_WATCH_PENDING)
		return true;
	if (!find_resource(view, t->resource, &t->parsed.resource))
		return complain(ledger, "resource", t->resource);
	if (t->parsed.of == TALLY_WATCH_FREE &&
	    tally_view_resource(view, t->parsed.resource)->kind !=
		    TALLY_RESERVABLE)
		return complain(ledger, "reservable resource", t->resource);
	if (t->node && !find_node(view, t->node, &t->parsed.node))
		return complain(ledger, "node", t->node);
	if (bytes &&
	    (t->parsed.of == TALLY_WATCH_FREE || t->key[bytes - 1] != '/') &&
	    tally_account_find(tally_view_accounts(view), t->key, &account))
		return complain(ledger, "account", t->key);
	return true;
}
