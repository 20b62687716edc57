// SPDX-License-Identifier: MIT
/*
 * Slurm's plugin: its option, which srun, sbatch and salloc take, and the way to
 * what it does in slurmd and slurmstepd. The functions' names, and when Slurm calls
 * them, are in slurm/spank.h.
 */
#include "config.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <slurm/slurm.h>
#include <slurm/spank.h>

#include "slurm/node.h"

#define PLUGIN __attribute__((visibility("default")))

extern const char plugin_name[], plugin_type[];
extern const unsigned int plugin_version, spank_plugin_version;
PLUGIN const char plugin_name[] = "numatally";
PLUGIN const char plugin_type[] = "spank";
PLUGIN const unsigned int plugin_version = SLURM_VERSION_NUMBER;
PLUGIN const unsigned int spank_plugin_version = 1;

static const struct node_calls *node;
static bool is_loaded; /* or was tried */
static struct wish wish;

/* ---- in slurmd and slurmstepd --------------------------------------------------- */

/* Of the file beside this one, which stays loaded. */
static void load_node(void)
{
	char path[PATH_MAX] = NODE_FILE;
	const char *end;
	Dl_info here;
	void *file;

	if (dladdr(plugin_name, &here) && (end = strrchr(here.dli_fname, '/')))
		snprintf(path, sizeof(path), "%.*s" NODE_FILE,
			 (int)(end + 1 - here.dli_fname), here.dli_fname);
	file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (file)
		node = dlsym(file, NODE_CALLS);
	if (!node)
		slurm_error("numatally: jobs are not accounted: %s", dlerror());
}

/* Whether this is slurmd or slurmstepd, and has what a node does. */
static bool is_node(void)
{
	spank_context_t context = spank_context();

	if (context != S_CTX_SLURMD && context != S_CTX_REMOTE &&
	    context != S_CTX_JOB_SCRIPT)
		return false;
	if (!is_loaded)
		load_node();
	is_loaded = true;
	return node;
}

/* ---- the option --------------------------------------------------------------- */

/* Called in srun, sbatch and salloc, and again in slurmstepd. */
static int take_wish(int value, const char *text, int remote)
{
	char why[256];

	(void)value;
	(void)remote;
	if (wish_parse(text, &wish, why, sizeof(why))) {
		slurm_error("numatally: %s", why);
		return -1;
	}
	if (is_node())
		node->take_wish(&wish);
	return 0;
}

static struct spank_option option = {
	.name = (char *)"numatally",
	.arginfo = (char *)"POLICY,nodes=LIST",
	.usage = (char *)"NUMA nodes: single-numa-node, restricted or "
			 "best-effort, and nodes=LIST",
	.has_arg = 1,
	.cb = take_wish,
};

/* ---- what Slurm calls ------------------------------------------------------------- */

static bool is_known(const char *arg)
{
	return !strncmp(arg, "ledger=", 7) || !strncmp(arg, "root=", 5) ||
	       !strncmp(arg, "record=", 7);
}

PLUGIN int slurm_spank_init(spank_t sp, int ac, char **av)
{
	for (int i = 0; i < ac; i++) {
		if (!is_known(av[i])) {
			slurm_error("numatally: unknown argument %s", av[i]);
			return -1;
		}
	}
	if (spank_context() != S_CTX_SLURMD) {
		if (spank_option_register(sp, &option))
			slurm_error("numatally: Slurm takes no option");
	} else if (is_node()) {
		node->start_slurmd(ac, av);
	}
	return 0;
}

#define PASS_ON(function, call)                                \
	PLUGIN int function(spank_t sp, int ac, char **av)     \
	{                                                      \
		return is_node() ? node->call(sp, ac, av) : 0; \
	}

PASS_ON(slurm_spank_init_post_opt, begin)
PASS_ON(slurm_spank_user_init, begin_user)
PASS_ON(slurm_spank_task_init, bind_task)
PASS_ON(slurm_spank_task_post_fork, count_task)
PASS_ON(slurm_spank_task_exit, end_task)
PASS_ON(slurm_spank_exit, end_step)
PASS_ON(slurm_spank_job_epilog, end_job)
