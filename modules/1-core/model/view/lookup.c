/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup — what a request meets: asked by the proxy and by explain alike.
 *
 * No allocation and no lock here; a view never changes.
 */
#include <stdio.h>

#include "inside.h"

/* --- by name -------------------------------------------------------------- */

const struct view_upstream *
view_find_upstream(const struct view *v, struct slice name)
{
	return map_get(&v->upstream_by_name, name);
}

const struct view_cluster *
view_find_cluster(const struct view *v, struct slice name)
{
	return map_get(&v->cluster_by_name, name);
}

const struct view_cluster *
view_find_cluster_by_id(const struct view *v, uint64_t id)
{
	return map_get(&v->cluster_by_name, slice_of(&id, sizeof(id)));
}

enum { KEY_MAX = 1100 };

/* The name as hosts of the view spell it; false if it is no host. */
static bool
spell(const struct view *v, const struct scope *of, struct slice host,
    char out[KEY_MAX], struct slice *out_host)
{
	char lower[NAME_HOST_MAX + 2];
	struct service_name name;
	struct slice s = slice_of(lower, host.len);
	int n;

	if (host.len == 0 || host.len >= sizeof(lower))
		return false;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
	}
	if (s.ptr[s.len - 1] == '.')
		s.len--;
	if (name_service_parse(s, of->row.ns, v->domain, &name) == OK)
		n = snprintf(out, KEY_MAX, "%.*s.%.*s.svc.%.*s",
		    SLICE_ARG(name.name), SLICE_ARG(name.ns),
		    SLICE_ARG(v->domain));
	else
		n = snprintf(out, KEY_MAX, "%.*s", SLICE_ARG(s));
	if (n < 0 || n >= KEY_MAX - 8) /* room for a port */
		return false;
	*out_host = slice_of(out, (size_t)n);
	return true;
}

static const struct view_host *
find_wildcard(const struct scope *s, struct slice host, uint16_t port)
{
	for (size_t i = 0; i < s->wildcards.count; i++) {
		const struct view_host *w = s->wildcards.items[i];
		struct slice suffix = slice_sub(w->host, 1, w->host.len);

		if (host.len > suffix.len && slice_ends(host, suffix) &&
		    (port == 0 || w->port == 0 || w->port == port))
			return w;
	}
	return NULL;
}

const struct view_host *
view_find_host(const struct view *v, const struct view_scope *of,
    struct slice host, uint16_t port)
{
	const struct scope *s =
	    of != NULL ? scope_const(of) : v->scopes.items[0];
	const struct view_host *h;
	char text[KEY_MAX];
	struct slice name;
	int n;

	if (!spell(v, s, host, text, &name))
		return NULL;
	h = map_get(&s->host_first, name);
	if (h == NULL)
		return find_wildcard(s, name, port);
	if (port == 0 || h->port == 0 || h->port == port)
		return h;
	n = snprintf(text + name.len, KEY_MAX - name.len, ":%u",
	    (unsigned)port); /* spell() left room */
	return map_get(&s->host_by_key, slice_of(text, name.len + (size_t)n));
}

/* Ports are few; those with an address of their own come first. */
const struct view_exposed *
view_find_exposed(const struct view *v, const struct addr *target)
{
	for (size_t i = 0; i < v->exposed_count; i++) {
		const struct view_exposed *e = &v->exposed[i];

		if (e->addr.port > target->port)
			break;
		if (e->addr.port == target->port &&
		    (addr_is_any(&e->addr) || addr_ip_eq(&e->addr, target)))
			return e;
	}
	return NULL;
}

const struct view_exposed *
view_find_exposed_host(const struct view *v, struct slice host, uint16_t port)
{
	char text[KEY_MAX];
	struct slice name;

	if (!spell(v, v->scopes.items[0], host, text, &name))
		return NULL;
	for (size_t i = 0; i < v->exposed_count; i++)
		if (v->exposed[i].port == port &&
		    slice_eq(v->exposed[i].host, name))
			return &v->exposed[i];
	return NULL;
}

bool
view_is_announced(const struct view *v, const struct addr *a)
{
	for (size_t i = 0; i < v->addr_count; i++)
		if (addr_ip_eq(&v->addrs[i], a))
			return true;
	return false;
}

/* --- requests ------------------------------------------------------------- */

struct slice
without_query(struct slice path)
{
	size_t n = 0;

	while (n < path.len && path.ptr[n] != '?' && path.ptr[n] != '#')
		n++;
	return slice_sub(path, 0, n);
}

bool
http_header_of(const struct http_attrs *a, struct slice name, struct slice *out)
{
	if (name.len == 0 || name.ptr[0] != ':')
		return a->header != NULL && a->header(a->arg, name, out);
	if (slice_eq(name, S(":method")))
		*out = a->method;
	else if (slice_eq(name, S(":scheme")))
		*out = a->scheme;
	else if (slice_eq(name, S(":authority")))
		*out = a->authority;
	else if (slice_eq(name, S(":path")))
		*out = a->path;
	else
		return false;
	return true;
}

/* Upstream looks at the first of a name, and decodes nothing. */
static bool
parameter_of(struct slice path, struct slice name, struct slice *out)
{
	struct slice rest = path, query;

	(void)slice_split(&rest, '?'); /* the path alone */
	query = slice_split(&rest, '#');
	while (query.len > 0) {
		struct slice value = slice_split(&query, '&');

		if (slice_eq(slice_split(&value, '='), name)) {
			*out = value;
			return true;
		}
	}
	return false;
}

