// SPDX-License-Identifier: MIT

#include "support/test.h"

#include <numatally/kernel_memory.h>

#define MAX_LINES 64

/* A copy of a mapping. */
struct line {
	struct tally_mapping m;
	char path[600];
	struct tally_node_pages nodes[128];
};

struct lines {
	unsigned int nr;
	struct line l[MAX_LINES];
	uint64_t malformed;
};

static struct lines seen, again;

static void keep(struct lines *s, const struct tally_mapping *m)
{
	struct line *l = &s->l[s->nr];

	assert_true(s->nr < MAX_LINES);
	memset(l, 0, sizeof(*l));
	l->m = *m;
	l->m.path = NULL;
	l->m.nodes = NULL;
	assert_true(m->nr_nodes <= 128);
	memcpy(l->nodes, m->nodes, m->nr_nodes * sizeof(*m->nodes));
	snprintf(l->path, sizeof(l->path), "%s", m->path ? m->path : "(none)");
	s->nr++;
}

static void parse(struct lines *s, const char *text, size_t len, size_t piece)
{
	const struct tally_mapping *m;
	struct tally_numa_maps *p;
	const char *end = text + len, *stop;

	memset(s, 0, sizeof(*s));
	assert_int_equal(tally_kernel_numa_maps_create(&p), 0);
	while (text < end) {
		stop = (size_t)(end - text) < piece ? end : text + piece;
		while ((m = tally_kernel_numa_maps_next(p, &text, stop)))
			keep(s, m);
		assert_ptr_equal(text, stop);
	}
	s->malformed = tally_kernel_numa_maps_finish(p);
	tally_kernel_numa_maps_destroy(p);
}

static const char real[] =
	"55f4e1c26000 default file=/usr/bin/cat mapped=2 N0=2 "
	"kernelpagesize_kB=4\n"
	"55f4e1c30000 bind:0-1 file=/usr/bin/cat anon=1 dirty=1 active=0 "
	"mapped=3 N0=2 N1=1 kernelpagesize_kB=4\n"
	"55f4e5b42000 prefer:0 heap anon=4 dirty=4 active=0 N0=4 "
	"kernelpagesize_kB=4\n"
	"7f6385afb000 interleave=static:0-3,7 "
	"file=/usr/lib/locale/C.utf8/LC_CTYPE mapped=32 mapmax=11 N0=32 "
	"kernelpagesize_kB=4\n"
	"7f6385d4b000 default\n"
	"7f6386000000 prefer (many):0,2 file=/memfd:a\\040b\\040(deleted) "
	"dirty=5 N2=5 kernelpagesize_kB=4\n"
	"7f6387000000 weighted interleave:0-1 "
	"file=/dev/zero\\040(deleted) dirty=6 N33=6 kernelpagesize_kB=4\n"
	"7f6388000000 local file=/SYSV00000000\\040(deleted) dirty=1 N1=1 "
	"kernelpagesize_kB=4\n"
	"7f6389000000 bind=relative|balancing:1 file=/dev/shm/x dirty=1 N1=1 "
	"kernelpagesize_kB=4\n"
	"7f638a000000 default file=/anon_hugepage\\040(deleted) huge anon=3 "
	"dirty=3 N0=1 N1=2 kernelpagesize_kB=2048\n"
	"7fff14e4e000 default stack anon=4 dirty=4 active=1 N0=4 "
	"kernelpagesize_kB=4\n"
	"7fff20000000 default anon=512 dirty=512 swapcache=1 writeback=2 N0=512 "
	"kernelpagesize_kB=64\n";

