/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world — a view of YAML and members, and what is decided in it.
 */
#include "world.h"

#include <stdio.h>

#include "codec/codec.h"
#include "unit.h"

static enum err
take(void *arg, const struct value *doc, const char *place)
{
	struct world *w = arg;
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse,
	    .file = "mesh.yaml",
	    .place = place,
	    .trust_domain = S("mesh.internal")};

	CHECK(w->resource_count < WORLD_RESOURCES);
	EXPECT_OK(resource_decode(
	    doc, &source, &w->resources[w->resource_count], &found));
	w->resource_count++;
	return OK;
}

void
world_init(struct world *w, const char *yaml)
{
	AUTO(arena_fini) struct arena a;
	struct faults faults = {0};
	struct codec_documents docs;

	memset(w, 0, sizeof(*w));
	arena_init(&a, 16 << 20);
	EXPECT_OK(
	    codec_yaml_parse(slice_str(yaml), "mesh.yaml", &a, &docs, &faults));
	for (size_t i = 0; i < docs.count; i++)
		EXPECT_OK(resource_unfold(docs.items[i].root, &a, take, w));
	faults_fini(&faults);
}

void
world_member(
    struct world *w, const char *service, const char *node, const char *addr)
{
	struct view_endpoint_input *m = &w->members[w->member_count++];
	struct view_service_input *s = &w->services[w->service_count];

	CHECK(w->member_count < WORLD_MEMBERS);
	*m = (struct view_endpoint_input){.service = slice_str(service),
	    .service_ns = S("shop"),
	    .network = S("default"),
	    .node = slice_str(node),
	    .workload = slice_str(node),
	    .ns = S("shop"),
	    .account = S("default"),
	    .weight = 100};
	EXPECT_OK(addr_parse(slice_str(addr), &m->addr));
	m->service_port = 80;
	m->tunnel = m->addr;
	m->tunnel.port = VIEW_TUNNEL_PORT;
	for (size_t i = 0; i < w->service_count; i++)
		if (slice_eq(w->services[i].name, m->service))
			return;
	w->ports[w->service_count] = (struct view_port_input){
	    .port = 80, .name = S("http"), .protocol = S("http")};
	*s = (struct view_service_input){.name = m->service,
	    .ns = S("shop"),
	    .ports = &w->ports[w->service_count],
	    .port_count = 1,
	    .origin = S("record of node")};
	w->service_count++;
}

void
world_last_is_sick(struct world *w)
{
	w->members[w->member_count - 1].health = VIEW_UNHEALTHY;
}

void
world_compile(struct world *w)
{
	static const struct addr own[] = {
	    {ADDR_V4, {10, 0, 0, 9}, 0}, {ADDR_V6, {0xfd, [15] = 9}, 0}};
	struct view_input in = {.proxy = w->proxy,
	    .addrs = own,
	    .addr_count = ARRAY_LEN(own),
	    .ns = S("shop"),
	    .network = S("default"),
	    .resources = (const struct resource *const *)w->resources,
	    .resource_count = w->resource_count,
	    .services = w->services,
	    .service_count = w->service_count,
	    .endpoints = w->members,
	    .endpoint_count = w->member_count,
	    .generation = 7};

	EXPECT_OK(view_compile(&in, &w->v, NULL));
}

void
world_fini(struct world *w)
{
	view_unref(&w->v);
	for (size_t i = 0; i < w->resource_count; i++)
		resource_unref(&w->resources[i]);
}

static void
add_text(struct world *w, const struct decided_row *row)
{
	char type[DNS_TYPE_TEXT_MAX], addr[ADDR_TEXT_MAX] = "";
	size_t len = strlen(w->text);

	if (row->type == DNS_A || row->type == DNS_AAAA)
		(void)addr_format_ip(&row->addr, addr);
	if (row->type == DNS_SRV)
		(void)snprintf(addr, sizeof(addr), "%u", row->port);
	(void)snprintf(w->text + len, sizeof(w->text) - len,
	    "%s%s%s%s%s%.*s%s%.*s", len > 0 ? ", " : "",
	    row->additional ? "+" : "", dns_type_name(row->type, type),
	    addr[0] != '\0' ? " " : "", addr, SLICE_ARG(row->label),
	    row->label.len > 0 ? "." : "", SLICE_ARG(row->host));
}

const char *
world_asks(struct world *w, const char *name, uint16_t type)
{
	static const char *const words[] = {[DECIDED_RECORDS] = "NODATA",
	    [DECIDED_NO_NAME] = "NXDOMAIN",
	    [DECIDED_REFUSED] = "REFUSED",
	    [DECIDED_OUTSIDE] = "OUTSIDE"};
	struct dns_question q = {.type = type, .class = DNS_IN};

	EXPECT_OK(dns_name_parse(slice_str(name), &q.name));
	decide(w->v, &q, /* chance */ 0, &w->d);
	w->text[0] = '\0';
	for (size_t i = 0; i < w->d.count; i++)
		add_text(w, &w->d.rows[i]);
	return w->d.count > 0 ? w->text : words[w->d.what];
}
