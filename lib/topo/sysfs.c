// SPDX-License-Identifier: MIT
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "topo/sysfs.h"
#include "base/regular.h"

/* SLIT entries are 255 at most. */
#define DISTANCE_MAX 65535

#define GPU_DIR	     "proc/driver/nvidia/gpus"

int topo_set_next(const struct topo_set *set, int id)
{
	int word = id / 64;
	uint64_t bits;

	if (id >= TOPO_IDS)
		return -1;
	bits = set->words[word] & ~(uint64_t)0 << (id % 64);
	while (!bits) {
		if (++word == TOPO_IDS / 64)
			return -1;
		bits = set->words[word];
	}
	return word * 64 + __builtin_ctzll(bits);
}

unsigned int topo_set_count(const struct topo_set *set)
{
	unsigned int count = 0;

	for (size_t i = 0; i < TOPO_IDS / 64; i++)
		count += (unsigned int)__builtin_popcountll(set->words[i]);
	return count;
}

int topo_tree_open(const char *root, struct topo_tree **tree)
{
	struct topo_tree *t = malloc(sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->fd = open(root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0) {
		err = -errno;
		free(t);
		return err;
	}
	*tree = t;
	return 0;
}

void topo_tree_close(struct topo_tree *tree)
{
	if (!tree)
		return;
	close(tree->fd);
	free(tree);
}

__attribute__((format(printf, 2, 0))) static int
format(char name[PATH_MAX], const char *path, va_list args)
{
	int n = vsnprintf(name, PATH_MAX, path, args);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int read_all(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(fd, text + len, size - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += (size_t)n;
		if (len == size)
			return -EBADMSG;
	} while (n != 0);
	text[len] = '\0';
	return strlen(text) == regular_length(text, len) ? 0 : -EBADMSG;
}

__attribute__((format(printf, 2, 0))) static int
vread(struct topo_tree *tree, const char *path, va_list args)
{
	char name[PATH_MAX];
	int err = format(name, path, args);
	int fd;

	if (err)
		return err;
	fd = regular_openat(tree->fd, name);
	if (fd < 0)
		return fd;
	err = read_all(fd, tree->text, sizeof(tree->text));
	close(fd);
	return err;
}

int topo_read(struct topo_tree *tree, const char *path, ...)
{
	va_list args;
	int err;

	va_start(args, path);
	err = vread(tree, path, args);
	va_end(args);
	return err;
}

/* Parse a decimal number of at most max, digits only, and move *text behind
 * it. */
static int parse_number(const char **text, uint64_t max, uint64_t *number)
{
	const char *p = *text;
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return -EBADMSG;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (n > (max - digit) / 10)
			return -EBADMSG;
		n = n * 10 + digit;
	}
	*text = p;
	*number = n;
	return 0;
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\n");
}

int topo_parse_list(const char *text, struct topo_set *set)
{
	const char *p = skip_space(text);
	uint64_t first, last;

	memset(set, 0, sizeof(*set));
	if (!*p)
		return p == text ? -EBADMSG : 0;
	for (;;) {
		if (parse_number(&p, TOPO_IDS - 1, &first))
			return -EBADMSG;
		last = first;
		if (*p == '-') {
			p++;
			if (parse_number(&p, TOPO_IDS - 1, &last) ||
			    last < first)
				return -EBADMSG;
		}
		for (; first <= last; first++)
			topo_set_add(set, (int)first);
		if (*p != ',')
			break;
		p++;
	}
	return *skip_space(p) ? -EBADMSG : 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Groups of 32 bits, the lowest last. All but the first have 8 digits. */
static int parse_mask(const char *text, struct topo_set *set)
{
	size_t len = strlen(text);
	size_t nr_digits = 0, in_group = 0;

	memset(set, 0, sizeof(*set));
	while (len && strchr(" \t\n", text[len - 1]))
		len--;
	for (; len; len--) {
		int digit = hex_digit(text[len - 1]);

		if (text[len - 1] == ',' && in_group == 8) {
			in_group = 0;
			continue;
		}
		if (digit < 0 || in_group == 8)
			return -EBADMSG;
		if (digit && nr_digits >= TOPO_IDS / 4)
			return -EBADMSG;
		if (digit)
			set->words[nr_digits / 16] |= (uint64_t)digit
						      << nr_digits % 16 * 4;
		nr_digits++;
		in_group++;
	}
	return nr_digits && in_group ? 0 : -EBADMSG;
}

int topo_read_list(struct topo_tree *tree, struct topo_set *set,
		   const char *path, ...)
{
	va_list args;
	int err;

	va_start(args, path);
	err = vread(tree, path, args);
	va_end(args);
	return err ? err : topo_parse_list(tree->text, set);
}

int topo_read_mask(struct topo_tree *tree, struct topo_set *set,
		   const char *path, ...)
{
	va_list args;
	int err;

	va_start(args, path);
	err = vread(tree, path, args);
	va_end(args);
	return err ? err : parse_mask(tree->text, set);
}

int topo_read_cpus(struct topo_tree *tree, struct topo_set *set, int node)
{
	int err = topo_read_list(tree, set, TOPO_NODE_DIR "/node%d/cpulist",
				 node);
	int mask;

	if (!err || topo_fatal(err))
		return err;
	mask = topo_read_mask(tree, set, TOPO_NODE_DIR "/node%d/cpumap", node);
	return mask == -ENOENT ? err : mask;
}

static int open_directory(const struct topo_tree *tree, const char *name,
			  DIR **dir)
{
	int fd = openat(tree->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	*dir = fd < 0 ? NULL : fdopendir(fd);
	if (*dir)
		return 0;
	err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

int topo_read_names(struct topo_tree *tree, struct topo_set *set,
		    const char *prefix, const char *path, ...)
{
	size_t len = strlen(prefix);
	char name[PATH_MAX];
	struct dirent *entry;
	uint64_t id;
	va_list args;
	DIR *dir = NULL;
	int err;

	memset(set, 0, sizeof(*set));
	va_start(args, path);
	err = format(name, path, args);
	va_end(args);
	if (!err)
		err = open_directory(tree, name, &dir);
	if (err || !dir)
		return err;
	while (errno = 0, (entry = readdir(dir))) {
		const char *number = entry->d_name + len;

		if (strncmp(entry->d_name, prefix, len) == 0 &&
		    parse_number(&number, TOPO_IDS - 1, &id) == 0 && !*number)
			topo_set_add(set, (int)id);
	}
	err = -errno;
	closedir(dir);
	return err;
}

int topo_read_link(struct topo_tree *tree, int cpu, int *node)
{
	struct topo_set links;
	int err = topo_read_names(tree, &links, "node", TOPO_CPU_DIR "/cpu%d",
				  cpu);

	if (err)
		return err;
	*node = topo_set_next(&links, 0);
	return topo_set_count(&links) == 1 ? 0 : -ENOENT;
}

/* Parse the number behind a label in tree->text. *end is the rest. */
static int find_number(const struct topo_tree *tree, const char *label,
		       uint64_t max, uint64_t *number, const char **end)
{
	const char *p = strstr(tree->text, label);

	if (!p)
		return -EBADMSG;
	*end = skip_space(p + strlen(label));
	return parse_number(end, max, number);
}

/* A GPU whose memory is no node has node -1. */
static int read_gpu(struct topo_tree *tree, struct topo_set *set,
		    const char *name)
{
	const char *end;
	uint64_t id;
	int err = topo_read(tree, GPU_DIR "/%s/numa_status", name);

	if (topo_fatal(err))
		return err;
	if (!err && find_number(tree, "Node:", TOPO_IDS - 1, &id, &end) == 0)
		topo_set_add(set, (int)id);
	return 0;
}

int topo_read_gpus(struct topo_tree *tree, struct topo_set *set)
{
	struct dirent *entry;
	DIR *dir = NULL;
	int err;

	memset(set, 0, sizeof(*set));
	err = open_directory(tree, GPU_DIR, &dir);
	if (err || !dir)
		return err;
	while (errno = 0, !err && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			err = read_gpu(tree, set, entry->d_name);
	err = err ? err : -errno;
	closedir(dir);
	return err;
}

int topo_read_memory(struct topo_tree *tree, int64_t *bytes, const char *path,
		     ...)
{
	const char *p;
	uint64_t kib;
	va_list args;
	int err;

	va_start(args, path);
	err = vread(tree, path, args);
	va_end(args);
	if (err)
		return err;
	if (find_number(tree, "MemTotal:", INT64_MAX / 1024, &kib, &p) ||
	    strncmp(skip_space(p), "kB", 2) != 0)
		return -EBADMSG;
	*bytes = (int64_t)kib * 1024;
	return 0;
}

int topo_read_distances(struct topo_tree *tree, int *row, unsigned int nr,
			const char *path, ...)
{
	unsigned int i = 0;
	uint64_t distance;
	const char *p;
	va_list args;
	int err;

	va_start(args, path);
	err = vread(tree, path, args);
	va_end(args);
	if (err)
		return err;
	for (p = skip_space(tree->text); *p; p = skip_space(p)) {
		if (i == nr || parse_number(&p, DISTANCE_MAX, &distance) ||
		    !distance)
			return -EBADMSG;
		row[i++] = (int)distance;
	}
	return i == nr ? 0 : -EBADMSG;
}
