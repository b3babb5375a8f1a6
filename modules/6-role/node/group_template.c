/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group_template — a WorkloadGroup as services of one machine.
 *
 * As upstream registers a workload: labels of the template, over them those
 * of the group's metadata, over them the machine's own. The probe becomes
 * the spec of a HealthCheckPolicy, so that there is one way to ask.
 */
#include "codec/codec.h"

#include "groups.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	SERVICES_MAX = 64,
	WEIGHT_ONE = 100, /* a weight of 1, as `expose` has it */
	THRESHOLD_MAX = 100,
	PERIOD_S = 10,
	FAILURES = 3,
	SECONDS_TEXT_MAX = 32
};

static const struct addr loopback = {
    .family = ADDR_V4, .bytes = {127, 0, 0, 1}};

static const struct workload_group *
spec_of(const struct resource *group)
{
	return group->spec;
}

struct slice
group_origin(const struct node_group *g, char out[GROUP_ORIGIN_MAX])
{
	int n = snprintf(out, GROUP_ORIGIN_MAX, "WorkloadGroup/%.*s/%.*s",
	    SLICE_ARG(g->ns), SLICE_ARG(g->name));

	return slice_of(out, MIN((size_t)MAX(n, 0), GROUP_ORIGIN_MAX - 1));
}

struct slice
group_locality(const struct resource *group)
{
	const struct workload_entry *w = spec_of(group)->workload;

	return w != NULL ? w->locality : SLICE_NONE;
}

/* --- the probe ------------------------------------------------------------ */

static void
put_seconds(
    struct arena *a, struct value **map, struct slice key, int64_t seconds)
{
	char text[SECONDS_TEXT_MAX];
	struct slice kept;

	(void)snprintf(text, sizeof(text), "%" PRId64 "s", seconds);
	if (arena_copy(a, slice_str(text), &kept) == OK)
		value_put_text(a, map, key, kept);
	else
		*map = NULL;
}

static int64_t
or_else(int64_t n, int64_t otherwise)
{
	return n > 0 ? n : otherwise;
}

/* Of a kubelet, too, the header Host says who is asked. */
static struct value *
headers_value(
    const struct probe_http *h, struct arena *a, struct slice *out_host)
{
	struct value *list = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < h->http_headers.count; i++) {
		const struct probe_header *from = &h->http_headers.items[i];
		struct value *one = NULL;

		if (slice_eq_nocase(from->name, S("host"))) {
			*out_host = from->value;
			continue;
		}
		one = value_new(a, VALUE_MAP);
		value_put_text(a, &one, S("name"), from->name);
		value_put_text(a, &one, S("value"), from->value);
		value_push(&list, one);
	}
	return list;
}

static struct value *
http_value(const struct probe_http *h, struct arena *a)
{
	struct value *how = value_new(a, VALUE_MAP);
	struct slice path = h->path, host = SLICE_NONE;
	struct value *headers = headers_value(h, a, &host);

	if (!slice_starts(path, S("/")))
		path = arena_printf(a, "/%.*s", SLICE_ARG(path));
	value_put_int(a, &how, S("port"), h->port);
	value_put_text(a, &how, S("path"), path);
	if (host.len > 0)
		value_put_text(a, &how, S("host"), host);
	if (h->scheme.len > 0)
		value_put_text(a, &how, S("scheme"), h->scheme);
	value_put(&how, S("headers"), headers);
	return how;
}

static struct value *
tcp_value(const struct probe_tcp *t, struct arena *a)
{
	struct value *how = value_new(a, VALUE_MAP);

	value_put_int(a, &how, S("port"), t->port);
	return how;
}

static struct value *
exec_value(const struct probe_exec *x, struct arena *a)
{
	struct value *how = value_new(a, VALUE_MAP);
	struct value *words = value_new(a, VALUE_LIST);

	for (size_t i = 0; i < x->command.count; i++)
		value_push_text(a, &words, x->command.items[i]);
	value_put(&how, S("command"), words);
	return how;
}

