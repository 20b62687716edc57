// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <numatally/ledger.h>

#include "common/followed.h"

#define SNAPSHOT_NS 200000000

static int describe(struct followed *l)
{
	l->about = (struct tally_reader_info){.size = sizeof(l->about)};
	return tally_reader_describe(l->reader, &l->about);
}

static int find(struct followed *l)
{
	if (!strchr(l->name, '/'))
		return tally_ledger_find(l->name, l->path, sizeof(l->path));
	return (size_t)snprintf(l->path, sizeof(l->path), "%s", l->name) <
			       sizeof(l->path)
		       ? 0
		       : -ENAMETOOLONG;
}

int followed_open(struct followed *l)
{
	int err;

	if (l->reader && (describe(l) || l->about.removed)) {
		tally_reader_close(l->reader);
		l->reader = NULL;
	}
	if (l->reader)
		return 0;
	err = find(l);
	if (!err)
		err = tally_reader_open(l->path, &l->reader);
	return err ? err : describe(l);
}

int followed_view(struct followed *l, struct tally_view **view)
{
	int err = tally_reader_snapshot(l->reader, TALLY_SNAPSHOT_JOIN,
					SNAPSHOT_NS, view);

	return err && err != -EIDRM ? tally_reader_view(l->reader, view) : err;
}
