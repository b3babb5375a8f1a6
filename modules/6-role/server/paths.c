/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths — the files of the state directory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "paths.h"

enum err
path_check_folder(const char *dir, struct fault *why)
{
	if (access(dir, R_OK | W_OK | X_OK) == 0 || errno == ENOENT)
		return OK; /* or there is none, which others tell */
	return fault_set(why, err_from_errno(errno),
	    "the state directory %s is not ours to use: %s; run as the user "
	    "that owns it, or choose another with --state",
	    dir, strerror(errno));
}

enum err
path_of(const char *dir, const char *file, char out[SERVER_PATH_MAX],
    struct fault *why)
{
	int n = snprintf(out, SERVER_PATH_MAX, "%s/%s", dir, file);

	if (n < 0 || n >= SERVER_PATH_MAX)
		return fault_set(why, ERR_LIMIT,
		    "the path of the state directory is too long: %s", dir);
	return OK;
}
