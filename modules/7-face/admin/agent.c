/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent — an agent's paths: what it offers, whom it knows, what it would do.
 */
#include "dns/dns.h"

#include "inside.h"

#include <stdio.h>

struct rows {
	struct arena *arena;
	struct value *list;
};

static struct rows
rows_of(struct http_exchange *x)
{
	struct arena *a = http_exchange_arena(x);

	return (struct rows){a, json_list(a)};
}

static void
put_addr(struct arena *a, struct value **m, struct slice key,
    const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	json_text(a, m, key, slice_str(addr_format(addr, text)));
}

/* --- expose and unexpose --- */

static enum err
read_port(const struct value *body, struct slice key, uint16_t *out,
    struct fault *why)
{
	const struct value *v = value_get(body, key);

	if (v == NULL)
		return OK;
	if (v->type != VALUE_INT || v->integer < 0 || v->integer > UINT16_MAX)
		return fault_set(
		    why, ERR_INVALID, "%.*s is no port", SLICE_ARG(key));
	*out = (uint16_t)v->integer;
	return OK;
}

static void
read_labels(const struct value *body, struct label labels[ADMIN_LABELS_MAX],
    size_t *count)
{
	VALUE_EACH(value_get(body, S("labels")), it)
	if (it->type == VALUE_STRING && *count < ADMIN_LABELS_MAX)
		labels[(*count)++] = (struct label){it->key, it->string};
}

enum err
admin_read_expose(const struct value *body,
    struct label labels[ADMIN_LABELS_MAX], struct node_expose *out,
    struct fault *why)
{
	return node_expose_read(body, labels, out, why);
}

static enum err
read_group_port(
    const struct value *v, struct node_group_port *out, struct fault *why)
{
	struct slice target = value_get_string(v, S("target"), S(""));
	enum err e;

	if (addr_parse(target, &out->target) != OK)
		return fault_set(why, ERR_INVALID,
		    "target \"%.*s\" is no address with a port",
		    SLICE_ARG(target));
	out->port = 0;
	e = read_port(v, S("port"), &out->port, why);
	if (e == OK && out->port == 0)
		out->port = out->target.port;
	return e;
}

/* To be a workload of a WorkloadGroup. */
static enum err
enter_group(struct node *n, const struct value *body, struct fault *why)
{
	struct node_group_port ports[NODE_GROUP_PORTS_MAX];
	struct label labels[ADMIN_LABELS_MAX];
	struct node_group g = {
	    .name = value_get_string(body, S("group"), S("")),
	    .ns = value_get_string(body, S("namespace"), SLICE_NONE),
	    .protocol = value_get_string(body, S("protocol"), SLICE_NONE),
	    .labels = labels,
	    .ports = ports};

	read_labels(body, labels, &g.label_count);
	VALUE_EACH(value_get(body, S("ports")), it)
	{
		enum err e;

		if (g.port_count == ARRAY_LEN(ports))
			return fault_set(why, ERR_LIMIT,
			    "at most %d ports may be said",
			    NODE_GROUP_PORTS_MAX);
		e = read_group_port(it, &ports[g.port_count++], why);
		if (e != OK)
			return e;
	}
	return node_group_enter(n, &g, why);
}

static enum err
expose_one(struct node *n, const struct value *body, struct fault *why)
{
	struct label labels[ADMIN_LABELS_MAX];
	struct node_expose what;
	enum err e = admin_read_expose(body, labels, &what, why);

	return e == OK ? node_expose(n, &what, why) : e;
}

static void
expose(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct fault why = {0};
	enum err e;

	if (body == NULL)
		return;
	e = value_get(body, S("group")) != NULL
		? enter_group(a->spec.node, body, &why)
		: expose_one(a->spec.node, body, &why);
	admin_done(x, e, &why);
}

static void
unexpose(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct fault why = {0};
	uint16_t port = 0;
	enum err e;

	if (body == NULL)
		return;
	e = read_port(body, S("port"), &port, &why);
	if (e == OK && value_get(body, S("group")) != NULL)
		e = node_group_leave(a->spec.node,
		    value_get_string(body, S("group"), S("")),
		    value_get_string(body, S("namespace"), S("default")), &why);
	else if (e == OK)
		e = node_unexpose(a->spec.node,
		    value_get_string(body, S("name"), S("")),
		    value_get_string(body, S("namespace"), S("default")), port,
		    &why);
	admin_done(x, e, &why);
}

