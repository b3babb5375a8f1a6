/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows — the JSON columns of tokens and nodes, and a node's whole row.
 */
#include "codec/codec.h"

#include "rows.h"

enum { COLUMN_BYTES = 64 << 10 };

static enum err
emit(const struct value *v, struct arena *arena, struct slice *out)
{
	AUTO(buf_fini) struct buf text = BUF(COLUMN_BYTES);
	enum err e = v == NULL ? ERR_NO_MEMORY : codec_json_emit(v, &text);

	return e == OK ? arena_copy(arena, buf_slice(&text), out) : e;
}

static struct slice
text_of(const struct value *v, const char *key)
{
	return value_get_string(v, slice_str(key), SLICE_NONE);
}

static int64_t
number_of(const struct value *v, const char *key)
{
	const struct value *n = value_get(v, slice_str(key));

	return n != NULL && n->type == VALUE_INT ? n->integer : 0;
}

/* --- bounds --- */

enum err
registry_bounds_encode(
    const struct ca_bounds *b, struct arena *arena, struct slice *out)
{
	struct value *v = value_new(arena, VALUE_MAP);
	struct value *cidrs = value_new(arena, VALUE_LIST);

	for (size_t i = 0; i < b->cidr_count; i++) {
		char text[ADDR_TEXT_MAX];

		value_push_text(
		    arena, &cidrs, slice_str(cidr_format(&b->cidrs[i], text)));
	}
	if (b->role != CA_ROLE_NONE)
		value_put_text(
		    arena, &v, S("role"), slice_str(ca_role_name(b->role)));
	value_put_text(arena, &v, S("name_glob"), slice_str(b->name_glob));
	value_put(&v, S("cidrs"), cidrs);
	value_put_text(
	    arena, &v, S("namespaces"), slice_str(b->grant.namespaces));
	value_put_text(arena, &v, S("accounts"), slice_str(b->grant.accounts));
	value_put_int(arena, &v, S("uses"), b->uses);
	value_put_int(arena, &v, S("lifetime_ms"), b->lifetime_ms);
	return emit(v, arena, out);
}

static enum err
read_cidrs(const struct value *list, struct ca_bounds *b)
{
	VALUE_EACH(list, it)
	{
		if (b->cidr_count == CA_CIDRS_MAX || it->type != VALUE_STRING ||
		    cidr_parse(it->string, &b->cidrs[b->cidr_count]) != OK)
			return ERR_INVALID;
		b->cidr_count++;
	}
	return OK;
}

static enum err
read_grant(const struct value *v, struct ca_grant *g)
{
	enum err e = slice_to_cstr(
	    text_of(v, "namespaces"), g->namespaces, sizeof(g->namespaces));

	return e == OK ? slice_to_cstr(text_of(v, "accounts"), g->accounts,
			     sizeof(g->accounts))
		       : e;
}

enum err
registry_bounds_decode(struct slice json, struct ca_bounds *out)
{
	AUTO(arena_fini) struct arena arena;
	struct ca_bounds b = {0};
	const struct value *v;
	enum err e;

	arena_init(&arena, COLUMN_BYTES);
	e = codec_json_parse(json, &arena, &v, NULL);
	if (e != OK)
		return e;
	if (value_get(v, S("role")) != NULL)
		e = ca_role_parse(text_of(v, "role"), &b.role, NULL);
	if (e == OK)
		e = slice_to_cstr(
		    text_of(v, "name_glob"), b.name_glob, sizeof(b.name_glob));
	if (e == OK)
		e = read_cidrs(value_get(v, S("cidrs")), &b);
	if (e == OK)
		e = read_grant(v, &b.grant);
	b.uses = (uint32_t)number_of(v, "uses");
	b.lifetime_ms = number_of(v, "lifetime_ms");
	if (e == OK)
		e = ca_bounds_check(&b, NULL);
	if (e == OK)
		*out = b;
	return e;
}

/* --- nodes --- */

static enum err
encode_grants(
    const struct registry_node *n, struct arena *arena, struct slice *out)
{
	struct value *v = value_new(arena, VALUE_MAP);

	value_put_text(
	    arena, &v, S("namespaces"), slice_str(n->grant.namespaces));
	value_put_text(arena, &v, S("accounts"), slice_str(n->grant.accounts));
	value_put_text(arena, &v, S("network"), slice_str(n->network));
	value_put_int(arena, &v, S("joined_ms"), n->joined_ms);
	return emit(v, arena, out);
}

