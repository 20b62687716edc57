// SPDX-License-Identifier: MIT
/* Capacities and quotas are saved, their peaks and what they refused. */
#include "config.h"

#include <errno.h>

#include "file/reserved.h"
#include "limit/cells.h"
#include "limit/transaction.h"
#include "open/save.h"

/* It may be too high: what is drawn from a parent was reserved first. */
static void set_peak(struct layout *l, int64_t *to, int64_t peak, int64_t held)
{
	limit_set(l, to, (uint64_t)(peak > held ? peak : held));
}

static void put_quota(const struct save *s, struct layout_quota *to,
		      const struct tally_limit *limit, bool had)
{
	struct layout *l = s->ledger->layout;

	if (had)
		limit_set(l, &to->limit, (uint64_t)limit->limit + 1);
	set_peak(l, &to->peak, limit->peak, to->held);
	limit_set(l, &to->nr_refused, limit->nr_refused);
	limit_keep(l);
}

int save_note_quotas(struct save *s, struct tally_account from,
		     struct tally_account to)
{
	const struct layout *l = s->layout;
	const struct layout_quota *quotas;

	if (!reserved_is_current(l, from.row))
		return 0;
	quotas = layout_quotas(l, from.row);
	for (unsigned int i = 0; i < s->nr_resources; i++)
		if (limit_get(&quotas[i].limit) || limit_get(&quotas[i].peak) ||
		    limit_get(&quotas[i].nr_refused))
			return save_note(&s->quotas, from, to);
	return limit_had_quota(l, from.row) ? save_note(&s->quotas, from, to)
					    : 0;
}

/* The first quota counts what accounts below hold. */
static int save_quotas_of(const struct save *s, const struct save_later *a)
{
	bool had = limit_had_quota(s->layout, a->from.row);
	struct tally_limit limit = {.size = sizeof(limit)};
	int err = 0;

	for (unsigned int i = 0; !err && had && i < s->nr_resources; i++)
		if (tally_view_resource(s->view, i)->kind == TALLY_RESERVABLE) {
			err = tally_limit_set_quota(s->ledger, a->to, i,
						    TALLY_LIMIT_NONE);
			break;
		}
	if (!err)
		err = limit_begin(s->ledger);
	if (err)
		return err == -ESTALE ? 0 : err;
	err = limit_touch(s->ledger, a->to);
	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		struct layout_quota *q =
			&layout_quotas(s->ledger->layout, a->to.row)[i];

		err = tally_limit_account(s->view, a->from, i, &limit);
		if (!err)
			put_quota(
				s, q, &limit,
				had && tally_view_resource(s->view, i)->kind ==
						TALLY_RESERVABLE);
	}
	err = limit_finish(s->ledger, err);
	return err == -ESTALE ? 0 : err;
}

int save_quotas(struct save *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->quotas.nr; i++)
		err = save_quotas_of(s, &s->quotas.entries[i]);
	return err;
}

static int save_capacity(const struct save *s, uint32_t node,
			 unsigned int resource)
{
	struct layout *l = s->ledger->layout;
	struct layout_capacity *to = layout_capacity(l, node, resource);
	struct tally_limit limit = {.size = sizeof(limit)};
	int err =
		tally_limit_node(s->view, l->nodes[node].id, resource, &limit);

	if (err)
		return err;
	if (limit.limit != TALLY_LIMIT_NONE)
		limit_set(l, &to->limit, (uint64_t)limit.limit + 1);
	set_peak(l, &to->peak, limit.peak, to->held);
	limit_set(l, &to->nr_refused, limit.nr_refused);
	limit_keep(l);
	return 0;
}

int save_capacities(struct save *s)
{
	int err = limit_begin(s->ledger);

	if (err)
		return err;
	for (uint32_t n = 0; !err && n < s->nr_nodes; n++)
		for (unsigned int i = 0; !err && i < s->nr_resources; i++)
			err = save_capacity(s, n, i);
	return limit_finish(s->ledger, err);
}
