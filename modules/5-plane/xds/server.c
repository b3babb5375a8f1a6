/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — what one client has of each type, and what it must still get.
 *
 *	QUIET --something is due--> a response --> WAITING --ACK, NACK--> QUIET
 *
 * While WAITING, changes only mark their entry as due, so any number of them
 * becomes one response when the answer is there; and the first change of a
 * QUIET type goes out at once. A nonce that is not the last one answers
 * nothing, but what it subscribes to counts all the same.
 */
#include <inttypes.h>
#include <stdio.h>

#include "source.h"

enum { NONCE_LEN = 24, RESPONSE_ARENA = 64 << 20 };

/* One name of one type with this client. */
struct entry {
	struct list due;    /* linked: to be looked at by the next flush */
	struct list flight; /* linked: in the response that is unanswered */
	bool named;         /* subscribed by its name */
	bool force;         /* answer even if nothing changed */
	enum xds_state state;
	struct slice reason; /* own memory */
	size_t version_len;  /* 0: the client has none */
	char version[XDS_VERSION_MAX];
	size_t name_len;
	char name[];
};

/* One type with this client. */
struct sub {
	bool active; /* was asked for */
	bool wildcard;
	bool must_answer; /* the first question, even with nothing */
	bool waiting;
	char nonce[NONCE_LEN];
	struct map entries; /* name → struct entry */
	size_t named;       /* of them */
	struct list due;
	struct list flight;
};

struct xds_server_stream {
	struct list link; /* in the source */
	struct xds_source *source;
	const struct xds_server_ops *ops;
	void *arg;
	uint64_t responses; /* so far: the nonce */
	struct sub subs[XDS_TYPES_MAX];
};

const char *
xds_state_name(enum xds_state state)
{
	static const char *const names[] = {
	    [XDS_SENT] = "sent",
	    [XDS_ACKED] = "acked",
	    [XDS_REFUSED] = "refused",
	};

	CHECK((unsigned)state < ARRAY_LEN(names));
	return names[state];
}

/* --- entries -------------------------------------------------------------- */

static struct slice
entry_name(const struct entry *e)
{
	return slice_of(e->name, e->name_len);
}

static struct slice
entry_version(const struct entry *e)
{
	return slice_of(e->version, e->version_len);
}

static void
set_reason(struct entry *e, struct slice reason)
{
	char *old = (char *)(uintptr_t)e->reason.ptr;

	mem_free(&old);
	e->reason = SLICE_NONE;
	reason = slice_sub(reason, 0, XDS_REASON_MAX);
	if (reason.len > 0)
		e->reason =
		    slice_of(mem_strndup(reason.ptr, reason.len), reason.len);
}

/* Too long for us is none: the client then gets the resource again. */
static void
set_version(struct entry *e, struct slice version)
{
	e->version_len = version.len <= XDS_VERSION_MAX ? version.len : 0;
	if (e->version_len > 0)
		memcpy(e->version, version.ptr, e->version_len);
}

static struct entry *
entry_get(struct sub *sub, struct slice name)
{
	struct entry *e = map_get(&sub->entries, name);

	if (e != NULL)
		return e;
	e = mem_new(sizeof(*e) + name.len);
	e->name_len = name.len;
	memcpy(e->name, name.ptr, name.len);
	map_put(&sub->entries, name, e);
	return e;
}

static void
entry_drop(void *value)
{
	struct entry *e = value;

	list_remove(&e->due);
	list_remove(&e->flight);
	set_reason(e, SLICE_NONE);
	mem_free(&e);
}

static void
entry_remove(struct sub *sub, struct entry *e)
{
	if (e->named)
		sub->named--;
	map_remove(&sub->entries, entry_name(e));
	entry_drop(e);
}

/* Keeps its place if it waits already. */
static void
set_due(struct sub *sub, struct entry *e, bool force)
{
	bool linked = e->due.next != NULL && !list_empty(&e->due);

	e->force |= force;
	if (!linked)
		list_push_back(&sub->due, &e->due);
}

