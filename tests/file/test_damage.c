// SPDX-License-Identifier: MIT
/* Damages everything in a ledger but the amounts. A reader returns an error, or
 * what is right. */
#include "support/test.h"

#include <signal.h>
#include <sys/stat.h>

#include <numatally/reader.h>

#include "support/inside.h"
#include "support/small.h"
#include "support/wild.h"

/* Of the words that are 0 and unused, test one in so many. */
#define ZEROS_QUICK 97

struct damage {
	struct small small;
	struct layout *inside;
	struct tally_reader *reader; /* has read before */
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
	bool all = test_is_long();

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

/* The header, nodes, lanes, resources, writers, epochs and accounts. */
static void damaged_metadata(void **state)
{
	const struct layout_table *rows;
	struct damage d;

	begin(&d, state);
	damage_range(&d, 0, d.inside->plan->regions_offset);
	rows = &d.inside->plan->rows; /* zeros that claim a lot */
	for (uint64_t at = 0; at < rows->count * rows->stride; at += 8)
		damage_word(&d, rows->offset + at);
	assert_true(d.nr_told > 1000);
	end(&d);
}

/* The regions: heads, lane records, and everything before the cells. */
static void damaged_slice_headers(void **state)
{
	const struct layout_plan *plan;
	struct damage d;

	begin(&d, state);
	plan = d.inside->plan;
	for (uint32_t n = 0; n < d.inside->header.params.nr_planes; n++) {
		const struct layout_place *place = &d.inside->places[n];
		uint64_t start = place->region_offset;

		damage_range(&d, start, start + place->inflight_offset);
		if (!place->nr_lanes)
			continue;
		damage_range(&d, start + place->folded_offset,
			     start + place->folded_offset +
				     plan->copies_offset);
		for (uint32_t s = 0; s < place->nr_lanes; s++) {
			uint64_t area = start + place->areas_offset +
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

/* The first slice of a lane in use. */
static struct tally_slice *used_slice(struct layout *inside)
{
	for (uint32_t i = 0; i < 3 * 8 * 6; i++) {
		uint32_t node = i / 48, slot = i / 6 % 8;

		if (slot < inside->places[node].nr_lanes &&
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

/* A small file that claims to be a large one: no page is read, and so made,
 * that does not exist. */
static void a_file_that_claims_to_be_larger(void **state)
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

/* A length below its copy, of buckets that are read only because the length says
 * so: they were touched, and are not left out silently. */
static void lengths_below_their_copies(void **state)
{
	const struct tally_amount one = {0, 21};
	struct machine *m = *state;
	struct tally_account a = {0};
	struct tally_ledger *ledger;
	struct tally_slice *slice;
	struct layout *inside;
	int64_t amounts[2];
	char key[16];

	machine_few_cpus(m);
	ledger = machine_ledger(m, 1024);
	for (int i = 0; a.row < 3 * LAYOUT_BUCKET_ROWS; i++) {
		snprintf(key, sizeof(key), "a%d", i);
		a = machine_account(ledger, key);
	}
	assert_int_equal(tally_ledger_charge(ledger, a, 0, &one, 1), 0);
	tally_ledger_close(ledger);
	inside = inside_open(m->path);
	slice = used_slice(inside);
	assert_int_equal(slice->len, 4);
	for (uint64_t len = 0; len < 4; len++) {
		slice->len = len;
		assert_int_equal(total(m->path, amounts), -EBADMSG);
	}
	slice->len = 4;
	assert_int_equal(total(m->path, amounts), 0);
	assert_int_equal(amounts[0], 21);
	inside_close(inside);
}

/* Its maker says last that it is ready. */
static void a_file_that_is_not_ready(void **state)
{
	struct machine *m = *state;
	struct layout_header *header;
	struct tally_reader *reader;
	struct tally_ledger *ledger;
	struct layout *inside;

	tally_ledger_close(machine_ledger(m, 64));
	inside = inside_open(m->path);
	header = (struct layout_header *)inside->origin;
	header->ready = 0;
	assert_int_equal(tally_reader_open(m->path, &reader), -EAGAIN);
	assert_int_equal(tally_ledger_open(m->path, &ledger), -EAGAIN);
	header->ready = 2;
	assert_int_equal(tally_reader_open(m->path, &reader), -EBADMSG);
	assert_int_equal(tally_ledger_open(m->path, &ledger), -EBADMSG);
	header->ready = 1;
	assert_int_equal(tally_ledger_open(m->path, &ledger), 0);
	tally_ledger_close(ledger);
	inside_close(inside);
}

/* A length beyond what exists of the headers themselves. */
static void lengths_beyond_the_headers(void **state)
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

static struct layout_in_doubt *first_doubt(struct layout *inside)
{
	return (struct layout_in_doubt *)(inside->origin +
					  inside->plan->in_doubt.offset);
}

/* Charges in doubt: so many that a walk would never end, and of accounts that
 * cannot exist. */
static void damaged_charges_in_doubt(void **state)
{
	struct layout_control *control;
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};
	struct tally_view *view;
	struct damage d;

	begin(&d, state);
	control = layout_control(d.inside);
	assert_int_equal(tally_reader_view(d.reader, &view), 0);
	control->nr_in_doubt = 1;
	*first_doubt(d.inside) = (struct layout_in_doubt){
		.number = 1,
		.nr_rows = 1,
		.row[0] = 1,
	};
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), 0);
	assert_int_equal(doubt.accounts[0].row, 1);
	assert_int_equal(tally_view_in_doubt(view, 1, &doubt), -ENOENT);
	first_doubt(d.inside)->row[0] = 64;
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), -EBADMSG);
	first_doubt(d.inside)->row[0] = 1;
	control->nr_in_doubt = UINT64_C(1) << 60;
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), -EBADMSG);
	assert_int_equal(tally_view_in_doubt(view, 77, &doubt), -EBADMSG);
	tally_view_close(view);
	end(&d);
}

