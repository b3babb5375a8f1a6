/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply — documents become one mutation: all of them or none.
 *
 *	decode and check each ─► canonical JSON ─► one store_propose ─► answer
 */
#include "base/base.h"
#include "codec/codec.h"
#include "model/model.h"
#include "store/store.h"

#include "call.h"

/* --- from documents to operations -------------------------------------------
 */

/* A document that means nothing here adds nothing. */
static enum err
add_document(
    struct call *c, const struct value *doc, const struct server_apply_spec *a)
{
	struct resource_source source = {.parse_json = codec_json_parse,
	    .ns = a->ns,
	    .trust_domain = slice_str(c->server->mesh.trust_domain)};
	struct resource *r = NULL;
	enum err e = resource_decode(doc, &source, &r, &c->found);

	if (e != OK || r == NULL)
		return e;
	return call_put(c, r,
	    r->revision == 0 ? STORE_EXPECT_ANY : (int64_t)r->revision,
	    a->actor);
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
	return first != OK ? c->why.code : call_check_guards(c, a->allow_inert);
}

/* --- what is no longer among the documents ---------------------------------
 */

static bool
has_kind(const struct call *c, const struct resource_kind *kind)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->resources[i] != NULL && c->resources[i]->kind == kind)
			return true;
	return false;
}

static bool
is_surplus(const struct call *c, const struct server_apply_spec *a,
    const struct resource *r)
{
	return labels_match(&r->labels, a->prune) && !call_has(c, &r->key) &&
	       (a->actor == NULL ||
		   server_may_write(a->actor, &r->key, NULL) == OK);
}

/* Onto the revision that was looked at: its labels may be others by then. */
static enum err
prune_kind(struct call *c, const struct server_apply_spec *a,
    const struct resource_kind *kind)
{
	const struct map *all = &c->server->cache.by_key;
	struct slice key;
	void *value;
	enum err e = OK;

	for (size_t i = 0; e == OK && map_next(all, &i, &key, &value);) {
		const struct resource *r = value;

		if (r->kind == kind && is_surplus(c, a, r))
			e = call_delete(
			    c, &r->key, (int64_t)r->revision, a->actor);
	}
	return e;
}

static enum err
prune(struct call *c, const struct server_apply_spec *a)
{
	size_t count;
	const struct resource_kind *const *kinds = resource_kinds(&count);
	enum err e = OK;

	if (a->prune == NULL)
		return OK;
	if (a->prune->count == 0)
		return fault_set(&c->why, ERR_INVALID,
		    "to prune needs labels to choose by; nothing was changed");
	/* What is deleted is of a kind that is there already. */
	for (size_t i = 0; e == OK && i < count; i++)
		if (has_kind(c, kinds[i]))
			e = prune_kind(c, a, kinds[i]);
	return e;
}

void
server_apply(struct server *s, const struct server_apply_spec *spec,
    server_apply_cb cb, void *arg)
{
	struct call *c = call_new(s, cb, arg);
	enum err e = add_documents(c, spec);

	if (e == OK)
		e = prune(c, spec);
	if (e == OK)
		e = call_look_around(c, spec->force);
	call_finish(c, e, spec->intent, spec->actor, spec->request_id);
}

/* --- delete --- */

static enum err
add_delete(struct call *c, const struct resource_key *key,
    const struct server_actor *actor)
{
	char text[RESOURCE_KEY_MAX];
	enum err e = server_may_write(actor, key, &c->why);

	if (e != OK)
		return e;
	if (!cache_has(&c->server->cache, key))
		return fault_set(&c->why, ERR_NOT_FOUND,
		    "%s is not there; nothing was deleted",
		    resource_key_format(key, text));
	return call_delete(c, key, STORE_EXPECT_ANY, actor);
}

void
server_delete(struct server *s, const struct server_delete_spec *spec,
    server_apply_cb cb, void *arg)
{
	struct call *c = call_new(s, cb, arg);
	enum err e = OK;

	if (spec->count > SERVER_APPLY_MAX)
		e = fault_set(&c->why, ERR_LIMIT,
		    "%zu resources at once; %d is the most", spec->count,
		    SERVER_APPLY_MAX);
	for (size_t i = 0; e == OK && i < spec->count; i++)
		e = add_delete(c, &spec->keys[i], spec->actor);
	call_finish(c, e, spec->intent, spec->actor, SLICE_NONE);
}
