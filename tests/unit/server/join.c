/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join — how a request to join is refused, and what the store may still say.
 *
 * The CA and the certificates are real. The connection, the store and the
 * stream stand here: what they are told is looked at, what they say is the
 * test's. Each verdict of its own has a test in ca/check.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "unit.h"

#include "inside.h"
#include "rows.h"

enum { ARENA_BYTES = 1 << 20, BODY_MAX = 16 << 10, OPS = 4 };

#define NOW_MS INT64_C(1790000000000)
#define DOMAIN "mesh.internal"
#define ID "0102030405060708"

struct http_exchange {
	struct arena arena;
	struct slice body;
	struct stream *stream;
	/* what was answered */
	unsigned status; /* 0: nothing yet */
	char code[64];
	char words[2 * FAULT_TEXT_MAX];
	char hint[FAULT_TEXT_MAX];
	char node[64];
};

static struct {
	struct clock_fake time;
	struct clock clock;
	struct server server;
	struct tls_key *root_key;
	struct tls_key *ca_key;
	struct tls_key *key; /* the agent's */
	struct tls_chain *root;
	struct tls_chain *chain;
	struct stream *ends[2];
	struct ca_token token;
	uint8_t token_key[CRYPTO_KEY_LEN];
	uint8_t gossip_key[CRYPTO_ED25519_PUBLIC_LEN];
	bool sealed; /* the token's key cannot be read */
	/* what the store was asked for, and will say */
	size_t proposals;
	enum store_op_type ops[OPS];
	size_t op_count;
	enum err says[3];
	const char *because;
	void (*meanwhile)(void); /* before it says so */
	struct http_exchange x;
} scene;

/* --- in the place of the other parts -------------------------------------- */

struct slice
http_exchange_body(const struct http_exchange *x)
{
	return x->body;
}

struct arena *
http_exchange_arena(struct http_exchange *x)
{
	return &x->arena;
}

struct stream *
http_exchange_stream(const struct http_exchange *x)
{
	return x->stream;
}

static void
answered(struct http_exchange *x, unsigned status, const char *code,
    struct slice words, const char *hint)
{
	EXPECT_EQ(x->status, 0); /* exactly once */
	x->status = status;
	(void)snprintf(x->code, sizeof(x->code), "%s", code);
	(void)snprintf(x->words, sizeof(x->words), "%.*s", SLICE_ARG(words));
	(void)snprintf(x->hint, sizeof(x->hint), "%s", hint);
}

void
control_answer(struct http_exchange *x, const struct value *v)
{
	answered(x, 200, "ok", SLICE_NONE, "");
	EXPECT_EQ(slice_to_cstr(value_get_string(v, S("node_name"), S("")),
		      x->node, sizeof(x->node)),
	    OK);
	EXPECT_TRUE(value_get(v, S("certificate_pem")) != NULL);
	EXPECT_TRUE(value_get(v, S("voucher")) != NULL);
}

void
control_refuse(struct http_exchange *x, unsigned status, const char *code,
    struct slice message, const char *hint)
{
	answered(x, status, code, message, hint);
}

void
control_refuse_verdict(struct http_exchange *x, const struct ca_decision *d)
{
	char words[2 * FAULT_TEXT_MAX];

	ca_decision_format(d, words, sizeof(words));
	answered(x, ca_verdict_status(d->verdict), ca_verdict_code(d->verdict),
	    slice_str(words), ca_verdict_hint(d->verdict));
}

void
control_refuse_store(
    struct http_exchange *x, enum err e, const struct fault *why)
{
	answered(x, 503, e == ERR_NO_SPACE ? "no_space" : "unavailable",
	    slice_str(why->text), "");
}

uint16_t
control_port(const struct server *s)
{
	EXPECT_TRUE(s == &scene.server);
	return SERVER_CONTROL_PORT;
}

struct value *
feed_bundle(const struct server *s, struct arena *a)
{
	EXPECT_TRUE(s == &scene.server);
	return value_new(a, VALUE_MAP);
}

