/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens — what operators give out and take back: tokens, nodes' places.
 */
#define LOG_MODULE "server"

#include "base/base.h"
#include "ca/ca.h"
#include "store/store.h"

#include "inside.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BYTES = 64 << 10 };

/* --- one question to the store --- */

struct call {
	server_done_cb done; /* or, for a token, */
	server_token_cb made;
	void *arg;
	char id[CA_TOKEN_ID_TEXT];
	struct secret text;
};

static struct call *
call_new(server_done_cb done, server_token_cb made, void *arg)
{
	struct call *c = mem_new(sizeof(*c));

	CHECK((done == NULL) != (made == NULL));
	c->done = done;
	c->made = made;
	c->arg = arg;
	return c;
}

/* Answers and frees. */
static void
call_end(struct call *c, enum err e, const struct fault *why)
{
	if (c->done != NULL)
		c->done(c->arg, e, e == OK ? NULL : why);
	else if (e == OK)
		c->made(c->arg, OK, NULL, slice_str(c->id),
		    slice_of(c->text.bytes, c->text.len));
	else
		c->made(c->arg, e, why, SLICE_NONE, SLICE_NONE);
	secret_fini(&c->text);
	mem_free(&c);
}

static void
on_done(const struct store_result *r, void *arg)
{
	call_end(arg, r->err, r->why);
}

static void
propose(struct server *s, const struct store_op *op,
    const struct server_actor *actor, struct call *c)
{
	struct store_mutation m = {
	    .actor = slice_str(actor->name),
	    .time_ms = server_now_ms(s),
	    .ops = op,
	    .op_count = 1,
	};

	store_propose(s->store, &m, on_done, c);
}

static enum err
check_ready(const struct server *s, struct fault *why)
{
	if (!s->told || s->closing || s->own.ca == NULL)
		return fault_set(why, ERR_BUSY, "the server is not ready");
	return OK;
}

/* --- making a token --- */

static enum err
make_token(const struct server *s, const struct server_token_spec *spec,
    struct ca_token *t, struct fault *why)
{
	bool joins = spec->bounds->role == CA_ROLE_NONE;
	uint16_t port = joins ? control_port(s) : spec->api_port;
	enum err e = OK;

	*t = (struct ca_token){
	    .kind = joins ? CA_TOKEN_JOIN : CA_TOKEN_OPERATOR};
	for (size_t i = 0; e == OK && i < s->own.host_count; i++)
		e = own_server_text(
		    &s->own, i, port, t->servers[t->server_count++]);
	if (e == OK)
		e = slice_to_cstr(slice_str(s->mesh.trust_domain),
		    t->trust_domain, sizeof(t->trust_domain));
	if (e != OK)
		return fault_set(
		    why, e, "an announced address is too long for a token");
	ca_root_pin(s->own.ca, &t->root_pin);
	crypto_random(t->id, sizeof(t->id));
	crypto_random(t->secret, sizeof(t->secret));
	return OK;
}

static enum err
seal_token(const struct server *s, const struct ca_token *t, const char *id,
    struct buf *out)
{
	char name[TOKEN_SEALED_NAME_MAX];
	uint8_t key[CRYPTO_KEY_LEN];
	enum err e;

	ca_token_key(t, key);
	e = store_seal(s->store, token_sealed_name(id, name),
	    slice_of(key, sizeof(key)), out);
	secret_wipe(key, sizeof(key));
	return e;
}

static enum err
store_token(struct server *s, const struct ca_token *t,
    const struct server_token_spec *spec, struct call *c)
{
	const struct ca_bounds *bounds = spec->bounds;
	AUTO(arena_fini) struct arena arena;
	AUTO(buf_fini) struct buf sealed = BUF(REGISTRY_SEALED_KEY);
	struct store_op op = {
	    .type = STORE_PUT, .expected = STORE_EXPECT_ABSENT};
	struct store_token *row = &op.row.token;
	enum err e = seal_token(s, t, c->id, &sealed);

	arena_init(&arena, ARENA_BYTES);
	op.row.table = STORE_TOKENS;
	if (e == OK)
		e = registry_bounds_encode(bounds, &arena, &row->bounds);
	if (e != OK)
		return e;
	row->id = slice_str(c->id);
	row->secret = buf_slice(&sealed);
	row->note = spec->note;
	row->max_uses = bounds->uses;
	row->expires_ms = server_now_ms(s) + bounds->lifetime_ms;
	propose(s, &op, spec->actor, c);
	return OK;
}

