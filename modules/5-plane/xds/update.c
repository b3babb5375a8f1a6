/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update — a batch from the server, from its arrival to ACK or NACK.
 *
 * What cannot be right whoever reads it (no version, too long, another type)
 * is refused here, and the owner never sees it. One bad resource does not keep
 * the good ones beside it out.
 */
#include "client.h"
#include "patch.h"

enum { UPDATE_ARENA = 4 * LIMIT_GRPC_MESSAGE, CODE_INVALID_ARGUMENT = 3 };

struct update {
	struct xds_update pub; /* first: what the owner holds */
	struct list link;
	struct xds_client *client; /* NULL when it has gone */
	struct client_type *type;
	uint64_t generation;
	struct arena arena;
	struct slice nonce;
	struct codec_delta_resource *resources; /* those of pub */
	struct slice *removed;
	struct slice *reasons; /* one a resource; empty: not refused */
	bool *unwanted;        /* one a resource: does not count */
	struct codec_delta_refusal *refusals; /* of our own; then all */
	size_t refusal_count;
};

static struct update *
update_of(struct xds_update *u)
{
	return CONTAINER(u, struct update, pub);
}

static void
update_free(struct update **up)
{
	struct update *u = TAKE(*up);

	if (u == NULL)
		return;
	list_remove(&u->link);
	arena_fini(&u->arena);
	mem_free(&u);
}

void
client_orphan_updates(struct xds_client *c)
{
	LIST_EACH (&c->updates, it) {
		list_remove(it);
		CONTAINER(it, struct update, link)->client = NULL;
	}
}

void
client_prune_updates(struct xds_client *c, const struct client_type *t)
{
	LIST_EACH (&c->updates, it) {
		struct update *u = CONTAINER(it, struct update, link);

		for (size_t i = 0; i < u->pub.resource_count; i++)
			if (u->type == t &&
			    !client_wants(t, u->resources[i].name))
				u->unwanted[i] = true;
	}
}

/* --- arrival -------------------------------------------------------------- */

/* NULL, or why nobody could use it. */
static const char *
objection(const struct codec_delta_resource *r, struct slice type_url)
{
	if (r->name.len == 0)
		return "it has no name";
	if (r->name.len > XDS_NAME_MAX)
		return "its name is too long";
	if (r->version.len == 0)
		return "it has no version";
	if (r->version.len > XDS_VERSION_MAX)
		return "its version is too long";
	if (r->type_url.len == 0)
		return "it has no body";
	if (!slice_eq(r->type_url, type_url) &&
	    !slice_eq(r->type_url, S(PATCH_TYPE)))
		return "its body is of another type";
	return NULL;
}

/* A name that comes twice; SLICE_NONE if none does. */
static struct slice
find_twice(const struct codec_delta_response *m)
{
	struct map seen = {0};
	struct slice twice = SLICE_NONE;

	for (size_t i = 0; i < m->resource_count && twice.ptr == NULL; i++)
		if (map_put(&seen, m->resources[i].name, &seen) != NULL)
			twice = m->resources[i].name;
	for (size_t i = 0; i < m->removed_count && twice.ptr == NULL; i++)
		if (map_put(&seen, m->removed[i], &seen) != NULL)
			twice = m->removed[i];
	map_fini(&seen, NULL);
	return twice;
}

static enum err
copy_resource(struct arena *a, const struct codec_delta_resource *from,
    struct codec_delta_resource *to)
{
	enum err e = arena_copy(a, from->name, &to->name);

	if (e == OK)
		e = arena_copy(a, from->version, &to->version);
	if (e == OK)
		e = arena_copy(a, from->body, &to->body);
	to->type_url = from->type_url;
	return e;
}

static enum err
add_refusal(
    struct update *u, const struct codec_delta_resource *r, struct slice reason)
{
	struct codec_delta_refusal *f = &u->refusals[u->refusal_count++];
	enum err e = arena_copy(
	    &u->arena, slice_sub(r->name, 0, XDS_NAME_MAX), &f->name);

