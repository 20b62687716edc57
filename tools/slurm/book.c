// SPDX-License-Identifier: MIT
#include "config.h"

#include "slurm/book.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numatally/view.h>

#include "slurm/demand.h"

static const struct tally_resource resources[BOOK_NR] = {
	[BOOK_CORES] = {"cores", "cores", TALLY_RESERVABLE},
	[BOOK_MEMORY] = {"memory_bytes", "bytes", TALLY_RESERVABLE},
	[BOOK_CPU] = {"cpu_ns", "ns", TALLY_COUNTER},
	[BOOK_CPU_SAMPLED] = {"cpu_sampled_ns", "ns", TALLY_COUNTER},
	[BOOK_ANONYMOUS] = {"anonymous_bytes", "bytes", TALLY_GAUGE},
	[BOOK_FILE] = {"file_bytes", "bytes", TALLY_GAUGE},
	[BOOK_SHARED] = {"shared_bytes", "bytes", TALLY_GAUGE},
	[BOOK_HUGE] = {"huge_bytes", "bytes", TALLY_GAUGE},
	[BOOK_PEAK] = {"memory_peak_bytes", "bytes", TALLY_GAUGE},
};

/* What a node can give: all of its cores and memory. */
static int capacities(const struct book *b, struct tally_capacity **all)
{
	unsigned int nr = tally_topo_nr_nodes(b->topo);
	struct tally_capacity *c =
		calloc((size_t)nr * BOOK_NR_RESERVED, sizeof(*c));

	if (!c)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr; i++) {
		const struct tally_node *node = tally_topo_node(b->topo, i);

		c[i * BOOK_NR_RESERVED + BOOK_CORES] =
			(struct tally_capacity){node->id, BOOK_CORES, 0};
		c[i * BOOK_NR_RESERVED + BOOK_MEMORY] = (struct tally_capacity){
			node->id, BOOK_MEMORY,
			node->memory_bytes < 0 ? TALLY_LIMIT_NONE
					       : node->memory_bytes};
	}
	for (unsigned int i = 0; i < b->cores.nr; i++)
		c[b->cores.core[i].index * BOOK_NR_RESERVED + BOOK_CORES]
			.capacity++;
	*all = c;
	return 0;
}

static int open_ledger(struct book *b, const char *name)
{
	struct tally_ledger_options options = {
		.size = sizeof(options), .mode = 0644, .few_adds = 1};
	struct tally_capacity *all = NULL;
	char path[PATH_MAX];
	int err;

	err = tally_ledger_path(name, path, sizeof(path));
	if (!err && !strchr(name, '/'))
		err = tally_ledger_make_dir();
	if (!err)
		err = capacities(b, &all);
	if (err)
		return err;
	options.capacities = all;
	options.nr_capacities = tally_topo_nr_nodes(b->topo) * BOOK_NR_RESERVED;
	err = tally_ledger_open_or_create(path, b->topo, resources, BOOK_NR,
					  &options, &b->ledger, NULL);
	free(all);
	return err;
}

int book_open(struct book *b, const char *name, const char *root)
{
	int err;

	*b = (struct book){0};
	err = tally_topo_open_plain(root, &b->topo);
	if (!err)
		err = cores_read(&b->cores, root, b->topo);
	if (!err)
		err = open_ledger(b, name);
	if (err)
		book_close(b);
	return err;
}

int book_renew(struct book *b, const char *name, const char *root)
{
	char path[PATH_MAX];
	int err = book_open(b, name, root);

	if (err != -EEXIST)
		return err;
	err = tally_ledger_path(name, path, sizeof(path));
	if (!err)
		err = tally_ledger_remove(path, TALLY_REMOVE_ACCOUNTS |
							TALLY_REMOVE_IN_USE);
	return err ? err : book_open(b, name, root);
}

void book_close(struct book *b)
{
	tally_ledger_close(b->ledger);
	if (b->topo)
		tally_topo_close(b->topo);
	free(b->cores.core);
	*b = (struct book){0};
}

/* ---- accounts ------------------------------------------------------------- */

/* As Slurm writes them. */
static void job_key(char *key, size_t bytes, uint32_t job)
{
	snprintf(key, bytes, "%u", job);
}

static void step_key(char *key, size_t bytes, uint32_t job, uint32_t step)
{
	snprintf(key, bytes, "%u.%u", job, step);
}

