// SPDX-License-Identifier: MIT
/* The header: which file, of which boot, made by which process. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "file/internal.h"

uint64_t layout_hash(const void *data, size_t bytes)
{
	const unsigned char *p = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t header_checksum(char *once, size_t bytes)
{
	struct layout_header *header = (struct layout_header *)once;

	header->checksum = 0;
	header->ready = 0;
	return layout_hash(once, bytes);
}

/* Zeros if the kernel does not tell: such a ledger is never stale. */
static void read_boot_id(uint8_t id[16])
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	unsigned int digits = 0;

	memset(id, 0, 16);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	for (const char *p = text; *p && digits < 32; p++) {
		unsigned int v;

		if (*p >= '0' && *p <= '9')
			v = (unsigned int)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = (unsigned int)(*p - 'a') + 10;
		else
			continue;
		id[digits / 2] =
			(uint8_t)((unsigned int)id[digits / 2] << 4 | v);
		digits++;
	}
}

bool header_is_stale(const struct layout_header *header)
{
	static const uint8_t unknown[16];
	uint8_t id[16];

	read_boot_id(id);
	return memcmp(id, unknown, sizeof(id)) &&
	       memcmp(header->boot_id, unknown, sizeof(id)) &&
	       memcmp(id, header->boot_id, sizeof(id));
}

void header_set_kind(struct layout_header *header)
{
	header->version = LAYOUT_VERSION;
	header->byte_order = LAYOUT_ORDER;
	header->params.page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
}

void header_fill(struct layout_header *header)
{
	memcpy(header->magic, LAYOUT_MAGIC, sizeof(header->magic));
	header->version = LAYOUT_VERSION;
	header->byte_order = LAYOUT_ORDER;
	if (getrandom(header->instance, sizeof(header->instance), 0) < 0)
		memset(header->instance, 0, sizeof(header->instance));
	read_boot_id(header->boot_id);
	header->created_ns = clock_ns(CLOCK_REALTIME);
}

int header_check(const struct layout_header *header)
{
	struct layout_plan plan;

	if (memcmp(header->magic, LAYOUT_MAGIC, sizeof(header->magic)))
		return -EBADMSG;
	if (header->byte_order != LAYOUT_ORDER ||
	    header->version != LAYOUT_VERSION ||
	    header->params.page_bytes != (uint32_t)sysconf(_SC_PAGESIZE))
		return -EPROTO;
	if (layout_plan(&header->params, &plan) ||
	    memcmp(&plan, &header->plan, sizeof(plan)))
		return -EBADMSG;
	/* A saved ledger gets its name when it is complete. */
	if (!header->ready && !(header->params.flags & LAYOUT_SAVED))
		return -EAGAIN;
	return header->ready == 1 ? 0 : -EBADMSG;
}
