/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — a server's paths for who is in the mesh: tokens, nodes, agents,
 * members, endpoints, the CA.
 */
#include "inside.h"
#include "install.h"

#include <stdio.h>

struct rows {
	struct arena *arena;
	struct value *list;
};

static void
put_time(struct rows *r, struct value **m, struct slice key, int64_t ms)
{
	char text[CLOCK_RFC3339_LEN];

	clock_format_rfc3339(ms, text);
	json_text(r->arena, m, key, slice_str(text));
}

static void
put_addr(struct arena *a, struct value **m, struct slice key,
    const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	json_text(a, m, key, slice_str(addr_format(addr, text)));
}

/* --- tokens --- */

static enum err
read_text(const struct value *body, struct slice key, char *out, size_t cap,
    struct fault *why)
{
	struct slice s = value_get_string(body, key, SLICE_NONE);

	if (s.ptr == NULL)
		return OK;
	if (slice_to_cstr(s, out, cap) != OK)
		return fault_set(
		    why, ERR_LIMIT, "%.*s is too long", SLICE_ARG(key));
	return OK;
}

static enum err
read_cidrs(const struct value *list, struct ca_bounds *out, struct fault *why)
{
	VALUE_EACH(list, it)
	{
		struct slice text =
		    it->type == VALUE_STRING ? it->string : SLICE_NONE;

		if (out->cidr_count == CA_CIDRS_MAX)
			return fault_set(why, ERR_LIMIT,
			    "more than %d address ranges", CA_CIDRS_MAX);
		if (cidr_parse(text, &out->cidrs[out->cidr_count]) != OK)
			return fault_set(why, ERR_INVALID,
			    "\"%.*s\" is no address range such as 10.0.0.0/8",
			    SLICE_ARG(text));
		out->cidr_count++;
	}
	return OK;
}

static enum err
read_bounds(const struct value *body, struct ca_bounds *out, struct fault *why)
{
	const struct value *uses = value_get(body, S("uses"));
	const struct value *lifetime = value_get(body, S("lifetimeMs"));
	struct slice role = value_get_string(body, S("role"), SLICE_NONE);
	enum ca_role is = CA_ROLE_NONE;
	enum err e = role.len > 0 ? ca_role_parse(role, &is, why) : OK;

	if (e != OK)
		return e;
	ca_bounds_default(is, out);
	if (uses != NULL && uses->type == VALUE_INT && uses->integer >= 0 &&
	    uses->integer <= UINT32_MAX)
		out->uses = (uint32_t)uses->integer;
	if (lifetime != NULL && lifetime->type == VALUE_INT)
		out->lifetime_ms = lifetime->integer;
	e = read_text(
	    body, S("nameGlob"), out->name_glob, sizeof(out->name_glob), why);
	if (e == OK)
		e = read_text(body, S("namespaces"), out->grant.namespaces,
		    sizeof(out->grant.namespaces), why);
	if (e == OK)
		e = read_text(body, S("accounts"), out->grant.accounts,
		    sizeof(out->grant.accounts), why);
	if (e == OK)
		e = read_cidrs(value_get(body, S("cidrs")), out, why);
	return e;
}

/* One that is made; lies in its exchange's arena. */
struct making {
	struct admin *admin;
	struct http_exchange *x;
	bool joins;
	struct value *answer;
};

static void
put_lines(struct making *m)
{
	AUTO(script_lines_fini) struct script_lines l;
	struct arena *a = http_exchange_arena(m->x);
	struct value *map = json_map(a);
	struct fault why = {0};

	script_lines_init(&l);
	if (install_lines(m->admin->install,
		value_get_string(m->answer, S("token"), SLICE_NONE), &l,
		&why) != OK)
		return; /* the log says why; the token is good */
	json_text(a, &map, S("curl"), buf_slice(&l.curl));
	json_text(a, &map, S("wget"), buf_slice(&l.wget));
	json_text(a, &map, S("manual"), buf_slice(&l.manual));
	json_put(&m->answer, S("install"), map);
}