static enum err
check_request(const struct server *s, const struct server_token_spec *spec,
    struct fault *why)
{
	enum err e = check_ready(s, why);

	if (e == OK)
		e = ca_bounds_check(spec->bounds, why);
	if (e == OK && spec->bounds->role != CA_ROLE_NONE &&
	    spec->api_port == 0)
		e = fault_set(why, ERR_INVALID,
		    "an operator's token is for the API's port, which is off: "
		    "start the server with --api");
	if (e == OK &&
	    (spec->note.len > SERVER_NOTE_MAX || !slice_is_utf8(spec->note)))
		e = fault_set(why, ERR_INVALID,
		    "a token's note is text of at most %d bytes",
		    SERVER_NOTE_MAX);
	return e;
}

void
server_token_create(struct server *s, const struct server_token_spec *spec,
    server_token_cb cb, void *arg)
{
	AUTO(ca_token_fini) struct ca_token t = {0};
	struct call *c = call_new(NULL, cb, arg);
	struct fault why = {0};
	enum err e = check_request(s, spec, &why);

	if (e == OK)
		e = make_token(s, spec, &t, &why);
	if (e == OK)
		e = ca_token_format(&t, &c->text, &why);
	if (e == OK) {
		(void)ca_token_id_format(t.id, c->id);
		e = store_token(s, &t, spec, c);
		if (e != OK)
			(void)fault_set(&why, e, "the token cannot be sealed");
	}
	if (e != OK)
		call_end(c, e, &why);
}

/* --- an operator's --- */

static void
check_operator(const struct server *s, const struct ca_token *t,
    struct server_actor *out, struct ca_decision *decision)
{
	struct ca_token_row row;
	char id[CA_TOKEN_ID_TEXT];
	bool known =
	    token_row(s, slice_str(ca_token_id_format(t->id, id)), &row);

	ca_operator_check(known ? &row : NULL, t, server_now_ms(s), decision);
	secret_wipe(row.key, sizeof(row.key));
	if (decision->verdict != CA_OK)
		return;
	out->role = row.bounds.role;
	out->grant = row.bounds.grant;
	(void)snprintf(out->name, sizeof(out->name), "%s token %s",
	    ca_role_name(out->role), id);
}

void
server_operator(struct server *s, struct slice token, struct server_actor *out,
    struct ca_decision *decision)
{
	AUTO(ca_token_fini) struct ca_token t = {0};
	struct fault why = {0};

	*decision = (struct ca_decision){.verdict = CA_OPERATOR_MISSING};
	if (token.len == 0)
		return;
	if (ca_token_parse(token, CA_TOKEN_OPERATOR, &t, &why) == OK) {
		check_operator(s, &t, out, decision);
		return;
	}
	decision->verdict = CA_OPERATOR_BAD;
	(void)snprintf(
	    decision->detail, sizeof(decision->detail), "%s", why.text);
}

/* --- taking back --- */

void
server_token_revoke(struct server *s, struct slice id,
    const struct server_actor *actor, server_done_cb cb, void *arg)
{
	struct call *c = call_new(cb, NULL, arg);
	struct store_op op = {.type = STORE_REVOKE_TOKEN};
	struct fault why = {0};
	enum err e = check_ready(s, &why);

	if (e == OK && registry_token(&s->registry, id) == NULL)
		e = fault_set(&why, ERR_NOT_FOUND,
		    "there is no token %.*s; see them with: meshd token list",
		    (int)MIN(id.len, (size_t)CA_TOKEN_ID_TEXT), id.ptr);
	if (e != OK) {
		call_end(c, e, &why);
		return;
	}
	op.row.table = STORE_TOKENS;
	op.row.token.id = id;
	propose(s, &op, actor, c);
}

static enum err
find_node(const struct server *s, struct slice name, char *uri,
    const struct registry_node **out, struct fault *why)
{
	*out = registry_node(&s->registry, name);
	if (*out != NULL &&
	    ca_node_uri(slice_str(s->mesh.trust_domain), name, uri) == OK)
		return OK;
	return fault_set(why, ERR_NOT_FOUND, "no node named %.*s has joined",
	    (int)MIN(name.len, (size_t)GOSSIP_NAME_MAX), name.ptr);
}

