// SPDX-License-Identifier: MIT
/* The lines of meminfo, numastat, vmstat, /proc/stat and /proc/zoneinfo. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "kernel/node/internal.h"

/* The kernel has no longer names. */
#define NAME_MAX_BYTES 63

static const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Parse digits. *at moves behind them even if they are too many. */
static int take_number(const char **at, int64_t *value)
{
	const char *p = *at;
	uint64_t v = 0;
	bool over = false;

	if (*p < '0' || *p > '9')
		return -EBADMSG;
	for (; *p >= '0' && *p <= '9'; p++) {
		over |= v > INT64_MAX / 10;
		v = v * 10 + (uint64_t)(*p - '0');
		over |= v > INT64_MAX;
	}
	*at = p;
	if (over)
		return -ERANGE;
	*value = (int64_t)v;
	return 0;
}

static bool take_word(const char **at, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*at, word, n) != 0)
		return false;
	*at += n;
	return true;
}

/* Parse printable ASCII up to end, and move behind that. */
static int take_name(const char **at, char end, struct node_token *token)
{
	const char *p = *at;

	while (*p > ' ' && *p < 127 && *p != end)
		p++;
	token->name = *at;
	token->len = (size_t)(p - *at);
	if (*p != end || !token->len || token->len > NAME_MAX_BYTES)
		return -EBADMSG;
	*at = p + 1;
	return 0;
}

/* Parse the number, which is last in the line except for a unit. */
static int take_last(const char *p, struct node_token *token)
{
	int err;

	p = skip_blanks(p);
	token->kib = false;
	err = take_number(&p, &token->value);
	if (err == -EBADMSG)
		return err;
	token->kib = take_word(&p, " kB");
	return *skip_blanks(p) ? -EBADMSG : err;
}

/* All of meminfo is in kB, except numbers of huge pages. */
static bool is_huge(const struct node_token *token)
{
	const char *p = token->name;

	return take_word(&p, "HugePages_");
}

int node_text_meminfo(const char *line, int node, struct node_token *token)
{
	const char *p = skip_blanks(line);
	int64_t number;
	int err;

	token->len = 0;
	if (!*p)
		return 0;
	if (node >= 0) {
		if (!take_word(&p, "Node "))
			return -EBADMSG;
		p = skip_blanks(p);
		if (take_number(&p, &number) || number != node || *p != ' ')
			return -EBADMSG;
		p = skip_blanks(p);
	}
	if (take_name(&p, ':', token)) {
		token->len = 0;
		return -EBADMSG;
	}
	err = take_last(p, token);
	/* A missing unit means that the line was cut off. */
	if (token->kib == is_huge(token))
		err = -EBADMSG;
	token->kib = !is_huge(token);
	return err;
}

int node_text_pair(const char *line, struct node_token *token)
{
	const char *p = skip_blanks(line);
	int err;

	token->len = 0;
	if (!*p)
		return 0;
	if (take_name(&p, ' ', token)) {
		token->len = 0;
		return -EBADMSG;
	}
	err = take_last(p, token);
	return token->kib ? -EBADMSG : err;
}

int node_text_number(const char *line, int64_t *value)
{
	const char *p = skip_blanks(line);
	int err = take_number(&p, value);

	return *skip_blanks(p) ? -EBADMSG : err;
}

int node_text_cpu(const char *line, int *cpu, int64_t ticks[NODE_CPU_COLS])
{
	const char *p = line;
	int64_t id;
	int n = 0;

	*cpu = -1;
	if (!take_word(&p, "cpu") || take_number(&p, &id) || id >= TOPO_IDS)
		return -EBADMSG;
	*cpu = (int)id;
	while (*p) {
		int64_t value;

		if (*p != ' ')
			return -EBADMSG;
		p = skip_blanks(p);
		if (!*p)
			break;
		if (take_number(&p, &value))
			return -EBADMSG;
		if (n < NODE_CPU_COLS)
			ticks[n++] = value;
	}
	return n ? n : -EBADMSG;
}

/* "(0, 3019, 8523)": find the largest. */
static int take_protection(const char *p, int64_t *most)
{
	int64_t value;

	if (!take_word(&p, "("))
		return -EBADMSG;
	for (;;) {
		p = skip_blanks(p);
		if (take_number(&p, &value))
			return -EBADMSG;
		if (value > *most)
			*most = value;
		if (*p != ',')
			return *p == ')' ? 0 : -EBADMSG;
		p++;
	}
}

static int begin_zone(const char *p, struct node_zone *zone)
{
	int64_t node;

	if (take_number(&p, &node) || node >= TOPO_IDS ||
	    !take_word(&p, ", zone"))
		return -EBADMSG;
	*zone = (struct node_zone){.node = (int)node};
	return 1;
}

/* Return the member of the zone for the number behind this word. */
static int64_t *field_of(const char **at, struct node_zone *zone)
{
	if (take_word(at, "boost "))
		return &zone->boost;
	if (take_word(at, "low "))
		return &zone->low;
	if (take_word(at, "high "))
		return &zone->high;
	if (take_word(at, "present "))
		return &zone->present;
	if (take_word(at, "managed ")) {
		zone->managed_known = true;
		return &zone->managed;
	}
	return NULL;
}

int node_text_zone(const char *line, struct node_zone *zone)
{
	const char *p = line;
	int64_t *field;

	if (take_word(&p, "Node "))
		return begin_zone(p, zone);
	p = skip_blanks(p);
	if (zone->node < 0)
		return *p ? -EBADMSG : 0;
	if (take_word(&p, "pagesets"))
		zone->ended = true;
	if (zone->ended)
		return 0;
	if (take_word(&p, "protection: "))
		return take_protection(p, &zone->protection);
	field = field_of(&p, zone);
	if (!field)
		return 0;
	p = skip_blanks(p);
	return take_number(&p, field) || *skip_blanks(p) ? -EBADMSG : 0;
}
