/* SPDX-License-Identifier: MIT */
/* Metrics over HTTP, as Prometheus scrapes them. */
#ifndef TOOL_EXPORT_LISTEN_H
#define TOOL_EXPORT_LISTEN_H

#include <stdbool.h>

#include "export/set.h"

/* Serve them at "ADDR:PORT" or "PORT", until a signal, and print the address; beyond
 * this machine only if @public. Prints errors, and returns the exit status. */
int export_listen(struct export_set *set, const char *address, bool public);

/* Open a socket that listens there, *fd, and write its URL. 0; or the exit status
 * after an error was printed. */
int export_socket(const char *address, bool public, int *fd, char *url,
		  size_t bytes);

/* Give up all privileges but to read what others own, for good. */
void export_drop_privileges(void);

#endif
