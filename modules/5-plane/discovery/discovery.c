/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery — what changed since the last update, and what is given out.
 */
#include <stdlib.h>

#include "inside.h"

/* --- life ----------------------------------------------------------------- */

static void
start(struct discovery *d)
{
	map_init(&d->sources);
	map_init(&d->services);
	map_init(&d->selecting);
	map_init(&d->workloads);
	map_init(&d->servings);
	list_init(&d->newest);
	scoping_init(d);
	arena_init(&d->arena, DISCOVERY_BYTES_MAX);
}

struct discovery *
discovery_new(void)
{
	struct discovery *d = mem_new(sizeof(*d));

	start(d);
	return d;
}

static void
drop_crowd(void *crowd)
{
	struct crowd *c = crowd;

	crowd_fini(c);
	mem_free(&c);
}

static void
drop_source(void *source)
{
	struct source *s = source;

	source_free(&s);
}

static void
drop_service(void *service)
{
	struct resource *r = service;

	resource_unref(&r);
}

/* All of it, as if nothing had ever come in. */
static void
forget(struct discovery *d)
{
	map_fini(&d->selecting, drop_crowd);
	map_fini(&d->workloads, drop_crowd);
	map_fini(&d->servings, serving_free);
	map_fini(&d->sources, drop_source);
	map_fini(&d->services, drop_service);
	source_free(&d->local);
	crowd_fini(&d->order);
	crowd_fini(&d->dirty);
	arena_fini(&d->arena);
	scoping_fini(d);
	*d = (struct discovery){.clock = d->clock};
}

void
discovery_free(struct discovery **dp)
{
	if (*dp == NULL)
		return;
	forget(*dp);
	mem_free(dp);
}

/* --- what all was made with ----------------------------------------------- */

static bool
is_same_place(const struct discovery *d, const struct discovery_input *in)
{
	return gossip_id_eq(&d->self, &in->self) &&
	       d->families == in->families &&
	       d->is_scoped == (in->scope != NULL) &&
	       slice_eq(slice_str(d->node), in->node) &&
	       slice_eq(slice_str(d->network), in->network);
}

static enum err
settle_down(struct discovery *d, const struct discovery_input *in)
{
	enum err e;

	if (d->is_settled && is_same_place(d, in))
		return OK;
	forget(d);
	start(d);
	d->self = in->self;
	d->families = in->families;
	d->is_scoped = in->scope != NULL;
	e = slice_to_cstr(in->node, d->node, sizeof(d->node));
	if (e == OK)
		e = slice_to_cstr(in->network, d->network, sizeof(d->network));
	d->is_settled = e == OK;
	return e;
}

/* --- what came and went --------------------------------------------------- */

/* Most records have nothing that this machine wants. */
static void
note_change(struct discovery *d, const struct source *s)
{
	if (s->count > 0 || s->conflict.len > 0)
		d->has_changed = true;
}

static void
join(struct discovery *d, struct source *s)
{
	for (size_t i = 0; i < s->count; i++)
		join_workload(d, &s->workloads[i]);
	note_change(d, s);
}

static void
leave(struct discovery *d, struct source *s)
{
	for (size_t i = 0; i < s->count; i++)
		leave_workload(d, &s->workloads[i]);
	note_change(d, s);
}

static struct slice
id_key(const struct gossip_id *id)
{
	return slice_of(id->bytes, sizeof(id->bytes));
}

/* In place of what was there before. */
static void
take_source(struct discovery *d, const struct discovery_record *r, enum use use)
{
	struct source *fresh = source_new();
	struct source *before = map_get(&d->sources, id_key(&r->id));
	enum err e = source_read(d, r, use, fresh);

	if (e != OK) {
		source_free(&fresh);
		d->err = d->err == OK ? e : d->err;
		return;
	}
	fresh->seen = true;
	join(d, fresh); /* first: a name that both draw in stays drawn */
	if (before != NULL)
		leave(d, before);
	(void)map_put(&d->sources, id_key(&r->id), fresh); /* `before` */
	source_free(&before);
}

static bool
is_as_it_was(struct discovery *d, struct source *s,
    const struct discovery_record *r, enum use use)
{
	return s->use == use &&
	       (s->version == r->version || source_judge_again(d, s, r, use));
}

