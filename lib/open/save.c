// SPDX-License-Identifier: MIT
/*
 * Saving what a view shows. The usual calls fill a new ledger beside the file
 * that it then replaces. So the saved ledger is sound, whatever was read.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "base/uncancelled.h"
#include "account/directory.h"
#include "add/post.h"
#include "limit/cells.h"
#include "limit/holding.h"
#include "limit/reservation.h"
#include "limit/transaction.h"
#include "open/internal.h"
#include "view/file.h"

#define GONE_KEY "gone"

struct save {
	const struct tally_view *view;
	const struct tally_accounts *from;
	struct tally_ledger *ledger; /* the new one */
	struct tally_accounts *to;
	unsigned int nr_nodes, nr_local, nr_resources;
	int *nodes; /* of this machine, and the others of an account */
	char *key;
};

static bool is_reservable(const struct save *s, unsigned int resource)
{
	return tally_view_resource(s->view, resource)->kind == TALLY_RESERVABLE;
}

/* Charge what is not 0, 64 resources at a time. Reservables are not charged,
 * but reserved. */
static int charge(const struct save *s, struct tally_account account, int node,
		  const int64_t *amounts)
{
	struct tally_amount some[64];
	unsigned int nr = 0;
	int err = 0;

	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		if (amounts[i] && !is_reservable(s, i))
			some[nr++] = (struct tally_amount){i, amounts[i]};
		if (nr == 64 || (nr && i + 1 == s->nr_resources)) {
			err = post_amounts(s->ledger, account, node, some, nr);
			nr = 0;
		}
	}
	return err;
}

static int read_node(const struct save *s, struct tally_account account,
		     int node, int64_t *amounts, int64_t *held)
{
	int err = tally_limit_holding(s->view, account, node, held);

	return err ? err : tally_view_account(s->view, account, node, amounts);
}

/* An account of the snapshot that is gone by now: it has no holdings. */
static int read_gone(const struct save *s, struct tally_account account,
		     int node, int64_t *amounts, int64_t *held)
{
	memset(held, 0, s->nr_resources * sizeof(*held));
	return tally_view_account(s->view, account, node, amounts);
}

/* A reservation, which includes what was taken by credits. Amounts beyond the
 * last demand that it has room for are taken by credits. */
struct holding {
	struct tally_demand demands[TALLY_LIMIT_MAX_DEMANDS];
	unsigned int nr;
};

static int add_held(const struct save *s, struct tally_account account,
		    int node, const int64_t *held, struct holding *h)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		struct tally_credit credit;

		if (!held[i] || !is_reservable(s, i))
			continue;
		if (h->nr < TALLY_LIMIT_MAX_DEMANDS) {
			h->demands[h->nr++] =
				(struct tally_demand){node, i, held[i]};
			continue;
		}
		err = tally_limit_credit(s->ledger, account, node, i, &credit);
		if (!err)
			err = tally_limit_take(&credit, held[i]);
	}
	return err;
}

static int save_reservation(const struct save *s, struct tally_account from,
			    struct tally_account to, const struct holding *h)
{
	const struct tally_request request = {
		.size = sizeof(request),
		.demands = h->demands,
		.nr_demands = h->nr,
	};
	struct tally_reservation found = {.size = sizeof(found)};
	struct tally_token token;
	int err = tally_limit_find(s->view, from, &found);

	if (err == -ENOENT && !h->nr)
		return 0;
	if (!err && found.state == TALLY_RESERVED)
		return tally_limit_reserve(s->ledger, to, &request, &token,
					   NULL);
	if (err && err != -ENOENT)
		return err;
	return tally_limit_adopt(s->ledger, to, &request, &token);
}

/* Set s->nodes to those on which the account can have anything: all of this
 * machine, and behind them others on which it has something reserved. */
static int set_nodes(const struct save *s, struct tally_account from,
		     unsigned int *nr)
{
	int *others = s->nodes + s->nr_local;
	int last = s->nr_local ? others[-1] : -1;
	int got = tally_limit_holdings(s->view, from, others, s->nr_nodes);

	*nr = s->nr_local;
	if (got < 0)
		return got == -ESTALE ? 0 : got; /* gone: it holds nothing */
	if ((unsigned int)got > s->nr_nodes)
		return -EBADMSG;
	for (int i = 0; i < got; i++)
		if (others[i] > last)
			s->nodes[(*nr)++] = others[i];
	return 0;
}

