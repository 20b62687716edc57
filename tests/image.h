/* SPDX-License-Identifier: MIT */
/* Another process, stepped through one instruction at a time: whatever the file
 * of its ledger holds after any of them is what a kill there leaves. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "inside.h"
#include "machine.h"

struct image {
	struct layout *now;
	char *last; /* what it held after the last change */
	size_t bytes;
	char copy[128]; /* path of the one that was killed there */
	pid_t pid;
	unsigned int nr_states;
};

void image_open(struct image *image, const struct machine *machine);
void image_close(struct image *image);

/*
 * Forks; the child calls victim(path, arg), which calls inside_stop() and then,
 * at the end of what is stepped through, _exit(0). After each instruction that
 * has changed the file, check(image, arg) finds a copy of it at image->copy, in
 * which the child is dead. False: the child can't be stepped here.
 */
bool image_step_through(struct image *image, const char *path,
			int (*victim)(const char *path, void *arg),
			void (*check)(struct image *image, void *arg),
			void *arg);

#endif