static void
look_at_records(struct discovery *d, bool is_new_scope)
{
	const struct discovery_record *r;

	for (size_t i = 0;
	     (r = discovery_catalog_next(d->in.catalog, &i)) != NULL;) {
		struct source *s = map_get(&d->sources, id_key(&r->id));
		enum use use = use_of(d, r);

		if (gossip_id_eq(&r->id, &d->in.self))
			continue;
		if (s != NULL && is_as_it_was(d, s, r, use) &&
		    (!is_new_scope || source_has_wanted(d, s, r)))
			s->seen = true;
		else
			take_source(d, r, use);
	}
}

/* Those that the catalog forgot. */
static void
drop_unseen(struct discovery *d)
{
	struct crowd gone = {0};
	struct slice key;
	void *value;

	for (size_t i = 0; map_next(&d->sources, &i, &key, &value);) {
		struct source *s = value;

		if (!s->seen)
			crowd_add(&gone, s);
		s->seen = false;
	}
	for (size_t i = 0; i < gone.count; i++) {
		struct source *s = gone.items[i];

		leave(d, s);
		(void)map_remove(&d->sources, id_key(&s->id)); /* it is `s` */
		source_free(&s);
	}
	crowd_fini(&gone);
}

static void
look_at_locals(struct discovery *d)
{
	struct source *fresh;
	enum err e;

	if (d->local != NULL && source_has(d->local, &d->in))
		return;
	fresh = source_new();
	e = source_read_locals(d, fresh);
	if (e != OK) {
		source_free(&fresh);
		d->err = d->err == OK ? e : d->err;
		return;
	}
	join(d, fresh);
	if (d->local != NULL)
		leave(d, d->local);
	source_free(&d->local);
	d->local = fresh;
}

/* Where one draws in a name, others are read again for it: once, since none is
 * drawn in that draws. */
static void
look_at_nodes(struct discovery *d)
{
	do {
		bool is_new_scope = d->scope_moved;

		d->scope_moved = false;
		look_at_records(d, is_new_scope);
		drop_unseen(d);
	} while (d->scope_moved && d->err == OK);
}

static struct slice
service_key(const struct resource *r, char out[KEY_MAX])
{
	return crowd_name_key(r->key.ns, r->key.name, out);
}

static void
take_service(struct discovery *d, struct slice key, const struct resource *r)
{
	struct resource *before = map_get(&d->services, key);

	if (before == r)
		return;
	if (before != NULL)
		leave_service(d, before);
	join_service(d, r);
	(void)map_put(&d->services, key, resource_ref(r)); /* `before` */
	resource_unref(&before);
	d->has_changed = true;
}

static void
drop_service_of(struct discovery *d, struct slice key)
{
	struct resource *r = map_remove(&d->services, key);

	leave_service(d, r);
	resource_unref(&r);
	d->has_changed = true;
}

static void
drop_services_but(struct discovery *d, const struct map *now)
{
	AUTO(arena_fini) struct arena a = {0};
	struct slice *gone, key;
	size_t count = 0;
	void *value;

	arena_init(&a, DISCOVERY_BYTES_MAX);
	gone = arena_alloc_array(&a, MAX(d->services.count, 1), sizeof(*gone));
	if (gone == NULL)
		d->err = ERR_NO_MEMORY;
	for (size_t i = 0;
	     gone != NULL && map_next(&d->services, &i, &key, &value);) {
		if (map_get(now, key) != NULL)
			continue;
		if (arena_copy(&a, key, &gone[count]) == OK)
			count++;
		else
			d->err = ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < count; i++)
		drop_service_of(d, gone[i]);
}

bool
discovery_reads(const struct resource_kind *kind)
{
	return kind == &kind_service;
}

/* Those that are not written any more. */
static void
drop_services(struct discovery *d)
{
	const struct discovery_input *in = &d->in;
	char text[KEY_MAX];
	struct map now;

	map_init(&now);
	for (size_t i = 0; i < in->resource_count; i++)
		if (discovery_reads(in->resources[i]->kind))
			(void)map_put(&now, service_key(in->resources[i], text),
			    d); /* only the mark */
	drop_services_but(d, &now);
	map_fini(&now, NULL);
}

