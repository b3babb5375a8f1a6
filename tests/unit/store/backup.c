/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backup — a copy of everything, and what comes back from it.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

static struct rig r;
static struct rig other;
static char copy[128];

struct answer {
	bool done;
	enum err err;
	uint64_t revision;
	char why[FAULT_TEXT_MAX];
};

static void
on_backup(enum err e, const struct fault *why, uint64_t revision, void *arg)
{
	struct answer *a = arg;

	a->err = e;
	a->revision = revision;
	if (why != NULL)
		memcpy(a->why, why->text, sizeof(a->why));
	a->done = true;
}

static struct answer
back_up(const char *path)
{
	struct answer a = {0};

	store_backup(r.store, path, on_backup, &a);
	EXPECT_FALSE(a.done);
	rig_wait(&r, &a.done);
	return a;
}

/* Three changes of two resources, and a copy of them. */
static void
begin(void)
{
	rig_init(&r);
	rig_init(&other);
	(void)snprintf(copy, sizeof(copy), "%s/copy", r.dir);
	EXPECT_OK(rig_open(&r));
	EXPECT_OK(rig_put(&r, "a", "{\"v\":1}"));
	EXPECT_OK(rig_put(&r, "b", "{}"));
	EXPECT_OK(rig_put(&r, "a", "{\"v\":2}"));
	EXPECT_OK(back_up(copy).err);
}

static void
end(void)
{
	rig_fini(&other);
	rig_fini(&r);
}

static enum err
restore(const uint8_t *key, struct store_restored *out, struct fault *why)
{
	memset(out, 0, sizeof(*out));
	return store_restore(copy, other.path, key, 9000, out, why);
}

TEST(a_copy_is_everybody_elses_and_whole)
{
	struct stat st;

	begin();
	EXPECT_EQ(stat(copy, &st), 0);
	EXPECT_EQ(st.st_mode & 0777, 0600);
	/* Again, over the one that is there. */
	EXPECT_OK(rig_put(&r, "c", "{}"));
	EXPECT_EQ(back_up(copy).revision, 4);
	end();
}

TEST(what_cannot_be_written_fails_nothing_else)
{
	struct answer a;

	begin();
	a = back_up("/nowhere/at/all");
	EXPECT_ERR(a.err, ERR_NOT_FOUND);
	EXPECT_TRUE(strstr(a.why, "cannot be written") != NULL);
	EXPECT_OK(rig_put(&r, "c", "{}"));
	end();
}

TEST(what_comes_back_is_what_was_with_its_past)
{
	struct store_row key = rig_resource("a", "");
	struct store_restored done;
	struct fault why = {0};

	begin();
	EXPECT_OK(rig_put(&r, "late", "{}"));
	EXPECT_OK(restore(r.key, &done, &why));
	EXPECT_EQ(done.revision, 3);
	EXPECT_EQ(done.time_ms, 1000);
	memcpy(other.key, r.key, sizeof(other.key));
	EXPECT_OK(rig_open(&other));
	EXPECT_OK(rig_get(&other, &key));
	EXPECT_SLICE(other.rows[0].resource.body, S("{\"v\":2}"));
	EXPECT_EQ(other.rows[0].revision, 3);
	EXPECT_OK(rig_history(&other, &key));
	EXPECT_EQ(other.count, 2);
	key = rig_resource("late", "");
	EXPECT_ERR(rig_get(&other, &key), ERR_NOT_FOUND);
	end();
}

TEST(no_revision_is_given_out_twice_and_the_log_stays)
{
	struct store_restored done;
	struct fault why = {0};

	begin();
	EXPECT_OK(restore(r.key, &done, &why));
	memcpy(other.key, r.key, sizeof(other.key));
	EXPECT_OK(rig_open(&other));
	EXPECT_OK(rig_put(&other, "new", "{}"));
	EXPECT_EQ(other.revision, 3 + 1000000000 + 1);
	EXPECT_OK(rig_as_of(&other, 1, NULL));
	EXPECT_EQ(other.count, 3);
	end();
}

TEST(another_key_and_what_is_there_are_refused_and_leave_nothing)
{
	uint8_t wrong[CRYPTO_KEY_LEN] = {1};
	struct store_restored done;
	struct fault why = {0};

	begin();
	EXPECT_ERR(restore(wrong, &done, &why), ERR_AUTH);
	EXPECT_TRUE(strstr(why.text, "another sealing key") != NULL);
	EXPECT_EQ(access(other.path, F_OK), -1);
	EXPECT_OK(restore(r.key, &done, &why));
	EXPECT_ERR(restore(r.key, &done, &why), ERR_EXISTS);
	EXPECT_EQ(access(other.path, F_OK), 0);
	end();
}

/* Any page at all may be lost; what is found out is said, and nothing stays. */
TEST(a_damaged_copy_is_refused)
{
	struct store_restored done;
	struct fault why = {0};
	AUTO(buf_fini) struct buf whole = BUF(16 << 20);
	AUTO(buf_fini) struct buf torn = BUF(16 << 20);
	size_t refused = 0;

	begin();
	EXPECT_OK(file_read(copy, &whole, &why));
	for (size_t at = 4096; at < buf_len(&whole); at += 4096) {
		buf_reset(&torn);
		EXPECT_OK(buf_add_slice(&torn, buf_slice(&whole)));
		memset(torn.mem + torn.start + at, 0xa5, 4096);
		EXPECT_OK(file_replace(copy, buf_slice(&torn), 0600, &why));
		if (restore(r.key, &done, &why) == OK) {
			EXPECT_EQ(unlink(other.path), 0);
			continue; /* a page that is free */
		}
		refused++;
		EXPECT_EQ(access(other.path, F_OK), -1);
	}
	EXPECT_TRUE(refused > 10);
	end();
}
