/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens — who is let in, nodes with one name, serials, what is forgotten.
 */
#include "unit.h"

#include "rig.h"

static struct rig r;

static struct store_op
token_op(int64_t max_uses, int64_t expires_ms)
{
	return (struct store_op){.type = STORE_PUT,
	    .expected = STORE_EXPECT_ANY,
	    .row = {.table = STORE_TOKENS,
		.token = {.id = S("t1"),
		    .secret = S("sealed"),
		    .bounds = S("{}"),
		    .max_uses = max_uses,
		    .expires_ms = expires_ms}}};
}

static enum err
put_token(int64_t max_uses, int64_t expires_ms)
{
	struct store_op op = token_op(max_uses, expires_ms);

	return rig_do(&r, 0, &op);
}

static enum err
consume(int64_t now, const char *key_hash)
{
	struct store_op op = {.type = STORE_CONSUME_TOKEN,
	    .row = {.table = STORE_TOKEN_USES,
		.token_use = {.token_id = S("t1"),
		    .key_hash = slice_str(key_hash),
		    .node = S("vm1")}}};

	return rig_do(&r, now, &op);
}

static enum err
put_node(const char *name, const char *id)
{
	struct store_op op = {.type = STORE_PUT,
	    .expected = STORE_EXPECT_ABSENT,
	    .row = {.table = STORE_NODES,
		.node = {.name = slice_str(name), .id = slice_str(id)}}};

	return rig_do(&r, 0, &op);
}

static void
begin(void)
{
	rig_init(&r);
	EXPECT_OK(rig_open(&r));
}

static const struct store_row token_key = {
    .table = STORE_TOKENS, .token = {.id = {"t1", 2}}};

TEST(one_use_lets_in_one_key_which_may_come_again)
{
	begin();
	EXPECT_OK(put_token(1, 1000));
	EXPECT_OK(consume(10, "aa"));
	EXPECT_EQ(r.outcomes[0], STORE_UPDATED);
	EXPECT_OK(consume(20, "aa"));
	EXPECT_EQ(r.outcomes[0], STORE_UNCHANGED);
	EXPECT_ERR(consume(30, "bb"), ERR_LIMIT);
	EXPECT_STR(r.why.text, "token t1 was used by another key");
	EXPECT_OK(rig_get(&r, &token_key));
	EXPECT_EQ(r.rows[0].token.uses, 1);
	rig_fini(&r);
}

TEST(a_token_of_two_uses_lets_in_two_keys)
{
	begin();
	EXPECT_OK(put_token(2, 1000));
	EXPECT_OK(consume(10, "aa"));
	EXPECT_OK(consume(10, "bb"));
	EXPECT_ERR(consume(10, "cc"), ERR_LIMIT);
	EXPECT_STR(r.why.text, "token t1 has no use left");
	rig_fini(&r);
}

TEST(an_expired_token_lets_nobody_in_by_the_mutations_time)
{
	begin();
	EXPECT_OK(put_token(1, 1000));
	EXPECT_ERR(consume(1000, "aa"), ERR_EXPIRED);
	EXPECT_STR(r.why.text, "token t1 has expired");
	EXPECT_OK(consume(999, "aa"));
	rig_fini(&r);
}

TEST(a_revoked_token_lets_nobody_in_not_even_the_same_key)
{
	struct store_op revoke = {.type = STORE_REVOKE_TOKEN, .row = token_key};

	begin();
	EXPECT_OK(put_token(2, 1000));
	EXPECT_OK(consume(10, "aa"));
	EXPECT_OK(rig_do(&r, 20, &revoke));
	EXPECT_EQ(r.outcomes[0], STORE_UPDATED);
	EXPECT_OK(rig_do(&r, 25, &revoke));
	EXPECT_EQ(r.outcomes[0], STORE_UNCHANGED);
	EXPECT_ERR(consume(30, "aa"), ERR_DENIED);
	EXPECT_STR(r.why.text, "token t1 was revoked");
	rig_fini(&r);
}

TEST(an_unknown_token_is_not_found)
{
	begin();
	EXPECT_ERR(consume(10, "aa"), ERR_NOT_FOUND);
	EXPECT_STR(r.why.text, "token t1 does not exist");
	rig_fini(&r);
}

TEST(a_token_that_is_put_again_keeps_its_count)
{
	struct store_op longer = token_op(1, 5000);

	begin();
	EXPECT_OK(put_token(1, 1000));
	EXPECT_OK(consume(10, "aa"));
	EXPECT_OK(rig_do(&r, 20, &longer));
	EXPECT_ERR(consume(2000, "bb"), ERR_LIMIT);
	rig_fini(&r);
}

TEST(two_machines_are_not_one_node)
{
	begin();
	EXPECT_OK(put_node("vm1", "0a"));
	EXPECT_ERR(put_node("vm1", "0b"), ERR_CONFLICT);
	EXPECT_STR(r.why.text, "node vm1 exists already");
	EXPECT_ERR(put_node("vm2", "0a"), ERR_EXISTS);
	EXPECT_STR(r.why.text, "node vm1 has this id already");
	EXPECT_OK(put_node("vm2", "0b"));
	rig_fini(&r);
}

static enum err
issue(const char *serial, int64_t expires_ms)
{
	struct store_op op = {.type = STORE_PUT,
	    .expected = STORE_EXPECT_ANY,
	    .row = {.table = STORE_CERTS,
		.cert = {.serial = slice_str(serial),
		    .identity = S("spiffe://m/ns/default/sa/web"),
		    .expires_ms = expires_ms}}};

	return rig_do(&r, 0, &op);
}

TEST(a_serial_is_issued_once)
{
	begin();
	EXPECT_OK(issue("01", 100));
	EXPECT_ERR(issue("01", 100), ERR_EXISTS);
	EXPECT_STR(r.why.text, "certificate 01 was issued before");
	rig_fini(&r);
}

TEST(what_expired_long_ago_is_forgotten_and_nothing_else)
{
	struct store_op sweep = {.type = STORE_SWEEP, .keep_ms = 50};
	struct store_query certs = {.table = STORE_CERTS};
	struct store_query uses = {.table = STORE_TOKEN_USES};

	begin();
	EXPECT_OK(issue("01", 100));
	EXPECT_OK(issue("02", 200));
	EXPECT_OK(put_token(1, 100));
	EXPECT_OK(consume(10, "aa"));
	EXPECT_OK(rig_do(&r, 200, &sweep));
	EXPECT_EQ(r.outcomes[0], STORE_DELETED);
	EXPECT_OK(rig_list(&r, &certs));
	EXPECT_EQ(r.count, 1);
	EXPECT_SLICE(r.rows[0].cert.serial, S("02"));
	EXPECT_OK(rig_list(&r, &uses));
	EXPECT_EQ(r.count, 0);
	EXPECT_ERR(rig_get(&r, &token_key), ERR_NOT_FOUND);
	EXPECT_OK(rig_do(&r, 200, &sweep));
	EXPECT_EQ(r.outcomes[0], STORE_UNCHANGED);
	rig_fini(&r);
}