static bool
is_wanted(const struct xds_server_stream *s, const struct sub *sub,
    const struct entry *e, const struct xds_resource *r)
{
	if (!(sub->wildcard || (e != NULL && e->named)))
		return false;
	return s->ops->concerns == NULL || s->ops->concerns(s->arg, r);
}

/* Marks the name as due if the client must hear of it. */
static void
judge(struct xds_server_stream *s, size_t type, struct slice name)
{
	struct sub *sub = &s->subs[type];
	struct entry *e = map_get(&sub->entries, name);
	struct xds_resource r;
	bool wanted =
	    source_item(s->source, type, name, &r) && is_wanted(s, sub, e, &r);

	if (!wanted && (e == NULL || e->version_len == 0))
		return;
	set_due(sub, entry_get(sub, name), /* force */ false);
}

static void
judge_all(struct xds_server_stream *s, size_t type)
{
	struct sub *sub = &s->subs[type];
	struct slice name;
	void *value;

	/* What the client has and nobody wants any more; entries stay. */
	for (size_t i = 0; map_next(&sub->entries, &i, &name, &value);) {
		struct entry *e = value;

		if (e->version_len > 0)
			set_due(sub, e, /* force */ false);
	}
	for (size_t i = 0; source_next_name(s->source, type, &i, &name);)
		judge(s, type, name);
}

/* --- responses ------------------------------------------------------------ */

/* A response that is being put together. */
struct draft {
	struct arena arena;
	struct codec_delta_resource *resources;
	size_t resource_count;
	struct slice *removed;
	size_t removed_count;
	size_t bytes;
};

/* Memory for the arrays; false when there is none, then it waits. */
static bool
draft_init(struct draft *d)
{
	*d = (struct draft){0};
	arena_init(&d->arena, RESPONSE_ARENA);
	d->resources = arena_alloc_array(
	    &d->arena, XDS_RESPONSE_ITEMS, sizeof(*d->resources));
	d->removed = arena_alloc_array(
	    &d->arena, XDS_RESPONSE_ITEMS, sizeof(*d->removed));
	return d->resources != NULL && d->removed != NULL;
}

static bool
draft_is_full(const struct draft *d)
{
	return d->resource_count == XDS_RESPONSE_ITEMS ||
	       d->removed_count == XDS_RESPONSE_ITEMS ||
	       d->bytes >= XDS_RESPONSE_BYTES;
}

/* No room: it is due again, with the next response. */
static void
put_off(struct draft *d, struct sub *sub, struct entry *e)
{
	set_due(sub, e, /* force */ true);
	d->bytes = XDS_RESPONSE_BYTES;
}

static enum err
body_of(const struct xds_server_stream *s, const struct xds_resource *r,
    struct arena *a, struct slice *out)
{
	*out = r->body;
	if (r->body.len > 0 || s->ops->body == NULL)
		return OK;
	return s->ops->body(s->arg, r, a, out);
}

static void
draft_resource(struct xds_server_stream *s, struct draft *d, struct sub *sub,
    struct entry *e, const struct xds_resource *r)
{
	struct slice body;

	if (body_of(s, r, &d->arena, &body) != OK) {
		put_off(d, sub, e);
		return;
	}
	d->resources[d->resource_count++] = (struct codec_delta_resource){
	    r->name, r->version, r->type_url, body};
	d->bytes += r->name.len + body.len;
	set_version(e, r->version);
	set_reason(e, SLICE_NONE);
	e->state = XDS_SENT;
	list_push_back(&sub->flight, &e->flight);
}

static void
draft_removal(struct draft *d, struct sub *sub, struct entry *e)
{
	struct slice *name = &d->removed[d->removed_count];

	if (arena_copy(&d->arena, entry_name(e), name) != OK) {
		put_off(d, sub, e);
		return;
	}
	d->removed_count++;
	d->bytes += name->len;
	set_version(e, SLICE_NONE);
	set_reason(e, SLICE_NONE);
	if (!e->named)
		entry_remove(sub, e);
}

static void
draft_entry(
    struct xds_server_stream *s, size_t type, struct entry *e, struct draft *d)
{
	struct sub *sub = &s->subs[type];
	struct xds_resource r;
	bool is_there = source_item(s->source, type, entry_name(e), &r);
	bool force = e->force;

