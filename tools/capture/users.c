// SPDX-License-Identifier: MIT
/* The names of users, as etc/passwd has them, with nothing else of them. */
#include "config.h"

#include <err.h>
#include <stdlib.h>

#include "capture/internal.h"
#include "common/user.h"

int capture_users(struct capture *c)
{
	char *text = NULL, name[USER_NAME];
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int status;

	if (!to)
		err(EXIT_FAILURE, NULL);
	for (size_t i = 0; i < c->nr_uids; i++)
		fprintf(to, "%s:x:%u:%u:::\n",
			user_name(c->root, c->uids[i], name), c->uids[i],
			c->uids[i]);
	if (fclose(to))
		err(EXIT_FAILURE, NULL);
	status = capture_out_directory(c->out, "etc");
	if (!status)
		status = capture_out_file(c->out, "etc/passwd", text, len);
	free(text);
	return status;
}
