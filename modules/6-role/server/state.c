/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state — the state directory while a mesh is made or restored in it.
 */
#include "base/base.h"

#include "paths.h"
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENTS_KEY "node.key" /* in an agent's state directory */

enum err
state_make(const char *dir, bool *out_made, struct fault *why)
{
	struct fault own = {0};
	enum err e = file_make_folder(dir, 0700, out_made, &own);

	if (e != OK)
		return fault_set(why, e,
		    "the state directory: %.400s; run as a user that may, or "
		    "choose another with --state",
		    own.text);
	return path_check_folder(dir, why);
}

enum err
state_check_new(const char *dir, struct fault *why)
{
	static const struct {
		const char *file;
		const char *words;
	} rows[] = {
	    {PATH_SEAL, "holds a mesh already; `meshd server run` starts it"},
	    {PATH_STORE, "holds a mesh already; `meshd server run` starts it"},
	    {AGENTS_KEY, "is an agent's; give the server a folder of its own, "
			 "see --state"},
	};
	char path[SERVER_PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum err e = path_of(dir, rows[i].file, path, why);

		if (e != OK)
			return e;
		if (lstat(path, &st) == 0)
			return fault_set(
			    why, ERR_EXISTS, "%s %s", dir, rows[i].words);
		if (errno != ENOENT)
			return fault_set(why, err_from_errno(errno),
			    "cannot look at %s: %s", path, strerror(errno));
	}
	return OK;
}

/* What is made there before a server runs. */
static const char *const files[] = {
    PATH_SEAL, PATH_STORE, PATH_STORE "-wal", PATH_STORE "-shm"};

/* The folder's owner may have put something else there meanwhile. */
static enum err
give_fd(int fd, const struct stat *to, const char *path, struct fault *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return fault_set(
		    why, ERR_INVALID, "%s is not the file that was made", path);
	if (fchown(fd, to->st_uid, to->st_gid) == 0)
		return OK;
	return fault_set(why, err_from_errno(errno),
	    "cannot give %s to the owner of its folder: %s", path,
	    strerror(errno));
}

static enum err
give_one(const char *path, const struct stat *to, struct fault *why)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	enum err e;

	if (fd < 0 && errno == ENOENT)
		return OK;
	if (fd < 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot open %s: %s", path, strerror(errno));
	e = give_fd(fd, to, path, why);
	(void)close(fd); /* it was only read */
	return e;
}

enum err
state_give(const char *dir, struct fault *why)
{
	char path[SERVER_PATH_MAX];
	struct stat st;
	enum err e = OK;

	if (stat(dir, &st) != 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot look at %s: %s", dir, strerror(errno));
	if (st.st_uid == geteuid())
		return OK;
	for (size_t i = 0; e == OK && i < ARRAY_LEN(files); i++) {
		e = path_of(dir, files[i], path, why);
		if (e == OK)
			e = give_one(path, &st, why);
	}
	return e;
}

void
state_remove(const char *dir, bool made)
{
	char path[SERVER_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (path_of(dir, files[i], path, NULL) == OK)
			(void)unlink(path);
	if (made)
		(void)rmdir(dir);
}

enum err
state_check_empty(const char *path, struct fault *why)
{
	DIR *dir = opendir(path);
	const struct dirent *d;
	enum err e = OK;

	if (dir == NULL)
		return fault_set(why, err_from_errno(errno),
		    "cannot look at %s: %s", path, strerror(errno));
	while (e == OK && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = fault_set(why, ERR_EXISTS,
			    "%s is not empty, it holds %s; a mesh is restored "
			    "into an empty folder",
			    path, d->d_name);
	(void)closedir(dir); /* it was only read */
	return e;
}
