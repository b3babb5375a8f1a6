/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node_state — a node's directory: its keys survive every failing call.
 *
 * A node that made a second key would be another node: what is on the disk is
 * loaded or the start fails, in words.
 */
#include <errno.h>

#include "node/state.h"

#include "disk.h"
#include "unit.h"

static struct folder folder;
static struct state state;

static void
begin(void)
{
	EXPECT_ERR(crypto_init(), OK);
	EXPECT_ERR(tls_init(), OK);
	folder_make(&folder);
}

static enum err
open_state(struct fault *why)
{
	return state_open(&state, folder_file(&folder, "state"), why);
}

struct keys {
	struct tls_pin node;
	uint8_t gossip[CRYPTO_ED25519_PUBLIC_LEN];
};

static void
note_keys(struct keys *out)
{
	tls_key_pin(state.node_key, &out->node);
	memcpy(out->gossip, state.gossip_public, sizeof(out->gossip));
}

static void
expect_keys(const struct keys *wanted)
{
	struct keys now;

	note_keys(&now);
	EXPECT_TRUE(tls_pin_eq(&now.node, &wanted->node));
	EXPECT_MEM(now.gossip, wanted->gossip, sizeof(now.gossip));
}

/* The first start ever. */
static void
start_anew(const struct disk_walk *w, bool *out_hit)
{
	struct fault why = {0};
	struct keys first;
	enum err e;

	begin();
	disk_fail(w->call, w->n, w->errnum);
	e = open_state(&why);
	*out_hit = disk_heal();
	EXPECT_EQ(e == OK, !*out_hit);
	EXPECT_TRUE(e == OK || why.text[0] != '\0');
	if (e != OK)
		EXPECT_ERR(open_state(NULL), OK);
	note_keys(&first);
	state_close(&state);
	EXPECT_ERR(open_state(NULL), OK);
	expect_keys(&first);
	state_close(&state);
	folder_remove(&folder);
}

TEST(a_first_start_that_fails_anywhere_can_be_tried_again)
{
	disk_walk_all(start_anew);
}

static void
start_again(const struct disk_walk *w, bool *out_hit)
{
	struct fault why = {0};
	struct keys first;
	enum err e;

	begin();
	EXPECT_ERR(open_state(NULL), OK);
	note_keys(&first);
	state_close(&state);
	disk_fail(w->call, w->n, w->errnum);
	e = open_state(&why);
	*out_hit = disk_heal();
	EXPECT_EQ(e == OK, !*out_hit);
	EXPECT_TRUE(e == OK || why.text[0] != '\0');
	if (e != OK)
		EXPECT_ERR(open_state(NULL), OK);
	expect_keys(&first);
	state_close(&state);
	folder_remove(&folder);
}

TEST(a_start_that_cannot_read_its_keys_makes_no_new_ones)
{
	disk_walk_all(start_again);
}

/* --- what nobody waits for ------------------------------------------------ */

enum { TURNS_MAX = 2000, TURN_US = 5000, AGAIN_US = 6000000 };

static void
write_later(const char *text)
{
	struct buf bytes = BUF(100);

	EXPECT_ERR(buf_add(&bytes, text, strlen(text)), OK);
	state_write_later(&state, STATE_SNAPSHOT, &bytes);
	buf_fini(&bytes);
}

static bool
is_trouble(void)
{
	return state_trouble(&state).len > 0;
}

static void
turn_until_trouble(struct loop *loop, bool wanted)
{
	for (int i = 0; i < TURNS_MAX && is_trouble() != wanted; i++)
		loop_turn(loop, TURN_US);
	EXPECT_EQ(is_trouble(), wanted);
}

static void
expect_saved(const char *text)
{
	AUTO(buf_fini) struct buf got = BUF(100);

	EXPECT_ERR(state_read(&state, STATE_SNAPSHOT, &got, NULL), OK);
	EXPECT_SLICE(buf_slice(&got), slice_str(text));
}

