/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guards — policies where connections come in, and what is told of them.
 */
#include "authn.h"
#include "compiled.h"
#include "machine.h"
#include "overview.h"
#include "unit.h"

#define POLICY(name, spec)                                                     \
	"apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"        \
	"metadata: {name: " name ", namespace: shop}\n"                        \
	"spec: {" spec "}\n---\n"
#define FROM(account)                                                          \
	"from: [{source: {principals: [mesh.internal/ns/shop/sa/" account "]}" \
	"}]"
#define WEB_ONLY                                                               \
	POLICY("web",                                                          \
	    "selector: {matchLabels: {app: web}}, rules: [{" FROM("ui") "}]")
#define NOT_ADMIN                                                              \
	POLICY("no", "action: DENY, rules: [{to: [{operation: {paths: "        \
		     "[/admin*]}}]}]")
#define TOKENS                                                                 \
	"apiVersion: security.istio.io/v1\nkind: RequestAuthentication\n"      \
	"metadata: {name: users, namespace: shop}\n"                           \
	"spec: {jwtRules: [{issuer: a.com}]}\n---\n"
#define ENTRY                                                                  \
	"apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"             \
	"metadata: {name: web, namespace: shop}\n"                             \
	"spec: {hosts: [web.shop.com], resolution: STATIC,\n"                  \
	"  location: MESH_INTERNAL, endpoints: [{address: 10.0.0.7}],\n"       \
	"  ports: [{number: 80, name: http, protocol: HTTP},\n"                \
	"    {number: 5432, name: tcp, protocol: TCP}]}\n---\n"

/* --- chains --------------------------------------------------------------- */

static const struct view_guard *
guard_at(const struct machine *m, uint16_t port)
{
	const struct addr any = {0};
	const struct view_connection c = {.destination = {.port = port}};
	const struct view_chain *chain = view_find_chain(
	    m->v, view_find_listener(m->v, NULL, VIEW_INBOUND, &any), &c);

	return view_guard_now(m->v, chain->guard);
}

TEST(chains_that_lead_to_one_workload_share_what_policies_say)
{
	AUTO(machine_fini) struct machine m;
	const struct view_guard *const *guards;
	size_t count;

	machine_init(&m, WEB_ONLY TOKENS ENTRY);
	guards = view_guards(m.v, &count);
	EXPECT_EQ(count, 1);
	EXPECT_SLICE(guards[0]->ns, S("shop"));
	EXPECT_TRUE(guards[0]->access != NULL && guards[0]->authn != NULL);
	EXPECT_TRUE(guard_at(&m, 80) == guards[0]);
	EXPECT_TRUE(guard_at(&m, 9) == guards[0]);
	/* The mesh's own port leads nowhere. */
	EXPECT_TRUE(guard_at(&m, 15006)->access == NULL);
}

TEST(a_port_of_another_workload_has_the_policies_of_that_one)
{
	AUTO(machine_fini) struct machine m;
	static const struct label db[] = {{{"app", 3}, {"db", 2}}};

	machine_init(&m, WEB_ONLY);
	m.exposed = (struct view_exposed_input){.service = S("db"),
	    .ns = S("shop"),
	    .port = 5432,
	    .protocol = S("tcp"),
	    .account = S("db"),
	    .labels = {db, 1}};
	m.exposed.addr = m.addr;
	m.exposed.addr.port = 5432;
	m.exposed.target = m.exposed.addr;
	m.in.exposed = &m.exposed;
	m.in.exposed_count = 1;
	machine_compile(&m);
	EXPECT_TRUE(guard_at(&m, 5432)->access == NULL);
	EXPECT_TRUE(guard_at(&m, 80)->access != NULL);
}

/* --- what is told --------------------------------------------------------- */

struct asked {
	struct machine m;
	struct arena arena;
	const struct value *tree;
};

static void
asked_fini(struct asked *a)
{
	machine_fini(&a->m);
	arena_fini(&a->arena);
}

static void
ask(struct asked *a, const char *yaml, struct explain_connection c)
{
	memset(a, 0, sizeof(*a));
	arena_init(&a->arena, 1 << 20);
	machine_init(&a->m, yaml);
	c.direction = VIEW_INBOUND;
	a->tree = model_explain_connection(a->m.v, &c, &a->arena);
	EXPECT_TRUE(a->tree != NULL);
}

static struct explain_connection
call(uint16_t port, enum explain_tls tls, const char *peer, const char *path)
{
	return (struct explain_connection){.destination = {.port = port},
	    .protocol = path != NULL ? EXPLAIN_HTTP : EXPLAIN_TCP,
	    .tls = tls,
	    .peer = slice_str(peer),
	    .request = {.authority = S("web"), .path = slice_str(path)}};
}

static struct slice
text(const struct asked *a, const char *path)
{
	const struct value *v = value_get_path(a->tree, slice_str(path));

	return v != NULL && v->type == VALUE_STRING ? v->string : S("");
}

/* Of the step "access"; NULL: there is none. */
static const struct value *
step(const struct asked *a)
{
	VALUE_EACH(value_get(a->tree, S("steps")), it)
	{
		if (slice_eq(
			value_get_string(it, S("step"), S("")), S("access")))
			return it;
	}
	return NULL;
}

