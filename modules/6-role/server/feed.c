/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed — what the control stream carries: resources, bundle, keys, revocations.
 *
 * All of a change goes into the source first; streams are told once, at the
 * end of the turn.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"
#include "store/store.h"
#include "xds/xds.h"

#include "inside.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	BODY_BYTES = 2 * LIMIT_RESOURCE_BYTES,
	TREE_BYTES = 16 * LIMIT_RESOURCE_BYTES,
	SMALL_TREE_BYTES = 1 << 20,
	FORGET_US = 1000000, /* by then a change has reached everybody */
	EPOCH = 1 /* of the bundle: a root lives as long as the mesh */
};

static void
on_flush(void *arg)
{
	struct server *s = server_of(arg);

	xds_source_flush(s->source);
	if (!timer_is_set(&s->forget))
		timer_set(&s->forget, FORGET_US);
}

static void
on_forget(void *arg)
{
	xds_source_forget(server_of(arg)->source);
}

void
feed_flush(struct server *s)
{
	loop_later(s->spec.loop, &s->flush);
}

/* --- one resource of the source --- */

static enum err
put(struct server *s, const char *type_url, struct slice name, uint64_t version,
    struct slice body)
{
	char number[24];
	struct xds_resource r = {
	    .type_url = slice_str(type_url), .name = name, .body = body};
	enum err e;

	(void)snprintf(number, sizeof(number), "%" PRIu64, version);
	r.version = slice_str(number);
	e = xds_source_put(s->source, &r);
	if (e != OK)
		log_error("cannot publish", "name=%.*s err=\"%s\"",
		    SLICE_ARG(name), err_text(e));
	feed_flush(s);
	return e;
}

static enum err
put_tree(struct server *s, const char *type_url, struct slice name,
    uint64_t version, const struct value *body)
{
	AUTO(buf_fini) struct buf text = BUF(BODY_BYTES);
	enum err e =
	    body == NULL ? ERR_NO_MEMORY : codec_json_emit(body, &text);

	return e == OK ? put(s, type_url, name, version, buf_slice(&text)) : e;
}

/*
 * Its body is made when it is sent: of very many resources an agent is sent
 * few, and each would lie in memory a second time.
 */
static void
publish(struct server *s, struct slice name, const struct resource *r)
{
	/* An error is in the log. */
	(void)put(s, SERVER_TYPE_RESOURCE, name, r->revision, SLICE_NONE);
}

static enum err
write_body(const struct resource *r, struct buf *out)
{
	AUTO(arena_fini) struct arena tree;
	const struct value *v;

	arena_init(&tree, TREE_BYTES);
	v = resource_encode(r, RESOURCE_WITH_STATE, &tree);
	return v == NULL ? ERR_NO_MEMORY : codec_json_emit(v, out);
}

static enum err
make_body(void *arg, const struct xds_resource *of, struct buf *out)
{
	const struct server *s = server_of(arg);
	const struct resource *r = map_get(&s->cache.by_key, of->name);

	CHECK(r != NULL); /* what is published is in the cache */
	return write_body(r, out);
}

/* Who has it in force is sent what is different in the next. */
static void
keep_base(struct server *s, const struct resource *before)
{
	AUTO(buf_fini) struct buf body = BUF(BODY_BYTES);
	char key[CACHE_KEY_MAX], version[24];
	struct xds_resource r = {.type_url = S(SERVER_TYPE_RESOURCE),
	    .name = cache_key_text(&before->key, key)};

	if (!xds_source_is_followed(s->source, r.type_url, r.name) ||
	    write_body(before, &body) != OK)
		return; /* then it is sent whole */
	(void)snprintf(version, sizeof(version), "%" PRIu64, before->revision);
	r.version = slice_str(version);
	r.body = buf_slice(&body);
	xds_source_base(s->source, &r);
}

static void
withdraw(struct server *s, struct slice name)
{
	xds_source_remove(s->source, slice_str(SERVER_TYPE_RESOURCE), name);
	feed_flush(s);
}

/* --- changes --- */

static void
take_resource(struct server *s, const struct store_row *row)
{
	struct resource_key key = {row->resource.group, row->resource.kind,
	    row->resource.ns, row->resource.name};
	const struct resource *r = cache_find(&s->cache, &key);
	char text[CACHE_KEY_MAX];
	struct slice name = cache_key_text(&key, text);

	/* No agent needs a key of the outside yet. */
	if (r != NULL && !r->kind->sealed)
		publish(s, name, r);
	else
		withdraw(s, name);
}

