/* SPDX-License-Identifier: Apache-2.0 */
/* statefile.c - written to a temporary file, synced, renamed, and the folder synced; with a checksum in front. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "engine/statefile.h"

/* The first line is "gotgt-state 1 SHA256 LENGTH", so that a person can see what it is. */
#define MAGIC "gotgt-state 1 "
enum { HASH_LEN = 64, HEADER_MAX = 128 };

static int write_all(int fd, const void *data, size_t len)
{
	for (const char *p = data; len; ) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_all(int fd, char *text, size_t max, size_t *len)
{
	for (*len = 0; *len < max; ) {
		ssize_t n = read(fd, text + *len, max - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		*len += (size_t)n;
	}
	return 0;
}

/* What is in a folder is durable only when the folder is. */
static int sync_dir(int dir)
{
	return fsync(dir) == 0 ? 0 : -errno;
}

static int open_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* NOLINTNEXTLINE(resourceLeak): it is the caller's */
	return fd >= 0 ? fd : -errno;
}

/* With those on the way to it; each is in one that is durable with it. */
static int make_dir(const char *dir)
{
	g_autofree char *parent = g_path_get_dirname(dir);
	int fd, r;

	if (mkdir(dir, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		if (errno != ENOENT || !strcmp(parent, dir))
			return -errno;
		r = make_dir(parent);
		if (r < 0)
			return r;
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	fd = open_dir(parent);
	if (fd < 0)
		return fd;
	r = sync_dir(fd);
	close(fd);
	return r;
}

int statefile_ready(const char *dir)
{
	int r = make_dir(dir);

	return r < 0 ? r : access(dir, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

/* like: who may use it is as there, or NULL.  Only root can give a file away; what cannot be is ours. */
static int write_file(int dir, const char *name, const char *header, const void *data, size_t len,
		      const struct stat *like)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), r;

	if (fd < 0)
		return -errno;
	if (like && (like->st_uid != geteuid() || like->st_gid != getegid()) &&
	    fchown(fd, like->st_uid, like->st_gid) < 0)
		like = NULL;
	r = like && fchmod(fd, like->st_mode & 0777) < 0 ? -errno : write_all(fd, header, strlen(header));
	if (!r)
		r = write_all(fd, data, len);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && !r)
		r = -errno;
	return r;
}

/* A name that nobody else gives a file: of one that is not in place yet, or no longer. */
static char *beside(const char *name)
{
	return g_strdup_printf(".%s.new", name);
}

/*
 * When the folder cannot be synced, the caller is told that nothing was done, and what was there is put back; but where the
 * file system cannot exchange two names.
 */
static int put_in_place(int dir, const char *temporary, const char *name)
{
	bool exchanged = renameat2(dir, temporary, dir, name, RENAME_EXCHANGE) == 0;
	bool first = !exchanged && errno == ENOENT;
	int r;

	if (!exchanged && renameat(dir, temporary, dir, name) < 0)
		return -errno;
	r = sync_dir(dir);
	if (r && exchanged)
		renameat2(dir, temporary, dir, name, RENAME_EXCHANGE);
	else if (r && first)
		unlinkat(dir, name, 0);
	if (exchanged)
		unlinkat(dir, temporary, 0);
	return r;
}

/* The file once more, where there are no links. */
static int copy(int dir, const char *name, const char *to, const struct stat *like)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), r;
	g_autofree char *data = NULL;
	size_t len;

	if (fd < 0)
		return -errno;
	data = g_malloc((gsize)like->st_size + 1);
	r = read_all(fd, data, (size_t)like->st_size + 1, &len);
	close(fd);
	if (!r)
		r = write_file(dir, to, "", data, len, like);
	explicit_bzero(data, (gsize)like->st_size + 1);
	return r;
}

/* What is there gets another name as well; what had that name is there until then. */
static int keep_as(int dir, const char *name, const char *kept, const struct stat *like)
{
	g_autofree char *temporary = beside(kept);
	int r = unlinkat(dir, temporary, 0) < 0 && errno != ENOENT ? -errno : 0;

	if (!r && linkat(dir, name, dir, temporary, 0) < 0)
		r = copy(dir, name, temporary, like);
	if (!r && renameat(dir, temporary, dir, kept) < 0)
		r = -errno;
	/* Two links of one file are not exchanged, and both stay (rename(2)). */
	unlinkat(dir, temporary, 0);
	return r;
}

