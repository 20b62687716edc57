/* SPDX-License-Identifier: MIT */
/* Traces made of a test's text, and what replay prints about them. */
#ifndef TEST_SUPPORT_REPLAY_TEXT_H
#define TEST_SUPPORT_REPLAY_TEXT_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/load.h"

#define REPLAY_TEXTS 3

struct replay_texts {
	char *paths[REPLAY_TEXTS];
	int nr;
	char said[4096]; /* on stderr, by the last call of replay_hear() */
};

static inline void replay_put(struct replay_texts *texts, const char *bytes,
			      size_t size)
{
	char path[] = "/tmp/numatally-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(texts->nr < REPLAY_TEXTS);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
	texts->paths[texts->nr++] = strdup(path);
}

static inline void replay_remove(struct replay_texts *texts)
{
	while (texts->nr) {
		unlink(texts->paths[--texts->nr]);
		free(texts->paths[texts->nr]);
	}
}

/* What a call returns; texts->said is what it printed on stderr. */
static inline int replay_hear(struct replay_texts *texts,
			      int (*call)(struct replay_texts *texts,
					  struct replay_trace *trace),
			      struct replay_trace *trace)
{
	FILE *heard = tmpfile();
	int saved = dup(STDERR_FILENO), ret;
	size_t n;

	assert_non_null(heard);
	fflush(stderr);
	dup2(fileno(heard), STDERR_FILENO);
	ret = call(texts, trace);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(heard);
	n = fread(texts->said, 1, sizeof(texts->said) - 1, heard);
	texts->said[n] = '\0';
	fclose(heard);
	return ret;
}

static inline int replay_load_texts(struct replay_texts *texts,
				    struct replay_trace *trace)
{
	int err = replay_load(trace, texts->paths, texts->nr);

	return err ? err : replay_schedule(trace);
}

#endif
