// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <ftw.h>
#include <sys/stat.h>

#include <numatally/view.h>

#include "file/layout.h"
#include "support/machine.h"
#include "support/values.h"

const int machine_nodes[3] = {0, 5, 9};

const struct tally_resource machine_resources[2] = {
	{.name = "events", .unit = "", .kind = TALLY_COUNTER},
	{.name = "memory", .unit = "bytes", .kind = TALLY_GAUGE},
};

const struct tally_resource machine_reservables[2] = {
	{.name = "events", .unit = "", .kind = TALLY_COUNTER},
	{.name = "memory", .unit = "bytes", .kind = TALLY_RESERVABLE},
};

static const struct {
	const char *path;
	const char *text; /* NULL: a directory */
} tree[] = {
	{"root", NULL},
	{"root/proc", NULL},
	{"root/proc/meminfo", "MemTotal: 3072 kB\n"},
	{"root/sys", NULL},
	{"root/sys/devices", NULL},
	{"root/sys/devices/system", NULL},
	{"root/sys/devices/system/cpu", NULL},
	{"root/sys/devices/system/cpu/online", "0-1\n"},
	{"root/sys/devices/system/cpu/possible", "0-255\n"},
	{"root/sys/devices/system/cpu/cpu0", NULL},
	{"root/sys/devices/system/cpu/cpu1", NULL},
	{"root/sys/devices/system/node", NULL},
	{"root/sys/devices/system/node/online", "0,5,9\n"},
	{"root/sys/devices/system/node/node0", NULL},
	{"root/sys/devices/system/node/node0/cpulist", "0\n"},
	{"root/sys/devices/system/node/node0/distance", "10 20 30\n"},
	{"root/sys/devices/system/node/node0/meminfo",
	 "Node 0 MemTotal: 1024 kB\n"},
	{"root/sys/devices/system/node/node5", NULL},
	{"root/sys/devices/system/node/node5/cpulist", "1\n"},
	{"root/sys/devices/system/node/node5/distance", "20 10 30\n"},
	{"root/sys/devices/system/node/node5/meminfo",
	 "Node 5 MemTotal: 1024 kB\n"},
	{"root/sys/devices/system/node/node9", NULL},
	{"root/sys/devices/system/node/node9/cpulist", "\n"},
	{"root/sys/devices/system/node/node9/distance", "30 30 10\n"},
	{"root/sys/devices/system/node/node9/meminfo",
	 "Node 9 MemTotal: 1024 kB\n"},
};

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void write_tree(const char *dir)
{
	char path[192];

	for (size_t i = 0; i < sizeof(tree) / sizeof(tree[0]); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", dir, tree[i].path);
		if (!tree[i].text) {
			assert_int_equal(mkdir(path, 0755), 0);
			continue;
		}
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(tree[i].text, f);
		fclose(f);
	}
}

int machine_setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	const char *below = getenv("NUMATALLY_TEST_DIR");
	char root[96];

	assert_non_null(m);
	snprintf(m->dir, sizeof(m->dir), "%s/tally-test-XXXXXX",
		 below ? below : "/dev/shm");
	if (!mkdtemp(m->dir)) {
		strcpy(m->dir, "/tmp/tally-test-XXXXXX");
		assert_non_null(mkdtemp(m->dir));
	}
	snprintf(m->path, sizeof(m->path), "%s/ledger", m->dir);
	write_tree(m->dir);
	snprintf(root, sizeof(root), "%s/root", m->dir);
	assert_int_equal(tally_topo_open(root, &m->topo), 0);
	*state = m;
	return 0;
}

static void write_file(const struct machine *m, const char *name,
		       const char *text)
{
	char path[192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/root/sys/devices/system/%s", m->dir,
		 name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

void machine_few_cpus(struct machine *m)
{
	char path[192];

	write_file(m, "cpu/possible", "0-3\n");
	snprintf(path, sizeof(path), "%s/root", m->dir);
	tally_topo_close(m->topo);
	assert_int_equal(tally_topo_open(path, &m->topo), 0);
}

void machine_eight_nodes(struct machine *m)
{
	char path[192], text[64];

	write_file(m, "node/online", "0-7\n");
	for (int n = 0; n < 8; n++) {
		snprintf(path, sizeof(path),
			 "%s/root/sys/devices/system/node/node%d", m->dir, n);
		mkdir(path, 0755);
		snprintf(path, sizeof(path), "node/node%d/cpulist", n);
		if (n < 2)
			snprintf(text, sizeof(text), "%d\n", n);
		else
			strcpy(text, "\n");
		write_file(m, path, text);
		snprintf(path, sizeof(path), "node/node%d/distance", n);
		strcpy(text, "20 20 20 20 20 20 20 20\n");
		text[3 * n] = '1';
		write_file(m, path, text);
		snprintf(path, sizeof(path), "node/node%d/meminfo", n);
		snprintf(text, sizeof(text), "Node %d MemTotal: 1024 kB\n", n);
		write_file(m, path, text);
	}
	snprintf(path, sizeof(path), "%s/root/sys/devices/system/node/node9",
		 m->dir);
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	snprintf(path, sizeof(path), "%s/root", m->dir);
	tally_topo_close(m->topo);
	assert_int_equal(tally_topo_open(path, &m->topo), 0);
}

int machine_teardown(void **state)
{
	struct machine *m = *state;

	tally_topo_close(m->topo);
	nftw(m->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(m);
	return 0;
}

static struct tally_ledger *make_ledger(struct machine *m,
					const struct tally_resource *resources,
					uint32_t max_accounts)
{
	const struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = max_accounts,
	};
	struct tally_ledger *ledger = NULL;

	assert_int_equal(tally_ledger_create(m->path, m->topo, resources, 2,
					     &options, &ledger),
			 0);
	return ledger;
}

struct tally_ledger *machine_ledger(struct machine *m, uint32_t max_accounts)
{
	return make_ledger(m, machine_resources, max_accounts);
}

struct tally_ledger *machine_limit_ledger(struct machine *m,
					  uint32_t max_accounts)
{
	return make_ledger(m, machine_reservables, max_accounts);
}

struct tally_account machine_account(struct tally_ledger *ledger,
				     const char *key)
{
	struct tally_account account = {0, 0};

	assert_int_equal(tally_account_open(tally_ledger_accounts(ledger), key,
					    &account),
			 0);
	return account;
}

int64_t machine_total(struct tally_ledger *ledger, unsigned int resource)
{
	int64_t amounts[LAYOUT_MAX_COLUMNS];
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_view_totals(view, TALLY_VIEW_ALL, amounts), 0);
	tally_view_close(view);
	return amounts[resource];
}

int64_t machine_amount(struct tally_ledger *ledger,
		       struct tally_account account, int node,
		       unsigned int resource)
{
	struct tally_view *view;
	int64_t amounts[LAYOUT_MAX_COLUMNS];

	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(tally_view_account(view, account, node, amounts), 0);
	tally_view_close(view);
	return amounts[resource];
}

void machine_is_empty(struct tally_ledger *ledger)
{
	struct tally_view *view;

	assert_int_equal(tally_view_open(ledger, &view), 0);
	assert_int_equal(values_count(view), 0);
	tally_view_close(view);
}

void machine_reclaim(struct tally_ledger *ledger)
{
	for (int i = 0; i < 4; i++) {
		struct tally_view *view;
		int err = tally_view_snapshot(ledger, 0, SECOND_NS, &view);

		if (err == -ENOSYS)
			skip();
		assert_int_equal(err, 0);
		tally_view_close(view);
	}
}
