// SPDX-License-Identifier: MIT
/* A ledger's file is made. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_internal.h"
#include "limit_lock.h"

static int set_resources(const struct tally_resource *from, unsigned int nr,
			 struct layout_resource **resources)
{
	struct layout_resource *to = calloc(nr, sizeof(*to));
	int err = -EINVAL;

	if (!to)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++) {
		if (strlen(from[i].name) >= sizeof(to[i].name) ||
		    strlen(from[i].unit) >= sizeof(to[i].unit))
			goto fail;
		memcpy(to[i].name, from[i].name, strlen(from[i].name));
		memcpy(to[i].unit, from[i].unit, strlen(from[i].unit));
		to[i].kind = from[i].kind;
		if (!layout_resource_valid(&to[i]))
			goto fail;
		for (unsigned int j = 0; j < i; j++) {
			if (!strcmp(to[j].name, to[i].name)) {
				err = -EEXIST;
				goto fail;
			}
		}
	}
	*resources = to;
	return 0;
fail:
	free(to);
	return err;
}

static struct layout_node *set_nodes(const struct tally_topo *topo)
{
	unsigned int nr = tally_topo_nr_nodes(topo);
	struct layout_node *nodes = calloc(nr, sizeof(*nodes));

	for (unsigned int i = 0; nodes && i < nr; i++)
		nodes[i].id = tally_topo_node(topo, i)->id;
	return nodes;
}

/* Where a CPU's node is not known, it may be plugged in anywhere: its lane is
 * put on the first node with CPUs. */
static uint32_t default_node(const struct tally_topo *topo)
{
	for (uint32_t i = 0; i < tally_topo_nr_nodes(topo); i++)
		if (tally_topo_node(topo, i)->nr_cpus)
			return i;
	return 0;
}

static struct layout_lane *set_lanes(const struct tally_topo *topo)
{
	unsigned int nr = tally_topo_nr_cpus(topo);
	struct layout_lane *lanes = calloc(2 * (size_t)nr, sizeof(*lanes));
	uint32_t fallback = default_node(topo);

	for (unsigned int i = 0; lanes && i < nr; i++) {
		int node = tally_topo_cpu_node(topo, (int)i);
		int index = node < 0 ? -1 : tally_topo_index(topo, node);

		lanes[i].node = index < 0 ? fallback : (uint32_t)index;
		lanes[nr + i].node = lanes[i].node;
	}
	return lanes;
}

/* An unnamed file, or one that layout_name() will give its name. On a file
 * system that has no unnamed ones the file is seen before it is ready. */
static int make_unnamed(const char *path, mode_t mode, bool *named)
{
	char *slash, *dir;
	int fd;

	*named = false;
	if (!path) {
		fd = memfd_create("numatally", MFD_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	dir = strdup(path);
	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	free(dir);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		*named = true;
		fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode);
	}
	return fd < 0 ? -errno : fd;
}

static int give_name(int fd, const char *path)
{
	char self[32];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		return -errno;
	return 0;
}

static int make_layout(int fd, const struct tally_topo *topo,
		       const struct tally_resource *resources,
		       unsigned int nr_resources,
		       const struct tally_ledger_options *options,
		       struct layout **layout)
{
	bool exclusive = options && options->exclusive;
	const struct layout_params params = {
		.nr_nodes = tally_topo_nr_nodes(topo),
		.nr_lanes = 2 * tally_topo_nr_cpus(topo),
		.nr_resources = nr_resources,
		.max_accounts = options && options->max_accounts
					? options->max_accounts
					: 4096,
		.max_key_bytes = options && options->max_key_bytes
					 ? options->max_key_bytes
					 : 191,
		.page_bytes = (uint32_t)sysconf(_SC_PAGESIZE),
		.flags = exclusive ? LAYOUT_EXCLUSIVE : 0,
	};
	struct layout_resource *columns = NULL;
	struct layout_node *nodes;
	struct layout_lane *lanes;
	int err = -EINVAL;

	if (nr_resources && nr_resources <= LAYOUT_MAX_COLUMNS)
		err = set_resources(resources, nr_resources, &columns);
	if (err) {
		close(fd);
		return err;
	}
	nodes = set_nodes(topo);
	lanes = set_lanes(topo);
	if (!nodes || !lanes) {
		free(nodes);
		free(lanes);
		free(columns);
		close(fd);
		return -ENOMEM;
	}
	return layout_create(fd, &params, nodes, lanes, columns, layout);
}

/* Makes the file that the layout is to be in, and opens it; takes over nothing
 * but what is given to layout_create(). */
static int create(const char *path, mode_t mode,
		  int (*make)(int fd, const void *arg, struct layout **layout),
		  const void *arg, struct tally_ledger **ledger)
{
	struct tally_ledger *l;
	struct layout *layout;
	bool named;
	int fd, err;

	fd = make_unnamed(path, mode, &named);
	if (fd < 0)
		return fd;
	err = make(fd, arg, &layout);
	if (err)
		goto unlink;
	err = ledger_open_over(layout, &l);
	if (err)
		goto unlink;
	layout_publish(layout);
	if (path && !named) {
		err = give_name(fd, path);
		if (err) {
			tally_ledger_close(l);
			return err;
		}
	}
	*ledger = l;
	return 0;
unlink:
	if (named)
		unlink(path);
	return err;
}

struct wanted {
	const struct tally_topo *topo;
	const struct tally_resource *resources;
	unsigned int nr_resources;
	const struct tally_ledger_options *options;
};

static int make_wanted(int fd, const void *arg, struct layout **layout)
{
	const struct wanted *w = arg;

	return make_layout(fd, w->topo, w->resources, w->nr_resources,
			   w->options, layout);
}

int tally_ledger_create(const char *path, const struct tally_topo *topo,
			const struct tally_resource *resources,
			unsigned int nr_resources,
			const struct tally_ledger_options *options,
			struct tally_ledger **ledger)
{
	const struct wanted wanted = {topo, resources, nr_resources, options};

	return create(path, options && options->mode ? options->mode : 0640,
		      make_wanted, &wanted, ledger);
}

static void *copy_of(const void *from, size_t bytes)
{
	void *copy = malloc(bytes);

	return copy ? memcpy(copy, from, bytes) : NULL;
}

static int make_alike(int fd, const void *arg, struct layout **layout)
{
	const struct layout *like = arg;
	struct layout_params params = like->header.params;
	struct layout_node *nodes =
		copy_of(like->nodes, params.nr_nodes * sizeof(*nodes));
	struct layout_lane *lanes =
		copy_of(like->lanes, params.nr_lanes * sizeof(*lanes));
	struct layout_resource *resources = copy_of(
		like->resources, params.nr_resources * sizeof(*resources));

	params.flags |= LAYOUT_EXCLUSIVE;
	if (nodes && lanes && resources)
		return layout_create(fd, &params, nodes, lanes, resources,
				     layout);
	free(nodes);
	free(lanes);
	free(resources);
	close(fd);
	return -ENOMEM;
}

int ledger_create_alike(const char *path, mode_t mode,
			const struct layout *like, struct tally_ledger **ledger)
{
	return create(path, mode, make_alike, like, ledger);
}
