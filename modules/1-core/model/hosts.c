/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — one spelling for each host, and which hosts a resource speaks of.
 */
#include "hosts.h"

#include <stdarg.h>
#include <stdio.h>

#define SPACE "space/"
#define PEERS "peers/"

static struct slice
printed(char out[HOST_TEXT_MAX], int len)
{
	return len < 0 || len >= HOST_TEXT_MAX ? S("")
					       : slice_of(out, (size_t)len);
}

static struct slice
lower(struct slice s, char out[HOST_TEXT_MAX])
{
	if (s.len >= HOST_TEXT_MAX)
		return S("");
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	if (s.len > 0 && out[s.len - 1] == '.')
		s.len--;
	return slice_of(out, s.len);
}

static struct slice
spell_pattern(struct slice s, struct slice domain, char out[HOST_TEXT_MAX])
{
	static const struct slice cluster = {".svc.cluster.local", 18};

	if (slice_ends(s, cluster))
		return slice_join(SLICES(slice_sub(s, 0, s.len - cluster.len),
				      S(".svc."), domain),
		    out, HOST_TEXT_MAX);
	if (slice_eq(s, S("*.cluster.local")))
		return slice_join(SLICES(S("*."), domain), out, HOST_TEXT_MAX);
	memcpy(out, s.ptr, s.len); /* shorter than HOST_TEXT_MAX */
	return slice_of(out, s.len);
}

bool
host_may_be_outside(struct slice host)
{
	size_t dot = slice_find(host, '.');

	return dot < host.len && dot + 1 < host.len &&
	       slice_find(slice_sub(host, dot + 1, host.len), '.') ==
		   host.len - dot - 1 &&
	       !slice_starts(host, S("*"));
}

struct slice
host_spell_written(struct slice host, struct slice ns, struct slice domain,
    char out[HOST_TEXT_MAX])
{
	char text[HOST_TEXT_MAX];
	struct slice s = lower(host, text);

	if (!host_may_be_outside(s))
		return host_spell(host, ns, domain, out);
	memcpy(out, s.ptr, s.len); /* shorter than HOST_TEXT_MAX */
	return slice_of(out, s.len);
}

struct slice
host_spell(struct slice host, struct slice ns, struct slice domain,
    char out[HOST_TEXT_MAX])
{
	char text[HOST_TEXT_MAX];
	struct slice s = lower(host, text);
	struct service_name name;

	if (s.len == 0)
		return S("");
	if (slice_starts(s, S("*")))
		return spell_pattern(s, domain, out);
	if (name_service_parse(s, ns, domain, &name) == OK)
		return slice_join(
		    SLICES(name.name, S("."), name.ns, S(".svc."), domain), out,
		    HOST_TEXT_MAX);
	memcpy(out, s.ptr, s.len); /* shorter than HOST_TEXT_MAX */
	return slice_of(out, s.len);
}

size_t
host_spellings(struct slice host, struct slice ns, struct slice domain,
    struct host_spellings *out)
{
	out->names[0] = host_spell_written(host, ns, domain, out->texts[0]);
	if (out->names[0].len == 0)
		return 0;
	if (!host_may_be_outside(out->names[0]))
		return 1;
	out->names[1] = host_spell(out->names[0], ns, domain, out->texts[1]);
	return slice_eq(out->names[0], out->names[1]) ? 1 : 2;
}

bool
host_is_pattern(struct slice host)
{
	return slice_eq(host, S("*")) || slice_starts(host, S("*."));
}

bool
host_is_odd(struct slice host)
{
	return slice_starts(host, S("*")) && !host_is_pattern(host);
}

bool
host_next_pattern(struct slice host, size_t *at, char out[HOST_TEXT_MAX],
    struct slice *out_pattern)
{
	struct slice rest;

	if (*at > host.len || host.len >= HOST_TEXT_MAX - 1)
		return false;
	if (*at == 0) {
		*out_pattern = host;
		*at = slice_find(host, '/') < host.len ? host.len + 1 : 1;
		return host.len > 0;
	}
	rest = slice_sub(host, *at, host.len);
	rest = slice_sub(rest, slice_find(rest, '.'), rest.len);
	*at = host.len - rest.len + 1;
	*out_pattern = slice_join(SLICES(S("*"), rest), out, HOST_TEXT_MAX);
	return true;
}

