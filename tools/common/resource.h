/* SPDX-License-Identifier: MIT */
/* The names of resources. */
#ifndef TOOL_COMMON_RESOURCE_H
#define TOOL_COMMON_RESOURCE_H

#include <stddef.h>

#include <numatally/ledger.h>

/* The bytes of a resource's name without its unit, which names may end with:
 * "cpu_ns". */
size_t resource_name_bytes(const struct tally_resource *resource);

#endif
