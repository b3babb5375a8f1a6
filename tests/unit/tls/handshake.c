/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake — who is let in, and what the other is told.
 */
#include <stdio.h>

#include "scene.h"
#include "unit.h"

/* Neither end handed up anything, and the server said why. */
static void
expect_refused_by_server(struct scene *s, enum err why, const char *part)
{
	EXPECT_FALSE(s->server.opened);
	EXPECT_TRUE(s->server.closed);
	expect_words(&s->server, part);
	EXPECT_EQ(s->server.why, why);
	EXPECT_TRUE(s->client.closed);
	expect_words(&s->client, "the peer refused the connection");
}

static void
expect_refused_by_client(struct scene *s, enum err why, const char *part)
{
	EXPECT_FALSE(s->client.opened);
	EXPECT_TRUE(s->client.closed);
	expect_words(&s->client, part);
	EXPECT_EQ(s->client.why, why);
	EXPECT_FALSE(s->server.opened);
	EXPECT_TRUE(s->server.closed);
}

TEST(both_ends_open_and_know_each_other)
{
	struct scene s;
	const struct tls_peer *p;

	scene_init(&s);
	scene_shake(&s, 0);
	EXPECT_STR(s.client.words, "");
	EXPECT_TRUE(s.client.opened && s.server.opened);
	p = tls_stream_peer(s.client.stream);
	EXPECT_SLICE(slice_str(p->uri), URI_DB);
	EXPECT_SLICE(p->identity.account, S("db"));
	EXPECT_EQ(p->not_after_ms, NOW_MS + 72 * HOUR_MS);
	p = tls_stream_peer(s.server.stream);
	EXPECT_SLICE(slice_str(p->uri), URI_WEB);
	EXPECT_SLICE(tls_stream_alpn(s.client.stream), S("h2"));
	EXPECT_SLICE(tls_stream_alpn(s.server.stream), S("h2"));
	EXPECT_EQ(tls_stream_sni(s.server.stream).len, 0);
	scene_fini(&s);
}

TEST(a_handshake_in_chunks_of_seven_bytes_opens_too)
{
	struct scene s;

	scene_init(&s);
	scene_shake(&s, 7);
	EXPECT_STR(s.client.words, "");
	EXPECT_STR(s.server.words, "");
	EXPECT_TRUE(s.client.opened && s.server.opened);
	scene_fini(&s);
}

static struct tls_identity *
pick_by_name(void *arg, struct slice sni)
{
	struct tls_identity *id = arg;

	return slice_eq(sni, S("db.default")) ? tls_identity_ref(id) : NULL;
}

TEST(the_server_picks_its_identity_by_the_name_that_is_asked_for)
{
	struct scene s;

	scene_init(&s);
	s.client_spec.sni = S("db.default");
	s.server_spec.pick = pick_by_name;
	s.server_spec.pick_arg = s.server_spec.identity;
	scene_shake(&s, 0);
	EXPECT_TRUE(s.client.opened && s.server.opened);
	EXPECT_SLICE(tls_stream_sni(s.server.stream), S("db.default"));
	scene_fini(&s);
}

TEST(a_name_that_nobody_answers_to_is_said)
{
	struct scene s;

	scene_init(&s);
	s.client_spec.sni = S("nobody");
	s.server_spec.pick = pick_by_name;
	s.server_spec.pick_arg = s.server_spec.identity;
	scene_shake(&s, 0);
	EXPECT_TRUE(s.server.closed && s.client.closed);
	expect_words(&s.server, "no identity answers to the name 'nobody'");
	scene_fini(&s);
}

TEST(a_server_of_another_root_is_refused)
{
	struct scene s;
	struct authority other;
	struct tls_cert_spec spec = leaf_spec(URI_DB);

	scene_init(&s);
	authority_init(&other, "mesh root"); /* the same name */
	tls_identity_unref(&s.server_spec.identity);
	s.server_spec.identity = leaf_new(&other, &spec, true);
	scene_shake(&s, 0);
	expect_refused_by_client(&s, ERR_AUTH, "signed by an unknown root");
	expect_words(&s.server, "it does not know the root");
	authority_fini(&other);
	scene_fini(&s);
}

