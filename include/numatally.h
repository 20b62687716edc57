/* SPDX-License-Identifier: MIT */
/*
 * numatally: includes the whole library but numatally/slice_ref.h, which needs
 * liburcu. Each header under numatally/ can be included alone as well.
 */
#ifndef NUMATALLY_H
#define NUMATALLY_H

#include <numatally/account.h>
#include <numatally/error.h>
#include <numatally/export.h>
#include <numatally/kernel_events.h>
#include <numatally/kernel_group.h>
#include <numatally/kernel_memory.h>
#include <numatally/kernel_node.h>
#include <numatally/kernel_process.h>
#include <numatally/kernel_tree.h>
#include <numatally/ledger.h>
#include <numatally/ledger_inline.h>
#include <numatally/limit.h>
#include <numatally/limit_claim.h>
#include <numatally/limit_inline.h>
#include <numatally/place.h>
#include <numatally/place_room.h>
#include <numatally/queue.h>
#include <numatally/reader.h>
#include <numatally/region.h>
#include <numatally/registry.h>
#include <numatally/slice.h>
#include <numatally/topo.h>
#include <numatally/version.h>
#include <numatally/view.h>
#include <numatally/watch.h>

#endif
