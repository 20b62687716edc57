// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/reader.h>

#include "directory.h"
#include "fault.h"
#include "view_internal.h"
#include "writer.h"

struct tally_reader {
	struct layout *layout;
	struct tally_accounts *accounts;
};

int tally_reader_open(const char *path, struct tally_reader **reader)
{
	struct tally_reader *r = malloc(sizeof(*r));
	int fd, err;

	if (!r)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		err = -errno;
		goto fail;
	}
	err = layout_map(fd, false, &r->layout);
	if (err)
		goto fail;
	err = directory_open(r->layout, &r->accounts);
	if (err) {
		layout_unmap(r->layout);
		goto fail;
	}
	*reader = r;
	return 0;
fail:
	free(r);
	return err;
}

void tally_reader_close(struct tally_reader *reader)
{
	if (!reader)
		return;
	directory_close(reader->accounts);
	layout_unmap(reader->layout);
	free(reader);
}

int tally_reader_view(struct tally_reader *reader, struct tally_view **view)
{
	return view_over(reader->layout, reader->accounts, view);
}

int tally_reader_describe(const struct tally_reader *reader,
			  struct tally_reader_info *info)
{
	const struct layout_header *header = &reader->layout->header;

	if (!directory_has_all(reader->accounts) ||
	    !layout_is_whole(reader->layout))
		return -EBADMSG;
	memcpy(info->instance, header->instance, sizeof(info->instance));
	info->version = header->version;
	info->created_ns = header->created_ns;
	info->file_bytes = header->file_bytes;
	info->max_accounts = header->params.max_accounts;
	info->nr_accounts = directory_nr_accounts(reader->accounts);
	info->nr_nodes = header->params.nr_nodes;
	info->nr_lanes = header->params.nr_lanes;
	info->stale = reader->layout->stale;
	return 0;
}

int tally_reader_writer(const struct tally_reader *reader, uint32_t *cursor,
			struct tally_writer *writer)
{
	struct process process;
	int alive = 0;
	int err = writer_next(reader->layout, cursor, &process, &alive);

	if (!layout_is_whole(reader->layout))
		return -EBADMSG;
	if (err)
		return err;
	writer->pid = (pid_t)process.pid;
	writer->start_time = process.start;
	writer->alive = alive;
	return 0;
}

int tally_reader_fault(const void *siginfo)
{
	return fault_mend(siginfo);
}

const struct tally_region *
tally_reader_region(const struct tally_reader *reader, unsigned int index)
{
	assert(index < reader->layout->header.params.nr_nodes);
	return &reader->layout->regions[index];
}
