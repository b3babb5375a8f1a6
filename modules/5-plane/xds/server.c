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
 *
 * An entry follows its name's topic in the source, from when the client asks
 * for it or is sent it until the client has let go of it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "source.h"

enum { NONCE_LEN = 24 };

struct sub;

/* One name of one type with this client. */
struct entry {
	struct list follow; /* in its topic */
	struct list due;    /* linked: to be looked at by the next flush */
	struct list flight; /* linked: in the response that is unanswered */
	struct sub *sub;
	struct topic *topic;
	uint64_t due_stamp;  /* of the oldest change that is due; 0: none */
	uint64_t sent_stamp; /* the same, of what is unanswered */
	struct slice reason; /* own memory */
	char *version;       /* NULL: the client has none */
	size_t version_len;
	enum xds_state state;
	bool named; /* subscribed by its name */
	bool force; /* answer even if nothing changed */
};

/* One type with this client. */
struct sub {
	struct xds_server_stream *stream;
	size_t type;
	struct list everyone; /* in the source, if it hears of every name */
	bool active;          /* was asked for */
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
	struct list link; /* in the source, while anything is to be done */
	struct xds_source *source;
	const struct xds_server_ops *ops;
	void *arg;
	bool held;          /* nothing is sent */
	uint64_t responses; /* so far: the nonce */
	struct sub subs[];  /* one for each type of the source */
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
	return topic_name(e->topic);
}

static struct slice
entry_version(const struct entry *e)
{
	return slice_of(e->version, e->version_len);
}

static bool
is_linked(const struct list *link)
{
	return link->next != NULL && !list_empty(link);
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
	bool is_one = version.len > 0 && version.len <= XDS_VERSION_MAX;

	mem_free(&e->version);
	e->version_len = is_one ? version.len : 0;
	if (is_one)
		e->version = mem_strndup(version.ptr, version.len);
}

static struct entry *
entry_get(struct sub *sub, struct slice name)
{
	struct entry *e = map_get(&sub->entries, name);

	if (e != NULL)
		return e;
	e = mem_new(sizeof(*e));
	e->sub = sub;
	e->topic = source_topic(sub->stream->source, sub->type, name);
	list_push_back(&e->topic->followers, &e->follow);
	(void)map_put(&sub->entries, name, e); /* it was not there */
	return e;
}

static void
entry_drop(void *value)
{
	struct entry *e = value;
	struct sub *sub = e->sub;

	list_remove(&e->due);
	list_remove(&e->flight);
	list_remove(&e->follow);
	source_topic_left(sub->stream->source, sub->type, e->topic);
	set_reason(e, SLICE_NONE);
	mem_free(&e->version);
	mem_free(&e);
}

static void
entry_remove(struct entry *e)
{
	struct sub *sub = e->sub;

	if (e->named)
		sub->named--;
	(void)map_remove(&sub->entries, entry_name(e)); /* it is e */
	entry_drop(e);
}

/* The next flush of the source looks at the stream. */
static void
touch(struct xds_server_stream *s)
{
	if (!is_linked(&s->link))
		list_push_back(&s->source->due, &s->link);
}

/* Keeps its place if it waits already. */
static void
set_due(struct entry *e, bool force)
{
	struct xds_server_stream *s = e->sub->stream;

	e->force |= force;
	if (e->due_stamp == 0)
		e->due_stamp = s->source->stamp;
	if (!is_linked(&e->due))
		list_push_back(&e->sub->due, &e->due);
	touch(s);
}

static bool
is_wanted(
    const struct sub *sub, const struct entry *e, const struct xds_resource *r)
{
	const struct xds_server_stream *s = sub->stream;

	if (!(sub->wildcard || (e != NULL && e->named)))
		return false;
	return s->ops->concerns == NULL || s->ops->concerns(s->arg, r);
}

/* Marks the name as due if the client must hear of it. */
static void
judge(struct sub *sub, struct slice name)
{
	struct entry *e = map_get(&sub->entries, name);
	struct xds_resource r;
	bool wanted = source_item(sub->stream->source, sub->type, name, &r) &&
		      is_wanted(sub, e, &r);

	if (!wanted && (e == NULL || e->version_len == 0))
		return;
	set_due(entry_get(sub, name), /* force */ false);
}

