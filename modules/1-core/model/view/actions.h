/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actions — the steps that make a rule's actions, one a file.
 */
#ifndef MESHD_VIEW_ACTIONS_H
#define MESHD_VIEW_ACTIONS_H

#include "http_fields.h"
#include "inside.h"

/* What a message of headers says. */
struct header_changes {
	struct view_headers request;
	struct view_headers response;
	struct slice authority; /* of the request; or empty */
};

/* `spec` may be NULL (headers.c). */
void compile_headers(struct builder *b, const struct headers_spec *spec,
    const struct resource *owner, struct header_changes *out);

/* `more` is done behind what `to` does. */
void append_headers(struct builder *b, const struct view_headers *more,
    struct view_headers *to);

/*
 * What is tried again: the rule's, else the mesh's, else upstream's default.
 * `hashed`: endpoints are chosen by a hash, so that no other may be tried
 * (retries.c).
 */
void compile_retry(struct builder *b, const struct http_retry *rule,
    bool hashed, struct view_retry *out);

/* Of the inbound side; calls of gRPC are never tried again there. */
void compile_inbound_retry(
    struct builder *b, bool is_grpc, struct view_retry *out);

/* Answers of our own (answers.c). */
const struct view_redirect *compile_redirect(struct builder *b,
    const struct http_redirect *spec, const struct view_host *h);
const struct view_answer *compile_answer(
    struct builder *b, const struct http_direct_response *spec);

/* NULL if the rule has none. */
const struct view_fault *compile_fault(
    struct builder *b, const struct http_fault *spec); /* faults.c */
const struct view_cors *compile_cors(
    struct builder *b, const struct cors_policy *spec); /* cors.c */

/* Copies elsewhere (mirrors.c). */
void compile_mirrors(struct builder *b, const struct http_route *spec,
    const struct resource *owner, uint16_t port, struct view_http_route *out);

/*
 * By what the endpoints of a destination are chosen, as its rules say
 * (hashing.c). False: by nothing. `spec` NULL: of the service's own port.
 */
bool find_hash(struct builder *b, struct service_row *s, uint16_t port,
    const struct destination_spec *spec, struct view_hash_policy *out);

/* In parts of a million, as upstream counts them; NULL: `otherwise`. */
static inline uint32_t
millionths_of(const struct percent *p, uint32_t otherwise)
{
	return p != NULL ? (uint32_t)(p->value * (VIEW_MILLION / 100.0))
			 : otherwise;
}

/* May it stand in a request's line, and in a header: no space, no control. */
static inline bool
is_one_word(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
			return false;
	return true;
}

/* "GET,POST" (cors.c). */
struct slice take_joined(
    struct builder *b, const struct slice *items, size_t count);

#endif
