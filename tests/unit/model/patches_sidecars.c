/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patches_sidecars — where Sidecars say what there is, a view of before is the
 * view that is made from nothing.
 */

#include "play.h"
#include "unit.h"
#include "walk.h"

/* Where Sidecars say what there is, of which some are others, too. */
static void
change_around_scopes(struct world *w)
{
	size_t n = OTHERS - SCOPES + rng_below(&w->rng, SCOPES);

	switch (rng_below(&w->rng, 16)) {
	case 0:
		world_come_or_go(w, n);
		break;
	case 1:
		world_make_again(w, n);
		break;
	default:
		change_around_services(w);
	}
}

TEST(services_come_and_go_where_sidecars_hold)
{
	walk_as(change_around_scopes, SERVICE_SEEDS, OF_SERVICES | SCOPED,
	    2 * SERVICE_SEEDS);
}

TEST(rules_for_services_come_and_go_where_sidecars_hold)
{
	walk_as(change_around_scopes, SERVICE_SEEDS, OF_NAMES | SCOPED,
	    2 * SERVICE_SEEDS);
}

TEST(delegates_come_and_go_where_sidecars_hold)
{
	walk_as(change_service, SERVICE_SEEDS, OF_DELEGATES | SCOPED,
	    2 * SERVICE_SEEDS);
}

#define OF_PAY(kind, name, rest)                                               \
	"apiVersion: networking.istio.io/v1\nkind: " kind "\n"                 \
	"metadata: {name: " name ", namespace: pay}\nspec:\n  " rest "\n"

/* Whether a listener names it or not. */
TEST(what_is_ordinary_is_a_patch_where_a_sidecar_holds)
{
	static const char *const scopes[] = {SCOPING("{hosts: [\"*/*\"]}"),
	    SCOPING("{hosts: [\"./web.shop.svc.cluster.local\", \"pay/*\"]}"),
	    SCOPING("{hosts: [\"./*\"]}"),
	    SCOPING("{hosts: [\"*/a.test\", \"~pay/x.test\"]}"),
	    SCOPING("{captureMode: NONE, hosts: [\"*/*\"]}"),
	    SCOPING("{port: {number: 80, name: h, protocol: HTTP}, hosts: "
		    "[\"pay/*\"]}, {hosts: [\"./*\"]}"),
	    SCOPING("{port: {number: 3306, name: t, protocol: TCP}, bind: "
		    "10.8.0.1, hosts: [\"pay/*\"]}, {hosts: [\"*/*\"]}"),
	    RESOURCE("Sidecar", "s", "2020",
		"  outboundTrafficPolicy: {mode: REGISTRY_ONLY}\n")};
	static const char *const documents[] = {"",
	    SERVICE("", "selector: {app: a}, ports: [" HTTP_PORT "]"),
	    SERVICE("x: y", "clusterIP: 10.1.1.9, ports: [" HTTP_PORT
			    ", {name: tcp, port: 5432}]"),
	    OF_PAY("ServiceEntry", "e",
		"{hosts: [a.test], resolution: STATIC, ports: [{number: 80, "
		"name: http, protocol: HTTP}, {number: 3306, name: tcp, "
		"protocol: TCP}], endpoints: [{address: 10.9.0.1}]}"),
	    OF_PAY("ServiceEntry", "e",
		"{hosts: [a.test], resolution: DNS, ports: [{number: 80, "
		"name: http, protocol: HTTP}]}"),
	    ROUTES("a", "2020", "a", "timeout: 1s\n    " LEAD_TO("a")),
	    OF_PAY("VirtualService", "b",
		"{hosts: [a.test], tcp: [{route: [{destination: {host: "
		"a.test, port: {number: 80}}}]}]}"),
	    OF_PAY("DestinationRule", "c",
		"{host: a.test, trafficPolicy: {loadBalancer: {simple: "
		"RANDOM}}}"),
	    ROUTES("d", "2020", "a", "delegate: {name: f}"),
	    RESOURCE("VirtualService", "f", "2020",
		"  http: [{timeout: 2s, " LEAD_TO("a") "}]\n")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "02", .is_patch = true},
	    {.there = "023", .is_patch = true},
	    {.there = "0237", .is_patch = true},
	    {.there = "0235", .is_patch = true},
	    {.there = "0135", .is_patch = true},
	    {.there = "014", .is_patch = true},
	    {.there = "0189", .is_patch = true},
	    {.there = "018", .is_patch = true},
	    {.there = "01", .is_patch = true}};
	static const struct act wired[] = {{.there = "03"},
	    {.there = "036", .is_patch = true},
	    {.there = "02367", .is_patch = true},
	    {.there = "03", .is_patch = true}};
	static const struct act gone[] = {{.there = "014"},
	    {.there = "04", .is_patch = true},
	    {.there = "03", .is_patch = true}, {.there = "0", .is_patch = true},
	    {.there = "01", .is_patch = true}};

	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct play p;

		play_init(&p, documents + 1, ARRAY_LEN(documents) - 1);
		memmove(&p.documents[1], &p.documents[0],
		    (ARRAY_LEN(documents) - 1) * sizeof(p.documents[0]));
		p.documents[0] = resource_of(scopes[i]);
		play_from_each(&p, acts, ARRAY_LEN(acts));
		play_from_each(&p, wired, ARRAY_LEN(wired));
		play_from_each(&p, gone, ARRAY_LEN(gone));
		play_fini(&p);
	}
}

