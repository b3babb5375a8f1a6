/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile — the making of a view, its life, and its lists.
 */
#include <stdlib.h>

#include "../kinds/mesh_config.h"
#include "inside.h"

enum { VIEW_MAGIC = 0x56494557 };

static int
by_key(const void *a, const void *b)
{
	const struct resource *const *x = a;
	const struct resource *const *y = b;
	int n = resource_key_cmp(&(*x)->key, &(*y)->key);

	if (n != 0)
		return n;
	/* The same one twice: the newer revision is what holds. */
	return (*x)->revision > (*y)->revision
		   ? -1
		   : (*x)->revision < (*y)->revision;
}

/* References, and in key order each key once. */
static void
keep_resources(struct view *v, const struct view_input *in)
{
	struct rows all = {0};
	const struct resource *before = NULL;

	v->input_count = in->resource_count;
	v->inputs = mem_new_array(
	    MAX(in->resource_count, (size_t)1), sizeof(*v->inputs));
	for (size_t i = 0; i < in->resource_count; i++) {
		v->inputs[i] = resource_ref(in->resources[i]);
		rows_add(&all, v->inputs[i]);
	}
	rows_sort(&all, by_key);
	for (size_t i = 0; i < all.count; i++) {
		struct resource *r = all.items[i];

		if (before == NULL || !resource_key_eq(&before->key, &r->key))
			rows_add(&v->resources, r);
		before = r;
	}
	rows_fini(&all);
}

static struct slice
or_else(struct builder *b, struct slice s, struct slice otherwise)
{
	return take_copy(b, s.len > 0 ? s : otherwise);
}

/* Who compiles knows its own mesh; of files MeshConfig says what it is. */
static void
name_mesh(struct builder *b)
{
	const struct view_input *in = b->in;
	struct view *v = b->v;
	struct slice trust = in->trust_domain;
	struct slice root = in->root_namespace;

	if (trust.len == 0)
		trust = b->mesh->trust_domain;
	if (root.len == 0)
		root = b->mesh->root_namespace;
	v->domain = or_else(b, in->domain, S("mesh.internal"));
	v->trust_domain = or_else(b, trust, v->domain);
	v->root_ns = or_else(b, root, S("istio-system"));
}

static struct view *
new_view(const struct view_input *in)
{
	struct view *v = mem_new(sizeof(*v));

	v->magic = VIEW_MAGIC;
	atomic_init(&v->refs, 1);
	arena_init(&v->arena, VIEW_BYTES_MAX);
	map_init(&v->regexes);
	map_init(&v->more_hosts);
	map_init(&v->hosts_now);
	map_init(&v->cluster_by_name);
	map_init(&v->upstream_by_name);
	listeners_init(&v->inbound);
	v->generation = in->generation;
	return v;
}

enum path_normalization
normalization_of(const struct mesh_config *m)
{
	const struct mesh_normalization *n = m->path_normalization;

	if (n == NULL || n->normalization == NORMALIZE_DEFAULT)
		return NORMALIZE_BASE;
	return (enum path_normalization)n->normalization;
}

int
compare_problems(const void *a, const void *b)
{
	const struct view_problem *const *x = a;
	const struct view_problem *const *y = b;
	const struct origin *p = &(*x)->origin, *q = &(*y)->origin;
	int n = resource_key_cmp(&p->key, &q->key);

	if (n == 0)
		n = slice_cmp(p->words, q->words);
	if (n == 0)
		n = (p->line > q->line) - (p->line < q->line);
	return n != 0 ? n : slice_cmp((*x)->text, (*y)->text);
}

static void
keep_problems(struct builder *b)
{
	size_t count = b->problems.count;
	struct view_problem *items = take(b, count, sizeof(*items));
	struct teller **tellers = take(b, count, sizeof(struct teller *));

	if (items == NULL || tellers == NULL)
		return;
	rows_sort(&b->problems, compare_problems);
	for (size_t i = 0; i < count; i++) {
		const struct problem_row *p = b->problems.items[i];

		items[i] = p->row;
		tellers[i] = p->tellers;
	}
	b->v->problems = items;
	b->v->problem_tellers = tellers;
	b->v->problem_count = count;
}

