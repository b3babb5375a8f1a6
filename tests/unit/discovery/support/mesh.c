/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh — members with records, and Services, for tests of discovery.
 */
#include "mesh.h"

#include "codec/codec.h"
#include "unit.h"

enum { NOW_S = 1000, LATER_S = 2000 };

void
mesh_init(struct mesh *m)
{
	*m = (struct mesh){0};
	arena_init(&m->arena, DISCOVERY_BYTES_MAX);
	m->catalog = discovery_catalog_new();
	m->discovery = discovery_new();
	m->in = (struct discovery_input){.catalog = m->catalog,
	    .resources = m->resources,
	    .now_s = NOW_S,
	    .issued_s = 500,
	    .node = S("here"),
	    .network = S("default"),
	    .families = DISCOVERY_V4};
	memcpy(m->in.self.bytes, "here", 4);
}

void
mesh_fini(struct mesh *m)
{
	for (size_t i = 0; i < m->resource_count; i++) {
		struct resource *r = (void *)(uintptr_t)m->resources[i];

		resource_unref(&r);
	}
	discovery_free(&m->discovery);
	discovery_catalog_free(&m->catalog);
	arena_fini(&m->arena);
}

/* --- offers as they travel (3-peer/gossip/offers.c has the layout) -------- */

static void
add_text(struct buf *b, struct slice s)
{
	EXPECT_OK(buf_add_byte(b, (uint8_t)s.len));
	EXPECT_OK(buf_add_slice(b, s));
}

static void
add_addr(struct buf *b, struct slice text)
{
	struct addr a;

	EXPECT_OK(addr_parse_ip(text, &a));
	EXPECT_OK(buf_add_byte(b, a.family));
	EXPECT_OK(buf_add_u16(b, 0));
	EXPECT_OK(buf_add(b, a.bytes, a.family == ADDR_V4 ? 4 : 16));
}

static void
add_addrs(struct buf *b, const char *addrs)
{
	struct slice rest = slice_str(addrs);
	uint8_t count = 1;

	for (size_t i = 0; i < rest.len; i++)
		count = (uint8_t)(count + (rest.ptr[i] == ','));
	EXPECT_OK(buf_add_byte(b, count));
	while (rest.len > 0)
		add_addr(b, slice_split(&rest, ','));
}

static void
add_service(struct buf *b, const struct gossip_service *s)
{
	add_text(b, s->name);
	add_text(b, s->ns);
	add_text(b, s->account);
	add_text(b, s->protocol);
	EXPECT_OK(buf_add_u16(b, s->port));
	EXPECT_OK(buf_add_u16(b, s->weight));
	EXPECT_OK(buf_add_byte(b, s->health));
	EXPECT_OK(buf_add_byte(b, (uint8_t)s->label_count));
	for (size_t i = 0; i < s->label_count; i++) {
		EXPECT_OK(buf_add_u16(b, (uint16_t)s->labels[i].key.len));
		EXPECT_OK(buf_add_slice(b, s->labels[i].key));
		add_text(b, s->labels[i].value);
	}
}

static void
encode(const struct mesh_node *n, const struct gossip_id *id, struct buf *b)
{
	static const uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN];

	EXPECT_OK(buf_add_byte(b, 1));
	EXPECT_OK(buf_add(b, id->bytes, sizeof(id->bytes)));
	add_text(b, S("default"));
	add_text(b, S(""));
	EXPECT_OK(buf_add_u32(b, GOSSIP_ROLE_AGENT));
	EXPECT_OK(buf_add_u16(b, 15008));
	add_addrs(b, n->addrs);
	EXPECT_OK(buf_add_u16(b, (uint16_t)n->count));
	for (size_t i = 0; i < n->count; i++)
		add_service(b, &n->services[i]);
	EXPECT_OK(buf_add(b, signature, sizeof(signature)));
}