static const struct told {
	struct {
		uint16_t port;
		enum explain_tls tls;
		const char *peer;
		const char *path;
	} call;
	const char *from;
	const char *name;
	const char *origin;
	const char *why;
} tolds[] = {
    {{80, EXPLAIN_MTLS, "ui.shop", "/"}, "spiffe://mesh.internal/ns/shop/sa/ui",
	"shop/web", "m.yaml:4", "allowed: an ALLOW rule takes it"},
    {{80, EXPLAIN_MTLS, "ui.shop", "/x/../admin"},
	"spiffe://mesh.internal/ns/shop/sa/ui", "shop/no", "m.yaml:9",
	"to be refused with 403, but not enforced yet: a DENY rule takes it"},
    {{80, EXPLAIN_MTLS, "", "/"}, "it is not said whose certificate it is",
	"policies", "",
	"to be refused with 403, but not enforced yet: there are ALLOW "
	"policies, and none of their rules takes it"},
    /* Who shows no certificate is nobody, whoever it says to be. */
    {{80, EXPLAIN_PLAINTEXT, "ui.shop", "/"}, "nobody: no certificate",
	"policies", "",
	"to be refused with 403, but not enforced yet: there are ALLOW "
	"policies, and none of their rules takes it"},
    /* Bytes: what a DENY rule says of requests is left out of it. */
    {{5432, EXPLAIN_MTLS, "ui.shop", NULL},
	"spiffe://mesh.internal/ns/shop/sa/ui", "shop/no", "m.yaml:9",
	"to be closed, but not enforced yet: a DENY rule takes it"},
};

TEST(a_connection_that_comes_in_is_told_the_verdict_of_policies)
{
	for (size_t i = 0; i < ARRAY_LEN(tolds); i++) {
		const struct told *w = &tolds[i];
		AUTO(asked_fini) struct asked a;
		const struct value *s;

		ask(&a, WEB_ONLY NOT_ADMIN ENTRY,
		    call(
			w->call.port, w->call.tls, w->call.peer, w->call.path));
		s = step(&a);
		EXPECT_TRUE(s != NULL);
		EXPECT_SLICE(text(&a, "access.from"), slice_str(w->from));
		EXPECT_SLICE(
		    value_get_string(s, S("name"), S("")), slice_str(w->name));
		EXPECT_SLICE(value_get_string(s, S("origin"), S("")),
		    slice_str(w->origin));
		EXPECT_SLICE(
		    value_get_string(s, S("why"), S("")), slice_str(w->why));
		/* It is not in force, and so changes nothing of the rest. */
		EXPECT_SLICE(text(&a, "error"), S(""));
	}
}

TEST(where_no_policy_is_nothing_is_told_of_any)
{
	AUTO(asked_fini) struct asked a;

	ask(&a, ENTRY, call(80, EXPLAIN_MTLS, "ui.shop", "/"));
	EXPECT_TRUE(step(&a) == NULL);
	EXPECT_TRUE(value_get(a.tree, S("access")) == NULL);
}

TEST(a_token_that_nobody_can_read_is_told)
{
	AUTO(asked_fini) struct asked a;
	static const struct label header[] = {
	    {{"Authorization", 13}, {"Bearer x", 8}}};
	struct explain_connection c = call(80, EXPLAIN_PLAINTEXT, "", "/");

	c.request.headers = header;
	c.request.header_count = 1;
	ask(&a, TOKENS ENTRY, c);
	EXPECT_SLICE(value_get_string(step(&a), S("why"), S("")),
	    S("to be refused with 401, but not enforced yet: a token is no "
	      "token"));
	EXPECT_SLICE(
	    value_get_string(step(&a), S("origin"), S("")), S("m.yaml:4"));
}

/* --- tables --------------------------------------------------------------- */

TEST(the_rules_of_policies_are_a_table)
{
	static const char *const members[] = {"action", "policy", "asks"};
	static const char *const wanted[] = {
	    "token | shop/users | issuer is a.com",
	    "AUDIT | shop/two | source.principal is one of "
	    "mesh.internal/ns/shop/sa/a; request.method is one of GET, or "
	    "request.host is none of b.com and destination.port is one of 80; "
	    "source.ip is one of 10.0.0.1",
	    "DENY | shop/no | request.path is one of /admin*",
	    "ALLOW | shop/nobody | nothing: the policy has no rule",
	    "ALLOW | shop/web | source.principal is one of "
	    "mesh.internal/ns/shop/sa/ui",
	};
	AUTO(machine_fini) struct machine m;
	AUTO(arena_fini) struct arena arena = {0};
	const struct value *rows;
	size_t n = 0;

	machine_init(&m,
	    WEB_ONLY NOT_ADMIN TOKENS POLICY("nobody", "") POLICY("two",
		"action: AUDIT, rules: [{" FROM(
		    "a") ", to: [{operation: {methods: [GET]}}, "
			 "{operation: {ports: ['80'], notHosts: [b.com]}}], "
			 "when: [{key: source.ip, values: [10.0.0.1]}]}]"));
	arena_init(&arena, 1 << 20);
	rows = view_overview(m.v, S("policies"), &arena);
	EXPECT_TRUE(rows != NULL);
	VALUE_EACH(rows, it)
	{
		struct slice text = value_get_string(it, S("workload"), S(""));

		EXPECT_SLICE(text, S("shop app=web"));
		text = S("");
		for (size_t i = 0; i < ARRAY_LEN(members); i++)
			text = arena_printf(&arena, "%.*s%s%.*s",
			    SLICE_ARG(text), i > 0 ? " | " : "",
			    SLICE_ARG(value_get_string(
				it, slice_str(members[i]), S(""))));
		EXPECT_TRUE(n < ARRAY_LEN(wanted));
		EXPECT_SLICE(text, slice_str(wanted[n++]));
		EXPECT_TRUE(value_get_string(it, S("origin"), S("")).len > 0);
	}
	EXPECT_EQ(n, ARRAY_LEN(wanted));
}
