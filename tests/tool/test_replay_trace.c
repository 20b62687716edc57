// SPDX-License-Identifier: MIT
/* Trace files that are right: pods, jobs, requests, events. */
#include "support/test.h"

#include "support/replay_text.h"
#include "support/replay_trace.h"

static void event_is(const struct replay_trace *trace, size_t i,
		     enum replay_op op, uint32_t job, int64_t seconds)
{
	assert_true(i < trace->nr_events);
	assert_int_equal(trace->events[i].op, op);
	assert_int_equal(trace->events[i].job, job);
	assert_int_equal(trace->events[i].time_us, seconds * 1000000);
}

static void item_is(const struct replay_trace *trace, size_t event,
		    unsigned int i, int32_t node, const char *resource,
		    int64_t amount)
{
	const struct replay_event *e = &trace->events[event];
	const struct replay_item *item = &trace->items[e->item + i];

	assert_true(i < e->nr_items);
	assert_int_equal(item->node, node);
	assert_string_equal(trace->resources[item->resource].name, resource);
	assert_int_equal(item->amount, amount);
}

static void pods_in_the_order_of_time(void **state)
{
	struct replay_trace t =
		load(PODS "b,2000,10,1,460,,LS,Running,5,9,7\n"
			  "never,2000,10,0,0,,LS,Pending,5,9,\n"
			  "a,500,0,2,1000,V100,LS,Running,1,7,2\n"
			  "kept,1,1,0,0,,LS,Running,8,,8",
		     MACHINES "m,64000,1024,8,\nn,1,2,0,P100\n");

	(void)state;
	assert_int_equal(t.kind, REPLAY_PODS);
	assert_int_equal(t.nr_jobs, 3);
	assert_int_equal(t.nr_never, 1);
	assert_true(t.has_spec);
	assert_int_equal(t.nr_events, 8);
	event_is(&t, 0, REPLAY_RESERVE, 1, 2);
	item_is(&t, 0, 0, REPLAY_ANYWHERE, "cpu_milli", 500);
	item_is(&t, 0, 1, REPLAY_ANYWHERE, "gpu_milli", 2000);
	event_is(&t, 1, REPLAY_COMMIT, 1, 2);
	/* What ends makes room for what begins. */
	event_is(&t, 2, REPLAY_RELEASE, 1, 7);
	event_is(&t, 3, REPLAY_RESERVE, 0, 7);
	item_is(&t, 3, 1, REPLAY_ANYWHERE, "memory_mib", 10);
	item_is(&t, 3, 2, REPLAY_ANYWHERE, "gpu_milli", 460);
	event_is(&t, 4, REPLAY_COMMIT, 0, 7);
	event_is(&t, 5, REPLAY_RESERVE, 2, 8);
	event_is(&t, 7, REPLAY_RELEASE, 0, 9);
	assert_int_equal(t.origin.nr_machines, 2);
	assert_int_equal(t.origin.machines[0][0], 64000);
	assert_int_equal(t.origin.machines[0][1], 1024);
	assert_int_equal(t.origin.machines[0][2], 8000);
	replay_free(&t);
}

static void pods_until_full(void **state)
{
	static const char text[] = PODS "late,2000,10,1,460,,LS,Running,5,9,7\n"
					"never,2000,10,0,0,,LS,Pending,6,6,\n";
	struct replay_texts texts = {.nr = 0};
	struct replay_trace t = {.until_full = true};

	(void)state;
	replay_put(&texts, text, strlen(text));
	assert_int_equal(replay_load_texts(&texts, &t), 0);
	assert_int_equal(t.nr_events, 4);
	event_is(&t, 0, REPLAY_RESERVE, 1, 6);
	event_is(&t, 2, REPLAY_RESERVE, 0, 7);
	replay_free(&t);
	replay_remove(&texts);
}

static void columns_in_any_order(void **state)
{
	struct replay_trace t =
		load("amount,op,comment,resource,job,node\n"
		     "3,reserve,\"a, b\",cores,\"the \"\"job\"\"\",1\n",
		     NULL);

	(void)state;
	assert_int_equal(t.nr_events, 1);
	item_is(&t, 0, 0, 1, "cores", 3);
	assert_int_equal(t.events[0].line, 2);
	replay_free(&t);
}

