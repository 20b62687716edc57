// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "inside.h"

struct layout *inside_open(const char *path)
{
	struct layout *l = calloc(1, sizeof(*l));
	struct layout_header *header;
	struct stat st;

	assert_non_null(l);
	l->fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(l->fd >= 0);
	assert_int_equal(fstat(l->fd, &st), 0);
	l->origin = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_NORESERVE, l->fd, 0);
	assert_ptr_not_equal(l->origin, MAP_FAILED);
	header = (struct layout_header *)l->origin;
	l->header = *header;
	l->plan = &l->header.plan;
	l->nodes = (struct layout_node *)(l->origin + l->plan->nodes.offset);
	return l;
}

void inside_close(struct layout *l)
{
	munmap(l->origin, l->header.file_bytes);
	close(l->fd);
	free(l);
}

unsigned int inside_nr_marked(const struct layout *l)
{
	uint32_t nr_threads = __atomic_load_n(&layout_control(l)->nr_threads,
					      __ATOMIC_RELAXED);
	unsigned int nr = 0;

	for (uint32_t n = 0; n < l->header.params.nr_nodes; n++)
		for (uint32_t t = 0; l->nodes[n].nr_lanes && t < nr_threads;
		     t++)
			nr += __atomic_load_n(&layout_mark(l, n, t)->word,
					      __ATOMIC_RELAXED) != 0;
	return nr;
}

struct layout_writer *inside_writer(const struct layout *l, pid_t pid)
{
	const struct layout_table *table = &l->plan->writers;

	for (uint64_t i = 0; i < table->count; i++) {
		struct layout_writer *w =
			(struct layout_writer *)(l->origin + table->offset +
						 i * table->stride);

		if ((uint32_t)w->who == (uint32_t)pid)
			return w;
	}
	fail_msg("process %d has no slot", pid);
	return NULL;
}

void inside_lock_limits(const struct layout *l, pid_t pid)
{
	const struct layout_table *table = &l->plan->writers;
	uint64_t offset =
		(uint64_t)((char *)inside_writer(l, pid) - l->origin) -
		table->offset;

	__atomic_store_n(&layout_limits(l)->owner, offset / table->stride + 1,
			 __ATOMIC_RELEASE);
}

bool inside_wait(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* It doesn't outlive a test that fails. */
	if (WIFSTOPPED(status))
		ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
	return WIFSTOPPED(status);
}

bool inside_step(pid_t pid)
{
	return !ptrace(PTRACE_SINGLESTEP, pid, 0, 0) && inside_wait(pid);
}

int inside_stop(void)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return -errno;
	raise(SIGSTOP);
	return 0;
}
