/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vips — virtual addresses of services: written, and automatic ones.
 */
#include <stdio.h>

#include "compiled.h"
#include "documents.h"
#include "unit.h"

#define HTTP80_OF_ENTRY "ports: [{number: 80, name: http, protocol: HTTP}]"
#define DNS "resolution: DNS, " HTTP80_OF_ENTRY

static const struct view_service *
service(const struct compiled *c, const char *host)
{
	const struct view_host *h =
	    view_find_host(c->v, NULL, slice_str(host), 0);

	EXPECT_TRUE(h != NULL && h->service != NULL);
	return h->service;
}

static const char *
automatic(const struct compiled *c, const char *host, unsigned which)
{
	static char text[ADDR_TEXT_MAX];

	return addr_format_ip(&service(c, host)->automatic[which], text);
}

TEST(a_service_says_which_addresses_are_written)
{
	AUTO(compiled_fini) struct compiled c;
	const struct view_service *s;
	char text[ADDR_TEXT_MAX];

	compiled_init(&c,
	    SERVICE_OF("web", "clusterIP: 10.0.2.1, ports: [" HTTP80 "]")
		SERVICE_OF("own", "clusterIP: None, ports: [" HTTP80 "]")
		    SERVICE_OF("far", "type: ExternalName, externalName: "
				      "a.b.c, ports: [" HTTP80 "]") ENTRY("e",
			"hosts: [e.com], subjectAltNames: [x.y], addresses: "
			"[192.0.2.7, "
			"10.1.0.0/16], resolution: STATIC, location: "
			"MESH_EXTERNAL, " HTTP80_OF_ENTRY)
			ENTRY("f", "hosts: [f.com], location: MESH_INTERNAL, "
				   "resolution: NONE, " HTTP80_OF_ENTRY));
	s = service(&c, "web.shop");
	EXPECT_EQ(s->address_count, 1);
	EXPECT_STR(cidr_format(s->addresses, text), "10.0.2.1/32");
	EXPECT_EQ(s->resolution, VIEW_LISTED);
	EXPECT_EQ(service(&c, "own.shop")->resolution, VIEW_ORIGINAL);
	EXPECT_EQ(service(&c, "own.shop")->address_count, 0);
	s = service(&c, "far.shop");
	EXPECT_EQ(s->resolution, VIEW_ALIAS);
	EXPECT_SLICE(s->alias, S("a.b.c"));
	s = service(&c, "e.com");
	EXPECT_TRUE(s->external);
	EXPECT_EQ(s->alt_name_count, 1);
	EXPECT_SLICE(s->alt_names[0], S("x.y"));
	EXPECT_EQ(s->address_count, 2);
	EXPECT_STR(cidr_format(&s->addresses[1], text), "10.1.0.0/16");
	EXPECT_EQ(s->automatic[0].family, ADDR_NONE);
	s = service(&c, "f.com");
	EXPECT_FALSE(s->external);
	EXPECT_EQ(s->resolution, VIEW_ORIGINAL);
	EXPECT_EQ(s->automatic[0].family, ADDR_NONE);
}

TEST(an_automatic_address_is_of_the_range_and_the_same_each_time)
{
	AUTO(compiled_fini) struct compiled a, b;

	compiled_init(&a, ENTRY("x", "hosts: [x.com, y.com], " DNS));
	compiled_init(&b, ENTRY("more", "hosts: [z.com], " DNS)
			      ENTRY("x", "hosts: [y.com, x.com], " DNS));
	EXPECT_STR(automatic(&a, "x.com", 0), "240.240.52.110");
	EXPECT_STR(automatic(&b, "x.com", 0), "240.240.52.110");
	EXPECT_STR(automatic(&a, "x.com", 1), "2001:2::346e");
	EXPECT_TRUE(!addr_eq(&service(&a, "x.com")->automatic[0],
	    &service(&a, "y.com")->automatic[0]));
	EXPECT_TRUE(addr_eq(&service(&a, "y.com")->automatic[0],
	    &service(&b, "y.com")->automatic[0]));
}

TEST(who_does_not_want_an_automatic_address_gets_none)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(&c,
	    DOC(NET, "ServiceEntry",
		NAMED("no") ", labels: "
			    "{networking.istio.io/enable-autoallocate-ip: "
			    "'False'}",
		"spec: {hosts: [no.com], " DNS "}") ENTRY("wild",
		"hosts: ['*.w.com'], resolution: STATIC, " HTTP80_OF_ENTRY)
		ENTRY("dyn", "hosts: ['*.d.com'], resolution: "
			     "DYNAMIC_DNS, " HTTP80_OF_ENTRY));
	EXPECT_STR(automatic(&c, "no.com", 0), "-");
	EXPECT_STR(automatic(&c, "a.w.com", 0), "-");
	EXPECT_EQ(
	    service(&c, "a.d.com")->automatic[0].family, (uint8_t)ADDR_V4);
}

TEST(an_address_that_is_taken_goes_to_nobody_else)
{
	AUTO(compiled_fini) struct compiled c;

	compiled_init(
	    &c, ENTRY("x", "hosts: [x.com], " DNS) ENTRY("mine",
		    "hosts: [mine.com], addresses: [240.240.52.110, "
		    "'2001:2::346f'], resolution: STATIC, " HTTP80_OF_ENTRY));
	EXPECT_STR(automatic(&c, "x.com", 0), "240.240.52.112");
}