/* keep: what is added to the name of what was there, or NULL; then like says what that was. */
static int replace(const char *dir, const char *name, const char *header, const void *data, size_t len,
		   const struct stat *like, const char *keep)
{
	g_autofree char *temporary = beside(name), *kept = keep ? g_strconcat(name, keep, NULL) : NULL;
	int fd = open_dir(dir), r;

	if (fd < 0)
		return fd;
	r = unlinkat(fd, temporary, 0) < 0 && errno != ENOENT ? -errno : 0;
	if (!r)
		r = write_file(fd, temporary, header, data, len, like);
	if (!r && kept && like)
		r = keep_as(fd, name, kept, like);
	if (!r)
		r = put_in_place(fd, temporary, name);
	if (r)
		unlinkat(fd, temporary, 0);
	close(fd);
	return r;
}

int statefile_save(const char *dir, const char *name, const void *data, size_t len)
{
	g_autofree char *hash = NULL, *header = NULL;
	int r;

	if (len > STATEFILE_MAX)
		return -EFBIG;
	r = make_dir(dir);
	if (r < 0)
		return r;
	hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, len);
	header = g_strdup_printf(MAGIC "%s %zu\n", hash, len);
	return replace(dir, name, header, data, len, NULL, NULL);
}

int statefile_replace_text(const char *path, const char *text, bool secret, const char *keep)
{
	char *real = realpath(path, NULL);
	g_autofree char *dir = g_path_get_dirname(real ? real : path), *name = g_path_get_basename(real ? real : path);
	struct stat st;
	bool there = real && stat(real, &st) == 0;

	free(real);
	if (there && !S_ISREG(st.st_mode))
		return -EINVAL;
	if (there && secret)
		st.st_mode &= ~(mode_t)S_IRWXO;
	return replace(dir, name, "", text, strlen(text), there ? &st : NULL, keep);
}

/* The data in a file's text: its length, or -1 when it is not as it was written. */
static gssize check(const char *text, gsize len, const char **data)
{
	g_autofree char *hash = NULL;
	const char *end = memchr(text, '\n', MIN(len, HEADER_MAX));
	g_autofree char *header = end ? g_strndup(text, (gsize)(end - text)) : NULL;
	guint64 said;

	if (!header || !g_str_has_prefix(header, MAGIC) || strlen(header) < strlen(MAGIC) + HASH_LEN + 2)
		return -1;
	*data = end + 1;
	len -= (gsize)(*data - text);
	if (header[strlen(MAGIC) + HASH_LEN] != ' ' ||
	    !g_ascii_string_to_unsigned(header + strlen(MAGIC) + HASH_LEN + 1, 10, 0, STATEFILE_MAX, &said, NULL) ||
	    said != len)
		return -1;
	hash = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)*data, len);
	return strncmp(header + strlen(MAGIC), hash, HASH_LEN) == 0 ? (gssize)len : -1;
}

int statefile_load(const char *dir, const char *name, uint8_t **data, size_t *len)
{
	g_autofree char *path = g_build_filename(dir, name, NULL), *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	off_t size;
	const char *from;
	gssize n;

	if (fd < 0)
		return -errno;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0 || size > (off_t)STATEFILE_MAX + HEADER_MAX || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -EBADMSG;
	}
	text = g_malloc((gsize)size + 1);
	r = read_all(fd, text, (size_t)size, len);
	close(fd);
	if (r)
		return r;
	n = check(text, *len, &from);
	if (n < 0)
		return -EBADMSG;
	*data = g_malloc((gsize)n + 1);
	memcpy(*data, from, (gsize)n);
	(*data)[n] = 0;
	*len = (size_t)n;
	return 0;
}

int statefile_remove(const char *dir, const char *name)
{
	g_autofree char *old = beside(name);
	int fd = open_dir(dir), r = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (renameat(fd, name, fd, old) < 0) {
		r = errno == ENOENT ? 0 : -errno;
	} else {
		r = sync_dir(fd);
		if (r)
			renameat(fd, old, fd, name);
		else
			unlinkat(fd, old, 0);
	}
	close(fd);
	return r;
}

int statefile_set_aside(const char *dir, const char *name)
{
	g_autofree char *bad = g_strconcat(name, ".bad", NULL);
	int fd = open_dir(dir), r;

	if (fd < 0)
		return fd;
	r = renameat(fd, name, fd, bad) < 0 ? -errno : sync_dir(fd);
	close(fd);
	return r;
}