static void reads_what_the_kernel_writes(void **state)
{
	static const struct {
		uint64_t start;
		enum tally_mem_kind kind;
		uint64_t page_bytes, nr_pages, nr_anonymous, nr_mappers;
		const char *path;
	} want[] = {
		{0x55f4e1c26000, TALLY_MEM_FILE, 4096, 2, 0, 1, "/usr/bin/cat"},
		{0x55f4e1c30000, TALLY_MEM_FILE, 4096, 3, 1, 1, "/usr/bin/cat"},
		{0x55f4e5b42000, TALLY_MEM_ANONYMOUS, 4096, 4, 4, 1, "(none)"},
		{0x7f6385afb000, TALLY_MEM_FILE, 4096, 32, 0, 11,
		 "/usr/lib/locale/C.utf8/LC_CTYPE"},
		{0x7f6385d4b000, TALLY_MEM_ANONYMOUS, 0, 0, 0, 1, "(none)"},
		{0x7f6386000000, TALLY_MEM_SHARED, 4096, 5, 0, 1,
		 "/memfd:a b (deleted)"},
		{0x7f6387000000, TALLY_MEM_SHARED, 4096, 6, 0, 1,
		 "/dev/zero (deleted)"},
		{0x7f6388000000, TALLY_MEM_SHARED, 4096, 1, 0, 1,
		 "/SYSV00000000 (deleted)"},
		{0x7f6389000000, TALLY_MEM_SHARED, 4096, 1, 0, 1, "/dev/shm/x"},
		{0x7f638a000000, TALLY_MEM_HUGE, 2 << 20, 3, 3, 1,
		 "/anon_hugepage (deleted)"},
		{0x7fff14e4e000, TALLY_MEM_ANONYMOUS, 4096, 4, 4, 1, "(none)"},
		{0x7fff20000000, TALLY_MEM_ANONYMOUS, 65536, 512, 512, 1,
		 "(none)"},
	};
	unsigned int i;

	(void)state;
	parse(&seen, real, strlen(real), SIZE_MAX);
	assert_int_equal(seen.malformed, 0);
	assert_int_equal(seen.nr, sizeof(want) / sizeof(*want));
	for (i = 0; i < seen.nr; i++) {
		const struct tally_mapping *m = &seen.l[i].m;

		assert_int_equal(m->start, want[i].start);
		assert_int_equal(m->kind, want[i].kind);
		if (want[i].nr_pages)
			assert_int_equal(m->page_bytes, want[i].page_bytes);
		assert_int_equal(m->nr_pages, want[i].nr_pages);
		assert_int_equal(m->nr_anonymous, want[i].nr_anonymous);
		assert_int_equal(m->nr_mappers, want[i].nr_mappers);
		assert_string_equal(seen.l[i].path, want[i].path);
	}
	assert_int_equal(seen.l[1].m.nr_nodes, 2);
	assert_int_equal(seen.l[1].nodes[0].node, 0);
	assert_int_equal(seen.l[1].nodes[0].nr_pages, 2);
	assert_int_equal(seen.l[1].nodes[1].node, 1);
	assert_int_equal(seen.l[1].nodes[1].nr_pages, 1);
	assert_int_equal(seen.l[6].nodes[0].node, 33);
	for (i = 0; i < seen.nr; i++) {
		assert_int_equal(seen.l[i].m.heap, i == 2);
		assert_int_equal(seen.l[i].m.stack, i == 10);
	}
}

/* Before Linux 4.5 a thread's stack carries the thread's number. */
static void heaps_and_stacks(void **state)
{
	const char *text = "7f00 default stack:4711 anon=1 N0=1\n"
			   "7f00 heap file=/heap N0=1\n"
			   "7f00 stack file=/stack N0=1 stacks heaps\n"
			   "7f00 default stack N0=1\n"
			   "7f00 default heap N0=1\n";

	(void)state;
	parse(&seen, text, strlen(text), SIZE_MAX);
	assert_int_equal(seen.malformed, 0);
	assert_int_equal(seen.nr, 5);
	for (unsigned int i = 0; i < seen.nr; i++) {
		assert_int_equal(seen.l[i].m.stack, i == 0 || i == 3);
		assert_int_equal(seen.l[i].m.heap, i == 4);
	}
}

static void pieces_of_any_size(void **state)
{
	size_t piece;

	(void)state;
	parse(&seen, real, strlen(real), SIZE_MAX);
	for (piece = 1; piece < 200; piece++) {
		parse(&again, real, strlen(real), piece);
		assert_memory_equal(&seen, &again, sizeof(seen));
	}
}

/* Whole lines are returned; a last line that is cut is not. */
static void cut_anywhere(void **state)
{
	size_t len;

	(void)state;
	for (len = 0; len < strlen(real); len++) {
		char *copy = malloc(len + 1);
		unsigned int i, lines = 0;
		bool whole = !len || real[len - 1] == '\n';

		for (i = 0; i < len; i++)
			lines += real[i] == '\n';
		memcpy(copy, real, len);
		parse(&seen, copy, len, SIZE_MAX);
		free(copy);
		assert_int_equal(seen.nr, lines);
		assert_int_equal(seen.malformed, !whole);
	}
}

static void many_nodes(void **state)
{
	char text[4096];
	int n = sprintf(text, "7f0000000000 interleave:");
	unsigned int i;

	(void)state;
	for (i = 0; i < 250; i++)
		n += sprintf(text + n, "%u,", 2 * i);
	n += sprintf(text + n, " anon=%d dirty=1", 72 * 73 / 2);
	for (i = 0; i < 72; i++)
		n += sprintf(text + n, " N%u=%u", 7 * i, i + 1);
	n += sprintf(text + n, " kernelpagesize_kB=4\n");
	parse(&seen, text, (size_t)n, 100);
	assert_int_equal(seen.malformed, 0);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(seen.l[0].m.nr_nodes, 72);
	assert_int_equal(seen.l[0].m.nr_pages, 72 * 73 / 2);
	for (i = 0; i < 72; i++) {
		assert_int_equal(seen.l[0].nodes[i].node, 7 * i);
		assert_int_equal(seen.l[0].nodes[i].nr_pages, i + 1);
	}
}

