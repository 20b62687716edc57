// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <numatally/reader.h>

#include "support/inside.h"
#include "support/machine.h"

/* The header's first fields. */
#define VERSION_AT 8
#define ORDER_AT   12
#define PAGE_AT	   offsetof(struct layout_header, params.page_bytes)
#define NEXT_AT	   8 /* in a lane record */

static int reader_says(const char *path)
{
	struct tally_reader *reader;
	int err = tally_reader_open(path, &reader);

	if (!err)
		tally_reader_close(reader);
	return err;
}

static uint32_t *next_of(struct layout *inside, uint32_t row)
{
	const struct layout_table *table = &inside->plan->accounts;

	return (uint32_t *)(inside->origin + table->offset +
			    row * table->stride + NEXT_AT);
}

/* Every chain begins with that row. */
static void link_all(struct layout *inside, uint64_t row_1)
{
	const struct layout_table *table = &inside->plan->heads;
	uint64_t *heads = (uint64_t *)(inside->origin + table->offset);

	for (uint64_t i = 0; i < table->count; i++)
		heads[i] = row_1;
}

static int writer_says(const char *path)
{
	struct tally_ledger *ledger;
	int err = tally_ledger_open(path, &ledger);

	if (!err)
		tally_ledger_close(ledger);
	return err;
}

static void both_say(const char *path, int expected)
{
	assert_int_equal(reader_says(path), expected);
	assert_int_equal(writer_says(path), expected);
}

static void make(struct machine *m)
{
	struct tally_ledger *ledger = machine_ledger(m, 0);

	assert_int_equal(
		tally_ledger_add(ledger, machine_account(ledger, "a"), 0, 21),
		0);
	tally_ledger_close(ledger);
}

static void patch(const char *path, off_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	close(fd);
}

static uint32_t peek(const char *path, off_t at)
{
	int fd = open(path, O_RDONLY);
	uint32_t word;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &word, sizeof(word), at), sizeof(word));
	close(fd);
	return word;
}

static void files_that_are_no_ledger(void **state)
{
	struct machine *m = *state;
	char path[128];
	int fd;

	both_say("/nonexistent/ledger", -ENOENT);
	fd = open(m->path, O_CREAT | O_WRONLY, 0644);
	both_say(m->path, -EBADMSG);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	both_say(m->path, -EBADMSG);
	close(fd);
	unlink(m->path);
	assert_int_equal(mkfifo(m->path, 0600), 0);
	both_say(m->path, -EBADMSG); /* opens without waiting for a writer */
	unlink(m->path);
	make(m);
	snprintf(path, sizeof(path), "%s/link", m->dir);
	assert_int_equal(symlink(m->path, path), 0);
	both_say(path, -ELOOP);
}

static void another_version_or_machine(void **state)
{
	struct machine *m = *state;
	const uint32_t versions[] = {0, LAYOUT_VERSION - 1, LAYOUT_VERSION + 1};
	const uint32_t swapped = 0x04030201, pages = 1 << 16;
	uint32_t old;

	make(m);
	both_say(m->path, 0);
	old = peek(m->path, VERSION_AT);
	assert_int_equal(old, LAYOUT_VERSION);
	for (int i = 0; i < 3; i++) {
		patch(m->path, VERSION_AT, &versions[i], 4);
		both_say(m->path, -EPROTO);
	}
	patch(m->path, VERSION_AT, &old, 4);
	old = peek(m->path, ORDER_AT);
	patch(m->path, ORDER_AT, &swapped, 4);
	both_say(m->path, -EPROTO);
	patch(m->path, ORDER_AT, &old, 4);
	old = peek(m->path, PAGE_AT);
	assert_int_equal(old, sysconf(_SC_PAGESIZE));
	patch(m->path, PAGE_AT, &pages, 4);
	assert_int_equal(reader_says(m->path), old == pages ? 0 : -EPROTO);
	patch(m->path, PAGE_AT, &old, 4);
	both_say(m->path, 0);
}

