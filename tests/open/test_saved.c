// SPDX-License-Identifier: MIT
/* A saved ledger of which anything has changed is noticed when it is opened. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "file/layout.h"
#include "support/machine.h"

/* Without NUMATALLY_LONG: one byte of so many, each of its bits. */
#define STRIDE 61
#define BLOCK  4096

struct saved {
	char path[128];
	int fd;
	off_t bytes;
};

static int says(const char *path)
{
	struct tally_reader *reader;
	int err = tally_reader_open(path, &reader);

	if (!err)
		tally_reader_close(reader);
	return err;
}

/* Something of everything that is saved. */
static void fill(struct tally_ledger *l)
{
	const struct tally_demand demands[2] = {{0, 1, 5}, {9, 1, 6}};
	const struct tally_request request = {
		.size = sizeof(request), .demands = demands, .nr_demands = 2};
	struct tally_accounts *accounts = tally_ledger_accounts(l);
	struct tally_account a = machine_account(l, "batch/job-1");
	struct tally_account b = machine_account(l, "batch/job-2");
	const struct tally_amount one = {0, 21};
	struct tally_token token;

	assert_int_equal(tally_ledger_charge(l, a, 0, &one, 1), 0);
	assert_int_equal(tally_ledger_charge(l, b, 5, &one, 1), 0);
	assert_int_equal(tally_limit_set_capacity(l, 0, 1, 40), 0);
	assert_int_equal(
		tally_limit_set_quota(l, machine_account(l, "batch/"), 1, 30),
		0);
	assert_int_equal(tally_limit_reserve(l, a, &request, &token, NULL), 0);
	assert_int_equal(tally_account_set_owner(accounts, b, a), 0);
	assert_int_equal(tally_account_pin(accounts, b, 3), 0);
}

static void make(struct machine *m, struct saved *s)
{
	struct tally_ledger *l;
	struct tally_view *view;
	struct stat st;

	machine_few_cpus(m);
	l = machine_limit_ledger(m, 64);
	fill(l);
	snprintf(s->path, sizeof(s->path), "%s/saved", m->dir);
	assert_int_equal(tally_view_open(l, &view), 0);
	assert_int_equal(tally_reader_save(view, s->path, 0600), 0);
	tally_view_close(view);
	tally_ledger_close(l);
	s->fd = open(s->path, O_RDWR);
	assert_true(s->fd >= 0);
	assert_int_equal(fstat(s->fd, &st), 0);
	s->bytes = st.st_size;
	assert_int_equal(says(s->path), 0);
}

static void end(struct saved *s)
{
	assert_int_equal(says(s->path), 0);
	close(s->fd);
}

static unsigned char peek(const struct saved *s, off_t at)
{
	unsigned char byte;

	assert_int_equal(pread(s->fd, &byte, 1, at), 1);
	return byte;
}

static void poke(const struct saved *s, off_t at, unsigned char byte)
{
	assert_int_equal(pwrite(s->fd, &byte, 1, at), 1);
}

static void flip_bits(const struct saved *s, off_t at)
{
	unsigned char byte = peek(s, at);

	for (int bit = 0; bit < 8; bit++) {
		poke(s, at, (unsigned char)(byte ^ 1 << bit));
		if (says(s->path) != -EBADMSG)
			fail_msg("byte %ld, bit %d: %d", (long)at, bit,
				 says(s->path));
	}
	poke(s, at, byte);
}

/* Those of the header, of the last words and of every byte in so many. */
static void every_bit(void **state)
{
	off_t stride = test_is_long() ? 1 : STRIDE, at = 0, end_of_data;
	struct saved s = {.fd = -1};
	long nr = 0;

	make(*state, &s);
	for (; at < (off_t)sizeof(struct layout_header); at++)
		flip_bits(&s, at);
	while ((at = lseek(s.fd, at, SEEK_DATA)) >= 0) {
		end_of_data = lseek(s.fd, at, SEEK_HOLE);
		for (; at < end_of_data; at += stride, nr++)
			flip_bits(&s, at);
	}
	for (at = s.bytes - 2 * (off_t)LAYOUT_SUM_BYTES; at < s.bytes; at++)
		flip_bits(&s, at);
	print_message("# %ld bytes\n", nr);
	assert_true(nr > 100);
	end(&s);
}

/* Which is data then. */
static void a_bit_in_a_hole(void **state)
{
	struct saved s = {.fd = -1};
	off_t at = 0;
	int nr = 0;

	make(*state, &s);
	while ((at = lseek(s.fd, at, SEEK_HOLE)) >= 0 && at < s.bytes) {
		flip_bits(&s, at + 77);
		nr++;
		at = lseek(s.fd, at + BLOCK, SEEK_DATA);
		assert_true(at >= 0); /* the end is no hole */
	}
	assert_true(nr > 3);
	end(&s);
}

