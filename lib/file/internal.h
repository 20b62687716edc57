/* SPDX-License-Identifier: MIT */
/* What creating a ledger's file and mapping one share. */
#ifndef FILE_INTERNAL_H
#define FILE_INTERNAL_H

#include "file/file.h"

/* ---- header.c ---- */

/* The checksum over what is written once, from the header on. Sets checksum and
 * ready in it to 0. */
uint64_t header_checksum(char *once, size_t bytes);

/* Set what names this file and its creator. */
void header_fill(struct layout_header *header);

/* -EBADMSG, -EPROTO, -EAGAIN (not ready) as tally_reader_open(). */
int header_check(const struct layout_header *header);

/* Set version, byte order and page size to ours. */
void header_set_kind(struct layout_header *header);

/* Whether the file was created before this boot. */
bool header_is_stale(const struct layout_header *header);

/* ---- file.c ---- */

/* Map a file whose header, nodes, lanes and resources are set. */
int file_map(struct layout *layout);

/* Make layout->places, of layout->lanes. -ENOMEM; others as layout_place(). */
int file_place(struct layout *layout, uint64_t *file_bytes);

/* Set up the region of the index-th node, to be bound to node or, if that is
 * -1, as it is. */
int file_init_region(struct layout *layout, uint32_t index, int node);

#endif
