// SPDX-License-Identifier: MIT
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <numatally/region.h>

#define SKIPPED 77 /* a child's exit status */

/* In a child: ends it with the line that failed. */
#define CHECK(that)                                                          \
	do {                                                                 \
		if (!(that)) {                                               \
			fprintf(stderr, "# line %d: %s\n", __LINE__, #that); \
			_exit(1);                                            \
		}                                                            \
	} while (0)

static size_t page;

/* Runs it in a child; true where it ran, false where it could not. */
static bool in_child(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == SKIPPED)
		return false;
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

/* Has the system call nr fail with err in this process from now on. */
static void refuse(unsigned int nr, unsigned int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = 4, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(SKIPPED);
}

/* A memfd of so many pages, mapped. */
static char *map_file(size_t nr_pages, int *fd)
{
	void *base;

	*fd = memfd_create("test_region", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)(nr_pages * page)) < 0)
		return NULL;
	base = mmap(NULL, nr_pages * page, PROT_READ | PROT_WRITE, MAP_SHARED,
		    *fd, 0);
	return base == MAP_FAILED ? NULL : base;
}

/* A private region in which a page comes alone. */
static void create_plain(size_t bytes, struct tally_region *r)
{
	assert_int_equal(tally_region_create(bytes, 0, r), 0);
	(void)madvise(r->base, r->bytes, MADV_NOHUGEPAGE);
}

/* MADV_POPULATE_WRITE, which is newer than some headers. */
static bool can_populate(void)
{
	return madvise(NULL, 0, 23) == 0;
}

/* The first of the nodes with memory, at or after node; -1: none. */
static int node_with_memory(int node)
{
	FILE *file = fopen("/sys/devices/system/node/has_memory", "r");
	char text[256] = "";
	int found = -1;

	if (!file)
		return -1;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	for (char *at = text; found < 0 && *at >= '0' && *at <= '9'; at++) {
		long from = strtol(at, &at, 10);
		long to = *at == '-' ? strtol(at + 1, &at, 10) : from;

		if (node <= to)
			found = node < from ? (int)from : node;
		if (*at != ',')
			break;
	}
	return found;
}

/* All pages that exist are counted once, and add up. A kernel may refuse to
 * tell. */
static struct tally_placement survey(const struct tally_region *region)
{
	struct tally_placement p = {.pages = ~0ULL};
	int err = tally_region_verify(region, NULL, NULL, &p);

	assert_true(err == 0 || err == -ENOSYS || err == -EPERM);
	assert_int_equal(p.placed + p.misplaced + p.unplaced, p.pages);
	if (err < 0)
		assert_int_equal(p.unplaced, p.pages);
	return p;
}

static void create_makes_no_page(void **state)
{
	struct tally_region r;

	(void)state;
	assert_int_equal(tally_region_create(3 * page + 1, 0, &r), 0);
	assert_int_equal(r.bytes, 4 * page);
	assert_int_equal((uintptr_t)r.base % page, 0);
	assert_int_equal(r.fd, -1);
	assert_int_equal(r.node, 0);
	assert_int_equal(survey(&r).pages, 0);
	tally_region_destroy(&r);
	tally_region_destroy(NULL);
}

static void bad_arguments(void **state)
{
	struct tally_region r = {.node = 1234};
	char *base;
	int fd;

	(void)state;
	assert_int_equal(tally_region_create(0, 0, &r), -EINVAL);
	assert_int_equal(tally_region_create(SIZE_MAX, 0, &r), -ENOMEM);
	assert_int_equal(tally_region_create(SIZE_MAX / 2, 0, &r), -ENOMEM);
	base = map_file(2, &fd);
	assert_non_null(base);
	assert_int_equal(tally_region_init(base + 1, page, fd, 0, 0, &r),
			 -EINVAL);
	assert_int_equal(tally_region_init(base, page + 1, fd, 0, 0, &r),
			 -EINVAL);
	assert_int_equal(tally_region_init(base, page, fd, 8, 0, &r), -EINVAL);
	assert_int_equal(tally_region_init(base, 0, fd, 0, 0, &r), -EINVAL);
	assert_int_equal(r.node, 1234);
	munmap(base, 2 * page);
	close(fd);
}