static void
put_health(struct arena *a, struct value **m, const struct node_exposed *e)
{
	char since[CLOCK_RFC3339_LEN];

	if (e->check[0] == '\0')
		return;
	json_text(a, m, S("check"), slice_str(e->check));
	json_text(a, m, S("reason"), e->reason);
	if (e->health == NULL)
		return;
	clock_format_rfc3339(e->since_ms, since);
	json_text(a, m, S("health"), slice_str(e->health));
	json_text(a, m, S("since"), slice_str(since));
}

static void
put_port(struct arena *a, struct value **m, const struct node_expose *e)
{
	json_number(a, m, S("port"), e->port);
	json_text(a, m, S("protocol"), e->protocol);
	json_text(a, m, S("account"), e->account);
	put_addr(a, m, S("target"), &e->target);
}

static void
add_exposed(void *arg, const struct node_exposed *e)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("name"), e->what->name);
	json_text(r->arena, &m, S("namespace"), e->what->ns);
	if (e->what->port != 0)
		put_port(r->arena, &m, e->what);
	json_text(r->arena, &m, S("from"),
	    e->what->is_passing              ? S("meshd run")
	    : e->what->by == NODE_BY_COMMAND ? S("meshd expose")
					     : e->what->origin);
	json_bool(r->arena, &m, S("announced"), e->announced);
	json_text(r->arena, &m, S("waitsFor"), e->waits_for);
	put_health(r->arena, &m, e);
	json_push(&r->list, m);
}

static void
exposed(struct admin *a, struct http_exchange *x)
{
	struct rows r = rows_of(x);

	node_each_exposed(a->spec.node, add_exposed, &r);
	admin_answer_items(x, r.list);
}

/* --- what it knows --- */

static void
add_member(void *arg, const struct node_member *n)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("name"), n->name);
	json_text(r->arena, &m, S("network"), n->network);
	put_addr(r->arena, &m, S("address"), &n->addr);
	json_text(r->arena, &m, S("status"), slice_str(n->status));
	json_text(r->arena, &m, S("health"), slice_str(n->health));
	json_number(r->arena, &m, S("services"), (int64_t)n->services);
	json_number(r->arena, &m, S("rttMs"), n->rtt_ms);
	json_bool(r->arena, &m, S("self"), n->self);
	json_push(&r->list, m);
}

static void
members(struct admin *a, struct http_exchange *x)
{
	struct rows r = rows_of(x);

	node_each_member(a->spec.node, add_member, &r);
	admin_answer_items(x, r.list);
}

static bool
keep_text(struct rows *r, struct value **m, const char *key, struct slice s)
{
	if (s.len > 0)
		json_text(r->arena, m, slice_str(key), s);
	return *m != NULL;
}

static void
add_identity(void *arg, const struct node_identity *i)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);
	char text[CLOCK_RFC3339_LEN];

	json_text(r->arena, &m, S("uri"), i->uri);
	clock_format_rfc3339(i->not_after_ms, text);
	json_text(r->arena, &m, S("ends"), slice_str(text));
	clock_format_rfc3339(i->renew_at_ms, text);
	if (i->renew_at_ms > 0)
		json_text(r->arena, &m, S("renews"), slice_str(text));
	if (keep_text(r, &m, "problem", i->problem))
		json_push(&r->list, m);
}

static void
identities(struct admin *a, struct http_exchange *x)
{
	struct rows r = rows_of(x);

	node_each_identity(a->spec.node, add_identity, &r);
	admin_answer_items(x, r.list);
}

static void
add_problem(void *arg, const struct node_problem *p)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("kind"), slice_str(p->kind));
	json_text(r->arena, &m, S("about"), p->about);
	json_text(r->arena, &m, S("text"), p->text);
	json_push(&r->list, m);
}

static struct value *
problem_list(const struct admin *a, struct http_exchange *x)
{
	struct rows r = rows_of(x);

	node_each_problem(a->spec.node, add_problem, &r);
	ports_each_problem(a->ports, add_problem, &r);
	return r.list;
}

static void
problems(struct admin *a, struct http_exchange *x)
{
	admin_answer_items(x, problem_list(a, x));
}

static void
add_resource(void *arg, const struct resource *res)
{
	struct rows *r = arg;

	json_push(
	    &r->list, resource_encode(res, RESOURCE_WITH_STATE, r->arena));
}

