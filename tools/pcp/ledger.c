// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <numatally/ledger.h>

#include "pcp/ledger.h"

#define SNAPSHOT_NS 200000000

static int describe(struct pcp_ledger *l)
{
	l->about = (struct tally_reader_info){.size = sizeof(l->about)};
	return tally_reader_describe(l->reader, &l->about);
}

static int find(struct pcp_ledger *l)
{
	if (!strchr(l->name, '/'))
		return tally_ledger_find(l->name, l->path, sizeof(l->path));
	return (size_t)snprintf(l->path, sizeof(l->path), "%s", l->name) <
			       sizeof(l->path)
		       ? 0
		       : -ENAMETOOLONG;
}

static int open_ledger(struct pcp_ledger *l)
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

int pcp_ledger_view(struct pcp_ledger *l, struct tally_view **view)
{
	int err = open_ledger(l);

	if (err)
		return err;
	err = tally_reader_snapshot(l->reader, TALLY_SNAPSHOT_JOIN, SNAPSHOT_NS,
				    view);
	return err && err != -EIDRM ? tally_reader_view(l->reader, view) : err;
}