	list_remove(&e->due);
	e->force = false;
	if (is_there && is_wanted(s, sub, e, &r)) {
		if (force || !slice_eq(entry_version(e), r.version))
			draft_resource(s, d, sub, e, &r);
	} else if (force || e->version_len > 0) {
		draft_removal(d, sub, e);
	} else if (!e->named) {
		entry_remove(sub, e);
	}
}

static void
send_draft(struct xds_server_stream *s, size_t type, const struct draft *d)
{
	struct sub *sub = &s->subs[type];
	struct codec_delta_response m = {
	    .type_url = slice_str(s->source->types[type].url),
	    .resources = d->resources,
	    .resource_count = d->resource_count,
	    .removed = d->removed,
	    .removed_count = d->removed_count,
	};

	snprintf(sub->nonce, sizeof(sub->nonce), "%" PRIu64, ++s->responses);
	m.nonce = slice_str(sub->nonce);
	sub->waiting = true;
	sub->must_answer = false;
	s->ops->send(s->arg, &m);
}

static void
flush(struct xds_server_stream *s, size_t type)
{
	struct sub *sub = &s->subs[type];
	struct entry *e;
	struct draft d;

	if (!sub->active || sub->waiting ||
	    (list_empty(&sub->due) && !sub->must_answer))
		return;
	if (draft_init(&d)) {
		while (!draft_is_full(&d) &&
		       (e = LIST_FIRST(&sub->due, struct entry, due)) != NULL)
			draft_entry(s, type, e, &d);
		if (d.resource_count + d.removed_count > 0 || sub->must_answer)
			send_draft(s, type, &d);
	}
	arena_fini(&d.arena);
}

void
server_stream_flush(struct list *link)
{
	struct xds_server_stream *s =
	    CONTAINER(link, struct xds_server_stream, link);

	for (size_t i = 0; i < s->source->type_count; i++)
		flush(s, i);
}

void
server_stream_changed(struct list *link, size_t type, struct slice name)
{
	struct xds_server_stream *s =
	    CONTAINER(link, struct xds_server_stream, link);

	if (s->subs[type].active)
		judge(s, type, name);
}

/* --- requests ------------------------------------------------------------- */

/* Did the client refuse this one, and why? */
static bool
is_refused(const struct codec_delta_request *m, const struct entry *e,
    struct slice *out_reason)
{
	*out_reason = m->error_message;
	for (size_t i = 0; i < m->refusal_count; i++)
		if (slice_eq(m->refusals[i].name, entry_name(e))) {
			*out_reason = m->refusals[i].reason;
			return true;
		}
	/* A client that names none refuses them all. */
	return m->refused && m->refusal_count == 0;
}

static struct xds_status
status_of(const struct xds_server_stream *s, size_t type, const struct entry *e)
{
	return (struct xds_status){
	    .type_url = slice_str(s->source->types[type].url),
	    .name = entry_name(e),
	    .version = entry_version(e),
	    .state = e->state,
	    .reason = e->reason,
	};
}

static void
settle_entry(struct xds_server_stream *s, size_t type, struct entry *e,
    const struct codec_delta_request *m)
{
	struct slice reason;
	bool refused = is_refused(m, e, &reason);
	struct xds_status status;

	e->state = refused ? XDS_REFUSED : XDS_ACKED;
	set_reason(e, refused ? reason : SLICE_NONE);
	status = status_of(s, type, e);
	if (s->ops->on_status != NULL)
		s->ops->on_status(s->arg, &status);
}

static void
settle(struct xds_server_stream *s, size_t type,
    const struct codec_delta_request *m)
{
	struct sub *sub = &s->subs[type];
	struct list answered;

	/* The calls may flush, which fills the list anew. */
	list_init(&answered);
	LIST_EACH (&sub->flight, it) {
		list_remove(it);
		list_push_back(&answered, it);
	}
	sub->waiting = false;
	LIST_EACH (&answered, it) {
		list_remove(it);
		settle_entry(s, type, CONTAINER(it, struct entry, flight), m);
	}
	if (s->ops->on_answered != NULL)
		s->ops->on_answered(s->arg);
}

