/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollback — what configuration was becomes what it is to be.
 *
 *	store_as_of ─► what was, decoded and judged anew ─► one mutation
 *
 * Each operation is bound to the revision that was looked at, so that nobody's
 * change in between is lost.
 */
#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"
#include "store/store.h"

#include "call.h"
#include "secrets.h"

#include <inttypes.h>
#include <stdio.h>

enum { TREE_BYTES = 512 << 20 };

struct rollback {
	struct server_rollback_spec spec;
	struct server_actor actor;
	struct resource_key key; /* in the call's arena */
	struct call *call;
};

/* What stands there now, as an expectation. */
static int64_t
expected_of(const struct server *s, const struct resource_key *key)
{
	const struct resource *r = cache_find(&s->cache, key);

	if (r != NULL)
		return (int64_t)r->revision;
	/* What is not understood has a revision that nobody knows. */
	return cache_has(&s->cache, key) ? STORE_EXPECT_ANY
					 : STORE_EXPECT_ABSENT;
}

static enum err
no_longer_valid(const struct rollback *b, const struct resource_key *key)
{
	const struct faults *errors = &b->call->found.errors;
	char text[RESOURCE_KEY_MAX], words[FAULT_TEXT_MAX];

	(void)snprintf(words, sizeof(words), "%s", "is not understood");
	if (errors->count > 0)
		fault_format(&errors->items[0], words, sizeof(words));
	return fault_set(&b->call->why, ERR_INVALID,
	    "%s of revision %" PRIu64 " is no longer valid: %s",
	    resource_key_format(key, text), b->spec.revision, words);
}

/* What was said since; there is no file whose line it could name. */
static void
name_faults(struct faults *f, size_t from, const struct resource_key *key)
{
	char name[RESOURCE_KEY_MAX];

	for (size_t i = from; i < f->count; i++)
		fault_at(&f->items[i], resource_key_format(key, name), 0, 0);
}

static enum err
decode(struct rollback *b, const struct value *doc,
    const struct resource_key *key, struct resource **out)
{
	const struct server *s = b->call->server;
	const struct resource_source source = {.parse_json = codec_json_parse,
	    .trust_domain = slice_str(s->mesh.trust_domain)};
	struct findings *found = &b->call->found;
	size_t warnings = found->warnings.count, inert = found->inert.count;
	enum err e = resource_decode(doc, &source, out, found);

	name_faults(&found->warnings, warnings, key);
	name_faults(&found->inert, inert, key);
	return e;
}

static enum err
bring_back(struct rollback *b, const struct store_row *row,
    const struct resource_key *key)
{
	AUTO(arena_fini) struct arena a;
	AUTO(secret_fini) struct secret opened = {0};
	const struct server *s = b->call->server;
	struct slice body;
	struct resource *r = NULL;
	const struct value *doc;
	enum err e;

	arena_init(&a, TREE_BYTES);
	a.secret = secrets_are_in(&row->resource);
	e = secrets_body(s->store, &row->resource, &opened, &body, NULL);
	if (e == OK)
		e = codec_json_parse(body, &a, &doc, NULL);
	if (e == OK)
		e = decode(b, doc, key, &r);
	if (e != OK || r == NULL)
		return no_longer_valid(b, key);
	return call_put(b->call, r, expected_of(s, key), b->spec.actor);
}

static enum err
take_away(struct rollback *b, const struct resource_key *key)
{
	struct call *c = b->call;
	char text[RESOURCE_KEY_MAX];

	if (b->spec.key != NULL)
		return fault_set(&c->why, ERR_NOT_FOUND,
		    "%s was not there at revision %" PRIu64
		    "; `meshd delete` takes it away",
		    resource_key_format(key, text), b->spec.revision);
	if (!cache_has(&c->server->cache, key))
		return OK;
	return call_delete(c, key, expected_of(c->server, key), b->spec.actor);
}

/* One that has not changed since: is it there at all? */
static enum err
check_there(struct rollback *b)
{
	char text[RESOURCE_KEY_MAX];

	if (b->spec.key == NULL ||
	    cache_has(&b->call->server->cache, b->spec.key))
		return OK;
	return fault_set(&b->call->why, ERR_NOT_FOUND,
	    "there is no %s, and at revision %" PRIu64 " there was none",
	    resource_key_format(b->spec.key, text), b->spec.revision);
}

static enum err
take_rows(struct rollback *b, const struct store_rows *rows)
{
	enum err e = rows->err;

	if (e != OK)
		b->call->why = *rows->why;
	else if (rows->count == 0)
		e = check_there(b);
	for (size_t i = 0; e == OK && i < rows->count; i++) {
		const struct store_resource *was = &rows->rows[i].resource;
		struct resource_key key = {
		    was->group, was->kind, was->ns, was->name};

		e = rows->rows[i].deleted ? take_away(b, &key)
					  : bring_back(b, &rows->rows[i], &key);
	}
	return e == OK ? call_check_guards(b->call, b->spec.allow_inert) : e;
}

static void
on_rows(const struct store_rows *rows, void *arg)
{
	struct rollback *b = arg;
	enum err e = take_rows(b, rows);

	if (e == OK)
		e = call_look_around(b->call, b->spec.force);
	call_finish(b->call, e, b->spec.intent, b->spec.actor, SLICE_NONE);
	mem_free(&b);
}

void
server_rollback(struct server *s, const struct server_rollback_spec *spec,
    server_apply_cb cb, void *arg)
{
	struct rollback *b = mem_new(sizeof(*b));
	struct store_row which = {.table = STORE_RESOURCES};

	b->spec = *spec;
	b->actor = *spec->actor;
	b->spec.actor = &b->actor;
	b->call = call_new(s, cb, arg);
	if (spec->key == NULL) {
		store_as_of(s->store, spec->revision, NULL, on_rows, b);
		return;
	}
	/* A new arena has room for a key. */
	CHECK(call_copy_key(b->call, spec->key, &b->key) == OK);
	b->spec.key = &b->key;
	which.resource = (struct store_resource){.group = b->key.group,
	    .kind = b->key.kind,
	    .ns = b->key.ns,
	    .name = b->key.name};
	store_as_of(s->store, spec->revision, &which, on_rows, b);
}
