// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sized.h"
#include "base/uncancelled.h"
#include "view/file.h"
#include "watch/internal.h"

#define LOOK_NS	      50000000
#define LEAST_LOOK_NS 100000
#define NR_ENTRIES    512 /* at least, that are read at once */

static int get_options(const struct tally_view *view,
		       const struct tally_watch_options *given,
		       struct tally_watch_options *o)
{
	int err = sized_get(o, sizeof(*o),
			    sized_upto(struct tally_watch_options, look_ns),
			    given);

	if (err)
		return err;
	if (!o->look_ns)
		o->look_ns = LOOK_NS;
	if (!o->nr_thresholds || o->nr_thresholds > TALLY_WATCH_THRESHOLDS ||
	    o->flags & ~(TALLY_WATCH_ANY | TALLY_WATCH_IDLE) ||
	    o->look_ns < LEAST_LOOK_NS || tally_view_snapshot_info(view) ||
	    (o->ledger && o->ledger->layout != view_layout(view)))
		return -EINVAL;
	return 0;
}

/* Copy the thresholds, with what their keys point to. */
static int copy(struct tally_watch *w, const struct tally_watch_threshold *from)
{
	size_t bytes = 1;
	char *name;

	memcpy(w->thresholds, from, w->nr * sizeof(*from));
	for (unsigned int i = 0; i < w->nr; i++)
		bytes += from[i].account ? strlen(from[i].account) + 1 : 0;
	w->names = name = malloc(bytes);
	if (!name)
		return -ENOMEM;
	for (unsigned int i = 0; i < w->nr; i++)
		if (from[i].account) {
			w->thresholds[i].account = name;
			name = stpcpy(name, from[i].account) + 1;
		}
	return 0;
}

/* An account's entries come in one piece: of one resource, one for each node. */
static int allocate(struct tally_watch *w)
{
	unsigned int nr_nodes = tally_view_nr_nodes(w->view);

	w->max_entries = nr_nodes > NR_ENTRIES ? nr_nodes : NR_ENTRIES;
	w->entries = malloc(w->max_entries * sizeof(*w->entries));
	w->of_node = malloc(nr_nodes * sizeof(*w->of_node));
	return w->entries && w->of_node ? 0 : -ENOMEM;
}

static void destroy(struct tally_watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->entries);
	free(w->of_node);
	free(w->names);
	free(w);
}

int tally_watch_open(const struct tally_view *view,
		     const struct tally_watch_options *options,
		     struct tally_watch **watch)
{
	UNCANCELLED;
	struct tally_watch_options o;
	struct tally_watch *w;
	int err = get_options(view, options, &o);

	if (err)
		return err;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->view = view;
	w->layout = (struct layout *)view_layout(view);
	w->ledger = o.ledger;
	w->look_ns = o.look_ns;
	w->flags = o.flags;
	w->nr = o.nr_thresholds;
	w->fd = -1;
	err = copy(w, o.thresholds);
	for (unsigned int i = 0; !err && i < w->nr; i++)
		err = watch_find(w, i);
	if (!err)
		err = allocate(w);
	if (!err && !layout_is_whole(w->layout))
		err = -EBADMSG;
	if (err) {
		destroy(w);
		return err;
	}
	*watch = w;
	return 0;
}

void tally_watch_close(struct tally_watch *watch)
{
	UNCANCELLED;

	if (!watch)
		return;
	watch_stop(watch);
	destroy(watch);
}
