// SPDX-License-Identifier: MIT
#include "config.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

#include "common/clock.h"
#include "common/signals.h"
#include "top/screen.h"
#include "top/state/keys.h"

static const int ending[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

static volatile sig_atomic_t ended, stopped, continued, resized;

static struct {
	SCREEN *screen;
	sigset_t mask; /* before top_screen_open() */
	bool colours;
	struct top_grid shown;
	cchar_t *line;
	bool again; /* the terminal has lost what was shown */
} top;

/* ---- signals --------------------------------------------------------------*/

static void handle(int signo)
{
	switch (signo) {
	case SIGTSTP:
		stopped = 1;
		break;
	case SIGCONT:
		continued = 1;
		break;
	case SIGWINCH:
		resized = 1;
		break;
	default:
		ended = signo;
	}
}

static void take_signal(int signo, sigset_t *block)
{
	if (signal_is_ignored(signo))
		return;
	signal_take(signo, handle);
	sigaddset(block, signo);
}

static void take_signals(void)
{
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(ending) / sizeof(*ending); i++)
		take_signal(ending[i], &block);
	take_signal(SIGTSTP, &block);
	take_signal(SIGCONT, &block);
	take_signal(SIGWINCH, &block);
	sigprocmask(SIG_BLOCK, &block, &top.mask);
}

/* Stop, as Ctrl-Z does, with the terminal restored. */
static void stop(void)
{
	struct sigaction normal = {.sa_handler = SIG_DFL}, ours;
	sigset_t just, before;

	endwin();
	sigaction(SIGTSTP, &normal, &ours);
	sigemptyset(&just);
	sigaddset(&just, SIGTSTP);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &just, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	sigaction(SIGTSTP, &ours, NULL);
}

/* ---- the screen ------------------------------------------------------------*/

static bool wants_colours(void)
{
	const char *no_color = getenv("NO_COLOR");

	return (!no_color || !*no_color) && has_colors();
}

static void prepare_colours(void)
{
	short ground = use_default_colors() == OK ? -1 : COLOR_BLACK;

	init_pair(TOP_INK_MEMORY, COLOR_GREEN, ground);
	init_pair(TOP_INK_CPU, COLOR_CYAN, ground);
	init_pair(TOP_INK_WARN, COLOR_YELLOW, ground);
}

static void fit(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row &&
	    size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	top.again = true;
}

/* Whether the terminal can put its cursor anywhere. Unknown ones are told of
 * later. */
static bool is_dumb(void)
{
	const char *cup;
	int why;

	if (setupterm(NULL, STDOUT_FILENO, &why) != OK)
		return false;
	cup = tigetstr("cup");
	del_curterm(cur_term);
	return !cup || (intptr_t)cup == -1;
}

bool top_screen_open(void)
{
	const char *term = getenv("TERM");

	if (is_dumb()) {
		warnx("TERM '%s' can't move the cursor; --batch needs no "
		      "terminal",
		      term ? term : "");
		return false;
	}
	take_signals();
	top.screen = newterm(NULL, stdout, stdin);
	if (!top.screen) {
		sigprocmask(SIG_SETMASK, &top.mask, NULL);
		warnx("TERM '%s' is unknown; --batch needs no terminal",
		      term ? term : "");
		return false;
	}
	set_escdelay(25);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	top.colours = wants_colours() && start_color() == OK;
	if (top.colours)
		prepare_colours();
	fit();
	return true;
}

void top_screen_close(void)
{
	if (!top.screen)
		return;
	endwin();
	delscreen(top.screen);
	top_grid_free(&top.shown);
	free(top.line);
	top.line = NULL;
	top.screen = NULL;
	sigprocmask(SIG_SETMASK, &top.mask, NULL);
}

void top_screen_size(unsigned int *width, unsigned int *height)
{
	*width = COLS > 0 ? (unsigned int)COLS : 1;
	*height = LINES > 0 ? (unsigned int)LINES : 1;
}

static attr_t attributes(unsigned int look)
{
	attr_t attr = A_NORMAL;

	if (look & TOP_BOLD)
		attr |= A_BOLD;
	if (look & TOP_REVERSE)
		attr |= A_REVERSE;
	if (look & TOP_DIM)
		attr |= A_DIM;
	return attr;
}