/* In a description that is right otherwise. */
static void an_unknown_kind(void **state)
{
	const uint32_t kinds[] = {0, 4, 1u << 31, UINT32_MAX};
	struct machine *m = *state;
	struct layout *inside;

	make(m);
	inside = inside_open(m->path);
	for (uint32_t kind = TALLY_COUNTER; kind <= TALLY_RESERVABLE; kind++) {
		inside_set_kind(inside, 1, kind);
		both_say(m->path, 0);
	}
	for (int i = 0; i < 4; i++) {
		inside_set_kind(inside, 1, kinds[i]);
		both_say(m->path, -EBADMSG);
	}
	inside_close(inside);
}

/* Every byte of the description is under the checksum, the plan or a check of
 * its own: changed, it is an error. */
static void every_byte_of_the_description(void **state)
{
	struct machine *m = *state;
	off_t zeros = 0;
	int fd, nr_changed = 0;

	make(m);
	fd = open(m->path, O_RDWR);
	assert_true(fd >= 0);
	for (off_t at = 0; at < 4096 && zeros < 256; at++) {
		unsigned char byte, flipped;
		int err;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		/* Behind a long run of zeros nothing is written. */
		zeros = byte ? 0 : zeros + 1;
		flipped = byte ^ 0x10;
		assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
		err = reader_says(m->path);
		if (!err && !byte)
			zeros += 0; /* padding at the end of the page */
		else if (err != -EBADMSG && err != -EPROTO && err != -EAGAIN)
			fail_msg("byte %ld: %d", (long)at, err);
		nr_changed += err != 0;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	assert_true(nr_changed > 700);
	close(fd);
	both_say(m->path, 0);
}

static void a_file_cut_short_or_drawn_long(void **state)
{
	struct machine *m = *state;
	struct stat st;

	make(m);
	assert_int_equal(stat(m->path, &st), 0);
	assert_int_equal(truncate(m->path, st.st_size - 4096), 0);
	both_say(m->path, -EBADMSG);
	assert_int_equal(truncate(m->path, st.st_size + 4096), 0);
	both_say(m->path, -EBADMSG);
	assert_int_equal(truncate(m->path, 64), 0);
	both_say(m->path, -EBADMSG);
}

/* A reader maps read-only and needs no write permission. */
static void a_reader_only_reads(void **state)
{
	struct machine *m = *state;
	struct tally_reader *reader;
	char line[512], mode[8];
	int found = 0;
	FILE *maps;

	make(m);
	assert_int_equal(chmod(m->path, 0440), 0);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	maps = fopen("/proc/self/maps", "r");
	if (!maps)
		skip();
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, m->path))
			continue;
		assert_int_equal(sscanf(line, "%*s %7s", mode), 1);
		assert_string_equal(mode, "r--s");
		found++;
	}
	fclose(maps);
	assert_true(found);
	tally_reader_close(reader);
}

static void a_reader_sees_what_is_added(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_account a = machine_account(ledger, "a");
	struct tally_reader *reader;
	struct tally_view *view;
	int64_t amounts[2];

	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(tally_ledger_add(ledger, a, 1, 10), 0);
		assert_int_equal(
			tally_view_account(view, a, TALLY_VIEW_ALL, amounts),
			0);
		assert_int_equal(amounts[1], 10 * i);
	}
	tally_view_close(view);
	tally_reader_close(reader);
	tally_ledger_close(ledger);
}

/* A lane record: slices of two banks of three planes, in cache lines. */
#define RECORD_SLICES 6
#define RECORD_BYTES  192

/* The lane whose CPU has added something, or NULL. */
static uint64_t *used_record(char *records, uint64_t lanes)
{
	for (uint64_t i = 0; i < lanes; i++) {
		uint64_t *record = (uint64_t *)(records + i * RECORD_BYTES);

		for (int slice = 0; slice < RECORD_SLICES; slice++)
			if (record[3 * slice + 1])
				return record;
	}
	return NULL;
}