/* No machine has such nodes: the region works all the same. */
static void node_that_is_not(void **state)
{
	static const int nodes[] = {1023, 4095, 4096, 1 << 30};
	struct tally_region r;

	(void)state;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		assert_int_equal(tally_region_create(page, nodes[i], &r), 0);
		assert_true(r.bound < 0);
		assert_int_equal(tally_region_fault(&r, 0, page), 0);
		assert_int_equal(survey(&r).unplaced, 1);
		tally_region_destroy(&r);
	}
	assert_int_equal(tally_region_create(page, -7, &r), 0);
	assert_int_equal(r.node, -1);
	assert_int_equal(r.bound, 0);
	assert_int_equal(tally_region_fault(&r, 0, page), 0);
	assert_int_equal(survey(&r).unplaced, 1);
	tally_region_destroy(&r);
}

struct seen {
	size_t next;
	int nr;
	int node;
};

static void see(void *arg, size_t offset, int node)
{
	struct seen *seen = arg;

	assert_true(offset >= seen->next);
	assert_int_equal(offset % page, 0);
	seen->next = offset + page;
	seen->nr++;
	seen->node = node;
}

static void fault_makes_just_these(void **state)
{
	struct tally_region r;
	struct tally_placement p;
	struct seen seen = {0};
	char zero[64] = {0};

	(void)state;
	create_plain(64 * page, &r);
	assert_int_equal(tally_region_fault(&r, 0, 0), 0);
	assert_int_equal(survey(&r).pages, 0);
	/* The last byte of page 2 to the first of page 4; then page 60. */
	assert_int_equal(tally_region_fault(&r, 3 * page - 1, page + 2), 0);
	assert_int_equal(tally_region_fault(&r, 60 * page, page), 0);
	assert_int_equal(survey(&r).pages, 4);
	assert_memory_equal((char *)r.base + 2 * page, zero, sizeof(zero));
	(void)tally_region_verify(&r, see, &seen, &p);
	assert_int_equal(seen.nr, 4);
	assert_int_equal(seen.next, 61 * page);
	/* What was only read is the zero page: of no node, and not there. */
	(void)*(volatile char *)((char *)r.base + 20 * page);
	seen = (struct seen){0};
	if (tally_region_verify(&r, see, &seen, &p) == 0)
		assert_int_equal(p.pages, 4);
	tally_region_destroy(&r);
}

static void fault_keeps_contents(void **state)
{
	struct tally_region r;
	char *base;
	int fd;

	(void)state;
	base = map_file(4, &fd);
	assert_non_null(base);
	assert_int_equal(tally_region_init(base, 4 * page, fd, 0, 0, &r), 0);
	memcpy(base + page, "mine", 5);
	assert_int_equal(tally_region_fault(&r, 0, 4 * page), 0);
	assert_string_equal(base + page, "mine");
	assert_int_equal(base[2 * page], 0);
	assert_int_equal(survey(&r).pages, 4);
	munmap(base, 4 * page);
	close(fd);
}

/* A region that begins inside of the file, and two mappings of it. */
static void two_mappings(void **state)
{
	struct tally_region one, two;
	struct tally_placement p;
	struct seen seen = {0};
	struct stat st;
	char *base, *other;
	int fd;

	(void)state;
	base = map_file(16, &fd);
	assert_non_null(base);
	other = mmap(NULL, 8 * page, PROT_READ, MAP_SHARED, fd,
		     (off_t)(4 * page));
	assert_true(other != MAP_FAILED);
	assert_int_equal(tally_region_init(base + 4 * page, 8 * page, fd,
					   (off_t)(4 * page), 0, &one),
			 0);
	assert_int_equal(tally_region_init(other, 8 * page, fd,
					   (off_t)(4 * page), -1, &two),
			 0);
	base[3 * page] = 1;
	base[12 * page] = 1;
	assert_int_equal(survey(&two).pages, 0);
	assert_int_equal(tally_region_fault(&one, 5 * page, 2 * page), 0);
	memcpy((char *)one.base + 5 * page, "shared", 7);
	/* The second mapping has touched none of them. */
	(void)tally_region_verify(&two, see, &seen, &p);
	assert_int_equal(p.pages, 2);
	assert_int_equal(p.unplaced, 2);
	assert_int_equal(seen.nr, 2);
	assert_int_equal(seen.next, 7 * page);
	assert_string_equal(other + 5 * page, "shared");
	/* No other page was made, not even one that no reader sees. */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_blocks * 512, 4 * page);
	/* Told the node, it judges as the first one does. */
	two.node = 0;
	two.bound = one.bound;
	assert_int_equal(survey(&two).placed, survey(&one).placed);
	munmap(other, 8 * page);
	munmap(base, 16 * page);
	close(fd);
}