TEST(a_client_of_another_root_is_refused)
{
	struct scene s;
	struct authority other;
	struct tls_cert_spec spec = leaf_spec(URI_WEB);

	scene_init(&s);
	authority_init(&other, "other root");
	tls_identity_unref(&s.client_spec.identity);
	s.client_spec.identity = leaf_new(&other, &spec, true);
	scene_shake(&s, 0);
	expect_refused_by_server(&s, ERR_AUTH, "signed by an unknown root");
	authority_fini(&other);
	scene_fini(&s);
}

TEST(an_expired_server_is_refused_with_how_long_ago)
{
	struct scene s;

	scene_init(&s);
	s.time.wall_ms = NOW_MS + 75 * HOUR_MS;
	scene_shake(&s, 0);
	expect_refused_by_client(
	    &s, ERR_EXPIRED, "peer certificate expired 3 h ago");
	expect_words(&s.server, "our certificate has expired");
	scene_fini(&s);
}

TEST(a_server_from_the_future_is_refused)
{
	struct scene s;

	scene_init(&s);
	s.time.wall_ms = NOW_MS - 5 * HOUR_MS;
	scene_shake(&s, 0);
	expect_refused_by_client(&s, ERR_EXPIRED, "is valid only in");
	scene_fini(&s);
}

static void
shake_with_client(struct scene *s, struct slice uri)
{
	struct tls_cert_spec spec = leaf_spec(uri);

	tls_identity_unref(&s->client_spec.identity);
	s->client_spec.identity = leaf_new(&s->mesh, &spec, false);
	scene_shake(s, 0);
}

TEST(a_client_of_another_trust_domain_is_refused)
{
	struct scene s;

	scene_init(&s);
	shake_with_client(&s, S("spiffe://other.internal/ns/default/sa/web"));
	expect_refused_by_server(
	    &s, ERR_AUTH, "is not of the trust domain mesh.internal");
	scene_fini(&s);
}

TEST(a_client_whose_identity_has_another_shape_is_refused)
{
	struct scene s;

	scene_init(&s);
	shake_with_client(&s, S("spiffe://mesh.internal/web"));
	expect_refused_by_server(&s, ERR_AUTH, "is not of the shape");
	scene_fini(&s);
}

TEST(a_client_without_identity_in_its_certificate_is_refused)
{
	struct scene s;

	scene_init(&s);
	shake_with_client(&s, SLICE_NONE);
	expect_refused_by_server(&s, ERR_AUTH, "has 0 identities");
	scene_fini(&s);
}

TEST(a_server_that_is_someone_else_is_refused_by_name)
{
	struct scene s;

	scene_init(&s);
	s.expected = S("spiffe://mesh.internal/ns/default/sa/other");
	scene_shake(&s, 0);
	expect_refused_by_client(&s, ERR_AUTH,
	    "identity spiffe://mesh.internal/ns/default/sa/db is not among "
	    "those expected");
	expect_words(&s.server, "our identity is not one that it accepts");
	scene_fini(&s);
}

TEST(any_account_of_a_namespace_may_be_expected)
{
	struct scene s;

	scene_init(&s);
	s.expected = S("spiffe://mesh.internal/ns/default/sa/*");
	scene_shake(&s, 0);
	EXPECT_TRUE(s.client.opened);
	scene_fini(&s);
	scene_init(&s);
	s.expected = S("spiffe://mesh.internal/ns/defaul/sa/*");
	scene_shake(&s, 0);
	expect_refused_by_client(&s, ERR_AUTH, "is not among those expected");
	scene_fini(&s);
}

TEST(a_client_without_certificate_is_refused_where_one_is_needed)
{
	struct scene s;

	scene_init(&s);
	tls_identity_unref(&s.client_spec.identity);
	scene_shake(&s, 0);
	expect_refused_by_server(
	    &s, ERR_AUTH, "the client showed no certificate");
	expect_words(&s.client, "it wants a certificate of us");
	scene_fini(&s);
}

