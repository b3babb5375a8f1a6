/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply — documents become one mutation: all of them or none.
 *
 *	decode and check each ─► canonical JSON ─► one store_propose ─► answer
 *
 * A call lives from the first check to the store's answer. Its arena holds
 * the text that the mutation points to until then.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"
#include "store/store.h"

#include "inside.h"

#include <stdio.h>

enum { CALL_BYTES = 256 << 20 };

struct call {
	struct server *server;
	struct arena arena;
	struct findings found;
	struct fault why;
	struct resource **resources;
	struct store_op *ops;
	struct server_change *changes;
	size_t count;
	struct analysis_result analysis;
	server_apply_cb cb;
	void *arg;
};

static struct call *
call_new(struct server *s, size_t count, server_apply_cb cb, void *arg)
{
	struct call *c = mem_new(sizeof(*c));

	c->server = s;
	c->cb = cb;
	c->arg = arg;
	arena_init(&c->arena, CALL_BYTES);
	c->resources = mem_new_array(MAX(count, 1), sizeof(*c->resources));
	c->ops = mem_new_array(MAX(count, 1), sizeof(*c->ops));
	c->changes = mem_new_array(MAX(count, 1), sizeof(*c->changes));
	return c;
}

/* Answers and frees. */
static void
call_end(struct call *c, enum err e, uint64_t revision)
{
	struct server_apply_result r = {.err = e,
	    .why = e == OK ? NULL : &c->why,
	    .found = &c->found,
	    .changes = c->changes,
	    .count = e == OK ? c->count : 0,
	    .revision = revision,
	    .analysis = &c->analysis};

	c->cb(c->arg, &r);
	for (size_t i = 0; i < c->count; i++)
		resource_unref(&c->resources[i]);
	mem_free(&c->resources);
	mem_free(&c->ops);
	mem_free(&c->changes);
	findings_fini(&c->found);
	analysis_result_fini(&c->analysis);
	arena_fini(&c->arena);
	mem_free(&c);
}

/* --- from documents to operations -------------------------------------------
 */

static enum err
body_of(struct call *c, const struct resource *r, struct slice *out)
{
	AUTO(buf_fini) struct buf text = BUF(LIMIT_RESOURCE_BYTES);
	struct value *v = resource_encode(r, RESOURCE_AS_WRITTEN, &c->arena);
	enum err e = v == NULL ? ERR_NO_MEMORY : codec_json_emit(v, &text);

	if (e == OK)
		e = arena_copy(&c->arena, buf_slice(&text), out);
	return e;
}

static enum err
labels_of(struct call *c, const struct labels *l, struct slice *out)
{
	AUTO(buf_fini) struct buf text = BUF(LIMIT_RESOURCE_BYTES);
	struct value *map = value_new(&c->arena, VALUE_MAP);
	enum err e = map == NULL ? ERR_NO_MEMORY : OK;

	for (size_t i = 0; e == OK && i < l->count; i++)
		e = value_set(map, l->items[i].key,
		    value_new_string(&c->arena, l->items[i].value));
	if (e == OK)
		e = codec_json_emit(map, &text);
	if (e == OK)
		e = arena_copy(&c->arena, buf_slice(&text), out);
	return e;
}

static bool
has_key(const struct call *c, const struct resource_key *key)
{
	for (size_t i = 0; i < c->count; i++)
		if (resource_key_eq(&c->resources[i]->key, key))
			return true;
	return false;
}

static enum err
twice(struct call *c, const struct resource *r)
{
	char text[RESOURCE_KEY_MAX];

	return fault_set(&c->why, ERR_CONFLICT,
	    "%s is there twice; one of them has to go",
	    resource_key_format(&r->key, text));
}

static enum err
add_op(struct call *c, struct resource *r)
{
	struct store_op *op = &c->ops[c->count];
	struct store_resource *row = &op->row.resource;
	enum err e;

	op->type = STORE_PUT;
	op->expected =
	    r->revision == 0 ? STORE_EXPECT_ANY : (int64_t)r->revision;
	op->row.table = STORE_RESOURCES;
	row->group = r->key.group;
	row->kind = r->key.kind;
	row->ns = r->key.ns;
	row->name = r->key.name;
	e = body_of(c, r, &row->body);
	if (e == OK)
		e = labels_of(c, &r->labels, &row->labels);
	if (e != OK)
		return fault_set(&c->why, e, "%.*s is larger than %d bytes",
		    SLICE_ARG(r->key.name), LIMIT_RESOURCE_BYTES);
	c->changes[c->count].key = r->key;
	c->resources[c->count++] = r;
	return OK;
}

/* Takes what it decodes; a document that means nothing here adds nothing. */
static enum err
add_document(
    struct call *c, const struct value *doc, const struct server_apply_spec *a)
{
	struct resource_source source = {
	    .parse_json = codec_json_parse, .ns = a->ns};
	struct resource *r = NULL;
	enum err e = resource_decode(doc, &source, &r, &c->found);

	if (e != OK || r == NULL)
		return e;
	e = has_key(c, &r->key) ? twice(c, r) : add_op(c, r);
	if (e != OK)
		resource_unref(&r);
	return e;
}

