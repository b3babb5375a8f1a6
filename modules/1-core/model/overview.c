/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overview — a view as tables for people.
 */
#include "overview.h"

#include "authn.h"
#include "tree.h"

/* "shop app=web" */
static struct slice
place_text(struct tree *t, struct slice ns, const struct labels *labels)
{
	struct slice text = ns;

	for (size_t i = 0; i < labels->count; i++)
		text = tree_joined(t, text, " ",
		    tree_printf(t, "%.*s=%.*s", SLICE_ARG(labels->items[i].key),
			SLICE_ARG(labels->items[i].value)));
	return text;
}

static struct slice
caller_text(struct tree *t, const struct view_scope *s)
{
	return place_text(t, s->ns, &s->labels);
}

/* --- where it goes -------------------------------------------------------- */

static struct slice
share_text(struct tree *t, const struct view_destination *d, uint32_t total)
{
	struct slice to = d->cluster != NULL ? d->cluster->name
			  : d->passes        ? d->name
					     : d->missing;

	if (total == 0 || d->weight == total)
		return to;
	return tree_printf(t, "%.4g %% %.*s",
	    100.0 * (double)d->weight / (double)total, SLICE_ARG(to));
}

static struct slice
shares_text(struct tree *t, const struct view_destination *items, size_t count,
    uint32_t total)
{
	struct slice text = S("");

	for (size_t i = 0; i < count; i++)
		if (i == 0 || (total > 0 && items[i].weight > 0))
			text = tree_joined(
			    t, text, ", ", share_text(t, &items[i], total));
	return text;
}

/* --- listeners ------------------------------------------------------------ */

static struct slice
takes_text(struct tree *t, const struct view_chain_match *m)
{
	static const char *const transports[] = {[VIEW_ANY_TRANSPORT] = "",
	    [VIEW_PLAIN] = "plain",
	    [VIEW_TLS_TRANSPORT] = "TLS"};
	struct slice text = S("");
	char cidr[ADDR_TEXT_MAX];

	if (m->port != 0)
		text = tree_printf(t, "port %u", (unsigned)m->port);
	for (size_t i = 0; i < m->cidr_count; i++)
		text = tree_joined(t, text, i == 0 ? ", " : " or ",
		    tree_printf(t, "%s", cidr_format(&m->cidrs[i], cidr)));
	if (m->members != NULL)
		text = tree_joined(t, text, ", ",
		    tree_printf(t, "members of %.*s",
			SLICE_ARG(m->members->service->host)));
	if (m->transport != VIEW_ANY_TRANSPORT)
		text = tree_joined(
		    t, text, ", ", slice_str(transports[m->transport]));
	for (size_t i = 0; i < m->sni_count; i++)
		text = tree_joined(
		    t, text, i == 0 ? ", for " : " or ", m->snis[i]);
	for (size_t i = 0; i < m->alpn_count; i++)
		text = tree_joined(
		    t, text, i == 0 ? ", ALPN " : " or ", m->alpns[i]);
	return text.len > 0 ? text : S("all");
}

/* "STRICT, PeerAuthentication/shop/strict@7" */
static struct slice
peers_text(struct tree *t, const struct view_chain *c)
{
	if (c->peers == MUTUAL_TLS_UNSET)
		return S("");
	return tree_printf(t, "%s, %.*s", mutual_tls_mode_name(c->peers),
	    SLICE_ARG(tree_origin(t, &c->peers_origin)));
}

/* Callers of what comes in are elsewhere: `caller` is empty. */
static void
add_chain(struct tree *t, struct value *list, struct slice caller,
    const struct view_listener *l, const struct view_chain *c)
{
	struct value *row = tree_map(t);

	tree_put_text(
	    t, row, "direction", slice_str(view_direction_name(l->direction)));
	tree_put_text(t, row, "caller", caller);
	tree_put_text(t, row, "name", l->name);
	tree_put_text(t, row, "chain", c->name);
	tree_put_text(t, row, "takes",
	    c == l->otherwise ? S("what no chain takes")
			      : takes_text(t, &c->match));
	tree_put_text(
	    t, row, "tls", slice_str(view_tls_mode_name(c->tls.mode)));
	tree_put_text(t, row, "peers", peers_text(t, c));
	if (c->routes != NULL)
		tree_put_text(t, row, "to",
		    tree_printf(t, "routes %.*s",
			SLICE_ARG(view_routes_name(c->routes))));
	else
		tree_put_text(t, row, "to",
		    shares_text(t, c->tcp->destinations,
			c->tcp->destination_count, c->tcp->weight_total));
	tree_put_text(t, row, "origin", tree_origin(t, &c->origin));
	tree_add(t, list, row);
}

