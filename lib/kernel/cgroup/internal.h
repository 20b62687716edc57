/* SPDX-License-Identifier: MIT */
/*
 * What the files of the figures of cgroups share.
 *
 *  tally_groups ── rows[] ── group: path, fd, values[nr_nodes][nr_figures]
 *      │                                       │          │
 *      ├── nodes[] ────────────────────────────┘          │
 *      └── figures[] ─────────────────────────────────────┘
 *
 * If a file has a new node or figure, the values of all rows are laid out
 * again, by reading them again.
 */
#ifndef KERNEL_CGROUP_INTERNAL_H
#define KERNEL_CGROUP_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numatally/kernel_group.h>

/* ---- texts --------------------------------------------------------------- */

struct group_line {
	const char *name; /* without a null byte at its end */
	size_t len;	  /* 0: it has no name */
	bool odd;	  /* what was parsed so far makes no sense */
	const char *at;	  /* the rest of the line */
	const char *end;
};

/* Parse the next line of a memory.numa_stat in [*text, end), "name N0=1 N1=2"
 * or "name=3 N0=1 N1=2". False: there is none. */
bool group_text_line(const char **text, const char *end,
		     struct group_line *line);
/* Parse the next "N0=1" of the line. False: there is none, or the line is
 * odd. */
bool group_text_node(struct group_line *line, int *node, int64_t *value);
/* Whether the line's name is one of the kernel's. */
bool group_text_known(const struct group_line *line);

/* A hierarchy, from a line of mountinfo. */
struct group_mount {
	int version; /* 0: the line has none with the controller */
	char *root;  /* the cgroup that is mounted, in the line's text */
	char *point; /* the mount point, unescaped */
};

/* Parse a line in place. @controller is version 1's; what a hierarchy of version 2
 * has, the line does not tell. */
void group_text_mount(char *line, const char *controller,
		      struct group_mount *mount);

/* ---- where the hierarchy is ---------------------------------------------- */

struct hierarchy {
	int version;
	int dir;
	char *prefix;	    /* the name of the cgroup that is mounted there */
	unsigned int nr_up; /* or that is above the root of our cgroup namespace,
			       so many times, and prefix is "" */
	char *point;
};

/* Find one: of version 1 with the controller @v1, or of version 2 with @v2 ("":
 * any); NULL: not of that version. The caller closes dir and frees the texts.
 * Errors as of tally_kernel_groups_open(). */
int group_mount_find(const char *root, const char *v1, const char *v2,
		     struct hierarchy *found);

/* ---- rows ---------------------------------------------------------------- */

struct group {
	struct tally_group_row row;
	char *path; /* below the mounted cgroup, and its prefix; "/" for "" */
	unsigned int path_cap;
	char *name; /* what the row shows, if that is not the path */
	unsigned int name_cap;
	int fd;	     /* -1: not kept open */
	bool listed; /* a row of the last reading */
	bool gone;
	bool odd;     /* some of its figures make no sense */
	int list_err; /* why cgroups in it are missing */
	int64_t *values;
	unsigned int values_cap;
	unsigned int layout; /* of values; 0: not laid out */
};

struct group_list {
	struct group **g;
	unsigned int nr;
	unsigned int cap;
};

struct tally_groups {
	int dir;
	int version;
	bool live;
	char *prefix;	    /* begins all paths */
	unsigned int nr_up; /* 0: paths are names */
	char *way;	    /* the path to the namespace's root, as far as it is
				known; NULL: not looked for yet */
	unsigned int nr_way; /* names in it, up to nr_up */
	unsigned int way_cap;
	int proc;   /* to find it; -1: no procfs */
	char *base; /* the path where rows begin */
	unsigned int max_fds;
	unsigned int nr_fds;
	int64_t page_bytes;
	int64_t time_ns;
	struct group_list rows; /* in order */
	struct group_list next; /* of the reading under way */
	struct group_list spare;
	int *nodes; /* ascending */
	unsigned int nr_nodes;
	unsigned int nodes_cap;
	struct tally_figure *figures;
	unsigned int nr_figures;
	unsigned int figures_cap;
	unsigned int layout; /* incremented for each new node or figure */
	unsigned int hint;   /* the index after the figure found last */
	char *text;
	size_t text_cap;
};

/* Inside the library the root's path is "". */
static inline const char *group_path(const struct group *g)
{
	return g->path[1] ? g->path : "";
}

/* Learn the way from the cgroups in next. -ENOMEM. */
int group_way_find(struct tally_groups *l);
/* Set the name that the row shows, after that. -ENOMEM. */
int group_name_set(const struct tally_groups *l, struct group *g);
/* The path of the cgroup with this name. -ENOENT, -ENAMETOOLONG. */
int group_path_of(const struct tally_groups *l, const char *name,
		  char path[PATH_MAX]);

/* Open name in a cgroup's directory ("" for the directory). If there are too
 * few descriptors, close files that are kept open. -errno */
int group_open_at(struct tally_groups *l, const struct group *g,
		  const char *name, int flags);

/* Read a cgroup's file into its values. -ENOMEM; other errors go to its row, or
 * it is gone. */
int group_read(struct tally_groups *l, struct group *g);
void group_close(struct tally_groups *l, struct group *g);

#endif
