/* SPDX-License-Identifier: Apache-2.0 */
/*
 * l4_rules — connections of a named listener, by rules that look at the address
 * that was called and at the name of TLS.
 */
#include "scene.h"
#include "unit.h"

#include <stdio.h>

#define VS(kind)                                                               \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: web, namespace: default}\n"                          \
	"spec:\n  hosts: [web, '*.x.com']\n  " kind ":\n"
#define TO_OTHER "route: [{destination: {host: other}}]}\n"

/* Services "web", which has a listener, and "other"; each says its name. */
struct pair {
	struct rig *rig;
	struct server web;
	struct server other;
};

static void
serve_name(struct server *s, struct wire *w, unsigned n)
{
	struct slice some;

	(void)n;
	if (wire_some(w, &some)) {
		(void)wire_say(w, s->text);
		(void)wire_send(w, some);
	}
}

static void
pair_init(struct pair *p, const char *protocol, const char *yaml)
{
	p->rig = rig_new(/* workers */ 1, /* hbone */ ADDR_NONE);
	server_open(&p->web, ADDR_V4, serve_name, "web ");
	server_open(&p->other, ADDR_V4, serve_name, "oth ");
	rig_service(p->rig, "web", protocol);
	rig_service(p->rig, "other", protocol);
	rig_endpoint(p->rig, "web", &p->web.addr, NULL);
	rig_endpoint(p->rig, "other", &p->other.addr, NULL);
	rig_listen(p->rig, "web", ADDR_V4);
	rig_publish(p->rig, yaml);
}

static void
pair_fini(struct pair *p)
{
	rig_free(&p->rig);
	server_close(&p->web);
	server_close(&p->other);
}

/* Says these bytes, in pieces of that size; who takes them, and all of them? */
static void
expect_taker(
    struct pair *p, struct slice bytes, size_t each, const char *wanted)
{
	struct addr at = rig_addr(p->rig, "web");
	struct wire w = wire_dial(&at);
	struct slice got;

	for (size_t i = 0; i < bytes.len; i += each)
		EXPECT_TRUE(wire_send(&w, slice_sub(bytes, i, each)));
	EXPECT_TRUE(wire_take(&w, 4, &got));
	EXPECT_SLICE(got, slice_str(wanted));
	wire_close(&w);
}

TEST(the_address_of_the_listener_decides)
{
	struct pair p;

	pair_init(&p, "tcp",
	    VS("tcp") "  - {match: [{destinationSubnets: "
		      "[127.0.0.0/8]}], " TO_OTHER);
	expect_taker(&p, S("ping"), 4, "oth ");
	rig_publish(p.rig, VS("tcp") "  - {match: [{destinationSubnets: "
				     "[10.0.0.0/8]}], " TO_OTHER);
	expect_taker(&p, S("ping"), 4, "web ");
	pair_fini(&p);
}

TEST(the_name_of_tls_decides)
{
	static const size_t pieces[] = {WIRE_HELLO_MAX, 1, 30};
	uint8_t one[WIRE_HELLO_MAX], two[WIRE_HELLO_MAX];
	struct slice a = wire_hello("A.x.com", one);
	struct slice b = wire_hello("b.x.com", two);
	struct pair p;

	pair_init(&p, "tls",
	    VS("tls") "  - {match: [{sniHosts: [a.x.com]}], " TO_OTHER);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		expect_taker(&p, a, pieces[i], "oth ");
		expect_taker(&p, b, pieces[i], "web ");
	}
	expect_taker(&p, S("no TLS at all"), 20, "web ");
	pair_fini(&p);
}

TEST(a_client_that_ends_before_its_name_is_told_as_its_caller)
{
	uint8_t bytes[WIRE_HELLO_MAX];
	struct pair p;
	struct addr at;
	struct wire w;

	pair_init(&p, "tls",
	    VS("tls") "  - {match: [{sniHosts: [a.x.com]}], " TO_OTHER);
	at = rig_addr(p.rig, "web");
	w = wire_dial(&at);
	EXPECT_TRUE(
	    wire_send(&w, slice_sub(wire_hello("a.x.com", bytes), 0, 20)));
	wire_shut(&w);
	EXPECT_TRUE(wire_is_over(&w));
	EXPECT_EQ(rig_record(p.rig, 0).flag, FLOW_DOWNSTREAM_PROTOCOL);
	EXPECT_STR(rig_record(p.rig, 0).source,
	    "spiffe://mesh.internal/ns/default/sa/client");
	wire_close(&w);
	pair_fini(&p);
}

TEST(a_call_that_waits_for_its_service_is_asked_for_its_name_then)
{
	uint8_t bytes[WIRE_HELLO_MAX];
	struct slice hello = wire_hello("a.x.com", bytes), got;
	struct pair p;
	struct addr at;
	struct wire w;
	size_t known;

	pair_init(&p, "tls", NULL);
	known = p.rig->service_count;
	p.rig->service_count = p.rig->endpoint_count = 0;
	rig_publish(p.rig, NULL);
	at = rig_addr(p.rig, "web");
	w = wire_dial(&at);
	EXPECT_TRUE(wire_send(&w, hello));
	RIG_UNTIL(p.rig, (rig_list(p.rig), p.rig->conn_count) == 1);
	p.rig->service_count = p.rig->endpoint_count = known;
	rig_publish(
	    p.rig, VS("tls") "  - {match: [{sniHosts: [a.x.com]}], " TO_OTHER);
	EXPECT_TRUE(wire_take(&w, 4, &got));
	EXPECT_SLICE(got, S("oth "));
	wire_close(&w);
	pair_fini(&p);
}
