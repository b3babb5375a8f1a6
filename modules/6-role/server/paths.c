/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths — the files of the state directory.
 */
#include <stdio.h>

#include "paths.h"

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
