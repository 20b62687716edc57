/* SPDX-License-Identifier: MIT */
/* Texts of trace files, and what they are loaded as. */
#ifndef TEST_SUPPORT_REPLAY_TRACE_H
#define TEST_SUPPORT_REPLAY_TRACE_H

#include "support/test.h"

#include "support/replay_text.h"

#define PODS                                                        \
	"name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos," \
	"pod_phase,creation_time,deletion_time,scheduled_time\n"
#define MACHINES "sn,cpu_milli,memory_mib,gpu,model\n"
#define AZURE	 "TIMESTAMP,ContextTokens,GeneratedTokens\n"
#define CSV	 "time,job,op,node,resource,amount\n"
/* A job of the Standard Workload Format, without its last fields. */
#define SWF_TAIL " 1 1 1 1 1 1 -1 -1"

static inline struct replay_trace load(const char *first, const char *second)
{
	struct replay_texts texts = {.nr = 0};
	struct replay_trace trace = {0};
	int err;

	replay_put(&texts, first, strlen(first));
	if (second)
		replay_put(&texts, second, strlen(second));
	err = replay_hear(&texts, replay_load_texts, &trace);
	if (err)
		print_message("%s", texts.said);
	assert_int_equal(err, 0);
	assert_string_equal(texts.said, "");
	replay_remove(&texts);
	return trace;
}

/* Loading fails with these words after the path: of the file, or of lines whose
 * jobs are all there are. */
static inline void bad_bytes(const char *bytes, size_t size, const char *words)
{
	int err;

	struct replay_texts texts = {.nr = 0};
	struct replay_trace trace = {0};
	char expected[512];
	const char *path;

	replay_put(&texts, bytes, size);
	path = texts.paths[0];
	err = replay_hear(&texts, replay_load_texts, &trace);
	assert_int_equal(err, trace.nr_errors ? -EINVAL : -EBADMSG);
	snprintf(expected, sizeof(expected), "%s:%s", path, words);
	if (!strstr(texts.said, expected))
		fail_msg("'%s' is not '%s'", texts.said, expected);
	replay_free(&trace);
	replay_remove(&texts);
}

static inline void bad(const char *text, const char *words)
{
	bad_bytes(text, strlen(text), words);
}

#define LISTED(procs, list) \
	"1 0 0 9 " procs " -1 -1 -1 -1 -1" SWF_TAIL " " list "\n"

#endif
