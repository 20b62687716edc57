// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <string.h>

#include "file/column.h"

static struct layout_spare *spare_at(const struct layout *l, uint32_t column)
{
	return (struct layout_spare *)(l->origin + l->plan->spares.offset) +
	       (column - l->plan->resources.count);
}

uint32_t column_declared_kind(const struct layout *l, uint32_t column)
{
	return column < column_nr(l)
		       ? __atomic_load_n(&spare_at(l, column)->resource.kind,
					 __ATOMIC_RELAXED)
		       : 0;
}

static uint64_t check_of(const struct layout_resource *r)
{
	return layout_hash(r, sizeof(*r));
}

int column_read(const struct layout *l, uint32_t column,
		struct layout_resource *resource)
{
	struct layout_spare got;

	if (column < l->plan->resources.count) {
		*resource = l->resources[column];
		return 0;
	}
	if (column >= column_nr(l))
		return layout_is_whole(l) ? -ENOENT : -EBADMSG;
	memcpy(&got, spare_at(l, column), sizeof(got));
	if (got.check != check_of(&got.resource) ||
	    !layout_resource_valid(&got.resource))
		return -EBADMSG;
	*resource = got.resource;
	return 0;
}

int column_find(const struct layout *l, const char *name,
		struct layout_resource *resource)
{
	for (uint32_t i = 0;; i++) {
		struct layout_resource got;
		int err = column_read(l, i, &got);

		if (err)
			return err;
		if (strcmp(got.name, name) != 0)
			continue;
		if (resource)
			*resource = got;
		return (int)i;
	}
}

void column_describe(struct layout *l, uint32_t column,
		     const struct layout_resource *resource)
{
	struct layout_spare *spare = spare_at(l, column);

	memcpy(&spare->resource, resource, sizeof(*resource));
	spare->check = check_of(resource);
}

void column_declare(struct layout *l)
{
	uint64_t *nr = &layout_limits(l)->nr_declared;
	uint64_t old = __atomic_load_n(nr, __ATOMIC_RELAXED);

	if (old & 1)
		__atomic_store_n(nr, old + 1, __ATOMIC_RELEASE);
}
