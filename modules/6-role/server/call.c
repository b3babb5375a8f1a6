/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — changes of configuration on their way to one mutation.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"
#include "store/store.h"

#include "call.h"
#include "secrets.h"

#include <stdio.h>

enum { CALL_BYTES = 512 << 20, CALL_FIRST = 16 };

struct call *
call_new(struct server *s, server_apply_cb cb, void *arg)
{
	struct call *c = mem_new(sizeof(*c));

	c->server = s;
	c->cb = cb;
	c->arg = arg;
	arena_init(&c->arena, CALL_BYTES);
	map_init(&c->keys);
	return c;
}

void
call_end(struct call *c, enum err e, uint64_t revision)
{
	struct server_apply_result r = {.err = e,
	    .why = e == OK ? NULL : &c->why,
	    .found = &c->found,
	    .changes = c->changes,
	    .count = e == OK ? c->count : 0,
	    .revision = revision,
	    .analysis = &c->analysis,
	    .blast = e == OK ? c->blast : NULL};

	c->cb(c->arg, &r);
	server_had_many(c->server, c->count);
	for (size_t i = 0; i < c->count; i++)
		resource_unref(&c->resources[i]);
	mem_free(&c->resources);
	mem_free(&c->ops);
	mem_free(&c->changes);
	map_fini(&c->keys, NULL);
	findings_fini(&c->found);
	analysis_result_fini(&c->analysis);
	arena_fini(&c->arena);
	mem_free(&c);
}

/* --- operations ------------------------------------------------------------
 */

static void
grow(struct call *c)
{
	size_t cap = MAX(c->cap * 2, CALL_FIRST);

	if (c->count < c->cap)
		return;
	c->resources =
	    mem_resize(c->resources, c->cap, cap, sizeof(*c->resources));
	c->ops = mem_resize(c->ops, c->cap, cap, sizeof(*c->ops));
	c->changes = mem_resize(c->changes, c->cap, cap, sizeof(*c->changes));
	c->cap = cap;
}

bool
call_has(const struct call *c, const struct resource_key *key)
{
	char text[CACHE_KEY_MAX];

	return map_get(&c->keys, cache_key_text(key, text)) != NULL;
}

/* What a folder keeps would come back from it: it is to be changed there. */
static enum err
check_owner(struct call *c, const struct resource_key *key)
{
	const struct server *s = c->server;
	char text[CACHE_KEY_MAX], name[RESOURCE_KEY_MAX];

	if (c->of_folder || s->follow == NULL ||
	    !owned_has(&s->owned, cache_key_text(key, text)))
		return OK;
	return fault_set(&c->why, ERR_CONFLICT,
	    "%s is kept by the folder %s, which this server follows; change "
	    "it there",
	    resource_key_format(key, name), s->spec.config_dir);
}

static enum err
check(struct call *c, const struct resource_key *key,
    const struct server_actor *actor)
{
	char text[RESOURCE_KEY_MAX];
	enum err e = OK;

	if (actor != NULL)
		e = server_may_write(actor, key, &c->why);
	if (e == OK && actor != NULL)
		e = check_owner(c, key);
	if (e != OK || !call_has(c, key))
		return e;
	return fault_set(&c->why, ERR_CONFLICT,
	    "%s is there twice; one of them has to go",
	    resource_key_format(key, text));
}

/* Takes the resource, whose key this is, if there is one. */
static struct store_op *
add(struct call *c, enum store_op_type type, const struct resource_key *key,
    struct resource *r, int64_t expected)
{
	char text[CACHE_KEY_MAX];
	struct store_op *op;

	grow(c);
	op = &c->ops[c->count];
	*op = (struct store_op){.type = type, .expected = expected};
	op->row.table = STORE_RESOURCES;
	op->row.resource = (struct store_resource){.group = key->group,
	    .kind = key->kind,
	    .ns = key->ns,
	    .name = key->name};
	c->changes[c->count] = (struct server_change){.key = *key};
	c->resources[c->count++] = r;
	(void)map_put(&c->keys, cache_key_text(key, text), c); /* a mark */
	return op;
}

bool
call_is_same(
    const struct resource *a, const struct resource *b, struct arena *arena)
{
	const struct value *x = resource_encode(a, RESOURCE_AS_WRITTEN, arena);
	const struct value *y = resource_encode(b, RESOURCE_AS_WRITTEN, arena);

	return x != NULL && y != NULL && value_eq(x, y);
}

/* What says the same stays sealed as it is, and is no change. */
static enum err
seal_body(struct call *c, const struct resource *r, struct slice body,
    struct slice *out)
{
	AUTO(buf_fini) struct buf sealed = BUF(2 * LIMIT_RESOURCE_BYTES);
	const struct cache *cache = &c->server->cache;
	const struct resource *old = cache_find(cache, &r->key);
	enum err e;