/* --- the kinds ------------------------------------------------------------ */

struct telling {
	const struct resource *r;
	struct slice domain;
	void (*each)(void *arg, enum host_part part, struct slice host);
	void *arg;
};

/* Two labels may be a service's name, or a name of the outside. */
static void
tell(const struct telling *t, enum host_part part, struct slice host)
{
	struct host_spellings s;
	size_t count = host_spellings(host, t->r->key.ns, t->domain, &s);

	for (size_t i = 0; i < count; i++)
		if (part == HOST_ABOUT || !host_is_pattern(s.names[i]))
			t->each(t->arg, part, s.names[i]);
}

static void tell_text(const struct telling *t, enum host_part part,
    const char *fmt, ...) PRINTF_LIKE(3, 4);

static void
tell_text(const struct telling *t, enum host_part part, const char *fmt, ...)
{
	char text[HOST_TEXT_MAX];
	struct slice s;
	va_list args;

	va_start(args, fmt);
	s = printed(text, vsnprintf(text, sizeof(text), fmt, args));
	va_end(args);
	if (s.len > 0)
		t->each(t->arg, part, s);
}

/* By a label that they have; NULL: any. */
static void
tell_workloads(
    const struct telling *t, enum host_part part, const struct label *l)
{
	const struct slice ns = t->r->key.ns;

	if (l == NULL)
		tell_text(t, part, "workload/%.*s", SLICE_ARG(ns));
	else
		tell_text(t, part, "workload/%.*s/%.*s=%.*s", SLICE_ARG(ns),
		    SLICE_ARG(l->key), SLICE_ARG(l->value));
}

/* One that selects a gateway says at which of its ports calls arrive. */
static void
tell_service(const struct telling *t)
{
	const struct labels *selector = &resource_service(t->r)->selector;
	const struct resource_key *k = &t->r->key;
	char text[HOST_TEXT_MAX];

	tell_text(t, HOST_ABOUT, "%.*s.%.*s.svc.%.*s", SLICE_ARG(k->name),
	    SLICE_ARG(k->ns), SLICE_ARG(t->domain));
	if (selector->count == 0)
		return;
	tell_workloads(t, HOST_REFERS, selector->items);
	t->each(t->arg, HOST_ABOUT, host_front(k->ns, selector->items, text));
}

static void
tell_destination(const struct telling *t, const struct destination_spec *d)
{
	if (d != NULL)
		tell(t, HOST_REFERS, d->host);
}

static void
tell_delegate(const struct telling *t, enum host_part part, struct slice ns,
    struct slice name)
{
	tell_text(
	    t, part, "delegate/%.*s/%.*s", SLICE_ARG(ns), SLICE_ARG(name));
}

static void
tell_http_rule(const struct telling *t, const struct http_route *r)
{
	const struct delegate_spec *d = r->delegate;

	for (size_t i = 0; i < r->route.count; i++)
		tell_destination(t, r->route.items[i].destination);
	tell_destination(t, r->mirror);
	for (size_t i = 0; i < r->mirrors.count; i++)
		tell_destination(t, r->mirrors.items[i].destination);
	if (d != NULL)
		tell_delegate(t, HOST_REFERS,
		    d->ns.len > 0 ? d->ns : t->r->key.ns, d->name);
}

static void
tell_binding(const struct telling *t, struct slice gateway)
{
	struct slice ns, name;

	if (gateways_have_mesh(&gateway, 1))
		return;
	gateway_name_split(gateway, t->r->key.ns, &ns, &name);
	tell_text(
	    t, HOST_ABOUT, "bound/%.*s/%.*s", SLICE_ARG(ns), SLICE_ARG(name));
}