void
server_node_revoke(struct server *s, struct slice name, struct slice reason,
    const struct server_actor *actor, server_done_cb cb, void *arg)
{
	struct call *c = call_new(cb, NULL, arg);
	struct store_op op = {.type = STORE_PUT, .expected = STORE_EXPECT_ANY};
	struct store_revocation *row = &op.row.revocation;
	const struct registry_node *n = NULL;
	char uri[NAME_SPIFFE_MAX + 1];
	struct fault why = {0};
	enum err e = check_ready(s, &why);

	if (e == OK)
		e = find_node(s, name, uri, &n, &why);
	if (e != OK) {
		call_end(c, e, &why);
		return;
	}
	op.row.table = STORE_REVOCATIONS;
	row->what = slice_str(uri);
	row->reason = reason;
	row->since_ms = server_now_ms(s);
	/* By then it could not come back by its known key either. */
	row->expires_ms =
	    MAX(n->not_after_ms, row->since_ms) + CA_GRACE_MS + CA_DAY_MS;
	propose(s, &op, actor, c);
}

/* --- asking --- */

/* What a map of the registry holds, in a new array. */
static void **
sorted(const struct map *from, int (*cmp)(const void *a, const void *b))
{
	void **all = mem_new_array(MAX(from->count, 1), sizeof(*all));
	struct slice key;
	void *value;
	size_t n = 0;

	for (size_t i = 0; map_next(from, &i, &key, &value);)
		all[n++] = value;
	qsort(all, n, sizeof(*all), cmp);
	return all;
}

/* The newest first. */
static int
by_making(const void *a, const void *b)
{
	const struct registry_token *const *x = a, *const *y = b;

	if ((*x)->created_ms != (*y)->created_ms)
		return (*x)->created_ms > (*y)->created_ms ? -1 : 1;
	return strcmp((*x)->id, (*y)->id);
}

static int
by_name(const void *a, const void *b)
{
	const struct registry_node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

void
server_each_token(const struct server *s,
    void (*each)(void *arg, const struct server_token *t), void *arg)
{
	AUTO(mem_free) void **all = sorted(&s->registry.tokens, by_making);

	for (size_t i = 0; i < s->registry.tokens.count; i++) {
		const struct registry_token *t = all[i];
		struct tls_pin *users;
		struct server_token row = {
		    .id = slice_str(t->id),
		    .note = slice_str(t->note),
		    .bounds = &t->bounds,
		    .created_ms = t->created_ms,
		    .expires_ms = t->expires_ms,
		    .expired = server_now_ms(s) >= t->expires_ms,
		    .revoked = t->revoked,
		};

		users = registry_users(&s->registry, row.id, &row.uses);
		each(arg, &row);
		mem_free(&users);
	}
}

void
server_each_node(const struct server *s,
    void (*each)(void *arg, const struct server_node *n), void *arg)
{
	AUTO(mem_free) void **all = sorted(&s->registry.nodes, by_name);

	for (size_t i = 0; i < s->registry.nodes.count; i++) {
		const struct registry_node *n = all[i];
		struct server_node row = {
		    .name = slice_str(n->name),
		    .id = slice_str(n->id),
		    .network = slice_str(n->network),
		    .token_id = slice_str(n->token_id),
		    .grant = &n->grant,
		    .joined_ms = n->joined_ms,
		    .not_after_ms = n->not_after_ms,
		    .revoked = registry_node_is_revoked(
			&s->registry, n, slice_str(s->mesh.trust_domain)),
		    .connected = agents_has(s, slice_str(n->name)),
		};

		each(arg, &row);
	}
}

void
server_ca(const struct server *s, struct server_ca *out)
{
	struct tls_cert_info root;

	*out =
	    (struct server_ca){.trust_domain = slice_str(s->mesh.trust_domain)};
	if (s->own.identity == NULL)
		return; /* it is not ready */
	tls_cert_inspect(ca_root(s->own.ca), 0, &root);
	out->root = ca_root(s->own.ca);
	out->root_pin = root.pin;
	tls_key_pin(s->own.api_key, &out->api_pin);
	out->root_not_after_ms = root.not_after_ms;
	out->signer_not_after_ms = ca_not_after_ms(s->own.ca);
	out->server_not_after_ms =
	    tls_identity_info(s->own.identity)->not_after_ms;
	ca_voucher_key(s->own.ca, out->voucher_key);
	memcpy(out->mesh_id, s->mesh.id, sizeof(out->mesh_id));
}

struct tls_identity *
server_api_identity(const struct server *s)
{
	return s->own.api_identity;
}

enum err
server_reached_at(const struct server *s, size_t index, uint16_t port,
    char out[CA_TOKEN_SERVER_LEN])
{
	return index < s->own.host_count
		   ? own_server_text(&s->own, index, port, out)
		   : ERR_NOT_FOUND;
}