static void show_line(const struct top_grid *grid, unsigned int y)
{
	const struct top_cell *cells = &grid->cells[(size_t)y * grid->width];
	int nr = 0;

	for (unsigned int x = 0; x < grid->width; x++) {
		wchar_t text[2] = {cells[x].c, L'\0'};
		short pair = 0;

		if (top.colours)
			pair = (short)(cells[x].look & TOP_INK_MASK);
		if (cells[x].c)
			setcchar(&top.line[nr++], text,
				 attributes(cells[x].look), pair, NULL);
	}
	mvadd_wchnstr((int)y, 0, top.line, nr);
}

static int keep_shown(const struct top_grid *grid)
{
	cchar_t *line;
	int err;

	if (top.line && grid->width == top.shown.width &&
	    grid->height == top.shown.height)
		return 0;
	line = reallocarray(top.line, grid->width + 1, sizeof(*line));
	if (!line)
		return -ENOMEM;
	top.line = line;
	err = top_grid_reset(&top.shown, grid->width, grid->height);
	top.again = true;
	return err;
}

int top_screen_show(const struct top_grid *grid)
{
	size_t size = grid->width * sizeof(*grid->cells);
	int err = keep_shown(grid);

	if (err)
		return err;
	if (top.again)
		clear();
	for (unsigned int y = 0; y < grid->height; y++) {
		struct top_cell *before =
			&top.shown.cells[(size_t)y * grid->width];
		const struct top_cell *now =
			&grid->cells[(size_t)y * grid->width];

		if (!top.again && !memcmp(before, now, size))
			continue;
		show_line(grid, y);
		memcpy(before, now, size);
	}
	top.again = false;
	refresh();
	return 0;
}

/* ---- keys -----------------------------------------------------------------*/

static int function_key(wint_t code)
{
	static const struct {
		wint_t code;
		int key;
	} keys[] = {
		{KEY_UP, TOP_KEY_UP},
		{KEY_DOWN, TOP_KEY_DOWN},
		{KEY_LEFT, TOP_KEY_LEFT},
		{KEY_RIGHT, TOP_KEY_RIGHT},
		{KEY_PPAGE, TOP_KEY_PAGE_UP},
		{KEY_NPAGE, TOP_KEY_PAGE_DOWN},
		{KEY_HOME, TOP_KEY_HOME},
		{KEY_END, TOP_KEY_END},
		{KEY_ENTER, TOP_KEY_ENTER},
		{KEY_BACKSPACE, TOP_KEY_BACKSPACE},
		{KEY_DC, TOP_KEY_BACKSPACE},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].code == code)
			return keys[i].key;
	return TOP_KEY_OTHER;
}

static bool read_key(int *key)
{
	wint_t code;
	int kind = get_wch(&code);

	if (kind == ERR)
		return false;
	if (kind == KEY_CODE_YES)
		*key = function_key(code);
	else if (code == L'\r' || code == L'\n')
		*key = TOP_KEY_ENTER;
	else if (code == 0x7f || code == 8)
		*key = TOP_KEY_BACKSPACE;
	else
		*key = (int)code;
	return true;
}

static bool wait_input(int64_t until_ns, bool *gone)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	int64_t ns = until_ns - now_ns();
	struct timespec left;
	int nr;

	if (ns < 0)
		ns = 0;
	left.tv_sec = (time_t)(ns / 1000000000);
	left.tv_nsec = (long)(ns % 1000000000);
	nr = ppoll(&p, 1, until_ns < 0 ? NULL : &left, &top.mask);
	if (nr <= 0)
		return false;
	if (ioctl(STDIN_FILENO, FIONREAD, &nr) || !nr)
		*gone = true;
	return true;
}

/* Do what signals ask for. False: none came. */
static bool signalled(enum top_event *event)
{
	if (ended) {
		*event = TOP_EVENT_END;
		return true;
	}
	if (!stopped && !continued && !resized)
		return false;
	if (stopped)
		stop();
	else if (continued)
		endwin(); /* the shell may have changed the terminal's state */
	if (stopped || continued)
		clearok(curscr, TRUE);
	stopped = continued = resized = 0;
	fit();
	*event = TOP_EVENT_REDRAW;
	return true;
}

enum top_event top_screen_wait(int64_t until_ns, int *key)
{
	static const struct timespec no_time;
	enum top_event event;
	bool gone = false;

	/* Keys may come without a pause, and we wait for none. */
	(void)ppoll(NULL, 0, &no_time, &top.mask);
	for (;;) {
		if (signalled(&event))
			return event;
		if (read_key(key))
			return TOP_EVENT_KEY;
		if (gone)
			return TOP_EVENT_END;
		if (!wait_input(until_ns, &gone) && !ended && !stopped &&
		    !continued && !resized)
			return TOP_EVENT_TIME;
	}
}

int top_screen_signal(void)
{
	return ended;
}
