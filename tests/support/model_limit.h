/* SPDX-License-Identifier: MIT */
/* What the files of the model share. */
#ifndef TEST_SUPPORT_MODEL_LIMIT_H
#define TEST_SUPPORT_MODEL_LIMIT_H

#include "support/model.h"

/* Why an account gets no more, or 0. */
int model_error_of(const struct model_account *a);

/* Finish an account if nothing holds it, and then its owner. */
void model_finish(struct model *m, int key);

int64_t model_taken_of(const struct model_account *a);

#endif
