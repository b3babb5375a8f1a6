/* SPDX-License-Identifier: Apache-2.0 */
/*
 * named — a question is decided and answered in a small mesh, and answers of
 * others are kept and found.
 *
 * The first byte says how much the asker takes. What was decided is a whole
 * message of that size; what the cache gives back is one too.
 */
#include "cache.h"
#include "codec/codec.h"
#include "decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DOCS_MAX = 8, MEMBERS = 80 };

static const char mesh[] =
    "apiVersion: v1\nkind: Service\nmetadata: {name: vip}\n"
    "spec: {clusterIP: 10.9.0.1, ports: [{name: http, port: 80}]}\n---\n"
    "apiVersion: v1\nkind: Service\nmetadata: {name: far}\nspec: {type: "
    "ExternalName, externalName: a.b.c, ports: [{name: http, port: 80}]}\n"
    "---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
    "metadata: {name: e}\nspec: {hosts: [e.com, '*.w.com'], addresses: "
    "[192.0.2.7, '2001:db8::7'], resolution: STATIC, endpoints: [{address: "
    "192.0.2.9}], ports: [{number: 443, name: tls, protocol: TLS}]}\n"
    "---\napiVersion: meshd.dev/v1\nkind: MeshConfig\nmetadata: {name: "
    "default}\nspec: {defaultConfig: {proxyMetadata: "
    "{ISTIO_META_DNS_CAPTURE: 'true'}}}\n---\n"
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
    "metadata: {name: auto}\nspec: {hosts: [auto.com], resolution: DNS, "
    "ports: [{number: 443, name: tls, protocol: TLS}]}\n";

static size_t
read_mesh(struct resource *items[DOCS_MAX])
{
	AUTO(arena_fini) struct arena a;
	const struct resource_source source = {.parse_json = codec_json_parse};
	struct findings found = {0};
	struct codec_documents docs;
	struct faults faults = {0};

	arena_init(&a, 1 << 20);
	CHECK(
	    codec_yaml_parse(slice_str(mesh), NULL, &a, &docs, &faults) == OK);
	for (size_t i = 0; i < docs.count; i++)
		CHECK(resource_decode(docs.items[i].root, &source, &items[i],
			  &found) == OK);
	findings_fini(&found);
	return docs.count;
}

/* Once: it never changes. */
static const struct view *
world(void)
{
	static struct view *v;
	static struct resource *items[DOCS_MAX];
	static struct view_endpoint_input members[MEMBERS];
	static const struct view_port_input port = {
	    .port = 80, .name = S("http"), .protocol = S("http")};
	static const struct view_service_input web = {.name = S("web"),
	    .ns = S("default"),
	    .ports = &port,
	    .port_count = 1};
	struct view_input in = {
	    .resources = (const struct resource *const *)items,
	    .services = &web,
	    .service_count = 1,
	    .endpoints = members,
	    .endpoint_count = MEMBERS};

	if (v != NULL)
		return v;
	for (size_t i = 0; i < MEMBERS; i++)
		members[i] = (struct view_endpoint_input){.service = S("web"),
		    .service_ns = S("default"),
		    .service_port = 80,
		    .addr = {.family = i % 3 == 0 ? ADDR_V6 : ADDR_V4,
			.bytes = {10, 0, 0, (uint8_t)i},
			.port = 8080},
		    .node = i == 0   ? S("n0")
			    : i == 1 ? S("N_1")
				     : S("n2"),
		    .ns = S("default"),
		    .account = S("default"),
		    .weight = 1};
	in.resource_count = read_mesh(items);
	CHECK(view_compile(&in, &v, NULL) == OK);
	return v;
}

static void
is_whole(struct slice m, size_t limit)
{
	struct dns_reader r;
	struct dns_question q;
	struct dns_record record;
	enum err e;

	CHECK(m.len <= limit && dns_answer_read(m, &r, &q) == OK);
	while ((e = dns_record_next(&r, &record)) == OK)
		continue;
	CHECK(e == ERR_NOT_FOUND);
}

static void
keep_and_find(const struct dns_question *q, struct slice answer)
{
	static char out[DNS_MESSAGE_MAX];
	struct dns_cache *c = dns_cache_new(64 << 10);
	struct slice found;

	dns_cache_keep(c, q, answer, 1);
	if (dns_cache_find(c, q, 2, out, sizeof(out), &found))
		is_whole(found, sizeof(out));
	dns_cache_free(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[DNS_MESSAGE_MAX];
	static struct decided d;
	struct dns_question q;
	struct slice asked, m;
	size_t limit;

	if (size < 1)
		return 0;
	limit = DNS_UDP_MIN + (size_t)data[0] * 250;
	asked = slice_of(data + 1, size - 1);
	if (dns_question_read(asked, &q) != OK)
		return 0;
	decide(world(), &q, data[0], &d);
	CHECK(d.count <= DECIDED_ROWS_MAX);
	CHECK(d.ask.len <= NAME_HOST_MAX);
	if (d.what == DECIDED_OUTSIDE)
		return 0;
	m = decided_render(&d, asked, &q, world(), 5, out, limit);
	is_whole(m, limit);
	keep_and_find(&q, m);
	/* What others say may be anything. */
	out[size % m.len] = (char)(out[size % m.len] ^ (char)data[0]);
	keep_and_find(&q, m);
	return 0;
}