static void
look_at_services(struct discovery *d)
{
	const struct discovery_input *in = &d->in;
	char text[KEY_MAX];
	size_t count = 0;

	if (in->resources_version != 0 &&
	    in->resources_version == d->resources_version)
		return;
	for (size_t i = 0; i < in->resource_count; i++) {
		const struct resource *r = in->resources[i];

		if (!discovery_reads(r->kind))
			continue;
		take_service(d, service_key(r, text), r);
		count++; /* keys are unique */
	}
	if (d->services.count > count)
		drop_services(d);
	d->resources_version = in->resources_version;
}

/* --- what is given out ---------------------------------------------------- */

enum { MOVED_MAX = 64 };

static int
by_name(const void *a, const void *b)
{
	const struct serving *const *x = a;
	const struct serving *const *y = b;
	int n = slice_cmp((*x)->ns, (*y)->ns);

	return n != 0 ? n : slice_cmp((*x)->name, (*y)->name);
}

/* Of what records alone say of the service. */
static uint64_t
told_hash(const struct serving *s)
{
	const struct view_service_input *t = &s->service;
	uint64_t h = s->is_told ? slice_hash_stable(t->origin) | 1 : 0;

	for (size_t i = 0; s->is_told && i < t->port_count; i++)
		h = hash_with(hash_with(h, t->ports[i].port),
		    slice_hash_stable(t->ports[i].protocol));
	return h;
}

static void
make_dirty(struct discovery *d)
{
	for (size_t i = 0; i < d->dirty.count; i++) {
		struct serving *s = d->dirty.items[i];

		uint64_t before = s->told;

		s->is_dirty = false;
		s->is_empty = !serving_make(d, s);
		d->is_unordered = d->is_unordered || s->is_empty;
		s->version = ++d->clock;
		list_remove(&s->link);
		list_push_front(&d->newest, &s->link);
		s->told = told_hash(s);
		if (d->is_unordered || s->told != before)
			d->lists_version = ++d->clock;
	}
	d->dirty.count = 0;
}

/* In order, and without those that nobody wrote and nobody serves. */
static void
put_in_order(struct discovery *d)
{
	size_t kept = 0;

	if (!d->is_unordered)
		return;
	for (size_t i = 0; i < d->order.count; i++) {
		struct serving *s = d->order.items[i];

		if (s->is_empty)
			serving_drop(d, s);
		else
			d->order.items[kept++] = s;
	}
	d->order.count = kept;
	if (kept > 0)
		qsort(d->order.items, kept, sizeof(void *), by_name);
	d->is_unordered = false;
}

struct sums {
	size_t services, endpoints, conflicts;
};

static struct sums
sum_up(const struct discovery *d)
{
	struct sums n = {0};
	struct slice id;
	void *value;

	for (size_t i = 0; i < d->order.count; i++) {
		const struct serving *s = d->order.items[i];

		n.services += s->is_told;
		n.endpoints += s->endpoint_count;
		n.conflicts += s->conflict_count;
	}
	for (size_t i = 0; map_next(&d->sources, &i, &id, &value);)
		n.conflicts += ((const struct source *)value)->conflict.len > 0;
	return n;
}

static int
text_cmp(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	return slice_cmp(*x, *y);
}

static void
list_conflicts(struct discovery *d, struct slice *out, size_t count)
{
	struct discovery_output *o = &d->out;
	struct slice id;
	size_t n = 0;
	void *value;

	for (size_t i = 0; i < d->order.count; i++) {
		const struct serving *s = d->order.items[i];

		for (size_t j = 0; j < s->conflict_count; j++)
			out[n++] = s->conflicts[j];
	}
	for (size_t i = 0; map_next(&d->sources, &i, &id, &value);) {
		const struct source *s = value;

		if (s->conflict.len > 0)
			out[n++] = s->conflict;
	}
	CHECK(n == count);
	if (n > 0)
		qsort(out, n, sizeof(*out), text_cmp);
	o->conflicts = out;
	o->conflict_count = MIN(n, (size_t)DISCOVERY_CONFLICTS_MAX);
	o->conflicts_dropped = n - o->conflict_count;
}

static void
list_servings(struct discovery *d, struct view_service_input *services,
    struct view_serving *servings)
{
	struct discovery_output *o = &d->out;

