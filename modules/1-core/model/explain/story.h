/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story — an explanation while it is told: what every kind of question has in
 * common from the virtual host on.
 */
#ifndef MESHD_STORY_H
#define MESHD_STORY_H

#include "explain.h"
#include "tree.h"

enum { STORY_MET_MAX = 32 };

struct story {
	struct tree t;
	const struct view *v;
	const struct explain_request *ask;
	uint16_t port;   /* that was called; 0: the virtual host's own */
	bool is_inbound; /* to a program beside the proxy */
	bool is_gateway; /* at one, from outside */
	bool is_bytes;   /* which nobody answers, but closes */
	bool is_refused; /* and which go nowhere, as they are no HTTP */
	const struct view_chain *chain; /* of a gateway, or inbound */
	const struct view_host *host;   /* that requests meet */
	/* By a named listener: what is known of the connection. */
	struct view_connection seen;
	struct value *root;
	struct value *rules;
	/* Where that by which it went is written, each resource once. */
	const struct origin *met[STORY_MET_MAX];
	size_t met_count;
};

void story_init(struct story *s, const struct view *v,
    const struct explain_request *ask, struct arena *arena);

/* The request, as a virtual host takes it; NULL: none is found yet. */
struct http_attrs story_attrs(const struct story *s, const struct view_host *h);

/* What came of it. Status 0: we answer nothing ourselves. */
void story_outcome(
    struct story *s, unsigned status, enum flow_flag flag, struct slice reason);

/* Upstream's name for where it ends. */
void story_error(struct story *s, const char *name);

/* Who calls. */
void story_caller(struct story *s, const struct view_scope *of);

/* The rules for requests of a virtual host, and what comes after. */
void story_http(struct story *s, const struct view_host *h);

/* What a connection's bytes meet; `r` may be NULL. */
void story_tcp(struct story *s, const struct view_tcp_route *r);

/* The rules for connections that were looked at; a view_trace_cb. */
void story_on_step(void *arg, const struct view_step *step);

/* It went by this; keeps it. Of more than STORY_MET_MAX the first. */
void story_meet(struct story *s, const struct origin *o);

/* What is wrong with all that it met, last. */
void story_problems(struct story *s);

/* `s`, or `otherwise` if it is empty. */
static inline struct slice
story_or(struct slice s, struct slice otherwise)
{
	return s.len > 0 ? s : otherwise;
}

/* What it may reach, by Envoy's words. */
void story_clusters(
    struct story *s, const struct view_destination *items, size_t count);

#endif