/* What programs here connect to by name. */
static void
add_upstreams(struct tree *t, struct value *list, const struct view *v)
{
	size_t count;
	const struct view_upstream *all = view_upstreams(v, &count);

	for (size_t i = 0; i < count; i++) {
		struct value *row = tree_map(t);

		tree_put_text(t, row, "direction", S("outbound"));
		tree_put_text(t, row, "caller", caller_text(t, all[i].scope));
		tree_put_text(t, row, "name", all[i].name);
		tree_put_text(t, row, "takes", tree_addr(t, &all[i].listen));
		tree_put_text(t, row, "to",
		    all[i].host != NULL ? all[i].host->name : all[i].missing);
		tree_put_text(t, row, "origin", S("named listener"));
		tree_add(t, list, row);
	}
}

/* What the mesh reaches here through tunnels. */
static void
add_exposures(struct tree *t, struct value *list, const struct view *v)
{
	size_t count;
	const struct view_exposed *all = view_exposures(v, &count);

	for (size_t i = 0; i < count; i++) {
		const struct view_exposed *e = &all[i];
		struct value *row = tree_map(t);

		tree_put_text(t, row, "direction", S("inbound"));
		tree_put_text(t, row, "name",
		    tree_printf(
			t, "%.*s:%u", SLICE_ARG(e->host), (unsigned)e->port));
		tree_put_text(t, row, "takes",
		    tree_printf(
			t, "tunnels to port %u", (unsigned)e->addr.port));
		tree_put_text(t, row, "tls",
		    slice_str(view_tls_mode_name(VIEW_TLS_ISTIO_MUTUAL)));
		tree_put_text(t, row, "to",
		    tree_printf(t, "%.*s, as %.*s",
			SLICE_ARG(tree_addr(t, &e->target)),
			SLICE_ARG(e->identity)));
		tree_put_text(t, row, "origin", S("exposed here"));
		tree_add(t, list, row);
	}
}

static void
add_listener(struct tree *t, struct value *list, struct slice caller,
    const struct view_listener *l)
{
	for (size_t i = 0; i < l->chain_count; i++)
		add_chain(t, list, caller, l, &l->chains[i]);
	if (l->otherwise != NULL)
		add_chain(t, list, caller, l, l->otherwise);
}

static void
add_direction(struct tree *t, struct value *list, const struct view *v,
    const struct view_scope *of, enum view_direction d)
{
	size_t count;
	const struct view_listener *const *all =
	    view_listeners(v, of, d, &count);
	struct slice caller = d == VIEW_OUTBOUND ? caller_text(t, of) : S("");

	for (size_t i = 0; i < count; i++)
		add_listener(t, list, caller, all[i]);
}

static void
add_listeners(struct tree *t, struct value *list, const struct view *v)
{
	size_t count;
	const struct view_scope *const *scopes = view_scopes(v, &count);

	add_upstreams(t, list, v);
	add_exposures(t, list, v);
	for (size_t d = 0; d < VIEW_DIRECTIONS; d++)
		for (size_t i = 0; i < count; i++)
			add_direction(
			    t, list, v, scopes[i], (enum view_direction)d);
}

/* --- routes --------------------------------------------------------------- */

static void
add_http(struct tree *t, struct value *list, const struct view_host *h,
    const struct view_http_route *r)
{
	struct value *row = tree_map(t);
	struct slice asked = tree_asked(t, r);

	tree_put_text(t, row, "caller", caller_text(t, h->scope));
	tree_put_text(t, row, "host", h->name);
	tree_put_text(t, row, "rule", r->name);
	tree_put_text(t, row, "asks", asked.len > 0 ? asked : S("all"));
	tree_put_text(t, row, "to",
	    shares_text(
		t, r->destinations, r->destination_count, r->weight_total));
	tree_put_text(t, row, "origin", tree_origin(t, &r->origin));
	tree_add(t, list, row);
}

static void
add_tcp(struct tree *t, struct value *list, const struct view_host *h,
    const struct view_tcp_route *r)
{
	struct value *row = tree_map(t);

	tree_put_text(t, row, "caller", caller_text(t, h->scope));
	tree_put_text(t, row, "host", h->name);
	tree_put_text(t, row, "asks", r->never.len > 0 ? r->never : S("all"));
	tree_put_text(t, row, "to",
	    shares_text(
		t, r->destinations, r->destination_count, r->weight_total));
	tree_put_text(t, row, "origin", tree_origin(t, &r->origin));
	tree_add(t, list, row);
}

static void
add_routes(struct tree *t, struct value *list, const struct view *v)
{
	const struct view_host *h;

	for (size_t i = 0; (h = view_next_host(v, &i)) != NULL;) {
		for (size_t j = 0; j < h->http_count; j++)
			add_http(t, list, h, &h->http[j]);
		for (size_t j = 0; j < h->tcp_count; j++)
			add_tcp(t, list, h, &h->tcp[j]);
	}
}

