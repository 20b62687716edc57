// SPDX-License-Identifier: MIT
/* Opening a ledger if it is usable, and creating it otherwise. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <numatally/ledger.h>

#include "base/uncancelled.h"
#include "file/column.h"
#include "open/internal.h"
#include "ledger/mapped.h"

/* Once a millisecond, while other processes replace the ledger. */
#define MAX_TRIES 1000

/* Resources that were declared later may be among those, or not. */
static bool resources_match(const struct tally_ledger *l,
			    const struct tally_resource *resources,
			    unsigned int nr)
{
	if (nr < l->layout->plan->resources.count)
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		struct layout_resource ours, theirs;

		if (column_read(l->layout, i, &ours) ||
		    ledger_resource(&resources[i], &theirs) ||
		    memcmp(&ours, &theirs, sizeof(ours)) != 0)
			return false;
	}
	return true;
}

/* Each machine of the topology is in the ledger at the same place, and so each
 * node under the same number. Others may be there too, as those that went offline
 * are. */
static bool topo_matches(const struct layout *l, const struct tally_topo *topo)
{
	const struct layout_params *params = &l->header.params;
	unsigned int nr = tally_topo_nr_machines(topo);

	if (nr > params->nr_machines ||
	    tally_topo_machine(topo, 0)->here != (params->nr_planes > 0) ||
	    (params->nr_planes > 0 &&
	     2 * tally_topo_nr_cpus(topo) > params->nr_lanes))
		return false;
	for (unsigned int i = 0; i < nr; i++) {
		const char *name = tally_topo_machine(topo, i)->name;

		if (strcmp(name ? name : "", l->machines[i].name) != 0)
			return false;
	}
	for (unsigned int i = 0; i < tally_topo_nr_nodes(topo); i++)
		if (layout_node_index(l, tally_topo_number(topo, i)) < 0)
			return false;
	return true;
}

/*
 * Remove the ledger at path if it still can't be opened, for the same reason:
 * another process may have replaced it meanwhile. -EAGAIN: it has, or is about
 * to. -EBADMSG: the file is no ledger.
 */
static int remove_bad(const char *path, int why)
{
	struct tally_ledger *ledger;
	int fd = ledger_claim(path), err;

	if (fd < 0)
		return fd;
	err = ledger_open(path, true, &ledger);
	if (!err)
		tally_ledger_close(ledger);
	if (err != why)
		err = -EAGAIN;
	else
		err = unlink(path) && errno != ENOENT ? -errno : 0;
	close(fd);
	return err;
}

static bool is_bad(int err)
{
	return err == -ESTALE || err == -EPROTO || err == -EBADMSG;
}

int tally_ledger_open_or_create(const char *path, const struct tally_topo *topo,
				const struct tally_resource *resources,
				unsigned int nr_resources,
				const struct tally_ledger_options *options,
				struct tally_ledger **ledger, int *why)
{
	UNCANCELLED;
	const struct timespec nap = {0, 1000000};
	int found = -ENOENT, err;
	struct tally_ledger_options own;
	struct tally_ledger *l;

	err = ledger_options(options, &own);
	if (err)
		return err;

	for (int try = 0; try < MAX_TRIES; try++) {
		err = ledger_open(path, own.few_adds, &l);
		if (!err) {
			found = 0;
			break;
		}
		if (is_bad(err)) {
			found = err;
			err = remove_bad(path, found);
		}
		if (!err || err == -ENOENT)
			err = tally_ledger_create(path, topo, resources,
						  nr_resources, &own, &l);
		if (err != -EEXIST && err != -EAGAIN)
			break;
		nanosleep(&nap, NULL);
	}
	if (err)
		return err == -EEXIST ? -EAGAIN : err;
	if (!found && !(resources_match(l, resources, nr_resources) &&
			topo_matches(l->layout, topo))) {
		tally_ledger_close(l);
		return -EEXIST;
	}
	*ledger = l;
	if (why)
		*why = found;
	return 0;
}
