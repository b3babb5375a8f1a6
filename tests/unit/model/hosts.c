/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts — how a host is spelled, and which hosts a resource speaks of.
 */
#include <stdio.h>
#include <string.h>

#include "codec/codec.h"
#include "load.h"
#include "unit.h"

static const char *
spelled(const char *host)
{
	static char out[HOST_TEXT_MAX];
	char text[HOST_TEXT_MAX];
	struct slice s =
	    host_spell(slice_str(host), S("shop"), S("mesh.internal"), text);

	(void)snprintf(out, sizeof(out), "%.*s", SLICE_ARG(s));
	return out;
}

TEST(every_form_of_a_service_is_spelled_in_one_way)
{
	static const char *const forms[] = {"db", "DB.shop", "db.shop.svc",
	    "db.shop.svc.cluster.local", "db.shop.svc.mesh.internal."};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		EXPECT_STR(spelled(forms[i]), "db.shop.svc.mesh.internal");
}

TEST(other_hosts_and_patterns_stay_what_they_are)
{
	EXPECT_STR(spelled("API.example.com."), "api.example.com");
	EXPECT_STR(spelled("*.Example.com"), "*.example.com");
	EXPECT_STR(
	    spelled("*.shop.svc.cluster.local"), "*.shop.svc.mesh.internal");
	EXPECT_STR(spelled("*"), "*");
	EXPECT_STR(spelled(""), "");
}

TEST(a_host_without_room_is_none)
{
	char host[HOST_TEXT_MAX + 1];

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	EXPECT_STR(spelled(host), "");
}

TEST(patterns_of_a_host_come_from_long_to_short)
{
	static const char *const want[] = {"a.b.c", "*.b.c", "*.c", "*"};
	char text[HOST_TEXT_MAX];
	struct slice pattern;
	size_t n = 0;

	for (size_t at = 0; host_next_pattern(S("a.b.c"), &at, text, &pattern);)
		EXPECT_SLICE(pattern, slice_str(want[n++]));
	EXPECT_EQ(n, ARRAY_LEN(want));
	EXPECT_TRUE(host_is_pattern(S("*")));
	EXPECT_TRUE(host_is_pattern(S("*.c")));
	EXPECT_FALSE(host_is_pattern(S("c")));
}

static void
add_host(void *arg, enum host_part part, struct slice host)
{
	char *out = arg;
	size_t len = strlen(out);

	(void)snprintf(out + len, HOST_TEXT_MAX - len, "%s%.*s ",
	    part == HOST_REFERS ? ">" : "", SLICE_ARG(host));
}

static void
expect_hosts(const char *yaml, const char *want)
{
	AUTO(loaded_fini) struct loaded l;
	char out[HOST_TEXT_MAX] = "";

	load(yaml, NULL, &l);
	EXPECT_EQ(l.count, 1);
	resource_each_host(l.items[0], S("mesh.internal"), add_host, out);
	EXPECT_STR(out, want);
}

TEST(a_service_is_about_its_name)
{
	expect_hosts("apiVersion: v1\nkind: Service\n"
		     "metadata: {name: db, namespace: shop}\n"
		     "spec: {ports: [{port: 1}]}\n",
	    "db.shop.svc.mesh.internal ");
}

TEST(a_destination_rule_is_about_its_host)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
	    "metadata: {name: x, namespace: shop}\n"
	    "spec: {host: '*.shop.svc.cluster.local'}\n",
	    "*.shop.svc.mesh.internal ");
}

TEST(a_virtual_service_is_about_its_hosts_and_refers_to_destinations)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: x, namespace: shop}\nspec:\n"
	    "  hosts: [web, '*.example.com']\n"
	    "  http: [{route: [{destination: {host: v1}, weight: 1},\n"
	    "    {destination: {host: v2.other}, weight: 1}]}]\n"
	    "  tcp: [{route: [{destination: {host: db}}]}]\n",
	    "web.shop.svc.mesh.internal *.example.com "
	    ">v1.shop.svc.mesh.internal >v2.other.svc.mesh.internal "
	    ">db.shop.svc.mesh.internal ");
}

TEST(copies_of_requests_and_routes_by_sni_refer_to_their_destinations)
{
	expect_hosts(
	    "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
	    "metadata: {name: x, namespace: shop}\nspec:\n"
	    "  hosts: [web]\n"
	    "  http:\n"
	    "  - route: [{destination: {host: web}}]\n"
	    "    mirror: {host: one}\n"
	    "  - route: [{destination: {host: web}}]\n"
	    "    mirrors: [{destination: {host: two}}]\n"
	    "  tls:\n"
	    "  - match: [{sniHosts: [web]}]\n"
	    "    route: [{destination: {host: three}}]\n",
	    "web.shop.svc.mesh.internal "
	    ">web.shop.svc.mesh.internal >one.shop.svc.mesh.internal "
	    ">web.shop.svc.mesh.internal >two.shop.svc.mesh.internal "
	    ">three.shop.svc.mesh.internal ");
}
