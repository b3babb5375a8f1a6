/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot — the agent's last good configuration, on a disk that fails.
 *
 * What cannot be read now may be readable later: only what was read and is
 * damaged is set aside.
 */
#include "xds/xds.h"

#include "disk.h"
#include "unit.h"

static struct folder folder;

static void
ignore_request(void *arg UNUSED, const struct codec_delta_request *m UNUSED)
{
}

static void
ignore_update(void *arg UNUSED, struct xds_update *u)
{
	xds_update_settle(&u);
}

static const struct xds_client_ops ops = {ignore_request, ignore_update};

static void
encode(const char *body, struct buf *out)
{
	AUTO(xds_client_free)
	struct xds_client *c = xds_client_new(&ops, NULL, S("n"), S("c"));
	struct xds_resource r = {.type_url = S("t"),
	    .name = S("a"),
	    .version = S("1"),
	    .body = slice_str(body)};

	EXPECT_ERR(xds_client_restore(c, &r), OK);
	EXPECT_ERR(xds_snapshot_encode(c, out), OK);
}

/* The bytes that a client which loaded the file would write. */
static enum err
load(const char *path, struct buf *out, struct fault *why)
{
	AUTO(xds_client_free)
	struct xds_client *c = xds_client_new(&ops, NULL, S("n"), S("c"));
	enum err e = xds_snapshot_load(path, c, why);

	EXPECT_ERR(xds_snapshot_encode(c, out), OK);
	return e;
}

static void
read_again(const struct disk_walk *w, bool *out_hit)
{
	AUTO(buf_fini) struct buf bytes = BUF(1 << 16);
	AUTO(buf_fini) struct buf got = BUF(1 << 16);
	struct fault why = {0};
	const char *path;
	enum err e;

	EXPECT_ERR(crypto_init(), OK);
	folder_make(&folder);
	path = folder_file(&folder, "snapshot");
	encode("body", &bytes);
	EXPECT_ERR(file_replace(path, buf_slice(&bytes), 0600, NULL), OK);
	disk_fail(w->call, w->n, w->errnum);
	e = load(path, &got, &why);
	*out_hit = disk_heal();
	EXPECT_EQ(e == OK, !*out_hit);
	EXPECT_TRUE(e == OK || why.text[0] != '\0');
	buf_reset(&got);
	EXPECT_ERR(load(path, &got, NULL), OK);
	EXPECT_SLICE(buf_slice(&got), buf_slice(&bytes));
	folder_remove(&folder);
}

TEST(a_snapshot_that_cannot_be_read_now_is_not_set_aside)
{
	disk_walk_all(read_again);
}

static void
damage(const struct disk_walk *w, bool *out_hit)
{
	AUTO(buf_fini) struct buf got = BUF(1 << 16);
	const char *path;

	EXPECT_ERR(crypto_init(), OK);
	folder_make(&folder);
	path = folder_file(&folder, "snapshot");
	EXPECT_ERR(file_replace(path, S("no snapshot"), 0600, NULL), OK);
	disk_fail(w->call, w->n, w->errnum);
	EXPECT_TRUE(load(path, &got, NULL) != OK);
	*out_hit = disk_heal();
	/* Set aside, or where it was: it is evidence. */
	EXPECT_EQ(folder_count(&folder), 1);
	folder_remove(&folder);
}

TEST(a_damaged_snapshot_is_never_lost)
{
	disk_walk_all(damage);
}