static void
resources(struct admin *a, struct http_exchange *x)
{
	struct rows r = rows_of(x);

	node_each_resource(a->spec.node, add_resource, &r);
	admin_answer_items(x, r.list);
}

static void
view(struct admin *a, struct http_exchange *x)
{
	const struct view *v = node_view(a->spec.node);
	struct arena *arena = http_exchange_arena(x);

	admin_answer(x, v == NULL ? json_map(arena) : view_dump(v, arena));
}

static void
on_conns(void *arg, const struct proxy_conn_info *conns, size_t count)
{
	struct http_exchange *x = arg;
	struct rows r = rows_of(x);

	for (size_t i = 0; i < count; i++) {
		const struct proxy_conn_info *c = &conns[i];
		struct value *m = json_map(r.arena);

		json_text(r.arena, &m, S("kind"),
		    slice_str(proxy_conn_kind_name(c->kind)));
		put_addr(r.arena, &m, S("peer"), &c->peer);
		json_text(r.arena, &m, S("what"), slice_str(c->what));
		json_text(r.arena, &m, S("source"), slice_str(c->source));
		json_number(r.arena, &m, S("worker"), c->worker);
		json_number(
		    r.arena, &m, S("ageMs"), (int64_t)(c->age_us / 1000));
		json_number(r.arena, &m, S("requests"), (int64_t)c->requests);
		json_number(r.arena, &m, S("bytesIn"), (int64_t)c->bytes_in);
		json_number(r.arena, &m, S("bytesOut"), (int64_t)c->bytes_out);
		json_push(&r.list, m);
	}
	admin_answer_items(x, r.list);
}

static void
connections(struct admin *a, struct http_exchange *x)
{
	struct proxy *p = node_proxy(a->spec.node);

	if (p == NULL)
		admin_answer_items(x, rows_of(x).list);
	else
		proxy_list_conns(p, on_conns, x);
}

/* --- status and explain --- */

static void
put_counts(struct arena *a, struct value **m, const struct node_status *s)
{
	json_number(a, m, S("generation"), (int64_t)s->generation);
	json_number(a, m, S("uptimeMs"), (int64_t)(s->uptime_us / 1000));
	json_number(a, m, S("members"), (int64_t)s->members);
	json_number(a, m, S("membersUp"), (int64_t)s->members_up);
	json_number(a, m, S("resources"), (int64_t)s->resources);
	json_number(a, m, S("refused"), (int64_t)s->refused);
	json_number(a, m, S("exposed"), (int64_t)s->exposed);
	json_number(a, m, S("upstreams"), (int64_t)s->upstreams);
}

/* "istio=ingressgateway, site=berlin" */
static struct slice
labels_text(struct arena *a, const struct labels *l)
{
	struct slice text = S("");

	for (size_t i = 0; i < l->count; i++)
		text = arena_printf(a, "%.*s%s%.*s=%.*s", SLICE_ARG(text),
		    i > 0 ? ", " : "", SLICE_ARG(l->items[i].key),
		    SLICE_ARG(l->items[i].value));
	return text;
}

static void
status(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct value *m = json_map(arena);
	struct rows ids = rows_of(x);
	struct node_status s;

	node_status(a->spec.node, &s);
	json_text(arena, &m, S("role"),
	    s.proxy == VIEW_ROUTER ? S("gateway") : S("agent"));
	if (s.proxy == VIEW_ROUTER)
		json_text(
		    arena, &m, S("labels"), labels_text(arena, &s.labels));
	json_text(arena, &m, S("version"), S(MESHD_VERSION));
	json_text(arena, &m, S("state"), slice_str(node_state_name(s.state)));
	json_text(arena, &m, S("name"), s.name);
	json_text(arena, &m, S("trustDomain"), s.trust_domain);
	json_text(arena, &m, S("network"), s.network);
	json_text(arena, &m, S("locality"), s.locality);
	json_bool(arena, &m, S("connected"), s.connected);
	json_bool(arena, &m, S("synced"), s.synced);
	json_text(arena, &m, S("server"), s.server);
	json_text(arena, &m, S("trouble"), s.trouble);
	put_counts(arena, &m, &s);
	node_each_identity(a->spec.node, add_identity, &ids);
	json_put(&m, S("identities"), ids.list);
	json_put(&m, S("problems"), problem_list(a, x));
	admin_answer(x, m);
}

