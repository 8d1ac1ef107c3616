// SPDX-License-Identifier: GPL-2.0
/*
 * live.c - the keyboard of the live view: q ends the view, without Enter if stdin is a terminal.
 */
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "stats.h"

static struct termios before;
static bool changed;
static bool over; /* the input has ended, or must not be read */

static void restore(void)
{
	if (changed)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* A background process must not read its terminal or change the terminal's settings. */
void live_begin(void)
{
	struct termios now;

	if (!isatty(STDIN_FILENO))
		return;
	if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &before)) {
		over = true;
		return;
	}
	now = before;
	now.c_lflag &= ~(ICANON | ECHO);
	changed = !tcsetattr(STDIN_FILENO, TCSANOW, &now);
	atexit(restore);
}

/* Wait up to @ms, or until a key is pressed. Returns true if the key was q. */
bool live_wait(int ms)
{
	struct pollfd input = { .fd = over ? -1 : STDIN_FILENO, .events = POLLIN };
	char key;

	if (poll(&input, 1, ms) <= 0)
		return false;
	if (read(STDIN_FILENO, &key, 1) == 1)
		return key == 'q';
	over = true;
	return false;
}