TEST(a_sidecar_that_another_stands_before_is_nothing)
{
	static const char *const documents[] = {SCOPING("{hosts: [\"./*\"]}"),
	    RESOURCE(
		"Sidecar", "t", "2021", "  egress: [{hosts: [\"*/*\"]}]\n"),
	    "apiVersion: networking.istio.io/v1\nkind: Sidecar\n"
	    "metadata: {name: all, namespace: istio-system}\n"
	    "spec: {egress: [{hosts: [\"~/*\"]}]}\n",
	    RESOURCE("Sidecar", "u", "2019",
		"  workloadSelector: {labels: {app: none}}\n"
		"  egress: [{hosts: [\"~/*\"]}]\n"),
	    RESOURCE(
		"Sidecar", "v", "2019", "  egress: [{hosts: [\"pay/*\"]}]\n"),
	    OF_PAY("Sidecar", "w", "{egress: [{hosts: [\"./*\"]}]}")};
	static const struct act acts[] = {{.there = "0"},
	    {.there = "01", .is_patch = true},
	    {.there = "012", .is_patch = true},
	    {.there = "0123", .is_patch = true},
	    {.there = "035", .is_patch = true},
	    /* What stands before it, or takes its place. */
	    {.there = "0354"}, {.there = "1"},
	    {.there = "12", .is_patch = true}, {.there = "2"}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}

/* A rule that says no port leads to the one that is called: whose service goes,
 * all of the other's ports are called, or none of several. */
TEST(what_only_a_rule_leads_to_is_there_as_its_own_service_is)
{
	static const char *const documents[] = {
	    SCOPING("{hosts: [\"./a.shop.svc.cluster.local\"]}"),
	    SERVICE("", "ports: [{name: http, port: 8080}]"),
	    ROUTES("r", "2020", "a", "route: [{destination: {host: b.test}}]"),
	    OF_PAY("ServiceEntry", "e",
		"{hosts: [b.test], resolution: STATIC, ports: [{number: 8080, "
		"name: http, protocol: HTTP}, {number: 9090, name: other, "
		"protocol: HTTP}], endpoints: [{address: 10.9.0.1}]}"),
	    SERVICE("x: y", "ports: [{name: http, port: 8080}]")};
	static const struct act acts[] = {{.there = "0123"},
	    {.there = "0423", .is_patch = true}, {.there = "023"},
	    {.there = "0123"}};
	struct play p;

	play_init(&p, documents, ARRAY_LEN(documents));
	play_from_each(&p, acts, ARRAY_LEN(acts));
	play_fini(&p);
}