/* A question that waits for the configuration of its host; in its arena. */
struct asked {
	struct admin *admin;
	struct http_exchange *exchange;
	struct explain_question question;
};

static void
on_host(void *arg, enum err e, const struct fault *why)
{
	const struct asked *q = arg;

	if (e != OK)
		admin_refuse(q->exchange, e, why);
	else
		admin_answer(
		    q->exchange, node_explain(q->admin->spec.node, &q->question,
				     http_exchange_arena(q->exchange)));
}

/* The host that the question is about; empty if it is nobody's. */
static struct slice
host_of(const struct view *v, const struct explain_question *q)
{
	const struct explain_request *r = &q->connection.request;
	const struct view_upstream *u;

	if (q->connection.direction == VIEW_GATEWAY)
		return SLICE_NONE; /* a gateway has all that it serves */
	if (q->is_connection)
		return r->authority;
	if (r->upstream.len == 0)
		return r->host;
	u = view_find_upstream(v, r->upstream);
	return u != NULL && u->host != NULL ? u->host->host : SLICE_NONE;
}

/* Its own place is the only one that an agent knows. */
static enum err
read_question(const struct admin *a, const struct value *body,
    struct arena *arena, struct asked *q, struct fault *why)
{
	enum err e = explain_read(body, arena, &q->question, why);
	struct node_status s;

	if (e != OK)
		return e;
	node_status(a->spec.node, &s);
	q->question.connection.parse_json = codec_json_parse;
	q->question.connection.now_ms = clock_wall_ms(&clock_system);
	if ((q->question.place.proxy != VIEW_SIDECAR &&
		q->question.place.proxy != s.proxy) ||
	    q->question.place.ip.family != ADDR_NONE ||
	    q->question.with.list != NULL)
		return fault_set(why, ERR_UNSUPPORTED,
		    "an agent answers for itself, as it is; ask a server "
		    "about another proxy, or with other configuration");
	if (node_view(a->spec.node) == NULL)
		return fault_set(
		    why, ERR_BUSY, "this agent has no configuration yet");
	return OK;
}

static void
explain(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	const struct value *body = admin_body(x);
	struct asked *q = arena_alloc(arena, sizeof(*q));
	struct fault why = {0};
	struct slice host;
	enum err e;

	if (body == NULL)
		return;
	if (q == NULL) {
		admin_answer(x, NULL);
		return;
	}
	*q = (struct asked){.admin = a, .exchange = x};
	e = read_question(a, body, arena, q, &why);
	host = e == OK ? host_of(node_view(a->spec.node), &q->question)
		       : SLICE_NONE;
	if (e == OK && host.len > 0)
		node_ask_host(a->spec.node, host, on_host, q);
	else
		on_host(q, e, &why);
}

/* --- names --- */

/* A question to the name server of this machine; in its exchange's arena. */
struct named {
	struct http_exchange *exchange;
	struct slice name;
	uint16_t type;
};

