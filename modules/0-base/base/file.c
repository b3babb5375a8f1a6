/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file — write beside, fsync, rename; read to a bound.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "file.h"
#include "secret.h"

#define BESIDE ".new" /* what is not whole yet */

enum { READ_CHUNK = 4 << 10 };

static enum err
failed(struct fault *why, const char *doing, const char *path)
{
	int e = errno;

	return fault_set(why, err_from_errno(e), "cannot %s %s: %s", doing,
	    path, strerror(e));
}

static void
close_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* read only, or written and synced */
}

static bool
write_all(int fd, struct slice bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes = slice_sub(bytes, (size_t)n, bytes.len);
	}
	return true;
}

/* The folder's own entry must be on the disk too. */
static enum err
sync_folder(const char *path, struct fault *why)
{
	const char *slash = strrchr(path, '/');
	AUTO(mem_free)
	char *folder = slash == NULL ? mem_strndup(".", 1)
		       : slash == path
			   ? mem_strndup("/", 1)
			   : mem_strndup(path, (size_t)(slash - path));
	AUTO(close_fd)
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return failed(why, "sync the folder", folder);
	return OK;
}

static enum err
write_beside(
    const char *beside, struct slice bytes, unsigned mode, struct fault *why)
{
	AUTO(close_fd)
	int fd = open(beside,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return failed(why, "create", beside);
	/* The umask may have taken bits, an old file may have more. */
	if (fchmod(fd, mode) != 0 || !write_all(fd, bytes) || fsync(fd) != 0)
		return failed(why, "write", beside);
	return OK;
}

enum err
file_replace(
    const char *path, struct slice bytes, unsigned mode, struct fault *why)
{
	AUTO(mem_free) char *beside = NULL;
	enum err e;

	if (asprintf(&beside, "%s" BESIDE, path) < 0)
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	e = write_beside(beside, bytes, mode, why);
	if (e == OK && rename(beside, path) != 0)
		e = failed(why, "rename to", path);
	if (e != OK) {
		(void)unlink(beside); /* what was reported matters more */
		return e;
	}
	return sync_folder(path, why);
}

void
file_sweep(const char *folder)
{
	const struct dirent *entry;
	DIR *dir = opendir(folder);

	if (dir == NULL)
		return; /* whoever wants a file there will say so */
	while ((entry = readdir(dir)) != NULL)
		if (slice_ends(slice_str(entry->d_name), S(BESIDE)))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir); /* only read */
}

static enum err
read_all(int fd, const char *path, struct buf *out, struct fault *why)
{
	char chunk[READ_CHUNK];
	enum err e = OK;

	while (e == OK) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			e = failed(why, "read", path);
		else if (n == 0)
			break;
		else if ((e = buf_add(out, chunk, (size_t)n)) == ERR_LIMIT)
			e = fault_set(why, e, "%s is larger than %zu bytes",
			    path, out->limit);
		else if (e != OK)
			e = fault_set(why, e, "out of memory");
	}
	secret_wipe(chunk, sizeof(chunk)); /* it may have been a key */
	return e;
}

static enum err
read_checked(
    const char *path, bool is_private, struct buf *out, struct fault *why)
{
	AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *room;

	if (fd < 0)
		return failed(why, "open", path);
	if (fstat(fd, &st) != 0)
		return failed(why, "look at", path);
	if (!S_ISREG(st.st_mode))
		return fault_set(why, ERR_INVALID, "%s is not a file", path);
	if (is_private && (st.st_mode & 077) != 0)
		return fault_set(why, ERR_PERMISSION,
		    "%s may be read by others (mode %03o): run chmod 600 on it",
		    path, st.st_mode & 0777);
	/* In one piece, so that no growing leaves copies behind. */
	if (buf_reserve(out, MIN((size_t)st.st_size, out->limit), &room) != OK)
		return fault_set(why, ERR_NO_MEMORY, "out of memory");
	return read_all(fd, path, out, why);
}

enum err
file_read(const char *path, struct buf *out, struct fault *why)
{
	return read_checked(path, /* private */ false, out, why);
}

enum err
file_read_private(const char *path, struct buf *out, struct fault *why)
{
	return read_checked(path, /* private */ true, out, why);
}

/* --- folders --- */

static enum err
make_one(const char *path, unsigned mode, bool *out_made, struct fault *why)
{
	struct stat st;

	*out_made = mkdir(path, mode) == 0;
	if (*out_made)
		return OK;
	if (errno != EEXIST)
		return failed(why, "make the folder", path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return OK;
	return fault_set(why, ERR_EXISTS, "%s is there, and no folder", path);
}

enum err
file_make_folder(
    const char *path, unsigned mode, bool *out_made, struct fault *why)
{
	AUTO(mem_free) char *part = mem_strndup(path, strlen(path));
	bool made = false;
	enum err e = OK;

	for (char *c = part; e == OK && *c != '\0'; c++) {
		if (*c != '/' || c == part)
			continue;
		*c = '\0';
		e = make_one(part, 0755, &made, why);
		*c = '/';
	}
	if (e == OK)
		e = make_one(path, mode, &made, why);
	if (e == OK && out_made != NULL)
		*out_made = made;
	return e;
}
