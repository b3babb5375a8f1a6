/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_init — a mesh is made whole or not at all.
 *
 * The store's own calls are counted with the others: a failing one of any
 * kind leaves either a mesh that starts or a folder in which init works.
 */
#include "server/server.h"

#include "disk.h"
#include "unit.h"

static struct folder folder;

static enum err
init(struct fault *why)
{
	struct server_init_spec spec = {
	    .state_dir = folder_file(&folder, "server")};

	return server_init(&spec, why);
}

static void
attempt(const struct disk_walk *w, bool *out_hit)
{
	struct fault why = {0};
	enum err e;

	EXPECT_ERR(crypto_init(), OK);
	EXPECT_ERR(tls_init(), OK);
	folder_make(&folder);
	disk_fail(w->call, w->n, w->errnum);
	e = init(&why);
	*out_hit = disk_heal();
	EXPECT_TRUE(e == OK || *out_hit);
	EXPECT_TRUE(e == OK || why.text[0] != '\0');
	/* A second mesh is made only where the first was not. */
	EXPECT_EQ(init(NULL) == OK, e != OK);
	folder_remove(&folder);
}

TEST(an_init_that_fails_anywhere_leaves_nothing_behind)
{
	disk_walk_all(attempt);
}
