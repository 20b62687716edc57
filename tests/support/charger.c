// SPDX-License-Identifier: MIT
/*
 * Makes a ledger and charges to it.
 *
 *	charger [-r ROOT] [-n MAX] LEDGER RESOURCE:UNIT:KIND...
 *
 * The ledger is made over the machine captured below ROOT, or over this one,
 * for MAX accounts, and left. A KIND is counter or gauge. Each line of stdin,
 * "NODE RESOURCE AMOUNT KEY", is charged as it comes; the first of them prints
 * "ready". "declare KEY" declares an account, "end KEY" ends it except for a pin,
 * "drop KEY" removes the pin.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/ledger.h>
#include <numatally/topo.h>

#define MAX_RESOURCES 16

static int die(const char *what, int err)
{
	fprintf(stderr, "charger: %s: %s\n", what, strerror(-err));
	return 1;
}

static int parse_resource(char *text, struct tally_resource *resource)
{
	char *unit = strchr(text, ':');
	char *kind = unit ? strchr(unit + 1, ':') : NULL;

	if (!kind)
		return -EINVAL;
	*unit++ = '\0';
	*kind++ = '\0';
	resource->name = text;
	resource->unit = unit;
	resource->kind = !strcmp(kind, "gauge") ? TALLY_GAUGE : TALLY_COUNTER;
	return 0;
}

/* 1: an unknown command. */
static int change_lifecycle(struct tally_accounts *accounts, char *line)
{
	char *key = strchr(line, ' ');
	struct tally_account a;
	int err;

	if (!key)
		return 1;
	*key++ = '\0';
	if (!strcmp(line, "declare"))
		return tally_account_declare(accounts, key, &a);
	if (strcmp(line, "end") && strcmp(line, "drop")) {
		key[-1] = ' ';
		return 1;
	}
	err = tally_account_find(accounts, key, &a);
	if (err)
		return err;
	if (!strcmp(line, "drop"))
		return tally_account_unpin(accounts, a, 0);
	err = tally_account_pin(accounts, a, 0);
	return err ? err : tally_account_end(accounts, a);
}

static int charge_line(struct tally_ledger *ledger, char *line)
{
	struct tally_account account;
	struct tally_amount amount;
	int node, key_at, err;
	char name[32];

	line[strcspn(line, "\n")] = '\0';
	err = change_lifecycle(tally_ledger_accounts(ledger), line);
	if (err <= 0)
		return err;
	if (sscanf(line, "%d %31s %" SCNd64 " %n", &node, name, &amount.amount,
		   &key_at) != 3)
		return -EINVAL;
	err = tally_ledger_resource(ledger, name);
	if (err < 0)
		return err;
	amount.resource = (unsigned int)err;
	err = tally_account_open(tally_ledger_accounts(ledger), line + key_at,
				 &account);
	if (err)
		return err;
	return tally_ledger_charge(ledger, account, node, &amount, 1);
}

static int charge(struct tally_ledger *ledger)
{
	char line[8192];
	int nr = 0;

	while (fgets(line, sizeof(line), stdin)) {
		int err = charge_line(ledger, line);

		if (err)
			return die(line, err);
		if (!nr++ && (puts("ready") < 0 || fflush(stdout)))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct tally_ledger_options options = {.size = sizeof(options)};
	struct tally_resource resources[MAX_RESOURCES];
	unsigned int nr = 0;
	struct tally_ledger *ledger;
	struct tally_topo *topo;
	const char *root = NULL;
	char path[4096];
	int c, err;

	while ((c = getopt(argc, argv, "r:n:")) != -1) {
		if (c == 'r')
			root = optarg;
		else if (c == 'n')
			options.max_accounts = (uint32_t)atol(optarg);
		else
			return 2;
	}
	if (optind + 2 > argc || argc - optind - 1 > MAX_RESOURCES)
		return 2;
	for (int i = optind + 1; i < argc; i++)
		if (parse_resource(argv[i], &resources[nr++]))
			return 2;
	err = tally_ledger_path(argv[optind], path, sizeof(path));
	if (!err && !strchr(argv[optind], '/'))
		err = tally_ledger_make_dir();
	if (!err)
		err = tally_topo_open(root, &topo);
	if (!err)
		err = tally_ledger_create(path, topo, resources, nr, &options,
					  &ledger);
	if (err)
		return die(path, err);
	err = charge(ledger);
	tally_ledger_close(ledger);
	tally_topo_close(topo);
	return err;
}