static int save_account(const struct save *s, struct tally_account from)
{
	int64_t amounts[LAYOUT_MAX_COLUMNS], held[LAYOUT_MAX_COLUMNS];
	int phase = tally_account_phase(s->from, from);
	struct holding h = {.nr = 0};
	struct tally_account to;
	unsigned int nr = 0;
	int err = tally_account_declare(s->to, s->key, &to);

	/* Two accounts had the key; one of them is gone. */
	if (err == -EEXIST)
		err = tally_account_find(s->to, s->key, &to);
	if (!err)
		err = set_nodes(s, from, &nr);
	for (unsigned int n = 0; !err && n < nr; n++) {
		int node = s->nodes[n];

		err = phase < 0 ? read_gone(s, from, node, amounts, held)
				: read_node(s, from, node, amounts, held);
		if (!err)
			err = charge(s, to, node, amounts);
		if (!err)
			err = add_held(s, to, node, held, &h);
	}
	if (!err && phase >= 0)
		err = save_reservation(s, from, to, &h);
	if (!err && phase != TALLY_PHASE_PENDING)
		err = tally_account_ready(s->to, to);
	return err == -ESTALE ? 0 : err;
}

static int each_account(const struct save *s,
			int (*each)(const struct save *s,
				    struct tally_account from))
{
	size_t bytes = tally_account_key_bytes(s->from);
	struct tally_account account;
	uint64_t cursor = 0;
	int err = 0;

	while (!err) {
		err = tally_view_next(s->view, &cursor, &account, s->key,
				      bytes);
		if (!err)
			err = each(s, account);
	}
	return err == -ENOENT ? 0 : err;
}

static int save_owner(const struct save *s, struct tally_account from,
		      struct tally_account to)
{
	size_t bytes = tally_account_key_bytes(s->from);
	struct tally_account owner;
	char key[LAYOUT_MAX_KEY + 1];
	int err = tally_account_owner(s->from, from, &owner);

	if (!err)
		err = tally_account_key(s->from, owner, key, bytes);
	if (!err)
		err = tally_account_find(s->to, key, &owner);
	if (!err)
		err = tally_account_set_owner(s->to, to, owner);
	return err == -ENOENT ? 0 : err;
}

/* Owners and pins, once all accounts exist. */
static int save_lifecycle(const struct save *s, struct tally_account from)
{
	struct tally_account to;
	uint32_t pins = 0;
	int err = tally_account_find(s->to, s->key, &to);

	if (!err && tally_account_phase(s->from, from) >= 0)
		err = save_owner(s, from, to);
	if (!err)
		err = tally_account_pins(s->from, from, &pins);
	for (unsigned int i = 0; !err && i < TALLY_ACCOUNT_PINS; i++)
		if (pins >> i & 1)
			err = tally_account_pin(s->to, to, i);
	return err == -ESTALE || err == -EEXIST ? 0 : err;
}

static int save_end(const struct save *s, struct tally_account from)
{
	int phase = tally_account_phase(s->from, from);
	struct tally_account to;

	/* An account of the snapshot that is gone by now does not end here. */
	if (phase != TALLY_PHASE_TERMINATING)
		return phase < 0 && phase != -ESTALE ? phase : 0;
	if (tally_account_find(s->to, s->key, &to))
		return 0;
	return tally_account_end(s->to, to);
}

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

static int draw(const struct save *s, struct tally_account to,
		struct tally_account parent)
{
	const struct layout *l = s->ledger->layout;
	int err = limit_begin(s->ledger);

	if (err)
		return err;
	if (!reserved_any_of(l, to.row) || !reserved_any_of(l, parent.row))
		return limit_finish(s->ledger, 0);
	/* Places for what it draws. */
	err = limit_holding_room(s->ledger, 0);
	if (!err)
		err = limit_reservation_draw(s->ledger, to.row, parent.row);
	err = limit_finish(s->ledger, err);
	/* Changed between the looks at both: what was seen of each is saved. */
	return err == -EBUSY || err == -ELOOP ? 0 : err;
}

