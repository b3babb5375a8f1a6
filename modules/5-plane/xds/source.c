/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source — the resources of each type, and who follows which of them.
 */
#include "source.h"
#include "patch.h"

/* There may be very many, of which few are looked at; the name is the map's. */
struct source_item {
	size_t version_len;
	size_t body_len;
	char text[]; /* the version, the body */
};

static struct source_item *
item_new(const struct xds_resource *r)
{
	struct source_item *item =
	    mem_new(sizeof(*item) + r->version.len + r->body.len);

	item->version_len = r->version.len;
	item->body_len = r->body.len;
	memcpy(item->text, r->version.ptr, r->version.len);
	if (r->body.len > 0)
		memcpy(item->text + r->version.len, r->body.ptr, r->body.len);
	return item;
}

static void
item_drop(void *value)
{
	struct source_item *item = value;

	mem_free(&item);
}

struct xds_source *
xds_source_new(xds_body_cb body, void *arg)
{
	struct xds_source *s = mem_new(sizeof(*s));

	s->body = body;
	s->arg = arg;
	list_init(&s->due);
	list_init(&s->made);
	return s;
}

void
xds_source_free(struct xds_source **sp)
{
	struct xds_source *s = TAKE(*sp);

	if (s == NULL)
		return;
	CHECK(s->streams == 0);
	for (size_t i = 0; i < s->type_count; i++) {
		map_fini(&s->types[i].items, item_drop);
		map_fini(&s->types[i].topics, NULL); /* none is left */
		mem_free(&s->types[i].url);
	}
	mem_free(&s);
}

size_t
source_type_find(const struct xds_source *s, struct slice type_url)
{
	size_t i = 0;

	while (i < s->type_count &&
	       !slice_eq(slice_str(s->types[i].url), type_url))
		i++;
	return i;
}

void
xds_source_add_type(
    struct xds_source *s, struct slice type_url, enum xds_audience who)
{
	struct source_type *t;

	if (source_type_find(s, type_url) < s->type_count)
		return;
	CHECK(s->type_count < XDS_TYPES_MAX);
	t = &s->types[s->type_count++];
	t->url = mem_strndup(type_url.ptr, type_url.len);
	t->by_owner = who == XDS_TOLD_BY_OWNER;
	list_init(&t->everyone);
}

void
xds_source_stamp(struct xds_source *s, uint64_t stamp)
{
	s->stamp = stamp;
}

bool
source_item(const struct xds_source *s, size_t type, struct slice name,
    struct xds_resource *out)
{
	const struct source_item *item = map_get(&s->types[type].items, name);

	if (item == NULL)
		return false;
	*out = (struct xds_resource){.type_url = slice_str(s->types[type].url),
	    .name = name,
	    .version = slice_of(item->text, item->version_len),
	    .body = slice_of(item->text + item->version_len, item->body_len)};
	return true;
}

bool
source_next_name(const struct xds_source *s, size_t type, size_t *cursor,
    struct slice *out_name)
{
	void *value;

	return map_next(&s->types[type].items, cursor, out_name, &value);
}

/* --- topics and bodies ---------------------------------------------------- */

static void
forget_made(struct xds_source *s, struct made *m)
{
	s->made_bytes -= m->len;
	mem_free(&m->bytes);
	m->len = 0;
}

/* Copies. */
static void
keep_made(
    struct xds_source *s, struct topic *t, struct made *m, struct slice bytes)
{
	forget_made(s, m);
	m->bytes = mem_strndup(bytes.ptr, bytes.len);
	m->len = bytes.len;
	s->made_bytes += m->len;
	if (!list_is_linked(&t->made))
		list_push_back(&s->made, &t->made);
}

/* It is another now. */
static void
forget_body(struct xds_source *s, struct topic *t)
{
	forget_made(s, &t->body);
	forget_made(s, &t->patch);
}

static void
forget_all(struct xds_source *s, struct topic *t)
{
	forget_body(s, t);
	forget_made(s, &t->base);
	t->base_version_len = 0;
	list_remove(&t->made);
}

void
source_forget(struct xds_source *s, size_t bytes)
{
	struct topic *t;

	while (s->made_bytes > bytes &&
	       (t = LIST_FIRST(&s->made, struct topic, made)) != NULL)
		forget_all(s, t);
}

void
xds_source_forget(struct xds_source *s)
{
	source_forget(s, 0);
}

static enum err
make_body(struct xds_source *s, struct topic *t, const struct xds_resource *r)
{
	AUTO(buf_fini) struct buf text = BUF(LIMIT_GRPC_MESSAGE);
	enum err e = s->body(s->arg, r, &text);

	if (e == OK)
		keep_made(s, t, &t->body, buf_slice(&text));
	return e;
}