void
service_fini(struct service_row *s)
{
	for (size_t i = 0; i < s->port_count; i++)
		rows_fini(&s->ports[i].endpoints);
}

void
service_trim(struct service_row *s)
{
	if (!is_called_at_endpoints(s))
		service_fini(s);
}

static struct builder *
builder_new(struct view *v, const struct view_input *in)
{
	struct builder *b = mem_new(sizeof(*b));

	b->v = v;
	b->arena = &v->arena;
	b->in = in;
	b->served_count = in->serving_count;
	map_init(&b->service_by_host);
	map_init(&b->names);
	map_init(&b->policies);
	map_init(&b->http_rules);
	map_init(&b->peers_by_ns);
	map_init(&b->peers_by_label);
	map_init(&b->led_to);
	map_init(&b->two_labels);
	map_init(&b->overridden);
	return b;
}

/* What patches have nothing to do with. */
static void
builder_trim(struct builder *b)
{
	rows_fini(&b->virtual_services);
	rows_fini(&b->sidecars);
	rows_fini(&b->problems);
	map_fini(&b->policies, NULL);
	map_fini(&b->names, NULL);
	for (size_t i = 0; i < b->services.count; i++) {
		struct service_row *s = b->services.items[i];

		service_trim(s);
		if (is_called_at_endpoints(s) && s->resource != NULL)
			rows_add(&b->headless, s);
	}
}

static void
builder_free(struct builder **bp)
{
	struct builder *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->services.count; i++)
		service_fini(b->services.items[i]);
	rows_fini(&b->services);
	rows_fini(&b->hosts);
	rows_fini(&b->clusters);
	rows_fini(&b->services_by_age);
	rows_fini(&b->headless);
	rows_fini(&b->named);
	rows_fini(&b->roots);
	rows_fini(&b->unserved);
	rows_fini(&b->here);
	rows_fini(&b->unclaimed);
	rows_fini(&b->recorded);
	map_fini(&b->led_to, rows_drop);
	map_fini(&b->two_labels, NULL);
	map_fini(&b->overridden, NULL);
	mem_free(&b->numbers);
	gateways_fini(b);
	rules_fini(b);
	map_fini(&b->http_rules, http_rules_drop);
	workloads_fini(b);
	networks_fini(b);
	map_fini(&b->service_by_host, NULL);
	peers_fini(b);
	mem_free(&b);
}

static void
view_drop(struct view *v)
{
	if (v->base != NULL) {
		patch_drop(v);
		return;
	}
	builder_free(&v->made_by);
	servings_fini(v);
	for (size_t i = 0; i < v->input_count; i++)
		resource_unref(&v->inputs[i]);
	mem_free(&v->inputs);
	rows_fini(&v->resources);
	map_fini(&v->regexes, regex_drop);
	pages_fini(&v->hosts);
	pages_fini(&v->clusters);
	rows_fini(&v->guards);
	for (size_t i = 0; i < v->scopes.count; i++)
		scope_fini(v->scopes.items[i]);
	rows_fini(&v->scopes);
	map_fini(&v->cluster_by_name, NULL);
	map_fini(&v->upstream_by_name, NULL);
	listeners_fini(&v->inbound);
	v->magic = 0;
	arena_fini(&v->arena);
	mem_free(&v);
}

