// SPDX-License-Identifier: MIT
/* Creating ledgers. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/limit.h>

#include "base/sized.h"
#include "base/uncancelled.h"
#include "open/internal.h"

int ledger_resource(const struct tally_resource *from,
		    struct layout_resource *to)
{
	memset(to, 0, sizeof(*to));
	if (strlen(from->name) >= sizeof(to->name) ||
	    strlen(from->unit) >= sizeof(to->unit))
		return -EINVAL;
	memcpy(to->name, from->name, strlen(from->name));
	memcpy(to->unit, from->unit, strlen(from->unit));
	to->kind = from->kind;
	return layout_resource_valid(to) ? 0 : -EINVAL;
}

static int set_resources(const struct tally_resource *from, unsigned int nr,
			 struct layout_resource **resources)
{
	struct layout_resource *to = calloc(nr, sizeof(*to));
	int err;

	if (!to)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++) {
		err = ledger_resource(&from[i], &to[i]);
		if (err)
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

/* -ERANGE: there are too many machines. */
static int set_nodes(const struct tally_topo *topo, struct layout_node *nodes)
{
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++) {
		nodes[i].id = tally_topo_number(topo, i);
		if (nodes[i].id < 0)
			return nodes[i].id;
	}
	return 0;
}

static void set_machines(const struct tally_topo *topo,
			 struct layout_machine *machines)
{
	for (unsigned int i = 0; i < tally_topo_nr_machines(topo); i++) {
		const char *name = tally_topo_machine(topo, i)->name;

		if (name)
			strncpy(machines[i].name, name,
				sizeof(machines[i].name) - 1);
	}
}

/* For CPUs whose node is not known, since they are not plugged in yet: the
 * first node with CPUs. */
static uint32_t default_node(const struct tally_topo *topo)
{
	for (uint32_t i = 0; i < tally_topo_machine(topo, 0)->nr_nodes; i++)
		if (tally_topo_node(topo, i)->nr_cpus)
			return i;
	return 0;
}

/* Two lanes for each CPU of this machine. */
static void set_lanes(const struct tally_topo *topo, struct layout_lane *lanes,
		      uint32_t nr_lanes)
{
	uint32_t fallback = default_node(topo), nr = nr_lanes / 2;

	for (uint32_t i = 0; i < nr; i++) {
		int node = tally_topo_cpu_node(topo, (int)i);
		int index = node < 0 ? -1 : tally_topo_index(topo, node);

		lanes[i].node = index < 0 ? fallback : (uint32_t)index;
		lanes[nr + i].node = lanes[i].node;
	}
}

/* Open an unnamed file, which give_name() names once it is ready. On file
 * systems that have no unnamed files, and without /proc, by which it is named,
 * the file is visible before. */
