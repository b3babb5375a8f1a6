/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts — what the documents, and what lives, say there is; with look-ups.
 */
#include "inside.h"

enum { FACTS_BYTES = 512 << 20 };

void *
facts_room(void *items, size_t count, size_t *cap, size_t size)
{
	if (count == *cap) {
		size_t more = MAX(*cap * 2, 32);

		items = mem_resize(items, *cap, more, size);
		*cap = more;
	}
	return items;
}

struct slice
keep_text(struct analysis *a, struct slice s)
{
	struct slice out;

	if (arena_copy(&a->arena, s, &out) == OK)
		return out;
	a->full = true;
	return S("");
}

/* --- documents become items ----------------------------------------------- */

static bool
fill_item(const struct analysis *a, const struct analysis_document *doc,
    struct item *out)
{
	*out = (struct item){.r = doc->resource,
	    .tree = doc->tree,
	    .file = doc->file != NULL ? doc->file : "",
	    .found = doc->found,
	    .unread = doc->found != NULL && doc->found->unread > 0};
	out->line = doc->tree != NULL       ? doc->tree->line
		    : doc->resource != NULL ? doc->resource->line
					    : 0;
	if (doc->resource != NULL)
		out->key = doc->resource->key;
	else if (doc->tree == NULL)
		return false;
	else if (resource_key_read(doc->tree, a->in->ns, &out->key, NULL) != OK)
		out->key.kind = value_get_string(doc->tree, S("kind"), S(""));
	return true;
}

static uint64_t
key_hash(const struct resource_key *k)
{
	return LOOKUP_HASH(k->group, k->kind, k->ns, k->name);
}

/* The next document of the same key, after which this one does not count. */
static bool
is_overridden(
    const struct lookup *keys, const struct item *it, const struct item *end)
{
	struct lookup_rows same = lookup_get(keys, key_hash(&it->key));

	for (size_t i = same.count; i > 0; i--) {
		const struct item *other = same.rows[i - 1].item;

		if (other <= it || other >= end)
			break;
		if (resource_key_eq(&other->key, &it->key))
			return true;
	}
	return false;
}

static void
drop_overridden(struct analysis *a)
{
	struct lookup keys = {0};
	size_t kept = 0;
	struct item *all = a->items.items;
	struct item *end = all + a->items.count;

	for (struct item *it = all; it < end; it++)
		if (it->key.name.len > 0)
			lookup_put(&keys, key_hash(&it->key), it);
	lookup_sort(&keys);
	for (struct item *it = all; it < end; it++)
		it->dropped =
		    it->key.name.len > 0 && is_overridden(&keys, it, end);
	lookup_fini(&keys);
	for (struct item *it = all; it < end; it++) {
		if (it->dropped && it->file[0] != '\0')
			*FACTS_PUSH(&a->twice) = *it;
		if (!it->dropped)
			all[kept++] = *it;
	}
	a->items.count = kept;
}

static void
collect_items(struct analysis *a)
{
	struct item it;

	for (size_t i = 0; i < a->in->document_count; i++)
		if (fill_item(a, &a->in->documents[i], &it))
			*FACTS_PUSH(&a->items) = it;
	if (a->items.count > 0)
		drop_overridden(a);
}

static size_t
kind_index(const struct resource_kind *kind)
{
	size_t count, i = 0;
	const struct resource_kind *const *all = resource_kinds(&count);

	while (i < count && all[i] != kind)
		i++;
	CHECK(i < count);
	return i;
}

/* Lists by kind; what is no resource of ours is in none. */
static void
sort_by_kind(struct analysis *a)
{
	size_t kinds;

	(void)resource_kinds(&kinds); /* only how many */
	a->of_kind = mem_new_array(kinds, sizeof(*a->of_kind));
	for (size_t i = 0; i < a->items.count; i++) {
		const struct item *it = &a->items.items[i];

		if (it->r != NULL)
			*FACTS_PUSH(&a->of_kind[kind_index(it->r->kind)]) = it;
	}
}

struct item_list
items_of(const struct analysis *a, const struct resource_kind *kind)
{
	size_t i = kind_index(kind);

	return (struct item_list){a->of_kind[i].items, a->of_kind[i].count};
}

/* --- trees ---------------------------------------------------------------- */

const struct value *
item_tree(struct analysis *a, const struct item *it)
{
	if (it->tree != NULL)
		return it->tree;
	return resource_encode(it->r, RESOURCE_AS_WRITTEN, &a->arena);
}

struct labels
map_labels(struct analysis *a, const struct value *map)
{
	struct label *items;
	size_t n = 0;

	if (map == NULL || map->type != VALUE_MAP)
		return (struct labels){NULL, 0};
	items = arena_alloc_array(&a->arena, map->count + 1, sizeof(*items));
	VALUE_EACH(map, it)
	{
		if (items != NULL && it->type == VALUE_STRING)
			items[n++] = (struct label){it->key, it->string};
	}
	return (struct labels){items, n};
}

/* --- secrets, namespaces, gateways ---------------------------------------- */

const struct secret_fact *
secret_find(const struct analysis *a, struct slice ns, struct slice name)
{
	struct lookup_rows rows =
	    lookup_get(&a->facts.secret_of_name, LOOKUP_HASH(ns, name));

	for (size_t i = 0; i < rows.count; i++) {
		const struct secret_fact *s = rows.rows[i].item;

		if (slice_eq(s->ns, ns) && slice_eq(s->name, name))
			return s;
	}
	return NULL;
}

