// SPDX-License-Identifier: MIT
#include "support/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <numatally/limit.h>
#include <numatally/reader.h>

#include "support/machine.h"
#include "support/small.h"

#define PAGE 4096

/* A file of the host program whose page is gone. */
static volatile char *own;
static volatile unsigned int nr_handled;
static sigjmp_buf back;

static void go_back(int signal)
{
	nr_handled++;
	siglongjmp(back, signal);
}

static void ask_reader(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (!tally_reader_sigbus(info))
		go_back(signal);
}

/* cmocka installs a handler of its own in each test. */
static void make(void **state, struct small *s)
{
	struct sigaction action = {
		.sa_sigaction = ask_reader,
		.sa_flags = SA_SIGINFO,
	};

	small_make(*state, s);
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

/* ---- a reader ------------------------------------------------------------ */

struct looker {
	const struct small *small;
	struct tally_reader *reader;
	unsigned int nr_looks;
	int said;
};

/* Reads until something is wrong. */
static void *keep_looking(void *arg)
{
	struct looker *l = arg;
	int err = 0;

	while (!err) {
		err = small_look(l->small, l->reader);
		__atomic_fetch_add(&l->nr_looks, 1, __ATOMIC_RELAXED);
	}
	l->said = err;
	return NULL;
}

/* Cuts the file while two threads read it, and extends it again. */
static void cut_at(const struct small *s, off_t at, bool again)
{
	struct looker lookers[2];
	pthread_t threads[2];
	struct tally_reader *reader;

	assert_int_equal(tally_reader_open(s->path, &reader), 0);
	for (int i = 0; i < 2; i++) {
		lookers[i] = (struct looker){.small = s, .reader = reader};
		assert_int_equal(pthread_create(&threads[i], NULL, keep_looking,
						&lookers[i]),
				 0);
	}
	while (!__atomic_load_n(&lookers[0].nr_looks, __ATOMIC_RELAXED))
		sched_yield();
	assert_int_equal(truncate(s->path, at), 0);
	if (again)
		assert_int_equal(truncate(s->path, (off_t)s->bytes), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(lookers[i].said, -EBADMSG);
	}
	assert_int_equal(small_look(s, reader), -EBADMSG);
	tally_reader_close(reader);
	assert_int_equal(small_says(s), -EBADMSG);
	small_restore(s);
}

static void a_file_is_cut_while_it_is_read(void **state)
{
	struct small s;

	make(state, &s);
	assert_int_equal(small_says(&s), 0);
	for (off_t at = 0; at < (off_t)s.bytes; at += PAGE)
		cut_at(&s, at, at / PAGE % 2);
	cut_at(&s, (off_t)s.bytes - 1, false);
	cut_at(&s, (off_t)s.bytes - 1, true);
	cut_at(&s, PAGE - 1, true);
	small_free(&s);
}

static int no_problem(void *arg, const char *problem)
{
	(void)arg;
	fail_msg("%s", problem);
	return 0;
}

/* What each function returns for a cut file. */
static void every_function_returns_an_error(void **state)
{
	struct tally_account account, other = {0, 7};
	struct tally_reader_info info = {.size = sizeof(info), .version = 99};
	const struct tally_accounts *accounts;
	struct tally_reader *reader;
	struct tally_writer writer = {.size = sizeof(writer)};
	struct tally_reservation reservation = {.size = sizeof(reservation)};
	struct tally_limit limit = {.size = sizeof(limit), .held = 7};
	struct tally_in_doubt doubt = {.size = sizeof(doubt)};
	struct tally_view *view;
	int64_t amounts[2] = {5, 5};
	uint64_t long_cursor = 0;
	uint64_t cursor = 0;
	struct small s;
	char key[192];

	make(state, &s);
	assert_int_equal(tally_reader_open(s.path, &reader), 0);
	assert_int_equal(tally_reader_view(reader, &view), 0);
	accounts = tally_view_accounts(view);
	assert_int_equal(tally_account_find(accounts, "a", &account), 0);
	assert_int_equal(truncate(s.path, 0), 0);
	assert_int_equal(tally_reader_describe(reader, &info), -EBADMSG);
	assert_int_equal(info.version, 99);
	assert_int_equal(tally_reader_writer_next(reader, &cursor, &writer),
			 -EBADMSG);
	assert_int_equal(tally_account_find(accounts, "a", &other), -EBADMSG);
	assert_int_equal(tally_account_next(accounts, &long_cursor, &other),
			 -EBADMSG);
	assert_int_equal(other.generation, 7);
	assert_int_equal(tally_account_key(accounts, account, key, sizeof(key)),
			 -EBADMSG);
	assert_int_equal(tally_account_phase(accounts, account), -EBADMSG);
	assert_int_equal(tally_view_totals(view, 5, amounts), -EBADMSG);
	assert_int_equal(tally_view_account(view, account, 5, amounts),
			 -EBADMSG);
	assert_int_equal(amounts[0], 5);
	assert_int_equal(tally_limit_node(view, 5, 1, &limit), -EBADMSG);
	assert_int_equal(tally_limit_account(view, account, 1, &limit),
			 -EBADMSG);
	assert_int_equal(limit.held, 7);
	assert_int_equal(tally_limit_holding(view, account, 5, amounts),
			 -EBADMSG);
	assert_int_equal(tally_limit_find(view, account, &reservation),
			 -EBADMSG);
	assert_int_equal(tally_limit_check(view, no_problem, NULL), -EBADMSG);
	assert_int_equal(tally_view_in_doubt(view, 0, &doubt), -ENOENT);
	tally_view_close(view);
	tally_reader_close(reader);
	small_free(&s);
}

/* ---- a writer ------------------------------------------------------------ */

static void add_some(struct tally_ledger *ledger, struct tally_account account)
{
	for (int i = 0; i < 10; i++) {
		const struct tally_amount charged[2] = {{0, i}, {1, i}};
		int err = tally_ledger_add(ledger, account, 0, 1);

		assert_true(!err || err == -EBADMSG);
		err = tally_ledger_charge(ledger, account, TALLY_NODE_LOCAL,
					  charged, 2);
		assert_true(!err || err == -EBADMSG);
		err = tally_ledger_charge(ledger, account, machine_nodes[i % 3],
					  charged, 2);
		assert_true(!err || err == -EBADMSG);
	}
}

static void a_file_is_cut_while_it_is_written(void **state)
{
	struct tally_account account;
	struct tally_ledger *ledger;
	struct tally_view *view;
	int64_t amounts[2];
	struct small s;

	make(state, &s);
	for (off_t at = 0; at < (off_t)s.bytes; at += PAGE) {
		assert_int_equal(tally_ledger_open(s.path, &ledger), 0);
		account = machine_account(ledger, "a");
		assert_int_equal(tally_view_open(ledger, &view), 0);
		add_some(ledger, account);
		assert_int_equal(truncate(s.path, at), 0);
		add_some(ledger, account);
		assert_int_equal(
			tally_view_totals(view, TALLY_VIEW_ALL, amounts),
			-EBADMSG);
		tally_view_close(view);
		assert_int_equal(
			tally_account_open(tally_ledger_accounts(ledger), "new",
					   &account),
			-EBADMSG);
		assert_int_equal(
			tally_view_snapshot(ledger, 0, 1000000000, &view),
			-EBADMSG);
		tally_ledger_close(ledger);
		small_restore(&s);
	}
	assert_int_equal(small_says(&s), 0);
	small_free(&s);
}

/* ---- the host program's handler ------------------------------------------ */

/* In a program of its own: this file, executed again. */
#define CHECK(condition)                                                   \
	do {                                                               \
		if (!(condition)) {                                        \
			fprintf(stderr, "%d: %s\n", __LINE__, #condition); \
			_exit(1);                                          \
		}                                                          \
	} while (0)

/* A ledger is cut; only the library notices. */
static void cut_a_ledger(const struct small *s)
{
	struct tally_reader *reader;

	CHECK(!tally_reader_open(s->path, &reader));
	CHECK(!small_look(s, reader));
	CHECK(!truncate(s->path, PAGE));
	CHECK(small_look(s, reader) == -EBADMSG);
	tally_reader_close(reader);
	small_restore(s);
}

static void make_own(void)
{
	int fd = memfd_create("own", MFD_CLOEXEC);

	CHECK(fd >= 0);
	own = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(own != MAP_FAILED);
	close(fd);
}

static void sigbus_in_own(void)
{
	if (!sigsetjmp(back, 1)) {
		(void)*own;
		CHECK(false);
	}
}

static char *alternative;
#define ALTERNATIVE_BYTES (64 << 10)

static void check_and_go_back(int signal, siginfo_t *info, void *context)
{
	const char *here = __builtin_frame_address(0);
	sigset_t set;

	CHECK(signal == SIGBUS && info->si_code == BUS_ADRERR && context);
	CHECK(info->si_addr == (void *)own);
	CHECK(here > alternative && here < alternative + ALTERNATIVE_BYTES);
	CHECK(!pthread_sigmask(SIG_SETMASK, NULL, &set));
	CHECK(sigismember(&set, SIGUSR1) && sigismember(&set, SIGBUS));
	nr_handled++;
	siglongjmp(back, 1);
}

static void host_with_stack_and_mask(const struct small *s)
{
	struct sigaction action = {
		.sa_sigaction = check_and_go_back,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	stack_t stack = {.ss_size = ALTERNATIVE_BYTES};

	stack.ss_sp = alternative = malloc(ALTERNATIVE_BYTES);
	CHECK(alternative && !sigaltstack(&stack, NULL));
	sigaddset(&action.sa_mask, SIGUSR1);
	CHECK(!sigaction(SIGBUS, &action, NULL));
	make_own();
	for (int i = 0; i < 3; i++) {
		sigbus_in_own();
		cut_a_ledger(s);
	}
	CHECK(nr_handled == 3);
}

static void host_for_one_signal(const struct small *s)
{
	struct sigaction action = {
		.sa_handler = go_back,
		.sa_flags = (int)SA_RESETHAND,
	};

	CHECK(!sigaction(SIGBUS, &action, NULL));
	make_own();
	cut_a_ledger(s);
	sigbus_in_own();
	CHECK(nr_handled == 1);
	cut_a_ledger(s);
	(void)*own;
}

static void host_that_ignores(const struct small *s)
{
	signal(SIGBUS, SIG_IGN);
	cut_a_ledger(s);
	CHECK(!raise(SIGBUS));
	CHECK(!kill(getpid(), SIGBUS));
	cut_a_ledger(s);
}

static void host_that_ignores_a_fault(const struct small *s)
{
	signal(SIGBUS, SIG_IGN);
	make_own();
	cut_a_ledger(s);
	(void)*own;
}

static void host_without_handler(const struct small *s)
{
	make_own();
	cut_a_ledger(s);
	(void)*own;
}

static void host_that_is_sent_one(const struct small *s)
{
	cut_a_ledger(s);
	raise(SIGBUS);
}

/* The program removes our handler; the next ledger installs it again. */
static void host_that_resets(const struct small *s)
{
	cut_a_ledger(s);
	signal(SIGBUS, SIG_DFL);
	cut_a_ledger(s);
}

static struct sigaction older;

static void call_older(int signal, siginfo_t *info, void *context)
{
	if (info->si_addr == (void *)own)
		go_back(signal);
	CHECK(older.sa_flags & SA_SIGINFO);
	older.sa_sigaction(signal, info, context);
}

static void be_later(const struct small *s,
		     void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {
		.sa_sigaction = handler,
		.sa_flags = SA_SIGINFO,
	};
	struct tally_reader *reader;

	CHECK(!tally_reader_open(s->path, &reader));
	CHECK(!sigaction(SIGBUS, &action, &older));
	make_own();
	for (int i = 0; i < 3; i++) {
		sigbus_in_own();
		cut_a_ledger(s);
	}
	CHECK(nr_handled == 3);
	tally_reader_close(reader);
}

static void host_that_calls_older(const struct small *s)
{
	be_later(s, call_older);
}

static void host_that_asks(const struct small *s)
{
	be_later(s, ask_reader);
}

static const struct host {
	const char *name;
	void (*run)(const struct small *s);
	int signal; /* the signal that ends the program, or 0 */
} hosts[] = {
	{"with_stack_and_mask", host_with_stack_and_mask, 0},
	{"for_one_signal", host_for_one_signal, SIGBUS},
	{"that_ignores", host_that_ignores, 0},
	{"that_ignores_a_fault", host_that_ignores_a_fault, SIGBUS},
	{"without_handler", host_without_handler, SIGBUS},
	{"that_is_sent_one", host_that_is_sent_one, SIGBUS},
	{"that_resets", host_that_resets, 0},
	{"that_calls_older", host_that_calls_older, 0},
	{"that_asks", host_that_asks, 0},
};

static int be_host(const char *name, const char *path)
{
	struct small s;

	alarm(400);
	signal(SIGBUS, SIG_DFL);
	small_load(path, &s);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (!strcmp(hosts[i].name, name))
			hosts[i].run(&s);
	small_free(&s);
	return 0;
}

static void the_hosts_handler_works_on(void **state)
{
	struct small s;

	small_make(*state, &s);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			execl("/proc/self/exe", "test_fault", hosts[i].name,
			      s.path, (char *)NULL);
			_exit(127);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (hosts[i].signal
			    ? !WIFSIGNALED(status) ||
				      WTERMSIG(status) != hosts[i].signal
			    : status != 0)
			fail_msg("host %s: status 0x%x", hosts[i].name,
				 (unsigned int)status);
		small_restore(&s);
	}
	small_free(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(the_hosts_handler_works_on),
		MACHINE_TEST(a_file_is_cut_while_it_is_read),
		MACHINE_TEST(every_function_returns_an_error),
		MACHINE_TEST(a_file_is_cut_while_it_is_written),
	};

	if (argc == 3)
		return be_host(argv[1], argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