/* What was reserved from the nodes, and is drawn from a parent. */
static int save_parent(const struct save *s, struct tally_account from)
{
	struct tally_reservation found = {.size = sizeof(found)};
	char key[LAYOUT_MAX_KEY + 1];
	struct tally_account to, parent;
	int err;

	if (tally_account_phase(s->from, from) < 0)
		return 0;
	err = tally_limit_find(s->view, from, &found);
	if (err || !found.drawn)
		return err == -ENOENT || err == -ESTALE ? 0 : err;
	err = tally_account_key(s->from, found.parent, key, sizeof(key));
	if (!err)
		err = tally_account_find(s->to, key, &parent);
	if (!err)
		err = tally_account_find(s->to, s->key, &to);
	if (!err)
		err = draw(s, to, parent);
	return err == -ENOENT || err == -ESTALE ? 0 : err;
}

/* After all reservations, so that no limit refuses them. The first quota counts
 * what accounts below hold. */
static int save_quotas(const struct save *s, struct tally_account from)
{
	const struct layout *l = view_layout(s->view);
	bool had = limit_had_quota(l, from.row);
	struct tally_limit limit = {.size = sizeof(limit)};
	struct tally_account to;
	int err = tally_account_find(s->to, s->key, &to);

	for (unsigned int i = 0; !err && had && i < s->nr_resources; i++)
		if (is_reservable(s, i)) {
			err = tally_limit_set_quota(s->ledger, to, i,
						    TALLY_LIMIT_NONE);
			break;
		}
	if (!err)
		err = limit_begin(s->ledger);
	if (err)
		return err == -ESTALE || err == -ENOENT ? 0 : err;
	err = limit_touch(s->ledger, to);
	for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
		struct layout_quota *q =
			&layout_quotas(s->ledger->layout, to.row)[i];

		err = tally_limit_account(s->view, from, i, &limit);
		if (!err)
			put_quota(s, q, &limit, had && is_reservable(s, i));
	}
	err = limit_finish(s->ledger, err);
	return err == -ESTALE ? 0 : err;
}

static int save_capacities(const struct save *s)
{
	struct layout *l = s->ledger->layout;
	int err = limit_begin(s->ledger);

	if (err)
		return err;
	for (uint32_t n = 0; !err && n < s->nr_nodes; n++)
		for (unsigned int i = 0; !err && i < s->nr_resources; i++) {
			struct layout_capacity *to = layout_capacity(l, n, i);
			struct tally_limit limit = {.size = sizeof(limit)};

			err = tally_limit_node(s->view, l->nodes[n].id, i,
					       &limit);
			if (err)
				break;
			if (limit.limit != TALLY_LIMIT_NONE)
				limit_set(l, &to->limit,
					  (uint64_t)limit.limit + 1);
			set_peak(l, &to->peak, limit.peak, to->held);
			limit_set(l, &to->nr_refused, limit.nr_refused);
			limit_keep(l);
		}
	return limit_finish(s->ledger, err);
}

/* The counters of gone accounts are in totals alone. Here one account gets
 * them, and ends. */
static int save_rest(const struct save *s)
{
	int64_t from[LAYOUT_MAX_COLUMNS], to[LAYOUT_MAX_COLUMNS];
	struct tally_account account;
	struct tally_view *saved;
	bool some = false;
	int err = tally_account_declare(s->to, GONE_KEY, &account);

	/* An account of that name gets them, and stays. */
	if (err == -EEXIST)
		err = tally_account_find(s->to, GONE_KEY, &account);
	else
		some = true;
	if (!err)
		err = tally_view_open(s->ledger, &saved);
	if (err)
		return err;
	for (unsigned int n = 0; !err && n < s->nr_local; n++) {
		int node = tally_view_node(s->view, n);

		err = tally_view_totals(s->view, node, from);
		if (!err)
			err = tally_view_totals(saved, node, to);
		for (unsigned int i = 0; !err && i < s->nr_resources; i++)
			from[i] = tally_view_resource(s->view, i)->kind ==
						  TALLY_COUNTER
					  ? (int64_t)((uint64_t)from[i] -
						      (uint64_t)to[i])
					  : 0;
		if (!err)
			err = charge(s, account, node, from);
	}
	tally_view_close(saved);
	return err || !some ? err : tally_account_end(s->to, account);
}