const struct namespace_fact *
namespace_find(const struct analysis *a, struct slice name)
{
	struct lookup_rows rows =
	    lookup_get(&a->facts.namespace_of_name, LOOKUP_HASH(name));

	for (size_t i = 0; i < rows.count; i++) {
		const struct namespace_fact *n = rows.rows[i].item;

		if (slice_eq(n->name, name))
			return n;
	}
	return NULL;
}

void
split_ref(
    struct slice text, struct slice ns, struct slice *out_ns, struct slice *out)
{
	size_t slash = slice_find(text, '/');

	*out_ns = slash < text.len ? slice_sub(text, 0, slash) : ns;
	*out = slash < text.len ? slice_sub(text, slash + 1, text.len) : text;
}

const struct gateway_fact *
gateway_find(const struct analysis *a, struct slice ns, struct slice text)
{
	struct slice of, name;
	struct lookup_rows rows;

	split_ref(text, ns, &of, &name);
	rows = lookup_get(&a->facts.gateway_of_name, LOOKUP_HASH(of, name));
	for (size_t i = 0; i < rows.count; i++) {
		const struct gateway_fact *g = rows.rows[i].item;

		if (slice_eq(g->ns, of) && slice_eq(g->name, name))
			return g;
	}
	return NULL;
}

/* "./host" is of the gateway's own namespace. */
static void
add_gateway(struct analysis *a, const struct item *it)
{
	const struct gateway *g = it->r->spec;
	struct gateway_fact *f = FACTS_PUSH(&a->facts.gateways);
	size_t count = 0;
	struct slice *hosts;

	*f = (struct gateway_fact){
	    .ns = it->key.ns, .name = it->key.name, .item = it};
	for (size_t i = 0; i < g->servers.count; i++)
		count += g->servers.items[i].hosts.count;
	hosts = arena_alloc_array(&a->arena, count + 1, sizeof(*hosts));
	for (size_t i = 0; hosts != NULL && i < g->servers.count; i++)
		for (size_t j = 0; j < g->servers.items[i].hosts.count; j++) {
			struct slice h = g->servers.items[i].hosts.items[j];

			if (slice_starts(h, S("./")))
				h = arena_printf(&a->arena, "%.*s/%.*s",
				    SLICE_ARG(it->key.ns),
				    SLICE_ARG(slice_sub(h, 2, h.len)));
			hosts[f->host_count++] = h;
		}
	f->hosts = hosts;
}

static void
index_names(struct facts *f)
{
	for (size_t i = 0; i < f->secrets.count; i++)
		lookup_put(&f->secret_of_name,
		    LOOKUP_HASH(
			f->secrets.items[i].ns, f->secrets.items[i].name),
		    &f->secrets.items[i]);
	for (size_t i = 0; i < f->namespaces.count; i++)
		lookup_put(&f->namespace_of_name,
		    LOOKUP_HASH(f->namespaces.items[i].name),
		    &f->namespaces.items[i]);
	for (size_t i = 0; i < f->gateways.count; i++)
		lookup_put(&f->gateway_of_name,
		    LOOKUP_HASH(
			f->gateways.items[i].ns, f->gateways.items[i].name),
		    &f->gateways.items[i]);
	lookup_sort(&f->secret_of_name);
	lookup_sort(&f->namespace_of_name);
	lookup_sort(&f->gateway_of_name);
}

/* --- all of it ------------------------------------------------------------ */

static void
collect_one(struct analysis *a, const struct item *it)
{
	const struct resource_kind *kind;

	if (it->r == NULL) {
		facts_add_foreign(a, it);
		return;
	}
	kind = it->r->kind;
	if (kind == &kind_service)
		facts_add_service(a, it);
	else if (kind == &kind_service_entry)
		facts_add_entry(a, it);
	else if (kind == &kind_workload_entry)
		facts_add_workload_entry(a, it);
	else if (kind == &kind_workload_group)
		facts_add_workload_group(a, it);
	else if (kind == &kind_gateway)
		add_gateway(a, it);
	else
		facts_add_foreign(a, it);
}

void
facts_collect(struct analysis *a)
{
	struct facts *f = &a->facts;

	arena_init(&a->arena, FACTS_BYTES);
	a->arena.secret = true; /* trees are made again, of Secrets too */
	collect_items(a);
	sort_by_kind(a);
	for (size_t i = 0; i < a->items.count; i++)
		collect_one(a, &a->items.items[i]);
	facts_add_living_workloads(a);
	facts_add_living(a);
	f->hosts_known = f->hosts.count > 0 || (a->in->flags & ANALYSIS_LIVING);
	index_names(f);
	facts_settle_pods(a);
	facts_index_workloads(a);
	facts_index_hosts(a);
}

void
facts_fini(struct facts *f)
{
	mem_free(&f->workloads.items);
	mem_free(&f->hosts.items);
	mem_free(&f->secrets.items);
	mem_free(&f->namespaces.items);
	mem_free(&f->gateways.items);
	mem_free(&f->patterns.items);
	lookup_fini(&f->workload_of_label);
	lookup_fini(&f->workload_of_ns_label);
	lookup_fini(&f->living_of_service);
	lookup_fini(&f->workload_of_ns);
	lookup_fini(&f->host_of_name);
	lookup_fini(&f->secret_of_name);
	lookup_fini(&f->namespace_of_name);
	lookup_fini(&f->gateway_of_name);
	lookup_fini(&f->service_of_label);
}
