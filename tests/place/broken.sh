#!/bin/sh
# SPDX-License-Identifier: MIT
# Breaks making room on purpose, as tests/support/broken.sh does.
set -u
. "${srcdir:-.}/tests/support/tap.sh"
. "${srcdir:-.}/tests/support/broken.sh"

broken_builds "place/room place/freed" <<'EOF_LIST'
whole|place/test_room place/test_room_choice place/test_room_model place/test_candidates||
what is brought back stays out|place/test_room place/test_room_model|place/room|s/change(r, home, run, -1);/(void)home;/
the least important come back first|place/test_room place/test_room_model|place/room|/^static int bring_all_back/,/^}/s/&r->runs\[i\]/\&r->runs[r->nr_runs - 1 - i]/
equal priorities are evicted|place/test_room place/test_room_model|place/room|s/first_below(home, r->eviction.priority, INT64_MAX)/first_below(home, r->eviction.priority + 1, INT64_MAX)/
budgets come second|place/test_room_choice place/test_room_model|place/room|s/if (a->nr_over != b->nr_over)/if (0)/
sums are of plain priorities|place/test_room_choice|place/room|s/INT32_MIN);/0);/
the earliest start is taken|place/test_room_choice place/test_room_model|place/room|s/cost.start_ns > r->best.start_ns/cost.start_ns < r->best.start_ns/
the bound leaves out one too many|place/test_room_model|place/room|s/r->best.nr > 1$/0/
the bound keeps what may be a victim where more free may be worse|place/test_room|place/room|s/budgeted || !r->freed.monotone/budgeted/
the bound holds where more free may be worse|place/test_room|place/room|s/place_freed_might_fit(&r->freed)/!place_freed_fits(\&r->freed)/
parts that fit alone fit together|place/test_room|place/room|s/return err || r->freed.monotone ? err : .*/return err;/
parts may lie on each other|place/test_room place/test_room_model|place/freed|s/f->used\[row\]\[n\] += part->of\[row\];/;/
a budget is spent by those that are spared|place/test_room_model|place/room|/^static int spare/,/^}/s/if (!r->runs\[run\].spared)/if (1)/
what comes back later does not|place/test_room|place/room|s/bool again = .*;/bool again = false;/
a group leaves in part|place/test_room place/test_room_model|place/room|s/e\[end\].unit == e\[i\].unit/0/
what is taken is not looked at|place/test_room_model|place/freed|s/f->has\[row\]\[n\] < f->used\[row\]\[n\]/0/
a machine's way is the request's|place/test_room_model|place/freed|s/f->here = PLACE_NODE;/f->here = f->way = PLACE_NODE;/
nodes that are refused have room|place/test_room_model|place/freed.h|s/!(freed->fitting.machine.kept >> n & 1)/0/
a kept member keeps itself alone|place/test_room place/test_room_model|place/candidates|s/u.kept |= its->kept;/u.kept = its->kept;/
a group is as important as its last member|place/test_room_model|place/candidates|s/if (place_rank_order(&its->rank, &u.rank) < 0)/if (0)/
holdings stay when their candidate leaves|place/test_candidates|place/candidates|s/^	give_back(c, its, its->nr);//
amounts behind are not told|place/test_candidates place/test_room_model|place/homes|s/home->entries\[i\].from -= nr;/;/
what moves up is lost|place/test_candidates|place/map|s/map->pairs\[hole\] = map->pairs\[at\];/continue;/
EOF_LIST
