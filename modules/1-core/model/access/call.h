/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call — a question about access, read from its map.
 */
#ifndef MESHD_ACCESS_CALL_H
#define MESHD_ACCESS_CALL_H

#include "explain_access.h"

struct access_call {
	struct slice to;
	uint16_t port; /* 0: the first */
	bool tcp;
	const struct value *labels;      /* may be NULL */
	const struct value *headers;     /* may be NULL */
	struct slice bearer;             /* the Authorization header of `jwt` */
	const struct value *claims;      /* that `bearer` stands for; or NULL */
	struct http_attrs http;          /* its path as it came */
	struct access_question question; /* without http and claims */
};

/*
 * Borrows from the map, or lies in the arena; `out` stays where it is, as
 * out->http refers to it. ERR_INVALID.
 */
MUST_USE enum err access_call_read(const struct value *map,
    struct slice trust_domain, struct arena *arena, struct access_call *out,
    struct fault *why);

/*
 * Whom a question means: "curl.default", or an identity as it is; "-" and
 * nothing are nobody. ERR_LIMIT: the arena is full.
 */
MUST_USE enum err access_call_identity(struct slice from,
    struct slice trust_domain, struct arena *arena, struct slice *out);

/* A map of texts as labels; none, if that is no map. */
struct labels access_call_labels(const struct value *map, struct arena *arena);

#endif
