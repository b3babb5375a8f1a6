/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups — what a WorkloadGroup makes of a machine.
 */
#include "groups.h"

#include "codec/codec.h"
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>

enum { ARENA_MAX = 1 << 20, TEXT_MAX = 4096 };

static const struct addr here = {.family = ADDR_V4, .bytes = {10, 0, 0, 2}};
static const struct label own[] = {{{"site", 4}, {"berlin", 6}}};
static const struct node_group_port ports[] = {
    {8080, {ADDR_V4, {10, 0, 0, 2}, 9090}},
    {81, {ADDR_V4, {127, 0, 0, 1}, 81}}};

static struct resource *
group_of(const char *spec, struct arena *arena)
{
	AUTO(findings_fini) struct findings found = {0};
	struct resource_source source = {.parse_json = codec_json_parse};
	struct codec_documents docs;
	struct faults faults = {0};
	struct resource *out = NULL;
	struct slice text = arena_printf(arena,
	    "apiVersion: networking.istio.io/v1\nkind: WorkloadGroup\n"
	    "metadata: {name: web, namespace: shop}\nspec: %s\n",
	    spec);

	EXPECT_OK(codec_yaml_parse(text, NULL, arena, &docs, &faults));
	EXPECT_OK(resource_decode(docs.items[0].root, &source, &out, &found));
	EXPECT_EQ(found.inert.count, 0);
	return out;
}

