/* SPDX-License-Identifier: Apache-2.0 */
/* screen.c - see screen.h.  ECMA-48, and xterm's screen beside the usual one, which terminals of today have. */
#include "config.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "cli/screen.h"

#define OTHER_SCREEN "\033[?1049h\033[?25l"	/* without a cursor */
#define USUAL_SCREEN "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define REVERSED "\033[7m"
#define PLAIN "\033[m"

static struct termios usual;
static bool begun;

static bool write_all(const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, text, len);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

bool screen_there(void)
{
	const char *term = g_getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* Ctrl-Z is a key: who stops us is to find the screen as it was. */
bool screen_begin(void)
{
	struct termios keys;

	if (tcgetattr(STDIN_FILENO, &usual) < 0)
		return false;
	keys = usual;
	keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	keys.c_cc[VMIN] = 1;
	keys.c_cc[VTIME] = 0;
	keys.c_cc[VSUSP] = _POSIX_VDISABLE;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &keys) < 0)
		return false;
	begun = true;
	return write_all(OTHER_SCREEN, strlen(OTHER_SCREEN));
}

void screen_end(void)
{
	if (!begun)
		return;
	begun = false;
	write_all(PLAIN USUAL_SCREEN, strlen(PLAIN USUAL_SCREEN));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &usual);
}

void screen_size(unsigned *columns, unsigned *lines)
{
	struct winsize size;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;

	*columns = known ? size.ws_col : 80;
	*lines = known ? size.ws_row : 24;
}

/* Each line clears what is left of the one before it, and nothing is cleared first: nothing flickers. */
bool screen_draw(const char *text, unsigned reversed)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(GString) out = g_string_new(HOME);

	for (unsigned i = 0; lines[i] && (*lines[i] || lines[i + 1]); i++)
		g_string_append_printf(out, "%s%s%s" CLEAR_LINE "%s", i ? "\r\n" : "", i == reversed ? REVERSED : "", lines[i],
				       i == reversed ? PLAIN : "");
	g_string_append(out, CLEAR_BELOW);
	return write_all(out->str, out->len);
}
