/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scene — a small mesh's certificates, and two ends of TLS in memory.
 */
#include <stdio.h>

#include "scene.h"
#include "unit.h"

/* --- certificates --- */

static struct tls_chain *
issue(const struct tls_cert_spec *spec, struct slice spki,
    const struct tls_chain *by, const struct tls_key *key)
{
	struct tls_issuer issuer = {by, key};
	struct tls_chain *out = NULL;
	struct fault why = {0};

	if (tls_cert_issue(spec, spki, &issuer, &out, &why) != OK)
		printf("issue: %s\n", why.text);
	EXPECT_TRUE(out != NULL);
	return out;
}

void
authority_init(struct authority *a, const char *name)
{
	struct tls_cert_spec spec = {
	    .common_name = slice_str(name),
	    .is_ca = true,
	    .path_len = TLS_NO_PATH_LEN,
	    .not_before_ms = NOW_MS - 2 * HOUR_MS,
	    .not_after_ms = NOW_MS + 1000 * HOUR_MS,
	    .serial = {1},
	};
	struct tls_chain *alone;

	EXPECT_EQ(crypto_init(), OK);
	EXPECT_EQ(tls_init(), OK);
	a->root_key = tls_key_new();
	a->key = tls_key_new();
	a->root = issue(&spec, tls_key_spki(a->root_key), NULL, a->root_key);
	spec.common_name = S("server 1");
	spec.path_len = 0;
	spec.not_after_ms = NOW_MS + 500 * HOUR_MS;
	alone = issue(&spec, tls_key_spki(a->key), a->root, a->root_key);
	EXPECT_EQ(tls_chain_join(alone, a->root, &a->chain), OK);
	tls_chain_unref(&alone);
}

void
authority_fini(struct authority *a)
{
	tls_key_unref(&a->root_key);
	tls_key_unref(&a->key);
	tls_chain_unref(&a->root);
	tls_chain_unref(&a->chain);
}

struct tls_cert_spec
leaf_spec(struct slice uri)
{
	return (struct tls_cert_spec){
	    .common_name = S("leaf"),
	    .uri = uri,
	    .path_len = TLS_NO_PATH_LEN,
	    .not_before_ms = NOW_MS - 2 * HOUR_MS,
	    .not_after_ms = NOW_MS + 72 * HOUR_MS,
	    .serial = {2},
	};
}

struct tls_identity *
leaf_new(
    const struct authority *a, const struct tls_cert_spec *spec, bool with_root)
{
	AUTO(tls_key_unref) struct tls_key *key = tls_key_new();
	AUTO(tls_chain_unref)
	struct tls_chain *leaf =
	    issue(spec, tls_key_spki(key), a->chain, a->key);
	AUTO(tls_chain_unref) struct tls_chain *upper = NULL;
	AUTO(tls_chain_unref) struct tls_chain *all = NULL;
	struct tls_identity *id = NULL;

	EXPECT_EQ(tls_chain_part(a->chain, 0, with_root ? 2 : 1, &upper), OK);
	EXPECT_EQ(tls_chain_join(leaf, upper, &all), OK);
	EXPECT_EQ(tls_identity_new(all, key, &id, NULL), OK);
	return id;
}

struct tls_trust *
trust_new(const struct authority *a)
{
	struct tls_root_set set = {S("mesh.internal"), a->root};
	struct tls_trust *t = NULL;

	EXPECT_EQ(tls_trust_new(&set, 1, /* epoch */ 1, &t, NULL), OK);
	return t;
}

/* --- ends --- */

static void
on_open(struct stream *s, void *arg)
{
	struct end *e = arg;

	(void)s;
	e->opened = true;
}

static void
on_data(struct stream *s, void *arg, struct slice data)
{
	struct end *e = arg;

	(void)s;
	EXPECT_EQ(buf_add_slice(&e->got, data), OK);
}

static void
on_eof(struct stream *s, void *arg)
{
	struct end *e = arg;

	(void)s;
	e->eof = true;
}

static void
on_drained(struct stream *s, void *arg)
{
	struct end *e = arg;

	(void)s;
	e->drained++;
}

static void
on_close(struct stream *s, void *arg, enum err why)
{
	struct end *e = arg;

	EXPECT_FALSE(e->closed);
	e->closed = true;
	e->why = why;
	e->stream = NULL;
	snprintf(e->words, sizeof(e->words), "%s", tls_stream_fault(s)->text);
}

