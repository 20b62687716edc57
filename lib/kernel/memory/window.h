/* SPDX-License-Identifier: MIT */
/*
 * The most memory at once, from the time between each two looks at processes.
 *
 * Memory is mapped by page faults, all of which are counted, and by forks, which
 * map only pages that some process has. At no moment of a window was there more
 * than each of these three figures:
 *
 *	base	what each process can have had, summed up; what several share
 *		counts for each
 *	start	what there was before, each page once, and what was added since
 *	back	what a later sample saw, each page once, and what was given up
 *		before it
 *
 * What processes did that no look saw is in none of them. Their faults tell how
 * much that is at most; so does their number, times the most that any process
 * had, which is known at the end.
 */
#ifndef KERNEL_MEMORY_WINDOW_H
#define KERNEL_MEMORY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Memory of processes that were not seen with it: what their faults can have
 * mapped; their number, or -1; what of their memory is counted elsewhere. */
struct peak_unseen {
	int64_t fault_bytes;
	int64_t nr;
	int64_t known_bytes;
};

struct peak_window {
	int64_t base;
	int64_t gained, lost; /* at most, by processes that were seen */
	int64_t doubt;	      /* of it, what only their faults can have */
	int64_t end;	      /* what there was at its end, at most; -1 */
	int64_t sampled;      /* what a sample in it saw, at most; -1: none */
	struct peak_unseen unseen;
	struct peak_unseen more; /* of some that were; not in base */
};

/* What a next look tells of a window: processes did more that was not seen;
 * others existed at its end that were seen only now. */
struct peak_late {
	int64_t fault_bytes;
	int64_t base, gained;
};

/*
 * The most at once as a function of the largest process, which is known at the
 * end. Each window's figure grows with it up to some size; levels are sizes, an
 * eighth of a power of two apart.
 */
#define PEAK_NR_LEVELS 481
struct peak_level {
	int64_t most; /* of windows whose figure still grows here */
	int64_t from; /* of windows whose figure grows no more from here on */
};

struct peak_waiting;

struct peak_windows {
	int64_t lag; /* by which a process's total may be off */
	bool used;
	struct peak_window last;
	int64_t nr_before; /* unseen ones in the window before it */
	/* What is known from an earlier moment, with all that was added. */
	bool started;
	int64_t start;
	struct peak_unseen start_unseen;
	/* Windows that wait for a sample. */
	struct peak_waiting *waiting;
	unsigned int nr, cap;
	int64_t lost;	   /* in all windows */
	int64_t below;	   /* the most is no less */
	int64_t by_faults; /* the most by faults alone */
	struct peak_level levels[PEAK_NR_LEVELS];
};

/* Add a window; late is of the one before it. largest: the most that any process
 * had so far. -ENOMEM. */
int peak_windows_add(struct peak_windows *w, const struct peak_window *window,
		     const struct peak_late *late, int64_t largest);

/* Return the most at once; largest: the most that any process ever had; -1:
 * not known. */
int64_t peak_windows_most(struct peak_windows *w, int64_t largest);

void peak_windows_free(struct peak_windows *w);

#endif
