/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch_records — services that only records tell of, and that come, go or say
 * something else.
 *
 * Each is a resource of a kind of its own while patches last, so that what
 * hangs on it hangs on a renewal like that of a Service. The base's have none:
 * it is made for the few that are others than there.
 */
#include <stddef.h>

#include "patch.h"

struct record_port {
	struct message_head head;
	int64_t port;
	struct slice protocol;
	struct slice name;
};

struct record_spec {
	struct message_head head;
	struct slice origin;
	LIST_OF(struct record_port) ports;
};

static const struct field port_fields[] = {
    {.name = "port",
	.type = FIELD_INT,
	.offset = offsetof(struct record_port, port)},
    {.name = "protocol",
	.type = FIELD_STRING,
	.offset = offsetof(struct record_port, protocol)},
    {.name = "name",
	.type = FIELD_STRING,
	.offset = offsetof(struct record_port, name)},
};

static const struct message port_message = {
    .name = "RecordPort",
    .size = sizeof(struct record_port),
    .fields = port_fields,
    .field_count = ARRAY_LEN(port_fields),
};

static const struct field record_fields[] = {
    {.name = "origin",
	.type = FIELD_STRING,
	.offset = offsetof(struct record_spec, origin)},
    {.name = "ports",
	.type = FIELD_MESSAGE,
	.flags = FIELD_REPEATED,
	.offset = offsetof(struct record_spec, ports),
	.of = &port_message},
};

static const struct message record_message = {
    .name = "Record",
    .size = sizeof(struct record_spec),
    .fields = record_fields,
    .field_count = ARRAY_LEN(record_fields),
};

/* Nobody writes it: it is in no table. */
const struct resource_kind kind_record = {
    .group = "",
    .kind = "Record",
    .spec = &record_message,
};

/* --- one service ---------------------------------------------------------- */

static struct resource_key
key_of(struct slice ns, struct slice name)
{
	return (struct resource_key){
	    .kind = slice_str(kind_record.kind), .ns = ns, .name = name};
}

/* Until the patch is made; NULL: it is too much. */
static const struct resource *
new_record(struct patching *p, const struct view_service_input *in)
{
	struct record_port *ports =
	    mem_new_array(MAX(in->port_count, (size_t)1), sizeof(*ports));
	struct record_spec spec = {.origin = in->origin,
	    .ports = {.items = ports, .count = in->port_count}};
	struct resource r = {.key = key_of(in->ns, in->name),
	    .kind = &kind_record,
	    .spec = &spec};
	struct resource *copy;

	for (size_t i = 0; i < in->port_count; i++)
		ports[i] = (struct record_port){.port = in->ports[i].port,
		    .protocol = in->ports[i].protocol,
		    .name = in->ports[i].name};
	copy = resource_copy(&r);
	mem_free(&ports);
	if (copy != NULL)
		rows_add(&p->records, copy);
	return copy;
}

static bool
says(const struct resource *r, const struct view_service_input *in)
{
	const struct record_spec *s = r->spec;

	if (!slice_eq(s->origin, in->origin) ||
	    s->ports.count != in->port_count)
		return false;
	for (size_t i = 0; i < in->port_count; i++) {
		const struct record_port *a = &s->ports.items[i];
		const struct view_port_input *b = &in->ports[i];

		if (a->port != b->port || !slice_eq(a->name, b->name) ||
		    !slice_eq(a->protocol, b->protocol))
			return false;
	}
	return true;
}

/* Is it what the base made its row of? */
static bool
is_row_of(const struct service_row *s, const struct view_service_input *in)
{
	if (!slice_eq(s->row.origin.words, in->origin) ||
	    s->port_count != in->port_count)
		return false;
	for (size_t i = 0; i < in->port_count; i++)
		if (s->ports[i].port != in->ports[i].port ||
		    s->ports[i].protocol !=
			protocol_of_record(
			    in->ports[i].protocol, in->ports[i].name))
			return false;
	return true;
}

void
add_record_again(struct builder *b, const struct resource *r)
{
	const struct record_spec *spec = r->spec;
	struct view_port_input *ports =
	    take(b, spec->ports.count, sizeof(*ports));
	const struct view_service_input in = {.name = r->key.name,
	    .ns = r->key.ns,
	    .ports = ports,
	    .port_count = spec->ports.count,
	    .origin = spec->origin};

	if (ports == NULL)
		return;
	for (size_t i = 0; i < in.port_count; i++)
		ports[i] = (struct view_port_input){
		    .port = (uint16_t)spec->ports.items[i].port,
		    .protocol = spec->ports.items[i].protocol,
		    .name = spec->ports.items[i].name};
	add_record(b, &in);
}

/* --- which are others ----------------------------------------------------- */

