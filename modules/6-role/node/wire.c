/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire — the JSON of join, re-enrol, certify and of the stream's small types.
 */
#include <stdio.h>

#include "codec/codec.h"

#include "wire.h"

enum { ARENA_MAX = 4 * WIRE_BODY_MAX, BYTES_MAX = 256 };

void
wire_bundle_fini(struct wire_bundle *b)
{
	tls_chain_unref(&b->roots);
}

void
membership_fini(struct membership *m)
{
	wire_bundle_fini(&m->bundle);
	secret_wipe(&m->keyring, sizeof(m->keyring));
}

/* --- reading -------------------------------------------------------------- */

static enum err
get_text(const struct value *v, struct slice key, char *out, size_t out_len,
    struct fault *why)
{
	struct slice s = value_get_string(v, key, SLICE_NONE);

	if (s.len == 0 || slice_to_cstr(s, out, out_len) != OK)
		return fault_set(why, ERR_PROTOCOL,
		    "the server's answer has no usable %.*s", SLICE_ARG(key));
	return OK;
}

static enum err
to_bytes(const struct value *v, uint8_t *out, size_t cap, size_t *out_len)
{
	if (v == NULL || v->type != VALUE_STRING)
		return ERR_PARSE;
	return crypto_base64url_decode(v->string, out, cap, out_len);
}

/* Exactly `len` bytes. */
static enum err
get_bytes(const struct value *v, struct slice key, uint8_t *out, size_t len,
    struct fault *why)
{
	size_t got;

	if (to_bytes(value_get(v, key), out, len, &got) != OK || got != len)
		return fault_set(why, ERR_PROTOCOL,
		    "the server's answer has no usable %.*s", SLICE_ARG(key));
	return OK;
}

static enum err
get_chain(const struct value *v, struct slice key, struct tls_chain **out,
    struct fault *why)
{
	enum err err =
	    tls_chain_parse(value_get_string(v, key, SLICE_NONE), out, why);

	return err == OK ? OK
			 : fault_prefix(
			       why, err, "the server's %.*s: ", SLICE_ARG(key));
}

static enum err
read_voucher_keys(
    const struct value *list, struct gossip_trust *out, struct fault *why)
{
	VALUE_EACH(list, it)
	{
		size_t len;

		if (out->count == GOSSIP_TRUST_MAX ||
		    to_bytes(it, out->keys[out->count],
			CRYPTO_ED25519_PUBLIC_LEN, &len) != OK ||
		    len != CRYPTO_ED25519_PUBLIC_LEN)
			return fault_set(why, ERR_PROTOCOL,
			    "a voucher key of the bundle is not usable");
		out->count++;
	}
	if (out->count == 0)
		return fault_set(
		    why, ERR_PROTOCOL, "the bundle has no voucher key");
	return OK;
}

static enum err
read_bundle(const struct value *v, struct wire_bundle *out, struct fault *why)
{
	const struct value *epoch = value_get(v, S("epoch"));
	struct wire_bundle b = {0};
	enum err err;

	if (epoch == NULL || epoch->type != VALUE_INT || epoch->integer < 0)
		return fault_set(
		    why, ERR_PROTOCOL, "the bundle has no usable epoch");
	b.epoch = (uint64_t)epoch->integer;
	err = get_text(
	    v, S("trust_domain"), b.trust_domain, sizeof(b.trust_domain), why);
	if (err == OK)
		err = name_check_trust_domain(slice_str(b.trust_domain), why);
	if (err == OK)
		err = read_voucher_keys(
		    value_get(v, S("voucher_keys")), &b.voucher_keys, why);
	if (err == OK)
		err = get_chain(v, S("roots_pem"), &b.roots, why);
	if (err == OK)
		*out = b;
	return err;
}

static enum err
read_keyring(
    const struct value *list, struct gossip_keyring *out, struct fault *why)
{
	struct gossip_keyring k = {0};

	VALUE_EACH(list, it)
	{
		const struct value *id = value_get(it, S("id"));

		if (k.count == GOSSIP_KEYS_MAX || id == NULL ||
		    id->type != VALUE_INT || id->integer < 0 ||
		    id->integer > UINT8_MAX ||
		    get_bytes(it, S("key"), k.keys[k.count].bytes,
			CRYPTO_KEY_LEN, NULL) != OK)
			return fault_set(why, ERR_PROTOCOL,
			    "a gossip key of the server is not usable");
		k.keys[k.count++].id = (uint8_t)id->integer;
	}
	if (k.count == 0)
		return fault_set(
		    why, ERR_PROTOCOL, "the server sent no gossip key");
	*out = k;
	secret_wipe(&k, sizeof(k));
	return OK;
}