/* A terabyte of holes with a page at each end. */
static void holes_cost_nothing(void **state)
{
	size_t nr_pages = ((size_t)1 << 40) / page;
	struct tally_region r;
	char *base;
	int fd;

	(void)state;
	base = map_file(nr_pages, &fd);
	if (!base) {
		print_message("# skipped: no terabyte of address space\n");
		skip();
	}
	assert_int_equal(tally_region_init(base, nr_pages * page, fd, 0, 0, &r),
			 0);
	assert_int_equal(tally_region_fault(&r, 0, 1), 0);
	assert_int_equal(tally_region_fault(&r, nr_pages * page - 1, 1), 0);
	assert_int_equal(survey(&r).pages, 2);
	munmap(base, nr_pages * page);
	close(fd);
	create_plain(nr_pages * page / 16, &r);
	assert_int_equal(tally_region_fault(&r, 0, 1), 0);
	assert_int_equal(tally_region_fault(&r, r.bytes - 1, 1), 0);
	assert_int_equal(survey(&r).pages, 2);
	tally_region_destroy(&r);
}

/* Each base page of a huge page counts. More pages than one batch, too. */
static void huge_pages(void **state)
{
	struct tally_placement p;
	struct tally_region r;
	size_t bytes = (size_t)8 << 20;

	(void)state;
	assert_int_equal(tally_region_create(bytes, 0, &r), 0);
	(void)madvise(r.base, bytes, MADV_HUGEPAGE);
	assert_int_equal(tally_region_fault(&r, 0, bytes), 0);
	p = survey(&r);
	assert_int_equal(p.pages, bytes / page);
	if (r.bound == 0 && tally_region_verify(&r, NULL, NULL, &p) == 0)
		assert_int_equal(p.unplaced, 0);
	tally_region_destroy(&r);
}

static void on_each_node(void **state)
{
	int nr = 0;

	(void)state;
	for (int n = node_with_memory(0); n >= 0; n = node_with_memory(n + 1)) {
		struct tally_region r, file;
		struct tally_placement p;
		struct seen seen = {.node = -1};
		char *base;
		int fd;

		assert_int_equal(tally_region_create(64 * page, n, &r), 0);
		base = map_file(64, &fd);
		assert_non_null(base);
		assert_int_equal(
			tally_region_init(base, 64 * page, fd, 0, n, &file), 0);
		assert_int_equal(r.bound, file.bound);
		assert_int_equal(tally_region_fault(&r, 0, r.bytes), 0);
		assert_int_equal(tally_region_fault(&file, 0, page), 0);
		/* The file has the policy: a plain write obeys it. */
		assert_int_equal(pwrite(fd, "x", 1, (off_t)(9 * page)), 1);
		base[10 * page] = 1;
		if (r.bound < 0 ||
		    tally_region_verify(&r, see, &seen, &p) < 0) {
			print_message("# skipped: node %d: refused\n", n);
		} else {
			assert_int_equal(p.placed, 64);
			assert_int_equal(seen.node, n);
			p = survey(&file);
			assert_int_equal(p.placed, 3);
			/* And against a node where they are not. */
			file.node = n + 1;
			assert_int_equal(survey(&file).misplaced, 3);
			nr++;
		}
		munmap(base, 64 * page);
		close(fd);
		tally_region_destroy(&r);
	}
	if (nr == 0)
		skip();
}

static void unplaced_but_working(int bound)
{
	struct tally_region r, file;
	struct tally_placement p;
	char *base;
	int fd;

	CHECK(tally_region_create(8 * page, 0, &r) == 0);
	CHECK(r.bound == bound);
	CHECK(r.node == 0);
	CHECK(tally_region_fault(&r, 0, 2 * page) == 0);
	(void)tally_region_verify(&r, NULL, NULL, &p);
	CHECK(p.pages == 2 && p.unplaced == 2);
	tally_region_destroy(&r);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &file) == 0);
	CHECK(file.bound == bound);
	CHECK(tally_region_fault(&file, 0, 2 * page) == 0);
	(void)tally_region_verify(&file, NULL, NULL, &p);
	CHECK(p.pages == 2 && p.unplaced == 2);
}

static void mbind_eperm(void)
{
	refuse(SYS_mbind, EPERM);
	unplaced_but_working(-EPERM);
}

static void mbind_enosys(void)
{
	refuse(SYS_mbind, ENOSYS);
	unplaced_but_working(-ENOSYS);
}

static void without_mbind(void **state)
{
	(void)state;
	if (!in_child(mbind_eperm) || !in_child(mbind_enosys)) {
		print_message("# skipped: no seccomp\n");
		skip();
	}
}

static void where_refused(void *arg, size_t offset, int node)
{
	(void)offset;
	CHECK(node == *(int *)arg);
}