	o->services = services;
	o->servings = servings;
	for (size_t i = 0; i < d->order.count; i++) {
		struct serving *s = d->order.items[i];

		s->place = o->serving_count;
		if (s->is_told)
			services[o->service_count++] = s->service;
		servings[o->serving_count++] =
		    (struct view_serving){.service = s->name,
			.ns = s->ns,
			.version = s->version,
			.endpoints = s->endpoints,
			.count = s->endpoint_count};
	}
}

/* Those that were made last; behind list_servings(). */
static void
list_moved(struct discovery *d, size_t moved[MOVED_MAX])
{
	struct discovery_output *o = &d->out;

	o->moved = moved;
	o->moved_since = 1; /* then all are there */
	LIST_EACH (&d->newest, it) {
		const struct serving *s = CONTAINER(it, struct serving, link);

		if (o->moved_count == MOVED_MAX) {
			o->moved_since = s->version;
			return;
		}
		moved[o->moved_count++] = s->place;
	}
}

static int
exposed_cmp(const void *pa, const void *pb)
{
	const struct view_exposed_input *a = pa, *b = pb;
	int n = slice_cmp(a->ns, b->ns);

	if (n == 0)
		n = slice_cmp(a->service, b->service);
	return n != 0 ? n : (int)a->port - (int)b->port;
}

/* Whatever address of ours a caller used: the port alone decides. */
static struct addr
any_ip(uint16_t port)
{
	return (struct addr){.family = ADDR_V6, .port = port};
}

static void
list_exposed(struct discovery *d, struct view_exposed_input *rows)
{
	for (size_t i = 0; i < d->local->count; i++) {
		const struct workload *w = &d->local->workloads[i];

		rows[i] = (struct view_exposed_input){.service = w->name,
		    .ns = w->ns,
		    .port = w->port,
		    .protocol = w->protocol,
		    .addr = any_ip(w->port),
		    .target = w->addr,
		    .account = w->account,
		    .labels = w->labels};
	}
	if (d->local->count > 0)
		qsort(rows, d->local->count, sizeof(*rows), exposed_cmp);
	d->out.exposed = rows;
	d->out.exposed_count = d->local->count;
}

static enum err
give_out(struct discovery *d)
{
	struct sums n = sum_up(d);
	struct view_service_input *services;
	struct view_serving *servings;
	struct view_exposed_input *exposed;
	struct slice *conflicts;
	size_t *moved;

	d->out = (struct discovery_output){0};
	arena_reset(&d->arena);
	if (n.endpoints > DISCOVERY_ENDPOINTS_MAX)
		return ERR_LIMIT;
	services =
	    arena_alloc_array(&d->arena, MAX(n.services, 1), sizeof(*services));
	servings = arena_alloc_array(
	    &d->arena, MAX(d->order.count, 1), sizeof(*servings));
	exposed = arena_alloc_array(
	    &d->arena, MAX(d->local->count, 1), sizeof(*exposed));
	conflicts = arena_alloc_array(
	    &d->arena, MAX(n.conflicts, 1), sizeof(*conflicts));
	moved = arena_alloc_array(&d->arena, MOVED_MAX, sizeof(*moved));
	if (services == NULL || servings == NULL || exposed == NULL ||
	    conflicts == NULL || moved == NULL)
		return ERR_NO_MEMORY;
	list_servings(d, services, servings);
	list_moved(d, moved);
	list_exposed(d, exposed);
	d->out.lists_version = d->lists_version;
	list_conflicts(d, conflicts, n.conflicts);
	return OK;
}

enum err
discovery_update(struct discovery *d, const struct discovery_input *in,
    struct discovery_output *out)
{
	enum err e = settle_down(d, in);

	d->in = *in;
	d->err = e;
	if (e == OK) {
		scoping_look(d);
		look_at_locals(d);
		look_at_nodes(d);
		look_at_services(d);
	}
	if (d->err == OK && d->has_changed) {
		make_dirty(d);
		put_in_order(d);
	}
	if (d->err == OK && d->has_changed)
		d->err = give_out(d);
	e = d->err;
	d->in = (struct discovery_input){0};
	d->has_changed = false;
	if (e != OK)
		d->is_settled = false; /* the next begins anew */
	else
		*out = d->out;
	return e;
}
