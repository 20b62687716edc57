/* SPDX-License-Identifier: MIT */
/* The tool is several programs, which lie beside each other. */
#ifndef TOOL_COMMON_BESIDE_H
#define TOOL_COMMON_BESIDE_H

/* Execute @program of them. Returns only on failure, with errno set, after a
 * message. */
void beside_exec(const char *program, char **argv);

#endif