static void cannot_tell(unsigned int err)
{
	struct tally_placement p = {0};
	struct tally_region r, file;
	int said = -(int)err;
	char *base;
	int fd;

	CHECK(tally_region_create(8 * page, 0, &r) == 0);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &file) == 0);
	CHECK(tally_region_fault(&r, page, 2 * page) == 0);
	CHECK(tally_region_fault(&file, page, 3 * page) == 0);
	refuse(SYS_move_pages, err);
	CHECK(tally_region_verify(&r, where_refused, &said, &p) == said);
	CHECK(p.pages == 2 && p.unplaced == 2);
	CHECK(tally_region_verify(&file, where_refused, &said, &p) == said);
	CHECK(p.pages == 3 && p.unplaced == 3);
}

static void move_pages_eperm(void)
{
	cannot_tell(EPERM);
}

static void move_pages_enosys(void)
{
	cannot_tell(ENOSYS);
}

static void without_move_pages(void **state)
{
	(void)state;
	if (!in_child(move_pages_eperm) || !in_child(move_pages_enosys)) {
		print_message("# skipped: no seccomp\n");
		skip();
	}
}

/* A kernel before 5.14 knows no MADV_POPULATE_WRITE: pages are touched. */
static void old_kernel(void)
{
	struct tally_placement p;
	struct tally_region r, file;
	char *base;
	int fd;

	refuse(SYS_madvise, EINVAL);
	CHECK(tally_region_create(8 * page, 0, &r) == 0);
	memcpy((char *)r.base + page, "mine", 5);
	CHECK(tally_region_fault(&r, 0, 8 * page) == 0);
	(void)tally_region_verify(&r, NULL, NULL, &p);
	CHECK(p.pages == 8);
	CHECK(strcmp((char *)r.base + page, "mine") == 0);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &file) == 0);
	CHECK(tally_region_fault(&file, 0, 8 * page) == 0);
	(void)tally_region_verify(&file, NULL, NULL, &p);
	CHECK(p.pages == 8);
	/* Without fallocate too, a touch might raise SIGBUS. */
	refuse(SYS_fallocate, EOPNOTSUPP);
	CHECK(tally_region_fault(&file, 0, page) == -EOPNOTSUPP);
}

static void before_populate(void **state)
{
	(void)state;
	if (!in_child(old_kernel)) {
		print_message("# skipped: no seccomp\n");
		skip();
	}
}

static void no_fallocate(void)
{
	struct tally_region r;
	char *base;
	int fd;

	refuse(SYS_fallocate, EOPNOTSUPP);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &r) == 0);
	/* Only a kernel that can't populate either is at a loss. */
	CHECK(tally_region_fault(&r, 0, 8 * page) ==
	      (can_populate() ? 0 : -EOPNOTSUPP));
}

/* The file ends before the region does, or the process's limit does. */
static void file_too_short(void)
{
	struct rlimit limit = {.rlim_cur = page, .rlim_max = page};
	struct tally_region r;
	char *base;
	int fd;

	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &r) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHECK(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	CHECK(tally_region_fault(&r, 0, 8 * page) == 0);
	CHECK(ftruncate(fd, (off_t)(4 * page)) == 0);
	CHECK(tally_region_fault(&r, 3 * page, page) == 0);
	CHECK(tally_region_fault(&r, 3 * page, page + 1) == -EFBIG);
	CHECK(survey(&r).pages == 4);
}

/* One that it may not write to. */
static void file_read_only(void)
{
	struct tally_region r;
	char path[64];
	char *base;
	int fd;

	base = map_file(8, &fd);
	CHECK(base);
	base[page] = 1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		_exit(SKIPPED);
	base = mmap(NULL, 8 * page, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(base != MAP_FAILED);
	CHECK(tally_region_init(base, 8 * page, fd, 0, -1, &r) == 0);
	CHECK(survey(&r).pages == 1);
	CHECK(tally_region_fault(&r, 0, page) == -EBADF);
}

/* A mapping that it may not write to: an error, and no signal. */
static void mapped_read_only(void)
{
	struct tally_region r;
	char *base;
	int fd;

	if (!can_populate())
		_exit(SKIPPED);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(mprotect(base, 8 * page, PROT_READ) == 0);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &r) == 0);
	CHECK(tally_region_fault(&r, 0, page) < 0);
}