static void
on_installer_ready(void *arg)
{
	struct making *m = arg;

	put_lines(m);
	admin_answer(m->x, m->answer);
}

static void
on_token(void *arg, enum err e, const struct fault *why, struct slice id,
    struct slice text)
{
	struct making *m = arg;
	struct arena *a = http_exchange_arena(m->x);

	m->answer = json_map(a);
	if (e != OK) {
		admin_refuse(m->x, e, why);
		return;
	}
	json_text(a, &m->answer, S("id"), id);
	json_text(a, &m->answer, S("token"), text);
	if (m->joins && m->admin->install != NULL)
		install_when_ready(m->admin->install, on_installer_ready, m);
	else
		admin_answer(m->x, m->answer);
}

static void
token_create(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);
	struct making *m;
	struct ca_bounds bounds;
	struct server_token_spec spec = {.bounds = &bounds,
	    .api_port = remote_port(a->remote),
	    .actor = admin_actor(x)};
	struct fault why = {0};
	enum err e;

	if (body == NULL)
		return;
	m = arena_alloc(http_exchange_arena(x), sizeof(*m));
	e = m != NULL ? read_bounds(body, &bounds, &why) : ERR_LIMIT;
	if (e != OK) {
		admin_refuse(x, e, &why);
		return;
	}
	*m = (struct making){
	    .admin = a, .x = x, .joins = bounds.role == CA_ROLE_NONE};
	spec.note = value_get_string(body, S("note"), S(""));
	server_token_create(a->spec.server, &spec, on_token, m);
}

static void
token_revoke(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);

	if (body == NULL)
		return;
	server_token_revoke(a->spec.server,
	    value_get_string(body, S("id"), S("")), admin_actor(x), admin_done,
	    x);
}

static struct value *
cidr_list(struct arena *a, const struct ca_bounds *b)
{
	struct value *list = json_list(a);

	for (size_t i = 0; i < b->cidr_count; i++) {
		char text[ADDR_TEXT_MAX];

		value_push_text(
		    a, &list, slice_str(cidr_format(&b->cidrs[i], text)));
	}
	return list;
}

static void
put_joining(struct rows *r, struct value **m, const struct server_token *t)
{
	const struct ca_bounds *b = t->bounds;

	json_number(r->arena, m, S("uses"), (int64_t)t->uses);
	json_number(r->arena, m, S("maxUses"), b->uses);
	json_text(r->arena, m, S("nameGlob"), slice_str(b->name_glob));
	json_text(r->arena, m, S("accounts"), slice_str(b->grant.accounts));
	json_put(m, S("cidrs"), cidr_list(r->arena, b));
}

static struct slice
state_of(const struct server_token *t)
{
	if (t->revoked)
		return S("revoked");
	if (t->expired)
		return S("expired");
	return t->bounds->role == CA_ROLE_NONE && t->uses >= t->bounds->uses
		   ? S("used up")
		   : S("valid");
}

static void
add_token(void *arg, const struct server_token *t)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);
	const struct ca_bounds *b = t->bounds;

	json_text(r->arena, &m, S("id"), t->id);
	json_text(r->arena, &m, S("note"), t->note);
	json_text(r->arena, &m, S("role"), slice_str(ca_role_name(b->role)));
	json_text(
	    r->arena, &m, S("namespaces"), slice_str(b->grant.namespaces));
	if (b->role == CA_ROLE_NONE)
		put_joining(r, &m, t);
	put_time(r, &m, S("created"), t->created_ms);
	put_time(r, &m, S("expires"), t->expires_ms);
	json_text(r->arena, &m, S("state"), state_of(t));
	json_push(&r->list, m);
}

static void
tokens(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct rows r = {arena, json_list(arena)};

	server_each_token(a->spec.server, add_token, &r);
	admin_answer_items(x, r.list);
}

/* --- nodes and agents --- */