static enum err
read_lists(const struct value *v, struct membership *m, struct fault *why)
{
	VALUE_EACH(value_get(v, S("gossip_seeds")), it)
	if (it->type == VALUE_STRING && m->seed_count < GOSSIP_SEEDS_MAX &&
	    addr_parse(it->string, &m->seeds[m->seed_count]) == OK)
		m->seed_count++;
	VALUE_EACH(value_get(v, S("servers")), it)
	{
		if (m->server_count == WIRE_SERVERS_MAX)
			break;
		if (it->type != VALUE_STRING ||
		    slice_to_cstr(it->string, m->servers[m->server_count],
			CA_TOKEN_SERVER_LEN) != OK)
			return fault_set(why, ERR_PROTOCOL,
			    "a server's address is not usable");
		m->server_count++;
	}
	return OK;
}

static enum err
read_voucher(const struct value *v, uint8_t *out, size_t *out_len)
{
	return to_bytes(v, out, GOSSIP_VOUCHER_MAX, out_len);
}

static enum err
read_membership(const struct value *v, struct membership *m, struct fault *why)
{
	enum err err =
	    get_text(v, S("node_name"), m->name, sizeof(m->name), why);

	if (err == OK)
		err =
		    get_text(v, S("domain"), m->domain, sizeof(m->domain), why);
	if (err == OK)
		err = get_text(
		    v, S("network"), m->network, sizeof(m->network), why);
	if (err == OK)
		err = get_bytes(v, S("mesh_id"), m->mesh, sizeof(m->mesh), why);
	if (err == OK)
		err = read_keyring(
		    value_get(v, S("gossip_keys")), &m->keyring, why);
	if (err == OK && read_voucher(value_get(v, S("voucher")), m->voucher,
			     &m->voucher_len) != OK)
		err = fault_set(why, ERR_PROTOCOL,
		    "the server's answer has no usable voucher");
	if (err == OK)
		err = read_lists(v, m, why);
	return err != OK
		   ? err
		   : read_bundle(value_get(v, S("bundle")), &m->bundle, why);
}

MUST_USE enum err
wire_membership_decode(struct slice json, struct membership *out,
    struct tls_chain **out_chain, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(membership_fini) struct membership m = {0};
	AUTO(tls_chain_unref) struct tls_chain *chain = NULL;
	const struct value *v, *clock;
	enum err err;

	arena_init(&arena, ARENA_MAX);
	err = codec_json_parse(json, &arena, &v, why);
	if (err == OK)
		err = read_membership(v, &m, why);
	if (err == OK && value_get(v, S("certificate_pem")) != NULL)
		err = get_chain(v, S("certificate_pem"), &chain, why);
	if (err != OK)
		return err;
	clock = value_get(v, S("clock_ms"));
	if (clock != NULL && clock->type == VALUE_INT)
		m.clock_ms = clock->integer;
	*out = m;
	m.bundle.roots = NULL; /* handed over */
	if (out_chain != NULL)
		*out_chain = TAKE(chain);
	return OK;
}

MUST_USE enum err
wire_certified_decode(
    struct slice json, struct wire_certified *out, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	struct wire_certified c = {0};
	const struct value *v, *voucher;
	enum err err;

	arena_init(&arena, ARENA_MAX);
	err = codec_json_parse(json, &arena, &v, why);
	if (err != OK)
		return err;
	voucher = value_get(v, S("voucher"));
	if (voucher != NULL &&
	    read_voucher(voucher, c.voucher, &c.voucher_len) != OK)
		return fault_set(
		    why, ERR_PROTOCOL, "the server's voucher is not usable");
	err = get_chain(v, S("certificate_pem"), &c.chain, why);
	if (err == OK)
		*out = c;
	return err;
}