	if (old != NULL && call_is_same(old, r, &c->arena))
		return arena_copy(&c->arena, cache_sealed(cache, &r->key), out);
	e = secrets_seal(c->server->store, &r->key, body, &sealed);
	return e == OK ? arena_copy(&c->arena, buf_slice(&sealed), out) : e;
}

static enum err
emit(struct call *c, const struct value *v, struct slice *out)
{
	AUTO(buf_fini) struct buf text = BUF(LIMIT_RESOURCE_BYTES);
	enum err e = v == NULL ? ERR_NO_MEMORY : codec_json_emit(v, &text);

	return e == OK ? arena_copy(&c->arena, buf_slice(&text), out) : e;
}

static enum err
emit_sealed(struct call *c, const struct resource *r, const struct value *v,
    struct slice *out)
{
	AUTO(buf_fini) struct buf text = BUF_SECRET(LIMIT_RESOURCE_BYTES);
	enum err e = v == NULL ? ERR_NO_MEMORY : codec_json_emit(v, &text);

	if (e == OK)
		e = seal_body(c, r, buf_slice(&text), out);
	return e;
}

static enum err
write_row(struct call *c, const struct resource *r, struct store_resource *row)
{
	struct value *labels = value_new(&c->arena, VALUE_MAP);
	const struct value *body;
	enum err e;

	for (size_t i = 0; i < r->labels.count; i++)
		value_put(&labels, r->labels.items[i].key,
		    value_new_string(&c->arena, r->labels.items[i].value));
	c->arena.secret = c->arena.secret || r->kind->sealed;
	body = resource_encode(r, RESOURCE_AS_WRITTEN, &c->arena);
	e = r->kind->sealed ? emit_sealed(c, r, body, &row->body)
			    : emit(c, body, &row->body);
	return e == OK ? emit(c, labels, &row->labels) : e;
}

static enum err
check_secret(struct call *c, const struct resource *r)
{
	struct faults *warnings = &c->found.warnings;
	size_t before = warnings->count;
	char text[RESOURCE_KEY_MAX];
	enum err e =
	    secrets_check(r->spec, server_now_ms(c->server), &c->found);

	/* They may be one of many, and only its own text knows which. */
	for (size_t i = before; i < warnings->count; i++)
		(void)fault_prefix(&warnings->items[i], OK,
		    "%s: ", resource_key_format(&r->key, text));
	return e == OK ? OK
		       : fault_set(&c->why, e,
			     "the certificate or key of %s is not right; "
			     "nothing was changed",
			     resource_key_format(&r->key, text));
}

enum err
call_put(struct call *c, struct resource *r, int64_t expected,
    const struct server_actor *actor)
{
	enum err e = check(c, &r->key, actor);
	struct store_op *op;

	if (e == OK && r->kind == &kind_tls_secret)
		e = check_secret(c, r);
	if (e != OK) {
		resource_unref(&r);
		return e;
	}
	op = add(c, STORE_PUT, &r->key, r, expected);
	e = write_row(c, r, &op->row.resource);
	if (e == OK)
		return OK;
	return fault_set(&c->why, e, "%.*s is larger than %d bytes",
	    SLICE_ARG(r->key.name), LIMIT_RESOURCE_BYTES);
}

enum err
call_copy_key(
    struct call *c, const struct resource_key *key, struct resource_key *out)
{
	struct arena *a = &c->arena;
	enum err e = arena_copy(a, key->group, &out->group);

	if (e == OK)
		e = arena_copy(a, key->kind, &out->kind);
	if (e == OK)
		e = arena_copy(a, key->ns, &out->ns);
	return e == OK ? arena_copy(a, key->name, &out->name) : e;
}

enum err
call_delete(struct call *c, const struct resource_key *key, int64_t expected,
    const struct server_actor *actor)
{
	struct resource_key own;
	enum err e = check(c, key, actor);

	if (e == OK && call_copy_key(c, key, &own) != OK)
		e = fault_set(&c->why, ERR_LIMIT, "too many keys at once");
	if (e == OK)
		(void)add(c, STORE_DELETE, &own, NULL,
		    expected); /* all of it is set */
	return e;
}

/* What would let more through than it says is stored only if that is wanted. */
enum err
call_check_guards(struct call *c, bool allow_inert)
{
	if (c->found.guards == 0 || allow_inert)
		return OK;
	return fault_set(&c->why, ERR_UNSUPPORTED,
	    "%zu of the fields that limit access are not in force yet "
	    "(MSH0002); nothing was changed",
	    c->found.guards);
}

/* What is valid by itself may bring errors beside the rest. */
enum err
call_look_around(struct call *c, bool force)
{
	const struct analysis_finding *f;

	analyze_change(
	    c->server, c->changes, c->resources, c->count, &c->analysis);
	f = analysis_objection(&c->analysis);
	if (force || f == NULL)
		return OK;
	return fault_set(&c->why, ERR_INVALID,
	    "the change brings errors (%s); nothing was changed; %s applies "
	    "it all the same",
	    f->code->id, c->of_folder ? "--config-force" : "--force");
}