static void
add_node(void *arg, const struct server_node *n)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("name"), n->name);
	json_text(r->arena, &m, S("id"), n->id);
	json_text(r->arena, &m, S("network"), n->network);
	json_text(r->arena, &m, S("token"), n->token_id);
	json_text(
	    r->arena, &m, S("namespaces"), slice_str(n->grant->namespaces));
	json_text(r->arena, &m, S("accounts"), slice_str(n->grant->accounts));
	put_time(r, &m, S("joined"), n->joined_ms);
	put_time(r, &m, S("certificateEnds"), n->not_after_ms);
	json_bool(r->arena, &m, S("revoked"), n->revoked);
	json_bool(r->arena, &m, S("connected"), n->connected);
	json_push(&r->list, m);
}

static void
nodes(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct rows r = {arena, json_list(arena)};

	server_each_node(a->spec.server, add_node, &r);
	admin_answer_items(x, r.list);
}

static void
node_revoke(struct admin *a, struct http_exchange *x)
{
	const struct value *body = admin_body(x);

	if (body == NULL)
		return;
	server_node_revoke(a->spec.server,
	    value_get_string(body, S("name"), S("")),
	    value_get_string(body, S("reason"), S("revoked by an operator")),
	    admin_actor(x), admin_done, x);
}

static void
add_agent(void *arg, const struct server_agent *agent)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("node"), agent->node);
	put_addr(r->arena, &m, S("address"), &agent->addr);
	json_number(r->arena, &m, S("connectedMs"),
	    (int64_t)(agent->connected_us / 1000));
	json_number(r->arena, &m, S("revision"), (int64_t)agent->revision);
	json_number(r->arena, &m, S("refused"), (int64_t)agent->refused);
	json_push(&r->list, m);
}

static void
add_refusal(void *arg, const struct server_refusal *f)
{
	struct rows *r = arg;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("node"), f->node);
	json_text(r->arena, &m, S("resource"), f->resource);
	json_text(r->arena, &m, S("version"), f->version);
	json_text(r->arena, &m, S("reason"), f->reason);
	json_push(&r->list, m);
}

void
admin_put_agents(const struct admin *a, struct arena *arena, struct slice key,
    struct value **m)
{
	struct rows r = {arena, json_list(arena)};
	struct rows refusals = {arena, json_list(arena)};

	server_each_agent(a->spec.server, add_agent, &r);
	server_each_refusal(a->spec.server, SLICE_NONE, add_refusal, &refusals);
	json_put(m, key, r.list);
	json_put(m, S("refusals"), refusals.list);
}

static void
agents(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct value *m = json_map(arena);

	admin_put_agents(a, arena, S("items"), &m);
	admin_answer(x, m);
}

/* --- how long changes take --- */

/* Their sum. */
struct lag {
	struct rows rows;
	size_t agents;
	size_t behind;
	uint64_t behind_us; /* the longest of them */
};

static void
add_lag(void *arg, const struct server_agent *agent)
{
	struct lag *l = arg;
	struct rows *r = &l->rows;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("node"), agent->node);
	json_number(r->arena, &m, S("changes"), (int64_t)agent->changes);
	json_number(r->arena, &m, S("lastUs"), (int64_t)agent->last_us);
	json_number(r->arena, &m, S("p50Us"), (int64_t)agent->p50_us);
	json_number(r->arena, &m, S("p99Us"), (int64_t)agent->p99_us);
	json_number(r->arena, &m, S("behind"), (int64_t)agent->behind);
	json_number(r->arena, &m, S("behindUs"), (int64_t)agent->behind_us);
	json_push(&r->list, m);
	l->agents++;
	l->behind += agent->behind > 0;
	l->behind_us = MAX(l->behind_us, agent->behind_us);
}

static void
propagation(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct lag l = {.rows = {arena, json_list(arena)}};
	struct value *m = json_map(arena);

	server_each_agent(a->spec.server, add_lag, &l);
	json_number(arena, &m, S("agents"), (int64_t)l.agents);
	json_number(arena, &m, S("behind"), (int64_t)l.behind);
	json_number(arena, &m, S("behindUs"), (int64_t)l.behind_us);
	json_put(&m, S("items"), l.rows.list);
	admin_answer(x, m);
}

