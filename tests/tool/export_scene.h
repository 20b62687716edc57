/* SPDX-License-Identifier: MIT */
/* What tests of numatally export look at ledgers with, and the ledgers. */
#ifndef TESTS_TOOL_EXPORT_SCENE_H
#define TESTS_TOOL_EXPORT_SCENE_H

#include "support/test.h"

#include "export/text.h"
#include "support/machine.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CPU, MEMORY, FAULTS, CORES, NR_RESOURCES };
static const struct tally_resource resources[NR_RESOURCES] = {
	{"cpu_ns", "ns", TALLY_COUNTER},
	{"memory_bytes", "bytes", TALLY_GAUGE},
	{"faults", "", TALLY_COUNTER},
	{"cores", "", TALLY_RESERVABLE},
};

/* ---- what is exported ------------------------------------------------------------ */

struct scene {
	struct export_set set;
	struct export_buffer text, before;
};

static inline void scene_begin(struct scene *s, const char *path)
{
	*s = (struct scene){
		.set.bounds = {.series = SIZE_MAX, .top = SIZE_MAX},
	};
	assert_int_equal(export_set_add(&s->set, path), 0);
	free(s->set.ledgers[0]->label);
	s->set.ledgers[0]->label = strdup("l");
}

static inline void scene_end(struct scene *s)
{
	export_set_free(&s->set);
	free(s->text.text);
	free(s->before.text);
}

/* Keep the text of the look before, and look. */
static inline void look(struct scene *s)
{
	struct export_families families = {0};
	struct export_buffer b = s->before;

	s->before = s->text;
	s->text = b;
	assert_int_equal(export_set_look(&s->set), 0);
	assert_int_equal(export_families_make(&families, &s->set), 0);
	assert_int_equal(export_text(&families, EXPORT_TEXT, &s->text), 0);
	export_families_free(&families);
	s->text.text = realloc(s->text.text, s->text.used + 1);
	assert_non_null(s->text.text);
	s->text.text[s->text.used] = '\0';
	s->text.room = s->text.used + 1;
}

/* The value of a series, or NULL. */
static inline const char *find(const struct export_buffer *b, const char *name,
			       const char *labels)
{
	static char value[64];
	char line[1024];
	const char *at = b->text;

	snprintf(line, sizeof(line), "%s{ledger=\"l\"%s%s} ", name,
		 *labels ? "," : "", labels);
	while (at && strncmp(at, line, strlen(line)) != 0) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return NULL;
	at += strlen(line);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

static inline void is(const struct scene *s, const char *name,
		      const char *labels, const char *value)
{
	const char *its = find(&s->text, name, labels);

	if (!its && !value)
		return;
	if (!its || !value)
		print_error("%s{%s} in:\n%s\n", name, labels, s->text.text);
	assert_non_null(its);
	assert_non_null(value);
	assert_string_equal(its, value);
}

/* ---- ledgers ------------------------------------------------------------------------ */

static inline struct tally_ledger *make(const struct machine *m,
					unsigned int nr)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.nr_spare = 2,
	};
	struct tally_ledger *ledger;

	assert_int_equal(tally_ledger_create(m->path, m->topo, resources, nr,
					     &options, &ledger),
			 0);
	return ledger;
}

static inline void charge(struct tally_ledger *ledger, const char *key,
			  int node, unsigned int resource, int64_t amount)
{
	const struct tally_amount one = {.resource = resource,
					 .amount = amount};

	assert_int_equal(tally_ledger_charge(ledger,
					     machine_account(ledger, key), node,
					     &one, 1),
			 0);
}

static inline void finish(struct tally_ledger *ledger, const char *key)
{
	assert_int_equal(tally_account_end(tally_ledger_accounts(ledger),
					   machine_account(ledger, key)),
			 0);
}

#define ACCOUNT_CPU "numatally_account_cpu_seconds_total"
#define NODE_CPU    "numatally_node_cpu_seconds_total"
#define FAULTS_OF   "numatally_account_faults_total"
#define A_0	    "account=\"a\",numa_node=\"0\""
#define B_5	    "account=\"b\",numa_node=\"5\""
#define REST_0	    "rest=\"true\",numa_node=\"0\""

#endif
