/* SPDX-License-Identifier: MIT */
/* A captured machine, as a directory or an archive, and the words for a machine, live
 * or captured, that can't be read. */
#ifndef TOOL_COMMON_ROOT_H
#define TOOL_COMMON_ROOT_H

#include <stdbool.h>

/* What a tree needs for nodes, or for processes. */
#define ROOT_NODES     "it has neither sys/devices/system/node nor proc/meminfo"
#define ROOT_PROCESSES "it has no processes in proc"

/*
 * Open *@root if it is a regular file, an archive of a captured tree: *@root is then a
 * directory in memory, which is gone with this process. A directory stays as it is, and
 * so does NULL. Returns 0; or -1 after a message.
 */
int root_open(const char **root);

/* The name that the user gave it. */
const char *root_name(const char *root);

/* Print the error of opening @root, or this machine if it is NULL. @lacks says
 * what a tree that exists lacks if the error is -ENOENT. */
void root_complain(const char *root, int err, const char *lacks);

/* Look for a process: many a capture has other files of proc alone. 0, or the error
 * for root_complain(); -ENOENT: it has none. */
int root_find_processes(const char *root);

/* Tell once if the nodes are hidden, and @what is on node 0 instead. The
 * numa_maps of processes name the nodes of memory all the same. */
#define ROOT_ALL  "everything is"
#define ROOT_CPUS "all CPUs are"

void root_warn_hidden(const char *root, const char *what);

/* Tell once if /proc hides processes of others from this user (hidepid). Returns
 * whether it does. */
bool root_warn_hidepid(const char *root);

#endif
