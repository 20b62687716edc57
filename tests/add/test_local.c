// SPDX-License-Identifier: MIT
/*
 * Where updates store. A process on one CPU adds in every way, and the kernel's
 * record of the pages that it wrote (soft-dirty bits) has none on another node:
 * neither of its stack nor of the C library, the sequence's descriptor or the
 * ledger.
 */
#include "support/test.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>

#include <numa.h>
#include <numaif.h>

#include <numatally/ledger.h>
#include <numatally/ledger_inline.h>

/* In the child. */
enum { LOCAL, ELSEWHERE, FAILED, SKIPPED = 77 };

#define PAGE_PRESENT	(UINT64_C(1) << 63)
#define PAGE_SOFT_DIRTY (UINT64_C(1) << 55)

enum { NR_ADDS = 10000 };

/* ---- which pages were written to ------------------------------------------ */

static int forget_writes(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, "4", 1);

	if (fd >= 0)
		close(fd);
	return n == 1 ? 0 : -1;
}

static bool is_written(int pagemap, uintptr_t page, uintptr_t page_bytes)
{
	uint64_t entry = 0;
	off_t at = (off_t)(page / page_bytes * sizeof(entry));

	return pread(pagemap, &entry, sizeof(entry), at) == sizeof(entry) &&
	       (entry & PAGE_PRESENT) && (entry & PAGE_SOFT_DIRTY);
}

static bool records_writes(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile char *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool before, after;

	page[0] = 1;
	if (pagemap < 0 || forget_writes())
		return false;
	before = is_written(pagemap, (uintptr_t)page, bytes);
	page[0] = 2;
	after = is_written(pagemap, (uintptr_t)page, bytes);
	close(pagemap);
	return !before && after;
}

static int node_of(uintptr_t page)
{
	void *pages[1];
	int status = -1;

	memcpy(pages, &page, sizeof(page));
	return numa_move_pages(0, 1, pages, NULL, &status, 0) ? -errno : status;
}

/* Counts the pages that were written, and prints those that are not on node. */
static int look(int node, unsigned int *nr_local, unsigned int *nr_elsewhere)
{
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	if (pagemap < 0 || !maps)
		return -1;
	*nr_local = *nr_elsewhere = 0;
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t start, end;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, mode) != 3 ||
		    mode[1] != 'w')
			continue;
		for (uintptr_t p = start; p < end; p += page_bytes) {
			if (!is_written(pagemap, p, page_bytes))
				continue;
			if (node_of(p) == node) {
				++*nr_local;
				continue;
			}
			++*nr_elsewhere;
			printf("# on node %d, not %d: %#lx of %s", node_of(p),
			       node, (unsigned long)p, line);
		}
	}
	fclose(maps);
	close(pagemap);
	return 0;
}

/* ---- the child ----------------------------------------------------------- */

static int add_inline(struct tally_ledger *l, struct tally_account a)
{
	return tally_ledger_inline_add(l, a, 1, 1);
}

static int add_by_calls(struct tally_ledger *l, struct tally_account a)
{
	const struct tally_amount four[4] = {{4, 1}, {5, 2}, {6, 3}, {7, 4}};
	const struct tally_amount apart[2] = {{0, 1}, {5, 2}};

	return tally_ledger_add(l, a, 1, 1) ||
	       tally_ledger_charge(l, a, TALLY_NODE_LOCAL, four, 2) ||
	       tally_ledger_charge(l, a, TALLY_NODE_LOCAL, four, 4) ||
	       tally_ledger_charge(l, a, TALLY_NODE_LOCAL, apart, 2);
}

static struct tally_ledger *make_ledger(const char *path, bool exclusive,
					struct tally_account *account)
{
	static const char *const names[8] = {"a", "b", "c", "d",
					     "e", "f", "g", "h"};
	struct tally_ledger_options options = {.size = sizeof(options),
					       .exclusive = exclusive};
	struct tally_resource resources[8];
	struct tally_ledger *ledger = NULL;
	struct tally_topo *topo;

	for (int i = 0; i < 8; i++)
		resources[i] = (struct tally_resource){
			.name = names[i], .unit = "", .kind = TALLY_COUNTER};
	if (tally_topo_open(NULL, &topo))
		return NULL;
	if (tally_ledger_create(path, topo, resources, 8, &options, &ledger) ||
	    tally_account_open(tally_ledger_accounts(ledger), "a", account)) {
		tally_ledger_close(ledger);
		ledger = NULL;
	}
	tally_topo_close(topo);
	return ledger;
}