	if (e == OK)
		e = arena_copy(&u->arena,
		    slice_sub(r->version, 0, XDS_VERSION_MAX), &f->version);
	return e == OK ? arena_copy(&u->arena, reason, &f->reason) : e;
}

/* What is in force, with what is different. False: it is of another one. */
static bool
put_together(
    struct update *u, struct slice name, struct slice patch, struct buf *out)
{
	const struct client_item *item = map_get(&u->type->held, name);

	return item != NULL && patch_apply(item->body, patch, out) == OK;
}

static enum err
add_resource(struct update *u, const struct codec_delta_resource *from)
{
	AUTO(buf_fini) struct buf body = BUF(LIMIT_GRPC_MESSAGE);
	const char *why = objection(from, u->pub.type_url);
	struct codec_delta_resource *to = &u->resources[u->pub.resource_count];
	struct codec_delta_resource whole = *from;
	const struct codec_delta_resource *r = &whole;
	enum err e;

	if (why != NULL)
		return add_refusal(u, r, slice_str(why));
	if (!client_wants(u->type, r->name))
		return OK;
	if (slice_eq(r->type_url, S(PATCH_TYPE))) {
		if (!put_together(u, r->name, r->body, &body))
			return add_refusal(
			    u, r, S("it differs from what is not here"));
		whole.body = buf_slice(&body);
	}
	e = copy_resource(&u->arena, r, to);
	to->type_url = u->pub.type_url;
	u->pub.resource_count++;
	return e;
}

static bool
alloc_arrays(struct update *u, const struct codec_delta_response *m)
{
	struct arena *a = &u->arena;
	size_t n = m->resource_count;

	u->resources = arena_alloc_array(a, n, sizeof(*u->resources));
	u->reasons = arena_alloc_array(a, n, sizeof(*u->reasons));
	u->unwanted = arena_alloc_array(a, n, sizeof(*u->unwanted));
	u->refusals = arena_alloc_array(a, n, sizeof(*u->refusals));
	u->removed =
	    arena_alloc_array(a, m->removed_count, sizeof(*u->removed));
	return u->resources != NULL && u->reasons != NULL &&
	       u->unwanted != NULL && u->refusals != NULL && u->removed != NULL;
}

static enum err
fill(struct update *u, const struct codec_delta_response *m)
{
	enum err e;

	if (!alloc_arrays(u, m))
		return ERR_NO_MEMORY;
	e = arena_copy(&u->arena, m->nonce, &u->nonce);
	for (size_t i = 0; e == OK && i < m->resource_count; i++)
		e = add_resource(u, &m->resources[i]);
	for (size_t i = 0; e == OK && i < m->removed_count; i++)
		e = arena_copy(&u->arena, m->removed[i], &u->removed[i]);
	u->pub.resources = u->resources;
	u->pub.removed = u->removed;
	u->pub.removed_count = m->removed_count;
	return e;
}

static enum err
update_new(struct xds_client *c, struct client_type *t,
    const struct codec_delta_response *m, struct update **out)
{
	AUTO(update_free) struct update *u = mem_new(sizeof(*u));
	enum err e;

	arena_init(&u->arena, UPDATE_ARENA);
	u->client = c;
	u->type = t;
	u->generation = c->generation;
	u->pub.type_url = slice_str(t->url);
	e = fill(u, m);
	if (e != OK)
		return e;
	list_push_back(&c->updates, &u->link);
	t->open++;
	*out = TAKE(u);
	return OK;
}

static void
refuse_all(struct xds_client *c, const struct client_type *t,
    const struct codec_delta_response *m, struct slice twice)
{
	AUTO(buf_fini) struct buf words = BUF(2 * XDS_NAME_MAX);
	/* Without room for the name the refusal itself says enough. */
	enum err e = buf_printf(&words, "resource %.*s comes twice",
	    SLICE_ARG(slice_sub(twice, 0, XDS_NAME_MAX)));
	struct codec_delta_request answer = {
	    .type_url = slice_str(t->url),
	    .response_nonce = m->nonce,
	    .refused = true,
	    .error_code = CODE_INVALID_ARGUMENT,
	    .error_message = e == OK ? buf_slice(&words) : SLICE_NONE,
	};

	client_send(c, &answer);
}

