/* SPDX-License-Identifier: Apache-2.0 */
/*
 * name — names of services, hosts and identities, and what is legal in them.
 *
 * A service is <name>.<namespace>.svc.<domain>; `name`, `name.ns`,
 * `name.ns.svc` and `….svc.cluster.local` mean the same. An identity is
 * spiffe://<trust domain>/ns/<namespace>/sa/<account>, exactly this shape
 * (SPIFFE ID specification §2; the path is Istio's).
 */
#ifndef MESHD_NAME_H
#define MESHD_NAME_H

#include "arena.h"

enum {
	NAME_LABEL_MAX = 63, /* RFC 1035 §2.3.4 */
	NAME_HOST_MAX = 253,
	NAME_SPIFFE_MAX = 2048,
	NAME_TRUST_DOMAIN_MAX = 255
};

/* RFC 1123 label: [a-z0-9]([-a-z0-9]*[a-z0-9])?, at most 63. */
MUST_USE enum err name_check_label(struct slice s, struct fault *why);

/* RFC 1123 subdomain: labels with dots, at most 253. */
MUST_USE enum err name_check_subdomain(struct slice s, struct fault *why);

/* SPIFFE trust domain: [a-z0-9._-], at most 255. */
MUST_USE enum err name_check_trust_domain(struct slice s, struct fault *why);

struct service_name {
	struct slice name;
	struct slice ns;
};

/*
 * Reads any of the forms above; `ns` when the text has none. ERR_NOT_FOUND if
 * it is a host outside the mesh domain, ERR_PARSE if it is no host at all
 * (capitals and wildcards included). Two labels are always name.ns; the full
 * forms may end in a dot. Borrows from `host` and `ns`.
 */
MUST_USE enum err name_service_parse(struct slice host, struct slice ns,
    struct slice domain, struct service_name *out);

struct identity {
	struct slice trust_domain;
	struct slice ns;
	struct slice account;
};

/*
 * Borrows from `uri`; ERR_PARSE for any other shape. Namespace and account are
 * SPIFFE path segments: [a-zA-Z0-9._-]+, but not "." or "..".
 */
MUST_USE enum err name_identity_parse(
    struct slice uri, struct identity *out, struct fault *why);

/* SLICE_NONE when the arena is full. */
struct slice name_identity_format(struct arena *a, const struct identity *id);

#endif
