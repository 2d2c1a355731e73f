/* SPDX-License-Identifier: Apache-2.0 */
/* project.c - the files of project/, with a name, a license and an author put into them. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <gotgt/version.h>
#include "backstore/module.h"
#include "sdk/project.h"

G_DEFINE_QUARK(gotgt-project-error, project_error)

#define NAME_MAX_BYTES 64u

enum { WORD_NAME, WORD_SYMBOL, WORD_UPPER, WORD_LICENSE, WORD_AUTHOR, WORD_YEAR, WORD_DATE, WORD_VERSION, N_WORDS };
static const char *const words[N_WORDS] = {
	[WORD_NAME] = "@NAME@", [WORD_SYMBOL] = "@SYMBOL@", [WORD_UPPER] = "@UPPER@", [WORD_LICENSE] = "@LICENSE@",
	[WORD_AUTHOR] = "@AUTHOR@", [WORD_YEAR] = "@YEAR@", [WORD_DATE] = "@DATE@", [WORD_VERSION] = "@VERSION@",
};

static const struct {
	const char *template, *path;
	mode_t mode;
	const char *license;	/* for this one alone; "": for those that have no line of their own */
} files[] = {
	{ "configure.ac", "configure.ac", 0666 },
	{ "Makefile.am", "Makefile.am", 0666 },
	{ "plugin.c", "@NAME@.c", 0666 },
	{ "manual.7", "gotgt-@NAME@.7", 0666 },
	{ "conformance.sh", "tests/conformance.sh", 0777 },
	{ "README.md", "README.md", 0666 },
	{ "gitignore", ".gitignore", 0666 },
	{ "gotgt.m4", "m4/gotgt.m4", 0666 },
	{ "COPYING.MIT", "COPYING", 0666, "MIT" },
	{ "COPYING.other", "COPYING", 0666, "" },
};

static const char *template_text(const char *name)
{
	const struct project_template *t = project_templates;

	while (!g_str_equal(t->name, name))
		t++;
	return t->text;
}

/* One pass: what is put in is not looked at again. */
static char *fill(const char *text, char *const *values)
{
	GString *out = g_string_new(NULL);

	while (*text) {
		unsigned w = 0;

		while (w < N_WORDS && !g_str_has_prefix(text, words[w]))
			w++;
		if (w < N_WORDS) {
			g_string_append(out, values[w]);
			text += strlen(words[w]);
		} else {
			g_string_append_c(out, *text++);
		}
	}
	return g_string_free(out, FALSE);
}

static bool write_error(GError **error, const char *path, int err)
{
	g_set_error(error, PROJECT_ERROR, err == EEXIST ? PROJECT_ERROR_EXISTS : PROJECT_ERROR_WRITE, "%s: %s", path,
		    g_strerror(err));
	return false;
}

static bool write_file(const char *path, mode_t mode, const char *text, GError **error)
{
	const size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	size_t done = 0;

	if (fd < 0)
		return write_error(error, path, errno);
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR) {
			int err = errno;

			close(fd);
			return write_error(error, path, err);
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return close(fd) == 0 || write_error(error, path, errno);
}

static bool write_one(const struct project *p, size_t i, char *const *values, GError **error)
{
	g_autofree char *name = fill(files[i].path, values), *path = g_build_filename(p->dir, name, NULL);
	g_autofree char *parent = g_path_get_dirname(path), *text = fill(template_text(files[i].template), values);

	if (g_mkdir_with_parents(parent, 0777) < 0)
		return write_error(error, parent, errno);
	return write_file(path, files[i].mode, text, error);
}

/* MIT has its text here; others have a line that says which. */
static bool wanted(size_t i, const char *license)
{
	const bool is_mit = g_str_equal(license, "MIT");

	return !files[i].license || (*files[i].license ? is_mit : !is_mit);
}

/* ---- checks ---- */

static bool bad(GError **error, enum project_error code, const char *what, const char *why)
{
	g_set_error(error, PROJECT_ERROR, code, "%s: %s", what, why);
	return false;
}

/* An SPDX expression, of one line. */
static bool license_ok(const char *text)
{
	return *text && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-+() ") == strlen(text);
}

static bool author_ok(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20)
			return false;
	return *text;
}

static bool empty(const char *dir, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GDir) d = g_dir_open(dir, 0, &why);

	if (d)
		return !g_dir_read_name(d) || bad(error, PROJECT_ERROR_EXISTS, dir, "it is there, and not empty");
	if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		return true;
	return bad(error, PROJECT_ERROR_EXISTS, dir, "it is there, and no folder that can be read");
}

static bool check(const struct project *p, GError **error)
{
	if (!module_name_ok(p->name) || strlen(p->name) > NAME_MAX_BYTES)
		return bad(error, PROJECT_ERROR_NAME, p->name,
			   "a plugin's name is a small letter, then small letters, digits and hyphens");
	if (!license_ok(p->license))
		return bad(error, PROJECT_ERROR_NAME, p->license, "a license is an SPDX identifier, such as MIT or GPL-2.0-or-later");
	if (!author_ok(p->author))
		return bad(error, PROJECT_ERROR_NAME, p->author, "an author is some text of one line");
	return empty(p->dir, error);
}

/* ---- the interface ---- */

bool project_write(const struct project *p, GError **error)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *symbol = g_strdelimit(g_strdup(p->name), "-", '_'), *upper = g_ascii_strup(p->name, -1);
	g_autofree char *year = g_strdup_printf("%d", g_date_time_get_year(now));
	/* Months in English: mdoc(7). */
	static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August",
					      "September", "October", "November", "December" };
	g_autofree char *date = g_strdup_printf("%s %d, %s", months[g_date_time_get_month(now) - 1],
						g_date_time_get_day_of_month(now), year);
	char *const values[N_WORDS] = {
		[WORD_NAME] = (char *)p->name, [WORD_SYMBOL] = symbol, [WORD_UPPER] = upper,
		[WORD_LICENSE] = (char *)p->license, [WORD_AUTHOR] = (char *)p->author, [WORD_YEAR] = year,
		[WORD_DATE] = date, [WORD_VERSION] = (char *)GOTGT_VERSION,
	};

	if (!check(p, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		if (wanted(i, p->license) && !write_one(p, i, values, error))
			return false;
	return true;
}
