// SPDX-License-Identifier: MIT
/* hugepages/hugepages-SIZEkB of a node, or of a machine without NUMA. */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/node/internal.h"

#define PREFIX "hugepages-"

/* The most sizes that a hostile tree makes us look at. */
#define MOST 64

static const char *const files[] = {
	[NODE_HUGE_NR] = "nr_hugepages",
	[NODE_HUGE_FREE] = "free_hugepages",
	[NODE_HUGE_SURPLUS] = "surplus_hugepages",
};

static const char *const names[] = {
	[NODE_HUGE_NR] = "nr",
	[NODE_HUGE_FREE] = "free",
	[NODE_HUGE_SURPLUS] = "surplus",
};

/* Return the size in a name such as "hugepages-2048kB", in KiB; 0: another
 * name. */
static int64_t size_of(const char *name)
{
	char again[48];
	int64_t kib;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	kib = strtol(name + strlen(PREFIX), NULL, 10);
	snprintf(again, sizeof(again), PREFIX "%jdkB", (intmax_t)kib);
	return strcmp(again, name) == 0 && kib > 0 && kib < INT64_MAX / 1024
		       ? kib
		       : 0;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* List the sizes in the directory, ascending. Returns how many, or -errno. */
static int list_sizes(const struct tally_node_stats *n, const char *path,
		      int64_t sizes[MOST])
{
	int fd = openat(n->base, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int nr = 0;
	DIR *dir;

	if (fd < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (errno = 0, nr < MOST && (entry = readdir(dir))) {
		sizes[nr] = size_of(entry->d_name);
		nr += sizes[nr] != 0;
	}
	if (errno)
		nr = -errno;
	closedir(dir);
	if (nr < 0)
		return nr;
	qsort(sizes, (size_t)nr, sizeof(*sizes), compare);
	return nr;
}

int node_huge_open(struct tally_node_stats *n, struct node_row *row)
{
	char path[64] = "sys/kernel/mm/hugepages";
	int64_t sizes[MOST] = {0};
	int nr, err = 0;

	if (n->numa)
		snprintf(path, sizeof(path), "node%d/hugepages",
			 row->shown.node);
	nr = list_sizes(n, path, sizes);
	/* Nodes without memory have no such directory. */
	row->huge_err = nr == -ENOENT ? -ENODATA : nr < 0 ? nr : 0;
	if (nr == -ENOMEM)
		return nr;
	if (nr <= 0)
		return 0;
	row->huge = calloc((size_t)nr, sizeof(*row->huge));
	if (!row->huge)
		return -ENOMEM;
	for (int i = 0; i < nr; i++) {
		row->huge[i].kib = sizes[i];
		for (int j = 0; !err && j < NODE_HUGE_FILES; j++)
			err = node_file_init(&row->huge[i].files[j], n->base,
					     "%s/" PREFIX "%jdkB/%s", path,
					     (intmax_t)sizes[i], files[j]);
		row->nr_huge++;
	}
	return err;
}

void node_huge_close(struct tally_node_stats *n, struct node_row *row)
{
	for (unsigned int i = 0; i < row->nr_huge; i++)
		for (int j = 0; j < NODE_HUGE_FILES; j++)
			node_file_free(n, &row->huge[i].files[j]);
	free(row->huge);
	row->huge = NULL;
	row->nr_huge = 0;
}

int node_huge_read(struct tally_node_stats *n, struct node_row *row)
{
	int *err = &row->shown.err[TALLY_SOURCE_HUGEPAGES];

	*err = row->huge_err;
	for (unsigned int i = 0; i < row->nr_huge; i++)
		for (int j = 0; j < NODE_HUGE_FILES; j++) {
			struct node_token token = {0};
			char name[64];
			int figure, e;

			e = node_file_number(n, &row->huge[i].files[j],
					     &token.value);
			if (e) {
				*err = *err ? *err : e;
				continue;
			}
			token.name = name;
			token.len = (size_t)snprintf(
				name, sizeof(name), PREFIX "%jdkB %s",
				(intmax_t)row->huge[i].kib, names[j]);
			figure = node_figure(n, TALLY_SOURCE_HUGEPAGES, &token);
			if (figure == -ENOMEM)
				return figure;
			if (figure < 0)
				*err = *err ? *err : figure;
			else
				row->values[figure] = token.value;
		}
	return 0;
}