static void another_size(void **state)
{
	const off_t lost[] = {1, 8, 16, BLOCK, 10 * BLOCK};
	struct saved s = {.fd = -1};
	char *last = malloc(10 * BLOCK);

	make(*state, &s);
	assert_non_null(last);
	for (int i = 0; i < 5; i++) {
		off_t at = s.bytes - lost[i];

		assert_int_equal(pread(s.fd, last, (size_t)lost[i], at),
				 lost[i]);
		assert_int_equal(ftruncate(s.fd, at), 0);
		assert_int_equal(says(s.path), -EBADMSG);
		assert_int_equal(ftruncate(s.fd, s.bytes), 0);
		assert_int_equal(says(s.path), -EBADMSG);
		assert_int_equal(ftruncate(s.fd, s.bytes + lost[i]), 0);
		assert_int_equal(says(s.path), -EBADMSG);
		assert_int_equal(ftruncate(s.fd, s.bytes), 0);
		assert_int_equal(pwrite(s.fd, last, (size_t)lost[i], at),
				 lost[i]);
		assert_int_equal(says(s.path), 0);
		assert_int_equal(ftruncate(s.fd, s.bytes + lost[i]), 0);
		assert_int_equal(says(s.path), -EBADMSG);
		assert_int_equal(ftruncate(s.fd, s.bytes), 0);
	}
	free(last);
	end(&s);
}

/* What a disk may do: blocks that are lost, or elsewhere. */
static void whole_blocks(void **state)
{
	static char first[BLOCK], second[BLOCK], zeros[BLOCK];
	struct saved s = {.fd = -1};
	off_t at = 0, last = -1;

	make(*state, &s);
	for (; at < s.bytes; at += BLOCK) {
		assert_int_equal(pread(s.fd, second, BLOCK, at), BLOCK);
		if (!memcmp(second, zeros, BLOCK))
			continue;
		assert_int_equal(pwrite(s.fd, zeros, BLOCK, at), BLOCK);
		assert_int_equal(says(s.path), -EBADMSG);
		if (last >= 0 && memcmp(first, second, BLOCK) != 0) {
			assert_int_equal(pwrite(s.fd, first, BLOCK, at), BLOCK);
			assert_int_equal(pwrite(s.fd, second, BLOCK, last),
					 BLOCK);
			assert_int_equal(says(s.path), -EBADMSG);
			assert_int_equal(pwrite(s.fd, first, BLOCK, last),
					 BLOCK);
		}
		assert_int_equal(pwrite(s.fd, second, BLOCK, at), BLOCK);
		memcpy(first, second, BLOCK);
		last = at;
	}
	end(&s);
}

/* A copy has other holes, or none. */
static void zeros_instead_of_holes(void **state)
{
	static const char zeros[BLOCK];
	struct saved s = {.fd = -1};
	struct stat st;

	make(*state, &s);
	for (off_t at = 0; at < s.bytes; at += BLOCK)
		if (lseek(s.fd, at, SEEK_DATA) >= at + BLOCK)
			assert_int_equal(pwrite(s.fd, zeros, BLOCK, at), BLOCK);
	assert_int_equal(fstat(s.fd, &st), 0);
	assert_true(st.st_blocks * 512 >= s.bytes);
	end(&s);
}

/* As on another machine, or later: it stays as it is. */
static void no_process_writes_to_it(void **state)
{
	const struct tally_ledger_options options = {.size = sizeof(options),
						     .max_accounts = 64};
	struct tally_reader_info info = {.size = sizeof(info)};
	struct machine *m = *state;
	struct tally_reader *reader;
	struct tally_ledger *l;
	struct saved s = {.fd = -1};
	int why;

	make(m, &s);
	assert_int_equal(tally_ledger_open(s.path, &l), -EROFS);
	assert_int_equal(tally_ledger_open_or_create(s.path, m->topo,
						     machine_reservables, 2,
						     &options, &l, &why),
			 -EROFS);
	assert_int_equal(tally_reader_open(s.path, &reader), 0);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	assert_int_equal(info.saved, 1);
	tally_reader_close(reader);
	assert_int_equal(tally_reader_open(m->path, &reader), 0);
	assert_int_equal(tally_reader_describe(reader, &info), 0);
	assert_int_equal(info.saved, 0);
	tally_reader_close(reader);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(every_bit),
		MACHINE_TEST(a_bit_in_a_hole),
		MACHINE_TEST(another_size),
		MACHINE_TEST(whole_blocks),
		MACHINE_TEST(zeros_instead_of_holes),
		MACHINE_TEST(no_process_writes_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
