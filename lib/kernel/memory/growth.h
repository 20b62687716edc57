/* SPDX-License-Identifier: MIT */
/* How much memory a page fault can add at most, and what comes without one. */
#ifndef KERNEL_MEMORY_GROWTH_H
#define KERNEL_MEMORY_GROWTH_H

#include <stdint.h>

/* What one fault maps at most, but for a huge page of the page middle
 * directory: the kernel maps 64 KiB of a file around it, and anonymous and
 * shared pages of other sizes where an administrator enabled these. And what one
 * maps that adds to anonymous memory. */
int64_t growth_fault_bytes(void);
int64_t growth_anonymous_bytes(void);

/* The bytes of a transparent huge page; and how many of them this machine has
 * given out so far, to whatever process; below 0: not known. */
int64_t growth_huge_page_bytes(void);
int64_t growth_huge_pages(int proc);

/* The bytes of pages in pools of hugetlbfs that are free, or may come. */
int64_t growth_pool_bytes(void);

#endif