static void line_ends_blanks_and_comments(void **state)
{
	static const char *const texts[] = {
		CSV "0,a,reserve,1,cores,3\n9,a,release,,,\n",
		CSV "0,a,reserve,1,cores,3\n9,a,release,,,",
		"time,job,op,node,resource,amount\r\n"
		"0,a,reserve,1,cores,3\r\n9,a,release,,,\r\n",
		"\xef\xbb\xbf" CSV "0,a,reserve,1,cores,3\n9,a,release\n",
		"# a comment\n\n" CSV "\n0,a,reserve,1,cores,3\n  \n# b\n"
		"9,a,release,,,\n\n",
		"time,op,job,amount,resource,node,\n"
		"0.000000,reserve,a,3,cores,1,\n"
		"9.0000009,release,a,,,,\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct replay_trace t = load(texts[i], NULL);

		assert_int_equal(t.nr_events, 2);
		event_is(&t, 0, REPLAY_RESERVE, 0, 0);
		item_is(&t, 0, 0, 1, "cores", 3);
		event_is(&t, 1, REPLAY_RELEASE, 0, 9);
		assert_true(t.events[1].ends);
		replay_free(&t);
	}
}

static void lines_that_are_one_request(void **state)
{
	struct replay_trace t =
		load(CSV ",,capacity,0,cores,16\n,,capacity,,memory,0\n"
			 "0,a,reserve,0,cores,4\n"
			 "0,a,reserve,1,cores,5\n"
			 "0,b,reserve,,cores,1\n"
			 ",b,reserve,,memory,2\n"
			 "1,a,release,1,cores,2\n"
			 "2,a,release,1,cores,3\n"
			 "2,a,release,0,cores,4\n"
			 "2,a,reserve,0,cores,1\n"
			 "3,a,commit\n"
			 "3,b,cancel,,,\n",
		     NULL);

	(void)state;
	assert_int_equal(t.origin.nr_capacities, 2);
	assert_int_equal(t.origin.capacities[1].node, REPLAY_ANYWHERE);
	assert_int_equal(t.nr_events, 7);
	assert_int_equal(t.events[0].nr_items, 2);
	item_is(&t, 0, 1, 1, "cores", 5);
	assert_int_equal(t.events[0].line, 4);
	item_is(&t, 1, 1, REPLAY_ANYWHERE, "memory", 2);
	event_is(&t, 2, REPLAY_RELEASE, 0, 1);
	assert_false(t.events[2].ends);
	assert_int_equal(t.events[3].nr_items, 2);
	assert_true(t.events[3].ends);
	event_is(&t, 4, REPLAY_RESERVE, 0, 2);
	assert_true(t.events[6].ends);
	replay_free(&t);
}

static void files_of_events_are_merged(void **state)
{
	struct replay_trace t = load(CSV "0,a,reserve,0,cores,4\n"
					 "5,a,release,,,\n",
				     CSV "3,b,reserve,0,cores,4\n"
					 "5,b,release,,,\n");

	(void)state;
	event_is(&t, 0, REPLAY_RESERVE, 0, 0);
	event_is(&t, 1, REPLAY_RESERVE, 1, 3);
	assert_int_equal(t.events[1].file, 1);
	event_is(&t, 2, REPLAY_RELEASE, 0, 5);
	event_is(&t, 3, REPLAY_RELEASE, 1, 5);
	replay_free(&t);
}

static void slots_are_used_again(void **state)
{
	enum { JOBS = 5000 };
	char *text = malloc(JOBS * 64), *p = text;
	struct replay_trace t;
	uint32_t turns[1024] = {0};

	(void)state;
	assert_non_null(text);
	p = stpcpy(p, CSV);
	for (int i = 0; i < JOBS; i++)
		p += sprintf(p, "%d,a,reserve,0,cores,1\n%d,a,release,,,\n", i,
			     i);
	t = load(text, NULL);
	free(text);
	assert_int_equal(t.nr_events, 2 * JOBS);
	assert_in_range(t.nr_slots, 2, 1000);
	/* All events of a slot have a turn each, without a gap. */
	for (size_t i = 0; i < t.nr_events; i++)
		assert_int_equal(t.events[i].turn, turns[t.events[i].slot]++);
	replay_free(&t);
}