MUST_USE enum err
wire_refusal(unsigned status, struct slice body, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *v = NULL;
	struct slice code, message, hint;

	arena_init(&arena, ARENA_MAX);
	if (codec_json_parse(body, &arena, &v, NULL) != OK)
		v = NULL;
	code = value_get_string(v, S("code"), SLICE_NONE);
	message = value_get_string(v, S("message"), SLICE_NONE);
	hint = value_get_string(v, S("hint"), SLICE_NONE);
	if (code.len == 0 || message.len == 0)
		return fault_set(why, ERR_UNREACHABLE,
		    "the server answered %u without saying why", status);
	return fault_set(why,
	    status >= 500 || status == 429 ? ERR_UNREACHABLE : ERR_DENIED,
	    "%.*s: %.*s%s%.*s", SLICE_ARG(code), SLICE_ARG(message),
	    hint.len > 0 ? "; " : "", SLICE_ARG(hint));
}

MUST_USE enum err
wire_bundle_decode(
    struct slice json, struct wire_bundle *out, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *v;
	enum err err;

	arena_init(&arena, ARENA_MAX);
	err = codec_json_parse(json, &arena, &v, why);
	return err != OK ? err : read_bundle(v, out, why);
}

MUST_USE enum err
wire_gossip_keys_decode(
    struct slice json, struct gossip_keyring *out, struct fault *why)
{
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *v;
	enum err err;

	arena_init(&arena, ARENA_MAX);
	err = codec_json_parse(json, &arena, &v, why);
	return err != OK ? err
			 : read_keyring(value_get(v, S("keys")), out, why);
}

MUST_USE enum err
wire_revocation_decode(struct slice json, struct arena *arena,
    struct wire_revocation *out, struct fault *why)
{
	struct wire_revocation r = {0};
	const struct value *v;
	const struct value *since;
	const struct value *statement;
	struct identity id;
	struct slice uri;
	enum err err = codec_json_parse(json, arena, &v, why);

	if (err != OK)
		return err;
	uri = value_get_string(v, S("identity"), SLICE_NONE);
	since = value_get(v, S("revoked_ms"));
	err = name_identity_parse(uri, &id, why);
	if (err != OK)
		return err;
	if (since == NULL || since->type != VALUE_INT)
		return fault_set(
		    why, ERR_PARSE, "a revocation without its time");
	statement = value_get(v, S("statement"));
	if (statement != NULL &&
	    to_bytes(statement, r.statement, sizeof(r.statement),
		&r.statement_len) != OK)
		return fault_set(
		    why, ERR_PARSE, "a revocation with an unusable statement");
	r.what = (struct ca_revocation){uri, since->integer};
	*out = r;
	return OK;
}

/* --- writing -------------------------------------------------------------- */

/* A map that grows; the first failure sticks. */
struct maker {
	struct arena arena;
	struct value *root;
	enum err err;
};

static void
maker_init(struct maker *m)
{
	arena_init(&m->arena, ARENA_MAX);
	m->root = value_new(&m->arena, VALUE_MAP);
	m->err = m->root != NULL ? OK : ERR_NO_MEMORY;
}

static void
put(struct maker *m, struct value *map, struct slice key, struct value *item)
{
	if (m->err == OK)
		m->err =
		    item != NULL ? value_set(map, key, item) : ERR_NO_MEMORY;
}

static void
put_text(
    struct maker *m, struct value *map, struct slice key, struct slice text)
{
	put(m, map, key, value_new_string(&m->arena, text));
}

static struct value *
new_bytes(struct maker *m, const uint8_t *bytes, size_t len)
{
	char text[BYTES_MAX * 2];
	struct slice copy;

	CHECK(len <= BYTES_MAX);
	crypto_base64url(slice_of(bytes, len), text);
	if (arena_copy(&m->arena, slice_of(text, crypto_base64url_len(len)),
		&copy) != OK)
		return NULL;
	return value_new_string(&m->arena, copy);
}

static struct value *
put_list(struct maker *m, struct value *map, struct slice key)
{
	struct value *list = value_new(&m->arena, VALUE_LIST);

	put(m, map, key, list);
	return list;
}

static void
append(struct maker *m, struct value *list, struct value *item)
{
	if (m->err == OK)
		m->err = value_append(list, item);
}

static struct value *
new_addr(struct maker *m, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];
	struct slice copy;

	if (arena_copy(&m->arena, slice_str(addr_format(a, text)), &copy) != OK)
		return NULL;
	return value_new_string(&m->arena, copy);
}

static enum err
maker_end(struct maker *m, struct buf *out)
{
	enum err err = m->err;

	if (err == OK)
		err = codec_json_emit(m->root, out);
	arena_fini(&m->arena);
	return err;
}