const struct stream_events end_events = {
    .on_open = on_open,
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drained = on_drained,
    .on_close = on_close,
};

void
expect_words(const struct end *e, const char *part)
{
	if (strstr(e->words, part) == NULL)
		printf("said: \"%s\", wanted: \"%s\"\n", e->words, part);
	EXPECT_TRUE(strstr(e->words, part) != NULL);
}

/* --- the scene --- */

void
scene_init(struct scene *s)
{
	struct tls_cert_spec web = leaf_spec(URI_WEB), db = leaf_spec(URI_DB);

	*s = (struct scene){.time.wall_ms = NOW_MS};
	s->clock = clock_fake_as_clock(&s->time);
	s->loop = loop_new(&s->clock);
	authority_init(&s->mesh, "mesh root");
	s->trust = trust_new(&s->mesh);
	s->expected = URI_DB;
	s->client_config = (struct tls_config_spec){
	    .role = TLS_CLIENT, .alpn = {"h2"}, .clock = &s->clock};
	s->server_config = s->client_config;
	s->server_config.role = TLS_SERVER;
	s->client_spec = (struct tls_client_spec){
	    .identity = leaf_new(&s->mesh, &web, false),
	    .trust = tls_trust_ref(s->trust),
	    .expected = &s->expected,
	    .expected_count = 1};
	s->server_spec =
	    (struct tls_server_spec){.identity = leaf_new(&s->mesh, &db, false),
		.trust = tls_trust_ref(s->trust),
		.trust_domain = S("mesh.internal")};
	buf_init(&s->client.got, 64 << 20);
	buf_init(&s->server.got, 64 << 20);
}

void
scene_run(struct scene *s, unsigned turns)
{
	while (turns-- > 0) {
		clock_fake_advance(&s->time, 10);
		loop_turn(s->loop, 0);
	}
}

void
scene_connect(struct scene *s, size_t chunk)
{
	struct net_pair_spec pair = {.chunk = chunk};
	struct fault why = {0};

	if (s->client_spec.config == NULL)
		EXPECT_OK(
		    tls_config_new(&s->client_config, &s->client_spec.config));
	if (s->server_spec.config == NULL)
		EXPECT_OK(
		    tls_config_new(&s->server_config, &s->server_spec.config));
	net_pair_new(s->loop, &pair, &s->low[0], &s->low[1]);
	if (tls_stream_client(s->low[0], &s->client_spec, &end_events,
		&s->client, &s->client.stream, &why) != OK)
		printf("client: %s\n", why.text);
	if (tls_stream_server(s->low[1], &s->server_spec, &end_events,
		&s->server, &s->server.stream, &why) != OK)
		printf("server: %s\n", why.text);
	EXPECT_TRUE(s->client.stream != NULL && s->server.stream != NULL);
}

void
scene_shake(struct scene *s, size_t chunk)
{
	scene_connect(s, chunk);
	scene_run(s, chunk == 0 ? 40 : 4000);
}

static void
end_reset(struct end *e)
{
	struct buf got = e->got;

	buf_reset(&got);
	*e = (struct end){.got = got};
}

void
scene_hang_up(struct scene *s)
{
	if (s->client.stream != NULL)
		stream_close(s->client.stream, ERR_CANCELLED);
	if (s->server.stream != NULL)
		stream_close(s->server.stream, ERR_CANCELLED);
	scene_run(s, 10);
	clock_fake_advance(&s->time, 20 * 1000000); /* lingering is over */
	scene_run(s, 10);
	EXPECT_TRUE(s->client.stream == NULL && s->server.stream == NULL);
	end_reset(&s->client);
	end_reset(&s->server);
}

void
scene_fini(struct scene *s)
{
	scene_hang_up(s);
	tls_identity_unref(&s->client_spec.identity);
	tls_identity_unref(&s->server_spec.identity);
	tls_trust_unref(&s->client_spec.trust);
	tls_trust_unref(&s->server_spec.trust);
	tls_config_unref(&s->client_spec.config);
	tls_config_unref(&s->server_spec.config);
	tls_trust_unref(&s->trust);
	authority_fini(&s->mesh);
	buf_fini(&s->client.got);
	buf_fini(&s->server.got);
	loop_free(&s->loop);
}
