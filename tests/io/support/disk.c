/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk — the linker finds these before libc's; they ask the kernel themselves.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "disk.h"
#include "unit.h"

enum { WALK_MAX = 500 };

static struct {
	bool armed;
	bool hit;
	enum disk_call call;
	uint64_t left;
	int errnum;
	size_t most; /* of one write */
} disk;

/* Jobs write files, too, and wake others through descriptors. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

const char *
disk_call_name(enum disk_call call)
{
	static const char *const names[DISK_CALLS] = {
	    "open", "read", "write", "chmod", "sync", "rename"};

	return names[call];
}

void
disk_fail(enum disk_call call, uint64_t n, int errnum)
{
	(void)pthread_mutex_lock(&lock);
	disk.armed = true;
	disk.hit = false;
	disk.call = call;
	disk.left = n;
	disk.errnum = errnum;
	(void)pthread_mutex_unlock(&lock);
}

bool
disk_heal(void)
{
	bool hit;

	(void)pthread_mutex_lock(&lock);
	disk.armed = false;
	hit = disk.hit;
	(void)pthread_mutex_unlock(&lock);
	return hit;
}

void
disk_write_short(size_t most)
{
	(void)pthread_mutex_lock(&lock);
	disk.most = most;
	(void)pthread_mutex_unlock(&lock);
}

static bool
fails(enum disk_call call)
{
	bool is_it;

	(void)pthread_mutex_lock(&lock);
	is_it = disk.armed && call == disk.call && disk.left > 0 &&
		--disk.left == 0;
	if (is_it) {
		disk.hit = true;
		errno = disk.errnum;
	}
	(void)pthread_mutex_unlock(&lock);
	return is_it;
}

/* Threads wake each other through descriptors as well: those are no disk. */
static bool
is_file(int fd)
{
	struct stat st;
	bool is_armed;

	(void)pthread_mutex_lock(&lock);
	is_armed = disk.armed;
	(void)pthread_mutex_unlock(&lock);
	return is_armed && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* --- in front of libc ----------------------------------------------------- */

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (flags & O_CREAT) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (fails(DISK_OPEN))
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t
read(int fd, void *to, size_t len)
{
	return is_file(fd) && fails(DISK_READ) ? -1
					       : syscall(SYS_read, fd, to, len);
}

ssize_t
write(int fd, const void *from, size_t len)
{
	size_t most;

	(void)pthread_mutex_lock(&lock);
	most = disk.most;
	(void)pthread_mutex_unlock(&lock);
	if (most > 0)
		len = MIN(len, most);
	return is_file(fd) && fails(DISK_WRITE)
		   ? -1
		   : syscall(SYS_write, fd, from, len);
}

/* SQLite's way to read and write. */
ssize_t
pread64(int fd, void *to, size_t len, off64_t at)
{
	return is_file(fd) && fails(DISK_READ)
		   ? -1
		   : syscall(SYS_pread64, fd, to, len, at);
}

ssize_t
pwrite64(int fd, const void *from, size_t len, off64_t at)
{
	return is_file(fd) && fails(DISK_WRITE)
		   ? -1
		   : syscall(SYS_pwrite64, fd, from, len, at);
}

int
fchmod(int fd, mode_t mode)
{
	return fails(DISK_CHMOD) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int
fsync(int fd)
{
	return fails(DISK_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return fails(DISK_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
rename(const char *from, const char *to)
{
	return fails(DISK_RENAME) ? -1
				  : (int)syscall(SYS_renameat2, AT_FDCWD, from,
					AT_FDCWD, to, 0);
}

/* --- folders -------------------------------------------------------------- */

void
folder_make(struct folder *f)
{
	snprintf(f->path, sizeof(f->path), "/tmp/meshd-io-XXXXXX");
	EXPECT_TRUE(mkdtemp(f->path) != NULL);
}

static size_t
each_name(const char *path, bool remove_them)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	EXPECT_TRUE(dir != NULL);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		count++;
		if (!remove_them)
			continue;
		if (e->d_type == DT_DIR) {
			char below[512];

			snprintf(
			    below, sizeof(below), "%s/%s", path, e->d_name);
			(void)each_name(below, true);
			EXPECT_EQ(rmdir(below), 0);
		} else {
			EXPECT_EQ(unlinkat(dirfd(dir), e->d_name, 0), 0);
		}
	}
	closedir(dir);
	return count;
}

void
folder_remove(struct folder *f)
{
	(void)each_name(f->path, true);
	EXPECT_EQ(rmdir(f->path), 0);
}

size_t
folder_count(const struct folder *f)
{
	return each_name(f->path, false);
}

const char *
folder_file(const struct folder *f, const char *name)
{
	static char paths[8][256];
	static unsigned turn;
	char *path = paths[turn++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", f->path, name);
	return path;
}

/* --- walks ---------------------------------------------------------------- */

static void
walk_call(enum disk_call call, int errnum, disk_try_cb try)
{
	struct disk_walk w = {.call = call, .errnum = errnum};
	bool hit = true;

	while (hit && w.n < WALK_MAX) {
		hit = false;
		w.n++;
		try(&w, &hit);
	}
	EXPECT_FALSE(hit);
	printf("%s (%s): each of %llu calls failed\n", disk_call_name(call),
	    strerror(errnum), (unsigned long long)w.n - 1);
}

void
disk_walk_all(disk_try_cb try)
{
	for (int call = 0; call < DISK_CALLS; call++) {
		walk_call(call, EIO, try);
		walk_call(call, ENOSPC, try);
	}
}
