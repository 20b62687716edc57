// SPDX-License-Identifier: MIT
/*
 * refuse [-e ERRNO] CALL... -- COMMAND...: runs COMMAND, and all that it
 * starts, without some system calls: these fail with EPERM, or ERRNO. Exits 77
 * where the kernel does not let it.
 */
#include "config.h"

#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct call {
	const char *name;
	int number;
} calls[] = {
	{"clone3", SYS_clone3},
	{"get_mempolicy", SYS_get_mempolicy},
	{"mbind", SYS_mbind},
	{"membarrier", SYS_membarrier},
	{"move_pages", SYS_move_pages},
	{"perf_event_open", SYS_perf_event_open},
	{"process_vm_readv", SYS_process_vm_readv},
	{"rseq", SYS_rseq},
	{"set_mempolicy", SYS_set_mempolicy},
};

enum { MAX_CALLS = 16, SKIPPED = 77, CANNOT_EXECUTE = 126 };

static int find_call(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	errx(2, "don't know how to refuse '%s'", name);
}

/* Each call's number is compared; a match goes to the last instruction. */
static void refuse(const int *numbers, unsigned int nr, unsigned int error)
{
	struct sock_filter code[MAX_CALLS + 3];
	struct sock_fprog program = {.filter = code};
	unsigned int n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned int i = 0; i < nr; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)numbers[i],
			(unsigned char)(nr - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error & 0xffff));
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		err(SKIPPED, "seccomp");
}

int main(int argc, char **argv)
{
	int numbers[MAX_CALLS];
	unsigned int nr = 0, error = EPERM;
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "-e") == 0) {
		error = (unsigned int)atoi(argv[2]);
		i = 3;
	}
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (nr == MAX_CALLS)
			errx(2, "too many calls");
		numbers[nr++] = find_call(argv[i]);
	}
	if (i + 1 >= argc)
		errx(2, "usage: refuse [-e ERRNO] CALL... -- COMMAND...");
	refuse(numbers, nr, error);
	execvp(argv[i + 1], argv + i + 1);
	err(CANNOT_EXECUTE, "%s", argv[i + 1]);
}
