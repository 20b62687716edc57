// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "support/small.h"
#include "support/values.h"

#define PAGE   4096
#define ROUNDS 4

const char *const small_keys[SMALL_KEYS] = {"a", "batch/job-42", "c"};

static int node_at(int index)
{
	return index < 3 ? machine_nodes[index] : TALLY_VIEW_ALL;
}

/* Of one round, for a node. */
static int64_t amount_of(int round, int key, int node, int resource)
{
	return (7 * round + key + 1) * (resource ? 100 : 1) + node;
}

static void expect(struct small *s)
{
	for (int i = 0; i < ROUNDS * SMALL_KEYS * 3 * 2; i++) {
		int r = i % 2, n = i / 2 % 3, key = i / 6 % SMALL_KEYS;
		int64_t amount = amount_of(i / 6 / SMALL_KEYS, key, n, r);

		s->accounts[key][n][r] += amount;
		s->accounts[key][3][r] += amount;
		s->totals[n][r] += amount;
		s->totals[3][r] += amount;
	}
}

/* For nodes 0, 5 and 9, so that every plane has something. */
static void charge(struct tally_ledger *ledger, int round, int key)
{
	struct tally_account account = machine_account(ledger, small_keys[key]);

	for (int n = 0; n < 3; n++) {
		const struct tally_amount amounts[2] = {
			{0, amount_of(round, key, n, 0)},
			{1, amount_of(round, key, n, 1)},
		};

		assert_int_equal(tally_ledger_charge(ledger, account,
						     machine_nodes[n], amounts,
						     2),
				 0);
	}
}

void small_load(const char *path, struct small *s)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	memset(s, 0, sizeof(*s));
	s->path = path;
	expect(s);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	s->bytes = (size_t)st.st_size;
	s->image = malloc(s->bytes);
	assert_non_null(s->image);
	assert_int_equal(pread(fd, s->image, s->bytes, 0), s->bytes);
	close(fd);
}

/* Folded once and twice, and live in both banks while a snapshot is pinned: the
 * image is taken then. */
void small_make(struct machine *m, struct small *s)
{
	struct tally_ledger *ledger;
	struct tally_view *view;

	machine_few_cpus(m);
	ledger = machine_ledger(m, 64);
	for (int round = 0; round < ROUNDS; round++) {
		for (int key = 0; key < SMALL_KEYS; key++)
			charge(ledger, round, key);
		if (round == ROUNDS - 1)
			break;
		assert_int_equal(
			tally_view_snapshot(ledger, 0, INT64_MAX, &view), 0);
		if (round < ROUNDS - 2)
			tally_view_close(view);
	}
	small_load(m->path, s);
	tally_view_close(view);
	tally_ledger_close(ledger);
	small_restore(s);
}

void small_free(struct small *s)
{
	free(s->image);
}

void small_restore(const struct small *s)
{
	static const char zeros[PAGE];
	int fd = open(s->path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, (off_t)s->bytes), 0);
	for (size_t at = 0; at < s->bytes; at += PAGE)
		if (memcmp(s->image + at, zeros, PAGE) != 0)
			assert_int_equal(
				pwrite(fd, s->image + at, PAGE, (off_t)at),
				PAGE);
	close(fd);
}

static int look_at_nodes(const struct tally_view *view,
			 const struct tally_account *account,
			 const int64_t expected[4][2])
{
	for (int n = 3; n >= 0; n--) {
		int64_t amounts[2];
		int err =
			account ? tally_view_account(view, *account, node_at(n),
						     amounts)
				: tally_view_totals(view, node_at(n), amounts);

		if (err)
			return err;
		if (memcmp(amounts, expected[n], sizeof(amounts)) != 0)
			return 1;
	}
	return 0;
}

static int each(void *arg, const struct value *value)
{
	const struct small *s = arg;

	for (int key = 0; key < SMALL_KEYS; key++)
		for (int n = 0; n < 3; n++)
			if (!strcmp(value->key, small_keys[key]) &&
			    value->node == machine_nodes[n])
				return value->amount !=
				       s->accounts[key][n][value->resource];
	return 1;
}

/* All amounts in one call: none of them is 0. */
static int read_view(const struct small *s, const struct tally_view *view)
{
	struct tally_entry entries[SMALL_KEYS * 3 * 2 + 1];
	uint64_t cursor = 0;
	size_t nr = 0;
	int err = tally_view_read(view, NULL, &cursor, entries,
				  sizeof(entries) / sizeof(*entries), &nr);

	if (!err && nr != SMALL_KEYS * 3 * 2)
		return 1;
	for (size_t i = 0; !err && i < nr; i++)
		if (entries[i].amount !=
		    s->accounts[i / 6][i / 2 % 3][entries[i].resource])
			return 1;
	return err;
}

static int look_at_file(struct tally_reader *reader)
{
	struct tally_placement placement = {.size = sizeof(placement)};
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_writer writer = {.size = sizeof(writer)};
	uint64_t cursor = 0;
	int err = tally_reader_describe(reader, &info);

	if (err)
		return err;
	for (unsigned int n = 0; n < info.nr_nodes; n++)
		(void)!tally_region_verify(tally_reader_region(reader, n), NULL,
					   NULL, &placement);
	while (!(err = tally_reader_writer_next(reader, &cursor, &writer)))
		;
	return err == -ENOENT ? 0 : err;
}

static int look_at_view(const struct small *s, const struct tally_view *view)
{
	int err = look_at_nodes(view, NULL, s->totals);

	for (int key = 0; key < SMALL_KEYS && !err; key++) {
		struct tally_account account;

		err = tally_account_find(tally_view_accounts(view),
					 small_keys[key], &account);
		if (!err)
			err = look_at_nodes(view, &account, s->accounts[key]);
	}
	if (!err)
		err = read_view(s, view);
	return err ? err : values_each(view, each, (void *)s);
}

int small_look(const struct small *s, struct tally_reader *reader)
{
	struct tally_view *view;
	int err = tally_reader_view(reader, &view);

	if (err)
		return err;
	err = look_at_view(s, view);
	tally_view_close(view);
	return err ? err : look_at_file(reader);
}

int small_says(const struct small *s)
{
	struct tally_reader *reader;
	int err = tally_reader_open(s->path, &reader);

	if (err)
		return err;
	err = small_look(s, reader);
	tally_reader_close(reader);
	return err;
}
