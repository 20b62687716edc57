/* SPDX-License-Identifier: MIT */
/*
 * What the parts of kernel_group share.
 *
 *  tally_groups ── rows[] ── group: path, fd, values[nr_nodes][nr_figures]
 *      │                                       │          │
 *      ├── nodes[] ────────────────────────────┘          │
 *      └── figures[] ─────────────────────────────────────┘
 *
 * Where a file has a new node or figure, all rows' values are laid out anew,
 * by reading them again.
 */
#ifndef KERNEL_GROUP_H
#define KERNEL_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/kernel_group.h>

/* ---- texts ---------------------------------------------------------------- */

struct group_line {
	const char *name; /* not ended by a null byte */
	size_t len;
	const char *at; /* what follows of the line */
	const char *end;
};

/* The next line of a memory.numa_stat in [*text, end), "name N0=1 N1=2" or
 * "name=3 N0=1 N1=2". 1; 0: there is none; -EBADMSG. */
int group_text_line(const char **text, const char *end,
		    struct group_line *line);
/* The next "N0=1" of the line. 1; 0: there is none; -EBADMSG. */
int group_text_node(struct group_line *line, int *node, int64_t *value);

/* A hierarchy, as a line of mountinfo has it. */
struct group_mount {
	int version; /* 0: the line has none with the memory controller */
	char *root;  /* which cgroup is mounted, in the line's text */
	char *point; /* where, unescaped */
};

/* Takes a line apart, in place; whether a hierarchy of version 2 has the
 * controller is not in it. */
void group_text_mount(char *line, struct group_mount *mount);

/* ---- where the hierarchy is ----------------------------------------------- */

/* *dir: its directory, *prefix: the path of the cgroup that is mounted there,
 * "" for the root; the caller closes and frees them. Errors as
 * tally_kernel_groups_open(). */
int group_mount_find(const char *root, int *version, int *dir, char **prefix);

/* ---- rows ----------------------------------------------------------------- */

struct group {
	struct tally_group_row row;
	char *path;
	size_t path_cap;
	int fd;	     /* -1: not kept open */
	bool listed; /* a row of the last reading */
	bool gone;
	int64_t *values;
	size_t values_cap;
	unsigned int layout; /* that values have; 0: none */
};

struct group_list {
	struct group **g;
	unsigned int nr;
	unsigned int cap;
};

struct tally_groups {
	int dir;
	int version;
	size_t prefix; /* the length of the path of what dir is */
	char *base;    /* the path where rows begin */
	unsigned int max_fds;
	unsigned int nr_fds;
	int64_t page_bytes;
	int64_t time_ns;
	struct group_list rows; /* in order */
	struct group_list next; /* those of the reading under way */
	struct group_list spare;
	int *nodes; /* ascending */
	unsigned int nr_nodes;
	unsigned int nodes_cap;
	struct tally_figure *figures;
	unsigned int nr_figures;
	unsigned int figures_cap;
	unsigned int layout; /* counts what nodes and figures have been */
	unsigned int hint;   /* the figure after the one found last */
	char *text;
	size_t text_cap;
};

/* Opens name in a cgroup's directory ("" for that itself). Where there are too
 * few descriptors, gives one back that is kept. -errno */
int group_open_at(struct tally_groups *l, const struct group *g,
		  const char *name, int flags);

/* Reads its file into its values. -ENOMEM; else its row says what went wrong,
 * or it is gone. */
int group_read(struct tally_groups *l, struct group *g);
void group_close(struct tally_groups *l, struct group *g);

#endif