/* Run on one CPU of node from the first instruction. */
static int child(const char *way, int node, const char *path)
{
	bool exclusive = strcmp(way, "shared") != 0;
	int (*add)(struct tally_ledger *, struct tally_account) =
		strcmp(way, "inline") == 0 ? add_inline : add_by_calls;
	struct tally_account account = {0, 0};
	unsigned int nr_local, nr_elsewhere;
	struct tally_ledger *ledger;
	int err = 0;

	if (!records_writes())
		return SKIPPED;
	ledger = make_ledger(path, exclusive, &account);
	if (!ledger)
		return FAILED;
	for (int i = 0; i < 2; i++)
		err |= add(ledger, account);
	if (err || forget_writes())
		return FAILED;
	for (int i = 0; i < NR_ADDS; i++)
		err |= add(ledger, account);
	if (err || look(node, &nr_local, &nr_elsewhere))
		return FAILED;
	printf("# %s: wrote to %u pages of node %d and to %u elsewhere\n", way,
	       nr_local, node, nr_elsewhere);
	fflush(stdout);
	tally_ledger_close(ledger);
	if (!nr_local)
		return FAILED;
	return nr_elsewhere ? ELSEWHERE : LOCAL;
}

/* ---- the tests ------------------------------------------------------------ */

static char dir[] = "/dev/shm/tally-local-XXXXXX";

/* If preferred >= 0, the child's memory is on that node, wherever it runs. */
static int run_child(const char *way, int cpu, int node, int preferred,
		     const char *rseq)
{
	char number[16], path[64];
	int status;
	pid_t pid;

	snprintf(number, sizeof(number), "%d", node);
	snprintf(path, sizeof(path), "%s/ledger", dir);
	unlink(path);
	fflush(stdout);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((unsigned int)cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			_exit(FAILED);
		if (preferred >= 0)
			numa_set_preferred(preferred);
		if (rseq)
			setenv("NUMATALLY_RSEQ", rseq, 1);
		execl("/proc/self/exe", "child", way, number, path, NULL);
		_exit(FAILED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED) {
		print_message("# the kernel does not record writes\n");
		skip();
	}
	return WEXITSTATUS(status);
}

/* The nodes with both CPUs and memory, and one CPU of each. */
static unsigned int find_nodes(int nodes[64], int cpus[64])
{
	struct tally_topo *topo;
	unsigned int nr = 0;

	assert_int_equal(tally_topo_open(NULL, &topo), 0);
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++) {
		const struct tally_node *node = tally_topo_node(topo, i);

		if (!node->nr_cpus || node->memory_bytes <= 0 || nr == 64)
			continue;
		nodes[nr] = node->id;
		cpus[nr++] = node->cpus[node->nr_cpus - 1];
	}
	tally_topo_close(topo);
	return nr;
}

static void on_each_node(const char *way, const char *rseq)
{
	int nodes[64] = {0}, cpus[64] = {0};
	unsigned int nr = find_nodes(nodes, cpus);

	if (numa_available() < 0) {
		print_message("# no NUMA\n");
		skip();
	}
	for (unsigned int i = 0; i < nr; i++)
		assert_int_equal(run_child(way, cpus[i], nodes[i], -1, rseq),
				 LOCAL);
}

static void inlined_adds_store_on_their_node(void **state)
{
	(void)state;
	on_each_node("inline", NULL);
}

static void called_adds_store_on_their_node(void **state)
{
	(void)state;
	on_each_node("called", NULL);
}

static void adds_to_a_shared_ledger_store_on_their_node(void **state)
{
	(void)state;
	on_each_node("shared", NULL);
}

static void adds_without_rseq_store_on_their_node(void **state)
{
	(void)state;
	on_each_node("shared", "0");
	on_each_node("called", "0");
}

/* The test itself must notice a store on another node. */
static void a_store_elsewhere_is_seen(void **state)
{
	int nodes[64] = {0}, cpus[64] = {0};
	unsigned int nr = find_nodes(nodes, cpus);

	(void)state;
	if (numa_available() < 0 || nr < 2) {
		print_message("# one node only\n");
		skip();
	}
	assert_int_equal(run_child("called", cpus[0], nodes[0], nodes[1], NULL),
			 ELSEWHERE);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inlined_adds_store_on_their_node),
		cmocka_unit_test(called_adds_store_on_their_node),
		cmocka_unit_test(adds_to_a_shared_ledger_store_on_their_node),
		cmocka_unit_test(adds_without_rseq_store_on_their_node),
		cmocka_unit_test(a_store_elsewhere_is_seen),
	};

	if (argc == 4)
		return child(argv[1], atoi(argv[2]), argv[3]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