/* For gossip, here and at every agent that the stream brings it to. */
static void
add_statement(struct server *s, struct slice node,
    const struct registry_revocation *r, struct arena *a, struct value **map)
{
	const struct gossip_revocation says = {
	    node, r->since_ms, (uint32_t)(r->expires_ms / 1000)};
	uint8_t bytes[GOSSIP_REVOCATION_MAX];
	size_t len;
	enum err e = ca_revocation_make(s->own.ca, &says, bytes, &len);

	if (e != OK) {
		log_error("gossip cannot tell of a revocation",
		    "node=%.*s err=\"%s\"", SLICE_ARG(node), err_text(e));
		return;
	}
	members_revoke(s, slice_of(bytes, len));
	value_put_bytes(a, map, S("statement"), slice_of(bytes, len));
}

static void
publish_revocation(
    struct server *s, struct slice what, const struct registry_revocation *r)
{
	AUTO(arena_fini) struct arena arena;
	struct slice node = ca_node_of(what);
	struct identity id;
	struct value *v;

	if (name_identity_parse(what, &id, NULL) != OK)
		return; /* of a serial: for the server's own ears */
	arena_init(&arena, SMALL_TREE_BYTES);
	v = value_new(&arena, VALUE_MAP);
	value_put_text(&arena, &v, S("identity"), what);
	value_put_int(&arena, &v, S("revoked_ms"), r->since_ms);
	if (node.len > 0)
		add_statement(s, node, r, &arena, &v);
	/* An error is in the log; the server itself refuses it anyway. */
	(void)put_tree(
	    s, SERVER_TYPE_REVOCATION, what, (uint64_t)r->since_ms, v);
}

/* What the registry has of it, which took the row before. */
static void
take_revocation(struct server *s, struct slice what)
{
	const struct registry_revocation *r =
	    registry_revocation(&s->registry, what);

	if (r != NULL) {
		publish_revocation(s, what, r);
		return;
	}
	xds_source_remove(s->source, slice_str(SERVER_TYPE_REVOCATION), what);
	feed_flush(s);
}

void
feed_revocations(struct server *s)
{
	struct slice what;
	void *r;

	for (size_t i = 0; map_next(&s->registry.revocations, &i, &what, &r);)
		publish_revocation(s, what, r);
}

void
feed_changed(
    void *arg, const struct resource *before, const struct resource *now)
{
	struct server *s = server_of(arg);

	interest_index_change(&s->interests, before, now);
	if (before != NULL && now != NULL)
		keep_base(s, before);
	if (before != NULL)
		analysis_index_remove(s->near, before);
	if (now != NULL)
		analysis_index_add(s->near, now);
}

void
feed_reset(struct server *s)
{
	struct slice name;
	void *value;

	for (size_t i = 0; map_next(&s->cache.by_key, &i, &name, &value);)
		xds_source_remove(
		    s->source, slice_str(SERVER_TYPE_RESOURCE), name);
	analysis_index_free(&s->near);
	interest_index_clear(&s->interests);
	s->near = analysis_index_new(S(MESH_DOMAIN));
}

static void
take_row(struct server *s, const struct store_row *row)
{
	xds_source_stamp(s->source, row->revision);
	if (row->table == STORE_RESOURCES)
		take_resource(s, row);
	else if (row->table == STORE_REVOCATIONS && s->started)
		take_revocation(s, row->revocation.what);
}

/* Whom one of them newly concerns is told it once all are at hand. */
void
feed_take(struct server *s, const struct store_changes *changes)
{
	if (changes->err != OK)
		return;
	if (changes->revision > 0)
		commits_add(&s->commits, changes->revision, changes->read_us);
	for (size_t i = 0; i < changes->count; i++)
		take_row(s, &changes->rows[i]);
	agents_follow(s);
	xds_source_stamp(s->source, 0);
}

/* --- bundle and keys --- */

