/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compile — the policies that are for one workload, as sets of rules.
 */
#include "parts.h"

/* --- who is asked about CUSTOM -------------------------------------------- */

static const struct extension_provider *
find_provider(const struct mesh_config *mesh, struct slice name)
{
	for (size_t i = 0; i < mesh->providers.count; i++) {
		const struct extension_provider *p = &mesh->providers.items[i];

		if (slice_eq(p->name, name) &&
		    (p->authz_http != NULL || p->authz_grpc != NULL))
			return p;
	}
	return NULL;
}

/* "ns/host" is of that namespace; a host alone has to be of one only. */
static struct slice
why_no_service(struct builder *b, const struct ext_authz *e, struct slice ns,
    struct access_provider *out)
{
	struct slice host = e->service.name;
	struct slice first = slice_split(&host, '/');
	bool bare = first.len == e->service.name.len;
	const struct service_row *found = NULL;

	out->host = canonical_host(b, bare ? first : host, bare ? ns : first);
	out->port = (uint16_t)e->service.port;
	for (const struct service_row *s = find_service(b, out->host);
	     s != NULL; s = s->next) {
		if (!bare && !slice_eq(s->row.ns, first))
			continue;
		if (found != NULL && bare &&
		    !slice_eq(found->row.ns, s->row.ns))
			return take_printf(b,
			    "the provider's service %.*s is in several "
			    "namespaces; write NAMESPACE/HOST",
			    SLICE_ARG(out->host));
		found = s;
	}
	return found != NULL
		   ? S("")
		   : take_printf(b, "the provider's service %.*s is not known",
			 SLICE_ARG(out->host));
}

/* As a label of DNS: names of upstream's filters are made of it. */
static bool
is_provider_name(struct slice name)
{
	return name_check_label(name, NULL) == OK;
}

static struct slice
why_bad(
    struct builder *b, const struct rows *policies, struct access_provider *out)
{
	const struct extension_provider *p = find_provider(b->mesh, out->name);
	const struct ext_authz *e;

	for (size_t i = 0; i < policies->count; i++) {
		const struct access_policy *other = policies->items[i];

		if (!slice_eq(other->provider, out->name))
			return take_printf(b,
			    "%.*s and %.*s are asked for the same workload; "
			    "only one provider can be",
			    SLICE_ARG(out->name), SLICE_ARG(other->provider));
	}
	if (p == NULL)
		return take_printf(b,
		    "no extensionProvider of MeshConfig that authorizes is "
		    "named \"%.*s\"",
		    SLICE_ARG(out->name));
	e = p->authz_http != NULL ? p->authz_http : p->authz_grpc;
	out->grpc = p->authz_http == NULL;
	out->fail_open = e->fail_open;
	if (!is_provider_name(out->name))
		return take_printf(b,
		    "the provider's name \"%.*s\" is no label of DNS",
		    SLICE_ARG(out->name));
	if (e->service.port < 1 || e->service.port > UINT16_MAX)
		return S("the provider has no port (1-65535)");
	if (e->path_prefix.len > 0 && e->path_prefix.ptr[0] != '/')
		return S("the provider's pathPrefix does not begin with \"/\"");
	return why_no_service(b, e, S("default"), out);
}

static void
put_provider(
    struct builder *b, const struct rows *policies, struct view_access *out)
{
	const struct access_policy *first;
	struct access_provider *p;

	if (policies->count == 0)
		return;
	first = policies->items[0];
	p = take(b, 1, sizeof(*p));
	if (p == NULL)
		return;
	p->name = first->provider;
	p->bad = why_bad(b, policies, p);
	if (p->bad.len > 0)
		add_problem(b, &first->origin,
		    "what CUSTOM takes is denied: %.*s", SLICE_ARG(p->bad));
	out->provider = p;
}

/* --- sets ----------------------------------------------------------------- */

/* Rules of each stage, while they are collected. */
struct collected {
	struct rows rules[ACCESS_STAGES]; /* struct access_rule */
	struct rows custom;               /* struct access_policy */
	bool present[ACCESS_STAGES];
};

static bool
is_dry(const struct resource *r)
{
	struct slice v = labels_get(&r->annotations, S("istio.io/dry-run"));

	/* Validated: one of the words for true or false. */
	return v.len > 0 &&
	       (v.ptr[0] == '1' || v.ptr[0] == 't' || v.ptr[0] == 'T');
}

static enum access_stage
stage_of(const struct resource *r)
{
	const struct authorization_policy *spec = r->spec;

	switch (spec->action) {
	case AUTHZ_CUSTOM:
		return ACCESS_CUSTOM;
	case AUTHZ_AUDIT:
		return ACCESS_AUDIT;
	case AUTHZ_DENY:
		return is_dry(r) ? ACCESS_DRY_DENY : ACCESS_DENY;
	default:
		return is_dry(r) ? ACCESS_DRY_ALLOW : ACCESS_ALLOW;
	}
}

static void
collect(struct builder *b, const struct trust *t, const struct resource *r,
    struct collected *out)
{
	const struct authorization_policy *spec = r->spec;
	enum access_stage stage = stage_of(r);
	struct access_policy *p = take(b, 1, sizeof(*p));

