/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer — what is due to one client, put together and sent.
 *
 *	QUIET --something is due--> a response --> WAITING --ACK, NACK--> QUIET
 *
 * While WAITING, changes only mark their entry as due, so any number of them
 * becomes one response when the answer is there; and the first change of a
 * QUIET type goes out at once.
 */
#include <inttypes.h>
#include <stdio.h>

#include "patch.h"
#include "served.h"

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
	entry_set_due(e, /* force */ true);
	e->due_stamp = stamp;
	d->bytes = XDS_RESPONSE_BYTES;
}

static void
send_entry(struct entry *e, struct slice version, uint64_t stamp)
{
	entry_set_version(e, version);
	entry_set_reason(e, SLICE_NONE);
	e->state = XDS_SENT;
	e->sent_stamp = stamp;
	list_push_back(&e->sub->flight, &e->flight);
}

static void
draft_resource(struct draft *d, struct entry *e, const struct xds_resource *r,
    uint64_t stamp)
{
	struct xds_source *source = e->sub->stream->source;
	struct slice type_url = S(PATCH_TYPE);
	struct slice body;

	e->patched = e->state == XDS_ACKED &&
		     source_patch(source, e->topic, r, entry_version(e), &body);
	if (!e->patched) {
		type_url = r->type_url;
		if (source_body(source, e->topic, r, &body) != OK) {
			put_off(d, e, stamp);
			return;
		}
	}
	d->resources[d->resource_count++] =
	    (struct codec_delta_resource){r->name, r->version, type_url, body};
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
	if (is_there && sub_wants(sub, e, &r)) {
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
	if (list_empty(&sub->due))
		sub->drains++;
	s->ops->send(s->arg, &m);
}

void
sub_flush(struct sub *sub)
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
		sub_flush(&s->subs[i]);
	if (s->ops->on_flushed != NULL)
		s->ops->on_flushed(s->arg);
}
