/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology — whether connections to a gateway begin with a PROXY header.
 */
#include "codec/codec.h"
#include "compiled.h"
#include "unit.h"

#include <stdio.h>

enum { YAML_MAX = 4096 };

static const char gateway[] =
    "apiVersion: networking.istio.io/v1\nkind: Gateway\n"
    "metadata: {name: g}\nspec:\n  selector: {app: gw}\n  servers:\n"
    "  - {port: {number: 80, name: h, protocol: HTTP}, hosts: ['*']}\n";

#define GROUP(notes, spec)                                                     \
	"---\napiVersion: networking.istio.io/v1\nkind: WorkloadGroup\n"       \
	"metadata: {name: w" notes "}\nspec: {template: {}, metadata: {" spec  \
	"}}\n"
#define MESH(topology)                                                         \
	"---\napiVersion: meshd.dev/v1\nkind: MeshConfig\n"                    \
	"metadata: {name: default}\nspec: {defaultConfig: "                    \
	"{gatewayTopology: {" topology "}}}\n"
#define NOTE(text) "annotations: {proxy.istio.io/config: " text "}"
#define GW "labels: {app: gw}, "
#define BEHIND "'gatewayTopology: {proxyProtocol: {}}'"

/* Of the gateway app=gw, version=1. */
static bool
reads_header(struct compiled *w, const char *more)
{
	static const struct label labels[] = {
	    {{"app", 3}, {"gw", 2}}, {{"version", 7}, {"1", 1}}};
	const struct view_input at = {.proxy = VIEW_ROUTER,
	    .ns = S("default"),
	    .labels = {labels, ARRAY_LEN(labels)},
	    .parse_yaml = codec_yaml_parse_one};
	const struct view_listener *l;
	char yaml[YAML_MAX];

	(void)snprintf(yaml, sizeof(yaml), "%s%s", gateway, more);
	compiled_init_from(w, yaml, &at);
	l = view_find_listener(
	    w->v, NULL, VIEW_GATEWAY, &(struct addr){.port = 80});
	EXPECT_TRUE(l != NULL);
	return l->reads_proxy_header;
}

TEST(the_mesh_or_the_gateways_own_group_says_it)
{
	static const struct {
		const char *yaml;
		bool reads;
	} rows[] = {
	    {"", false},
	    {MESH("proxyProtocol: {}"), true},
	    {MESH("numTrustedProxies: 1"), false},
	    {GROUP("", GW NOTE(BEHIND)), true},
	    {GROUP(", " NOTE(BEHIND), "labels: {app: gw}"), true},
	    {GROUP("", GW NOTE("'{\"gatewayTopology\": {\"proxyProtocol\": "
			       "{}}}'")),
		true},
	    {GROUP("", GW NOTE("'gatewayTopology: {}'")), false},
	    {GROUP("", GW NOTE("'concurrency: 2'")), false},
	    {GROUP("", "labels: {app: gw, version: '2'}, " NOTE(BEHIND)),
		false},
	    {GROUP("", NOTE(BEHIND)), false}, /* of nobody */
	    {GROUP(", namespace: other", GW NOTE(BEHIND)), false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(compiled_fini) struct compiled w;

		EXPECT_EQ(reads_header(&w, rows[i].yaml), rows[i].reads);
		EXPECT_FALSE(compiled_tells(&w, "is left out"));
	}
}

TEST(an_annotation_that_is_wrong_is_left_out_in_words)
{
	static const char *const texts[] = {GROUP("", GW NOTE("'a: ['")),
	    GROUP("", GW NOTE("'[]'")),
	    GROUP("", GW NOTE("\"a: 1\\n---\\nb\"")),
	    GROUP("", GW NOTE("'gatewayTopology: {proxyProtocol: {a: 1}}'"))};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO(compiled_fini) struct compiled w;

		EXPECT_FALSE(reads_header(&w, texts[i]));
		EXPECT_TRUE(compiled_tells(
		    &w, "its annotation proxy.istio.io/config is left out: "));
	}
}

TEST(what_else_an_annotation_says_is_told_to_be_without_effect)
{
	AUTO(compiled_fini) struct compiled w;

	EXPECT_TRUE(reads_header(
	    &w, GROUP("", GW NOTE("'{concurrency: 2, gatewayTopology: "
				  "{proxyProtocol: {}}}'"))));
	EXPECT_TRUE(compiled_tells(
	    &w, "nothing but gatewayTopology.proxyProtocol is in force yet"));
}