static enum err
add_documents(struct call *c, const struct server_apply_spec *a)
{
	enum err first = OK;

	if (a->count > SERVER_APPLY_MAX)
		return fault_set(&c->why, ERR_LIMIT,
		    "%zu documents at once; %d is the most", a->count,
		    SERVER_APPLY_MAX);
	for (size_t i = 0; i < a->count; i++) {
		enum err e = add_document(c, a->docs[i], a);

		if (first == OK)
			first = e;
	}
	if (first != OK && c->why.code == OK)
		(void)fault_set(&c->why, first,
		    "the configuration has mistakes; nothing was changed");
	return first;
}

/* --- the store's answer --- */

static void
on_done(const struct store_result *r, void *arg)
{
	struct call *c = arg;

	if (r->err != OK && r->why != NULL)
		c->why = *r->why;
	for (size_t i = 0; r->err == OK && i < r->count; i++)
		c->changes[i].outcome = store_outcome_name(r->outcomes[i]);
	call_end(c, r->err, r->revision);
}

static void
propose(struct call *c, const struct server_actor *actor, struct slice id)
{
	struct store_mutation m = {
	    .actor = slice_str(actor->name),
	    .request_id = id,
	    .time_ms = clock_wall_ms(c->server->spec.clock),
	    .ops = c->ops,
	    .op_count = c->count,
	};

	store_propose(c->server->store, &m, on_done, c);
}

static enum err
may_write(struct call *c, const struct server_actor *actor)
{
	if (actor->may_write)
		return OK;
	return fault_set(&c->why, ERR_DENIED,
	    "%s may only read; root and the server's own user may write",
	    actor->name);
}

static const char *
outcome_if(const struct server *s, const struct resource *r)
{
	const struct resource *old = cache_find(&s->cache, &r->key);
	AUTO(arena_fini) struct arena arena;
	struct value *a;
	struct value *b;

	arena_init(&arena, CALL_BYTES);
	if (old == NULL)
		return store_outcome_name(STORE_CREATED);
	a = resource_encode(old, RESOURCE_AS_WRITTEN, &arena);
	b = resource_encode(r, RESOURCE_AS_WRITTEN, &arena);
	return store_outcome_name(a != NULL && b != NULL && value_eq(a, b)
				      ? STORE_UNCHANGED
				      : STORE_UPDATED);
}

static void
end_dry(struct call *c)
{
	for (size_t i = 0; i < c->count; i++)
		c->changes[i].outcome = outcome_if(c->server, c->resources[i]);
	call_end(c, OK, c->server->cache.revision);
}

/* What is valid by itself may bring errors beside the rest. */
static enum err
look_around(struct call *c, bool force)
{
	const struct analysis_finding *f;

	analyze_change(c->server, c->resources, c->count, &c->analysis);
	f = analysis_objection(&c->analysis);
	if (force || f == NULL)
		return OK;
	return fault_set(&c->why, ERR_INVALID,
	    "the change brings errors (%s); nothing was changed; --force "
	    "applies it all the same",
	    f->code->id);
}

void
server_apply(struct server *s, const struct server_apply_spec *spec,
    server_apply_cb cb, void *arg)
{
	struct call *c = call_new(s, spec->count, cb, arg);
	enum err e = may_write(c, spec->actor);

	if (e == OK)
		e = add_documents(c, spec);
	if (e == OK)
		e = look_around(c, spec->force);
	if (e != OK)
		call_end(c, e, 0);
	else if (spec->dry_run || c->count == 0)
		end_dry(c);
	else
		propose(c, spec->actor, spec->request_id);
}

/* --- delete --- */

static enum err
add_delete(struct call *c, const struct resource_key *key)
{
	struct store_op *op = &c->ops[c->count];
	const struct resource *r = cache_find(&c->server->cache, key);
	char text[RESOURCE_KEY_MAX];

	if (r == NULL)
		return fault_set(&c->why, ERR_NOT_FOUND,
		    "%s is not there; nothing was deleted",
		    resource_key_format(key, text));
	if (has_key(c, key))
		return twice(c, r);
	op->type = STORE_DELETE;
	op->expected = STORE_EXPECT_ANY;
	op->row.table = STORE_RESOURCES;
	op->row.resource.group = r->key.group;
	op->row.resource.kind = r->key.kind;
	op->row.resource.ns = r->key.ns;
	op->row.resource.name = r->key.name;
	c->changes[c->count].key = r->key;
	c->resources[c->count++] = resource_ref(r);
	return OK;
}

void
server_delete(struct server *s, const struct resource_key *keys, size_t count,
    const struct server_actor *actor, server_apply_cb cb, void *arg)
{
	struct call *c = call_new(s, count, cb, arg);
	enum err e = may_write(c, actor);

	for (size_t i = 0; e == OK && i < count; i++)
		e = add_delete(c, &keys[i]);
	if (e != OK || c->count == 0)
		call_end(c, e, s->cache.revision);
	else
		propose(c, actor, SLICE_NONE);
}