static int save_resources(const struct save *s)
{
	int column = (int)s->ledger->layout->plan->resources.count, err = 0;

	for (; err >= 0 && column < (int)s->nr_resources; column++)
		err = tally_ledger_declare(
			s->ledger,
			tally_view_resource(s->view, (unsigned int)column),
			NULL, 0);
	return err < 0 ? err : 0;
}

static int save_all(const struct save *s)
{
	int err = save_resources(s);

	if (!err)
		err = each_account(s, save_account);
	if (!err)
		err = each_account(s, save_parent);
	if (!err)
		err = save_rest(s);
	if (!err)
		err = each_account(s, save_lifecycle);
	if (!err)
		err = each_account(s, save_quotas);
	if (!err)
		err = save_capacities(s);
	return err ? err : each_account(s, save_end);
}

static bool is_same_file(const struct layout *l, const char *path)
{
	struct stat mine, its;

	return !fstat(l->file->fd, &mine) && !lstat(path, &its) &&
	       mine.st_dev == its.st_dev && mine.st_ino == its.st_ino;
}

/* Whether a process may be writing to the ledger at path. */
static bool is_in_use(const char *path)
{
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reader_info info = {.size = sizeof(info)};
	struct tally_reader *reader;
	uint64_t cursor = 0;
	bool used = false;

	if (tally_reader_open(path, &reader))
		return false;
	if (!tally_reader_describe(reader, &info) && !info.stale)
		while (!used &&
		       !tally_reader_writer_next(reader, &cursor, &writer))
			used = writer.alive != 0;
	tally_reader_close(reader);
	return used;
}

/* Claim what is to be replaced: a descriptor, or -1 if no file is at path. */
static int claim(const struct tally_view *view, const char *path, int *fd)
{
	int got = is_same_file(view_layout(view), path) ? -EBUSY
							: ledger_claim(path);

	if (got >= 0 && is_in_use(path)) {
		close(got);
		got = -EBUSY;
	}
	*fd = got < 0 ? -1 : got;
	if (got == -EBADMSG)
		return -EEXIST;
	return got < 0 && got != -ENOENT ? got : 0;
}

/* Give the complete file its name. */
static int put_in_place(const struct tally_view *view, const char *beside,
			const char *path)
{
	int fd, err = claim(view, path, &fd);

	if (err)
		return err;
	if (fd >= 0) {
		err = rename(beside, path) ? -errno : 0;
		close(fd);
		return err;
	}
	err = renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE)
		      ? -errno
		      : 0;
	/* The file system may not know the flag. */
	if (err == -EINVAL || err == -ENOSYS)
		err = rename(beside, path) ? -errno : 0;
	return err;
}

static int save_beside(struct save *s, const char *beside, mode_t mode)
{
	int err = ledger_create_alike(beside, mode, view_layout(s->view),
				      &s->ledger);

	if (err)
		return err;
	s->to = tally_ledger_accounts(s->ledger);
	err = save_all(s);
	if (!err && fsync(s->ledger->layout->file->fd))
		err = -errno;
	tally_ledger_close(s->ledger);
	if (err)
		unlink(beside);
	return err;
}

int tally_reader_save(const struct tally_view *view, const char *path,
		      mode_t mode)
{
	UNCANCELLED;
	struct save s = {
		.view = view,
		.from = tally_view_accounts(view),
		.nr_nodes = tally_view_nr_nodes(view),
		.nr_local = tally_view_nr_local(view),
		.nr_resources = tally_view_nr_resources(view),
	};
	char *beside = NULL;
	int fd, err;

	/* Refuse before the work is done, too. */
	err = claim(view, path, &fd);
	if (err)
		return err;
	if (fd >= 0)
		close(fd);
	s.key = malloc(tally_account_key_bytes(s.from));
	s.nodes = calloc(s.nr_local + (size_t)s.nr_nodes, sizeof(*s.nodes));
	if (!s.key || !s.nodes ||
	    asprintf(&beside, "%s.%ld.tmp", path, (long)getpid()) < 0) {
		free(s.key);
		free(s.nodes);
		return -ENOMEM;
	}
	for (unsigned int n = 0; n < s.nr_local; n++)
		s.nodes[n] = tally_view_node(view, n);
	err = save_beside(&s, beside, mode);
	if (!err) {
		err = put_in_place(view, beside, path);
		if (err)
			unlink(beside);
	}
	free(beside);
	free(s.key);
	free(s.nodes);
	return err;
}
