/* SPDX-License-Identifier: MIT */
/*
 * map: keys to indices, by hash. A key lies where its hash says, or in the next
 * free places behind.
 */
#ifndef PLACE_MAP_H
#define PLACE_MAP_H

#include <stdint.h>

#define PLACE_NONE UINT32_MAX

struct place_map {
	struct place_pair *pairs; /* 2^n of them; NULL: none yet */
	uint32_t mask;		  /* 2^n - 1 */
	uint32_t nr;
};

/* Make room for one key more. -ENOMEM */
int place_map_reserve(struct place_map *map);

/* Return the key's index; PLACE_NONE: there is no such key. */
uint32_t place_map_get(const struct place_map *map, uint64_t key);

/* Put in a key that is not there. There must be room. */
void place_map_put(struct place_map *map, uint64_t key, uint32_t index);

/* Remove a key that is there. */
void place_map_remove(struct place_map *map, uint64_t key);

void place_map_clear(struct place_map *map);

#endif
