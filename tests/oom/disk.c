/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk — what a restart needs, written and read with little memory.
 *
 * A file is never damaged and never thrown away for want of memory.
 */
#include "discovery/discovery.h"
#include "node/state.h"
#include "xds/xds.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory.h"
#include "unit.h"

static char dir[64];

static void
begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/meshd-oom-XXXXXX");
	EXPECT_TRUE(mkdtemp(dir) != NULL);
}

static const char *
file(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
end(void)
{
	EXPECT_EQ(rmdir(dir), 0);
}

/* --- the snapshot --------------------------------------------------------- */

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

static struct xds_client *
client_with(const char *body)
{
	struct xds_client *c = xds_client_new(&ops, NULL, S("n"), S("c"));
	struct xds_resource r = {.type_url = S("t"),
	    .name = S("a"),
	    .version = S("1"),
	    .body = slice_str(body)};

	EXPECT_ERR(xds_client_restore(c, &r), OK);
	return c;
}

static void
write_snapshot(struct memory_walk *w)
{
	AUTO(xds_client_free) struct xds_client *c = client_with("body");
	AUTO(buf_fini) struct buf out = BUF(XDS_SNAPSHOT_MAX);
	enum err e;

	memory_fail(w);
	e = xds_snapshot_encode(c, &out);
	memory_heal(w);
	memory_expect(w, e);
}

static void
read_snapshot(struct memory_walk *w)
{
	AUTO(xds_client_free) struct xds_client *c = client_with("body");
	AUTO(xds_client_free)
	struct xds_client *again = xds_client_new(&ops, NULL, S("n"), S("c"));
	AUTO(buf_fini) struct buf bytes = BUF(XDS_SNAPSHOT_MAX);
	struct fault why = {0};
	enum err e;

	begin();
	EXPECT_ERR(xds_snapshot_encode(c, &bytes), OK);
	EXPECT_ERR(
	    file_replace(file("snapshot"), buf_slice(&bytes), 0600, NULL), OK);
	memory_fail(w);
	e = xds_snapshot_load(file("snapshot"), again, &why);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_EQ(why.text[0] != '\0', e != OK);
	/* It is good: it stays where it is. */
	EXPECT_EQ(unlink(file("snapshot")), 0);
	end();
}

TEST(a_snapshot_is_written_and_read_or_stays_as_it_is)
{
	memory_walk_all(write_snapshot);
	memory_walk_all(read_snapshot);
}

/* --- the last known catalogue --------------------------------------------- */

/* Of a node that offers nothing; 3-peer/gossip/offers.c has the layout. */
static struct blob *
offers_of_nothing(void)
{
	static const uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN];
	static const uint8_t rest[] = {0, 0, 0, 0, 1, 0, 0, 0, 0, 0};
	AUTO(buf_fini) struct buf b = BUF(GOSSIP_OFFERS_MAX);
	struct blob *offers;
	struct gossip_id id = {0};

	EXPECT_ERR(buf_add_byte(&b, 1), OK);
	EXPECT_ERR(buf_add(&b, id.bytes, sizeof(id.bytes)), OK);
	EXPECT_ERR(buf_add_byte(&b, 1), OK);
	EXPECT_ERR(buf_add_slice(&b, S("n")), OK);
	EXPECT_ERR(buf_add(&b, rest, sizeof(rest)), OK);
	EXPECT_ERR(buf_add(&b, signature, sizeof(signature)), OK);
	offers = blob_new(buf_slice(&b));
	EXPECT_TRUE(offers != NULL);
	return offers;
}

static void
fill(struct discovery_catalog *c)
{
	for (char name = 'a'; name <= 'c'; name++) {
		struct gossip_member m = {.id = {{(uint8_t)name}},
		    .name = {name},
		    .network = "default"};
		struct gossip_record r = {.member = &m,
		    .voucher = {.expires_s = 2000},
		    .offers = offers_of_nothing()};
		bool changed;

		EXPECT_ERR(discovery_catalog_put(c, &r, &changed), OK);
		blob_unref(&r.offers);
	}
}

static size_t
count(const struct discovery_catalog *c)
{
	size_t n = 0;

	for (size_t i = 0; discovery_catalog_next(c, &i) != NULL;)
		n++;
	return n;
}

static void
write_catalog(struct memory_walk *w)
{
	AUTO(discovery_catalog_free)
	struct discovery_catalog *c = discovery_catalog_new();
	AUTO(buf_fini) struct buf out = BUF(DISCOVERY_FILE_MAX);
	enum err e;

	fill(c);
	memory_fail(w);
	e = discovery_catalog_encode(c, &out);
	memory_heal(w);
	memory_expect(w, e);
}

static void
read_catalog(struct memory_walk *w)
{
	AUTO(discovery_catalog_free)
	struct discovery_catalog *c = discovery_catalog_new();
	AUTO(discovery_catalog_free)
	struct discovery_catalog *again = discovery_catalog_new();
	AUTO(buf_fini) struct buf bytes = BUF(DISCOVERY_FILE_MAX);
	struct fault why = {0};
	enum err e;

	fill(c);
	EXPECT_ERR(discovery_catalog_encode(c, &bytes), OK);
	memory_fail(w);
	e = discovery_catalog_decode(again, buf_slice(&bytes), &why);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_EQ(count(again), e == OK ? 3 : 0);
	EXPECT_EQ(why.text[0] != '\0', e != OK);
}

TEST(a_catalogue_is_read_whole_or_not_at_all)
{
	memory_walk_all(write_catalog);
	memory_walk_all(read_catalog);
}

static void
compile(struct memory_walk *w)
{
	AUTO(discovery_catalog_free)
	struct discovery_catalog *c = discovery_catalog_new();
	AUTO(discovery_free) struct discovery *d = discovery_new();
	struct discovery_input in = {.catalog = c,
	    .now_s = 1000,
	    .node = S("self"),
	    .network = S("default"),
	    .families = DISCOVERY_V4};
	struct discovery_output out = {0};
	enum err e;

	fill(c);
	memory_fail(w);
	e = discovery_update(d, &in, &out);
	memory_heal(w);
	memory_expect(w, e);
}

TEST(a_catalogue_is_compiled_or_that_is_said)
{
	memory_walk_all(compile);
}

/* --- the state directory -------------------------------------------------- */

static void
remove_state(void)
{
	static const char *const files[] = {"state/node.key",
	    "state/gossip.key", "state/lock", "state/identities", "state"};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)remove(file(files[i])); /* some were never made */
}

static void
open_state(struct memory_walk *w)
{
	struct state s;
	struct tls_pin first, second;
	struct fault why = {0};
	enum err e;

	EXPECT_ERR(tls_init(), OK);
	begin();
	EXPECT_ERR(state_open(&s, file("state"), NULL), OK);
	tls_key_pin(s.node_key, &first);
	state_close(&s);
	memory_fail(w);
	e = state_open(&s, file("state"), &why);
	memory_heal(w);
	memory_expect(w, e);
	EXPECT_EQ(why.text[0] != '\0', e != OK);
	if (e != OK)
		EXPECT_ERR(state_open(&s, file("state"), NULL), OK);
	tls_key_pin(s.node_key, &second);
	EXPECT_TRUE(tls_pin_eq(&first, &second));
	state_close(&s);
	remove_state();
	end();
}

TEST(a_start_without_memory_makes_no_new_keys)
{
	memory_walk_all(open_state);
}
