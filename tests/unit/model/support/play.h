/* SPDX-License-Identifier: Apache-2.0 */
/*
 * play — a shop with web and cart, whose documents come and go in acts.
 */
#ifndef MESHD_TEST_PLAY_H
#define MESHD_TEST_PLAY_H

#include "model/model.h"

/* Something of shop, as a DestinationRule or a VirtualService. */
#define RESOURCE(kind, name, year, rest)                                       \
	"apiVersion: networking.istio.io/v1\nkind: " kind "\n"                 \
	"metadata: {name: " name                                               \
	", namespace: shop, creationTimestamp: \"" year                        \
	"-01-01T00:00:00Z\"}\nspec:\n" rest
#define ROUTES(name, year, hosts, rest)                                        \
	RESOURCE("VirtualService", name, year,                                 \
	    "  hosts: [" hosts "]\n  http:\n  - " rest "\n")
#define POLICIES(name, host, rest)                                             \
	RESOURCE(                                                              \
	    "DestinationRule", name, "2020", "  host: " host "\n  " rest "\n")
#define LEAD_TO(host) "route: [{destination: {host: " host "}}]"

/* A VirtualService of shop for gateways. */
#define BOUND_TO(gateways, name, hosts, rest)                                  \
	"apiVersion: networking.istio.io/v1\nkind: VirtualService\n"           \
	"metadata: {name: " name ", namespace: shop}\n"                        \
	"spec:\n  hosts: [" hosts "]\n  gateways: [" gateways "]\n"            \
	"  http:\n  - " rest "    route: [{destination: {host: web}}]\n"

/* A Service "a" and a ServiceEntry "e" of shop. */
#define SERVICE(labels, spec)                                                  \
	"apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop, " \
	"labels: {" labels "}}\nspec: {" spec "}\n"
#define ENTRY(rest)                                                            \
	RESOURCE("ServiceEntry", "e", "2020",                                  \
	    "  hosts: [a.test]\n"                                              \
	    "  ports: [{number: 80, name: http, protocol: HTTP}, "             \
	    "{number: 3306, name: tcp, protocol: TCP}]\n  " rest "\n")
#define HTTP_PORT "{name: http, port: 80}"

/* A Sidecar of shop with these listeners. */
#define SCOPING(egress)                                                        \
	RESOURCE("Sidecar", "s", "2020", "  egress: [" egress "]\n")

/* What is there in one step: digits are places among the documents. */
struct act {
	const char *there;
	bool is_patch;
	/* Of what takes a request to web: its timeout, in seconds, and if it
	 * leads somewhere; how many clusters web has, how many problems. */
	uint64_t timeout;
	bool is_led;
	size_t clusters, problems;
};

struct play {
	struct resource *documents[10];
	const struct resource *there[10];
	struct view_input in;
};

void play_init(struct play *p, const char *const *documents, size_t count);
void play_fini(struct play *p);

/* The view of what is there in the act: a patch of `before`, or not, and as one
 * that is made from nothing. */
struct view *compile_act(
    struct play *p, const struct act *act, const struct view *before);

/* One act after another; what an act that has clusters says is so. */
void play(struct play *p, const struct act *acts, size_t count);

/* From any of these states to any that follows it. */
void play_from_each(struct play *p, const struct act *acts, size_t count);

/* The one document of a text. */
struct resource *resource_of(const char *text);

/* How many connections may be open to web on port 9000, which has so many
 * endpoints. */
uint32_t connections_of_web(const struct view *v, size_t endpoints);

#endif
