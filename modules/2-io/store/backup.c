/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup — a copy of everything while the store goes on, and back from it.
 *
 * SQLite writes the copy (VACUUM INTO) in one transaction of the store's
 * thread, beside the name that it gets when it is whole and on the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "thread.h"
#include "wire.h"

enum { PART_MAX = 4096, COPY_BYTES = 1 << 20 };

/*
 * Revisions that are left out: more than anybody can have made since the
 * backup, so that agents who saw them take none for one of ours.
 */
static const uint64_t revisions_left_out = 1000000000;

struct backup {
	struct request r;
	char *path;
	store_backup_cb cb;
	void *arg;
	enum err err;
	struct fault why;
	uint64_t revision;
};

/* --- making one ----------------------------------------------------------- */

static enum err
cannot(const char *path, int errnum, struct fault *why)
{
	return fault_set(why, err_from_errno(errnum),
	    "the backup %s cannot be written: %s", path, strerror(errnum));
}

/* Nobody else ever reads it, not even while it is written. */
static enum err
make_empty(const char *path, struct fault *why)
{
	int fd;

	(void)unlink(path); /* of an attempt that was cut short */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return cannot(path, errno, why);
	(void)close(fd); /* nothing was written */
	return OK;
}

static enum err
copy_into(struct db *db, const char *path, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = db_prepare(db, "VACUUM INTO ?", &stmt, why);
	int code;

	if (e != OK)
		return e;
	db_bind_text(stmt, 1, slice_str(path));
	code = sqlite3_step(stmt);
	if (code == SQLITE_DONE)
		return OK;
	/* The store itself has not failed. */
	return fault_set(why,
	    (code & 0xff) == SQLITE_FULL ? ERR_NO_SPACE : ERR_IO,
	    "the backup %s cannot be written: %s", path,
	    sqlite3_errmsg(db->sql));
}

static enum err
sync_path(const char *path, int flags, const char *named, struct fault *why)
{
	int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
	enum err e = OK;

	if (fd < 0 || fsync(fd) != 0)
		e = cannot(named, errno, why);
	if (fd >= 0)
		(void)close(fd); /* it was synced or not by now */
	return e;
}

static enum err
sync_folder(const char *path, struct fault *why)
{
	char dir[PART_MAX];
	struct slice s = slice_str(path);
	size_t at = slice_rfind(s, '/');

	if (at >= s.len)
		return sync_path(".", O_DIRECTORY, path, why);
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)MAX(at, 1), path);
	return sync_path(dir, O_DIRECTORY, path, why);
}

static enum err
write_backup(struct db *db, const char *path, struct fault *why)
{
	char part[PART_MAX];
	int n = snprintf(part, sizeof(part), "%s.part", path);
	enum err e;

	if (n < 0 || n >= PART_MAX)
		return fault_set(why, ERR_LIMIT, "the path is too long");
	e = make_empty(part, why);
	if (e == OK)
		e = copy_into(db, part, why);
	if (e == OK)
		e = sync_path(part, 0, path, why);
	if (e == OK && rename(part, path) != 0)
		e = cannot(path, errno, why);
	if (e == OK)
		return sync_folder(path, why);
	(void)unlink(part); /* or there is none */
	return e;
}

static void
run_backup(struct request *r)
{
	struct backup *b = CONTAINER(r, struct backup, r);

	b->err = store_check_open(r->store, &b->why);
	if (b->err == OK)
		b->err = write_backup(&r->store->db, b->path, &b->why);
	b->revision = r->store->db.revision;
}

static void
done_backup(struct request *r)
{
	struct backup *b = CONTAINER(r, struct backup, r);

	b->cb(b->err, b->err == OK ? NULL : &b->why, b->revision, b->arg);
	mem_free(&b->path);
	mem_free(&b);
}

void
store_backup(struct store *s, const char *path, store_backup_cb cb, void *arg)
{
	struct backup *b = mem_new(sizeof(*b));

	b->r = (struct request){
	    .store = s, .run = run_backup, .done = done_backup};
	b->path = mem_strndup(path, strlen(path));
	b->cb = cb;
	b->arg = arg;
	request_submit(&b->r);
}

/* --- back from one -------------------------------------------------------- */

