/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file — a file that is replaced is the old or the new one, whatever fails.
 */
#include <errno.h>

#include "disk.h"
#include "unit.h"

#define OLD "what was there before"
#define NEW "what comes instead of it, and is longer"

static struct folder folder;

static void
expect_content(const char *path, struct slice wanted)
{
	AUTO(buf_fini) struct buf got = BUF(1 << 10);

	EXPECT_ERR(file_read_private(path, &got, NULL), OK);
	EXPECT_SLICE(buf_slice(&got), wanted);
}

static void
replace(const struct disk_walk *w, bool *out_hit)
{
	struct fault why = {0};
	const char *path;
	enum err e;

	folder_make(&folder);
	path = folder_file(&folder, "a");
	EXPECT_ERR(file_replace(path, S(OLD), 0600, NULL), OK);
	disk_fail(w->call, w->n, w->errnum);
	e = file_replace(path, S(NEW), 0600, &why);
	*out_hit = disk_heal();
	EXPECT_EQ(e == OK, !*out_hit);
	if (*out_hit) {
		AUTO(buf_fini) struct buf got = BUF(1 << 10);

		EXPECT_ERR(e, w->errnum == ENOSPC ? ERR_NO_SPACE : ERR_IO);
		EXPECT_TRUE(why.text[0] != '\0');
		/* The folder's own entry may have failed last: then NEW. */
		EXPECT_ERR(file_read(path, &got, NULL), OK);
		EXPECT_TRUE(slice_eq(buf_slice(&got), S(OLD)) ||
			    slice_eq(buf_slice(&got), S(NEW)));
		EXPECT_EQ(folder_count(&folder), 1);
		EXPECT_ERR(file_replace(path, S(NEW), 0600, NULL), OK);
	}
	expect_content(path, S(NEW));
	folder_remove(&folder);
}

TEST(any_failing_call_leaves_the_old_file_or_the_new_one)
{
	disk_walk_all(replace);
}

TEST(writes_that_take_a_byte_at_a_time_make_a_whole_file)
{
	const char *path;

	folder_make(&folder);
	path = folder_file(&folder, "a");
	disk_write_short(1);
	EXPECT_ERR(file_replace(path, S(NEW), 0600, NULL), OK);
	disk_write_short(0);
	expect_content(path, S(NEW));
	folder_remove(&folder);
}

TEST(an_interrupted_call_is_made_again)
{
	AUTO(buf_fini) struct buf got = BUF(1 << 10);
	const char *path;

	folder_make(&folder);
	path = folder_file(&folder, "a");
	disk_fail(DISK_WRITE, 1, EINTR);
	EXPECT_ERR(file_replace(path, S(NEW), 0600, NULL), OK);
	EXPECT_TRUE(disk_heal());
	disk_fail(DISK_READ, 1, EINTR);
	EXPECT_ERR(file_read(path, &got, NULL), OK);
	EXPECT_TRUE(disk_heal());
	EXPECT_SLICE(buf_slice(&got), S(NEW));
	folder_remove(&folder);
}

static void
read_it(const struct disk_walk *w, bool *out_hit)
{
	AUTO(buf_fini) struct buf got = BUF(1 << 10);
	struct fault why = {0};
	const char *path;
	enum err e;

	folder_make(&folder);
	path = folder_file(&folder, "a");
	EXPECT_ERR(file_replace(path, S(OLD), 0600, NULL), OK);
	disk_fail(w->call, w->n, w->errnum);
	e = file_read_private(path, &got, &why);
	*out_hit = disk_heal();
	/* Never "not found", or a new key would be made. */
	EXPECT_ERR(e, !*out_hit             ? OK
		      : w->errnum == ENOSPC ? ERR_NO_SPACE
					    : ERR_IO);
	EXPECT_TRUE(e == OK || why.text[0] != '\0');
	if (e == OK)
		EXPECT_SLICE(buf_slice(&got), S(OLD));
	folder_remove(&folder);
}

TEST(what_cannot_be_read_is_not_taken_for_what_is_not_there)
{
	disk_walk_all(read_it);
}