static int make_unnamed(const char *path, mode_t mode, bool *named)
{
	char *slash, *dir;
	int fd = -1;

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
	*named = access("/proc/self/fd", X_OK) != 0;
	if (!*named)
		fd = open(slash ? dir : ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
			  mode);
	free(dir);
	if (*named || (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))) {
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

/* Set params.nr_nodes and those of machines, planes and lanes, and what they
 * count. */
static int set_topo(const struct tally_topo *topo, struct layout_content *c)
{
	const struct tally_machine *first = tally_topo_machine(topo, 0);
	struct layout_params *params = &c->params;
	int err;

	params->nr_nodes = tally_topo_nr_nodes(topo);
	params->nr_machines = tally_topo_nr_machines(topo);
	params->nr_planes = first->here ? first->nr_nodes : 0;
	params->nr_lanes = first->here ? 2 * tally_topo_nr_cpus(topo) : 0;
	c->nodes = calloc(params->nr_nodes, sizeof(*c->nodes));
	c->machines = calloc(params->nr_machines, sizeof(*c->machines));
	c->lanes = calloc((size_t)params->nr_lanes + 1, sizeof(*c->lanes));
	if (!c->nodes || !c->machines || !c->lanes)
		return -ENOMEM;
	err = set_nodes(topo, c->nodes);
	if (err)
		return -EINVAL;
	set_machines(topo, c->machines);
	set_lanes(topo, c->lanes, params->nr_lanes);
	return 0;
}

static int make_layout(int fd, const struct tally_topo *topo,
		       const struct tally_resource *resources,
		       unsigned int nr_resources,
		       const struct tally_ledger_options *options,
		       struct layout **layout)
{
	struct layout_content content = {
		.params =
			{
				.nr_resources =
					nr_resources + options->nr_spare,
				.nr_spare = options->nr_spare,
				.max_accounts = options->max_accounts
							? options->max_accounts
							: 4096,
				.max_key_bytes =
					options->max_key_bytes
						? options->max_key_bytes
						: 191,
				.page_bytes = (uint32_t)sysconf(_SC_PAGESIZE),
				.flags = options->exclusive ? LAYOUT_EXCLUSIVE
							    : 0,
			},
	};
	int err = -EINVAL;

	if (nr_resources && nr_resources <= LAYOUT_MAX_COLUMNS &&
	    options->nr_spare <= LAYOUT_MAX_COLUMNS - nr_resources)
		err = set_resources(resources, nr_resources,
				    &content.resources);
	if (!err)
		err = set_topo(topo, &content);
	if (err) {
		layout_content_free(&content);
		close(fd);
		return err;
	}
	return layout_create(fd, &content, layout);
}

static int set_limits(struct tally_ledger *l,
		      const struct tally_ledger_options *o)
{
	struct tally_account account;
	int err = 0;

	for (unsigned int i = 0; !err && i < o->nr_capacities; i++)
		err = tally_limit_set_capacity(l, o->capacities[i].node,
					       o->capacities[i].resource,
					       o->capacities[i].capacity);
	for (unsigned int i = 0; !err && i < o->nr_quotas; i++) {
		err = tally_account_open(tally_ledger_accounts(l),
					 o->quotas[i].key, &account);
		if (!err)
			err = tally_limit_set_quota(l, account,
						    o->quotas[i].resource,
						    o->quotas[i].quota);
	}
	return err;
}

/* A writer opens the file again, which the file's mode may refuse even to its
 * owner. */
static int open_new(int fd, struct layout *layout, bool few_adds,
		    struct tally_ledger **ledger)
{
	const mode_t needed = S_IRUSR | S_IWUSR;
	mode_t mode = needed;
	struct stat st;
	int err;

	if (!fstat(fd, &st))
		mode = st.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
	if (~mode & needed && fchmod(fd, mode | needed)) {
		err = -errno;
		layout_unmap(layout);
		return err;
	}
	err = ledger_open_over(layout, few_adds, ledger);
	if (!err && ~mode & needed && fchmod(fd, mode)) {
		err = -errno;
		tally_ledger_close(*ledger);
	}
	return err;
}

/* Create a file, have make() fill it, and open the ledger. */
static int create(const char *path, mode_t mode,
		  int (*make)(int fd, const void *arg, struct layout **layout),
		  const void *arg, const struct tally_ledger_options *options,
		  struct tally_ledger **ledger)
{
	struct tally_ledger *l = NULL;
	struct layout *layout;
	bool named;
	int fd, err;

	fd = make_unnamed(path, mode, &named);
	if (fd < 0)
		return fd;
	err = make(fd, arg, &layout);
	if (err)
		goto unlink;
	if (named)
		descriptor_name(layout->file, path);
	err = open_new(fd, layout, options && options->few_adds, &l);
	if (err)
		goto unlink;
	err = options ? set_limits(l, options) : 0;
	if (err) {
		tally_ledger_close(l);
		goto unlink;
	}
	layout_publish(layout);
	if (path && !named) {
		err = give_name(fd, path);
		if (err) {
			tally_ledger_close(l);
			return err;
		}
		descriptor_name(layout->file, path);
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

int ledger_options(const struct tally_ledger_options *options,
		   struct tally_ledger_options *own)
{
	*own = (struct tally_ledger_options){.size = sizeof(*own)};
	return options ? sized_get(own, sizeof(*own),
				   sized_upto(struct tally_ledger_options,
					      exclusive),
				   options)
		       : 0;
}

int tally_ledger_create(const char *path, const struct tally_topo *topo,
			const struct tally_resource *resources,
			unsigned int nr_resources,
			const struct tally_ledger_options *options,
			struct tally_ledger **ledger)
{
	UNCANCELLED;
	struct tally_ledger_options own;
	const struct wanted wanted = {topo, resources, nr_resources, &own};
	int err = ledger_options(options, &own);

	return err ? err
		   : create(path, own.mode ? own.mode : 0640, make_wanted,
			    &wanted, &own, ledger);
}

static void *copy_of(const void *from, size_t nr, size_t bytes)
{
	void *copy = calloc(nr + 1, bytes);

	return copy ? memcpy(copy, from, nr * bytes) : NULL;
}

static int make_alike(int fd, const void *arg, struct layout **layout)
{
	const struct layout *like = arg;
	const struct layout_params *params = &like->header.params;
	struct layout_content content = {
		.params = *params,
		.nodes = copy_of(like->nodes, params->nr_nodes,
				 sizeof(*like->nodes)),
		.machines = copy_of(like->machines, params->nr_machines,
				    sizeof(*like->machines)),
		.lanes = copy_of(like->lanes, params->nr_lanes,
				 sizeof(*like->lanes)),
		.resources = copy_of(like->resources,
				     like->plan->resources.count,
				     sizeof(*like->resources)),
	};
	int err;

	content.params.flags |= LAYOUT_EXCLUSIVE | LAYOUT_SAVED;
	if (!content.nodes || !content.machines || !content.lanes ||
	    !content.resources) {
		layout_content_free(&content);
		close(fd);
		return -ENOMEM;
	}
	err = layout_create(fd, &content, layout);
	if (!err)
		(*layout)->unshared = true;
	return err;
}

int ledger_create_saved(const char *path, mode_t mode,
			const struct layout *like, struct tally_ledger **ledger)
{
	return create(path, mode, make_alike, like, NULL, ledger);
}