/* The token of what the account has; -ENOENT: nothing. */
static int find(struct book *b, struct tally_account account,
		struct tally_token *token)
{
	struct tally_reservation r = {.size = sizeof(r)};
	struct tally_view *view;
	int err = tally_view_open(b->ledger, &view);

	if (err)
		return err;
	err = tally_limit_find(view, account, &r);
	if (!err)
		*token = r.token;
	tally_view_close(view);
	return err;
}

/* If this fails, the job's epilog ends the account. */
static void leave(struct book *b, struct tally_account account)
{
	int err = tally_account_end(tally_ledger_accounts(b->ledger), account);

	(void)err;
}

/*
 * Whole or not at all: a request has at most TALLY_LIMIT_MAX_DEMANDS, so a large
 * machine's is granted in parts before it is committed. @parent NULL: of the
 * nodes.
 */
static int take(struct book *b, struct tally_account account,
		const struct tally_token *parent,
		const struct tally_demand *demands, unsigned int nr,
		struct tally_refusal *refusal)
{
	struct tally_request request = {.size = sizeof(request)};
	struct tally_token token = {0};
	int err = 0;

	for (unsigned int i = 0; !err && (i < nr || !i);
	     i += TALLY_LIMIT_MAX_DEMANDS) {
		request.demands = demands + i;
		request.nr_demands = nr - i < TALLY_LIMIT_MAX_DEMANDS
					     ? nr - i
					     : TALLY_LIMIT_MAX_DEMANDS;
		if (i)
			err = tally_limit_change(b->ledger, token, &request,
						 refusal);
		else if (parent)
			err = tally_limit_draw(b->ledger, account, *parent,
					       &request, &token, refusal);
		else
			err = tally_limit_reserve(b->ledger, account, &request,
						  &token, refusal);
	}
	if (!err)
		return tally_limit_commit(b->ledger, token);
	/* With nothing granted there is nothing to cancel. */
	return tally_limit_cancel(b->ledger, token) == -EBADMSG ? -EBADMSG
								: err;
}

/* Release what the account has, with what is drawn from it, and end it. */
static int end(struct book *b, struct tally_account account)
{
	struct tally_token token;
	int err = find(b, account, &token);

	if (!err)
		err = tally_limit_release(b->ledger, token, NULL, 0);
	if (!err || err == -ENOENT || err == -ESTALE)
		err = tally_account_end(tally_ledger_accounts(b->ledger),
					account);
	return err == -ESTALE ? 0 : err;
}

/* The job's account and what is reserved for it. -ENOENT: nothing is. */
static int find_job(struct book *b, uint32_t job, struct parent *parent)
{
	char key[32];
	int err;

	job_key(key, sizeof(key), job);
	err = tally_account_find(tally_ledger_accounts(b->ledger), key,
				 &parent->account);
	if (!err)
		err = find(b, parent->account, &parent->token);
	return err == -ESTALE ? -ENOENT : err;
}

int book_reserve(struct book *b, uint32_t job, const struct grant *grant,
		 struct tally_refusal *refusal)
{
	struct tally_accounts *accounts = tally_ledger_accounts(b->ledger);
	struct tally_account account;
	struct parent has;
	struct demand d;
	unsigned int tries = 10;
	char key[32];
	int err = find_job(b, job, &has);

	if (err != -ENOENT)
		return err;
	err = demand_make(b, grant, NULL, &d);
	job_key(key, sizeof(key), job);
	/* Another step of the job, which was refused, may just end it. */
	if (!err) {
		do {
			err = tally_account_open(accounts, key, &account);
			if (!err)
				err = take(b, account, NULL, d.list, d.nr,
					   refusal);
		} while ((err == -ESTALE || err == -ESHUTDOWN) && --tries);
		if (err == -ENOSPC)
			leave(b, account);
	}
	demand_free(&d);
	return err == -EEXIST ? 0 : err;
}

