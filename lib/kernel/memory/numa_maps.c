// SPDX-License-Identifier: MIT
/*
 * The text of /proc/PID/numa_maps, as show_numa_map() of the kernel's
 * fs/proc/task_mmu.c writes it: address, policy, then words in any number.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <numatally/kernel_memory.h>

#include "kernel/memory/maps.h"
#include "kernel/proc/procfs.h"

/* Longer words are cut off: only a path, or the nodes of a policy, can be
 * one. */
#define WORD_MAX 512

struct tally_numa_maps {
	uint64_t malformed;
	uint64_t default_page;
	struct tally_mapping m;
	bool ended;	    /* m is the mapping of a whole line */
	unsigned int words; /* the number of its first words, 2 at most */
	bool bad;	    /* the line makes no sense */
	bool padded;	    /* null bytes fill up the text's end */
	bool huge;
	size_t len; /* of the word so far, perhaps over WORD_MAX */
	char word[WORD_MAX + 1];
	char path[WORD_MAX + 1];
	struct tally_node_pages nodes[TALLY_MEM_MAX_NODES];
};

static void line_reset(struct tally_numa_maps *p)
{
	p->m = (struct tally_mapping){.nodes = p->nodes, .nr_mappers = 1};
	p->ended = false;
	p->words = 0;
	p->len = 0;
	p->bad = false;
	p->huge = false;
}

/* The kernel writes a space, tab, newline or '=' in a path as \ooo. */
static void unescape(char *to, const char *from)
{
	while (*from) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' &&
		    from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
		    from[3] <= '7') {
			*to++ = (char)((from[1] - '0') << 6 |
				       (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static bool value(const char *at, const char *end, uint64_t *v)
{
	return procfs_decimal(&at, end, v) && at == end;
}

static bool add_node(struct tally_numa_maps *p, const char *at, const char *end)
{
	uint64_t node, pages;

	if (!procfs_decimal(&at, end, &node) || at == end || *at != '=' ||
	    !value(at + 1, end, &pages))
		return false;
	if (node >= TALLY_MEM_MAX_NODES ||
	    p->m.nr_nodes == TALLY_MEM_MAX_NODES ||
	    __builtin_add_overflow(p->m.nr_pages, pages, &p->m.nr_pages))
		return false;
	p->nodes[p->m.nr_nodes++] = (struct tally_node_pages){
		.node = (int)node,
		.nr_pages = pages,
	};
	return true;
}

/* Add one word after the policy, and skip unknown ones: a policy such as
 * "prefer (many):0" has more than one word, and newer kernels write new
 * ones. */
static bool add_word(struct tally_numa_maps *p)
{
	const char *w = p->word, *end;
	uint64_t v;

	end = w + (p->len < WORD_MAX ? p->len : WORD_MAX);
	if (!strncmp(w, "file=", 5)) {
		unescape(p->path, w + 5);
		p->m.path = p->path;
		return true;
	}
	if (p->len > WORD_MAX)
		return true;
	if (w[0] == 'N' && w[1] >= '0' && w[1] <= '9')
		return add_node(p, w + 1, end);
	if (!strcmp(w, "huge"))
		p->huge = true;
	else if (!strcmp(w, "heap"))
		p->m.heap = true;
	else if (!strcmp(w, "stack") || !strncmp(w, "stack:", 6))
		p->m.stack = true;
	else if (!strncmp(w, "anon=", 5))
		return value(w + 5, end, &p->m.nr_anonymous);
	else if (!strncmp(w, "mapmax=", 7))
		return value(w + 7, end, &p->m.nr_mappers);
	else if (!strncmp(w, "kernelpagesize_kB=", 18))
		return value(w + 18, end, &v) &&
		       !__builtin_mul_overflow(v, 1024u, &p->m.page_bytes);
	return true;
}

static void end_word(struct tally_numa_maps *p)
{
	const char *at = p->word;

	if (!p->len)
		return;
	p->word[p->len < WORD_MAX ? p->len : WORD_MAX] = '\0';
	if (p->words == 0) {
		if (p->len > 16 ||
		    !procfs_hex(&at, p->word + p->len, &p->m.start) ||
		    at != p->word + p->len)
			p->bad = true;
	} else if (p->words > 1 && !add_word(p)) {
		p->bad = true;
	}
	p->words += p->words < 2;
	p->len = 0;
}

/* A shared anonymous mapping is an unlinked file of the first name. The others
 * are files of a tmpfs that is mounted nowhere. */
bool mem_path_is_shmem(const char *path)
{
	return !strncmp(path, "/dev/zero", 9) || !strncmp(path, "/memfd:", 7) ||
	       !strncmp(path, "/SYSV", 5) || !strncmp(path, "/dev/shm/", 9);
}

static enum tally_mem_kind kind_of(const struct tally_numa_maps *p)
{
	if (p->huge)
		return TALLY_MEM_HUGE;
	if (!p->m.path)
		return TALLY_MEM_ANONYMOUS;
	return mem_path_is_shmem(p->m.path) ? TALLY_MEM_SHARED : TALLY_MEM_FILE;
}

static void end_line(struct tally_numa_maps *p)
{
	uint64_t bytes;

	end_word(p);
	if (!p->m.page_bytes)
		p->m.page_bytes = p->default_page;
	/* An empty line has no address. */
	if (p->bad || p->words < 2 || p->m.nr_anonymous > p->m.nr_pages ||
	    __builtin_mul_overflow(p->m.nr_pages, p->m.page_bytes, &bytes) ||
	    bytes > INT64_MAX) {
		p->malformed++;
		line_reset(p);
		return;
	}
	p->m.kind = kind_of(p);
	p->ended = true;
}

int tally_kernel_numa_maps_create(struct tally_numa_maps **parser)
{
	struct tally_numa_maps *p = malloc(sizeof(*p));
	long page = sysconf(_SC_PAGESIZE);

	if (!p)
		return -ENOMEM;
	p->malformed = 0;
	p->padded = false;
	p->default_page = page > 0 ? (uint64_t)page : 4096;
	line_reset(p);
	*parser = p;
	return 0;
}

void mem_parser_set_page(struct tally_numa_maps *p, int64_t bytes)
{
	p->default_page = (uint64_t)bytes;
}

void tally_kernel_numa_maps_destroy(struct tally_numa_maps *p)
{
	free(p);
}

const struct tally_mapping *
tally_kernel_numa_maps_next(struct tally_numa_maps *p, const char **text,
			    const char *end)
{
	const char *at = *text;

	if (p->ended)
		line_reset(p);
	for (; at < end && !p->ended; at++) {
		/* tar(1) fills a file up with null bytes. */
		if (!*at && !p->words && !p->len && !p->bad) {
			p->padded = true;
			continue;
		}
		p->bad |= p->padded;
		if (*at == '\n') {
			end_line(p);
		} else if (*at == ' ') {
			end_word(p);
		} else {
			if (p->len < WORD_MAX)
				p->word[p->len] = *at;
			p->len += p->len <= WORD_MAX;
			p->bad |= !*at;
		}
	}
	*text = at;
	return p->ended ? &p->m : NULL;
}

uint64_t tally_kernel_numa_maps_finish(struct tally_numa_maps *p)
{
	uint64_t malformed = p->malformed;

	if (!p->ended)
		malformed += p->words || p->len || p->bad;
	p->malformed = 0;
	p->padded = false;
	line_reset(p);
	return malformed;
}
