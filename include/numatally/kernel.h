/* SPDX-License-Identifier: MIT */
/*
 * kernel: what Linux already counts per node, process and cgroup.
 */
#ifndef NUMATALLY_KERNEL_H
#define NUMATALLY_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/export.h>
#include <numatally/topo.h>

TALLY_BEGIN

/* ---- events of a command and its descendants, per node -------------------- */

/* ---- processes ------------------------------------------------------------ */

/* ---- memory of processes, per node ---------------------------------------- */

TALLY_END

#endif
