/* SPDX-License-Identifier: Apache-2.0 */
/*
 * folder — the configuration that a folder holds, read as a whole.
 */
#include "base/base.h"

#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum { FOLDER_BYTES = 512 << 20, FOLDER_FIRST = 64 };

void
folder_fini(struct folder *f)
{
	for (size_t i = 0; i < f->count; i++)
		resource_unref(&f->resources[i]);
	mem_free(&f->resources);
	files_fini(&f->files);
}

static void
take(void *arg, struct resource *r)
{
	struct folder *f = arg;

	if (f->count == f->cap) {
		size_t cap = MAX(f->cap * 2, FOLDER_FIRST);

		f->resources = mem_resize(
		    f->resources, f->cap, cap, sizeof(*f->resources));
		f->cap = cap;
	}
	f->resources[f->count++] = r;
}

static enum err
check_folder(const char *path, struct fault *why)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return fault_set(why, err_from_errno(errno),
		    "the folder %s cannot be read: %s; what it brought stays",
		    path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fault_set(why, ERR_INVALID, "%s is no folder", path);
	return OK;
}

void
folder_read(struct folder *f)
{
	files_init(&f->files, FOLDER_BYTES);
	f->fingerprint = folder_fingerprint(f->path);
	f->err = check_folder(f->path, &f->why);
	if (f->err == OK)
		f->err = files_read(&f->files, f->path, &f->why);
	if (f->err == OK)
		f->err = files_decode(&f->files, S("default"), take, f);
	if (f->err == OK)
		f->err = files_check_once(&f->files, S("default"));
	if (f->err != OK && f->why.code == OK)
		(void)fault_set(&f->why, f->err,
		    "the folder %s has mistakes; what it brought stays",
		    f->path);
}

/* --- the fingerprint -------------------------------------------------------
 */

static uint64_t
mix(uint64_t sum, const void *bytes, size_t len)
{
	return (sum ^ slice_hash_stable(slice_of(bytes, len))) *
	       UINT64_C(0x9e3779b97f4a7c15);
}

/* One file's, which does not depend on the order of the others. */
static uint64_t
of_file(int fd, const char *name)
{
	struct stat st = {0};
	uint64_t sum = mix(1, name, strlen(name));

	if (fstatat(fd, name, &st, 0) != 0)
		return mix(sum, "gone", 4);
	sum = mix(sum, &st.st_dev, sizeof(st.st_dev));
	sum = mix(sum, &st.st_ino, sizeof(st.st_ino));
	sum = mix(sum, &st.st_size, sizeof(st.st_size));
	sum = mix(sum, &st.st_mtim, sizeof(st.st_mtim));
	return mix(sum, &st.st_ctim, sizeof(st.st_ctim));
}

uint64_t
folder_fingerprint(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *d;
	uint64_t sum = 0;

	if (dir == NULL)
		return 0;
	while ((d = readdir(dir)) != NULL)
		if (files_wants(d->d_name))
			sum += of_file(dirfd(dir), d->d_name);
	(void)closedir(dir); /* it was only read */
	return sum;
}