struct value *
feed_bundle(const struct server *s, struct arena *a)
{
	AUTO(buf_fini) struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	uint8_t key[CRYPTO_ED25519_PUBLIC_LEN];
	struct value *v = value_new(a, VALUE_MAP);
	struct value *keys = value_new(a, VALUE_LIST);
	char text[64];

	ca_voucher_key(s->own.ca, key);
	CHECK(crypto_base64url_len(sizeof(key)) < sizeof(text));
	crypto_base64url(slice_of(key, sizeof(key)), text);
	value_push_text(
	    a, &keys, slice_of(text, crypto_base64url_len(sizeof(key))));
	if (tls_chain_pem(ca_root(s->own.ca), &pem) != OK)
		return NULL;
	value_put_int(a, &v, S("epoch"), EPOCH);
	value_put_text(
	    a, &v, S("trust_domain"), slice_str(s->mesh.trust_domain));
	value_put_text(a, &v, S("roots_pem"), buf_slice(&pem));
	value_put(&v, S("voucher_keys"), keys);
	return v;
}

struct value *
feed_gossip_keys(const struct server *s, struct arena *a)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < s->mesh.keyring.count; i++) {
		const struct gossip_key *k = &s->mesh.keyring.keys[i];
		struct value *v = value_new(a, VALUE_MAP);

		value_put_int(a, &v, S("id"), k->id);
		value_put_bytes(
		    a, &v, S("key"), slice_of(k->bytes, sizeof(k->bytes)));
		value_push(&list, v);
	}
	return list;
}

enum err
feed_mesh(struct server *s)
{
	AUTO(arena_fini) struct arena arena;
	struct value *keys;
	enum err e;

	arena_init(&arena, SMALL_TREE_BYTES);
	e = put_tree(s, SERVER_TYPE_BUNDLE, slice_str(s->mesh.trust_domain),
	    EPOCH, feed_bundle(s, &arena));
	keys = value_new(&arena, VALUE_MAP);
	value_put(&keys, S("keys"), feed_gossip_keys(s, &arena));
	if (e == OK)
		e = put_tree(s, SERVER_TYPE_GOSSIP_KEYS, S(MESH_NETWORK),
		    s->mesh.keyring.keys[0].id, keys);
	return e;
}

/* --- hosts that agents ask for --- */

/*
 * The host of a stream is sent when all that concerns it there is in force;
 * it says nothing else.
 */
struct asking {
	size_t agents;
};

static void
drop_asking(void *value)
{
	struct asking *a = value;

	mem_free(&a);
}

static void
ask_first(struct server *s, struct slice host)
{
	const struct xds_resource r = {.type_url = S(SERVER_TYPE_HOST),
	    .name = host,
	    .version = S("1"),
	    .body = S("{}")};
	struct asking *a = mem_new(sizeof(*a));

	a->agents = 1;
	(void)map_put(&s->asked, host, a); /* it was not there */
	CHECK(xds_source_put(s->source, &r) == OK);
}

void
feed_ask(struct server *s, struct slice host, bool more)
{
	struct asking *a = map_get(&s->asked, host);

	if (more && a == NULL) {
		ask_first(s, host);
	} else if (more) {
		a->agents++;
	} else if (--a->agents == 0) {
		xds_source_remove(s->source, S(SERVER_TYPE_HOST), host);
		drop_asking(map_remove(&s->asked, host));
	}
}

/* --- open and close --- */

void
feed_open(struct server *s)
{
	static const char *const types[] = {SERVER_TYPE_RESOURCE,
	    SERVER_TYPE_HOST, SERVER_TYPE_MACHINE, SERVER_TYPE_BUNDLE,
	    SERVER_TYPE_GOSSIP_KEYS, SERVER_TYPE_REVOCATION};

	map_init(&s->asked);
	interest_index_init(&s->interests, S(MESH_DOMAIN));
	s->near = analysis_index_new(S(MESH_DOMAIN));
	loop_later_init(&s->flush, on_flush, s);
	timer_init(&s->forget, s->spec.loop, on_forget, s);
	s->source = xds_source_new(make_body, s);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		xds_source_add_type(s->source, slice_str(types[i]),
		    slice_eq(slice_str(types[i]), S(SERVER_TYPE_RESOURCE))
			? XDS_TOLD_BY_OWNER
			: XDS_TOLD_ALL);
}

void
feed_close(struct server *s)
{
	loop_later_cancel(&s->flush);
	timer_clear(&s->forget);
	xds_source_free(&s->source);
	analysis_index_free(&s->near);
	interest_index_fini(&s->interests);
	map_fini(&s->asked, drop_asking);
}