/* With a new reader: one that has read a header before only uses what lies
 * where it must. */
static int totals_of(const struct machine *m, int64_t *amounts)
{
	struct tally_reader *reader;
	struct tally_view *view;
	int err;

	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);
	tally_view_close(view);
	tally_reader_close(reader);
	return err;
}

static void break_words(const struct machine *m, uint64_t *words, size_t n,
			struct tally_view *view)
{
	int64_t amounts[2];
	int nr_refused = 0;

	for (size_t i = 0; i < n; i++) {
		const uint64_t bad[] = {UINT64_MAX, UINT64_MAX / 64,
					words[i] + 1, words[i] + 64,
					words[i] ^ (1u << 30)};
		uint64_t good = words[i];

		for (size_t b = 0; b < sizeof(bad) / sizeof(bad[0]); b++) {
			int err;

			words[i] = bad[b];
			err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);
			if (!err)
				assert_int_equal(amounts[0], 21);
			else
				assert_int_equal(err, -EBADMSG);
			err = totals_of(m, amounts);
			if (!err)
				assert_int_equal(amounts[0], 21);
			else
				assert_int_equal(err, -EBADMSG);
			nr_refused += err != 0;
		}
		words[i] = good;
	}
	/* base and cap of the plane in use; len of the others, when
	 * too large */
	assert_true(nr_refused >= 16);
}

static void damaged_headers_are_errors(void **state)
{
	struct machine *m = *state;
	struct tally_reader *reader;
	struct tally_view *view;
	int64_t amounts[2];
	uint64_t *record = NULL;
	size_t bytes = 4096 + (size_t)MACHINE_LANES * RECORD_BYTES;
	int fd;

	make(m);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	assert_int_equal(amounts[0], 21);
	fd = open(m->path, O_RDWR);
	assert_true(fd >= 0);
	for (unsigned int n = 0; n < 2 && !record; n++) {
		const struct tally_region *region =
			tally_reader_region(reader, n);
		const void *origin;
		const struct tally_slice *records =
			tally_view_slice(view, n, &origin);
		char *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_SHARED, fd, region->offset);

		assert_ptr_not_equal(mapped, MAP_FAILED);
		record = used_record(mapped + records->base -
					     (uint64_t)region->offset,
				     records->len);
		if (record)
			break_words(m, record, 3 * RECORD_SLICES, view);
		munmap(mapped, bytes);
	}
	assert_non_null(record);
	close(fd);
	tally_view_close(view);
	tally_reader_close(reader);
}

static struct tally_reader *open_reader(const char *path,
					struct tally_view **view)
{
	struct tally_reader *reader;

	assert_int_equal(tally_reader_open(path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, view), 0);
	return reader;
}

static int find(const char *path, const char *key)
{
	struct tally_account account;
	struct tally_view *view;
	struct tally_reader *reader = open_reader(path, &view);
	int err = tally_account_find(tally_view_accounts(view), key, &account);

	tally_view_close(view);
	tally_reader_close(reader);
	return err;
}

/* Chains with a cycle, or without an end. */
static void chains_without_an_end(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 1024);
	struct layout *inside;
	char key[256] = "";

	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		machine_account(ledger, key);
	}
	tally_ledger_close(ledger);
	assert_int_equal(find(m->path, "absent"), -ENOENT);
	memset(key, 'x', sizeof(key) - 1);
	assert_int_equal(find(m->path, key), -ENOENT);
	inside = inside_open(m->path);
	for (uint32_t row = 0; row < 1000; row++)
		*next_of(inside, row) = row;
	link_all(inside, 1000);
	assert_int_equal(find(m->path, "absent"), -EBADMSG);
	for (uint32_t row = 0; row < 1000; row++)
		*next_of(inside, row) = row + 1;
	assert_int_equal(find(m->path, "absent"), -EBADMSG);
	link_all(inside, 1001);
	assert_int_equal(find(m->path, "absent"), -EBADMSG);
	inside_close(inside);
}

