// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <unistd.h>

#include <numatally/topo.h>

#include "common/root.h"
#include "common/text.h"

void root_complain(const char *root, int err, const char *lacks)
{
	if (!root)
		root = "/";
	if (err == -ENOENT && access(root, F_OK) == 0)
		warnx("%s: %s", root, lacks);
	else
		warnx("%s: %s", root, text_error(err));
}

void root_warn_hidden(const char *root, const char *what)
{
	if (tally_topo_hidden(root))
		warnx("%s: sys/devices/system shows no nodes: %s on node 0",
		      root ? root : "/", what);
}