static void long_path(void **state)
{
	size_t len = 100000;
	char *text = malloc(len + 200);
	int n = sprintf(text, "7f0000000000 default file=/dev/shm/");

	(void)state;
	memset(text + n, 'x', len);
	strcpy(text + n + len, " dirty=2 N1=2 kernelpagesize_kB=4\n");
	parse(&seen, text, strlen(text), 4096);
	free(text);
	assert_int_equal(seen.malformed, 0);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(seen.l[0].m.kind, TALLY_MEM_SHARED);
	assert_int_equal(seen.l[0].m.nr_pages, 2);
	assert_int_equal(strncmp(seen.l[0].path, "/dev/shm/xxx", 12), 0);
}

static void nonsense_costs_its_own_line(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"7f00",
		"nonsense",
		"-1 default N0=1",
		"7f00000000000000000 default N0=1",
		"7f00 default N0=",
		"7f00 default N0=-1",
		"7f00 default N0=1x",
		"7f00 default N0",
		"7f00 default N0x=1",
		"7f00 default N4096=1",
		"7f00 default N99999999999999999999=1",
		"7f00 default N0=99999999999999999999",
		"7f00 default N0=18446744073709551615 N1=1",
		"7f00 default N0=9223372036854775807 kernelpagesize_kB=4",
		"7f00 default N0=1 kernelpagesize_kB=18446744073709551615",
		"7f00 default anon=2 N0=1 kernelpagesize_kB=4",
		"7f00 default anon= N0=1",
		"7f00 default mapmax=many N0=1",
	};
	static const char with_nul[] = "7f00 de\0ault N0=1\n";
	const char *good = "7f00 default anon=1 N0=1 kernelpagesize_kB=4\n";
	char text[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text), "%s%s\n%s", good, bad[i], good);
		parse(&seen, text, strlen(text), SIZE_MAX);
		if (seen.nr != 2 || seen.malformed != 1)
			fail_msg("'%s'", bad[i]);
	}
	parse(&seen, with_nul, sizeof(with_nul) - 1, SIZE_MAX);
	assert_int_equal(seen.nr, 0);
	assert_int_equal(seen.malformed, 1);
}

/* Words that resemble known ones, and unknown ones. */
static void unknown_words(void **state)
{
	const char *text =
		"7f00 N5=7 file=/a N0=1 Nice=x N=3 hugely anonymous=9 "
		"new=1 = kernelpagesize_kB=4\n";

	(void)state;
	parse(&seen, text, strlen(text), SIZE_MAX);
	assert_int_equal(seen.malformed, 0);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(seen.l[0].m.kind, TALLY_MEM_FILE);
	assert_int_equal(seen.l[0].m.nr_pages, 1);
	assert_int_equal(seen.l[0].m.nr_nodes, 1);
}

static uint64_t feed(struct tally_numa_maps *p, const char *text, size_t len)
{
	const char *end = text + len;
	const struct tally_mapping *m;
	uint64_t pages = 0;

	while ((m = tally_kernel_numa_maps_next(p, &text, end)))
		pages += m->nr_pages;
	return pages;
}

/* Real lines, damaged at random: any result is right that is no crash. */
static void damaged(void **state)
{
	struct tally_numa_maps *p;
	static const char bytes[] = "\n =N0123456789\\af\0\xff\x80";
	char text[sizeof(real)];
	unsigned int round, i;
	uint64_t pages = 0;

	(void)state;
	srandom(1);
	assert_int_equal(tally_kernel_numa_maps_create(&p), 0);
	for (round = 0; round < 3000; round++) {
		memcpy(text, real, sizeof(real));
		for (i = 0; i < 1 + round % 20; i++)
			text[(size_t)random() % sizeof(real)] =
				bytes[(size_t)random() % (sizeof(bytes) - 1)];
		pages += feed(p, text, sizeof(text));
		if (random() % 2)
			tally_kernel_numa_maps_finish(p);
	}
	tally_kernel_numa_maps_finish(p);
	tally_kernel_numa_maps_destroy(p);
	assert_true(pages > 0);
}

static void usable_again(void **state)
{
	struct tally_numa_maps *p;

	(void)state;
	assert_int_equal(tally_kernel_numa_maps_create(&p), 0);
	assert_int_equal(tally_kernel_numa_maps_finish(p), 0);
	assert_int_equal(feed(p, "7f00 default N0=", 16), 0);
	assert_int_equal(tally_kernel_numa_maps_finish(p), 1);
	assert_int_equal(feed(p, "7f00 default N0=3\n", 18), 3);
	assert_int_equal(tally_kernel_numa_maps_finish(p), 0);
	tally_kernel_numa_maps_destroy(p);
	tally_kernel_numa_maps_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_kernel_writes),
		cmocka_unit_test(heaps_and_stacks),
		cmocka_unit_test(pieces_of_any_size),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(many_nodes),
		cmocka_unit_test(long_path),
		cmocka_unit_test(nonsense_costs_its_own_line),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(damaged),
		cmocka_unit_test(usable_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
