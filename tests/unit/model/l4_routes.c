/* SPDX-License-Identifier: Apache-2.0 */
/*
 * l4_routes — rules for connections, as a named listener's clients meet them.
 */
#include "compiled.h"
#include "unit.h"

#define ISTIO(kind, name)                                                      \
	"---\napiVersion: networking.istio.io/v1\nkind: " kind                 \
	"\nmetadata: {name: " name "}\nspec:\n"
#define SERVICE(name, port)                                                    \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: " name           \
	"}\nspec: {ports: [" port "]}\n"
#define SERVICES                                                               \
	SERVICE("db", "{name: tcp, port: 5432}")                               \
	SERVICE("web", "{name: tls, port: 443}")                               \
	SERVICE("a", "{name: tcp, port: 1}")                                   \
	SERVICE("b", "{name: tcp, port: 1}")
#define VS(host, kind)                                                         \
	ISTIO("VirtualService", "v") "  hosts: [" host "]\n  " kind ":\n"
#define GOES(host) "route: [{destination: {host: " host "}}]}\n"

/* The name of the cluster, without what all have in common. */
static struct slice
leads_to(
    struct compiled *w, const char *host, const char *address, const char *sni)
{
	struct view_connection c = {.sni = slice_str(sni)};
	const struct view_host *h =
	    view_find_host(w->v, NULL, slice_str(host), 0);
	const struct view_tcp_route *r;
	struct slice name;

	if (address != NULL)
		EXPECT_OK(addr_parse_ip(slice_str(address), &c.destination));
	c.tls = c.sni.len > 0;
	r = view_route_tcp(h, &c, NULL);
	if (r == NULL)
		return S("");
	name = r->destinations[0].name;
	name = slice_sub(name, slice_rfind(name, '|') + 1, name.len);
	return slice_split(&name, '.');
}

TEST(the_narrowest_network_takes_a_connection)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS(
		"db", "tcp") "  - {match: [{destinationSubnets: "
			     "[10.0.0.0/8]}], " GOES(
				 "a") "  - {match: [{destinationSubnets: "
				      "[10.1.0.0/16, '::1']}], " GOES("b"));
	EXPECT_SLICE(leads_to(&w, "db", "10.2.0.1", ""), S("a"));
	EXPECT_SLICE(leads_to(&w, "db", "10.1.0.1", ""), S("b"));
	EXPECT_SLICE(leads_to(&w, "db", "::1", ""), S("b"));
	EXPECT_SLICE(leads_to(&w, "db", "11.1.0.1", ""), S("db"));
	EXPECT_SLICE(leads_to(&w, "db", NULL, ""), S("db"));
	EXPECT_FALSE(compiled_tells(&w, "force"));
}

TEST(networks_come_before_a_rule_for_all)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("db", "tcp") "  - {match: [{destinationSubnets: "
				     "[10.0.0.0/8]}], " GOES("a") "  - {" GOES(
					 "b"));
	EXPECT_SLICE(leads_to(&w, "db", "10.2.0.1", ""), S("a"));
	EXPECT_SLICE(leads_to(&w, "db", "127.0.0.1", ""), S("b"));
}

TEST(a_network_of_another_match_or_port_is_not_asked_for)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS(
		"db", "tcp") "  - {match: [{destinationSubnets: [10.0.0.0/8], "
			     "port: 1}, "
			     "{destinationSubnets: [11.0.0.0/8], port: 5432}, "
			     "{destinationSubnets: [12.0.0.0/8], gateways: "
			     "[g]}], " GOES("a"));
	EXPECT_SLICE(leads_to(&w, "db", "10.2.0.1", ""), S("db"));
	EXPECT_SLICE(leads_to(&w, "db", "11.2.0.1", ""), S("a"));
	EXPECT_SLICE(leads_to(&w, "db", "12.2.0.1", ""), S("db"));
}

