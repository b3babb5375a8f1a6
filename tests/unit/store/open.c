/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open — which files are opened, and in which words the others are refused.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db.h"
#include "rig.h"

static struct rig r;

static void
write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	EXPECT_TRUE(fd >= 0);
	EXPECT_EQ(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* Another program's hand in the file. */
static void
run_sql(const char *text)
{
	sqlite3 *sql;

	EXPECT_EQ(sqlite3_open(r.path, &sql), SQLITE_OK);
	EXPECT_EQ(sqlite3_exec(sql, text, NULL, NULL, NULL), SQLITE_OK);
	EXPECT_EQ(sqlite3_close(sql), SQLITE_OK);
}

static void
expect_words(const char *part)
{
	if (strstr(r.why.text, part) == NULL)
		EXPECT_STR(r.why.text, part);
}

TEST(a_new_file_belongs_to_its_owner_alone)
{
	struct stat st;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(stat(r.path, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0600);
	rig_fini(&r);
}

TEST(a_text_file_is_refused_and_left_as_it_is)
{
	static const char poem[200] = "two roads diverged in a yellow wood\n";
	char after[sizeof(poem)];
	int fd;

	rig_init(&r);
	write_file(r.path, poem, sizeof(poem));
	EXPECT_ERR(rig_open(&r), ERR_INVALID);
	expect_words("is not a store of meshd");
	rig_close(&r);
	fd = open(r.path, O_RDONLY);
	EXPECT_EQ(read(fd, after, sizeof(after)), (ssize_t)sizeof(after));
	EXPECT_MEM(after, poem, sizeof(poem));
	close(fd);
	rig_fini(&r);
}

TEST(another_programs_database_is_refused)
{
	rig_init(&r);
	run_sql("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
	EXPECT_ERR(rig_open(&r), ERR_INVALID);
	expect_words("is not a store of meshd");
	rig_fini(&r);
}

TEST(a_file_of_a_newer_meshd_is_refused_in_words)
{
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	rig_close(&r);
	run_sql("PRAGMA user_version = 9");
	EXPECT_ERR(rig_open(&r), ERR_UNSUPPORTED);
	expect_words("was made by a newer meshd (schema 9, this one knows 2)");
	rig_fini(&r);
}

/* As the first release made it: no image of anything, and one put. */
static const char to_schema_1[] =
    "CREATE TABLE c (revision INTEGER, seq INTEGER, \"table\" INTEGER NOT NULL,"
    " key BLOB NOT NULL, PRIMARY KEY (revision, seq)) WITHOUT ROWID;"
    "INSERT INTO c SELECT revision, seq, \"table\", key FROM changes;"
    "DROP TABLE changes; ALTER TABLE c RENAME TO changes;"
    "CREATE INDEX changes_by_key ON changes (\"table\", key, revision);"
    "DELETE FROM meta WHERE name IN ('log_entries', 'images_since');"
    "PRAGMA user_version = 1";

TEST(a_file_of_an_older_meshd_goes_on)
{
	struct store_row key = rig_resource("a", "");

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_put(&r, "a", "{\"v\":1}"));
	EXPECT_OK(rig_put(&r, "a", "{\"v\":2}"));
	rig_close(&r);
	run_sql(to_schema_1);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_get(&r, &key));
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"v\":2}"));
	/* What was replaced before is not known. */
	EXPECT_ERR(rig_as_of(&r, 1, NULL), ERR_NOT_FOUND);
	expect_words("what was at revision 1 is forgotten; the log reaches "
		     "back to revision 2");
	EXPECT_ERR(rig_history(&r, &key), ERR_NOT_FOUND);
	EXPECT_OK(rig_put(&r, "a", "{\"v\":3}"));
	EXPECT_OK(rig_as_of(&r, 2, NULL));
	EXPECT_EQ(r.count, 1);
	EXPECT_SLICE(r.rows[0].resource.body, S("{\"v\":2}"));
	rig_close(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_history(&r, &key));
	EXPECT_EQ(r.count, 1);
	rig_fini(&r);
}

