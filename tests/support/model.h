/* SPDX-License-Identifier: MIT */
/*
 * What a ledger should say: accounts, amounts and limits in plain arrays, changed
 * by the calls that change a ledger. Each returns what the library should return.
 */
#ifndef TEST_SUPPORT_MODEL_H
#define TEST_SUPPORT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <numatally/limit.h>

#define MODEL_NODES 3
#define MODEL_KEYS  14

/* A counter, a gauge, and what is reserved. */
enum { EVENTS, LEVEL, MEMORY, MODEL_RESOURCES };

extern const char *const model_keys[MODEL_KEYS];

struct model_account {
	int phase; /* enum tally_phase; 0: there is none */
	uint32_t pins;
	int owner; /* -1: none */
	int64_t amounts[MODEL_NODES][2];
	/* Of its reservation: */
	int state;  /* enum tally_reservation_state; 0: there is none */
	int parent; /* whose it is drawn from: key + 1; 0: it is not */
	int64_t held[MODEL_NODES];
	/* By credits: */
	int64_t taken[MODEL_NODES];
	/* Of its quota: */
	bool had_quota;
	int64_t quota, peak;
	uint64_t nr_refused;
};

struct model_node {
	int64_t gone_events; /* of accounts that are gone */
	int64_t capacity, peak;
	uint64_t nr_refused;
};

struct model {
	struct model_account accounts[MODEL_KEYS];
	struct model_node nodes[MODEL_NODES];
	bool ever_took; /* then peaks include what was idle */
};

/* Of the resource MEMORY. */
struct model_demand {
	int node; /* its index */
	int64_t amount;
};

void model_init(struct model *m);

int model_open(struct model *m, int key, int phase);
int model_ready(struct model *m, int key);
int model_charge(struct model *m, int key, int node, int64_t events,
		 int64_t level);
int model_pin(struct model *m, int key, unsigned int pin);
int model_unpin(struct model *m, int key, unsigned int pin);
int model_set_owner(struct model *m, int key, int owner);
int model_end(struct model *m, int key);

int model_reserve(struct model *m, int key, const struct model_demand *demands,
		  int nr);
int model_draw(struct model *m, int key, int parent,
	       const struct model_demand *demands, int nr);
int model_change(struct model *m, int key, const struct model_demand *demands,
		 int nr);
int model_commit(struct model *m, int key);
int model_cancel(struct model *m, int key);
/* nr 0: all. */
int model_release(struct model *m, int key, const struct model_demand *demands,
		  int nr);
int model_take(struct model *m, int key, int node, int64_t amount);
int model_give(struct model *m, int key, int node, int64_t amount);
int model_set_quota(struct model *m, int key, int64_t quota);

/* What counts in an account's quota, and in a node's capacity. */
int64_t model_held_of(const struct model *m, int key);
int64_t model_held_on(const struct model *m, int node);
/* What the children of the account's reservation have. */
int64_t model_drawn_on(const struct model *m, int key, int node);
/* What the account may still reserve on the node. */
int64_t model_free(const struct model *m, int key, int node);

#endif
