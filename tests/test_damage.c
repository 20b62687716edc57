// SPDX-License-Identifier: MIT
/* Whatever is damaged in a ledger, but for the amounts themselves: what a
 * reader says is an error, or right. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include <numatally/reader.h>

#include "inside.h"
#include "small.h"
#include "wild.h"

/* Of words that are 0, and never used, one in so many will do. */
#define ZEROS_QUICK 97

struct damage {
	struct small small;
	struct layout *inside;
	struct tally_reader *reader; /* that has looked before */
	unsigned int nr_told, nr_right;
	uint64_t nr_zeros;
};

static void check_says(struct damage *d, int said, uint64_t at, uint64_t bad)
{
	switch (said) {
	case 0:
		d->nr_right++;
		break;
	case -EBADMSG:
	case -EPROTO: /* another version */
	case -EAGAIN: /* not ready */
	case -ENOENT: /* no such key, or node */
		d->nr_told++;
		break;
	default:
		fail_msg("0x%llx at 0x%llx: %d", (unsigned long long)bad,
			 (unsigned long long)at, said);
	}
}

static void look(struct damage *d, uint64_t at, uint64_t bad)
{
	check_says(d, small_says(&d->small), at, bad);
	check_says(d, small_look(&d->small, d->reader), at, bad);
}

static void damage_word(struct damage *d, uint64_t at)
{
	uint64_t *word = (uint64_t *)(d->inside->origin + at);
	const uint64_t good = *word;
	const uint64_t bad[] = {
		0, UINT64_MAX, good + 1, good - 1, UINT64_C(1) << 40,
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (bad[i] == good)
			continue;
		__atomic_store_n(word, bad[i], __ATOMIC_RELAXED);
		look(d, at, bad[i]);
	}
	__atomic_store_n(word, good, __ATOMIC_RELAXED);
}

static void damage_bytes(struct damage *d, uint64_t at)
{
	unsigned char *byte = (unsigned char *)d->inside->origin + at;

	for (int i = 0; i < 8; i++, byte++) {
		const unsigned char good = *byte;
		const unsigned char bad[] = {
			0,
			0xff,
			(unsigned char)(good + 1),
			good ^ 0x80,
		};

		for (size_t b = 0; b < sizeof(bad); b++) {
			if (bad[b] == good)
				continue;
			__atomic_store_n(byte, bad[b], __ATOMIC_RELAXED);
			look(d, at, bad[b]);
		}
		__atomic_store_n(byte, good, __ATOMIC_RELAXED);
	}
}

static void damage_range(struct damage *d, uint64_t from, uint64_t to)
{
	bool all = getenv("NUMATALLY_LONG");

	for (uint64_t at = from; at < to; at += 8) {
		bool used = *(uint64_t *)(d->inside->origin + at) != 0;

		if (!used && !all && d->nr_zeros++ % ZEROS_QUICK)
			continue;
		damage_word(d, at);
		if (used)
			damage_bytes(d, at);
	}
}

static void begin(struct damage *d, void **state)
{
	memset(d, 0, sizeof(*d));
	small_make(*state, &d->small);
	d->inside = inside_open(d->small.path);
	assert_int_equal(tally_reader_open(d->small.path, &d->reader), 0);
	assert_int_equal(small_look(&d->small, d->reader), 0);
}

static void end(struct damage *d)
{
	assert_int_equal(small_look(&d->small, d->reader), 0);
	assert_int_equal(small_says(&d->small), 0);
	print_message("# %u errors, %u right\n", d->nr_told, d->nr_right);
	tally_reader_close(d->reader);
	inside_close(d->inside);
	small_free(&d->small);
}

/* Header, nodes, lanes, resources; who writes; epochs; accounts. */
static void metadata(void **state)
{
	const struct layout_table *rows;
	struct damage d;

	begin(&d, state);
	damage_range(&d, 0, d.inside->plan->regions_offset);
	rows = &d.inside->plan->rows; /* 0s that say much */
	for (uint64_t at = 0; at < rows->count * rows->stride; at += 8)
		damage_word(&d, rows->offset + at);
	assert_true(d.nr_told > 1000);
	end(&d);
}

/* Of regions: their heads, records of lanes, and all that lies before cells. */
static void headers(void **state)
{
	const struct layout_plan *plan;
	struct damage d;

	begin(&d, state);
	plan = d.inside->plan;
	for (uint32_t n = 0; n < d.inside->header.params.nr_nodes; n++) {
		const struct layout_node *node = &d.inside->nodes[n];
		uint64_t start = node->region_offset;

		damage_range(&d, start, start + node->marks_offset);
		if (!node->nr_lanes)
			continue;
		damage_range(&d, start + node->settled_offset,
			     start + node->settled_offset +
				     plan->copies_offset);
		for (uint32_t s = 0; s < node->nr_lanes; s++) {
			uint64_t area = start + node->areas_offset +
					s * plan->area_bytes;

			damage_range(&d, area, area + plan->cells_offset);
		}
	}
	damage_range(&d, d.small.bytes - 8, d.small.bytes);
	assert_true(d.nr_told > 100);
	end(&d);
}

static blkcnt_t blocks(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_blocks;
}

