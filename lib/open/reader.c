// SPDX-License-Identifier: MIT
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/reader.h>

#include "base/uncancelled.h"
#include "account/directory.h"
#include "base/sized.h"
#include "file/sigbus.h"
#include "open/internal.h"
#include "snapshot/ask.h"
#include "view/file.h"
#include "file/writer.h"

struct tally_reader {
	struct layout *layout;
	struct tally_accounts *accounts;
	struct asker asker;
};

int tally_reader_open(const char *path, struct tally_reader **reader)
{
	UNCANCELLED;
	struct tally_reader *r = malloc(sizeof(*r));
	int fd, err;

	if (!r)
		return -ENOMEM;
	fd = ledger_open_file(path, O_RDONLY);
	if (fd < 0) {
		err = fd;
		goto fail;
	}
	err = layout_map(fd, false, &r->layout);
	if (err)
		goto fail;
	descriptor_name(r->layout->file, path);
	err = directory_open(r->layout, &r->accounts);
	if (err) {
		layout_unmap(r->layout);
		goto fail;
	}
	ask_init(&r->asker, r->layout);
	*reader = r;
	return 0;
fail:
	free(r);
	return err;
}

void tally_reader_close(struct tally_reader *reader)
{
	UNCANCELLED;

	if (!reader)
		return;
	ask_destroy(&reader->asker);
	directory_close(reader->accounts);
	layout_unmap(reader->layout);
	free(reader);
}

int tally_reader_view(struct tally_reader *reader, struct tally_view **view)
{
	return view_over(reader->layout, reader->accounts, view);
}

int tally_reader_snapshot(struct tally_reader *reader, unsigned int flags,
			  int64_t timeout_ns, struct tally_view **view)
{
	UNCANCELLED;

	if (descriptor_was_removed(reader->layout->file))
		return -EIDRM;
	return view_asked(&reader->asker, reader->accounts, flags, timeout_ns,
			  view);
}

int tally_reader_describe(const struct tally_reader *reader,
			  struct tally_reader_info *info)
{
	const struct layout_header *header = &reader->layout->header;
	struct tally_reader_info got = {
		.version = header->version,
		.created_ns = header->created_ns,
		.file_bytes = header->file_bytes,
		.max_accounts = header->params.max_accounts,
		.nr_nodes = header->params.nr_nodes,
		.nr_lanes = header->params.nr_lanes,
		.stale = reader->layout->stale,
		.saved = (header->params.flags & LAYOUT_SAVED) != 0,
		.removed = descriptor_was_removed(reader->layout->file),
	};

	if (!sized_fits(info, sized_upto(struct tally_reader_info, removed)))
		return -EINVAL;
	if (!directory_has_all(reader->accounts) ||
	    !layout_is_whole(reader->layout))
		return -EBADMSG;
	got.nr_accounts = directory_nr_accounts(reader->accounts);
	memcpy(got.instance, header->instance, sizeof(got.instance));
	sized_put(info, &got, sizeof(got));
	return 0;
}

int tally_reader_writer_next(const struct tally_reader *reader,
			     uint64_t *cursor, struct tally_writer *writer)
{
	UNCANCELLED;
	struct tally_writer got = {0};
	int err;

	if (!sized_fits(writer, sized_upto(struct tally_writer, alive)))
		return -EINVAL;
	err = writer_next(reader->layout, cursor, &got.pid, &got.alive);
	if (!layout_is_whole(reader->layout))
		return -EBADMSG;
	if (err)
		return err;
	sized_put(writer, &got, sizeof(got));
	return 0;
}

int tally_reader_sigbus(const void *siginfo)
{
	return sigbus_mend(siginfo);
}

const struct tally_region *
tally_reader_region(const struct tally_reader *reader, unsigned int index)
{
	assert(index < reader->layout->header.params.nr_planes);
	return &reader->layout->regions[index];
}
