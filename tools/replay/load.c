// SPDX-License-Identifier: MIT
/* Reads files, each in the format that its first line shows. */
#include "config.h"

#include <err.h>
#include <errno.h>

#include "replay/formats.h"
#include "replay/load.h"

/* The first that matches is taken. */
static const struct format {
	enum replay_kind kind;
	bool (*matches)(const char *line); /* NULL: any */
	int (*read)(struct replay_reader *reader, struct replay_trace *trace);
} formats[] = {
	{REPLAY_PODS, replay_is_machines, replay_read_machines},
	{REPLAY_PODS, replay_is_pods, replay_read_pods},
	{REPLAY_AZURE, replay_is_azure, replay_read_azure},
	{REPLAY_SWF, replay_is_swf, replay_read_swf},
	{REPLAY_CSV, NULL, replay_read_csv},
};

static int load_file(struct replay_reader *reader, struct replay_trace *trace)
{
	const struct format *format = formats;
	int ret = replay_next_line(reader);

	if (ret < 0)
		return ret;
	if (!ret)
		return replay_bad_file(reader, "empty file");
	while (format->matches && !format->matches(reader->line))
		format++;
	if (trace->kind && trace->kind != format->kind)
		return replay_bad_file(
			reader, "another kind of trace than the last file");
	trace->kind = format->kind;
	return format->read(reader, trace);
}

/* openb's pods and its machines are two files. */
static int check_halves(const struct replay_trace *trace)
{
	if (trace->kind != REPLAY_PODS || trace->has_pods)
		return 0;
	warnx("%s: a list of machines: give the list of pods, too",
	      trace->files[0]);
	return -EINVAL;
}

int replay_load(struct replay_trace *trace, char **paths, int nr)
{
	int err = 0;

	if (nr > UINT16_MAX) {
		warnx("too many files");
		return -E2BIG;
	}
	trace->origin.last_node = -1;
	trace->files = paths;
	trace->nr_files = (uint16_t)nr;
	for (int i = 0; !err && i < nr; i++) {
		struct replay_reader reader;

		err = replay_reader_open(&reader, paths[i]);
		reader.file = (uint16_t)i;
		reader.nr_errors = trace->nr_errors;
		if (!err)
			err = load_file(&reader, trace);
		trace->nr_errors = reader.nr_errors;
		replay_reader_close(&reader);
	}
	if (!err)
		err = check_halves(trace);
	return err ? err : replay_place_nodes(trace);
}
