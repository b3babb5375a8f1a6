/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide — what a world says to questions.
 */
#include <stdio.h>

#include "unit.h"
#include "world.h"

#define OF(api, kind, name, spec)                                              \
	"---\napiVersion: " api "\nkind: " kind "\nmetadata: {name: " name     \
	", namespace: shop}\nspec: {" spec "}\n"
#define ENTRY(name, spec)                                                      \
	OF("networking.istio.io/v1", "ServiceEntry", name, spec)
#define SERVICE(name, spec) OF("v1", "Service", name, spec)
#define HTTP "ports: [{name: http, port: 80}]"
#define HTTP80 "ports: [{number: 80, name: http, protocol: HTTP}]"
#define AUTOMATIC                                                              \
	"---\napiVersion: meshd.dev/v1\nkind: MeshConfig\n"                    \
	"metadata: {name: default}\nspec: {defaultConfig: {proxyMetadata: "    \
	"{ISTIO_META_DNS_CAPTURE: 'true'}}}\n"

#define DB "db.shop.svc.mesh.internal"

static void
members(struct world *w, const char *yaml)
{
	world_init(w, yaml);
	world_member(w, "db", "db-1", "10.0.0.1:8080");
	world_member(w, "db", "db-2", "10.0.0.2:8080");
	world_compile(w);
}

TEST(all_forms_of_a_name_are_one)
{
	static const char *const forms[] = {"db", "DB", "db.shop",
	    "db.shop.svc", DB, "db.shop.svc.cluster.local."};
	AUTO(world_fini) struct world w;

	members(&w, "");
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		EXPECT_STR(
		    world_asks(&w, forms[i], DNS_A), "A 10.0.0.1, A 10.0.0.2");
		EXPECT_SLICE(w.d.service->host, S(DB));
	}
	EXPECT_STR(w.d.form, "name.namespace.svc.cluster.local");
	(void)world_asks(&w, "db", DNS_A);
	EXPECT_STR(w.d.form, "name");
}

TEST(a_name_without_the_type_is_there_all_the_same)
{
	AUTO(world_fini) struct world w;

	members(&w, "");
	EXPECT_STR(world_asks(&w, DB, DNS_AAAA), "NODATA");
	EXPECT_STR(world_asks(&w, DB, DNS_TXT), "NODATA");
	EXPECT_STR(world_asks(&w, DB, DNS_HTTPS), "NODATA");
	EXPECT_STR(world_asks(&w, DB, DNS_ANY), "HINFO");
	EXPECT_STR(world_asks(&w, "shop.svc.mesh.internal", DNS_A), "NODATA");
	EXPECT_STR(world_asks(&w, "svc.mesh.internal", DNS_A), "NODATA");
	EXPECT_STR(world_asks(&w, "mesh.internal", DNS_SOA), "SOA");
	EXPECT_STR(world_asks(&w, "_tcp." DB, DNS_A), "NODATA");
}

TEST(what_the_mesh_has_not_is_no_name_or_somebody_elses)
{
	AUTO(world_fini) struct world w;

	members(&w, "");
	EXPECT_STR(
	    world_asks(&w, "no.shop.svc.mesh.internal", DNS_A), "NXDOMAIN");
	EXPECT_TRUE(w.d.may_come && w.d.is_ours);
	EXPECT_SLICE(w.d.ask, S("no.shop.svc.mesh.internal"));
	EXPECT_SLICE(w.d.zone, S("mesh.internal"));
	EXPECT_STR(world_asks(&w, "no.such.mesh.internal", DNS_A), "NXDOMAIN");
	EXPECT_FALSE(w.d.may_come);
	EXPECT_STR(
	    world_asks(&w, "x.no.shop.svc.mesh.internal", DNS_A), "NXDOMAIN");
	EXPECT_SLICE(w.d.ask, S("no.shop.svc.mesh.internal"));
	EXPECT_STR(world_asks(&w, "_a._tcp.no.shop.svc.mesh.internal", DNS_SRV),
	    "NXDOMAIN");
	EXPECT_SLICE(w.d.ask, S("no.shop.svc.mesh.internal"));
	EXPECT_STR(world_asks(&w, "www.example.com", DNS_A), "OUTSIDE");
	EXPECT_TRUE(w.d.may_come);
	EXPECT_STR(
	    world_asks(&w, "no.shop.svc.cluster.local", DNS_A), "OUTSIDE");
	EXPECT_STR(world_asks(&w, "printer", DNS_A), "OUTSIDE");
	EXPECT_STR(
	    world_asks(&w, "db.shop.svc.mesh.internal.corp.example", DNS_A),
	    "OUTSIDE");
	EXPECT_STR(world_asks(&w, "notmesh.internal", DNS_A), "OUTSIDE");
	EXPECT_STR(world_asks(&w, DB, DNS_AXFR), "REFUSED");
}

