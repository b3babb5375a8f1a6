/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client — what is wanted, what is in force, and a stream that comes and goes.
 */
#include "client.h"

struct client_item *
client_item_new(struct slice name, struct slice version, struct slice body)
{
	struct client_item *i =
	    mem_new(sizeof(*i) + name.len + version.len + body.len);
	const struct slice parts[] = {name, version, body};
	struct slice *const places[] = {&i->name, &i->version, &i->body};
	char *at = i->text;

	for (size_t n = 0; n < ARRAY_LEN(parts); n++) {
		*places[n] = slice_of(at, parts[n].len);
		if (parts[n].len > 0)
			memcpy(at, parts[n].ptr, parts[n].len);
		at += parts[n].len;
	}
	return i;
}

void
client_item_drop(void *item)
{
	mem_free(&item);
}

void
client_item_set(struct map *m, struct slice name, struct client_item *item)
{
	struct client_item *old =
	    item != NULL ? map_put(m, name, item) : map_remove(m, name);

	mem_free(&old);
}

bool
client_wants(const struct client_type *t, struct slice name)
{
	return t->wildcard || map_get(&t->names, name) != NULL;
}

void
client_send(struct xds_client *c, struct codec_delta_request *m)
{
	if (!c->introduced) {
		m->node_id = slice_str(c->node_id);
		m->node_cluster = slice_str(c->node_cluster);
	}
	c->introduced = true;
	c->ops->send(c->arg, m);
}

struct xds_client *
xds_client_new(const struct xds_client_ops *ops, void *arg,
    struct slice node_id, struct slice node_cluster)
{
	struct xds_client *c = mem_new(sizeof(*c));

	c->ops = ops;
	c->arg = arg;
	c->node_id = mem_strndup(node_id.ptr, node_id.len);
	c->node_cluster = mem_strndup(node_cluster.ptr, node_cluster.len);
	list_init(&c->updates);
	return c;
}

static void
type_fini(struct client_type *t)
{
	map_fini(&t->names, NULL);
	map_fini(&t->held, client_item_drop);
	map_fini(&t->refused, client_item_drop);
	mem_free(&t->url);
}

void
xds_client_free(struct xds_client **cp)
{
	struct xds_client *c = TAKE(*cp);

	if (c == NULL)
		return;
	client_orphan_updates(c);
	for (size_t i = 0; i < c->type_count; i++)
		type_fini(&c->types[i]);
	mem_free(&c->node_id);
	mem_free(&c->node_cluster);
	mem_free(&c);
}

/* --- subscriptions -------------------------------------------------------- */

static struct client_type *
find(struct xds_client *c, struct slice type_url)
{
	for (size_t i = 0; i < c->type_count; i++)
		if (slice_eq(slice_str(c->types[i].url), type_url))
			return &c->types[i];
	return NULL;
}

bool
xds_client_has(
    const struct xds_client *c, struct slice type_url, struct slice name)
{
	for (size_t i = 0; i < c->type_count; i++)
		if (slice_eq(slice_str(c->types[i].url), type_url))
			return map_get(&c->types[i].held, name) != NULL;
	return false;
}

static struct client_type *
find_or_add(struct xds_client *c, struct slice type_url)
{
	struct client_type *t = find(c, type_url);

	if (t != NULL || c->type_count == XDS_TYPES_MAX)
		return t;
	t = &c->types[c->type_count++];
	t->url = mem_strndup(type_url.ptr, type_url.len);
	return t;
}

enum err
xds_client_add_type(struct xds_client *c, struct slice type_url)
{
	return find_or_add(c, type_url) != NULL ? OK : ERR_LIMIT;
}

static void
send_first(struct xds_client *c, const struct client_type *t)
{
	size_t names = t->names.count + 1;
	struct slice *subscribe = mem_new_array(names, sizeof(*subscribe));
	struct codec_delta_version *initial =
	    mem_new_array(t->held.count + 1, sizeof(*initial));
	struct codec_delta_request m = {.type_url = slice_str(t->url),
	    .subscribe = subscribe,
	    .initial = initial};
	struct slice name;
	void *value;

	if (t->wildcard)
		subscribe[m.subscribe_count++] = S("*");
	for (size_t i = 0; map_next(&t->names, &i, &name, &value);)
		subscribe[m.subscribe_count++] = name;
	for (size_t i = 0; map_next(&t->held, &i, &name, &value);) {
		const struct client_item *item = value;

		initial[m.initial_count++] =
		    (struct codec_delta_version){item->name, item->version};
	}
	client_send(c, &m);
	mem_free(&subscribe);
	mem_free(&initial);
}

/*
 * The first message of a type on a stream. The server goes by it, so it waits
 * until what came on the stream before is part of the set. What is refused and
 * still there comes again; what is gone or right by now does not.
 */
void
client_announce(struct xds_client *c, struct client_type *t)
{
	if (!c->connected || t->announced || t->open > 0 ||
	    (!t->wildcard && t->names.count == 0))
		return;
	t->announced = true;
	map_fini(&t->refused, client_item_drop);
	send_first(c, t);
}

