// SPDX-License-Identifier: MIT
#include "config.h"

#include <string.h>

#include "common/resource.h"

size_t resource_name_bytes(const struct tally_resource *r)
{
	size_t unit = strlen(r->unit), bytes = strlen(r->name);

	if (unit && bytes > unit + 1 && r->name[bytes - unit - 1] == '_' &&
	    !strcmp(r->name + bytes - unit, r->unit))
		bytes -= unit + 1;
	return bytes;
}