TEST(who_is_not_well_is_left_out_while_others_are)
{
	AUTO(world_fini) struct world w;

	world_init(&w, "");
	world_member(&w, "db", "db-1", "10.0.0.1:8080");
	world_last_is_sick(&w);
	world_compile(&w);
	EXPECT_STR(world_asks(&w, "db", DNS_A), "A 10.0.0.1");
	view_unref(&w.v);
	world_member(&w, "db", "db-2", "10.0.0.2:8080");
	world_compile(&w);
	EXPECT_STR(world_asks(&w, "db", DNS_A), "A 10.0.0.2");
}

TEST(a_service_with_an_address_is_at_that)
{
	AUTO(world_fini) struct world w;

	members(&w, SERVICE("db", "clusterIP: 10.9.0.1, " HTTP));
	EXPECT_STR(world_asks(&w, "db", DNS_A), "A 10.9.0.1");
	EXPECT_STR(world_asks(&w, "db", DNS_AAAA), "NODATA");
	EXPECT_STR(world_asks(&w, "_http._tcp.db", DNS_SRV), "SRV 80" DB);
}

TEST(a_headless_service_is_where_its_members_are)
{
	AUTO(world_fini) struct world w;

	members(&w, SERVICE("db", "clusterIP: None, selector: {app: db}, "
				  "ports: [{name: http, port: 80}]"));
	EXPECT_STR(world_asks(&w, "db", DNS_A), "A 10.0.0.1, A 10.0.0.2");
}

TEST(members_have_names_of_their_own)
{
	AUTO(world_fini) struct world w;

	members(&w, "");
	EXPECT_STR(world_asks(&w, "db-2." DB, DNS_A), "A 10.0.0.2");
	EXPECT_STR(world_asks(&w, "db-2." DB, DNS_AAAA), "NODATA");
	EXPECT_STR(world_asks(&w, "db-2.db.shop", DNS_A), "A 10.0.0.2");
	EXPECT_STR(world_asks(&w, "db-3." DB, DNS_A), "NXDOMAIN");
}

TEST(srv_leads_to_names_that_resolve)
{
	AUTO(world_fini) struct world w;

	members(&w, "");
	EXPECT_STR(world_asks(&w, "_http._tcp." DB, DNS_SRV),
	    "SRV 8080db-1." DB ", SRV 8080db-2." DB ", +A 10.0.0.1db-1." DB
	    ", +A 10.0.0.2db-2." DB);
	EXPECT_STR(world_asks(&w, "_grpc._tcp." DB, DNS_SRV), "NODATA");
	EXPECT_EQ(
	    strncmp(world_asks(&w, "_80._tcp.db", DNS_SRV), "SRV 8080", 8), 0);
	EXPECT_EQ(strncmp(world_asks(&w, DB, DNS_SRV), "SRV 8080", 8), 0);
}

TEST(a_port_has_the_name_that_its_service_gives_it)
{
	AUTO(world_fini) struct world w;

	members(
	    &w, SERVICE("db", "clusterIP: 10.9.0.1, ports: [{name: "
			      "grpc-web1, port: 80}, {name: b, port: 81}]"));
	EXPECT_STR(world_asks(&w, "_grpc-web1._tcp.db", DNS_SRV), "SRV 80" DB);
	EXPECT_STR(world_asks(&w, "_b._tcp.db", DNS_SRV), "SRV 81" DB);
	EXPECT_STR(world_asks(&w, "_c._tcp.db", DNS_SRV), "NODATA");
	EXPECT_STR(world_asks(&w, "_b._udp.db", DNS_SRV), "OUTSIDE");
}

