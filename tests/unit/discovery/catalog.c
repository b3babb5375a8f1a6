/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog — what was last heard of a member stays, on the disk as well.
 */
#include "mesh.h"
#include "unit.h"

static struct mesh_node
web_node(const struct gossip_service *s)
{
	return (struct mesh_node){.name = "a",
	    .addrs = "10.0.0.2",
	    .issued_s = 1,
	    .services = s,
	    .count = 1};
}

TEST(the_same_record_again_is_no_news)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = web_node(&web);
	struct mesh m;

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &a));
	EXPECT_FALSE(mesh_put(&m, &a));
	a.status = GOSSIP_SUSPECT;
	EXPECT_TRUE(mesh_put(&m, &a));
	web.port = 81;
	EXPECT_TRUE(mesh_put(&m, &a));
	mesh_fini(&m);
}

TEST(a_record_without_offers_keeps_those_of_before)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = web_node(&web);
	struct mesh m;

	mesh_init(&m);
	EXPECT_TRUE(mesh_put(&m, &a));
	a.addrs = NULL;
	EXPECT_FALSE(mesh_put(&m, &a));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 1);
	mesh_fini(&m);
}

TEST(what_was_forgotten_is_gone)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = web_node(&web);
	struct gossip_id id = {{'a'}};
	struct mesh m;

	mesh_init(&m);
	EXPECT_FALSE(discovery_catalog_forget(m.catalog, &id));
	EXPECT_TRUE(mesh_put(&m, &a));
	EXPECT_TRUE(discovery_catalog_forget(m.catalog, &id));
	mesh_compile(&m);
	EXPECT_EQ(m.endpoint_count, 0);
	mesh_fini(&m);
}

TEST(a_file_brings_the_records_back)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = web_node(&web);
	struct mesh_node b = web_node(&web);
	AUTO(buf_fini) struct buf file = BUF(DISCOVERY_FILE_MAX);
	struct mesh before, after;

	mesh_init(&before);
	mesh_init(&after);
	a.status = GOSSIP_SUSPECT;
	b.name = "b";
	b.addrs = "10.0.0.3";
	b.status = GOSSIP_DOWN;
	EXPECT_TRUE(mesh_put(&before, &a));
	EXPECT_TRUE(mesh_put(&before, &b));
	EXPECT_OK(discovery_catalog_encode(before.catalog, &file));
	EXPECT_OK(
	    discovery_catalog_decode(after.catalog, buf_slice(&file), NULL));
	mesh_compile(&before);
	mesh_compile(&after);
	EXPECT_STR(mesh_text(&after), mesh_text(&before));
	mesh_fini(&before);
	mesh_fini(&after);
}

TEST(a_damaged_file_changes_nothing)
{
	struct gossip_service web = mesh_service("web", 80, "http");
	struct mesh_node a = web_node(&web);
	AUTO(buf_fini) struct buf file = BUF(DISCOVERY_FILE_MAX);
	struct mesh before, after;
	struct slice bytes;
	size_t cursor = 0;

	mesh_init(&before);
	mesh_init(&after);
	EXPECT_TRUE(mesh_put(&before, &a));
	EXPECT_OK(discovery_catalog_encode(before.catalog, &file));
	bytes = buf_slice(&file);
	for (size_t i = 1; i < bytes.len; i++) {
		file.mem[file.start + i] ^= 0x40;
		EXPECT_ERR(discovery_catalog_decode(after.catalog, bytes, NULL),
		    ERR_CORRUPT);
		file.mem[file.start + i] ^= 0x40;
		EXPECT_ERR(discovery_catalog_decode(
			       after.catalog, slice_sub(bytes, 0, i), NULL),
		    ERR_CORRUPT);
	}
	EXPECT_TRUE(discovery_catalog_next(after.catalog, &cursor) == NULL);
	file.mem[file.start] = 9;
	EXPECT_ERR(discovery_catalog_decode(after.catalog, bytes, NULL),
	    ERR_UNSUPPORTED);
	mesh_fini(&before);
	mesh_fini(&after);
}