static void
add_record(struct rows *r, struct slice message, const struct dns_record *from)
{
	static const char *const sections[] = {
	    "answer", "authority", "additional"};
	char text[DNS_RECORD_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
	struct value *m = json_map(r->arena);
	struct dns_name owner;
	size_t end;

	if (from->type == DNS_OPT)
		return; /* it says nothing of the name */
	if (dns_name_read(message, from->name_at, &owner, &end) == OK)
		json_text(r->arena, &m, S("name"), dns_name_text(&owner, text));
	json_text(r->arena, &m, S("type"),
	    slice_str(dns_type_name(from->type, type)));
	json_number(r->arena, &m, S("ttl"), from->ttl);
	json_text(
	    r->arena, &m, S("data"), dns_record_text(message, from, text));
	json_text(
	    r->arena, &m, S("section"), slice_str(sections[from->section]));
	json_push(&r->list, m);
}

static void
put_message(struct rows *r, struct value **m, struct slice message)
{
	struct dns_reader reader;
	struct dns_question q;
	struct dns_record record;

	if (dns_answer_read(message, &reader, &q) != OK)
		return;
	json_text(r->arena, m, S("code"),
	    slice_str(dns_rcode_name(q.flags & DNS_RCODE)));
	while (dns_record_next(&reader, &record) == OK)
		add_record(r, message, &record);
	json_put(m, S("records"), r->list);
}

static void
on_named(void *arg, const struct resolver_report *told)
{
	const struct named *n = arg;
	struct rows r = rows_of(n->exchange);
	struct value *m = json_map(r.arena);
	char type[DNS_TYPE_TEXT_MAX];

	json_text(r.arena, &m, S("name"), n->name);
	json_text(
	    r.arena, &m, S("type"), slice_str(dns_type_name(n->type, type)));
	json_text(r.arena, &m, S("result"), slice_str(told->result));
	json_text(r.arena, &m, S("why"), slice_str(told->why));
	if (told->form != NULL)
		json_text(r.arena, &m, S("form"), slice_str(told->form));
	(void)keep_text(&r, &m, "service", told->host);
	(void)keep_text(&r, &m, "origin", told->origin);
	if (told->upstream.family != ADDR_NONE)
		put_addr(r.arena, &m, S("upstream"), &told->upstream);
	json_number(r.arena, &m, S("tookUs"), (int64_t)told->took_us);
	put_message(&r, &m, told->message);
	admin_answer(n->exchange, m);
}

static void
name_query(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct named *n = arena_alloc(arena, sizeof(*n));
	struct slice type = admin_param(x, S("type"));
	struct fault why = {0};
	enum err e = OK;

	if (n == NULL) {
		admin_answer(x, NULL);
		return;
	}
	*n = (struct named){x, admin_param(x, S("name")), DNS_A};
	if (type.len > 0 && dns_type_parse(type, &n->type) != OK)
		e = fault_set(&why, ERR_INVALID,
		    "\"%.*s\" is no type of DNS: A, AAAA, SRV, PTR, ANY, "
		    "TYPE65",
		    SLICE_ARG(slice_sub(type, 0, NAME_HOST_MAX)));
	if (e == OK)
		e = node_dns_query(
		    a->spec.node, n->name, n->type, on_named, n, &why);
	if (e != OK)
		admin_refuse(x, e, &why);
}

/* --- join and leave --- */

static void
join(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct fault why = {0};
	enum err e;

	if (body == NULL)
		return;
	if (a->joining != NULL)
		e = fault_set(&why, ERR_BUSY, "this agent is joining already");
	else
		e = node_join(a->spec.node,
		    value_get_string(body, S("token"), S("")), &why);
	if (e != OK)
		admin_refuse(x, e, &why);
	else
		a->joining = x;
}

void
admin_joined(struct admin *a, enum err e, const struct fault *why)
{
	struct http_exchange *x = a->joining;

	if (x == NULL)
		return;
	a->joining = NULL;
	admin_done(x, e, why);
}

static void
on_left(void *arg)
{
	struct admin *a = arg;
	struct http_exchange *x = a->leaving;

	a->leaving = NULL;
	admin_done(x, OK, NULL);
	if (a->spec.on_left != NULL)
		a->spec.on_left(a->spec.arg);
}

static void
leave(struct admin *a, struct http_exchange *x)
{
	struct fault why = {0};

	if (a->leaving != NULL) {
		admin_refuse(x,
		    fault_set(&why, ERR_BUSY, "this agent is leaving already"),
		    &why);
		return;
	}
	a->leaving = x;
	node_leave(a->spec.node, on_left, a);
}

const struct admin_route admin_agent_routes[] = {
    {"POST", "/v1/join", CA_ROLE_ADMIN, join},
    {"POST", "/v1/leave", CA_ROLE_ADMIN, leave},
    {"GET", "/v1/status", CA_ROLE_VIEWER, status},
    {"POST", "/v1/expose", CA_ROLE_ADMIN, expose},
    {"POST", "/v1/unexpose", CA_ROLE_ADMIN, unexpose},
    {"GET", "/v1/exposed", CA_ROLE_VIEWER, exposed},
    {"GET", "/v1/members", CA_ROLE_VIEWER, members},
    {"GET", "/v1/identities", CA_ROLE_VIEWER, identities},
    {"GET", "/v1/problems", CA_ROLE_VIEWER, problems},
    {"GET", "/v1/resources", CA_ROLE_VIEWER, resources},
    {"GET", "/v1/view", CA_ROLE_VIEWER, view},
    {"GET", "/v1/connections", CA_ROLE_VIEWER, connections},
    {"POST", "/v1/explain", CA_ROLE_VIEWER, explain},
    {"GET", "/v1/dns", CA_ROLE_VIEWER, name_query},
};
const size_t admin_agent_route_count = ARRAY_LEN(admin_agent_routes);
