/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overview — a view as tables: of each place that calls are made from, and of
 * what is exposed.
 */
#include "overview.h"
#include "machine.h"
#include "unit.h"

#define SERVICE                                                                \
	"apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: db}\n" \
	"spec: {ports: [{name: http, port: 80}]}\n---\n"
#define STRICT                                                                 \
	"apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"         \
	"metadata: {name: strict, namespace: blog}\n"                          \
	"spec: {mtls: {mode: STRICT}}\n---\n"
/* For callers of the namespace blog alone. */
#define RULE                                                                   \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: db, namespace: db}\n"                                \
	"spec: {hosts: [db], exportTo: [blog],\n"                              \
	"  http: [{name: slow, route: [{destination: {host: db}}]}]}\n---\n"

/* A machine that serves, and calls, as an account of another namespace. */
struct scene {
	struct machine m;
	struct label label;
	struct view_upstream_input upstream;
	struct arena arena;
};

static void
begin(struct scene *s)
{
	static const uint8_t here[16] = {127, 0, 0, 1};

	memset(s, 0, sizeof(*s));
	machine_init(&s->m, SERVICE STRICT RULE);
	s->label = (struct label){S("app"), S("posts")};
	s->m.exposed = (struct view_exposed_input){.service = S("posts"),
	    .ns = S("blog"),
	    .port = 81,
	    .protocol = S("http"),
	    .addr = {.family = ADDR_V6, .port = 81},
	    .target = {.family = ADDR_V4, .port = 8081},
	    .account = S("writer"),
	    .labels = {&s->label, 1}};
	memcpy(s->m.exposed.target.bytes, here, sizeof(here));
	s->upstream = (struct view_upstream_input){.name = S("db"),
	    .host = S("db.db"),
	    .listen = s->m.exposed.target,
	    .ns = S("blog"),
	    .account = S("writer")};
	s->m.in.exposed = &s->m.exposed;
	s->m.in.exposed_count = 1;
	s->m.in.upstreams = &s->upstream;
	s->m.in.upstream_count = 1;
	machine_compile(&s->m);
	arena_init(&s->arena, 1 << 20);
}

static void
end(struct scene *s)
{
	arena_fini(&s->arena);
	machine_fini(&s->m);
}

/* "a=b c=d" of each row that has all of `wanted`, a line each. */
static struct slice
told(struct scene *s, struct slice table, struct slice key, struct slice value,
    const char *const *members)
{
	const struct value *rows = view_overview(s->m.v, table, &s->arena);
	struct slice text = S("");

	EXPECT_TRUE(rows != NULL);
	VALUE_EACH(rows, it)
	{
		if (!slice_eq(value_get_string(it, key, S("")), value))
			continue;
		for (const char *const *m = members; *m != NULL; m++)
			text = arena_printf(&s->arena, "%.*s%s%.*s",
			    SLICE_ARG(text), m == members ? "" : " | ",
			    SLICE_ARG(
				value_get_string(it, slice_str(*m), S("-"))));
		text = arena_printf(&s->arena, "%.*s\n", SLICE_ARG(text));
	}
	return text;
}

TEST(what_is_exposed_and_what_is_called_by_name_are_listeners)
{
	static const char *const members[] = {
	    "direction", "caller", "name", "takes", "tls", "to", NULL};
	struct scene s;

	begin(&s);
	EXPECT_SLICE(
	    told(&s, S("listeners"), S("origin"), S("named listener"), members),
	    S("outbound | blog app=posts | db | 127.0.0.1:8081 | - | "
	      "db.db.svc.cluster.local:80\n"));
	EXPECT_SLICE(told(&s, S("listeners"), S("name"),
			 S("posts.blog.svc.mesh.internal:81"), members),
	    S("inbound | - | posts.blog.svc.mesh.internal:81 | tunnels to port "
	      "81 | ISTIO_MUTUAL | 127.0.0.1:8081, as "
	      "spiffe://mesh.internal/ns/blog/sa/writer\n"));
	end(&s);
}

TEST(each_place_has_listeners_and_routes_of_its_own)
{
	static const char *const listeners[] = {"caller", NULL};
	static const char *const routes[] = {"caller", "rule", "origin", NULL};
	struct scene s;

	begin(&s);
	EXPECT_SLICE(
	    told(&s, S("listeners"), S("name"), S("0.0.0.0_80"), listeners),
	    S("shop app=web\nshop app=web\n"
	      "blog app=posts\nblog app=posts\n"));
	EXPECT_SLICE(told(&s, S("routes"), S("host"),
			 S("db.db.svc.cluster.local:80"), routes),
	    S("shop app=web | default | m.yaml:1\n"
	      "blog app=posts | slow | m.yaml:15\n"));
	end(&s);
}

TEST(whether_plain_text_is_taken_is_told_with_who_says_so)
{
	static const char *const members[] = {"name", "caller", "peers", NULL};
	struct scene s;

	begin(&s);
	EXPECT_SLICE(
	    told(&s, S("listeners"), S("chain"), S("0.0.0.0_81"), members),
	    S("virtualInbound | - | STRICT, m.yaml:6\n"));
	/* Of what no port takes: the machine's own place. */
	EXPECT_SLICE(
	    told(&s, S("listeners"), S("chain"), S("virtualInbound"), members),
	    S("virtualInbound | - | PERMISSIVE, no PeerAuthentication\n"
	      "virtualInbound | - | PERMISSIVE, no PeerAuthentication\n"
	      "virtualInbound | - | PERMISSIVE, no PeerAuthentication\n"));
	EXPECT_SLICE(told(&s, S("listeners"), S("chain"),
			 S("virtualInbound-blackhole"), members),
	    S("virtualInbound | - | -\n"));
	end(&s);
}
