/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doors — a gateway while its listeners and chains are made.
 */
#ifndef MESHD_VIEW_DOORS_H
#define MESHD_VIEW_DOORS_H

#include "servers.h"

/* One address while its chains are collected. */
struct door {
	struct view_listener *listener;
	struct rows chains; /* struct view_chain */
	struct chain_moves moves;
};

struct gateway_state {
	struct builder *b;
	struct scope *scope;
	bool is_behind; /* see stands_behind_proxy() */
	struct serving serving;
	struct bindings bindings;
	struct map doors;       /* name of the listener → struct door */
	struct rows door_rows;  /* in the order of age */
	struct map routes;      /* name → struct view_routes */
	struct map bind_of_sni; /* number, name → struct slice, of tls rules */
};

void doors_init(struct gateway_state *g);
void doors_fini(struct gateway_state *g);

/* Its chains; those of several ports may be one listener's, so that they are
 * closed after the last. */
void open_port_at(struct gateway_state *g, const struct served_port *p);
void close_doors(struct gateway_state *g);

/* One more; NULL when the view is full. */
struct view_chain *add_chain(
    struct gateway_state *g, struct door *d, const struct origin *o);

/* Only connections that say one of the names, in lower case. */
void match_names(struct builder *b, const struct slice *names, size_t count,
    struct view_chain_match *out);
void match_server(
    struct builder *b, const struct served *s, struct view_chain_match *out);

/* As the server's tls says. */
void end_tls(
    struct builder *b, const struct served *s, struct view_chain_tls *out);

/* --- what stands before (topology.c) ------------------------------------- */

/* All that comes to this gateway begins with a PROXY header. */
bool stands_behind_proxy(struct builder *b);

/* --- bytes (passed.c) ----------------------------------------------------- */

/* In the clear, or with TLS that ends here. */
void add_tcp_chain(
    struct gateway_state *g, struct door *d, const struct served *s);

/* PASSTHROUGH: one for each match of a tls rule. */
void add_tls_chains(
    struct gateway_state *g, struct door *d, const struct served *s);

/* AUTO_PASSTHROUGH: one for each cluster of the mesh. */
void add_auto_chains(
    struct gateway_state *g, struct door *d, const struct served *s);

#endif