static void the_standard_workload_format(void **state)
{
	struct replay_trace t =
		load("; Version: 2.2\n;MaxNodes: 32 (some words)\n"
		     ";\tMaxProcs:  128\n"
		     "1 0 10 100.5 4 -1 2048 4 -1 -1" SWF_TAIL "\n"
		     "2 5 -1 20 -1 -1 -1 8 -1 1024" SWF_TAIL "\n"
		     "  3  5\t0 0 1 -1 -1 -1 -1 -1" SWF_TAIL "\n"
		     "4 6 0 -1 4 -1 -1 4 -1 -1 5 1 1 1 1 1 -1 -1\n"
		     "5 6 0 1 -1 -1 -1 -1 -1 -1 5 1 1 1 1 1 -1 -1\n",
		     NULL);

	(void)state;
	assert_int_equal(t.kind, REPLAY_SWF);
	assert_int_equal(t.origin.max_nodes, 32);
	assert_int_equal(t.origin.max_procs, 128);
	assert_int_equal(t.nr_jobs, 3);
	assert_int_equal(t.nr_never, 2);
	assert_int_equal(t.nr_events, 9);
	event_is(&t, 0, REPLAY_RESERVE, 1, 5);
	assert_int_equal(t.events[0].tasks, 8);
	item_is(&t, 0, 0, REPLAY_ANYWHERE, "procs", 1);
	item_is(&t, 0, 1, REPLAY_ANYWHERE, "memory_kib", 1024);
	/* A job that took no time begins before it ends. */
	event_is(&t, 2, REPLAY_RESERVE, 2, 5);
	event_is(&t, 4, REPLAY_RELEASE, 2, 5);
	event_is(&t, 5, REPLAY_RESERVE, 0, 10);
	item_is(&t, 5, 1, REPLAY_ANYWHERE, "memory_kib", 2048);
	assert_int_equal(t.events[8].time_us, 110500000);
	replay_free(&t);
}

static void a_node_for_each_process(void **state)
{
	static const char *const lists[] = {
		LISTED("5", "3,3,4,7,3"),
		LISTED("5", "3*3,4,7"),
		LISTED("5", "3/0+3/1+3/2+4/0+7/5"),
		LISTED("5", "3-4,3,7,3*1"),
		LISTED("5", "{3,7,4,3,3}"),
		LISTED("5", "{3,3,3,4,7} q_2w 1:ppn=5:x86_64#excl"),
	};
	char wide[4096] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct replay_trace t = load(lists[i], NULL);

		assert_int_equal(t.events[0].nr_items, 3);
		assert_int_equal(t.events[0].tasks, 0);
		item_is(&t, 0, 0, 3, "procs", 3);
		item_is(&t, 0, 1, 4, "procs", 1);
		item_is(&t, 0, 2, 7, "procs", 1);
		assert_int_equal(t.origin.last_node, 7);
		replay_free(&t);
	}
	/* More nodes than a request may name. */
	strcat(wide, LISTED("65", "0-64"));
	strcat(wide, LISTED("64", "0-63"));
	strcat(wide, LISTED("1", "-1"));
	{
		struct replay_trace t = load(wide, NULL);

		assert_int_equal(t.nr_wide, 1);
		assert_int_equal(t.nr_jobs, 2);
		assert_int_equal(t.events[0].nr_items, 64);
		item_is(&t, 2, 0, REPLAY_ANYWHERE, "procs", 1);
		replay_free(&t);
	}
}

