// SPDX-License-Identifier: MIT
#include "support/test.h"

#include "support/model.h"
#include "support/model_limit.h"

const char *const model_keys[MODEL_KEYS] = {
	"a",   "b",	 "gone",    "t/", "t/x",   "t/y/", "t/y/z",
	"t/w", "t/y/v/", "t/y/v/u", "t",  "team/", "c/d",  "t/y",
};

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	for (int n = 0; n < MODEL_NODES; n++)
		m->nodes[n].capacity = TALLY_LIMIT_NONE;
}

int model_open(struct model *m, int key, int phase)
{
	struct model_account *a = &m->accounts[key];

	if (a->phase)
		return phase == TALLY_PHASE_PENDING ? -EEXIST : 0;
	*a = (struct model_account){
		.phase = phase, .owner = -1, .quota = TALLY_LIMIT_NONE};
	return 0;
}

int model_error_of(const struct model_account *a)
{
	return !a->phase			     ? -ESTALE
	       : a->phase == TALLY_PHASE_TERMINATING ? -ESHUTDOWN
						     : 0;
}

int model_ready(struct model *m, int key)
{
	int err = model_error_of(&m->accounts[key]);

	if (!err)
		m->accounts[key].phase = TALLY_PHASE_READY;
	return err;
}

int model_charge(struct model *m, int key, int node, int64_t events,
		 int64_t level)
{
	struct model_account *a = &m->accounts[key];

	if (!a->phase)
		return -ESTALE;
	a->amounts[node][EVENTS] += events;
	a->amounts[node][LEVEL] += level;
	return 0;
}

static bool owns_any(const struct model *m, int key)
{
	for (int k = 0; k < MODEL_KEYS; k++)
		if (m->accounts[k].phase && m->accounts[k].owner == key)
			return true;
	return false;
}

void model_finish(struct model *m, int key)
{
	struct model_account *a = &m->accounts[key];
	int owner = a->owner;

	if (a->phase != TALLY_PHASE_TERMINATING || a->pins || a->state ||
	    model_taken_of(a) || owns_any(m, key))
		return;
	a->phase = 0;
	for (int n = 0; n < MODEL_NODES; n++)
		m->nodes[n].gone_events += a->amounts[n][EVENTS];
	if (owner >= 0)
		model_finish(m, owner);
}

int model_pin(struct model *m, int key, unsigned int pin)
{
	struct model_account *a = &m->accounts[key];
	int err = a->pins >> pin & 1 && a->phase ? 0 : model_error_of(a);

	if (!err)
		a->pins |= 1u << pin;
	return err;
}

int model_unpin(struct model *m, int key, unsigned int pin)
{
	struct model_account *a = &m->accounts[key];

	if (!a->phase)
		return -ESTALE;
	a->pins &= ~(1u << pin);
	model_finish(m, key);
	return 0;
}

int model_set_owner(struct model *m, int key, int owner)
{
	struct model_account *a = &m->accounts[key];
	int err;

	if (!a->phase || !m->accounts[owner].phase)
		return -ESTALE;
	if (a->owner >= 0)
		return a->owner == owner ? 0 : -EEXIST;
	for (int k = owner; k >= 0; k = m->accounts[k].owner)
		if (k == key)
			return -ELOOP;
	err = model_error_of(a);
	if (!err)
		err = model_error_of(&m->accounts[owner]);
	if (!err)
		a->owner = owner;
	return err;
}

static void start_end(struct model *m, int key)
{
	m->accounts[key].phase = TALLY_PHASE_TERMINATING;
	for (int k = 0; k < MODEL_KEYS; k++)
		if (m->accounts[k].phase && m->accounts[k].owner == key)
			start_end(m, k);
}

int model_end(struct model *m, int key)
{
	if (!m->accounts[key].phase)
		return -ESTALE;
	start_end(m, key);
	for (int k = 0; k < MODEL_KEYS; k++)
		model_finish(m, k);
	return 0;
}
