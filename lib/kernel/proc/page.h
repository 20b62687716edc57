/* SPDX-License-Identifier: MIT */
/* The page size of a machine, which may be a captured one. */
#ifndef KERNEL_PROC_PAGE_H
#define KERNEL_PROC_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "topo/sysfs.h"

/* The bytes of a page; 0: the tree, which is a captured one unless live, does not
 * tell. */
int64_t kernel_page_bytes(struct topo_tree *tree, bool live);

/* The same of the tree below root; NULL: this machine. */
int64_t kernel_page_bytes_of(const char *root);

#endif
