// SPDX-License-Identifier: MIT
/* Parsing memory.numa_stat, as the kernel's mm/memcontrol.c and
 * mm/memcontrol-v1.c write it, and lines of mountinfo. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include <numatally/kernel_memory.h>

#include "kernel/cgroup/internal.h"
#include "kernel/proc/procfs.h"

/* A longer name means another kind of file. */
#define NAME_MAX_LEN 64

static bool is_in_name(char c)
{
	return c > ' ' && c < 127 && c != '=';
}

bool group_text_line(const char **text, const char *end,
		     struct group_line *line)
{
	const char *at = *text, *stop;
	uint64_t sum;

	if (at == end)
		return false;
	stop = memchr(at, '\n', (size_t)(end - at));
	/* The kernel ends every line: one without an end was cut off. */
	*line = (struct group_line){.name = at, .odd = !stop};
	*text = stop ? stop + 1 : end;
	stop = stop ? stop : end;
	while (at < stop && is_in_name(*at))
		at++;
	if ((at == stop || *at == ' ' || *at == '=') &&
	    at - line->name <= NAME_MAX_LEN)
		line->len = (size_t)(at - line->name);
	/* Version 1 has the sum over nodes. */
	if (at < stop && *at == '=') {
		at++;
		line->odd |= !procfs_decimal(&at, stop, &sum);
	}
	line->at = at;
	line->end = stop;
	return true;
}

bool group_text_node(struct group_line *line, int *node, int64_t *value)
{
	const char *at = line->at, *end = line->end;
	uint64_t number, amount;

	if (at == end || line->odd)
		return false;
	if (*at++ != ' ' || at == end || *at++ != 'N' ||
	    !procfs_decimal(&at, end, &number) ||
	    number >= TALLY_MEM_MAX_NODES || at == end || *at++ != '=' ||
	    !procfs_decimal(&at, end, &amount) || amount > INT64_MAX) {
		line->odd = true;
		return false;
	}
	line->at = at;
	*node = (int)number;
	*value = (int64_t)amount;
	return true;
}

/* Names of both versions, which the kernel has for every cgroup. */
static const char *const known[] = {
	"active_anon",
	"active_file",
	"anon",
	"anon_thp",
	"file",
	"file_dirty",
	"file_mapped",
	"file_thp",
	"file_writeback",
	"hierarchical_anon",
	"hierarchical_file",
	"hierarchical_total",
	"hierarchical_unevictable",
	"inactive_anon",
	"inactive_file",
	"kernel_stack",
	"pagetables",
	"sec_pagetables",
	"shmem",
	"shmem_thp",
	"slab_reclaimable",
	"slab_unreclaimable",
	"swapcached",
	"total",
	"unevictable",
};

bool group_text_known(const struct group_line *line)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strlen(known[i]) == line->len &&
		    !memcmp(known[i], line->name, line->len))
			return true;
	return false;
}

/* ---- mountinfo ----------------------------------------------------------- */

/* The kernel writes a space, tab, newline or backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
		    text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
		    text[3] <= '7') {
			*to++ = (char)((text[1] - '0') << 6 |
				       (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* Whether one of the words between commas is this one. */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (;;) {
		size_t len = strcspn(list, ",\n");

		if (len == n && !strncmp(list, word, n))
			return true;
		if (list[len] != ',')
			return false;
		list += len + 1;
	}
}

/* id parent major:minor root point options … - type source options */
void group_text_mount(char *line, const char *controller,
		      struct group_mount *mount)
{
	char *words[5], *type, *save = NULL, *options;
	unsigned int i;

	*mount = (struct group_mount){.version = 0};
	type = strstr(line, " - ");
	if (!type)
		return;
	*type = '\0';
	type += 3;
	for (i = 0; i < 5; i++) {
		words[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!words[i])
			return;
	}
	options = strchr(type, ' ');
	options = options ? strchr(options + 1, ' ') : NULL;
	if (!strncmp(type, "cgroup2 ", 8))
		mount->version = 2;
	else if (!strncmp(type, "cgroup ", 7) && options && controller &&
		 has_word(options + 1, controller))
		mount->version = 1;
	unescape(words[3]);
	unescape(words[4]);
	mount->root = words[3];
	mount->point = words[4];
}