/* One question is over before the next begins. */
static struct value *
check_value(const struct readiness_probe *p, struct arena *a)
{
	struct value *map = value_new(a, VALUE_MAP);
	int64_t timeout = or_else(p->timeout_seconds, 1);
	int64_t period = MAX(or_else(p->period_seconds, PERIOD_S), timeout);

	if (p->http_get != NULL)
		value_put(&map, S("http"), http_value(p->http_get, a));
	else if (p->tcp_socket != NULL)
		value_put(&map, S("tcp"), tcp_value(p->tcp_socket, a));
	else if (p->exec != NULL)
		value_put(&map, S("exec"), exec_value(p->exec, a));
	put_seconds(a, &map, S("interval"), period);
	put_seconds(a, &map, S("timeout"), timeout);
	put_seconds(a, &map, S("initialDelay"), p->initial_delay_seconds);
	value_put_int(a, &map, S("healthyThreshold"),
	    MIN(or_else(p->success_threshold, 1), THRESHOLD_MAX));
	value_put_int(a, &map, S("unhealthyThreshold"),
	    MIN(or_else(p->failure_threshold, FAILURES), THRESHOLD_MAX));
	return map;
}

static bool
is_own(const struct group_place *at, const struct addr *addr)
{
	for (size_t i = 0; i < at->addr_count; i++) {
		struct addr own = at->addrs[i];

		own.port = addr->port;
		if (addr_eq(&own, addr))
			return true;
	}
	return addr_is_loopback(addr);
}

/*
 * Where it is asked: whoever writes a group may not send machines to look at
 * others.
 */
static enum err
read_host(const struct group_place *at, const struct readiness_probe *p,
    struct addr *out, struct fault *why)
{
	struct slice host = p->http_get != NULL     ? p->http_get->host
			    : p->tcp_socket != NULL ? p->tcp_socket->host
						    : SLICE_NONE;

	*out = (struct addr){.family = ADDR_NONE};
	if (host.len == 0)
		return OK;
	if (slice_eq(host, S("localhost"))) {
		*out = loopback;
		return OK;
	}
	if (addr_parse_ip(host, out) == OK && is_own(at, out))
		return OK;
	return fault_set(why, ERR_INVALID,
	    "its probe asks %.*s, which is no address of this machine: a probe "
	    "asks where the workload runs; leave host out, or write localhost "
	    "(a virtual host belongs into httpHeaders, as Host)",
	    SLICE_ARG(slice_sub(host, 0, NAME_LABEL_MAX)));
}

/* --- ports ---------------------------------------------------------------- */

/* While they are put together. */
struct making {
	struct arena *arena;
	struct node_expose *items;
	size_t count;
	struct node_expose like; /* what is one for all */
};

/* "http", "grpc-api": as far as a service's port can declare it. */
static struct slice
protocol_of(struct slice port_name)
{
	struct slice word = slice_sub(port_name, 0, slice_find(port_name, '-'));

	if (slice_starts(port_name, S("grpc-web")))
		return S("grpc-web");
	switch (port_protocol_parse(word)) {
	case PORT_HTTP:
		return S("http");
	case PORT_HTTP2:
		return S("http2");
	case PORT_GRPC:
		return S("grpc");
	default:
		return S("tcp");
	}
}

static enum err
add_name_label(struct making *m, struct slice port_name, struct node_expose *e)
{
	struct label *l =
	    arena_alloc_array(m->arena, m->like.label_count + 1, sizeof(*l));

	if (l == NULL)
		return ERR_NO_MEMORY;
	if (m->like.label_count > 0)
		memcpy(l, m->like.labels, m->like.label_count * sizeof(*l));
	l[m->like.label_count] = (struct label){S(OFFER_PORT_NAME), port_name};
	e->labels = l;
	e->label_count = m->like.label_count + 1;
	return OK;
}

static enum err
add_template_ports(struct making *m, const struct workload_entry *w)
{
	for (size_t i = 0; i < w->ports.count && m->count < SERVICES_MAX; i++) {
		const struct int_entry *p = &w->ports.items[i];
		struct node_expose *e = &m->items[m->count];
		size_t j = 0;

		while (j < m->count && m->items[j].port != p->number)
			j++;
		if (j < m->count)
			continue; /* another name of the same port */
		*e = m->like;
		e->port = e->target.port = (uint16_t)p->number;
		e->protocol = protocol_of(p->key);
		if (add_name_label(m, p->key, e) != OK)
			return ERR_NO_MEMORY;
		m->count++;
	}
	return OK;
}