struct value *
feed_gossip_keys(const struct server *s, struct arena *a)
{
	EXPECT_TRUE(s == &scene.server);
	return value_new(a, VALUE_LIST);
}

enum err
own_server_text(const struct own *o, size_t index, uint16_t port,
    char out[CA_TOKEN_SERVER_LEN])
{
	(void)snprintf(
	    out, CA_TOKEN_SERVER_LEN, "%s:%u", o->hosts[index], port);
	return OK;
}

enum err
store_unseal(const struct store *s, struct slice name, struct slice sealed,
    struct secret *out)
{
	(void)s;
	EXPECT_SLICE(name, S("token/" ID));
	EXPECT_EQ(sealed.len, REGISTRY_SEALED_KEY);
	if (scene.sealed)
		return ERR_AUTH;
	secret_init(out, sizeof(scene.token_key));
	memcpy(out->bytes, scene.token_key, sizeof(scene.token_key));
	return OK;
}

void
store_propose(struct store *s, const struct store_mutation *m,
    store_propose_cb cb, void *arg)
{
	struct fault why = {0};
	struct store_result r = {.why = &why};

	(void)s;
	EXPECT_TRUE(m->op_count <= OPS);
	scene.op_count = m->op_count;
	for (size_t i = 0; i < m->op_count; i++)
		scene.ops[i] = m->ops[i].type;
	r.err = scene.says[scene.proposals++];
	if (r.err != OK)
		(void)fault_set(&why, r.err, "%s", scene.because);
	if (scene.meanwhile != NULL)
		scene.meanwhile();
	cb(&r, arg);
}

/* --- the scene ------------------------------------------------------------ */

static void
make_ca(void)
{
	static const uint8_t serial[TLS_SERIAL_LEN] = {1, 2, 3};
	uint8_t public[CRYPTO_ED25519_PUBLIC_LEN];
	uint8_t secret[CRYPTO_ED25519_SECRET_LEN];
	struct tls_issuer root;
	struct ca_spec spec;

	EXPECT_OK(crypto_init());
	EXPECT_OK(tls_init());
	scene.root_key = tls_key_new();
	scene.ca_key = tls_key_new();
	crypto_ed25519_new(public, secret);
	EXPECT_OK(ca_root_make(
	    S(DOMAIN), scene.root_key, serial, NOW_MS, &scene.root, NULL));
	root = (struct tls_issuer){scene.root, scene.root_key};
	EXPECT_OK(ca_intermediate_make(&root, S(DOMAIN), S("s1"), scene.ca_key,
	    serial, NOW_MS, &scene.chain, NULL));
	spec = (struct ca_spec){S(DOMAIN), scene.chain, scene.ca_key, secret};
	EXPECT_OK(ca_new(&spec, &scene.server.own.ca, NULL));
}

/* A token as by default: once, 15 minutes, namespace default. */
static void
add_token(void)
{
	struct registry_token *t = mem_new(sizeof(*t));

	scene.token = (struct ca_token){.id = {1, 2, 3, 4, 5, 6, 7, 8}};
	ca_token_key(&scene.token, scene.token_key);
	EXPECT_OK(slice_to_cstr(S(ID), t->id, sizeof(t->id)));
	t->note = mem_strndup("", 0);
	ca_bounds_default(CA_ROLE_NONE, &t->bounds);
	t->created_ms = NOW_MS - 1000;
	(void)map_put(&scene.server.registry.tokens, S(ID), t);
}