TEST(the_name_that_fits_best_takes_tls)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("web, '*.x.com'",
		"tls") "  - {match: [{sniHosts: "
		       "['*.x.com']}], " GOES("a") "  - {match: [{sniHosts: "
						   "[b.x.com]}], " GOES("b"));
	EXPECT_SLICE(leads_to(&w, "web", NULL, "a.x.com"), S("a"));
	EXPECT_SLICE(leads_to(&w, "web", NULL, "b.x.com"), S("b"));
	EXPECT_SLICE(leads_to(&w, "web", NULL, "x.com"), S("web"));
	EXPECT_SLICE(leads_to(&w, "web", NULL, ""), S("web"));
	EXPECT_FALSE(compiled_tells(&w, "force"));
}

TEST(the_address_is_asked_before_the_name)
{
	AUTO(compiled_fini) struct compiled w;

	compiled_init(&w,
	    SERVICES VS("web, '*.x.com'",
		"tls") "  - {match: [{sniHosts: [a.x.com], destinationSubnets: "
		       "[10.0.0.0/8]}], " GOES("a") "  - {match: [{sniHosts: "
						    "[b.x.com]}], " GOES("b"));
	EXPECT_SLICE(leads_to(&w, "web", "10.0.0.1", "a.x.com"), S("a"));
	EXPECT_SLICE(leads_to(&w, "web", "11.0.0.1", "a.x.com"), S("web"));
	EXPECT_SLICE(leads_to(&w, "web", "11.0.0.1", "b.x.com"), S("b"));
	/* As at a listener's chains, what is chosen first is not taken back. */
	EXPECT_SLICE(leads_to(&w, "web", "10.0.0.1", "b.x.com"), S("web"));
}

static struct slice
why_of(const struct value *rules, size_t at)
{
	const struct value *rule = rules->child;

	for (size_t i = 0; i < at; i++)
		rule = rule->next;
	return value_get_string(rule, S("why"), S(""));
}

TEST(explain_says_why_not)
{
	AUTO(compiled_fini) struct compiled w;
	const struct value *rules;
	static struct view_upstream_input upstream = {.name = {"x", 1},
	    .host = {"web", 3},
	    .listen = {.family = ADDR_V4, .bytes = {10, 1, 1, 1}}};
	const struct view_input in = {
	    .upstreams = &upstream, .upstream_count = 1};
	const struct explain_request r = {
	    .upstream = S("x"), .sni = S("b.x.com")};

	compiled_init_from(&w,
	    SERVICES VS("web, '*.x.com'",
		"tls") "  - {match: [{sniHosts: [b.x.com], destinationSubnets: "
		       "[11.0.0.0/8]}, {sniHosts: [a.x.com]}, {sniHosts: "
		       "['*.x.com']}, {sniHosts: [b.x.com]}, {sniHosts: "
		       "[c.x.com]}], " GOES("b"),
	    &in);
	rules = value_get(model_explain(w.v, &r, &w.arena), S("rules"));
	EXPECT_EQ(rules->count, 4);
	EXPECT_SLICE(why_of(rules, 0),
	    S("not so: address is in 11.0.0.0/8; it is 10.1.1.1"));
	EXPECT_SLICE(why_of(rules, 1),
	    S("not so: server name is a.x.com; it is \"b.x.com\""));
	EXPECT_SLICE(why_of(rules, 2), S("another one fits better"));
	EXPECT_SLICE(why_of(rules, 3), S(""));
}

/* As clients of TLS ask for the name that they call. */
TEST(explain_takes_the_host_for_the_name_if_there_is_none)
{
	AUTO(compiled_fini) struct compiled w;
	static const struct {
		struct explain_request ask;
		size_t told;
	} rows[] = {
	    {{.host = {"web", 3}}, 1},
	    {{.host = {"web", 3}, .authority = {"a.x.com", 7}}, 2},
	    {{.host = {"web", 3}, .sni = {"a.x.com", 7}}, 2},
	    {{.host = {"web", 3}, .sni = {"b.x.com", 7}}, 3},
	};

	compiled_init(&w,
	    SERVICES VS("web, '*.x.com'", "tls") "  - {match: [{sniHosts: "
						 "[web]}, {sniHosts: "
						 "[a.x.com]}], " GOES("b"));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct value *e =
		    model_explain(w.v, &rows[i].ask, &w.arena);
		const struct value *rules = value_get(e, S("rules"));

		EXPECT_EQ(rules->count, rows[i].told);
		EXPECT_SLICE(why_of(rules, rules->count - 1), S(""));
	}
}