TEST(what_a_full_disk_refused_is_written_when_there_is_room)
{
	struct clock_fake time = {.mono_us = 1};
	struct clock clock = clock_fake_as_clock(&time);
	AUTO(loop_free) struct loop *loop = loop_new(&clock);
	struct jobs *jobs = jobs_new(1, 16);

	begin();
	EXPECT_ERR(open_state(NULL), OK);
	state_save_with(&state, jobs, loop);
	EXPECT_ERR(state_write(&state, STATE_SNAPSHOT, S("old"), NULL), OK);
	disk_fail(DISK_WRITE, 1, ENOSPC);
	write_later("new");
	turn_until_trouble(loop, true);
	expect_saved("old");
	clock_fake_advance(&time, AGAIN_US);
	turn_until_trouble(loop, false);
	expect_saved("new");
	/* What comes meanwhile is newer than what was refused. */
	disk_fail(DISK_WRITE, 1, ENOSPC);
	write_later("newer");
	turn_until_trouble(loop, true);
	write_later("newest");
	turn_until_trouble(loop, false);
	clock_fake_advance(&time, AGAIN_US);
	loop_turn(loop, TURN_US);
	EXPECT_TRUE(disk_heal());
	state_save_no_more(&state);
	jobs_free(&jobs);
	loop_settle(loop);
	expect_saved("newest");
	state_close(&state);
	folder_remove(&folder);
}

/* --- identities of workloads ---------------------------------------------- */

static struct tls_identity *
make_identity(uint8_t serial)
{
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	struct tls_cert_spec spec = {.common_name = S("web"),
	    .uri = S("spiffe://mesh.internal/ns/default/sa/web"),
	    .path_len = TLS_NO_PATH_LEN,
	    .not_before_ms = INT64_C(1790000000000),
	    .not_after_ms = INT64_C(1790003600000),
	    .serial = {serial}};
	struct tls_issuer self = {NULL, key};
	struct tls_identity *id = NULL;

	EXPECT_ERR(
	    tls_cert_issue(&spec, tls_key_spki(key), &self, &chain, NULL), OK);
	EXPECT_ERR(tls_identity_new(chain, key, &id, NULL), OK);
	return id;
}

struct loaded {
	size_t count;
	char serial[2 * TLS_SERIAL_MAX + 1];
};

static void
on_identity(void *arg, struct tls_identity *id)
{
	struct loaded *l = arg;

	l->count++;
	memcpy(l->serial, tls_identity_info(id)->serial, sizeof(l->serial));
}

static void
renew(const struct disk_walk *w, bool *out_hit)
{
	AUTO(tls_identity_unref) struct tls_identity *old = NULL;
	AUTO(tls_identity_unref) struct tls_identity *fresh = NULL;
	struct loaded l = {0};
	struct fault why = {0};
	enum err e;

	begin();
	old = make_identity(1);
	fresh = make_identity(2);
	EXPECT_ERR(open_state(NULL), OK);
	EXPECT_ERR(
	    state_save_identity(&state, S("default"), S("web"), old, NULL), OK);
	disk_fail(w->call, w->n, w->errnum);
	e = state_save_identity(&state, S("default"), S("web"), fresh, &why);
	*out_hit = disk_heal();
	EXPECT_EQ(e == OK, !*out_hit);
	EXPECT_TRUE(e == OK || why.text[0] != '\0');
	/* One identity, whole: key and certificate fit, or it is not loaded. */
	state_load_identities(&state, on_identity, &l);
	EXPECT_EQ(l.count, 1);
	if (e == OK)
		EXPECT_STR(l.serial, tls_identity_info(fresh)->serial);
	state_close(&state);
	folder_remove(&folder);
}

TEST(a_renewal_that_fails_leaves_a_whole_identity)
{
	disk_walk_all(renew);
}

static void
load(const struct disk_walk *w, bool *out_hit)
{
	AUTO(tls_identity_unref) struct tls_identity *id = NULL;
	struct loaded l = {0};

	begin();
	id = make_identity(1);
	EXPECT_ERR(open_state(NULL), OK);
	EXPECT_ERR(
	    state_save_identity(&state, S("default"), S("web"), id, NULL), OK);
	disk_fail(w->call, w->n, w->errnum);
	state_load_identities(&state, on_identity, &l);
	*out_hit = disk_heal();
	EXPECT_TRUE(l.count == 1 || *out_hit);
	l.count = 0;
	state_load_identities(&state, on_identity, &l);
	EXPECT_EQ(l.count, 1); /* it is still there */
	state_close(&state);
	folder_remove(&folder);
}

TEST(an_identity_that_cannot_be_read_now_stays_where_it_is)
{
	disk_walk_all(load);
}