static enum err
copy_bytes(int in, int out, char *block)
{
	for (;;) {
		ssize_t n = read(in, block, COPY_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? OK : ERR_IO;
		for (ssize_t done = 0; done < n;) {
			ssize_t w =
			    write(out, block + done, (size_t)(n - done));

			if (w < 0 && errno != EINTR)
				return ERR_IO;
			done += MAX(w, 0);
		}
	}
}

static enum err
copy_file(const char *from, const char *to, struct fault *why)
{
	AUTO(mem_free) char *block = mem_new(COPY_BYTES);
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out;
	enum err e;

	if (in < 0)
		return fault_set(why, err_from_errno(errno),
		    "cannot read %s: %s", from, strerror(errno));
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0) {
		e = fault_set(why, err_from_errno(errno), "cannot make %s: %s",
		    to, strerror(errno));
		(void)close(in); /* nothing was read */
		return e;
	}
	e = copy_bytes(in, out, block);
	if (e == OK && fsync(out) != 0)
		e = ERR_IO;
	if (e != OK)
		e = fault_set(why, err_from_errno(errno),
		    "cannot copy %s to %s: %s", from, to, strerror(errno));
	(void)close(in);
	(void)close(out); /* synced, or a failure already */
	return e;
}

/* Every page and every index, not only what opening looks at. */
static enum err
check_all(struct db *db, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = db_prepare(db, "PRAGMA integrity_check(1)", &stmt, why);

	if (e == OK)
		e = db_step(db, stmt, why);
	if (e == OK && !slice_eq(db_text(stmt, 0), S("ok")))
		e = fault_set(why, ERR_CORRUPT, "it is damaged: %.*s",
		    SLICE_ARG(db_text(stmt, 0)));
	return e;
}

static enum err
last_time(struct db *db, int64_t *out, struct fault *why)
{
	AUTO(db_finalize) sqlite3_stmt *stmt = NULL;
	enum err e = db_prepare(
	    db, "SELECT coalesce(max(time_ms), 0) FROM log", &stmt, why);

	if (e == OK)
		e = db_step(db, stmt, why);
	if (e == OK)
		*out = sqlite3_column_int64(stmt, 0);
	return e;
}

/* A mutation of nothing marks the place in the log. */
static enum err
leave_revisions_out(struct db *db, int64_t now_ms, struct fault *why)
{
	AUTO(buf_fini) struct buf bytes = BUF(4096);
	struct store_mutation m = {
	    .actor = S("server restore"), .time_ms = now_ms};
	struct journal_entry entry = {
	    .index = db->revision + revisions_left_out, .m = &m};
	enum err e = wire_encode(&m, &bytes);

	if (e != OK)
		return fault_set(why, e, "%s", err_text(e));
	entry.bytes = buf_slice(&bytes);
	e = db_begin(db, why);
	if (e == OK)
		e = journal_add(db, &entry, why);
	return e == OK ? db_commit(db, why) : e;
}

static enum err
restore_copy(const char *to, const uint8_t *key, int64_t now_ms,
    struct store_restored *out, struct fault *why)
{
	struct db db = {0};
	enum err e = db_open(&db, to, key, NULL, why);

	if (e != OK)
		return e;
	out->revision = db.revision;
	e = check_all(&db, why);
	if (e == OK)
		e = last_time(&db, &out->time_ms, why);
	if (e == OK)
		e = leave_revisions_out(&db, now_ms, why);
	db_close(&db);
	return e == OK ? sync_folder(to, why) : e;
}

/* With what SQLite has beside it. */
static void
remove_store(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char name[PART_MAX];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		(void)unlink(name); /* or there is none */
	}
}

enum err
store_restore(const char *from, const char *to,
    const uint8_t key[CRYPTO_KEY_LEN], int64_t now_ms,
    struct store_restored *out, struct fault *why)
{
	struct stat st;
	enum err e;

	if (access(to, F_OK) == 0)
		return fault_set(why, ERR_EXISTS, "%s is there already", to);
	e = copy_file(from, to, why);
	/* SQLite would take that for a new one. */
	if (e == OK && stat(to, &st) == 0 && st.st_size == 0)
		e = fault_set(why, ERR_CORRUPT, "it is empty");
	if (e == OK)
		e = restore_copy(to, key, now_ms, out, why);
	if (e == OK)
		return OK;
	remove_store(to);
	return fault_prefix(why, e, "%s cannot be restored: ", from);
}
