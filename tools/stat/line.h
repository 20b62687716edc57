/* SPDX-License-Identifier: MIT */
#ifndef TOOL_STAT_LINE_H
#define TOOL_STAT_LINE_H

#include "stat/stat.h"

/* A command line while it is parsed. */
struct stat_line {
	struct stat_options o;
	struct stat_process_name *names;
	bool *nodes; /* of --nodes, by number; NULL: all */
	int *list;
	bool by; /* --by was given */
};

/* numastat's options, for getopt. */
#define STAT_LETTERS "cmnp:s::vVz"

/* The line keeps pointers into argv. */
void stat_line_begin(struct stat_line *line, int argc, char **argv);
void stat_line_end(struct stat_line *line);

/* Parse options and operands. Returns -1: line->o is complete; or the exit
 * status, after help, a version or an error was printed. */
int stat_line_parse(struct stat_line *line, int argc, char **argv);

/* ---- what numastat's command line has too ---------------------------------- */

/* Take one of numastat's options. False: @opt is another one, or -V. */
bool stat_line_letter(struct stat_line *line, int opt);

/* Take a PID or pattern. */
void stat_line_process(struct stat_line *line, const char *text);

/* Print the version. Returns the exit status. */
int stat_line_version(const struct stat_line *line);

#endif
