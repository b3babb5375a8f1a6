/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry — tokens, nodes and revocations, at hand.
 */
#define LOG_MODULE "server"

#include <stdio.h>

#include "rows.h"

enum { USE_KEY_MAX = CA_TOKEN_ID_TEXT + REGISTRY_HEX_MAX };

static void
free_token(void *value)
{
	struct registry_token *t = value;

	if (t == NULL)
		return;
	mem_free(&t->note);
	mem_free(&t);
}

static void
free_plain(void *value)
{
	mem_free(&value);
}

void
registry_init(struct registry *r)
{
	map_init(&r->tokens);
	map_init(&r->uses);
	map_init(&r->nodes);
	map_init(&r->revocations);
}

void
registry_fini(struct registry *r)
{
	map_fini(&r->tokens, free_token);
	map_fini(&r->uses, free_plain);
	map_fini(&r->nodes, free_plain);
	map_fini(&r->revocations, free_plain);
}

/* --- from rows --- */

static void
bad_row(const char *what, struct slice name, enum err e)
{
	log_warn("stored row is of no use", "what=%s name=%.*s err=\"%s\"",
	    what, SLICE_ARG(name), err_text(e));
}

static enum err
decode_token(const struct store_row *row, struct registry_token *t)
{
	const struct store_token *s = &row->token;
	enum err e = slice_to_cstr(s->id, t->id, sizeof(t->id));

	if (e == OK)
		e = registry_bounds_decode(s->bounds, &t->bounds);
	if (e == OK && s->secret.len != sizeof(t->sealed))
		e = ERR_INVALID;
	if (e != OK)
		return e;
	memcpy(t->sealed, s->secret.ptr, sizeof(t->sealed));
	t->note = mem_strndup(s->note.len > 0 ? s->note.ptr : "", s->note.len);
	t->created_ms = row->created_ms;
	t->expires_ms = s->expires_ms;
	t->revoked = s->revoked_ms != 0;
	return OK;
}

static void
take_token(struct registry *r, const struct store_row *row)
{
	struct registry_token *t = NULL;
	enum err e;

	free_token(map_remove(&r->tokens, row->token.id));
	if (row->deleted)
		return;
	t = mem_new(sizeof(*t));
	e = decode_token(row, t);
	if (e == OK) {
		free_token(map_put(&r->tokens, row->token.id, t));
		return;
	}
	bad_row("token", row->token.id, e);
	free_token(t);
}

static void
take_use(struct registry *r, const struct store_row *row)
{
	const struct store_token_use *u = &row->token_use;
	char key[USE_KEY_MAX];
	struct tls_pin *pin;
	int n = snprintf(key, sizeof(key), "%.*s/%.*s", SLICE_ARG(u->token_id),
	    SLICE_ARG(u->key_hash));

	if (n < 0 || n >= USE_KEY_MAX)
		return; /* no row of ours */
	free_plain(map_remove(&r->uses, slice_str(key)));
	if (row->deleted)
		return;
	pin = mem_new(sizeof(*pin));
	if (crypto_hex_decode(u->key_hash, pin->bytes, sizeof(pin->bytes)) ==
	    OK)
		free_plain(map_put(&r->uses, slice_str(key), TAKE(pin)));
	mem_free(&pin);
}

static void
take_node(struct registry *r, const struct store_row *row)
{
	struct registry_node *n = NULL;
	enum err e;

	free_plain(map_remove(&r->nodes, row->node.name));
	if (row->deleted)
		return;
	n = mem_new(sizeof(*n));
	e = rows_node_decode(row, n);
	if (e == OK)
		free_plain(map_put(&r->nodes, row->node.name, TAKE(n)));
	else
		bad_row("node", row->node.name, e);
	mem_free(&n);
}

static void
take_revocation(struct registry *r, const struct store_row *row)
{
	const struct store_revocation *s = &row->revocation;
	struct registry_revocation *v;

	free_plain(map_remove(&r->revocations, s->what));
	if (row->deleted)
		return;
	v = mem_new(sizeof(*v));
	v->since_ms = s->since_ms;
	v->expires_ms = s->expires_ms;
	free_plain(map_put(&r->revocations, s->what, v));
}

void
registry_take(struct registry *r, const struct store_row *row)
{
	switch (row->table) {
	case STORE_TOKENS:
		take_token(r, row);
		break;
	case STORE_TOKEN_USES:
		take_use(r, row);
		break;
	case STORE_NODES:
		take_node(r, row);
		break;
	case STORE_REVOCATIONS:
		take_revocation(r, row);
		break;
	default:
		break; /* others look after these */
	}
}

/* --- asking --- */

const struct registry_token *
registry_token(const struct registry *r, struct slice id)
{
	return map_get(&r->tokens, id);
}

const struct registry_node *
registry_node(const struct registry *r, struct slice name)
{
	return map_get(&r->nodes, name);
}

const struct registry_revocation *
registry_revocation(const struct registry *r, struct slice what)
{
	return map_get(&r->revocations, what);
}

int64_t
registry_revoked_since(const struct registry *r, struct slice what)
{
	const struct registry_revocation *v = registry_revocation(r, what);

	return v != NULL ? v->since_ms : 0;
}

bool
registry_node_is_revoked(const struct registry *r,
    const struct registry_node *n, struct slice trust_domain)
{
	char uri[NAME_SPIFFE_MAX + 1];

	if (registry_revoked_since(r, slice_str(n->serials[0])) != 0)
		return true;
	return ca_node_uri(trust_domain, slice_str(n->name), uri) == OK &&
	       registry_revoked_since(r, slice_str(uri)) >= n->issued_ms;
}

struct tls_pin *
registry_users(
    const struct registry *r, struct slice token_id, size_t *out_count)
{
	struct tls_pin *users = NULL;
	struct slice key;
	size_t n = 0;
	void *value;

	for (size_t i = 0; map_next(&r->uses, &i, &key, &value);) {
		if (!slice_eq(slice_split(&key, '/'), token_id))
			continue;
		users = mem_resize(users, n, n + 1, sizeof(*users));
		users[n++] = *(const struct tls_pin *)value;
	}
	*out_count = n;
	return users;
}
