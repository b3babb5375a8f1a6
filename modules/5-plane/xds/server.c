/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server — the server's end of one stream: what its client asks and answers.
 *
 * A nonce that is not the last one answers nothing, but what it subscribes to
 * counts all the same.
 */
#include "served.h"

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

/* Perhaps only what is different was of no use: it is sent whole. */
static void
send_whole(struct entry *e)
{
	e->patched = false;
	e->state = XDS_REFUSED;
	entry_set_due(e, /* force */ true);
	e->due_stamp = e->sent_stamp;
}

/* False: it comes once more. */
static bool
settle_entry(struct entry *e, const struct codec_delta_request *m)
{
	const struct xds_server_stream *s = e->sub->stream;
	struct slice reason;
	bool refused = is_refused(m, e, &reason);
	struct xds_status status;

	list_remove(&e->flight);
	if (refused && e->patched) {
		send_whole(e);
		return false;
	}
	e->state = refused ? XDS_REFUSED : XDS_ACKED;
	entry_set_reason(e, refused ? reason : SLICE_NONE);
	status = status_of(e);
	e->sent_stamp = 0;
	if (s->ops->on_status != NULL)
		s->ops->on_status(s->arg, &status);
	/* The client has let go of it. */
	if (e->version_len == 0 && !e->named && !list_is_linked(&e->due))
		entry_remove(e);
	return true;
}

static void
settle(struct sub *sub, const struct codec_delta_request *m)
{
	struct xds_server_stream *s = sub->stream;
	struct entry *e;
	bool all = true;

	/* No flush fills the list anew before it is empty. */
	while ((e = LIST_FIRST(&sub->flight, struct entry, flight)) != NULL)
		all &= settle_entry(e, m);
	sub->waiting = false;
	if (all)
		sub->drained = sub->drains;
	served_touch(s);
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
		entry_set_version(e, m->initial[i].version);
		e->state = XDS_ACKED;
		/* A version that we cannot compare is sent or removed. */
		entry_set_due(e, e->version_len == 0);
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
	entry_set_due(e, /* force */ !(first && e->version_len > 0));
}

static void
begin_wildcard(struct sub *sub)
{
	struct source_type *t = &sub->stream->source->types[sub->type];

	sub->wildcard = true;
	if (!t->by_owner && !list_is_linked(&sub->everyone))
		list_push_back(&t->everyone, &sub->everyone);
	sub_judge_all(sub);
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
			entry_set_due(e, /* force */ true);
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
	served_touch(sub->stream);
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
	if (e == OK && s->ops->on_names != NULL &&
	    (first || m->subscribe_count + m->unsubscribe_count > 0))
		e = s->ops->on_names(s->arg, m->type_url, why);
	if (e == OK)
		sub_flush(sub);
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
		sub_judge_all(sub);
}

void
xds_server_stream_refilter_name(
    struct xds_server_stream *s, struct slice type_url, struct slice name)
{
	struct sub *sub = active_sub(s, type_url);

	if (sub != NULL)
		sub_judge(sub, name);
}

void
xds_server_stream_hold(struct xds_server_stream *s, bool held)
{
	s->held = held;
	if (!held)
		served_touch(s);
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
xds_server_stream_had_all(const struct xds_server_stream *s)
{
	for (size_t i = 0; i < s->source->type_count; i++)
		if (s->subs[i].drained == 0 && !is_quiet(&s->subs[i]))
			return false;
	return true;
}

uint64_t
xds_server_stream_mark(const struct xds_server_stream *s, struct slice type_url)
{
	size_t type = source_type_find(s->source, type_url);

	return type < s->source->type_count ? s->subs[type].drains + 1 : 1;
}

bool
xds_server_stream_is_past(
    const struct xds_server_stream *s, struct slice type_url, uint64_t mark)
{
	size_t type = source_type_find(s->source, type_url);
	const struct sub *sub = &s->subs[type];

	return type < s->source->type_count && sub->active &&
	       (sub->drained >= mark || is_quiet(sub));
}
