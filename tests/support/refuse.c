// SPDX-License-Identifier: MIT
/*
 * refuse [-e ERRNO] CALL... -- COMMAND...: runs COMMAND, in which, and in all
 * its children, the system calls CALL fail with EPERM, or ERRNO. Exits with 77
 * if the kernel does not allow that.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/refusal.h"

static const struct call {
	const char *name;
	int number;
} calls[] = {
	{"bpf", SYS_bpf},
	{"clone3", SYS_clone3},
	{"fsopen", SYS_fsopen},
	{"get_mempolicy", SYS_get_mempolicy},
	{"mbind", SYS_mbind},
	{"membarrier", SYS_membarrier},
	{"move_pages", SYS_move_pages},
	{"perf_event_open", SYS_perf_event_open},
	{"process_vm_readv", SYS_process_vm_readv},
	{"rseq", SYS_rseq},
	{"set_mempolicy", SYS_set_mempolicy},
};

enum { SKIPPED = 77, CANNOT_EXECUTE = 126 };

static int find_call(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	errx(2, "don't know how to refuse '%s'", name);
}

int main(int argc, char **argv)
{
	int numbers[REFUSAL_MAX];
	unsigned int nr = 0, error = EPERM;
	int i = 1, failed;

	if (argc > 2 && strcmp(argv[1], "-e") == 0) {
		error = (unsigned int)atoi(argv[2]);
		i = 3;
	}
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (nr == REFUSAL_MAX)
			errx(2, "too many calls");
		numbers[nr++] = find_call(argv[i]);
	}
	if (i + 1 >= argc)
		errx(2, "usage: refuse [-e ERRNO] CALL... -- COMMAND...");
	failed = refusal_start(numbers, nr, error);
	if (failed)
		errx(SKIPPED, "seccomp: %s", strerror(-failed));
	execvp(argv[i + 1], argv + i + 1);
	err(CANNOT_EXECUTE, "%s", argv[i + 1]);
}