int book_draw(struct book *b, uint32_t job, uint32_t step,
	      const struct grant *grant)
{
	struct tally_accounts *accounts = tally_ledger_accounts(b->ledger);
	struct grant shared = {grant->cores, 0, grant->wish};
	struct tally_account account;
	struct parent parent;
	char key[32];
	int err = find_job(b, job, &parent);

	step_key(key, sizeof(key), job, step);
	if (!err)
		err = tally_account_open(accounts, key, &account);
	if (err)
		return err;
	for (const struct grant *g = grant;; g = &shared) {
		struct demand d;

		err = demand_make(b, g, &parent, &d);
		if (!err)
			err = take(b, account, &parent.token, d.list, d.nr,
				   NULL);
		demand_free(&d);
		if (err != -ENOSPC || g == &shared)
			break;
	}
	if (err == -EEXIST)
		return 0;
	if (err)
		leave(b, account);
	return err;
}

int book_bind(struct book *b, uint32_t job, const struct grant *grant,
	      cpu_set_t *cpus, size_t bytes)
{
	unsigned int nr = tally_topo_nr_nodes(b->topo), nr_on = 0, nr_given = 0;
	struct parent parent;
	struct demand d = {0};
	int err = find_job(b, job, &parent);

	if (!err)
		err = demand_make(b, grant, &parent, &d);
	CPU_ZERO_S(bytes, cpus);
	for (unsigned int i = 0; !err && i < nr; i++) {
		const struct tally_node *node = tally_topo_node(b->topo, i);

		nr_given += d.cores[i] != 0;
		nr_on += d.on[i];
		for (unsigned int c = 0; d.on[i] && c < node->nr_cpus; c++)
			CPU_SET_S((size_t)node->cpus[c], bytes, cpus);
	}
	demand_free(&d);
	return err ? err : nr_on < nr_given;
}

int book_job(struct book *b, uint32_t job, struct tally_account *account)
{
	char key[32];

	job_key(key, sizeof(key), job);
	return tally_account_open(tally_ledger_accounts(b->ledger), key,
				  account);
}

int book_has(struct book *b, uint32_t job, int64_t (*has)[BOOK_NR])
{
	struct tally_account account;
	struct tally_view *view;
	char key[32];
	int err;

	job_key(key, sizeof(key), job);
	err = tally_account_find(tally_ledger_accounts(b->ledger), key,
				 &account);
	if (!err)
		err = tally_view_open(b->ledger, &view);
	if (err)
		return err;
	for (unsigned int n = 0; !err && n < tally_topo_nr_nodes(b->topo);
	     n++) {
		int node = tally_topo_node(b->topo, n)->id;
		int64_t held[BOOK_NR];

		err = tally_view_account(view, account, node, has[n]);
		if (!err)
			err = tally_limit_holding(view, account, node, held);
		for (unsigned int r = 0; !err && r < BOOK_NR_RESERVED; r++)
			has[n][r] = held[r];
	}
	tally_view_close(view);
	return err == -ESTALE ? -ENOENT : err;
}

int book_next_job(struct book *b, uint64_t *cursor, uint32_t *job)
{
	struct tally_accounts *accounts = tally_ledger_accounts(b->ledger);
	struct tally_account account;
	char key[32], *end;
	int err;

	while (!(err = tally_account_next(accounts, cursor, &account))) {
		unsigned long n;

		if (tally_account_key(accounts, account, key, sizeof(key)))
			continue;
		n = strtoul(key, &end, 10);
		if (end == key || *end || n > UINT32_MAX)
			continue;
		*job = (uint32_t)n;
		break;
	}
	return err;
}

int book_end_step(struct book *b, uint32_t job, uint32_t step)
{
	struct tally_account account;
	char key[32];
	int err;

	step_key(key, sizeof(key), job, step);
	err = tally_account_find(tally_ledger_accounts(b->ledger), key,
				 &account);
	if (err)
		return err == -ENOENT ? 0 : err;
	return end(b, account);
}

int book_end_job(struct book *b, uint32_t job)
{
	struct tally_accounts *accounts = tally_ledger_accounts(b->ledger);
	struct tally_account account;
	uint64_t cursor = 0;
	char own[32], key[32];
	size_t length;
	int err = 0, failed;

	job_key(own, sizeof(own), job);
	length = strlen(own);
	while (!tally_account_next(accounts, &cursor, &account)) {
		if (tally_account_key(accounts, account, key, sizeof(key)) ||
		    strncmp(key, own, length) != 0 ||
		    (key[length] && key[length] != '.'))
			continue;
		failed = end(b, account);
		if (!err)
			err = failed;
	}
	return err;
}
