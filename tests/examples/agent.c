// SPDX-License-Identifier: MIT
/* A monitoring agent: once a second (argv[2] times; else for ever) it prints what is
 * in the ledger argv[1] at one moment. It needs read permission alone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <numatally.h>

static void print(const struct tally_view *view, const struct tally_entry *e)
{
	char key[4096];

	if (tally_account_key(tally_view_accounts(view), e->account, key, 4096))
		return; /* it has ended since the snapshot was taken */
	printf("%s: node %d: %lld %s\n", key, e->node, (long long)e->amount,
	       tally_view_resource(view, e->resource)->name);
}

static int print_all(const struct tally_view *view)
{
	static struct tally_entry entries[32768]; /* of one account, at least */
	uint64_t cursor = 0;
	size_t nr;
	int err;

	while (!(err = tally_view_read(view, NULL, &cursor, entries, 32768,
				       &nr)))
		for (size_t i = 0; i < nr; i++)
			print(view, &entries[i]);
	return err == -ENOENT ? 0 : err;
}

int main(int argc, char **argv)
{
	struct tally_reader *reader = NULL;
	struct tally_view *view;
	char path[4096];
	int err = tally_ledger_find(argc > 1 ? argv[1] : "", path, 4096);

	if (!err)
		err = tally_reader_open(path, &reader);
	for (int left = argc > 2 ? atoi(argv[2]) : -1; !err && left--;) {
		err = tally_reader_snapshot(reader, TALLY_SNAPSHOT_JOIN,
					    1000000000, &view);
		if (err == -ESRCH) /* no writer serves */
			err = tally_reader_view(reader, &view);
		if (err)
			break;
		err = print_all(view);
		tally_view_close(view);
		sleep(left && !fflush(stdout));
	}
	if (err)
		fprintf(stderr, "agent: %s\n", tally_strerror(err));
	tally_reader_close(reader);
	return err != 0;
}