	if (p == NULL)
		return;
	p->origin = origin_of(r, 0);
	p->provider = spec->provider != NULL ? spec->provider->name : S("");
	out->present[stage] = true;
	if (stage == ACCESS_CUSTOM)
		rows_add(&out->custom, p);
	compile_rules(b, t, r, p, &out->rules[stage]);
}

/* The rule as a connection meets it: one that takes none says why. */
static const struct access_rule *
rule_for_tcp(
    struct builder *b, const struct access_rule *r, enum access_stage stage)
{
	struct access_rule *never;

	if (!rule_skips_tcp(r, stage))
		return r;
	never = take(b, 1, sizeof(*never));
	if (never == NULL)
		return r;
	*never = *r;
	never->never = S("it is about requests, and a connection has none");
	return never;
}

static struct access_set
set_of(struct builder *b, const struct collected *c, enum access_stage stage,
    bool http)
{
	const struct rows *all = &c->rules[stage];
	const struct access_rule **rules = take(b, all->count, sizeof(*rules));
	struct access_set s = {.present = c->present[stage], .rules = rules};

	for (size_t i = 0; rules != NULL && i < all->count; i++)
		rules[s.count++] = http ? all->items[i]
					: rule_for_tcp(b, all->items[i], stage);
	s.index = index_of(b, &s, http);
	return s;
}

/* An HTTP provider cannot be asked about a connection. */
static bool
is_for_tcp(const struct view_access *a, enum access_stage stage)
{
	return stage != ACCESS_CUSTOM || a->provider == NULL ||
	       a->provider->grpc || a->provider->bad.len > 0;
}

static const struct view_access *
access_of(
    struct builder *b, const struct trust *t, const struct policy_target *w)
{
	struct rows policies = {0};
	struct collected c = {0};
	struct view_access *out = NULL;

	select_policies(b->v, w, &kind_authorization_policy, &policies);
	if (policies.count > 0)
		out = take(b, 1, sizeof(*out));
	for (size_t i = 0; out != NULL && i < policies.count; i++)
		collect(b, t, policies.items[i], &c);
	if (out != NULL)
		put_provider(b, &c.custom, out);
	for (int s = 0; out != NULL && s < ACCESS_STAGES; s++) {
		out->http[s] = set_of(b, &c, s, /* http */ true);
		if (is_for_tcp(out, s))
			out->tcp[s] = set_of(b, &c, s, /* http */ false);
		rows_fini(&c.rules[s]);
	}
	if (out != NULL)
		out->policies = policies.count;
	rows_fini(&c.custom);
	rows_fini(&policies);
	return out;
}

/* --- workloads ------------------------------------------------------------ */

static struct trust
trust_of(const struct builder *b)
{
	return (struct trust){.own = b->v->trust_domain,
	    .aliases = b->mesh->trust_domain_aliases.items,
	    .alias_count = b->mesh->trust_domain_aliases.count};
}

struct guard_row {
	struct view_guard row; /* first */
	struct scope *scope;   /* that was at hand */
};

static bool
is_same_workload(
    const struct view_guard *g, struct slice ns, const struct labels *labels)
{
	return slice_eq(g->ns, ns) && labels_match(&g->labels, labels) &&
	       labels_match(labels, &g->labels);
}

static void
fill_guard(struct builder *b, struct guard_row *g)
{
	const struct policy_target w = {g->row.ns, g->row.labels};
	const struct trust t = trust_of(b);

	b->scope = g->scope;
	g->row.access = access_of(b, &t, &w);
	g->row.authn = authn_of(b, &w);
	g->row.slot = b->v->guards.count;
	rows_add(&b->v->guards, g);
}

/* Few workloads are on a machine. */
const struct view_guard *
guard_of(struct builder *b, struct slice ns, const struct labels *labels)
{
	struct guard_row *g;

	for (size_t i = 0; i < b->v->guards.count; i++)
		if (is_same_workload(b->v->guards.items[i], ns, labels))
			return b->v->guards.items[i];
	g = take(b, 1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->row.ns = take_copy(b, ns);
	g->row.labels = take_labels(b, labels);
	g->scope = b->scope;
	fill_guard(b, g);
	return &g->row;
}

void
renew_guards(struct builder *b, const struct rows *all)
{
	for (size_t i = 0; i < all->count && !b->full; i++) {
		struct guard_row *g = take(b, 1, sizeof(*g));

		if (g == NULL)
			return;
		*g = *(const struct guard_row *)all->items[i];
		fill_guard(b, g);
	}
}

const struct view_guard *
view_guard_now(const struct view *v, const struct view_guard *g)
{
	static const struct view_guard none;

	return g != NULL ? v->guards.items[g->slot] : &none;
}

const struct view_guard *const *
view_guards(const struct view *v, size_t *out_count)
{
	*out_count = v->guards.count;
	return (const struct view_guard *const *)v->guards.items;
}

void
compile_access(struct builder *b)
{
	for (size_t i = 0; i < b->v->exposed_count && !b->full; i++) {
		struct view_exposed *e = &b->v->exposed[i];

		e->guard = guard_of(b, e->ns, &e->labels);
	}
}
