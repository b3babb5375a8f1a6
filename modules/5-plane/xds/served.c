/* SPDX-License-Identifier: Apache-2.0 */
/*
 * served — what one client has of each type, name by name.
 */
#include "served.h"

void
entry_set_reason(struct entry *e, struct slice reason)
{
	char *old = (char *)(uintptr_t)e->reason.ptr;

	mem_free(&old);
	e->reason = SLICE_NONE;
	reason = slice_sub(reason, 0, XDS_REASON_MAX);
	if (reason.len > 0)
		e->reason =
		    slice_of(mem_strndup(reason.ptr, reason.len), reason.len);
}

void
entry_set_version(struct entry *e, struct slice version)
{
	bool is_one = version.len > 0 && version.len <= XDS_VERSION_MAX;

	mem_free(&e->version);
	e->version_len = is_one ? version.len : 0;
	if (is_one)
		e->version = mem_strndup(version.ptr, version.len);
}

struct entry *
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

void
entry_drop(void *value)
{
	struct entry *e = value;
	struct sub *sub = e->sub;

	list_remove(&e->due);
	list_remove(&e->flight);
	list_remove(&e->follow);
	source_topic_left(sub->stream->source, sub->type, e->topic);
	entry_set_reason(e, SLICE_NONE);
	mem_free(&e->version);
	mem_free(&e);
}

void
entry_remove(struct entry *e)
{
	struct sub *sub = e->sub;

	if (e->named)
		sub->named--;
	(void)map_remove(&sub->entries, entry_name(e)); /* it is e */
	entry_drop(e);
}

void
served_touch(struct xds_server_stream *s)
{
	if (!list_is_linked(&s->link))
		list_push_back(&s->source->due, &s->link);
}

void
entry_set_due(struct entry *e, bool force)
{
	struct xds_server_stream *s = e->sub->stream;

	e->force |= force;
	if (e->due_stamp == 0)
		e->due_stamp = s->source->stamp;
	if (!list_is_linked(&e->due))
		list_push_back(&e->sub->due, &e->due);
	served_touch(s);
}

bool
sub_wants(
    const struct sub *sub, const struct entry *e, const struct xds_resource *r)
{
	const struct xds_server_stream *s = sub->stream;

	if (!(sub->wildcard || (e != NULL && e->named)))
		return false;
	return s->ops->concerns == NULL || s->ops->concerns(s->arg, r);
}

void
sub_judge(struct sub *sub, struct slice name)
{
	struct entry *e = map_get(&sub->entries, name);
	struct xds_resource r;
	bool wanted = source_item(sub->stream->source, sub->type, name, &r) &&
		      sub_wants(sub, e, &r);

	if (!wanted && (e == NULL || e->version_len == 0))
		return;
	entry_set_due(entry_get(sub, name), /* force */ false);
}

void
sub_judge_all(struct sub *sub)
{
	const struct xds_source *source = sub->stream->source;
	struct slice name;
	void *value;

	/* What the client has and nobody wants any more; entries stay. */
	for (size_t i = 0; map_next(&sub->entries, &i, &name, &value);) {
		struct entry *e = value;

		if (e->version_len > 0)
			entry_set_due(e, /* force */ false);
	}
	for (size_t i = 0; !source->types[sub->type].by_owner &&
			   source_next_name(source, sub->type, &i, &name);)
		sub_judge(sub, name);
}

void
server_follower_changed(struct list *follower)
{
	struct entry *e = CONTAINER(follower, struct entry, follow);

	sub_judge(e->sub, entry_name(e));
}

void
server_everyone_changed(struct list *everyone, size_t type, struct slice name)
{
	struct sub *sub = CONTAINER(everyone, struct sub, everyone);

	CHECK(sub->type == type);
	if (map_get(&sub->entries, name) == NULL) /* else it follows */
		sub_judge(sub, name);
}