static enum err
encode_serials(
    const struct registry_node *n, struct arena *arena, struct slice *out)
{
	struct value *v = value_new(arena, VALUE_MAP);
	struct value *list = value_new(arena, VALUE_LIST);

	for (size_t i = 0; i < REGISTRY_SERIALS; i++)
		if (n->serials[i][0] != '\0')
			value_push_text(arena, &list, slice_str(n->serials[i]));
	value_put(&v, S("serials"), list);
	value_put_int(arena, &v, S("not_after_ms"), n->not_after_ms);
	return emit(v, arena, out);
}

static enum err
read_grants(struct slice json, struct registry_node *n)
{
	AUTO(arena_fini) struct arena arena;
	const struct value *v;
	enum err e;

	arena_init(&arena, COLUMN_BYTES);
	e = codec_json_parse(json, &arena, &v, NULL);
	if (e == OK)
		n->joined_ms = number_of(v, "joined_ms");
	if (e == OK)
		e = read_grant(v, &n->grant);
	return e == OK ? slice_to_cstr(text_of(v, "network"), n->network,
			     sizeof(n->network))
		       : e;
}

static enum err
read_serials(struct slice json, struct registry_node *n)
{
	AUTO(arena_fini) struct arena arena;
	const struct value *v;
	size_t count = 0;
	enum err e;

	arena_init(&arena, COLUMN_BYTES);
	e = codec_json_parse(json, &arena, &v, NULL);
	if (e != OK)
		return e;
	n->not_after_ms = number_of(v, "not_after_ms");
	VALUE_EACH(value_get(v, S("serials")), it)
	{
		if (count == REGISTRY_SERIALS || it->type != VALUE_STRING ||
		    slice_to_cstr(it->string, n->serials[count],
			sizeof(n->serials[count])) != OK)
			return ERR_INVALID;
		count++;
	}
	return OK;
}

enum err
rows_node_decode(const struct store_row *row, struct registry_node *out)
{
	const struct store_node *s = &row->node;
	struct registry_node n = {
	    .issued_ms = row->updated_ms,
	    .revision = row->revision,
	};
	enum err e = slice_to_cstr(s->name, n.name, sizeof(n.name));

	if (e == OK)
		e = slice_to_cstr(s->id, n.id, sizeof(n.id));
	if (e == OK)
		e = slice_to_cstr(s->token_id, n.token_id, sizeof(n.token_id));
	if (e == OK)
		e = crypto_hex_decode(
		    s->key_hash, n.key.bytes, sizeof(n.key.bytes));
	if (e == OK)
		e = crypto_hex_decode(
		    s->gossip_key, n.gossip_key, sizeof(n.gossip_key));
	if (e == OK)
		e = read_grants(s->grants, &n);
	if (e == OK)
		e = read_serials(s->serials, &n);
	if (e == OK)
		*out = n;
	return e;
}

static struct slice
hex_in(struct arena *arena, const uint8_t *bytes, size_t len)
{
	char *text = arena_alloc(arena, 2 * len);

	if (text == NULL)
		return SLICE_NONE;
	crypto_hex(slice_of(bytes, len), text);
	return slice_of(text, 2 * len);
}

enum err
registry_node_op(const struct registry_node *n, struct arena *arena,
    int64_t expected, struct store_op *out)
{
	struct store_node *row = &out->row.node;
	enum err e;

	*out = (struct store_op){.type = STORE_PUT, .expected = expected};
	out->row.table = STORE_NODES;
	row->name = slice_str(n->name);
	row->id = slice_str(n->id);
	row->token_id = slice_str(n->token_id);
	row->key_hash = hex_in(arena, n->key.bytes, sizeof(n->key.bytes));
	row->gossip_key = hex_in(arena, n->gossip_key, sizeof(n->gossip_key));
	e = encode_grants(n, arena, &row->grants);
	if (e == OK)
		e = encode_serials(n, arena, &row->serials);
	if (e == OK && (row->key_hash.len == 0 || row->gossip_key.len == 0))
		e = ERR_NO_MEMORY;
	return e;
}