static void
judge_all(struct sub *sub)
{
	struct slice name;
	void *value;

	/* What the client has and nobody wants any more; entries stay. */
	for (size_t i = 0; map_next(&sub->entries, &i, &name, &value);) {
		struct entry *e = value;

		if (e->version_len > 0)
			set_due(e, /* force */ false);
	}
	for (size_t i = 0;
	     source_next_name(sub->stream->source, sub->type, &i, &name);)
		judge(sub, name);
}

void
server_follower_changed(struct list *follower)
{
	struct entry *e = CONTAINER(follower, struct entry, follow);

	judge(e->sub, entry_name(e));
}

void
server_everyone_changed(struct list *everyone, size_t type, struct slice name)
{
	struct sub *sub = CONTAINER(everyone, struct sub, everyone);

	CHECK(sub->type == type);
	if (map_get(&sub->entries, name) == NULL) /* else it follows */
		judge(sub, name);
}

/* --- responses ------------------------------------------------------------ */

/* A response that is being put together; texts are borrowed until it is sent.
 */
struct draft {
	struct codec_delta_resource *resources;
	size_t resource_count;
	struct slice *removed;
	size_t removed_count;
	size_t bytes;
};

static void
draft_init(struct draft *d, const struct sub *sub)
{
	size_t room = 0;

	LIST_EACH (&sub->due, it)
		if (++room == XDS_RESPONSE_ITEMS)
			break;
	*d = (struct draft){0};
	d->resources = mem_new_array(MAX(room, 1), sizeof(*d->resources));
	d->removed = mem_new_array(MAX(room, 1), sizeof(*d->removed));
}

static void
draft_fini(struct draft *d)
{
	mem_free(&d->resources);
	mem_free(&d->removed);
}

static bool
draft_is_full(const struct draft *d)
{
	return d->resource_count + d->removed_count == XDS_RESPONSE_ITEMS ||
	       d->bytes >= XDS_RESPONSE_BYTES;
}

/* No room: it is due again, with the next response. */
static void
put_off(struct draft *d, struct entry *e, uint64_t stamp)
{
	set_due(e, /* force */ true);
	e->due_stamp = stamp;
	d->bytes = XDS_RESPONSE_BYTES;
}

static void
send_entry(struct entry *e, struct slice version, uint64_t stamp)
{
	set_version(e, version);
	set_reason(e, SLICE_NONE);
	e->state = XDS_SENT;
	e->sent_stamp = stamp;
	list_push_back(&e->sub->flight, &e->flight);
}

static void
draft_resource(struct draft *d, struct entry *e, const struct xds_resource *r,
    uint64_t stamp)
{
	struct slice body;

	if (source_body(e->sub->stream->source, e->topic, r, &body) != OK) {
		put_off(d, e, stamp);
		return;
	}
	d->resources[d->resource_count++] = (struct codec_delta_resource){
	    r->name, r->version, r->type_url, body};
	d->bytes += r->name.len + body.len;
	send_entry(e, r->version, stamp);
}

static void
draft_removal(struct draft *d, struct entry *e, uint64_t stamp)
{
	d->removed[d->removed_count++] = entry_name(e);
	d->bytes += entry_name(e).len;
	send_entry(e, SLICE_NONE, stamp);
}

static void
draft_entry(struct draft *d, struct entry *e)
{
	struct sub *sub = e->sub;
	struct xds_resource r;
	bool is_there =
	    source_item(sub->stream->source, sub->type, entry_name(e), &r);
	bool force = e->force;
	uint64_t stamp = e->due_stamp;

	list_remove(&e->due);
	e->force = false;
	e->due_stamp = 0;
	if (is_there && is_wanted(sub, e, &r)) {
		if (force || !slice_eq(entry_version(e), r.version))
			draft_resource(d, e, &r, stamp);
	} else if (force || e->version_len > 0) {
		draft_removal(d, e, stamp);
	} else if (!e->named) {
		entry_remove(e);
	}
}