static void
begin(void)
{
	struct server *s = &scene.server;

	memset(&scene, 0, sizeof(scene));
	scene.time.wall_ms = NOW_MS;
	scene.clock = clock_fake_as_clock(&scene.time);
	s->magic = SERVER_MAGIC;
	s->spec.clock = &scene.clock;
	s->spec.loop = loop_new(&scene.clock);
	registry_init(&s->registry);
	(void)snprintf(
	    s->mesh.trust_domain, sizeof(s->mesh.trust_domain), "%s", DOMAIN);
	(void)snprintf(s->own.hosts[0], sizeof(s->own.hosts[0]), "s1.example");
	s->own.host_count = 1;
	make_ca();
	add_token();
	scene.key = tls_key_new();
	memset(scene.gossip_key, 7, sizeof(scene.gossip_key));
	arena_init(&scene.x.arena, ARENA_BYTES);
	net_pair_new(s->spec.loop, &(struct net_pair_spec){0}, &scene.ends[0],
	    &scene.ends[1]);
	scene.x.stream = scene.ends[0];
}

static void
end(void)
{
	struct server *s = &scene.server;

	stream_close(scene.ends[0], OK);
	stream_close(scene.ends[1], OK);
	loop_settle(s->spec.loop);
	registry_fini(&s->registry);
	ca_unref(&s->own.ca);
	tls_key_unref(&scene.root_key);
	tls_key_unref(&scene.ca_key);
	tls_key_unref(&scene.key);
	tls_chain_unref(&scene.root);
	tls_chain_unref(&scene.chain);
	arena_fini(&scene.x.arena);
	loop_free(&s->spec.loop);
}

/* What a good agent asks for, named so, and maybe with another proof. */
static struct value *
request_with(const char *name, struct slice hmac)
{
	struct arena *a = &scene.x.arena;
	struct buf csr = BUF(TLS_CSR_BYTES_MAX);
	struct value *v = value_new(a, VALUE_MAP);
	uint8_t proof[CRYPTO_HMAC_LEN];
	struct tls_csr parsed;

	EXPECT_OK(tls_csr_make(scene.key, slice_str(name), SLICE_NONE, &csr));
	EXPECT_OK(tls_csr_parse(buf_slice(&csr), &parsed, NULL));
	ca_join_proof(scene.token_key, parsed.sha256, scene.gossip_key, proof);
	value_put_text(a, &v, S("csr_pem"), buf_slice(&csr));
	value_put_text(a, &v, S("token_id"), S(ID));
	value_put_bytes(a, &v, S("gossip_public_key"),
	    slice_of(scene.gossip_key, sizeof(scene.gossip_key)));
	if (hmac.len > 0)
		value_put_text(a, &v, S("hmac"), hmac);
	else
		value_put_bytes(
		    a, &v, S("hmac"), slice_of(proof, sizeof(proof)));
	value_put_text(a, &v, S("node_name"), slice_str(name));
	value_put_int(a, &v, S("clock_ms"), NOW_MS);
	buf_fini(&csr);
	return v;
}

static struct value *
request_of(const char *name)
{
	return request_with(name, SLICE_NONE);
}

static void
send_text(struct slice text, bool again)
{
	scene.x.status = 0;
	scene.proposals = 0;
	scene.x.body = text;
	if (again)
		reenrol_handle(&scene.server, &scene.x);
	else
		join_handle(&scene.server, &scene.x);
	EXPECT_NE(scene.x.status, 0);
}

static void
send(const struct value *v, bool again)
{
	AUTO(buf_fini) struct buf text = BUF(BODY_MAX);

	EXPECT_TRUE(v != NULL);
	EXPECT_OK(codec_json_emit(v, &text));
	send_text(buf_slice(&text), again);
}

static void
expect(unsigned status, const char *code)
{
	EXPECT_STR(scene.x.code, code);
	EXPECT_EQ(scene.x.status, status);
	EXPECT_TRUE(status == 200 || scene.x.words[0] != '\0');
}

static struct registry_node *
add_node(const char *name)
{
	struct registry_node *n = mem_new(sizeof(*n));

	EXPECT_OK(slice_to_cstr(slice_str(name), n->name, sizeof(n->name)));
	tls_key_pin(scene.key, &n->key);
	memcpy(n->gossip_key, scene.gossip_key, sizeof(n->gossip_key));
	n->grant = (struct ca_grant){"default", "*"};
	n->joined_ms = n->issued_ms = NOW_MS - 5000;
	n->not_after_ms = NOW_MS + 5000;
	(void)map_put(&scene.server.registry.nodes, slice_str(name), n);
	return n;
}