static void
tell_virtual_service(const struct telling *t)
{
	const struct virtual_service *vs = resource_virtual_service(t->r);

	bool in_mesh =
	    gateways_have_mesh(vs->gateways.items, vs->gateways.count);

	for (size_t i = 0; in_mesh && i < vs->hosts.count; i++)
		tell(t, HOST_ABOUT, vs->hosts.items[i]);
	for (size_t i = 0; i < vs->gateways.count; i++)
		tell_binding(t, vs->gateways.items[i]);
	if (vs->hosts.count == 0)
		tell_delegate(t, HOST_ABOUT, t->r->key.ns, t->r->key.name);
	for (size_t i = 0; i < vs->http.count; i++)
		tell_http_rule(t, &vs->http.items[i]);
	for (size_t i = 0; i < vs->tls.count; i++)
		for (size_t j = 0; j < vs->tls.items[i].route.count; j++)
			tell_destination(
			    t, vs->tls.items[i].route.items[j].destination);
	for (size_t i = 0; i < vs->tcp.count; i++)
		for (size_t j = 0; j < vs->tcp.items[i].route.count; j++)
			tell_destination(
			    t, vs->tcp.items[i].route.items[j].destination);
}

static void
tell_rule(const struct telling *t)
{
	tell(t, HOST_ABOUT, resource_destination_rule(t->r)->host);
}

static void
tell_labels(const struct telling *t, const struct labels *l)
{
	for (size_t i = 0; i < l->count; i++)
		tell_workloads(t, HOST_ABOUT, &l->items[i]);
}

static void
tell_workload(const struct telling *t)
{
	tell_workloads(t, HOST_ABOUT, NULL);
	tell_labels(t, &t->r->labels);
	tell_labels(t, &((const struct workload_entry *)t->r->spec)->labels);
}

/* Whether calls to it are secured, its namespace says. */
static void
tell_entry(const struct telling *t)
{
	const struct service_entry *e = t->r->spec;
	const struct workload_selector *s = e->workload_selector;

	if (s != NULL)
		tell_workloads(t, HOST_REFERS,
		    s->labels.count > 0 ? s->labels.items : NULL);
	for (size_t i = 0; i < e->hosts.count; i++)
		tell(t, HOST_ABOUT, e->hosts.items[i]);
	if (e->location == ENTRY_MESH_INTERNAL)
		tell_text(
		    t, HOST_REFERS, PEERS "%.*s", SLICE_ARG(t->r->key.ns));
}

/* --- what is about no host ------------------------------------------------ */

static void
tell_space(const struct telling *t)
{
	tell_text(t, HOST_ABOUT, SPACE "%.*s", SLICE_ARG(t->r->key.ns));
}

static void
tell_peers(const struct telling *t)
{
	tell_space(t);
	tell_text(t, HOST_ABOUT, PEERS "%.*s", SLICE_ARG(t->r->key.ns));
}

static void
tell_sidecar(const struct telling *t)
{
	const struct sidecar *s = t->r->spec;

	tell_space(t);
	if (s->outbound_traffic_policy != NULL)
		tell_destination(t, s->outbound_traffic_policy->egress_proxy);
}

/* A gateway asks for each of its labels, and for none. */
static void
tell_gateway(const struct telling *t)
{
	const struct labels *l =
	    &((const struct gateway *)t->r->spec)->selector;
	char text[HOST_TEXT_MAX];

	tell_text(t, HOST_REFERS, "bound/%.*s/%.*s", SLICE_ARG(t->r->key.ns),
	    SLICE_ARG(t->r->key.name));
	t->each(t->arg, HOST_ABOUT,
	    host_gateway(l->count > 0 ? l->items : NULL, text));
}

/* What it says of its workloads, and of a gateway, whose labels it has. */
static void
tell_group(const struct telling *t)
{
	const struct workload_group *g = t->r->spec;
	const struct resource_key *k = &t->r->key;
	char text[HOST_TEXT_MAX];

	t->each(t->arg, HOST_ABOUT, host_group(k->ns, k->name, text));
	if (g->metadata != NULL && g->metadata->labels.count > 0)
		t->each(t->arg, HOST_ABOUT,
		    host_gateway(g->metadata->labels.items, text));
}

