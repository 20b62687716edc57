// SPDX-License-Identifier: MIT
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/memory/growth.h"
#include "kernel/proc/procfs.h"
#include "base/saturate.h"

#define THP_DIR	     "/sys/kernel/mm/transparent_hugepage"
#define POOL_DIR     "/sys/kernel/mm/hugepages"

#define AROUND_BYTES (64 << 10)
#define PMD_BYTES    (2 << 20)

/* Read a file of one line, or of one number. False: it can't be read. */
static bool read_line(const char *dir, const char *sub, const char *name,
		      char *text, size_t size)
{
	char path[512];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s%s%s", dir, sub, *sub ? "/" : "",
		 name);
	f = fopen(path, "re");
	ok = f && fgets(text, (int)size, f);
	if (f)
		fclose(f);
	return ok;
}

static int64_t read_number(const char *dir, const char *sub, const char *name)
{
	char text[64];
	long long n;

	if (!read_line(dir, sub, name, text, sizeof(text)))
		return 0;
	n = strtoll(text, NULL, 10);
	return n > 0 ? n : 0;
}

/* Call each for every directory hugepages-NkB, with its name and the bytes of a
 * page. */
static void each_size(const char *dir,
		      void (*each)(void *arg, const char *sub, int64_t bytes),
		      void *arg)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;
	static const char prefix[] = "hugepages-";

	while (d && (entry = readdir(d))) {
		const char *digits = entry->d_name + sizeof(prefix) - 1;
		unsigned long kib;
		char *end;

		if (strncmp(entry->d_name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		kib = strtoul(digits, &end, 10);
		if (end != digits && !strcmp(end, "kB") &&
		    kib < INT64_MAX / 1024)
			each(arg, entry->d_name, (int64_t)kib * 1024);
	}
	if (d)
		closedir(d);
}

static int64_t pmd_bytes(void)
{
	int64_t bytes = read_number(THP_DIR, "", "hpage_pmd_size");

	return bytes ? bytes : PMD_BYTES;
}

struct sizes {
	int64_t pmd;
	int64_t most;
};

static bool is_enabled(const char *sub, const char *name)
{
	char text[128];

	return read_line(THP_DIR, sub, name, text, sizeof(text)) &&
	       !strstr(text, "[never]");
}

static void note_anonymous(void *arg, const char *sub, int64_t bytes)
{
	struct sizes *s = arg;

	if (bytes < s->pmd && bytes > s->most && is_enabled(sub, "enabled"))
		s->most = bytes;
}

static void note_shared(void *arg, const char *sub, int64_t bytes)
{
	struct sizes *s = arg;

	if (bytes < s->pmd && bytes > s->most &&
	    is_enabled(sub, "shmem_enabled"))
		s->most = bytes;
}

int64_t growth_anonymous_bytes(void)
{
	struct sizes s = {.pmd = pmd_bytes(), .most = sysconf(_SC_PAGESIZE)};

	each_size(THP_DIR, note_anonymous, &s);
	return s.most;
}

int64_t growth_fault_bytes(void)
{
	struct sizes s = {.pmd = pmd_bytes(), .most = AROUND_BYTES};

	each_size(THP_DIR, note_anonymous, &s);
	each_size(THP_DIR, note_shared, &s);
	return s.most;
}

int64_t growth_huge_page_bytes(void)
{
	return pmd_bytes();
}

int64_t growth_huge_pages(int proc)
{
	static const char *const keys[] = {
		"\nthp_fault_alloc ",
		"\nthp_collapse_alloc ",
		"\nthp_file_mapped ",
	};
	char text[16384];
	int64_t pages = 0;
	size_t len, i;

	if (procfs_read(proc, "vmstat", text, sizeof(text), &len))
		return -1;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *at = strstr(text, keys[i]);

		if (at)
			pages += strtoll(at + strlen(keys[i]), NULL, 10);
	}
	return pages;
}

static void add_pool(void *arg, const char *sub, int64_t bytes)
{
	int64_t *sum = arg, pages;

	pages = read_number(POOL_DIR, sub, "free_hugepages") +
		read_number(POOL_DIR, sub, "nr_overcommit_hugepages") -
		read_number(POOL_DIR, sub, "surplus_hugepages");
	if (pages > 0)
		*sum = saturate_add(*sum, pages < INT64_MAX / bytes
						  ? pages * bytes
						  : INT64_MAX);
}

int64_t growth_pool_bytes(void)
{
	int64_t sum = 0;

	each_size(POOL_DIR, add_pool, &sum);
	return sum;
}
