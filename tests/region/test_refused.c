// SPDX-License-Identifier: MIT
/* Regions where the kernel refuses: system calls, files, room; and threads that
 * populate one region, also without the system call for it. */
#include "support/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <numatally/region.h>

#include "support/refusal.h"
#include "support/regions.h"

static size_t page;

/* From now on the system call fails with err in this process. */
static void refuse(int number, unsigned int err)
{
	if (refusal_start(&number, 1, err))
		_exit(REGIONS_SKIPPED);
}

static void unplaced_but_working(int bound)
{
	struct tally_region r, file;
	struct tally_placement p = {.size = sizeof(p)};
	char *base;
	int fd;

	CHECK(tally_region_create(8 * page, 0, &r) == 0);
	CHECK(r.bound == bound);
	CHECK(r.node == 0);
	CHECK(tally_region_populate(&r, 0, 2 * page) == 0);
	(void)!tally_region_verify(&r, NULL, NULL, &p);
	CHECK(p.pages == 2 && p.unplaced == 2);
	tally_region_destroy(&r);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &file) == 0);
	CHECK(file.bound == bound);
	CHECK(tally_region_populate(&file, 0, 2 * page) == 0);
	(void)!tally_region_verify(&file, NULL, NULL, &p);
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
	struct tally_placement p = {.size = sizeof(p)};
	struct tally_region r, file;
	int said = -(int)err;
	char *base;
	int fd;

	CHECK(tally_region_create(8 * page, 0, &r) == 0);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &file) == 0);
	CHECK(tally_region_populate(&r, page, 2 * page) == 0);
	CHECK(tally_region_populate(&file, page, 3 * page) == 0);
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

/* Before Linux 5.14 there is no MADV_POPULATE_WRITE: pages are touched. */
static void old_kernel(void)
{
	struct tally_placement p = {.size = sizeof(p)};
	struct tally_region r, file;
	char *base;
	int fd;

	refuse(SYS_madvise, EINVAL);
	CHECK(tally_region_create(8 * page, 0, &r) == 0);
	memcpy((char *)r.base + page, "mine", 5);
	CHECK(tally_region_populate(&r, 0, 8 * page) == 0);
	(void)!tally_region_verify(&r, NULL, NULL, &p);
	CHECK(p.pages == 8);
	CHECK(strcmp((char *)r.base + page, "mine") == 0);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &file) == 0);
	CHECK(tally_region_populate(&file, 0, 8 * page) == 0);
	(void)!tally_region_verify(&file, NULL, NULL, &p);
	CHECK(p.pages == 8);
	/* Without fallocate(2) as well, a touch might raise SIGBUS. */
	refuse(SYS_fallocate, EOPNOTSUPP);
	CHECK(tally_region_populate(&file, 0, page) == -EOPNOTSUPP);
}

static void kernels_without_populate(void **state)
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
	/* Only without any way to populate is it an error. */
	CHECK(tally_region_populate(&r, 0, 8 * page) ==
	      (can_populate() ? 0 : -EOPNOTSUPP));
}

/* The file, or the process's limit, ends before the region. */
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
	CHECK(tally_region_populate(&r, 0, 8 * page) == 0);
	CHECK(ftruncate(fd, (off_t)(4 * page)) == 0);
	CHECK(tally_region_populate(&r, 3 * page, page) == 0);
	CHECK(tally_region_populate(&r, 3 * page, page + 1) == -EFBIG);
	CHECK(survey(&r).pages == 4);
}

/* A file without write permission. */
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
		_exit(REGIONS_SKIPPED);
	base = mmap(NULL, 8 * page, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(base != MAP_FAILED);
	CHECK(tally_region_init(base, 8 * page, fd, 0, -1, &r) == 0);
	CHECK(survey(&r).pages == 1);
	CHECK(tally_region_populate(&r, 0, page) == -EBADF);
}

/* A read-only mapping: an error, and no signal. */
static void mapped_read_only(void)
{
	struct tally_region r;
	char *base;
	int fd;

	if (!can_populate())
		_exit(REGIONS_SKIPPED);
	base = map_file(8, &fd);
	CHECK(base);
	CHECK(mprotect(base, 8 * page, PROT_READ) == 0);
	CHECK(tally_region_init(base, 8 * page, fd, 0, 0, &r) == 0);
	CHECK(tally_region_populate(&r, 0, page) < 0);
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

/* A file system of 16 pages holds at most 16 of a file's 32. */
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
			_exit(REGIONS_SKIPPED);
		}
		write_file("/proc/self/setgroups", "deny");
		write_file("/proc/self/uid_map", users);
		write_file("/proc/self/gid_map", groups);
	}
	snprintf(options, sizeof(options), "size=%zu", 16 * page);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", dir, "tmpfs", 0, options) < 0) {
		rmdir(dir);
		_exit(REGIONS_SKIPPED);
	}
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(ftruncate(fd, (off_t)(32 * page)) == 0);
	base = mmap(NULL, 32 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(base != MAP_FAILED);
	CHECK(tally_region_init(base, 32 * page, fd, 0, 0, &r) == 0);
	for (size_t i = 0; i < 32 && err == 0; i++) {
		err = tally_region_populate(&r, i * page, page);
		if (err == 0) {
			base[i * page] = 1;
			ok++;
		}
	}
	CHECK(err == -ENOSPC);
	CHECK(ok > 0 && ok <= 16);
	CHECK(survey(&r).pages == ok);
	CHECK(tally_region_populate(&r, 0, 32 * page) == -ENOSPC);
	CHECK(base[0] == 1);
	CHECK(tally_region_populate(&r, 0, ok * page) == 0);
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
		if (tally_region_populate(&shared, 0, NR_PAGES * page) < 0)
			return arg;
	return NULL;
}

/* Threads whose pages another thread populates lose no add. */
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

static void concurrent_populates(void **state)
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
		cmocka_unit_test(without_mbind),
		cmocka_unit_test(without_move_pages),
		cmocka_unit_test(kernels_without_populate),
		cmocka_unit_test(odd_files),
		cmocka_unit_test(full_file_system),
		cmocka_unit_test(concurrent_populates),
	};

	page = page_bytes();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