static struct client_type *
subscribed_type(struct xds_client *c, struct slice type_url)
{
	for (size_t i = 0; i < c->type_count; i++)
		if (slice_eq(slice_str(c->types[i].url), type_url))
			return &c->types[i];
	return NULL;
}

enum err
xds_client_response(struct xds_client *c, const struct codec_delta_response *m)
{
	struct client_type *t = subscribed_type(c, m->type_url);
	struct update *u = NULL;
	struct slice twice;
	enum err e;

	CHECK(c->connected);
	if (t == NULL || m->nonce.len == 0)
		return ERR_PROTOCOL;
	if (m->resource_count + m->removed_count > 2 * XDS_NAMES_MAX)
		return ERR_LIMIT;
	t->answered = true;
	twice = find_twice(m);
	if (twice.ptr != NULL) {
		refuse_all(c, t, m, twice);
		return OK;
	}
	e = update_new(c, t, m, &u);
	if (e == OK)
		c->ops->on_update(c->arg, &u->pub);
	return e;
}

/* --- judgement ------------------------------------------------------------ */

void
xds_update_refuse(
    struct xds_update *pub, size_t resource_index, struct slice reason)
{
	struct update *u = update_of(pub);
	struct slice *place;

	CHECK(resource_index < pub->resource_count);
	place = &u->reasons[resource_index];
	reason = slice_sub(reason, 0, XDS_REASON_MAX);
	if (reason.len == 0 || arena_copy(&u->arena, reason, place) != OK)
		*place = S("refused");
}

static void
quarantine(struct client_type *t, const struct codec_delta_refusal *f)
{
	struct client_item *item;

	if (f->name.len == 0)
		return;
	item = client_item_new(f->name, f->version, f->reason);
	client_item_set(&t->refused, item->name, item);
}

static void
admit(struct client_type *t, const struct codec_delta_resource *r)
{
	struct client_item *item;

	client_item_set(&t->refused, r->name, NULL);
	item = client_item_new(r->name, r->version, r->body);
	client_item_set(&t->held, item->name, item);
}

/* Makes the batch part of the set; gathers what was refused. */
static void
put_in_force(struct update *u)
{
	for (size_t i = 0; i < u->refusal_count; i++)
		if (client_wants(u->type, u->refusals[i].name))
			quarantine(u->type, &u->refusals[i]);
	for (size_t i = 0; i < u->pub.resource_count; i++) {
		const struct codec_delta_resource *r = &u->resources[i];
		struct codec_delta_refusal f = {
		    r->name, r->version, u->reasons[i]};

		if (f.reason.len > 0)
			u->refusals[u->refusal_count++] = f;
		if (u->unwanted[i])
			continue;
		if (f.reason.len > 0)
			quarantine(u->type, &f);
		else
			admit(u->type, r);
	}
	for (size_t i = 0; i < u->pub.removed_count; i++) {
		client_item_set(&u->type->held, u->removed[i], NULL);
		client_item_set(&u->type->refused, u->removed[i], NULL);
	}
}

static void
answer(const struct update *u)
{
	struct codec_delta_request m = {
	    .type_url = u->pub.type_url,
	    .response_nonce = u->nonce,
	    .refused = u->refusal_count > 0,
	    .refusals = u->refusals,
	    .refusal_count = u->refusal_count,
	};

	if (m.refused) {
		m.error_code = CODE_INVALID_ARGUMENT;
		m.error_message = u->refusals[0].reason;
	}
	client_send(u->client, &m);
}

void
xds_update_settle(struct xds_update **up)
{
	struct xds_update *pub = TAKE(*up);
	struct update *u = update_of(pub);
	struct xds_client *c = u->client;

	if (c != NULL) {
		put_in_force(u);
		list_remove(&u->link);
		u->type->open--;
		if (c->connected && c->generation == u->generation)
			answer(u);
		client_announce(c, u->type);
	}
	update_free(&u);
}