/* --- what is read --------------------------------------------------------- */

TEST(a_body_that_cannot_be_read_is_refused_with_what_is_wrong)
{
	static const struct {
		const char *body;
		const char *words;
	} rows[] = {
	    {"", "near end of file"},
	    {"[]", "the body is no JSON object"},
	    {"{}", "gossip_public_key is not the base64url of 32 bytes"},
	    {"{\"gossip_public_key\":\"AAEC\"}",
		"gossip_public_key is not the base64url of 32 bytes"},
	};

	begin();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		send_text(slice_str(rows[i].body), /* again */ false);
		expect(400, "bad_request");
		EXPECT_TRUE(strstr(scene.x.words, rows[i].words) != NULL);
		EXPECT_STR(scene.x.hint,
		    "use the same release of meshd on both sides");
	}
	EXPECT_EQ(scene.proposals, 0);
	end();
}

TEST(a_join_needs_a_proof_and_enrolling_again_does_not)
{
	struct value *v;

	begin();
	v = request_with("web-1", S("AAEC"));
	send(v, /* again */ false);
	expect(400, "bad_request");
	EXPECT_STR(scene.x.words, "hmac is not the base64url of 32 bytes");
	send(v, /* again */ true);
	expect(403, "node_unknown");
	end();
}

TEST(too_many_wanted_identities_are_refused)
{
	struct value *list;
	struct value *v;

	begin();
	v = request_of("web-1");
	list = value_new(&scene.x.arena, VALUE_LIST);
	for (size_t i = 0; i <= CA_WANTED_MAX; i++)
		value_push(&list, value_new(&scene.x.arena, VALUE_MAP));
	value_put(&v, S("wanted"), list);
	send(v, /* again */ false);
	expect(400, "bad_request");
	EXPECT_STR(
	    scene.x.words, "wanted is not a list of at most 32 identities");
	end();
}

TEST(another_network_is_not_supported_yet_and_says_so)
{
	struct value *v;

	begin();
	v = request_of("web-1");
	value_put_text(&scene.x.arena, &v, S("network"), S("edge"));
	send(v, /* again */ false);
	expect(400, "network_unknown");
	end();
}

/* --- what is decided ------------------------------------------------------ */

TEST(a_good_request_is_recorded_at_one_stroke_and_granted)
{
	begin();
	send(request_of("web-1"), /* again */ false);
	expect(200, "ok");
	EXPECT_STR(scene.x.node, "web-1");
	EXPECT_EQ(scene.proposals, 1);
	EXPECT_EQ(scene.op_count, 3); /* node, certificate, token used */
	EXPECT_EQ(scene.ops[2], STORE_CONSUME_TOKEN);
	end();
}

TEST(the_cas_verdict_comes_with_its_status_words_and_hint)
{
	begin();
	scene.time.wall_ms += CA_TOKEN_MS;
	send(request_of("web-1"), /* again */ false);
	expect(403, "token_expired");
	EXPECT_TRUE(strstr(scene.x.words, "the token has expired") != NULL);
	EXPECT_STR(scene.x.hint, ca_verdict_hint(CA_TOKEN_EXPIRED));
	EXPECT_EQ(scene.proposals, 0);
	end();
}

TEST(a_token_whose_key_nobody_can_read_is_unknown)
{
	begin();
	scene.sealed = true;
	send(request_of("web-1"), /* again */ false);
	expect(403, "token_unknown");
	end();
}

