// SPDX-License-Identifier: MIT
/*
 * What is private in a file is taken out. Of a mapped file's path, the library reads
 * no more than whether it is one of tmpfs or hugetlbfs that has no name of its own;
 * of a mount, whether it is a tmpfs, or a hierarchy of cgroups, and then all of it.
 */
#include "config.h"

#include <err.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "capture/internal.h"
#include "common/array.h"
#include "common/opt.h"

/* What is left of a path. */
static const char *kept(const char *path, size_t len)
{
	static const char *const begins[] = {"/dev/zero", "/memfd:", "/SYSV",
					     "/dev/shm/", "/anon_hugepage"};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (len >= strlen(begins[i]) &&
		    !memcmp(path, begins[i], strlen(begins[i])))
			return begins[i];
	return "/";
}

/* The end of a line, which the newline ends or the end of the text. */
static const char *line_end(const char *line, const char *end)
{
	const char *newline = memchr(line, '\n', (size_t)(end - line));

	return newline ? newline : end;
}

/* The word at or behind @at; @end: there is none. */
static const char *word_at(const char *at, const char *end, size_t *len)
{
	const char *stop;

	while (at < end && *at == ' ')
		at++;
	for (stop = at; stop < end && *stop != ' ';)
		stop++;
	*len = (size_t)(stop - at);
	return at;
}

static void put_word(FILE *to, const char *word, size_t len)
{
	fwrite(word, 1, len, to);
	putc(' ', to);
}

/* ---- /proc/PID/maps, numa_maps ---------------------------------------------------- */

/* addresses, rights, offset, device, inode; then a path, or [a name], or neither */
static void put_vma(FILE *to, const char *line, const char *end)
{
	size_t len = 0;

	for (int i = 0; i < 5; i++) {
		line = word_at(line + len, end, &len);
		put_word(to, line, len);
	}
	line = word_at(line + len, end, &len);
	if (len && *line == '[')
		fwrite(line, 1, len, to);
	else if (len)
		fputs(kept(line, len), to);
	putc('\n', to);
}

void capture_maps(struct capture *c, FILE *to, const char *text, size_t len)
{
	const char *end = text + len, *stop;

	(void)c;
	for (; text < end; text = stop + 1) {
		stop = line_end(text, end);
		put_vma(to, text, stop);
	}
}

/* An address, a policy, and words, of which one can be a path. */
static void put_numa_map(FILE *to, const char *line, const char *end)
{
	size_t len = 0;

	for (;;) {
		line = word_at(line + len, end, &len);
		if (!len)
			break;
		if (len > 5 && !memcmp(line, "file=", 5))
			fprintf(to, "file=%s ", kept(line + 5, len - 5));
		else
			put_word(to, line, len);
	}
	putc('\n', to);
}

void capture_numa_maps(struct capture *c, FILE *to, const char *text,
		       size_t len)
{
	const char *end = text + len, *stop;

	(void)c;
	for (; text < end; text = stop + 1) {
		stop = line_end(text, end);
		put_numa_map(to, text, stop);
	}
}

/* ---- /proc/self/mountinfo ---------------------------------------------------------- */

static bool is(const char *word, size_t len, const char *type)
{
	return len == strlen(type) && !memcmp(word, type, len);
}

static bool is_tmpfs(const struct capture *c, const char *type, size_t len)
{
	struct statfs fs;

	/* An initramfs is a tmpfs or a ramfs; both are called rootfs, and what
	 * reads the capture can't ask which it was. */
	if (is(type, len, "rootfs"))
		return !c->root && !statfs("/", &fs) &&
		       fs.f_type == TMPFS_MAGIC;
	return is(type, len, "tmpfs") || is(type, len, "devtmpfs");
}

/* id parent device root point options … - type source options */
static void put_mount(const struct capture *c, FILE *to, const char *line,
		      const char *end)
{
	const char *sign = memmem(line, (size_t)(end - line), " - ", 3);
	const char *type, *at = line;
	size_t len = 0, nr;

	if (!sign)
		return;
	type = word_at(sign + 3, end, &nr);
	if (is(type, nr, "cgroup") || is(type, nr, "cgroup2")) {
		fwrite(line, 1, (size_t)(end - line), to);
		putc('\n', to);
		return;
	}
	if (!is_tmpfs(c, type, nr))
		return;
	for (int i = 0; i < 3; i++) {
		at = word_at(at + len, end, &len);
		put_word(to, at, len);
	}
	fputs("/ / rw - tmpfs none rw\n", to);
}

void capture_mounts(struct capture *c, FILE *to, const char *text, size_t len)
{
	const char *end = text + len, *stop;

	for (; text < end; text = stop + 1) {
		stop = line_end(text, end);
		put_mount(c, to, text, stop);
	}
}

/* ---- /proc/PID/status --------------------------------------------------------------- */

static void add_uid(struct capture *c, uid_t uid)
{
	for (size_t i = 0; i < c->nr_uids; i++)
		if (c->uids[i] == uid)
			return;
	if (array_reserve(c->uids, c->room_uids, c->nr_uids + 1))
		err(EXIT_FAILURE, NULL);
	c->uids[c->nr_uids++] = uid;
}

void capture_status(struct capture *c, FILE *to, const char *text, size_t len)
{
	const char *at = memmem(text, len, "\nUid:", 5), *end = text + len;

	fwrite(text, 1, len, to);
	if (!at)
		return;
	/* Real, effective, saved, of the file system. */
	at += 5;
	end = line_end(at, end);
	while (at < end) {
		char word[16] = "";
		uint64_t uid;
		size_t nr = 0;

		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		while (at < end && *at != ' ' && *at != '\t') {
			if (nr < sizeof(word) - 1)
				word[nr++] = *at;
			at++;
		}
		if (parse_number(word, 0, UINT32_MAX, &uid))
			add_uid(c, (uid_t)uid);
	}
}
