/* SPDX-License-Identifier: MIT */
/* What a look at a process tells of the peak of its memory. */
#ifndef KERNEL_MEMORY_PEAK_H
#define KERNEL_MEMORY_PEAK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <numatally/kernel_memory.h>

#include "kernel/memory/maps.h"
#include "kernel/memory/window.h"

/* A process when it was last looked at. */
struct peak_process {
	pid_t pid;
	uint64_t start_ticks;
	char name[64];	/* another one tells of an execve(2) */
	bool fresh;	/* the command before its execve(2): its memory does not
			  count */
	bool ended;	/* the caller waited for it */
	bool ignores;	/* SIGCHLD, so that nothing counts its children */
	int64_t faults; /* its own, before its memory was read */
	int64_t most_faults;  /* and after that */
	int64_t child_faults; /* of what it waited for */
	int64_t rss_bytes;    /* the sum of these two */
	int64_t anonymous_bytes, other_bytes;
	int64_t peak_bytes;		      /* -1: the kernel keeps none */
	int64_t kinds[TALLY_NR_MEM];	      /* or -1 */
	int64_t last_faults, last_peak_bytes; /* at its end */
};

/* Look at a process; was is how it was, or NULL. -errno, as reading its files. */
int peak_process_look(int proc, pid_t pid, const struct peak_process *was,
		      struct peak_process *process);

/*
 * Return how much of its memory a process has mapped by its own faults, at
 * least, though it was born since the last look. A fork copies no page of a
 * shared mapping; in a private mapping of a file there may be copied ones.
 */
int64_t peak_process_mapped(int proc, struct peak_process *process,
			    struct mem_vmas *vmas);

/* What one fault maps at most, and one that adds to anonymous memory; by how
 * much a process's totals may be off; huge pages that came meanwhile, at
 * most. */
struct peak_growth {
	int64_t fault_bytes, anonymous_bytes;
	int64_t lag, huge_bytes;
};

int64_t peak_grown(const struct peak_growth *g, int64_t faults);

/* Add a process to a window: as it was, with pid 0 where it is new, and as it is,
 * with pid 0 where it is gone. A new one has mapped so much itself, at least.
 * Returns the faults that it is known to have had itself. */
int64_t peak_window_put(struct peak_window *window, const struct peak_growth *g,
			const struct peak_process *was,
			const struct peak_process *is, int64_t mapped);

/* The numbers of processes, in the order in which the kernel gives them. */
struct peak_numbers {
	int fd;		  /* -1: not known */
	int64_t most;	  /* then they begin again */
	int64_t from, to; /* at the looks before and behind the window; -1 */
	int64_t ns;	  /* at the last look */
};

void peak_numbers_open(struct peak_numbers *numbers, int proc);
void peak_numbers_close(struct peak_numbers *numbers);

/* Begin the next window. Returns how many numbers were given in the one before;
 * -1: not known. */
int64_t peak_numbers_next(struct peak_numbers *numbers);

/* Whether a number was given in the window; and before it. */
bool peak_numbers_in(const struct peak_numbers *numbers, pid_t pid);
bool peak_numbers_before(const struct peak_numbers *numbers, pid_t pid);

#endif
