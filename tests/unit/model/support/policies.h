/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies — one exposed workload under the policies of a YAML.
 */
#ifndef MESHD_TEST_POLICIES_H
#define MESHD_TEST_POLICIES_H

#include "load.h"

/* web.default, port 80, with app=web and version=v1. */
struct guarded {
	struct loaded l;
	struct view *v;
	const struct view_guard *web;
	uint64_t seed; /* printed when the index is wrong; 0: none */
};

void guarded_init(struct guarded *g, const char *yaml);
void guarded_fini(struct guarded *g);

/* A call of it; what is NULL is not there. */
struct call {
	const char
	    *from; /* "ns/account" under mesh.internal, or "spiffe://…" */
	const char *method;
	const char *host;
	const char *path;    /* NULL: a connection without requests */
	const char *headers; /* "name: value\n…" */
	const char *source;  /* addresses */
	const char *remote;
	const char *to; /* with its port */
	const char *sni;
	const struct value *claims;
	const struct value *metadata;
};

struct access_decision guarded_ask(
    const struct guarded *g, const struct call *c);

/* True if it may, both by the index and without. */
bool guarded_allows(const struct guarded *g, const struct call *c);

/* "name: value\n…", as http_attrs wants it. */
bool header_in_text(void *arg, struct slice name, struct slice *out);

#define POLICY(name, ns, spec)                                                 \
	"apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"        \
	"metadata: {name: " name ", namespace: " ns "}\n"                      \
	"spec: {" spec "}\n---\n"

#endif