TEST(a_client_without_certificate_may_come_where_one_is_optional)
{
	struct scene s;

	scene_init(&s);
	tls_identity_unref(&s.client_spec.identity);
	s.server_config.ask = TLS_ASK_OPTIONAL;
	scene_shake(&s, 0);
	EXPECT_TRUE(s.client.opened && s.server.opened);
	EXPECT_TRUE(tls_stream_peer(s.server.stream) == NULL);
	EXPECT_TRUE(tls_stream_peer(s.client.stream) != NULL);
	scene_fini(&s);
}

TEST(a_bad_certificate_is_refused_even_where_none_is_needed)
{
	struct scene s;

	scene_init(&s);
	s.server_config.ask = TLS_ASK_OPTIONAL;
	shake_with_client(&s, S("spiffe://other.internal/ns/default/sa/web"));
	EXPECT_FALSE(s.server.opened);
	expect_words(&s.server, "is not of the trust domain");
	scene_fini(&s);
}

TEST(a_server_that_does_not_ask_gets_no_certificate)
{
	struct scene s;

	scene_init(&s);
	s.server_config.ask = TLS_ASK_NONE;
	scene_shake(&s, 0);
	EXPECT_TRUE(s.client.opened && s.server.opened);
	EXPECT_TRUE(tls_stream_peer(s.server.stream) == NULL);
	scene_fini(&s);
}

static enum err
refuse_web(void *arg, const struct tls_peer *peer, struct fault *why)
{
	(void)arg;
	return fault_set(
	    why, ERR_DENIED, "%s was revoked yesterday", peer->uri);
}

TEST(the_last_word_on_a_good_certificate_is_the_owners)
{
	struct scene s;

	scene_init(&s);
	s.server_config.check = refuse_web;
	scene_shake(&s, 0);
	expect_refused_by_server(&s, ERR_AUTH, "sa/web was revoked yesterday");
	expect_words(&s.client, "our certificate is revoked");
	scene_fini(&s);
}

/* --- joining: only the root's key is known --- */

static void
pin_root(struct scene *s, const struct authority *a, struct tls_pin *pin)
{
	struct tls_cert_spec spec = leaf_spec(URI_DB);

	tls_key_pin(a->root_key, pin);
	tls_trust_unref(&s->client_spec.trust);
	s->client_spec.root_pin = pin;
	tls_identity_unref(&s->client_spec.identity);
	s->server_config.ask = TLS_ASK_OPTIONAL;
	tls_identity_unref(&s->server_spec.identity);
	s->server_spec.identity = leaf_new(&s->mesh, &spec, true);
}

TEST(the_pinned_root_is_enough_and_is_handed_over)
{
	struct scene s;
	struct tls_pin pin;

	scene_init(&s);
	pin_root(&s, &s.mesh, &pin);
	scene_shake(&s, 0);
	EXPECT_STR(s.client.words, "");
	EXPECT_TRUE(s.client.opened && s.server.opened);
	EXPECT_SLICE(tls_chain_der(tls_stream_root(s.client.stream), 0),
	    tls_chain_der(s.mesh.root, 0));
	scene_fini(&s);
}

TEST(another_root_than_the_pinned_one_is_refused)
{
	struct scene s;
	struct authority other;
	struct tls_pin pin;

	scene_init(&s);
	authority_init(&other, "mesh root");
	pin_root(&s, &other, &pin);
	scene_shake(&s, 0);
	expect_refused_by_client(
	    &s, ERR_AUTH, "does not end in the root that the token names");
	authority_fini(&other);
	scene_fini(&s);
}

TEST(a_foreign_chain_with_the_pinned_root_behind_it_is_refused)
{
	struct scene s;
	struct authority other;
	struct tls_pin pin;
	struct tls_cert_spec spec = leaf_spec(URI_DB);
	struct tls_identity *forged;
	struct tls_chain *both;

	/* Same names, so that the library takes the root for the issuer. */
	scene_init(&s);
	authority_init(&other, "mesh root");
	pin_root(&s, &s.mesh, &pin);
	forged = leaf_new(&other, &spec, false);
	EXPECT_EQ(
	    tls_chain_join(tls_identity_chain(forged), s.mesh.root, &both), OK);
	tls_identity_unref(&s.server_spec.identity);
	EXPECT_EQ(tls_identity_new(both, tls_identity_key(forged),
		      &s.server_spec.identity, NULL),
	    OK);
	scene_shake(&s, 0);
	EXPECT_FALSE(s.client.opened);
	EXPECT_EQ(s.client.why, ERR_AUTH);
	tls_chain_unref(&both);
	tls_identity_unref(&forged);
	authority_fini(&other);
	scene_fini(&s);
}