static void odd_files(void **state)
{
	(void)state;
	if (!in_child(mapped_read_only))
		print_message("# skipped in part: an old kernel\n");
	assert_true(in_child(file_too_short));
	if (!in_child(no_fallocate))
		print_message("# skipped in part: no seccomp\n");
	if (!in_child(file_read_only))
		print_message("# skipped in part: no /proc\n");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

/* A file system of 16 pages holds 16 of a file of 32, or fewer. */
static void full(void)
{
	char dir[] = "/tmp/test_region.XXXXXX";
	char options[64], path[64], users[64], groups[64];
	struct tally_region r;
	size_t ok = 0;
	char *base;
	int fd, err = 0;

	snprintf(users, sizeof(users), "0 %d 1", (int)getuid());
	snprintf(groups, sizeof(groups), "0 %d 1", (int)getgid());
	CHECK(mkdtemp(dir));
	if (unshare(CLONE_NEWNS) < 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
			rmdir(dir);
			_exit(SKIPPED);
		}
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", users);
		write_file("/proc/self/gid_map", groups);
	}
	snprintf(options, sizeof(options), "size=%zu", 16 * page);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, options) < 0) {
		rmdir(dir);
		_exit(SKIPPED);
	}
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(ftruncate(fd, (off_t)(32 * page)) == 0);
	base = mmap(NULL, 32 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(base != MAP_FAILED);
	CHECK(tally_region_init(base, 32 * page, fd, 0, 0, &r) == 0);
	for (size_t i = 0; i < 32 && err == 0; i++) {
		err = tally_region_fault(&r, i * page, page);
		if (err == 0) {
			base[i * page] = 1;
			ok++;
		}
	}
	CHECK(err == -ENOSPC);
	CHECK(ok > 0 && ok <= 16);
	CHECK(survey(&r).pages == ok);
	CHECK(tally_region_fault(&r, 0, 32 * page) == -ENOSPC);
	CHECK(base[0] == 1);
	CHECK(tally_region_fault(&r, 0, ok * page) == 0);
	munmap(base, 32 * page);
	close(fd);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

static void full_file_system(void **state)
{
	(void)state;
	if (!in_child(full)) {
		print_message("# skipped: may not mount a tmpfs\n");
		skip();
	}
}

#define NR_PAGES   256
#define NR_THREADS 4
#define NR_ROUNDS  50

static struct tally_region shared;
static bool by_touch;

static void *count_in_pages(void *arg)
{
	char *base = shared.base;

	for (size_t n = 0; n < NR_ROUNDS; n++)
		for (size_t i = 0; i < NR_PAGES; i++)
			__atomic_fetch_add((uint64_t *)(base + i * page), 1,
					   __ATOMIC_RELAXED);
	return arg;
}

static void *fault_pages(void *arg)
{
	for (size_t n = 0; n < NR_ROUNDS; n++)
		if (tally_region_fault(&shared, 0, NR_PAGES * page) < 0)
			return arg;
	return NULL;
}

/* Threads count in pages that others fault: no count is lost. */
static void race(void)
{
	pthread_t threads[NR_THREADS];
	char *base;
	void *failed;
	int fd;

	if (by_touch)
		refuse(SYS_madvise, EINVAL);
	base = map_file(NR_PAGES, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, NR_PAGES * page, fd, 0, 0, &shared) == 0);
	for (int i = 0; i < NR_THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL,
				     i % 2 ? fault_pages : count_in_pages,
				     i % 2 ? base : NULL) == 0);
	for (int i = 0; i < NR_THREADS; i++) {
		CHECK(pthread_join(threads[i], &failed) == 0);
		CHECK(failed == NULL);
	}
	for (size_t i = 0; i < NR_PAGES; i++)
		CHECK(*(uint64_t *)(base + i * page) ==
		      NR_ROUNDS * NR_THREADS / 2);
	_exit(0);
}

static void concurrent_faults(void **state)
{
	(void)state;
	by_touch = false;
	assert_true(in_child(race));
	by_touch = true;
	if (!in_child(race))
		print_message("# skipped in part: no seccomp\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_makes_no_page),
		cmocka_unit_test(bad_arguments),
		cmocka_unit_test(node_that_is_not),
		cmocka_unit_test(fault_makes_just_these),
		cmocka_unit_test(fault_keeps_contents),
		cmocka_unit_test(two_mappings),
		cmocka_unit_test(holes_cost_nothing),
		cmocka_unit_test(huge_pages),
		cmocka_unit_test(on_each_node),
		cmocka_unit_test(without_mbind),
		cmocka_unit_test(without_move_pages),
		cmocka_unit_test(before_populate),
		cmocka_unit_test(odd_files),
		cmocka_unit_test(full_file_system),
		cmocka_unit_test(concurrent_faults),
	};

	page = (size_t)sysconf(_SC_PAGESIZE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