/* A row whose key has another hash than it says. */
static void a_key_with_a_wrong_hash(void **state)
{
	struct machine *m = *state;
	struct tally_account account = {0, 0};
	struct tally_reader *reader;
	struct layout *inside;
	struct tally_view *view;
	char key[192] = "";

	make(m);
	reader = open_reader(m->path, &view);
	assert_int_equal(
		tally_account_find(tally_view_accounts(view), "a", &account),
		0);
	assert_int_equal(tally_account_key(tally_view_accounts(view), account,
					   key, sizeof(key)),
			 0);
	assert_string_equal(key, "a");
	inside = inside_open(m->path);
	inside->origin[inside->plan->accounts.offset + LAYOUT_ACCOUNT_BYTES] =
		'b';
	assert_int_equal(tally_account_key(tally_view_accounts(view), account,
					   key, sizeof(key)),
			 -EBADMSG);
	inside_close(inside);
	tally_view_close(view);
	tally_reader_close(reader);
}

static void writers_alive_and_dead(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger = machine_ledger(m, 0);
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_reader *reader;
	struct tally_writer writer = {.size = sizeof(writer)};
	uint64_t cursor = 0;
	int nr_alive = 0, nr_dead = 0, status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct tally_ledger *own;

		if (tally_ledger_open(m->path, &own))
			_exit(1);
		raise(SIGKILL); /* and leaves its slot behind */
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	assert_int_equal(info.nr_nodes, 3);
	assert_int_equal(info.nr_lanes, MACHINE_LANES);
	assert_int_equal(info.stale, 0);
	assert_int_equal(info.max_accounts, 4096);
	while (!tally_reader_writer_next(reader, &cursor, &writer)) {
		if (writer.alive == 1) {
			assert_int_equal(writer.pid, getpid());
			nr_alive++;
		} else {
			assert_int_equal(writer.alive, 0);
			assert_int_equal(writer.pid, pid);
			nr_dead++;
		}
	}
	assert_int_equal(nr_alive, 1);
	assert_int_equal(nr_dead, 1);
	tally_ledger_close(ledger);
	cursor = 0;
	assert_int_equal(tally_reader_writer_next(reader, &cursor, &writer), 0);
	assert_int_equal(writer.alive, 0);
	assert_int_equal(tally_reader_writer_next(reader, &cursor, &writer),
			 -ENOENT);
	tally_reader_close(reader);
}

static void too_many_writers(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledgers[256], *more = NULL;

	ledgers[0] = machine_ledger(m, 0);
	for (int i = 1; i < 256; i++)
		assert_int_equal(tally_ledger_open(m->path, &ledgers[i]), 0);
	assert_int_equal(tally_ledger_open(m->path, &more), -EUSERS);
	tally_ledger_close(ledgers[7]);
	assert_int_equal(tally_ledger_open(m->path, &ledgers[7]), 0);
	for (int i = 0; i < 256; i++)
		tally_ledger_close(ledgers[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(files_that_are_no_ledger),
		MACHINE_TEST(another_version_or_machine),
		MACHINE_TEST(an_unknown_kind),
		MACHINE_TEST(every_byte_of_the_description),
		MACHINE_TEST(a_file_cut_short_or_drawn_long),
		MACHINE_TEST(a_reader_only_reads),
		MACHINE_TEST(a_reader_sees_what_is_added),
		MACHINE_TEST(damaged_headers_are_errors),
		MACHINE_TEST(chains_without_an_end),
		MACHINE_TEST(a_key_with_a_wrong_hash),
		MACHINE_TEST(writers_alive_and_dead),
		MACHINE_TEST(too_many_writers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