static bool
actual_of(const struct view_condition *c, const struct http_attrs *a,
    struct slice *out)
{
	switch (c->subject) {
	case VIEW_ON_PATH:
		*out = without_query(a->path);
		return true;
	case VIEW_ON_METHOD:
		*out = a->method;
		return true;
	case VIEW_ON_SCHEME:
		*out = a->scheme;
		return true;
	case VIEW_ON_AUTHORITY:
		*out = a->authority;
		return true;
	case VIEW_ON_HEADER:
		return http_header_of(a, c->name, out);
	case VIEW_ON_PARAMETER:
		return parameter_of(a->path, c->name, out);
	case VIEW_ON_PORT:
	case VIEW_NEVER:
		break;
	}
	return false;
}

static bool
passes(const struct view_condition *c, struct slice actual)
{
	struct slice start = slice_sub(actual, 0, c->value.len);

	switch (c->test) {
	case VIEW_EXACT:
		return c->any_case ? slice_eq_nocase(actual, c->value)
				   : slice_eq(actual, c->value);
	case VIEW_PREFIX:
		return c->any_case ? slice_eq_nocase(start, c->value)
				   : slice_eq(start, c->value);
	case VIEW_REGEX:
		return regex_match(c->regex, actual);
	case VIEW_PRESENT:
		break;
	}
	return true;
}

static bool
holds(const struct view_condition *c, const struct http_attrs *a,
    struct slice *actual, bool *has_actual)
{
	if (c->subject == VIEW_NEVER)
		return false;
	if (c->subject == VIEW_ON_PORT)
		return a->port == c->port;
	*has_actual = actual_of(c, a, actual);
	if (*has_actual)
		return passes(c, *actual) != c->negated;
	return c->negated && (c->test == VIEW_PRESENT || !passes(c, S("")));
}

/* NULL: all hold. Else the first that does not. */
static const struct view_condition *
first_failure(const struct view_match *m, const struct http_attrs *a,
    struct view_step *step)
{
	for (size_t i = 0; i < m->count; i++) {
		step->actual = SLICE_NONE;
		step->has_actual = false;
		if (!holds(
			&m->conditions[i], a, &step->actual, &step->has_actual))
			return &m->conditions[i];
	}
	return NULL;
}

static bool
tell(const struct view_trace *trace, const struct view_step *step)
{
	if (trace != NULL)
		trace->step(trace->arg, step);
	return step->matched;
}

static bool
try_route(const struct view_host *host, const struct view_http_route *r,
    const struct http_attrs *attrs, const struct view_trace *trace,
    const struct view_match **out_match)
{
	struct view_step step = {.host = host, .route = r, .matched = true};

	*out_match = NULL;
	if (r->match_count == 0)
		return tell(trace, &step);
	for (size_t i = 0; i < r->match_count; i++) {
		step.match = &r->matches[i];
		step.failed = first_failure(step.match, attrs, &step);
		step.matched = step.failed == NULL;
		*out_match = step.match;
		if (tell(trace, &step))
			return true;
	}
	return false;
}

struct view_http_choice
view_route_http(const struct view_host *host, const struct http_attrs *attrs,
    const struct view_trace *trace)
{
	struct view_http_choice choice = {NULL, NULL};

	for (size_t i = 0; i < host->http_count; i++)
		if (try_route(
			host, &host->http[i], attrs, trace, &choice.match)) {
			choice.route = &host->http[i];
			return choice;
		}
	return (struct view_http_choice){NULL, NULL};
}

static bool
takes_port(const struct view_tcp_route *r, uint16_t port)
{
	for (size_t i = 0; i < r->port_count; i++)
		if (r->ports[i] == port)
			return true;
	return r->port_count == 0 && r->never.len == 0;
}

const struct view_tcp_route *
view_route_tcp(
    const struct view_host *host, uint16_t port, const struct view_trace *trace)
{
	for (size_t i = 0; i < host->tcp_count; i++) {
		struct view_step step = {.host = host,
		    .tcp = &host->tcp[i],
		    .matched = takes_port(&host->tcp[i], port)};

		if (tell(trace, &step))
			return &host->tcp[i];
	}
	return NULL;
}

/* The high half of a product maps 64 bits of chance on [0, total). */
static uint32_t
scale(uint64_t chance, uint32_t total)
{
	return (uint32_t)(((chance >> 32) * total) >> 32);
}

const struct view_destination *
view_choose(const struct view_destination *destinations, size_t count,
    uint32_t weight_total, uint64_t chance)
{
	uint32_t point;

	if (count == 1 || weight_total == 0)
		return &destinations[0];
	point = scale(chance, weight_total);
	for (size_t i = 0; i < count; i++) {
		if (point < destinations[i].weight)
			return &destinations[i];
		point -= destinations[i].weight;
	}
	return &destinations[count - 1];
}

/* --- rewrite -------------------------------------------------------------- */

static const struct view_condition *
path_prefix(const struct view_match *m)
{
	for (size_t i = 0; m != NULL && i < m->count; i++)
		if (m->conditions[i].subject == VIEW_ON_PATH &&
		    m->conditions[i].test == VIEW_PREFIX)
			return &m->conditions[i];
	return NULL;
}

enum err
view_rewrite_path(const struct view_http_choice *choice, struct slice path,
    struct arena *arena, struct slice *out)
{
	const struct view_condition *prefix = path_prefix(choice->match);
	size_t cut =
	    prefix != NULL ? prefix->value.len : without_query(path).len;
	struct slice rest = slice_sub(path, cut, path.len);
	struct slice joined;

	if (!choice->route->rewrite_uri) {
		*out = path;
		return OK;
	}
	if (rest.len == 0) {
		*out = choice->route->new_uri;
		return OK;
	}
	joined = arena_printf(arena, "%.*s%.*s",
	    SLICE_ARG(choice->route->new_uri), SLICE_ARG(rest));
	if (joined.ptr == NULL)
		return ERR_NO_MEMORY;
	*out = joined;
	return OK;
}
