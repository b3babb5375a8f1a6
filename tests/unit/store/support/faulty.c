/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faulty — a disk and a memory that fail when the test says so.
 *
 * The VFS stands before the system's own: each file has the methods of ours
 * in front and the real file behind.
 */
#include <stdatomic.h>

#include <sqlite3.h>

#include "faulty.h"

struct faulty faulty;

struct file {
	sqlite3_file base; /* first: SQLite knows only this */
	sqlite3_file *real;
};

static sqlite3_vfs *system_vfs;

static sqlite3_file *
real(sqlite3_file *f)
{
	return ((struct file *)(void *)f)->real;
}

static bool
fails(enum faulty_kind kind)
{
	uint64_t n = ++faulty.count[kind];
	uint64_t at = faulty.fail_at[kind];

	return at != 0 && (n == at || (faulty.lasting && n > at));
}

static int
f_close(sqlite3_file *f)
{
	return real(f)->pMethods->xClose(real(f));
}

static int
f_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	if (fails(FAULTY_READ))
		return SQLITE_IOERR_READ;
	return real(f)->pMethods->xRead(real(f), to, n, at);
}

static int
f_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	if (fails(FAULTY_WRITE))
		return faulty.code;
	return real(f)->pMethods->xWrite(real(f), from, n, at);
}

static int
f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return real(f)->pMethods->xTruncate(real(f), size);
}

static int
f_sync(sqlite3_file *f, int flags)
{
	if (fails(FAULTY_SYNC))
		return SQLITE_IOERR_FSYNC;
	return real(f)->pMethods->xSync(real(f), flags);
}

static int
f_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return real(f)->pMethods->xFileSize(real(f), out);
}

static int
f_lock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xLock(real(f), level);
}

static int
f_unlock(sqlite3_file *f, int level)
{
	return real(f)->pMethods->xUnlock(real(f), level);
}

static int
f_reserved(sqlite3_file *f, int *out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int
f_control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int
f_sector(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int
f_device(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

/* Version 1: no shared memory, which an exclusive lock does without. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
};

static int
v_open(sqlite3_vfs *vfs UNUSED, const char *name, sqlite3_file *f, int flags,
    int *out_flags)
{
	struct file *file = (struct file *)(void *)f;
	int code;

	file->real = (sqlite3_file *)(void *)(file + 1);
	file->base.pMethods = NULL;
	code =
	    system_vfs->xOpen(system_vfs, name, file->real, flags, out_flags);
	if (code == SQLITE_OK)
		file->base.pMethods = &methods;
	return code;
}

void
faulty_register(void)
{
	static sqlite3_vfs vfs;

	if (vfs.zName != NULL)
		return;
	system_vfs = sqlite3_vfs_find(NULL);
	vfs = *system_vfs;
	vfs.zName = FAULTY_VFS;
	vfs.pNext = NULL;
	vfs.xOpen = v_open;
	vfs.szOsFile = (int)sizeof(struct file) + system_vfs->szOsFile;
	CHECK(sqlite3_vfs_register(&vfs, /* default */ 0) == SQLITE_OK);
}

void
faulty_reset(void)
{
	faulty = (struct faulty){.code = SQLITE_IOERR_WRITE};
}

/* --- memory --------------------------------------------------------------- */

static sqlite3_mem_methods system_memory;
static _Atomic uint64_t countdown;
static _Atomic bool has_failed;

static bool
memory_fails(void)
{
	if (atomic_load(&countdown) == 0)
		return false;
	if (atomic_fetch_sub(&countdown, 1) != 1)
		return false;
	atomic_store(&has_failed, true);
	return true;
}

static void *
m_malloc(int n)
{
	return memory_fails() ? NULL : system_memory.xMalloc(n);
}

static void *
m_realloc(void *p, int n)
{
	return memory_fails() ? NULL : system_memory.xRealloc(p, n);
}

void
faulty_memory_register(void)
{
	sqlite3_mem_methods ours;

	CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory) ==
	      SQLITE_OK);
	ours = system_memory;
	ours.xMalloc = m_malloc;
	ours.xRealloc = m_realloc;
	CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK);
}

void
faulty_memory_fail_at(uint64_t n)
{
	atomic_store(&has_failed, false);
	atomic_store(&countdown, n);
}

bool
faulty_memory_has_failed(void)
{
	return atomic_load(&has_failed);
}
