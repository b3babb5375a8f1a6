/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup — where a cgroup of version 2 lies, and its id, by which rules know
 * the sockets that were made in it.
 */
#include "capture.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
	PATH_BYTES = CAPTURE_CGROUP_MAX + 64,
	FILE_BYTES = 64 << 10,
	END_MS = 2000,
	STEP_MS = 10
};

static const char made[] = "meshd-run-"; /* and the process that did */

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

/* --- one that is made ----------------------------------------------------- */

enum err
capture_cgroup_of(struct slice text, struct slice *out)
{
	while (text.len > 0) {
		struct slice line = slice_split(&text, '\n');

		if (!slice_starts(line, S("0::/")))
			continue;
		*out = slice_sub(line, sizeof("0::/") - 1, line.len);
		return OK;
	}
	return ERR_NOT_FOUND;
}

static void
path_in(const struct capture_cgroup *g, const char *file, char out[PATH_BYTES])
{
	const char *root = root_of_all();

	(void)snprintf(out, PATH_BYTES, "%s/%s%s%s", root != NULL ? root : "",
	    g->path, file[0] != '\0' ? "/" : "", file);
}

static enum err
find_own(struct capture_cgroup *out, struct fault *why)
{
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES);
	struct slice own;

	if (root_of_all() == NULL)
		return fault_set(why, ERR_UNSUPPORTED,
		    "it takes cgroups of version 2, and none are mounted at "
		    "/sys/fs/cgroup: boot with "
		    "systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 "
		    "none /sys/fs/cgroup");
	if (file_read("/proc/self/cgroup", &text, why) != OK ||
	    capture_cgroup_of(buf_slice(&text), &own) != OK)
		return fault_set(why, ERR_UNSUPPORTED,
		    "this process is in no cgroup of version 2: the kernel "
		    "has none");
	if (slice_starts(own, S("../")) ||
	    slice_to_cstr(own, out->path, sizeof(out->path)) != OK)
		return fault_set(why, ERR_UNSUPPORTED,
		    "this process's cgroup, /%.*s, is outside of what is "
		    "mounted at %s, or its path is too long",
		    SLICE_ARG(own), root_of_all());
	return OK;
}

/* Their makers were ended before they could. One that is in use stays. */
static void
sweep(const struct capture_cgroup *parent)
{
	char path[PATH_BYTES];
	struct dirent *e;
	DIR *d;

	path_in(parent, "", path);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		struct slice name = slice_str(e->d_name);
		uint64_t pid;

		if (!slice_starts(name, slice_str(made)) ||
		    slice_to_u64(slice_sub(name, sizeof(made) - 1, name.len),
			&pid) != OK ||
		    pid > INT32_MAX || kill((pid_t)pid, 0) == 0)
			continue;
		path_in(parent, e->d_name, path);
		(void)rmdir(path);
	}
	if (d != NULL)
		(void)closedir(d);
}

static enum err
may_not_make(const char *path, int errnum, struct fault *why)
{
	if (errnum == EACCES || errnum == EPERM || errnum == EROFS)
		return fault_set(why, ERR_PERMISSION,
		    "the cgroup %s may not be made: run it as root, or in a "
		    "cgroup that is yours, as: systemd-run --user --scope -p "
		    "Delegate=yes meshd run ...",
		    path);
	return fault_set(why, err_from_errno(errnum),
	    "the cgroup %s cannot be made: %s", path, strerror(errnum));
}

enum err
capture_cgroup_make(struct capture_cgroup *out, struct fault *why)
{
	struct capture_cgroup own = {0}, g = {0};
	char path[PATH_BYTES];
	struct stat st;
	enum err e = find_own(&own, why);

	if (e != OK)
		return e;
	sweep(&own);
	if (snprintf(g.path, sizeof(g.path), "%s%s%s%d", own.path,
		own.path[0] != '\0' ? "/" : "", made,
		(int)getpid()) >= (int)sizeof(g.path))
		return fault_set(why, ERR_LIMIT,
		    "the path of this process's cgroup, /%s, is too long",
		    own.path);
	path_in(&g, "", path);
	if ((mkdir(path, 0755) != 0 && errno != EEXIST) || stat(path, &st) != 0)
		return may_not_make(path, errno, why);
	g.id = st.st_ino;
	*out = g;
	return OK;
}

static enum err
write_file(const struct capture_cgroup *g, const char *file, const char *text)
{
	char path[PATH_BYTES];
	FILE *f;
	bool ok;

	path_in(g, file, path);
	f = fopen(path, "we");
	if (f == NULL)
		return err_from_errno(errno);
	ok = fputs(text, f) >= 0;
	ok = fclose(f) == 0 && ok;
	return ok ? OK : err_from_errno(errno);
}

enum err
capture_cgroup_enter(const struct capture_cgroup *g, struct fault *why)
{
	enum err e = write_file(g, "cgroup.procs", "0");

	return e == OK ? OK
		       : fault_set(why, e,
			     "the cgroup %s cannot be entered (%s): it takes "
			     "the right to write cgroup.procs of the one "
			     "above it, too",
			     g->path, err_text(e));
}

/* --- its end -------------------------------------------------------------- */

size_t
capture_cgroup_signal(const struct capture_cgroup *g, int sig)
{
	AUTO(buf_fini) struct buf text = BUF(FILE_BYTES);
	char path[PATH_BYTES];
	struct slice rest;
	size_t count = 0;

	path_in(g, "cgroup.procs", path);
	if (file_read(path, &text, NULL) != OK)
		return 0;
	rest = buf_slice(&text);
	while (rest.len > 0) {
		uint64_t pid;

		if (slice_to_u64(slice_split(&rest, '\n'), &pid) == OK &&
		    pid > 0 && pid <= INT32_MAX && kill((pid_t)pid, sig) == 0)
			count++;
	}
	return count;
}

/* It stays if a cgroup was made in it. */
static bool
remove_it(const struct capture_cgroup *g)
{
	char path[PATH_BYTES];

	path_in(g, "", path);
	return rmdir(path) == 0 || errno == ENOENT;
}

void
capture_cgroup_end(const struct capture_cgroup *g)
{
	for (unsigned ms = 0; ms < END_MS && !remove_it(g); ms += STEP_MS)
		(void)usleep(STEP_MS * 1000); /* sooner is fine, too */
	if (write_file(g, "cgroup.kill", "1") != OK)
		(void)capture_cgroup_signal(g, SIGKILL);
	for (unsigned ms = 0; ms < END_MS && !remove_it(g); ms += STEP_MS)
		(void)usleep(STEP_MS * 1000);
}