static void
send_change(struct xds_client *c, const struct client_type *t,
    struct slice name, bool add)
{
	struct slice what = name.len == 0 ? S("*") : name;
	struct codec_delta_request m = {.type_url = slice_str(t->url)};

	if (add) {
		m.subscribe = &what;
		m.subscribe_count = 1;
	} else {
		m.unsubscribe = &what;
		m.unsubscribe_count = 1;
	}
	client_send(c, &m);
}

enum err
xds_client_subscribe(
    struct xds_client *c, struct slice type_url, struct slice name)
{
	struct client_type *t = find_or_add(c, type_url);

	if (t == NULL || t->names.count >= XDS_NAMES_MAX ||
	    name.len > XDS_NAME_MAX)
		return ERR_LIMIT;
	if (name.len == 0 ? t->wildcard : map_get(&t->names, name) != NULL)
		return OK;
	if (name.len == 0)
		t->wildcard = true;
	else
		map_put(&t->names, name, t);
	if (c->connected && t->announced)
		send_change(c, t, name, /* add */ true);
	else
		client_announce(c, t);
	return OK;
}

/* Takes out of the map what nobody wants; the names are collected first. */
static void
drop_unwanted(struct client_type *t, struct map *m)
{
	struct client_item **drop = mem_new_array(m->count + 1, sizeof(*drop));
	size_t n = 0;
	struct slice name;
	void *value;

	for (size_t i = 0; map_next(m, &i, &name, &value);)
		if (!client_wants(t, name))
			drop[n++] = value;
	for (size_t i = 0; i < n; i++)
		client_item_set(m, drop[i]->name, NULL);
	mem_free(&drop);
}

void
xds_client_unsubscribe(
    struct xds_client *c, struct slice type_url, struct slice name)
{
	struct client_type *t = find(c, type_url);

	if (t == NULL)
		return;
	if (name.len == 0 ? !t->wildcard : map_get(&t->names, name) == NULL)
		return;
	/* `name` may lie in what is dropped. */
	if (c->connected && t->announced)
		send_change(c, t, name, /* add */ false);
	if (name.len == 0)
		t->wildcard = false;
	else
		(void)map_remove(&t->names, name); /* the type itself */
	drop_unwanted(t, &t->held);
	drop_unwanted(t, &t->refused);
	client_prune_updates(c, t);
}

/* --- the stream ----------------------------------------------------------- */

void
xds_client_connected(struct xds_client *c)
{
	CHECK(!c->connected);
	c->connected = true;
	c->introduced = false;
	c->generation++;
	for (size_t i = 0; i < c->type_count; i++)
		client_announce(c, &c->types[i]);
}

void
xds_client_disconnected(struct xds_client *c)
{
	c->connected = false;
	c->generation++;
	for (size_t i = 0; i < c->type_count; i++)
		c->types[i].answered = c->types[i].announced = false;
}

bool
xds_client_is_synced(const struct xds_client *c)
{
	if (!c->connected || !list_empty(&c->updates))
		return false;
	for (size_t i = 0; i < c->type_count; i++) {
		const struct client_type *t = &c->types[i];

		if (!t->answered && (t->wildcard || t->names.count > 0))
			return false;
	}
	return true;
}

/* --- the set -------------------------------------------------------------- */

enum err
xds_client_restore(struct xds_client *c, const struct xds_resource *r)
{
	struct client_type *t = find_or_add(c, r->type_url);
	struct client_item *item;

	if (t == NULL || t->held.count >= XDS_NAMES_MAX ||
	    r->name.len > XDS_NAME_MAX || r->version.len > XDS_VERSION_MAX)
		return ERR_LIMIT;
	if (r->name.len == 0 || r->version.len == 0)
		return ERR_INVALID;
	item = client_item_new(r->name, r->version, r->body);
	client_item_set(&t->held, item->name, item);
	return OK;
}

void
xds_client_each(const struct xds_client *c,
    void (*each)(void *arg, const struct xds_resource *r), void *arg)
{
	struct slice name;
	void *value;

	for (size_t t = 0; t < c->type_count; t++)
		for (size_t i = 0;
		     map_next(&c->types[t].held, &i, &name, &value);) {
			const struct client_item *item = value;
			struct xds_resource r = {
			    .type_url = slice_str(c->types[t].url),
			    .name = item->name,
			    .version = item->version,
			    .body = item->body,
			};

			each(arg, &r);
		}
}

void
xds_client_each_refused(const struct xds_client *c,
    void (*each)(void *arg, const struct xds_status *status), void *arg)
{
	struct slice name;
	void *value;

	for (size_t t = 0; t < c->type_count; t++)
		for (size_t i = 0;
		     map_next(&c->types[t].refused, &i, &name, &value);) {
			const struct client_item *item = value;
			struct xds_status status = {
			    .type_url = slice_str(c->types[t].url),
			    .name = item->name,
			    .version = item->version,
			    .state = XDS_REFUSED,
			    .reason = item->body,
			};

			each(arg, &status);
		}
}