TEST(an_address_has_the_name_of_who_is_there)
{
	AUTO(world_fini) struct world w;

	members(&w, SERVICE("vip", "clusterIP: 10.9.0.1, " HTTP));
	EXPECT_STR(
	    world_asks(&w, "2.0.0.10.in-addr.arpa", DNS_PTR), "PTRdb-2." DB);
	EXPECT_STR(world_asks(&w, "2.0.0.10.in-addr.arpa", DNS_TXT), "NODATA");
	EXPECT_STR(world_asks(&w, "1.0.9.10.in-addr.arpa", DNS_PTR),
	    "PTRvip.shop.svc.mesh.internal");
	EXPECT_STR(world_asks(&w, "3.0.0.10.in-addr.arpa", DNS_PTR), "OUTSIDE");
	EXPECT_FALSE(w.d.may_come);
	EXPECT_STR(
	    world_asks(&w, "3.0.240.240.in-addr.arpa", DNS_PTR), "NXDOMAIN");
}

TEST(a_name_that_stands_for_another_says_so_and_where_that_is)
{
#define ALIAS(name, to)                                                        \
	SERVICE(name, "type: ExternalName, externalName: " to                  \
		      ", ports: [{name: http, port: 80}]")
	AUTO(world_fini) struct world w;

	members(&w, ALIAS("near", DB) ALIAS("far", "a.example.com")
			ALIAS("round", "round.shop.svc.mesh.internal"));
	EXPECT_STR(world_asks(&w, "near", DNS_A),
	    "CNAME" DB ", A 10.0.0.1" DB ", A 10.0.0.2" DB);
	EXPECT_STR(world_asks(&w, "near", DNS_AAAA), "CNAME" DB);
	EXPECT_STR(world_asks(&w, "far", DNS_A), "CNAMEa.example.com");
	EXPECT_STR(world_asks(&w, "round", DNS_A),
	    "CNAMEround.shop.svc.mesh.internal");
}

TEST(a_service_of_this_machine_is_at_what_it_announces)
{
	AUTO(world_fini) struct world w;

	world_init(
	    &w, ENTRY("a", "hosts: [own.example.com], resolution: STATIC, "
			   "endpoints: [{address: 127.0.0.1}], " HTTP80));
	world_member(&w, "db", "me", "127.0.0.1:8080");
	world_compile(&w);
	EXPECT_STR(world_asks(&w, "own.example.com", DNS_A), "A 127.0.0.1");
	EXPECT_STR(world_asks(&w, "db", DNS_A), "A 10.0.0.9");
	EXPECT_STR(world_asks(&w, "db", DNS_AAAA), "AAAA fd00::9");
	EXPECT_STR(world_asks(&w, "db", DNS_SRV), "SRV 80me." DB);
	EXPECT_STR(
	    world_asks(&w, "9.0.0.10.in-addr.arpa", DNS_PTR), "PTRme." DB);
	EXPECT_STR(
	    world_asks(&w, "1.0.0.127.in-addr.arpa", DNS_PTR), "OUTSIDE");
}

TEST(a_gateway_answers_as_well)
{
	AUTO(world_fini) struct world w;

	world_init(&w, SERVICE("vip", "clusterIP: 10.9.0.1, " HTTP));
	w.proxy = VIEW_ROUTER;
	world_member(&w, "db", "db-1", "10.0.0.1:8080");
	world_compile(&w);
	EXPECT_STR(world_asks(&w, "vip", DNS_A), "A 10.9.0.1");
	EXPECT_STR(world_asks(&w, DB, DNS_A), "A 10.0.0.1");
	EXPECT_STR(
	    world_asks(&w, "1.0.0.10.in-addr.arpa", DNS_PTR), "PTRdb-1." DB);
	EXPECT_STR(world_asks(&w, "www.example.com", DNS_A), "OUTSIDE");
}

TEST(an_entry_is_at_what_is_written_for_it)
{
	AUTO(world_fini) struct world w;

	members(
	    &w, ENTRY("a", "hosts: [api.example.com, '*.x.org'], addresses: "
			   "[192.0.2.7, '2001:db8::7'], resolution: STATIC, "
			   "endpoints: [{address: 192.0.2.9}], " HTTP80));
	EXPECT_STR(world_asks(&w, "api.example.com", DNS_A), "A 192.0.2.7");
	EXPECT_STR(w.d.form, "a host of a ServiceEntry");
	EXPECT_STR(
	    world_asks(&w, "api.example.com", DNS_AAAA), "AAAA 2001:db8::7");
	EXPECT_STR(world_asks(&w, "api.example.com", DNS_HTTPS), "NODATA");
	EXPECT_STR(world_asks(&w, "api.example.com", DNS_MX), "OUTSIDE");
	EXPECT_STR(world_asks(&w, "www.api.example.com", DNS_A), "OUTSIDE");
	EXPECT_STR(world_asks(&w, "a.b.x.org", DNS_A), "A 192.0.2.7");
	EXPECT_STR(w.d.form, "a wildcard host");
	EXPECT_STR(world_asks(&w, "x.org", DNS_A), "OUTSIDE");
}

