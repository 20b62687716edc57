// SPDX-License-Identifier: MIT
/* Candidates are added, and room is made, while each allocation fails once: what
 * fails changes nothing. */
#include "place/scene.h"

#include "support/fault.h"

/* All is done anew, and undone. */
static int work(void *arg)
{
	struct scene *s = arg;
	const struct tally_demand demand = {0, 0, 1};
	struct tally_candidate batch[40];
	struct tally_candidates *c;
	int err = tally_place_candidates_create(&s->columns.place, &c);

	if (err)
		return err;
	for (uint32_t i = 0; i < 40; i++) {
		batch[i] = has(i, (int32_t)i % 7);
		batch[i].group = i % 3;
		batch[i].demands = &demand;
		batch[i].nr_demands = 1;
	}
	for (uint32_t i = 0; !err && i < 40; i += 20)
		err = tally_place_candidates_add(c, batch + i, 20);
	if (!err)
		err = tally_place_make_room(c, &s->request, 0, &s->eviction,
					    &s->room, &s->fit);
	fault_over();
	/* What failed is not there, or is there whole. */
	for (uint32_t i = 0; err == -ENOMEM && i < 40; i += 20) {
		int again = tally_place_candidates_add(c, batch + i, 20);

		if (again && again != -EEXIST)
			err = 1;
	}
	if (err == -ENOMEM &&
	    tally_place_make_room(c, &s->request, 0, &s->eviction, &s->room,
				  &s->fit))
		err = 1;
	tally_place_candidates_destroy(c);
	return err;
}

static void no_memory_changes_nothing(void **state)
{
	struct scene *s = one_machine(state);
	const struct tally_amount one = {0, 1};
	const struct tally_place_part parts[] = {{&one, 1}, {&one, 1}};

	fill(s, 0);
	fill(s, 1);
	s->request.parts = parts;
	s->request.nr_parts = 2;
	s->room.max_victims = 40;
	s->room.victims = calloc(40, sizeof(*s->room.victims));
	assert_non_null(s->room.victims);
	fault_each_allocation(work, s);
	free(s->room.victims);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(no_memory_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
