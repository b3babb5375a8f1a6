/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hello — what the ends of a tunnel say of themselves, byte by byte.
 */
#include "tunnel/hello.h"
#include "unit.h"

static struct flow_party
somebody(void)
{
	return (struct flow_party){.cluster = S("east"),
	    .ns = S("shop"),
	    .canonical_name = S("cart"),
	    .canonical_revision = S("v2")};
}

static struct slice
value_of(const struct http_head *h, enum http_field_id id)
{
	struct slice s = SLICE_NONE;

	(void)http_head_get_id(h, id, &s);
	return s;
}

TEST(baggage_has_ztunnels_keys)
{
	AUTO(arena_fini) struct arena a;
	struct flow_party p = somebody();
	struct http_head h;

	arena_init(&a, HELLO_BYTES);
	http_head_init(&h, &a);
	hello_say(&h, &p);
	EXPECT_SLICE(value_of(&h, HTTP_BAGGAGE),
	    S("k8s.cluster.name=east,service.name=cart,service.version=v2,"
	      "k8s.namespace.name=shop"));
}

TEST(what_is_unknown_or_odd_is_not_said)
{
	AUTO(arena_fini) struct arena a;
	struct flow_party p = {
	    .canonical_name = S("a,b=c"), .canonical_revision = S("v1")};
	struct http_head h;

	arena_init(&a, HELLO_BYTES);
	http_head_init(&h, &a);
	hello_say(&h, &p);
	EXPECT_SLICE(value_of(&h, HTTP_BAGGAGE), S("service.version=v1"));
	http_head_init(&h, &a);
	hello_say(&h, &(struct flow_party){0});
	hello_forward(&h, NULL, SLICE_NONE);
	EXPECT_EQ(h.count, 0);
}

TEST(forwarded_names_the_program_and_the_host)
{
	AUTO(arena_fini) struct arena a;
	struct http_head h;
	struct addr client;

	arena_init(&a, HELLO_BYTES);
	http_head_init(&h, &a);
	EXPECT_OK(addr_parse(S("[fd00::1]:4000"), &client));
	hello_forward(&h, &client, S("cart.shop.svc.mesh.internal"));
	EXPECT_SLICE(value_of(&h, HTTP_FORWARDED),
	    S("for=\"[fd00::1]:4000\";host=cart.shop.svc.mesh.internal"));
	EXPECT_SLICE(hello_client(&h), S("[fd00::1]:4000"));
	client = (struct addr){.family = ADDR_NONE}; /* gone already */
	hello_forward(&h, &client, S("cart.shop.svc.mesh.internal"));
	EXPECT_SLICE(value_of(&h, HTTP_FORWARDED),
	    S("host=cart.shop.svc.mesh.internal"));
	EXPECT_EQ(hello_client(&h).len, 0);
}

TEST(a_peer_is_heard_but_its_namespace_is_its_certificates)
{
	static const struct {
		const char *said;
		const char *name, *revision, *cluster;
	} rows[] = {
	    {"k8s.cluster.name=k1,k8s.namespace.name=evil,"
	     "k8s.deployment.name=d,service.name=cart,service.version=v9,"
	     "cloud.region=r",
		"cart", "v9", "k1"},
	    {"service.name = cart", "was", "latest", ""},
	    {"service.name=a%20b,service.version=v1;p=1", "was", "latest", ""},
	    {"service.name", "was", "latest", ""},
	    {",,=,service.name=x,", "x", "latest", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(arena_fini) struct arena a;
		struct flow_party p = {.ns = S("true"),
		    .canonical_name = S("was"),
		    .canonical_revision = S("latest")};
		struct http_head h;

		arena_init(&a, HELLO_BYTES);
		http_head_init(&h, &a);
		EXPECT_OK(http_head_set_id(
		    &h, HTTP_BAGGAGE, slice_str(rows[i].said)));
		hello_hear(&h, &p);
		EXPECT_SLICE(p.canonical_name, slice_str(rows[i].name));
		EXPECT_SLICE(p.canonical_revision, slice_str(rows[i].revision));
		EXPECT_SLICE(p.cluster, slice_str(rows[i].cluster));
		EXPECT_SLICE(p.ns, S("true"));
	}
}

TEST(anything_may_stand_in_forwarded)
{
	static const char *const rows[][2] = {{"for=1.2.3.4", "1.2.3.4"},
	    {"host=a;For=\"_x\"", "_x"}, {"for=\"", "\""}, {"for=", ""},
	    {";;", ""}, {"by=x", ""}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(arena_fini) struct arena a;
		struct http_head h;

		arena_init(&a, HELLO_BYTES);
		http_head_init(&h, &a);
		EXPECT_OK(http_head_set_id(
		    &h, HTTP_FORWARDED, slice_str(rows[i][0])));
		EXPECT_SLICE(hello_client(&h), slice_str(rows[i][1]));
	}
}
