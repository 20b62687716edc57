// SPDX-License-Identifier: MIT
#include "config.h"

#include <stdlib.h>

#include <numatally/slice_ref.h>

#include "base/uncancelled.h"
#include "slice/internal.h"

#define RETIRED_MAX 64

/* The exported copies of the header's inline functions. */
extern inline void tally_slice_read_lock(void);
extern inline void tally_slice_read_unlock(void);
extern inline const struct tally_slice *
tally_slice_ref_get(const struct tally_slice_ref *ref);

struct tally_slice_version {
	struct tally_slice slice; /* first: readers have its address */
	struct tally_slice_version *next;
	void (*retire)(void *arg);
	void *arg;
};

static struct tally_slice_version *make_version(const struct tally_slice *slice)
{
	struct tally_slice_version *v = malloc(sizeof(*v));

	if (tally_slice_may_check())
		slice_check_words(slice, 0);
	if (v)
		*v = (struct tally_slice_version){.slice = *slice};
	return v;
}

static void put_away(struct tally_slice_ref *ref,
		     const struct tally_slice *slice, void (*retire)(void *arg),
		     void *arg)
{
	struct tally_slice_version *v = (struct tally_slice_version *)slice;

	v->retire = retire;
	v->arg = arg;
	v->next = ref->retired;
	ref->retired = v;
	ref->nr_retired++;
}

int tally_slice_ref_init(const struct tally_slice *first,
			 struct tally_slice_ref *ref)
{
	struct tally_slice_version *v = make_version(first);

	if (!v)
		return -ENOMEM;
	ref->retired = NULL;
	ref->nr_retired = 0;
	__atomic_store_n(&ref->current, &v->slice, TALLY_SLICE_PUBLISH);
	return 0;
}

int tally_slice_ref_publish(struct tally_slice_ref *ref,
			    const struct tally_slice *next,
			    void (*retire)(void *arg), void *arg)
{
	const struct tally_slice *old = ref->current;
	struct tally_slice_version *v = make_version(next);

	if (!v)
		return -ENOMEM;
	__atomic_store_n(&ref->current, &v->slice, TALLY_SLICE_PUBLISH);
	put_away(ref, old, retire, arg);
	if (ref->nr_retired >= RETIRED_MAX)
		tally_slice_ref_reclaim(ref);
	return 0;
}

void tally_slice_ref_reclaim(struct tally_slice_ref *ref)
{
	UNCANCELLED;
	struct tally_slice_version *oldest = NULL;

	if (!ref->retired)
		return;
	urcu_bp_synchronize_rcu();
#ifdef TALLY_TSAN
	__tsan_acquire(&tally_slice_checks);
#endif
	while (ref->retired) {
		struct tally_slice_version *v = ref->retired;

		ref->retired = v->next;
		v->next = oldest;
		oldest = v;
	}
	ref->nr_retired = 0;
	while (oldest) {
		struct tally_slice_version *v = oldest;

		oldest = v->next;
		if (v->retire)
			v->retire(v->arg);
		free(v);
	}
}

void tally_slice_ref_destroy(struct tally_slice_ref *ref)
{
	if (!ref || !ref->current)
		return;
	put_away(ref, ref->current, NULL, NULL);
	__atomic_store_n(&ref->current, NULL, __ATOMIC_RELAXED);
	tally_slice_ref_reclaim(ref);
}