/* Other fields than lists, and a line of their names. */
static void fields_behind_the_standard_ones(void **state)
{
	struct replay_trace t = load(
		"id submit wait run cpus cpu mem cpus wall mem status user "
		"group app queue part prec think dag task\n"
		"1 0 0 9 3 -1 -1 3 -1 -1" SWF_TAIL " DAG-1 1\n"
		"2 0 0 9 3 -1 -1 3 -1 -1" SWF_TAIL " {} q\n"
		"3 0 0 9 3 -1 -1 3 -1 -1" SWF_TAIL " -1 q\n",
		NULL);

	(void)state;
	assert_int_equal(t.nr_jobs, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(t.events[2 * i].tasks, 3);
	replay_free(&t);
}

static void nodes_of_large_numbers(void **state)
{
	struct replay_trace t = load(
		LISTED("3", "70000,1129,1129") LISTED("2", "5,1129"), NULL);

	(void)state;
	assert_int_equal(t.origin.last_node, 2);
	item_is(&t, 0, 0, 1, "procs", 2);
	item_is(&t, 0, 1, 2, "procs", 1);
	item_is(&t, 2, 0, 0, "procs", 1);
	assert_int_equal(replay_node(&t, 0), 5);
	assert_int_equal(replay_node(&t, 1), 1129);
	assert_int_equal(replay_node(&t, 2), 70000);
	/* A machine that is not named. */
	assert_int_equal(replay_node(&t, 3), 3);
	replay_free(&t);
	t = load(CSV ",,capacity,4000,cores,16\n,,capacity,2000,cores,8\n"
		     "0,a,reserve,4000,cores,1\n1,a,release,4000,cores,1\n",
		 NULL);
	item_is(&t, 0, 0, 1, "cores", 1);
	item_is(&t, 1, 0, 1, "cores", 1);
	assert_int_equal(t.origin.capacities[0].node, 1);
	assert_int_equal(t.origin.capacities[1].node, 0);
	replay_free(&t);
}

static void requests_to_a_model(void **state)
{
	struct replay_trace t =
		load("TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
		     "2023-11-16 18:15:46.6805900,374,44\r\n"
		     "2023-11-16 18:15:47.7805905,396,0\r\n"
		     "2023-11-16 18:15:47.7805906,0,0\r\n",
		     NULL);

	(void)state;
	assert_int_equal(t.nr_events, 9);
	assert_int_equal(t.events[0].time_us, 1700158546680590);
	item_is(&t, 0, 0, REPLAY_ANYWHERE, "tokens", 418);
	/* 44 tokens take 1.1 s: it ends when the next one begins. */
	assert_int_equal(t.events[2].op, REPLAY_RELEASE);
	assert_int_equal(t.events[2].time_us, 1700158547780590);
	assert_int_equal(t.events[6].nr_items, 0);
	replay_free(&t);
}

static void memory_goes_with_its_process(void **state)
{
	struct replay_trace t =
		load("1 0 0 9 3 -1 -1 3 -1 100" SWF_TAIL " 2*2,5\n", NULL);

	(void)state;
	assert_int_equal(t.events[0].nr_items, 4);
	item_is(&t, 0, 1, 2, "memory_kib", 200);
	item_is(&t, 0, 3, 5, "memory_kib", 100);
	replay_free(&t);
}

static void a_request_of_many_amounts(void **state)
{
	char text[8192] = CSV, *p = text + strlen(text);
	struct replay_trace t;

	(void)state;
	for (int i = 0; i < 64; i++)
		p += sprintf(p, "0,a,reserve,%d,cores,1\n", i);
	t = load(text, NULL);
	assert_int_equal(t.nr_events, 1);
	assert_int_equal(t.events[0].nr_items, 64);
	replay_free(&t);
	sprintf(p, "0,a,reserve,64,cores,1\n");
	bad(text, "2: a request of more than 64 amounts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pods_in_the_order_of_time),
		cmocka_unit_test(pods_until_full),
		cmocka_unit_test(columns_in_any_order),
		cmocka_unit_test(line_ends_blanks_and_comments),
		cmocka_unit_test(lines_that_are_one_request),
		cmocka_unit_test(files_of_events_are_merged),
		cmocka_unit_test(slots_are_used_again),
		cmocka_unit_test(the_standard_workload_format),
		cmocka_unit_test(a_node_for_each_process),
		cmocka_unit_test(fields_behind_the_standard_ones),
		cmocka_unit_test(nodes_of_large_numbers),
		cmocka_unit_test(requests_to_a_model),
		cmocka_unit_test(memory_goes_with_its_process),
		cmocka_unit_test(a_request_of_many_amounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