static void
add_own_ports(struct making *m, const struct node_group *g)
{
	for (size_t i = 0; i < g->port_count && m->count < SERVICES_MAX; i++) {
		const struct node_group_port *p = &g->ports[i];
		struct node_expose *e = NULL;

		for (size_t j = 0; j < m->count; j++)
			if (m->items[j].port == p->port)
				e = &m->items[j];
		if (e == NULL) {
			e = &m->items[m->count++];
			*e = m->like;
			e->port = p->port;
		}
		e->target = p->target;
		if (g->protocol.len > 0)
			e->protocol = g->protocol;
	}
}

/* --- the whole ------------------------------------------------------------ */

static void
merge(struct label *to, size_t *count, const struct label *from, size_t more)
{
	for (size_t i = 0; i < more; i++) {
		size_t j = 0;

		while (j < *count && !slice_eq(to[j].key, from[i].key))
			j++;
		to[j] = from[i];
		if (j == *count)
			(*count)++;
	}
}

static enum err
merge_labels(struct making *m, const struct workload_group *g,
    const struct node_group *wish)
{
	const struct workload_entry *w = g->workload;
	const struct workload_metadata *meta = g->metadata;
	size_t most = w->labels.count + wish->label_count +
		      (meta != NULL ? meta->labels.count : 0);
	struct label *l = arena_alloc_array(m->arena, most + 1, sizeof(*l));

	if (l == NULL)
		return ERR_NO_MEMORY;
	merge(l, &m->like.label_count, w->labels.items, w->labels.count);
	if (meta != NULL)
		merge(l, &m->like.label_count, meta->labels.items,
		    meta->labels.count);
	merge(l, &m->like.label_count, wish->labels, wish->label_count);
	l[m->like.label_count++] = (struct label){S(OFFER_GROUP), wish->name};
	m->like.labels = l;
	return OK;
}

static enum err
check_network(const struct workload_entry *w, const struct group_place *at,
    struct fault *why)
{
	if (w->network.len == 0 || slice_eq(w->network, at->network))
		return OK;
	return fault_set(why, ERR_INVALID,
	    "its template is for network %.*s, and this machine joined network "
	    "%.*s, as its voucher says",
	    SLICE_ARG(w->network), SLICE_ARG(at->network));
}

static enum err
fill_probe(struct making *m, const struct group_place *at,
    const struct readiness_probe *p, struct fault *why)
{
	if (p == NULL)
		return OK;
	m->like.check = check_value(p, m->arena);
	if (m->like.check == NULL)
		return fault_set(why, ERR_NO_MEMORY, "its probe is too large");
	return read_host(at, p, &m->like.asked, why);
}

enum err
group_services(const struct resource *group, const struct group_place *at,
    struct arena *arena, const struct node_expose **out, size_t *out_count,
    struct fault *why)
{
	const struct workload_group *g = spec_of(group);
	const struct workload_entry *w = g->workload;
	struct making m = {.arena = arena,
	    .items = arena_alloc_array(arena, SERVICES_MAX, sizeof(*m.items)),
	    .like = {.name = at->wish->name,
		.ns = at->wish->ns,
		.account = w->service_account,
		.target = loopback,
		.weight = (uint16_t)MIN(
		    or_else(w->weight, 1) * WEIGHT_ONE, UINT16_MAX),
		.by = NODE_BY_GROUP}};
	enum err e = check_network(w, at, why);

	if (e == OK)
		e = fill_probe(&m, at, g->probe, why);
	if (e != OK)
		return e;
	if (m.items == NULL || merge_labels(&m, g, at->wish) != OK ||
	    add_template_ports(&m, w) != OK)
		return fault_set(why, ERR_NO_MEMORY, "it says too much");
	add_own_ports(&m, at->wish);
	if (m.count == 0)
		return fault_set(why, ERR_INVALID,
		    "its template names no ports; write them there, or say "
		    "them here: meshd expose --group %.*s.%.*s PORT",
		    SLICE_ARG(at->wish->name), SLICE_ARG(at->wish->ns));
	*out = m.items;
	*out_count = m.count;
	return OK;
}