static const struct renewal *
renewal_of(const struct view *v, const struct resource_key *key)
{
	for (size_t i = 0; i < v->renewal_count; i++) {
		const struct renewal *r = &v->renewals[i];

		if (kind_of(r) == &kind_record &&
		    resource_key_eq(&any_of(r)->key, key))
			return r;
	}
	return NULL;
}

/* `s` is the base's, `in` that of now; one may be NULL. What the view before
 * had is the same. False: there is no patch. */
static bool
renew(struct patching *p, const struct service_row *s,
    const struct view_service_input *in)
{
	struct resource_key key = s != NULL ? key_of(s->row.ns, s->row.name)
					    : key_of(in->ns, in->name);
	const struct renewal *before = renewal_of(p->before, &key);
	const struct resource *old = NULL, *fresh = NULL;

	if (s != NULL) {
		const struct view_service_input of_base = {.name = s->row.name,
		    .ns = s->row.ns,
		    .origin = s->row.origin.words};

		old = before != NULL ? before->old : new_record(p, &of_base);
	}
	if (in != NULL)
		fresh = before != NULL && before->fresh != NULL &&
				says(before->fresh, in)
			    ? before->fresh
			    : new_record(p, in);
	return (old != NULL) == (s != NULL) &&
	       (fresh != NULL) == (in != NULL) && add_change(p, old, fresh);
}

/* --- what is written over them ---------------------------------------------
 */

/* Hosts of what is written and was not in the base. */
static void
list_written(struct patching *p, struct map *out)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct resource *r = p->items[i].fresh;
		size_t count = r != NULL && is_about_services(&p->items[i])
				   ? count_hosts(r)
				   : 0;

		for (size_t j = 0; j < count; j++)
			(void)map_put(out, service_host(&p->b, r, j),
			    p); /* only the mark */
	}
}

static bool
is_gone_or_another(const struct patching *p, const struct resource *r)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->items[i].old == r)
			return true;
	return false;
}

static bool
is_written(const struct patching *p, const struct map *written,
    const struct service_row *s, struct slice host)
{
	for (; s != NULL; s = s->next)
		if (s->resource != NULL && !is_gone_or_another(p, s->resource))
			return true;
	return map_get(written, host) != NULL;
}

static bool
look_at(struct patching *p, const struct map *written,
    const struct view_service_input *in)
{
	const struct builder *b = p->base->made_by;
	char text[HOST_TEXT_MAX];
	struct slice host = recorded_host(b, in->ns, in->name, text);
	struct service_row *s = map_get(&b->service_by_host, host);

	if (s != NULL)
		s->is_told_now = true;
	if (is_written(p, written, s, host))
		return true;
	if (s == NULL || s->resource != NULL)
		return renew(p, NULL, in);
	return is_row_of(s, in) || renew(p, s, in);
}

static bool
look_for_gone(struct patching *p, const struct map *written)
{
	const struct rows *all = &p->base->made_by->recorded;
	bool ok = true;

	for (size_t i = 0; i < all->count; i++) {
		struct service_row *s = all->items[i];

		if (!s->is_told_now)
			ok = ok && (map_get(written, s->row.host) != NULL ||
				       renew(p, s, NULL));
		s->is_told_now = false;
	}
	return ok;
}

static bool
look_at_all(struct patching *p)
{
	const struct view_input *in = p->in;
	struct map written;
	bool ok = true;

	map_init(&written);
	list_written(p, &written);
	for (size_t i = 0; ok && i < in->service_count; i++)
		ok = look_at(p, &written, &in->services[i]);
	ok = look_for_gone(p, &written) && ok;
	map_fini(&written, NULL);
	return ok;
}

static bool
keep_records(struct patching *p)
{
	for (size_t i = 0; i < p->before->renewal_count; i++) {
		const struct renewal *r = &p->before->renewals[i];

		if (kind_of(r) == &kind_record &&
		    !add_change(p, r->old, r->fresh))
			return false;
	}
	return true;
}

/* What is written is as it was where the lists are: then so are these. */
static bool
has_same_written(const struct patching *p)
{
	static const struct resource_kind *const kinds[] = {
	    &kind_service, &kind_service_entry};
	struct rows moved = {0};
	bool same;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		list_moved(p, kinds[i], &moved);
	same = moved.count == 0;
	rows_fini(&moved);
	return same;
}

bool
find_records(struct patching *p)
{
	return has_same_lists(p) && has_same_written(p) ? keep_records(p)
							: look_at_all(p);
}

void
forget_records(struct patching *p)
{
	for (size_t i = 0; i < p->records.count; i++) {
		struct resource *r = p->records.items[i];

		resource_unref(&r);
	}
	rows_fini(&p->records);
}