static void
tell_mesh(const struct telling *t)
{
	const struct mesh_config *m = t->r->spec;

	t->each(t->arg, HOST_ABOUT, S(HOST_MESH));
	tell_text(t, HOST_REFERS, SPACE "%.*s", SLICE_ARG(m->root_namespace));
}

static void
tell_network(const struct telling *t)
{
	const struct network *n = t->r->spec;

	t->each(t->arg, HOST_ABOUT, S(HOST_NETWORKS));
	for (size_t i = 0; i < n->gateways.count; i++)
		tell(
		    t, HOST_REFERS, n->gateways.items[i].registry_service_name);
}

void
resource_each_host(const struct resource *r, struct slice domain,
    void (*each)(void *arg, enum host_part part, struct slice host), void *arg)
{
	static const struct {
		const struct resource_kind *kind;
		void (*tell)(const struct telling *t);
	} kinds[] = {
	    {&kind_service, tell_service},
	    {&kind_virtual_service, tell_virtual_service},
	    {&kind_destination_rule, tell_rule},
	    {&kind_service_entry, tell_entry},
	    {&kind_workload_entry, tell_workload},
	    {&kind_sidecar, tell_sidecar},
	    {&kind_peer_authentication, tell_peers},
	    {&kind_request_authentication, tell_space},
	    {&kind_authorization_policy, tell_space},
	    {&kind_telemetry, tell_space},
	    {&kind_proxy_config, tell_space},
	    {&kind_health_check_policy, tell_space},
	    {&kind_wasm_plugin, tell_space},
	    {&kind_traffic_extension, tell_space},
	    {&kind_gateway, tell_gateway},
	    {&kind_workload_group, tell_group},
	    {&kind_mesh_config, tell_mesh},
	    {&kind_network, tell_network},
	};
	const struct telling t = {r, domain, each, arg};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (r->kind == kinds[i].kind)
			kinds[i].tell(&t);
}

struct slice
host_group(struct slice ns, struct slice name, char out[HOST_TEXT_MAX])
{
	return printed(out, snprintf(out, HOST_TEXT_MAX, "group/%.*s/%.*s",
				SLICE_ARG(ns), SLICE_ARG(name)));
}

struct slice
host_gateway(const struct label *l, char out[HOST_TEXT_MAX])
{
	return printed(
	    out, l == NULL ? snprintf(out, HOST_TEXT_MAX, "gateway/")
			   : snprintf(out, HOST_TEXT_MAX, "gateway/%.*s=%.*s",
				 SLICE_ARG(l->key), SLICE_ARG(l->value)));
}

struct slice
host_front(struct slice ns, const struct label *l, char out[HOST_TEXT_MAX])
{
	return printed(
	    out, snprintf(out, HOST_TEXT_MAX, "front/%.*s/%.*s=%.*s",
		     SLICE_ARG(ns), SLICE_ARG(l->key), SLICE_ARG(l->value)));
}

struct slice
host_space(struct slice ns, char out[HOST_TEXT_MAX])
{
	return printed(
	    out, snprintf(out, HOST_TEXT_MAX, SPACE "%.*s", SLICE_ARG(ns)));
}

bool
host_is_space(struct slice host, struct slice *out_ns)
{
	if (!slice_starts(host, S(SPACE)))
		return false;
	*out_ns = slice_sub(host, sizeof(SPACE) - 1, host.len);
	return true;
}

bool
host_leads_to(struct slice host, bool bare, struct slice domain,
    char out[HOST_TEXT_MAX], struct slice *out_next)
{
	struct service_name name;

	if (slice_eq(host, S(HOST_MESH))) {
		*out_next = host_space(S(MESH_ROOT_NAMESPACE), out);
		return bare;
	}
	if (name_service_parse(host, SLICE_NONE, domain, &name) != OK)
		return false;
	*out_next = printed(out,
	    snprintf(out, HOST_TEXT_MAX, PEERS "%.*s", SLICE_ARG(name.ns)));
	return out_next->len > 0;
}
