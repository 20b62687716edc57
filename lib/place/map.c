// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "place/map.h"

struct place_pair {
	uint64_t key;
	uint32_t index; /* + 1; 0: the place is free */
};

#define LEAST 16u /* places */

static uint32_t home_of(const struct place_map *map, uint64_t key)
{
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & map->mask;
}

/* The key's place, or the free one where it would be. */
static uint32_t find(const struct place_map *map, uint64_t key)
{
	uint32_t at = home_of(map, key);

	while (map->pairs[at].index && map->pairs[at].key != key)
		at = (at + 1) & map->mask;
	return at;
}

int place_map_reserve(struct place_map *map)
{
	struct place_map larger = {.mask = LEAST - 1};

	if (map->pairs && map->nr < map->mask / 2)
		return 0;
	if (map->pairs)
		larger.mask = 2 * map->mask + 1;
	larger.pairs = calloc((size_t)larger.mask + 1, sizeof(*larger.pairs));
	if (!larger.pairs)
		return -ENOMEM;
	for (uint32_t i = 0; map->pairs && i <= map->mask; i++)
		if (map->pairs[i].index)
			place_map_put(&larger, map->pairs[i].key,
				      map->pairs[i].index - 1);
	free(map->pairs);
	*map = larger;
	return 0;
}

uint32_t place_map_get(const struct place_map *map, uint64_t key)
{
	return map->pairs ? map->pairs[find(map, key)].index - 1 : PLACE_NONE;
}

void place_map_put(struct place_map *map, uint64_t key, uint32_t index)
{
	map->pairs[find(map, key)] = (struct place_pair){key, index + 1};
	map->nr++;
}

/* What lies behind and would not be found any more moves up. */
void place_map_remove(struct place_map *map, uint64_t key)
{
	uint32_t hole = find(map, key), at = hole;

	while (map->pairs[at = (at + 1) & map->mask].index) {
		uint32_t home = home_of(map, map->pairs[at].key);

		if (((at - home) & map->mask) < ((at - hole) & map->mask))
			continue;
		map->pairs[hole] = map->pairs[at];
		hole = at;
	}
	map->pairs[hole].index = 0;
	map->nr--;
}

void place_map_clear(struct place_map *map)
{
	free(map->pairs);
	*map = (struct place_map){0};
}