/* --- clusters ------------------------------------------------------------- */

static void
add_clusters(struct tree *t, struct value *list, const struct view *v)
{
	const struct view_cluster *c;

	for (size_t i = 0; (c = view_next_cluster(v, &i)) != NULL;) {
		const struct origin *o =
		    c->origin.key.kind.len > 0 || c->service == NULL
			? &c->origin
			: &c->service->origin;
		struct value *row = tree_map(t);

		tree_put_text(t, row, "name", c->name);
		tree_put_text(t, row, "balancer",
		    slice_str(tree_balancer(c->policy->balancing.balancer)));
		tree_put_int(t, row, "endpoints", (int64_t)c->endpoint_count);
		tree_put_int(t, row, "usable", (int64_t)c->usable_count);
		tree_put_text(t, row, "origin", tree_origin(t, o));
		tree_add(t, list, row);
	}
}

static void
add_endpoints(struct tree *t, struct value *list, const struct view *v)
{
	const struct view_cluster *c;

	for (size_t i = 0; (c = view_next_cluster(v, &i)) != NULL;)
		for (size_t j = 0; j < c->endpoint_count; j++) {
			const struct view_endpoint *e = c->endpoints[j];
			struct value *row = tree_map(t);
			char text[ENDPOINT_TEXT_MAX];

			tree_put_text(t, row, "cluster", c->name);
			tree_put_text(t, row, "address",
			    tree_printf(
				t, "%s", view_endpoint_address(e, text)));
			tree_put_text(t, row, "name",
			    e->addr.family != ADDR_NONE ? e->name : S(""));
			tree_put_text(t, row, "node", e->node);
			tree_put_text(t, row, "identity", e->identity);
			tree_put_text(t, row, "locality", e->locality);
			tree_put_int(t, row, "weight", e->weight);
			tree_put_text(t, row, "state",
			    e->usable ? S("in use") : e->reason);
			tree_add(t, list, row);
		}
}

/* --- policies ------------------------------------------------------------- */

static void
add_policy(struct tree *t, struct value *list, const struct view_guard *g,
    const char *action, struct slice asks, const struct origin *o)
{
	struct value *row = tree_map(t);

	tree_put_text(t, row, "workload", place_text(t, g->ns, &g->labels));
	tree_put_text(t, row, "action", slice_str(action));
	tree_put_text(t, row, "policy",
	    tree_printf(
		t, "%.*s/%.*s", SLICE_ARG(o->key.ns), SLICE_ARG(o->key.name)));
	tree_put_text(t, row, "asks", asks);
	tree_put_text(t, row, "origin", tree_origin(t, o));
	tree_add(t, list, row);
}

static void
add_access(struct tree *t, struct value *list, const struct view_guard *g)
{
	for (int s = 0; g->access != NULL && s < ACCESS_STAGES; s++) {
		const struct access_set *set = &g->access->http[s];

		for (size_t i = 0; i < set->count; i++)
			add_policy(t, list, g, access_stage_name(s),
			    tree_access_rule(t, set->rules[i]),
			    &set->rules[i]->origin);
	}
}

static void
add_policies(struct tree *t, struct value *list, const struct view *v)
{
	size_t count;
	const struct view_guard *const *all = view_guards(v, &count);

	for (size_t i = 0; i < count; i++) {
		const struct view_authn *a = all[i]->authn;

		for (size_t j = 0; a != NULL && j < a->count; j++)
			add_policy(t, list, all[i], "token",
			    a->rules[j].issuer.len > 0
				? tree_printf(t, "issuer is %.*s",
				      SLICE_ARG(a->rules[j].issuer))
				: S("any issuer"),
			    &a->rules[j].origin);
		add_access(t, list, all[i]);
	}
}

/* --- all of them ---------------------------------------------------------- */

static const struct table {
	const char *name;
	void (*add)(struct tree *t, struct value *list, const struct view *v);
} tables[] = {
    {"listeners", add_listeners},
    {"routes", add_routes},
    {"clusters", add_clusters},
    {"endpoints", add_endpoints},
    {"policies", add_policies},
};

static const struct table *
find_table(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (slice_eq(slice_str(tables[i].name), name))
			return &tables[i];
	return NULL;
}

bool
view_has_overview(struct slice table)
{
	return find_table(table) != NULL;
}

struct value *
view_overview(const struct view *v, struct slice table, struct arena *arena)
{
	struct tree t = {.arena = arena};
	struct value *list = tree_list(&t);
	const struct table *which = find_table(table);

	if (which == NULL)
		return NULL;
	which->add(&t, list, v);
	return t.full ? NULL : list;
}