static void
compile(struct builder *b)
{
	const struct view_input *in = b->in;
	struct view *v = b->v;

	keep_resources(v, in);
	b->mesh = v->mesh = find_mesh(&v->resources, &v->arena);
	b->full = b->mesh == NULL;
	if (b->full)
		return;
	v->captures_dns = in->captures_dns;
	v->knows_members = in->knows_members;
	v->tells_automatic = in->captures_dns || captures_dns(v->mesh);
	name_mesh(b);
	b->locality = locality_of(b, in->locality, &in->labels);
	v->normalization = normalization_of(b->mesh);
	collect_peers(b);
	compile_services(b);
	compile_endpoints(b);
	collect_rules(b);
	index_rules(b);
	collect_sidecars(b);
	compile_scopes(b);
	b->scope = NULL;
	if (b->full)
		return; /* there may be no scope, not even the own */
	compile_edges(b);
	compile_access(b);
	keep_problems(b);
}

static void
list_recorded(struct builder *b)
{
	for (size_t i = 0; i < b->services.count; i++) {
		struct service_row *s = b->services.items[i];

		if (s->resource == NULL)
			rows_add(&b->recorded, s);
	}
}

/* What a patch needs to know of the input. */
static void
keep_input(struct builder *b)
{
	const struct view_input *in = b->in;
	struct view *v = b->v;

	v->version = in->version;
	v->lists_version = in->lists_version;
	v->exposed_version = exposed_version_of(in);
	v->resources_version = in->resources_version;
	v->names_version = in->names_version;
	keep_servings(b);
	list_recorded(b);
	for (size_t i = 0; i < v->resources.count; i++)
		if (has_delegates(v->resources.items[i]))
			rows_add(&b->roots, v->resources.items[i]);
	b->kept = (struct view_input){.proxy = in->proxy,
	    .network = take_copy(b, in->network),
	    .addrs = v->addrs,
	    .addr_count = v->addr_count};
	b->in = &b->kept;
	b->is_plain = !b->is_mixed && in->endpoint_count == 0;
}

/* There will be no patches. */
static void
settle(struct view *v)
{
	builder_free(&v->made_by);
	for (size_t i = 0; i < v->scopes.count; i++)
		scope_settle(v->scopes.items[i]);
}

enum err
view_compile(const struct view_input *in, struct view **out, struct fault *why)
{
	struct view *v = view_patch(in);
	struct builder *b;

	*out = v;
	if (v != NULL)
		return OK;
	v = new_view(in);
	b = builder_new(v, in);
	compile(b);
	keep_input(b);
	builder_trim(b);
	v->made_by = b;
	if (b->full) {
		view_drop(v);
		return fault_set(why, ERR_LIMIT,
		    "the view of this machine needs more than %d bytes",
		    (int)VIEW_BYTES_MAX);
	}
	if (in->version == 0)
		settle(v);
	*out = v;
	return OK;
}

struct view *
view_ref(const struct view *v)
{
	struct view *w = (struct view *)(uintptr_t)v;

	CHECK(w->magic == VIEW_MAGIC);
	atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
	return w;
}

void
view_unref(struct view **vp)
{
	struct view *v = *vp;

	*vp = NULL;
	if (v == NULL)
		return;
	CHECK(v->magic == VIEW_MAGIC);
	if (atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) == 1)
		view_drop(v);
}

const struct view_upstream *
view_upstreams(const struct view *v, size_t *out_count)
{
	*out_count = v->upstream_count;
	return v->upstreams;
}

const struct view_name *
view_names(const struct view *v, size_t *out_count)
{
	*out_count = v->name_count;
	return v->names;
}

uint64_t
view_name_refresh_us(const struct view *v)
{
	return v->mesh->dns_refresh_rate;
}

const struct view_caller *
view_self(const struct view *v)
{
	return &v->self;
}

const struct view_exposed *
view_exposures(const struct view *v, size_t *out_count)
{
	*out_count = v->exposed_count;
	return v->exposed;
}

/* A scope begins with its row. */
const struct view_scope *const *
view_scopes(const struct view *v, size_t *out_count)
{
	*out_count = v->scopes.count;
	return (const struct view_scope *const *)v->scopes.items;
}

const struct view_problem *
view_problems(const struct view *v, size_t *out_count)
{
	*out_count = v->problem_count;
	return v->problems;
}