static int total(const char *path, int64_t *amounts)
{
	struct tally_account account;
	struct tally_reader *reader;
	struct tally_view *view;
	uint64_t cursor = 0;
	int err;

	assert_int_equal(tally_reader_open(path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	while (!tally_account_next(tally_view_accounts(view), &cursor,
				   &account))
		;
	err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);
	tally_view_close(view);
	tally_reader_close(reader);
	return err;
}

/* The first slice of a lane that is in use. */
static struct tally_slice *used_slice(struct layout *inside)
{
	for (uint32_t i = 0; i < 3 * 8 * 6; i++) {
		uint32_t node = i / 48, slot = i / 6 % 8;

		if (slot < inside->nodes[node].nr_lanes &&
		    layout_record(inside, node, slot)[i % 6].len)
			return &layout_record(inside, node, slot)[i % 6];
	}
	fail_msg("nothing was added");
	return NULL;
}

static struct layout_directory *directory(struct layout *inside)
{
	return (struct layout_directory *)(inside->origin +
					   inside->plan->directory_offset);
}

/* A small file that says that it is a large one: nothing is read, and so made,
 * that isn't there. */
static void claims_of_what_is_not_there(void **state)
{
	const struct tally_amount one = {0, 21};
	struct machine *m = *state;
	struct tally_slice *slice, *headers;
	struct tally_ledger *ledger;
	struct layout *inside;
	int64_t amounts[2];
	blkcnt_t before;

	machine_few_cpus(m);
	ledger = machine_ledger(m, 1 << 20);
	assert_int_equal(tally_ledger_charge(ledger,
					     machine_account(ledger, "a"), 0,
					     &one, 1),
			 0);
	tally_ledger_close(ledger);
	before = blocks(m->path);
	inside = inside_open(m->path);
	assert_int_equal(total(m->path, amounts), 0);
	assert_int_equal(amounts[0], 21);
	directory(inside)->nr_rows = 1 << 20;
	assert_int_equal(total(m->path, amounts), 0);
	assert_int_equal(amounts[0], 21);
	directory(inside)->nr_rows_copy = 1 << 20;
	assert_int_equal(total(m->path, amounts), -EBADMSG);
	directory(inside)->nr_rows_copy = 200;
	slice = used_slice(inside);
	slice->len = inside->plan->nr_buckets;
	assert_int_equal(total(m->path, amounts), 0);
	headers = (struct tally_slice *)(inside->origin + slice->base);
	for (uint64_t b = 1; b < 100; b++)
		headers[b] = (struct tally_slice){
			.base = headers->base + b * inside->plan->bucket_bytes,
			.len = LAYOUT_BUCKET_ROWS,
			.cap = LAYOUT_BUCKET_ROWS,
		};
	assert_int_equal(total(m->path, amounts), 0);
	assert_int_equal(amounts[0], 21);
	assert_in_range(blocks(m->path), before, before + 32);
	inside_close(inside);
}

/* Where a length goes beyond what there is of the headers themselves. */
static void headers_that_are_not_there(void **state)
{
	struct machine *m = *state;
	struct tally_ledger *ledger;
	struct tally_account account;
	struct layout *inside;
	int64_t amounts[2];
	blkcnt_t before;
	char key[16];

	machine_few_cpus(m);
	ledger = machine_ledger(m, 1 << 15);
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		account = machine_account(ledger, key);
	}
	assert_int_equal(tally_ledger_charge(ledger,
					     machine_account(ledger, "0"), 0,
					     &(struct tally_amount){0, 21}, 1),
			 0);
	tally_ledger_close(ledger);
	assert_true(account.row > 10000);
	before = blocks(m->path);
	inside = inside_open(m->path);
	used_slice(inside)->len = inside->plan->nr_buckets;
	assert_int_equal(total(m->path, amounts), -EBADMSG);
	assert_int_equal(blocks(m->path), before);
	inside_close(inside);
}

static struct layout_doubt *first_doubt(struct layout *inside)
{
	return (struct layout_doubt *)(inside->origin +
				       inside->plan->doubts.offset);
}

/* Charges in doubt: so many that no walk over them would end, and of accounts
 * that there can't be. */
static void doubts(void **state)
{
	struct layout_control *control;
	struct tally_doubt doubt;
	struct tally_view *view;
	struct damage d;

	begin(&d, state);
	control = layout_control(d.inside);
	assert_int_equal(tally_reader_view(d.reader, &view), 0);
	control->nr_doubts = 1;
	*first_doubt(d.inside) = (struct layout_doubt){
		.number = 1,
		.nr_rows = 1,
		.row[0] = 1,
	};
	assert_int_equal(tally_view_doubt(view, 0, &doubt), 0);
	assert_int_equal(doubt.accounts[0].row, 1);
	assert_int_equal(tally_view_doubt(view, 1, &doubt), -ENOENT);
	first_doubt(d.inside)->row[0] = 64;
	assert_int_equal(tally_view_doubt(view, 0, &doubt), -EBADMSG);
	first_doubt(d.inside)->row[0] = 1;
	control->nr_doubts = UINT64_C(1) << 60;
	assert_int_equal(tally_view_doubt(view, 0, &doubt), -EBADMSG);
	assert_int_equal(tally_view_doubt(view, 77, &doubt), -EBADMSG);
	tally_view_close(view);
	end(&d);
}

/* Somebody writes whatever it likes, all the time. */
static void a_hostile_writer(void **state)
{
	int rounds = getenv("NUMATALLY_LONG") ? 20000 : 500;
	unsigned int nr_told = 0;
	struct damage d;

	begin(&d, state);
	wild_start(d.small.path, 1);
	for (int i = 0; i < rounds; i++)
		nr_told += small_says(&d.small) < 0 ||
			   small_look(&d.small, d.reader) < 0;
	wild_stop();
	print_message("# %u errors of %d\n", nr_told, rounds);
	end(&d);
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(metadata),
		T(headers),
		T(claims_of_what_is_not_there),
		T(headers_that_are_not_there),
		T(doubts),
		T(a_hostile_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
