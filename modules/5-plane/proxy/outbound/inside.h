/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside — a listener, as the files of this folder see it: listeners.c opens
 * and closes them, ways.c says what their connections meet, captured.c knows
 * those to which rules of the machine lead.
 */
#ifndef MESHD_PROXY_OUTBOUND_INSIDE_H
#define MESHD_PROXY_OUTBOUND_INSIDE_H

#include "outbound/listeners.h"

enum { LISTENER_MAGIC = 0x6c697374, NAME_MAX_LEN = 128 };

enum listener_kind {
	UPSTREAM,
	GATEWAY,
	PROXY,
	TARGET,
	CAPTURED_OUT,
	CAPTURED_IN,
	MUTUAL
};

struct listener {
	uint32_t magic;
	uint32_t refs;
	uint32_t conns; /* that are let in and not gone */
	struct worker *worker;
	struct net_listener *net; /* gone after on_close, as the link is */
	struct addr addr;
	enum listener_kind kind;
	char *host;        /* TARGET: as it was called, of no address */
	struct slice alpn; /* MUTUAL: what is spoken; of mesh_alpns, or none */
	bool wanted;       /* by the view that is being put in force */
	bool closing;
	struct list link;
	char name[NAME_MAX_LEN];
	char identity[PROXY_CONN_TEXT_MAX];
	bool is_own; /* its clients call as `caller`, which is in the texts */
	char cluster[PROXY_CLUSTER_MAX];
	struct view_caller caller;
	uint64_t told;          /* hash of the last reason that is in the log */
	uint64_t await_from_us; /* since the last call that waited in vain */
};

struct listeners {
	struct worker *worker;
	struct list all;
	struct tls_config *mutual; /* NULL: not needed yet */
};

/* What a view wants to be open. */
struct listener_spec {
	enum listener_kind kind;
	struct slice name;
	struct addr addr;
	struct slice identity;
	bool is_own;
	struct slice cluster; /* of one's own */
};

/* The first reference is the caller's. */
struct listener *listener_new(struct worker *w, const struct listener_spec *u);

/* --- ways.c --------------------------------------------------------------- */

const struct view_listener *listener_gateway_row(
    const struct listener *l, const struct view *v);
/* What its connections meet that were captured, to that address. */
const struct view_listener *listener_captured_row(
    const struct listener *l, const struct view *v, const struct addr *called);
/* Where mutual TLS is ended in front of programs of this machine. */
bool listener_ends_mutual(const struct view_chain *c);

/* --- captured.c ----------------------------------------------------------- */

/* Who its clients are, for reports and for who is called. */
void listener_make_caller(struct listener *l);

/* Says so and closes the stream, and false, if no rule led it here; else its
 * end is where it meant to get. */
bool captured_find_called(struct listener *l, struct stream *s);

#endif
