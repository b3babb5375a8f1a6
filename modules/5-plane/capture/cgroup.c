/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup — where a cgroup of version 2 lies, and its id, by which rules know
 * the sockets that were made in it.
 */
#include "capture.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { PATH_BYTES = CAPTURE_CGROUP_MAX + 64 };

/* Alone, or beside those of version 1. NULL: there are none. */
static const char *
root_of_all(void)
{
	static const char *const roots[] = {
	    "/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;

	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		if (statfs(roots[i], &fs) == 0 &&
		    fs.f_type == CGROUP2_SUPER_MAGIC)
			return roots[i];
	return NULL;
}

/* No part of it leads back or is empty. */
static bool
is_path(struct slice path)
{
	struct slice rest = path;

	if (path.len == 0 || path.len >= CAPTURE_CGROUP_MAX ||
	    slice_ends(path, S("/")))
		return false;
	while (rest.len > 0) {
		struct slice part = slice_split(&rest, '/');

		if (part.len == 0 || slice_eq(part, S(".")) ||
		    slice_eq(part, S("..")))
			return false;
	}
	return true;
}

enum err
capture_cgroup_find(
    struct slice path, struct capture_cgroup *out, struct fault *why)
{
	struct capture_cgroup g = {0};
	const char *root = root_of_all();
	char whole[PATH_BYTES];
	struct stat st;

	if (slice_starts(path, S("/")))
		path = slice_sub(path, 1, path.len);
	if (!is_path(path) || slice_to_cstr(path, g.path, sizeof(g.path)) != OK)
		return fault_set(why, ERR_INVALID,
		    "\"%.*s\" is no path of a cgroup, as "
		    "system.slice/web.service is",
		    SLICE_ARG(path));
	if (root == NULL)
		return fault_set(why, ERR_UNSUPPORTED,
		    "no cgroups of version 2 are mounted at /sys/fs/cgroup");
	(void)snprintf(whole, sizeof(whole), "%s/%s", root, g.path);
	if (stat(whole, &st) != 0)
		return fault_set(why, err_from_errno(errno),
		    "there is no cgroup %s: %s", whole, strerror(errno));
	g.id = st.st_ino;
	*out = g;
	return OK;
}