enum err
source_body(struct xds_source *s, struct topic *t, const struct xds_resource *r,
    struct slice *out)
{
	enum err e = OK;

	if (r->body.len > 0 || s->body == NULL) {
		*out = r->body;
		return OK;
	}
	if (t->body.bytes == NULL)
		e = make_body(s, t, r);
	if (e == OK)
		*out = slice_of(t->body.bytes, t->body.len);
	return e;
}

static void
make_patch(struct xds_source *s, struct topic *t, struct slice body)
{
	AUTO(buf_fini) struct buf text = BUF(body.len / 2);

	if (patch_make(slice_of(t->base.bytes, t->base.len), body, &text) == OK)
		keep_made(s, t, &t->patch, buf_slice(&text));
	else
		t->base_version_len = 0; /* it is not asked for again */
}

bool
source_patch(struct xds_source *s, struct topic *t,
    const struct xds_resource *r, struct slice version, struct slice *out)
{
	struct slice body;

	if (t->base_version_len == 0 ||
	    !slice_eq(
		version, slice_of(t->base_version, t->base_version_len)) ||
	    source_body(s, t, r, &body) != OK)
		return false;
	if (t->patch.bytes == NULL)
		make_patch(s, t, body);
	*out = slice_of(t->patch.bytes, t->patch.len);
	return t->patch.bytes != NULL;
}

bool
xds_source_is_followed(
    const struct xds_source *s, struct slice type_url, struct slice name)
{
	size_t type = source_type_find(s, type_url);

	return type < s->type_count &&
	       map_get(&s->types[type].topics, name) != NULL;
}

void
xds_source_base(struct xds_source *s, const struct xds_resource *before)
{
	size_t type = source_type_find(s, before->type_url);
	struct topic *t = type < s->type_count
			      ? map_get(&s->types[type].topics, before->name)
			      : NULL;

	if (t == NULL || before->version.len > XDS_VERSION_MAX)
		return;
	forget_made(s, &t->patch);
	keep_made(s, t, &t->base, before->body);
	t->base_version_len = before->version.len;
	memcpy(t->base_version, before->version.ptr, before->version.len);
}

struct topic *
source_topic(struct xds_source *s, size_t type, struct slice name)
{
	struct topic *t = map_get(&s->types[type].topics, name);

	if (t != NULL)
		return t;
	t = mem_new(sizeof(*t) + name.len);
	list_init(&t->followers);
	t->name_len = name.len;
	memcpy(t->name, name.ptr, name.len);
	(void)map_put(&s->types[type].topics, name, t); /* it was not there */
	return t;
}

void
source_topic_left(struct xds_source *s, size_t type, struct topic *t)
{
	if (!list_empty(&t->followers))
		return;
	forget_all(s, t);
	(void)map_remove(&s->types[type].topics, topic_name(t)); /* it is t */
	mem_free(&t);
}

/* --- changes -------------------------------------------------------------- */

static void
tell(struct xds_source *s, size_t type, struct slice name)
{
	struct topic *t = map_get(&s->types[type].topics, name);

	if (t != NULL) {
		forget_body(s, t);
		LIST_EACH (&t->followers, it)
			server_follower_changed(it);
	}
	LIST_EACH (&s->types[type].everyone, it)
		server_everyone_changed(it, type, name);
}

enum err
xds_source_put(struct xds_source *s, const struct xds_resource *r)
{
	size_t type = source_type_find(s, r->type_url);
	struct source_item *item;
	struct source_item *old;

	if (type == s->type_count)
		return ERR_NOT_FOUND;
	if (r->name.len > XDS_NAME_MAX || r->version.len > XDS_VERSION_MAX)
		return ERR_LIMIT;
	CHECK(r->name.len > 0 && r->version.len > 0);
	item = item_new(r);
	old = map_put(&s->types[type].items, r->name, item);
	mem_free(&old);
	tell(s, type, r->name);
	return OK;
}

void
xds_source_remove(
    struct xds_source *s, struct slice type_url, struct slice name)
{
	size_t type = source_type_find(s, type_url);
	struct source_item *item;

	if (type == s->type_count)
		return;
	item = map_remove(&s->types[type].items, name);
	if (item == NULL)
		return;
	mem_free(&item);
	tell(s, type, name);
}

bool
xds_source_get(const struct xds_source *s, struct slice type_url,
    struct slice name, struct xds_resource *out)
{
	size_t type = source_type_find(s, type_url);

	return type < s->type_count && source_item(s, type, name, out);
}

/* What is due while it goes on waits for the next. */
void
xds_source_flush(struct xds_source *s)
{
	struct list due;

	list_init(&due);
	LIST_EACH (&s->due, it) {
		list_remove(it);
		list_push_back(&due, it);
	}
	while (!list_empty(&due))
		server_stream_flush(due.next);
	source_forget(s, XDS_MADE_BYTES);
}