TEST(an_entry_without_an_address_is_somebody_elses_or_at_an_automatic_one)
{
	static const char entry[] =
	    ENTRY("a", "hosts: [api.example.com], resolution: DNS, location: "
		       "MESH_EXTERNAL, " HTTP80);
	char both[sizeof(entry) + sizeof(AUTOMATIC)];
	AUTO(world_fini) struct world w, x;
	char name[NAME_HOST_MAX + 1];
	struct dns_name reverse;
	struct slice host;

	members(&w, entry);
	EXPECT_STR(world_asks(&w, "api.example.com", DNS_A), "OUTSIDE");
	EXPECT_FALSE(w.d.may_come);
	(void)snprintf(both, sizeof(both), "%s%s", entry, AUTOMATIC);
	members(&x, both);
	EXPECT_EQ(
	    strncmp(world_asks(&x, "api.example.com", DNS_A), "A 240.240.", 10),
	    0);
	dns_name_reverse(&x.d.rows[0].addr, &reverse);
	/* Upstream's proxies are called at those of IPv4 alone. */
	EXPECT_STR(world_asks(&x, "api.example.com", DNS_AAAA), "NODATA");
	host = dns_name_host(&reverse, name);
	name[host.len] = '\0';
	EXPECT_STR(world_asks(&x, name, DNS_PTR), "PTRapi.example.com");
}

TEST(an_entry_of_listed_addresses_is_at_those)
{
	AUTO(world_fini) struct world w;

	members(&w, ENTRY("a", "hosts: [old.example.com], resolution: STATIC, "
			       "endpoints: [{address: 192.0.2.9}, {address: "
			       "192.0.2.10}], " HTTP80));
	EXPECT_STR(world_asks(&w, "old.example.com", DNS_A),
	    "A 192.0.2.9, A 192.0.2.10");
}

TEST(of_very_many_members_some_are_told_and_the_next_time_others)
{
	AUTO(world_fini) struct world w;
	static char names[100][16], addrs[100][32];

	world_init(&w, "");
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%u", i);
		(void)snprintf(addrs[i], sizeof(addrs[i]), "10.0.1.%u:80", i);
		world_member(&w, "db", names[i], addrs[i]);
	}
	world_compile(&w);
	(void)world_asks(&w, "db", DNS_A);
	EXPECT_EQ(w.d.count, DECIDED_ROWS_MAX);
}

/* --- as messages ---------------------------------------------------------- */

TEST(an_absence_has_a_time_to_be_believed)
{
	AUTO(buf_fini) struct buf asked = BUF(DNS_UDP_MIN);
	AUTO(world_fini) struct world w;
	struct dns_question q = {.id = 3, .type = DNS_AAAA, .class = DNS_IN};
	struct dns_record r;
	struct dns_reader reader;
	char out[DNS_UDP_MIN];
	struct slice m;

	members(&w, "");
	EXPECT_OK(dns_name_parse(S("dB."
				   "shop.svc.mesh.internal"),
	    &q.name));
	EXPECT_OK(dns_question_write(&q, &asked));
	EXPECT_OK(dns_question_read(buf_slice(&asked), &q));
	decide(w.v, &q, 0, &w.d);
	m = decided_render(
	    &w.d, buf_slice(&asked), &q, w.v, 5, out, sizeof(out));
	EXPECT_OK(dns_answer_read(m, &reader, &q));
	EXPECT_EQ(q.flags & DNS_RCODE, DNS_NOERROR);
	EXPECT_TRUE(q.flags & DNS_AA);
	EXPECT_OK(dns_record_next(&reader, &r));
	EXPECT_EQ(r.section, DNS_AUTHORITY);
	EXPECT_EQ(r.type, DNS_SOA);
	EXPECT_EQ(r.ttl, 5);
	EXPECT_EQ((uint8_t)r.data.ptr[r.data.len - 1], 5);
	EXPECT_ERR(dns_record_next(&reader, &r), ERR_NOT_FOUND);
}
