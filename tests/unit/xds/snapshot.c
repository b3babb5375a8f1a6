/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot — what is on the disk comes back, or is set aside in words.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pair.h"

static struct pair p;
static char dir[64];
static char path[96];

static void
begin(void)
{
	CHECK(crypto_init() == OK);
	pair_init(&p);
	snprintf(dir, sizeof(dir), "/tmp/meshd-xds-XXXXXX");
	EXPECT_TRUE(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/resources", dir);
}

static void
end(void)
{
	char bad[112];

	snprintf(bad, sizeof(bad), "%s.bad", path);
	unlink(path);
	unlink(bad);
	EXPECT_EQ(rmdir(dir), 0);
	pair_fini(&p);
}

static void
put(const char *type, const char *name, const char *body)
{
	struct xds_resource r = {.type_url = slice_str(type),
	    .name = slice_str(name),
	    .version = S("7"),
	    .body = slice_str(body)};

	EXPECT_OK(xds_client_restore(p.client, &r));
}

static void
save(void)
{
	AUTO(buf_fini) struct buf bytes = BUF(1 << 20);

	EXPECT_OK(xds_snapshot_encode(p.client, &bytes));
	EXPECT_OK(file_replace(path, buf_slice(&bytes), 0600, NULL));
}

TEST(the_set_comes_back_from_the_disk)
{
	begin();
	put(PAIR_TYPE, "a", "A");
	put(PAIR_OTHER, "root", "");
	save();
	pair_fini(&p);
	pair_init(&p);
	EXPECT_OK(xds_snapshot_load(path, p.client, NULL));
	EXPECT_STR(pair_set(&p), "a@7=A root@7= ");
	end();
}

TEST(an_empty_set_is_a_set)
{
	begin();
	save();
	EXPECT_OK(xds_snapshot_load(path, p.client, NULL));
	EXPECT_STR(pair_set(&p), "");
	end();
}

TEST(no_file_is_not_an_error_of_the_file)
{
	begin();
	EXPECT_ERR(xds_snapshot_load(path, p.client, NULL), ERR_NOT_FOUND);
	end();
}

TEST(a_bad_file_is_set_aside_and_the_client_starts_empty)
{
	struct fault why;
	char bad[112];

	begin();
	EXPECT_OK(file_replace(path, S("meshdxds nonsense"), 0600, NULL));
	EXPECT_ERR(xds_snapshot_load(path, p.client, &why), ERR_CORRUPT);
	EXPECT_STR(pair_set(&p), "");
	snprintf(bad, sizeof(bad), "%s.bad", path);
	EXPECT_EQ(access(bad, F_OK), 0);
	EXPECT_NE(access(path, F_OK), 0);
	EXPECT_ERR(xds_snapshot_load(path, p.client, NULL), ERR_NOT_FOUND);
	end();
}

static void
count(void *arg, const struct xds_resource *r UNUSED)
{
	size_t *n = arg;

	(*n)++;
}

TEST(any_changed_or_missing_byte_is_found_out)
{
	AUTO(buf_fini) struct buf bytes = BUF(1 << 20);
	struct slice whole;
	size_t n = 0;

	begin();
	put(PAIR_TYPE, "a", "A");
	put(PAIR_TYPE, "b", "B");
	EXPECT_OK(xds_snapshot_encode(p.client, &bytes));
	whole = buf_slice(&bytes);
	for (size_t i = 0; i < whole.len; i++) {
		bytes.mem[bytes.start + i] ^= 0x10;
		EXPECT_NE(xds_snapshot_decode(whole, count, &n, NULL), OK);
		bytes.mem[bytes.start + i] ^= 0x10;
		EXPECT_NE(xds_snapshot_decode(
			      slice_sub(whole, 0, i), count, &n, NULL),
		    OK);
	}
	EXPECT_EQ(n, 0);
	EXPECT_OK(xds_snapshot_decode(whole, count, &n, NULL));
	EXPECT_EQ(n, 2);
	end();
}

TEST(a_file_of_another_format_is_refused_in_words)
{
	AUTO(buf_fini) struct buf bytes = BUF(1 << 20);
	struct fault why;
	size_t n = 0;

	begin();
	EXPECT_OK(xds_snapshot_encode(p.client, &bytes));
	bytes.mem[bytes.start + 11] = 9;
	EXPECT_ERR(xds_snapshot_decode(buf_slice(&bytes), count, &n, &why),
	    ERR_UNSUPPORTED);
	EXPECT_STR(why.text,
	    "it was written by another meshd (format 9, this one knows 1)");
	end();
}

TEST(after_a_restart_only_what_changed_is_sent)
{
	begin();
	put(PAIR_TYPE, "a", "A");
	EXPECT_OK(xds_client_subscribe(p.client, S(PAIR_TYPE), S("")));
	pair_put(&p, "a", "7", "A");
	pair_put(&p, "b", "1", "B");
	p.hold = true;
	pair_connect(&p);
	EXPECT_TRUE(pair_up(&p));
	EXPECT_TRUE(pair_down(&p));
	EXPECT_EQ(p.open[0]->resource_count, 1);
	EXPECT_SLICE(p.open[0]->resources[0].name, S("b"));
	end();
}
