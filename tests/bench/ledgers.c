// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numatally/ledger_inline.h>
#include <numatally/view.h>

#include "bench.h"
#include "ledgers.h"
#include "rseq.h"

#define CPUS_PER_NODE 64u

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_all(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int make_dir(char dir[64])
{
	snprintf(dir, 64, "/dev/shm/tally-bench-XXXXXX");
	if (mkdtemp(dir))
		return 0;
	snprintf(dir, 64, "/tmp/tally-bench-XXXXXX");
	return mkdtemp(dir) ? 0 : -errno;
}

/* A file below dir, and the directories above it. */
static int put(const char *dir, const char *name, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (char *p = path + strlen(dir) + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			if (mkdir(path, 0755) && errno != EEXIST)
				return -errno;
			*p = '/';
		}
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fputs(text, f);
	return fclose(f) ? -errno : 0;
}

#define CPU_DIR	 "sys/devices/system/cpu/"
#define NODE_DIR "sys/devices/system/node/"

static int write_nodes(const char *dir, unsigned int nr_cpus)
{
	unsigned int nr = (nr_cpus + CPUS_PER_NODE - 1) / CPUS_PER_NODE;
	char name[96], text[96];
	int err = 0;

	snprintf(text, sizeof(text), "0-%u\n", nr - 1);
	err = put(dir, NODE_DIR "online", text);
	for (unsigned int n = 0; !err && n < nr; n++) {
		unsigned int first = n * CPUS_PER_NODE;
		unsigned int end = first + CPUS_PER_NODE;

		snprintf(name, sizeof(name), NODE_DIR "node%u/cpulist", n);
		snprintf(text, sizeof(text), "%u-%u\n", first,
			 (end < nr_cpus ? end : nr_cpus) - 1);
		err = put(dir, name, text);
		if (err)
			break;
		snprintf(name, sizeof(name), NODE_DIR "node%u/meminfo", n);
		snprintf(text, sizeof(text), "Node %u MemTotal: 1024 kB\n", n);
		err = put(dir, name, text);
	}
	return err;
}

static int open_made_up(unsigned int nr_cpus, struct tally_topo **topo)
{
	char dir[64], text[32], name[96];
	int err = make_dir(dir);

	if (err)
		return err;
	snprintf(text, sizeof(text), "0-%u\n", nr_cpus - 1);
	err = put(dir, CPU_DIR "online", text);
	if (!err)
		err = put(dir, CPU_DIR "possible", text);
	for (unsigned int i = 0; !err && i < nr_cpus; i++) {
		snprintf(name, sizeof(name), CPU_DIR "cpu%u/online", i);
		err = put(dir, name, "1\n");
	}
	if (!err)
		err = put(dir, "proc/meminfo", "MemTotal: 1024 kB\n");
	if (!err)
		err = write_nodes(dir, nr_cpus);
	if (!err)
		err = tally_topo_open(dir, topo);
	remove_all(dir);
	return err;
}

static int create_over(const struct tally_topo *topo, int alone,
		       struct bench_ledger *b)
{
	struct tally_ledger_options options = {
		.size = sizeof(options),
		.max_accounts = b->nr_accounts,
		.max_key_bytes = 31,
		.exclusive = alone,
	};
	struct tally_resource resources[64];
	char names[64][16];

	for (unsigned int i = 0; i < b->nr_resources; i++) {
		snprintf(names[i], sizeof(names[i]), "r%u", i);
		resources[i] = (struct tally_resource){
			.name = names[i], .unit = "", .kind = TALLY_COUNTER};
	}
	return tally_ledger_create(b->path, topo, resources, b->nr_resources,
				   &options, &b->ledger);
}

static int open_accounts(struct bench_ledger *b)
{
	struct tally_accounts *accounts = tally_ledger_accounts(b->ledger);
	char key[32];
	int err = 0;

	b->accounts = calloc(b->nr_accounts, sizeof(*b->accounts));
	if (!b->accounts)
		return -ENOMEM;
	for (uint32_t i = 0; !err && i < b->nr_accounts; i++) {
		snprintf(key, sizeof(key), "job-%u", i);
		err = tally_account_open(accounts, key, &b->accounts[i]);
		if (!err &&
		    (b->accounts[i].row != i ||
		     b->accounts[i].generation != b->accounts[0].generation))
			err = -EBADMSG;
	}
	return err;
}

static int create(unsigned int nr_lanes, int alone, uint32_t nr_accounts,
		  unsigned int nr_resources, struct bench_ledger *b)
{
	struct tally_topo *topo;
	int err;

	memset(b, 0, sizeof(*b));
	b->nr_accounts = nr_accounts;
	b->nr_resources = nr_resources;
	err = nr_lanes ? open_made_up(nr_lanes, &topo)
		       : tally_topo_open(NULL, &topo);
	if (err)
		return err;
	err = make_dir(b->dir);
	if (!err) {
		snprintf(b->path, sizeof(b->path), "%s/ledger", b->dir);
		err = create_over(topo, alone, b);
	}
	tally_topo_close(topo);
	if (!err)
		err = open_accounts(b);
	if (err)
		bench_ledger_destroy(b);
	return err;
}

int bench_ledger_create(unsigned int nr_lanes, uint32_t nr_accounts,
			unsigned int nr_resources, struct bench_ledger *b)
{
	return create(nr_lanes, 0, nr_accounts, nr_resources, b);
}

int bench_ledger_create_alone(uint32_t nr_accounts, unsigned int nr_resources,
			      struct bench_ledger *b)
{
	int err = create(0, 1, nr_accounts, nr_resources, b);

#ifdef BENCH_HAS_RSEQ
	/* Without a registration, to count instructions, as if on CPU 0. */
	if (!err && bench_options.counting && rseq_ready(true)) {
		struct tally_lanes *lanes = calloc(1, sizeof(*lanes));
		uint64_t bytes = (uint64_t)nr_accounts * 64;

		if (!lanes)
			return -ENOMEM;
		lanes->rows[0] = calloc(1, bytes);
		lanes->end[0] = bytes;
		((struct tally_fast *)b->ledger)->lanes = lanes;
	}
#endif
	return err;
}

void bench_ledger_destroy(struct bench_ledger *b)
{
	tally_ledger_close(b->ledger);
	free(b->accounts);
	if (b->dir[0])
		remove_all(b->dir);
	memset(b, 0, sizeof(*b));
}

static int check_sums(const struct bench_ledger *b, unsigned int nr_lanes)
{
	int64_t amounts[64];
	struct tally_view *view;
	int err = tally_view_open(b->ledger, &view);

	if (err)
		return err;
	err = tally_view_totals(view, TALLY_VIEW_ALL, amounts);
	for (unsigned int i = 0; !err && i < b->nr_resources; i++)
		if (amounts[i] != (int64_t)b->nr_accounts * nr_lanes)
			err = -EBADMSG;
	tally_view_close(view);
	return err;
}

int bench_ledger_fill(const struct bench_ledger *b, unsigned int nr_lanes)
{
	/* Without restartable sequences the CPU's number comes from a call,
	 * which that program replaces. */
	char rseq[] = "NUMATALLY_RSEQ=0";
	char lanes[16], filler[PATH_MAX];
	char *argv[] = {filler, (char *)b->path, lanes, NULL};
	char *envp[] = {rseq, NULL};
	ssize_t n = readlink("/proc/self/exe", filler, sizeof(filler) - 16);
	int status, err;
	char *slash;
	pid_t pid;

	if (n < 0)
		return -errno;
	filler[n] = '\0';
	slash = strrchr(filler, '/');
	if (!slash)
		return -ENOENT;
	snprintf(slash, 16, "/filler");
	snprintf(lanes, sizeof(lanes), "%u", nr_lanes);
	err = posix_spawn(&pid, filler, NULL, NULL, argv, envp);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return -ECHILD;
	return check_sums(b, nr_lanes);
}

int64_t bench_ledger_bytes(const struct bench_ledger *b)
{
	struct stat st;

	if (stat(b->path, &st))
		return -errno;
	return (int64_t)st.st_blocks * 512;
}
