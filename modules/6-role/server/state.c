/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state — the state directory while a mesh is made or restored in it.
 */
#include "base/base.h"

#include "paths.h"
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err
state_make(const char *dir, bool *out_made, struct fault *why)
{
	if (mkdir(dir, 0700) == 0) {
		*out_made = true;
		return OK;
	}
	if (errno == EEXIST)
		return OK;
	return fault_set(why, err_from_errno(errno),
	    "cannot make the state directory %s: %s", dir, strerror(errno));
}

enum err
state_check_new(const char *dir, struct fault *why)
{
	static const char *const files[] = {PATH_SEAL, PATH_STORE};
	char path[SERVER_PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		enum err e = path_of(dir, files[i], path, why);

		if (e != OK)
			return e;
		if (lstat(path, &st) == 0)
			return fault_set(why, ERR_EXISTS,
			    "%s holds a mesh already; `meshd server run` "
			    "starts it",
			    dir);
		if (errno != ENOENT)
			return fault_set(why, err_from_errno(errno),
			    "cannot look at %s: %s", path, strerror(errno));
	}
	return OK;
}

void
state_remove(const char *dir, bool made)
{
	static const char *const files[] = {
	    PATH_SEAL, PATH_STORE, PATH_STORE "-wal", PATH_STORE "-shm"};
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