static void
send_draft(struct sub *sub, const struct draft *d)
{
	struct xds_server_stream *s = sub->stream;
	struct codec_delta_response m = {
	    .type_url = slice_str(s->source->types[sub->type].url),
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
flush(struct sub *sub)
{
	struct entry *e;
	struct draft d;

	if (!sub->active || sub->waiting || sub->stream->held ||
	    (list_empty(&sub->due) && !sub->must_answer))
		return;
	draft_init(&d, sub);
	while (!draft_is_full(&d) &&
	       (e = LIST_FIRST(&sub->due, struct entry, due)) != NULL)
		draft_entry(&d, e);
	if (d.resource_count + d.removed_count > 0 || sub->must_answer)
		send_draft(sub, &d);
	draft_fini(&d);
	source_forget(sub->stream->source, XDS_MADE_BYTES);
}

void
server_stream_flush(struct list *link)
{
	struct xds_server_stream *s =
	    CONTAINER(link, struct xds_server_stream, link);

	list_remove(&s->link);
	for (size_t i = 0; i < s->source->type_count; i++)
		flush(&s->subs[i]);
	if (s->ops->on_flushed != NULL)
		s->ops->on_flushed(s->arg);
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
status_of(const struct entry *e)
{
	const struct sub *sub = e->sub;

	return (struct xds_status){
	    .type_url = slice_str(sub->stream->source->types[sub->type].url),
	    .name = entry_name(e),
	    .version = entry_version(e),
	    .state = e->state,
	    .reason = e->reason,
	    .stamp = e->sent_stamp,
	};
}

static void
settle_entry(struct entry *e, const struct codec_delta_request *m)
{
	const struct xds_server_stream *s = e->sub->stream;
	struct slice reason;
	bool refused = is_refused(m, e, &reason);
	struct xds_status status;

	list_remove(&e->flight);
	e->state = refused ? XDS_REFUSED : XDS_ACKED;
	set_reason(e, refused ? reason : SLICE_NONE);
	status = status_of(e);
	e->sent_stamp = 0;
	if (s->ops->on_status != NULL)
		s->ops->on_status(s->arg, &status);
	/* The client has let go of it. */
	if (e->version_len == 0 && !e->named && !is_linked(&e->due))
		entry_remove(e);
}

static void
settle(struct sub *sub, const struct codec_delta_request *m)
{
	struct xds_server_stream *s = sub->stream;
	struct entry *e;

	/* No flush fills the list anew before it is empty. */
	while ((e = LIST_FIRST(&sub->flight, struct entry, flight)) != NULL)
		settle_entry(e, m);
	sub->waiting = false;
	touch(s);
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
		set_due(e, e->version_len == 0);
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
	set_due(e, /* force */ !(first && e->version_len > 0));
}

static void
begin_wildcard(struct sub *sub)
{
	struct source_type *t = &sub->stream->source->types[sub->type];

	sub->wildcard = true;
	if (!t->by_owner && !is_linked(&sub->everyone))
		list_push_back(&t->everyone, &sub->everyone);
	judge_all(sub);
}

static enum err
subscribe(struct sub *sub, const struct codec_delta_request *m, bool first,
    struct fault *why)
{
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
	if (wildcard)
		begin_wildcard(sub);
	return OK;
}

static void
end_wildcard(struct sub *sub)
{
	struct list unnamed;
	struct slice name;
	void *value;

	sub->wildcard = false;
	list_remove(&sub->everyone);
	list_init(&unnamed);
	for (size_t i = 0; map_next(&sub->entries, &i, &name, &value);) {
		struct entry *e = value;

		if (e->named)
			continue;
		list_remove(&e->due);
		list_push_back(&unnamed, &e->due);
	}
	LIST_EACH (&unnamed, it)
		entry_remove(CONTAINER(it, struct entry, due));
}

static void
unsubscribe(struct sub *sub, const struct codec_delta_request *m)
{
	for (size_t i = 0; i < m->unsubscribe_count; i++) {
		struct entry *e = map_get(&sub->entries, m->unsubscribe[i]);

		if (is_wildcard(m->unsubscribe[i])) {
			end_wildcard(sub);
		} else if (e != NULL && e->named && sub->wildcard) {
			/* It still has it by the wildcard, or not: say so. */
			e->named = false;
			sub->named--;
			set_due(e, /* force */ true);
		} else if (e != NULL && e->named) {
			entry_remove(e);
		}
	}
}

/* The client's first word on the type. */
static enum err
begin(struct sub *sub, const struct codec_delta_request *m, struct fault *why)
{
	sub->active = true;
	sub->must_answer = true;
	touch(sub->stream);
	return take_initial(sub, m, why);
}

enum err
xds_server_stream_request(struct xds_server_stream *s,
    const struct codec_delta_request *m, struct fault *why)
{
	size_t type = source_type_find(s->source, m->type_url);
	struct sub *sub = &s->subs[type];
	bool first;
	enum err e = OK;

	if (type == s->source->type_count)
		return fault_set(why, ERR_UNSUPPORTED,
		    "resources of type %.*s are not supported yet",
		    SLICE_ARG(slice_sub(m->type_url, 0, 200)));
	first = !sub->active;
	if (first)
		e = begin(sub, m, why);
	if (sub->waiting && slice_eq(m->response_nonce, slice_str(sub->nonce)))
		settle(sub, m);
	if (e == OK)
		unsubscribe(sub, m);
	if (e == OK)
		e = subscribe(sub, m, first, why);
	if (e == OK && m->subscribe_count + m->unsubscribe_count > 0 &&
	    s->ops->on_names != NULL)
		e = s->ops->on_names(s->arg, m->type_url, why);
	if (e == OK)
		flush(sub);
	return e;
}

/* --- the stream ----------------------------------------------------------- */

struct xds_server_stream *
xds_server_stream_new(
    struct xds_source *source, const struct xds_server_ops *ops, void *arg)
{
	struct xds_server_stream *s =
	    mem_new(sizeof(*s) + source->type_count * sizeof(s->subs[0]));

	s->source = source;
	s->ops = ops;
	s->arg = arg;
	for (size_t i = 0; i < source->type_count; i++) {
		s->subs[i].stream = s;
		s->subs[i].type = i;
		list_init(&s->subs[i].due);
		list_init(&s->subs[i].flight);
	}
	source->streams++;
	return s;
}

void
xds_server_stream_free(struct xds_server_stream **sp)
{
	struct xds_server_stream *s = TAKE(*sp);

	if (s == NULL)
		return;
	list_remove(&s->link);
	for (size_t i = 0; i < s->source->type_count; i++) {
		list_remove(&s->subs[i].everyone);
		map_fini(&s->subs[i].entries, entry_drop);
	}
	s->source->streams--;
	mem_free(&s);
}

/* NULL for a type that there is none of, or that was not asked for. */
static struct sub *
active_sub(struct xds_server_stream *s, struct slice type_url)
{
	size_t type = source_type_find(s->source, type_url);

	return type < s->source->type_count && s->subs[type].active
		   ? &s->subs[type]
		   : NULL;
}

void
xds_server_stream_refilter(struct xds_server_stream *s, struct slice type_url)
{
	struct sub *sub = active_sub(s, type_url);

	if (sub != NULL)
		judge_all(sub);
}

void
xds_server_stream_refilter_name(
    struct xds_server_stream *s, struct slice type_url, struct slice name)
{
	struct sub *sub = active_sub(s, type_url);

	if (sub != NULL)
		judge(sub, name);
}

void
xds_server_stream_hold(struct xds_server_stream *s, bool held)
{
	s->held = held;
	if (!held)
		touch(s);
}

bool
xds_server_stream_has(
    const struct xds_server_stream *s, struct slice type_url, struct slice name)
{
	size_t type = source_type_find(s->source, type_url);
	const struct entry *e = type < s->source->type_count
				    ? map_get(&s->subs[type].entries, name)
				    : NULL;

	return e != NULL && e->version_len > 0;
}

static void
count_pending(uint64_t stamp, size_t *count, uint64_t *oldest)
{
	++*count;
	if (stamp != 0 && (*oldest == 0 || stamp < *oldest))
		*oldest = stamp;
}

size_t
xds_server_stream_pending(
    const struct xds_server_stream *s, uint64_t *out_oldest)
{
	size_t count = 0;

	*out_oldest = 0;
	for (size_t i = 0; i < s->source->type_count; i++) {
		const struct sub *sub = &s->subs[i];

		LIST_EACH (&sub->due, it)
			count_pending(
			    CONTAINER(it, struct entry, due)->due_stamp, &count,
			    out_oldest);
		LIST_EACH (&sub->flight, it)
			count_pending(
			    CONTAINER(it, struct entry, flight)->sent_stamp,
			    &count, out_oldest);
	}
	return count;
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
			struct xds_status status = status_of(e);

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