TEST(a_taken_name_and_a_revoked_node_are_told_apart)
{
	struct registry_revocation *r = mem_new(sizeof(*r));
	struct tls_key *node_key;

	begin();
	(void)add_node("web-1");
	node_key = scene.key; /* and another machine of that name */
	scene.key = tls_key_new();
	send(request_of("web-1"), /* again */ false);
	expect(409, "name_taken");
	*r = (struct registry_revocation){NOW_MS, NOW_MS * 2};
	(void)map_put(&scene.server.registry.revocations,
	    S("spiffe://" DOMAIN "/ns/meshd-nodes/sa/web-1"), r);
	send(request_of("web-1"), /* again */ true);
	expect(403, "node_other_key");
	/* The name is free again, for who has a token and is not that node. */
	send(request_of("web-1"), /* again */ false);
	expect(200, "ok");
	tls_key_unref(&scene.key);
	scene.key = node_key;
	send(request_of("web-1"), /* again */ true);
	expect(403, "node_revoked");
	send(request_of("web-1"), /* again */ false);
	expect(403, "node_revoked");
	end();
}

TEST(who_is_known_enrols_again_without_a_token)
{
	begin();
	(void)add_node("web-1");
	send(request_of("web-1"), /* again */ true);
	expect(200, "ok");
	EXPECT_EQ(scene.op_count, 2); /* node, certificate */
	end();
}

TEST(what_has_no_room_in_a_voucher_is_not_issued)
{
	static const char name[] = "a-name-as-long-as-a-node-of-this-mesh-may-"
				   "have-0123456789012";
	struct registry_token *t;

	begin();
	t = map_get(&scene.server.registry.tokens, S(ID));
	(void)snprintf(t->bounds.grant.namespaces,
	    sizeof(t->bounds.grant.namespaces),
	    "default,one-more-namespace,and-another");
	send(request_of(name), /* again */ false);
	expect(400, "not_issued");
	EXPECT_TRUE(strstr(scene.x.words, "a voucher has room for 91") != NULL);
	EXPECT_EQ(scene.proposals, 0);
	end();
}

/* --- what the store says -------------------------------------------------- */

static void
use_token_up(void)
{
	struct tls_pin *pin = mem_new(sizeof(*pin));

	pin->bytes[0] = 9;
	scene.meanwhile = NULL;
	(void)map_put(&scene.server.registry.uses, S(ID "/another-key"), pin);
}

TEST(who_comes_too_late_is_told_what_is_so_by_then)
{
	begin();
	scene.says[0] = ERR_LIMIT;
	scene.because = "the token is used up";
	scene.meanwhile = use_token_up;
	send(request_of("web-1"), /* again */ false);
	expect(403, "token_bound_to_another_key");
	EXPECT_EQ(scene.proposals, 1);
	end();
}

TEST(a_conflict_that_is_over_is_no_refusal)
{
	begin();
	scene.says[0] = ERR_CONFLICT;
	scene.because = "the row has changed";
	send(request_of("web-1"), /* again */ false);
	expect(200, "ok");
	EXPECT_EQ(scene.proposals, 2);
	end();
}

TEST(a_conflict_that_does_not_end_is_given_up)
{
	begin();
	scene.says[0] = scene.says[1] = scene.says[2] = ERR_CONFLICT;
	scene.because = "the row has changed";
	send(request_of("web-1"), /* again */ false);
	expect(503, "unavailable");
	EXPECT_EQ(scene.proposals, 3);
	end();
}

TEST(a_gossip_key_of_another_node_is_refused_in_words)
{
	begin();
	scene.says[0] = ERR_EXISTS;
	scene.because = "node id 07 is web-9's";
	send(request_of("web-1"), /* again */ false);
	expect(400, "csr_other_name");
	EXPECT_TRUE(strstr(scene.x.words,
			"this machine's gossip key belongs to another node: "
			"node id 07 is web-9's") != NULL);
	end();
}

TEST(a_full_disk_is_the_servers_fault_and_said_so)
{
	begin();
	scene.says[0] = ERR_NO_SPACE;
	scene.because = "no space left on the device";
	send(request_of("web-1"), /* again */ false);
	expect(503, "no_space");
	EXPECT_EQ(scene.proposals, 1);
	end();
}