/* --- what gossip knows --- */

static void
add_member(void *arg, const struct server_member *sm)
{
	struct rows *r = arg;
	const struct gossip_member *g = sm->member;
	struct value *m = json_map(r->arena);

	json_text(r->arena, &m, S("name"), slice_str(g->name));
	json_text(r->arena, &m, S("network"), slice_str(g->network));
	put_addr(r->arena, &m, S("address"), &g->addr);
	json_text(r->arena, &m, S("status"),
	    slice_str(gossip_status_name((enum gossip_status)g->status)));
	json_text(r->arena, &m, S("health"),
	    slice_str(gossip_health_name(g->health)));
	json_text(r->arena, &m, S("role"),
	    sm->roles & GOSSIP_ROLE_SERVER    ? S("server")
	    : sm->roles & GOSSIP_ROLE_GATEWAY ? S("gateway")
					      : S("agent"));
	json_number(r->arena, &m, S("services"), (int64_t)sm->services);
	json_number(r->arena, &m, S("rttMs"), g->rtt_ms);
	json_bool(r->arena, &m, S("self"), g->self);
	json_push(&r->list, m);
}

static void
members(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct rows r = {arena, json_list(arena)};

	server_each_member(a->spec.server, add_member, &r);
	admin_answer_items(x, r.list);
}

/* --- the CA --- */

/* As curl --pinnedpubkey takes it: base64 (RFC 4648 §4) of the hash. */
static void
put_pin(struct rows *r, struct value **m, const struct tls_pin *pin)
{
	char text[64] = "sha256//";
	char *out = text + strlen(text);

	crypto_base64url(slice_of(pin->bytes, TLS_PIN_LEN), out);
	for (char *c = out; *c != 0; c++)
		*c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
	json_text(r->arena, m, S("apiPin"),
	    arena_printf(r->arena, "%s=", text)); /* 32 bytes lack one */
}

static void
ca(struct admin *a, struct http_exchange *x)
{
	struct arena *arena = http_exchange_arena(x);
	struct rows r = {arena, NULL};
	AUTO(buf_fini) struct buf pem = BUF(TLS_CHAIN_BYTES_MAX);
	struct value *m = json_map(arena);
	char hex[2 * TLS_PIN_LEN];
	struct server_ca c;

	server_ca(a->spec.server, &c);
	crypto_hex(slice_of(c.root_pin.bytes, TLS_PIN_LEN), hex);
	json_text(arena, &m, S("trustDomain"), c.trust_domain);
	json_text(arena, &m, S("rootPin"), slice_of(hex, sizeof(hex)));
	put_pin(&r, &m, &c.api_pin);
	put_time(&r, &m, S("rootEnds"), c.root_not_after_ms);
	put_time(&r, &m, S("signerEnds"), c.signer_not_after_ms);
	put_time(&r, &m, S("serverCertificateEnds"), c.server_not_after_ms);
	if (c.root != NULL && tls_chain_pem(c.root, &pem) == OK)
		json_text(arena, &m, S("rootPem"), buf_slice(&pem));
	admin_answer(x, m);
}

const struct admin_route admin_mesh_routes[] = {
    {"POST", "/v1/tokens", CA_ROLE_ADMIN, token_create},
    {"GET", "/v1/tokens", CA_ROLE_VIEWER, tokens},
    {"POST", "/v1/tokens/revoke", CA_ROLE_ADMIN, token_revoke},
    {"GET", "/v1/nodes", CA_ROLE_VIEWER, nodes},
    {"POST", "/v1/nodes/revoke", CA_ROLE_ADMIN, node_revoke},
    {"GET", "/v1/agents", CA_ROLE_VIEWER, agents},
    {"GET", "/v1/propagation", CA_ROLE_VIEWER, propagation},
    {"GET", "/v1/members", CA_ROLE_VIEWER, members},
    {"GET", "/v1/ca", CA_ROLE_VIEWER, ca},
};
const size_t admin_mesh_route_count = ARRAY_LEN(admin_mesh_routes);
