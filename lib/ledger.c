// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/ledger.h>
#include <numatally/region.h>

#include "directory.h"
#include "ledger_internal.h"
#include "writer.h"

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
	struct layout_lane *lanes = calloc(nr, sizeof(*lanes));
	uint32_t fallback = default_node(topo);

	for (unsigned int i = 0; lanes && i < nr; i++) {
		int node = tally_topo_cpu_node(topo, (int)i);
		int index = node < 0 ? -1 : tally_topo_index(topo, node);

		lanes[i].node = index < 0 ? fallback : (uint32_t)index;
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

static int open_over(struct layout *layout, struct tally_ledger **ledger)
{
	const struct layout_params *params = &layout->header.params;
	const struct layout_plan *plan = layout->plan;
	struct tally_ledger *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (!l)
		goto fail;
	l->layout = layout;
	l->origin = layout->origin;
	l->row_bytes = plan->row_bytes;
	l->nr_buckets = plan->nr_buckets;
	l->nr_lanes = params->nr_lanes;
	l->lanes = calloc(params->nr_lanes, sizeof(*l->lanes));
	if (!l->lanes)
		goto fail;
	for (uint32_t i = 0; i < params->nr_lanes; i++) {
		struct ledger_lane *lane = &l->lanes[i];

		lane->headers = (struct tally_slice *)(layout->origin +
						       layout_headers_offset(
							       layout, i, 0));
		lane->local = layout->lanes[i].node;
		lane->record = layout_record(layout, lane->local,
					     layout->lanes[i].slot);
	}
	err = directory_open(layout, &l->accounts);
	if (err)
		goto fail;
	err = writer_join(layout, &l->writer);
	if (err)
		goto fail;
	*ledger = l;
	return 0;
fail:
	if (l) {
		directory_close(l->accounts);
		free(l->lanes);
		free(l);
	}
	layout_unmap(layout);
	return err;
}

static int make_layout(int fd, const struct tally_topo *topo,
		       const struct tally_resource *resources,
		       unsigned int nr_resources,
		       const struct tally_ledger_options *options,
		       struct layout **layout)
{
	const struct layout_params params = {
		.nr_nodes = tally_topo_nr_nodes(topo),
		.nr_lanes = tally_topo_nr_cpus(topo),
		.nr_resources = nr_resources,
		.max_accounts = options && options->max_accounts
					? options->max_accounts
					: 4096,
		.max_key_bytes = options && options->max_key_bytes
					 ? options->max_key_bytes
					 : 191,
		.page_bytes = (uint32_t)sysconf(_SC_PAGESIZE),
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

int tally_ledger_create(const char *path, const struct tally_topo *topo,
			const struct tally_resource *resources,
			unsigned int nr_resources,
			const struct tally_ledger_options *options,
			struct tally_ledger **ledger)
{
	mode_t mode = options && options->mode ? options->mode : 0640;
	struct tally_ledger *l;
	struct layout *layout;
	bool named;
	int fd, err;

	fd = make_unnamed(path, mode, &named);
	if (fd < 0)
		return fd;
	err = make_layout(fd, topo, resources, nr_resources, options, &layout);
	if (err)
		goto unlink;
	err = open_over(layout, &l);
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

int tally_ledger_open(const char *path, struct tally_ledger **ledger)
{
	struct layout *layout;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = layout_map(fd, true, &layout);
	if (err)
		return err;
	if (layout->stale) {
		layout_unmap(layout);
		return -ESTALE;
	}
	return open_over(layout, ledger);
}

void tally_ledger_close(struct tally_ledger *l)
{
	if (!l)
		return;
	writer_leave(l->layout, l->writer);
	directory_close(l->accounts);
	layout_unmap(l->layout);
	free(l->lanes);
	free(l);
}

struct tally_accounts *tally_ledger_accounts(struct tally_ledger *l)
{
	return l->accounts;
}

int tally_ledger_resource(const struct tally_ledger *l, const char *name)
{
	uint32_t nr = l->layout->header.params.nr_resources;

	for (uint32_t i = 0; i < nr; i++)
		if (!strcmp(l->layout->resources[i].name, name))
			return (int)i;
	return -ENOENT;
}