/* --- the store's answer --------------------------------------------------- */

/* What to do about it; %s says what became of which resource. */
#define GET_IT_ANEW "%s; get it anew with -o yaml, and change that"

static void
on_done(const struct store_result *r, void *arg)
{
	struct call *c = arg;

	if (r->err == ERR_CONFLICT && r->why != NULL)
		(void)fault_set(
		    &c->why, ERR_CONFLICT, GET_IT_ANEW, r->why->text);
	else if (r->err != OK && r->why != NULL)
		c->why = *r->why;
	for (size_t i = 0; r->err == OK && i < c->count; i++)
		c->changes[i].outcome = store_outcome_name(r->outcomes[i]);
	call_end(c, r->err, r->revision);
}

/*
 * No folder is followed any more: what somebody changes that a folder once
 * brought is that one's from now on.
 */
static enum err
release(struct call *c)
{
	const struct owned *o = &c->server->owned;
	AUTO(mem_free)
	struct slice *left =
	    mem_new_array(MAX(o->keys.count, 1), sizeof(*left));
	struct slice key;
	void *mark;
	size_t n = 0;

	for (size_t i = 0; map_next(&o->keys, &i, &key, &mark);)
		if (map_get(&c->keys, key) == NULL)
			left[n++] = key;
	if (n == o->keys.count)
		return OK;
	c->has_extra = true;
	return owned_op(left, n, &c->arena, &c->extra);
}

static enum err
add_extra(struct call *c)
{
	enum err e = OK;

	if (!c->of_folder && c->server->follow == NULL)
		e = release(c);
	if (e != OK)
		return fault_set(&c->why, e,
		    "the list of what a folder brought is too long");
	grow(c);
	if (c->has_extra)
		c->ops[c->count] = c->extra;
	return OK;
}

void
call_propose(
    struct call *c, const struct server_actor *actor, struct slice request_id)
{
	enum err e = add_extra(c);
	struct store_mutation m = {
	    .actor = slice_str(actor->name),
	    .request_id = request_id,
	    .time_ms = server_now_ms(c->server),
	    .ops = c->ops,
	    .op_count = c->count + c->has_extra,
	};

	if (e != OK || m.op_count == 0)
		call_end(c, e, c->server->cache.revision);
	else
		store_propose(c->server->store, &m, on_done, c);
}

/* --- what it would do ----------------------------------------------------- */

/* Why the store would refuse it, or NULL. */
static const char *
conflict_of(
    struct call *c, const struct resource *r, const struct resource *old)
{
	char key[RESOURCE_KEY_MAX];
	char who[FAULT_TEXT_MAX];

	if (r->revision == 0 || (old != NULL && old->revision == r->revision))
		return NULL;
	(void)snprintf(who, sizeof(who), "%s was %s by someone else",
	    resource_key_format(&r->key, key),
	    old == NULL ? "deleted" : "changed");
	return arena_printf(&c->arena, GET_IT_ANEW, who).ptr;
}

static enum err
compare(struct call *c, const struct resource *r, struct server_change *out)
{
	const struct resource *old = cache_find(&c->server->cache, &r->key);
	struct arena *a = &c->arena;
	struct value *before, *after;

	out->conflict = conflict_of(c, r, old);
	if (old == NULL) {
		out->outcome = store_outcome_name(STORE_CREATED);
		return OK;
	}
	out->outcome = store_outcome_name(
	    call_is_same(old, r, a) ? STORE_UNCHANGED : STORE_UPDATED);
	before = resource_encode(old, RESOURCE_SEALED, a);
	after = resource_encode(r, RESOURCE_SEALED, a);
	return before != NULL && after != NULL
		   ? diff_values(before, after, a, &out->diff)
		   : ERR_NO_MEMORY;
}

static enum err
compare_all(struct call *c)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < c->count; i++) {
		if (c->ops[i].type == STORE_DELETE)
			c->changes[i].outcome =
			    store_outcome_name(STORE_DELETED);
		else
			e = compare(c, c->resources[i], &c->changes[i]);
	}
	return e == OK ? OK
		       : fault_set(&c->why, e,
			     "there are too many differences at once");
}

void
call_finish(struct call *c, enum err e, enum server_intent intent,
    const struct server_actor *actor, struct slice request_id)
{
	if (e == OK && intent != SERVER_CHANGE)
		e = compare_all(c);
	if (e != OK || intent == SERVER_TRY)
		call_end(c, e, c->server->cache.revision);
	else if (intent == SERVER_BLAST)
		call_blast(c);
	else
		call_propose(c, actor, request_id);
}