static enum err
check_name(const struct sub *sub, struct slice name, struct fault *why)
{
	if (name.len > XDS_NAME_MAX)
		return fault_set(why, ERR_LIMIT,
		    "a name is longer than %d bytes", XDS_NAME_MAX);
	if (sub->named >= XDS_NAMES_MAX)
		return fault_set(why, ERR_LIMIT,
		    "more than %d names on one stream", XDS_NAMES_MAX);
	return OK;
}

static bool
is_wildcard(struct slice name)
{
	return name.len == 0 || slice_eq(name, S("*"));
}

/* What a client that comes back says it has. */
static enum err
take_initial(
    struct sub *sub, const struct codec_delta_request *m, struct fault *why)
{
	if (m->initial_count > XDS_NAMES_MAX)
		return fault_set(why, ERR_LIMIT,
		    "more than %d names on one stream", XDS_NAMES_MAX);
	for (size_t i = 0; i < m->initial_count; i++) {
		struct entry *e;
		enum err err = check_name(sub, m->initial[i].name, why);

		if (err != OK)
			return err;
		if (m->initial[i].name.len == 0)
			return fault_set(
			    why, ERR_PROTOCOL, "a resource has no name");
		e = entry_get(sub, m->initial[i].name);
		set_version(e, m->initial[i].version);
		e->state = XDS_ACKED;
		/* A version that we cannot compare is sent or removed. */
		set_due(sub, e, e->version_len == 0);
	}
	return OK;
}

/*
 * A name that is asked for again is sent again, unless the same message says
 * that the client has it.
 */
static void
subscribe_name(struct sub *sub, struct slice name, bool first)
{
	struct entry *e = entry_get(sub, name);

	if (!e->named)
		sub->named++;
	e->named = true;
	set_due(sub, e, /* force */ !(first && e->version_len > 0));
}

static enum err
subscribe(struct xds_server_stream *s, size_t type,
    const struct codec_delta_request *m, bool first, struct fault *why)
{
	struct sub *sub = &s->subs[type];
	bool wildcard = first && m->subscribe_count == 0;

	for (size_t i = 0; i < m->subscribe_count; i++) {
		enum err e;

		if (is_wildcard(m->subscribe[i])) {
			wildcard = true;
			continue;
		}
		e = check_name(sub, m->subscribe[i], why);
		if (e != OK)
			return e;
		subscribe_name(sub, m->subscribe[i], first);
	}
	if (wildcard) {
		sub->wildcard = true;
		judge_all(s, type);
	}
	return OK;
}

static void
end_wildcard(struct sub *sub)
{
	struct list unnamed;
	struct slice name;
	void *value;

	sub->wildcard = false;
	list_init(&unnamed);
	for (size_t i = 0; map_next(&sub->entries, &i, &name, &value);) {
		struct entry *e = value;

		if (e->named)
			continue;
		list_remove(&e->due);
		list_push_back(&unnamed, &e->due);
	}
	LIST_EACH (&unnamed, it)
		entry_remove(sub, CONTAINER(it, struct entry, due));
}

static void
unsubscribe(struct xds_server_stream *s, size_t type,
    const struct codec_delta_request *m)
{
	struct sub *sub = &s->subs[type];

	for (size_t i = 0; i < m->unsubscribe_count; i++) {
		struct entry *e = map_get(&sub->entries, m->unsubscribe[i]);

		if (is_wildcard(m->unsubscribe[i])) {
			end_wildcard(sub);
		} else if (e != NULL && e->named && sub->wildcard) {
			/* It still has it by the wildcard, or not: say so. */
			e->named = false;
			sub->named--;
			set_due(sub, e, /* force */ true);
		} else if (e != NULL && e->named) {
			entry_remove(sub, e);
		}
	}
}

