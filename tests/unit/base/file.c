/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file — replaced whole or not at all; read to a bound.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base.h"
#include "unit.h"

struct scene {
	char folder[64];
	char path[128];
};

static void
begin(struct scene *s)
{
	snprintf(s->folder, sizeof(s->folder), "/tmp/meshd-file-XXXXXX");
	EXPECT_TRUE(mkdtemp(s->folder) != NULL);
	snprintf(s->path, sizeof(s->path), "%s/a", s->folder);
}

static void
end(struct scene *s)
{
	(void)unlink(s->path);
	EXPECT_EQ(rmdir(s->folder), 0); /* nothing else was left behind */
}

TEST(a_replaced_file_has_the_new_bytes_and_the_mode)
{
	struct scene s;
	struct stat st;
	AUTO(buf_fini) struct buf got = BUF(100);

	begin(&s);
	EXPECT_EQ(file_replace(s.path, S("old and longer"), 0644, NULL), OK);
	EXPECT_EQ(file_replace(s.path, S("new"), 0600, NULL), OK);
	EXPECT_EQ(stat(s.path, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0600);
	EXPECT_EQ(file_read_private(s.path, &got, NULL), OK);
	EXPECT_SLICE(buf_slice(&got), S("new"));
	end(&s);
}

TEST(a_file_is_digested_from_its_beginning_whatever_was_read_of_it)
{
	static char bytes[40000]; /* more than one piece */
	struct scene s;
	uint8_t whole[CRYPTO_SHA256_LEN], got[CRYPTO_SHA256_LEN];
	char first;
	struct fault why = {0};
	int fd;

	begin(&s);
	memset(bytes, 'x', sizeof(bytes));
	crypto_sha256(slice_of(bytes, sizeof(bytes)), whole);
	EXPECT_OK(
	    file_replace(s.path, slice_of(bytes, sizeof(bytes)), 0600, &why));
	fd = open(s.path, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(read(fd, &first, 1), 1);
	EXPECT_OK(crypto_sha256_file(fd, got, &why));
	EXPECT_EQ(memcmp(got, whole, sizeof(got)), 0);
	EXPECT_EQ(close(fd), 0);
	fd = open(s.folder, O_RDONLY | O_CLOEXEC);
	EXPECT_TRUE(crypto_sha256_file(fd, got, &why) != OK);
	EXPECT_TRUE(why.text[0] != '\0');
	EXPECT_EQ(close(fd), 0);
	end(&s);
}

TEST(a_file_of_exactly_the_limit_is_read_and_one_byte_more_is_not)
{
	struct scene s;
	AUTO(buf_fini) struct buf three = BUF(3);
	AUTO(buf_fini) struct buf two = BUF(2);

	begin(&s);
	EXPECT_EQ(file_replace(s.path, S("new"), 0600, NULL), OK);
	EXPECT_EQ(file_read(s.path, &three, NULL), OK);
	EXPECT_EQ(file_read(s.path, &two, NULL), ERR_LIMIT);
	end(&s);
}

TEST(a_private_file_that_others_may_read_is_refused_with_the_cure)
{
	struct scene s;
	struct fault why = {0};
	AUTO(buf_fini) struct buf got = BUF(100);

	begin(&s);
	EXPECT_EQ(file_replace(s.path, S("x"), 0640, NULL), OK);
	EXPECT_EQ(file_read_private(s.path, &got, &why), ERR_PERMISSION);
	EXPECT_TRUE(strstr(why.text, "chmod 600") != NULL);
	EXPECT_EQ(buf_len(&got), 0);
	end(&s);
}

TEST(a_folder_that_is_not_there_and_a_folder_as_a_file_are_told_apart)
{
	AUTO(buf_fini) struct buf got = BUF(100);

	EXPECT_EQ(
	    file_replace("/tmp/meshd-no/a", S("x"), 0600, NULL), ERR_NOT_FOUND);
	EXPECT_EQ(file_read("/tmp/meshd-no/a", &got, NULL), ERR_NOT_FOUND);
	EXPECT_EQ(file_read("/tmp", &got, NULL), ERR_INVALID);
}

TEST(what_a_killed_process_had_begun_is_swept_away)
{
	char half[160];
	struct scene s;
	AUTO(buf_fini) struct buf got = BUF(100);

	begin(&s);
	EXPECT_OK(file_replace(s.path, S("whole"), 0600, NULL));
	(void)snprintf(half, sizeof(half), "%s.new", s.path);
	EXPECT_EQ(close(open(half, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	file_sweep(s.folder);
	EXPECT_EQ(access(half, F_OK), -1);
	EXPECT_OK(file_read(s.path, &got, NULL));
	EXPECT_SLICE(buf_slice(&got), S("whole"));
	file_sweep(s.path); /* no folder: nothing happens */
	end(&s);
}

TEST(a_folder_is_made_with_those_above_it)
{
	char top[] = "/tmp/meshd-folder-XXXXXX";
	char path[64], file[128];
	struct fault why = {0};
	struct stat st;
	bool made = false;

	EXPECT_TRUE(mkdtemp(top) != NULL);
	(void)snprintf(path, sizeof(path), "%s/a/b", top);
	EXPECT_OK(file_make_folder(path, 0700, &made, &why));
	EXPECT_TRUE(made);
	EXPECT_EQ(stat(path, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0700);
	EXPECT_OK(file_make_folder(path, 0700, &made, &why));
	EXPECT_FALSE(made);
	(void)snprintf(file, sizeof(file), "%s/f", path);
	EXPECT_OK(file_replace(file, S("x"), 0600, NULL));
	EXPECT_EQ(file_make_folder(file, 0700, NULL, &why), ERR_EXISTS);
	EXPECT_TRUE(strstr(why.text, "and no folder") != NULL);
	EXPECT_EQ(unlink(file), 0);
	EXPECT_EQ(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	EXPECT_EQ(rmdir(path), 0);
	EXPECT_EQ(rmdir(top), 0);
}