TEST(another_sealing_key_is_refused)
{
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	rig_close(&r);
	r.key[0] ^= 1;
	EXPECT_ERR(rig_open(&r), ERR_AUTH);
	expect_words("was made under another sealing key");
	rig_fini(&r);
}

TEST(a_damaged_file_is_refused_at_the_start)
{
	static const char noise[2000] = "noise";
	struct stat st;
	int fd;

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_put(&r, "a", "{}"));
	rig_close(&r);
	EXPECT_EQ(stat(r.path, &st), 0);
	fd = open(r.path, O_WRONLY);
	for (off_t at = 8192; at < st.st_size; at += 4096)
		EXPECT_EQ(pwrite(fd, noise, sizeof(noise), at),
		    (ssize_t)sizeof(noise));
	close(fd);
	EXPECT_ERR(rig_open(&r), ERR_CORRUPT);
	expect_words("is damaged");
	rig_fini(&r);
}

TEST(a_folder_that_is_not_there_is_refused)
{
	rig_init(&r);
	snprintf(r.path, sizeof(r.path), "%s/no/such/store.db", r.dir);
	EXPECT_NE(rig_open(&r), OK);
	expect_words("/no/such/store.db");
	rig_fini(&r);
}

/* Runs `body` in a process of its own; its exit status. */
static int
in_child(int (*body)(void))
{
	int status = 0;
	pid_t pid = fork();

	EXPECT_TRUE(pid >= 0);
	if (pid == 0)
		_exit(body());
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Without a thread: a process that was forked off threads starts none. */
static bool
is_refused(enum err code, const char *words)
{
	struct fault why;
	struct db db;

	return db_open(&db, r.path, r.key, NULL, &why) == code &&
	       strstr(why.text, words) != NULL;
}

static int
open_as_second(void)
{
	return is_refused(ERR_BUSY, "in use by another server") ? 0 : 1;
}

TEST(a_second_server_on_the_same_file_is_refused)
{
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_EQ(in_child(open_as_second), 0);
	EXPECT_OK(rig_put(&r, "a", "{}"));
	rig_fini(&r);
}

static int
open_as_nobody(void)
{
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		return 2;
	return is_refused(ERR_PERMISSION, "no permission") ? 0 : 1;
}

TEST(a_folder_without_permission_is_refused_in_words)
{
	rig_init(&r);
	EXPECT_EQ(chmod(r.dir, 0500), 0);
	EXPECT_EQ(in_child(open_as_nobody), 0);
	EXPECT_EQ(chmod(r.dir, 0700), 0);
	rig_fini(&r);
}

TEST(after_a_failed_opening_every_question_gets_its_words)
{
	struct store_row key = rig_resource("a", "");

	rig_init(&r);
	write_file(r.path, "xyz", 3);
	EXPECT_ERR(rig_open(&r), ERR_INVALID);
	EXPECT_ERR(rig_put(&r, "a", "{}"), ERR_INVALID);
	expect_words("is not a store of meshd");
	EXPECT_ERR(rig_get(&r, &key), ERR_INVALID);
	rig_fini(&r);
}

TEST(a_sealed_secret_opens_under_its_name_only)
{
	AUTO(buf_fini) struct buf sealed = BUF(1024);
	AUTO(secret_fini) struct secret plain = {0};

	rig_init(&r);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(store_seal(r.store, S("ca/root"), S("a key"), &sealed));
	EXPECT_ERR(
	    store_unseal(r.store, S("ca/other"), buf_slice(&sealed), &plain),
	    ERR_AUTH);
	EXPECT_OK(
	    store_unseal(r.store, S("ca/root"), buf_slice(&sealed), &plain));
	EXPECT_TRUE(secret_eq(&plain, S("a key")));
	EXPECT_ERR(
	    store_unseal(r.store, S("ca/root"), S("short"), &plain), ERR_AUTH);
	rig_fini(&r);
}