/* A slice of plane 2: of a lane (8 × bank + lane) or of what is folded; NULL:
 * there are no more. */
static struct tally_slice *slice_at(struct layout *inside, bool folded,
				    uint32_t node, uint32_t i)
{
	if (folded)
		return i ? NULL : &layout_folded(inside, node)[2];
	return i % 8 < inside->places[node].nr_lanes
		       ? &layout_record(inside, node, i % 8)[i / 8 * 3 + 2]
		       : NULL;
}

/* Damage one word of each, or (NULL) mend them. */
static void set_slices(struct layout *inside, bool folded, size_t word,
		       const uint64_t *bad)
{
	static struct tally_slice good[2][16];

	for (uint32_t n = 0; n < 2; n++)
		for (uint32_t i = 0; i < 16; i++) {
			struct tally_slice *s = slice_at(inside, folded, n, i);

			if (s && bad) {
				good[n][i] = *s;
				(&s->base)[word] = *bad;
			} else if (s) {
				*s = good[n][i];
			}
		}
}

/* What adds and snapshots get from damaged slice headers, also in checked mode,
 * which ends a process that breaks the rules of slices itself. */
static void slices_that_writers_grow(void **state)
{
	const uint64_t bad[] = {0, 1000000, UINT64_C(1) << 40, UINT64_MAX};
	const struct tally_amount one = {0, 1};
	bool checked = tally_slice_checked();
	struct machine *m = *state;
	struct tally_account account;
	struct tally_ledger *ledger;
	struct tally_view *view;
	struct layout *inside;

	machine_few_cpus(m);
	ledger = machine_ledger(m, 0);
	account = machine_account(ledger, "a");
	inside = inside_open(m->path);
	for (int i = 0; i < 2 * 2 * 3 * 4; i++) {
		bool folded = i >= 24;
		size_t word = (size_t)i / 4 % 3;
		int err;

		tally_slice_set_checked(i / 12 % 2);
		/* A lane's len only tells what need not be done again, and one
		 * of 0 is good. */
		if (word == 1 && (!folded || !bad[i % 4]))
			continue;
		set_slices(inside, folded, word, &bad[i % 4]);
		if (folded) {
			err = tally_view_snapshot(ledger, 0, 10 * SECOND_NS,
						  &view);
			if (!err)
				tally_view_close(view);
			if (err == -ENOSYS)
				break;
			/* The first one folds nothing until it is closed. */
			if (i == 24)
				assert_int_equal(err, 0);
			else
				assert_int_equal(err, -EBADMSG);
		} else {
			err = tally_ledger_charge(ledger, account, 9, &one, 1);
			assert_int_equal(err, -EBADMSG);
		}
		set_slices(inside, folded, 0, NULL);
		if (i == 23)
			assert_int_equal(tally_ledger_charge(ledger, account, 9,
							     &one, 1),
					 0);
	}
	assert_int_equal(machine_amount(ledger, account, 9, 0), 1);
	tally_slice_set_checked(checked);
	inside_close(inside);
	tally_ledger_close(ledger);
}

/* A thread that writes anything, all the time. */
static void a_hostile_writer(void **state)
{
	int rounds = test_is_long() ? 20000 : 500;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(damaged_metadata),
		MACHINE_TEST(damaged_slice_headers),
		MACHINE_TEST(a_file_that_claims_to_be_larger),
		MACHINE_TEST(lengths_beyond_the_headers),
		MACHINE_TEST(lengths_below_their_copies),
		MACHINE_TEST(a_file_that_is_not_ready),
		MACHINE_TEST(damaged_charges_in_doubt),
		MACHINE_TEST(slices_that_writers_grow),
		MACHINE_TEST(a_hostile_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