bool
mesh_put(struct mesh *m, const struct mesh_node *node)
{
	AUTO(buf_fini) struct buf b = BUF(GOSSIP_OFFERS_MAX);
	struct gossip_member member = {.status = node->status,
	    .health = node->health,
	    .name_lost = node->name_lost,
	    .network = "default"};
	struct gossip_record r = {.member = &member,
	    .unhealthy = node->unhealthy,
	    .voucher = {.issued_s = node->issued_s, .expires_s = LATER_S}};
	bool changed = false;

	EXPECT_OK(slice_to_cstr(
	    slice_str(node->name), member.name, sizeof(member.name)));
	memcpy(member.id.bytes, member.name, sizeof(member.id.bytes));
	if (node->id != NULL)
		member.id.bytes[0] = (uint8_t)node->id[0];
	if (node->addrs != NULL)
		encode(node, &member.id, &b);
	if (buf_len(&b) > 0)
		r.offers = blob_new(buf_slice(&b));
	EXPECT_OK(discovery_catalog_put(m->catalog, &r, &changed));
	blob_unref(&r.offers);
	return changed;
}

struct gossip_service
mesh_service(const char *name, uint16_t port, const char *protocol)
{
	static struct gossip_label labels[64];
	static size_t used;
	struct gossip_label *l = &labels[used++ % 64];

	*l = (struct gossip_label){S("app"), slice_str(name)};
	return (struct gossip_service){.name = slice_str(name),
	    .ns = S("default"),
	    .account = S("web"),
	    .protocol = slice_str(protocol),
	    .labels = l,
	    .label_count = 1,
	    .port = port,
	    .weight = 100};
}

void
mesh_apply(struct mesh *m, const char *yaml)
{
	struct codec_documents docs;
	struct faults faults = {0};
	struct findings found = {0};
	struct resource_source source = {.created_ms = 1};
	struct resource *r = NULL;

	EXPECT_OK(
	    codec_yaml_parse(slice_str(yaml), NULL, &m->arena, &docs, &faults));
	EXPECT_EQ(docs.count, 1);
	EXPECT_OK(resource_decode(docs.items[0].root, &source, &r, &found));
	EXPECT_TRUE(r != NULL);
	m->resources[m->resource_count++] = r;
	m->in.resource_count = m->resource_count;
	findings_fini(&found);
	faults_fini(&faults);
}

void
mesh_flatten(struct mesh *m)
{
	struct view_endpoint_input *all;
	size_t n = 0;

	for (size_t i = 0; i < m->out.serving_count; i++)
		n += m->out.servings[i].count;
	all = arena_alloc_array(&m->arena, MAX(n, 1), sizeof(*all));
	EXPECT_TRUE(all != NULL);
	m->endpoints = all;
	m->endpoint_count = n;
	for (size_t i = 0; i < m->out.serving_count; i++)
		for (size_t j = 0; j < m->out.servings[i].count; j++)
			*all++ = m->out.servings[i].endpoints[j];
}

void
mesh_compile(struct mesh *m)
{
	m->in.resources_version++;
	EXPECT_OK(discovery_update(m->discovery, &m->in, &m->out));
	mesh_flatten(m);
}

const char *
mesh_text(struct mesh *m)
{
	static const char *const health[] = {
	    "healthy", "unhealthy", "draining", "down"};
	AUTO(buf_fini) struct buf b = BUF(1 << 20);
	struct slice out;
	char addr[ADDR_TEXT_MAX];

	for (size_t i = 0; i < m->endpoint_count; i++) {
		const struct view_endpoint_input *e = &m->endpoints[i];

		EXPECT_OK(buf_printf(&b, "%.*s.%.*s:%u %s %s\n",
		    SLICE_ARG(e->service), SLICE_ARG(e->service_ns),
		    (unsigned)e->service_port, addr_format(&e->addr, addr),
		    health[e->health]));
	}
	EXPECT_OK(arena_copy(&m->arena, buf_slice(&b), &out));
	return out.ptr;
}