static void
put_bundle(struct maker *m, const struct wire_bundle *b)
{
	struct value *v = value_new(&m->arena, VALUE_MAP);
	AUTO(buf_fini) struct buf pem = BUF(WIRE_BODY_MAX);
	struct slice text = SLICE_NONE;
	struct value *keys;

	put(m, m->root, S("bundle"), v);
	if (m->err == OK)
		m->err = tls_chain_pem(b->roots, &pem);
	if (m->err == OK)
		m->err = arena_copy(&m->arena, buf_slice(&pem), &text);
	put(m, v, S("epoch"), value_new_int(&m->arena, (int64_t)b->epoch));
	put_text(m, v, S("trust_domain"), slice_str(b->trust_domain));
	put_text(m, v, S("roots_pem"), text);
	keys = put_list(m, v, S("voucher_keys"));
	for (size_t i = 0; i < b->voucher_keys.count; i++)
		append(m, keys,
		    new_bytes(
			m, b->voucher_keys.keys[i], CRYPTO_ED25519_PUBLIC_LEN));
}

static void
put_keyring(struct maker *m, const struct gossip_keyring *k)
{
	struct value *list = put_list(m, m->root, S("gossip_keys"));

	for (size_t i = 0; i < k->count; i++) {
		struct value *v = value_new(&m->arena, VALUE_MAP);

		append(m, list, v);
		put(m, v, S("id"), value_new_int(&m->arena, k->keys[i].id));
		put(m, v, S("key"),
		    new_bytes(m, k->keys[i].bytes, CRYPTO_KEY_LEN));
	}
}

MUST_USE enum err
wire_membership_encode(const struct membership *m, struct buf *out)
{
	struct maker k;
	struct value *list;

	maker_init(&k);
	put_text(&k, k.root, S("node_name"), slice_str(m->name));
	put_text(&k, k.root, S("domain"), slice_str(m->domain));
	put_text(&k, k.root, S("network"), slice_str(m->network));
	put(&k, k.root, S("mesh_id"), new_bytes(&k, m->mesh, sizeof(m->mesh)));
	put(&k, k.root, S("voucher"),
	    new_bytes(&k, m->voucher, m->voucher_len));
	put_bundle(&k, &m->bundle);
	put_keyring(&k, &m->keyring);
	list = put_list(&k, k.root, S("gossip_seeds"));
	for (size_t i = 0; i < m->seed_count; i++)
		append(&k, list, new_addr(&k, &m->seeds[i]));
	list = put_list(&k, k.root, S("servers"));
	for (size_t i = 0; i < m->server_count; i++)
		append(&k, list,
		    value_new_string(&k.arena, slice_str(m->servers[i])));
	return maker_end(&k, out);
}

static void
put_wanted(struct maker *k, const struct wire_join *j)
{
	struct value *list = put_list(k, k->root, S("wanted"));

	for (size_t i = 0; i < j->wanted_count; i++) {
		struct value *v = value_new(&k->arena, VALUE_MAP);

		append(k, list, v);
		put_text(k, v, S("namespace"), j->wanted[i].ns);
		put_text(k, v, S("account"), j->wanted[i].account);
	}
}

MUST_USE enum err
wire_join_encode(const struct wire_join *j, struct buf *out)
{
	struct maker k;
	struct value *list;

	maker_init(&k);
	if (j->token_id.len > 0) {
		put_text(&k, k.root, S("token_id"), j->token_id);
		put(&k, k.root, S("hmac"),
		    new_bytes(&k, j->proof, CRYPTO_HMAC_LEN));
	}
	put_text(&k, k.root, S("csr_pem"), j->csr);
	put(&k, k.root, S("gossip_public_key"),
	    new_bytes(&k, j->gossip_key, CRYPTO_ED25519_PUBLIC_LEN));
	put_text(&k, k.root, S("node_name"), j->name);
	put_text(&k, k.root, S("network"), j->network);
	list = put_list(&k, k.root, S("addresses"));
	for (size_t i = 0; i < j->addr_count; i++)
		append(&k, list, new_addr(&k, &j->addrs[i]));
	put_wanted(&k, j);
	put(&k, k.root, S("clock_ms"), value_new_int(&k.arena, j->clock_ms));
	return maker_end(&k, out);
}

MUST_USE enum err
wire_certify_encode(struct slice csr, int64_t clock_ms, struct buf *out)
{
	struct maker k;

	maker_init(&k);
	put_text(&k, k.root, S("csr_pem"), csr);
	put(&k, k.root, S("clock_ms"), value_new_int(&k.arena, clock_ms));
	return maker_end(&k, out);
}