enum err
xds_server_stream_request(struct xds_server_stream *s,
    const struct codec_delta_request *m, struct fault *why)
{
	size_t type = source_type_find(s->source, m->type_url);
	struct sub *sub = &s->subs[MIN(type, (size_t)XDS_TYPES_MAX - 1)];
	bool first;
	enum err e = OK;

	if (type == s->source->type_count)
		return fault_set(why, ERR_UNSUPPORTED,
		    "resources of type %.*s are not supported yet",
		    SLICE_ARG(slice_sub(m->type_url, 0, 200)));
	first = !sub->active;
	sub->active = true;
	if (first) {
		sub->must_answer = true;
		e = take_initial(sub, m, why);
	}
	if (sub->waiting && slice_eq(m->response_nonce, slice_str(sub->nonce)))
		settle(s, type, m);
	if (e == OK)
		unsubscribe(s, type, m);
	if (e == OK)
		e = subscribe(s, type, m, first, why);
	if (e == OK && m->subscribe_count + m->unsubscribe_count > 0 &&
	    s->ops->on_names != NULL)
		e = s->ops->on_names(s->arg, m->type_url, why);
	if (e == OK)
		flush(s, type);
	return e;
}

/* --- the stream ----------------------------------------------------------- */

struct xds_server_stream *
xds_server_stream_new(
    struct xds_source *source, const struct xds_server_ops *ops, void *arg)
{
	struct xds_server_stream *s = mem_new(sizeof(*s));

	s->source = source;
	s->ops = ops;
	s->arg = arg;
	for (size_t i = 0; i < XDS_TYPES_MAX; i++) {
		list_init(&s->subs[i].due);
		list_init(&s->subs[i].flight);
	}
	list_push_back(&source->streams, &s->link);
	return s;
}

void
xds_server_stream_free(struct xds_server_stream **sp)
{
	struct xds_server_stream *s = TAKE(*sp);

	if (s == NULL)
		return;
	list_remove(&s->link);
	for (size_t i = 0; i < XDS_TYPES_MAX; i++)
		map_fini(&s->subs[i].entries, entry_drop);
	mem_free(&s);
}

void
xds_server_stream_refilter(struct xds_server_stream *s, struct slice type_url)
{
	size_t type = source_type_find(s->source, type_url);

	if (type < s->source->type_count && s->subs[type].active)
		judge_all(s, type);
}

void
xds_server_stream_refilter_name(
    struct xds_server_stream *s, struct slice type_url, struct slice name)
{
	size_t type = source_type_find(s->source, type_url);

	if (type < s->source->type_count && s->subs[type].active)
		judge(s, type, name);
}

void
xds_server_stream_each_name(const struct xds_server_stream *s,
    struct slice type_url, void (*each)(void *arg, struct slice name),
    void *arg)
{
	size_t type = source_type_find(s->source, type_url);
	struct slice name;
	void *value;

	if (type == s->source->type_count)
		return;
	for (size_t i = 0; map_next(&s->subs[type].entries, &i, &name, &value);)
		if (((const struct entry *)value)->named)
			each(arg, name);
}

void
xds_server_stream_each(const struct xds_server_stream *s,
    void (*each)(void *arg, const struct xds_status *status), void *arg)
{
	for (size_t t = 0; t < s->source->type_count; t++) {
		struct slice name;
		void *value;

		for (size_t i = 0;
		     map_next(&s->subs[t].entries, &i, &name, &value);) {
			const struct entry *e = value;
			struct xds_status status = status_of(s, t, e);

			if (e->version_len > 0)
				each(arg, &status);
		}
	}
}

static bool
is_quiet(const struct sub *sub)
{
	return !sub->waiting && !sub->must_answer && list_empty(&sub->due);
}

bool
xds_server_stream_is_quiet(const struct xds_server_stream *s)
{
	for (size_t i = 0; i < s->source->type_count; i++)
		if (!is_quiet(&s->subs[i]))
			return false;
	return true;
}

bool
xds_server_stream_is_settled(
    const struct xds_server_stream *s, struct slice type_url)
{
	size_t type = source_type_find(s->source, type_url);

	return type < s->source->type_count && s->subs[type].active &&
	       is_quiet(&s->subs[type]);
}