static void add(char *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
add(char *out, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(out + len, TEXT_MAX - len, fmt, args);
	va_end(args);
}

/* "web.shop account protocol port target weight key=value… check" a line. */
static void
write_service(const struct node_expose *e, char *out)
{
	AUTO(buf_fini) struct buf check = BUF(TEXT_MAX);
	char target[ADDR_TEXT_MAX];

	add(out, "%.*s.%.*s %.*s %.*s %u %s %u", SLICE_ARG(e->name),
	    SLICE_ARG(e->ns), SLICE_ARG(e->account), SLICE_ARG(e->protocol),
	    (unsigned)e->port, addr_format(&e->target, target),
	    (unsigned)e->weight);
	for (size_t i = 0; i < e->label_count; i++)
		add(out, " %.*s=%.*s", SLICE_ARG(e->labels[i].key),
		    SLICE_ARG(e->labels[i].value));
	if (e->check != NULL) {
		EXPECT_OK(codec_json_emit(e->check, &check));
		add(out, " %.*s", SLICE_ARG(buf_slice(&check)));
	}
	add(out, "\n");
}

static void
expect_group(const char *spec, const struct node_group *wish, const char *text)
{
	AUTO(arena_fini) struct arena arena = {0};
	AUTO(resource_unref) struct resource *r = NULL;
	const struct group_place at = {.wish = wish,
	    .network = S("default"),
	    .addrs = &here,
	    .addr_count = 1};
	const struct node_expose *found = NULL;
	char out[TEXT_MAX] = "";
	struct fault why = {0};
	size_t count = 0;

	arena_init(&arena, ARENA_MAX);
	r = group_of(spec, &arena);
	if (group_services(r, &at, &arena, &found, &count, &why) != OK)
		add(out, "%s", why.text);
	for (size_t i = 0; i < count; i++)
		write_service(&found[i], out);
	EXPECT_SLICE(slice_str(out), slice_str(text));
}

static const struct node_group bare = {.name = {"web", 3}, .ns = {"shop", 4}};

TEST(each_port_of_the_template_is_a_service_with_the_group_s_labels)
{
	expect_group(
	    "{template: {labels: {app: a, v: '1'}, ports: {http: 8080, "
	    "grpc-api: 90, db: 5432}, serviceAccount: pay, weight: 3},"
	    " metadata: {labels: {v: '2'}}}",
	    &bare,
	    "web.shop pay http 8080 127.0.0.1:8080 300 app=a v=2 "
	    "meshd.dev/group=web meshd.dev/port-name=http\n"
	    "web.shop pay grpc 90 127.0.0.1:90 300 app=a v=2 "
	    "meshd.dev/group=web meshd.dev/port-name=grpc-api\n"
	    "web.shop pay tcp 5432 127.0.0.1:5432 300 app=a v=2 "
	    "meshd.dev/group=web meshd.dev/port-name=db\n");
}

TEST(what_the_machine_says_comes_over_the_group)
{
	struct node_group wish = bare;

	wish.labels = own;
	wish.label_count = 1;
	wish.ports = ports;
	wish.port_count = 2;
	expect_group("{template: {labels: {site: x}, ports: {http: 8080}}}",
	    &wish,
	    "web.shop default http 8080 10.0.0.2:9090 100 site=berlin "
	    "meshd.dev/group=web meshd.dev/port-name=http\n"
	    "web.shop default  81 127.0.0.1:81 100 site=berlin "
	    "meshd.dev/group=web\n");
}

TEST(without_ports_or_for_another_network_it_is_no_workload)
{
	expect_group("{template: {}}", &bare,
	    "its template names no ports; write them there, or say them here: "
	    "meshd expose --group web.shop PORT");
	expect_group("{template: {network: n2, ports: {http: 80}}}", &bare,
	    "its template is for network n2, and this machine joined network "
	    "default, as its voucher says");
}

#define PROBE(how) "{template: {ports: {x: 1}}, probe: {" how "}}"
#define SERVICE                                                                \
	"web.shop default tcp 1 127.0.0.1:1 100 meshd.dev/group=web "          \
	"meshd.dev/port-name=x "
/* Members are in order. */
#define HEALTHY(n) "\"healthyThreshold\":" n ","
#define TIMES(delay, interval)                                                 \
	"\"initialDelay\":\"" delay "s\",\"interval\":\"" interval "s\","
#define REST(timeout, n)                                                       \
	"\"timeout\":\"" timeout "s\",\"unhealthyThreshold\":" n "}\n"
#define TCP "\"tcp\":{\"port\":80},"

TEST(a_probe_is_the_spec_of_a_health_check_policy)
{
	expect_group(PROBE("tcpSocket: {port: 80}"), &bare,
	    SERVICE "{" HEALTHY("1") TIMES("0", "10") TCP REST("1", "3"));
	expect_group(PROBE("tcpSocket: {port: 80, host: localhost}, "
			   "timeoutSeconds: 30, periodSeconds: 5, "
			   "initialDelaySeconds: 7, successThreshold: 2, "
			   "failureThreshold: 4000"),
	    &bare,
	    SERVICE "{" HEALTHY("2") TIMES("7", "30") TCP REST("30", "100"));
	expect_group(PROBE("exec: {command: [a, b]}"), &bare,
	    SERVICE "{\"exec\":{\"command\":[\"a\",\"b\"]}," HEALTHY("1")
		TIMES("0", "10") REST("1", "3"));
	expect_group(
	    PROBE("httpGet: {port: 80, path: x, httpHeaders: [{name: host, "
		  "value: h}, {name: a, value: b}]}"),
	    &bare,
	    SERVICE "{" HEALTHY(
		"1") "\"http\":{\"headers\":[{\"name\":\"a\","
		     "\"value\":\"b\"}],\"host\":\"h\",\"path\":"
		     "\"/x\",\"port\":80,\"scheme\":\"HTTP\"}," TIMES("0", "10")
			 REST("1", "3"));
}

TEST(a_probe_asks_nobody_but_this_machine)
{
	expect_group(PROBE("tcpSocket: {port: 80, host: 10.0.0.2}"), &bare,
	    SERVICE "{" HEALTHY("1") TIMES("0", "10") TCP REST("1", "3"));
	expect_group(PROBE("httpGet: {port: 80, host: db.example.com}"), &bare,
	    "its probe asks db.example.com, which is no address of this "
	    "machine: a probe asks where the workload runs; leave host out, or "
	    "write localhost (a virtual host belongs into httpHeaders, as "
	    "Host)");
}
