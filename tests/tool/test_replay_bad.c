// SPDX-License-Identifier: MIT
/* Trace files that are odd or wrong. */
#include "support/test.h"

#include "support/replay_text.h"
#include "support/replay_trace.h"

/* The first 65,536 of them are replayed. */
static void more_nodes_than_a_ledger_has(void **state)
{
	enum { NR = REPLAY_MAX_NODES + 76 };
	char *text = malloc(NR * 64), *p = text;
	struct replay_trace t;

	(void)state;
	assert_non_null(text);
	p = stpcpy(p, CSV ",,capacity,100000,cores,1\n");
	for (int i = 0; i < NR; i++)
		p += sprintf(p, "%d,j%d,reserve,%d,cores,1\n%d,j%d,release\n",
			     i, i, 200000 - 2 * i, i, i);
	t = load(text, NULL);
	free(text);
	assert_int_equal(t.origin.last_node, REPLAY_MAX_NODES - 1);
	assert_int_equal(t.nr_errors, 0);
	assert_int_equal(t.nr_beyond, 76);
	assert_int_equal(t.nr_events, 2 * REPLAY_MAX_NODES);
	replay_free(&t);
}

/* Each of these texts has a line that is wrong; jobs is how many of others there
 * are, each with so many events. */
static void one_bad_line_costs_one_job(void **state)
{
	static const struct {
		const char *text;
		size_t nr_events;
		const char *words;
	} rows[] = {
		{"1 0 0 9 1 -1 -1 1 -1 -1" SWF_TAIL "\n2 0 0 x 1 -1 -1 1 -1 "
		 "-1" SWF_TAIL "\n3 0 0 9 1 -1 -1 1 -1 -1" SWF_TAIL "\n",
		 6, ":2: run time 'x'"},
		{PODS "a,1,1,1,1,,LS,Running,5,9,5\n"
		      "b,1,-1,1,1,,LS,Running,5,9,5\n"
		      "c,1,1,1,1,,LS,Running,5,9,5\n",
		 6, ":3: memory_mib '-1'"},
		{PODS "a,1,1,1,1,,LS,Running,5,9,5\n"
		      "b,1,\"1,1,1,,LS,Running,5,9,5\n"
		      "c,1,1,1,1,,LS,Running,5,9,5\n",
		 6, ":3: unmatched quotes"},
		{AZURE "2023-11-16 18:15:46,1,1\nnow,1,1\n", 3,
		 ":3: not a date"},
		/* All of the job's lines, before and behind. */
		{CSV "0,a,reserve,0,cores,1\n1,b,reserve,0,cores,1\n"
		     "2,a,commit,0\n3,b,commit\n4,a,release\n5,b,release\n",
		 3, ":4: a commit takes no node"},
		{CSV "0,a,reserve,0,cores,1\n1,b,reserve,0,cores,1\n"
		     "2,a,reserve,0,cores,1\n3,b,release\n4,a,release\n",
		 2, ":4: reserve: the job holds something"},
		{CSV "0,a,reserve,0,cores,1\n0,b,grab,0,cores,1\n"
		     "0,a,reserve,0,memory,1\n1,a,release\n",
		 2, ":3: not an op"},
		{CSV
		 "0,a,reserve,0,cores,1\n,,capacity,0,cores,x\n1,a,release\n",
		 2, ":3: amount 'x'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct replay_texts texts = {.nr = 0};
		struct replay_trace t = {0};

		replay_put(&texts, rows[i].text, strlen(rows[i].text));
		if (replay_hear(&texts, replay_load_texts, &t) ||
		    !strstr(texts.said, rows[i].words))
			fail_msg("'%s' is not '%s'", texts.said, rows[i].words);
		assert_int_equal(t.nr_errors, 1);
		assert_int_equal(t.nr_events, rows[i].nr_events);
		replay_free(&t);
		replay_remove(&texts);
	}
}

static void nothing_but_machines(void **state)
{
	(void)state;
	bad(MACHINES "m,64000,1024,x,\nn,64000,1024,8,\n",
	    "2: gpu 'x' is not a number");
}

static void many_bad_lines_are_counted(void **state)
{
	char text[4096] = "; x\n1 0 0 9 1 -1 -1 1 -1 -1" SWF_TAIL "\n";
	struct replay_texts texts = {.nr = 0};
	struct replay_trace t = {0};

	(void)state;
	for (int i = 0; i < 30; i++)
		strcat(text, "x\n");
	replay_put(&texts, text, strlen(text));
	assert_int_equal(replay_hear(&texts, replay_load_texts, &t), 0);
	assert_int_equal(t.nr_errors, 30);
	assert_non_null(strstr(texts.said, ":12: 1 fields"));
	assert_null(strstr(texts.said, ":13: 1 fields"));
	assert_non_null(strstr(texts.said, ": 20 more lines with an error\n"));
	replay_free(&t);
	replay_remove(&texts);
}

static void bad_texts(void **state)
{
	static const char nul[] = CSV "0,a,reserve,1,co\0res,3\n";
	static char endless[(1 << 20) + 2];

	(void)state;
	memset(endless, 'x', sizeof(endless));
	bad_bytes(endless, sizeof(endless), "1: a line of more than 1 MiB");
	bad("", "1: empty file");
	bad("\n\n# x\n", "4: empty file");
	bad_bytes(nul, sizeof(nul) - 1, "2: a zero byte");
	bad("hello\n", "1: unknown format");
	bad("job,op\n\"a,reserve\n", "2: unmatched quotes");
	bad("job,op\n\"a\"b,reserve\n", "2: unmatched quotes");
}

static void bad_events(void **state)
{
	(void)state;
	bad(CSV "0,a,reserve,0,cores,\n", "2: missing amount");
	bad(CSV "0,a,reserve,0,cores,0\n", "2: amount '0' is out of range");
	bad(CSV "0,a,reserve,0,cores,-1\n", "2: amount '-1' is out of range");
	bad(CSV "0,a,reserve,0,cores,9223372036854775808\n",
	    "2: amount '9223372036854775808' is out of range");
	bad(CSV "0,a,reserve,0,cores,1x\n", "2: amount '1x' is not a number");
	bad(CSV "0,a,reserve,0,cores,\033[m\n",
	    "2: amount '\\x1b[m' is not a number");
	bad(CSV "0,a,reserve,2147483647,cores,1\n",
	    "2: node '2147483647' is out of range");
	bad(CSV "0,a,reserve,-1,cores,1\n", "2: node '-1' is out of range");
	bad(CSV "0,a,reserve,0,2cores,1\n", "2: not a resource");
	bad(CSV "0,a,reserve,0,,1\n", "2: not a resource");
	bad(CSV "0,,reserve,0,cores,1\n", "2: missing job");
	bad(CSV "0,a,grab,0,cores,1\n", "2: not an op");
	bad(CSV "x,a,reserve,0,cores,1\n", "2: time 'x' is not a time");
	bad(CSV "1e3,a,reserve,0,cores,1\n", "2: time '1e3' is not a time");
	bad(CSV "99999999999999999,a,reserve,0,cores,1\n",
	    "2: time '99999999999999999' is out of range");
	bad(CSV "5,a,reserve,0,cores,1\n4.9,a,commit,,,\n",
	    "3: time goes backwards");
	bad(CSV "5,a,commit,0,cores,1\n", "2: a commit takes no node");
	bad(CSV "0,a,reserve,0,cores,1\n0,a,reserve,,cores,1\n",
	    "3: a request with a node on one line and without on another");
	bad(CSV "0,a,release,,cores,1\n", "2: missing node");
	bad(CSV "0,,capacity,0,cores,-1\n", "2: amount '-1' is out of range");
}

static void bad_orders(void **state)
{
	(void)state;
	bad(CSV "0,a,commit\n", "2: commit: the job holds nothing");
	bad(CSV "0,a,reserve,0,cores,1\n1,a,reserve,0,cores,1\n",
	    "3: reserve: the job holds something");
	bad(CSV "0,a,reserve,0,cores,1\n1,a,commit\n2,a,cancel\n",
	    "4: cancel: the job has committed");
	bad(CSV "0,a,reserve,0,cores,2\n1,a,release,0,cores,3\n",
	    "3: release: more than the job holds");
	bad(CSV "0,a,reserve,0,cores,2\n1,a,release,1,cores,1\n",
	    "3: release: more than the job holds");
	bad(CSV "0,a,reserve,0,cores,2\n1,a,release,0,cores,2\n2,a,release\n",
	    "4: release: the job holds nothing");
	bad(CSV "0,a,reserve,,cores,2\n1,a,release,0,cores,2\n",
	    "3: release: a part of a job that the replay placed");
}

static void bad_jobs(void **state)
{
	(void)state;
	bad("; x\n1 2 3\n", "2: 3 fields, not 18");
	bad("1 x 0 9 1 -1 -1 1 -1 -1" SWF_TAIL "\n",
	    "1: submit time 'x' is not a time");
	bad("1 0 0 9 3000000000 -1 -1 1 -1 -1" SWF_TAIL "\n",
	    "1: number of processors '3000000000' is out of range");
	bad("1 9223372036853 9223372036853 9 1 -1 -1 1 -1 -1" SWF_TAIL "\n",
	    "1: the wait time is out of range");
	bad(LISTED("5", "1,2"),
	    "1: a list of fewer processes than the job's 5");
	bad(LISTED("1", "1,2"), "1: a list of more processes than the job's 1");
	bad(LISTED("2", "1,x"), "1: not a list of nodes");
	bad(LISTED("2", "1*0,1,1"), "1: not a list of nodes");
	bad(LISTED("2", "1;2"), "1: not a list of nodes");
	bad(LISTED("2", "{1,2"), "1: not a list of nodes");
	bad(LISTED("2", "{1,2}3"), "1: not a list of nodes");
	bad(LISTED("2", "1,2}"), "1: not a list of nodes");
	bad(LISTED("2", "5-4"), "1: not a list of nodes");
	bad(LISTED("1", "2147483647"), "1: not a list of nodes");
	bad(LISTED("9", "0-2147483646"),
	    "1: a list of more processes than the job's 9");
	bad("1 0 0 9 2 -1 -1 2 -1 9223372036854775806" SWF_TAIL "\n",
	    "1: the memory is out of range");
	bad(PODS "a,1,1,1,1,,LS,Running,5,9\n", "2: missing scheduled_time");
	bad(PODS "a,1,1,1,1001,,LS,Running,5,9,5\n",
	    "2: gpu_milli '1001' is out of range");
	bad(PODS "a,,1,1,1,,LS,Running,5,9,5\n", "2: missing cpu_milli");
	bad(PODS "a,1,1,1,1,,LS,Running,,9,5\n", "2: missing creation_time");
	bad(PODS "a,1,1,1,1,,LS,Running,5,9,10\n",
	    "2: deleted before it is scheduled");
	bad(AZURE "now,1,2\n", "2: not a date and time");
	bad(AZURE "2023-11-16 18:15:46x,1,2\n", "2: not a date and time");
	bad(AZURE "2023-11-16 18:15:46,1\n", "2: missing GeneratedTokens");
	bad(AZURE "2023-11-16 18:15:46,-1,1\n",
	    "2: ContextTokens '-1' is out of range");
	bad(MACHINES "m,1,x,1,\n", "2: memory_mib 'x' is not a number");
}

static void another_kind_in_the_second_file(void **state)
{
	struct replay_texts texts = {.nr = 0};
	struct replay_trace trace = {0};
	static const char csv[] = CSV, swf[] = "; Version: 2\n";

	(void)state;
	replay_put(&texts, csv, strlen(csv));
	replay_put(&texts, swf, strlen(swf));
	assert_int_equal(replay_hear(&texts, replay_load_texts, &trace),
			 -EBADMSG);
	assert_non_null(strstr(texts.said, ":1: another kind of trace"));
	replay_free(&trace);
	replay_remove(&texts);
}

static void no_such_file(void **state)
{
	struct replay_texts texts = {.paths = {strdup("/nowhere/x")}, .nr = 1};
	struct replay_trace trace = {0};

	(void)state;
	assert_int_equal(replay_hear(&texts, replay_load_texts, &trace),
			 -ENOENT);
	assert_non_null(strstr(texts.said, "/nowhere/x: No such file"));
	replay_free(&trace);
	replay_remove(&texts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_nodes_than_a_ledger_has),
		cmocka_unit_test(one_bad_line_costs_one_job),
		cmocka_unit_test(nothing_but_machines),
		cmocka_unit_test(many_bad_lines_are_counted),
		cmocka_unit_test(bad_texts),
		cmocka_unit_test(bad_events),
		cmocka_unit_test(bad_orders),
		cmocka_unit_test(bad_jobs),
		cmocka_unit_test(another_kind_in_the_second_file),
		cmocka_unit_test(no_such_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