TEST(a_pinned_server_must_still_be_the_one_that_is_expected)
{
	struct scene s;
	struct tls_pin pin;

	scene_init(&s);
	pin_root(&s, &s.mesh, &pin);
	s.expected = S("spiffe://mesh.internal/ns/meshd-servers/sa/*");
	scene_shake(&s, 0);
	expect_refused_by_client(&s, ERR_AUTH, "is not among those expected");
	scene_fini(&s);
}

/* --- parameters and times --- */

TEST(no_protocol_in_common_is_said_on_both_sides)
{
	struct scene s;

	scene_init(&s);
	s.server_config.alpn[0] = "http/1.1";
	scene_shake(&s, 0);
	EXPECT_FALSE(s.client.opened || s.server.opened);
	expect_words(&s.server, "no application protocol (ALPN) in common");
	expect_words(&s.client, "no application protocol (ALPN) in common");
	scene_fini(&s);
}

TEST(a_handshake_that_takes_too_long_is_given_up)
{
	struct scene s;

	scene_init(&s);
	scene_connect(&s, 0);
	stream_pause(s.low[1], STREAM_PAUSE_FILTER); /* the server is deaf */
	scene_run(&s, 10);
	clock_fake_advance(&s.time, 11 * 1000000);
	scene_run(&s, 3);
	EXPECT_TRUE(s.client.closed);
	EXPECT_EQ(s.client.why, ERR_TIMEOUT);
	expect_words(&s.client, "longer than 10000 ms");
	scene_fini(&s);
}

TEST(what_is_no_tls_is_refused)
{
	struct scene s;
	struct stream *raw;
	struct end plain = {.got = BUF(4096)};
	struct net_pair_spec pair = {.chunk = 0};

	scene_init(&s);
	EXPECT_EQ(tls_config_new(&s.server_config, &s.server_spec.config), OK);
	net_pair_new(s.loop, &pair, &raw, &s.low[1]);
	EXPECT_EQ(tls_stream_server(s.low[1], &s.server_spec, &end_events,
		      &s.server, &s.server.stream, NULL),
	    OK);
	EXPECT_EQ(stream_write(raw, S("GET / HTTP/1.1\r\n\r\n")), OK);
	scene_run(&s, 10);
	EXPECT_TRUE(s.server.closed);
	EXPECT_EQ(s.server.why, ERR_TLS);
	buf_fini(&plain.got);
	stream_close(raw, OK);
	scene_fini(&s);
}

TEST(a_spec_that_makes_no_sense_leaves_the_stream_to_its_owner)
{
	struct scene s;
	struct stream *raw;
	struct net_pair_spec pair = {.chunk = 0};
	struct fault why = {0};

	scene_init(&s);
	EXPECT_EQ(tls_config_new(&s.client_config, &s.client_spec.config), OK);
	net_pair_new(s.loop, &pair, &s.low[0], &raw);
	s.expected = S("https://db");
	EXPECT_EQ(tls_stream_client(s.low[0], &s.client_spec, &end_events,
		      &s.client, &s.client.stream, &why),
	    ERR_INVALID);
	s.expected = S("spiffe://unknown.internal/ns/default/sa/db");
	EXPECT_EQ(tls_stream_client(s.low[0], &s.client_spec, &end_events,
		      &s.client, &s.client.stream, &why),
	    ERR_INVALID);
	EXPECT_TRUE(strstr(why.text, "no root for the trust domain") != NULL);
	EXPECT_TRUE(s.client.stream == NULL);
	stream_close(s.low[0], OK);
	stream_close(raw, OK);
	scene_fini(&s);
}
