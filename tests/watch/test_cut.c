// SPDX-License-Identifier: MIT
/* The file of a ledger is cut while it is watched. */
#include "support/test.h"

#include <poll.h>
#include <pthread.h>

#include "support/watches.h"

static void *cut_later(void *path)
{
	usleep(3000);
	return truncate(path, 0) ? path : NULL;
}

static void cut(struct machine *m, bool told, bool with_fd)
{
	const struct tally_watch_threshold t =
		free_below(machine_nodes[0], 4, 0);
	struct tally_ledger *l;
	struct tally_view *view;
	struct tally_watch *w;
	pthread_t thread;
	void *failed;

	l = with_ten(m);
	view = view_of(l);
	w = watch(view, told ? l : NULL, &t, 1, 0);
	assert_int_equal(pthread_create(&thread, NULL, cut_later, m->path), 0);
	if (with_fd) {
		struct pollfd p = {.fd = tally_watch_fd(w), .events = POLLIN};

		assert_int_equal(poll(&p, 1, -1), 1);
		assert_int_equal(tally_watch_take(w, NULL), -EBADMSG);
	} else {
		assert_int_equal(tally_watch_wait(w, -1, NULL), -EBADMSG);
	}
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
	assert_int_equal(tally_watch_wait(w, 0, NULL),
			 with_fd ? -EBUSY : -EBADMSG);
	tally_watch_close(w);
	tally_view_close(view);
	tally_ledger_close(l);
	unlink(m->path);
}

/* In one case, since the handler of SIGBUS comes with the first ledger. */
static void a_cut_file_ends_a_watch(void **state)
{
	signal(SIGBUS, SIG_DFL); /* not cmocka's */
	for (int i = 0; i < 8; i++)
		cut(*state, i & 1, i & 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SLEEP_TEST(a_cut_file_ends_a_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
